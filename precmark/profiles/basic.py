"""Table 1: the attributes of users, how many have each, and which ages are believed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd

from precmark.contract.schema import TABLES
from precmark.engine import DAY_US, local_clock, microseconds
from precmark.profiles.rows import Rows

LOW_AGE, HIGH_AGE = 8, 60
"""Ages outside are not believed (paper, Table 1, row 2)."""

ATTRIBUTES = (
    "gender", "age", "level", "country", "login_platform", "has_avatar", "referrer",
    "tenure_days", "signup_provider",
)  # fmt: skip
"""The columns of the profile that describe the user, in the order of Table 1."""

_TYPES = {
    "text": "string", "choice": "string", "number": "float64", "integer": "int64",
    "flag": "boolean", "timestamp": "timestamp('UTC')",
}  # fmt: skip


@dataclass(frozen=True)
class AgeRule:
    """Which ages of a population are believed, and why.

    Attributes
    ----------
    low, high : int
        The ages believed at all, years, both included.
    spikes : tuple of int
        Ages between them that were most likely filled in by default, in rising order.
    counts : pandas.DataFrame
        One row a whole year of age from `low` to `high`: ``age`` (years), ``users``,
        ``expected`` (users, from the neighbours) and ``spike`` (bool).
    users, stated, in_range, kept : int
        All users; those with an age; with one from `low` to `high`; with one that is believed.
    """

    low: int
    high: int
    spikes: tuple[int, ...]
    counts: pd.DataFrame
    users: int
    stated: int
    in_range: int
    kept: int


def find_spikes(
    users: np.ndarray, *, neighbours: int = 4, factor: float = 3.0, sigmas: float = 5.0
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a histogram that stand out from both sides, and what the sides would expect.

    The expectation at a position is the larger of two medians: of the `neighbours` counts below
    it and of those above it. A median ignores another spike next door; the larger side keeps a
    steep slope or a true peak from looking like a spike. A count is a spike when it exceeds
    `factor` times the expectation and exceeds it by more than `sigmas` standard deviations of a
    Poisson count, sqrt(expectation + 1), so that a handful of users is none.

    Parameters
    ----------
    users : array of int, shape (n,)
        Users at each successive age, 0 where nobody has it.
    neighbours : int
        Ages looked at on each side.
    factor, sigmas : float

    Returns
    -------
    spike : array of bool, shape (n,)
    expected : array of float, shape (n,)

    Examples
    --------
    >>> spike, expected = find_spikes(np.array([3, 5, 4, 6, 90, 300, 3, 2, 1, 0]))
    >>> np.flatnonzero(spike).tolist()
    [4, 5]
    """
    users = np.asarray(users, dtype=float)
    expected = np.zeros(len(users))
    for i in range(len(users)):
        sides = (users[max(0, i - neighbours) : i], users[i + 1 : i + 1 + neighbours])
        expected[i] = max((np.median(side) for side in sides if len(side)), default=0.0)
    excess = users - expected
    spike = (users > factor * expected) & (excess > sigmas * np.sqrt(expected + 1))
    return spike, expected


def clean_age(
    ages: pd.Series | np.ndarray, *, low: int = LOW_AGE, high: int = HIGH_AGE
) -> tuple[pd.Series, AgeRule]:
    """The ages that are believed, the others empty, and the rule that decided.

    An age counts when it lies from `low` to `high` (whole years; 60.9 is 60) and not at a spike
    (see :func:`find_spikes`). The paper removes 51 and 52 by hand and keeps 21, its peak; on
    counts of that shape the rule does the same.

    Parameters
    ----------
    ages : series or array of float
        Stated ages, years; missing where there is none.

    Returns
    -------
    cleaned : pandas.Series of float
        `ages`, missing where not believed.
    rule : AgeRule

    References
    ----------
    Gu, Table 1, row 2, doi 10.65102/is20261254.
    """
    ages = pd.Series(ages, dtype="float64")
    whole = np.floor(ages)
    stated = whole.value_counts()
    rule = age_rule(pd.DataFrame({"age": stated.index, "users": stated.to_numpy()}), len(ages),
                    low=low, high=high)  # fmt: skip
    believed = whole.between(low, high) & ~whole.isin(rule.spikes)
    return ages.where(believed), rule


def age_rule(
    stated: pd.DataFrame, users: int, *, low: int = LOW_AGE, high: int = HIGH_AGE
) -> AgeRule:
    """The rule for a population given by its counts.

    Parameters
    ----------
    stated : pandas.DataFrame
        ``age`` (whole years) and ``users``, one row an age that anyone stated.
    users : int
        All users, with an age or without.
    """
    by_age = stated.groupby("age").users.sum()
    counts = by_age.reindex(range(low, high + 1), fill_value=0).to_numpy()
    spike, expected = find_spikes(counts)
    years = np.arange(low, high + 1)
    table = pd.DataFrame({"age": years, "users": counts, "expected": expected, "spike": spike})
    return AgeRule(
        low=low,
        high=high,
        spikes=tuple(int(age) for age in years[spike]),
        counts=table,
        users=int(users),
        stated=int(by_age.sum()),
        in_range=int(counts.sum()),
        kept=int(counts[~spike].sum()),
    )


