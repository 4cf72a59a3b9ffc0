"""How good lists of ten are, occasion by occasion and on average with intervals over users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.metrics.resampling import percentiles, user_weights

if TYPE_CHECKING:
    from precmark.recommend.occasions import Occasions
    from precmark.recommend.shop import Shop

K = 10
"""Length of the lists that are judged."""

MEANS = ("precision", "recall", "hit rate", "nDCG", "MAP", "novelty")
"""Metrics that are a mean over occasions, so that users can be drawn again."""

METRICS = (*MEANS, "coverage")


@dataclass(frozen=True)
class Judged:
    """One model's lists against what was wanted.

    Attributes
    ----------
    each : pandas.DataFrame
        A row an occasion that has a target: ``user_code``, ``person`` and :data:`MEANS`.
    coverage : float
        Share of the catalogue that at least one list holds.
    """

    each: pd.DataFrame
    coverage: float


def judge(
    lists: pd.DataFrame, targets: pd.DataFrame, users: pd.DataFrame, shop: Shop, *, k: int = K
) -> Judged:
    """Each occasion's metrics at k.

    Parameters
    ----------
    lists : pandas.DataFrame
        As :meth:`~precmark.recommend.base.Recommender.recommend` returns; up to k rows a user.
    targets : pandas.DataFrame
        ``user_code``, ``item_id``, each pair once. Users without a target are left out.
    users : pandas.DataFrame
        ``user_code``, ``person``.
    shop : Shop
        The catalogue and how often each of its products was touched in training.

    Returns
    -------
    Judged
        With h_r = 1 where the item at rank r is a target and T the number of targets: precision
        sum h / k; recall sum h / T; hit rate max h; nDCG sum h_r / log2(r + 1) over the same sum
        for min(k, T) hits at the head; MAP sum h_r precision@r / min(k, T); novelty the mean of
        -log2 of an item's share of training interactions (one added to each item's count), 0 for
        an empty list.
    """
    asked = users[users.user_code.isin(targets.user_code)].reset_index(drop=True)
    row = pd.Index(asked.user_code).get_indexer(lists.user_code)
    mine = lists[(row >= 0) & (lists["rank"] <= k).to_numpy()]
    row = row[(row >= 0) & (lists["rank"] <= k).to_numpy()]
    n = len(asked)
    pairs = pd.MultiIndex.from_frame(targets[["user_code", "item_id"]])
    found = pd.MultiIndex.from_frame(mine[["user_code", "item_id"]]).isin(pairs)
    hits = np.zeros((n, k))
    hits[row, mine["rank"].to_numpy() - 1] = found
    wanted = targets.groupby("user_code").size().reindex(asked.user_code).to_numpy(dtype=float)
    column = shop.index.get_indexer(mine.item_id)
    surprise = -np.log2((shop.popularity + 1) / (shop.popularity + 1).sum())
    listed = np.bincount(row, minlength=n)
    novelty = np.bincount(row, surprise[column], minlength=n) / np.maximum(listed, 1)
    each = asked[["user_code", "person"]].assign(**_means(hits, wanted, k), novelty=novelty)
    return Judged(each, len(np.unique(column)) / len(shop))


def _means(hits: np.ndarray, wanted: np.ndarray, k: int) -> dict[str, np.ndarray]:
    rank = np.arange(1, k + 1)
    discount = 1 / np.log2(rank + 1)
    most = np.minimum(wanted, k).astype(int)
    ideal = np.concatenate([[0], np.cumsum(discount)])[most]
    precise = np.cumsum(hits, axis=1) / rank
    some = hits.sum(axis=1)
    return {
        "precision": some / k,
        "recall": some / wanted,
        "hit rate": (some > 0).astype(float),
        "nDCG": hits @ discount / ideal,
        "MAP": (hits * precise).sum(axis=1) / most,
    }


@dataclass(frozen=True)
class Drawn:
    """Means over occasions and what they would be in other samples of the same people.

    Attributes
    ----------
    names : tuple of str
        Of the series, e.g. models.
    values : numpy.ndarray
        (series,) means.
    draws : numpy.ndarray
        (series, draws); all series share the draws.
    """

    names: tuple[str, ...]
    values: np.ndarray
    draws: np.ndarray

    def table(self) -> pd.DataFrame:
        """``name``, ``value`` and the 95 % interval ``low``, ``high``; a row a series."""
        low, high = percentiles(self.draws)
        return pd.DataFrame(
            {"name": list(self.names), "value": self.values, "low": low, "high": high}
        )

    def difference(self, first: str, second: str) -> tuple[float, float, float]:
        """First less second: the difference and its 95 % interval."""
        i, j = self.names.index(first), self.names.index(second)
        low, high = percentiles(self.draws[i] - self.draws[j])
        found = (self.values[i] - self.values[j], low, high)
        # equal lists give equal means up to the last digits of a sum
        return tuple(round(float(value), 12) + 0.0 for value in found)


def resampled(
    series: Mapping[str, np.ndarray], people: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> Drawn:
    """The mean of each of `series`, and its bootstrap over people.

    Parameters
    ----------
    series : mapping of str to array (n,)
        A value an occasion.
    people : array (n,)
        Whose occasion it is: people are drawn again with all their occasions.
    """
    names = tuple(series)
    values = np.array([np.asarray(series[name], dtype=float) for name in names]).reshape(
        len(names), len(people)
    )
    person, n = pd.factorize(np.asarray(people))[0], 0
    n = person.max() + 1 if len(person) else 0
    if not n:
        nothing = np.full(len(names), np.nan)
        return Drawn(names, nothing, np.full((len(names), draws), np.nan))
    total = np.stack([np.bincount(person, v, minlength=n) for v in values])
    count = np.bincount(person, minlength=n).astype(float)
    parts = [total @ w / (count @ w) for w in user_weights(n, draws, seed)]
    return Drawn(names, values.mean(axis=1), np.concatenate(parts, axis=1))


def new_and_repeat(occasions: Occasions) -> pd.Series:
    """Whether each target of `occasions` was in its user's history: bool, in their order."""
    from precmark.recommend.shop import interactions

    known = interactions(occasions.history)
    seen = pd.MultiIndex.from_frame(known[["user_code", "item_id"]].drop_duplicates())
    pairs = pd.MultiIndex.from_frame(occasions.targets[["user_code", "item_id"]])
    return pd.Series(pairs.isin(seen), index=occasions.targets.index, name="repeat")
