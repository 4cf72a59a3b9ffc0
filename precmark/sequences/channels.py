"""What a step of a session's sequence says: the channels, computed for whole users at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from precmark.contract.schema import CLICK_EVENTS

if TYPE_CHECKING:
    from precmark.source import Source

KINDS = (*CLICK_EVENTS, "purchase")
"""Events with a channel of their own; their place is their code, every other event has code 5."""

OTHER = len(KINDS)
"""Code of the events without a channel of their own (live, coupon, cancel, login)."""

LARGEST_ONE_HOT = 6
"""A source with more categories than this gets no channel for each of them."""

RECENT_US = 30 * 86_400_000_000
"""The 30 days in which recent visits are counted, microseconds."""

_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Channel:
    """One feature of a step.

    Attributes
    ----------
    name : str
    what : str
        In words, with its unit.
    needs : frozenset of str
        Capabilities of the source without which it is left out.
    """

    name: str
    what: str
    needs: frozenset[str] = frozenset()


def _channel(name: str, what: str, *needs: str) -> Channel:
    return Channel(name, what, frozenset(needs))


_KIND_CHANNELS = tuple(
    _channel(f"is_{kind}", f"1 where the event is a {kind}; all kinds 0: any other event")
    for kind in KINDS
)

_CHANNELS = (
    _channel(
        "log_gap_s",
        "log(1 + seconds since the user's previous event); at the first click of a visit since "
        "their last click in an earlier visit, whatever lies between; 0 where there is none",
        "clock",
    ),
    _channel("log_age_s", "log(1 + seconds from the step to the decision)", "clock"),
    _channel("visit_start", "1 at the first event of a visit", "users"),
    _channel("seen_item", "1 where an earlier event of the visit is about the same item", "items"),
    _channel(
        "same_category",
        "1 where the category is that of the user's previous click, in this visit or an earlier",
        "categories",
    ),
    _channel(
        "first_category",
        "1 where the category is that of the visit's first click (at that click too)",
        "categories",
    ),
    _channel(
        "log_price",
        "log(1 + price of one piece): the price paid, else the item's list price; missing where "
        "unknown",
        "items",
    ),
    _channel("hour_sin", "sine of the hour of the store's day, as an angle", "clock"),
    _channel("hour_cos", "cosine of the hour of the store's day, as an angle", "clock"),
    _channel(
        "log_visits_30d",
        "log(1 + other visits of the user whose first click lies in the 30 days before the step)",
        "clock", "users",
    ),
    _channel(
        "log_orders", "log(1 + visits with a purchase by the user before the step)",
        "users", "purchases",
    ),
)  # fmt: skip

_WITHOUT_CLOCK = (
    _channel(
        "price_to_category",
        "log price less the mean log list price of the items of its category; missing where "
        "unknown",
        "items", "categories",
    ),
    _channel(
        "category_share",
        "share of the visit's clicks so far, this one included, that are about its category",
        "categories",
    ),
)  # fmt: skip
"""What stands in for the clock and the user's past where a source has neither."""

SESSION_CHANNELS = (*_KIND_CHANNELS, *_CHANNELS, *_WITHOUT_CLOCK)
"""Every channel of a visit's step but those of single categories (``in_NAME``)."""


def channels_for(
    source: Source, kinds: frozenset[str] | set[str], categories: tuple[str, ...], prices: bool
) -> tuple[Channel, ...]:
    """The channels that a source can fill; one that could only be constant is left out.

    Parameters
    ----------
    source : Source
    kinds : set of str
        Events that occur in the log.
    categories : tuple of str
        Its categories, in the order of their codes.
    prices : bool
        Whether any price is known.

    Returns
    -------
    tuple of Channel
        With everything 16: five kinds of event, gap and age, start of visit, seen item, two
        comparisons of categories, price, two of the hour, visits and orders. The simulated store's
        order features and totals can be computed from them (``precmark.simulate.risk``), but for
        what lies before the T steps or before the log.
    """
    own = [c for c, kind in zip(_KIND_CHANNELS, KINDS, strict=True) if kind in kinds]
    found = own if len(kinds) > 1 else []
    without_clock = not {"clock", "users"} <= source.says
    found += [c for c in (*_CHANNELS, *(_WITHOUT_CLOCK * without_clock)) if c.needs <= source.says]
    if without_clock and 1 < len(categories) <= LARGEST_ONE_HOT:
        found += [_channel(f"in_{name}", f"1 where the category is {name}") for name in categories]
    if not prices:
        found = [c for c in found if "price" not in c.name]
    return tuple(found)


