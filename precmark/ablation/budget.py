"""How many coupons: a cut-off chosen on validation data, frozen, and applied as time goes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from precmark.errors import InputError, Problem
from precmark.simulate.coupons import SPACING_MS, spaced_first


@dataclass(frozen=True)
class Ranked:
    """n decisions and how much a policy wants to give each a coupon.

    Attributes
    ----------
    score : array of float, shape (n,)
        The higher, the sooner; equal scores go by `lot`.
    lot : array of float, shape (n,)
        In (0, 1).
    user : array of int, shape (n,)
    at_us : array of int64, shape (n,)
        Instant of the decision, microseconds since 1970 UTC.
    """

    score: np.ndarray
    lot: np.ndarray
    user: np.ndarray
    at_us: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(self.score), len(self.lot), len(self.user), len(self.at_us)}
        problems = []
        if len(lengths) != 1:
            what = f"score, lot, user and at_us have lengths {sorted(lengths)}"
            problems.append(Problem(what, "Give one of each a decision."))
        if np.isnan(self.score).any():
            problems.append(Problem("score: not a number", "Score every decision."))
        if problems:
            raise InputError(problems)


@dataclass(frozen=True)
class Cutoff:
    """From where on a policy gives coupons.

    Attributes
    ----------
    score, lot : float
        A decision is wanted where its score is above `score`, or equal and its lot at or above
        `lot`.
    wanted : float
        The budget asked for: coupons, or the sum of what they are forecast to cost, over the
        decisions that it was chosen on.
    reached : float
        What the cut-off spends on these decisions; at least `wanted` where so much can be spent.
    """

    score: float
    lot: float
    wanted: float
    reached: float


def choose_cutoff(ranked: Ranked, wanted: float, *, cost: np.ndarray | None = None) -> Cutoff:
    """The highest cut-off that spends `wanted` on the decisions of the validation part.

    A user gets one coupon in 7 days at most, here as later, so a cut-off is a quantile of the
    validation scores for the coupons that the rule leaves.

    Parameters
    ----------
    ranked : Ranked
        The validation decisions.
    wanted : float
        Coupons, or money where `cost` is given; at least 0.
    cost : array of float, shape (n,), optional
        What a coupon at each decision is forecast to cost, at least 0.

    Returns
    -------
    Cutoff
        With a score of infinity where nothing is wanted; the lowest score where `wanted` cannot
        be spent.

    Raises
    ------
    InputError
        No decisions; a budget or cost below 0 or not a number.
    """
    cost = np.ones(len(ranked.score)) if cost is None else np.asarray(cost, dtype=float)
    problems = []
    if not len(ranked.score):
        problems.append(Problem("validation: no decisions", "Use a longer log."))
    if not wanted >= 0:
        problems.append(Problem(f"budget: {wanted}", "Ask for 0 or more."))
    if not (cost >= 0).all():
        problems.append(Problem("cost: below 0 or not a number", "Forecast a cost for each."))
    if problems:
        raise InputError(problems)
    if wanted == 0:
        return Cutoff(np.inf, 1.0, 0.0, 0.0)
    order = np.lexsort((-ranked.lot, -ranked.score))
    spend = _spender(ranked, order, cost)
    low, high = 1, len(order)  # the smallest number of wanted decisions that spends enough
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if spend(middle) >= wanted else (middle + 1, high)
    last = order[low - 1]
    return Cutoff(
        float(ranked.score[last]), float(ranked.lot[last]), float(wanted), float(spend(low))
    )


def _spender(ranked: Ranked, order: np.ndarray, cost: np.ndarray) -> Callable[[int], float]:
    """What is spent when the first so many decisions in `order` are wanted."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))

    def spend(most: int) -> float:
        return float(cost[in_turn(ranked, place < most)].sum())

    return spend


def apply_budget(ranked: Ranked, cutoff: Cutoff) -> np.ndarray:
    """Who of `ranked` gets a coupon under a frozen `cutoff`, one a user in 7 days, first come.

    Returns
    -------
    array of bool, shape (n,)
    """
    above = ranked.score > cutoff.score
    level = (ranked.score == cutoff.score) & (ranked.lot >= cutoff.lot)
    given = np.zeros(len(above), dtype=bool)
    given[in_turn(ranked, above | level)] = True
    return given


def in_turn(ranked: Ranked, wanted: np.ndarray) -> np.ndarray:
    """Positions of the wanted decisions that get a coupon: each user's first, and 7 days on.

    Nothing later in time has a say, so this is what a shop would have done day by day.
    """
    at = np.flatnonzero(wanted)
    at = at[np.lexsort((ranked.at_us[at], ranked.user[at]))]
    return at[spaced_first(ranked.user[at], ranked.at_us[at], 1_000 * SPACING_MS)]
