"""Tables of metrics: all models beside the constant, lift and gain, reliability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.metrics.inputs import checked
from precmark.metrics.measures import BINS, equal_count_bins
from precmark.metrics.resampling import bootstrap, percentiles, user_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from precmark.metrics.thresholds import Threshold

CONSTANT = "constant"
"""Name of the classifier that gives every row the base rate."""

UNDEFINED = "undefined"


def with_constant(p_by_model: Mapping[str, ArrayLike], rows: int, base_rate: float) -> dict:
    """`p_by_model` with the constant first: `base_rate` for each of `rows` rows."""
    problems = []
    if CONSTANT in p_by_model:
        problems.append(Problem(f"a model is called {CONSTANT!r}", "Rename it: it is added."))
    if not 0 <= base_rate <= 1:
        problems.append(
            Problem(f"base_rate: {base_rate}", "Give the share of positives in the training rows.")
        )
    if problems:
        raise InputError(problems)
    return {CONSTANT: np.full(rows, float(base_rate)), **p_by_model}


def metrics_table(
    y: ArrayLike,
    p_by_model: Mapping[str, ArrayLike],
    thresholds: Mapping[str, float | Threshold],
    users: ArrayLike | None = None,
    *,
    base_rate: float,
    metrics: Iterable[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Metrics with 95 % intervals of every model and of the constant, in long form.

    Parameters
    ----------
    y : array (n,)
        0 or 1; 1 is the purchase.
    p_by_model : mapping of model name to array (n,)
        Probability of y = 1.
    thresholds : mapping of model name to float or Threshold
        Chosen on validation data. The constant's may be left out: it is 0.5, so that it predicts
        the class that is commoner in training.
    base_rate : float
        Share of y = 1 in the *training* rows, which the constant predicts.
    users, metrics, draws, seed
        See :func:`~precmark.metrics.bootstrap`.

    Returns
    -------
    pandas.DataFrame
        A row a model and metric, the constant first: ``model``, ``metric``, ``value``, ``low``,
        ``high``. Undefined values are not a number.

    Raises
    ------
    InputError
        See :func:`~precmark.metrics.bootstrap`; also a model called ``"constant"``.
    """
    models = with_constant(p_by_model, len(np.asarray(y)), base_rate)
    limits = {CONSTANT: 0.5, **thresholds}
    return bootstrap(
        y, models, users, thresholds=limits, metrics=metrics, draws=draws, seed=seed
    ).table()


def interval_text(value: float, low: float, high: float, digits: int = 2) -> str:
    """``"0.71 [0.66, 0.75]"``; without the brackets where there is no interval."""
    if not np.isfinite(value):
        return UNDEFINED
    text = f"{value:.{digits}f}"
    if not (np.isfinite(low) and np.isfinite(high)):
        return text
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def wide(table: pd.DataFrame, *, digits: int = 2) -> pd.DataFrame:
    """A long table of :func:`metrics_table` as text, a row a model and a column a metric.

    Models and metrics keep their order; each cell is an :func:`interval_text`.
    """
    text = [interval_text(r.value, r.low, r.high, digits) for r in table.itertuples(index=False)]
    cells = table.assign(text=text).pivot(index="model", columns="metric", values="text")
    cells = cells.loc[table["model"].unique(), table["metric"].unique()]
    return cells.fillna("").rename_axis(columns=None)


