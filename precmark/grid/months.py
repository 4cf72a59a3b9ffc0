"""Customers at the start of each month: what was known of them, and what they did in the month."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.engine import (
    DAY_US,
    MONEY_PARTS,
    connect,
    in_parts,
    local_clock,
    microseconds,
    read,
)
from precmark.errors import InputError, Problem
from precmark.sequences.customer_log import EPOCH

if TYPE_CHECKING:
    import ibis

    from precmark.runs import Run

WEEKS = 12
"""Weeks before the month that are looked at; whoever was not seen in them is no candidate."""

WINDOWS = (1, 2, 4, WEEKS)
"""Weeks back over which the grid's features are summed."""

TESTED = 6
"""Months of the paper's Table 1: July to December, of which the first five train."""

LEAST = 100
"""Good and bad outcomes that each of the tested months must have."""

OUTCOMES = {
    "purchase": ("purchase",),
    "cart": ("purchase", "cart"),
    "visit": (),
}
"""Events that make the outcome, the dearest first; none: any event."""

OUTCOME_WORDS = {
    "purchase": "a purchase in the month",
    "cart": "something put into the cart, or bought, in the month",
    "visit": "a visit in the month",
}
"""Outcomes in words."""

LEFT_OUT = ("coupon_shown", "coupon_used")
"""Deeds of the shop, not of the customer."""

DAY_PARTS = {"night": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
"""Hours of the local clock, from and before."""


@dataclass(frozen=True)
class Monthly:
    """n customers at the start of a month each.

    Attributes
    ----------
    X : numpy.ndarray
        float32, (n, F, T): log(1 + sum) of each channel in each of the T weeks before the month,
        the last one last.
    channels : tuple of str
        Names of the F channels.
    table : numpy.ndarray
        float32, (n, p): the grid's features.
    features : tuple of str
        Names of the p features, ``channel_4w`` being a channel's log(1 + sum over 4 weeks) and
        ``days_since_channel`` log(1 + days), longest where it never came.
    y : numpy.ndarray
        int8, (n,): 1 where the outcome came in the month.
    spent : numpy.ndarray
        float64, (n,): money of the month's purchases.
    decisions : pandas.DataFrame
        ``user_code``, ``month`` (number from 0), in the order of both.
    months : tuple of str
        ISO months, e.g. ``"2011-06"``.
    outcome : str
        A key of :data:`OUTCOMES`.
    """

    X: np.ndarray
    channels: tuple[str, ...]
    table: np.ndarray
    features: tuple[str, ...]
    y: np.ndarray
    spent: np.ndarray
    decisions: pd.DataFrame
    months: tuple[str, ...]
    outcome: str

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, first: int, last: int) -> np.ndarray:
        """Positions of the decisions of months `first` to `last`, both with."""
        return np.flatnonzero(self.decisions["month"].between(first, last))


