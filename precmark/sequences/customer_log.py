"""Customers before an origin: the log by days, rolling origins, and the summary of each history."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from precmark.engine import (
    DAY_US,
    MONEY_PARTS,
    check_amounts,
    day_start_us,
    in_parts,
    local_clock,
    microseconds,
    zone_of,
)
from precmark.errors import InputError, Problem
from precmark.sequences.stream import check_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    import ibis

_COLUMNS = (
    "user_code", "timestamp", "row", "event", "session_code", "item_id", "value", "quantity",
)  # fmt: skip
_MAKER = "Give the events of sessions: `precmark run` writes results/sessions/events.parquet."
EPOCH = dt.date(1970, 1, 1)
"""Day 0 of every count of days."""


def rolling_origins(
    first: dt.date, last: dt.date, *, horizon_days: int, origins: int = 3
) -> list[dt.date]:
    """Origins `horizon_days` apart whose label windows fill the end of a log.

    Parameters
    ----------
    first, last : datetime.date
        Days of the log's first and last event; the last counts as complete.
    horizon_days : int
        H, days of each label's window [origin, origin + H).
    origins : int

    Returns
    -------
    list of datetime.date
        In the order of time; the last window ends with the log's last day, none overlap.

    Raises
    ------
    InputError
        When the first origin would not lie after the log's first day.

    Examples
    --------
    >>> first, last = dt.date(2024, 1, 1), dt.date(2024, 12, 31)
    >>> [str(o) for o in rolling_origins(first, last, horizon_days=90)]
    ['2024-04-06', '2024-07-05', '2024-10-03']
    """
    end = last + dt.timedelta(days=1)
    found = [end - dt.timedelta(days=horizon_days * j) for j in range(origins, 0, -1)]
    if found[0] <= first:
        days = (end - first).days
        raise InputError(
            Problem(
                f"a log of {days} days ({first} to {last}) is too short for {origins} origins of "
                f"{horizon_days} days with a history before the first",
                f"Use a horizon of at most {max((days - 1) // origins, 1)} days, or a longer log.",
            )
        )
    return found


def dated(events: ibis.Table, timezone: str) -> tuple[ibis.Table, pd.Series]:
    """`events` with ``day`` and ``parts`` (of value), and the log's ends."""
    check_columns(events, _COLUMNS, "events", _MAKER)
    con = events._find_backend()
    us = microseconds(con, events.timestamp)
    ends = events.aggregate(
        first=us.min(), last=us.max(), largest=events.value.max(), users=events.user_code.max()
    )
    ends = ends.execute().iloc[0]
    if ends["first"] is None or pd.isna(ends["first"]):
        raise InputError("the log holds no events, so there is no customer.")
    check_amounts(ends["largest"])
    to_local = local_clock(timezone, int(ends["first"]), int(ends["last"]))
    day = (to_local(us) / DAY_US).floor().cast("int64")
    rows = events.select(*_COLUMNS, day=day, parts=in_parts(events.value.fill_null(0.0)))
    return rows, ends


def local_day(us: float, timezone: str) -> dt.date:
    """The day of the instant `us` (microseconds since 1970 UTC) on the clock of `timezone`."""
    return dt.datetime.fromtimestamp(int(us) // 1_000_000, zone_of(timezone)).date()


def instant(origin: dt.date, timezone: str) -> pd.Timestamp:
    """The start of day `origin` on the clock of `timezone`, UTC."""
    return pd.Timestamp(day_start_us(origin, timezone), unit="us", tz="UTC").as_unit("us")


def customer_summary(
    events: ibis.Table, origins: Iterable[dt.date | pd.Timestamp], *, timezone: str = "UTC"
) -> pd.DataFrame:
    """What the customer-base models know of each customer at each origin.

    Parameters
    ----------
    events : ibis.Table
        ``sessions/events``, any order.
    origins : iterable of dates, or of instants at which a day begins in `timezone`
        E.g. the different ``timestamp`` of a customer task's decisions.
    timezone : str
        The store's clock, an IANA name.

    Returns
    -------
    pandas.DataFrame
        The rows of :func:`customer_sequences` at these origins, in its order: ``user_code``,
        ``timestamp`` (UTC), ``frequency`` (days with a purchase but the first), ``recency_days``
        (from the first day with a purchase to the last), ``T_days`` (from the first day with a
        purchase to the origin), ``monetary`` (money of the purchases per repeat day; 0 where there
        is none) and ``revenue`` (purchases minus cancellations before the origin).

    Raises
    ------
    InputError
        Missing columns or an empty log.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting your customers" the easy way: an alternative to the
    Pareto/NBD model, Marketing Science 24(2), doi 10.1287/mksc.1040.0098.
    """
    rows, _ = dated(events, timezone)
    days = sorted({_as_date(origin, timezone) for origin in origins})
    parts = [_summary_at(rows, day, timezone) for day in days]
    return pd.concat(parts, ignore_index=True)


def _as_date(origin: dt.date | pd.Timestamp, timezone: str) -> dt.date:
    if isinstance(origin, dt.datetime):
        at = pd.Timestamp(origin)
        return (at.tz_localize("UTC") if at.tz is None else at).tz_convert(timezone).date()
    return origin


def _summary_at(rows: ibis.Table, origin: dt.date, timezone: str) -> pd.DataFrame:
    today = (origin - EPOCH).days
    before = rows.filter((rows.day < today) & rows.event.isin(("purchase", "cancel")))
    bought = before.event == "purchase"
    daily = before.group_by("user_code", "day").aggregate(
        purchases=bought.sum(),
        paid=before.parts.sum(where=bought).fill_null(0),
        taken_back=before.parts.sum(where=~bought).fill_null(0),
    )
    daily = daily.order_by("user_code", "day").execute()
    money = daily.assign(net=daily["paid"] - daily["taken_back"]).groupby("user_code")["net"].sum()
    buying = daily[daily["purchases"] > 0]
    by = buying.groupby("user_code")
    first, last, count = by["day"].min(), by["day"].max(), by.size()
    repeat_money = by["paid"].sum() - by["paid"].first()
    summary = pd.DataFrame(
        {
            "timestamp": instant(origin, timezone),
            "frequency": count - 1,
            "recency_days": last - first,
            "T_days": today - first,
            "monetary": (repeat_money / (count - 1).clip(lower=1)) / MONEY_PARTS,
            "revenue": money.reindex(first.index) / MONEY_PARTS,
        }
    )
    return summary.reset_index()
