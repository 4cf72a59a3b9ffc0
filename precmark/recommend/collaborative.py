"""Collaborative scores: what users with a similar history liked (Gu, r_CF of equation 11)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Collaborative(Protocol):
    """What every collaborative model answers to."""

    def fit(self, liking: csr_matrix) -> Collaborative:
        """Learn from `liking`, (users, m), as in :class:`~precmark.recommend.shop.Histories`."""

    def prepare(self, liking: csr_matrix) -> np.ndarray | csr_matrix:
        """What the model makes of any users' histories, a row a user, all users at once."""

    def scores(self, prepared: np.ndarray | csr_matrix) -> np.ndarray:
        """Scores (n, m), float32, of users prepared: higher is better, 0 says nothing."""


@dataclass
class ItemItem:
    """Cosine between items over users, its strongest neighbours only (implicit).

    Parameters
    ----------
    neighbours : int
        Kept of each item, itself included.

    References
    ----------
    Sarwar et al. 2001, Item-based collaborative filtering, doi 10.1145/371920.372071.
    """

    neighbours: int = 50

    def fit(self, liking: csr_matrix) -> ItemItem:
        """Learn the cosines between items."""
        model = _library("nearest_neighbours").CosineRecommender(K=self.neighbours, num_threads=1)
        with warnings.catch_warnings():
            # it tells itself that it transposed the matrix
            warnings.filterwarnings("ignore", message="Method expects CSR input")
            model.fit(liking.astype(np.float64), show_progress=False)
        self.similarity_ = model.similarity.astype(np.float32)
        m = self.similarity_.shape[0]
        # dense where it fits: a sparse product would spend its time on finding places
        self._table = self.similarity_.toarray() if m * m <= 2**25 else self.similarity_
        return self

    def prepare(self, liking: csr_matrix) -> csr_matrix:
        """The histories themselves."""
        return liking

    def scores(self, prepared: csr_matrix) -> np.ndarray:
        """Sum over the history of liking times cosine."""
        found = prepared @ self._table
        return found if isinstance(found, np.ndarray) else found.toarray()


@dataclass
class _Factors:
    """A model whose scores are user factors times item factors."""

    factors: int = 32
    seed: int = 0

    def scores(self, prepared: np.ndarray) -> np.ndarray:
        """User factors times item factors."""
        return prepared @ self.item_factors_.T


class Als(_Factors):
    """Alternating least squares on implicit feedback (implicit).

    References
    ----------
    Hu, Koren, Volinsky 2008, Collaborative filtering for implicit feedback datasets,
    doi 10.1109/ICDM.2008.22.
    """

    def fit(self, liking: csr_matrix) -> Als:
        """Learn both factors."""
        self.model_ = als_model(self.factors, self.seed)
        self.model_.fit(liking, show_progress=False)
        self.item_factors_ = np.asarray(self.model_.item_factors, dtype=np.float32)
        return self

    def prepare(self, liking: csr_matrix) -> np.ndarray:
        """User factors, solved anew from the histories."""
        return self.model_.recalculate_user(np.arange(liking.shape[0]), liking)


def als_model(factors: int, seed: int):
    """The library's model with our settings; its result depends on no number of threads."""
    with warnings.catch_warnings():
        # it warns of BLAS threads; the sizes here are small
        warnings.simplefilter("ignore", RuntimeWarning)
        return _library("cpu.als").AlternatingLeastSquares(
            factors=factors, regularization=0.1, alpha=10.0, iterations=15, num_threads=0,
            random_state=seed,
        )  # fmt: skip


def _library(module: str):
    """A module of implicit, whose progress bars miss a widget that nobody needs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        return import_module(f"implicit.{module}")


class Svd(_Factors):
    """Truncated singular value decomposition (scikit-learn): scores are the rebuilt history."""

    def fit(self, liking: csr_matrix) -> Svd:
        """Learn the singular vectors of items."""
        from sklearn.decomposition import TruncatedSVD

        self.model_ = TruncatedSVD(_rank(self.factors, liking), random_state=self.seed).fit(liking)
        self.item_factors_ = self.model_.components_.T.astype(np.float32)
        return self

    def prepare(self, liking: csr_matrix) -> np.ndarray:
        """User factors of the histories."""
        return self.model_.transform(liking).astype(np.float32)


class Nmf(_Factors):
    """Non-negative matrix factorisation (scikit-learn): scores are the rebuilt history.

    References
    ----------
    Lee and Seung 1999, Learning the parts of objects, doi 10.1038/44565.
    """

    def fit(self, liking: csr_matrix) -> Nmf:
        """Learn the parts."""
        from sklearn.decomposition import NMF

        self.model_ = NMF(
            _rank(self.factors, liking), init="nndsvda", random_state=self.seed, max_iter=200,
            tol=1e-3,
        ).fit(liking)  # fmt: skip
        self.item_factors_ = self.model_.components_.T.astype(np.float32)
        return self

    def prepare(self, liking: csr_matrix) -> np.ndarray:
        """User factors of the histories."""
        return self.model_.transform(liking).astype(np.float32)


def _rank(factors: int, liking: csr_matrix) -> int:
    return max(1, min(factors, min(liking.shape) - 1))


MODELS = {"item-item": ItemItem, "als": Als, "svd": Svd, "nmf": Nmf}
"""Names of `collaborative` in :class:`~precmark.recommend.HybridRecommender`."""


def collaborative_model(name: str, seed: int) -> Collaborative:
    """The model `name` of :data:`MODELS`."""
    return ItemItem() if name == "item-item" else MODELS[name](seed=seed)
