"""Features put on a grid so that alike ones are neighbours: the data grid conversion (IGTD)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from precmark.errors import InputError, Problem
from precmark.grid.distances import (
    feature_distances,
    grid_shape,
    normalised_distances,
    normalised_ranks,
    pixel_distances,
    pixel_places,
)

MATCHES = {"ranks": normalised_ranks, "distances": normalised_distances}
"""What is compared: ranks of distances (the method), or the distances (equations 5, 6)."""

COSTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"absolute": np.abs, "squared": np.square}
"""How a pair's mismatch is counted."""

LEAST_GAIN = 1e-12
"""A swap that gains less than this share of the error is rounding noise."""


@dataclass(frozen=True)
class Layout:
    """Which feature stands on which pixel.

    Attributes
    ----------
    names : tuple of str
        The p features in the order of the data's columns.
    shape : tuple of int
        Rows and columns of the grid; p <= rows x columns, empty pixels at the end of the last row.
    order : numpy.ndarray
        int, shape (p,): the column of the data on pixel 0, 1, ..., counted line by line.
    errors : numpy.ndarray
        Shape (swaps looked at + 1,): the mean mismatch a pair, before any swap and after each.
    swaps : int
        Swaps made.
    """

    names: tuple[str, ...]
    shape: tuple[int, int]
    order: np.ndarray
    errors: np.ndarray
    swaps: int

    @property
    def error(self) -> float:
        """Mean mismatch a pair of this layout, 0 to 1."""
        return float(self.errors[-1])

    def places(self) -> np.ndarray:
        """Row and column of each feature in the order of the data's columns: int, (p, 2)."""
        out = np.empty((len(self.names), 2), dtype=int)
        out[self.order] = pixel_places(len(self.names), self.shape)
        return out


@dataclass
class _Search:
    """R, Q and where each feature stands; `row[a]` is the mismatch of pixel a with all others."""

    R: np.ndarray
    Q: np.ndarray
    cost: Callable[[np.ndarray], np.ndarray]
    order: np.ndarray
    row: np.ndarray

    @classmethod
    def start(cls, R: np.ndarray, Q: np.ndarray, cost: Callable, order: np.ndarray) -> _Search:
        R = R[np.ix_(order, order)]
        return cls(R, Q, cost, order.copy(), cost(R - Q).sum(axis=1))

    def gains(self, a: int) -> np.ndarray:
        """How much the error grows when pixel `a` swaps its feature with pixel 0, 1, ...; (p,)."""
        R, Q, cost = self.R, self.Q, self.cost
        there = cost(R - Q[a]).sum(axis=1) - cost(R[:, a]) - cost(Q[a])
        here = cost(R[a] - Q).sum(axis=1) - cost(Q[:, a]) - cost(R[a])
        between = cost(R[a] - Q[a])
        out = there + here - (self.row[a] - between) - (self.row - between)
        out[a] = 0.0
        return out

    def swap(self, a: int, b: int) -> None:
        """Exchange the features of pixels `a` and `b`; all rows' mismatches stay right."""
        pair, back = [a, b], [b, a]
        self.row -= self.cost(self.R[:, pair] - self.Q[:, pair]).sum(axis=1)
        self.R[pair] = self.R[back]
        self.R[:, pair] = self.R[:, back]
        self.order[pair] = self.order[back]
        self.row += self.cost(self.R[:, pair] - self.Q[:, pair]).sum(axis=1)
        self.row[pair] = self.cost(self.R[pair] - self.Q[pair]).sum(axis=1)


def mismatch(R: np.ndarray, Q: np.ndarray, order: np.ndarray, cost: str = "absolute") -> float:
    """Mean cost a pair of R (features, in `order`) against Q (pixels); p at least 2."""
    p = len(order)
    found = COSTS[cost](R[np.ix_(order, order)] - Q).sum() / 2
    return float(found / (p * (p - 1) / 2))


