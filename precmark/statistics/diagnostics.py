"""What a regression on a panel rests on, tested: Hausman, effects, errors, collinearity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.statistics.panel import Panel, PanelFit, fixed_effects, random_effects

FEW_UNITS = 30
"""With fewer clusters than this their errors come out too small."""


@dataclass(frozen=True)
class Test:
    """A test's result.

    Attributes
    ----------
    name : str
    statistic : float
    distribution : str
        What it follows where the null hypothesis holds, e.g. ``"chi2(3)"``.
    p : float
    null : str
        The hypothesis in words.
    """

    __test__ = False  # pytest must not take it for a test of its own

    name: str
    statistic: float
    distribution: str
    p: float
    null: str


def hausman(fixed: PanelFit, random: PanelFit) -> Test:
    """Hausman's test that the units' levels have nothing to do with the columns.

    Both covariances use the fixed effects' error variance, so that their difference is never
    negative (the variant known as sigmaless).

    Raises
    ------
    InputError
        When the fits are not one of fixed and one of random effects.

    References
    ----------
    Hausman 1978, Specification tests in econometrics, doi:10.2307/1913827.
    """
    if fixed.method != "fixed effects" or random.method != "random effects":
        raise InputError(
            f"hausman compares fixed effects with random effects, not {fixed.method} with "
            f"{random.method}. Give the fits of fixed_effects(panel) and random_effects(panel)."
        )
    from scipy.stats import chi2

    terms = list(fixed.coefficients.term)
    at = [list(random.coefficients.term).index(t) for t in terms]
    apart = fixed.coefficients.estimate.to_numpy() - random.coefficients.estimate.to_numpy()[at]
    error = random.sigma2_error
    own = float(random.residuals @ random.residuals) / (random.rows - len(random.coefficients))
    efficient = random.plain_covariance[np.ix_(at, at)] * error / own
    gap = fixed.plain_covariance - efficient
    # In the units of the errors: else the size of a column decides what counts as zero.
    scale = np.sqrt(np.diag(fixed.plain_covariance))
    inverse = np.linalg.pinv(gap / np.outer(scale, scale), rcond=1e-8, hermitian=True)
    statistic = float((apart / scale) @ inverse @ (apart / scale))
    return Test(
        "Hausman", statistic, f"chi2({len(terms)})", float(chi2.sf(max(statistic, 0), len(terms))),
        "the units' levels have nothing to do with the columns",
    )  # fmt: skip


def mundlak(panel: Panel) -> Test:
    """The same hypothesis with clustered errors: the columns' means by unit explain nothing.

    References
    ----------
    Mundlak 1978, On the pooling of time series and cross section data, doi:10.2307/1913646.
    """
    from scipy.stats import f

    fixed = fixed_effects(panel)
    moving = [i for i, n in enumerate(panel.columns) if n not in fixed.absorbed]
    means = panel.mean_of(panel.X[:, moving])[panel.unit]
    # In a balanced panel all units share the mean of what is the same for all in a period.
    differ = np.ptp(means, axis=0) > 1e-10 * np.abs(means).max(axis=0)
    names = tuple(f"mean of {panel.columns[i]}" for i, d in zip(moving, differ, strict=True) if d)
    if not names:
        return Test("Mundlak", float("nan"), "none", float("nan"), "no column differs by unit")
    wide = Panel(
        panel.outcome, (*panel.columns, *names), panel.y,
        np.column_stack([panel.X, means[:, differ]]), panel.unit, panel.period, panel.units,
        panel.periods,
    )  # fmt: skip
    found = random_effects(wide)
    j = len(names)
    weight, covariance = found.coefficients.estimate.to_numpy()[-j:], found.covariance[-j:, -j:]
    statistic = float(weight @ np.linalg.solve(covariance, weight)) / j
    return Test(
        "Mundlak, clustered", statistic, f"F({j}, {found.units - 1})",
        float(f.sf(statistic, j, found.units - 1)),
        "the units' levels have nothing to do with the columns",
    )  # fmt: skip


def unit_effects(panel: Panel, pooled: PanelFit, fixed: PanelFit) -> Test:
    """The F test that all units have the same level."""
    from scipy.stats import f

    extra = fixed.units - 1 - len(fixed.absorbed)
    left = fixed.rows - fixed.units - len(fixed.coefficients)
    both = float(pooled.residuals @ pooled.residuals), float(fixed.residuals @ fixed.residuals)
    statistic = (both[0] - both[1]) / extra / (both[1] / left)
    return Test(
        "F of the units' levels", statistic, f"F({extra}, {left})",
        float(f.sf(statistic, extra, left)), "all units have the same level",
    )  # fmt: skip


def heteroskedasticity(panel: Panel, fixed: PanelFit) -> Test:
    """Breusch and Pagan's test on the errors within units, in Koenker's studentised form."""
    from statsmodels.stats.diagnostic import het_breuschpagan

    moving = [i for i, n in enumerate(panel.columns) if n not in fixed.absorbed]
    X = np.column_stack([np.ones(len(panel.y)), panel.X[:, moving]])
    statistic, p, _, _ = het_breuschpagan(fixed.residuals, X)
    return Test(
        "Breusch-Pagan", float(statistic), f"chi2({len(moving)})", float(p),
        "errors are equally wide whatever the columns",
    )  # fmt: skip


def serial_correlation(panel: Panel) -> Test:
    """Wooldridge's test that a unit's errors follow one another by chance.

    Differences of independent errors correlate at -1/2; a regression of each on the one before,
    clustered by unit, is tested against that. Only neighbouring periods are used.

    References
    ----------
    Wooldridge 2010, section 10.6.3; Drukker 2003, Testing for serial correlation in linear
    panel-data models, doi:10.1177/1536867X0300300206.
    """
    from scipy.stats import f

    null = "a unit's errors of two periods are unrelated"
    follows = (np.diff(panel.unit) == 0) & (np.diff(panel.period) == 1)
    if not (follows[1:] & follows[:-1]).any():
        return Test("Wooldridge", float("nan"), "none", float("nan"), null)
    change_y, change_x = np.diff(panel.y)[follows], np.diff(panel.X, axis=0)[follows]
    weight, *_ = np.linalg.lstsq(change_x, change_y, rcond=None)
    left = np.full(len(panel.y), np.nan)
    left[1:][follows] = change_y - change_x @ weight
    pair = np.flatnonzero(follows[1:] & follows[:-1]) + 2
    before, now, unit = left[pair - 1], left[pair], panel.unit[pair]
    slope = float(before @ now / (before @ before))
    sums = np.bincount(unit, weights=before * (now - slope * before))
    groups = len(np.unique(unit))
    small = groups / max(groups - 1, 1) * (len(now) - 1) / max(len(now) - 1, 1)
    variance = small * float(sums @ sums) / float(before @ before) ** 2
    statistic = (slope + 0.5) ** 2 / variance
    return Test(
        "Wooldridge", statistic, f"F(1, {groups - 1})", float(f.sf(statistic, 1, groups - 1)), null
    )


def inflation(panel: Panel) -> pd.DataFrame:
    """Variance inflation within units: ``column``, ``vif`` (1: unrelated to the other columns).

    Infinite for a column that does not change within units or that the others determine there.
    """
    X = panel.within(panel.X)
    rows = []
    for j, name in enumerate(panel.columns):
        others = np.delete(X, j, axis=1)
        size = float(X[:, j] @ X[:, j])
        left = X[:, j]
        if others.shape[1]:
            left = left - others @ np.linalg.lstsq(others, left, rcond=None)[0]
        rest = float(left @ left)
        moves = size > 1e-18 * max(float(panel.X[:, j] @ panel.X[:, j]), 1e-300)
        rows.append((name, size / rest if moves and rest > 1e-12 * size else float("inf")))
    return pd.DataFrame(rows, columns=["column", "vif"])


def diagnose(panel: Panel, pooled: PanelFit, fixed: PanelFit, random: PanelFit) -> pd.DataFrame:
    """Every test of this module: ``test``, ``null``, ``statistic``, ``distribution``, ``p``."""
    tests = [
        unit_effects(panel, pooled, fixed),
        hausman(fixed, random),
        mundlak(panel),
        heteroskedasticity(panel, fixed),
        serial_correlation(panel),
    ]
    return pd.DataFrame(
        [(t.name, t.null, t.statistic, t.distribution, t.p) for t in tests],
        columns=["test", "null", "statistic", "distribution", "p"],
    )
