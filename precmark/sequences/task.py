"""What is predicted, for whom and from how much: the task that a set of sequences belongs to."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from precmark.errors import InputError, Problem

if TYPE_CHECKING:
    from precmark.source import Source

UNITS = ("auto", "session", "customer")
"""The units that a prediction can be about."""

STEP_DAYS = {"week": 7, "day": 1}
"""Days of one step of a customer's sequence."""

LONGEST_DAYS = 36_500
"""A horizon above a century is taken for a mistake."""

_NEEDS = {
    "session": (("views", "sessions"), "clicks that belong to sessions"),
    "customer": (("purchases", "clock", "users"), "dated purchases of users who come back"),
}


@dataclass(frozen=True)
class Task:
    """One prediction task.

    Attributes
    ----------
    unit : {"session", "customer"}
        Whether a decision is a click of a session or a customer at an origin.
    label : {"purchase", "next_click", "repurchase"}
        The outcome; y = 1 means that the good one comes.
    k : int
        The click at which a session is decided on, from 1; 0 for customers.
    steps : int
        T, the most steps that a sequence holds.
    horizon : datetime.timedelta
        How long after the decision the outcome may come; 0 for ``next_click``.
    positive, negative : str
        y = 1 and y = 0 in words.
    note : str
        What a reader must know; empty where nothing.
    step : {"event", "week", "day"}
        What one step is.
    origins : int
        How many origins a customer task has; 0 for sessions.
    """

    unit: str
    label: str
    k: int
    steps: int
    horizon: dt.timedelta
    positive: str
    negative: str
    note: str = ""
    step: str = "event"
    origins: int = 0

    def to_json(self) -> str:
        """The task as JSON, the horizon in seconds."""
        return json.dumps(
            {**dataclasses.asdict(self), "horizon": self.horizon.total_seconds()}, sort_keys=True
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Task:
        """The task that :meth:`to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "horizon": dt.timedelta(seconds=fields["horizon"])})


def task_for(
    source: Source,
    *,
    unit: str = "auto",
    k: int = 3,
    steps: int = 20,
    horizon_hours: float = 2.5,
    horizon_days: float = 90,
    step: str = "week",
    origins: int = 3,
) -> Task:
    """The task that `source` can fill.

    Parameters
    ----------
    source : Source
    unit : {"auto", "session", "customer"}
        ``auto``: sessions where the source holds clicks, else customers.
    k : int
        Click of the decision, from 1 (sessions).
    steps : int
        T, from 1. Where users are not recognised across sessions a sequence cannot be longer than
        k, so that T is k at most.
    horizon_hours : float
        Hours within which a purchase counts, > 0 (sessions of sources with purchases and a clock).
    horizon_days : float
        Whole days H within which a purchase counts, >= 1 (customers).
    step : {"week", "day"}
        One step of a customer.
    origins : int
        Origins of the customer task, H days apart, >= 3.

    Returns
    -------
    Task
        ``purchase`` (sessions of a source with purchases and a clock), ``next_click`` (other
        sessions) or ``repurchase`` (customers).

    Raises
    ------
    InputError
        With every argument that is out of range, or when the source cannot fill the unit.
    """
    problems = _out_of_range(unit, k, steps, horizon_hours, horizon_days, step, origins)
    if unit in UNITS:
        unit, lacks = _unit_of(source, unit)
        problems += lacks
    if problems:
        raise InputError(problems)
    if unit == "customer":
        return customer_task(steps, int(horizon_days), step, origins)
    return _session_task(source, k, steps, horizon_hours)


def _out_of_range(unit, k, steps, horizon_hours, horizon_days, step, origins) -> list[Problem]:
    problems = []
    if unit not in UNITS:
        problems.append(Problem(f"unit {unit!r} is not known", f"Use one of {', '.join(UNITS)}."))
    if not _whole(k, 1):
        problems.append(Problem(f"k = {k}: no click has that number", "Use a whole number from 1."))
    if not _whole(steps, 1):
        problems.append(Problem(f"{steps} steps", "Use a whole number of steps from 1."))
    if not 0 < horizon_hours <= 24 * LONGEST_DAYS:
        problems.append(Problem(f"a horizon of {horizon_hours} hours", "Use a number above 0."))
    if not _whole(horizon_days, 1) or horizon_days > LONGEST_DAYS:
        problems.append(Problem(f"a horizon of {horizon_days} days", "Use whole days from 1."))
    if step not in STEP_DAYS:
        problems.append(Problem(f"step {step!r} is not known", "Use 'week' or 'day'."))
    if not _whole(origins, 3):
        problems.append(
            Problem(
                f"{origins} origins cannot be split into training, validation and test",
                "Use three or more.",
            )
        )
    return problems


def _whole(number: float, least: int) -> bool:
    """Whether `number` is a whole number of at least `least`; NaN and infinity are not."""
    return number >= least and number != float("inf") and int(number) == number


def _unit_of(source: Source, unit: str) -> tuple[str, list[Problem]]:
    """The unit asked for, or for ``auto`` the first that `source` can fill; and what it lacks."""
    lacking = {
        name: [c for c in needed if c not in source.says] for name, (needed, _) in _NEEDS.items()
    }
    if unit == "auto":
        unit = next((name for name, missing in lacking.items() if not missing), "auto")
    asked = [unit] if unit in lacking else list(lacking)
    if unit in lacking and not lacking[unit]:
        return unit, []
    others = [name for name, missing in lacking.items() if not missing]
    fix = f"Use unit={others[0]!r}." if others else "Use a log of clicks or of dated purchases."
    return unit, [
        Problem(
            f"unit {name!r}: {source.title} does not hold {_NEEDS[name][1]} "
            f"(it lacks {', '.join(lacking[name])})",
            fix,
        )
        for name in asked
    ]


def _session_task(source: Source, k: int, steps: int, horizon_hours: float) -> Task:
    notes = []
    if "users" not in source.says and steps > k:
        steps = k
        notes.append(f"Users are not recognised across sessions, so a sequence holds {k} steps.")
    if {"purchases", "clock"} <= source.says:
        return Task(
            "session", "purchase", int(k), int(steps), dt.timedelta(hours=horizon_hours),
            f"a purchase within {horizon_hours:g} hours",
            f"no purchase within {horizon_hours:g} hours",
            " ".join(notes),
        )  # fmt: skip
    lacks = "purchases" if "purchases" not in source.says else "clock"
    notes.insert(0, f"The log has no {lacks}; the outcome is whether one more click comes.")
    notes.append(
        "Robots are recognised by the length of the whole session and left out; all of them would "
        "have clicked on."
    )
    return Task(
        "session", "next_click", int(k), int(steps), dt.timedelta(0),
        "one more click in the session", f"the session ends with click {k}", " ".join(notes),
    )  # fmt: skip


def customer_task(steps: int, horizon_days: int, step: str, origins: int) -> Task:
    """The task of customers at rolling origins (see :func:`task_for`); unchecked."""
    return Task(
        "customer", "repurchase", 0, int(steps), dt.timedelta(days=horizon_days),
        f"a purchase in the next {horizon_days} days",
        f"no purchase in the next {horizon_days} days",
        "Customers who bought before the log begins look newer than they are (left-censored "
        "history), and those who did not buy since are missing. The log's last day counts as "
        "complete.",
        step, int(origins),
    )  # fmt: skip
