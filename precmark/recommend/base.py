"""What every recommender answers to: `fit`, `recommend`, `category`, in frames with names."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.recommend.ranks import in_chunks, top
from precmark.recommend.shop import (
    EVENT_COLUMNS,
    HALF_LIFE,
    Histories,
    histories_of,
    shop_of,
    table_problems,
)

CANDIDATES = ("all", "new", "repeat")
"""Which items may be recommended: the whole catalogue, those not in the history, those in it."""

VOTERS = 20
"""Items at the head of a user's list that vote for their category."""


class Recommender:
    """Lists of products for users; subclasses say how items are scored.

    Parameters
    ----------
    half_life : float, optional
        How fast a user's history ages, see :func:`~precmark.recommend.shop.histories_of`. Models
        learn from all of it alike; it ages where a list is asked for.

    Attributes
    ----------
    shop_ : Shop
        The products, in the model's own order.
    histories_ : Histories
        Of the users seen in :meth:`fit`.
    categories_ : tuple of str
        Every category that holds a product, sorted; empty where the source names none.
    """

    def __init__(self, *, half_life: float | None = HALF_LIFE):
        self.half_life = half_life

    def fit(
        self, events: pd.DataFrame, items: pd.DataFrame, *, validation: object = None
    ) -> Recommender:
        """Learn from `events` about the products among `items`.

        Parameters
        ----------
        events : pandas.DataFrame
            ``user_code``, ``item_id``, ``event``, ``timestamp`` and, for searches, ``category``.
            Views, carts and purchases of products count, and events that name a category only.
        items : pandas.DataFrame
            As in the contract: ``item_id``, ``category`` and what else is known.
        validation
            Later data; only models that choose something read it.

        Raises
        ------
        InputError
            See :func:`~precmark.recommend.shop.table_problems`.
        """
        problems = self._problems() + table_problems(events, items)
        if problems:
            raise InputError(problems)
        self.shop_ = shop_of(events, items)
        self.categories_ = self.shop_.categories
        self.histories_ = histories_of(events, self.shop_, half_life=self.half_life)
        self._learn(events)
        return self

    def _problems(self) -> list[Problem]:
        """What is wrong with the model's own parameters."""
        if self.half_life is None or self.half_life > 0:
            return []
        fix = "Use a number of moments above 0, or None for a history that does not age."
        return [Problem(f"half_life: {self.half_life}", fix)]

    def _learn(self, events: pd.DataFrame) -> None:
        """What a subclass learns once shop and histories are known."""

    def _prepared(self, history: Histories) -> object:
        """What a subclass works out for all users at once, before pieces of them are scored."""
        return None

    def _scores(self, history: Histories, prepared: object) -> np.ndarray:
        """Scores (n, m), float32, each row on a scale of its own; higher is better."""
        raise NotImplementedError

    def recommend(
        self,
        users: pd.DataFrame,
        k: int = 10,
        *,
        history: pd.DataFrame | None = None,
        candidates: str = "all",
    ) -> pd.DataFrame:
        """The k best products of each user.

        Parameters
        ----------
        users : pandas.DataFrame
            Column ``user_code``, each once.
        k : int
            1 to the number of products.
        history : pandas.DataFrame, optional
            Events of these users, as in :meth:`fit`; users without any are served as cold. Left
            out, users are known by what :meth:`fit` saw of them.
        candidates : str
            ``"all"`` products; ``"new"``, those not in the history; or ``"repeat"``, those in it.

        Returns
        -------
        pandas.DataFrame
            Up to k rows a user, users in the order given, best first: ``user_code``, ``rank`` from
            1, ``item_id``, ``category``, ``score`` (comparable within a user only), ``cold``
            (whether no item was known of the user).

        Raises
        ------
        InputError
            Listing columns that lack, users given twice, a k or candidates that cannot be.

        Notes
        -----
        Time grows with users x products; memory with users x k and one piece of 512 users a core.
        """
        known = self._asked(users, history, k=k, candidates=candidates)
        columns, scores = self._lists(known, k, candidates)
        return self._frame(known, columns, scores)

    def _frame(self, known: Histories, columns: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
        """The lists in `columns` as :meth:`recommend` returns them."""
        kept = columns >= 0
        row, place = np.nonzero(kept)
        column = columns[kept]
        category = self.shop_.category[column]
        return pd.DataFrame(
            {
                "user_code": known.users.to_numpy()[row],
                "rank": place + 1,
                "item_id": self.shop_.index.take(column),
                "category": pd.Categorical.from_codes(category, list(self.categories_)),
                "score": scores[kept],
                "cold": known.cold[row],
            }
        )

    def category_scores(
        self,
        users: pd.DataFrame,
        *,
        history: pd.DataFrame | None = None,
        among: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Each user's affinity to each category: the votes of the head of the list.

        Parameters
        ----------
        users, history
            As in :meth:`recommend`.
        among : iterable of str, optional
            The categories that may be chosen; all where left out.

        Returns
        -------
        pandas.DataFrame
            Index ``user_code``, one column a category, rows sum to 1. Item number r of a user's
            first 20 votes for its category with 1 / log2(r + 1).

        Raises
        ------
        InputError
            As :meth:`recommend`; also where the source names no categories, and for each category
            in `among` without items.
        """
        known = self._asked(users, history, among=among, categories=True)
        columns = self._lists(known, min(VOTERS, len(self.shop_)), "all")[0]
        n, width = len(known), len(self.categories_)
        weight = 1 / np.log2(np.arange(columns.shape[1]) + 2)
        place = self.shop_.category[columns] + width * np.arange(n)[:, None]
        votes = np.bincount(
            place.ravel(), np.broadcast_to(weight, columns.shape).ravel(), minlength=n * width
        ).reshape(n, width)
        found = pd.DataFrame(votes, index=known.users.rename("user_code"), columns=self.categories_)
        if among is not None:
            found = found[list(among)]
            # a head that holds none of them leaves their share of the catalogue's popularity
            share = self._popular_share()[list(among)].to_numpy()
            found += 1e-6 * share
        return found.div(found.sum(axis=1), axis=0)

    def category(
        self,
        users: pd.DataFrame,
        *,
        history: pd.DataFrame | None = None,
        among: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """The category of each user's coupon: the one with the highest affinity.

        Parameters and errors as in :meth:`category_scores`.

        Returns
        -------
        pandas.DataFrame
            A row a user, in the order of `users`: ``user_code``, ``category``, ``score`` (0 to 1).
        """
        found = self.category_scores(users, history=history, among=among)
        values = found.to_numpy()
        best = values.argmax(axis=1)
        return pd.DataFrame(
            {
                "user_code": found.index,
                "category": pd.Categorical.from_codes(best, list(found.columns)),
                "score": values[np.arange(len(found)), best],
            }
        )

    def _popular_share(self) -> pd.Series:
        shop = self.shop_
        total = np.bincount(shop.category, shop.popularity, minlength=len(shop.categories)) + 1
        return pd.Series(total / total.sum(), index=shop.categories)

    def _lists(self, known: Histories, k: int, candidates: str) -> tuple[np.ndarray, np.ndarray]:
        """Columns (n, k) of the best items, -1 where there are no more, and their scores."""
        prepared = self._prepared(known)

        def work(rows: slice) -> tuple[np.ndarray, np.ndarray]:
            part = known[rows]
            mine = None if prepared is None else prepared[rows]
            scores = self._scores(part, mine)
            barred = _barred(part, candidates)
            if barred is not None:
                scores = np.where(barred, scores.min(axis=1, keepdims=True) - 1, scores)
            columns = top(scores, k)
            found = np.take_along_axis(scores, columns, axis=1)
            if barred is not None:
                columns[np.take_along_axis(barred, columns, axis=1)] = -1
            return columns, found

        parts = list(in_chunks(work, len(known)))
        if not parts:
            return np.empty((0, k), np.int64), np.empty((0, k), np.float32)
        columns, scores = zip(*parts, strict=True)
        return np.concatenate(columns), np.concatenate(scores)

    def _asked(
        self,
        users: pd.DataFrame,
        history: pd.DataFrame | None,
        *,
        k: int = 1,
        candidates: str = "all",
        among: Iterable[str] | None = None,
        categories: bool = False,
    ) -> Histories:
        """The histories of `users`; refuses what cannot be served, all problems at once."""
        problems = _user_problems(users, history)
        if not 1 <= k <= len(self.shop_):
            fix = f"Ask for 1 to {len(self.shop_):,}, the products of this shop."
            problems.append(Problem(f"k: {k}", fix))
        if candidates not in CANDIDATES:
            problems.append(Problem(f"candidates: {candidates!r}", f"One of {CANDIDATES}."))
        if categories and not self.categories_:
            fix = "Give items with a category, or use recommend."
            problems.append(Problem("items.category: this source names none", fix))
        problems += [
            Problem(f"among: no items in category {name!r}", _has(self.categories_))
            for name in among or ()
            if self.categories_ and name not in self.categories_
        ]
        if problems:
            raise InputError(problems)
        if history is None:
            return self.histories_.of(users.user_code)
        return histories_of(history, self.shop_, users.user_code, half_life=self.half_life)


def _has(names: Iterable[str]) -> str:
    return f"There are: {', '.join(names)}."


def _user_problems(users: pd.DataFrame, history: pd.DataFrame | None) -> list[Problem]:
    problems = []
    if not isinstance(users, pd.DataFrame) or "user_code" not in users:
        fix = "Give a frame with a column user_code; items go nowhere here."
        problems.append(Problem("users: no column user_code", fix))
    elif users.user_code.duplicated().any():
        twice = users.user_code[users.user_code.duplicated()]
        fix = "Give each user once."
        problems.append(
            Problem("users.user_code: given twice", fix, len(twice), sample=str(twice.iloc[0]))
        )
    for column in EVENT_COLUMNS if history is not None else ():
        if column not in history:
            fix = f"A history is a frame of events with {', '.join(EVENT_COLUMNS)}."
            problems.append(Problem(f"history.{column}: the column is missing", fix))
    return problems


def _barred(history: Histories, candidates: str) -> np.ndarray | None:
    """(n, m) bool: which items may not be recommended; None where all may."""
    if candidates == "all":
        return None
    seen = history.items.toarray() > 0
    return seen if candidates == "new" else ~seen
