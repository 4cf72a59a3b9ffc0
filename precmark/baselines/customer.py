"""Floors for customers: how long since the last purchase, and BG/NBD, from three numbers each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from precmark.baselines.bgnbd import BgNbd, fit_bgnbd
from precmark.baselines.checks import label_problems, refuse
from precmark.baselines.floors import BinnedRate, two_columns
from precmark.errors import InputError

HISTORY = ("frequency", "recency_days", "T_days")
"""Columns that the floors read (:func:`precmark.sequences.customer_summary`)."""


def history(summary: pd.DataFrame) -> list[np.ndarray]:
    """Frequency, recency and age (days) of each row, float64; refuses a frame without them."""
    missing = [name for name in HISTORY if name not in getattr(summary, "columns", ())]
    if missing:
        raise InputError(
            f"the customers' summary lacks {', '.join(missing)}. "
            "Give the frame of precmark.sequences.customer_summary."
        )
    return [summary[name].to_numpy(np.float64) for name in HISTORY]


class RecencyRate(ClassifierMixin, BaseEstimator):
    """The share of y = 1 among customers whose last purchase was as long ago, in ten bins.

    Attributes
    ----------
    rate_ : BinnedRate
    """

    def fit(self, summary: pd.DataFrame, y: Any, *, validation: Any = None) -> RecencyRate:
        """Fit the rates to the days since the last purchase; raises InputError on bad input."""
        self.rate_ = BinnedRate().fit(self._since(summary), y)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, summary: pd.DataFrame) -> np.ndarray:
        """(n, 2), column 1 = P(a purchase in the window)."""
        return self.rate_.predict_proba(self._since(summary))

    def predict(self, summary: pd.DataFrame) -> np.ndarray:
        """The likelier class of each row."""
        return self.rate_.predict(self._since(summary))

    def _since(self, summary: pd.DataFrame) -> np.ndarray:
        _, recency, age = history(summary)
        return age - recency


class BgNbdRate(ClassifierMixin, BaseEstimator):
    """P(at least one purchase in the next `days` days) by BG/NBD, which sees no label.

    Parameters
    ----------
    days : float
        The window, days.

    Attributes
    ----------
    model_ : BgNbd
    notes_ : tuple of str
        What the search had to say, where it did not converge.
    """

    def __init__(self, days: float = 90):
        self.days = days

    def fit(self, summary: pd.DataFrame, y: Any = None, *, validation: Any = None) -> BgNbdRate:
        """Fit to the histories in `summary`: of a customer who is there at several origins
        (``user_code``, ``timestamp``), to the latest, which holds the earlier ones.

        Raises
        ------
        InputError
            Columns are missing, histories are out of range, nobody bought twice, or `y` is given
            and holds one class only.
        """
        if y is not None:
            refuse(label_problems(y, len(summary), "y"))
        if {"user_code", "timestamp"} <= set(summary.columns):
            summary = summary.sort_values("timestamp", kind="stable").drop_duplicates(
                "user_code", keep="last"
            )
        self.model_: BgNbd = fit_bgnbd(*history(summary))
        self.notes_ = () if self.model_.converged else (f"BG/NBD: {self.model_.message}",)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, summary: pd.DataFrame) -> np.ndarray:
        """(n, 2), column 1 = P(a purchase in the window)."""
        return two_columns(self.model_.probability_purchase(*history(summary), self.days))

    def predict(self, summary: pd.DataFrame) -> np.ndarray:
        """The likelier class of each row."""
        return (self.predict_proba(summary)[:, 1] >= 0.5).astype(np.int64)


@dataclass(frozen=True)
class CustomerFloor:
    """One floor for customers.

    Attributes
    ----------
    title : str
        As figures and tables name it.
    make : callable
        ``make(days)``: an unfitted estimator with ``fit(summary, y)`` and
        ``predict_proba(summary)`` on the frame of :func:`precmark.sequences.customer_summary`.
    source : str
    """

    title: str
    make: Callable[[float], Any]
    source: str


def _recency(days: float) -> RecencyRate:
    return RecencyRate()


CUSTOMER_FLOORS: dict[str, CustomerFloor] = {
    "recency": CustomerFloor("Recency alone", _recency, "days since the last purchase"),
    "bg-nbd": CustomerFloor("BG/NBD", BgNbdRate, "Fader, Hardie & Lee 2005"),
}
"""Name to floor, for customers; the constant of ``BASELINES`` goes with them."""
