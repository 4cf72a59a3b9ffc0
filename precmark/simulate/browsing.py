"""What happens in a session: how many clicks, of which kind, on what, and how long each lasts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from precmark.simulate.catalogue import ITEM_TABLE, QUERIES_PER_CATEGORY, catalogue
from precmark.simulate.draws import lookup, stream
from precmark.simulate.people import People, draw_category

VIEW, SEARCH, CART, UNCART = range(4)

MOST_CLICKS = 60
LONGEST_SESSION_S = 7_200
_LONGEST_DWELL_S = 600.0
_DEPTH_SHARE = 0.3  # of the spread of session lengths that belongs to the user
_FIRST = (0.88, 0.12, 0.0, 0.0)
_NEXT = (
    (0.865, 0.055, 0.080, 0.0),
    (1.000, 0.0, 0.0, 0.0),  # what a search finds is looked at
    (0.800, 0.080, 0.030, 0.090),
    (0.900, 0.100, 0.0, 0.0),
)
_DWELL_LOG_S = np.log([28.1, 12.5, 6.6, 4.9]).astype(np.float32)
_DWELL_SD = np.array([0.95, 0.6, 0.6, 0.6], dtype=np.float32)
_PACE_SD = 0.35


@dataclass(frozen=True)
class Clicks:
    """Every click of the sessions, session after session.

    Attributes
    ----------
    offset : array of int64, shape (sessions + 1,)
        Where each session's clicks begin.
    kind : array of int8
        0 view, 1 search, 2 cart, 3 uncart.
    category : array of int8
    item : array of int16
        The product at hand; a search has one too (what it led to), which the log does not show.
    text : array of int16
        Position in :func:`precmark.simulate.catalogue.texts`; -1 except for searches.
    dwell_ms : array of int64
        Time to the next click, or to the end of the session.
    begin_ms : array of int64
        Time since the session's start.
    end_ms : array of int64, shape (sessions,)
        The session's length.
    """

    offset: np.ndarray
    kind: np.ndarray
    category: np.ndarray
    item: np.ndarray
    text: np.ndarray
    dwell_ms: np.ndarray
    begin_ms: np.ndarray
    end_ms: np.ndarray


@lru_cache(maxsize=1)
def _length_thresholds() -> np.ndarray:
    """Normal quantiles between session lengths 1, 2, 3, ...: many short ones and a heavy tail."""
    from scipy.special import ndtri

    tail = np.arange(3, MOST_CLICKS + 1)
    weight = (tail - 1.6) ** -2.32
    shares = np.concatenate([[0.575, 0.2215], 0.2035 * weight / weight.sum()])
    return ndtri(np.cumsum(shares)[:-1]).astype(np.float32)


def click_counts(seed: int, people: People, user: np.ndarray) -> np.ndarray:
    """Clicks of each session, 1 to 60, as int16; users differ in how far they go."""
    rng = stream(seed, "clicks per session")
    own = np.float32(np.sqrt(_DEPTH_SHARE)) * people.depth[user]
    rest = np.float32(np.sqrt(1 - _DEPTH_SHARE)) * rng.standard_normal(len(user), dtype=np.float32)
    return (1 + np.searchsorted(_length_thresholds(), own + rest)).astype(np.int16)


@lru_cache(maxsize=1)
def _kind_tables() -> tuple[np.ndarray, np.ndarray]:
    first = lookup(np.array(_FIRST), 256)[0].astype(np.int8)
    after = np.array([lookup(np.array(row), 256)[0] for row in _NEXT], dtype=np.int8)
    return first, after


def browse(
    seed: int, people: People, user: np.ndarray, opening: np.ndarray, count: np.ndarray, k: int
) -> Clicks:
    """Draw the clicks of every session, all sessions at once, one click number after another.

    Parameters
    ----------
    seed : int
    people : People
    user : array of int32, shape (sessions,)
    opening : array of int8, shape (sessions,)
        Category of the first click.
    count : array of int16, shape (sessions,)
        Clicks of each session.
    k : int
        The first k clicks are kept short enough that the k-th falls within 25 minutes.
    """
    offset = np.concatenate([[0], np.cumsum(count, dtype=np.int64)])
    kind, category, item = _walk(stream(seed, "clicks"), people, user, opening, count, offset)
    dwell_ms, begin_ms, end_ms = _pace(stream(seed, "dwell"), kind, count, offset, k)
    text = _search_texts(stream(seed, "search texts"), people, user, kind, category, offset)
    return Clicks(offset, kind, category, item, text, dwell_ms, begin_ms, end_ms)


def _search_texts(
    rng: np.random.Generator,
    people: People,
    user: np.ndarray,
    kind: np.ndarray,
    category: np.ndarray,
    offset: np.ndarray,
) -> np.ndarray:
    """What is typed into each search, with a word for a deal as often as the user's habit says."""
    at = np.flatnonzero(kind == SEARCH)
    session = np.searchsorted(offset, at, side="right") - 1
    deal = rng.random(len(at), dtype=np.float32) < people.deal_searcher[user[session]]
    half = QUERIES_PER_CATEGORY // 2
    form = rng.integers(0, half, len(at)) + half * deal
    text = np.full(len(kind), -1, dtype=np.int16)
    text[at] = category[at].astype(np.int16) * QUERIES_PER_CATEGORY + form
    return text


