"""A self-organising map of the whole profile, and Ward's segments of its units (chapter 03)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.segments.features import FeatureSpace, fit_space
from precmark.segments.state import Segmenter, remembered, rows_of
from precmark.segments.trees import cut, nearest, ward_tree


@remembered
@dataclass(frozen=True)
class SomState:
    """What a map remembers.

    Attributes
    ----------
    space : FeatureSpace
        How a user becomes a point.
    shape : tuple of int
        Rows and columns of the map.
    codebook : numpy.ndarray
        Units by features, in the unit of the space (weighted standard deviations); unit i stands
        at row i // columns, column i % columns.
    hits : numpy.ndarray
        Fitted users whose nearest unit it is, int64, one a unit.
    unit_segment : numpy.ndarray
        Segment of each unit, from 1, int64.
    quantisation_error : float
        Mean distance of the fitted users to their unit, in the unit of the space.
    topographic_error : float
        Share of the fitted users whose two nearest units do not touch; nan with one unit.
    """

    space: FeatureSpace
    shape: tuple[int, int]
    codebook: np.ndarray
    hits: np.ndarray
    unit_segment: np.ndarray
    quantisation_error: float
    topographic_error: float


def map_shape(n_users: int, largest: int = 16) -> tuple[int, int]:
    """Rows and columns of a square map for `n_users`: about 5 sqrt(n) units, at most `largest`^2.

    References
    ----------
    Vesanto & Alhoniemi, Clustering of the self-organizing map, 2000, doi 10.1109/72.846731.
    """
    side = round(np.sqrt(5 * np.sqrt(max(n_users, 1))))
    return (int(np.clip(side, 2, largest)),) * 2


def topographic_error(first: np.ndarray, second: np.ndarray, shape: tuple[int, int]) -> float:
    """Share of points whose nearest and second nearest unit do not touch, corners included.

    Parameters
    ----------
    first, second : numpy.ndarray
        Unit indices, one a point.
    shape : tuple of int
        Rows and columns of the map.

    Returns
    -------
    float
        In [0, 1]; nan for a map of one unit, where nothing can be torn.

    References
    ----------
    Kiviluoto, Topology preservation in self-organizing maps, 1996, doi 10.1109/ICNN.1996.548907.
    """
    if shape[0] * shape[1] < 2:
        return float("nan")
    row, column = np.divmod(first, shape[1])
    other_row, other_column = np.divmod(second, shape[1])
    apart = np.maximum(np.abs(row - other_row), np.abs(column - other_column)) > 1
    return float(apart.mean())


def u_matrix(codebook: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Mean distance of each unit to its up to eight neighbours, rows by columns.

    High values are the ridges between groups of like users.

    References
    ----------
    Ultsch & Siemon, Kohonen's self organizing feature maps for exploratory data analysis, 1990.
    """
    grid = codebook.reshape(*shape, -1)
    total, count = np.zeros(shape), np.zeros(shape)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        rows = slice(0, shape[0] - down)
        columns = slice(max(0, -right), shape[1] - max(0, right))
        there = (slice(down, None), slice(max(0, right), shape[1] - max(0, -right)))
        distance = np.linalg.norm(grid[rows, columns] - grid[there], axis=-1)
        for place in ((rows, columns), there):
            total[place] += distance
            count[place] += 1
    return total / np.maximum(count, 1)


def train_codebook(
    points: np.ndarray, shape: tuple[int, int], passes: float, seed: int
) -> np.ndarray:
    """Codebook of a map trained by minisom on `points`, units by features.

    Starts on the plane of the first two principal components where there are two features, takes
    the points in random order; neighbourhood and learning rate fall linearly.
    """
    from minisom import MiniSom

    som = MiniSom(
        *shape,
        points.shape[1],
        sigma=max(1.0, max(shape) / 2),
        learning_rate=0.5,
        decay_function="linear_decay_to_zero",
        sigma_decay_function="linear_decay_to_one",
        random_seed=seed,
    )
    if min(points.shape) > 1 and min(shape) > 1:
        som.pca_weights_init(points)
    else:
        som.random_weights_init(points)
    som.train(points, max(1, round(passes * len(points))), random_order=True)
    return np.ascontiguousarray(som.get_weights().reshape(-1, points.shape[1]))


