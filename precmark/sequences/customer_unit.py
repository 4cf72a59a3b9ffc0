"""Customers at rolling origins: the weeks or days before, and whether they buy again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from precmark.engine import MONEY_PARTS
from precmark.errors import InputError, Problem
from precmark.sequences.blocks import Block, gathered
from precmark.sequences.customer_log import EPOCH, dated, instant, local_day, rolling_origins
from precmark.sequences.splits import origin_split
from precmark.sequences.task import STEP_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from precmark.sequences.arrays import Sequences
    from precmark.sequences.task import Task
    from precmark.source import Source

CUSTOMER_CHANNELS = {
    "has_order": "1 where the customer orders in the step",
    "log_orders": "log(1 + orders in the step), an order being a visit with a purchase",
    "log_items": "log(1 + pieces bought in the step)",
    "log_revenue": "log(1 + money of the step's purchases)",
    "log_cancelled": "log(1 + money taken back by the step's cancellations)",
    "log_products": "log(1 + different products bought in the step)",
    "log_days_since_order": "log(1 + days from the latest order to the step's last day)",
    "log_weeks_since_first": "log(1 + weeks from the first order to the step's last day)",
    "log_orders_so_far": "log(1 + orders up to the step's end)",
    "log_revenue_so_far": "log(1 + money of all purchases up to the step's end)",
    "log_usual_gap_days": "log(1 + mean days between order days so far); missing before the second",
    "season_sin": "sine of the day of the year at the step's last day, as an angle",
    "season_cos": "cosine of the same angle",
    "log_visits": "log(1 + visits in the step, with or without an order); sources with clicks",
}
"""Channels of a customer's step, in their order, with unit."""

BATCH_USERS = 100_000
"""Customers looked at in one go."""


