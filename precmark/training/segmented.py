"""One model a segment beside a pooled one, trained in parallel processes."""

from __future__ import annotations

import os
import re
import sys
import zlib
from collections.abc import Hashable, Iterator
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from precmark.errors import InputError
from precmark.training.batches import derived_seed

Pair = tuple[np.ndarray, np.ndarray]

# the default batch of the networks, ten times
MIN_DECISIONS = 320


class _Job(NamedTuple):
    """One fit: `segment` is None for the pooled model; `n` orders the jobs, the largest first."""

    segment: Hashable
    n: int
    estimator: Any
    X: np.ndarray
    y: np.ndarray
    validation: Pair | None


class SegmentedClassifier(ClassifierMixin, BaseEstimator):
    """One model for each segment that is large enough, and the pooled model for all others.

    Parameters
    ----------
    estimator : object
        Anything that scikit-learn can clone, with ``fit(X, y, *, validation=None)`` and
        ``predict_proba(X)``: a ``SequenceClassifier`` or a baseline.
    min_decisions : int
        Training decisions below which a segment falls back to the pooled model.
    min_each_class : int
        Training decisions of either class below which it falls back.
    n_jobs : int
        Processes, at most one a core and one a model; 1 trains in this process.

    Attributes
    ----------
    classes_ : numpy.ndarray
        0 and 1.
    pooled_ : object
        The model of all training decisions, those without a segment included.
    models_ : dict
        The model of each segment that has its own.
    fallbacks_ : dict
        Why a segment of the training part has none, in words.
    notes_ : tuple of str
        Segments whose model was trained without a validation part.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        min_decisions: int = MIN_DECISIONS,
        min_each_class: int = 20,
        n_jobs: int = 2,
    ):
        self.estimator = estimator
        self.min_decisions = min_decisions
        self.min_each_class = min_each_class
        self.n_jobs = n_jobs

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        *,
        segments: np.ndarray,
        validation: Pair | None = None,
        validation_segments: np.ndarray | None = None,
        pooled: Any = None,
    ) -> SegmentedClassifier:
        """Train the pooled model on all rows and one on the rows of each segment.

        The seed of a segment's model comes from the estimator's own seed and the segment's name,
        so that it does not depend on the other segments or on `n_jobs`.

        Parameters
        ----------
        X, y : numpy.ndarray
            As the estimator takes them.
        segments : numpy.ndarray
            The segment of each row; None, nan and -1 mean that it has none.
        validation : tuple of numpy.ndarray, optional
            Handed to each fit; a segment's model gets the segment's rows of it, and none where
            they lack a class.
        validation_segments : numpy.ndarray, optional
            The segment of each row of `validation`; needed with it.
        pooled : estimator, optional
            The pooled model, where it is fitted already: it is not fitted again.

        Raises
        ------
        InputError
            When the lengths differ, a minimum is below 1, or the pooled model cannot be trained.
        """
        X, y = np.asarray(X), np.asarray(y)
        labels = self._checked(X, y, segments, validation, validation_segments)
        wanted, self.fallbacks_ = self._sizes(labels, y)
        self.notes_: tuple[str, ...] = ()
        jobs = []
        if pooled is None:
            jobs.append(_Job(None, len(X), clone(self.estimator), X, y, validation))
        for segment in wanted:
            rows = _in(labels, segment)
            held_out = self._held_out(segment, validation, validation_segments)
            seeded = for_segment(clone(self.estimator), segment)
            jobs.append(_Job(segment, int(rows.sum()), seeded, X[rows], y[rows], held_out))
        fitted = dict(self._run(sorted(jobs, key=lambda job: -job.n))) if jobs else {}
        self._take({None: pooled, **fitted})
        return self

    def _take(self, fitted: dict[Hashable, Any]) -> None:
        """Keep the fitted models; a segment whose fit was refused falls back."""
        self.pooled_, self.models_ = fitted.pop(None), {}
        if isinstance(self.pooled_, InputError):
            raise self.__dict__.pop("pooled_")
        for segment, model in fitted.items():
            if isinstance(model, InputError):
                self.fallbacks_[segment] = f"its own model could not be trained: {model}"
            else:
                self.models_[segment] = model
        self.classes_ = np.array([0, 1])

    def predict_proba(self, X: np.ndarray, segments: np.ndarray) -> np.ndarray:
        """Probabilities of the rows `X`, (n, 2): each by its segment's model, else the pooled one.

        A segment that the training part did not have, or none (None, nan, -1), goes to the pooled
        model.

        Raises
        ------
        InputError
            When this is not fitted or the lengths differ.
        """
        if not hasattr(self, "pooled_"):
            raise InputError("this SegmentedClassifier is not fitted. Call fit first.")
        X = np.asarray(X)
        labels = segment_labels(segments)
        if len(labels) != len(X):
            raise InputError(
                f"there are {len(X):,} rows and {len(labels):,} segments. Give one segment a row."
            )
        by_model: dict[Hashable, list[int]] = {}
        for i, label in enumerate(labels):
            by_model.setdefault(label if label in self.models_ else None, []).append(i)
        p = np.empty((len(X), 2))
        for segment, rows in by_model.items():
            model = self.pooled_ if segment is None else self.models_[segment]
            p[rows] = model.predict_proba(X[rows])
        return p

    def predict(self, X: np.ndarray, segments: np.ndarray) -> np.ndarray:
        """0 or 1 for each row: 1 where P(y = 1) is above one half."""
        return self.classes_[(self.predict_proba(X, segments)[:, 1] > 0.5).astype(int)]

    def _checked(self, X, y, segments, validation, validation_segments) -> list[Hashable]:
        labels = segment_labels(segments)
        problems = [
            f"{name} is {value!r}. Give a whole number of 1 or more."
            for name in ("min_decisions", "min_each_class", "n_jobs")
            if not isinstance(value := getattr(self, name), (int, np.integer)) or value < 1
        ]
        if not len(X) == len(y) == len(labels):
            problems.append(
                f"there are {len(X):,} rows, {len(y):,} labels and {len(labels):,} segments. "
                "Give one label and one segment a row."
            )
        if validation is not None:
            given = -1 if validation_segments is None else len(segment_labels(validation_segments))
            if given != len(validation[0]):
                problems.append(
                    f"validation has {len(validation[0]):,} rows and "
                    f"{'no' if given < 0 else format(given, ',')} segments. Give "
                    "validation_segments, one a row."
                )
        if problems:
            raise InputError(problems)
        return labels

    def _sizes(self, labels: list, y: np.ndarray) -> tuple[list, dict[Hashable, str]]:
        """Segments that get a model of their own, and why the others do not."""
        wanted: list[Hashable] = []
        why: dict[Hashable, str] = {}
        for segment in sorted(set(labels) - {None}, key=str):
            rows = _in(labels, segment)
            positives = int(np.sum(y[rows] == 1))
            n = int(rows.sum())
            rarer = min(positives, n - positives)
            if n < self.min_decisions:
                why[segment] = f"{n:,} training decisions, fewer than {self.min_decisions:,}"
            elif rarer < self.min_each_class:
                kind = "y = 1" if rarer == positives else "y = 0"
                why[segment] = (
                    f"{rarer:,} training decisions with {kind}, fewer than {self.min_each_class:,}"
                )
            else:
                wanted.append(segment)
        return wanted, why

    def _held_out(self, segment, validation, validation_segments) -> Pair | None:
        """The rows of `segment` in the validation part, where both classes are among them."""
        if validation is None:
            return None
        rows = _in(segment_labels(validation_segments), segment)
        X, y = (np.asarray(part)[rows] for part in validation)
        if len(np.unique(y)) == 2:
            return X, y
        self.notes_ += (
            f"segment {segment}: its {len(y):,} validation decisions lack a class, so its model "
            "was trained without them.",
        )
        return None

    def _run(self, jobs: list[_Job]) -> list[tuple[Hashable, Any]]:
        """Each job's segment with its fitted estimator, or with the InputError that it raised."""
        processes = min(self.n_jobs, len(jobs), os.cpu_count() or 1)
        if processes == 1:
            return [_fit(job) for job in jobs]
        from joblib import Parallel, delayed, parallel_config

        for job in jobs:
            # two processes cannot share a terminal's line
            _set_own(job.estimator, progress=False)
        with parallel_config("loky", inner_max_num_threads=1):
            parallel = Parallel(n_jobs=processes, batch_size=1, return_as="generator_unordered")
            return list(_counted(parallel(delayed(_fit)(job) for job in jobs), len(jobs)))


