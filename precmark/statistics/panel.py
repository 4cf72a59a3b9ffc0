"""Sales of outlets over time: pooled least squares, fixed and random effects, clustered errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.statistics.checks import (
    column_problems,
    dependence_problems,
    dependencies,
)


@dataclass(frozen=True)
class Panel:
    """Rows of units over periods, in the order of unit and period.

    Attributes
    ----------
    outcome : str
    columns : tuple of str
    y : numpy.ndarray
        (n,)
    X : numpy.ndarray
        (n, k), without a constant.
    unit, period : numpy.ndarray
        (n,) codes from 0.
    units, periods : tuple
        What the codes stand for, in their order.
    """

    outcome: str
    columns: tuple[str, ...]
    y: np.ndarray
    X: np.ndarray
    unit: np.ndarray
    period: np.ndarray
    units: tuple
    periods: tuple

    @property
    def balanced(self) -> bool:
        """Whether every unit is seen in every period."""
        return len(self.y) == len(self.units) * len(self.periods)

    def mean_of(self, values: np.ndarray) -> np.ndarray:
        """The mean by unit of `values` (n,) or (n, k): (units,) or (units, k)."""
        count = np.bincount(self.unit)
        sums = self.sum_of(values)
        return sums / (count if values.ndim == 1 else count[:, None])

    def sum_of(self, values: np.ndarray) -> np.ndarray:
        """The sum by unit, shaped as that of :meth:`mean_of`."""
        return np.add.reduceat(values, np.searchsorted(self.unit, np.arange(len(self.units))))

    def within(self, values: np.ndarray) -> np.ndarray:
        """`values` less their unit's mean."""
        return values - self.mean_of(values)[self.unit]


def panel_of(
    frame: pd.DataFrame, *, unit: str, period: str, outcome: str, columns: Sequence[str]
) -> Panel:
    """A checked panel.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a unit and period; units need not be seen in every period.
    unit, period : str
        Columns of any kind without empty cells; periods are ordered by value.
    outcome, columns
        Columns of numbers.

    Raises
    ------
    InputError
        All at once: columns missing, not numbers or with empty cells; a unit twice in a period; a
        single period or unit; a constant outcome; regressors that are constant or collinear,
        named with what they equal; fewer rows than what is estimated.
    """
    columns = tuple(columns)
    problems = column_problems(frame, [outcome, *columns])
    for name in (unit, period):
        if name not in frame.columns:
            problems.append(Problem(f"{name}: not in the table", "Name a column of the table."))
        elif frame[name].isna().any():
            rows = int(frame[name].isna().sum())
            problems.append(Problem(f"{name}: empty cells", "Fill or drop them.", rows=rows))
    if not columns:
        problems.append(Problem("no column to explain with", "Name one or more."))
    if problems:
        raise InputError(problems)
    units, unit_names = pd.factorize(frame[unit], sort=True)
    periods, period_names = pd.factorize(frame[period], sort=True)
    order = np.lexsort((periods, units))
    panel = Panel(
        outcome, columns, frame[outcome].to_numpy(dtype=float)[order],
        frame[list(columns)].to_numpy(dtype=float)[order], units[order], periods[order],
        tuple(unit_names), tuple(period_names),
    )  # fmt: skip
    problems = _panel_problems(panel, unit, period)
    if problems:
        raise InputError(problems)
    return panel


def _panel_problems(panel: Panel, unit: str, period: str) -> list[Problem]:
    problems = []
    twice = (np.diff(panel.unit) == 0) & (np.diff(panel.period) == 0)
    if twice.any():
        at = int(np.flatnonzero(twice)[0])
        where = f"{panel.units[panel.unit[at]]!r} in {panel.periods[panel.period[at]]!r}"
        fix = "Add its rows up first, or name the column that tells them apart."
        problems.append(
            Problem(f"{unit} and {period}: twice, e.g. {where}", fix, rows=int(twice.sum()))
        )
    if len(panel.periods) < 2:
        problems.append(
            Problem(
                f"{period}: {len(panel.periods)} period, so no unit changes and its own level "
                "cannot be told from an effect",
                "Give two periods or more, or compare units with fit_logistic or pooled columns.",
            )
        )
    if len(panel.units) < 2:
        fix = "Give two units or more: errors are clustered by unit."
        problems.append(Problem(f"{unit}: {len(panel.units)} unit", fix))
    if len(panel.y) and np.ptp(panel.y) == 0:
        fix = "Choose an outcome that changes."
        problems.append(Problem(f"{panel.outcome}: constant, always {panel.y[0]:g}", fix))
    if len(panel.y) <= len(panel.columns) + 1:
        what = f"{len(panel.y):,} rows for {len(panel.columns):,} columns and a constant"
        problems.append(Problem(what, "Give more rows or fewer columns."))
    else:
        problems += dependence_problems(panel.X, panel.columns)
    return problems