def known_users(
    events: ibis.Table, users: ibis.Table | None, active: ibis.Table, rows: Rows
) -> ibis.Table:
    """The users whom the store knows as of the date, with their attributes as stated.

    Known is who had an event before the as-of date, or had registered by then, or stands in the
    users table without a registration date and without any event at all. `active` holds the
    users (``user``) with an event before the as-of date.

    Returns
    -------
    ibis.Table
        ``user`` (int32), ``user_id`` and the columns of the contract's users table.
    """
    active = active.mutate(active=True)
    ever = events.group_by("user_code").aggregate(user_id=events.user_id.arbitrary())
    ever = ever.select(user=ever.user_code.cast("int32"), id_of_events=ever.user_id)
    if users is None:
        users = ibis.memtable([], schema={"user_code": "int64", **_schema()})
    stated = users.mutate(user=users.user_code.cast("int32"))
    missing = {c: ibis.null(t) for c, t in _schema().items() if c not in users.columns}
    stated = stated.mutate(**missing).select("user", *_schema())
    everyone = stated.outer_join(ever, "user")
    everyone = everyone.mutate(user=everyone.user.fill_null(everyone.user_right))
    everyone = everyone.drop("user_right").left_join(active, "user")
    registered = microseconds(rows.con, everyone.registered_at)
    silent = everyone.id_of_events.isnull() & everyone.registered_at.isnull()
    known = everyone.active.notnull() | (registered < rows.as_of_us) | silent
    known = everyone.filter(known.fill_null(False))
    known = known.mutate(user_id=known.user_id.fill_null(known.id_of_events))
    return known.select("user", *_schema())


def _schema() -> dict[str, str]:
    return {column.name: _TYPES[column.kind] for column in TABLES["users"]}


def rule_of(known: ibis.Table) -> AgeRule:
    """The age rule of the users `known` (see :func:`known_users`)."""
    age = known.age.floor().cast("float64")
    counted = known.group_by(age=age).aggregate(users=known.count()).execute()
    return age_rule(counted.dropna(), int(counted.users.sum()))


def attributes(known: ibis.Table, rows: Rows, rule: AgeRule) -> ibis.Table:
    """`known` with :data:`ATTRIBUTES`: age cleaned by `rule`, the registration date as a tenure.

    ``tenure_days`` is missing where no registration before the as-of date is known.
    """
    whole = known.age.floor()
    believed = (whole >= rule.low) & (whole <= rule.high)
    if rule.spikes:
        believed &= whole.notin([float(age) for age in rule.spikes])
    registered = microseconds(rows.con, known.registered_at)
    earliest = known.aggregate(us=registered.min()).us.execute()[0]
    first = rows.as_of_us if pd.isna(earliest) else min(int(earliest), rows.as_of_us)
    local = local_clock(rows.timezone, first, rows.as_of_us)(registered)
    today = (rows.as_of - dt.date(1970, 1, 1)).days
    tenure = ibis.ifelse(registered < rows.as_of_us, today - local // DAY_US, ibis.null("int64"))
    return known.mutate(
        age=ibis.ifelse(believed, known.age, ibis.null("float64")), tenure_days=tenure
    ).select("user", "user_id", *ATTRIBUTES)


def coverage(profile: pd.DataFrame, rule: AgeRule | None = None) -> pd.DataFrame:
    """How many users have each basic attribute.

    Parameters
    ----------
    profile : pandas.DataFrame
        The profile, one row a user.
    rule : AgeRule, optional
        Adds the ages as stated and those in range, before cleaning.

    Returns
    -------
    pandas.DataFrame
        ``attribute``, ``users`` (with a value; a gender of "unknown" is none) and ``coverage``
        (share of all users, 0-1).
    """
    known = {name: profile[name].notna() for name in ATTRIBUTES if name in profile}
    if "gender" in known:
        known["gender"] &= profile["gender"] != "unknown"
    rows = []
    for name, has in known.items():
        if name == "age" and rule is not None:
            rows.append(("age, as stated", rule.stated))
            rows.append((f"age, {rule.low} to {rule.high}", rule.in_range))
        rows.append((name, int(has.sum())))
    frame = pd.DataFrame(rows, columns=["attribute", "users"])
    return frame.assign(coverage=frame.users / max(len(profile), 1))
