"""Every problem of the input at once: what is refused, what is set aside, what the data can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd

from precmark.contract import personal
from precmark.contract.columns import IN_THE_FUTURE, Rule, Typed, sources, type_columns
from precmark.contract.duplicates import Copies, find_copies
from precmark.contract.options import Options, did_you_mean, nearest
from precmark.contract.reading import Staged, TableLike, quoted, stage, unreadable, workspace
from precmark.contract.report import Checked, TableCheck, fingerprint
from precmark.contract.says import capabilities
from precmark.contract.schema import TABLES
from precmark.errors import InputError, Problem
from precmark.source import Dataset

_KEYS = {"users": "user_id", "items": "item_id", "visits": "session_id",
         "assignments": "decision_id"}  # fmt: skip
_MOST_VALUES = 12


@dataclass(frozen=True)
class Examined:
    """An open check: what :func:`check` says, and the views behind it (for ``ingest``).

    Attributes
    ----------
    checked : Checked
    typed : mapping of str to Typed
    reasons : mapping of str to str
        Table to SQL of the reason that a row of its typed view is set aside for, else null.
    copies : mapping of str to Copies
        Table to its exact duplicates.
    """

    checked: Checked
    typed: Mapping[str, Typed]
    reasons: Mapping[str, str]
    copies: Mapping[str, Copies]


def tables_of(data: Dataset | Mapping[str, TableLike] | TableLike) -> dict[str, TableLike]:
    """Contract table name to table; a bare path, Arrow table or frame is the events."""
    if isinstance(data, Dataset):
        data = data.tables
    tables = dict(data) if isinstance(data, Mapping) else {"events": data}
    unknown = sorted(set(tables) - set(TABLES))
    if unknown or not tables:
        raise InputError(
            Problem(
                f"the contract has no table {', '.join(unknown) or '(none given)'}",
                f"Give one or more of {', '.join(TABLES)}.",
            )
        )
    return tables


def check(
    data: Dataset | Mapping[str, TableLike] | TableLike,
    options: Options | None = None,
    *,
    work: Path | None = None,
) -> Checked:
    """Everything that is wrong with `data`, and what is in it; nothing is written.

    Parameters
    ----------
    data : path, list of paths, Arrow table, frame, mapping or Dataset
        A mapping gives contract tables by name; anything else but a Dataset is the event log.
    options : Options, optional
    work : path, optional
        Where temporary files go.

    Returns
    -------
    Checked
        With all problems; :meth:`Checked.require` raises them.
    """
    try:
        with workspace(work) as (connection, folder):
            return examine(connection, folder, data, options or Options()).checked
    except InputError as error:
        return Checked({}, error.problems)


def examine(
    connection: duckdb.DuckDBPyConnection,
    work: Path,
    data: Dataset | Mapping[str, TableLike] | TableLike,
    options: Options,
) -> Examined:
    """The check of `data` with its views left open in `connection` (see :func:`check`)."""
    problems: list[Problem | str] = list(options.problems())
    staged: list[Staged] = []
    for table, given in tables_of(data).items():
        try:
            staged.append(stage(connection, work, table, given))
        except InputError as error:
            problems += error.problems
    if any(p.what.startswith("--") for p in problems if isinstance(p, Problem)):
        return Examined(Checked({}, tuple(problems)), {}, {}, {})
    typed, reports, reasons, copies = {}, {}, {}, {}
    made_up = isinstance(data, Dataset) and data.source.simulated
    for one in staged:
        try:
            view, dropped, wrong = _prepare(connection, one, options)
            typed[one.table] = view = _ahead_allowed(view) if made_up else view
            report, reason, same, more = _check_table(connection, view, dropped, not wrong)
        except duckdb.Error as error:
            raise unreadable(", ".join(one.files[:3]), error) from error
        reports[one.table], reasons[one.table], copies[one.table] = report, reason, same
        problems += wrong + more
    zone = options.timezone or "UTC"
    if problems:
        return Examined(Checked(reports, tuple(problems), timezone=zone), typed, reasons, copies)
    says = capabilities(connection, typed, zone)
    checked = Checked(reports, (), says, zone, fingerprint(reports))
    return Examined(checked, typed, reasons, copies)


def _ahead_allowed(view: Typed) -> Typed:
    """`view` of a simulated store, whose calendar may lie ahead of today's."""
    return replace(view, rules=tuple(rule for rule in view.rules if rule.what != IN_THE_FUTURE))


