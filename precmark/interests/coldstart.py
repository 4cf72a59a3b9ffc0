"""Cold start: newcomers served by what people like them want, new products by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.interests.exposure import Groups, all_scores, exposure, groups_of, lists_from
from precmark.metrics.resampling import percentiles
from precmark.recommend.hybrid import HybridRecommender
from precmark.recommend.measures import K, judge, resampled
from precmark.recommend.occasions import Occasions
from precmark.recommend.quality import HIDDEN_SHARE, favours, means
from precmark.recommend.ranks import top
from precmark.recommend.shop import interactions, products_of
from precmark.recommend.study import subset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from precmark.recommend.shop import Shop
    from precmark.recommend.study import Periods

ATTRIBUTES = ("gender", "age", "country", "login_platform", "referrer", "signup_provider")
"""What a shop may know of somebody before the first click."""

AGE_YEARS = 10
"""Width of the bands that ages are read in."""

STRENGTH = 200.0
"""Interactions that everybody's shares count as beside those of the people like a newcomer."""

MOST_OCCASIONS = 1_500
"""Occasions of either kind; more are drawn from."""


class PeopleLike:
    """Popularity, tilted towards what people with the same attributes want.

    A product's score is log s_i + sum over attributes of log(s_g|v / s_g): its share of all
    interactions, and by how much its group g has a larger share among people with value v than
    among all. Shares among few people are drawn to everybody's (:data:`STRENGTH`).

    Attributes
    ----------
    columns_ : tuple of str
        The attributes in which the users differ.
    """

    def fit(
        self, events: pd.DataFrame, users: pd.DataFrame, shop: Shop, groups: Groups
    ) -> PeopleLike:
        """Learn from `events` of `users` (``user_code`` and :data:`ATTRIBUTES`)."""
        self.users_ = _attributes(users)
        self.columns_ = tuple(c for c in self.users_ if self.users_[c].nunique() > 1)
        self.groups_ = groups
        known = interactions(events)
        column = shop.index.get_indexer(known.item_id)
        known = known[column >= 0].assign(group=groups.code[column[column >= 0]])
        known = known.join(self.users_, on="user_code")
        popularity = shop.popularity + 1.0
        self.base_ = np.log(popularity / popularity.sum())
        whole = np.bincount(known.group, known.weight, minlength=len(groups)) + 1.0
        share = whole / whole.sum()
        self.tilts_ = {}
        for name in self.columns_:
            table = known.pivot_table(index=name, columns="group", values="weight",
                                      aggfunc="sum", fill_value=0.0)  # fmt: skip
            count = table.reindex(columns=range(len(groups)), fill_value=0.0)
            pulled = count + STRENGTH * share
            among = pulled.div(pulled.sum(axis=1), axis=0)
            self.tilts_[name] = np.log(among / share)
        return self

    def scores(self, people: Sequence[int]) -> np.ndarray:
        """(n, m) float32 for user codes `people`; unknown ones get what is popular."""
        mine = self.users_.reindex(people)
        tilt = np.zeros((len(mine), len(self.groups_)))
        for name, table in self.tilts_.items():
            tilt += table.reindex(mine[name]).fillna(0.0).to_numpy()
        return (self.base_ + tilt[:, self.groups_.code]).astype(np.float32)


def _attributes(users: pd.DataFrame) -> pd.DataFrame:
    """The attributes in words by user_code, ages in bands; missing ones are a value."""
    made = users.set_index("user_code")[[c for c in ATTRIBUTES if c in users]].copy()
    if "age" in made:
        band = np.floor(made.age.astype(float) / AGE_YEARS) * AGE_YEARS
        made["age"] = band.map("{:.0f}".format).where(made.age.notna())
    return made.astype(object).where(made.notna(), "not stated")


@dataclass(frozen=True)
class Newcomers:
    """Lists on arrival for users of whom nothing is known, and for those known before.

    Attributes
    ----------
    lists : pandas.DataFrame
        A row a list for the same newcomers: ``name``, ``value`` (nDCG at 10), ``low``, ``high``,
        and less the popular list ``difference``, ``difference_low``, ``difference_high``,
        ``favours`` (``"first"``: better than what is popular).
    known : pandas.DataFrame
        Two rows: ``who`` (``"known before"``, ``"new"``), ``value``, ``low``, ``high``,
        ``occasions``, of the hybrid's lists on arrival.
    gap : tuple of float
        Known less new, and its 95 % interval; the two are different people.
    attributes : tuple of str
        What the tilted list knew.
    """

    lists: pd.DataFrame
    known: pd.DataFrame
    gap: tuple[float, float, float]
    attributes: tuple[str, ...]


