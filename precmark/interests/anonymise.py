"""Tables made coarse until every row hides among k: what that takes and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.interests.privacy import column_codes, combined, entropy

STEPS = {
    "age": (5, 10, 20),
    "level": (10, 50),
    "tenure_days": (30, 90, 365),
}
"""Widths of the bands that a number is put into, one after the other, before it goes altogether."""

COMMON = (5, 2)
"""How many of a text's most frequent values stay, one step after the other; the rest is "other"."""

ALL = "any"
"""The value of a column that has been given up."""


@dataclass(frozen=True)
class Protected:
    """A table in which every combination of the known columns has k rows or more.

    Attributes
    ----------
    table : pandas.DataFrame
        The coarse columns, without the rows that were held back; the rows keep their index.
    steps : pandas.DataFrame
        A row a step: ``step`` (0 is the table as it was), ``column``, ``to`` (in words),
        ``below`` (share of the rows in combinations of fewer than k), ``bits`` (of the columns
        together).
    held_back : int
        Rows that still stood in too small a combination and are left out.
    k : int
    """

    table: pd.DataFrame
    steps: pd.DataFrame
    held_back: int
    k: int


def protect(
    table: pd.DataFrame, columns: Sequence[str], *, k: int = 5, most_held_back: float = 0.01
) -> Protected:
    """`table` made coarse until at most `most_held_back` of its rows have to go.

    Each step coarsens the column that fills small combinations most for each bit that the column
    loses; at the end each column takes back what was not needed. Numbers go into ever wider bands,
    texts keep their most frequent values, and at last a column says nothing. Not the least loss
    possible: that is a search over all ways.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : sequence of str
        What somebody outside could know of a person; other columns do not appear in the result.
    k : int
        2 or more, at most the number of rows.
    most_held_back : float
        Share of the rows, 0 to 1.

    Raises
    ------
    InputError
        Columns that lack, a k that cannot be, a share outside 0 to 1; all at once.

    References
    ----------
    Sweeney 2002, Achieving k-anonymity privacy protection using generalization and suppression,
    doi 10.1142/S021848850200165X.
    """
    _check(table, columns, k, most_held_back)
    ladders = {c: _ladder(table[c], c) for c in columns}
    codes = {c: [column_codes(values) for _, values in ladders[c]] for c in columns}
    at = dict.fromkeys(columns, 0)
    steps = [("", "as it is", *_state(codes, at, k))]
    while steps[-1][2] > most_held_back:
        code = _code(codes, at)
        best = max(
            (c for c in columns if at[c] + 1 < len(ladders[c])),
            key=lambda c: _gain(codes, at, c, code, k),
        )
        at[best] += 1
        steps.append((best, ladders[best][at[best]][0], *_state(codes, at, k)))
    for column in dict.fromkeys(c for c, *_ in reversed(steps) if c):
        while at[column] and _state(codes, {**at, column: at[column] - 1}, k)[0] <= most_held_back:
            at[column] -= 1
            words = f"back to {ladders[column][at[column]][0]}"
            steps.append((column, words, *_state(codes, at, k)))
    code = _code(codes, at)
    small = np.bincount(code)[code] < k
    made = pd.DataFrame({c: ladders[c][at[c]][1] for c in columns}, index=table.index)
    told = pd.DataFrame(steps, columns=["column", "to", "below", "bits"])
    told.insert(0, "step", range(len(told)))
    return Protected(made[~small], told, int(small.sum()), k)


def _check(table: pd.DataFrame, columns: Sequence[str], k: int, most_held_back: float) -> None:
    problems = [
        Problem(f"{c}: the table has no such column", "Name columns of the table.")
        for c in columns
        if c not in table
    ]
    if not columns:
        problems.append(Problem("columns: none given", "Name what could be known of a person."))
    if not 2 <= k <= len(table):
        problems.append(Problem(f"k: {k}", f"Use 2 to {len(table):,}, the rows of the table."))
    if not 0 <= most_held_back <= 1:
        problems.append(Problem(f"most_held_back: {most_held_back}", "Use a share from 0 to 1."))
    if problems:
        raise InputError(problems)


def _gain(
    codes: Mapping[str, list[np.ndarray]],
    at: Mapping[str, int],
    column: str,
    code: np.ndarray,
    k: int,
) -> tuple[float, float]:
    """How much fuller the combinations become for each bit of the column; the fewest bits first."""
    step = {**at, column: at[column] + 1}
    tried = _code(codes, step)
    lost = entropy(codes[column][at[column]]) - entropy(codes[column][step[column]])
    return (_filled(tried, k) - _filled(code, k)) / max(lost, 1e-9), -lost


def _filled(code: np.ndarray, k: int) -> float:
    """Mean over rows of the size of their combination, as a share of k, at most 1."""
    return float(np.minimum(np.bincount(code)[code], k).mean() / k)


def _code(codes: Mapping[str, list[np.ndarray]], at: Mapping[str, int]) -> np.ndarray:
    """The combination of each row with every column at its step."""
    chosen = [codes[c][at[c]] for c in codes]
    return combined(chosen, len(chosen[0]))


def _state(
    codes: Mapping[str, list[np.ndarray]], at: Mapping[str, int], k: int
) -> tuple[float, float]:
    """Share of the rows in combinations of fewer than k, and the bits of the columns together."""
    code = _code(codes, at)
    return float(np.mean(np.bincount(code)[code] < k)), entropy(code)


def _ladder(values: pd.Series, name: str) -> list[tuple[str, pd.Series]]:
    """The column as it is, ever coarser, and gone; each with its step in words."""
    text = values.astype(object).where(values.notna(), "not stated")
    steps = [("as it is", text)]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        for width in STEPS.get(name, _widths(values)):
            band = np.floor(values.astype(float) / width) * width
            words = [f"{b:g} to under {b + width:g}" if b == b else "not stated" for b in band]
            steps.append((f"bands of {width:g}", pd.Series(words, values.index, dtype=object)))
    else:
        order = text.value_counts().index
        for keep in COMMON:
            if len(order) > keep + 1:
                kept = text.where(text.isin(list(order[:keep])), "other")
                steps.append((f"the {keep} most frequent", kept))
    return [*steps, ("left out", pd.Series(ALL, values.index, dtype=object))]


def _widths(values: pd.Series) -> tuple[float, ...]:
    """A tenth and a third of the range, at least 1; none where all values are the same."""
    reach = float(values.max() - values.min()) if values.notna().any() else 0.0
    return (max(1.0, round(reach / 10)), max(1.0, round(reach / 3))) if reach > 0 else ()
