"""Decisions at the k-th click of a visit, and the user's last T events at each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.engine import BATCH_ROWS
from precmark.errors import InputError, Problem
from precmark.sequences.blocks import Block, gathered
from precmark.sequences.channels import Channel, Past, channels_for, step_values
from precmark.sequences.splits import time_split
from precmark.sequences.stream import Log, local_offsets, open_log, users

if TYPE_CHECKING:
    from collections.abc import Iterator

    import ibis

    from precmark.sequences.arrays import Sequences
    from precmark.sequences.task import Task
    from precmark.source import Source


DECISIONS_AT_A_TIME = 10_000
"""Decisions whose sequences are put together at a time."""


@dataclass(frozen=True)
class SessionPlan:
    """All that is needed to make the blocks of a log, found before the first of them.

    Attributes
    ----------
    log : Log
    task : Task
    source : Source
    channels : tuple of Channel
    coupons : array of int64
        Codes of the sessions in which a coupon was given.
    batch_rows : int
    """

    log: Log
    task: Task
    source: Source
    channels: tuple[Channel, ...]
    coupons: np.ndarray
    batch_rows: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(c.name for c in self.channels)

    def blocks(self) -> Iterator[Block]:
        """The decisions in the order of user, time and row, block by block.

        Raises
        ------
        InputError
            After the last block: no decision at all, or T above the longest history.
        """
        most_clicks = longest = 0
        context = {
            "categories": self.log.categories,
            "category_log_price": self.log.category_log_price,
        }
        for events in users(self.log, batch_rows=self.batch_rows):
            past = Past(events)
            most_clicks = max(most_clicks, int(past.clicks.max()))
            at = np.flatnonzero(past.click & (past.clicks == self.task.k) & ~past.bought)
            if len(at):
                offsets = local_offsets(events.us, self.log, self.source.timezone)
                values = step_values(past, self.names, offsets, context)
                history = at - past.first[at] + 1
                longest = max(longest, int(history.max()))
                for some in range(0, len(at), DECISIONS_AT_A_TIME):
                    part = slice(some, some + DECISIONS_AT_A_TIME)
                    yield self._block(past, at[part], history[part], values)
        _check_found(self.task, most_clicks, longest)

    def split(self, decisions: pd.DataFrame) -> np.ndarray:
        """The part of each decision over time; borders lie between days where there is no clock."""
        clock = "clock" in self.source.says
        at = decisions["timestamp"]
        end = pd.Timestamp(self.log.last_us, unit="us", tz="UTC")
        return time_split(
            at if clock else at.dt.floor("D"),
            self.task.horizon,
            end=end if clock and self.task.horizon else None,
        )

    def _block(self, past: Past, at: np.ndarray, history: np.ndarray, values: np.ndarray) -> Block:
        events, T = past.events, self.task.steps
        steps = np.minimum(history, T)
        rows = (at - steps + 1)[:, None] + np.arange(T)
        missing = np.arange(T) >= steps[:, None]
        rows[missing] = 0
        X = values[rows]
        if "log_age_s" in self.names:
            age = (events.us[at][:, None] - events.us[rows]) / 1e6
            X[:, :, self.names.index("log_age_s")] = np.log1p(np.maximum(age, 0))
        X[missing] = np.nan
        decisions = pd.DataFrame(
            {
                "user_code": events.user[at],
                "session_code": events.session[at],
                "timestamp": pd.to_datetime(events.us[at], unit="us", utc=True).as_unit("us"),
                "steps": steps,
                "coupon": np.isin(events.session[at], self.coupons),
            }
        )
        return Block(np.ascontiguousarray(X.transpose(0, 2, 1)), self._label(past, at), decisions)

    def _label(self, past: Past, at: np.ndarray) -> np.ndarray:
        """y: a purchase later in the log and within the horizon, or one more click."""
        if self.task.label == "next_click":
            session = past.events.session
            clicks = pd.Series(past.clicks).groupby(session).max()
            return (clicks.loc[session[at]].to_numpy() > self.task.k).astype(np.int8)
        us, rows = past.events.us, np.arange(len(past.first))
        none = len(rows)
        coming = np.minimum.accumulate(np.where(past.purchase, rows, none)[::-1])[::-1]
        # The decision is a click, so the next purchase from its row on lies after it.
        following = np.append(coming, none)[at]
        found = np.minimum(following, none - 1)
        window = self.task.horizon // pd.Timedelta(microseconds=1)
        same = (following < none) & (past.events.user[found] == past.events.user[at])
        return (same & (us[found] - us[at] <= window)).astype(np.int8)


def _check_found(task: Task, most_clicks: int, longest: int) -> None:
    if not longest:
        why = (
            f"no session reaches click {task.k} before a purchase; the longest has {most_clicks:,}"
        )
        raise InputError(Problem(why, "Use a smaller k."))
    if task.steps > longest:
        raise InputError(_too_long(task, f"no decision has more than {longest} events behind it"))


def _too_long(task: Task, why: str) -> Problem:
    return Problem(f"{task.steps} steps, but {why}", "Use so many steps at most.")


def plan_sessions(
    events: ibis.Table,
    task: Task,
    source: Source,
    *,
    items: ibis.Table | None = None,
    assignments: ibis.Table | None = None,
    batch_rows: int = BATCH_ROWS,
) -> SessionPlan:
    """What :func:`session_sequences` does, ready to be done block by block; its parameters."""
    log = open_log(events, items)
    if task.steps > log.most_events:
        raise InputError(_too_long(task, f"no user has more than {log.most_events} events"))
    channels = channels_for(source, log.kinds, log.categories, log.prices)
    if not channels:
        raise InputError(
            f"{source.title} holds one kind of event without items, categories or a clock, so "
            "that every step looks the same. Give a log with more columns."
        )
    return SessionPlan(log, task, source, channels, _couponed(events, assignments), batch_rows)


def _couponed(events: ibis.Table, assignments: ibis.Table | None) -> np.ndarray:
    """Codes of the sessions with an assignment to an arm other than ``none``."""
    if assignments is None or "session_id" not in events.columns:
        return np.zeros(0, dtype=np.int64)
    given = assignments.filter(assignments.arm != "none").select("user_code", "session_id")
    codes = events.select("user_code", "session_id", "session_code").distinct()
    found = codes.semi_join(given, ["user_code", "session_id"]).select("session_code")
    return found.execute()["session_code"].to_numpy(dtype=np.int64)


def session_sequences(
    events: ibis.Table,
    task: Task,
    source: Source,
    *,
    items: ibis.Table | None = None,
    assignments: ibis.Table | None = None,
    seed: int = 0,
    batch_rows: int = BATCH_ROWS,
) -> Sequences:
    """The sequences of every session that reaches its k-th click without a purchase.

    A decision is the k-th of the session's clicks (view, search, cart, uncart) where no purchase
    comes before it in the session; its steps are the user's last T events up to and including it,
    in whatever visit. For ``purchase``, y = 1 where the user's next purchase event after the
    decision, in any session, comes within the horizon; for ``next_click`` where the session holds
    another click. Events of one instant follow each other in the order of the log's rows. Robots
    are not among the events: their sessions are recognised by their whole length and removed
    before, the one thing here that looks ahead (:mod:`precmark.sessions`).

    Time grows with the number of events (one sort of narrow rows, in DuckDB, which spills to disk
    above its memory limit) and of decisions (n F T values).

    Parameters
    ----------
    events : ibis.Table
        ``sessions/events`` (:func:`precmark.sessions.write_sessions`), any order.
    task : Task
        Of unit ``session`` (:func:`precmark.sequences.task_for`).
    source : Source
        What the log can say, and its time zone.
    items : ibis.Table, optional
        ``contract/items``, for list prices.
    assignments : ibis.Table, optional
        ``contract/assignments``, for the decisions at which a coupon was given.
    seed : int
        Of the random split.
    batch_rows : int
        Events read at a time; memory holds so many, the result, and all events of one user.

    Returns
    -------
    Sequences
        In the order of user, time and row.

    Raises
    ------
    InputError
        Missing columns; no session reaches click k; T above the longest history; decisions that
        cannot be split over time.

    References
    ----------
    Gu, Research on New Media User Profile Construction and Precision Marketing Strategy Based on
    Deep Learning, section 4.2 (X of F features by T steps), doi 10.65102/is20261254.
    """
    plan = plan_sessions(
        events, task, source, items=items, assignments=assignments, batch_rows=batch_rows
    )
    return gathered(plan, seed)
