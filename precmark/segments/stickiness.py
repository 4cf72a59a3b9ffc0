"""Stickiness in two dimensions, and Ward's segments of it (paper section 4.1, chapter 03)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.segments.state import Segmenter, remembered, rows_of
from precmark.segments.trees import centroids, cut, nearest, relabel, ward_tree

DAYS = ("active_days", "login_days")
"""Profile columns that count days with activity, without their window; the first found is used."""

ACTIVITY = ("views", "searches", "carts", "purchases", "watches", "chats", "gifts")
"""Profile columns that count what a user did; those found are added up where ``events`` is not."""

DORMANT = 0
"""The segment of users without activity in the window."""

_GRID = 200


@remembered
@dataclass(frozen=True)
class QuantileScale:
    """A scale from 0 to 1 by rank among the users fitted.

    Attributes
    ----------
    values : numpy.ndarray
        Up to 200 ascending values at which the scale is known.
    share : numpy.ndarray
        Their mid-rank among the users, stretched so that the least is 0 and the most 1.
    """

    values: np.ndarray
    share: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> QuantileScale:
        """The scale of `values`; ties share their middle rank, one value alone stands at 0.5."""
        distinct, counts = np.unique(values, return_counts=True)
        middle = np.cumsum(counts) - counts / 2
        if len(distinct) > _GRID:
            at = np.linspace(middle[0], middle[-1], _GRID)
            keep = np.unique(np.searchsorted(middle, at).clip(0, len(distinct) - 1))
            distinct, middle = distinct[keep], middle[keep]
        width = middle[-1] - middle[0]
        share = (middle - middle[0]) / width if width > 0 else np.full(len(middle), 0.5)
        return cls(distinct.astype(float), share)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """`values` on the scale, in [0, 1]; what lies beyond the users fitted stands at its end."""
        return np.interp(values, self.values, self.share)


@remembered
@dataclass(frozen=True)
class StickinessState:
    """What stickiness segments remember.

    Attributes
    ----------
    days_column : str
        The profile's count of active days in the window.
    activity_columns : tuple of str
        The counts that are added up to the activity.
    regularity, depth : QuantileScale
    centres : numpy.ndarray
        k by 2: mean regularity and depth of each segment, stickiest first.
    agreement : float
        Share of the users in the tree whose nearest centre is their own branch's, in [0, 1].
    """

    days_column: str
    activity_columns: tuple[str, ...]
    regularity: QuantileScale
    depth: QuantileScale
    centres: np.ndarray
    agreement: float


class StickinessSegments(Segmenter):
    """Segments by how regularly users come and how much they do when they come.

    The paper clusters users hierarchically on a two-dimensional stickiness index and defines
    neither dimension. Its Table 3 counts login days for stickiness and watches for activity, and
    so do we:

    - regularity: active days in the window, divided by the window's days;
    - depth: events of any kind in the window, divided by the active days;

    each turned into its rank among the users with any activity, from 0 to 1. Users with no active
    day in the window are `dormant`, segment 0, by rule. Ward's tree is grown on at most `max_tree`
    users; every user, in the tree or not, goes to the nearest segment centre, so that a new user
    is placed as the old ones were.

    Parameters
    ----------
    n_segments : int
        Segments besides the dormant, >= 1; fewer come out where fewer points are distinct.
    window_days : int or None
        Window of the profile columns, 7 or 30; None takes the whole history, with regularity over
        `days_since_first_event`, at least 30 days.
    max_tree : int
        Users in the tree, drawn at random; time and memory grow with its square.
    seed : int

    Attributes
    ----------
    state_ : StickinessState
        After :meth:`fit`.
    tree_, tree_points_ : numpy.ndarray
        SciPy linkage and the points it was grown on (not saved).

    References
    ----------
    Gu, doi 10.65102/is20261254, section 4.1 and Table 3. Ward 1963,
    doi 10.1080/01621459.1963.10500845.
    """

    def __init__(
        self,
        n_segments: int = 4,
        window_days: int | None = 30,
        max_tree: int = 5000,
        seed: int = 0,
    ):
        self.n_segments = n_segments
        self.window_days = window_days
        self.max_tree = max_tree
        self.seed = seed

    def fit(self, profile: pd.DataFrame) -> StickinessSegments:
        """Fit scales, tree and centres to the users of `profile`.

        Raises
        ------
        InputError
            When there are no users, or no column that counts active days or activity.
        """
        rows_of(profile, "StickinessSegments.fit")
        days_column, activity_columns = self._columns(profile)
        days, depth, active = self._raw(profile, days_column, activity_columns)
        none = not active.any()
        state = StickinessState(
            days_column,
            activity_columns,
            QuantileScale.fit(np.zeros(1) if none else days[active]),
            QuantileScale.fit(np.zeros(1) if none else depth[active]),
            np.empty((0, 2)),
            1.0,
        )
        points = np.column_stack(
            [state.regularity.transform(days[active]), state.depth.transform(depth[active])]
        )
        order = np.random.default_rng(self.seed).permutation(len(points))
        self.tree_points_ = points[np.sort(order[: self.max_tree])]
        self.tree_ = ward_tree(self.tree_points_) if len(points) else np.empty((0, 4))
        self.state_ = state
        return self._cut(self.n_segments)

    def cut(self, n_segments: int) -> StickinessSegments:
        """The same tree cut into `n_segments`: a new, fitted object, without growing it again."""
        if not hasattr(self, "tree_"):
            raise InputError("the tree is not saved with the segments. Call fit(profile) first.")
        other = type(self)(**{**self.get_params(), "n_segments": n_segments})
        other.tree_, other.tree_points_, other.state_ = self.tree_, self.tree_points_, self.state_
        return other._cut(n_segments)

    def _cut(self, n_segments: int) -> StickinessSegments:
        if n_segments < 1:
            raise InputError(f"n_segments is {n_segments}; ask for at least 1.")
        if not len(self.tree_points_):
            return self
        labels = cut(self.tree_, n_segments)
        centres = centroids(self.tree_points_, labels)
        order = np.lexsort((-centres[:, 0], -centres.sum(axis=1)))
        near = nearest(self.tree_points_, centres[order]).first
        agreement = float((near == relabel(labels, order)).mean())
        self.state_ = replace(self.state_, centres=centres[order], agreement=agreement)
        return self

    def plane(self, profile: pd.DataFrame) -> pd.DataFrame:
        """Each user's place on the stickiness plane.

        Returns
        -------
        pandas.DataFrame
            `profile`'s index; ``active_days`` (days), ``activity_per_day`` (events a day),
            ``regularity`` and ``depth`` (0 to 1, missing for dormant users), ``segment`` (int64).
        """
        state = self._fitted()
        self._require(profile)
        days, depth, active = self._raw(profile, state.days_column, state.activity_columns)
        regularity = np.where(active, state.regularity.transform(days), np.nan)
        scaled = np.where(active, state.depth.transform(depth), np.nan)
        segment = np.full(len(profile), DORMANT, np.int64)
        if active.any() and len(state.centres):
            points = np.column_stack([regularity[active], scaled[active]])
            segment[active] = 1 + nearest(points, state.centres).first
        return pd.DataFrame(
            {
                "active_days": pd.to_numeric(profile[state.days_column]).fillna(0).to_numpy(float),
                "activity_per_day": np.where(active, depth, 0.0),
                "regularity": regularity,
                "depth": scaled,
                "segment": segment,
            },
            index=profile.index,
        )

    def predict(self, profile: pd.DataFrame) -> np.ndarray:
        """Segment of each user, int64: 0 dormant, 1 the stickiest, then in falling stickiness."""
        return self.plane(rows_of(profile, "StickinessSegments.predict")).segment.to_numpy()

    def space(self, profile: pd.DataFrame) -> np.ndarray:
        """The active users' points (regularity, depth), n_active by 2."""
        plane = self.plane(profile)
        return plane.loc[plane.segment != DORMANT, ["regularity", "depth"]].to_numpy()

    def labels_at(self, points: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """Segments of `points` (from :meth:`space`) by this tree cut into each of `numbers`."""
        if not hasattr(self, "tree_"):
            raise InputError("the tree is not saved with the segments. Call fit(profile) first.")
        return _tree_labels(self.tree_, self.tree_points_, points, numbers)

    def labels_by_number(
        self, points: np.ndarray, rows: np.ndarray, numbers: Sequence[int], seed: int = 0
    ) -> np.ndarray:
        """Segments of all `points`, numbers by n, from a tree grown on `rows` only."""
        return _tree_labels(ward_tree(points[rows]), points[rows], points, numbers)

    def _columns(self, profile: pd.DataFrame) -> tuple[str, tuple[str, ...]]:
        suffix = "" if self.window_days is None else f"_{self.window_days}"
        days = next((d + suffix for d in DAYS if d + suffix in profile), None)
        activity = tuple(a + suffix for a in ACTIVITY if a + suffix in profile)
        activity = (f"events{suffix}",) if f"events{suffix}" in profile else activity
        wanted = []
        if days is None:
            wanted.append(" or ".join(d + suffix for d in DAYS))
        if not activity:
            wanted.append(f"events{suffix} (or {', '.join(a + suffix for a in ACTIVITY)})")
        if self.window_days is None and "days_since_first_event" not in profile:
            wanted.append("days_since_first_event")
        if wanted:
            raise InputError(
                f"stickiness needs {' and '.join(wanted)} in the profile. "
                "Make the profile with that window, or choose another window_days."
            )
        return days, activity

    def _require(self, profile: pd.DataFrame) -> None:
        state = self._fitted()
        needed = [state.days_column, *state.activity_columns]
        needed += ["days_since_first_event"] if self.window_days is None else []
        missing = [c for c in needed if c not in profile]
        if missing:
            raise InputError(
                f"the profile lacks {', '.join(missing)}, which the stickiness was fitted on. "
                "Make the profile with the same source and windows, or fit again."
            )

    def _raw(
        self, profile: pd.DataFrame, days_column: str, activity_columns: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of days active, activity per active day, and who is active at all."""
        days = pd.to_numeric(profile[days_column]).to_numpy(dtype=float, na_value=0.0)
        columns = [profile[c] for c in activity_columns]
        done = sum(pd.to_numeric(c).to_numpy(dtype=float, na_value=0.0) for c in columns)
        if self.window_days is None:
            known = pd.to_numeric(profile["days_since_first_event"]).to_numpy(
                dtype=float, na_value=0.0
            )
            window = np.maximum(known, 30.0)
        else:
            window = float(self.window_days)
        active = days > 0
        return days / window, done / np.where(active, days, 1.0), active


def _tree_labels(
    tree: np.ndarray, leaves: np.ndarray, points: np.ndarray, numbers: Sequence[int]
) -> np.ndarray:
    cuts = [centroids(leaves, cut(tree, number)) for number in numbers]
    return np.stack([nearest(points, centres).first for centres in cuts])
