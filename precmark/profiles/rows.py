"""The log as narrow rows of small numbers, as of a date: what every feature is counted from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from precmark.engine import (
    DAY_US,
    MONEY_PARTS,
    check_amounts,
    day_start_us,
    in_parts,
    keep,
    local_clock,
    microseconds,
    zone_of,
)
from precmark.errors import InputError
from precmark.profiles.counts import CODES, MS

if TYPE_CHECKING:
    from collections.abc import Callable

REMEMBERED = ("comment", "gift", "follow", "cart", "purchase", "cancel")
"""The events that are counted by kind over the whole history."""

RECENT = ("chat", "login", "search")
"""The other events that are counted by kind, over the last 30 days; so are views and watches."""

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Rows:
    """The events before an as-of date, coded.

    Attributes
    ----------
    con : ibis backend
        Where the tables live.
    every : ibis.Table
        One row an event, computed where it is read: ``user`` (int32, the user_code), ``event``,
        ``age`` (int16, days between the event's date and the last day before the as-of date, so
        that ``age < d`` is the window of d days), ``part`` (int16, 0-3, the place in PARTS_OF_DAY)
        and ``day_class`` (int16, 0-2, the place in WEEKDAYS) on the store's clock.
    watches, views : ibis.Table
        The watch and view events of the last 30 days, kept: the columns of `every` but event,
        ``item`` and ``category`` (int32, missing where there is none), ``us`` (int64,
        microseconds since 1970 UTC) and ``amount`` (float64, whole milliseconds).
    deeds : ibis.Table
        The events :data:`REMEMBERED`, whole history, and :data:`RECENT`, kept: ``user``, ``age``,
        ``item``, ``category``, ``code`` (int16, see :data:`precmark.profiles.counts.CODES`) and
        ``amount`` (float64, whole 1/10,000 of the value).
    has_logins : bool
        Whether any event before the as-of date is a login.
    items, categories : ibis.Table
        ``text`` and ``code``: the item or category that a code stands for, codes from 0 in the
        order of the text.
    as_of : datetime.date
        The profile knows what happened before this day began on the store's clock.
    as_of_us : int
        That instant, microseconds since 1970 UTC.
    timezone : str
    span_days : int
        Days from the first event to the as-of date.
    """

    con: object
    every: ibis.Table
    watches: ibis.Table
    views: ibis.Table
    deeds: ibis.Table
    has_logins: bool
    items: ibis.Table
    categories: ibis.Table
    as_of: dt.date
    as_of_us: int
    timezone: str
    span_days: int


def rows_before(
    events: ibis.Table, *, as_of: dt.date | str | None = None, timezone: str = "UTC"
) -> Rows:
    """The events before `as_of`, coded.

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
    seen = events.aggregate(first=us.min(), last=us.max(), largest=events.value.max())
    first, last, largest = seen.execute().iloc[0]
    if first is None or first != first:
        raise InputError("the log holds no events, so there is nothing to profile.")
    check_amounts(largest)
    as_of = check_as_of(as_of, int(first), int(last), timezone)
    as_of_us = day_start_us(as_of, timezone)
    to_local = local_clock(timezone, int(first), as_of_us)
    today = (as_of - _EPOCH).days
    items = _codes_of(con, events.item_id)
    categories = _codes_of(con, events.category)
    month_us = day_start_us(as_of - dt.timedelta(days=30), timezone)
    known = _with_clock(events.mutate(us=us).filter(us < as_of_us), to_local, today)
    # The same as age < 30, but asked of a stored column, before any clock is computed.
    recent = known.filter(known.us >= month_us)

    def visits(event: str) -> ibis.Table:
        rows = recent.filter(recent.event == event)
        rows = rows.mutate(amount=_whole(rows.duration_s, MS))
        columns = ("user", "age", "part", "day_class", "us", "amount")
        return keep(con, _with_codes(rows, items, categories).select(*columns, "item", "category"))

    return Rows(
        con=con,
        every=known.select("user", "event", "age", "part", "day_class"),
        watches=visits("watch"),
        views=visits("view"),
        deeds=keep(con, _deeds(known, month_us, items, categories)),
        has_logins=bool(known.filter(known.event == "login").limit(1).count().execute()),
        items=items,
        categories=categories,
        as_of=as_of,
        as_of_us=as_of_us,
        timezone=timezone,
        span_days=today - to_local(int(first)) // DAY_US,
    )


def _with_clock(known: ibis.Table, to_local: Callable, today: int) -> ibis.Table:
    """`known` with user, age, part and day_class; by steps, so that each is computed once."""
    known = known.mutate(hours=(to_local(known.us) / (DAY_US / 24)).floor().cast("int32"))
    known = known.mutate(hour=known.hours % 24)
    known = known.mutate(day=((known.hours - known.hour) / 24).cast("int32"))
    weekday = (known.day + 3) % 7
    day_class = ibis.cases((weekday == 5, 0), (weekday == 6, 1), else_=2)
    part = ibis.cases((known.hour < 6, 0), (known.hour < 12, 1), (known.hour < 18, 2), else_=3)
    return known.mutate(
        user=known.user_code.cast("int32"),
        age=(today - 1 - known.day).cast("int16"),
        part=part.cast("int16"),
        day_class=day_class.cast("int16"),
    )


def _deeds(
    known: ibis.Table, month_us: int, items: ibis.Table, categories: ibis.Table
) -> ibis.Table:
    """The columns of :attr:`Rows.deeds`."""
    recent = known.event.isin(RECENT) & (known.us >= month_us)
    rows = known.filter(known.event.isin(REMEMBERED) | recent)
    code = rows.event.cases(*CODES.items(), else_=-1).cast("int16")
    rows = rows.mutate(code=code, amount=_whole(rows.value, MONEY_PARTS))
    rows = _with_codes(rows, items, categories)
    return rows.select("user", "age", "item", "category", "code", "amount")


def _whole(amount, parts: int):
    """`amount` in whole 1/`parts`, as float64: up to 2^53 their sums are exact in any order."""
    return in_parts(amount.fill_null(0.0), parts).cast("float64")


def _with_codes(rows: ibis.Table, items: ibis.Table, categories: ibis.Table) -> ibis.Table:
    """`rows` with ``item`` and, in place of its text, ``category`` as codes."""
    rows = _with_code(rows, "item", "item_id", items)
    rows = _with_code(rows, "category_code", "category", categories)
    return rows.drop("category").rename(category="category_code")


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


def _with_code(events: ibis.Table, name: str, column: str, codes: ibis.Table) -> ibis.Table:
    codes = codes.select(text_=codes.text, **{name: codes.code})
    return events.left_join(codes, events[column] == codes.text_).drop("text_")