@dataclass(frozen=True)
class PanelFit:
    """A regression on a panel.

    Attributes
    ----------
    method : str
        "pooled OLS", "fixed effects", "two-way fixed effects" or "random effects".
    coefficients : pandas.DataFrame
        ``term``, ``estimate``, ``error`` (clustered by unit), ``t``, ``p``, ``low``, ``high``
        (95 %, Student's t with one degree of freedom less than there are units).
    covariance, plain_covariance : numpy.ndarray
        Of the estimates, in their order: clustered, and as if all errors were independent and
        alike.
    absorbed : tuple of str
        Columns that do not change within units, or only as the periods do: the effects hold them.
    r2 : float
        Share of the variance explained of what the method regresses (within units where it is
        "fixed effects").
    rows, units, periods : int
    residuals : numpy.ndarray
        (n,) of the transformed regression, in the panel's order.
    sigma2_unit, sigma2_error : float
        Variances of the units' levels and of the errors ("random effects"; not a number else).
    """

    method: str
    coefficients: pd.DataFrame
    covariance: np.ndarray
    plain_covariance: np.ndarray
    absorbed: tuple[str, ...]
    r2: float
    rows: int
    units: int
    periods: int
    residuals: np.ndarray
    sigma2_unit: float = float("nan")
    sigma2_error: float = float("nan")

    def row(self, term: str):
        """The coefficient of `term`: a named row of :attr:`coefficients`."""
        return self.coefficients.set_index("term").loc[term]


def pooled_ols(panel: Panel) -> PanelFit:
    """Least squares on all rows as they stand, the paper's OLS model; errors clustered by unit."""
    X = np.column_stack([np.ones(len(panel.y)), panel.X])
    return _fitted("pooled OLS", panel, X, panel.y, ("constant", *panel.columns), (), len(X[0]))


def fixed_effects(panel: Panel, *, periods: bool = False) -> PanelFit:
    """Least squares within units: every unit has its own level, which may go with the columns.

    Parameters
    ----------
    panel : Panel
    periods : bool
        Every period has its own level too.

    Raises
    ------
    InputError
        When no column changes within units.

    References
    ----------
    Company H, results; Wooldridge 2010, Econometric Analysis of Cross Section and Panel Data,
    section 10.5.
    """
    names = list(panel.columns)
    X, y = panel.within(panel.X), panel.within(panel.y)
    dummies = np.empty((len(y), 0))
    if periods:
        dummies = panel.within(np.eye(len(panel.periods))[panel.period][:, 1:])
    # Columns may be explained by the periods: those stand first, so that the column is dropped.
    size = np.r_[np.ones(dummies.shape[1]), np.abs(panel.X).max(axis=0)]
    stacked = np.column_stack([dummies, X]) / size
    stacked[np.abs(stacked) < 1e-12] = 0.0
    labels = [f"period {p}" for p in panel.periods[1 : 1 + dummies.shape[1]]] + names
    gone = {name for name, _ in dependencies(stacked, labels)}
    absorbed = tuple(n for n in names if n in gone)
    keep = [i for i, n in enumerate(names) if n not in gone]
    if not keep:
        raise InputError(
            f"{', '.join(names)}: none changes within units, so fixed effects hold them all. "
            "Compare units with pooled OLS, and say that their levels may differ for other reasons."
        )
    kept_periods = [i for i, label in enumerate(labels[: dummies.shape[1]]) if label not in gone]
    design = np.column_stack([X[:, keep], dummies[:, kept_periods]])
    method = "two-way fixed effects" if periods else "fixed effects"
    terms = tuple(names[i] for i in keep)
    return _fitted(method, panel, design, y, terms, absorbed, design.shape[1] + 1)


