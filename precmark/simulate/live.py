"""Live streams (log-ins, watching, chats, gifts, follows) and machines among the users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precmark.simulate.catalogue import BROADCASTERS, phrase_codes
from precmark.simulate.config import PRODUCTS, Config
from precmark.simulate.draws import lookup, mix, stream
from precmark.simulate.history import History
from precmark.simulate.visits import (
    DAY_S,
    MIN_GAP_S,
    combined,
    day_weights,
    returns,
    second_of_day,
    sort_by,
    spaced,
)

LOGIN, WATCH, CHAT, COMMENT, GIFT, FOLLOW = range(6)
"""Kinds of :class:`Live` events."""

LIVE_VISITS_MEAN = 1.0
_WATCHES = 0.45  # chance of one more watch in a session
_EXTRA_MEAN = 0.55
_EXTRA = (0.0, 0.0, 0.56, 0.22, 0.14, 0.08)
_FAVOURITES = 5
BOT_SHARE = 2e-4
"""Machines' sessions per session of a user."""

_LONGEST_WATCH_S = 5_400.0


@dataclass(frozen=True)
class Live:
    """Events of live sessions, session after session, unsorted within one.

    Attributes
    ----------
    user : array of int32, shape (sessions,)
    session : array of int64
        Position of the session, for each event.
    kind : array of int8
    at_ms : array of int64
    broadcaster : array of int16
        -1 for log-ins.
    duration_ms : array of int64
        -1 except for watching.
    value : array of float64
        Yuan of a gift; NaN elsewhere.
    text : array of int32
        Position in :func:`precmark.simulate.catalogue.texts`; -1 where nothing is said.
    """

    user: np.ndarray
    session: np.ndarray
    kind: np.ndarray
    at_ms: np.ndarray
    broadcaster: np.ndarray
    duration_ms: np.ndarray
    value: np.ndarray
    text: np.ndarray


def live_sessions(config: Config, past: History) -> tuple[np.ndarray, np.ndarray]:
    """User and start of each live session of the log, 3 hours away from the user's others."""
    rng = stream(config.seed, "live visits")
    viewers = np.flatnonzero(past.people.live).astype(np.int32)
    first_s = past.visits.first_s[viewers]
    weights = day_weights(config.start, config.burn_in_days, config.days)
    who, start_s = returns(
        rng,
        past.people.activity[viewers],
        first_s,
        LIVE_VISITS_MEAN,
        config.days,
        weights,
        config.burn_in_days,
    )
    # Everyone who watches at all does so on the first evening or soon after.
    opening = first_s + MIN_GAP_S + (rng.exponential(2.0, len(viewers)) * DAY_S).astype(np.int64)
    opening = opening // DAY_S * DAY_S + second_of_day(rng, len(viewers))
    user = np.concatenate([viewers, viewers[who]])
    start_s = np.concatenate([opening, start_s])
    inside = (start_s >= 0) & (start_s < config.days * DAY_S - MIN_GAP_S)
    inside &= start_s >= past.visits.first_s[user]
    user, start_s = user[inside], start_s[inside]
    order = sort_by(user, start_s)
    user, start_s = user[order], start_s[order]
    keep = spaced(user, start_s, MIN_GAP_S) & _clear_of_shop(past, user, start_s)
    return user[keep], start_s[keep]


def _clear_of_shop(past: History, user: np.ndarray, start_s: np.ndarray) -> np.ndarray:
    """Whether no shop session of the user starts within 3 hours before or after."""
    key = combined(past.visits.user, past.visits.start_s)
    low = np.searchsorted(key, combined(user, start_s - MIN_GAP_S), side="right")
    high = np.searchsorted(key, combined(user, start_s + MIN_GAP_S), side="left")
    return low == high


