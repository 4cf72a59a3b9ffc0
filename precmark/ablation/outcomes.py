"""What coupons lead to in a world: true expectations, and realised replications with shared luck.

One V ~ U(0, 1) a decision: Y(0) = [V < p0], Y(c) = [V < p0 + tau_ic]. A coupon is redeemed by
every buyer whom it won and, with probability pi_ic, by who buys anyway; it takes 15 % off the lines
of its category. What buyers-anyway order is taken as it would have been. Returns of goods are left
out, as in the assignments table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from precmark.ablation.truth import Future, checked
from precmark.ablation.worlds import World, as_world
from precmark.errors import InputError
from precmark.simulate import uniform
from precmark.simulate.config import DISCOUNT
from precmark.simulate.orders import baskets, expected_baskets

MARGINS = (10, 20, 30, 40, 50)
"""Margins on an order's value before the discount at which profit is read, in %."""


def profit_column(margin: int) -> str:
    """Name of the column that holds the profit at `margin` % of an order's value.

    Raises
    ------
    InputError
        When `margin` is none of :data:`MARGINS`.
    """
    if margin not in MARGINS:
        raise InputError(f"margin: {margin!r}. Use one of {', '.join(map(str, MARGINS))} (%).")
    return f"profit_{margin}"


@dataclass(frozen=True)
class Row:
    """What one policy comes to in one world; sums over the whole future.

    Attributes
    ----------
    coupons : float
        Coupons given.
    rate_sessions, rate_eligible : float
        Coupons a session, and a decision, 0 to 1.
    c1, c1_n : float
        C-1 and C-1-N of Table 6: conversion of those with a coupon (NaN where there are none), and
        how many.
    c2_all, c2_all_n : float
        C-2 and C-2-N over all sessions without a coupon, as the paper counts.
    c2_eligible, c2_eligible_n : float
        The same over the decisions without a coupon: they too had got to the k-th click.
    incremental, incremental_per_coupon : float
        Purchases that the coupons caused, and a coupon.
    redemptions : float
        Coupons used, by those whom they won and by buyers-anyway.
    order_value : float
        Value of the caused orders before the discount, yuan.
    discount : float
        Taken off all redemptions, yuan.
    revenue : float
        order_value - discount: the change against no coupons, yuan.
    profit_10, profit_20, profit_30, profit_40, profit_50 : float
        Change of the profit at a margin of so many % on the order value, yuan.
    net_30d : float
        Caused purchases without those that were only pulled forward from the next 30 days.
    """

    coupons: float
    rate_sessions: float
    rate_eligible: float
    c1: float
    c1_n: float
    c2_all: float
    c2_all_n: float
    c2_eligible: float
    c2_eligible_n: float
    incremental: float
    incremental_per_coupon: float
    redemptions: float
    order_value: float
    discount: float
    revenue: float
    profit_10: float
    profit_20: float
    profit_30: float
    profit_40: float
    profit_50: float
    net_30d: float

    def as_dict(self) -> dict[str, float]:
        """The columns of a table's row."""
        return asdict(self)


@dataclass(frozen=True)
class _Given:
    """Every coupon of several policies, one entry each."""

    policy: np.ndarray
    at: np.ndarray
    category: np.ndarray
    key: np.ndarray
    p0: np.ndarray
    tau: np.ndarray
    pi: np.ndarray


def expected(future: Future, coupon: np.ndarray, world: World | str) -> Row:
    """The true expected outcome of a policy, over all luck.

    Parameters
    ----------
    future : Future
    coupon : array of int8, shape (n,)
        Category of the coupon given at each decision, -1 where none; the 7-day rule is applied.
    world : World or str

    Raises
    ------
    InputError
        See :func:`precmark.ablation.truth.checked`.
    """
    world = as_world(world)
    given = _given(future, [checked(future, coupon)], world)
    value, own = (v[given.category] for v in expected_baskets(future.config))
    redemptions = given.tau + given.p0 * given.pi
    incremental = given.tau.sum()
    sums = {
        "coupons": float(len(given.at)),
        "bought_with": (given.p0 + given.tau).sum(),
        "bought_without": future.p0.sum() - given.p0.sum(),
        "incremental": incremental,
        "redemptions": redemptions.sum(),
        "order_value": (given.tau * value).sum(),
        "discount": DISCOUNT * (redemptions * own).sum(),
        "net_30d": incremental * (1 - world.pulled_forward),
    }
    return Row(**{name: float(v) for name, v in _measures(future, sums).items()})


