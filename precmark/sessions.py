"""Visits found in a stream of events, and the robots among them taken out (paper, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import ibis

from precmark.contract.schema import LIVE_EVENTS
from precmark.contract.schema import units as contract_units
from precmark.engine import (
    BATCH_ROWS,
    MONEY_PARTS,
    as_timestamp,
    check_amounts,
    connect,
    in_parts,
    keep,
    microseconds,
    read,
    write_whole,
)
from precmark.errors import InputError, Problem
from precmark.tables import whole_file, with_units

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from precmark.runs import Run

GAP_MINUTES = 30
"""Silence that ends a session where the log has no session ids; the paper gives none."""

MAX_VIEWS = 100
"""A session with more page views than this is a robot's (paper, section 5.2, step 2)."""

_COUNTS = {"views": 1, "searches": 2, "carts": 3, "purchases": 4, "live": 5, "logins": 6}
_WHAT = {"view": 1, "search": 2, "cart": 3, "purchase": 4, "login": 6} | dict.fromkeys(
    LIVE_EVENTS, 5
)

LONGEST_S = 86_400.0
"""An event's own duration counts up to a day, so that one absurd value cannot join two years."""

SESSION_COLUMNS = (
    "session_code", "session_id", "user_id", "user_code", "start", "end", "duration_s", "events",
    "views", "searches", "carts", "purchases", "purchased", "revenue", "is_new", "kind",
)  # fmt: skip
"""Columns of the sessions table, in this order."""

SESSION_UNITS = {
    "start": "UTC",
    "end": "UTC",
    "duration_s": "s",
    "events": "events",
    "views": "page views",
    "searches": "searches",
    "carts": "products put in the cart",
    "purchases": "purchased lines",
    "revenue": "money",
}
"""Units of the columns of the sessions table."""


@dataclass(frozen=True)
class Sessions:
    """What :func:`find_sessions` finds; Ibis tables on the connection of its input.

    Attributes
    ----------
    events : ibis.Table
        The events of human sessions: all columns of the input, ``session_id`` filled,
        ``session_code`` (int64) and ``position`` (int64, from 1 within the session). Unordered.
    sessions : ibis.Table
        One row a human session: ``session_code`` (from 0, in the order of user_code, start and
        first row), ``session_id``, ``user_id``, ``user_code``, ``start``, ``end`` (the latest end
        of any of its events, an event ending at its timestamp plus its ``duration_s`` where that
        is known), ``duration_s`` (end minus start), ``events``, ``views``, ``searches``,
        ``carts``, ``purchases`` (each a count of events), ``purchased`` (bool), ``revenue``
        (purchases minus cancels, money), ``is_new`` (the first session of that user in the log,
        robots' included) and ``kind`` (``"live"`` where it holds live and login events only, at
        least one of them live; else ``"shop"``).
    bots : ibis.Table
        The sessions removed for more than `max_views` page views, same columns.
    """

    events: ibis.Table
    sessions: ibis.Table
    bots: ibis.Table


def find_sessions(
    events: ibis.Table, *, gap_minutes: float = GAP_MINUTES, max_views: int = MAX_VIEWS
) -> Sessions:
    """The sessions of a normalised event log, people's and robots' apart.

    A row with a ``session_id`` belongs to that session of that user. The other rows of a user are
    cut where more than `gap_minutes` pass between the latest end of the events so far and the
    next event.

    Parameters
    ----------
    events : ibis.Table
        The normalised events (see :mod:`precmark.contract`), any order.
    gap_minutes : float
        Minutes of silence, > 0; a gap of exactly so much does not cut.
    max_views : int
        Page views that a human session may have, >= 1.

    Returns
    -------
    Sessions

    Raises
    ------
    InputError
        `gap_minutes` or `max_views` out of range, or robots' sessions only.

    References
    ----------
    Gu, Research on New Media User Profile Construction and Precision Marketing Strategy Based on
    Deep Learning, section 5.2, doi 10.65102/is20261254.
    """
    found = _find(events, gap_minutes, max_views)
    human = found.rows.filter(~found.rows.bot)
    human = human.select("row", "session_code", "position", "made_up")
    joined = events.join(human, "row")
    filled = joined.mutate(session_id=joined.session_id.fill_null(joined.made_up))
    return Sessions(
        filled.select(*events.columns, "session_code", "position"),
        found.sessions.filter(~found.sessions.bot).drop("bot"),
        found.sessions.filter(found.sessions.bot).drop("bot"),
    )


class _Found(NamedTuple):
    """`rows`: row, session_code, position, made_up, bot; `sessions`: SESSION_COLUMNS and bot."""

    rows: ibis.Table
    sessions: ibis.Table


