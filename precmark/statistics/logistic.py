"""Logistic regression reported as the paper's procedure reports it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.statistics.checks import binary, column_problems, regressors
from precmark.statistics.firth import (
    FirthFit,
    Separation,
    find_separation,
    firth,
    log_likelihood,
    profile_interval,
)
from precmark.statistics.pairs import Pairs, count_pairs

LIKELIHOOD, PENALISED = "maximum likelihood", "Firth's penalised likelihood"
_FAR = 15.0
"""A linear predictor beyond this makes the fit look for separation."""


@dataclass(frozen=True)
class LogisticReport:
    """A fitted logistic regression, formulas (5) and (6) of the paper.

    Attributes
    ----------
    outcome : str
    columns : tuple of str
    rows, events : int
    method : {"maximum likelihood", "Firth's penalised likelihood"}
    separation : Separation
        Where it is found, `method` is the penalised one unless it was forbidden.
    coefficients : pandas.DataFrame
        ``term`` ("constant" first), ``estimate``, ``error`` (standard error), ``wald`` (chi-square
        with one degree of freedom), ``p``, ``odds_ratio``, ``low``, ``high`` (95 % interval of the
        odds ratio: Wald's, or the penalised likelihood's profile).
    tests : pandas.DataFrame
        That all slopes are 0: ``test`` (likelihood ratio, score, Wald), ``chi2``, ``df``, ``p``.
    fit : pandas.DataFrame
        ``criterion`` (AIC, SBC, -2 log L), ``constant_only``, ``with_columns``.
    pairs : Pairs
    fitted : numpy.ndarray
        (n,) probabilities.
    covariance : numpy.ndarray
        (k + 1, k + 1) of the estimates.
    """

    outcome: str
    columns: tuple[str, ...]
    rows: int
    events: int
    method: str
    separation: Separation
    coefficients: pd.DataFrame
    tests: pd.DataFrame
    fit: pd.DataFrame
    pairs: Pairs
    fitted: np.ndarray
    covariance: np.ndarray

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Probability of the event for each row of `frame`, shape (n,)."""
        problems = column_problems(frame, self.columns)
        if problems:
            raise InputError(problems)
        eta = _with_constant(frame[list(self.columns)].to_numpy(dtype=float))
        return _probability(eta @ self.coefficients.estimate.to_numpy())


def fit_logistic(
    frame: pd.DataFrame, outcome: str, columns: Sequence[str], *, penalise: bool | None = None
) -> LogisticReport:
    """The logistic regression of `outcome` on `columns` with all that the SAS procedure prints.

    Parameters
    ----------
    frame : pandas.DataFrame
        Numbers, no empty cells.
    outcome : str
        A column of 0 and 1.
    columns : sequence of str
    penalise : bool, optional
        True: the penalised likelihood in any case. False: never, and separation is an error. By
        default only where separation leaves no other answer.

    Raises
    ------
    InputError
        All at once: what :func:`precmark.statistics.checks.regressors` refuses, an outcome that is
        constant or not 0 and 1; separation where `penalise` is False.

    References
    ----------
    Company H, "Introduction to logistic regression model" to "Goodness of fit"; SAS/STAT User's
    Guide, The LOGISTIC Procedure.
    """
    problems = column_problems(frame, [outcome])
    y = np.empty(0)
    if not problems:
        y, problems = binary(frame[outcome], outcome)
    try:
        X = _with_constant(regressors(frame, columns))
    except InputError as error:
        problems += list(error.problems)
    if problems:
        raise InputError(problems)
    names = tuple(columns)
    found = None if penalise else _likelihood(X, y)
    separation = Separation("none")
    if found is None:
        separation = find_separation(X, y, names)
    if separation.kind != "none" and penalise is False:
        raise InputError(
            f"{outcome}: {separation.kind} separation by {', '.join(separation.columns)}; no "
            "maximum of the likelihood exists. Leave out penalise=False for the penalised answer."
        )
    if penalise or separation.kind != "none":
        return _report(outcome, names, X, y, firth(X, y), separation, PENALISED)
    found = found or _likelihood(X, y, far=np.inf)
    if found is None:
        raise InputError(f"{outcome}: the likelihood did not settle. Scale the columns alike.")
    return _report(outcome, names, X, y, found, separation, LIKELIHOOD)


def _with_constant(X: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(X)), X])