def lift_table(
    y: ArrayLike,
    p: ArrayLike,
    users: ArrayLike | None = None,
    *,
    outcome: str = "purchase",
    bins: int = BINS,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Lift and gain by tenth of the rows, those with the highest score first.

    Parameters
    ----------
    y, p : arrays (n,)
        Outcomes 0 or 1, and probabilities of y = 1.
    users, draws, seed
        See :func:`~precmark.metrics.bootstrap`. The tenths stay those of the rows as they stand.
    outcome : str
        ``"purchase"`` ranks by p and counts y = 1; ``"churn"`` ranks by the risk 1 - p and counts
        y = 0.
    bins : int
        10 for deciles; from 1 to the number of rows.

    Returns
    -------
    pandas.DataFrame
        ``decile`` (1 = highest score), ``rows``, ``mean_score``, ``with_outcome`` (rows, a
        fraction where equal scores straddle two tenths: they are spread evenly, whatever their
        order), ``rate``, ``lift`` (rate / rate of all rows) with ``lift_low`` and ``lift_high``,
        and ``gain`` (share of all rows with the outcome that lie in this tenth or above) with
        ``gain_low`` and ``gain_high``.

    Raises
    ------
    InputError
        See :func:`~precmark.metrics.bootstrap`; also an unknown outcome, bins out of range.
    """
    scores = checked(y, p, users)
    n = len(scores.y)
    problems = []
    if outcome not in ("purchase", "churn"):
        problems.append(Problem(f"outcome {outcome!r}: unknown", "Choose purchase or churn."))
    if not 1 <= bins <= n:
        problems.append(Problem(f"bins: {bins} for {n} rows", f"Choose 1 to {n}."))
    if problems:
        raise InputError(problems)
    came = scores.y if outcome == "purchase" else 1 - scores.y
    score = scores.p[0] if outcome == "purchase" else 1 - scores.p[0]
    share = _shares(score, bins)
    columns = np.zeros((2 * bins, scores.n_users))
    for b in range(bins):
        for k, amount in enumerate((share[b], share[b] * came)):
            columns[2 * b + k] = np.bincount(scores.users, amount, scores.n_users)
    drawn = [_lift(columns @ w) for w in user_weights(scores.n_users, draws, seed)]
    lift, gain = _lift(columns.sum(axis=1, keepdims=True))
    lift_low, lift_high = percentiles(np.concatenate([d[0] for d in drawn], axis=1))
    gain_low, gain_high = percentiles(np.concatenate([d[1] for d in drawn], axis=1))
    rows, hits = share.sum(axis=1), share @ came
    return pd.DataFrame(
        {
            "decile": np.arange(1, bins + 1), "rows": rows, "mean_score": share @ score / rows,
            "with_outcome": hits, "rate": hits / rows,
            "lift": lift[:, 0], "lift_low": lift_low, "lift_high": lift_high,
            "gain": gain[:, 0], "gain_low": gain_low, "gain_high": gain_high,
        }
    )  # fmt: skip


def _shares(score: np.ndarray, bins: int) -> np.ndarray:
    """(bins, n) the share of each row in each tenth; equal scores are spread alike."""
    n = len(score)
    _, level, counts = np.unique(-score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    starts = ends - counts
    edges = np.round(np.linspace(0, n, bins + 1)).astype(int)
    overlap = np.minimum(ends, edges[1:, None]) - np.maximum(starts, edges[:-1, None])
    return (np.maximum(overlap, 0) / counts)[:, level]


def _lift(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lift and gain, (bins, draws) each, of interleaved row and outcome totals."""
    rows, hits = totals[0::2], totals[1::2]
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = hits / rows
        lift = rate / (hits.sum(axis=0) / rows.sum(axis=0))
        return lift, np.cumsum(hits, axis=0) / hits.sum(axis=0)


def reliability_table(y: ArrayLike, p: ArrayLike, *, bins: int = BINS) -> pd.DataFrame:
    """What was predicted and what came, by bins of equal count of `p`.

    Parameters
    ----------
    y, p : arrays (n,)
        Outcomes 0 or 1, and probabilities of y = 1.
    bins : int
        At least 1. Equal probabilities are never parted, so there may be fewer.

    Returns
    -------
    pandas.DataFrame
        A row a bin that is not empty, from the lowest p: ``bin`` (1 upwards), ``rows``,
        ``predicted`` (mean p), ``observed`` (share of y = 1) with its Wilson 95 % interval
        ``observed_low`` and ``observed_high``. The interval takes rows for independent: it is too
        narrow where users have many rows.

    Raises
    ------
    InputError
        See :func:`~precmark.metrics.inputs.checked`; also fewer than one bin.

    References
    ----------
    Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    from scipy.stats import binomtest

    scores = checked(y, p)
    if bins < 1:
        raise InputError(Problem(f"bins: {bins}", "Ask for at least one bin."))
    rows = pd.DataFrame(
        {"bin": equal_count_bins(scores.p[0], bins), "y": scores.y, "p": scores.p[0]}
    )
    grouped = rows.groupby("bin").agg(
        rows=("y", "size"), predicted=("p", "mean"), hits=("y", "sum")
    )
    tests = [binomtest(int(r.hits), int(r.rows)) for r in grouped.itertuples()]
    intervals = [t.proportion_ci(method="wilson") for t in tests]
    grouped = grouped.assign(
        observed=grouped.hits / grouped.rows,
        observed_low=[i.low for i in intervals],
        observed_high=[i.high for i in intervals],
    )
    grouped.insert(0, "bin", np.arange(1, len(grouped) + 1))
    return grouped.drop(columns="hits").reset_index(drop=True)
