"""What customers will do: buy, buy again, or stay away (You, section 4.4.2)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.errors import InputError
from precmark.segments import fit_space
from precmark.segments.past import past_profile
from precmark.sequences import rolling_origins
from precmark.sequences.customer_log import instant

if TYPE_CHECKING:
    from precmark.runs import Run

TASKS = {
    "intent": "buys",
    "repurchase": "buys again",
    "churn": "stays away",
}
"""What is predicted for the days after an origin, in words."""

WHOM = {
    "intent": "seen in the days before",
    "repurchase": "bought before",
    "churn": "seen in the days before",
}
"""Whose behaviour it is."""

LEAST = 20
"""Fewer rows of either class in training, validation or test leave a task out."""

SHOWN = ("average_precision", "auroc", "brier")

TITLES = {
    "constant": "Constant",
    "recency": "Recency alone",
    "logistic": "Logistic regression",
    "histogram-boosting": "Gradient boosting",
}


@dataclass(frozen=True)
class Snapshot:
    """Customers as they stood on a day, and what they did after it.

    Attributes
    ----------
    origin : datetime.date
        Nothing from this day on is in the profile.
    profile : pandas.DataFrame
        See :func:`~precmark.segments.past.past_profile`.
    outcomes : pandas.DataFrame
        ``user_code`` in the profile's order; ``active`` (an event in the H days before), ``bought``
        (a purchase before), ``buys`` and ``comes`` (a purchase, an event in the H days from it).
    """

    origin: dt.date
    profile: pd.DataFrame
    outcomes: pd.DataFrame


def horizon_of(span_days: int) -> int:
    """H: 60 days, and a sixth of a log that is shorter than a year; at least 7."""
    return max(7, min(60, span_days // 6))


def snapshots(run: Run, *, n_jobs: int = 1) -> tuple[list[Snapshot], int]:
    """Three origins H days apart, the last of which ends with the log, and H.

    `n_jobs` profiles are made at the same time.

    Raises
    ------
    InputError
        Where the log is too short for three windows after a first history.
    """
    from precmark.churn.processes import in_processes

    events = run.table("sessions/events", ["user_code", "timestamp", "event"])
    zone = run.source.timezone
    first, last = (
        t.tz_convert(zone).date() for t in (events.timestamp.min(), events.timestamp.max())
    )
    days = horizon_of((last - first).days + 1)
    origins = rolling_origins(first, last, horizon_days=days)
    profiles = in_processes(_profile, [(run, origin) for origin in origins], n_jobs)
    return [
        _snapshot(events, profile, origin, days, zone)
        for origin, profile in zip(origins, profiles, strict=True)
    ], days


def _profile(run: Run, origin: dt.date) -> pd.DataFrame:
    return past_profile(run, origin).reset_index(drop=True)


def _snapshot(
    events: pd.DataFrame, profile: pd.DataFrame, origin: dt.date, days: int, zone: str
) -> Snapshot:
    start, now, end = (instant(origin + dt.timedelta(days=d), zone) for d in (-days, 0, days))
    time, bought = events.timestamp, events.event == "purchase"
    after = (time >= now) & (time < end)
    who = {
        "active": (time >= start) & (time < now),
        "bought": bought & (time < now),
        "buys": bought & after,
        "comes": after,
    }
    code = profile.user_code
    found = {name: code.isin(events.user_code[rows].unique()) for name, rows in who.items()}
    return Snapshot(origin, profile, pd.DataFrame({"user_code": code, **found}))


def rows_of(snapshot: Snapshot, task: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the customers that `task` is about, and its outcomes, (m,) each."""
    found = snapshot.outcomes
    whom = found.bought if task == "repurchase" else found.active
    y = ~found.comes if task == "churn" else found.buys
    at = np.flatnonzero(whom.to_numpy())
    return at, y.to_numpy()[at].astype(np.int64)