class Events(NamedTuple):
    """Events of whole users in the order of user, time and row; one array a column.

    Attributes
    ----------
    user, us, session : array of int64
        User's code, microseconds since 1970 UTC, session's code.
    kind : array of int8
        Place in :data:`KINDS`, or :data:`OTHER`.
    item, category : array of int64
        Codes; -1 where there is none.
    price : array of float64
        Of one piece; NaN where unknown.
    """

    user: np.ndarray
    us: np.ndarray
    session: np.ndarray
    kind: np.ndarray
    item: np.ndarray
    category: np.ndarray
    price: np.ndarray


class Past:
    """What each event knows of the events before it.

    Parameters
    ----------
    events : Events
        Whole users.

    Attributes
    ----------
    first : array of int64
        Row of the user's first event.
    click, purchase : array of bool
    position : array of int64
        From 0 within the session.
    clicks : array of int64
        Clicks of the session so far, this event included.
    bought : array of bool
        The session holds a purchase before this event.
    """

    def __init__(self, events: Events):
        self.events = events
        rows = np.arange(len(events.user))
        self.first = _last_true(np.diff(events.user, prepend=-1) != 0, rows)
        self.click = events.kind < len(CLICK_EVENTS)
        self.purchase = events.kind == KINDS.index("purchase")
        # Sessions of one user may interleave; within a session the order is that of the log.
        self.order = np.argsort(events.session, kind="stable")
        self.starts = np.diff(events.session[self.order], prepend=-1) != 0
        self.session_first = _last_true(self.starts, rows)
        self.position = self.by_session(rows - self.session_first)
        self.clicks = self.by_session(self.count_within(self.click))
        self.bought = self.by_session(self.count_within(self.purchase)) > self.purchase

    def by_session(self, ordered: np.ndarray) -> np.ndarray:
        """Values in the order of sessions put back into the order of the log."""
        back = np.empty_like(ordered)
        back[self.order] = ordered
        return back

    def count_within(self, flag: np.ndarray) -> np.ndarray:
        """Running count of `flag` within the session, in the order of sessions."""
        count = np.cumsum(flag[self.order])
        return count - (count - flag[self.order])[self.session_first]

    def before_user(self, flag: np.ndarray) -> np.ndarray:
        """How many earlier events of the user have `flag`."""
        count = np.cumsum(flag) - flag
        return count - count[self.first]

    def previous(self, flag: np.ndarray) -> np.ndarray:
        """Row of the user's latest earlier event with `flag`; -1 where there is none."""
        rows = np.arange(len(flag))
        latest = np.maximum.accumulate(np.where(flag, rows, -1))
        latest = np.concatenate([[-1], latest[:-1]])
        return np.where(latest >= self.first, latest, -1)

    def first_in_session(self, flag: np.ndarray) -> np.ndarray:
        """Row of the session's first event with `flag` up to this one; -1 where none has it."""
        count = self.count_within(flag)
        hit = flag[self.order] & (count == 1)
        place = _last_true(hit, np.arange(len(flag)))
        return self.by_session(np.where(count > 0, self.order[place], -1))


