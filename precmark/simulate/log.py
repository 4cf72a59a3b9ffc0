"""The simulated store's event log, put together from its parts and written in the contract."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from precmark.contract.schema import EVENT_NAMES
from precmark.simulate import catalogue as shop
from precmark.simulate import live as stage
from precmark.simulate.config import PRODUCTS, Config
from precmark.simulate.coupons import Outcomes
from precmark.simulate.draws import numbered, pick, scrambled, stream
from precmark.simulate.history import History
from precmark.simulate.orders import Orders, return_start_ms
from precmark.simulate.people import PLATFORMS
from precmark.simulate.visits import local_epoch_us

_CODE = {name: code for code, name in enumerate(EVENT_NAMES)}
_CLICKS = np.array([_CODE[e] for e in ("view", "search", "cart", "uncart")], dtype=np.int8)
_LIVE = np.array(
    [_CODE[e] for e in ("login", "watch", "chat", "comment", "gift", "follow")], dtype=np.int8
)
_COLUMNS: dict[str, tuple[type, float]] = {
    "user": (np.int32, 0),
    "at_ms": (np.int64, 0),
    "event": (np.int8, 0),
    "session": (np.int32, 0),
    "item": (np.int16, -1),
    "category": (np.int8, -1),
    "value": (np.float64, np.nan),
    "quantity": (np.float64, np.nan),
    "duration_ms": (np.int32, -1),
    "text": (np.int16, -1),
}
"""Working columns of the log: type, and what stands where a column has nothing to say."""


class Log:
    """The parts of a log under construction, as integer-coded columns.

    Attributes
    ----------
    parts : list of dict
        One entry a part: column to array; all of one length within a part.
    """

    def __init__(self) -> None:
        self.parts: list[dict[str, np.ndarray]] = []

    def add(self, rows: int, **columns: np.ndarray | float) -> None:
        """Append `rows` events; a column not named is missing, a scalar is repeated."""
        part = {}
        for name, (kind, missing) in _COLUMNS.items():
            given = columns.get(name, missing)
            if np.ndim(given) == 0:
                part[name] = np.full(rows, given, dtype=kind)
            else:
                part[name] = np.asarray(given).astype(kind, copy=False)
        self.parts.append(part)

    def sorted(self) -> dict[str, np.ndarray]:
        """All events by time, ties in the order of the parts; empties the parts."""
        at_ms = np.concatenate([p["at_ms"] for p in self.parts])
        bits = np.uint64(max(1, len(at_ms).bit_length()))
        # One sort of unique numbers is faster than an argsort and the same on every machine.
        key = (at_ms.astype(np.uint64) << bits) | np.arange(len(at_ms), dtype=np.uint64)
        key.sort()
        order = (key & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
        found = {"at_ms": (key >> bits).astype(np.int64)}
        for name in _COLUMNS:
            if name != "at_ms":
                found[name] = np.concatenate([p.pop(name) for p in self.parts])[order]
        self.parts = []
        return found


def build(
    config: Config,
    past: History,
    settled: Outcomes,
    placed: Orders,
    streams: stage.Live,
    bots: stage.Machines,
) -> tuple[pa.Table, np.ndarray, pa.Array]:
    """The contract's ``events``.

    Returns
    -------
    events : pyarrow.Table
    present : array of bool, shape (users + machines,)
        Who stands in the log.
    session_ids : pyarrow.Array of string
        Ids of the log's shop sessions, then of the others.
    """
    shop_sessions, extra = len(past.logged), int(placed.later.sum())
    live_first = shop_sessions + extra
    bot_first = live_first + len(streams.user)
    log = Log()
    _add_clicks(log, past)
    _add_orders(log, config, past, placed, shop_sessions)
    _add_coupons(log, past, settled, placed, shop_sessions)
    _add_live(log, streams, live_first)
    log.add(
        len(bots.session),
        user=len(past.people.activity) + bots.session,
        at_ms=bots.at_ms,
        event=_CODE["view"],
        session=bot_first + bots.session,
        item=bots.item,
        category=shop.catalogue().category[bots.item],
        duration_ms=bots.duration_ms,
    )
    numbers = np.concatenate(
        [
            past.logged,
            (1 << 40) + past.logged[placed.session[placed.later]],
            (2 << 40) + np.arange(len(streams.user)),
            (3 << 40) + np.arange(bots.count),
        ]
    )
    session_ids = scrambled(numbers)
    columns = log.sorted()
    present = np.zeros(len(past.people.activity) + bots.count, dtype=bool)
    present[columns["user"]] = True
    platform = _platforms(config, past, placed, streams, bots)
    return _table(config, columns, session_ids, platform, len(present)), present, session_ids


def _add_clicks(log: Log, past: History) -> None:
    clicks = past.clicks
    session = np.repeat(
        np.arange(len(past.logged), dtype=np.int32), np.diff(clicks.offset).astype(np.int32)
    )
    visit = past.logged[session]
    log.add(
        len(session),
        user=past.visits.user[visit],
        at_ms=past.visits.start_s[visit] * 1_000 + clicks.begin_ms,
        event=_CLICKS[clicks.kind],
        session=session,
        item=np.where(clicks.kind == 1, -1, clicks.item).astype(np.int16),
        category=clicks.category,
        duration_ms=clicks.dwell_ms,
        text=clicks.text,
    )


def _add_orders(log: Log, config: Config, past: History, placed: Orders, first: int) -> None:
    session = _order_sessions(placed, first)
    user = past.visits.user[past.logged[placed.session]]
    _add_way_to_checkout(log, config, past, placed, user, session)
    order = placed.line_order
    log.add(
        len(order),
        user=user[order],
        at_ms=placed.at_ms[order],
        event=_CODE["purchase"],
        session=session[order],
        item=placed.line_item,
        category=placed.line_category,
        value=placed.line_value,
        quantity=placed.line_quantity,
    )
    line = np.searchsorted(order, np.flatnonzero(placed.cancelled))
    back = order[line]
    log.add(
        len(line),
        user=user[back],
        at_ms=placed.at_ms[back] + 150_000,
        event=_CODE["cancel"],
        session=session[back],
        item=placed.line_item[line],
        category=placed.line_category[line],
        value=placed.line_value[line],
        quantity=placed.line_quantity[line],
    )


def _add_way_to_checkout(
    log: Log,
    config: Config,
    past: History,
    placed: Orders,
    user: np.ndarray,
    session: np.ndarray,
) -> None:
    """The second look of those who come back to buy, and the cart before an order."""
    later = np.flatnonzero(placed.later)
    start = return_start_ms(config, past, placed)
    # The cart's click belongs to what follows the decision; before it, it could be the k-th.
    carted = np.flatnonzero(placed.decision >= 0)
    if config.k == 2:
        carted = carted[~placed.later[carted]]
    for event, rows, begin, end in (
        ("view", later, start, placed.cart_ms),
        ("cart", carted, placed.cart_ms, placed.at_ms),
    ):
        log.add(
            len(rows),
            user=user[rows],
            at_ms=begin[rows],
            event=_CODE[event],
            session=session[rows],
            item=placed.item[rows],
            category=placed.category[rows],
            duration_ms=(end - begin)[rows],
        )


def _order_sessions(placed: Orders, shop_sessions: int) -> np.ndarray:
    """Each order's session: the one that led to it, or the short one of its own."""
    own = shop_sessions + np.cumsum(placed.later) - 1
    return np.where(placed.later, own, placed.session)


