"""Segmentations side by side: sizes, agreement, and how well they part the future."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.segments.choose import silhouette


@dataclass(frozen=True)
class Separation:
    """How well segments part the users who will from those who will not.

    Attributes
    ----------
    auroc : float
        Area under the ROC curve of the segment's rate, learnt on one half of the users and judged
        on the other, averaged over both halves; 0.5 where segments say nothing. nan where nobody
        or everybody has the outcome.
    low, high : float
        95 % bootstrap interval over users.
    rates : pandas.DataFrame
        One row a segment: ``segment``, ``users``, ``with_outcome``, ``rate`` (0 to 1) with the
        Wilson 95 % interval ``rate_low`` and ``rate_high``.
    """

    auroc: float
    low: float
    high: float
    rates: pd.DataFrame


def agreement(segmentations: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Adjusted Rand index of each pair of `segmentations`, as a square table with their names."""
    from sklearn.metrics import adjusted_rand_score

    names = list(segmentations)
    coded = [pd.factorize(np.asarray(segmentations[n]), sort=True)[0] for n in names]
    values = [[adjusted_rand_score(a, b) for b in coded] for a in coded]
    return pd.DataFrame(values, index=pd.Index(names, name="segmentation"), columns=names)


def wilson(successes: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of a share by Wilson's score; (0, 1) where there are no trials.

    References
    ----------
    Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    z = 1.959963984540054
    n = np.maximum(trials, 1)
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low = np.where((trials == 0) | (successes == 0), 0.0, centre - half)
    high = np.where((trials == 0) | (successes == trials), 1.0, centre + half)
    return low, high


def _auroc(positive: np.ndarray, negative: np.ndarray, score: np.ndarray) -> float:
    """AUROC from the counts of positives and negatives at each segment's score; ties count half."""
    order = np.argsort(score, kind="stable")
    level = np.cumsum(np.r_[True, np.diff(score[order]) > 0]) - 1
    above = np.bincount(level, weights=positive[order])
    below = np.bincount(level, weights=negative[order])
    if above.sum() == 0 or below.sum() == 0:
        return float("nan")
    won = (above * (np.cumsum(below) - below / 2)).sum()
    return float(won / (above.sum() * below.sum()))


def _crossed(counts: np.ndarray) -> float:
    """Mean AUROC of halves by segments by outcome `counts`, each half judged by the other."""
    areas = []
    for learn, judge in ((0, 1), (1, 0)):
        users = counts[learn].sum(axis=1)
        overall = counts[learn, :, 1].sum() / max(users.sum(), 1)
        rate = np.where(users > 0, counts[learn, :, 1] / np.maximum(users, 1), overall)
        areas.append(_auroc(counts[judge, :, 1], counts[judge, :, 0], rate))
    return float(np.mean(areas))


def separation(
    labels: np.ndarray, outcome: np.ndarray, *, draws: int = 500, seed: int = 0
) -> Separation:
    """How well `labels` part a future `outcome`, each half of the users judged by the other.

    Parameters
    ----------
    labels : numpy.ndarray
        Segment of each user, fitted on nothing later than the outcome's period.
    outcome : numpy.ndarray
        bool, one a user.
    draws : int
        Bootstrap draws.
    seed : int
        Of the halves and the draws.

    Returns
    -------
    Separation
    """
    segments, code = np.unique(np.asarray(labels), return_inverse=True)
    outcome = np.asarray(outcome, dtype=np.int64)
    rng = np.random.default_rng(seed)
    half = rng.permutation(len(code)) % 2
    cell = (half * len(segments) + code) * 2 + outcome
    shape = (2, len(segments), 2)
    counts = np.bincount(cell, minlength=int(np.prod(shape)))
    drawn = rng.multinomial(counts.sum(), counts / max(counts.sum(), 1), size=draws)
    areas = np.array([_crossed(d.reshape(shape)) for d in drawn])
    areas = areas[~np.isnan(areas)]
    low, high = np.quantile(areas, [0.025, 0.975]) if len(areas) else (np.nan, np.nan)
    counts = counts.reshape(shape)
    users, positive = counts.sum(axis=(0, 2)), counts[:, :, 1].sum(axis=0)
    rate_low, rate_high = wilson(positive, users)
    rates = pd.DataFrame(
        {
            "segment": segments,
            "users": users,
            "with_outcome": positive,
            "rate": positive / users,
            "rate_low": rate_low,
            "rate_high": rate_high,
        }
    )
    return Separation(_crossed(counts), float(low), float(high), rates)


@dataclass(frozen=True)
class Gap:
    """How much better one segmentation parts the future than another, on the same users.

    Attributes
    ----------
    difference : float
        AUROC of the first less that of the second.
    low, high : float
        95 % bootstrap interval over users, both segmentations on the same draw.
    """

    difference: float
    low: float
    high: float


def separation_gap(
    first: np.ndarray, second: np.ndarray, outcome: np.ndarray, *, draws: int = 500, seed: int = 0
) -> Gap:
    """The difference of the :func:`separation` of two segmentations of the same users.

    Parameters
    ----------
    first, second : numpy.ndarray
        Segment of each user in either.
    outcome : numpy.ndarray
        bool, one a user.
    draws, seed : int
        As in :func:`separation`.
    """
    one, a = np.unique(np.asarray(first), return_inverse=True)
    two, b = np.unique(np.asarray(second), return_inverse=True)
    rng = np.random.default_rng(seed)
    half = rng.permutation(len(a)) % 2
    shape = (2, len(one), len(two), 2)
    cell = ((half * len(one) + a) * len(two) + b) * 2 + np.asarray(outcome, dtype=np.int64)
    counts = np.bincount(cell, minlength=int(np.prod(shape)))

    def difference(cells: np.ndarray) -> float:
        cells = cells.reshape(shape)
        return _crossed(cells.sum(axis=2)) - _crossed(cells.sum(axis=1))

    drawn = rng.multinomial(counts.sum(), counts / max(counts.sum(), 1), size=draws)
    gaps = np.array([difference(d) for d in drawn])
    gaps = gaps[~np.isnan(gaps)]
    low, high = np.quantile(gaps, [0.025, 0.975]) if len(gaps) else (np.nan, np.nan)
    return Gap(difference(counts), float(low), float(high))


def will_return(
    visits: pd.DataFrame,
    user_codes: np.ndarray | pd.Series,
    *,
    as_of: pd.Timestamp,
    days: float = 30.0,
    log_end: pd.Timestamp | None = None,
) -> np.ndarray:
    """Whether each of `user_codes` has a row of `visits` in [as_of, as_of + days).

    Parameters
    ----------
    visits : pandas.DataFrame
        ``user_code`` and ``start`` (UTC): all visits, or those with a purchase.
    user_codes : array of int
    as_of : pandas.Timestamp
        With a zone.
    days : float
        > 0.
    log_end : pandas.Timestamp, optional
        The last moment the log covers; by default the last of `visits`.

    Returns
    -------
    numpy.ndarray
        bool, one a user.

    Raises
    ------
    InputError
        When the log ends before the period does: absence would then mean nothing.
    """
    start = pd.to_datetime(visits["start"], utc=True)
    end = as_of + pd.Timedelta(days=days)
    last = start.max() if log_end is None else log_end
    if not last >= end - pd.Timedelta(days=1):
        raise InputError(
            f"the log ends at {last}, before the {days:g} days after {as_of:%Y-%m-%d} are over. "
            "Choose an earlier as-of date or a shorter period."
        )
    there = visits["user_code"][((start >= as_of) & (start < end)).to_numpy()].unique()
    return np.isin(np.asarray(user_codes), there)


def comparison(
    segmentations: Mapping[str, np.ndarray],
    points: np.ndarray,
    *,
    outcome: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The segmentations in one table.

    Parameters
    ----------
    segmentations : mapping
        Name to the segment of each user.
    points : numpy.ndarray
        The same users in one common space (the map's), n by f.
    outcome : numpy.ndarray, optional
        bool, one a user: what happened after the profile's date.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row a segmentation: ``segmentation``, ``segments``, ``smallest_share``,
        ``largest_share`` (0 to 1), ``silhouette`` with ``silhouette_low`` and ``silhouette_high``
        in that space, and, where `outcome` is given, ``auroc`` with ``auroc_low`` and
        ``auroc_high`` (see :class:`Separation`).
    """
    rows = []
    for name, labels in segmentations.items():
        code, distinct = pd.factorize(np.asarray(labels), sort=True)
        share = np.bincount(code) / len(code)
        mean, low, high = silhouette(points, code, seed=seed)
        row = {
            "segmentation": name,
            "segments": len(distinct),
            "smallest_share": share.min(),
            "largest_share": share.max(),
            "silhouette": mean,
            "silhouette_low": low,
            "silhouette_high": high,
        }
        if outcome is not None:
            parted = separation(code, outcome, seed=seed)
            row |= {"auroc": parted.auroc, "auroc_low": parted.low, "auroc_high": parted.high}
        rows.append(row)
    return pd.DataFrame(rows)