def _probability(eta: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(eta / 2))


def _likelihood(X: np.ndarray, y: np.ndarray, far: float = _FAR) -> FirthFit | None:
    """statsmodels' maximum of the likelihood; None where it is not found or looks separated."""
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

    # In units of their spread: Newton's steps then do not depend on the columns' units.
    spread = np.r_[1.0, X[:, 1:].std(axis=0)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        # On separated data its steps run off before they stop; what follows sees that.
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            result = sm.Logit(y, X / spread).fit(method="newton", maxiter=100, tol=1e-10, disp=0)
        except np.linalg.LinAlgError:
            return None
    eta = X / spread @ result.params
    if not result.mle_retvals["converged"] or not np.abs(eta).max() < far:
        return None
    reached = log_likelihood(eta, y)
    covariance = np.asarray(result.cov_params()) / np.outer(spread, spread)
    return FirthFit(result.params / spread, covariance, reached, reached)


def _report(outcome, names, X, y, found: FirthFit, separation, method) -> LogisticReport:
    penalised = method == PENALISED
    fitted = _probability(X @ found.estimate)
    return LogisticReport(
        outcome=outcome,
        columns=names,
        rows=len(y),
        events=int(y.sum()),
        method=method,
        separation=separation,
        coefficients=_coefficients(names, X, y, found, profile=penalised),
        tests=_tests(X, y, found, penalised=penalised),
        fit=_fit(X, y, found),
        pairs=count_pairs(y, fitted),
        fitted=fitted,
        covariance=found.covariance,
    )


def _coefficients(names, X, y, found: FirthFit, *, profile: bool) -> pd.DataFrame:
    from scipy.stats import chi2, norm

    error = np.sqrt(np.diag(found.covariance))
    wald = (found.estimate / error) ** 2
    half = norm.ppf(0.975) * error
    low, high = found.estimate - half, found.estimate + half
    if profile:
        low, high = np.array([profile_interval(X, y, found, j) for j in range(len(error))]).T
    with np.errstate(over="ignore"):  # an open end of the interval is infinite as an odds ratio too
        odds, low, high = np.exp(found.estimate), np.exp(low), np.exp(high)
    return pd.DataFrame(
        {
            "term": ["constant", *names],
            "estimate": found.estimate,
            "error": error,
            "wald": wald,
            "p": chi2.sf(wald, 1),
            "odds_ratio": odds,
            "low": low,
            "high": high,
        }
    )


def _tests(X, y, found: FirthFit, *, penalised: bool) -> pd.DataFrame:
    """The three tests that all slopes are zero."""
    from scipy.stats import chi2

    share, k = y.mean(), X.shape[1] - 1
    if penalised:
        null = firth(X, y, held=dict.fromkeys(range(1, k + 1), 0.0))
        ratio = 2 * (found.penalised - null.penalised)
    else:
        ratio = 2 * (found.log_likelihood - _constant_only(y))
    centred = X[:, 1:] - X[:, 1:].mean(axis=0)
    score = centred.T @ (y - share)
    information = share * (1 - share) * centred.T @ centred
    slopes = found.estimate[1:]
    chis = (
        ratio,
        score @ np.linalg.solve(information, score),
        slopes @ np.linalg.solve(found.covariance[1:, 1:], slopes),
    )
    return pd.DataFrame(
        {
            "test": ["likelihood ratio", "score", "Wald"],
            "chi2": [float(c) for c in chis],
            "df": k,
            "p": [float(chi2.sf(c, k)) for c in chis],
        }
    )


def _constant_only(y: np.ndarray) -> float:
    """Log likelihood of the model that gives every row the share of events."""
    share = y.mean()
    return float(len(y) * (share * np.log(share) + (1 - share) * np.log(1 - share)))


def _fit(X, y, found: FirthFit) -> pd.DataFrame:
    """AIC and SBC (the paper's goodness of fit), beside those of the constant alone."""
    n, k = X.shape
    deviance = np.array([-2 * _constant_only(y), -2 * found.log_likelihood])
    parameters = np.array([1, k])
    rows = {
        "AIC": deviance + 2 * parameters,
        "SBC": deviance + parameters * np.log(n),
        "-2 log L": deviance,
    }
    return pd.DataFrame(
        [(name, *values) for name, values in rows.items()],
        columns=["criterion", "constant_only", "with_columns"],
    )
