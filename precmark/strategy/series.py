"""What a campaign did to a series: interrupted time series, control group, placebo dates (ch. 14).

y_t = a + b t + season + d D_t (+ e D_t (t - T)) + u_t by least squares, where D_t = [t >= T] and T
is the campaign's first period; intervals by Newey and West's covariance, because neighbouring
periods resemble each other. With a control group y is the treated series less the control's, each
as a share of its own mean before T, so that what both share drops out.

References
----------
Wagner et al., Segmented regression analysis of interrupted time series, 2002,
doi:10.1046/j.1365-2710.2002.00430.x. Newey and West, 1987, doi:10.2307/1913610.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem

LEAST_BEFORE, LEAST_AFTER = 8, 3
"""Periods before and after the campaign's start below which nothing is fitted."""


@dataclass(frozen=True)
class Interruption:
    """The effect of a campaign, as a share of the mean before it.

    Attributes
    ----------
    effect : float
        Mean over the periods from the start on of what the campaign added; 0.2 is 20 %.
    low, high : float
        95 % interval.
    p_value : float
        Of no effect, two-sided.
    relative, relative_low, relative_high : float
        The same as shares of what would have been without the campaign, as the model has it (and
        taken as known); not a number where that is 0 or less.
    level, slope : float
        The jump at the start, and what is added from period to period (0 where not asked for).
    fitted, without : numpy.ndarray
        The model's series, and the same without the campaign, as shares; shape (n,).
    series : numpy.ndarray
        What was fitted: shares of the mean before, less the control's where there is one.
    lags : int
        Of the covariance.
    before, after : int
        Periods.
    """

    effect: float
    low: float
    high: float
    p_value: float
    relative: float
    relative_low: float
    relative_high: float
    level: float
    slope: float
    fitted: np.ndarray
    without: np.ndarray
    series: np.ndarray
    lags: int
    before: int
    after: int


def interrupted(
    y: np.ndarray,
    at: int,
    *,
    control: np.ndarray | None = None,
    period: float | None = None,
    harmonics: int = 1,
    slope: bool = False,
    trend: bool = True,
    lags: int | None = None,
) -> Interruption:
    """The effect of a campaign that began at position `at` of the series `y`.

    Parameters
    ----------
    y : array of float, shape (n,)
        One value a period, evenly spaced, in time order; mean before `at` above 0.
    at : int
        Position of the campaign's first period.
    control : array of float, shape (n,), optional
        The same of those whom the campaign did not reach.
    period : float, optional
        Periods in a season (12 for months, 52.18 for weeks): adds `harmonics` pairs of sine and
        cosine. Under two whole seasons the season and the effect are hard to tell apart.
    harmonics : int
        1 or more.
    slope : bool
        Whether the effect may grow or fade.
    trend : bool
        Whether the series has a trend without the campaign.
    lags : int, optional
        Of the covariance; 4 (n / 100)^(2/9), rounded down, where left out.

    Raises
    ------
    InputError
        Too few periods, values that are no numbers, a start outside the series, a control of
        another length, a mean before of 0 or less; all listed at once.
    """
    y = np.asarray(y, dtype=float)
    control = None if control is None else np.asarray(control, dtype=float)
    _refuse(y, at, control, period, harmonics)
    share, shared = y / y[:at].mean(), np.zeros(len(y))
    if control is not None:
        shared = control / control[:at].mean()
    design, jump = _design(len(y), at, period, harmonics, slope, trend)
    lags = int(4 * (len(y) / 100) ** (2 / 9)) if lags is None else lags
    return _fit(share - shared, shared, design, jump, at, lags)


def _design(
    n: int, at: int, period: float | None, harmonics: int, slope: bool, trend: bool
) -> tuple[np.ndarray, list[int]]:
    """The regressors, and the columns of the campaign."""
    t = np.arange(n, dtype=float)
    columns = [np.ones(n)] + ([(t - at) / n] if trend else [])
    for h in range(1, harmonics + 1) if period else ():
        angle = 2 * np.pi * h * t / period
        columns += [np.sin(angle), np.cos(angle)]
    after = (t >= at).astype(float)
    jump = [len(columns)] + ([len(columns) + 1] if slope else [])
    columns += [after] + ([after * (t - at)] if slope else [])
    return np.column_stack(columns), jump


