"""Principal components with contribution rates, and factor analysis with rotation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.statistics.checks import regressors

LIKELIHOOD, PRINCIPAL = "maximum likelihood", "principal factors"
HEYWOOD = 0.005
"""A variable with less variance of its own than this is explained too well to be believed."""
NO_FACTOR = 0.3
"""A factor whose loadings all lie below is about nothing."""


@dataclass(frozen=True)
class Components:
    """Principal components of standardised variables.

    Attributes
    ----------
    columns : tuple of str
    table : pandas.DataFrame
        A row a component, the largest first: ``component`` (from 1), ``eigenvalue``,
        ``contribution`` and ``cumulative`` (shares of the variance), ``chance`` (95 % of the
        eigenvalues at this place are lower where nothing correlates).
    vectors : numpy.ndarray
        (p, p), the paper's matrix U: column j makes component j; the largest weight is positive.
    scores : numpy.ndarray
        (n, p), the components' values.
    """

    columns: tuple[str, ...]
    table: pd.DataFrame
    vectors: np.ndarray
    scores: np.ndarray

    @property
    def above_chance(self) -> int:
        """Leading components whose eigenvalue chance alone would not give; at least 1."""
        above = (self.table.eigenvalue > self.table.chance).to_numpy()
        return max(1, int(np.argmin(above)) if not above.all() else len(above))


def principal_components(
    frame: pd.DataFrame, columns: Sequence[str], *, draws: int = 200, seed: int = 0
) -> Components:
    """Principal components of the correlation matrix, with Horn's parallel analysis.

    Parameters
    ----------
    frame : pandas.DataFrame
    columns : sequence of str
    draws : int
        Normal samples of the same size that say what chance gives, 20 or more.
    seed : int

    Raises
    ------
    InputError
        See :func:`precmark.statistics.checks.regressors`.

    References
    ----------
    Company H, on principal components; Horn 1965, A rationale and test for the number of factors
    in factor analysis, doi:10.1007/BF02289447.
    """
    columns = tuple(columns)
    X = regressors(frame, columns)
    n, p = X.shape
    standard = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    values, vectors = np.linalg.eigh(np.corrcoef(X, rowvar=False).reshape(p, p))
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    vectors = vectors * _signs(vectors)
    table = pd.DataFrame(
        {
            "component": np.arange(1, p + 1),
            "eigenvalue": values,
            "contribution": values / values.sum(),
            "cumulative": np.cumsum(values) / values.sum(),
            "chance": _chance(n, p, draws, seed),
        }
    )
    return Components(columns, table, vectors, standard @ vectors)


def _signs(weights: np.ndarray) -> np.ndarray:
    """+1 or -1 a column, so that its largest weight becomes positive."""
    largest = np.abs(weights).argmax(axis=0)
    signs = np.sign(weights[largest, np.arange(weights.shape[1])])
    return np.where(signs == 0, 1.0, signs)


def _chance(n: int, p: int, draws: int, seed: int) -> np.ndarray:
    """95 % points of the ordered eigenvalues where no variables correlate.

    The sum of squares of normal draws is drawn at once (Bartlett's decomposition): no n x p sample
    is made, so that long tables cost no more than short ones.
    """
    rng = np.random.default_rng(seed)
    found = np.empty((draws, p))
    for i in range(draws):
        root = np.tril(rng.standard_normal((p, p)), -1)
        root[np.diag_indices(p)] = np.sqrt(rng.chisquare(n - 1 - np.arange(p)))
        sums = root @ root.T
        scale = np.sqrt(np.diag(sums))
        found[i] = np.linalg.eigvalsh(sums / np.outer(scale, scale))[::-1]
    return np.quantile(found, 0.95, axis=0)


@dataclass(frozen=True)
class Factors:
    """An orthogonal factor model, x = mean + L f + u (the paper's formula 21).

    Attributes
    ----------
    columns : tuple of str
    loadings, unrotated : numpy.ndarray
        (p, k), L after and before rotation; factors in the order of the variance that they carry,
        their largest loading positive.
    uniqueness : numpy.ndarray
        (p,), the variance of u: what no factor explains.
    shares : numpy.ndarray
        (k,), the share of all variance that each rotated factor carries.
    rotation, method : str
    kmo : float
        Kaiser, Meyer and Olkin's measure, 0 to 1: how far correlations are shared by more than
        pairs. Below 0.5 factors make no sense.
    kmo_by_variable : numpy.ndarray
        (p,)
    bartlett, bartlett_df, bartlett_p : float
        Chi-square test that nothing correlates.
    heywood : tuple of str
        Variables whose own variance is estimated at nothing: a sign of too many factors.
    converged : bool
        Whether the likelihood reached its maximum.
    """

    columns: tuple[str, ...]
    loadings: np.ndarray
    unrotated: np.ndarray
    uniqueness: np.ndarray
    shares: np.ndarray
    rotation: str
    method: str
    kmo: float
    kmo_by_variable: np.ndarray
    bartlett: float
    bartlett_df: float
    bartlett_p: float
    heywood: tuple[str, ...]
    converged: bool = True


def factor_analysis(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    factors: int,
    rotation: str = "varimax",
    method: str = LIKELIHOOD,
) -> Factors:
    """Factor analysis, rotated.

    Parameters
    ----------
    frame : pandas.DataFrame
    columns : sequence of str
        Three or more.
    factors : int
        1 or more, and so few that the correlations can determine them.
    rotation : {"varimax", "quartimax"}
        Both keep factors uncorrelated, as the paper's model does.
    method : {"maximum likelihood", "principal factors"}
        The second takes the shared variance of each variable to be what the others explain of it
        (its squared multiple correlation), and the factors from one eigendecomposition: coarser,
        and never without an answer.

    Raises
    ------
    InputError
        See :func:`precmark.statistics.checks.regressors`; too few columns for so many factors; an
        unknown rotation or method.

    References
    ----------
    Company H, formula (21); Kaiser 1958, The varimax criterion, doi:10.1007/BF02289233; Kaiser
    1974, An index of factorial simplicity, doi:10.1007/BF02291575.
    """
    from statsmodels.multivariate.factor_rotation import rotate_factors

    columns = tuple(columns)
    problems = []
    p = len(columns)
    if rotation not in ("varimax", "quartimax"):
        problems.append(f"rotation {rotation!r}: use varimax or quartimax.")
    if method not in (LIKELIHOOD, PRINCIPAL):
        problems.append(f"method {method!r}: use {LIKELIHOOD!r} or {PRINCIPAL!r}.")
    if p < 3 or factors < 1 or (p - factors) ** 2 < p + factors:
        problems.append(
            f"{factors} factors of {p} columns: {_most_factors(p)} at most can be determined. "
            "Give more columns or ask for fewer factors."
        )
    if problems:
        raise InputError(problems)
    X = regressors(frame, columns)
    correlation = np.corrcoef(X, rowvar=False)
    unrotated, uniqueness, converged = _unrotated(correlation, factors, len(X), method)
    loadings = rotate_factors(unrotated, rotation)[0] if factors > 1 else unrotated.copy()
    order = np.argsort(-(loadings**2).sum(axis=0), kind="stable")
    loadings = loadings[:, order]
    loadings = loadings * _signs(loadings)
    whole, single = sampling_adequacy(correlation)
    return Factors(
        columns, loadings, unrotated * _signs(unrotated), uniqueness,
        (loadings**2).sum(axis=0) / p, rotation, method, whole, single,
        *_bartlett(correlation, len(X)),
        tuple(c for c, u in zip(columns, uniqueness, strict=True) if u < HEYWOOD),
        converged=converged,
    )  # fmt: skip


def _unrotated(
    correlation: np.ndarray, factors: int, n: int, method: str
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Loadings, what is each variable's own, and whether the fit settled."""
    from statsmodels.multivariate.factor import Factor

    if method == PRINCIPAL:
        loadings = _principal_factors(correlation, factors)
        return loadings, 1 - (loadings**2).sum(axis=1), True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = Factor(corr=correlation, n_factor=factors, nobs=n, method="ml").fit()
    settled = not any("converge" in str(w.message) for w in caught)
    return np.array(fitted.loadings_no_rot), np.array(fitted.uniqueness), settled


def _principal_factors(correlation: np.ndarray, k: int) -> np.ndarray:
    """Loadings from the k largest eigenvalues of the correlations that variables share."""
    shared = correlation.copy()
    np.fill_diagonal(shared, 1 - 1 / np.diag(np.linalg.inv(correlation)))
    values, vectors = np.linalg.eigh(shared)
    largest = slice(None, -k - 1, -1)
    return vectors[:, largest] * np.sqrt(values[largest].clip(min=0))


def settled_factors(frame: pd.DataFrame, components: Components) -> tuple[Factors | None, str]:
    """As many factors as components lie above chance, by likelihood where it can be believed.

    Returns
    -------
    factors : Factors or None
        By maximum likelihood where that settles and leaves every variable some variance of its
        own; else principal factors, fewer where some would load on no variable. None where the
        variables are too few for any.
    why : str
        Why the likelihood was not taken; "" where it was.
    """
    k = min(components.above_chance, _most_factors(len(components.columns)))
    if k < 1:
        return None, ""
    found = factor_analysis(frame, components.columns, factors=k)
    if found.converged and not found.heywood:
        return found, ""
    why = "does not settle" if not found.converged else "leaves some variable nothing of its own"
    coarse = factor_analysis(frame, components.columns, factors=k, method=PRINCIPAL)
    while k > 1 and (np.abs(coarse.loadings).max(axis=0) < NO_FACTOR).any():
        k -= 1
        coarse = factor_analysis(frame, components.columns, factors=k, method=PRINCIPAL)
    return coarse, why


def _most_factors(p: int) -> int:
    """The most factors that the correlations of p variables determine."""
    return max((k for k in range(p) if (p - k) ** 2 >= p + k), default=0)


def sampling_adequacy(correlation: np.ndarray) -> tuple[float, np.ndarray]:
    """Kaiser, Meyer and Olkin's measure of a correlation matrix, for all and for each variable."""
    inverse = np.linalg.inv(correlation)
    scale = np.sqrt(np.diag(inverse))
    partial = -inverse / np.outer(scale, scale)
    off = ~np.eye(len(correlation), dtype=bool)
    simple, rest = (correlation**2 * off).sum(axis=0), (partial**2 * off).sum(axis=0)
    return float(simple.sum() / (simple.sum() + rest.sum())), simple / (simple + rest)


def _bartlett(correlation: np.ndarray, n: int) -> tuple[float, float, float]:
    from scipy.stats import chi2

    p = len(correlation)
    statistic = -(n - 1 - (2 * p + 5) / 6) * np.linalg.slogdet(correlation)[1]
    df = p * (p - 1) / 2
    return float(statistic), df, float(chi2.sf(statistic, df))
