"""Who is shown how much: exposure by brand or category against what was wanted, and a bound on it.

A place in a list is worth 1 / log2(rank + 1), as in nDCG. A group of products (a brand) is pushed
where its share of all exposure is larger than its share of what users wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.metrics.resampling import percentiles, user_weights
from precmark.recommend.content import PRICE_BANDS, price_bands
from precmark.recommend.measures import K
from precmark.recommend.shop import histories_of

if TYPE_CHECKING:
    from precmark.recommend.hybrid import HybridRecommender
    from precmark.recommend.occasions import Occasions
    from precmark.recommend.shop import Shop

LEAST_GROUP = K
"""Products; smaller groups are put together as "others", so that each could fill a list."""


@dataclass(frozen=True)
class Groups:
    """The products of a shop in groups that could be favoured.

    Attributes
    ----------
    by : str
        One of :data:`GROUPINGS`.
    names : tuple of str
        Sorted.
    code : numpy.ndarray
        (m,) position of each product's group in `names`, in the shop's order.
    """

    by: str
    names: tuple[str, ...]
    code: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


GROUPINGS = ("brand", "category", "band of price", "popularity")
"""In which order :func:`groups_of` looks for groups; every shop of twenty products has the last."""


def groups_of(shop: Shop, by: str | None = None) -> Groups:
    """The products of `shop` by `by`; left out, by the first of :data:`GROUPINGS` that parts them.

    Parameters
    ----------
    shop : Shop
    by : str, optional
        ``"brand"``, ``"category"``, ``"band of price"`` (five of equal size) or ``"popularity"``
        (best-sellers of the training part and the others, half each).

    Raises
    ------
    InputError
        Where the shop does not tell its products apart in that way, or has fewer than two groups
        of ten.
    """
    if by is not None and by not in GROUPINGS:
        raise InputError(Problem(f"by: {by!r}", f"One of {', '.join(GROUPINGS)}."))
    made = {name: _column(shop, name) for name in GROUPINGS}
    large = {name: _large_enough(values) for name, values in made.items() if values is not None}
    usable = {name: values for name, values in large.items() if values.nunique() > 1}
    by = by or next(iter(usable), None)
    if by not in usable:
        what = f"products by {by}" if by else "products"
        fix = f"This shop can be parted by: {', '.join(usable) or 'nothing'}."
        raise InputError(Problem(f"{what}: no two groups of {LEAST_GROUP} or more", fix))
    code, names = pd.factorize(usable[by], sort=True)
    return Groups(by, tuple(map(str, names)), code.astype(np.int64))


def _column(shop: Shop, by: str) -> pd.Series | None:
    """The group of each product in words; None where nothing is known."""
    items = shop.items
    if by == "popularity":
        # a shop counts its products from the least to the most touched
        best = np.arange(len(items)) >= len(items) // 2
        return pd.Series(np.where(best, "best-sellers", "others of the shop"))
    if by == "band of price":
        if "price" not in items or items.price.notna().sum() < PRICE_BANDS:
            return None
        return price_bands(items.price).fillna("not stated")
    if by not in items or items[by].isna().all():
        return None
    return items[by].astype(object).where(items[by].notna(), "not stated").map(str)


def _large_enough(values: pd.Series) -> pd.Series:
    """Small groups together as "others", with the next larger ones while these are too few."""
    size = values.value_counts().sort_values(kind="stable")
    small = list(size.index[size < LEAST_GROUP])
    for name in size.index[len(small) :]:
        if not small or size[small].sum() >= LEAST_GROUP:
            break
        small.append(name)
    return values.where(~values.isin(small), "others")


def all_scores(
    model: HybridRecommender, asked: Occasions, alphas: Sequence[float] | None = None
) -> dict[float, np.ndarray]:
    """(occasions, m) float32 by a: the hybrid's r' of every product for every occasion.

    `alphas` are the values of a; the model's own where left out. Products of which neither score
    knows more are told apart by popularity.
    """
    known = histories_of(
        asked.history, model.shop_, asked.users.user_code, half_life=model.half_life
    )
    by_others, by_content = model.parts(known, model.model_.prepare(known.items))
    tie = np.linspace(0, 1e-6, len(model.shop_), dtype=np.float32)
    return {
        alpha: np.float32(alpha) * by_others + np.float32(1 - alpha) * by_content + tie
        for alpha in ([model.alpha_] if alphas is None else alphas)
    }


def lists_from(columns: np.ndarray, asked: Occasions, shop: Shop) -> pd.DataFrame:
    """Columns (occasions, k) as lists: ``user_code``, ``rank`` from 1, ``item_id``."""
    n, k = columns.shape
    return pd.DataFrame(
        {
            "user_code": np.repeat(asked.users.user_code.to_numpy(), k),
            "rank": np.tile(np.arange(1, k + 1), n),
            "item_id": shop.index.take(columns.ravel()),
        }
    )


def wanted_share(targets: pd.DataFrame, shop: Shop, groups: Groups) -> np.ndarray:
    """(groups,) each group's share of what was wanted; one is added to each, none has nothing."""
    column = shop.index.get_indexer(targets.item_id)
    count = np.bincount(groups.code[column[column >= 0]], minlength=len(groups)) + 1.0
    return count / count.sum()


