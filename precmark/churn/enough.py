"""Whether a run holds enough decisions for the churn chapters; asked before they are planned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from precmark import __version__
from precmark.errors import InputError
from precmark.sequences import make_sequences, task_for
from precmark.tables import read_table, whole_file

if TYPE_CHECKING:
    from precmark.runs import Run

LEAST_DECISIONS = 300
LEAST_EACH = 30
"""Fewer decisions, or fewer of one outcome, leave nothing to split into three and compare."""


STEPS = 20
"""T where nothing else is asked for: most users of the simulated store have fewer events."""


def default_steps(run: Run) -> int:
    """T for the sequences of `run`: :data:`STEPS`, or the events of the busiest user if fewer."""
    from precmark.engine import connect, read

    if "views" not in run.source.says:
        return STEPS
    events = read(connect(), run.need("sessions/events"))
    busiest = events.group_by("user_code").aggregate(n=events.count()).n.max().execute()
    return int(min(STEPS, busiest))


def too_few_decisions(run: Run) -> str:
    """Why the log of `run` holds too little for sequences and networks; empty where it is enough.

    The sequences of the default task are made once and the answer is kept in the run's cache.
    """
    try:
        task = task_for(run.source, steps=default_steps(run))
    except InputError as error:
        return str(error)
    path = run.path / "cache" / "decisions.json"
    asked = {"data": run.card["fingerprint"], "task": task.to_json(), "version": __version__}
    known = json.loads(path.read_text()) if path.exists() else {}
    if {key: known.get(key) for key in asked} != asked:
        known = {**asked, "reason": _reason(run, task)}
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n")
    return known["reason"]


def _reason(run: Run, task) -> str:
    try:
        y = make_sequences(run, task).y
    except InputError as error:
        return str(error)
    good, bad = int(y.sum()), int((1 - y).sum())
    if len(y) >= LEAST_DECISIONS and min(good, bad) >= LEAST_EACH:
        return ""
    return (
        f"{run.source.title} holds {len(y):,} decisions, {good:,} with {task.positive}; the churn "
        f"models need {LEAST_DECISIONS} and {LEAST_EACH} of either outcome"
    )


def nothing_to_compare(run: Run) -> str:
    """Why `run` has neither sequences nor visits to compare models on; empty where it has."""
    if run.has("contract/visits"):
        purchased = read_table(run.table_path("contract/visits"), ["purchased"]).purchased
        good = int(purchased.sum())
        if len(purchased) >= LEAST_DECISIONS and min(good, len(purchased) - good) >= LEAST_EACH:
            return ""
    if not run.has("contract/events"):
        return f"{run.source.title} has neither an event log nor enough visits"
    return too_few_decisions(run)
