"""Sequences in memory: X, y, and the decision that each row belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from precmark.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from precmark.sequences.task import Task

PARTS = ("train", "validation", "test")
"""The parts of a split, in the order of time."""


def step_mask(X: np.ndarray) -> np.ndarray:
    """Which steps happened: those with at least one finite channel.

    Parameters
    ----------
    X : array of float, shape (n, F, T)
        A step that did not happen is NaN in all F channels.

    Returns
    -------
    array of bool, shape (n, T)

    Examples
    --------
    >>> step_mask(np.array([[[1.0, np.nan], [np.nan, np.nan]]]))
    array([[ True, False]])
    """
    return ~np.isnan(X).all(axis=1)


@dataclass(frozen=True)
class Sequences:
    """n decisions, what was known at each, and what came.

    Attributes
    ----------
    X : array of float32, shape (n, F, T)
        Steps run from the first to the last from the left: the last real step of row i is at index
        ``steps[i] - 1``. A step that did not happen is NaN in all channels; a value that is missing
        on a real step is NaN in its channel only.
    y : array of int8, shape (n,)
        1 where the good outcome came (``task.positive``).
    channels : tuple of str
        Names of the F channels.
    decisions : pandas.DataFrame
        Row i belongs to ``X[i]``: ``decision`` (int64, from 0), ``user_code``, ``session_code``
        (sessions only), ``timestamp`` (UTC, of the decision), ``steps`` (real steps, 1 to T),
        ``coupon`` (bool, a coupon was given in the session), ``split`` (train, validation, test or
        purged) and ``random_split`` (train, validation, test).
    task : Task
    """

    X: np.ndarray
    y: np.ndarray
    channels: tuple[str, ...]
    decisions: pd.DataFrame
    task: Task

    def __len__(self) -> int:
        return len(self.y)

    @property
    def mask(self) -> np.ndarray:
        """Real steps, bool, shape (n, T)."""
        return step_mask(self.X)

    def take(self, rows: np.ndarray) -> Sequences:
        """The sequences at `rows` (positions or a mask of n), decisions in that order."""
        rows = np.asarray(rows)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        decisions = self.decisions.iloc[rows].reset_index(drop=True)
        return replace(self, X=self.X[rows], y=self.y[rows], decisions=decisions)

    def part(self, name: str, *, by: str = "split", coupons: bool = False) -> Sequences:
        """One part of a split.

        Parameters
        ----------
        name : {"train", "validation", "test"}
        by : {"split", "random_split"}
            The split over time (purged), or the random one that shows the leak.
        coupons : bool
            Keep decisions at which a coupon was given; models of risk without coupons leave
            them out.

        Raises
        ------
        InputError
            Unknown part or split.
        """
        if name not in PARTS or by not in ("split", "random_split"):
            raise InputError(
                f"part {name!r} of {by!r} is not known. Use one of {', '.join(PARTS)} of 'split' "
                "or 'random_split'."
            )
        chosen = (self.decisions[by] == name).to_numpy()
        if not coupons:
            chosen = chosen & ~self.decisions["coupon"].to_numpy()
        return self.take(chosen)