def _walk(
    rng: np.random.Generator,
    people: People,
    user: np.ndarray,
    opening: np.ndarray,
    count: np.ndarray,
    offset: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kinds, categories and items of all clicks: a Markov chain within each session."""
    total = int(offset[-1])
    kinds, categories = np.empty(total, np.int8), np.empty(total, np.int8)
    items = np.empty(total, np.int16)
    # Longest sessions first: those still under way at any click number are then a prefix.
    order = np.argsort(-count, kind="stable")
    sizes = len(count) - np.searchsorted(np.sort(count), np.arange(1, count.max(initial=0) + 1))
    user, place = user[order], offset[order]
    first_kinds, next_kinds = _kind_tables()
    kind = first_kinds[rng.integers(0, 256, len(order), dtype=np.uint8)]
    kind[count[order] == 1] = VIEW  # so that every session holds a page view
    first = category = opening[order]
    item = _draw_items(rng, people, user, category)
    for step, m in enumerate(sizes):
        if step:
            kind = next_kinds[kind[:m], rng.integers(0, 256, m, dtype=np.uint8)]
            category = _move(rng, people, user[:m], kind, category[:m], first[:m])
            looked = np.flatnonzero(kind <= SEARCH)
            item = item[:m].copy()
            item[looked] = _draw_items(rng, people, user[looked], category[looked])
        at = place[:m] + step
        kinds[at], categories[at], items[at] = kind, category, item
    return kinds, categories, items


def _move(
    rng: np.random.Generator,
    people: People,
    user: np.ndarray,
    kind: np.ndarray,
    category: np.ndarray,
    first: np.ndarray,
) -> np.ndarray:
    """The next category: mostly the same, at times back to the first, else drawn from taste."""
    chance = rng.integers(0, 256, len(user), dtype=np.uint8)
    looks = kind <= SEARCH
    category = np.where(looks & (chance >= 236), first, category)
    fresh = np.flatnonzero(looks & (chance < 52))
    category[fresh] = draw_category(rng, people, user[fresh])
    return category


def _draw_items(
    rng: np.random.Generator, people: People, user: np.ndarray, category: np.ndarray
) -> np.ndarray:
    """A product of each category: by popularity, or within the user's own style (half each)."""
    store = catalogue()
    pick = rng.integers(0, 2 * ITEM_TABLE, len(user), dtype=np.uint16)
    own = pick >= ITEM_TABLE
    pick &= ITEM_TABLE - 1
    item = store.general[category, pick]
    own = np.flatnonzero(own)
    item[own] = store.styled[category[own], people.style[user[own]], pick[own]]
    return item


def _pace(
    rng: np.random.Generator, kind: np.ndarray, count: np.ndarray, offset: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Milliseconds of each click, from the session's start, and of the whole session."""
    pace = (_PACE_SD * rng.standard_normal(len(count), dtype=np.float32)).astype(np.float32)
    spread = rng.standard_normal(len(kind), dtype=np.float32)
    seconds = np.exp(_DWELL_LOG_S[kind] + _DWELL_SD[kind] * spread + np.repeat(pace, count))
    longest = min(_LONGEST_DWELL_S, 1_500.0 / max(k - 1, 1))
    dwell = (1_000 * np.clip(seconds, 0.5, longest)).astype(np.int64)
    end = np.add.reduceat(dwell, offset[:-1]) if len(count) else np.zeros(0, np.int64)
    slow = np.flatnonzero(end > 1_000 * LONGEST_SESSION_S)
    for session in slow:  # a handful in a million sessions
        part = slice(offset[session], offset[session + 1])
        dwell[part] = dwell[part] * (1_000 * LONGEST_SESSION_S) // end[session]
        end[session] = dwell[part].sum()
    through = np.cumsum(dwell)
    before = np.concatenate([[0], through])[offset[:-1]]
    return dwell, through - dwell - np.repeat(before, count), end