def _last_true(flag: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The latest row so far at which `flag` holds (0 before the first)."""
    return np.maximum.accumulate(np.where(flag, rows, 0))


def step_values(
    past: Past, names: tuple[str, ...], local_offset_us: np.ndarray, context: dict[str, object]
) -> np.ndarray:
    """Every channel of every event but ``log_age_s``, which depends on the decision.

    Parameters
    ----------
    past : Past
    names : tuple of str
        The channels wanted, in their order.
    local_offset_us : array of int64
        The store's clock minus UTC at each event, microseconds.
    context : dict
        ``category_log_price`` (array of float, mean log list price by category code) and
        ``categories`` (tuple of str) where a channel needs them.

    Returns
    -------
    array of float32, shape (events, F)
    """
    values = np.zeros((len(past.first), len(names)), dtype=np.float32)
    known = {f"is_{kind}": code for code, kind in enumerate(KINDS)}
    for place, name in enumerate(names):
        if name in known:
            values[:, place] = past.events.kind == known[name]
        elif name.startswith("in_"):
            code = context["categories"].index(name.removeprefix("in_"))
            values[:, place] = past.events.category == code
        elif name.startswith("hour_"):
            wave = np.sin if name == "hour_sin" else np.cos
            of_day = (past.events.us + local_offset_us) % 86_400_000_000
            values[:, place] = wave(of_day * (2 * np.pi / 86_400_000_000))
        elif name == "price_to_category":
            values[:, place] = _price_to_category(past.events, context["category_log_price"])
        elif name != "log_age_s":
            values[:, place] = _MAKERS[name](past)
    return values


def _log_gap(past: Past) -> np.ndarray:
    us = past.events.us
    before = np.arange(len(us)) - 1
    before[past.first == before + 1] = -1
    opening = past.click & (past.clicks == 1)
    before = np.where(opening, past.previous(past.click), before)
    return np.log1p(np.where(before >= 0, us - us[before], 0) / 1e6)


def _seen_item(past: Past) -> np.ndarray:
    item, session = past.events.item, past.events.session
    order = np.lexsort((item, session))
    same = (np.diff(item[order], prepend=-2) == 0) & (np.diff(session[order], prepend=-1) == 0)
    seen = np.empty(len(item), dtype=bool)
    seen[order] = same
    return seen & (item >= 0)


def _same_category(past: Past) -> np.ndarray:
    category = past.events.category
    previous = past.previous(past.click & (category >= 0))
    return (previous >= 0) & (category >= 0) & (category[previous] == category)


def _first_category(past: Past) -> np.ndarray:
    category = past.events.category
    first = past.first_in_session(past.click & (category >= 0))
    return (first >= 0) & (category >= 0) & (category[first] == category)


def _log_visits(past: Past) -> np.ndarray:
    opening = past.click & (past.clicks == 1)
    us, rows = past.events.us, np.arange(len(past.first))
    # Gaps longer than the window are cut short, so that users lie end to end without overflow
    # and every count stays the same.
    gap = np.diff(us, prepend=us[:1])
    gap = np.where(past.first == rows, RECENT_US + 1, np.minimum(gap, RECENT_US + 1))
    clock = np.cumsum(gap)
    since = np.maximum(np.searchsorted(clock, clock - RECENT_US), past.first)
    count = np.cumsum(opening)
    own = past.first_in_session(past.click)
    recent = count - (count - opening)[since] - ((own >= since) & (own >= 0))
    return np.log1p(recent)


def _log_orders(past: Past) -> np.ndarray:
    return np.log1p(past.before_user(past.purchase & ~past.bought))


def _price_to_category(events: Events, category_log_price: np.ndarray) -> np.ndarray:
    usual = np.append(category_log_price, np.nan)[events.category]
    return np.log1p(events.price) - usual


def _category_share(past: Past) -> np.ndarray:
    category, session = past.events.category, past.events.session
    order = np.lexsort((category, session))
    starts = np.diff(category[order], prepend=-2) != 0
    starts |= np.diff(session[order], prepend=-1) != 0
    flag = past.click[order]
    count = np.cumsum(flag)
    first = _last_true(starts, np.arange(len(order)))
    alike = np.empty(len(order))
    alike[order] = count - (count - flag)[first]
    return np.where(category >= 0, alike / np.maximum(past.clicks, 1), 0.0)


_MAKERS = {
    "log_gap_s": _log_gap,
    "visit_start": lambda past: past.position == 0,
    "seen_item": _seen_item,
    "same_category": _same_category,
    "first_category": _first_category,
    "log_price": lambda past: np.log1p(past.events.price),
    "log_visits_30d": _log_visits,
    "log_orders": _log_orders,
    "category_share": _category_share,
}