def exposure(
    lists: pd.DataFrame,
    asked: Occasions,
    shop: Shop,
    groups: Groups,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each group's share of exposure beside its share of what was wanted afterwards.

    Parameters
    ----------
    lists : pandas.DataFrame
        ``user_code``, ``rank`` from 1, ``item_id``: a list an occasion.
    asked : Occasions
    shop : Shop
    groups : Groups
    draws, seed : int
        Bootstrap over people; both shares are of the same people.

    Returns
    -------
    pandas.DataFrame
        ``group``, ``catalogue`` (share of the products), ``exposure`` and ``wanted`` (shares),
        ``ratio`` (exposure / wanted; 1 is neutral) with its 95 % interval ``low``, ``high``, and
        ``says``: ``"pushed"``, ``"held back"`` or ``"neutral"`` (the interval holds 1).

    References
    ----------
    Singh and Joachims 2018, Fairness of exposure in rankings, doi 10.1145/3219819.3220088.
    """
    row = pd.Index(asked.users.user_code)
    people, person = pd.factorize(asked.users.person)[0], asked.users.person.nunique()
    shown = _by_person(lists, row, people, person, shop, groups, 1 / np.log2(lists["rank"] + 1))
    liked = _by_person(
        asked.targets, row, people, person, shop, groups, np.ones(len(asked.targets))
    )
    ratio = _ratio(shown.sum(1), liked.sum(1))
    drawn = [_ratio(shown @ w, liked @ w) for w in user_weights(person, draws, seed)]
    low, high = percentiles(np.concatenate(drawn, axis=1))
    products = np.bincount(groups.code, minlength=len(groups))
    return pd.DataFrame(
        {
            "group": groups.names,
            "catalogue": products / products.sum(),
            "exposure": shown.sum(1) / shown.sum(),
            "wanted": liked.sum(1) / max(liked.sum(), 1),
            "ratio": ratio,
            "low": low,
            "high": high,
            "says": np.select([low > 1, high < 1], ["pushed", "held back"], "neutral"),
        }
    )


def _by_person(frame, row, people, person, shop, groups, weight) -> np.ndarray:
    """(groups, people) sums of `weight` over the rows of `frame`."""
    at, column = row.get_indexer(frame.user_code), shop.index.get_indexer(frame.item_id)
    kept = (at >= 0) & (column >= 0)
    place = groups.code[column[kept]] * person + people[at[kept]]
    made = np.bincount(place, np.asarray(weight)[kept], minlength=len(groups) * person)
    return made.reshape(len(groups), person)


def _ratio(shown: np.ndarray, liked: np.ndarray) -> np.ndarray:
    """Share of `shown` over share of `liked`; nan where nobody wanted the group."""
    one, two = shown / shown.sum(0), liked / np.maximum(liked.sum(0), 1)
    return np.divide(one, two, out=np.full_like(one, np.nan), where=two > 0)


def gini(amounts: np.ndarray) -> float:
    """Gini coefficient of `amounts` (n,), 0 or more: 0 where all have the same, towards 1 for one.

    Examples
    --------
    >>> gini(np.array([1.0, 1.0])), gini(np.array([0.0, 1.0]))
    (0.0, 0.5)
    """
    values = np.sort(np.asarray(amounts, dtype=float))
    n, total = len(values), values.sum()
    if not n or total <= 0:
        return 0.0
    return float(2 * (np.arange(1, n + 1) @ values) / (n * total) - (n + 1) / n)


def item_exposure(columns: np.ndarray, m: int) -> np.ndarray:
    """(m,) exposure that each product gets from lists (occasions, k)."""
    weight = 1 / np.log2(np.arange(columns.shape[1]) + 2)
    return np.bincount(columns.ravel(), np.broadcast_to(weight, columns.shape).ravel(), minlength=m)


def bounded_lists(
    scores: np.ndarray, code: np.ndarray, target: np.ndarray, bound: float, *, k: int = K
) -> np.ndarray:
    """Lists in which no group is shown more than `bound` times its target share.

    Lists are made one after the other and place by place. A place goes to the highest score among
    the groups that may still be shown: those whose exposure so far, with this place, is at most
    `bound` x target x all exposure, with one first place to spare. Some group always may, so lists
    are full.

    Parameters
    ----------
    scores : array (n, m)
        Higher is better.
    code : array (m,) of int
        Group of each product, from 0.
    target : array (groups,)
        Shares that sum to 1, each above 0.
    bound : float
        1 or more; infinity bounds nothing.
    k : int
        Length of the lists, at most the size of the smallest group.

    Returns
    -------
    numpy.ndarray of int64 (n, k)
        Columns of `scores`, best place first. After every place, the exposure E_g of each group is
        at most bound x target_g x sum E + 1.

    Raises
    ------
    InputError
        A bound below 1, a target that is no distribution, groups smaller than k; all at once.

    References
    ----------
    Biega, Gummadi, Weikum 2018, Equity of attention, doi 10.1145/3209978.3210063 (attention summed
    over lists); the bound by place is ours.
    """
    _check_bound(scores, code, target, bound, k)
    weight = 1 / np.log2(np.arange(k) + 2)
    spent, total = np.zeros(len(target)), 0.0
    made = np.empty((len(scores), k), dtype=np.int64)
    rooms = [np.flatnonzero(code == g) for g in range(len(target))]
    for i, row in enumerate(scores):
        # only a group's best k can enter: each is a queue, and the best open queue gives the next
        queues = [members[_best(row[members], k)] for members in rooms]
        heads = np.zeros(len(queues), dtype=np.int64)
        values = np.array([row[q[0]] for q in queues])
        for place in range(k):
            more = weight[place]
            open_ = spent + more <= bound * target * (total + more) + 1.0
            g = int(np.where(open_, values, -np.inf).argmax())
            made[i, place] = queues[g][heads[g]]
            heads[g] += 1
            values[g] = row[queues[g][heads[g]]] if heads[g] < len(queues[g]) else -np.inf
            spent[g] += more
            total += more
    return made


def _best(values: np.ndarray, k: int) -> np.ndarray:
    """Positions of the k highest values, best first; the later first among equals."""
    far = len(values) - k
    near = np.argpartition(values, far)[far:] if far > 0 else np.arange(len(values))
    return near[np.lexsort((near, values[near]))[::-1]]


def _check_bound(scores, code, target, bound: float, k: int) -> None:
    target = np.asarray(target, dtype=float)
    problems = []
    if not bound >= 1:
        problems.append(Problem(f"bound: {bound}", "Use 1 or more; below 1 no list can be full."))
    if not len(target) or (target <= 0).any() or abs(target.sum() - 1) > 1e-6:
        problems.append(Problem("target: no shares above 0 that sum to 1", "See wanted_share."))
    if np.shape(scores)[1] != len(code):
        what = f"code: {len(code)} groups for {np.shape(scores)[1]} products"
        problems.append(Problem(what, "Give the group of each product."))
    smallest = np.bincount(code, minlength=len(target)).min() if len(code) else 0
    if k > smallest:
        fix = "Put small groups together, or ask for shorter lists."
        problems.append(Problem(f"k: {k}, but a group has {smallest} products", fix))
    if problems:
        raise InputError(problems)