def live(config: Config, past: History) -> Live:
    """Draw every live session: a log-in, some watching, and what is done while watching."""
    user, start_s = live_sessions(config, past)
    rng = stream(config.seed, "live events")
    n = len(user)
    watches = np.minimum(rng.geometric(1 - _WATCHES, n), 12)
    session = np.repeat(np.arange(n), watches)
    broadcaster = _broadcasters(rng, user[session])
    seconds = np.exp(1.3 * rng.standard_normal(len(session)) + np.log(110.0))
    seconds = np.minimum(np.maximum(seconds, 2.0), _LONGEST_WATCH_S / watches[session])
    duration = (1_000 * seconds).astype(np.int64)
    through = np.cumsum(duration + 2_000)
    first = np.cumsum(watches) - watches
    begin = through - duration - np.concatenate([[0], through])[first][session]
    begin += start_s[session] * 1_000

    # What is done while watching; talkative users do more of it.
    talk = np.exp(0.8 * past.people.depth[user[session]].astype(float) - 0.32)
    extra = np.minimum(rng.poisson(_EXTRA_MEAN * talk), 20)
    parent = np.repeat(np.arange(len(session)), extra)
    kinds = lookup(np.array(_EXTRA), 4096)[0].astype(np.int8)
    kind = kinds[rng.integers(0, 4096, len(parent), dtype=np.uint16)]
    at = begin[parent] + (rng.random(len(parent)) * duration[parent]).astype(np.int64)
    gift = np.where(kind == GIFT, np.round(np.exp(rng.normal(1.0, 1.0, len(parent))), 2), np.nan)
    says = (kind == CHAT) | (kind == COMMENT)
    phrases = phrase_codes()
    text = np.where(says, phrases[rng.integers(0, len(phrases), len(parent))], -1)
    return Live(
        user=user,
        session=np.concatenate([np.arange(n), session, session[parent]]),
        kind=np.concatenate([np.full(n, LOGIN), np.full(len(session), WATCH), kind]).astype(
            np.int8
        ),
        at_ms=np.concatenate([start_s * 1_000, begin, at]),
        broadcaster=np.concatenate([np.full(n, -1), broadcaster, broadcaster[parent]]),
        duration_ms=np.concatenate([np.full(n, -1), duration, np.full(len(parent), -1)]),
        value=np.concatenate([np.full(n + len(session), np.nan), gift]),
        text=np.concatenate([np.full(n + len(session), -1), text]),
    )


def _broadcasters(rng: np.random.Generator, user: np.ndarray) -> np.ndarray:
    """A broadcaster for each watch: one of the user's five favourites, or a popular one."""
    table = lookup(_popularity(), 4096)[0].astype(np.int64)
    n = len(user)
    popular = table[rng.integers(0, 4096, n, dtype=np.uint16)]
    which = rng.integers(0, _FAVOURITES, n, dtype=np.uint64)
    favourite = mix(user.astype(np.uint64) * np.uint64(_FAVOURITES) + which) % np.uint64(4096)
    return np.where(rng.random(n) < 0.7, table[favourite.astype(np.int64)], popular)


def _popularity() -> np.ndarray:
    weight = 1.0 / np.arange(1, BROADCASTERS + 1) ** 0.7
    return weight / weight.sum()


@dataclass(frozen=True)
class Machines:
    """Sessions of crawlers: nothing but views, more than 100 of them, a second or two each.

    Attributes
    ----------
    count : int
        Crawlers; each has one session and a user id of its own.
    start_s : array of int64, shape (count,)
    session : array of int64
        Position of the session, for each view.
    at_ms, duration_ms : array of int64
    item : array of int64
        Products.
    """

    count: int
    start_s: np.ndarray
    session: np.ndarray
    at_ms: np.ndarray
    duration_ms: np.ndarray
    item: np.ndarray


def machines(config: Config, past: History) -> Machines:
    """About two crawlers for 10,000 sessions, at least one."""
    rng = stream(config.seed, "machines")
    n = max(1, round(BOT_SHARE * len(past.logged)))
    start_s = np.sort(rng.integers(0, config.days * DAY_S - 3_600, n))
    views = rng.integers(101, 401, n)
    session = np.repeat(np.arange(n), views)
    duration = rng.integers(500, 3_000, len(session))
    through = np.cumsum(duration)
    before = np.concatenate([[0], through])[np.cumsum(views) - views][session]
    at_ms = start_s[session] * 1_000 + through - duration - before
    return Machines(n, start_s, session, at_ms, duration, rng.integers(0, PRODUCTS, len(session)))
