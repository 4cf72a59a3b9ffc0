"""The training period's random coupons, and what each decision comes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precmark.simulate.config import CATEGORIES, COUPON_SPACING_DAYS, Config
from precmark.simulate.draws import uniform
from precmark.simulate.effects import effect_size, pulled_forward_share
from precmark.simulate.history import History
from precmark.simulate.people import taste_for
from precmark.simulate.risk import RiskModel, logistic
from precmark.simulate.visits import DAY_S


@dataclass(frozen=True)
class Outcomes:
    """One entry a decision, in the order of :class:`precmark.simulate.risk.Decisions`.

    Attributes
    ----------
    key : array of uint64
        Names the decision in keyed draws.
    training : array of bool
        In the period in which coupons are given at random.
    eligible : array of bool
        In it, and no coupon to the user in the 7 days before.
    coupon : array of int8
        Category of the coupon shown, -1 where none.
    totals_logit, order_logit : array
        The two parts of b'x.
    p0, rank : array
        Purchase probability without a coupon, and R.
    v : array
        V, uniform on (0, 1).
    y0, y : array of bool
        Purchase without a coupon, and as it happened.
    tau : array
        Effect of the coupon shown; 0 where none.
    redeems : array of bool
        The coupon shown is used.
    pulled_forward : array of bool
        An extra purchase of this decision would have come within 30 days anyway.
    coupon_share : float
        Chance of a coupon for an eligible decision.
    """

    key: np.ndarray
    training: np.ndarray
    eligible: np.ndarray
    coupon: np.ndarray
    totals_logit: np.ndarray
    order_logit: np.ndarray
    p0: np.ndarray
    rank: np.ndarray
    v: np.ndarray
    y0: np.ndarray
    y: np.ndarray
    tau: np.ndarray
    redeems: np.ndarray
    pulled_forward: np.ndarray
    coupon_share: float


def decision_keys(past: History) -> np.ndarray:
    """A number for each decision made of its user and the count of the user's visits so far."""
    visit = past.logged[past.decisions.session]
    user = past.visits.user[visit]
    first = np.searchsorted(past.visits.user, user)
    return (user.astype(np.uint64) << np.uint64(16)) + (visit - first).astype(np.uint64)


def outcomes(config: Config, past: History, model: RiskModel) -> Outcomes:
    """Give the random coupons and settle every decision with its one V."""
    decisions, crowd = past.decisions, past.people
    user = decisions.user
    key = decision_keys(past)
    totals, order = model.parts(decisions)
    p0 = logistic(model.intercept + totals + order + crowd.baseline[user] + past.noise)
    rank = model.rank(p0)
    training = decisions.at_ms < config.training_share * config.days * DAY_S * 1_000
    eligible, coupon = assign(config, key, user, decisions.at_ms, training)

    tau, pi = np.zeros(len(key)), np.zeros(len(key))
    shown = np.flatnonzero(coupon >= 0)
    who = user[shown]
    pi[shown] = taste_for(crowd.cell[who], crowd.first[who], crowd.second[who], coupon[shown])
    tau[shown] = effect_size(
        p0[shown],
        rank[shown],
        crowd.deal_response[who],
        pi[shown],
        world=config.world,
        taste_match=config.taste_match,
        effect=config.effect,
    )
    v = uniform(config.seed, 0, key, "outcome")
    y0, y = v < p0, v < p0 + tau
    uses = uniform(config.seed, 0, key, "redemption") < pi
    forward = uniform(config.seed, 0, key, "pulled forward") < pulled_forward_share(config.world)
    redeems = (coupon >= 0) & y & (~y0 | uses)
    return Outcomes(
        key, training, eligible, coupon, totals, order,
        p0, rank, v, y0, y, tau, redeems, forward, config.coupon_share,
    )  # fmt: skip


def assign(
    config: Config, key: np.ndarray, user: np.ndarray, at_ms: np.ndarray, training: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Who may get a coupon, and who gets which.

    Parameters
    ----------
    config : Config
    key : array of uint64, shape (n,)
    user : array of int
        Sorted; within a user `at_ms` increases.
    at_ms : array of int64
    training : array of bool

    Returns
    -------
    eligible : array of bool
        In the training period and without a coupon in the 7 days before; given that, a coupon
        has exactly the chance `coupon_share`.
    coupon : array of int8
        The category, -1 where none.
    """
    draw = uniform(config.seed, 0, key, "coupon")
    candidate = np.flatnonzero((draw < config.coupon_share) & training)
    taken = candidate[spaced_first(user[candidate], at_ms[candidate])]
    given = np.zeros(len(key), dtype=bool)
    given[taken] = True
    # The last coupon before each decision, if it went to the same user.
    latest = np.maximum.accumulate(np.where(given, np.arange(len(key)), -1))
    before = np.concatenate([[-1], latest[:-1]])[: len(key)]
    recent = (before >= 0) & (user[before] == user)
    recent &= at_ms - at_ms[before] < SPACING_MS
    category = uniform(config.seed, 0, key, "coupon category") * CATEGORIES
    return training & ~recent, np.where(given, np.floor(category), -1).astype(np.int8)


SPACING_MS = COUPON_SPACING_DAYS * DAY_S * 1_000
"""The least distance of two coupons of one user, milliseconds."""


def spaced_first(user: np.ndarray, at: np.ndarray, spacing: int = SPACING_MS) -> np.ndarray:
    """Which candidates are taken when each user takes every one that is 7 days after the last.

    Parameters
    ----------
    user : array of int, shape (n,)
        Sorted; within a user `at` does not fall.
    at : array of int64, shape (n,)
        Instants, in the unit of `spacing`.
    spacing : int
        The 7 days; milliseconds where not given.

    Returns
    -------
    array of bool, shape (n,)
        As many as can be taken; more candidates never mean fewer taken.
    """
    taken = np.zeros(len(user), dtype=bool)
    if not len(user):
        return taken
    new = np.concatenate([[True], user[1:] != user[:-1]])
    first = np.flatnonzero(new)
    place = np.arange(len(user)) - np.repeat(first, np.diff(np.append(first, len(user))))
    last = np.full(len(user), np.iinfo(np.int64).min // 2)  # by position of the user's first
    home = np.repeat(first, np.diff(np.append(first, len(user))))
    for turn in range(place.max() + 1):
        now = np.flatnonzero(place == turn)
        free = now[at[now] - last[home[now]] >= spacing]
        taken[free] = True
        last[home[free]] = at[free]
    return taken
