"""What is bought, when, in which session, and what a coupon takes off it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precmark.simulate.catalogue import ITEM_TABLE, catalogue
from precmark.simulate.config import DISCOUNT, WINDOW_S, Config
from precmark.simulate.coupons import Outcomes
from precmark.simulate.draws import normal, uniform
from precmark.simulate.history import History
from precmark.simulate.risk import LATER_SHARE

_LINES = (0.75, 0.93)  # one line, up to two; else three
_MEAN_LINES = 1.32
_QUANTITY = (0.80, 0.95)  # one piece, up to two; else three
_MEAN_QUANTITY = 1.25
_VALUE_SD = 0.25
CANCELLED_SHARE = 0.03
_RETURN_AFTER_MS = 31 * 60_000
_SHORTEST_RETURN_MS = 6 * 60_000


@dataclass(frozen=True)
class Orders:
    """One entry an order, and its lines.

    Attributes
    ----------
    session : array of int64
        Position among the log's sessions of the session that led to it.
    decision : array of int64
        Position among the decisions; -1 for a purchase before the k-th click.
    later : array of bool
        Bought in a short session of its own, after leaving.
    cart_ms, at_ms : array of int64
        When the first line is put in the cart and when the order is placed, since the log's
        first midnight.
    item, category : array of int
        Of the first line.
    coupon : array of int8
        Category of the coupon used, -1 where none.
    value : array of float
        All lines, yuan, before the coupon.
    discount : array of float
        What the coupon takes off, yuan.
    cancelled : array of bool
        The first line is taken back within minutes.
    line_order, line_item, line_category, line_quantity, line_value : array
        One entry a line: position of its order, product, category, pieces, yuan.
    """

    session: np.ndarray
    decision: np.ndarray
    later: np.ndarray
    cart_ms: np.ndarray
    at_ms: np.ndarray
    item: np.ndarray
    category: np.ndarray
    coupon: np.ndarray
    value: np.ndarray
    discount: np.ndarray
    cancelled: np.ndarray
    line_order: np.ndarray
    line_item: np.ndarray
    line_category: np.ndarray
    line_quantity: np.ndarray
    line_value: np.ndarray


def list_prices(config: Config) -> np.ndarray:
    """Price of each product in yuan, shape (743,): orders net of cancelled lines get their mean."""
    store = catalogue()
    kept = 1 - CANCELLED_SHARE / _MEAN_LINES
    wanted = config.basket_mean / (_MEAN_LINES * _MEAN_QUANTITY * kept)
    return np.round(store.price * wanted / store.mean_price, 2)


def orders(config: Config, past: History, settled: Outcomes) -> Orders:
    """Place every order: those before the k-th click, then those after a decision.

    All draws are keyed by the session, so an order is the same in every world unless a coupon
    changed it.
    """
    early = np.flatnonzero(past.early)
    buying = np.flatnonzero(settled.y)
    session = np.concatenate([early, past.decisions.session[buying]])
    decision = np.concatenate([np.full(len(early), -1), buying])
    key = past.logged[session].astype(np.uint64)
    coupon = np.full(len(session), -1, dtype=np.int8)
    coupon[len(early) :] = np.where(settled.redeems[buying], settled.coupon[buying], -1)

    later, cart_ms, at_ms = _times(config, past, session, decision, key)
    last = past.clicks.offset[session + 1] - 1
    item, category = past.clicks.item[last].astype(np.int64), past.clicks.category[last]
    other = np.flatnonzero((coupon >= 0) & (coupon != category))
    category = category.astype(np.int64)
    category[other] = coupon[other]
    item[other] = _keyed_item(config.seed, 0, key[other], category[other], "coupon item")
    lines = _lines(config, 0, key, item, category)
    value = np.bincount(lines[0], lines[4], len(session))
    off = np.where(lines[2] == coupon[lines[0]], DISCOUNT * lines[4], 0.0)
    discount = np.round(np.bincount(lines[0], off, len(session)), 2)
    cancelled = uniform(config.seed, 0, key, "cancelled") < CANCELLED_SHARE
    return Orders(
        session, decision, later, cart_ms, at_ms, item, category,
        coupon, value, discount, cancelled, *lines,
    )  # fmt: skip


def _times(
    config: Config, past: History, session: np.ndarray, decision: np.ndarray, key: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether bought later, when carted and when ordered: within 2.5 hours of the decision."""
    end = past.visits.start_s[past.logged[session]] * 1_000 + past.clicks.end_ms[session]
    after = decision >= 0
    # A purchase before the k-th click has no window of its own; its session's end stands in.
    at = np.where(after, past.decisions.at_ms[decision], end)
    latest = at + (WINDOW_S - 60) * 1_000
    cart_ms = np.minimum(end + 1_000, latest - 240_000)
    wait = uniform(config.seed, 0, key, "checkout") * 80_000 + 10_000
    at_ms = np.where(after, cart_ms, end) + wait.astype(np.int64)

    earliest = end + _RETURN_AFTER_MS
    room = latest - _SHORTEST_RETURN_MS - earliest
    later = (uniform(config.seed, 0, key, "buys later") < LATER_SHARE) & after & (room > 0)
    # Those who come back mostly come back soon.
    share = uniform(config.seed, 0, key, "return") ** 2
    back = earliest + (share * np.maximum(room, 0)).astype(np.int64)
    look = (uniform(config.seed, 0, key, "second look") * 120_000).astype(np.int64) + 10_000
    cart_ms = np.where(later, back + look, cart_ms)
    return later, cart_ms, np.where(later, cart_ms + wait.astype(np.int64), at_ms)