def _find(events: ibis.Table, gap_minutes: float, max_views: int) -> _Found:
    """Sessions of people and robots alike, each marked ``bot`` or not."""
    _check_rules(gap_minutes, max_views)
    con = events._find_backend()
    # Kept, because three things are read from it and its windows are the costly part.
    rows = keep(con, _with_visit(con, events, gap_minutes))
    sessions = keep(con, _coded(_counted(rows)).mutate(bot=ibis._.views > max_views))
    people = sessions.aggregate(all=sessions.count(), people=(~sessions.bot).sum()).execute()
    if not people.people[0]:
        raise InputError(_only_bots(people["all"][0], max_views))
    codes = sessions.select("user_code", "visit", "session_code", "made_up", "bot")
    names = events.group_by("user_code").aggregate(user_id=events.user_id.arbitrary())
    named = sessions.join(names, "user_code").mutate(
        start=as_timestamp(con, ibis._.first_us), end=as_timestamp(con, ibis._.last_us)
    )
    return _Found(
        rows.join(codes, ["user_code", "visit"]).drop("visit"),
        named.select(*SESSION_COLUMNS, "bot"),
    )


def _check_rules(gap_minutes: float, max_views: int) -> None:
    problems = []
    if not gap_minutes > 0:
        problems.append(Problem(f"gap of {gap_minutes} minutes", "Use a number above 0."))
    if not max_views >= 1:
        problems.append(Problem(f"at most {max_views} page views", "Use 1 or more."))
    if problems:
        raise InputError(problems)


def _only_bots(sessions: int, max_views: int) -> Problem:
    return Problem(
        f"nobody is left: each session found, {sessions:,} in all, has more than {max_views} page "
        "views, which only programs make",
        "Check that session ids tell visits apart, or raise the limit with --max-views.",
    )


def _with_visit(con, events: ibis.Table, gap_minutes: float) -> ibis.Table:
    """What sessions are made of, one narrow row an event, and the session that it belongs to.

    Columns: user_code, row, us, end_us (microseconds), what (:data:`_WHAT`), parts (revenue),
    idless, visit (the session within the user) and position. ``visit`` is a number where no row
    has a session id, which is faster to group by, else text: the id given, or else the number.
    """
    has_ids, has_durations, largest = (
        events.aggregate(
            ids=events.session_id.count(), seconds=events.duration_s.count(), v=events.value.max()
        )
        .execute()
        .iloc[0]
    )
    check_amounts(largest)
    us = microseconds(con, events.timestamp)
    lasted = ibis.least(events.duration_s.fill_null(0.0), LONGEST_S)
    money = in_parts(events.value.fill_null(0.0))
    rows = events.select(
        "user_code",
        "row",
        us=us,
        end_us=us + in_parts(lasted, 1_000_000) if has_durations else us,
        what=events.event.cases(*_WHAT.items(), else_=0).cast("int8"),
        parts=events.event.cases(("purchase", money), ("cancel", -money), else_=0),
        idless=events.session_id.isnull(),
        **({"given": events.session_id} if has_ids else {}),
    )
    own = {"group_by": ["user_code", "idless"], "order_by": ["us", "row"]}
    if has_durations:
        busy_until = rows.end_us.max().over(ibis.window(rows=(None, -1), **own))
    else:
        busy_until = rows.us.lag().over(ibis.window(**own))
    rows = rows.mutate(busy_until=busy_until)
    cut = (rows.us - rows.busy_until > round(gap_minutes * 60e6)).fill_null(True).cast("int64")
    rows = rows.mutate(cut=cut)
    rows = rows.mutate(visit=rows.cut.sum().over(ibis.window(rows=(None, 0), **own)).cast("int64"))
    if has_ids:
        # The blank and the user's own ids cannot collide: `idless` is part of the key.
        rows = rows.mutate(
            visit=rows.given.fill_null(ibis.literal("\x1f") + rows.visit.cast("string"))
        )
    within = ibis.window(group_by=["user_code", "visit"], order_by=["us", "row"])
    rows = rows.mutate(position=ibis.row_number().over(within).cast("int64") + 1)
    return rows.drop("busy_until", "cut", *(["given"] if has_ids else []))


def _counted(rows: ibis.Table) -> ibis.Table:
    """One row a session of `rows` (see :func:`_with_visit`), counts and ends."""
    counts = {name: (rows.what == code).sum() for name, code in _COUNTS.items()}
    return rows.group_by("user_code", "visit").aggregate(
        idless=rows.idless.min(),
        first_us=rows.us.min(),
        last_us=rows.end_us.max(),
        first_row=rows.row.min(where=rows.position == 1),
        events=rows.count(),
        parts=rows.parts.sum().cast("float64"),
        **counts,
    )


