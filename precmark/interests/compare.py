"""Every list of the chapter on one protocol: the same split, occasions and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.interests.lists import CollaborativeLists, TreeLists, UserUser, VectorLists
from precmark.recommend.collaborative import ItemItem, Nmf, Svd
from precmark.recommend.floors import Again, Popular
from precmark.recommend.hybrid import HybridRecommender
from precmark.recommend.measures import judge
from precmark.recommend.quality import against, lists_of, means
from precmark.recommend.shop import interactions
from precmark.recommend.study import Entry, Periods, fit_all, periods, subset

if TYPE_CHECKING:
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


def by_density(
    models: Mapping[str, Entry],
    found: Periods,
    *,
    shares: Sequence[float] = SHARES,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """nDCG of `models` that learnt from fewer and fewer users.

    Parameters
    ----------
    models : mapping of str to Entry
    found : Periods
        Occasions and their histories stay whole; only what models learn from is thinned.
    shares : sequence of float
        Of the training users, 0 to 1; smaller samples lie within larger ones.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``share``, ``users`` (learnt from), ``interactions``, ``value``, ``low``,
        ``high`` (nDCG at 10, 95 % over people).
    """
    training = found.before_test
    people = np.sort(interactions(training).user_code.unique())
    order = np.random.default_rng(seed).permutation(people)
    tables = []
    for share in shares:
        some = order[: max(10, round(share * len(people)))]
        log = training[training.user_code.isin(some)]
        judged = _judged(fit_all(models, log, found.items), found)
        table = means(judged, "nDCG", draws=draws, seed=seed).table()
        known = interactions(log)
        tables.append(table.rename(columns={"name": "model"}).assign(
            share=share, users=len(some), interactions=len(known)
        ))  # fmt: skip
    columns = ["model", "share", "users", "interactions", "value", "low", "high"]
    return pd.concat(tables, ignore_index=True)[columns]


def _judged(fitted: Mapping, found: Periods) -> dict:
    lists = lists_of(fitted, found.test)
    return {
        name: judge(lists[name], found.test.targets, found.test.users, model.shop_)
        for name, model in fitted.items()
    }


def kept_at(density: pd.DataFrame) -> pd.DataFrame:
    """What each model keeps of its nDCG where it learnt from the fewest users.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``whole``, ``fewest`` (nDCG), ``kept`` (their ratio).
    """
    wide = density.pivot(index="model", columns="share", values="value")
    found = pd.DataFrame({"whole": wide[wide.columns.max()], "fewest": wide[wide.columns.min()]})
    found = found.reindex(dict.fromkeys(density.model))
    kept = np.where(found.whole > 0, found.fewest / found.whole.where(found.whole > 0, 1), np.nan)
    return found.assign(kept=kept).rename_axis("model").reset_index()