def _prepare(
    connection: duckdb.DuckDBPyConnection, staged: Staged, options: Options
) -> tuple[Typed, tuple[str, ...], list[Problem]]:
    """Typed view, personal columns dropped from it, and the problems of columns."""
    found = personal.find(connection, staged, sources(staged, options, frozenset()))
    dropped = frozenset(found) if options.drop_personal else frozenset()
    problems = [] if options.drop_personal else personal.problems(staged, found)
    typed = type_columns(connection, staged, options, dropped)
    return typed, tuple(sorted(dropped)), problems + list(typed.problems)


def _check_table(
    connection: duckdb.DuckDBPyConnection, typed: Typed, dropped: tuple[str, ...], sound: bool
) -> tuple[TableCheck, str, Copies, list[Problem]]:
    """Counts of every rule; then, where nothing is refused, what is kept."""
    met = [(rule, n) for rule, n in _count(connection, typed) if n]
    problems = [p for rule, n in met if rule.refuse for p in _refusals(connection, typed, rule, n)]
    aside = [rule for rule, _ in met if not rule.refuse]
    reason = _reason_sql(aside)
    base = TableCheck(
        typed.table, typed.staged.files, typed.staged.rows, columns=typed.columns,
        ignored=typed.ignored, dropped=dropped,
    )  # fmt: skip
    if problems or not sound:
        return base, reason, Copies(0, 0, ""), problems
    set_aside = {}
    if aside:
        set_aside = dict(
            connection.execute(
                f"SELECT {reason} AS reason, count(*) FROM {typed.view} "
                "WHERE reason IS NOT NULL GROUP BY 1 ORDER BY 1"
            ).fetchall()
        )
    connection.execute(
        f"CREATE OR REPLACE VIEW accepted_{typed.table} AS SELECT * FROM {typed.view}"
        + (f" WHERE {reason} IS NULL" if aside else "")
    )
    copies = find_copies(
        connection, f"accepted_{typed.table}", typed.table, typed.names,
        typed.staged.rows - sum(set_aside.values()),
    )  # fmt: skip
    if copies.rows:
        set_aside["exact duplicate"] = copies.rows
    kept = typed.staged.rows - sum(set_aside.values())
    report, more = _kept(connection, typed, base, kept, set_aside, copies)
    return report, reason, copies, more


def _count(connection: duckdb.DuckDBPyConnection, typed: Typed) -> list[tuple[Rule, int]]:
    """Each rule with the rows that it meets: one scan for all, one more for each grouped column."""
    _group_users(connection, typed, typed.view)
    scanned = [r for r in typed.rules if not r.grouped]
    counts = connection.execute(
        "SELECT " + ", ".join(["count(*)", *(f"count_if({r.condition})" for r in scanned)])
        + f" FROM {typed.view}"
    ).fetchone()[1:]  # fmt: skip
    found = dict(zip(scanned, counts, strict=True))
    for rule in typed.rules:
        if rule.grouped:
            name = quoted(rule.column)
            groups = f"SELECT {name}, count(*) AS n FROM {typed.view} GROUP BY {name}"
            if rule.column == "user_id":
                groups = f"SELECT user_id, n FROM ids_{typed.table}"
            found[rule] = int(
                connection.execute(
                    f"SELECT coalesce(sum(n), 0) FROM ({groups}) WHERE {rule.condition}"
                ).fetchone()[0]
            )
    return [(rule, found[rule]) for rule in typed.rules]


def _group_users(connection: duckdb.DuckDBPyConnection, typed: Typed, view: str) -> None:
    """Make table ``ids_TABLE``: each user of `view` with rows ``n``, first and last time a, b."""
    has = {c.name for c in TABLES[typed.table]}
    if "user_id" in has:
        times = (
            "min(timestamp) AS a, max(timestamp) AS b" if "timestamp" in has else "NULL a, NULL b"
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE ids_{typed.table} AS "
            f"SELECT user_id, count(*) AS n, {times} FROM {view} GROUP BY user_id"
        )


def _reason_sql(rules: list[Rule]) -> str:
    if not rules:
        return "NULL::VARCHAR"
    cases = " ".join(f"WHEN {r.condition} THEN '{_reason(r)}'" for r in rules)
    return f"CASE {cases} END"


def _reason(rule: Rule) -> str:
    return rule.what if rule.what.startswith("no ") else f"{rule.column} {rule.what}"


