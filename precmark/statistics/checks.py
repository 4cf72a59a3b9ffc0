"""What every model of this chapter asks of its table before it fits anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from precmark.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

DEPENDENT = 1e-7
"""Share of a column's length that the columns before it leave unexplained: less is rounding."""

_SHOWN = 6
"""Terms of a linear dependence that a message spells out."""


def dependencies(X: np.ndarray, names: Sequence[str]) -> list[tuple[str, str]]:
    """Columns that are linear combinations of those before them, with the combination in words.

    Parameters
    ----------
    X : array, shape (n, k)
        Finite; without a column of ones, which is understood: a constant column depends on it.
    names : sequence of str, length k

    Returns
    -------
    list of (str, str)
        Name and what it equals, e.g. ``("total", "1 * web + 1 * shop")``, in column order.
    """
    centred = X - X.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    size = np.maximum(np.abs(X).max(axis=0), 1e-300) * np.sqrt(len(X))
    if len(X) > X.shape[1]:
        # A rotation keeps all lengths and angles, and leaves as many rows as columns.
        centred = np.linalg.qr(centred, mode="r")
    free: list[int] = []
    found = []
    for j in range(X.shape[1]):
        if length[j] <= DEPENDENT * size[j]:
            found.append((names[j], "a constant"))
            continue
        if free:
            basis = centred[:, free] / length[free]
            weight, *_ = np.linalg.lstsq(basis, centred[:, j] / length[j], rcond=None)
            left = centred[:, j] / length[j] - basis @ weight
            if np.linalg.norm(left) < DEPENDENT:
                found.append((names[j], _combination(weight, length, free, j, names)))
                continue
        free.append(j)
    return found


def _combination(weight, length, free: list[int], j: int, names: Sequence[str]) -> str:
    """The terms that matter of a dependence, in the columns' own units."""
    own = weight * length[j] / length[free]
    terms = [
        f"{own[i]:.4g} * {names[free[i]]}"
        for i in np.argsort(-np.abs(weight), kind="stable")
        if abs(weight[i]) > 1e-6
    ]
    more = f" + {len(terms) - _SHOWN} more" if len(terms) > _SHOWN else ""
    return " + ".join(terms[:_SHOWN]) + more + " + a constant"


def column_problems(frame: pd.DataFrame, columns: Iterable[str]) -> list[Problem]:
    """What is wrong with single `columns`: missing, twice, not numbers, empty or infinite cells."""
    import pandas as pd

    columns = list(columns)
    problems = []
    for name in dict.fromkeys(columns):
        if columns.count(name) > 1:
            problems.append(Problem(f"{name}: given {columns.count(name)} times", "Name it once."))
        if name not in frame.columns:
            has = ", ".join(map(str, frame.columns))
            problems.append(Problem(f"{name}: not in the table", f"It has {has}."))
        elif not pd.api.types.is_numeric_dtype(frame[name]):
            fix = "Code its kinds as columns of 0 and 1 first."
            problems.append(Problem(f"{name}: text, not numbers", fix))
        else:
            bad = np.flatnonzero(~np.isfinite(frame[name].to_numpy(dtype=float, na_value=np.nan)))
            if len(bad):
                first = tuple(int(b) + 1 for b in bad[:5])
                fix = "Leave the rows out, or fill them and say how."
                problems.append(
                    Problem(f"{name}: empty or infinite", fix, rows=len(bad), first_rows=first)
                )
    return problems


def dependence_problems(X: np.ndarray, names: Sequence[str]) -> list[Problem]:
    """A problem for each column that the others determine: it is named, and so are they."""
    return [
        Problem(
            f"{name}: the same for all rows"
            if equals == "a constant"
            else f"{name}: collinear, it equals {equals}",
            "Leave it out: no data of this kind can tell its effect from the others'.",
        )
        for name, equals in dependencies(X, names)
    ]


def regressors(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """The columns as numbers, shape (n, k), once nothing is wrong with them.

    Raises
    ------
    InputError
        All at once: no column, columns that are missing, named twice, not numbers, constant or
        collinear (with the combination), cells empty or infinite, no more rows than columns.
    """
    columns = list(columns)
    problems = column_problems(frame, columns)
    if not columns:
        problems.append(Problem("no column to explain with", "Name one or more."))
    sound = [c for c in dict.fromkeys(columns) if not column_problems(frame, [c])]
    X = frame[sound].to_numpy(dtype=float)
    if columns and len(X) <= len(columns) + 1:
        what = f"{len(X):,} rows for {len(columns):,} columns and a constant"
        problems.append(Problem(what, "Give more rows or fewer columns."))
    elif sound:
        problems += dependence_problems(X, sound)
    if problems:
        raise InputError(problems)
    return X


def usable(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The columns that can stand beside each other, and those left out with the reason.

    Returns
    -------
    kept : list of str
    left_out : dict
        Name to what it equals: ``"a constant"`` or a combination of columns before it.
    """
    X = frame[list(columns)].to_numpy(dtype=float)
    left_out = dict(dependencies(X, list(columns)))
    return [c for c in columns if c not in left_out], left_out


def binary(values, name: str = "the outcome") -> tuple[np.ndarray, list[Problem]]:
    """`values` as 0 and 1, and what is wrong with them: other values, or all the same."""
    y = np.asarray(values, dtype=float)
    wrong = np.flatnonzero(~np.isin(y, (0.0, 1.0)))
    if len(wrong):
        first = tuple(int(w) + 1 for w in wrong[:5])
        fix = "Code the event as 1 and everything else as 0."
        return y, [Problem(f"{name}: not 0 or 1", fix, rows=len(wrong), first_rows=first)]
    if len(y) and y.min() == y.max():
        what = f"{name}: constant, always {y[0]:.0f}"
        return y, [Problem(what, "Choose an outcome that happens to some rows and not to others.")]
    return y, []
