"""Lists that any recommender must beat: what is popular, what was touched, rules, and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from precmark.recommend.base import Recommender
from precmark.recommend.shop import HALF_LIFE, Histories, histories_of, interactions

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_matrix

LEAST_BASKETS = 5
"""A rule counts where at least so many baskets hold both its items."""


class Popular(Recommender):
    """The same list for everyone: what training touched most."""

    def _scores(self, history: Histories, prepared: object) -> np.ndarray:
        popularity = self.shop_.popularity.astype(np.float32)
        return np.broadcast_to(popularity, (len(history), len(popularity)))


class Chance(Recommender):
    """Items drawn at random for each user; the same `seed` draws the same for the same users.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int = 0, *, half_life: float | None = HALF_LIFE):
        super().__init__(half_life=half_life)
        self.seed = seed

    def _prepared(self, history: Histories) -> np.ndarray:
        return np.arange(len(history))

    def _scores(self, history: Histories, prepared: np.ndarray) -> np.ndarray:
        # a piece draws from a stream of its own, so that pieces may be worked on in any order
        rng = np.random.default_rng([self.seed, int(prepared[0])])
        return rng.random((len(history), len(self.shop_)), dtype=np.float32)


class Again(Recommender):
    """Buy it again: what the user touched, the most liked first, then what is popular."""

    def _scores(self, history: Histories, prepared: object) -> np.ndarray:
        return _liking(history, self.shop_.popularity)


class SameCategory(Recommender):
    """The popular items of the category that the user's history weighs most."""

    def _scores(self, history: Histories, prepared: object) -> np.ndarray:
        shop = self.shop_
        popularity = _share(shop.popularity)
        if not shop.categories:
            return np.broadcast_to(popularity, (len(history), len(shop)))
        member = np.eye(len(shop.categories), dtype=np.float32)[shop.category]
        liked = history.items @ member + history.searches.toarray()
        return liked[:, shop.category] + popularity * (liked.max(axis=1, keepdims=True) * 1e-3 + 1)


class Rules(Recommender):
    """Association rules between two items: in whose baskets is what I touched, what else is there?

    A basket is a session (a user's whole history where there are none). A rule from A to B counts
    where at least `least_baskets` baskets hold both and B is likelier with A than without (lift
    above 1). An item's score is the highest, over what the user touched, of liking times
    confidence, P(B | A); items that no rule reaches follow by popularity.

    Parameters
    ----------
    least_baskets : int

    Attributes
    ----------
    confidence_ : scipy.sparse.csr_matrix
        (m, m) of the rules, from rows to columns.

    References
    ----------
    Agrawal, Imielinski, Swami 1993, Mining association rules between sets of items in large
    databases, doi 10.1145/170035.170072.
    """

    def __init__(self, least_baskets: int = LEAST_BASKETS, *, half_life: float | None = HALF_LIFE):
        super().__init__(half_life=half_life)
        self.least_baskets = least_baskets

    def _learn(self, events: pd.DataFrame) -> None:
        known = interactions(events)
        if "session_code" in events:
            known = known.assign(user_code=events.session_code.loc[known.index])
        baskets = histories_of(known, self.shop_, half_life=None).items
        baskets.data[:] = 1
        together = (baskets.T @ baskets).tocoo()
        count = np.asarray(baskets.sum(axis=0)).ravel()
        a, b, both = together.row, together.col, together.data
        lift = both * baskets.shape[0] / (count[a] * count[b])
        kept = (a != b) & (both >= self.least_baskets) & (lift > 1)
        self.confidence_ = _rules(a[kept], b[kept], (both / count[a])[kept], len(count))

    def _scores(self, history: Histories, prepared: object) -> np.ndarray:
        found = np.zeros((len(history), len(self.shop_)), dtype=np.float32)
        liked, rules = history.items, self.confidence_
        for row in range(len(history)):
            mine = slice(liked.indptr[row], liked.indptr[row + 1])
            for item, weight in zip(liked.indices[mine], liked.data[mine], strict=True):
                reach = slice(rules.indptr[item], rules.indptr[item + 1])
                at = rules.indices[reach]
                found[row, at] = np.maximum(found[row, at], weight * rules.data[reach])
        # below the weakest rule that is told apart from none
        return found + 1e-4 * _share(self.shop_.popularity)


def _rules(a: np.ndarray, b: np.ndarray, confidence: np.ndarray, m: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((confidence.astype(np.float32), (a, b)), shape=(m, m))


def _liking(history: Histories, popularity: np.ndarray) -> np.ndarray:
    return history.items.toarray() + 1e-4 * _share(popularity)


def _share(popularity: np.ndarray) -> np.ndarray:
    """Popularity from 0 to 1, float32."""
    return (popularity / max(popularity.max(), 1.0)).astype(np.float32)