def random_effects(panel: Panel) -> PanelFit:
    """Generalised least squares with units' levels drawn at random, unrelated to the columns.

    References
    ----------
    Swamy & Arora 1972, The exact finite sample properties of the estimators of coefficients in
    the error components regression models, doi:10.2307/1909405.
    """
    X = np.column_stack([np.ones(len(panel.y)), panel.X])
    within_x, within_y = panel.within(panel.X), panel.within(panel.y)
    scale = np.abs(panel.X).max(axis=0)
    weight, _, rank, _ = np.linalg.lstsq(within_x / scale, within_y, rcond=1e-10)
    left = within_y - within_x / scale @ weight
    count = np.bincount(panel.unit)
    degrees = len(panel.y) - len(count) - rank
    mean_x = np.column_stack([np.ones(len(count)), panel.mean_of(panel.X)])
    mean_y = panel.mean_of(panel.y)
    between, _, rank_between, _ = np.linalg.lstsq(mean_x, mean_y, rcond=None)
    degrees_between = len(count) - rank_between
    if degrees < 1 or degrees_between < 1:
        raise InputError(
            f"{len(panel.y)} rows of {len(count)} units are too few for random effects of "
            f"{len(panel.columns)} columns. Give more units and periods."
        )
    error = float(left @ left) / degrees
    spread = float(((mean_y - mean_x @ between) ** 2).sum()) / degrees_between
    unit = max(0.0, spread - error * float((1 / count).mean()))
    theta = (1 - np.sqrt(error / (count * unit + error)))[panel.unit]
    design = X - theta[:, None] * mean_x[panel.unit]
    y = panel.y - theta * mean_y[panel.unit]
    terms = ("constant", *panel.columns)
    return _fitted("random effects", panel, design, y, terms, (), X.shape[1], sigma2=(unit, error))


def _fitted(method, panel, X, y, terms, absorbed, parameters, sigma2=(np.nan, np.nan)) -> PanelFit:
    """Least squares of y on X; the first columns are `terms`, the others are not reported."""
    from scipy.stats import t as student

    inverse = np.linalg.inv(X.T @ X)
    estimate = inverse @ (X.T @ y)
    residuals = y - X @ estimate
    units = len(panel.units)
    sums = panel.sum_of(X * residuals[:, None])
    n = len(y)
    small = units / (units - 1) * (n - 1) / max(n - parameters, 1)
    clustered = small * inverse @ (sums.T @ sums) @ inverse
    lost = parameters + (units - 1 if "fixed" in method else 0)
    plain = inverse * float(residuals @ residuals) / max(n - lost, 1)
    k = len(terms)
    error = np.sqrt(np.diag(clustered)[:k])
    with np.errstate(divide="ignore", invalid="ignore"):  # an exact fit has no error
        t = estimate[:k] / error
    half = student.ppf(0.975, units - 1) * error
    total = float(((y - y.mean()) ** 2).sum())
    return PanelFit(
        method=method,
        coefficients=pd.DataFrame(
            {"term": terms, "estimate": estimate[:k], "error": error, "t": t,
             "p": 2 * student.sf(np.abs(t), units - 1), "low": estimate[:k] - half,
             "high": estimate[:k] + half}
        ),
        covariance=clustered[:k, :k], plain_covariance=plain[:k, :k], absorbed=absorbed,
        r2=1 - float(residuals @ residuals) / total if total > 0 else float("nan"),
        rows=n, units=units, periods=len(panel.periods), residuals=residuals,
        sigma2_unit=sigma2[0], sigma2_error=sigma2[1],
    )  # fmt: skip


def side_by_side(fits: Sequence[PanelFit]) -> pd.DataFrame:
    """The coefficients of several fits in one table: ``method`` and those of the fits."""
    return pd.concat(
        [fit.coefficients.assign(method=fit.method) for fit in fits], ignore_index=True
    )[["method", "term", "estimate", "error", "t", "p", "low", "high"]]