@dataclass(frozen=True)
class Predicted:
    """Models of the tasks that the log can judge.

    Attributes
    ----------
    quality : pandas.DataFrame
        ``task``, ``model`` (its name in words), ``metric``, ``value``, ``low``, ``high`` (95 %
        over customers).
    gaps : pandas.DataFrame
        Each learnt model less recency alone by average precision: ``task``, ``model``, ``than``,
        ``difference``, ``low``, ``high``, ``favours``.
    counts : pandas.DataFrame
        ``task``, ``customers`` (of the test origin), ``positive``, ``rate``.
    left_out : dict of str to str
        Task to the reason why it cannot be judged.
    days : int
        H.
    """

    quality: pd.DataFrame
    gaps: pd.DataFrame
    counts: pd.DataFrame
    left_out: dict[str, str]
    days: int


def predict(
    taken: list[Snapshot], days: int, *, purchases: bool = True, draws: int = 500, seed: int = 0
) -> Predicted:
    """Every task of :data:`TASKS`: learnt at the first origin, chosen at the second, judged last.

    Parameters
    ----------
    taken : list of three Snapshot
    days : int
        H; windows of outcomes do not overlap.
    purchases : bool
        Whether the source holds purchases; without them churn alone is left.
    draws, seed : int
        Bootstrap over customers, who stand once at an origin.
    """
    parts, gaps, counts, left_out = [], [], [], {}
    for task in TASKS:
        if not purchases and task != "churn":
            left_out[task] = "the source holds no purchases"
            continue
        split = [rows_of(snapshot, task) for snapshot in taken]
        least = min(min(int(y.sum()), int((1 - y).sum())) for _, y in split)
        if least < LEAST:
            left_out[task] = f"{least} customers of one outcome at an origin, {LEAST} are needed"
            continue
        drawn, rate = _judged(taken, split, draws, seed)
        named = drawn.table()
        parts.append(named.assign(task=task, model=named.model.map(TITLES)))
        apart = drawn.against("recency", ["average_precision"])
        apart = apart[apart.model.isin(["logistic", "histogram-boosting"])]
        gaps.append(apart.assign(task=task, model=apart.model.map(TITLES)))
        counts.append((task, len(split[2][1]), int(split[2][1].sum()), rate))
    return Predicted(
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(),
        pd.concat(gaps, ignore_index=True) if gaps else pd.DataFrame(),
        pd.DataFrame(counts, columns=["task", "customers", "positive", "rate"]),
        left_out, days,
    )  # fmt: skip


def _judged(taken: list[Snapshot], split: list, draws: int, seed: int):
    """The models' bootstrap on the last origin's customers, and the share of y = 1 there."""
    from threadpoolctl import threadpool_limits

    from precmark.baselines import BinnedRate, table_pipelines
    from precmark.metrics.tables import with_constant

    space = fit_space(taken[0].profile.iloc[split[0][0]])
    tables = [
        pd.DataFrame(space.transform(s.profile.iloc[at]), columns=list(space.names))
        for s, (at, _) in zip(taken, split, strict=True)
    ]
    since = [
        s.profile.days_since_last_event.iloc[at].to_numpy(float)
        for s, (at, _) in zip(taken, split, strict=True)
    ]
    y = [labels for _, labels in split]
    p = {"recency": BinnedRate().fit(since[0], y[0]).predict_proba(since[2])[:, 1]}
    models = table_pipelines(tables[0].assign(y=y[0]), "y", seed=seed)
    for name in ("logistic", "histogram-boosting"):
        # a few thousand rows: more threads wait for one another longer than they work
        with threadpool_limits(limits=1):
            model = models[name].fit(tables[0], y[0], validation=(tables[1], y[1]))
            p[name] = model.predict_proba(tables[2])[:, 1]
    customers = taken[2].profile.user_code.iloc[split[2][0]].to_numpy()
    everyone = with_constant(p, len(y[2]), float(y[0].mean()))
    drawn = metrics.bootstrap(y[2], everyone, customers, metrics=SHOWN, draws=draws, seed=seed)
    return drawn, float(y[2].mean())


def need_snapshots(run: Run) -> str:
    """Why `run` is too short for three origins; empty where it is not."""
    try:
        events = run.table("sessions/events", ["timestamp"])
        span = (events.timestamp.max() - events.timestamp.min()).days + 1
        first = events.timestamp.min().date()
        rolling_origins(first, first + dt.timedelta(days=span - 1), horizon_days=horizon_of(span))
    except InputError as error:
        return str(error)
    return ""