@dataclass(frozen=True)
class CustomerPlan:
    """What the blocks of a customer task are made from.

    Attributes
    ----------
    rows : ibis.Table
        Events with ``day`` (days since 1970 on the store's clock).
    task : Task
    source : Source
    origins : list of datetime.date
    users : int
        Codes of users are below this.
    batch_users : int
    """

    rows: ibis.Table
    task: Task
    source: Source
    origins: list[dt.date]
    users: int
    batch_users: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        names = tuple(CUSTOMER_CHANNELS)
        return names if "views" in self.source.says else names[:-1]

    def blocks(self) -> Iterator[Block]:
        """The customers of each origin in the order of origin and user, block by block.

        Raises
        ------
        InputError
            After the last block: T above the longest history, or no customer at an origin.
        """
        longest, empty = 0, []
        for origin in self.origins:
            seen = 0
            for start in range(0, self.users, self.batch_users):
                block = self._block(origin, start)
                if len(block.y):
                    seen += len(block.y)
                    longest = max(longest, int(block.decisions["steps"].max()))
                    yield block
            if not seen:
                empty.append(origin)
        _check_histories(self.task, longest, empty)

    def split(self, decisions: pd.DataFrame) -> np.ndarray:
        """The part of each decision by its origin."""
        return origin_split(decisions["timestamp"])

    def _block(self, origin: dt.date, start: int) -> Block:
        """The customers with codes from `start` at `origin`."""
        today = (origin - EPOCH).days
        length, T = STEP_DAYS[self.task.step], self.task.steps
        opening = today - T * length
        rows = self.rows.filter(
            (self.rows.user_code >= start) & (self.rows.user_code < start + self.batch_users)
        )
        before = rows.filter(rows.day < today)
        people = _people(before, opening)
        people = people.order_by("user_code").execute()
        steps = _steps(before.filter(before.day >= opening), opening, length).execute()
        place = people.set_index("user_code").index.get_indexer(steps["user_code"])
        cell = (place[place >= 0], steps["step"].to_numpy()[place >= 0])
        table = {}
        for name in _STEP_COLUMNS:
            table[name] = np.zeros((len(people), T))
            table[name][cell] = steps[name].to_numpy(dtype=float)[place >= 0]
        values = _values(people, table, opening + np.arange(1, T + 1) * length - 1)
        X = np.stack([values[name] for name in self.names], axis=1).astype(np.float32)
        first = np.maximum((people["first_day"].to_numpy() - opening) // length, 0).astype(int)
        horizon = self.task.horizon.days
        window = rows.filter((rows.day >= today) & (rows.day < today + horizon))
        buyers = window.filter(window.event == "purchase").select("user_code").distinct().execute()
        decisions = pd.DataFrame(
            {
                "user_code": people["user_code"].to_numpy(),
                "timestamp": instant(origin, self.source.timezone),
                "steps": T - first,
                "coupon": False,
            }
        )
        y = people["user_code"].isin(buyers["user_code"]).to_numpy(dtype=np.int8)
        return Block(_shifted(X, first), y, decisions)


def _check_histories(task: Task, longest: int, empty: list[dt.date]) -> None:
    problems = []
    if empty:
        days = ", ".join(map(str, empty))
        problems.append(
            Problem(f"no customer has a purchase before {days}", "Use a shorter horizon.")
        )
    if longest and task.steps > longest:
        problems.append(
            Problem(
                f"{task.steps} steps, but no customer has a history of more than {longest} "
                f"{task.step}s",
                f"Use at most {longest} steps, or shorter ones.",
            )
        )
    if problems:
        raise InputError(problems)


def _shifted(X: np.ndarray, first: np.ndarray) -> np.ndarray:
    """`X` (n, F, T) with each row's step ``first[i]`` moved to the left end, NaN on the right."""
    T = X.shape[2]
    at = first[:, None] + np.arange(T)
    moved = np.take_along_axis(X, np.minimum(at, T - 1)[:, None, :], axis=2)
    return np.where((at < T)[:, None, :], moved, np.float32(np.nan))


def _people(before: ibis.Table, opening: int) -> ibis.Table:
    """One row a customer with a purchase: first day, and the state as the window opens."""
    bought = before.filter(before.event == "purchase")
    past = bought.day < opening
    return bought.group_by("user_code").aggregate(
        first_day=bought.day.min(),
        past_last_day=bought.day.max(where=past),
        past_days=bought.day.nunique(where=past),
        past_orders=bought.session_code.nunique(where=past),
        past_revenue=bought.parts.sum(where=past).cast("float64") / MONEY_PARTS,
    )


_STEP_COLUMNS = (
    "orders", "items", "revenue", "cancelled", "products", "visits", "last_day", "order_days",
)  # fmt: skip


def _steps(window: ibis.Table, opening: int, length: int) -> ibis.Table:
    """One row a user and step with any event: its counts."""
    rows = window.mutate(step=((window.day - opening) / length).floor().cast("int64"))
    bought, cancelled = rows.event == "purchase", rows.event == "cancel"
    return rows.group_by("user_code", "step").aggregate(
        orders=rows.session_code.nunique(where=bought),
        items=rows.quantity.sum(where=bought).fill_null(0.0),
        revenue=rows.parts.sum(where=bought).fill_null(0).cast("float64") / MONEY_PARTS,
        cancelled=rows.parts.sum(where=cancelled).fill_null(0).cast("float64") / MONEY_PARTS,
        products=rows.item_id.nunique(where=bought),
        visits=rows.session_code.nunique(),
        last_day=rows.day.max(where=bought).fill_null(0),
        order_days=rows.day.nunique(where=bought),
    )


def _values(people: pd.DataFrame, table: dict[str, np.ndarray], day: np.ndarray) -> dict:
    """Every channel, (n, T) each; `day` is the last day of each step, days since 1970."""
    known = people.drop(columns="user_code").astype(float).fillna(0.0)
    first_day = known["first_day"].to_numpy()[:, None]
    last_day = np.maximum(known["past_last_day"].to_numpy()[:, None], table["last_day"])
    last_day = np.maximum.accumulate(last_day, axis=1)
    so_far = {
        name: known[f"past_{past}"].to_numpy()[:, None] + table[name].cumsum(axis=1)
        for name, past in (("orders", "orders"), ("revenue", "revenue"), ("order_days", "days"))
    }
    repeats = so_far["order_days"] - 1
    gap = np.where(repeats > 0, (last_day - first_day) / np.maximum(repeats, 1), np.nan)
    dates = pd.to_datetime(day, unit="D")
    angle = 2 * np.pi * (dates.dayofyear.to_numpy() - 1) / np.where(dates.is_leap_year, 366, 365)
    logs = {
        "log_orders": table["orders"],
        "log_items": table["items"],
        "log_revenue": table["revenue"],
        "log_cancelled": table["cancelled"],
        "log_products": table["products"],
        # Steps before the first order are cut off later; here they must only not be negative.
        "log_days_since_order": np.maximum(day - last_day, 0),
        "log_weeks_since_first": np.maximum(day - first_day, 0) / 7,
        "log_orders_so_far": so_far["orders"],
        "log_revenue_so_far": so_far["revenue"],
        "log_usual_gap_days": gap,
        "log_visits": table["visits"],
    }
    waves = {"season_sin": np.sin(angle), "season_cos": np.cos(angle)}
    return {
        "has_order": (table["orders"] > 0).astype(float),
        **{name: np.log1p(values) for name, values in logs.items()},
        **{name: np.broadcast_to(wave, gap.shape) for name, wave in waves.items()},
    }


def plan_customers(
    events: ibis.Table, task: Task, source: Source, *, batch_users: int = BATCH_USERS
) -> CustomerPlan:
    """What :func:`customer_sequences` does, ready to be done block by block; its parameters."""
    rows, ends = dated(events, source.timezone)
    origins = rolling_origins(
        local_day(ends["first"], source.timezone),
        local_day(ends["last"], source.timezone),
        horizon_days=task.horizon.days,
        origins=task.origins,
    )
    return CustomerPlan(rows, task, source, origins, int(ends["users"]) + 1, batch_users)


def customer_sequences(
    events: ibis.Table,
    task: Task,
    source: Source,
    *,
    seed: int = 0,
    batch_users: int = BATCH_USERS,
) -> Sequences:
    """The sequences of every customer at each rolling origin.

    One row a customer with a purchase before the origin, and origin (the start of a day on the
    store's clock). Steps are the last T weeks (or days) before the origin from the one of the
    first purchase on; y = 1 where a purchase comes on one of the H days from the origin on. Label
    windows of different origins do not overlap, and an origin is never split: the last is the
    test, the one before validation, all earlier ones training.

    Parameters
    ----------
    events : ibis.Table
        ``sessions/events``, any order.
    task : Task
        Of unit ``customer`` (:func:`precmark.sequences.task_for`).
    source : Source
        What the log can say, and its time zone.
    seed : int
        Of the random split.
    batch_users : int
        Users looked at in one go.

    Returns
    -------
    Sequences
        In the order of origin and user; channels :data:`CUSTOMER_CHANNELS`.

    Raises
    ------
    InputError
        Missing columns; a log too short for the origins; T above the longest history.
    """
    return gathered(plan_customers(events, task, source, batch_users=batch_users), seed)
