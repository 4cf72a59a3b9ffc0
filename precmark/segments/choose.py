"""How many segments: silhouette, stability under resampling, and one rule that decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

RULE = (
    "Of the numbers whose smallest segment holds at least {share:.0%} of the users, keep those "
    "whose mean stability comes within one standard deviation of the most stable; of these take "
    "the one with the best silhouette, the smaller number on a tie."
)


class Cuttable(Protocol):
    """What :func:`number_of_segments` asks of a segmentation (stickiness and map have it)."""

    seed: int

    def space(self, profile: pd.DataFrame) -> np.ndarray:
        """Points of the users to segment."""
        ...

    def labels_at(self, points: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """Segments of `points`, numbers by n."""
        ...

    def labels_by_number(
        self, points: np.ndarray, rows: np.ndarray, numbers: Sequence[int], seed: int = 0
    ) -> np.ndarray:
        """Segments of `points`, numbers by n, refitted on `rows`."""
        ...


@dataclass(frozen=True)
class NumberChoice:
    """The number of segments, and what spoke for it.

    Attributes
    ----------
    chosen : int
    rule : str
        The rule in a sentence.
    table : pandas.DataFrame
        One row a number: ``segments``; ``silhouette`` with ``silhouette_low`` and
        ``silhouette_high`` (95 % over users); ``stability``, the mean adjusted Rand index between
        the fit and its refits on random subsets, with ``stability_low`` and ``stability_high``
        (the middle 95 % of refits) and ``stability_sd``; ``smallest_share`` (0 to 1);
        ``eligible`` and ``chosen`` (bool).
    """

    chosen: int
    rule: str
    table: pd.DataFrame


def silhouette(
    points: np.ndarray, labels: np.ndarray, *, sample: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean silhouette of at most `sample` points, with its 95 % interval over points.

    Parameters
    ----------
    points : numpy.ndarray
        n by f.
    labels : numpy.ndarray
        One a point.
    sample : int
        Points drawn at random; time grows with its square.
    seed : int

    Returns
    -------
    tuple of float
        Mean, low, high, in [-1, 1]; all nan where the sample holds one segment, or as many
        segments as points.

    References
    ----------
    Rousseeuw 1987, doi 10.1016/0377-0427(87)90125-7.
    """
    from sklearn.metrics import silhouette_samples

    rows = np.sort(np.random.default_rng(seed).permutation(len(points))[:sample])
    kept = labels[rows]
    if not 1 < len(np.unique(kept)) < len(kept):
        return (float("nan"),) * 3
    values = silhouette_samples(points[rows], kept)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def stability(
    segmenter: Cuttable,
    points: np.ndarray,
    numbers: Sequence[int],
    *,
    refits: int = 20,
    rows: int = 1500,
    seed: int = 0,
) -> np.ndarray:
    """Adjusted Rand index between the fit and each refit on random users, refits by numbers.

    Each refit sees half of `points`, at most `rows`, and labels all of them; 1 is the same
    segments, 0 what chance would give. A refit sees fewer users than the fit did: if that matters,
    the figure errs towards caution.

    References
    ----------
    Hubert & Arabie 1985, doi 10.1007/BF01908075; Ben-Hur et al. 2002,
    doi 10.1142/9789812799623_0002.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    size = min(rows, max(2, len(points) // 2), len(points))
    fitted = segmenter.labels_at(points, numbers)
    out = np.empty((refits, len(numbers)))
    for i in range(refits):
        drawn = np.sort(rng.choice(len(points), size, replace=False))
        refit = segmenter.labels_by_number(points, drawn, numbers, seed + 1 + i)
        out[i] = [adjusted_rand_score(a, b) for a, b in zip(fitted, refit, strict=True)]
    return out


def number_of_segments(
    segmenter: Cuttable,
    profile: pd.DataFrame,
    *,
    numbers: Sequence[int] = range(3, 9),
    refits: int = 20,
    users: int = 5000,
    min_share: float = 0.02,
    seed: int = 0,
) -> NumberChoice:
    """How many segments `segmenter`, already fitted, should be cut into.

    Parameters
    ----------
    segmenter : StickinessSegments or SomSegments
        Fitted to `profile`.
    profile : pandas.DataFrame
        One row a user.
    numbers : sequence of int
        The numbers weighed, ascending.
    refits : int
        Refits for the stability, >= 2.
    users : int
        Users drawn at random, on whom all numbers are judged.
    min_share : float
        A segment smaller than this share of the users judged cannot feed a model of its own.
    seed : int

    Returns
    -------
    NumberChoice
        With `chosen` 1 and an empty table where the users are too few or too alike to be told
        apart; with the most stable number where no number meets `min_share`.
    """
    points = segmenter.space(profile)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(points))[:users])
    points = points[drawn]
    distinct = len(np.unique(points, axis=0))
    numbers = [k for k in numbers if k < min(distinct, len(points))]
    rule = RULE.format(share=min_share)
    if not numbers:
        return NumberChoice(1, rule, _table([], min_share))
    labels = segmenter.labels_at(points, numbers)
    rand = stability(segmenter, points, numbers, refits=refits, seed=seed)
    rows = []
    for i, number in enumerate(numbers):
        mean, low, high = silhouette(points, labels[i], seed=seed)
        rows.append(
            {
                "segments": number,
                "silhouette": mean,
                "silhouette_low": low,
                "silhouette_high": high,
                "stability": rand[:, i].mean(),
                "stability_low": np.quantile(rand[:, i], 0.025),
                "stability_high": np.quantile(rand[:, i], 0.975),
                "stability_sd": rand[:, i].std(ddof=1),
                "smallest_share": np.unique(labels[i], return_counts=True)[1].min() / len(points),
            }
        )
    table = _table(rows, min_share)
    return NumberChoice(int(table.loc[table.chosen, "segments"].iloc[0]), rule, table)


def _table(rows: list[dict[str, float]], min_share: float) -> pd.DataFrame:
    columns = [
        "segments", "silhouette", "silhouette_low", "silhouette_high", "stability",
        "stability_low", "stability_high", "stability_sd", "smallest_share",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns).astype("float64").astype({"segments": "int64"})
    table["eligible"] = table.smallest_share >= min_share
    table["chosen"] = False
    if len(table):
        table.loc[pick(table), "chosen"] = True
    return table


def pick(table: pd.DataFrame) -> int:
    """Row of `table` that :data:`RULE` picks; `table` needs the columns of :class:`NumberChoice`.

    Where no row is eligible, all are.
    """
    pool = table[table.eligible] if table.eligible.any() else table
    best = pool.loc[pool.stability.idxmax()]
    close = pool[pool.stability >= best.stability - best.stability_sd]
    return int(close.silhouette.fillna(-1.0).idxmax())