def _fit(
    share: np.ndarray, shared: np.ndarray, design: np.ndarray, jump: list[int], at: int, lags: int
) -> Interruption:
    from scipy.stats import t as student

    found, *_ = np.linalg.lstsq(design, share, rcond=None)
    covariance = newey_west(design, share - design @ found, lags)
    campaign = np.zeros(design.shape)
    campaign[:, jump] = design[:, jump]
    contrast = campaign[at:].mean(axis=0)
    effect = float(contrast @ found)
    error = float(np.sqrt(contrast @ covariance @ contrast))
    free = len(share) - design.shape[1]
    half = float(student.ppf(0.975, free)) * error
    level, slope = ([*found[jump], 0.0])[:2]
    without = (design - campaign) @ found
    base = float((without + shared)[at:].mean())
    relative = np.array([effect, effect - half, effect + half]) / (base if base > 0 else np.nan)
    return Interruption(
        effect=effect, low=effect - half, high=effect + half, relative=float(relative[0]),
        relative_low=float(relative[1]), relative_high=float(relative[2]),
        p_value=float(2 * student.sf(abs(effect) / error, free)) if error > 0 else float("nan"),
        level=float(level), slope=float(slope), fitted=design @ found,
        without=without, series=share, lags=lags, before=at,
        after=len(share) - at,
    )  # fmt: skip


def newey_west(design: np.ndarray, residual: np.ndarray, lags: int) -> np.ndarray:
    """Covariance of least-squares estimates that allows for neighbours that resemble each other.

    Parameters
    ----------
    design : array, shape (n, k)
    residual : array, shape (n,)
    lags : int
        Neighbours up to so many periods away, with Bartlett's weights; 0 for White's covariance.

    Returns
    -------
    array, shape (k, k)
        (X'X)^-1 S (X'X)^-1 n / (n - k).
    """
    n, k = design.shape
    score = design * residual[:, None]
    inner = score.T @ score
    for lag in range(1, min(lags, n - 1) + 1):
        cross = score[lag:].T @ score[:-lag]
        inner += (1 - lag / (lags + 1)) * (cross + cross.T)
    bread = np.linalg.pinv(design.T @ design)
    return bread @ inner @ bread * n / (n - k)


def _refuse(
    y: np.ndarray, at: int, control: np.ndarray | None, period: float | None, harmonics: int
) -> None:
    problems = []
    series = {"series": y} | ({} if control is None else {"control": control})
    for name, values in series.items():
        if values.ndim != 1 or not np.isfinite(values).all():
            problems.append(Problem(f"{name}: not a row of numbers", "Fill or drop the gaps."))
        elif 0 < at <= len(values) and values[:at].mean() <= 0:
            fix = "A share of it means nothing; use another series."
            problems.append(Problem(f"{name}: its mean before the start is not above 0", fix))
    if control is not None and control.shape != y.shape:
        text = f"control: {control.size} periods for {y.size}"
        problems.append(Problem(text, "Give the same periods."))
    extra = 2 * harmonics if period else 0
    before, after = at, y.size - at
    if before < LEAST_BEFORE + extra or after < LEAST_AFTER:
        text = f"{max(before, 0)} periods before the start and {max(after, 0)} from it on"
        fix = f"At least {LEAST_BEFORE + extra} and {LEAST_AFTER} are needed; use shorter periods."
        problems.append(Problem(text, fix))
    if period is not None and (period <= 2 or not 1 <= harmonics < period / 2):
        text = f"season: {harmonics} harmonics of {period} periods"
        problems.append(Problem(text, "Give 1 or more, fewer than half of the periods."))
    if problems:
        raise InputError(problems)


def placebos(
    y: np.ndarray,
    at: int,
    *,
    control: np.ndarray | None = None,
    after: int | None = None,
    **options,
) -> pd.DataFrame:
    """The effect "found" at every earlier date, when there was no campaign, and at the real one.

    Parameters
    ----------
    y, at, control, options
        As for :func:`interrupted`.
    after : int, optional
        Periods from a start on that each fit sees, for the real start too; all that the real one
        has where left out. No placebo sees a period of the campaign.

    Returns
    -------
    pandas.DataFrame
        ``at``, ``effect``, ``low``, ``high``, ``found`` (the interval leaves out 0), ``real``;
        only the real start where the time before is too short for any other.
    """
    y = np.asarray(y, dtype=float)
    after = len(y) - at if after is None else min(after, len(y) - at)
    extra = 2 * options.get("harmonics", 1) if options.get("period") else 0
    rows = []
    for start in (*range(LEAST_BEFORE + extra, at - after + 1), at):
        end = start + after
        its = None if control is None else np.asarray(control, dtype=float)[:end]
        fit = interrupted(y[:end], start, control=its, **options)
        found = bool(fit.low > 0 or fit.high < 0)
        rows.append((start, fit.effect, fit.low, fit.high, found, start == at))
    return pd.DataFrame(rows, columns=["at", "effect", "low", "high", "found", "real"])


def placebo_p(found: pd.DataFrame) -> float:
    """Share of the effects of :func:`placebos`, the real one's too, as far from 0 as the real."""
    real = found.effect[found.real].abs().max()
    return float((found.effect.abs() >= real).mean())
