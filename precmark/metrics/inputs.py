"""Outcomes and predicted probabilities as the metrics take them, with every problem listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ONE_CLASS = "Metrics need rows of both outcomes: widen the period, or pool segments that are small."


@dataclass(frozen=True)
class Scores:
    """Outcomes and predictions that were checked.

    Attributes
    ----------
    y : numpy.ndarray
        Outcome of each of n rows, float 0.0 or 1.0; 1 is a purchase (or whatever good outcome).
    p : numpy.ndarray
        (models, n) probability of y = 1, 0 to 1.
    models : tuple of str
        The name of each row of `p`.
    users : numpy.ndarray
        (n,) code of each row's user, 0 to n_users - 1; every row its own where none were given.
    n_users : int
        How many users there are.
    """

    y: np.ndarray
    p: np.ndarray
    models: tuple[str, ...]
    users: np.ndarray
    n_users: int


def _bad_rows(what: str, fix: str, bad: np.ndarray, values: np.ndarray) -> list[Problem]:
    """A problem that counts the rows where `bad`, or nothing."""
    where = np.flatnonzero(bad)
    if not len(where):
        return []
    first = tuple(int(i) + 1 for i in where[:5])
    return [Problem(what, fix, len(where), first, str(values[where[0]]))]


def _numbers(values: ArrayLike, name: str, problems: list) -> np.ndarray:
    """`values` as a flat float array; not-a-number where they are none."""
    flat = np.asarray(values)
    if flat.ndim != 1:
        problems.append(
            Problem(f"{name}: has {flat.ndim} dimensions", "Give one value a row (a flat array).")
        )
        return np.empty(0)
    return pd.to_numeric(pd.Series(flat), errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def named(p: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
    """`p` as a dict of flat arrays by model.

    Parameters
    ----------
    p : array (n,) or (n, models), pandas.DataFrame, or mapping of model name to (n,)
        One column a model; columns without a name become ``"model 1"``, ``"model 2"``, ...
    """
    if isinstance(p, pd.DataFrame):
        return {str(c): p[c].to_numpy() for c in p.columns}
    if isinstance(p, Mapping):
        return {str(name): np.asarray(values) for name, values in p.items()}
    array = np.asarray(p)
    if array.ndim == 2:
        return {f"model {i}": array[:, i - 1] for i in range(1, array.shape[1] + 1)}
    return {"model 1": array}


def checked(
    y: ArrayLike, p: ArrayLike | Mapping[str, ArrayLike], users: ArrayLike | None = None
) -> Scores:
    """`y`, `p` and `users` as :class:`Scores`.

    Parameters
    ----------
    y : array (n,)
        0 or 1 (or booleans).
    p : see :func:`named`
        Probabilities of y = 1.
    users : array (n,), optional
        Whose row it is: any hashable values.

    Raises
    ------
    InputError
        All problems at once: lengths that differ, no rows, one class only, a value of `y` other
        than 0 and 1, a probability missing or outside 0 to 1, a missing user.
    """
    problems: list[Problem | str] = []
    outcome = _numbers(y, "y", problems)
    fix = "Outcomes are 1 (the good one came, such as a purchase) or 0."
    problems += _bad_rows("y: not 0 or 1", fix, ~np.isin(outcome, (0, 1)), outcome)
    if not len(outcome):
        problems.append(Problem("y: has no rows", "Give at least one row of each outcome."))
    elif len(np.unique(outcome[np.isin(outcome, (0, 1))])) == 1:
        only = int(outcome[np.isin(outcome, (0, 1))][0])
        problems.append(Problem(f"y: every outcome is {only}", ONE_CLASS))
    scores = {m: _numbers(v, f"p of {m}", problems) for m, v in named(p).items()}
    if not scores:
        problems.append(Problem("p: has no model", "Give the probabilities of one at least."))
    fix = "Probabilities of y = 1 lie between 0 and 1; mend the model or leave these rows out."
    for model, values in scores.items():
        bad = ~((values >= 0) & (values <= 1))
        problems += _bad_rows(f"p of {model}: missing or outside 0 to 1", fix, bad, values)
    codes = _users(users, len(outcome), problems)
    lengths = {f"p of {m}": len(v) for m, v in scores.items()}
    if users is not None:
        lengths["users"] = len(codes)
    for name, length in lengths.items():
        if length != len(outcome):
            told = f"{name}: {length:,} values for {len(outcome):,} outcomes"
            problems.append(Problem(told, "Give one value a row, in the same order."))
    if problems:
        raise InputError(problems)
    return Scores(outcome, np.stack(list(scores.values())), tuple(scores), codes, codes.max() + 1)


def _users(users: ArrayLike | None, rows: int, problems: list) -> np.ndarray:
    if users is None:
        return np.arange(rows)
    given = np.asarray(users)
    codes, _ = pd.factorize(given, sort=False)
    problems += _bad_rows("users: missing", "Say whose row it is.", codes < 0, given)
    return codes
