"""The whole profile of every user, as of a date (paper, section 3, Tables 1 to 3)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from precmark.engine import connect, keep, read, write_whole
from precmark.profiles import behaviour
from precmark.profiles.basic import AgeRule, attributes, known_users, rule_of
from precmark.profiles.counts import WORD_DAYS, days_set
from precmark.profiles.dictionary import HOUR_BINS, dictionary, features, units
from precmark.profiles.lists import ranked, with_texts, write_lists
from precmark.profiles.pairs import ALL
from precmark.profiles.rows import Rows, rows_before

if TYPE_CHECKING:
    from pathlib import Path

    from precmark.runs import Run

_MAY_BE_MISSING = ("watch_interval_h_", "recency_days", "days_since_")


@dataclass(frozen=True)
class Profiles:
    """The profile of every user known at a date; Ibis tables on the connection of the events.

    Attributes
    ----------
    profile : ibis.Table
        One row a user: ``user_id``, ``user_code`` and the dictionary's features in its order.
        Unordered.
    list_codes : ibis.Table
        The lists in numbers (:func:`precmark.profiles.lists.ranked`).
    rows : Rows
        The coded log.
    ids : ibis.Table
        ``user`` (the user_code) and ``user_id`` of each user.
    ages : AgeRule
        Which ages were believed.
    as_of : datetime.date
        What happened before this day began on the store's clock is known.
    logins_from_events : bool
        The log has no login event, so that ``login_days`` counts days with any event.
    """

    profile: ibis.Table
    list_codes: ibis.Table
    rows: Rows
    ids: ibis.Table
    ages: AgeRule
    as_of: dt.date
    logins_from_events: bool

    @property
    def lists(self) -> ibis.Table:
        """The lists, long: one row a user, list, window and rank. Unordered.

        ``user_id``, ``user_code``, ``list``, ``window_days`` (0: whole history), ``rank`` (from
        1), ``item_id`` (a broadcaster, channel, product or category) and ``value`` (in the
        dictionary's unit). Ties go to the smaller text.
        """
        return with_texts(self.list_codes, self.rows, self.ids)

    def write(self, profile: Path, lists: Path) -> None:
        """Write the profile (in the order of user_code) and the lists (of user_code, list,
        window and rank) as Parquet files, each whole or not at all.
        """
        write_whole(self.profile.order_by("user_code"), profile, units())
        write_lists(self.list_codes, self.rows, self.ids, lists)


def build_profiles(
    events: ibis.Table,
    users: ibis.Table | None = None,
    *,
    as_of: dt.date | str | None = None,
    timezone: str = "UTC",
) -> Profiles:
    """Every feature and list of the dictionary, for every user known as of a date.

    A window of d days is [as_of - d days, as_of), whole days on the store's clock, so that an
    event as the as-of day begins is outside and one as the window's first day begins is inside.
    Attributes of users carry no date: they are as the users table states them.

    Parameters
    ----------
    events : ibis.Table
        Normalised events, robots removed (:mod:`precmark.sessions`), any order.
    users : ibis.Table, optional
        The contract's users, one row a user.
    as_of : date or ISO text, optional
        None: the day after the last event.
    timezone : str
        The store's clock, an IANA name.

    Returns
    -------
    Profiles

    Raises
    ------
    InputError
        As :func:`precmark.profiles.rows.rows_before`.

    References
    ----------
    Gu, Research on New Media User Profile Construction and Precision Marketing Strategy Based on
    Deep Learning, Tables 1 to 3, doi 10.65102/is20261254.
    """
    rows = rows_before(events, as_of=as_of, timezone=timezone)
    active = behaviour.activity(rows.every, rows.span_days)
    active = keep(rows.con, rows.every.group_by("user").aggregate(**active))
    known = keep(rows.con, known_users(events, users, active.select("user"), rows))
    ages = rule_of(known)
    pairs = [spec.table(rows) for spec in ALL]
    wide = _side_by_side(attributes(known, rows, ages), active, rows, pairs)
    profile = _finished(wide, rows)
    return Profiles(
        profile=profile,
        list_codes=ranked(pairs),
        rows=rows,
        ids=known.select("user", "user_id"),
        ages=ages,
        as_of=rows.as_of,
        logins_from_events=not rows.has_logins,
    )


def _side_by_side(
    base: ibis.Table, active: ibis.Table, rows: Rows, pairs: list[ibis.Table]
) -> ibis.Table:
    """`base` with the counts of each kind of event and the variety of each table of pairs.

    What was not counted is 0.
    """
    kinds = (
        (rows.watches, behaviour.watching(rows.watches)),
        (rows.views, behaviour.viewing(rows.views)),
        (rows.deeds, behaviour.deeds(rows.deeds, rows.span_days)),
    )
    tables = [active, *(table.group_by("user").aggregate(**exprs) for table, exprs in kinds)]
    for spec, table in zip(ALL, pairs, strict=True):
        if spec.variety:
            variety = {
                name: table.count(where=table[measure] > 0)
                for name, measure in spec.variety.items()
            }
            tables.append(table.group_by("user").aggregate(**variety))
    wide = base
    for k, table in enumerate(tables):
        # One chain of joins: dropping the doubled key each time would nest them, twice as slow.
        wide = wide.left_join(table, "user", rname=f"{{name}}_{k}")
    counts = {
        name: wide[name] if name.startswith(_MAY_BE_MISSING) else wide[name].fill_null(0)
        for table in tables
        for name in table.columns
        if name != "user"
    }
    return wide.select(*base.columns, **counts)


def _finished(wide: ibis.Table, rows: Rows) -> ibis.Table:
    """`wide` with days counted and ratios taken; the columns of the dictionary."""
    words = -(-rows.span_days // WORD_DAYS)
    days = {}
    active = [wide[f"active_{k}"] for k in range(words)]
    for d in behaviour.SHORT:
        days[f"active_days_{d}"] = days_set(active[:1], d)
    days["active_days_prev_30"] = days_set(active[:1], 60, after=30)
    days["active_days"] = days_set(active)
    days["frequency"] = days_set([wide[f"bought_{k}"] for k in range(words)])
    logins = [wide["login_0" if rows.has_logins else "active_0"]]
    days |= {f"login_days_{d}": days_set(logins, d) for d in behaviour.MIDDLE}
    wide = wide.mutate(**days)
    ratios = {}
    for d in behaviour.SHORT:
        day_count = ibis.greatest(wide[f"active_days_{d}"], 1).cast("float64")
        for name in ("chats", "gifts", "searches", "purchases"):
            ratios[f"{name}_per_active_day_{d}"] = wide[f"{name}_{d}"].cast("float64") / day_count
    some = ibis.greatest(wide.events_30, 1).cast("float64")
    for name in HOUR_BINS:
        share = wide[f"events_{name}_30"].cast("float64") / some
        ratios[f"share_{name}_30"] = ibis.ifelse(wide.events_30 > 0, share, ibis.null("float64"))
    tenure = wide.tenure_days.fill_null(wide.days_since_first_event)
    wide = wide.mutate(**ratios, tenure_days=tenure, user_code=wide.user.cast("int64"))
    return wide.select("user_id", "user_code", *(entry.name for entry in features()))


def write_profiles(
    run: Run,
    *,
    as_of: dt.date | str | None = None,
    engine: str = "duckdb",
    threads: int | None = None,
) -> Profiles:
    """Build the profiles of `run` and write them to its results.

    Reads ``sessions/events`` (people's events only) and ``contract/users`` where it is there;
    writes ``profiles/profile`` (in the order of user_code), ``profiles/lists`` (in the order of
    user_code, list, window, rank) and ``profiles/dictionary``, each whole or not at all.

    Parameters
    ----------
    run : Run
    as_of : date or ISO text, optional
        None: the day after the last event.
    engine, threads
        See :func:`precmark.engine.connect`.

    Returns
    -------
    Profiles

    Raises
    ------
    InputError
        As :func:`build_profiles`; when the sessions are missing.
    """
    con = connect(engine, threads=threads)
    events = read(con, run.need("sessions/events"))
    users = read(con, run.table_path("contract/users")) if run.has("contract/users") else None
    made = build_profiles(events, users, as_of=as_of, timezone=run.source.timezone)
    made.write(run.table_path("profiles/profile"), run.table_path("profiles/lists"))
    run.write("profiles/dictionary", dictionary(), {"window_days": "days"})
    return made
