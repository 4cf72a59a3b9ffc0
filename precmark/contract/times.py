"""Timestamps of any common kind as instants in UTC."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from precmark.contract.reading import is_number, literal, quoted
from precmark.errors import Problem

EARLIEST_US = 631_152_000_000_000
"""1990-01-01 in microseconds since 1970: what comes before it is a wrong unit or a default."""

# A time of day, then what says how far it is from UTC. A date alone ends in what looks like one.
_ZONED = r":\d{2}.*?([zZ]|[+-]\d{2}(:?\d{2})?|[ ](UTC|GMT)|[ ][A-Z][A-Za-z]+/[A-Za-z_/]+)$"
_NUMBER = r"-?\d+(\.\d*)?"
_CLOCKS = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p")
_DAY_FIRST = [
    f"%d{s}%m{s}%{y}{clock}" for s in "/.-" for y in "Yy" for clock in _CLOCKS
] + [f"%d {month} %Y{clock}" for month in ("%b", "%B") for clock in _CLOCKS]  # fmt: skip
_MONTH_FIRST = [f"%m{s}%d{s}%{y}{clock}" for s in "/-" for y in "Yy" for clock in _CLOCKS]
_EITHER = ["%Y%m%d", "%Y%m%dT%H%M%S", "%Y%m%d%H%M%S"]
_ZONED_FORMATS = [
    "%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M%z", "%d/%b/%Y:%H:%M:%S%z", "%a, %d %b %Y %H:%M:%S%z",
    "%a, %d %b %Y %H:%M:%S %Z",
]  # fmt: skip


@dataclass(frozen=True)
class TimeColumn:
    """How one column is read as instants.

    Attributes
    ----------
    sql : str
        Expression of type TIMESTAMPTZ, null where the value is no date or carries no zone.
    zoneless : str
        Condition: a date that carries no zone while none was given; ``"false"`` where impossible.
    problems : tuple of Problem
        What makes the whole column unreadable.
    """

    sql: str
    zoneless: str = "false"
    problems: tuple[Problem, ...] = ()


def epoch_sql(number: str) -> str:
    """Instant of a numeric expression: seconds, milli-, micro- or nanoseconds by magnitude.

    Eight digits that are a calendar date (20240701) are that day, without a zone.
    """
    return (
        f"CASE WHEN abs({number}) < 1e11 THEN make_timestamptz(({number} * 1e6)::BIGINT) "
        f"WHEN abs({number}) < 1e14 THEN make_timestamptz(({number} * 1e3)::BIGINT) "
        f"WHEN abs({number}) < 1e17 THEN make_timestamptz(({number})::BIGINT) "
        f"WHEN abs({number}) < 9e18 THEN make_timestamptz(({number} / 1e3)::BIGINT) END"
    )


def time_column(
    connection: duckdb.DuckDBPyConnection, view: str, column: str, type_: str, zone: str, name: str
) -> TimeColumn:
    """How column `column` of `view` is read.

    Parameters
    ----------
    type_ : str
        Its DuckDB type.
    zone : str
        IANA zone of stamps that carry none; empty where the user gave none. An hour that occurs
        twice when clocks go back is read as the later one (standard time).
    name : str
        ``"events.timestamp"``, for messages.
    """
    raw = quoted(column)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return TimeColumn(raw)
    if type_.startswith("TIMESTAMP") or type_ == "DATE":
        return _zoneless(f"{raw}::TIMESTAMP", zone)
    if is_number(type_):
        return _numeric(raw, type_, zone)
    if type_ == "VARCHAR":
        return _text(connection, view, raw, zone, name)
    return TimeColumn(
        "NULL::TIMESTAMPTZ",
        problems=(
            Problem(
                f"{name}: column {column!r} is {type_}, not a date and time",
                "Give the date and time in one column, as text, a timestamp or epoch seconds.",
            ),
        ),
    )


def _zoneless(stamp: str, zone: str) -> TimeColumn:
    if zone:
        return TimeColumn(f"timezone({literal(zone)}, {stamp})")
    return TimeColumn("NULL::TIMESTAMPTZ", zoneless=f"{stamp} IS NOT NULL")


def _numeric(raw: str, type_: str, zone: str) -> TimeColumn:
    number = raw if "INT" in type_ else f"{raw}::DOUBLE"
    finite = f"isfinite({number}::DOUBLE)"
    day = f"try_strptime(try_cast({number} AS BIGINT)::VARCHAR, '%Y%m%d')"
    is_day = f"({number} BETWEEN 19000101 AND 21001231 AND {day} IS NOT NULL)"
    stamp = _zoneless(day, zone)
    sql = f"CASE WHEN NOT {finite} THEN NULL WHEN {is_day} THEN {stamp.sql} ELSE "
    return TimeColumn(f"{sql}{epoch_sql(number)} END", "false" if zone else is_day)


def _text(
    connection: duckdb.DuckDBPyConnection, view: str, raw: str, zone: str, name: str
) -> TimeColumn:
    text = f"trim({raw})"
    is_number = f"regexp_full_match({text}, {literal(_NUMBER)}) AND length({text}) NOT IN (8, 14)"
    is_zoned = f"regexp_matches({text}, {literal(_ZONED)})"
    if simple := _one_kind(connection, view, raw, zone, is_number, is_zoned):
        return simple
    plain = f"coalesce(try_cast({text} AS TIMESTAMP), {_strptime(text, _EITHER)})"
    formats, problem = _order_of_day_and_month(connection, view, raw, plain, is_number, is_zoned)
    if formats:
        plain = f"coalesce({plain}, {_strptime(text, formats)})"
    tidy = (
        f"regexp_replace(regexp_replace({text}, '[zZ]$', '+00:00'), "
        r"'\s+([+-]\d{2}:?(\d{2})?)$', '\1')"
    )
    zoned = f"coalesce(try_cast({tidy} AS TIMESTAMPTZ), {_strptime(tidy, _ZONED_FORMATS)})"
    number = f"try_cast({text} AS DOUBLE)"
    stamp = _zoneless(plain, zone)
    sql = (
        f"CASE WHEN {is_number} THEN {epoch_sql(number)} WHEN {is_zoned} THEN {zoned} "
        f"ELSE {stamp.sql} END"
    )
    zoneless = f"(NOT ({is_number}) AND NOT {is_zoned} AND {plain} IS NOT NULL)"
    problems = (Problem(f"{name}: {problem[0]}", problem[1], sample=problem[2]),) if problem else ()
    return TimeColumn(sql, "false" if zone else zoneless, problems)


def _one_kind(
    connection: duckdb.DuckDBPyConnection,
    view: str, raw: str, zone: str, is_number: str, is_zoned: str,
) -> TimeColumn | None:  # fmt: skip
    """The short reading of a column whose values are all of one usual kind; each scan gains."""
    zoned, plain = f"try_cast({raw} AS TIMESTAMPTZ)", f"try_cast({raw} AS TIMESTAMP)"
    filled, numbers, with_zone, without = connection.execute(
        f"SELECT count(*), count_if({is_number}), count_if({is_zoned} AND {zoned} IS NOT NULL), "
        f"count_if(NOT ({is_number}) AND NOT {is_zoned} AND {plain} IS NOT NULL) "
        f"FROM {view} WHERE {raw} <> ''"
    ).fetchone()
    if filled == with_zone:
        return TimeColumn(zoned)
    if filled == numbers:
        return TimeColumn(epoch_sql(f"try_cast({raw} AS DOUBLE)"))
    return _zoneless(plain, zone) if filled == without else None


def _strptime(text: str, formats: list[str]) -> str:
    return f"try_strptime({text}, [{', '.join(literal(f) for f in formats)}])"


def _order_of_day_and_month(
    connection: duckdb.DuckDBPyConnection,
    view: str, raw: str, plain: str, is_number: str, is_zoned: str,
) -> tuple[list[str], tuple[str, str, str] | None]:  # fmt: skip
    """The formats that read what ISO does not, decided over the whole column.

    Returns
    -------
    formats : list of str
        Empty where ISO reads everything.
    problem : tuple of str or None
        What, fix and sample where both orders read every value and disagree.
    """
    text = f"trim({raw})"
    other = f"{text} <> '' AND NOT ({is_number}) AND NOT {is_zoned} AND {plain} IS NULL"
    day, month = _strptime(text, _DAY_FIRST), _strptime(text, _MONTH_FIRST)
    rows, days, months, differ, sample = connection.execute(
        f"SELECT count(*), count(d), count(m), count_if(d <> m), any_value(t) FILTER (d <> m) "
        f"FROM (SELECT {text} AS t, {day} AS d, {month} AS m FROM {view} WHERE {other})"
    ).fetchone()
    if rows and days == months and differ:
        return _DAY_FIRST, (
            "day and month cannot be told apart (every value reads both ways)",
            "Write dates as YYYY-MM-DD.",
            sample,
        )
    if not rows or not (days or months):
        return [], None
    return (_DAY_FIRST if days >= months else _MONTH_FIRST), None
