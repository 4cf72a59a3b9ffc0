"""Policies frozen on validation and played in a world: what each comes to, again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.ablation.estimates import Experiment, Traits, best_coupon, learnt_uplift
from precmark.ablation.options import FACTORIAL, OPTIONS, Option
from precmark.ablation.oracle import oracle
from precmark.ablation.outcomes import MARGINS, expected, replicate
from precmark.ablation.policies import (
    Frozen,
    Prices,
    Seen,
    Uplift,
    freeze,
    reference_spend,
)
from precmark.ablation.tables import BUDGETS, EQUAL_DISCOUNT, PAPER_RATES
from precmark.ablation.truth import Future
from precmark.ablation.worlds import World

ALL = {**OPTIONS, **FACTORIAL}
"""Every policy by name: the options, then the cells of the factorial."""

COMMON = "4"
"""The option whose printed rate all policies get where the budget is the same for all."""

EVERYWHERE = "all"
"""World of a policy that is the same in all of them."""

Coupons = dict[tuple[str, str], np.ndarray]
"""The coupon of each decision, int8 (n,), by budget and policy."""


@dataclass(frozen=True)
class Scene:
    """What a world is played on: validation to freeze on, an experiment, and a future.

    Attributes
    ----------
    validation : Seen
        What policies see at the validation decisions, on which cut-offs are chosen.
    validation_sessions : float
        Sessions in their span: the denominator of the rates.
    prices : Prices
    seen : Seen
        What they see at the future's decisions.
    truth : Future
        Of these decisions; read by the scoring and by the oracles.
    experiment : Experiment, optional
        Needed by estimated uplift, as are `validation_traits` and `traits`.
    validation_traits, traits : Traits, optional
        What the learner knows of the validation decisions and of the future's.
    seed : int
        Of the learners.
    """

    validation: Seen
    validation_sessions: float
    prices: Prices
    seen: Seen
    truth: Future
    experiment: Experiment | None = None
    validation_traits: Traits | None = None
    traits: Traits | None = None
    seed: int = 0

    @property
    def common_spend(self) -> float:
        """Forecast discount of option 4's printed rate on validation, yuan a session."""
        coupons = ALL[COMMON].printed_rate * self.validation_sessions
        spend = reference_spend(ALL[COMMON], self.validation, coupons, self.prices)
        return spend / self.validation_sessions


@dataclass(frozen=True)
class Played:
    """What policies come to in one world.

    Attributes
    ----------
    rows : pandas.DataFrame
        ``world``, ``budget``, ``policy``, the columns of :class:`precmark.ablation.Row` and
        ``exploration_cost_10`` to ``_50``: true expectations.
    drawn : pandas.DataFrame
        ``budget`` and the columns of :func:`precmark.ablation.replicate`.
    cutoffs : pandas.DataFrame
        See :func:`frozen_policies`; of the policies that differ from world to world.
    """

    rows: pd.DataFrame
    drawn: pd.DataFrame
    cutoffs: pd.DataFrame


def frozen_policy(
    scene: Scene, option: Option, budget: str, uplift: Uplift | None = None
) -> Frozen:
    """`option` with the cut-off that spends `budget` on the validation decisions.

    Parameters
    ----------
    scene : Scene
    option : Option
        No oracle.
    budget : str
        One of :data:`precmark.ablation.tables.BUDGETS`.
    uplift : Uplift, optional
        Of the validation decisions.
    """
    sessions = scene.validation_sessions
    if budget == EQUAL_DISCOUNT:
        spend = scene.common_spend * sessions
        return freeze(option, scene.validation, spend=spend, prices=scene.prices, uplift=uplift)
    rate = _rate(option, budget)
    return freeze(option, scene.validation, coupons=rate * sessions, uplift=uplift)


def _rate(option: Option, budget: str) -> float:
    """Coupons a session that `option` may give under a budget of coupons."""
    return (option if budget == PAPER_RATES else ALL[COMMON]).printed_rate


