"""Whether a run holds enough for the recommendation chapter; asked before it is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from precmark.errors import InputError
from precmark.recommend.shop import table_problems
from precmark.recommend.study import periods

if TYPE_CHECKING:
    from precmark.runs import Run

LEAST_OCCASIONS = 30
"""Fewer in the validation or the test part leave nothing to choose or to judge by."""


def too_little(run: Run) -> str:
    """Why `run` cannot be recommended from; empty where it can."""
    if not run.has("contract/items"):
        return f"{run.source.title} has no list of items"
    try:
        problems = table_problems(run.table("sessions/events"), run.table("contract/items"))
        if problems:
            raise InputError(problems)
        found = periods(run)
    except InputError as error:
        return f"{run.source.title} cannot be recommended from: {error}"
    counts = {"validation": len(found.validation), "test": len(found.test)}
    if min(counts.values()) >= LEAST_OCCASIONS:
        return ""
    what = "somebody bought something" if found.wanted == "purchase" else "more was clicked"
    few = " and ".join(f"{count:,} in the {part} part" for part, count in counts.items())
    return (
        f"{run.source.title} holds too few occasions after which {what} ({few}); "
        f"{LEAST_OCCASIONS} are needed in each"
    )
