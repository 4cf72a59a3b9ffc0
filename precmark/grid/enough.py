"""Whether a run holds enough months and outcomes for chapter 10; asked before it is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from precmark.errors import InputError

if TYPE_CHECKING:
    from precmark.runs import Run


def too_little(run: Run) -> str:
    """Why `run` cannot be read month by month; empty where it can."""
    from precmark.engine import connect, read
    from precmark.grid.months import daily_log, outcome_of

    try:
        days = daily_log(read(connect(), run.need("sessions/events")), run.source.timezone)
        outcome_of(days)
    except InputError as error:
        return f"{run.source.title} cannot be read month by month: {error}"
    return ""
