"""Option 6: who should get which coupon when the truth is known, the ceiling of every policy.

At most so many coupons (or so much expected discount), at most one a user in 7 days. Each coupon is
charged a price; for a given price the best choice of each user is found by dynamic programming, and
the price is raised until the budget holds. The constraints are consecutive ones in each user's
order, so the linear programme behind has whole solutions and nothing is lost by pricing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from precmark.ablation.truth import SPACING_US, Future
from precmark.ablation.worlds import World, as_world
from precmark.errors import InputError
from precmark.simulate.config import DISCOUNT
from precmark.simulate.orders import expected_baskets

OBJECTIVES = ("conversions", "profit", "net_30d")
"""What an oracle may raise: caused purchases, profit, caused purchases not pulled forward."""

_STEPS = 60  # halvings of the price: to the last bits of a double
_DISCOUNT_STEPS = 24  # the rest is filled by hand


def oracle(
    future: Future,
    world: World | str,
    objective: str,
    *,
    budget: float,
    discount: bool = False,
    margin: float = 30,
) -> np.ndarray:
    """The policy with the highest expected `objective` among those within the budget.

    Parameters
    ----------
    future : Future
    world : World or str
    objective : {"conversions", "profit", "net_30d"}
    budget : float
        Coupons at most; with `discount`, yuan of expected discount at most.
    discount : bool
        What the budget counts. With a budget of discounts the choice is within one coupon of the
        best.
    margin : float
        On an order's value before the discount, %; for "profit".

    Returns
    -------
    array of int8, shape (n,)
        Category, or -1. Nobody gets a coupon that lowers the objective.

    Raises
    ------
    InputError
        An unknown objective, or a budget below 0.
    """
    world = as_world(world)
    if not budget >= 0:
        raise InputError(f"budget: {budget!r}. Use 0 or more.")
    worth = worth_of(future, world, objective, margin=margin)
    order = np.lexsort((future.at_us, future.user))
    if discount:
        cost = expected_discount(future, world)
        chosen, category = _within_discount(future, worth, cost, order, budget)
    else:
        category = worth.argmax(axis=1)
        best = worth[np.arange(len(worth)), category]
        chosen = _within_count(future, best, order, int(budget))
    return np.where(chosen, category, -1).astype(np.int8)


def highest(future: Future, value: np.ndarray, count: int) -> np.ndarray:
    """Positions of the at most `count` decisions with the highest sum of `value`, ascending.

    No two of a user within 7 days; none whose value is not above 0.
    """
    order = np.lexsort((future.at_us, future.user))
    return np.flatnonzero(_within_count(future, np.asarray(value, dtype=float), order, count))


def worth_of(future: Future, world: World, objective: str, *, margin: float = 30) -> np.ndarray:
    """Expected gain in `objective` of each coupon, shape (n, 18)."""
    if objective not in OBJECTIVES:
        raise InputError(f"objective {objective!r}: use one of {', '.join(OBJECTIVES)}.")
    tau = world.tau(future)
    if objective == "conversions":
        return tau
    if objective == "net_30d":
        return tau * (1 - world.pulled_forward)
    value, _ = expected_baskets(future.config)
    return margin / 100 * tau * value - expected_discount(future, world, tau)


def expected_discount(future: Future, world: World, tau: np.ndarray | None = None) -> np.ndarray:
    """Expected discount of each coupon, yuan, shape (n, 18)."""
    tau = world.tau(future) if tau is None else tau
    _, own = expected_baskets(future.config)
    return DISCOUNT * own * (tau + future.p0[:, None] * future.pi)


@dataclass(frozen=True)
class _Chain:
    """Decisions sorted by user and time, and who could be combined with whom.

    `place` is the position among the user's decisions, `before` the position of the user's last
    decision 7 days earlier (-1: none).
    """

    place: np.ndarray
    before: np.ndarray
    last: np.ndarray
    turns: list[np.ndarray]


def _chain(user: np.ndarray, at_us: np.ndarray) -> _Chain:
    n = len(user)
    new = np.concatenate([[True], user[1:] != user[:-1]])
    first = np.maximum.accumulate(np.where(new, np.arange(n), 0))
    # One key that sorts like (user, time), so that one search serves all users.
    rank = np.cumsum(new) * (np.int64(1) << 53)
    since = at_us - at_us.min()
    before = np.searchsorted(rank + since, rank + since - SPACING_US, side="right") - 1
    place = np.arange(n) - first
    by_place = np.argsort(place, kind="stable")
    turns = np.split(by_place, np.cumsum(np.bincount(place))[:-1])
    last = np.flatnonzero(np.append(new[1:], True))
    return _Chain(place, np.where(before >= first, before, -1), last, turns)


def _best(chain: _Chain, gain: np.ndarray) -> np.ndarray:
    """Whether each decision belongs to its user's best choice with 7 days between coupons."""
    total = np.zeros(len(gain) + 1)  # the last entry stands for "nothing yet"
    takes = np.zeros(len(gain), dtype=bool)
    for turn, rows in enumerate(chain.turns):
        without = total[rows - 1] if turn else 0.0
        with_it = total[chain.before[rows]] + gain[rows]
        takes[rows] = with_it > without
        total[rows] = np.maximum(without, with_it)
    chosen = np.zeros(len(gain), dtype=bool)
    at = chain.last
    while len(at):
        took = takes[at]
        chosen[at[took]] = True
        back = np.where(chain.place[at] > 0, at - 1, -1)
        at = np.where(took, chain.before[at], back)
        at = at[at >= 0]
    return chosen