def place_features(
    X: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    metric: str = "pearson",
    match: str = "ranks",
    cost: str = "absolute",
    shape: tuple[int, int] | None = None,
    max_swaps: int = 5000,
    starts: int = 1,
    seed: int = 0,
) -> Layout:
    """The features of `X` on a grid: near pixels for features at a short distance.

    Looks at one pixel at a time, the one whose turn is longest ago (equal ones in their order),
    and swaps its feature with the one that lowers the error most, if any does. It ends when no
    pixel has a swap that helps, or after `max_swaps` turns. Nothing is drawn by lot in the first
    start, so the same data give the same grid.

    Parameters
    ----------
    X : array of float, shape (n, p)
        n >= 2 rows, p >= 4 features that vary.
    names : sequence of str, optional
        Names of the p features; their numbers where left out.
    metric : {"pearson", "euclidean"}
        Distance of features (equations 3, 2).
    match : {"ranks", "distances"}
        What is compared with the pixels: ranks, or the distances as equations 5 and 6 print them.
    cost : {"absolute", "squared"}
        Of a pair's mismatch.
    shape : tuple of int, optional
        Rows and columns; the squarest grid where left out.
    max_swaps : int
        Turns of each start, >= 1.
    starts : int
        >= 1; the first from the order of the columns, further ones from an order by lot. The best
        is kept.
    seed : int
        Of the further starts.

    Returns
    -------
    Layout

    Raises
    ------
    InputError
        With every problem: fewer than 4 features, constant ones (named), missing or infinite
        values, a grid too small or with an empty row, an unknown option.

    Notes
    -----
    A turn costs p squared operations; memory is a few p by p tables.

    References
    ----------
    Liu 2022, equations 2 to 6; Zhu et al. 2021, doi 10.1038/s41598-021-90923-y.
    """
    X = np.asarray(X)
    problems = _option_problems(X, match, cost, shape, max_swaps, starts)
    D = _distances(X, metric, names, problems)
    p = len(D)
    shape = tuple(shape or grid_shape(p))
    R, Q = (MATCHES[match](d) for d in (D, pixel_distances(p, shape)))
    rng = np.random.default_rng(seed)
    orders = [np.arange(p), *(rng.permutation(p) for _ in range(starts - 1))]
    found = [_descend(R, Q, COSTS[cost], order, max_swaps) for order in orders]
    order, errors, swaps = min(found, key=lambda f: f[1][-1])
    named = tuple(str(k) for k in (range(p) if names is None else names))
    return Layout(named, shape, order, errors, swaps)


def _distances(X, metric, names, problems: list) -> np.ndarray:
    """The feature distances; every problem of the options and of the data in one error."""
    try:
        found = feature_distances(X, metric, names)
    except InputError as error:
        raise InputError([*error.problems, *problems]) from None
    if problems:
        raise InputError(problems)
    return found


def _option_problems(X, match, cost, shape, max_swaps, starts) -> list[Problem]:
    problems = []
    for what, value, known in (("match", match, MATCHES), ("cost", cost, COSTS)):
        if value not in known:
            problems.append(
                Problem(f"{what} {value!r} is not known", f"Choose one of {', '.join(known)}.")
            )
    for what, value in (("max_swaps", max_swaps), ("starts", starts)):
        if value < 1:
            problems.append(Problem(f"{what}: {value}", "Give a whole number from 1."))
    if shape is not None and X.ndim == 2:
        p, (rows, columns) = X.shape[1], shape
        if min(rows, columns) < 1 or rows * columns < p or (rows - 1) * columns >= p:
            problems.append(
                Problem(
                    f"a grid of {rows} x {columns} for {p} features",
                    f"Leave no row empty and give each a pixel, e.g. {grid_shape(p)}.",
                )
            )
    return problems


def _descend(
    R: np.ndarray, Q: np.ndarray, cost: Callable, order: np.ndarray, max_swaps: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Order, errors and swaps made, from the start `order`."""
    search = _Search.start(R, Q, cost, order)
    p = len(order)
    pairs = p * (p - 1) / 2
    errors = [float(search.row.sum() / 2 / pairs)]
    turn = np.zeros(p, dtype=int)
    swaps = idle = 0
    for step in range(1, max_swaps + 1):
        a = int(np.argmin(turn))
        growth = search.gains(a)
        b = int(np.argmin(growth))
        turn[a] = step
        error = errors[-1]
        if growth[b] / pairs < -LEAST_GAIN * max(error, LEAST_GAIN):
            search.swap(a, b)
            turn[[a, b]] = turn[[b, a]]
            swaps, idle = swaps + 1, 0
            error = float(search.row.sum() / 2 / pairs)
        else:
            idle += 1
        errors.append(error)
        if idle >= p:
            break
    return search.order, np.array(errors), swaps


def shuffled(layout: Layout, seed: int) -> Layout:
    """The same features and grid with every feature on a pixel by lot; its errors are unknown.

    Returns
    -------
    Layout
        With one error, not a number.
    """
    order = np.random.default_rng(seed).permutation(len(layout.names))
    return Layout(layout.names, layout.shape, order, np.array([np.nan]), 0)


def images(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Rows of features as pictures: float32, shape (n, rows, columns), 0 on empty pixels.

    Parameters
    ----------
    values : array of float, shape (n, p)
        Scaled features in the order of ``layout.names``; 0 should be the mean.

    Raises
    ------
    InputError
        When `values` has another number of columns.
    """
    values = np.asarray(values)
    p = len(layout.names)
    if values.ndim != 2 or values.shape[1] != p:
        raise InputError(
            Problem(f"values of shape {values.shape} for a grid of {p} features",
                    "Give the columns that the grid was made from.")
        )  # fmt: skip
    rows, columns = layout.shape
    out = np.zeros((len(values), rows * columns), dtype=np.float32)
    out[:, :p] = values[:, layout.order]
    return out.reshape(len(values), rows, columns)


def by_feature(maps: np.ndarray, layout: Layout) -> np.ndarray:
    """Maps (n, rows, columns) read back at each feature's pixel: (n, p), in the names' order."""
    places = layout.places()
    return np.asarray(maps)[:, places[:, 0], places[:, 1]]
