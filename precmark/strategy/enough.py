"""Whether a run holds enough for the strategy chapter; asked before it is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from precmark.strategy.predictions import need_snapshots

if TYPE_CHECKING:
    from precmark.runs import Run

LEAST_USERS = 200
"""Fewer leave nothing to match, cluster or predict."""


def too_little(run: Run) -> str:
    """Why `run` cannot fill the chapter; empty where it can.

    The chapter's parts ask for more, each for itself, and say so where they are left out.
    """
    if not run.has("sessions/events"):
        return f"{run.source.title} has no sessions"
    users = run.table("sessions/events", ["user_code"]).user_code.nunique()
    if users < LEAST_USERS:
        return f"{run.source.title} knows {users:,} users; {LEAST_USERS} are needed"
    return need_snapshots(run)
