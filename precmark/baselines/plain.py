"""The same models on a plain table, for sources of one row a visit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from precmark.baselines.models import histogram_boosting
from precmark.baselines.registry import BASELINES
from precmark.errors import InputError, Problem

VISIT_CODES = ("month", "operating_system", "browser", "region", "traffic_type")
"""Columns of ``visits`` whose numbers are names."""
VISIT_KEYS = ("session_id", "row")
"""Columns of ``visits`` that say nothing of the visit."""
MOST_CATEGORIES = 50
"""Categories of a column that are told apart, the most frequent; the others go together."""


class PlainTable(TransformerMixin, BaseEstimator):
    """A frame as numbers, (n, columns), float32: numbers as they are, categories coded.

    A category that the training part lacks is no category (0 throughout, or missing). Numeric
    columns that are missing or constant throughout the training part are left out, with a note.

    Parameters
    ----------
    numeric, categorical : sequence of str
        Columns of the frame.
    native : bool
        Code the categories of a column as 0, 1, ... in that one column, for models that know
        what to make of it; False gives one 0/1 column a category.

    Attributes
    ----------
    categories_ : dict
        Categorical column to its categories, the most frequent first.
    notes_ : tuple of str
    """

    def __init__(self, numeric: Sequence[str], categorical: Sequence[str], native: bool = False):
        self.numeric = numeric
        self.categorical = categorical
        self.native = native

    def fit(self, X: pd.DataFrame, y: Any = None) -> PlainTable:
        """Learn the categories of `X` and which numeric columns say something."""
        self._check(X)
        numbers = X[list(self.numeric)].astype(np.float64)
        dull = [n for n in numbers if numbers[n].nunique(dropna=False) <= 1]
        self.numeric_ = [n for n in numbers if n not in dull or self.native]
        self.notes_ = tuple(f"{name}: one value only in the training part" for name in dull)
        self.categories_ = {}
        for name in self.categorical:
            counts = X[name].dropna().value_counts().rename("n").rename_axis("category")
            # Ties are broken by name, so that the order of rows changes nothing.
            counts = counts.reset_index().assign(text=lambda t: t["category"].astype(str))
            counts = counts.sort_values(["n", "text"], ascending=[False, True])
            self.categories_[name] = counts["category"].tolist()[:MOST_CATEGORIES]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """The table of `X`, (n, columns), float32."""
        self._check(X)
        parts = [X[self.numeric_].to_numpy(np.float64)]
        for name, categories in self.categories_.items():
            place = {category: number for number, category in enumerate(categories)}
            code = X[name].map(place).to_numpy(np.float64)
            coded = code[:, None] if self.native else code[:, None] == np.arange(len(categories))
            parts.append(coded)
        return np.hstack(parts).astype(np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns: the numeric ones, then ``COLUMN=CATEGORY``."""
        coded = [
            name if self.native else f"{name}={category}"
            for name, categories in self.categories_.items()
            for category in (categories[:1] if self.native else categories)
        ]
        return np.asarray([*self.numeric_, *coded], dtype=object)

    def _check(self, X: Any) -> None:
        columns = getattr(X, "columns", ())
        missing = [n for n in (*self.numeric, *self.categorical) if n not in columns]
        if missing:
            raise InputError(f"the table lacks {', '.join(missing)}. Give the columns it had.")
        infinite = [n for n in self.numeric if np.isinf(X[n].to_numpy(np.float64)).any()]
        if infinite:
            raise InputError(f"infinite values in {', '.join(infinite)}. Use a missing value.")


def columns_of(
    frame: pd.DataFrame, target: str, categorical: Sequence[str], leave_out: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Numeric and categorical columns of `frame`; refuses what is neither, or not there."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    given = (target, *categorical)
    problems = [
        Problem(f"the table has no column {name!r}", f"It has {', '.join(map(str, frame))}.")
        for name in given
        if name not in frame
    ]
    kept = [name for name in frame if name != target and name not in leave_out]
    if not kept and not problems:
        problems = [Problem("the table has no column but the target", "Add what predicts it.")]
    times = [n for n in kept if frame[n].dtype.kind in "mM" and n not in categorical]
    problems += [
        Problem(f"{name} holds times", "Leave it out, or give its parts as numbers.")
        for name in times
    ]
    if problems:
        raise InputError(problems)
    codes = [
        name
        for name in kept
        if name in categorical or is_bool_dtype(frame[name]) or not is_numeric_dtype(frame[name])
    ]
    return tuple(n for n in kept if n not in codes), tuple(codes)


def table_pipelines(
    frame: pd.DataFrame,
    target: str,
    *,
    categorical: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """The baselines for a plain table, unfitted, by the names of ``BASELINES``.

    All but the last-visit rule, which needs a past. Only the first step differs from that of the
    sequences; numbers are scaled and categories are 0/1 columns, but for gradient boosting, which
    takes both as they are.

    Parameters
    ----------
    frame : pandas.DataFrame
        For its columns and their types: text, flags and `categorical` are categories.
    target : str
        The column of labels, never a feature.
    categorical : sequence of str
        Numeric columns whose numbers are names (:data:`VISIT_CODES`).
    leave_out : sequence of str
        Columns that are no features (:data:`VISIT_KEYS`).
    seed : int

    Returns
    -------
    dict of str to estimator
        With ``fit(frame, y, *, validation=None)`` and ``predict_proba(frame)``.

    Raises
    ------
    InputError
        Unknown columns, or columns of times.
    """
    numeric, codes = columns_of(frame, target, categorical, leave_out)
    made = {
        name: baseline.build(PlainTable(numeric, codes), seed)
        for name, baseline in BASELINES.items()
        if name != "last-visit"
    }
    places = range(len(numeric), len(numeric) + len(codes))
    made["histogram-boosting"] = histogram_boosting(
        PlainTable(numeric, codes, native=True), seed, max_features=1.0, categorical=tuple(places)
    )
    return made
