"""Fitting every model on the same decisions, pooled and a model a segment, with what it cost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from precmark.churn.processes import in_processes
from precmark.churn.shelf import Shelf, Tables
from precmark.errors import InputError, Problem
from precmark.sequences import Sequences

FAMILIES = ("floor", "baseline", "network")
"""Kinds of models: the floors that anything must pass, the baselines, the networks."""


@dataclass(frozen=True)
class Model:
    """One line of the comparison.

    Attributes
    ----------
    name, title : str
        Key in tables; words in figures.
    family : str
        One of :data:`FAMILIES`.
    make : callable
        ``make(seed)`` gives an estimator with ``fit(X, y, validation=...)`` and ``predict_proba``.
    settings : int
        Settings weighed on the validation part: epochs of a network, candidates of a baseline.
    weight : float
        Rough cost beside the others; the dearest starts first, so that processes end together.
    """

    name: str
    title: str
    family: str
    make: Callable[[int], Any]
    settings: int
    weight: float = 1.0


@dataclass(frozen=True)
class Comparison:
    """What every model said of the validation and the test part.

    Attributes
    ----------
    predictions : pandas.DataFrame
        ``decision``, ``model``, ``fit`` ("pooled", "segment", "last epoch"), ``seed``,
        ``p`` = P(y = 1), float32.
    fits : pandas.DataFrame
        One row a model and seed: ``model``, ``title``, ``family``, ``seed``, ``seconds`` (one
        core, all fits of the row), ``parameters`` (of the pooled model; NaN where the word has no
        meaning), ``settings``, ``fallbacks`` (segments that the pooled model serves, in words).
    histories : pandas.DataFrame
        Of the pooled networks: ``model``, ``seed`` and the columns of ``history_``.
    """

    predictions: pd.DataFrame
    fits: pd.DataFrame
    histories: pd.DataFrame


def models(channels: Sequence[str], *, epochs: int = 30, leave_out: str = "") -> dict[str, Model]:
    """The models of the comparison in the order floors, baselines, networks.

    Parameters
    ----------
    channels : sequence of str
        Names of the F channels.
    epochs : int
        Of the networks, which otherwise take the paper's settings (Gu, section 5.2). The epoch that
        is kept is chosen on validation, as the baselines' settings are.
    leave_out : str
        Names of models that are not fitted, separated by commas. The constant stays: it stands in
        every table.

    Raises
    ------
    InputError
        Naming each name in `leave_out` that is no model, or that has to stay.
    """
    from precmark.baselines import BASELINES
    from precmark.networks import NETWORKS

    found = {
        key: Model(
            key, b.title, "floor" if b.floor else "baseline", partial(b.make, channels=channels),
            b.candidates, 6.0 if key.startswith("gp") else 1.0,
        )
        for key, b in BASELINES.items()
    }  # fmt: skip
    for key in NETWORKS:
        found[key] = Model(key, TITLES[key], "network", _network(key, epochs), epochs, 3.0)
    without = left_out(leave_out)
    return {key: model for key, model in found.items() if key not in without}


STAY = ("constant", "c-att-lstm")
"""Models that every comparison holds: the floor of each table, and what the others are against."""


def left_out(leave_out: str) -> list[str]:
    """The names in `leave_out`, separated by commas; refuses what is no model or has to stay."""
    from precmark.baselines import BASELINES
    from precmark.networks import NETWORKS

    names = [*BASELINES, *NETWORKS]
    without = [name.strip() for name in leave_out.split(",") if name.strip()]
    has = f"There are: {', '.join(name for name in names if name not in STAY)}."
    problems = [
        Problem(f"leave_out: there is no model {name!r}", has)
        for name in without
        if name not in names
    ]
    problems += [Problem(f"leave_out: {name} has to stay", has) for name in without if name in STAY]
    if problems:
        raise InputError(problems)
    return without


TITLES = {
    "c-att-lstm": "C-ATT-LSTM",
    "cnn": "CNN",
    "lstm": "LSTM",
    "lstm-attention": "LSTM with attention",
    "cnn-lstm-attention": "CNN + LSTM with attention",
    "transformer": "transformer encoder",
}
"""Networks in words."""

VARIANTS = {
    "c-att-lstm": ("the whole", {}),
    "no-channel": ("without channel attention", {"channel_attention": False}),
    "no-spatial": ("without spatial attention", {"spatial_attention": False}),
    "no-attention": (
        "without both attentions",
        {"channel_attention": False, "spatial_attention": False},
    ),
    "no-lstm": ("without the LSTM", {"lstm": False}),
}
"""C-ATT-LSTM and what is left of it without a part: title, arguments of the network."""


def network_variants(*, epochs: int = 30) -> dict[str, Model]:
    """C-ATT-LSTM and its :data:`VARIANTS`."""
    return {
        name: Model(name, title, "network", _network("c-att-lstm", epochs, given), epochs, 3.0)
        for name, (title, given) in VARIANTS.items()
    }


def _network(key: str, epochs: int, given: Mapping[str, Any] | None = None):
    """``make(seed)`` of network `key`; a partial, so that other processes can be sent it."""
    from precmark.training import SequenceClassifier

    return partial(
        _seeded, SequenceClassifier, network=key, network_parameters=dict(given or {}) or None,
        epochs=epochs, progress=False,
    )  # fmt: skip


def _seeded(classifier: type, seed: int, **parameters: Any):
    return classifier(**parameters, seed=seed)


def compare(
    sequences: Sequences,
    chosen: Mapping[str, Model],
    *,
    segments: np.ndarray | None = None,
    by: str = "split",
    seeds: Sequence[int] = (0,),
    n_jobs: int = 2,
    keep: Path | None = None,
) -> Comparison:
    """Fit each of `chosen` on the training part without coupons; score validation and test.

    Parameters
    ----------
    sequences : Sequences
        n decisions.
    chosen : mapping of str to Model
    segments : array of int, shape (n,), optional
        Segment of each decision; with it, each model is fitted pooled and once a segment.
    by : str
        ``"split"`` (by time or origin) or ``"random_split"``.
    seeds : sequence of int
    n_jobs : int
        Models fitted at the same time, a process each.
    keep : path, optional
        Folder in which each finished fit is kept, so that a killed chapter goes on where it was.
        A fit is found again only for the same data, settings, seed and code.

    Returns
    -------
    Comparison
    """
    tasks = sorted(
        [(model, seed) for model in chosen.values() for seed in seeds],
        key=lambda task: -task[0].weight,
    )
    done = in_processes(
        _task, [(m, seed, sequences, segments, by, Shelf(keep)) for m, seed in tasks], n_jobs
    )
    place = {key: number for number, key in enumerate(chosen)}
    done.sort(key=lambda d: (place[d[1].model.iloc[0]], d[1].seed.iloc[0]))
    parts = list(zip(*done, strict=True))
    return Comparison(*(pd.concat(part, ignore_index=True) for part in parts))


def _task(
    model: Model,
    seed: int,
    sequences: Sequences,
    segments: np.ndarray | None,
    by: str,
    shelf: Shelf,
) -> Tables:
    """The three tables of one model and seed; what the shelf has is not fitted again."""
    rows = _Rows.of(sequences, by)
    asked = [_digest(sequences, by), model.name, str(model.make(seed).get_params()), seed]
    fitted, tables = None, shelf.get(asked)
    if tables is None:
        fitted, tables = _pooled(model, seed, sequences, rows)
        shelf.put(asked, tables, fitted if hasattr(fitted, "save") else None)
    # A chapter may have kept the same fit under another title.
    named = {"title": model.title, "family": model.family, "settings": model.settings}
    tables = (tables[0], tables[1].assign(**named), tables[2])
    if segments is None:
        return tables
    asked_too = [*asked, hashlib.sha256(np.ascontiguousarray(segments)).hexdigest()]
    more = shelf.get(asked_too)
    if more is None:
        if fitted is None:
            fitted = shelf.network(asked)
        if fitted is None:
            fitted = _fit(model.make(seed), sequences, rows)
        more = _by_segment(model, seed, sequences, rows, segments, fitted)
        shelf.put(asked_too, more)
    fits = tables[1].assign(
        seconds=tables[1].seconds + more[1].seconds, fallbacks=more[1].fallbacks
    )
    return pd.concat([more[0], tables[0]]), fits, tables[2]


@dataclass(frozen=True)
class _Rows:
    """Positions of the decisions that train, choose and are scored, without those with coupons."""

    train: np.ndarray
    validation: np.ndarray
    scored: np.ndarray

    @classmethod
    def of(cls, sequences: Sequences, by: str) -> _Rows:
        part = sequences.decisions[by].to_numpy()
        free = ~sequences.decisions.coupon.to_numpy(bool)
        train, validation = ((part == name) & free for name in ("train", "validation"))
        scored = validation | ((part == "test") & free)
        return cls(*(np.flatnonzero(chosen) for chosen in (train, validation, scored)))


def _fit(estimator: Any, sequences: Sequences, rows: _Rows) -> Any:
    X, y = sequences.X, sequences.y
    return estimator.fit(
        X[rows.train], y[rows.train], validation=(X[rows.validation], y[rows.validation])
    )


def _pooled(model: Model, seed: int, sequences: Sequences, rows: _Rows) -> tuple[Any, Tables]:
    """`model` fitted on all of the training part, and its tables."""
    started = time.perf_counter()
    fitted = _fit(model.make(seed), sequences, rows)
    seconds = time.perf_counter() - started
    X = sequences.X[rows.scored]
    said = {"pooled": fitted.predict_proba(X)[:, 1]}
    history = pd.DataFrame({"model": pd.Series(dtype="str"), "seed": pd.Series(dtype="int64")})
    learnt = np.nan
    if model.family == "network":
        from precmark.networks import parameter_count

        learnt = float(parameter_count(fitted.module()))
        said["last epoch"] = fitted.predict_proba(X, epoch="last")[:, 1]
        history = fitted.history_.assign(model=model.name, seed=seed)
    fits = _fits_row(model, seed, seconds, learnt, "")
    return fitted, (_long(said, model, seed, sequences, rows), fits, history)


def _by_segment(
    model: Model, seed: int, sequences: Sequences, rows: _Rows, segments: np.ndarray, pooled: Any
) -> Tables:
    """`model` fitted once a segment beside the fitted `pooled`; predictions of these alone."""
    from precmark.training import SegmentedClassifier

    X, y = sequences.X, sequences.y
    started = time.perf_counter()
    segmented = SegmentedClassifier(model.make(seed), n_jobs=1).fit(
        X[rows.train], y[rows.train], segments=segments[rows.train],
        validation=(X[rows.validation], y[rows.validation]),
        validation_segments=segments[rows.validation], pooled=pooled,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    p = segmented.predict_proba(X[rows.scored], segments[rows.scored])[:, 1]
    fallbacks = "; ".join(f"{k}: {why}" for k, why in segmented.fallbacks_.items())
    said = _long({"segment": p}, model, seed, sequences, rows)
    return said, _fits_row(model, seed, seconds, np.nan, fallbacks), pd.DataFrame({"model": []})


def _long(
    said: Mapping[str, np.ndarray], model: Model, seed: int, sequences: Sequences, rows: _Rows
) -> pd.DataFrame:
    decision = sequences.decisions.decision.to_numpy()[rows.scored]
    return pd.concat(
        pd.DataFrame(
            {"decision": decision, "model": model.name, "fit": fit, "seed": seed,
             "p": p.astype("float32")}
        )
        for fit, p in said.items()
    )  # fmt: skip


def _fits_row(
    model: Model, seed: int, seconds: float, learnt: float, fallbacks: str
) -> pd.DataFrame:
    return pd.DataFrame(
        [{"model": model.name, "title": model.title, "family": model.family, "seed": seed,
          "seconds": seconds, "parameters": learnt, "settings": model.settings,
          "fallbacks": fallbacks}]
    )  # fmt: skip


def pooled_estimator(
    model: Model, seed: int, sequences: Sequences, *, by: str = "split", keep: Path | None = None
) -> Any:
    """`model` fitted on all of the training part: a network from `keep` where it lies there."""
    asked = [_digest(sequences, by), model.name, str(model.make(seed).get_params()), seed]
    known = Shelf(keep).network(asked) if model.family == "network" else None
    if known is not None:
        return known
    return _fit(model.make(seed), sequences, _Rows.of(sequences, by))


def _digest(sequences: Sequences, by: str) -> str:
    """Changes with any value that a fit sees."""
    digest = hashlib.sha256(np.ascontiguousarray(sequences.X).tobytes())
    digest.update(sequences.y.tobytes())
    digest.update("\0".join(sequences.decisions[by].astype(str)).encode())
    digest.update(sequences.decisions.coupon.to_numpy(bool).tobytes())
    digest.update(sequences.decisions.decision.to_numpy().tobytes())
    return digest.hexdigest()
