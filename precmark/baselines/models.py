"""The baselines as pipelines: one table of features first, then the model's own steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from precmark.baselines.chosen import ChosenOnValidation, ChosenRounds


class Scaled(TransformerMixin, BaseEstimator):
    """Columns in standard deviations from the training mean; what is missing becomes 0, the mean.

    Learnt on the values that are there. The number of steps is a column of its own, so that a
    model can tell a padded step from an ordinary one.
    """

    def fit(self, X: np.ndarray, y: Any = None) -> Scaled:
        """Learn means and standard deviations, one a column; a constant column keeps scale 1."""
        X = np.asarray(X, dtype=np.float64)
        there = np.isfinite(X)
        count = np.maximum(there.sum(axis=0), 1)
        self.mean_ = np.where(there, X, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(there, (X - self.mean_) ** 2, 0).sum(axis=0) / count)
        self.scale_ = np.where(spread > 1e-7 * np.maximum(np.abs(self.mean_), 1e-30), spread, 1.0)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """(n, columns), float32, without missing values."""
        scaled = (np.asarray(X, dtype=np.float64) - self.mean_) / self.scale_
        return np.where(np.isfinite(scaled), scaled, 0).astype(np.float32)


def logistic(first: Any, seed: int) -> ChosenOnValidation:
    """Logistic regression on scaled columns; the knob is C, the inverse of the L2 penalty."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=300)
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", model)])
    return ChosenOnValidation(pipeline, "model__C", (0.01, 0.001, 0.1, 1.0), seed)


def histogram_boosting(
    first: Any, seed: int, *, max_features: float = 0.2, categorical: tuple[int, ...] = ()
) -> ChosenRounds:
    """Histogram gradient boosting on columns with gaps; the knob is the number of rounds.

    A fifth of the columns at each split and a ridge on the leaves: among hundreds of columns that
    say nearly the same, a few thousand rows overfit without.

    Parameters
    ----------
    first : transformer
        Makes the table.
    seed : int
    max_features : float
        Share of the columns looked at for a split, (0, 1].
    categorical : tuple of int
        Places of columns whose numbers are codes of categories.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_leaf_nodes=15,
        max_features=max_features,
        l2_regularization=10,
        early_stopping=False,
        categorical_features=list(categorical) or None,
    )
    return ChosenRounds(
        Pipeline([("table", first), ("model", model)]), (50, 25, 100, 200), seed=seed
    )
