"""What is refused before a baseline is fitted or asked: every problem at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from precmark.errors import InputError, Problem


def array_problems(X: Any, what: str) -> list[Problem]:
    """What is wrong with `X` as decisions by channels by steps; empty when nothing is."""
    shape = np.shape(X)
    if len(shape) != 3 or 0 in shape:
        return [
            Problem(
                f"{what} has the shape {shape}",
                "Give decisions by channels by steps (n, F, T), none of them 0.",
            )
        ]
    values = np.asarray(X)
    if not np.issubdtype(values.dtype, np.number):
        return [Problem(f"{what} holds {values.dtype} values", "Give numbers (float32).")]
    infinite = np.isinf(values).any(axis=(1, 2))
    if infinite.any():
        rows = np.flatnonzero(infinite)
        return [
            Problem(
                f"{what} holds infinite values",
                "Use NaN for a value that is missing.",
                rows=len(rows),
                first_rows=tuple(int(row) + 1 for row in rows[:5]),
            )
        ]
    return []


def label_problems(y: Any, n: int, what: str) -> list[Problem]:
    """What is wrong with `y` as `n` labels of 0 and 1 that hold both classes."""
    labels = np.asarray(y)
    if labels.shape != (n,):
        return [Problem(f"{what} has the shape {labels.shape}", f"Give one label a row: ({n},).")]
    kinds = [value for value in np.unique(labels).tolist() if value in (0, 1)]
    if len(kinds) < len(np.unique(labels)):
        return [Problem(f"{what} holds other values than 0 and 1", "Code the good outcome as 1.")]
    if len(kinds) < 2:
        only = int(kinds[0]) if kinds else "none"
        return [
            Problem(
                f"{what} holds one class only ({only} in all {n:,} rows)",
                "A model cannot learn what never differs: take more rows, or the pooled model.",
            )
        ]
    return []


def refuse(problems: list[Problem]) -> None:
    """Raise :class:`~precmark.errors.InputError` with all of `problems`, if there are any."""
    if problems:
        raise InputError(problems)


def checked_labels(y: Any, n: int, what: str = "y") -> np.ndarray:
    """`y` as int64 of 0 and 1, (n,); raises InputError in words otherwise."""
    refuse(label_problems(y, n, what))
    return np.asarray(y).astype(np.int64)
