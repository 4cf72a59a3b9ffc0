"""How sure a metric is: bootstrap over users, two models on the same rows, training seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.metrics.inputs import Scores, checked
from precmark.metrics.measures import METRICS, areas, from_sums, known, rank, sums
from precmark.metrics.thresholds import Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike

LEVEL = 0.95
"""Share of the draws that an interval holds."""

SAME = "no difference that the data can show"
"""What is said of a difference whose interval holds 0."""

_CHUNK_BYTES = 2**22
"""About what the weights of one round of draws may take: they then stay in the caches."""


@dataclass(frozen=True)
class PairedDifference:
    """One metric of a first model less that of a second on the same rows.

    Attributes
    ----------
    metric : str
        A name of :data:`~precmark.metrics.METRICS`.
    difference : float
        First less second, in the metric's unit.
    low, high : float
        95 % interval over users, for this one comparison: of twenty such, one misses by chance.
    share_above : float
        Share of the draws in which the first is higher, 0 to 1; a tie counts half.
    verdict : str
        ``"higher"``, ``"lower"`` (the first than the second), or :data:`SAME`.
    favours : str
        ``"first"``, ``"second"`` or ``"neither"``: who is better, low being better for errors.
    """

    metric: str
    difference: float
    low: float
    high: float
    share_above: float
    verdict: str
    favours: str


@dataclass(frozen=True)
class Bootstrap:
    """Metrics of several models with what they would be in other samples of the same users.

    Attributes
    ----------
    models : tuple of str
    metrics : tuple of str
        Names of :data:`~precmark.metrics.METRICS`.
    values : numpy.ndarray
        (models, metrics) on the rows as they stand.
    draws : numpy.ndarray
        (models, metrics, draws); not a number where a draw leaves the metric undefined (no
        purchase was drawn, or nothing predicted positive). All models share the same draws.
    """

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    values: np.ndarray
    draws: np.ndarray

    def table(self) -> pd.DataFrame:
        """A row a model and metric: ``model``, ``metric``, ``value``, ``low``, ``high``.

        ``low`` and ``high`` are 95 % percentiles over the draws that define the metric. The draws'
        own noise adds to the calibration error, so its interval leans high; it is widened to hold
        the value where it would lie above it.
        """
        low, high = percentiles(self.draws)
        for j, metric in enumerate(self.metrics):
            if metric == "expected_calibration_error":
                low[:, j] = np.fmin(low[:, j], self.values[:, j])
        return pd.DataFrame(
            {
                "model": np.repeat(self.models, len(self.metrics)),
                "metric": np.tile(self.metrics, len(self.models)),
                "value": self.values.ravel(),
                "low": low.ravel(),
                "high": high.ravel(),
            }
        )

    def difference(self, first: str, second: str, metric: str) -> PairedDifference:
        """The paired difference of `metric` between two of the models."""
        missing = [m for m in (first, second) if m not in self.models]
        if metric not in self.metrics:
            missing.append(metric)
        if missing:
            has = ", ".join((*self.models, *self.metrics))
            raise InputError(
                [Problem(f"{m!r}: not in this bootstrap", f"It has {has}.") for m in missing]
            )
        i, j, k = (
            self.models.index(first), self.models.index(second), self.metrics.index(metric)
        )  # fmt: skip
        drawn = self.draws[i, k] - self.draws[j, k]
        low, high = (float(v) for v in percentiles(drawn))
        defined = drawn[np.isfinite(drawn)]
        above = np.mean((defined > 0) + (defined == 0) / 2) if len(defined) else np.nan
        verdict = "higher" if low > 0 else "lower" if high < 0 else SAME
        better = {"higher": METRICS[metric].better == "higher"}
        better["lower"] = not better["higher"]
        favours = "neither" if verdict == SAME else "first" if better[verdict] else "second"
        apart = float(self.values[i, k] - self.values[j, k])
        return PairedDifference(metric, apart, low, high, float(above), verdict, favours)

    def against(self, second: str, metrics: Iterable[str] | None = None) -> pd.DataFrame:
        """Every other model less `second`, a row a model and metric, for `metrics` (all).

        Columns: ``model``, ``than`` and the fields of :class:`PairedDifference`.
        """
        rows = [
            {"model": m, "than": second} | vars(self.difference(m, second, metric))
            for m in self.models
            if m != second
            for metric in metrics or self.metrics
        ]
        return pd.DataFrame(rows)


def percentiles(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5 and 97.5 % percentiles over the last axis, leaving undefined draws out."""
    undefined = np.isnan(draws).all(axis=-1, keepdims=True)
    # a stand-in, so that NumPy does not warn of a row without any number
    filled = np.where(undefined, 0.0, draws)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(filled, (tail, 100 - tail), axis=-1)
    nothing = undefined[..., 0]
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def user_weights(
    n_users: int, draws: int, seed: int, *, round_size: int | None = None
) -> Iterator[np.ndarray]:
    """How often each user is drawn, in rounds of (users, up to `round_size`) whole numbers.

    Each draw takes `n_users` users with replacement: its column is multinomial and sums to
    `n_users`. The same seed gives the same draws whatever the size of a round.
    """
    rng = np.random.default_rng(seed)
    round_size = round_size or max(1, _CHUNK_BYTES // (8 * n_users))
    for start in range(0, draws, round_size):
        size = min(round_size, draws - start)
        drawn = rng.integers(0, n_users, (size, n_users))
        drawn += n_users * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n_users)
        yield np.ascontiguousarray(counts.reshape(size, n_users).T, dtype=float)


