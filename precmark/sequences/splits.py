"""Training, validation and test: over time with purged borders, by origin, and at random."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.sequences.arrays import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

FRACTIONS = (0.6, 0.2, 0.2)
"""Shares of training, validation and test."""


def time_split(
    timestamp: pd.Series | np.ndarray,
    horizon: dt.timedelta,
    fractions: Sequence[float] = FRACTIONS,
    *,
    end: pd.Timestamp | None = None,
) -> np.ndarray:
    """The part of each decision when parts follow each other in time and labels do not cross.

    The second part begins at the decision at which the first fraction is reached, and so on;
    decisions of one instant stay on one side. A label looks at (t, t + horizon]: where that
    reaches the first decision of the next part, or goes beyond the log's end, the decision is
    purged.

    Parameters
    ----------
    timestamp : series or array of instants, shape (n,)
        When each decision is taken. Rounded down to days, the borders lie between days.
    horizon : datetime.timedelta
        Length of the label's window, >= 0.
    fractions : three floats
        Shares of the parts, > 0, summing to 1.
    end : pandas.Timestamp, optional
        The log's last instant; None where a label is always complete.

    Returns
    -------
    array of str, shape (n,)
        ``train``, ``validation``, ``test`` or ``purged``.

    Raises
    ------
    InputError
        Fractions that are no shares; too few different instants for three parts.
    """
    _check_fractions(fractions)
    us = _microseconds(timestamp)
    window = _us(horizon)
    starts = _borders(us, fractions)
    part = np.searchsorted(starts, us, side="right")
    names = np.array(PARTS, dtype=object)[part]
    next_start = np.array([*starts, np.iinfo(np.int64).max])[part]
    purged = (us + window >= next_start) & (window > 0)
    if end is not None:
        purged |= us + window > pd.Timestamp(end).value // 1_000
    names[purged] = "purged"
    return names


def _borders(us: np.ndarray, fractions: Sequence[float]) -> list[int]:
    """First instant of the validation and of the test part."""
    ordered = np.sort(us)
    # Rounded, because 0.6 + 0.2 is a little less than 0.8 in binary.
    places = [round(share * len(us), 6) for share in np.cumsum(fractions)[:2]]
    starts = [int(ordered[min(int(np.ceil(p)), len(us) - 1)]) if len(us) else 0 for p in places]
    if not len(us) or not ordered[0] < starts[0] < starts[1]:
        raise InputError(
            Problem(
                f"{len(us):,} decisions at {len(np.unique(us)):,} different instants cannot be "
                "split into training, validation and test over time",
                "Use a longer log, or a smaller k.",
            )
        )
    return starts


def random_split(n: int, seed: int = 0, fractions: Sequence[float] = FRACTIONS) -> np.ndarray:
    """The part of each of `n` decisions drawn at random: the leak's baseline, never a result.

    Rows of one user and of one hour fall on both sides, so that a model is tested on what it has
    nearly seen.

    Returns
    -------
    array of str, shape (n,)
        ``train``, ``validation`` or ``test``.
    """
    _check_fractions(fractions)
    borders = [round(share * n) for share in np.cumsum(fractions)[:2]]
    place = np.random.default_rng(seed).permutation(n)
    return np.array(PARTS, dtype=object)[np.searchsorted(borders, place, side="right")]


def origin_split(origin: pd.Series | np.ndarray) -> np.ndarray:
    """The part of each decision by its origin: the last is the test, the one before validation.

    Parameters
    ----------
    origin : series or array of instants, shape (n,)
        Label windows of different origins must not overlap.

    Returns
    -------
    array of str, shape (n,)
        ``train`` (all earlier origins), ``validation`` or ``test``.

    Raises
    ------
    InputError
        Fewer than three different origins.
    """
    us = _microseconds(origin)
    origins = np.unique(us)
    if len(origins) < 3:
        raise InputError(
            Problem(
                f"{len(origins)} origins: one each is needed for training, validation and test, "
                "and an origin is never split, because its customers share one season",
                "Use a shorter horizon or a longer log.",
            )
        )
    last = np.searchsorted(origins, us) - (len(origins) - 1)
    return np.array(PARTS, dtype=object)[np.maximum(last + 2, 0)]


def _check_fractions(fractions: Sequence[float]) -> None:
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(
            f"fractions {tuple(fractions)} are no shares of three parts. Use three numbers above 0 "
            "that sum to 1, e.g. (0.6, 0.2, 0.2)."
        )


def _microseconds(instants: pd.Series | np.ndarray) -> np.ndarray:
    """`instants` as microseconds since 1970 UTC (int64)."""
    index = pd.DatetimeIndex(pd.Series(instants))
    if index.tz is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return index.as_unit("us").asi8


def _us(length: dt.timedelta) -> int:
    return length // dt.timedelta(microseconds=1)
