"""Every metric of a binary prediction, from row weights, for many weightings at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from precmark.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scipy.sparse import csr_array

BINS = 10
"""Bins of the calibration error, of the reliability curve and of the lift table."""

LOG_LOSS_CLIP = float(np.finfo(np.float64).eps)
"""Probabilities closer than this to 0 or 1 are moved there before the logarithm."""


@dataclass(frozen=True)
class Metric:
    """What a metric is called and which way is better.

    Attributes
    ----------
    title : str
        Its name in words, as tables and figures print it.
    better : str
        ``"higher"`` or ``"lower"``.
    needs_threshold : bool
        Whether it judges decisions (p at or above a threshold) rather than probabilities.
    note : str
        Its formula and where it is undefined (not a number, never a silent 0). TP, FP, TN and FN
        count rows by decision and outcome; y = 1, the purchase, is the positive class.
    """

    title: str
    better: str
    needs_threshold: bool
    note: str


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", "higher", True, "(TP + TN) / all"),
    "precision": Metric(
        "precision", "higher", True, "TP / (TP + FP); undefined where nothing is predicted positive"
    ),
    "recall": Metric("recall", "higher", True, "TP / (TP + FN), the same as sensitivity"),
    "f1": Metric(
        "F1", "higher", True,
        "2 TP / (2 TP + FP + FN); a true 0 where nothing is predicted positive",
    ),
    "sensitivity": Metric("sensitivity", "higher", True, "TP / (TP + FN), the same as recall"),
    "specificity": Metric("specificity", "higher", True, "TN / (TN + FP)"),
    "matthews": Metric(
        "Matthews correlation", "higher", True,
        "correlation of decision and outcome, -1 to 1; undefined where all decisions are the same",
    ),
    "auroc": Metric(
        "auROC", "higher", False, "share of pairs put in the right order, ties count half"
    ),
    "average_precision": Metric(
        "average precision", "higher", False,
        "sum over distinct scores of (recall gained) x (precision there)",
    ),
    "brier": Metric("Brier score", "lower", False, "mean of (p - y)^2"),
    "expected_calibration_error": Metric(
        "expected calibration error", "lower", False,
        f"mean over rows of |mean p - share of y = 1| of the row's bin; {BINS} bins of equal count",
    ),
    "log_loss": Metric(
        "log loss", "lower", False, "mean of -log of the probability given to what came"
    ),
}  # fmt: skip
"""Every metric by its column name."""


def known(metrics: Iterable[str] | None) -> tuple[str, ...]:
    """`metrics` (all of :data:`METRICS` where None); an InputError names each unknown one."""
    chosen = tuple(METRICS if metrics is None else metrics)
    unknown = [m for m in chosen if m not in METRICS]
    if unknown:
        fix = f"Choose among {', '.join(METRICS)}."
        raise InputError([Problem(f"metric {m!r}: unknown", fix) for m in unknown])
    return chosen


def equal_count_bins(p: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin of each row, 0 (lowest `p`) to `bins` - 1, of equal count, equal `p` never parted.

    Parameters
    ----------
    p : numpy.ndarray
        (n,) scores.
    bins : int
        At least 1. With ties, or with fewer rows than bins, some bins stay empty.
    """
    _, level, counts = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2  # rank of a level's middle, 0 to n
    return np.minimum((middle * bins / len(p)).astype(int), bins - 1)[level]


@dataclass(frozen=True)
class Ranking:
    """Rows in falling order of their score, ready to be weighed by user.

    Neighbouring rows that can never part company are one run: rows of the same score and outcome,
    and negatives between two scores that a positive has. Both areas need only the runs' weights.

    Attributes
    ----------
    runs : scipy.sparse.csr_array
        (runs, users) how many rows of each user stand in each run.
    positive : numpy.ndarray
        Index of the runs that hold positives, one for each score that a positive has.
    tied : numpy.ndarray
        For each of those whether the run before it holds negatives of the same score.
    """

    runs: csr_array
    positive: np.ndarray
    tied: np.ndarray


