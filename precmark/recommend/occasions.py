"""When a list is asked for: what was known then, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.recommend.shop import EVENT_COLUMNS, interactions

CLICKS = ("view", "search", "cart", "uncart")
"""Events that count as clicks, as in :mod:`precmark.sequences`."""

DECISION_CLICK = 3
"""k: a session is decided on at this click where nothing else is asked for."""

FRACTIONS = (0.6, 0.2, 0.2)
"""Shares of the interactions in training, validation and test."""


@dataclass(frozen=True)
class Occasions:
    """Moments at which a list is asked for and after which something was wanted.

    Attributes
    ----------
    users : pandas.DataFrame
        One row an occasion: ``user_code`` (the occasion's number), ``person`` (the user's own
        code), ``timestamp``, ``before`` (interactions with items that the user had before the
        session, or before the period).
    history : pandas.DataFrame
        Events up to each occasion, ``user_code`` being the occasion's number.
    targets : pandas.DataFrame
        What was wanted after it: ``user_code``, ``item_id``, ``place`` (from 0, in order of time),
        each item once an occasion.
    """

    users: pd.DataFrame
    history: pd.DataFrame
    targets: pd.DataFrame

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class TimeSplit:
    """The instants at which validation and test begin."""

    validation: pd.Timestamp
    test: pd.Timestamp


def split_times(events: pd.DataFrame, fractions: Sequence[float] = FRACTIONS) -> TimeSplit:
    """The instants that split the interactions of `events` by time.

    Raises
    ------
    InputError
        Where the interactions do not spread over three different instants.
    """
    instants = interactions(events).timestamp.sort_values().to_numpy()
    first, second = np.cumsum(fractions)[:2]
    n = len(instants)
    borders = [instants[min(int(np.ceil(round(s * n, 6))), n - 1)] for s in (first, second) if n]
    if not n or not instants[0] < borders[0] < borders[1]:
        raise InputError(
            Problem(
                f"{n:,} interactions cannot be split into training, validation and test over time",
                "Use a longer log.",
            )
        )
    return TimeSplit(*(_utc(b) for b in borders))


def _utc(instant) -> pd.Timestamp:
    made = pd.Timestamp(instant)
    return made.tz_localize("UTC") if made.tz is None else made


def at_click(
    events: pd.DataFrame,
    start: pd.Timestamp,
    end: pd.Timestamp | None = None,
    *,
    wanted: str = "purchase",
    clicks: int = DECISION_CLICK,
    known: int | None = None,
) -> Occasions:
    """The sessions of [start, end) that get to click k unpurchased and in which more is wanted.

    Parameters
    ----------
    events : pandas.DataFrame
        ``user_code``, ``session_code``, ``position`` (order within the session), ``timestamp``,
        ``event``, ``item_id``; those before `start` serve as history.
    start, end : pandas.Timestamp
        A session belongs to the period in which its first event lies; no `end` is the log's end.
    wanted : str
        Kind of event that counts as a target: ``"purchase"`` or ``"view"``, later in the session.
    clicks : int
        k, the click at which the list is asked for, from 1.
    known : int, optional
        How many of these clicks the history holds, 0 to k; all where left out. Same sessions, same
        targets: only what is known differs.

    Returns
    -------
    Occasions
        An occasion's history are the user's earlier sessions and this one up to the click, and
        nothing after it.
    """
    session = _sessions(events)
    inside = (session.start >= start) & (session.start < end if end is not None else True)
    log = events.assign(click=events.event.isin(CLICKS), order=np.arange(len(events)))
    log = log[log.session_code.isin(session.index[inside])].sort_values(
        ["session_code", "position"]
    )
    log["clicks"] = log.groupby("session_code").click.cumsum()
    last = log[log.click & (log.clicks == clicks)].set_index("session_code")
    log["cut"] = log.session_code.map(last.position)
    bought = log[(log.event == "purchase") & (log.position <= log.cut)].session_code
    log = log[log.cut.notna() & ~log.session_code.isin(bought)]
    after = log[(log.position > log.cut) & (log.event == wanted) & log.item_id.notna()]
    first = last.loc[last.index.isin(after.session_code)]
    number = pd.Series(np.arange(len(first)), index=first.index)
    shown = clicks if known is None else known
    during = log[(log.position <= log.cut) & (log.clicks <= shown) & (log.clicks > 0)]
    if not shown:
        during = during.iloc[:0]
    during = during[during.session_code.isin(number.index)]
    during = during.assign(user_code=during.session_code.map(number))
    users = pd.DataFrame(
        {"user_code": number.to_numpy(), "person": first.user_code.to_numpy(),
         "timestamp": first.timestamp.to_numpy(),
         "start": session.start.reindex(first.index).to_numpy()}
    )  # fmt: skip
    earlier = _earlier(events, session, users)
    wanted_items = after.assign(user_code=after.session_code.map(number))
    return _occasions(users.drop(columns="start"), earlier, during, wanted_items)


def in_period(
    events: pd.DataFrame,
    start: pd.Timestamp,
    end: pd.Timestamp | None = None,
    *,
    wanted: str = "purchase",
) -> Occasions:
    """The users who want something in [start, end), each known by what came before `start`.

    Parameters and returns as in :func:`at_click`; ``timestamp`` of every occasion is `start`.
    """
    inside = (events.timestamp >= start) & (events.timestamp < end if end is not None else True)
    after = events[inside & (events.event == wanted) & events.item_id.notna()]
    person = np.sort(after.user_code.unique())
    number = pd.Series(np.arange(len(person)), index=person)
    earlier = events[(events.timestamp < start) & events.user_code.isin(person)]
    earlier = earlier.assign(user_code=earlier.user_code.map(number))
    users = pd.DataFrame({"user_code": number.to_numpy(), "person": person, "timestamp": start})
    after = after.assign(user_code=after.user_code.map(number))
    return _occasions(users, earlier, earlier.iloc[:0], after)


def _sessions(events: pd.DataFrame) -> pd.DataFrame:
    """Start of each session, by ``session_code``."""
    return events.groupby("session_code").timestamp.min().to_frame("start")


def _earlier(events: pd.DataFrame, session: pd.DataFrame, users: pd.DataFrame) -> pd.DataFrame:
    """Events of the sessions of each occasion's person that began before the occasion's session."""
    mine = events[events.user_code.isin(users.person)]
    mine = mine.assign(began=mine.session_code.map(session.start))
    asked = users.rename(columns={"user_code": "number"})[["number", "person", "start"]]
    found = mine.merge(asked, left_on="user_code", right_on="person")
    # a session may run into the next only where a source stamps days; its events still came before
    found = found[(found.began < found.start) & (found.timestamp <= found.start)]
    return found.assign(user_code=found.number)


def _occasions(
    users: pd.DataFrame, earlier: pd.DataFrame, during: pd.DataFrame, after: pd.DataFrame
) -> Occasions:
    columns = [*EVENT_COLUMNS, *(["category"] if "category" in earlier else [])]
    history = pd.concat([earlier[columns], during[columns]], ignore_index=True)
    history["user_code"] = history.user_code.astype(np.int64)
    before = interactions(earlier).groupby("user_code").size()
    users = users.assign(before=users.user_code.map(before).fillna(0).astype(np.int64))
    order = ["user_code", "timestamp", *(["position"] if "position" in after else [])]
    wanted = after.sort_values(order, kind="stable")
    wanted = wanted.drop_duplicates(["user_code", "item_id"])[["user_code", "item_id"]]
    wanted = wanted.assign(
        user_code=wanted.user_code.astype(np.int64), place=wanted.groupby("user_code").cumcount()
    )
    return Occasions(users.reset_index(drop=True), history, wanted.reset_index(drop=True))