def frozen_policies(
    scene: Scene,
    names: Iterable[str] = tuple(ALL),
    *,
    budgets: Iterable[str] = BUDGETS,
    world: World | None = None,
) -> tuple[Coupons, pd.DataFrame]:
    """The coupons that policies give in the future, and the cut-offs by which they do.

    Parameters
    ----------
    scene : Scene
    names : iterable of str
        Policies; where `world` is left out those by risk or lot, which are the same in all worlds,
        else those by estimated uplift, learnt from what the experiment shows in `world`.
    budgets : iterable of str
    world : World, optional

    Returns
    -------
    Coupons
    pandas.DataFrame
        A row a policy and budget: ``world``, ``budget``, ``policy``; ``cutoff`` (score from which
        on a decision is wanted), ``lot`` (among equal scores); ``wanted``, ``reached`` (what the
        cut-off was to spend on validation, coupons or yuan, and what it spends); ``wanted_rate``
        (coupons a session on validation), ``realised_rate`` (in the future).
    """
    coupons: Coupons = {}
    rows = []
    kind = "risk" if world is None else "uplift"
    for option in (ALL[name] for name in names if ALL[name].kind == kind):
        there = later = None
        if world is not None:
            learner = learnt_uplift(scene.experiment, world, option.objective, seed=scene.seed)
            there = best_coupon(learner, scene.validation_traits)
            later = best_coupon(learner, scene.traits)
        for budget in budgets:
            frozen = frozen_policy(scene, option, budget, there)
            coupon = frozen.decide(scene.seen, later)
            coupons[budget, option.name] = coupon
            rate = _rate(option, budget)
            if budget == EQUAL_DISCOUNT:
                given = frozen.decide(scene.validation, there) >= 0
                rate = given.sum() / scene.validation_sessions
            rows.append(
                {
                    "world": EVERYWHERE if world is None else world.name,
                    "budget": budget, "policy": option.name,
                    "cutoff": frozen.cutoff.score, "lot": frozen.cutoff.lot,
                    "wanted": frozen.cutoff.wanted, "reached": frozen.cutoff.reached,
                    "wanted_rate": rate,
                    "realised_rate": np.count_nonzero(coupon >= 0) / scene.truth.sessions,
                }
            )  # fmt: skip
    return coupons, pd.DataFrame(rows)


def ceilings(
    scene: Scene,
    world: World,
    names: Iterable[str] = tuple(ALL),
    *,
    budgets: Iterable[str] = BUDGETS,
) -> Coupons:
    """The coupons of the oracles among `names`, which know the truth of the future.

    They get option 4's printed rate of all sessions of the future, and under equal discount the
    same discount a session as option 4 forecasts, in true expectation.
    """
    found: Coupons = {}
    count = ALL[COMMON].printed_rate * scene.truth.sessions
    spend = scene.common_spend * scene.truth.sessions
    for option in (ALL[name] for name in names if ALL[name].kind == "oracle"):
        by_count = None
        for budget in budgets:
            if budget == EQUAL_DISCOUNT:
                coupon = oracle(scene.truth, world, option.objective, budget=spend, discount=True)
            else:
                if by_count is None:
                    by_count = oracle(scene.truth, world, option.objective, budget=count)
                coupon = by_count
            found[budget, option.name] = coupon
    return found


def play(
    scene: Scene,
    fixed: Coupons,
    world: World,
    *,
    names: tuple[str, ...] = tuple(ALL),
    budgets: tuple[str, ...] = BUDGETS,
    replications: int = 200,
    seed: int = 0,
) -> Played:
    """What the policies come to in `world`.

    Parameters
    ----------
    scene : Scene
    fixed : Coupons
        Of the policies that are the same in all worlds (:func:`frozen_policies`).
    world : World
    names : tuple of str
        Policies.
    budgets : tuple of str
    replications : int
        How often the future happens again; 0 for true expectations only.
    seed : int
        Of the replications; the same one for all worlds, so that they share their luck.

    Returns
    -------
    Played
    """
    learnt, cutoffs = frozen_policies(scene, names, budgets=budgets, world=world)
    known = {**fixed, **learnt, **ceilings(scene, world, names, budgets=budgets)}
    coupons = {(b, name): known[b, name] for b in budgets for name in names}
    paid = scene.experiment.cost(world).as_dict() if learnt else {}
    once, same = distinct(coupons)
    score = {i: expected(scene.truth, coupon, world).as_dict() for i, coupon in once.items()}
    rows = [
        {"world": world.name, "budget": b, "policy": name, **score[same[b, name]]}
        | {
            f"exploration_cost_{m}": -paid[f"profit_{m}"] if ALL[name].kind == "uplift" else 0.0
            for m in MARGINS
        }
        for b, name in coupons
    ]
    drawn = pd.DataFrame()
    if replications:
        drawn = replicate(scene.truth, once, world, replications=replications, seed=seed)
        parts = dict(tuple(drawn.groupby("policy", sort=False)))
        drawn = pd.concat(
            [parts[i].assign(budget=b, policy=name) for (b, name), i in same.items()],
            ignore_index=True,
        )
    return Played(pd.DataFrame(rows), drawn, cutoffs)


def distinct(
    coupons: Mapping[tuple[str, str], np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[tuple[str, str], str]]:
    """The coupons that differ, by a number, and the number of each policy's.

    Many cells are an option under another name, and some budgets come to the same.
    """
    once: dict[str, np.ndarray] = {}
    number: dict[bytes, str] = {}
    same = {}
    for key, coupon in coupons.items():
        digest = coupon.tobytes()
        if digest not in number:
            number[digest] = str(len(number))
            once[number[digest]] = coupon
        same[key] = number[digest]
    return once, same
