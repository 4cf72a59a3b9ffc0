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


class Ann(MLPClassifier):
    """scikit-learn's perceptron, trained for a set number of epochs without a warning that says so.

    The parameters are those of :class:`sklearn.neural_network.MLPClassifier`.
    """

    def fit(self, X: np.ndarray, y: np.ndarray) -> Ann:
        """Train for ``max_iter`` epochs on `X`, `y`."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            # The number of epochs is ours, as for the networks: stopping there is the plan.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(X, y)


def hidden_activations(network: MLPClassifier, X: np.ndarray) -> np.ndarray:
    """What the last hidden layer of a fitted `network` makes of `X`, (n, units), >= 0."""
    X = np.asarray(X, dtype=np.float64)
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        X = np.maximum(X @ weights + bias, 0)
    return X


class AnnNaiveBayes(ClassifierMixin, BaseEstimator):
    """Gaussian naive Bayes on the second hidden layer of a perceptron trained on the same labels.

    Parameters
    ----------
    hidden : tuple of int
        Units of the hidden layers.
    alpha : float
        L2 penalty of the perceptron's weights.
    epochs : int
    seed : int

    Attributes
    ----------
    network_ : Ann
    bayes_ : sklearn.naive_bayes.GaussianNB
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

    def fit(self, X: np.ndarray, y: np.ndarray) -> AnnNaiveBayes:
        """Train the perceptron, then naive Bayes on its activations, both on all rows."""
        from sklearn.naive_bayes import GaussianNB

        self.network_ = perceptron(self.hidden, self.alpha, self.epochs, self.seed).fit(X, y)
        self.bayes_ = GaussianNB().fit(hidden_activations(self.network_, X), y)
        self.classes_ = self.bayes_.classes_
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1) as naive Bayes says: too sure, as its units go together."""
        return self.bayes_.predict_proba(hidden_activations(self.network_, X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likelier class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def perceptron(hidden: tuple[int, ...], alpha: float, epochs: int, seed: int) -> Ann:
    """An untrained perceptron of the `hidden` layers: ReLU, Adam at 0.001, batches of 200."""
    return Ann(hidden, alpha=alpha, max_iter=epochs, random_state=seed)


def ann(first: Any, seed: int) -> ChosenOnValidation:
    """A perceptron of two hidden layers (32, 16), 30 epochs; the knob is the L2 penalty."""
    pipeline = Pipeline(
        [("table", first), ("scale", Scaled()), ("model", perceptron((32, 16), 1.0, 30, seed))]
    )
    return ChosenOnValidation(pipeline, "model__alpha", PENALTIES, seed)


def ann_naive_bayes(first: Any, seed: int) -> ChosenOnValidation:
    """Naive Bayes on the second layer of that perceptron; the knob is the L2 penalty."""
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", AnnNaiveBayes())])
    return ChosenOnValidation(pipeline, "model__alpha", PENALTIES, seed)
