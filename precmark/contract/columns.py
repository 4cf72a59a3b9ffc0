"""The user's columns found, named and typed as the contract's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from precmark.contract.options import Options, nearest
from precmark.contract.reading import Staged, is_number, literal, quoted
from precmark.contract.schema import TABLES, Column
from precmark.contract.times import EARLIEST_US, time_column
from precmark.errors import Problem

_DUCKDB = {
    "text": "VARCHAR", "timestamp": "TIMESTAMPTZ", "number": "DOUBLE", "integer": "BIGINT",
    "flag": "BOOLEAN", "choice": "VARCHAR",
}  # fmt: skip
BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"
"""SQL of the characters that an id of nothing else is blank with."""

USER_SYNONYMS = (
    "visitorid", "visitor_id", "customerid", "customer id", "customer_id", "client_id", "clientid",
    "uid", "user", "userid", "customer", "member_id", "account_id",
)  # fmt: skip
"""What other people call ``user_id``, in lower case."""

_SYNONYMS = {
    "user_id": USER_SYNONYMS,
    "timestamp": ("time", "ts", "date", "datetime", "event_time", "created_at", "invoicedate"),
    "event": ("action", "event_type", "event_name", "type", "behavior", "behaviour"),
    "item_id": ("itemid", "product_id", "productid", "sku", "stockcode"),
    "session_id": ("user_session", "session", "sessionid", "visit_id"),
    "value": ("price", "amount", "revenue", "total"),
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One thing that a row can do wrong.

    Attributes
    ----------
    column : str
        Contract column.
    what : str
        What is wrong, without the table: ``"not a date"``; the reason kept with rows set aside.
    condition : str
        SQL over the typed view, true for an offending row, never null.
    sample : str
        SQL of the value as it stands in the file.
    fix : str
        Empty for rules whose rows are set aside.
    refuse : bool
        Whether one such row stops the run; otherwise the row is set aside.
    grouped : bool
        The condition depends on the column's value alone and values repeat: cheaper to judge
        once a value than once a row.
    """

    column: str
    what: str
    condition: str
    sample: str
    fix: str = ""
    refuse: bool = False
    grouped: bool = False


IN_THE_FUTURE = "in the future"
"""What is wrong with a timestamp that is later than now."""


@dataclass(frozen=True)
class Typed:
    """A staged table in the contract's names and types.

    Attributes
    ----------
    table, view : str
        Contract table; DuckDB view with its columns, any ``extras`` and ``row``.
    staged : Staged
    columns : mapping of str to str
        Contract column to the file's column, for the columns that are there.
    extras : tuple of str
        The file's other columns that are kept (``visits`` only).
    ignored : tuple of str
        The file's columns that are not used.
    rules : tuple of Rule
    problems : tuple of Problem
        Columns missing or of an impossible type.
    """

    table: str
    view: str
    staged: Staged
    columns: Mapping[str, str]
    extras: tuple[str, ...]
    ignored: tuple[str, ...]
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every column of the view but ``row``, in the contract's order."""
        return (*(c.name for c in TABLES[self.table]), *self.extras)


def sources(staged: Staged, options: Options, dropped: frozenset[str]) -> dict[str, str]:
    """Contract column to the file's column, for those that `staged` has."""
    found = {}
    for column in TABLES[staged.table]:
        theirs = options.map.get(column.name, column.name)
        if theirs not in staged.columns and column.name in staged.columns and theirs:
            theirs = column.name if staged.table != "events" else theirs
        if theirs in staged.columns and theirs not in dropped:
            found[column.name] = theirs
    return found


def type_columns(
    connection: duckdb.DuckDBPyConnection, staged: Staged, options: Options,
    dropped: frozenset[str] = frozenset(),
) -> Typed:  # fmt: skip
    """Make the typed view of `staged` and say how its rows can go wrong.

    Parameters
    ----------
    dropped : frozenset of str
        The file's columns to leave out (personal data).
    """
    found = sources(staged, options, dropped)
    problems = _missing(staged, options, found)
    used = set(found.values())
    others = tuple(c for c in staged.columns if c not in used)
    extras: tuple[str, ...] = ()
    if staged.table == "visits":
        extras = tuple(c for c in others if c not in dropped and c.lower() != "row")
    select, rules = [], []
    for column in TABLES[staged.table]:
        name = quoted(column.name)
        if column.name not in found:
            select.append(f"NULL::{_DUCKDB[column.kind]} AS {name}")
            continue
        sql, more, wrong = _typed(connection, staged, column, found[column.name], options)
        raw = quoted(f"raw:{column.name}")
        select += [f"{sql} AS {name}", f"{quoted(found[column.name])} AS {raw}"]
        rules += more
        problems += wrong
    select += _extras(connection, staged, extras)
    view = f"typed_{staged.table}"
    connection.execute(
        f"CREATE OR REPLACE VIEW {view} AS SELECT {', '.join(select)}, __row AS row "
        f"FROM {staged.view}"
    )
    ignored = tuple(c for c in others if c not in extras and c not in dropped)
    return Typed(staged.table, view, staged, found, extras, ignored, tuple(rules), tuple(problems))


