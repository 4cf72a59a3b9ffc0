"""LR-RF, in the two readings we give it: forest leaves into a logistic regression, and a stack."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from precmark.baselines.chosen import ChosenOnValidation
from precmark.baselines.models import Scaled

LEAF_ROWS = (20, 10, 50, 100)
"""Least rows in a leaf: what is chosen for both readings of LR-RF."""


def halves(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of the rows, drawn at random within each class; ascending row numbers.

    Where a class has an odd number of rows, the first half gets the one left over.
    """
    rng = np.random.default_rng(seed)
    first = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        first[rows[: (len(rows) + 1) // 2]] = True
    return np.flatnonzero(first), np.flatnonzero(~first)


class LeavesIntoLogistic(ClassifierMixin, BaseEstimator):
    """A logistic regression on the leaves of a random forest that each row falls into.

    The forest is grown on one half of the rows, the regression fitted on the other: on the rows
    that the forest has seen, its leaves would look better than they are. The paper names LR-RF
    and does not define it; this is the usual construction.

    Parameters
    ----------
    trees : int
    leaf_rows : int
        Least rows in a leaf.
    C : float
        Inverse of the L2 penalty of the regression.
    seed : int

    Attributes
    ----------
    forest_ : sklearn.ensemble.RandomForestClassifier
    encoder_ : sklearn.preprocessing.OneHotEncoder
        Leaf numbers to 0/1 columns; a leaf that no row of the second half reached is all 0.
    logistic_ : sklearn.linear_model.LogisticRegression
    halves_ : tuple of numpy.ndarray
        Rows of the forest, rows of the regression.

    References
    ----------
    He et al., Practical lessons from predicting clicks on ads at Facebook, 2014,
    doi 10.1145/2648584.2648589 (boosted trees there, a forest here).
    """

    def __init__(self, trees: int = 100, leaf_rows: int = 20, C: float = 0.1, seed: int = 0):
        self.trees = trees
        self.leaf_rows = leaf_rows
        self.C = C
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> LeavesIntoLogistic:
        """Grow the forest on one half of `X`, fit the regression on the other."""
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import OneHotEncoder

        y = np.asarray(y)
        grown, fitted = self.halves_ = halves(y, self.seed)
        if len(np.unique(y[fitted])) < 2:
            # With a single row of a class there is no second half of it: both learn from all.
            grown = fitted = np.arange(len(y))
            self.halves_ = grown, fitted
        self.forest_ = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf_rows, random_state=self.seed
        ).fit(X[grown], y[grown])
        self.encoder_ = OneHotEncoder(handle_unknown="ignore")
        leaves = self.encoder_.fit_transform(self.forest_.apply(X[fitted]))
        self.logistic_ = LogisticRegression(C=self.C, max_iter=300).fit(leaves, y[fitted])
        self.classes_ = self.logistic_.classes_
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1)."""
        return self.logistic_.predict_proba(self.encoder_.transform(self.forest_.apply(X)))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likelier class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class ForestStack(ClassifierMixin, BaseEstimator):
    """A logistic regression on what a forest and a logistic regression say out of fold.

    Parameters
    ----------
    trees : int
    leaf_rows : int
        Least rows in a leaf.
    C : float
        Inverse of the L2 penalty of the regression beside the forest.
    folds : int
        At most so many; fewer where a class has fewer rows.
    seed : int

    Attributes
    ----------
    stack_ : sklearn.ensemble.StackingClassifier

    References
    ----------
    Wolpert, Stacked generalization, 1992, doi 10.1016/S0893-6080(05)80023-1.
    """

    def __init__(
        self, trees: int = 50, leaf_rows: int = 20, C: float = 0.01, folds: int = 3, seed: int = 0
    ):
        self.trees = trees
        self.leaf_rows = leaf_rows
        self.C = C
        self.folds = folds
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> ForestStack:
        """Fit both on all rows, and the regression above them on their out-of-fold answers."""
        from sklearn.ensemble import RandomForestClassifier, StackingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold

        forest = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf_rows, random_state=self.seed
        )
        below = [("forest", forest), ("logistic", LogisticRegression(C=self.C, max_iter=300))]
        folds = min(self.folds, int(np.bincount(y).min()))
        cv = StratifiedKFold(folds, shuffle=True, random_state=self.seed) if folds > 1 else "prefit"
        if cv == "prefit":
            # A class of one row cannot be folded: the stack sees answers on rows seen before.
            below = [(name, model.fit(X, y)) for name, model in below]
        self.stack_ = StackingClassifier(
            below, LogisticRegression(), cv=cv, stack_method="predict_proba"
        ).fit(X, y)
        self.classes_ = self.stack_.classes_
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1)."""
        return self.stack_.predict_proba(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likelier class of each row."""
        return self.stack_.predict(X)


def leaves_into_logistic(first: Any, seed: int) -> ChosenOnValidation:
    """LR-RF, leaves into a logistic regression; the knob is the least rows in a leaf."""
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", LeavesIntoLogistic())])
    return ChosenOnValidation(pipeline, "model__leaf_rows", LEAF_ROWS, seed)


def forest_stack(first: Any, seed: int) -> ChosenOnValidation:
    """LR-RF, stacked; the knob is the least rows in a leaf."""
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", ForestStack())])
    return ChosenOnValidation(pipeline, "model__leaf_rows", LEAF_ROWS, seed)
