"""What forged orders and paid places do to a brand's exposure, and what bounding it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.interests.exposure import (
    Groups,
    all_scores,
    bounded_lists,
    gini,
    groups_of,
    item_exposure,
    lists_from,
    wanted_share,
)
from precmark.recommend.hybrid import HybridRecommender
from precmark.recommend.measures import K, judge, resampled
from precmark.recommend.quality import favours, means
from precmark.recommend.ranks import top
from precmark.recommend.shop import interactions
from precmark.recommend.study import subset

if TYPE_CHECKING:
    from precmark.recommend.occasions import Occasions
    from precmark.recommend.study import Periods

BOUNDS = (2.0, 1.5, 1.25, 1.1, 1.0)
"""How many times its share of what is wanted a group may be shown, in turn."""

FORGED = (0.02, 0.1)
"""Forged orders, as shares of the interactions that models learn from."""

DEAL = 0.1
"""What a paid deal adds to the r' (0 to 1) of each product of the favoured group."""

MOST_OCCASIONS = 600
"""Of the test part; more are drawn from."""

ORDER_SIZE = 5
"""Products of the favoured group that a made-up customer buys."""

MOST_POPULAR = 20
"""How many of the favoured group's, and of the other popular products, forged orders draw from."""

ALPHAS = {"content": 0.0, "item-item": 1.0, "hybrid": 0.5}
"""The a of the lists that are attacked; the hybrid takes half of each, untuned."""


@dataclass(frozen=True)
class Marketplace:
    """One shop as the models know it, and the occasions on which they are watched.

    Attributes
    ----------
    found : Periods
    asked : Occasions
        Of the test part; targets are clicks where there are any, else purchases.
    model : HybridRecommender
        Fitted on what came before the test part.
    groups : Groups
    target : numpy.ndarray
        (groups,) share of what was wanted in the validation part: known before the test part.
    """

    found: Periods
    asked: Occasions
    model: HybridRecommender
    groups: Groups
    target: np.ndarray


def market(found: Periods, *, by: str | None = None, seed: int = 0) -> Marketplace:
    """The shop of `found` with an item-item hybrid, its groups and what was wanted before.

    Parameters
    ----------
    found : Periods
    by : str, optional
        See :func:`~precmark.interests.exposure.groups_of`, whose errors it raises.
    seed : int
        Of the occasions drawn where there are more than :data:`MOST_OCCASIONS`.
    """
    asked = found.asked(wanted="view") if found.clicks else found.test
    if len(asked) > MOST_OCCASIONS:
        rng = np.random.default_rng(seed)
        kept = np.zeros(len(asked), dtype=bool)
        kept[rng.choice(len(asked), MOST_OCCASIONS, replace=False)] = True
        asked = subset(asked, kept)
    model = HybridRecommender(alpha=ALPHAS["hybrid"], seed=seed).fit(found.before_test, found.items)
    groups = groups_of(model.shop_, by)
    before = found.before_test[found.before_test.timestamp >= found.split.validation]
    wanted = before[before.event == ("view" if found.clicks else "purchase")]
    wanted = wanted[wanted.item_id.notna()]
    return Marketplace(found, asked, model, groups, wanted_share(wanted, model.shop_, groups))