def _extras(
    connection: duckdb.DuckDBPyConnection, staged: Staged, extras: tuple[str, ...]
) -> list[str]:
    """Expressions of columns that the contract does not know; text that is all numbers is one."""
    texts = [c for c in extras if staged.columns[c] == "VARCHAR"]
    if not texts:
        return [quoted(c) for c in extras]
    wrong = connection.execute(
        "SELECT " + ", ".join(
            f"count_if({quoted(c)} <> '' AND try_cast({quoted(c)} AS DOUBLE) IS NULL)"
            for c in texts
        ) + f" FROM {staged.view}"
    ).fetchone()  # fmt: skip
    numbers = {c for c, n in zip(texts, wrong, strict=True) if not n}
    return [
        f"try_cast({quoted(c)} AS DOUBLE) AS {quoted(c)}" if c in numbers else quoted(c)
        for c in extras
    ]


def _missing(staged: Staged, options: Options, found: Mapping[str, str]) -> list[Problem]:
    problems = []
    for column in TABLES[staged.table]:
        theirs = options.map.get(column.name)
        asked = theirs and staged.table == "events" and theirs not in staged.columns
        if column.name in found or not (column.required or asked):
            continue
        free = [c for c in staged.columns if c not in found.values()]
        lower = {c.lower(): c for c in free}
        close = next((lower[s] for s in _SYNONYMS.get(column.name, ()) if s in lower), None)
        close = nearest(theirs or column.name, free) or close
        hint = f"Nearest: {close!r}; --map {column.name}={close} reads it." if close else (
            f"Say which column it is: --map {column.name}=YOURS."
        )  # fmt: skip
        has = ", ".join(list(staged.columns)[:12])
        what = f"column {theirs or column.name!r}" if not theirs else f"column {theirs!r} (--map)"
        problems.append(
            Problem(
                f"{staged.table}.{column.name}: there is no {what}", f"{hint} The file has {has}."
            )
        )
    return problems


def _typed(
    connection: duckdb.DuckDBPyConnection, staged: Staged, column: Column, theirs: str,
    options: Options,
) -> tuple[str, list[Rule], list[Problem]]:  # fmt: skip
    """Expression, rules and problems of one column."""
    type_, raw = staged.columns[theirs], quoted(theirs)
    place = f"{staged.table}.{column.name}"
    if column.kind == "timestamp":
        time = time_column(connection, staged.view, theirs, type_, options.timezone, place)
        rules = [] if time.problems else _time_rules(column, type_, time.zoneless, raw)
        return time.sql, rules, list(time.problems)
    if column.kind in ("text", "choice"):
        sql = _text(raw, type_)
        if column.kind == "choice" and column.required and type_ == "VARCHAR":
            sql = raw  # an empty text is no known name either, and the test for it costs a scan
        if sql is None:
            return "NULL::VARCHAR", [], [_wrong_type(place, theirs, type_, "text")]
        if place == "events.event" and options.event_names:
            cases = " ".join(
                f"WHEN {literal(a)} THEN {literal(b)}" for a, b in options.event_names.items()
            )
            sql = f"CASE {sql} {cases} ELSE {sql} END"
        return sql, _text_rules(column), []
    if column.kind == "flag":
        return _flag(raw, type_, column, place, theirs)
    if not (is_number(type_) or type_ == "VARCHAR"):
        return f"NULL::{_DUCKDB[column.kind]}", [], [_wrong_type(place, theirs, type_, "a number")]
    return _number(raw, type_, column)


def _wrong_type(place: str, theirs: str, type_: str, wanted: str) -> Problem:
    return Problem(
        f"{place}: column {theirs!r} is {type_}, not {wanted}",
        f"Write it as {wanted}, or leave it out with --map {place.split('.')[1]}=",
    )


def _text(raw: str, type_: str) -> str | None:
    """Text of a column; a whole number stored with a fraction part (17850.0) loses it."""
    if type_ == "VARCHAR":
        return f"nullif({raw}, '')"
    if type_ == "BLOB":
        return None
    if type_ in ("DOUBLE", "FLOAT"):
        whole = f"{raw} = trunc({raw}) AND abs({raw}) < 1e15"
        return f"CASE WHEN {whole} THEN {raw}::BIGINT::VARCHAR ELSE {raw}::VARCHAR END"
    return f"{raw}::VARCHAR"


def _text_rules(column: Column) -> list[Rule]:
    name, raw = quoted(column.name), f"{quoted('raw:' + column.name)}::VARCHAR"
    if column.kind == "choice":
        allowed = ", ".join(literal(c) for c in column.choices)
        condition = f"coalesce({name} NOT IN ({allowed}), {'true' if column.required else 'false'})"
        # The fix is written where the unknown values are known.
        return [Rule(column.name, "unknown value", condition, raw, "", refuse=True, grouped=True)]
    user = column.name == "user_id"
    if column.required:
        condition = f"({name} IS NULL OR trim({name}, {BLANKS}) = '')"
        return [Rule(column.name, f"no {column.name}", condition, raw, grouped=user)]
    return []