def rank(y: np.ndarray, p: np.ndarray, users: np.ndarray, n_users: int) -> Ranking:
    """The :class:`Ranking` of (n,) outcomes `y` by (n,) scores `p`, weighed by `users` codes."""
    from scipy.sparse import csr_array

    order = np.lexsort((y, -p))  # negatives first among equal scores
    outcome, score = y[order] > 0, p[order]
    new_score = np.r_[True, score[1:] != score[:-1]]
    score_of_row = np.cumsum(new_score) - 1
    has_positive = np.bincount(score_of_row, weights=outcome) > 0
    starts_run = np.r_[True, outcome[1:] != outcome[:-1]]
    starts_run |= new_score & has_positive[score_of_row]
    starts = np.flatnonzero(starts_run)
    # row i of the matrix adds up the users of the rows from starts[i] on
    parts = (np.ones(len(y)), users[order], np.r_[starts, len(y)])
    runs = csr_array(parts, shape=(len(starts), n_users))
    positive = np.flatnonzero(outcome[starts])
    before = np.maximum(positive - 1, 0)
    last_before = score[starts[positive] - 1]
    tied = (positive > 0) & ~outcome[starts[before]] & (last_before == score[starts[positive]])
    return Ranking(runs, positive, tied)


def areas(ranking: Ranking, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve and average precision under each column of `weights`.

    Parameters
    ----------
    ranking : Ranking
    weights : numpy.ndarray
        (users, draws) how often each user counts.

    Returns
    -------
    auroc : numpy.ndarray
        (draws,) not a number where a draw holds one class only.
    average_precision : numpy.ndarray
        (draws,) likewise.

    Notes
    -----
    Equal scores count as scikit-learn counts them: half a pair for the ROC curve, one step of the
    precision-recall curve.
    """
    weight = ranking.runs @ weights
    negatives = weight.copy()
    negatives[ranking.positive] = 0
    seen = np.cumsum(negatives, axis=0)
    total = seen[-1]
    negatives_seen = seen[ranking.positive]
    tied = np.where(ranking.tied[:, None], weight[np.maximum(ranking.positive - 1, 0)], 0)
    positives = weight[ranking.positive]
    positives_seen = np.cumsum(positives, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        won = (positives * (total - negatives_seen + tied / 2)).sum(axis=0)
        auroc = won / (positives_seen[-1] * total)
        chosen = positives_seen + negatives_seen
        precision = np.divide(positives_seen, chosen, out=np.zeros_like(chosen), where=chosen > 0)
        average = (positives * precision).sum(axis=0) / positives_seen[-1]
    undefined = (total == 0) | (positives_seen[-1] == 0)
    return np.where(undefined, np.nan, auroc), np.where(undefined, np.nan, average)


def _by_user(columns: np.ndarray, users: np.ndarray, n_users: int) -> np.ndarray:
    """Sums of each of the (columns, n) rows over each user: (columns, users)."""
    from scipy.sparse import csr_array

    belongs = csr_array(
        (np.ones(len(users)), users, np.arange(len(users) + 1)), shape=(len(users), n_users)
    )
    return np.asarray(belongs.T @ columns.T).T


def sums(
    y: np.ndarray, p: np.ndarray, threshold: float, users: np.ndarray, n_users: int
) -> np.ndarray:
    """What adds up over rows, summed by user, as a (6 + bins, users) array.

    Rows, positives, predicted positives, true positives, squared error, minus log likelihood, and
    the difference of outcome and probability in each bin of equal count. The bins are those of the
    rows as they stand: they do not move with the weights.
    """
    chosen = p >= threshold
    clipped = np.clip(p, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    loss = -np.where(y > 0, np.log(clipped), np.log1p(-clipped))
    in_bin = np.arange(BINS)[:, None] == equal_count_bins(p)
    columns = np.vstack(
        [np.ones_like(y), y, chosen, chosen * y, (p - y) ** 2, loss, in_bin * (y - p)]
    )
    return _by_user(columns, users, n_users)


def from_sums(totals: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics that follow from weighted :func:`sums`, (6 + bins, draws): (draws,) each."""
    rows, positives, chosen, true_positives, squared, loss = totals[:6]
    negatives = rows - positives
    false_positives = chosen - true_positives
    true_negatives = negatives - false_positives
    missed = positives - true_positives
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity = true_positives / positives
        spread = np.sqrt(chosen) * np.sqrt(rows - chosen) * np.sqrt(positives) * np.sqrt(negatives)
        return {
            "accuracy": (true_positives + true_negatives) / rows,
            "precision": true_positives / chosen,
            "recall": sensitivity,
            "f1": 2 * true_positives / (2 * true_positives + false_positives + missed),
            "sensitivity": sensitivity,
            "specificity": true_negatives / negatives,
            "matthews": (true_positives * true_negatives - false_positives * missed) / spread,
            "brier": squared / rows,
            "expected_calibration_error": np.abs(totals[6:]).sum(axis=0) / rows,
            "log_loss": loss / rows,
        }