def newcomers(
    found: Periods,
    users: pd.DataFrame | None,
    *,
    alpha: float = 0.5,
    draws: int = 1000,
    seed: int = 0,
) -> Newcomers | None:
    """How newcomers are served on arrival; None where nobody came for the first time.

    Parameters
    ----------
    found : Periods
    users : pandas.DataFrame, optional
        ``user_code`` and attributes, as in ``contract/users``.
    alpha : float
        Of the item-item hybrid.
    draws, seed : int
    """
    wanted = {"wanted": "view"} if found.clicks else {}
    arriving = found.asked(known=0, **wanted) if found.clicks else found.test
    first = arriving.users.before.to_numpy() == 0
    if not first.any() or first.all():
        return None
    model = HybridRecommender(alpha=alpha, seed=seed).fit(found.before_test, found.items)
    asked = _drawn(subset(arriving, first), seed)
    scores = {"what is popular": all_scores(model, asked)[alpha]}
    like = None
    if users is not None:
        like = PeopleLike().fit(found.before_test, users, model.shop_, _kinds(model.shop_))
    if like is not None and like.columns_:
        scores["what people like them want"] = like.scores(asked.users.person)
    if found.clicks:
        later = found.asked(known=1, **wanted)
        later = subset(later, np.isin(later.users.user_code, asked.users.user_code))
        scores["the hybrid, one click later"] = all_scores(model, later)[alpha]
    shop = model.shop_
    judged = {
        name: judge(lists_from(top(s, K), asked, shop), asked.targets, asked.users, shop)
        for name, s in scores.items()
    }
    drawn = means(judged, "nDCG", draws=draws, seed=seed)
    apart = pd.DataFrame(
        [drawn.difference(name, "what is popular") for name in scores],
        columns=["difference", "low", "high"],
    )
    apart = apart.assign(favours=favours(apart))
    apart = apart.rename(columns={"low": "difference_low", "high": "difference_high"})
    lists = pd.concat([drawn.table(), apart], axis=1)
    before = _drawn(subset(arriving, ~first), seed)
    known, gap = _two_groups(model, {"known before": before, "new": asked}, draws, seed)
    return Newcomers(lists, known, gap, like.columns_ if like is not None else ())


def _kinds(shop: Shop) -> Groups:
    """The groups by which people's taste is read: categories, else what there is."""
    try:
        return groups_of(shop, "category")
    except InputError:
        return groups_of(shop)


def _drawn(asked: Occasions, seed: int) -> Occasions:
    if len(asked) <= MOST_OCCASIONS:
        return asked
    kept = np.zeros(len(asked), dtype=bool)
    kept[np.random.default_rng(seed).choice(len(asked), MOST_OCCASIONS, replace=False)] = True
    return subset(asked, kept)


def _two_groups(model, asked: dict[str, Occasions], draws: int, seed: int):
    """nDCG of the model's lists for each group of people, and the first less the second."""
    rows, drawn = [], []
    for place, (who, occasions) in enumerate(asked.items()):
        scores = all_scores(model, occasions)[model.alpha_]
        lists = lists_from(top(scores, K), occasions, model.shop_)
        each = judge(lists, occasions.targets, occasions.users, model.shop_).each
        # different people: the draws of the two groups have nothing to do with each other
        found = resampled({who: each.nDCG}, each.person, draws=draws, seed=seed + place)
        drawn.append(found)
        rows.append(found.table().assign(who=who, occasions=len(each)).drop(columns="name"))
    apart = drawn[0].draws[0] - drawn[1].draws[0]
    low, high = percentiles(apart)
    gap = float(drawn[0].values[0] - drawn[1].values[0]), float(low), float(high)
    return pd.concat(rows, ignore_index=True), gap


