"""What a recommender knows of a shop's products and of each user's history, as matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scipy.sparse import csr_matrix

WEIGHTS = {"view": 1.0, "cart": 3.0, "purchase": 5.0}
"""What an event tells of a user's liking; several on one item add up before a logarithm."""

SEARCH_WEIGHT = 1.0
"""Of a search that names a category and no item: it feeds the content scores alone."""

HALF_LIFE = 1.0
"""Later moments after which an event counts half. Validation parts of all sources that we have
preferred 0.5 to 2 by far to a history without age."""

LEAST_ITEMS = 10
"""Fewer products are no catalogue to choose a list of ten from."""

EVENT_COLUMNS = ("user_code", "item_id", "event", "timestamp")
ITEM_COLUMNS = ("item_id", "category")


@dataclass(frozen=True)
class Shop:
    """The products in the order in which a recommender counts them: the least bought first.

    Attributes
    ----------
    items : pandas.DataFrame
        m products, one row each, columns as in the contract; the position is the item's number.
    index : pandas.Index
        ``item_id`` in that order.
    categories : tuple of str
        Every category that holds a product, sorted; empty where the source names none.
    category : numpy.ndarray
        (m,) position of each product's category in `categories`; -1 where there are none.
    popularity : numpy.ndarray
        (m,) weighted interactions of each product, rising; ties by ``item_id``.
    """

    items: pd.DataFrame
    index: pd.Index
    categories: tuple[str, ...]
    category: np.ndarray
    popularity: np.ndarray

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Histories:
    """What is known of each user.

    Attributes
    ----------
    users : pandas.Index
        n user codes, each once.
    items : scipy.sparse.csr_matrix
        (n, m) liking of each item, log(1 + sum of aged :data:`WEIGHTS`), float32.
    searches : scipy.sparse.csr_matrix
        (n, categories) the same for searches that name a category and no item.
    """

    users: pd.Index
    items: csr_matrix
    searches: csr_matrix

    def of(self, users: Iterable[int]) -> Histories:
        """The histories of `users` in their order; empty ones for users that are not here."""
        from scipy.sparse import csr_matrix, vstack

        codes = pd.Index(users)
        if codes.equals(self.users):
            return self
        at = self.users.get_indexer(codes)
        at = np.where(at < 0, len(self.users), at)
        parts = []
        for matrix in (self.items, self.searches):
            nothing = csr_matrix((1, matrix.shape[1]), dtype=matrix.dtype)
            parts.append(vstack([matrix, nothing], format="csr")[at])
        return Histories(codes, *parts)

    def __getitem__(self, rows: slice) -> Histories:
        return Histories(self.users[rows], self.items[rows], self.searches[rows])

    def __len__(self) -> int:
        return len(self.users)

    @property
    def cold(self) -> np.ndarray:
        """(n,) bool: no item is known of the user, so that collaborative scores say nothing."""
        return np.diff(self.items.indptr) == 0


def shop_of(events: pd.DataFrame, items: pd.DataFrame) -> Shop:
    """The products of `items`, ordered by their popularity in `events`.

    Broadcasters (``kind`` other than ``product``) are no products. Tables are checked before,
    see :func:`table_problems`.
    """
    products = products_of(items)
    known = interactions(events)
    codes = pd.Index(products.item_id).get_indexer(known.item_id)
    mine = codes >= 0
    popularity = np.bincount(codes[mine], known.weight.to_numpy()[mine], minlength=len(products))
    order = np.lexsort((products.item_id.to_numpy(dtype=str), popularity))
    products = products.iloc[order].reset_index(drop=True)
    named = products.category.notna().all()
    categories = tuple(sorted(products.category.astype(str).unique())) if named else ()
    category = pd.Index(categories).get_indexer(products.category.astype(str)).astype(np.int32)
    return Shop(products, pd.Index(products.item_id), categories, category, popularity[order])


def products_of(items: pd.DataFrame) -> pd.DataFrame:
    """The rows of `items` that are products, without a categorical's unused categories."""
    products = items[items.kind.astype(str) == "product"] if "kind" in items else items
    return products.assign(category=products.category.astype(object))


def interactions(events: pd.DataFrame) -> pd.DataFrame:
    """Rows of `events` with an item and one of :data:`WEIGHTS`: ``user_code``, ``item_id``,
    ``event``, ``timestamp`` and ``weight``.
    """
    kind = pd.Index(list(WEIGHTS)).get_indexer(events.event)
    kept = (kind >= 0) & events.item_id.notna().to_numpy()
    weight = np.array(list(WEIGHTS.values()))[kind[kept]]
    return events.loc[kept, list(EVENT_COLUMNS)].assign(weight=weight)


def histories_of(
    events: pd.DataFrame,
    shop: Shop,
    users: Iterable[int] | None = None,
    *,
    half_life: float | None = HALF_LIFE,
) -> Histories:
    """What `events` tell of `users` (all that occur, sorted, where left out).

    Parameters
    ----------
    events : pandas.DataFrame
        As in :meth:`~precmark.recommend.base.Recommender.fit`. Items that `shop` does not sell are
        passed over.
    shop : Shop
    users : iterable of int, optional
    half_life : float, optional
        Later moments of the same user after which an event counts half; a moment is a time stamp
        with an interaction or a search, so that the lines of one basket count alike. None: all
        moments count the same.
    """
    known, searched = interactions(events), _searches(events, shop)
    asked = pd.Index(np.unique(events.user_code) if users is None else users)
    user = np.concatenate([known.user_code, searched.user_code]).astype(np.int64)
    row = asked.get_indexer(user)
    weight = np.concatenate([known.weight, np.full(len(searched), SEARCH_WEIGHT)])
    if half_life is not None:
        instant = np.concatenate([_ticks(known.timestamp), _ticks(searched.timestamp)])
        weight = weight * 0.5 ** (_moments_since(user, instant) / half_life)
    n, cut = len(asked), len(known)
    column = shop.index.get_indexer(known.item_id)
    return Histories(
        asked,
        _matrix(row[:cut], column, weight[:cut], (n, len(shop))),
        _matrix(row[cut:], searched.column.to_numpy(), weight[cut:], (n, len(shop.categories))),
    )


