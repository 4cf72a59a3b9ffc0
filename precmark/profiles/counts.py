"""What the features are made of: counts and sums over windows, the same words for every feature."""

from __future__ import annotations

from collections.abc import Iterable

import ibis

from precmark.contract.schema import EVENT_NAMES
from precmark.engine import MONEY_PARTS, bit_count, bit_or
from precmark.profiles.dictionary import HOUR_BINS, PARTS_OF_DAY, WEEKDAYS

CODES = {name: code for code, name in enumerate(EVENT_NAMES)}
"""The small number that stands for each event name."""

MS = 1000
"""Durations are summed in whole milliseconds, so that the order of rows changes no digit."""

WORD_DAYS = 62
"""Days of activity kept in one 64-bit number, a bit a day, the sign left alone."""


def within(rows: ibis.Table, days: int):
    """Whether a row lies in the window of `days` days; 0 for the whole history."""
    return rows.age < days if days else None


def of_kind(rows: ibis.Table, *events: str):
    """Whether a row's event is one of `events`."""
    codes = [CODES[event] for event in events]
    return rows.code == codes[0] if len(codes) == 1 else rows.code.isin(codes)


def both(*conditions):
    """All of `conditions`, those that are None left out; None where none is left."""
    held = [condition for condition in conditions if condition is not None]
    return ibis.and_(*held) if held else None


def named(name: str, days: int) -> str:
    """The feature's column: the name and the window; the name alone for the whole history."""
    return f"{name}_{days}" if days else name


def counted(rows: ibis.Table, name: str, windows: Iterable[int], where=None) -> dict:
    """Number of rows in each window, where `where` holds."""
    return {named(name, d): rows.count(where=both(where, within(rows, d))) for d in windows}


def seconds(rows: ibis.Table, name: str, windows: Iterable[int], where=None) -> dict:
    """Sum of the durations in each window, s; exact sums of whole milliseconds."""
    return {named(name, d): _sum(rows, both(where, within(rows, d))) / float(MS) for d in windows}


def money(rows: ibis.Table, name: str, windows: Iterable[int], plus: str, minus: str = "") -> dict:
    """Sum of the values of event `plus`, less those of `minus`, in each window."""
    out = {}
    for d in windows:
        total = _sum(rows, both(of_kind(rows, plus), within(rows, d)))
        if minus:
            total = total - _sum(rows, both(of_kind(rows, minus), within(rows, d)))
        out[named(name, d)] = total / float(MONEY_PARTS)
    return out


def _sum(rows: ibis.Table, where):
    return rows.amount.sum(where=where).fill_null(0.0)


def part_of_day(rows: ibis.Table, part: str):
    """Whether a row falls in part of the day `part`, a key of PARTS_OF_DAY or HOUR_BINS."""
    names = list(PARTS_OF_DAY) if part in PARTS_OF_DAY else list(HOUR_BINS)
    return rows.part == names.index(part)


def day_class(rows: ibis.Table, weekday: str):
    """Whether a row falls on a day of class `weekday`, a key of WEEKDAYS."""
    return rows.day_class == list(WEEKDAYS).index(weekday)


def mean_interval_h(rows: ibis.Table, days: int):
    """Mean hours between neighbouring rows in the window: (last - first) / (n - 1)."""
    inside = within(rows, days)
    n = rows.count(where=inside)
    span_us = (rows.us.max(where=inside) - rows.us.min(where=inside)).cast("float64")
    # Guarded rather than filtered: Spark raises where DuckDB divides by zero in silence.
    return ibis.ifelse(n >= 2, span_us / ibis.greatest(n - 1, 1) / 3.6e9, ibis.null("float64"))


def day_words(rows: ibis.Table, name: str, span_days: int, where=None) -> dict:
    """The days with a row, a bit a day, in as many 62-day words as `span_days` needs.

    Distinct days are counted by the bits that are set: one pass, no second grouping by day.
    """
    bit = ibis.literal(1).cast("int64") << (rows.age % WORD_DAYS)
    words = -(-span_days // WORD_DAYS)
    return {
        f"{name}_{k}": bit_or(
            bit,
            where=both(
                where, rows.age >= k * WORD_DAYS if k else None, rows.age < (k + 1) * WORD_DAYS
            ),
        ).fill_null(0)
        for k in range(words)
    }


def days_set(words: list, days: int = 0, *, after: int = 0):
    """Days set in `words` (of :func:`day_words`) in the last `days` days; 0 for all of them.

    `after` leaves out the most recent days; a window other than 0 must lie in the first word.
    """
    if not days:
        return sum(bit_count(word).cast("int64") for word in words)
    return bit_count(words[0] & ((1 << days) - (1 << after))).cast("int64")
