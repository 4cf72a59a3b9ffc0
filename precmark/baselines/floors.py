"""The floors: what the base rate says, and what one number says, the time since the last visit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from precmark.baselines.checks import array_problems, checked_labels, refuse
from precmark.baselines.features import steps_there


def two_columns(p: np.ndarray) -> np.ndarray:
    """P(y = 0) and P(y = 1), (n, 2), of the probabilities `p` of y = 1."""
    return np.column_stack([1 - p, p])


class ConstantRate(ClassifierMixin, BaseEstimator):
    """The training part's share of y = 1, for everyone: what any model has to beat.

    Attributes
    ----------
    rate_ : float
    """

    def fit(self, X: Any, y: Any, *, validation: Any = None) -> ConstantRate:
        """Take the share of 1 in `y`; raises InputError when `y` holds one class only."""
        self.rate_ = float(checked_labels(y, len(X)).mean())
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, 2), the same in each row."""
        return two_columns(np.full(len(X), self.rate_))

    def predict(self, X: Any) -> np.ndarray:
        """The likelier class for everyone."""
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)


class BinnedRate(ClassifierMixin, BaseEstimator):
    """The share of y = 1 in bins of one number, drawn towards the base rate in small bins.

    The rate of a bin is (positives + weight times base rate) / (rows + weight). Bins hold equal
    counts of the training part's values; rows without a value are a bin of their own.

    Parameters
    ----------
    bins : int
        At most so many; fewer where values repeat.
    weight : float
        Rows that the base rate counts for.

    Attributes
    ----------
    edges_ : numpy.ndarray
        Inner edges, ascending; a value equal to an edge belongs above it.
    rates_ : numpy.ndarray
        One a bin, then the rate of rows without a value.
    """

    def __init__(self, bins: int = 10, weight: float = 20):
        self.bins = bins
        self.weight = weight

    def fit(self, value: np.ndarray, y: Any, *, validation: Any = None) -> BinnedRate:
        """Fit bins and rates to `value`, (n,), NaN where missing, and labels `y`."""
        labels = checked_labels(y, len(value))
        known = np.asarray(value, dtype=np.float64)
        known = known[np.isfinite(known)]
        cuts = np.arange(1, self.bins) / self.bins
        edges = np.unique(np.quantile(known, cuts, method="higher")) if len(known) else known
        self.edges_ = edges[edges > known.min()] if len(known) else edges
        place = self._bin(value)
        rows = np.bincount(place, minlength=len(self.edges_) + 2)
        positives = np.bincount(place, weights=labels, minlength=len(rows))
        self.rates_ = (positives + self.weight * labels.mean()) / (rows + self.weight)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, value: np.ndarray) -> np.ndarray:
        """(n, 2): the rate of each row's bin in column 1."""
        return two_columns(self.rates_[self._bin(value)])

    def predict(self, value: np.ndarray) -> np.ndarray:
        """The likelier class of each row's bin."""
        return (self.predict_proba(value)[:, 1] >= 0.5).astype(np.int64)

    def _bin(self, value: np.ndarray) -> np.ndarray:
        value = np.asarray(value, dtype=np.float64)
        place = np.searchsorted(self.edges_, value, side="right")
        return np.where(np.isfinite(value), place, len(self.edges_) + 1)


def since_last_visit(X: np.ndarray, channels: Sequence[str] | None) -> np.ndarray | None:
    """Time since each user was last there, as the channels have it (a logarithm), (n,).

    Of a session: ``log_gap_s`` at the last step where ``visit_start`` is 1, the time between the
    visit of the decision and what the user did before it; NaN where there was nothing before, or
    the visit began more than T steps ago. Of a customer: ``log_days_since_order`` at the last
    step. None where the channels tell neither.

    Parameters
    ----------
    X : numpy.ndarray
        (n, F, T).
    channels : sequence of str or None
        Names of the F channels.
    """
    place = {name: number for number, name in enumerate(channels or ())}
    rows = np.arange(len(X))
    if {"visit_start", "log_gap_s"} <= place.keys():
        started = X[:, place["visit_start"]] == 1
        step = X.shape[2] - 1 - started[:, ::-1].argmax(axis=1)
        gap = X[rows, place["log_gap_s"], step]
        # A gap of exactly 0 stands for "nothing before": between visits lie 30 minutes.
        return np.where(started.any(axis=1) & (gap > 0), gap, np.nan)
    if "log_days_since_order" in place:
        last = np.maximum(steps_there(X) - 1, 0)
        return X[rows, place["log_days_since_order"], last]
    return None


class LastVisitRate(ClassifierMixin, BaseEstimator):
    """The last-visit rule: the share of y = 1 among users who were last there as long ago.

    One number of :func:`since_last_visit`, in ten bins of equal counts and one for users without
    an earlier visit (:class:`BinnedRate`); nothing about the order is assumed. Where the channels
    do not say when a user was last there, it is the constant, and a note says so.

    Parameters
    ----------
    channels : sequence of str or None
        Names of the F channels.

    Attributes
    ----------
    rate_ : BinnedRate
    notes_ : tuple of str
    """

    def __init__(self, channels: Sequence[str] | None = None):
        self.channels = channels

    def fit(self, X: np.ndarray, y: Any, *, validation: Any = None) -> LastVisitRate:
        """Fit the rates to `X`, (n, F, T), and labels `y`; refuses what is neither."""
        refuse(array_problems(X, "X"))
        known = since_last_visit(np.asarray(X), self.channels) is not None
        self.notes_ = (
            ()
            if known
            else ("no channel says when a user was last there: the same as the constant",)
        )
        self.rate_ = BinnedRate().fit(self._value(X), y)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1)."""
        refuse(array_problems(X, "X"))
        return self.rate_.predict_proba(self._value(X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likelier class of each row."""
        return self.rate_.predict(self._value(X))

    def _value(self, X: np.ndarray) -> np.ndarray:
        value = since_last_visit(np.asarray(X), self.channels)
        return np.full(len(X), np.nan) if value is None else value
