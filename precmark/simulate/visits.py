"""When the simulated store's users arrive and come back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from precmark.claims import paper
from precmark.simulate.config import Config
from precmark.simulate.draws import stream

ZONE = "Asia/Shanghai"
ZONE_OFFSET_S = 8 * 3_600  # the zone has had no summer time since 1991
DAY_S = 86_400
MIN_GAP_S = 3 * 3_600
"""Sessions of one user start at least this far apart, so that no outcome window holds two; and none
starts later than this before the log's last midnight, so that every window ends inside the log."""

RETURNS_MEAN = 1.181
"""Visits after the first that a user would make in an endless, even calendar; with it the
sessions of a day match the published number (tests hold it to that)."""

_RETURNS_SPREAD = 1.3
_RETURNS_MOST = 150
_WEEKDAY = np.array([0.95, 0.94, 0.95, 0.96, 1.00, 1.12, 1.10])
_HOUR = np.array(
    [2.6, 1.5, 0.9, 0.6, 0.5, 0.7, 1.4, 2.5, 3.6, 4.6, 5.2, 5.2,
     5.6, 5.3, 4.9, 4.9, 4.8, 4.8, 5.2, 6.3, 7.7, 8.6, 8.0, 5.1]
)  # fmt: skip
_SPRING_FESTIVAL = (dt.date(2024, 2, 10), dt.date(2025, 1, 29), dt.date(2026, 2, 17))


@dataclass(frozen=True)
class Visits:
    """Shop sessions, sorted by user and start, the burn-in's included.

    Attributes
    ----------
    user : array of int32
        Position of the user.
    start_s : array of int64
        Seconds since the log's first midnight; negative in the burn-in.
    first_s : array of int64, shape (users,)
        Each user's arrival.
    """

    user: np.ndarray
    start_s: np.ndarray
    first_s: np.ndarray


def season(date: dt.date) -> float:
    """How busy `date` is against a plain day: 11 November, 18 June, 12 December, Spring Festival.

    The shapes are assumed: the paper prints none.
    """
    month_day = (date.month, date.day)
    peaks = {(11, 11): 2.6, (11, 10): 1.8, (6, 18): 2.3, (6, 17): 1.6, (12, 12): 1.4}
    if month_day in peaks:
        return peaks[month_day]
    if date.month == 11 and date.day < 11:
        return 1.1 + 0.04 * date.day
    if date.month == 6 and date.day < 18:
        return 1.15
    if any(-2 <= (date - eve).days <= 6 for eve in _SPRING_FESTIVAL):
        return 0.55
    return 1.0


@lru_cache(maxsize=8)
def day_weights(start: dt.date, burn_in_days: int, days: int) -> np.ndarray:
    """How busy each day is, burn-in first, averaging 1 over the log; shape (burn_in + days,)."""
    dates = [start + dt.timedelta(d) for d in range(-burn_in_days, days)]
    weights = np.array([season(d) * _WEEKDAY[d.weekday()] for d in dates])
    return weights / weights[burn_in_days:].mean()


def user_count(config: Config, traffic: float | None = None) -> int:
    """How many users arrive in the burn-in and the log together, at `traffic` or the scale's."""
    weights = day_weights(config.start, config.burn_in_days, config.days)
    share = config.traffic if traffic is None else traffic
    return round(paper("gu", "table4.new_visitors_per_day") * share * weights.sum())


def visits(config: Config, activity: np.ndarray) -> Visits:
    """Every user's sessions: the arrival, then returns at heavy-tailed distances.

    Parameters
    ----------
    config : Config
    activity : array of float32, shape (users,)
        Standard normal; the expected number of returns is log-normal in it.
    """
    rng = stream(config.seed, "visits")
    weights = day_weights(config.start, config.burn_in_days, config.days)
    n = len(activity)
    share = (np.arange(n) + rng.random(n)) / n
    cumulated = np.cumsum(weights) / weights.sum()
    day = np.minimum(np.searchsorted(cumulated, share), len(weights) - 1) - config.burn_in_days
    first_s = day * DAY_S + second_of_day(rng, n)
    user, start_s = returns(
        rng, activity, first_s, RETURNS_MEAN, config.days, weights, config.burn_in_days
    )
    user = np.concatenate([np.arange(n, dtype=np.int32), user])
    start_s = np.concatenate([first_s, start_s])
    order = sort_by(user, start_s)
    user, start_s = user[order], start_s[order]
    after = (start_s >= first_s[user]) & spaced(user, start_s, MIN_GAP_S)
    return Visits(user[after], start_s[after], first_s)


def returns(
    rng: np.random.Generator,
    activity: np.ndarray,
    first_s: np.ndarray,
    mean: float,
    days: int,
    weights: np.ndarray,
    burn_in_days: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Later visits of each user up to the log's end, unsorted within a day.

    Returns
    -------
    user : array of int32
    start_s : array of int64
        Visits on quiet days are thinned, so that weekends and feasts show in returns too.
    """
    expected = np.exp(_RETURNS_SPREAD * activity - _RETURNS_SPREAD**2 / 2) * mean
    count = np.minimum(rng.poisson(expected), _RETURNS_MOST)
    # Who will never be in the log again before it ends needs no dates.
    user = np.repeat(np.arange(len(count), dtype=np.int32), count)
    busy = count[user].astype(np.float32)
    gap = np.exp(1.3 * rng.standard_normal(len(user), dtype=np.float32) + 2.2)
    gap /= (1.0 + busy) ** 0.25
    elapsed = np.cumsum(gap, dtype=np.float64)
    before = np.concatenate([[0.0], elapsed])[np.cumsum(count) - count]
    day = np.floor(first_s[user] / DAY_S + elapsed - before[user]).astype(np.int64)
    inside = np.flatnonzero(day < days)
    user, day = user[inside], day[inside]
    chance = np.minimum(1.0, weights[day + burn_in_days] / 1.25).astype(np.float32)
    kept = np.flatnonzero(rng.random(len(user), dtype=np.float32) < chance)
    return user[kept], day[kept] * DAY_S + second_of_day(rng, len(kept))


def second_of_day(rng: np.random.Generator, n: int) -> np.ndarray:
    """`n` times of day in whole seconds after local midnight, after the store's hourly profile."""
    table = np.repeat(np.arange(24), np.rint(_HOUR / _HOUR.sum() * 4096).astype(int))
    hour = table[rng.integers(0, len(table), n, dtype=np.uint16)]
    return hour * 3_600 + rng.integers(0, 3_600, n, dtype=np.uint16)


def sort_by(user: np.ndarray, start_s: np.ndarray) -> np.ndarray:
    """Positions that sort by user, then time."""
    return np.argsort(combined(user, start_s), kind="stable")


def combined(user: np.ndarray, start_s: np.ndarray) -> np.ndarray:
    """User and time as one int64 that sorts like the pair; times within 68 years of the start."""
    return (user.astype(np.int64) << 32) + (start_s + (1 << 31))


def spaced(user: np.ndarray, start_s: np.ndarray, gap_s: int) -> np.ndarray:
    """Whether each session starts `gap_s` or more after the one before of the same user."""
    keep = np.ones(len(user), dtype=bool)
    same = user[1:] == user[:-1]
    keep[1:] = ~same | (start_s[1:] - start_s[:-1] >= gap_s)
    return keep


def local_epoch_us(start: dt.date) -> int:
    """Microseconds from 1970 (UTC) to local midnight of `start`."""
    return ((start - dt.date(1970, 1, 1)).days * DAY_S - ZONE_OFFSET_S) * 1_000_000
