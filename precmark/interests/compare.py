"""Every list of the chapter on one protocol: the same split, occasions and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from precmark.interests.lists import CollaborativeLists, TreeLists, UserUser, VectorLists
from precmark.metrics.resampling import percentiles
from precmark.recommend.collaborative import ItemItem, Nmf, Svd
from precmark.recommend.floors import Again, Popular
from precmark.recommend.hybrid import HybridRecommender
from precmark.recommend.measures import judge
from precmark.recommend.quality import against, lists_of, means
from precmark.recommend.shop import interactions
from precmark.recommend.study import Entry, Periods, fit_all, periods, subset

if TYPE_CHECKING:
    from precmark.recommend.measures import Drawn
    from precmark.runs import Run

FACTORISATIONS = ("svd", "nmf")
NEIGHBOURHOODS = ("user-user", "item-item")
COLLABORATIVE = (*NEIGHBOURHOODS, *FACTORISATIONS)
SHARES = (1.0, 0.3, 0.1, 0.03)
"""Shares of the training users from whom models learn."""

MOST_OCCASIONS = 2000


def asked_of(run: Run, *, most: int = MOST_OCCASIONS, seed: int = 0) -> Periods:
    """The periods of `run` with, as targets, what users looked at next (bought, without views).

    Interests show in what is looked at, and many more occasions end in a look than in a purchase.
    Of more than `most` test occasions, so many are drawn with `seed`.
    """
    found = periods(run)
    if found.clicks and found.wanted != "view":
        found = replace(found, wanted="view", test=found.asked(wanted="view"))
    if len(found.test) > most:
        kept = np.zeros(len(found.test), dtype=bool)
        kept[np.random.default_rng(seed).permutation(len(found.test))[:most]] = True
        found = replace(found, test=subset(found.test, kept))
    return found


def entries(
    paths: pd.DataFrame, vectors: pd.DataFrame | None = None, *, seed: int = 0
) -> dict[str, Entry]:
    """The lists that are compared: floors, content, collaborative, factorised, by the tree.

    Parameters
    ----------
    paths : pandas.DataFrame
        From :func:`~precmark.interests.interest_tree.product_paths`.
    vectors : pandas.DataFrame, optional
        Features of pictures, by ``item_id``.
    """
    lists = partial(partial, CollaborativeLists)
    content = partial(HybridRecommender, "item-item", alpha=0.0, seed=seed)
    found = {
        "popular": Entry("Popular", "floor", Popular),
        "again": Entry("Again (touched before)", "floor", Again),
        "content": Entry("Content (attributes)", "content", content),
        "user-user": Entry("User-based", "collaborative", lists(UserUser)),
        "item-item": Entry("Item-based", "collaborative", lists(ItemItem)),
        "svd": Entry("SVD", "factorised", lists(partial(Svd, seed=seed))),
        "nmf": Entry("NMF", "factorised", lists(partial(Nmf, seed=seed))),
        "tree": Entry("Interest tree", "tree", partial(TreeLists, paths)),
        "tree-old": Entry(
            "Interest tree, nothing forgotten", "tree", partial(TreeLists, paths, half_life=None)
        ),
    }
    if vectors is not None:
        found["pictures"] = Entry("Pictures (drawn)", "content", partial(VectorLists, vectors))
    return found


def duels(
    fitted: Mapping, found: Periods, *, target: str = "all", draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """The comparisons that were stated beforehand.

    Returns
    -------
    pandas.DataFrame
        Each factorisation less each neighbourhood, and the interest tree less every other list:
        ``first``, ``second``, ``target``, ``difference`` (nDCG at 10), ``low``, ``high`` (95 % over
        people), ``favours`` (``"first"``, ``"second"`` or ``"neither"``).
    """
    tables = []
    for first in (*FACTORISATIONS, "tree"):
        rivals = NEIGHBOURHOODS if first in FACTORISATIONS else [m for m in fitted if m != "tree"]
        those = {name: fitted[name] for name in (first, *rivals)}
        table = against(those, found, first, target=target, draws=draws, seed=seed)
        tables.append(table.rename(columns={"model": "second"}).assign(first=first))
    columns = ["first", "second", "target", "difference", "low", "high", "favours"]
    return pd.concat(tables, ignore_index=True)[columns]


class Density(NamedTuple):
    """What is left of each model that learnt from fewer and fewer users.

    Attributes
    ----------
    table : pandas.DataFrame
        ``model``, ``share``, ``users`` (learnt from), ``interactions``, ``value``, ``low``,
        ``high`` (nDCG at 10, 95 % over people).
    losses : pandas.DataFrame
        ``model``, ``whole``, ``fewest`` (nDCG), ``difference`` (their gap), ``low``, ``high``; the
        last row, ``"factorised less neighbours"``, is how much more the factorisations lose than
        the neighbourhoods, on average of each kind.
    """

    table: pd.DataFrame
    losses: pd.DataFrame


EXTRA_LOSS = "factorised less neighbours"


def by_density(
    models: Mapping[str, Entry],
    found: Periods,
    *,
    shares: Sequence[float] = SHARES,
    draws: int = 1000,
    seed: int = 0,
) -> Density:
    """nDCG of `models` that learnt from fewer and fewer users.

    Parameters
    ----------
    models : mapping of str to Entry
        :data:`COLLABORATIVE`.
    found : Periods
        Occasions and their histories stay whole; only what models learn from is thinned.
    shares : sequence of float
        Of the training users, 0 to 1; smaller samples lie within larger ones.
    """
    training = found.before_test
    people = np.sort(interactions(training).user_code.unique())
    order = np.random.default_rng(seed).permutation(people)
    judged, rows = {}, []
    for share in shares:
        some = order[: max(10, round(share * len(people)))]
        log = training[training.user_code.isin(some)]
        known = len(interactions(log))
        for name, each in _judged(fit_all(models, log, found.items), found).items():
            judged[name, share] = each
            rows.append((name, share, len(some), known))
    drawn = means(judged, "nDCG", draws=draws, seed=seed)
    table = pd.DataFrame(rows, columns=["model", "share", "users", "interactions"])
    table = pd.concat([table, drawn.table()[["value", "low", "high"]]], axis=1)
    return Density(table, _losses(drawn, list(models), max(shares), min(shares)))


def _losses(drawn: Drawn, models: list[str], most: float, least: float) -> pd.DataFrame:
    """Each model's loss from the most users to the fewest, and that of one kind less the other."""
    place = {name: i for i, name in enumerate(drawn.names)}
    value = {m: (drawn.values[place[m, most]], drawn.values[place[m, least]]) for m in models}
    rows = [(m, *value[m], *drawn.difference((m, most), (m, least))) for m in models]
    lost = {m: drawn.draws[place[m, most]] - drawn.draws[place[m, least]] for m in models}
    kinds = [[m for m in kind if m in models] for kind in (FACTORISATIONS, NEIGHBOURHOODS)]
    if all(kinds):
        loss = [np.mean([value[m][0] - value[m][1] for m in kind]) for kind in kinds]
        draws = np.subtract(*(np.mean([lost[m] for m in kind], axis=0) for kind in kinds))
        low, high = percentiles(draws)
        rows.append((EXTRA_LOSS, np.nan, np.nan, loss[0] - loss[1], float(low), float(high)))
    columns = ["model", "whole", "fewest", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _judged(fitted: Mapping, found: Periods) -> dict:
    lists = lists_of(fitted, found.test)
    return {
        name: judge(lists[name], found.test.targets, found.test.users, model.shop_)
        for name, model in fitted.items()
    }
