"""A log of any length as batches of whole users: narrow numbers, in the order of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import numpy as np

from precmark.engine import BATCH_ROWS, ahead, check_amounts, keep, microseconds, offset_changes
from precmark.errors import InputError, Problem
from precmark.sequences.channels import KINDS, OTHER, Events

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT_COLUMNS = (
    "user_code", "timestamp", "row", "event", "session_code", "item_id", "category", "value",
    "quantity",
)  # fmt: skip
"""What the events of sessions must hold; ``precmark.sessions.write_sessions`` writes them."""


@dataclass(frozen=True)
class Log:
    """An event log that is about to be streamed.

    Attributes
    ----------
    rows : ibis.Table
        Columns of :class:`precmark.sequences.channels.Events`, and ``row``.
    first_us, last_us : int
        Span of the log, microseconds since 1970 UTC.
    kinds : frozenset of str
        Events that occur.
    categories : tuple of str
        In the order of their codes.
    category_log_price : array of float64
        Mean log(1 + list price) of the items of each category; NaN where unknown.
    prices : bool
        Whether any price is known.
    most_events : int
        Events of the user who has most.
    """

    rows: ibis.Table
    first_us: int
    last_us: int
    kinds: frozenset[str]
    categories: tuple[str, ...]
    category_log_price: np.ndarray
    prices: bool
    most_events: int


def check_columns(table: ibis.Table, wanted: tuple[str, ...], name: str, maker: str) -> None:
    """Refuse `table` where it lacks columns, all of them named.

    Raises
    ------
    InputError
    """
    missing = [c for c in wanted if c not in table.columns]
    if missing:
        raise InputError(Problem(f"{name} lacks columns {', '.join(missing)}", maker))


def open_log(events: ibis.Table, items: ibis.Table | None = None) -> Log:
    """`events` ready to be streamed: texts coded, prices found.

    Parameters
    ----------
    events : ibis.Table
        ``sessions/events``: columns :data:`EVENT_COLUMNS`, any order.
    items : ibis.Table, optional
        The contract's items, for list prices.

    Raises
    ------
    InputError
        Missing columns; an empty log; amounts that are no money.
    """
    maker = "Give the events of sessions: `precmark run` writes results/sessions/events.parquet."
    check_columns(events, EVENT_COLUMNS, "events", maker)
    con = events._find_backend()
    us = microseconds(con, events.timestamp)
    seen = events.aggregate(
        first=us.min(), last=us.max(), largest=events.value.max(), n=events.count()
    ).execute()
    if not seen.n[0]:
        raise InputError("the log holds no events, so there is nothing to decide on.")
    check_amounts(seen.largest[0])
    categories = _codes(con, events.category, "category")
    names = categories.order_by("category_code").execute()["category"]
    prices = _list_prices(items)
    rows = _narrow(con, events, us, categories, prices)
    usual = np.full(len(names), np.nan)
    if prices is not None:
        means = prices.aggregate(by="item_category", mean=(prices.list_price + 1.0).ln().mean())
        found = dict(means.execute().itertuples(index=False, name=None))
        usual = np.array([found.get(name, np.nan) for name in names], dtype=float)
    per_user = events.group_by("user_code").aggregate(n=events.count())
    known = rows.filter(rows.price.notnull()).limit(1).count().execute()
    return Log(
        rows=rows,
        first_us=int(seen["first"][0]),
        last_us=int(seen["last"][0]),
        kinds=frozenset(events.select("event").distinct().execute()["event"]),
        categories=tuple(names),
        category_log_price=usual,
        prices=bool(known),
        most_events=int(per_user.n.max().execute()),
    )


def _codes(con, column: ibis.expr.types.StringColumn, name: str) -> ibis.Table:
    """Each different text of `column` and its code, from 0 in the order of the texts."""
    texts = column.as_table().rename(**{name: column.get_name()}).distinct()
    texts = texts.filter(texts[name].notnull())
    code = ibis.row_number().over(order_by=name).cast("int64")
    return keep(con, texts.mutate(**{f"{name}_code": code}))


def _list_prices(items: ibis.Table | None) -> ibis.Table | None:
    """item_id, item_category and list_price of the items that have one."""
    if items is None or not {"item_id", "category", "price"} <= set(items.columns):
        return None
    priced = items.filter(items.price.notnull())
    return priced.select("item_id", item_category=priced.category, list_price=priced.price)


def _narrow(con, events, us, categories: ibis.Table, prices: ibis.Table | None) -> ibis.Table:
    """The columns of :class:`Events` and ``row``, one row an event."""
    paid = events.event.isin(("purchase", "cancel")) & events.value.notnull()
    rows = events.select(
        "row",
        "item_id",
        "category",
        user=events.user_code,
        us=us,
        session=events.session_code,
        kind=events.event.cases(*((n, c) for c, n in enumerate(KINDS)), else_=OTHER).cast("int8"),
        paid=ibis.ifelse(paid, events.value / events.quantity.fill_null(1.0), None),
    )
    items = _codes(con, events.item_id, "item_id")
    rows = rows.left_join(items, "item_id").drop("item_id_right")
    rows = rows.left_join(categories, "category").drop("category_right")
    price = rows.paid
    if prices is not None:
        rows = rows.left_join(prices, "item_id").drop("item_id_right")
        price = ibis.coalesce(rows.paid, rows.list_price)
    return rows.select(
        "row", "user", "us", "session", "kind",
        item=rows.item_id_code.fill_null(-1),
        category=rows.category_code.fill_null(-1),
        price=price.cast("float64"),
    )  # fmt: skip


def users(log: Log, *, batch_rows: int = BATCH_ROWS) -> Iterator[Events]:
    """The events of whole users, in the order of user, time and row.

    Memory holds about `batch_rows` events, and all events of one user.

    Parameters
    ----------
    log : Log
    batch_rows : int
        Events read at a time, >= 1.

    Yields
    ------
    Events
        At least one user each.
    """
    ordered = log.rows.order_by("user", "us", "row").select(*Events._fields)
    waiting: list[Events] = []
    for batch in ahead(ordered.to_pyarrow_batches(chunk_size=batch_rows)):
        if not len(batch):
            continue
        columns = (batch[name] for name in Events._fields)
        events = Events(*(c.to_numpy(zero_copy_only=False) for c in columns))
        last = int(np.searchsorted(events.user, events.user[-1]))
        if last == 0 and waiting and waiting[-1].user[-1] == events.user[0]:
            waiting.append(events)  # one user fills the batch
            continue
        waiting.append(Events(*(c[:last] for c in events)))
        if sum(len(w.user) for w in waiting):
            yield _joined(waiting)
        waiting = [Events(*(c[last:] for c in events))]
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[Events]) -> Events:
    return Events(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def local_offsets(us: np.ndarray, log: Log, timezone: str) -> np.ndarray:
    """The store's clock minus UTC at each instant of `us`, microseconds."""
    pieces = offset_changes(timezone, log.first_us, log.last_us)
    starts = np.array([start for start, _ in pieces])
    offsets = np.array([offset for _, offset in pieces])
    return offsets[np.maximum(np.searchsorted(starts, us, side="right") - 1, 0)]
