"""Sequences as a table: each step's values, aligned to the decision, and sums over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from precmark.baselines.checks import array_problems, refuse
from precmark.errors import InputError

COLUMNS = ("all", "summary")
"""What :class:`StepTable` can make: every value, or the summaries alone."""


def steps_there(X: np.ndarray) -> np.ndarray:
    """Steps of each decision that happened, int64 (n,): the place of the last finite one.

    Parameters
    ----------
    X : numpy.ndarray
        (n, F, T), NaN in all channels where a step did not happen.
    """
    there = np.isfinite(X).any(axis=1)
    length = there.shape[1]
    return np.where(there.any(axis=1), length - there[:, ::-1].argmax(axis=1), 0)


def by_lag(X: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """`X` aligned to the decision: column k - 1 of the last axis is lag k, lag 1 the last step.

    Parameters
    ----------
    X : numpy.ndarray
        (n, F, T), steps from the left.
    steps : numpy.ndarray
        Steps that happened, (n,).

    Returns
    -------
    numpy.ndarray
        (n, F, T), NaN at lags before the first step.
    """
    place = steps[:, None] - 1 - np.arange(X.shape[2])
    lagged = np.take_along_axis(X, np.maximum(place, 0)[:, None, :], axis=2)
    return np.where((place >= 0)[:, None, :], lagged, np.nan)


class StepTable(TransformerMixin, BaseEstimator):
    """A table of the same information as the networks see: (n, F, T) to (n, columns), float32.

    For each channel the last value, and the mean and sum of its values over the steps; the number
    of steps; with ``"all"`` also the value at each lag (lag 1 is the last step, so the last value
    is not repeated). What is missing stays NaN. Channels without a value, or with the same at every
    real step of the training part, say nothing and are left out with a note, like single columns
    of that kind.

    Parameters
    ----------
    columns : {"all", "summary"}
        ``F T + 2 F + 1`` columns, or ``3 F + 1``.
    channels : sequence of str or None
        Names of the F channels, for the columns' names; None numbers them.

    Attributes
    ----------
    kept_ : numpy.ndarray
        Which of the columns are kept, bool.
    notes_ : tuple of str
        What was left out and why, in words.
    """

    def __init__(self, columns: str = "all", channels: Sequence[str] | None = None):
        self.columns = columns
        self.channels = channels

    def fit(self, X: np.ndarray, y: Any = None) -> StepTable:
        """Find the columns that say something in `X`, (n, F, T) of the training part.

        Raises
        ------
        InputError
            When `X` is not (n, F, T) of finite numbers and NaN, or does not fit `channels`.
        """
        self._check(X)
        self.shape_ = np.shape(X)[1:]
        X = np.asarray(X)
        table = self._table(X)
        there = np.isfinite(table)
        low = np.where(there, table, np.inf).min(axis=0)
        high = np.where(there, table, -np.inf).max(axis=0)
        single = ~there.any(axis=0) | (there.all(axis=0) & (low == high))
        channel, self.notes_ = self._said(X)
        silent = ~channel[self._channel_of()]
        self.kept_ = ~(single | silent)
        self.kept_[-1] = True
        rest = int((single & ~silent)[:-1].sum())
        if rest:
            self.notes_ += (f"{rest} columns without a value or with one value only, left out",)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The table of `X`, (n, columns kept), float32."""
        self._check(X)
        if np.shape(X)[1:] != self.shape_:
            raise InputError(
                f"X has {np.shape(X)[1]} channels and {np.shape(X)[2]} steps, the model was fitted "
                f"to {self.shape_[0]} and {self.shape_[1]}. Give the same channels and steps."
            )
        return self._table(np.asarray(X))[:, self.kept_]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns kept: ``CHANNEL_lag_KK``, ``_last``, ``_mean``, ``_sum``, steps."""
        return np.asarray(self._names(), dtype=object)[self.kept_]

    def _check(self, X: Any) -> None:
        if self.columns not in COLUMNS:
            raise InputError(f"columns is {self.columns!r}; choose one of {', '.join(COLUMNS)}.")
        refuse(array_problems(X, "X"))
        if self.channels is not None and len(self.channels) != np.shape(X)[1]:
            raise InputError(
                f"X has {np.shape(X)[1]} channels and {len(self.channels)} names were given. "
                "Give one name a channel."
            )

    def _table(self, X: np.ndarray) -> np.ndarray:
        steps = steps_there(X)
        lagged = by_lag(X, steps)
        there = np.isfinite(lagged)
        count = there.sum(axis=2)
        total = np.where(there, lagged, 0).sum(axis=2, dtype=np.float64)
        total = np.where(count > 0, total, np.nan)
        mean = total / np.maximum(count, 1)
        values = lagged.reshape(len(X), -1) if self.columns == "all" else lagged[:, :, 0]
        return np.column_stack([values, mean, total, steps]).astype(np.float32)

    def _names(self) -> list[str]:
        channels = self._channel_names()
        if self.columns == "all":
            lags = range(1, self.shape_[1] + 1)
            values = [f"{name}_lag_{lag:02d}" for name in channels for lag in lags]
        else:
            values = [f"{name}_last" for name in channels]
        means = [f"{name}_mean" for name in channels]
        return [*values, *means, *(f"{name}_sum" for name in channels), "steps"]

    def _channel_names(self) -> list[str]:
        if self.channels is not None:
            return list(self.channels)
        return [f"channel_{number:02d}" for number in range(self.shape_[0])]

    def _channel_of(self) -> np.ndarray:
        """The channel of each column; for the last, the steps, one more than there are."""
        n_channels, lags = self.shape_
        number = np.arange(n_channels)
        values = np.repeat(number, lags) if self.columns == "all" else number
        return np.r_[values, number, number, n_channels]

    def _said(self, X: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Whether each channel says anything (and True for the steps), and notes where not."""
        there = np.isfinite(X)
        real = there.any(axis=1)[:, None, :]
        notes, said = [], []
        for number, name in enumerate(self._channel_names()):
            known = there[:, number]
            values = X[:, number][known]
            if not len(values):
                notes.append(f"{name}: no value in the training part, left out")
            elif (known == real[:, 0]).all() and (values == values[0]).all():
                notes.append(f"{name}: the same value throughout the training part, left out")
            else:
                said.append(True)
                continue
            said.append(False)
        return np.array([*said, True]), tuple(notes)
