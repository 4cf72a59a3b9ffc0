"""How far features lie from one another, how far pixels do, and the ranks of both (eq. 2 to 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from precmark.errors import InputError, Problem

METRICS = ("pearson", "euclidean")
"""Distances of features: 1 - ``|r|`` (equation 3), or of standardised columns (equation 2)."""

FEWEST = 4
"""Features below which a grid has no neighbourhoods: two by two."""


def feature_problems(X: np.ndarray, names: Sequence[str] | None = None) -> list[Problem | str]:
    """What keeps the columns of `X` from being put on a grid, in words; empty where nothing.

    Parameters
    ----------
    X : array, shape (n, p)
        n rows of p features.
    names : sequence of str, optional
        Names of the p features, for the messages.
    """
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        return [
            Problem(
                f"features have shape {X.shape} of {X.dtype}",
                "Give numbers of shape (rows, features).",
            )
        ]
    problems: list[Problem | str] = []
    n, p = X.shape
    named = [str(k) for k in range(p)] if names is None else [str(k) for k in names]
    if len(named) != p:
        problems.append(Problem(f"{len(named)} names for {p} features", "Name each feature once."))
        named = [str(k) for k in range(p)]
    doubled = sorted({k for k in named if named.count(k) > 1})
    if doubled:
        problems.append(Problem(f"the same name twice: {', '.join(doubled)}", "Rename one."))
    if p < FEWEST:
        few = f"{p} feature" + ("" if p == 1 else "s")
        problems.append(Problem(f"{few}: no grid", f"Give {FEWEST} or more."))
    if n < 2:
        problems.append(Problem(f"{n} rows: no distances", "Give two rows or more."))
    broken = ~np.isfinite(X.astype(float))
    for k in np.flatnonzero(broken.any(axis=0)):
        rows = np.flatnonzero(broken[:, k])
        problems.append(
            Problem(
                f"feature {named[k]}: missing or infinite values",
                "Fill them, or leave these rows or the feature out.",
                len(rows), tuple((rows[:5] + 1).tolist()),
            )
        )  # fmt: skip
    whole = X[:, ~broken.any(axis=0)]
    still = np.ptp(whole, axis=0) == 0 if n > 1 else np.zeros(whole.shape[1], bool)
    fixed = [named[k] for k in np.flatnonzero(~broken.any(axis=0))[still]]
    if fixed:
        problems.append(
            Problem(
                f"the same value in every row: {', '.join(fixed)}",
                "Leave these features out: they are at no distance from anything.",
            )
        )
    return problems


def feature_distances(
    X: np.ndarray, metric: str = "pearson", names: Sequence[str] | None = None
) -> np.ndarray:
    """Distances between the columns of `X`.

    Parameters
    ----------
    X : array of float, shape (n, p)
        n >= 2 rows of p >= 4 features.
    metric : {"pearson", "euclidean"}
        1 minus the absolute correlation, from 0 to 1 (equation 3), or the Euclidean distance of
        the standardised columns (equation 2; without standardising, the unit of a feature would
        decide).
    names : sequence of str, optional
        Names of the features, for messages.

    Returns
    -------
    array of float64, shape (p, p)
        Symmetric, 0 on the diagonal.

    Raises
    ------
    InputError
        An unknown metric, and everything that :func:`feature_problems` finds.

    References
    ----------
    Liu 2022, equations 2 and 3 (the printed 3 writes rho_1 A_i for the correlation).
    """
    X = np.asarray(X)
    problems = feature_problems(X, names)
    if metric not in METRICS:
        fix = f"Choose one of {', '.join(METRICS)}."
        problems.append(Problem(f"metric {metric!r} is not known", fix))
    if problems:
        raise InputError(problems)
    X = X.astype(np.float64)
    # sizes near the ends of floating point must not overflow in the squares
    X = X / np.abs(X).max(axis=0)
    Z = X - X.mean(axis=0)
    Z /= np.sqrt((Z**2).mean(axis=0))
    r = np.clip(Z.T @ Z / len(Z), -1, 1)
    found = 1 - np.abs(r) if metric == "pearson" else np.sqrt(2 * len(Z) * (1 - r))
    found = (found + found.T) / 2
    np.fill_diagonal(found, 0.0)
    return found


def grid_shape(features: int) -> tuple[int, int]:
    """Rows and columns of the squarest grid that holds `features` with no row left empty.

    Examples
    --------
    >>> grid_shape(100), grid_shape(41), grid_shape(4)
    ((10, 10), (6, 7), (2, 2))
    """
    columns = int(np.ceil(np.sqrt(features)))
    return -(-features // columns), columns


def pixel_places(features: int, shape: tuple[int, int]) -> np.ndarray:
    """Row and column of the first `features` pixels, line by line: int, shape (features, 2)."""
    return np.stack(np.divmod(np.arange(features), shape[1]), axis=1)


def pixel_distances(features: int, shape: tuple[int, int]) -> np.ndarray:
    """Euclidean distances between the first `features` pixels of a grid (equation 4).

    Returns
    -------
    array of float64, shape (features, features)
    """
    places = pixel_places(features, shape).astype(float)
    apart = places[:, None] - places[None, :]
    return np.sqrt((apart**2).sum(axis=2))


def normalised_ranks(distances: np.ndarray) -> np.ndarray:
    """Ranks of the distances of all pairs, divided by the largest (equations 5 and 6).

    The lowest distance has rank 1; equal distances share the mean of their ranks. Equations 5 and
    6 divide the distances themselves; the method that they belong to divides ranks.

    Parameters
    ----------
    distances : array, shape (p, p)
        Symmetric.

    Returns
    -------
    array of float64, shape (p, p)
        In (0, 1] off the diagonal, 0 on it; symmetric.

    References
    ----------
    Zhu et al. 2021, Converting tabular data into images for deep learning with convolutional
    neural networks, doi 10.1038/s41598-021-90923-y.
    """
    from scipy.stats import rankdata

    upper = np.triu_indices(len(distances), 1)
    # rounding noise must not part distances that are equal
    ranks = rankdata(np.round(distances[upper], 12))
    out = np.zeros(distances.shape)
    out[upper] = ranks / ranks.max()
    return out + out.T


def normalised_distances(distances: np.ndarray) -> np.ndarray:
    """Distances divided by the largest: equations 5 and 6 as they are printed."""
    most = distances.max()
    return distances / most if most > 0 else np.zeros(distances.shape)