def trade_off(
    at: Marketplace, *, bounds: Sequence[float] = BOUNDS, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """What bounding exposure does to the lists and to their quality.

    Parameters
    ----------
    at : Marketplace
    bounds : sequence of float
        1 or more; infinity, the lists as they are, is added.
    draws, seed : int
        Bootstrap over people.

    Returns
    -------
    pandas.DataFrame
        ``bound``, ``most_shown`` (the highest exposure of a group over its target share),
        ``gini`` (of the products' exposure), ``nDCG``, ``low``, ``high``, and the nDCG less that of
        the lists as they are: ``difference``, ``difference_low``, ``difference_high``, ``favours``
        (``"second"`` where the bound costs).
    """
    shop = at.model.shop_
    scores = all_scores(at.model, at.asked)[at.model.alpha_]
    made = {np.inf: top(scores, K)}
    made |= {b: bounded_lists(scores, at.groups.code, at.target, b) for b in bounds}
    judged = {
        str(b): judge(lists_from(c, at.asked, shop), at.asked.targets, at.asked.users, shop)
        for b, c in made.items()
    }
    drawn = means(judged, "nDCG", draws=draws, seed=seed)
    table = drawn.table().rename(columns={"value": "nDCG"})
    rows = []
    for bound, columns in made.items():
        shown = item_exposure(columns, len(shop))
        by_group = np.bincount(at.groups.code, shown, minlength=len(at.groups)) / shown.sum()
        rows.append((bound, float((by_group / at.target).max()), gini(shown),
                     *drawn.difference(str(bound), "inf")))  # fmt: skip
    apart = pd.DataFrame(rows, columns=["bound", "most_shown", "gini", "difference", "low", "high"])
    told = apart.assign(favours=favours(apart))
    told = told.rename(columns={"low": "difference_low", "high": "difference_high"})
    return pd.concat([told, table[["nDCG", "low", "high"]]], axis=1)


def forge(
    events: pd.DataFrame,
    products: Sequence[str],
    share: float,
    *,
    beside: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """`events` with orders of made-up customers for `products`.

    Parameters
    ----------
    events : pandas.DataFrame
        As in :meth:`~precmark.recommend.base.Recommender.fit`.
    products : sequence of str
        Item ids; each made-up customer buys up to :data:`ORDER_SIZE` at one moment of the log.
    share : float
        Forged purchases as a share of the interactions in `events`, 0 or more.
    beside : sequence of str
        Products of which every order holds as many again, so that who likes them is led to
        `products`; none where left out.
    seed : int

    Returns
    -------
    pandas.DataFrame
        The events, then the forged ones, with user and session codes that nobody has.

    References
    ----------
    With `beside`, the bandwagon attack: Mobasher et al. 2007, Toward trustworthy recommender
    systems, doi 10.1145/1278366.1278372.
    """
    rng = np.random.default_rng(seed)
    known = interactions(events)
    parts = [np.asarray(p, dtype=object) for p in (products, beside) if len(p)]
    sizes = [min(ORDER_SIZE, len(p)) for p in parts]
    accounts = round(share * len(known) / sum(sizes))
    if not accounts:
        return events
    order = [
        np.concatenate([rng.choice(p, n, replace=False) for p, n in zip(parts, sizes, strict=True)])
        for _ in range(accounts)
    ]
    account = np.repeat(np.arange(accounts), sum(sizes))
    instants = known.timestamp.iloc[rng.integers(0, len(known), accounts)]
    made = {
        "user_code": events.user_code.max() + 1 + account,
        "item_id": np.concatenate(order),
        "event": "purchase",
        "timestamp": instants.iloc[account].reset_index(drop=True),
    }
    if "session_code" in events:
        made["session_code"] = events.session_code.max() + 1 + account
    kept = [c for c in (*made, "category") if c in events]
    return pd.concat([events[kept], pd.DataFrame(made)], ignore_index=True)


def pushed(
    at: Marketplace,
    *,
    group: str | None = None,
    forged: Sequence[float] = FORGED,
    bound: float = 1.1,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """A group's exposure after forged orders or a deal, as the shop shows it, and bounded.

    Parameters
    ----------
    at : Marketplace
    group : str, optional
        Whom it favours; the group that was wanted least in the validation part where left out.
    forged : sequence of float
        See :func:`forge`; each is tried with orders of the group's products alone (``"orders"``)
        and with the shop's most popular ones beside them (``"bandwagon"``).
    bound : float
        Of the bounded lists; the shop knows what was wanted before the forging.
    draws, seed : int
        Bootstrap over people.

    Returns
    -------
    pandas.DataFrame
        ``scenario`` (``"clean"``, ``"orders"``, ``"bandwagon"``, ``"deal"``), ``forged`` (share),
        ``model`` (``"popular"`` and :data:`ALPHAS`), ``group``, ``wanted`` (its share in the
        validation part), ``exposure`` (share), ``change`` (less that of the clean lists) with
        ``change_low``, ``change_high`` (95 % over people) and ``favours`` (``"first"``: more
        exposure than clean), ``bounded`` (exposure with the bound), ``nDCG``, ``nDCG_bounded``.
    """
    group = group or at.groups.names[int(at.target.argmin())]
    code = at.groups.names.index(group)
    shop = at.model.shop_
    products = list(shop.index[at.groups.code == code])
    others = shop.index[at.groups.code != code]
    known = list(others[-MOST_POPULAR:])
    worlds = [("clean", 0.0, at.model)]
    for share in forged:
        for scenario, beside in (("orders", ()), ("bandwagon", known)):
            # the attack goes for the group's own best products
            events = forge(
                at.found.before_test, products[-MOST_POPULAR:], share, beside=beside, seed=seed
            )
            worlds.append((scenario, share, _fitted(events, at.found.items, seed)))
    worlds.append(("deal", 0.0, at.model))
    rows, shares = [], {}
    for scenario, share, model in worlds:
        for name, scores in _scores(model, at.asked).items():
            paid = model.shop_.index.isin(products) * np.float32(DEAL * (scenario == "deal"))
            row, shares[str(len(rows))] = _watched(at, model, scores + paid, code, bound)
            rows.append({"scenario": scenario, "forged": share, "model": name, "group": group,
                         "wanted": float(at.target[code])} | row)  # fmt: skip
    drawn = resampled(shares, at.asked.users.person.to_numpy(), draws=draws, seed=seed)
    width = len(ALPHAS) + 1
    apart = [drawn.difference(str(i), str(i % width)) for i in range(len(rows))]
    change = pd.DataFrame(apart, columns=["difference", "low", "high"])
    change = change.assign(favours=favours(change))
    names = {"difference": "change", "low": "change_low", "high": "change_high"}
    return pd.concat([pd.DataFrame(rows), change.rename(columns=names)], axis=1)


def _fitted(events: pd.DataFrame, items: pd.DataFrame, seed: int) -> HybridRecommender:
    return HybridRecommender(alpha=ALPHAS["hybrid"], seed=seed).fit(events, items)


def _scores(model: HybridRecommender, asked: Occasions) -> dict[str, np.ndarray]:
    """Scores by popularity and by each of :data:`ALPHAS`."""
    popular = np.arange(len(model.shop_), dtype=np.float32) / len(model.shop_)
    made = all_scores(model, asked, tuple(ALPHAS.values()))
    by_name = {name: made[alpha] for name, alpha in ALPHAS.items()}
    return {"popular": np.broadcast_to(popular, made[0.0].shape)} | by_name


def _watched(
    at: Marketplace, model: HybridRecommender, scores: np.ndarray, code: int, bound: float
) -> tuple[dict[str, float], np.ndarray]:
    """One group's exposure and the lists' nDCG, plain and bounded; its share in each plain list."""
    shop, asked = model.shop_, at.asked
    # a shop orders its products by popularity, which forging changes
    groups = at.groups.code[at.model.shop_.index.get_indexer(shop.index)]
    weight = 1 / np.log2(np.arange(K) + 2)
    plain, bounded = top(scores, K), bounded_lists(scores, groups, at.target, bound)
    share, quality = [], []
    for columns in (plain, bounded):
        share.append((groups[columns] == code) @ weight / weight.sum())
        lists = lists_from(columns, asked, shop)
        quality.append(float(judge(lists, asked.targets, asked.users, shop).each.nDCG.mean()))
    row = {
        "exposure": float(share[0].mean()), "bounded": float(share[1].mean()),
        "nDCG": quality[0], "nDCG_bounded": quality[1],
    }  # fmt: skip
    return row, share[0]
