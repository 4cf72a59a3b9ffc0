"""Sequences made block by block, and put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import pandas as pd

from precmark.sequences.arrays import Sequences
from precmark.sequences.splits import random_split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from precmark.sequences.task import Task


class Block(NamedTuple):
    """Some decisions and their sequences.

    Attributes
    ----------
    X : array of float32, shape (n, F, T)
    y : array of int8, shape (n,)
    decisions : pandas.DataFrame
        ``user_code``, ``session_code`` (sessions only), ``timestamp``, ``steps`` and ``coupon``.
    """

    X: np.ndarray
    y: np.ndarray
    decisions: pd.DataFrame


class Plan(Protocol):
    """How the sequences of a log are made; found before the first block is.

    Attributes
    ----------
    task : Task
    names : tuple of str
        Of the channels.
    """

    task: Task

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""

    def blocks(self) -> Iterator[Block]:
        """All decisions, block by block."""

    def split(self, decisions: pd.DataFrame) -> np.ndarray:
        """The part of each of all decisions, over time."""


def finished(decisions: pd.DataFrame, plan: Plan, seed: int) -> pd.DataFrame:
    """All decisions of a log, numbered and split over time and at random."""
    decisions = decisions.reset_index(drop=True)
    decisions.insert(0, "decision", np.arange(len(decisions), dtype=np.int64))
    decisions["split"] = plan.split(decisions)
    decisions["random_split"] = random_split(len(decisions), seed)
    return decisions


def gathered(plan: Plan, seed: int) -> Sequences:
    """All blocks of `plan` in memory."""
    blocks = list(plan.blocks())
    decisions = finished(pd.concat([b.decisions for b in blocks]), plan, seed)
    X, y = np.concatenate([b.X for b in blocks]), np.concatenate([b.y for b in blocks])
    return Sequences(X, y, plan.names, decisions, plan.task)