def _coded(counted: ibis.Table) -> ibis.Table:
    """`counted` with a code, an id and what follows from the counts."""
    per_user = counted.group_by("user_code").aggregate(sessions=counted.count())
    before = ibis.window(order_by="user_code", rows=(None, -1))
    per_user = per_user.mutate(first_code=per_user.sessions.sum().over(before).fill_null(0))
    in_order = ibis.window(group_by="user_code", order_by=["first_us", "first_row"])
    counted = counted.mutate(nth=ibis.row_number().over(in_order))
    counted = counted.join(per_user.drop("sessions"), "user_code")
    only_live = (counted.live > 0) & (counted.live + counted.logins == counted.events)
    coded = counted.mutate(
        session_code=(counted.first_code + counted.nth).cast("int64"),
        is_new=counted.nth == 0,
        duration_s=(counted.last_us - counted.first_us).cast("float64") / 1e6,
        purchased=counted.purchases > 0,
        revenue=counted.parts / float(MONEY_PARTS),
        kind=ibis.ifelse(only_live, "live", "shop"),
    )
    made_up = ibis.literal("s") + coded.session_code.cast("string")
    given = coded.visit.cast("string")
    return coded.mutate(made_up=made_up, session_id=ibis.ifelse(coded.idless, made_up, given))


def write_sessions(
    run: Run,
    *,
    engine: str = "duckdb",
    threads: int | None = None,
    gap_minutes: float = GAP_MINUTES,
    max_views: int = MAX_VIEWS,
) -> pa.Table:
    """Find the sessions of `run` and write them to its results; returns the sessions table.

    Reads ``contract/events``; writes ``sessions/events`` (in the order of user_code, timestamp,
    row), ``sessions/sessions`` and ``sessions/bots`` (in the order of session_code), each whole
    or not at all.

    Parameters
    ----------
    run : Run
    engine, threads
        See :func:`precmark.engine.connect`.
    gap_minutes, max_views
        See :func:`find_sessions`, errors too.
    """
    import pyarrow.parquet as pq

    con = connect(engine, threads=threads)
    path = run.need("contract/events")
    found = _find(read(con, path), gap_minutes, max_views)
    _write_events(found.rows, path, run.table_path("sessions/events"))
    for name, bot in (("bots", True), ("sessions", False)):
        table = found.sessions.filter(found.sessions.bot == bot).drop("bot")
        out = run.table_path(f"sessions/{name}")
        write_whole(table.order_by("session_code"), out, SESSION_UNITS)
    return pq.read_table(out)


def _write_events(rows: ibis.Table, source: Path, path: Path) -> None:
    """Write the events of people at `path`: `source` and the columns of `rows`, side by side.

    Both are in the order of user_code, timestamp, row, so ten million wide rows need no sort.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = rows.order_by("user_code", "us", "row")
    found = ordered.select("row", "session_code", "position", "made_up", "bot")
    chunks = found.to_pyarrow_batches(chunk_size=BATCH_ROWS)
    with pq.ParquetFile(source) as file:
        schema = file.schema_arrow
        for name in ("session_code", "position"):
            schema = schema.append(pa.field(name, pa.int64()))
        schema = with_units(schema, {**contract_units("events"), "position": "events from 1"})
        with (
            whole_file(path) as temporary,
            pq.ParquetWriter(temporary, schema, compression="zstd") as out,
        ):
            for events, beside in _side_by_side(file, chunks):
                out.write_table(_filled(events, beside).cast(schema))


def _side_by_side(file, chunks) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of Parquet `file` with those of `chunks`, in tables of equal length."""
    import pyarrow as pa

    waiting = pa.Table.from_batches([], chunks.schema)
    for batch in file.iter_batches(BATCH_ROWS):
        while len(waiting) < len(batch) and (more := next(chunks, None)) is not None:
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([more])])
        beside, waiting = waiting.slice(0, len(batch)), waiting.slice(len(batch))
        if not beside["row"].combine_chunks().equals(batch["row"]):
            raise InputError(
                "contract/events.parquet is not in the order of user_code, timestamp and row. "
                "Make it again with `precmark run`."
            )
        yield pa.Table.from_batches([batch]), beside


def _filled(events: pa.Table, beside: pa.Table) -> pa.Table:
    """The rows of people in `events`, with their session from `beside`."""
    import pyarrow.compute as pc

    ids = pc.coalesce(events["session_id"], beside["made_up"])
    events = events.set_column(events.column_names.index("session_id"), "session_id", ids)
    for name in ("session_code", "position"):
        events = events.append_column(name, beside[name])
    return events.filter(pc.invert(beside["bot"]))