def replicate(
    future: Future,
    policies: Mapping[str, np.ndarray],
    world: World | str,
    *,
    replications: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """What policies come to when the future happens again and again, all with the same luck.

    Parameters
    ----------
    future : Future
    policies : mapping of name to array of int8, shape (n,)
        As `coupon` in :func:`expected`.
    world : World or str
    replications : int
        1 or more; draws are keyed by (replication, decision, purpose), so neither other policies
        nor their order change them, and two policies that decide alike differ by exactly 0.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``world``, ``policy``, ``replication`` (from 1) and the columns of :class:`Row`.

    Raises
    ------
    InputError
        Fewer than one replication, no policy, or see :func:`precmark.ablation.truth.checked`.
    """
    world = as_world(world)
    if replications < 1 or not policies:
        raise InputError("Ask for at least one policy and one replication.")
    given = _given(future, [checked(future, c, name) for name, c in policies.items()], world)
    k = len(policies)
    drawn = [_one(future, given, world, seed, r, k) for r in range(1, replications + 1)]
    sums = {name: np.stack([d[name] for d in drawn]).ravel() for name in drawn[0]}
    keys = {
        "world": world.name,
        "policy": list(policies) * replications,
        "replication": np.repeat(np.arange(1, replications + 1), k),
    }
    frame = pd.DataFrame({**keys, **_measures(future, sums)})
    return frame.sort_values("policy", key=_position(policies), kind="stable", ignore_index=True)


def _position(policies: Mapping[str, object]):
    order = {name: i for i, name in enumerate(policies)}
    return lambda names: names.map(order)


def _given(future: Future, coupons: list[np.ndarray], world: World) -> _Given:
    at = [np.flatnonzero(c >= 0) for c in coupons]
    category = np.concatenate([c[i] for c, i in zip(coupons, at, strict=True)]).astype(np.int64)
    policy = np.repeat(np.arange(len(at)), [len(i) for i in at])
    at = np.concatenate(at)
    return _Given(
        policy=policy,
        at=at,
        category=category,
        key=future.key[at],
        p0=future.p0[at],
        tau=world.tau(future, at, category),
        pi=future.pi[at, category],
    )


def _one(
    future: Future, given: _Given, world: World, seed: int, replication: int, policies: int
) -> dict[str, np.ndarray]:
    """Sums of one replication by policy, each of shape (policies,)."""
    v = uniform(seed, replication, future.mixed_key, "outcome", mixed=True)
    bought = np.count_nonzero(v < future.p0)
    mine = v[given.at]
    anyway, buys = mine < given.p0, mine < given.p0 + given.tau
    buyers = np.flatnonzero(buys)
    won = ~anyway[buyers]
    key, policy = given.key[buyers], given.policy[buyers]
    uses = won | (uniform(seed, replication, key, "redemption") < given.pi[buyers])
    kept = won & (uniform(seed, replication, key, "pulled forward") >= world.pulled_forward)
    value, own = np.zeros(len(buyers)), np.zeros(len(buyers))
    ordered = np.flatnonzero(uses)
    value[ordered], own[ordered] = baskets(
        replace(future.config, seed=seed),
        replication,
        key[ordered],
        given.category[buyers[ordered]],
    )

    def by_policy(which: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(which, weight, policies).astype(float)

    return {
        "coupons": by_policy(given.policy),
        "bought_with": by_policy(policy),
        "bought_without": bought - by_policy(given.policy, anyway),
        "incremental": by_policy(policy, won),
        "redemptions": by_policy(policy, uses),
        "order_value": by_policy(policy, np.where(won, value, 0.0)),
        "discount": DISCOUNT * by_policy(policy, own),
        "net_30d": by_policy(policy, kept),
    }


def _measures(future: Future, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns of :class:`Row` from sums over decisions, each a number or of one shape."""
    coupons = np.asarray(sums["coupons"])
    n, sessions = len(future), future.sessions
    without = np.asarray(sums["bought_without"])
    value, discount = np.asarray(sums["order_value"]), np.asarray(sums["discount"])
    return {
        "coupons": coupons,
        "rate_sessions": coupons / sessions,
        "rate_eligible": coupons / n,
        "c1": _ratio(sums["bought_with"], coupons),
        "c1_n": coupons,
        "c2_all": _ratio(without + future.early_buyers, sessions - coupons),
        "c2_all_n": sessions - coupons,
        "c2_eligible": _ratio(without, n - coupons),
        "c2_eligible_n": n - coupons,
        "incremental": np.asarray(sums["incremental"]),
        "incremental_per_coupon": _ratio(sums["incremental"], coupons),
        "redemptions": np.asarray(sums["redemptions"]),
        "order_value": value,
        "discount": discount,
        "revenue": value - discount,
        **{f"profit_{margin}": margin / 100 * value - discount for margin in MARGINS},
        "net_30d": np.asarray(sums["net_30d"]),
    }


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """`above` / `below`; NaN where there is nobody."""
    below = np.asarray(below, dtype=float)
    return np.asarray(above) / np.where(below > 0, below, np.nan)