def threshold_of(
    thresholds: float | Threshold | Mapping[str, float | Threshold], models: Iterable[str]
) -> dict[str, float]:
    """The threshold of each model as a number; an InputError lists the models without one."""
    if not isinstance(thresholds, Mapping):
        thresholds = dict.fromkeys(models, thresholds)
    missing = [m for m in models if m not in thresholds]
    if missing:
        fix = "Choose one on validation data with choose_threshold."
        raise InputError([Problem(f"{m}: has no threshold", fix) for m in missing])
    values = {m: thresholds[m] for m in models}
    return {m: float(getattr(v, "value", v)) for m, v in values.items()}


def bootstrap(
    y: ArrayLike,
    p: ArrayLike | Mapping[str, ArrayLike],
    users: ArrayLike | None = None,
    *,
    thresholds: float | Threshold | Mapping[str, float | Threshold] = 0.5,
    metrics: Iterable[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Bootstrap:
    """Metrics of every model of `p`, and their bootstrap clustered by user.

    Parameters
    ----------
    y : array (n,)
        0 or 1; 1 is the purchase.
    p : array (n,) or (n, models), pandas.DataFrame, or mapping of model name to (n,)
        Probability of y = 1, 0 to 1.
    users : array (n,), optional
        Whose row it is. Users are drawn with all their rows, since the rows of one user resemble
        one another. Each row counts as a user of its own where left out.
    thresholds : float, Threshold, or mapping of model name to either
        A row is predicted positive where p is at or above it.
    metrics : names of :data:`~precmark.metrics.METRICS`, optional
        All of them where left out.
    draws : int
        How many samples of the users, 1 or more.
    seed : int
        The same seed gives the same draws to any set of models.

    Returns
    -------
    Bootstrap

    Raises
    ------
    InputError
        See :func:`~precmark.metrics.inputs.checked`; also a model without threshold, an unknown
        metric, fewer than two users, fewer than one draw.

    Notes
    -----
    Time grows with rows x draws x models (each draw costs about one addition a row and model);
    memory with the rows and one round of draws, not with all draws.

    References
    ----------
    Field and Welsh 2007, Bootstrapping clustered data, doi 10.1111/j.1467-9868.2007.00593.x.
    """
    scores = checked(y, p, users)
    chosen = known(metrics)
    limits = threshold_of(thresholds, scores.models)
    problems = []
    if scores.n_users < 2:
        problems.append(
            Problem("users: one user only", "Give rows of two users or more to draw from.")
        )
    if draws < 1:
        problems.append(Problem(f"draws: {draws}", "Ask for at least one draw, best 1,000."))
    if problems:
        raise InputError(problems)
    evaluators = list(_evaluators(scores, limits, chosen))
    values = np.stack([evaluate(np.ones((scores.n_users, 1)))[:, 0] for evaluate in evaluators])
    drawn = np.empty((*values.shape, draws))
    at = 0
    for weights in user_weights(scores.n_users, draws, seed):
        for i, evaluate in enumerate(evaluators):
            drawn[i, :, at : at + weights.shape[1]] = evaluate(weights)
        at += weights.shape[1]
    return Bootstrap(scores.models, chosen, values, drawn)


def _evaluators(scores: Scores, limits: Mapping[str, float], metrics: tuple[str, ...]) -> Iterator:
    """For each model a function from (users, draws) weights to (metrics, draws) values."""
    ranked = {"auroc", "average_precision"} & set(metrics)
    for model, p in zip(scores.models, scores.p, strict=True):
        order = rank(scores.y, p, scores.users, scores.n_users) if ranked else None
        by_user = sums(scores.y, p, limits[model], scores.users, scores.n_users)

        def evaluate(weights: np.ndarray, order=order, by_user=by_user) -> np.ndarray:
            found = from_sums(by_user @ weights)
            if order is not None:
                found["auroc"], found["average_precision"] = areas(order, weights)
            return np.stack([found[m] for m in metrics])

        yield evaluate


def paired(
    y: ArrayLike,
    p_a: ArrayLike,
    p_b: ArrayLike,
    users: ArrayLike | None = None,
    *,
    metric: str = "average_precision",
    thresholds: tuple[float | Threshold, float | Threshold] = (0.5, 0.5),
    draws: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """One metric of a first model less that of a second, on the same rows and the same draws.

    Parameters
    ----------
    y, p_a, p_b : arrays (n,)
        Outcomes 0 or 1, and both models' probabilities of y = 1.
    users, draws, seed
        See :func:`bootstrap`.
    metric : str
        A name of :data:`~precmark.metrics.METRICS`.
    thresholds : two of float or Threshold
        Of the first and of the second model.

    Raises
    ------
    InputError
        See :func:`bootstrap`.

    See Also
    --------
    Bootstrap.difference : the same from a bootstrap of many models, without drawing again.
    """
    limits = dict(zip(("first", "second"), thresholds, strict=True))
    drawn = bootstrap(
        y, {"first": p_a, "second": p_b}, users,
        thresholds=limits, metrics=[metric], draws=draws, seed=seed,
    )  # fmt: skip
    return drawn.difference("first", "second", metric)


@dataclass(frozen=True)
class SeedInterval:
    """A metric over several trainings that differ in nothing but their seed.

    Attributes
    ----------
    mean : float
        Mean over the seeds.
    low, high : float
        95 % t interval of the mean; not a number with one seed.
    standard_deviation : float
        Over the seeds, with n - 1; not a number with one seed.
    n : int
        Seeds that gave a number.
    says : str
        ``"one seed"``, ``"3 seeds"``.
    """

    mean: float
    low: float
    high: float
    standard_deviation: float
    n: int
    says: str


def across_seeds(values: ArrayLike) -> SeedInterval:
    """Mean and t interval of one metric over training seeds.

    Parameters
    ----------
    values : array (seeds,)
        The metric of each training, on the same rows; undefined ones (not a number) are left out.

    Raises
    ------
    InputError
        When no value is a number.

    Notes
    -----
    It says how much the training's chance matters on these rows, not how much the rows do: that is
    :func:`bootstrap`.
    """
    from scipy.stats import t

    given = np.asarray(values, dtype=float).ravel()
    given = given[np.isfinite(given)]
    n = len(given)
    if not n:
        raise InputError("across_seeds: no seed gave a number. Train with at least one seed.")
    mean = float(given.mean())
    if n == 1:
        return SeedInterval(mean, np.nan, np.nan, np.nan, 1, "one seed")
    spread = float(given.std(ddof=1))
    half = float(t.ppf((1 + LEVEL) / 2, n - 1)) * spread / np.sqrt(n)
    return SeedInterval(mean, mean - half, mean + half, spread, n, f"{n} seeds")
