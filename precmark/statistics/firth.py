"""Separation in logistic regression, and the penalised answer that exists all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from precmark.errors import InputError

_STEPS, _TOLERANCE = 200, 1e-10
_CHI2_95 = 3.841458820694124
"""95 % of a chi-square with one degree of freedom lie below."""


@dataclass(frozen=True)
class Separation:
    """Whether some combination of the columns parts the events from the others.

    Attributes
    ----------
    kind : {"none", "quasi-complete", "complete"}
        Complete: without exception. Quasi-complete: but for ties on the border. In both cases some
        coefficient grows without end and no maximum of the likelihood exists.
    columns : tuple of str
        The columns of one combination that parts them.
    """

    kind: str
    columns: tuple[str, ...] = ()


def find_separation(X: np.ndarray, y: np.ndarray, names) -> Separation:
    """Whether `X` separates `y`, by two linear programmes.

    Parameters
    ----------
    X : array, shape (n, k + 1)
        A column of ones first.
    y : array of 0 and 1, shape (n,)
    names : sequence of str, length k
        Of the other columns.

    References
    ----------
    Konis 2007, Linear programming algorithms for detecting separated data in binary logistic
    regression models, DPhil thesis, University of Oxford; Albert & Anderson 1984,
    doi:10.1093/biomet/71.1.1.
    """
    from scipy.optimize import linprog

    spread = X.std(axis=0)
    scaled = np.where(spread > 0, (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1), 1.0)
    signed = scaled * (2 * y - 1)[:, None]
    width = signed.shape[1]
    some = linprog(
        -signed.mean(axis=0), A_ub=-signed, b_ub=np.zeros(len(y)), bounds=[(-1, 1)] * width
    )
    if -some.fun < 1e-9:
        return Separation("none")
    margin = np.column_stack([-signed, np.ones(len(y))])
    strict = linprog(
        np.r_[np.zeros(width), -1.0], A_ub=margin, b_ub=np.zeros(len(y)),
        bounds=[(-1, 1)] * width + [(None, None)],
    )  # fmt: skip
    complete = -strict.fun > 1e-9
    weight = strict.x[:width] if complete else some.x
    columns = tuple(n for n, w in zip(names, weight[1:], strict=True) if abs(w) > 1e-7)
    return Separation("complete" if complete else "quasi-complete", columns)


@dataclass(frozen=True)
class FirthFit:
    """The maximum of the penalised likelihood.

    Attributes
    ----------
    estimate : numpy.ndarray
        (k + 1,), the constant first.
    covariance : numpy.ndarray
        (k + 1, k + 1), the inverse information at the estimate.
    log_likelihood : float
        Without the penalty.
    penalised : float
        With it: half of the information's log determinant is added.
    """

    estimate: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    penalised: float


def log_likelihood(eta: np.ndarray, y: np.ndarray) -> float:
    """Logarithm of the likelihood of outcomes `y` (0, 1) at linear predictors `eta`, both (n,)."""
    return float((y * eta - np.logaddexp(0.0, eta)).sum())


def _state(X: np.ndarray, y: np.ndarray, beta: np.ndarray):
    eta = X @ beta
    p = 0.5 * (1 + np.tanh(eta / 2))
    weight = p * (1 - p)
    information = (X * weight[:, None]).T @ X
    sign, log_determinant = np.linalg.slogdet(information)
    penalised = log_likelihood(eta, y) + 0.5 * log_determinant if sign > 0 else -np.inf
    return p, weight, information, penalised


def firth(
    X: np.ndarray,
    y: np.ndarray,
    *,
    held: Mapping[int, float] | None = None,
    start: np.ndarray | None = None,
) -> FirthFit:
    """The coefficients that maximise the likelihood with Jeffreys' penalty; finite for any data.

    Parameters
    ----------
    X : array, shape (n, k + 1)
        A column of ones first; of full rank.
    y : array of 0 and 1, shape (n,)
    held : mapping of int to float, optional
        Coefficients held at a value, by position; the penalty stays that of all columns.
    start : array, shape (k + 1,), optional
        Where to begin; zeros by default.

    Raises
    ------
    InputError
        Where the steps do not settle.

    References
    ----------
    Firth 1993, Bias reduction of maximum likelihood estimates, doi:10.1093/biomet/80.1.27; Heinze
    & Schemper 2002, A solution to the problem of separation in logistic regression,
    doi:10.1002/sim.1047.
    """
    beta = np.zeros(X.shape[1]) if start is None else np.array(start, dtype=float)
    free = np.ones(X.shape[1], dtype=bool)
    for position, value in (held or {}).items():
        free[position], beta[position] = False, value
    p, weight, information, reached = _state(X, y, beta)
    if not np.isfinite(reached):
        beta[free] = 0.0
        p, weight, information, reached = _state(X, y, beta)
    for _ in range(_STEPS):
        inverse = np.linalg.inv(information)
        leverage = weight * np.einsum("ij,jk,ik->i", X, inverse, X)
        score = X.T @ (y - p + leverage * (0.5 - p))
        step = np.zeros_like(beta)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], score[free])
        step *= min(1.0, 5.0 / max(np.abs(step).max(), 1e-300))
        for _ in range(30):
            p, weight, information, trial = _state(X, y, beta + step)
            if trial >= reached - 1e-12 * abs(reached):
                break
            step /= 2
        beta, moved = beta + step, np.abs(step).max()
        reached = trial
        if moved < _TOLERANCE * (1 + np.abs(beta).max()) or np.abs(score[free]).max() < 1e-9:
            return FirthFit(
                beta, np.linalg.inv(information), log_likelihood(X @ beta, y), float(reached)
            )
    raise InputError(
        "the penalised likelihood did not settle. Scale the columns to similar sizes, or leave out "
        "those that are nearly collinear."
    )


def profile_interval(X: np.ndarray, y: np.ndarray, found: FirthFit, j: int) -> tuple[float, float]:
    """95 % interval of coefficient `j` where the penalised likelihood falls by 1.92.

    The ends are infinite where it does not fall so far within 60 standard errors.
    """
    from scipy.optimize import brentq

    centre, error = found.estimate[j], np.sqrt(found.covariance[j, j])

    def above(value: float) -> float:
        # Where the curve would run if it were a parabola: close enough for the steps to settle.
        start = found.estimate + found.covariance[:, j] * (value - centre) / error**2
        held = firth(X, y, held={j: value}, start=start)
        return 2 * (found.penalised - held.penalised) - _CHI2_95

    ends = []
    for side in (-1, 1):
        reach = 2.0
        while reach < 60 and above(centre + side * reach * error) < 0:
            reach *= 1.6
        if reach >= 60:
            ends.append(side * np.inf)
        else:
            ends.append(brentq(above, centre, centre + side * reach * error, xtol=1e-6 * error))
    return float(ends[0]), float(ends[1])