def _time_rules(column: Column, type_: str, zoneless: str, source: str) -> list[Rule]:
    name, raw = quoted(column.name), quoted("raw:" + column.name)
    zoneless = zoneless.replace(source, raw)
    empty, shown = _empty(raw, type_), f"{raw}::VARCHAR"
    rules = [
        Rule(
            column.name, IN_THE_FUTURE, f"coalesce({name} > now(), false)", shown,
            "Check the unit and the zone; an event log holds what was.", True,
        ),
        Rule(
            column.name, "before 1990",
            f"coalesce({name} < make_timestamptz({EARLIEST_US}), false)", shown,
            "Check the unit (seconds, milliseconds) and default dates.", True,
        ),
    ]  # fmt: skip
    if type_ != "TIMESTAMP WITH TIME ZONE":
        rules.append(
            Rule(
                column.name, "not a date and time",
                f"({name} IS NULL AND NOT {empty} AND NOT coalesce({zoneless}, false))", shown,
                "Write ISO 8601 (2024-07-01T10:00:00Z) or epoch seconds.", True,
            )
        )  # fmt: skip
    if zoneless != "false":
        rules.append(
            Rule(
                column.name, "no time zone", f"coalesce({zoneless}, false)", shown,
                "Say which zone the clock was in: --timezone Europe/London.", True,
            )
        )  # fmt: skip
    if column.required:
        rules.append(Rule(column.name, "empty", empty, "NULL", "Every row needs its time.", True))
    return rules


def _empty(stored: str, type_: str) -> str:
    """Condition: the stored value is null or blank."""
    return (
        f"({stored} IS NULL OR trim({stored}) = '')"
        if type_ == "VARCHAR"
        else f"({stored} IS NULL)"
    )


def _flag(
    raw: str, type_: str, column: Column, place: str, theirs: str
) -> tuple[str, list[Rule], list[Problem]]:
    name, stored = quoted(column.name), quoted("raw:" + column.name)
    if type_ == "BOOLEAN":
        sql = raw
    elif is_number(type_) or type_ == "VARCHAR":
        text = f"lower(trim({raw}::VARCHAR))"
        sql = (
            f"CASE WHEN {text} IN ('true', 't', 'yes', 'y', '1', '1.0') THEN true "
            f"WHEN {text} IN ('false', 'f', 'no', 'n', '0', '0.0') THEN false END"
        )
    else:
        return "NULL::BOOLEAN", [], [_wrong_type(place, theirs, type_, "true or false")]
    empty = _empty(stored, type_)
    rules = [
        Rule(
            column.name, "not true or false", f"({name} IS NULL AND NOT {empty})",
            f"{stored}::VARCHAR", "Write true or false.", True,
        )
    ]  # fmt: skip
    if column.required:
        rules.append(Rule(column.name, f"no {column.name}", empty, "NULL"))
    return sql, rules, []


def _number(raw: str, type_: str, column: Column) -> tuple[str, list[Rule], list[Problem]]:
    name, stored = quoted(column.name), quoted("raw:" + column.name)
    number = f"try_cast(trim({raw}) AS DOUBLE)" if type_ == "VARCHAR" else f"{raw}::DOUBLE"
    number = raw if type_ == "DOUBLE" else number
    sql, shown = number, f"{stored}::VARCHAR"
    rules = []
    if type_ == "VARCHAR":
        read = number.replace(raw, stored)
        rules.append(
            Rule(
                column.name, "not a number",
                f"({read} IS NULL AND {stored} IS NOT NULL AND trim({stored}) <> '')", shown,
                "Write plain numbers with a decimal point and no currency sign.", True,
            )
        )  # fmt: skip
    else:
        read = f"{stored}::DOUBLE"
    if column.kind == "integer":
        sql = raw if type_ == "BIGINT" else f"try_cast({number} AS BIGINT)"
        if "INT" not in type_:
            rules.append(
                Rule(
                    column.name, "not a whole number",
                    f"coalesce({read} <> trunc({read}), false)", shown,
                    "Write whole numbers.", True,
                )
            )  # fmt: skip
    if "INT" not in type_ and not type_.startswith("DECIMAL"):
        rules.append(
            Rule(column.name, "not finite", f"NOT coalesce(isfinite({read}), true)", shown)
        )
    rules += _range_rules(column, name, shown)
    if column.required:
        empty = _empty(stored, type_)
        rules.append(Rule(column.name, f"no {column.name}", empty, "NULL"))
    return sql, rules, []


def _range_rules(column: Column, name: str, shown: str) -> list[Rule]:
    rules = []
    if column.low is not None:
        sign, word = ("<=", "not above") if column.open_low else ("<", "below")
        low = f"{column.low:g}"
        condition = f"coalesce({name} {sign} {low}, false)"
        rules.append(Rule(column.name, f"{word} {low}", condition, shown))
    if column.high is not None:
        condition = f"coalesce({name} > {column.high:g}, false)"
        rules.append(Rule(column.name, f"above {column.high:g}", condition, shown))
    return rules
