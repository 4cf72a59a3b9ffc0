"""Recency, frequency and monetary value: the rival that the paper's introduction names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.segments.state import Segmenter, remembered, rows_of

NO_PURCHASE = "no purchase"
"""The segment of users who never bought, by rule."""

GRID = (
    ("champions", (4, 5), (3.5, 5.0)),
    ("loyal", (3, 5), (3.0, 5.0)),
    ("recent", (4, 5), (1.0, 3.0)),
    ("cooling", (3, 3), (1.0, 3.0)),
    ("at risk", (1, 2), (3.0, 5.0)),
    ("hibernating", (1, 2), (1.0, 3.0)),
)
"""Name, range of the recency score, range of the mean of the other scores; the first that fits."""


@remembered
@dataclass(frozen=True)
class RfmState:
    """What the quintile rule remembers.

    Attributes
    ----------
    recency_cuts, frequency_cuts, monetary_cuts : numpy.ndarray
        The four inner quintiles among buyers: days (of minus the recency), purchases, money;
        monetary_cuts is empty where the source has no prices.
    """

    recency_cuts: np.ndarray
    frequency_cuts: np.ndarray
    monetary_cuts: np.ndarray


def quintiles(values: np.ndarray) -> np.ndarray:
    """The values below which a fifth, two, three and four fifths of `values` lie, each observed."""
    return np.quantile(values, [0.2, 0.4, 0.6, 0.8], method="inverted_cdf").astype(float)


def score(values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """1 plus the number of `cuts` strictly below each value: 1 to 5; equal values score equally."""
    return 1 + np.searchsorted(cuts, values, side="left").astype(np.int64)


class RfmSegments(Segmenter):
    """Six named segments of buyers by quintiles of recency, frequency and monetary value.

    Each buyer scores 1 to 5 on each, 5 being best; users with equal values score equally, so that
    quintiles are uneven where many bought once. Recency and the mean of the other two scores
    decide the name (:data:`GRID`). Users without a purchase are a segment of their own. The rule
    wants ``recency_days`` and ``frequency`` in the profile; ``monetary`` is used where it is there.

    Attributes
    ----------
    state_ : RfmState
        After :meth:`fit`.

    References
    ----------
    Gu, doi 10.65102/is20261254, section 1. Hughes, Strategic database marketing, 1994.
    """

    def fit(self, profile: pd.DataFrame) -> RfmSegments:
        """Fit the quintiles to the buyers of `profile`.

        Raises
        ------
        InputError
            When there are no users, nobody bought, or a column is missing.
        """
        rows_of(profile, "RfmSegments.fit")
        recency, frequency, monetary, buyer = _columns(profile)
        if not buyer.any():
            raise InputError("nobody in the profile has bought. RFM needs purchases; leave it out.")
        spent = quintiles(monetary[buyer]) if monetary is not None else np.empty(0)
        self.state_ = RfmState(quintiles(-recency[buyer]), quintiles(frequency[buyer]), spent)
        return self

    def scores(self, profile: pd.DataFrame) -> pd.DataFrame:
        """Scores and segment of each user.

        Returns
        -------
        pandas.DataFrame
            `profile`'s index; ``r``, ``f``, ``m`` (1 to 5, 0 without a purchase; m repeats f
            where there are no prices), ``segment`` (text).
        """
        state = self._fitted()
        recency, frequency, monetary, buyer = _columns(profile)
        r = score(-np.where(buyer, recency, 0), state.recency_cuts)
        f = score(frequency, state.frequency_cuts)
        priced = monetary is not None and len(state.monetary_cuts) > 0
        m = score(monetary, state.monetary_cuts) if priced else f
        segment = np.full(len(profile), NO_PURCHASE, object)
        rest = (f + m) / 2
        for name, (low_r, high_r), (low, high) in reversed(GRID):
            fits = (r >= low_r) & (r <= high_r) & (rest >= low) & (rest <= high)
            segment[buyer & fits] = name
        scores = {"r": r * buyer, "f": f * buyer, "m": m * buyer, "segment": segment}
        return pd.DataFrame(scores, index=profile.index).astype({"segment": "str"})

    def predict(self, profile: pd.DataFrame) -> np.ndarray:
        """Name of each user's segment, text: one of :data:`GRID` or :data:`NO_PURCHASE`."""
        rows_of(profile, "RfmSegments.predict")
        return self.scores(profile).segment.to_numpy(dtype=object)


def _columns(
    profile: pd.DataFrame,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Recency, frequency, monetary (or None) and who bought."""
    missing = [c for c in ("recency_days", "frequency") if c not in profile]
    if missing:
        raise InputError(
            f"RFM needs {' and '.join(missing)} in the profile. The source may hold no purchases: "
            "then leave RFM out."
        )
    recency = pd.to_numeric(profile.recency_days).to_numpy(dtype=float, na_value=np.nan)
    frequency = pd.to_numeric(profile.frequency).to_numpy(dtype=float, na_value=0.0)
    monetary = None
    if "monetary" in profile and profile.monetary.notna().any():
        monetary = pd.to_numeric(profile.monetary).to_numpy(dtype=float, na_value=0.0)
    return recency, frequency, monetary, (frequency > 0) & ~np.isnan(recency)