def daily_log(events: ibis.Table, timezone: str) -> pd.DataFrame:
    """What each user did on each day of the store's clock.

    Parameters
    ----------
    events : ibis.Table
        ``sessions/events``.
    timezone : str

    Returns
    -------
    pandas.DataFrame
        One row a user and day: ``user_code``, ``day`` (days since 1970), a count for each kind of
        event in the log, ``visits``, ``products`` (different ones), ``pieces``, ``money``
        (of purchases), ``minutes``, the counts of :data:`DAY_PARTS` and ``weekend``; columns
        that hold nothing are left out.

    Raises
    ------
    InputError
        When the log is empty.
    """
    con = events._find_backend()
    us = microseconds(con, events.timestamp)
    ends = events.aggregate(first=us.min(), last=us.max()).execute().iloc[0]
    if pd.isna(ends["first"]):
        raise InputError(Problem("the log holds no events", "Give a log with events."))
    clock = local_clock(timezone, int(ends["first"]), int(ends["last"]))(us)
    day = (clock / DAY_US).floor().cast("int64")
    hour = ((clock - day * DAY_US) / (DAY_US // 24)).floor().cast("int64")
    rows = events.mutate(day=day, hour=hour, parts=in_parts(events.value.fill_null(0.0)))
    kinds = [k for k in rows.event.value_counts().execute()["event"] if k not in LEFT_OUT]
    bought = rows.event == "purchase"
    parts = {
        name: ((rows.hour >= low) & (rows.hour < high)).sum()
        for name, (low, high) in DAY_PARTS.items()
    }
    found = rows.filter(rows.event.isin(kinds)).group_by("user_code", "day")
    found = found.aggregate(
        **{kind: (rows.event == kind).sum() for kind in sorted(kinds)},
        visits=rows.session_code.nunique(),
        products=rows.item_id.nunique(),
        pieces=rows.quantity.sum().fill_null(0.0),
        money=rows.parts.sum(where=bought).fill_null(0).cast("float64") / MONEY_PARTS,
        minutes=rows.duration_s.sum().fill_null(0.0) / 60,
        **parts,
        # day 0 was a Thursday
        weekend=((rows.day + 3) % 7 >= 5).sum(),
    )
    table = found.order_by("user_code", "day").execute()
    keep = [c for c in table if c in ("user_code", "day") or table[c].abs().to_numpy().any()]
    return table[keep]


def complete_months(first_day: int, last_day: int) -> pd.PeriodIndex:
    """Months that lie whole in the log's days and have four weeks of it before them.

    Parameters
    ----------
    first_day, last_day : int
        Days since 1970 of the log's first and last event; the last counts as complete.
    """
    first, last = (EPOCH + dt.timedelta(days=int(d)) for d in (first_day, last_day))
    months = pd.period_range(first, last, freq="M")
    starts = np.array([_day(m.start_time) for m in months])
    ends = np.array([_day(m.end_time) for m in months])
    return months[(starts >= first_day + 28) & (ends <= last_day)]


def _day(instant: pd.Timestamp) -> int:
    return (instant.date() - EPOCH).days


def monthly(
    run: Run, *, most_users: int = 8000, outcome: str | None = None, seed: int = 0
) -> Monthly:
    """The customers of `run` at the start of each complete month.

    Candidates are the users seen in the twelve weeks before. Nothing of the month itself or later
    is in `X` or in `table`.

    Parameters
    ----------
    run : Run
    most_users : int
        Candidates a month; where there are more, so many are drawn by lot.
    outcome : str, optional
        A key of :data:`OUTCOMES`; where left out, the dearest one that came and stayed away at
        least :data:`LEAST` times in each of the last :data:`TESTED` months.
    seed : int
        Of the lot.

    Raises
    ------
    InputError
        When the log has fewer complete months than Table 1 needs, or no outcome often enough.
    """
    events = read(connect(), run.need("sessions/events"))
    return monthly_of(
        daily_log(events, run.source.timezone), most_users=most_users, outcome=outcome, seed=seed
    )


def monthly_of(
    days: pd.DataFrame, *, most_users: int = 8000, outcome: str | None = None, seed: int = 0
) -> Monthly:
    """See :func:`monthly`; `days` as :func:`daily_log` makes them."""
    months = _enough_months(days)
    measures = [c for c in days if c not in ("user_code", "day")]
    rng = np.random.default_rng(seed)
    parts = [_month(days, measures, m, most_users, rng) for m in months]
    chosen = outcome or _outcome([people for _, people in parts])
    people = [part.assign(month=k) for k, (_, part) in enumerate(parts)]
    decisions = pd.concat(people, ignore_index=True)
    sums = np.concatenate([weekly for weekly, _ in parts])
    table, features = _features(sums, measures, decisions)
    return Monthly(
        np.log1p(np.maximum(sums, 0)).astype(np.float32), tuple(measures), table, features,
        decisions[chosen].to_numpy(dtype=np.int8), decisions["money"].to_numpy(dtype=float),
        decisions[["user_code", "month"]], tuple(str(m) for m in months), chosen,
    )  # fmt: skip


def outcome_of(days: pd.DataFrame, *, most_users: int = 8000, seed: int = 0) -> str:
    """The outcome that :func:`monthly_of` would choose, or its refusal, without the features."""
    months = _enough_months(days)
    rng = np.random.default_rng(seed)
    return _outcome([_candidates(days, m, most_users, rng)[1] for m in months[-TESTED:]])


def _enough_months(days: pd.DataFrame) -> pd.PeriodIndex:
    months = complete_months(days["day"].min(), days["day"].max())
    if len(months) < TESTED:
        raise InputError(
            Problem(
                f"{len(months)} complete months with four weeks before them",
                f"Table 1 needs {TESTED}: give a log of about {TESTED + 2} months or more.",
            )
        )
    return months


def _outcome(people: list[pd.DataFrame]) -> str:
    """The dearest outcome that is neither too rare nor too common in the tested months."""
    for name in OUTCOMES:
        tested = [part[name] for part in people[-TESTED:]]
        if all(min(y.sum(), (~y).sum()) >= LEAST for y in tested):
            return name
    counts = [int(part["visit"].sum()) for part in people[-TESTED:]]
    raise InputError(
        Problem(
            f"no outcome comes and stays away {LEAST} times in each of the last {TESTED} months "
            f"(visits: {', '.join(map(str, counts))})",
            "Give a log of more customers.",
        )
    )


def _candidates(
    days: pd.DataFrame, month: pd.Period, most: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The candidates' days before `month`, and a row each with what they did in it."""
    start, end = _day(month.start_time), _day(month.end_time) + 1
    before = days[(days["day"] >= start - 7 * WEEKS) & (days["day"] < start)]
    users = np.unique(before["user_code"])
    if len(users) > most:
        users = np.sort(rng.choice(users, most, replace=False))
        before = before[before["user_code"].isin(users)]
    during = days[(days["day"] >= start) & (days["day"] < end)].set_index("user_code")
    people = pd.DataFrame({"user_code": users})
    for name, kinds in OUTCOMES.items():
        # a row of the daily log is a day with an event
        there = during.index
        if kinds:
            seen = [during[kind] > 0 for kind in kinds if kind in during]
            there = during.index[np.any(seen, axis=0)] if seen else during.index[:0]
        people[name] = people["user_code"].isin(there)
    money = during.groupby(level=0)["money"].sum() if "money" in during else pd.Series(dtype=float)
    people["money"] = money.reindex(users).fillna(0.0).to_numpy()
    return before, people


def _month(
    days: pd.DataFrame, measures: list[str], month: pd.Period, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, pd.DataFrame]:
    """Weekly sums (n, F, T) of the candidates at the start of `month`, and what they did in it."""
    before, people = _candidates(days, month, most, rng)
    users, yesterday = people["user_code"].to_numpy(), _day(month.start_time) - 1
    place = np.searchsorted(users, before["user_code"])
    week = WEEKS - 1 - (yesterday - before["day"].to_numpy()) // 7
    sums = np.zeros((len(users), len(measures), WEEKS))
    for k, name in enumerate(measures):
        np.add.at(sums[:, k], (place, week), before[name].to_numpy(dtype=float))
    for name in measures:
        seen = before[before[name] > 0].groupby("user_code")["day"].max()
        people[f"_{name}"] = (yesterday - seen.reindex(users)).to_numpy()
    return sums, people


def _features(
    sums: np.ndarray, measures: list[str], decisions: pd.DataFrame
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The grid's features: each channel over each window, and the days since it was last there.

    Features that never vary, or repeat an earlier one, are left out.
    """
    columns = {
        f"{name}_{weeks}w": np.log1p(np.maximum(sums[:, k, -weeks:].sum(axis=1), 0))
        for k, name in enumerate(measures)
        for weeks in WINDOWS
    }
    longest = 7 * WEEKS
    for name in measures:
        if name in (*DAY_PARTS, "weekend", "products", "pieces", "money", "minutes"):
            continue
        columns[f"days_since_{name}"] = np.log1p(decisions[f"_{name}"].fillna(longest).to_numpy())
    kept: dict[str, np.ndarray] = {}
    seen = set()
    for name, values in columns.items():
        values = values.astype(np.float32)
        mark = values.tobytes()
        if np.ptp(values) > 0 and mark not in seen:
            kept[name] = values
            seen.add(mark)
    return np.stack(list(kept.values()), axis=1), tuple(kept)


def only(data: Monthly, rows: np.ndarray) -> Monthly:
    """The decisions of `data` at positions `rows`, in that order."""
    return replace(
        data, X=data.X[rows], table=data.table[rows], y=data.y[rows], spent=data.spent[rows],
        decisions=data.decisions.iloc[rows].reset_index(drop=True),
    )  # fmt: skip