def _within_count(future: Future, best: np.ndarray, order: np.ndarray, budget: int) -> np.ndarray:
    """The best decisions for at most `budget` coupons, as bool of shape (n,)."""
    user = future.user
    rows = order[best[order] > 0]
    top = np.zeros(0) if not len(rows) else _top_of_users(user[rows], best[rows])
    if budget < len(top):
        # The budget could be filled with users' single best coupons, so none worth less is used.
        least = np.partition(top, len(top) - budget)[len(top) - budget] if budget else np.inf
        rows = rows[best[rows] >= least]
    chosen = np.zeros(len(best), dtype=bool)
    if not len(rows) or not budget:
        return chosen
    chain = _chain(user[rows], future.at_us[rows])
    gain = best[rows]
    picked = _priced(lambda price: _best(chain, gain - price), np.sum, budget, gain.max())
    picked = _filled(future, rows, picked, gain, np.ones(len(rows)), budget)
    chosen[rows[picked]] = True
    return chosen


def _within_discount(
    future: Future, worth: np.ndarray, cost: np.ndarray, order: np.ndarray, budget: float
) -> tuple[np.ndarray, np.ndarray]:
    """The best decisions for at most `budget` yuan of discount, and each one's category."""
    chain = _chain(future.user[order], future.at_us[order])
    worth, cost = worth[order], cost[order]
    rows = np.arange(len(order))

    def at_price(price: float) -> tuple[np.ndarray, np.ndarray]:
        net = worth - price * cost
        category = net.argmax(axis=1)
        return _best(chain, net[rows, category]), category

    def spent(found: tuple[np.ndarray, np.ndarray]) -> float:
        chosen, category = found
        return cost[rows[chosen], category[chosen]].sum()

    highest = float((worth / np.maximum(cost, 1e-12)).max()) if len(rows) else 0.0
    picked, category = _priced(at_price, spent, budget, highest, steps=_DISCOUNT_STEPS)
    gain, paid = worth[rows, category], cost[rows, category]
    picked = _filled(future, order, picked, gain, paid, budget)
    out, categories = np.zeros(len(order), dtype=bool), np.zeros(len(order), dtype=int)
    out[order], categories[order] = picked, category
    return out, categories


def _priced(
    choose: Callable, spent: Callable, budget: float, highest: float, *, steps: int = _STEPS
):
    """What `choose(price)` gives at the lowest price at which it stays within the budget."""
    free = choose(0.0)
    if spent(free) <= budget:
        return free
    low, high = 0.0, highest * (1 + 1e-9)
    found = choose(high)
    for _ in range(steps):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        now = choose(middle)
        if spent(now) <= budget:
            high, found = middle, now
        else:
            low = middle
    return found


def _filled(
    future: Future,
    rows: np.ndarray,
    picked: np.ndarray,
    gain: np.ndarray,
    cost: np.ndarray,
    budget: float,
) -> np.ndarray:
    """`picked` and what else fits: decisions of equal worth enter all at once at their price."""
    left = budget - cost[picked].sum()
    picked = picked.copy()
    taken: dict[int, list[int]] = {}
    for i in np.flatnonzero(picked):
        taken.setdefault(int(future.user[rows[i]]), []).append(int(future.at_us[rows[i]]))
    open_ = np.flatnonzero(~picked & (gain > 0))
    for i in open_[np.argsort(-gain[open_] / cost[open_], kind="stable")]:
        if cost[i] > left:
            break
        user, when = int(future.user[rows[i]]), int(future.at_us[rows[i]])
        if any(abs(when - t) < SPACING_US for t in taken.get(user, ())):
            continue
        picked[i] = True
        taken.setdefault(user, []).append(when)
        left -= cost[i]
    return picked


def _top_of_users(user: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Each user's highest value; `user` sorted."""
    first = np.flatnonzero(np.concatenate([[True], user[1:] != user[:-1]]))
    return np.maximum.reduceat(value, first)