def _refusals(
    connection: duckdb.DuckDBPyConnection, typed: Typed, rule: Rule, rows: int
) -> list[Problem]:
    """The problems of one rule: one a value for names out of a list, else one in all."""
    place = f"{typed.table}.{rule.column}"
    if rule.what != "unknown value":
        first = connection.execute(
            f"SELECT row, {rule.sample} FROM {typed.view} WHERE {rule.condition} "
            "ORDER BY row LIMIT 5"
        ).fetchall()
        return [_problem(typed, f"{place}: {rule.what}", rule.fix, rows, first)]
    values = connection.execute(
        f"SELECT {rule.sample} AS v, count(*), list(row ORDER BY row)[:5] FROM {typed.view} "
        f"WHERE {rule.condition} GROUP BY v ORDER BY 2 DESC, v LIMIT {_MOST_VALUES}"
    ).fetchall()
    column = next(c for c in TABLES[typed.table] if c.name == rule.column)
    problems = []
    for value, number, first in values:
        if value is None or not value.strip():
            what, fix = f"{place}: empty", f"Every row needs its {rule.column}."
        else:
            what = f"{place}: unknown value {value!r}"
            fix = _value_fix(place, value, column.choices)
        problems.append(_problem(typed, what, fix, number, [(r, None) for r in first]))
    rest = rows - sum(p.rows for p in problems)
    if rest:
        problems.append(Problem(f"{place}: further unknown values", "See the first ones.", rest))
    return problems


def _value_fix(place: str, value: str, choices: tuple[str, ...]) -> str:
    known = f"Known: {', '.join(choices)}."
    if place == "events.event":
        close = nearest(value, choices) or "NAME"
        return f"Say what it means: --event-names {value}={close}. {known}"
    column = place.split(".")[1]
    return f"{known}{did_you_mean(value, choices)} Or leave the column out: --map {column}="


def _problem(
    typed: Typed, what: str, fix: str, rows: int, first: list[tuple[int, str | None]]
) -> Problem:
    where = typed.staged.where(first[0][0]) if first else ""
    return Problem(
        f"{what} [{where}]" if where else what,
        fix,
        rows=rows,
        first_rows=tuple(row for row, _ in first),
        sample=next((s for _, s in first if s is not None), None),
    )


def _kept(
    connection: duckdb.DuckDBPyConnection, typed: Typed, base: TableCheck, kept: int,
    set_aside: Mapping[str, int], copies: Copies,
) -> tuple[TableCheck, list[Problem]]:  # fmt: skip
    """The report on the rows that stay, and what they are too few or too many for."""
    table = typed.table
    users, start, end = 0, None, None
    has = {c.name for c in TABLES[table]}
    if "user_id" in has:
        if set_aside:
            _group_users(connection, typed, f"accepted_{table}")
        times = "epoch_us(min(a)), epoch_us(max(b))" if "timestamp" in has else "NULL, NULL"
        users, first, last = connection.execute(
            f"SELECT count(*), {times} FROM ids_{table}"
        ).fetchone()
        start, end = _instant(first), _instant(last)
    report = TableCheck(
        table, base.files, base.rows, kept, set_aside, base.columns, base.ignored, base.dropped,
        users, start, end, copies.digest,
    )  # fmt: skip
    return report, _too_few(report) + _repeated(connection, typed, copies)


def _instant(us: int | None) -> datetime | None:
    return None if us is None else pd.Timestamp(us, unit="us", tz=UTC).to_pydatetime()


def _too_few(report: TableCheck) -> list[Problem]:
    aside = "; ".join(f"{reason}: {n:,} rows" for reason, n in report.set_aside.items())
    if not report.kept:
        return [
            Problem(
                f"{report.table}: every row was set aside ({aside})",
                "Check what the columns hold, and --map.",
            )
        ]
    if report.table != "events" or (report.kept > 1 and report.users > 1):
        return []
    aside = f" (set aside: {aside})" if aside else ""
    few = "one event" if report.kept == 1 else "one user"
    return [
        Problem(
            f"events: only {few}{aside}",
            "Segments and profiles compare users: give a log of at least 2 users, better hundreds.",
        )
    ]


def _repeated(connection: duckdb.DuckDBPyConnection, typed: Typed, copies: Copies) -> list[Problem]:
    """The key of users, items, visits and assignments must be unique."""
    key = _KEYS.get(typed.table)
    if key is None or key not in typed.columns:
        return []
    rows, first, sample = connection.execute(
        f"SELECT coalesce(sum(n), 0), list(r ORDER BY r)[:5], any_value(k) FROM (SELECT "
        f"{quoted(key)} k, count(*) - 1 n, max(row) r FROM accepted_{typed.table} "
        f"{copies.without} GROUP BY k HAVING n > 0)"
    ).fetchone()
    if not rows:
        return []
    sample = None if key == "user_id" else sample
    what = f"{typed.table}.{key}: given more than once, with different values"
    fix = f"Keep one row a {key.removesuffix('_id')}."
    return [Problem(what, fix, int(rows), tuple(first), sample)]