def _add_coupons(
    log: Log, past: History, settled: Outcomes, placed: Orders, shop_sessions: int
) -> None:
    shown = np.flatnonzero(settled.coupon >= 0)
    log.add(
        len(shown),
        user=past.decisions.user[shown],
        at_ms=past.decisions.at_ms[shown] + 1,
        event=_CODE["coupon_shown"],
        session=past.decisions.session[shown],
        category=settled.coupon[shown],
    )
    used = np.flatnonzero(placed.coupon >= 0)
    log.add(
        len(used),
        user=past.visits.user[past.logged[placed.session[used]]],
        at_ms=placed.at_ms[used] + 1,
        event=_CODE["coupon_used"],
        session=_order_sessions(placed, shop_sessions)[used],
        category=placed.coupon[used],
        value=placed.discount[used],
    )


def _add_live(log: Log, streams: stage.Live, first: int) -> None:
    channel = shop.broadcaster_channels()[streams.broadcaster] + len(shop.NAMES)
    nobody = streams.broadcaster < 0
    log.add(
        len(streams.session),
        user=streams.user[streams.session],
        at_ms=streams.at_ms,
        event=_LIVE[streams.kind],
        session=first + streams.session,
        item=np.where(nobody, -1, PRODUCTS + streams.broadcaster),
        category=np.where(nobody, -1, channel),
        value=streams.value,
        duration_ms=streams.duration_ms,
        text=streams.text,
    )


def _platforms(
    config: Config, past: History, placed: Orders, streams: stage.Live, bots: stage.Machines
) -> np.ndarray:
    """Platform of each session: mostly that of the user's log-in; machines come by the web."""
    rng = stream(config.seed, "platforms")
    user = past.visits.user[past.logged]
    usual = past.people.platform
    other = rng.random(len(user), dtype=np.float32) < 0.1
    shop_platform = np.where(other, rng.integers(0, 3, len(user), dtype=np.int8), usual[user])
    return np.concatenate(
        [
            shop_platform,
            shop_platform[placed.session[placed.later]],
            usual[streams.user],
            np.zeros(bots.count, dtype=np.int8),
        ]
    ).astype(np.int8)


def _table(
    config: Config,
    columns: dict[str, np.ndarray],
    session_ids: pa.Array,
    platform: np.ndarray,
    users: int,
) -> pa.Table:
    """Integer-coded columns as the contract's text, times and numbers."""
    items = pa.concat_arrays([shop.product_ids(), shop.broadcaster_ids()])
    user_ids = numbered("u", np.arange(1, users + 1), 7)
    stamps = columns["at_ms"] * 1_000 + local_epoch_us(config.start)
    duration = columns["duration_ms"]
    return pa.table(
        {
            "user_id": pick(user_ids, columns["user"]),
            "timestamp": pa.array(stamps).cast(pa.timestamp("us", tz="UTC")),
            "event": _text(columns["event"], pa.array(EVENT_NAMES)),
            "session_id": pick(session_ids, columns["session"]),
            "item_id": _text(columns["item"], items),
            "category": _text(columns["category"], pa.array(shop.NAMES + shop.CHANNELS)),
            "value": pa.array(columns["value"], from_pandas=True),
            "quantity": pa.array(columns["quantity"], from_pandas=True),
            "duration_s": pa.array(duration / 1_000.0, mask=duration < 0),
            "platform": _text(platform[columns["session"]], pa.array(PLATFORMS)),
            "text": _text(columns["text"], shop.texts()),
        }
    )


def _text(codes: np.ndarray, names: pa.Array) -> pa.Array:
    """`codes` spelled out; negative ones become missing."""
    return names.take(pa.array(codes, mask=codes < 0))
