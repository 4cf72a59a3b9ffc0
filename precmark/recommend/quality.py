"""Tables of the comparison: quality by target and user, categories, cold users and cold items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.recommend.measures import MEANS, Judged, K, judge, new_and_repeat, resampled
from precmark.recommend.occasions import DECISION_CLICK, Occasions
from precmark.recommend.study import (
    Entry,
    Periods,
    fit_all,
    shown_before,
    subset,
    without_items,
)

if TYPE_CHECKING:
    from precmark.recommend.base import Recommender
    from precmark.recommend.measures import Drawn

UNITS = {"value": "0 to 1 (novelty: bits)", "low": "as value", "high": "as value"}
"""Units of the quality table."""

HIDDEN_SHARE = 0.1
"""Share of the products that are made cold."""


def lists_of(
    models: Mapping[str, Recommender], occasions: Occasions, candidates: str = "all"
) -> dict[str, pd.DataFrame]:
    """Each model's ten for each occasion."""
    users = occasions.users[["user_code"]]
    return {
        name: model.recommend(users, K, history=occasions.history, candidates=candidates)
        for name, model in models.items()
    }


def quality(
    models: Mapping[str, Recommender], found: Periods, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Every metric at 10 of every model on the test part.

    Parameters
    ----------
    models : mapping of str to Recommender
        Fitted on what came before the test part.
    found : Periods
    draws : int
        Bootstrap draws of people, 100 or more.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``model``; ``target``, ``"all"``, ``"new"`` (items that the user had not touched, wanted and
        recommended) or ``"repeat"``; ``users``, ``"all"``, ``"warm"`` (known from before the
        session or period) or ``"cold"`` (nothing known, asked on arrival); ``metric``, ``value``,
        ``low``, ``high`` (95 % over people; none for coverage, which is no mean: people drawn
        twice add no items), ``occasions``.
    """
    test = found.test
    warm = test.users.before.to_numpy() > 0
    rows = []
    for target, targets in _targets(test).items():
        lists = lists_of(models, test, target)
        for users, kept in (("all", np.ones(len(test), bool)), ("warm", warm)):
            people = test.users[kept]
            wanted = targets[targets.user_code.isin(people.user_code)]
            rows += _rows(models, lists, wanted, people, target, users, draws, seed)
    cold = found.cold
    if len(cold):
        lists = lists_of(models, cold)
        rows += _rows(models, lists, cold.targets, cold.users, "all", "cold", draws, seed)
    return pd.concat(rows, ignore_index=True)


def _targets(asked: Occasions) -> dict[str, pd.DataFrame]:
    """The targets of `asked`: all, those new to the user, and those touched before."""
    repeat = new_and_repeat(asked)
    return {
        "all": asked.targets,
        "new": asked.targets[~repeat],
        "repeat": asked.targets[repeat],
    }


def _rows(models, lists, targets, people, target, users, draws, seed) -> list[pd.DataFrame]:
    """The rows of one target and group of users; none where nothing was wanted."""
    if targets.empty:
        return []
    judged = {
        name: judge(
            lists[name][lists[name].user_code.isin(people.user_code)], targets, people, model.shop_
        )
        for name, model in models.items()
    }
    tables = []
    for metric in MEANS:
        found = means(judged, metric, draws=draws, seed=seed).table()
        tables.append(found.rename(columns={"name": "model"}).assign(metric=metric))
    covered = pd.DataFrame(
        {"model": list(judged), "value": [j.coverage for j in judged.values()]}
    ).assign(low=np.nan, high=np.nan, metric="coverage")
    count = len(next(iter(judged.values())).each)
    whole = pd.concat([*tables, covered], ignore_index=True)
    whole = whole.assign(target=target, users=users, occasions=count)
    columns = ["model", "target", "users", "metric", "value", "low", "high", "occasions"]
    return [whole[columns]]


def means(judged: Mapping[str, Judged], metric: str, *, draws: int = 1000, seed: int = 0) -> Drawn:
    """The mean of `metric` of each model with its draws over people."""
    first = next(iter(judged.values())).each
    series = {name: j.each[metric].to_numpy() for name, j in judged.items()}
    return resampled(series, first.person.to_numpy(), draws=draws, seed=seed)


def against(
    models: Mapping[str, Recommender],
    found: Periods,
    first: str = "hybrid",
    *,
    target: str = "all",
    metric: str = "nDCG",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """`first` less every other model on the test part.

    Parameters
    ----------
    models, found, draws, seed
        As in :func:`quality`.
    first : str
        One of `models`.
    target : str
        ``"all"``, ``"new"`` or ``"repeat"``: what is wanted and recommended, as in :func:`quality`.
    metric : str
        One of the means.

    Returns
    -------
    pandas.DataFrame
        ``model`` (the other), ``target``, ``metric``, ``difference``, ``low``, ``high`` (95 %
        over people, both models on the same draws), ``favours`` (``"first"``, ``"second"`` or
        ``"neither"``).
    """
    test, lists = found.test, lists_of(models, found.test, target)
    targets = _targets(test)[target]
    judged = {
        name: judge(lists[name], targets, test.users, model.shop_) for name, model in models.items()
    }
    drawn = means(judged, metric, draws=draws, seed=seed)
    rows = []
    for name in models:
        if name != first:
            rows.append((name, target, metric, *drawn.difference(first, name)))
    columns = ["model", "target", "metric", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(favours=favours(table))


def favours(table: pd.DataFrame) -> np.ndarray:
    """Whom an interval ``low`` to ``high`` of first less second favours."""
    return np.select([table.low > 0, table.high < 0], ["first", "second"], "neither")


def category_hits(
    models: Mapping[str, Recommender],
    occasions: Occasions,
    items: pd.DataFrame,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Whether the next item wanted falls in the category that a coupon would be for.

    Returns
    -------
    pandas.DataFrame, pandas.DataFrame
        ``model``, ``hit_rate``, ``low``, ``high`` (95 % over people), ``occasions``; and ``hybrid``
        less each other model as :func:`against` returns it, ``metric`` being ``"category hit"``.
    """
    category = items.drop_duplicates("item_id").set_index("item_id").category.astype(object)
    first = occasions.targets[occasions.targets.place == 0].set_index("user_code").item_id
    wanted = category.reindex(first.reindex(occasions.users.user_code)).to_numpy()
    users = occasions.users[["user_code"]]
    series = {}
    for name, model in models.items():
        given = model.category(users, history=occasions.history).category.astype(object)
        series[name] = (given.to_numpy() == wanted).astype(float)
    drawn = resampled(series, occasions.users.person.to_numpy(), draws=draws, seed=seed)
    table = drawn.table().rename(columns={"name": "model", "value": "hit_rate"})
    rows = [
        (name, "category hit", *drawn.difference("hybrid", name))
        for name in models
        if name != "hybrid"
    ]
    apart = pd.DataFrame(rows, columns=["model", "metric", "difference", "low", "high"])
    return table.assign(occasions=len(users)), apart.assign(favours=favours(apart))


def by_clicks(
    models: Mapping[str, Recommender],
    found: Periods,
    *,
    metric: str = "nDCG",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """`metric` on the test occasions of users who came for the first time, by clicks known.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``clicks`` (0, on arrival, to k), ``when`` in words, ``value``, ``low``,
        ``high``, ``occasions``: the same sessions and targets at every number of clicks.
    """
    tables = []
    for known in range(DECISION_CLICK + 1):
        asked = found.asked(known=known)
        asked = subset(asked, asked.users.before.to_numpy() == 0)
        if not len(asked):
            return pd.DataFrame()
        lists = lists_of(models, asked)
        judged = {
            name: judge(lists[name], asked.targets, asked.users, model.shop_)
            for name, model in models.items()
        }
        table = means(judged, metric, draws=draws, seed=seed).table()
        table = table.rename(columns={"name": "model"})
        tables.append(table.assign(clicks=known, when=shown_before(known), occasions=len(asked)))
    return pd.concat(tables, ignore_index=True)


def cold_items(
    models: Mapping[str, Entry], found: Periods, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Recall at 10 of products that training never saw: a tenth of them, made cold on purpose.

    The events about these products are taken out of training and of the histories; all products
    stay candidates. Targets are views where the source has them, else purchases.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``value``, ``low``, ``high`` (95 % over people), ``occasions``; empty where no
        hidden product was wanted.
    """
    products = found.items[found.items.kind.astype(str) == "product"].item_id
    rng = np.random.default_rng(seed)
    count = max(1, round(HIDDEN_SHARE * len(products)))
    hidden = rng.choice(np.sort(products.to_numpy(dtype=object)), count, replace=False)
    training = found.before_test
    fitted = fit_all(models, training[~training.item_id.isin(hidden)], found.items)
    asked = found.asked(wanted="view") if found.clicks else found.test
    asked = without_items(found, list(hidden), asked)
    if not len(asked):
        return pd.DataFrame()
    lists = lists_of(fitted, asked)
    judged = {
        name: judge(lists[name], asked.targets, asked.users, model.shop_)
        for name, model in fitted.items()
    }
    table = means(judged, "recall", draws=draws, seed=seed).table()
    return table.rename(columns={"name": "model"}).assign(occasions=len(asked))
