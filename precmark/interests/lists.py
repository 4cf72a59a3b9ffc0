"""Recommenders of this chapter: user-based, by factors, by the interest tree, by pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.recommend.base import Recommender
from precmark.recommend.collaborative import Collaborative
from precmark.recommend.shop import HALF_LIFE, Histories, histories_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NEIGHBOURS = 50
"""Users whose behaviour speaks for another, as many as items speak in the item-based model."""


@dataclass
class UserUser:
    """What the users with the nearest histories liked, each weighed by the cosine.

    The asked user's own past counts among the neighbours, as an item does among its own in the
    item-based model: a list is asked with the history as it is then.

    Parameters
    ----------
    neighbours : int

    References
    ----------
    Resnick et al. 1994, GroupLens: an open architecture for collaborative filtering of netnews,
    doi 10.1145/192844.192905 (there with correlations of ratings, here with cosines of liking).
    """

    neighbours: int = NEIGHBOURS

    def fit(self, liking: csr_matrix) -> UserUser:
        """Keep the histories of all users."""
        self.liking_ = liking.tocsr()
        self.unit_ = _unit(liking).T.tocsr()
        return self

    def prepare(self, liking: csr_matrix) -> csr_matrix:
        """The histories themselves, of length 1."""
        return _unit(liking)

    def scores(self, prepared: csr_matrix) -> np.ndarray:
        """Sum over the nearest users of cosine times liking."""
        from scipy.sparse import csr_matrix

        near = (prepared @ self.unit_).tocsr()
        near.sort_indices()
        kept, columns, starts = [], [], [0]
        for row in range(near.shape[0]):
            mine = slice(near.indptr[row], near.indptr[row + 1])
            at = _strongest(near.data[mine], self.neighbours)
            kept.append(near.data[mine][at])
            columns.append(near.indices[mine][at])
            starts.append(starts[-1] + len(at))
        parts = (np.concatenate(kept), np.concatenate(columns), np.array(starts))
        return (csr_matrix(parts, shape=near.shape) @ self.liking_).toarray().astype(np.float32)


def _strongest(values: np.ndarray, k: int) -> np.ndarray:
    """Places of the k highest, ties to the first: the same whatever the sort."""
    return np.argsort(-values, kind="stable")[:k]


def _unit(liking: csr_matrix) -> csr_matrix:
    from sklearn.preprocessing import normalize

    return normalize(liking.tocsr(), axis=1)


class CollaborativeLists(Recommender):
    """Lists by a collaborative model alone; users and products it knows nothing of get popularity.

    Parameters
    ----------
    make : callable
        Gives an unfitted :class:`~precmark.recommend.collaborative.Collaborative`.

    Attributes
    ----------
    model_ : Collaborative
    """

    def __init__(self, make: Callable[[], Collaborative], *, half_life: float | None = HALF_LIFE):
        super().__init__(half_life=half_life)
        self.make = make

    def _learn(self, events: pd.DataFrame) -> None:
        liking = histories_of(events, self.shop_, half_life=None)
        self.model_ = self.make().fit(liking.items[~liking.cold])

    def _prepared(self, history: Histories):
        return self.model_.prepare(history.items)

    def _scores(self, history: Histories, prepared) -> np.ndarray:
        return with_popularity(self.model_.scores(prepared), self.shop_.popularity)


def with_popularity(scores: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """`scores` (n, m) in which popularity decides between equals, and where all are equal."""
    reach = np.abs(scores).max(axis=1, keepdims=True)
    share = (popularity / max(popularity.max(), 1.0)).astype(np.float32)
    # what is left of a sum that cancelled says nothing, and is too small to be scaled
    some = reach > 1e-12
    scores = np.where(some, scores, 0.0)
    return (scores + np.where(some, 1e-5 * reach, 1.0) * share).astype(np.float32)


class TreeLists(Recommender):
    """Lists by the user's interest tree: a product scores by itself, its part and its kind.

    The score is the product's share of the user's liking, plus the share of its part (brand or
    band of price within the kind) times the product's popularity within the part, plus the same
    for its kind: what is known of the product counts in full, and the broader interests say which
    of the others come next.

    Parameters
    ----------
    paths : pandas.DataFrame
        From :func:`~precmark.interests.interest_tree.product_paths`.
    """

    def __init__(self, paths: pd.DataFrame, *, half_life: float | None = HALF_LIFE):
        super().__init__(half_life=half_life)
        self.paths = paths

    def _learn(self, events: pd.DataFrame) -> None:
        paths = self.paths.reindex(self.shop_.index)
        if paths.kind.isna().any():
            fix = "Make the paths from the same items."
            raise InputError(Problem("paths: lack products", fix, int(paths.kind.isna().sum())))
        nodes = (paths.kind.astype(str), paths.kind.astype(str) + "\0" + paths.part.astype(str))
        self._node = [pd.factorize(n, sort=True)[0] for n in nodes]
        self._within = [_within(n, self.shop_.popularity) for n in self._node]
        kinds = pd.Index(sorted(set(nodes[0])))
        self._searched = kinds.get_indexer(list(self.shop_.categories))

    def _scores(self, history: Histories, prepared: object) -> np.ndarray:
        liked = history.items.toarray()
        searched = history.searches.toarray()
        whole = liked.sum(axis=1, keepdims=True) + searched.sum(axis=1, keepdims=True)
        whole[whole == 0] = 1
        found = liked / whole
        for level, (node, within) in enumerate(zip(self._node, self._within, strict=True)):
            member = np.zeros((len(node), node.max() + 1), dtype=np.float32)
            member[np.arange(len(node)), node] = 1
            share = history.items @ member
            if level == 0 and searched.size:
                share[:, self._searched] += searched
            found += (share / whole)[:, node] * within
        return with_popularity(found, self.shop_.popularity)


def _within(node: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """Each product's share of the popularity of its node; every product counts one more."""
    weight = popularity + 1
    return (weight / np.bincount(node, weight)[node]).astype(np.float32)


class VectorLists(Recommender):
    """Lists by content vectors, as of pictures: the cosine with the sum of what was liked.

    Parameters
    ----------
    vectors : pandas.DataFrame
        Index ``item_id``, a column a feature. They are centred first, so that what all products
        share says nothing. Products that lack score 0.
    """

    def __init__(self, vectors: pd.DataFrame, *, half_life: float | None = HALF_LIFE):
        super().__init__(half_life=half_life)
        self.vectors = vectors

    def _learn(self, events: pd.DataFrame) -> None:
        from sklearn.preprocessing import normalize

        known = self.vectors - self.vectors.mean()
        found = known.reindex(self.shop_.index).fillna(0.0).to_numpy(np.float32)
        self.unit_ = normalize(found)

    def _scores(self, history: Histories, prepared: object) -> np.ndarray:
        return with_popularity((history.items @ self.unit_) @ self.unit_.T, self.shop_.popularity)
