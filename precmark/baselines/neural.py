"""ANN, a perceptron of two hidden layers, and naive Bayes on what its second layer makes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from precmark.baselines.chosen import ChosenOnValidation
from precmark.baselines.models import Scaled

PENALTIES = (1.0, 5.0, 0.1, 20.0)
"""L2 penalties of the weights: what is chosen for both."""


class Ann(ClassifierMixin, BaseEstimator):
    """A perceptron of two hidden layers: ReLU, Adam at 0.001, a set number of epochs.

    Batches are a thirtieth of the rows, from 16 to 200: few rows still make thirty steps an epoch,
    many rows do not take thirty times as long.

    Parameters
    ----------
    hidden : tuple of int
        Units of the hidden layers.
    alpha : float
        L2 penalty of the weights.
    epochs : int
    seed : int

    Attributes
    ----------
    network_ : sklearn.neural_network.MLPClassifier
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (32, 16),
        alpha: float = 1.0,
        epochs: int = 30,
        seed: int = 0,
    ):
        self.hidden = hidden
        self.alpha = alpha
        self.epochs = epochs
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> Ann:
        """Train on `X`, `y`."""
        from sklearn.exceptions import ConvergenceWarning

        self.network_ = MLPClassifier(
            self.hidden,
            alpha=self.alpha,
            batch_size=min(int(np.clip(len(X) // 30, 16, 200)), len(X)),
            max_iter=self.epochs,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            # The number of epochs is ours, as for the networks: stopping there is the plan.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.network_.fit(X, y)
        self.classes_ = self.network_.classes_
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1)."""
        return self.network_.predict_proba(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likelier class of each row."""
        return self.network_.predict(X)


def hidden_activations(network: MLPClassifier, X: np.ndarray) -> np.ndarray:
    """What the last hidden layer of a fitted `network` makes of `X`, (n, units), >= 0."""
    X = np.asarray(X, dtype=np.float64)
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        X = np.maximum(X @ weights + bias, 0)
    return X


class AnnNaiveBayes(Ann):
    """Gaussian naive Bayes on the second hidden layer of a perceptron trained on the same labels.

    The parameters are those of :class:`Ann`.

    Attributes
    ----------
    network_ : sklearn.neural_network.MLPClassifier
    bayes_ : sklearn.naive_bayes.GaussianNB
    """

    def fit(self, X: np.ndarray, y: np.ndarray) -> AnnNaiveBayes:
        """Train the perceptron, then naive Bayes on its activations, both on all rows."""
        from sklearn.naive_bayes import GaussianNB

        super().fit(X, y)
        self.bayes_ = GaussianNB().fit(hidden_activations(self.network_, X), y)
        # Where all units are dead nothing varies, and a variance of 0 would make certain of it.
        self.bayes_.var_ = np.maximum(self.bayes_.var_, 1e-9)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1) as naive Bayes says: too sure, as its units go together."""
        return self.bayes_.predict_proba(hidden_activations(self.network_, X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likelier class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def ann(first: Any, seed: int) -> ChosenOnValidation:
    """A perceptron of two hidden layers (32, 16), 30 epochs; the knob is the L2 penalty."""
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", Ann())])
    return ChosenOnValidation(pipeline, "model__alpha", PENALTIES, seed)


def ann_naive_bayes(first: Any, seed: int) -> ChosenOnValidation:
    """Naive Bayes on the second layer of that perceptron; the knob is the L2 penalty."""
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", AnnNaiveBayes())])
    return ChosenOnValidation(pipeline, "model__alpha", PENALTIES, seed)