def _ticks(timestamp: pd.Series) -> np.ndarray:
    """Instants as whole microseconds: numbers sort faster than time stamps."""
    return pd.DatetimeIndex(timestamp).as_unit("us").asi8


def _moments_since(user: np.ndarray, instant: np.ndarray) -> np.ndarray:
    """How many later distinct instants each row's user has."""
    order = np.lexsort((instant, user))
    user, instant = user[order], instant[order]
    fresh = np.ones(len(user), dtype=bool)
    other = np.ones(len(user), dtype=bool)
    other[1:] = user[1:] != user[:-1]
    fresh[1:] = other[1:] | (instant[1:] != instant[:-1])
    moment = np.cumsum(fresh)
    ends = np.flatnonzero(np.append(other[1:], True)) if len(user) else np.zeros(0, int)
    last = np.repeat(moment[ends], np.diff(ends, prepend=-1))
    since = np.empty(len(user))
    since[order] = last - moment
    return since


def _searches(events: pd.DataFrame, shop: Shop) -> pd.DataFrame:
    """Events that name a category of `shop` and no item: ``user_code``, ``timestamp``, ``column``.

    Event kinds that are no sign of liking by themselves (a coupon shown) are passed over.
    """
    kept = ["user_code", "timestamp"]
    if "category" not in events or not shop.categories:
        return events.iloc[:0][kept].assign(column=np.zeros(0, np.int64))
    found = events.loc[(events.event == "search") & events.category.notna() & events.item_id.isna()]
    column = pd.Index(shop.categories).get_indexer(found.category.astype(object))
    return found[kept].assign(column=column)[column >= 0]


def _matrix(
    rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, shape: tuple[int, int]
) -> csr_matrix:
    """log(1 + sum of weights) by row and column; rows and columns below 0 are passed over."""
    from scipy.sparse import csr_matrix

    kept = (rows >= 0) & (columns >= 0)
    made = csr_matrix((weights[kept], (rows[kept], columns[kept])), shape=shape, dtype=np.float32)
    made.sum_duplicates()
    np.log1p(made.data, out=made.data)
    return made


def table_problems(events: pd.DataFrame, items: pd.DataFrame) -> list[Problem]:
    """Why no recommender can be fitted on `events` and `items`; empty where one can.

    Returns
    -------
    list of Problem
        Columns that lack, products that are listed twice or too few, a category without
        products, products without a category beside others that have one, and events about items
        that `items` does not list.
    """
    problems = _lacking("events", events, EVENT_COLUMNS) + _lacking("items", items, ITEM_COLUMNS)
    if "item_id" in items and "category" in items:
        problems += _item_problems(items)
    if "item_id" in items and {"item_id", "event"} <= set(events):
        given = events.loc[events.event.isin(list(WEIGHTS)), "item_id"].dropna()
        unknown = given[~given.isin(items.item_id)]
        if len(unknown):
            problems.append(
                Problem(
                    "events.item_id: not among the items",
                    "Add these products to items.",
                    len(unknown),
                    sample=str(unknown.iloc[0]),
                )
            )
        elif not len(given):
            problems.append(
                Problem(
                    "events: nobody viewed, carted or bought an item",
                    f"Give events of the kinds {', '.join(WEIGHTS)} with an item_id.",
                )
            )
    return problems


def _lacking(table: str, frame: pd.DataFrame, columns: Iterable[str]) -> list[Problem]:
    return [
        Problem(
            f"{table}.{column}: the column is missing",
            f"A frame of {table} has {', '.join(columns)}; check that none was swapped.",
        )
        for column in columns
        if column not in frame
    ]


def _item_problems(items: pd.DataFrame) -> list[Problem]:
    problems = []
    twice = items.item_id[items.item_id.duplicated()]
    if len(twice):
        fix = "Keep one row an item."
        problems.append(
            Problem("items.item_id: listed twice", fix, len(twice), sample=str(twice.iloc[0]))
        )
    products = products_of(items)
    if products.item_id.nunique() < LEAST_ITEMS:
        problems.append(
            Problem(
                f"items: {products.item_id.nunique()} products, a list of ten needs "
                f"{LEAST_ITEMS} or more",
                "Give the whole catalogue.",
            )
        )
    nameless = int(products.category.isna().sum())
    if 0 < nameless < len(products):
        fix = "Give every product a category, or none of them."
        problems.append(Problem("items.category: empty for some products", fix, nameless))
    if isinstance(items.category.dtype, pd.CategoricalDtype):
        used = set(items.category.dropna().astype(object))
        problems += [
            Problem(f"items.category: {name!r} has no items", "Leave it out, or add its items.")
            for name in items.category.cat.categories
            if name not in used
        ]
    return problems