class SomSegments(Segmenter):
    """Segments of like users on a self-organising map of the whole profile.

    A map is trained on at most `max_rows` users, Ward's tree is grown on the units that users
    fall on, and a unit without users goes with the nearest unit that has some. A user's segment
    is that of the nearest unit, which costs a new user one matrix product. Segments are numbered
    by size, 1 the largest.

    Parameters
    ----------
    n_segments : int
        >= 1; fewer come out where fewer units have users.
    shape : tuple of int or None
        Rows and columns of the map; None chooses by :func:`map_shape`.
    max_rows : int
        Users it is trained on, drawn at random; minisom learns some ten thousand a second.
    passes : float
        How often each of them is shown.
    columns : sequence of str or None
        Profile columns; None takes every numeric one (see :func:`features.fit_space`).
    seed : int

    Attributes
    ----------
    state_ : SomState
        After :meth:`fit`.

    References
    ----------
    Kohonen 1982, doi 10.1007/BF00337288; Vesanto & Alhoniemi 2000, doi 10.1109/72.846731.
    Gu, doi 10.65102/is20261254, abstract and conclusion.
    """

    def __init__(
        self,
        n_segments: int = 5,
        shape: tuple[int, int] | None = None,
        max_rows: int = 20_000,
        passes: float = 5,
        columns: Sequence[str] | None = None,
        seed: int = 0,
    ):
        self.n_segments = n_segments
        self.shape = shape
        self.max_rows = max_rows
        self.passes = passes
        self.columns = columns
        self.seed = seed

    def fit(self, profile: pd.DataFrame) -> SomSegments:
        """Fit feature space, map and tree to the users of `profile`.

        Raises
        ------
        InputError
            When there are no users or no numeric column.
        """
        rows_of(profile, "SomSegments.fit")
        space = fit_space(profile, columns=self.columns)
        points = space.transform(profile)
        order = np.random.default_rng(self.seed).permutation(len(points))
        sample = points[np.sort(order[: self.max_rows])]
        shape = tuple(self.shape or map_shape(len(sample)))
        codebook = train_codebook(sample, shape, self.passes, self.seed)
        near = nearest(points, codebook)
        hits = np.bincount(near.first, minlength=len(codebook)).astype(np.int64)
        self.state_ = SomState(
            space=space,
            shape=shape,
            codebook=codebook,
            hits=hits,
            unit_segment=np.ones(len(codebook), np.int64),
            quantisation_error=float(near.distance.mean()),
            topographic_error=topographic_error(near.first, near.second, shape),
        )
        self.state_ = self._cut_state(self.n_segments)
        return self

    def cut(self, n_segments: int) -> SomSegments:
        """The same map cut into `n_segments`: a new, fitted object, without training again."""
        other = type(self)(**{**self.get_params(), "n_segments": n_segments})
        other.state_ = self._fitted()
        other.state_ = other._cut_state(n_segments)
        return other

    def _cut_state(self, n_segments: int) -> SomState:
        if n_segments < 1:
            raise InputError(f"n_segments is {n_segments}; ask for at least 1.")
        state = self._fitted()
        labels = unit_clusters(state.codebook, state.hits, [n_segments])[0]
        size = np.bincount(labels, weights=state.hits)
        order = np.lexsort((np.arange(len(size)), -size))
        place = np.empty(len(size), np.int64)
        place[order] = np.arange(1, len(size) + 1)
        return replace(state, unit_segment=place[labels])

    def units(self, profile: pd.DataFrame) -> np.ndarray:
        """The map unit of each user, int64."""
        state = self._fitted()
        return nearest(state.space.transform(profile), state.codebook).first

    def predict(self, profile: pd.DataFrame) -> np.ndarray:
        """Segment of each user, int64 from 1, the largest fitted segment first."""
        rows_of(profile, "SomSegments.predict")
        return self._fitted().unit_segment[self.units(profile)]

    def space(self, profile: pd.DataFrame) -> np.ndarray:
        """The users as points, n by features: where segments are judged."""
        return self._fitted().space.transform(profile)

    def labels_at(self, points: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """Segments of `points` (from :meth:`space`) by this map cut into each of `numbers`."""
        state = self._fitted()
        unit = nearest(points, state.codebook).first
        clusters = unit_clusters(state.codebook, state.hits, numbers)
        return np.stack([labels[unit] for labels in clusters])

    def labels_by_number(
        self, points: np.ndarray, rows: np.ndarray, numbers: Sequence[int], seed: int = 0
    ) -> np.ndarray:
        """Segments of all `points`, numbers by n, from a map trained on `rows` only."""
        codebook = train_codebook(points[rows], self._fitted().shape, self.passes, seed)
        hits = np.bincount(nearest(points[rows], codebook).first, minlength=len(codebook))
        unit = nearest(points, codebook).first
        return np.stack([labels[unit] for labels in unit_clusters(codebook, hits, numbers)])

    def codebook_table(self) -> pd.DataFrame:
        """The map as a table, one row a unit.

        Returns
        -------
        pandas.DataFrame
            ``unit``, ``row``, ``column``, ``hits`` (users), ``segment``, ``u_distance`` (mean
            distance to the neighbours, in the unit of the space), then one column a feature (sd).
        """
        state = self._fitted()
        unit = np.arange(len(state.codebook))
        head = pd.DataFrame(
            {
                "unit": unit,
                "row": unit // state.shape[1],
                "column": unit % state.shape[1],
                "hits": state.hits,
                "segment": state.unit_segment,
                "u_distance": u_matrix(state.codebook, state.shape).ravel(),
            }
        )
        planes = pd.DataFrame(state.codebook / state.space.weight, columns=list(state.space.names))
        return pd.concat([head, planes], axis=1)


def unit_clusters(
    codebook: np.ndarray, hits: np.ndarray, numbers: Sequence[int]
) -> list[np.ndarray]:
    """Ward's cluster of each unit, from 0, for each of `numbers`; grown on units with users."""
    used = np.flatnonzero(hits > 0)
    tree = ward_tree(codebook[used])
    closest = nearest(codebook, codebook[used]).first
    closest[used] = np.arange(len(used))
    return [cut(tree, number)[closest] for number in numbers]
