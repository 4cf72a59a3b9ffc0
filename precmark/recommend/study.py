"""The chapter's study: one time split, every recommender on the same occasions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.recommend.alpha import JUDGE, alpha_curve
from precmark.recommend.base import Recommender
from precmark.recommend.collaborative import MODELS
from precmark.recommend.floors import Again, Chance, Popular, Rules, SameCategory
from precmark.recommend.hybrid import HybridRecommender
from precmark.recommend.occasions import (
    DECISION_CLICK,
    Occasions,
    TimeSplit,
    at_click,
    in_period,
    split_times,
)

if TYPE_CHECKING:
    from precmark.runs import Run


@dataclass(frozen=True)
class Periods:
    """A run's log divided in time, and the occasions of its later parts.

    Attributes
    ----------
    events, items : pandas.DataFrame
        Sorted by session and position where there are sessions; items as in the contract.
    split : TimeSplit
    wanted : str
        The kind of event that counts as a target: ``"purchase"``, or ``"view"`` where nobody buys.
    clicks : bool
        Whether lists are asked for at a click of a session; else at the start of a period.
    validation, test : Occasions
    """

    events: pd.DataFrame
    items: pd.DataFrame
    split: TimeSplit
    wanted: str
    clicks: bool
    validation: Occasions
    test: Occasions

    @property
    def training(self) -> pd.DataFrame:
        """Events before validation: what models learn from while something is chosen."""
        return self.events[self.events.timestamp < self.split.validation]

    @property
    def before_test(self) -> pd.DataFrame:
        """Events before the test part: what the models that are judged learn from."""
        return self.events[self.events.timestamp < self.split.test]

    def asked(self, *, wanted: str | None = None, known: int | None = None) -> Occasions:
        """The test occasions with another target, or with `known` of the clicks known."""
        wanted = wanted or self.wanted
        if not self.clicks:
            return in_period(self.events, self.split.test, wanted=wanted)
        return at_click(self.events, self.split.test, wanted=wanted, known=known)

    @property
    def cold(self) -> Occasions:
        """The test occasions of users without any history, asked before their first click."""
        asked = self.asked(known=0)
        return subset(asked, asked.users.before.to_numpy() == 0)


def periods(run: Run) -> Periods:
    """The log of `run`, its split by time (6:2:2 of the interactions) and its occasions.

    Raises
    ------
    InputError
        Where the interactions cannot be split over time.
    """
    events = run.table("sessions/events").sort_values(["session_code", "position"])
    events = events.reset_index(drop=True)
    wanted = "purchase" if "purchases" in run.source.says else "view"
    clicks = "views" in run.source.says
    split = split_times(events)
    if "clock" not in run.source.says:
        split = TimeSplit(split.validation.floor("D"), split.test.floor("D"))
    ask = at_click if clicks else in_period
    early = events[events.timestamp < split.test]
    return Periods(
        events, run.table("contract/items"), split, wanted, clicks,
        ask(early, split.validation, wanted=wanted), ask(events, split.test, wanted=wanted),
    )  # fmt: skip


def subset(occasions: Occasions, kept: np.ndarray) -> Occasions:
    """The occasions where `kept`, (n,) bool, with their histories and targets."""
    users = occasions.users[kept].reset_index(drop=True)
    history, targets = (
        frame[frame.user_code.isin(users.user_code)].reset_index(drop=True)
        for frame in (occasions.history, occasions.targets)
    )
    return replace(occasions, users=users, history=history, targets=targets)


@dataclass(frozen=True)
class Chosen:
    """What validation chose.

    Attributes
    ----------
    collaborative : str
        The collaborative model whose best hybrid is best.
    alpha : dict
        The best a with each collaborative model.
    curves : pandas.DataFrame
        ``collaborative`` and the columns of :func:`~precmark.recommend.alpha.alpha_curve`.
    """

    collaborative: str
    alpha: dict[str, float]
    curves: pd.DataFrame


def choose(found: Periods, *, draws: int = 500, seed: int = 0) -> Chosen:
    """For each collaborative model the a that validation prefers, and the best of them all."""
    curves, alpha, best = [], {}, {}
    for name in MODELS:
        model = HybridRecommender(name, alpha=0.5, seed=seed).fit(found.training, found.items)
        curve = alpha_curve(model, found.validation, draws=draws, seed=seed)
        if curve is None:
            alpha[name], best[name] = 0.5, -1.0
            continue
        judged = curve[curve.metric == JUDGE]
        top = int(judged.value.to_numpy().argmax())
        alpha[name], best[name] = (float(judged[c].iloc[top]) for c in ("alpha", "value"))
        curves.append(curve.assign(collaborative=name))
    table = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    return Chosen(max(best, key=best.get), alpha, table)


@dataclass(frozen=True)
class Entry:
    """One line of the comparison.

    Attributes
    ----------
    title : str
        In words.
    family : str
        ``"floor"``, ``"traditional"``, ``"part"`` or ``"hybrid"``.
    make : callable
        Gives an unfitted :class:`~precmark.recommend.base.Recommender`.
    """

    title: str
    family: str
    make: Callable[[], Recommender]


TITLES = {
    "item-item": "Item-item",
    "als": "ALS",
    "svd": "SVD",
    "nmf": "NMF",
}
"""Collaborative models in words."""


def entries(chosen: Chosen, *, seed: int = 0, categories: bool = True) -> dict[str, Entry]:
    """The recommenders of the comparison in the order floors, traditional, parts, hybrid."""
    found = {
        "random": Entry("Random", "floor", partial(Chance, seed)),
        "popular": Entry("Popular", "floor", Popular),
        "again": Entry("Again (touched before)", "floor", Again),
    }
    if categories:
        found["same-category"] = Entry("Popular in the favourite category", "floor", SameCategory)
    found["rules"] = Entry("Association rules", "traditional", Rules)
    content = partial(HybridRecommender, chosen.collaborative, alpha=0.0, seed=seed)
    found["content"] = Entry("Content", "part", content)
    for name in MODELS:
        make = partial(HybridRecommender, name, alpha=1.0, seed=seed)
        found[name] = Entry(TITLES[name], "part", make)
    name = chosen.collaborative
    make = partial(HybridRecommender, name, alpha=chosen.alpha[name], seed=seed)
    title = f"Hybrid ({TITLES[name]}, a = {chosen.alpha[name]:g})"
    return found | {"hybrid": Entry(title, "hybrid", make)}


def fit_all(
    models: Mapping[str, Entry], events: pd.DataFrame, items: pd.DataFrame
) -> dict[str, Recommender]:
    """Each of `models` fitted on the same `events`; hybrids with another a share one fit."""
    fitted: dict[str, Recommender] = {}
    shared: dict[tuple, HybridRecommender] = {}
    for name, entry in models.items():
        model = entry.make()
        if isinstance(model, HybridRecommender):
            key = (model.collaborative, model.seed, model.half_life)
            if key not in shared:
                shared[key] = model.fit(events, items)
            fitted[name] = shared[key].with_alpha(model.alpha)
        else:
            fitted[name] = model.fit(events, items)
    return fitted


def without_items(found: Periods, hidden: Sequence[str], occasions: Occasions) -> Occasions:
    """`occasions` whose histories do not know of the `hidden` items and whose targets are these."""
    history = occasions.history[~occasions.history.item_id.isin(hidden)]
    targets = occasions.targets[occasions.targets.item_id.isin(hidden)]
    kept = occasions.users.user_code.isin(targets.user_code).to_numpy()
    return subset(Occasions(occasions.users, history, targets), kept)


def shown_before(known: int | None) -> str:
    """How many clicks a history holds, in words."""
    count = DECISION_CLICK if known is None else known
    return "on arrival" if count == 0 else f"after {count} click" + ("s" if count > 1 else "")