def new_products(
    found: Periods,
    *,
    places: Sequence[int] = (0, 1, 2),
    alpha: float = 0.5,
    share: float = HIDDEN_SHARE,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How much products without a history are shown, and what a place kept for them costs.

    A share of the products is made new on purpose: the log that models learn from and the
    histories do not know them, the catalogue and the targets do.

    Parameters
    ----------
    found : Periods
    places : sequence of int
        How many of the ten places, counted from the last, are kept for new products, 0 to 9; the
        item-item list is tried with each.
    alpha : float
        Of the item-item hybrid.
    share : float
        Of the products made new, between 0 and 1.
    draws, seed : int

    Returns
    -------
    pandas.DataFrame
        ``list`` (``"popular"``, ``"item-item"`` that knows nothing but histories, with 0 and more
        places kept, ``"content"``, ``"hybrid"``), ``kept`` (places), ``exposure`` and ``wanted``
        (the new products' shares), ``ratio``, ``ratio_low``, ``ratio_high`` (1: shown as much as
        wanted), ``reached`` (share of the new products in at least one list), ``nDCG``, and less
        that of item-item without kept places: ``difference``, ``low``, ``high``, ``favours``.
        Empty where no new product was wanted.

    Raises
    ------
    InputError
        Places outside 0 to 9, a share that leaves no or only new products; all at once.
    """
    _check(places, share)
    products = np.sort(products_of(found.items).item_id.to_numpy(dtype=object))
    count = max(1, round(share * len(products)))
    hidden = np.random.default_rng(seed).choice(products, count, replace=False)
    training = found.before_test[~found.before_test.item_id.isin(hidden)]
    model = HybridRecommender(alpha=alpha, seed=seed).fit(training, found.items)
    asked = _drawn(found.asked(wanted="view") if found.clicks else found.test, seed)
    history = asked.history[~asked.history.item_id.isin(hidden)]
    asked = Occasions(asked.users, history, asked.targets)
    shop = model.shop_
    fresh = shop.index.isin(hidden)
    if not asked.targets.item_id.isin(hidden).any():
        return pd.DataFrame()
    scores = all_scores(model, asked, (0.0, 1.0, alpha))
    by_content = scores[0.0]
    popular = np.broadcast_to(np.arange(len(shop), dtype=np.float32), by_content.shape)
    # our item-item lists products that nobody touched by their content; here it may not
    alone = top(np.where(fresh, np.float32(-1), scores[1.0]), K)
    best = top(np.where(fresh, by_content, np.float32(-1)), min(K, count))
    made = {("popular", 0): top(popular, K)}
    made |= {("item-item", n): keep_places(alone, best, n) for n in sorted({0, *places})}
    made |= {("content", 0): top(by_content, K), ("hybrid", 0): top(scores[alpha], K)}
    return _exposed(made, fresh, asked, shop, draws, seed)


def _check(places: Sequence[int], share: float) -> None:
    problems = [
        Problem(f"places: {n}", f"Keep 0 to {K - 1} of the {K} places.")
        for n in places
        if not 0 <= n < K
    ]
    if not 0 < share < 1:
        problems.append(Problem(f"share: {share}", "Make a share between 0 and 1 of them new."))
    if problems:
        raise InputError(problems)


def keep_places(columns: np.ndarray, best: np.ndarray, places: int) -> np.ndarray:
    """Lists whose last `places` go to new products, the best first.

    Parameters
    ----------
    columns : array of int (n, k)
        Lists, best first.
    best : array of int (n, b)
        Each user's new products, best first.
    places : int
        0 to k - 1, no more than b.

    Returns
    -------
    numpy.ndarray (n, k)
        A new product that the list holds already keeps its place; the next best ones fill the
        places kept.
    """
    made = columns.copy()
    k = columns.shape[1]
    for row in range(len(columns) if places else 0):
        head = columns[row, : k - places]
        fresh = best[row][~np.isin(best[row], head)][:places]
        rest = columns[row, k - places : k - len(fresh)]
        made[row] = np.concatenate([head, rest, fresh])
    return made


def _exposed(made, fresh: np.ndarray, asked: Occasions, shop: Shop, draws: int, seed: int):
    """Exposure of the new products and quality of every list of `made`."""
    groups = Groups("age", ("known", "new"), fresh.astype(np.int64))
    rows, judged = [], {}
    for (name, kept), columns in made.items():
        lists = lists_from(columns, asked, shop)
        judged[f"{name} {kept}"] = judge(lists, asked.targets, asked.users, shop)
        found = exposure(lists, asked, shop, groups, draws=draws, seed=seed)
        new = found.set_index("group").loc["new"]
        reached = np.isin(np.flatnonzero(fresh), columns).mean()
        rows.append((name, kept, new.exposure, new.wanted, new.ratio, new.low, new.high, reached))
    names = ["list", "kept", "exposure", "wanted", "ratio", "ratio_low", "ratio_high", "reached"]
    drawn = means(judged, "nDCG", draws=draws, seed=seed)
    apart = pd.DataFrame(
        [drawn.difference(name, "item-item 0") for name in judged],
        columns=["difference", "low", "high"],
    )
    table = pd.DataFrame(rows, columns=names).assign(nDCG=drawn.values)
    return pd.concat([table, apart.assign(favours=favours(apart))], axis=1)
