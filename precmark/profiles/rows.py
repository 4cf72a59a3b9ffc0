"""The log as narrow rows of small numbers, as of a date: what every feature is counted from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis

from precmark.contract.schema import EVENT_NAMES
from precmark.engine import (
    DAY_US,
    check_amounts,
    day_start_us,
    in_parts,
    keep,
    local_clock,
    microseconds,
    zone_of,
)
from precmark.errors import InputError

CODES = {name: code for code, name in enumerate(EVENT_NAMES)}
"""The small number that stands for each event name."""

MS = 1000
"""Durations are summed in whole milliseconds, so that the order of rows changes no digit."""

_TIMED = ("view", "watch")
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Rows:
    """The events before an as-of date, coded.

    Attributes
    ----------
    con : ibis backend
        Where the tables live.
    table : ibis.Table
        One row an event: ``user`` (int32, the user_code), ``code`` (int8, see :data:`CODES`),
        ``age`` (int32, days between the event's date and the last day before the as-of date, so
        that ``age < d`` is the window of d days), ``hour`` (int8, 0-23) and ``weekday`` (int8,
        Monday 0) on the store's clock, ``item`` and ``category`` (int32, missing where there is
        none), ``us`` (int64, microseconds since 1970 UTC) and ``amount`` (float64, a whole
        number: milliseconds of a view or watch, else 1/10,000 of the event's value).
    items, categories : ibis.Table
        ``text`` and ``code``: the item or category that a code stands for, codes in the order of
        the text.
    as_of : datetime.date
        The profile knows what happened before this day began on the store's clock.
    as_of_us : int
        That instant, microseconds since 1970 UTC.
    timezone : str
    span_days : int
        Days from the first event to the as-of date.
    """

    con: object
    table: ibis.Table
    items: ibis.Table
    categories: ibis.Table
    as_of: dt.date
    as_of_us: int
    timezone: str
    span_days: int


def rows_before(
    events: ibis.Table, *, as_of: dt.date | str | None = None, timezone: str = "UTC"
) -> Rows:
    """Code the events before `as_of`.

    Parameters
    ----------
    events : ibis.Table
        Normalised events, of sessions or of the contract.
    as_of : date or ISO text, optional
        None: the day after the last event.
    timezone : str
        The store's clock, an IANA name.

    Raises
    ------
    InputError
        When `as_of` is no date or outside the log, the time zone is unknown, the log is empty, or
        its amounts are no money.
    """
    con = events._find_backend()
    us = microseconds(con, events.timestamp)
    seen = events.aggregate(
        first=us.min(),
        last=us.max(),
        largest=events.value.max(),
        has_items=events.item_id.count() > 0,
        has_categories=events.category.count() > 0,
    )
    first, last, largest, has_items, has_categories = seen.execute().iloc[0]
    if first is None or first != first:
        raise InputError("the log holds no events, so there is nothing to profile.")
    check_amounts(largest)
    as_of = check_as_of(as_of, int(first), int(last), timezone)
    as_of_us = day_start_us(as_of, timezone)
    items = _codes_of(con, events.item_id)
    categories = _codes_of(con, events.category)
    known = events.filter(us < as_of_us)
    known = _with_code(known, "item", "item_id", items if has_items else None)
    known = _with_code(known, "category_code", "category", categories if has_categories else None)
    to_local = local_clock(timezone, int(first), as_of_us)
    local = to_local(microseconds(con, known.timestamp))
    known = known.mutate(us=microseconds(con, known.timestamp), day=local // DAY_US, local=local)
    today = (as_of - _EPOCH).days
    seconds = in_parts(known.duration_s.fill_null(0.0), MS)
    money = in_parts(known.value.fill_null(0.0))
    code = known.event.cases(*CODES.items(), else_=-1).cast("int8")
    table = known.select(
        user=known.user_code.cast("int32"),
        code=code,
        age=(today - 1 - known.day).cast("int32"),
        hour=((known.local - known.day * DAY_US) // (DAY_US // 24)).cast("int8"),
        weekday=((known.day + 3) % 7).cast("int8"),
        item=known.item,
        category=known.category_code,
        us=known.us,
        amount=ibis.ifelse(known.event.isin(_TIMED), seconds, money).cast("float64"),
    )
    start = to_local(int(first)) // DAY_US
    return Rows(con, keep(con, table), items, categories, as_of, as_of_us, timezone, today - start)


def check_as_of(as_of: dt.date | str | None, first_us: int, last_us: int, timezone: str) -> dt.date:
    """`as_of` as a date that the log covers; None gives the day after the last event.

    Raises
    ------
    InputError
        Not a date; on or before the day of the first event, or later than the day after the last.
    """
    zone = zone_of(timezone)
    days = [dt.datetime.fromtimestamp(us // 1_000_000, zone).date() for us in (first_us, last_us)]
    earliest, latest = (day + dt.timedelta(days=1) for day in days)
    if as_of is None:
        return latest
    if isinstance(as_of, dt.datetime):
        as_of = as_of.isoformat()
    try:
        as_of = as_of if isinstance(as_of, dt.date) else dt.date.fromisoformat(str(as_of))
    except ValueError:
        raise InputError(
            f"as-of date {as_of!r} is not a day. Write it as YYYY-MM-DD, e.g. {latest}."
        ) from None
    if not earliest <= as_of <= latest:
        raise InputError(
            f"as-of date {as_of} is outside the log, whose events lie between {days[0]} and "
            f"{days[1]}. Choose a day from {earliest} to {latest}."
        )
    return as_of


def _codes_of(con, column: ibis.expr.types.StringColumn) -> ibis.Table:
    """Each different text of `column` and its code, from 0 in the order of the texts."""
    texts = column.as_table().rename(text=column.get_name()).distinct()
    texts = texts.filter(texts.text.notnull())
    return keep(con, texts.mutate(code=ibis.row_number().over(order_by="text").cast("int32")))


def _with_code(events: ibis.Table, name: str, column: str, codes: ibis.Table | None) -> ibis.Table:
    if codes is None:
        return events.mutate(**{name: ibis.null("int32")})
    codes = codes.select(text_=codes.text, **{name: codes.code})
    return events.left_join(codes, events[column] == codes.text_).drop("text_")