def _counted(results: Iterator, total: int) -> Iterator:
    """`results`, with a bar on a terminal that counts them."""
    if not sys.stderr.isatty():
        return results
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(results, "models trained", total=total, console=console, transient=True)


def _set_own(estimator: Any, **params: Any) -> None:
    """Set those of `params` that `estimator` has."""
    estimator.set_params(**{k: v for k, v in params.items() if k in estimator.get_params()})


def _in(labels: list[Hashable], segment: Hashable) -> np.ndarray:
    return np.fromiter((label == segment for label in labels), bool, len(labels))


def _fit(job: _Job) -> tuple[Hashable, Any]:
    try:
        return job.segment, job.estimator.fit(job.X, job.y, validation=job.validation)
    except InputError as error:
        return job.segment, error


def segment_labels(segments: Any) -> list[Hashable]:
    """The segment of each row as a plain value; None where it has none (None, nan, -1)."""
    values = [_plain(value) for value in np.asarray(segments, dtype=object)]
    return [None if v is None or v == -1 or v != v else v for v in values]


def _plain(value: Any) -> Hashable:
    if value is None or value is pd.NA:
        return None
    value = value.item() if isinstance(value, np.generic) else value
    # a column of numbers with a gap arrives as floats
    return int(value) if isinstance(value, float) and value.is_integer() else value


def for_segment(estimator: Any, segment: Hashable) -> Any:
    """`estimator` with seeds of its own and a checkpoint of its own for `segment`.

    Each parameter called ``seed`` or ``random_state``, of inner estimators too, that holds a number
    is replaced by one derived from it and the segment's name; a ``checkpoint`` gets the name too.
    """
    name = str(segment)
    changed: dict[str, Any] = {}
    for key, value in estimator.get_params(deep=True).items():
        kind = key.rsplit("__", 1)[-1]
        if kind in ("seed", "random_state") and isinstance(value, Integral):
            # random_state is below 2^32 everywhere
            changed[key] = derived_seed(int(value), zlib.crc32(name.encode())) % 2**32
        elif kind == "checkpoint" and value is not None:
            safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)
            changed[key] = Path(value).with_stem(f"{Path(value).stem}-segment-{safe}")
    return estimator.set_params(**changed)