def return_start_ms(config: Config, past: History, placed: Orders) -> np.ndarray:
    """When the short session of each order bought later starts (others: meaningless)."""
    key = past.logged[placed.session].astype(np.uint64)
    look = (uniform(config.seed, 0, key, "second look") * 120_000).astype(np.int64) + 10_000
    return placed.cart_ms - look


def baskets(
    config: Config, replication: int, key: np.ndarray, category: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Orders that a coupon of `category` leads to: their value, and that of the coupon's lines.

    Parameters
    ----------
    config : Config
    replication : int
        Which repetition of the store's luck, 0 or more.
    key : array of uint64, shape (n,)
        Names the order in keyed draws.
    category : array of int, shape (n,)
        The coupon's, 0 to 17: the first line is of it, further lines may be.

    Returns
    -------
    value : array of float64, shape (n,)
        All lines, yuan, before the discount.
    own : array of float64, shape (n,)
        The lines of `category`.
    """
    category = np.asarray(category, dtype=np.int64)
    item = _keyed_item(config.seed, replication, key, category, "coupon item")
    order, _, line_category, _, line = _lines(config, replication, key, item, category)
    own = np.where(line_category == category[order], line, 0.0)
    return np.bincount(order, line, len(key)), np.bincount(order, own, len(key))


def expected_baskets(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """What :func:`baskets` gives on average for each category: two arrays of shape (18,), yuan."""
    store = catalogue()
    price = list_prices(config)[store.general].mean(axis=1)
    added = (_LINES[1] - _LINES[0]) + 2 * (1 - _LINES[1])
    pieces = 1 + (_QUANTITY[1] - _QUANTITY[0]) + 2 * (1 - _QUANTITY[1])
    other = 0.5 * added
    value = price + other * price + other * float(store.popularity @ price)
    own = price + other * price + other * store.popularity * price
    return pieces * value, pieces * own


def _keyed_item(
    seed: int, replication: int, key: np.ndarray, category: np.ndarray, purpose: str
) -> np.ndarray:
    """A product of each category by popularity, keyed."""
    pick = (uniform(seed, replication, key, purpose) * ITEM_TABLE).astype(np.int64)
    return catalogue().general[category, pick].astype(np.int64)


def _lines(
    config: Config, replication: int, key: np.ndarray, item: np.ndarray, category: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Order, product, category, quantity and value of each line, order after order."""
    luck = config.seed, replication
    size = 1 + np.digitize(uniform(*luck, key, "lines"), _LINES)
    order = np.repeat(np.arange(len(key)), size)
    number = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    line_key = key[order] * np.uint64(4) + number.astype(np.uint64)
    line_item, line_category = item[order], category[order]
    fresh = (number > 0) & (uniform(*luck, line_key, "other category") < 0.5)
    popular = np.searchsorted(
        np.cumsum(catalogue().popularity)[:-1], uniform(*luck, line_key, "category")
    )
    line_category = np.where(fresh, popular, line_category)
    added = number > 0
    line_item = np.where(added, _keyed_item(*luck, line_key, line_category, "item"), line_item)
    quantity = 1 + np.digitize(uniform(*luck, line_key, "quantity"), _QUANTITY)
    promotion = np.exp(_VALUE_SD * normal(*luck, line_key, "promotion") - _VALUE_SD**2 / 2)
    value = np.round(list_prices(config)[line_item] * quantity * promotion, 2)
    return order, line_item, line_category, quantity, np.maximum(value, 0.01)
