"""Fitting every model on the same decisions, pooled and a model a segment, with what it cost."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from precmark.sequences import Sequences
from precmark.tables import read_table, write_table

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


def models(channels: Sequence[str], *, epochs: int = 30) -> dict[str, Model]:
    """The models of the comparison in the order floors, baselines, networks.

    Parameters
    ----------
    channels : sequence of str
        Names of the F channels.
    epochs : int
        Of the networks, which otherwise take the paper's settings (Gu, section 5.2). The epoch that
        is kept is chosen on validation, as the baselines' settings are.
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
    return found


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
    from joblib import Parallel, delayed

    tasks = sorted(
        [(model, seed) for model in chosen.values() for seed in seeds],
        key=lambda task: -task[0].weight,
    )
    data = _digest(sequences, segments, by)
    done = Parallel(n_jobs=n_jobs, batch_size=1, pre_dispatch=n_jobs)(
        delayed(_kept)(model, seed, sequences, segments, by, keep, data) for model, seed in tasks
    )
    place = {key: number for number, key in enumerate(chosen)}
    done.sort(key=lambda d: (place[d[1].model.iloc[0]], d[1].seed.iloc[0]))
    parts = list(zip(*done, strict=True))
    return Comparison(*(pd.concat(part, ignore_index=True) for part in parts))


def _kept(model: Model, seed, sequences, segments, by, keep, data):
    """The three tables of one fit, from `keep` where the same fit is there."""
    if keep is None:
        return _fit(model, seed, sequences, segments, by)
    asked = json.dumps([data, model.name, str(model.make(seed).get_params()), seed, _code()])
    key = hashlib.sha256(asked.encode()).hexdigest()[:20]
    paths = [keep / f"{key}-{part}.parquet" for part in ("predictions", "fits", "histories")]
    if all(path.exists() for path in paths):
        return tuple(read_table(path) for path in paths)
    tables = _fit(model, seed, sequences, segments, by)
    for path, table in zip(paths, tables, strict=True):
        write_table(table, path)
    return tables


def _fit(model: Model, seed: int, sequences: Sequences, segments, by: str):
    """Fit `model`, pooled and by segment; its predictions, its cost, its history."""
    from precmark.training import SegmentedClassifier

    parts = sequences.decisions[by].to_numpy()
    coupon = sequences.decisions.coupon.to_numpy(bool)
    rows = {part: np.flatnonzero((parts == part) & ~coupon) for part in ("train", "validation")}
    scored = np.flatnonzero(((parts == "validation") | (parts == "test")) & ~coupon)
    X, y = sequences.X, sequences.y
    validation = (X[rows["validation"]], y[rows["validation"]])
    started = time.perf_counter()
    estimator = model.make(seed)
    said: dict[str, np.ndarray] = {}
    fallbacks = ""
    if segments is None:
        pooled = estimator.fit(X[rows["train"]], y[rows["train"]], validation=validation)
    else:
        segmented = SegmentedClassifier(estimator, n_jobs=1).fit(
            X[rows["train"]], y[rows["train"]], segments=segments[rows["train"]],
            validation=validation, validation_segments=segments[rows["validation"]],
        )  # fmt: skip
        pooled = segmented.pooled_
        said["segment"] = segmented.predict_proba(X[scored], segments[scored])[:, 1]
        fallbacks = "; ".join(f"{k}: {why}" for k, why in segmented.fallbacks_.items())
    seconds = time.perf_counter() - started
    said["pooled"] = pooled.predict_proba(X[scored])[:, 1]
    history = pd.DataFrame({"model": pd.Series(dtype="str"), "seed": pd.Series(dtype="int64")})
    if model.family == "network":
        said["last epoch"] = pooled.predict_proba(X[scored], epoch="last")[:, 1]
        history = pooled.history_.assign(model=model.name, seed=seed)
    predictions = pd.concat(
        pd.DataFrame(
            {"decision": sequences.decisions.decision.to_numpy()[scored], "model": model.name,
             "fit": fit, "seed": seed, "p": p.astype("float32")}
        )
        for fit, p in said.items()
    )  # fmt: skip
    fits = pd.DataFrame(
        [{"model": model.name, "title": model.title, "family": model.family, "seed": seed,
          "seconds": seconds, "parameters": parameters_of(pooled), "settings": model.settings,
          "fallbacks": fallbacks}]
    )  # fmt: skip
    return predictions, fits, history


def parameters_of(estimator: Any) -> float:
    """Numbers that a fitted `estimator` has learnt, where it counts them; NaN elsewhere."""
    return float(getattr(estimator, "parameter_count_", np.nan))


def _digest(sequences: Sequences, segments: np.ndarray | None, by: str) -> str:
    """Changes with any value that a fit sees."""
    digest = hashlib.sha256(np.ascontiguousarray(sequences.X).tobytes())
    digest.update(sequences.y.tobytes())
    digest.update("\0".join(sequences.decisions[by].astype(str)).encode())
    digest.update(sequences.decisions.coupon.to_numpy(bool).tobytes())
    digest.update(b"" if segments is None else np.asarray(segments).tobytes())
    return digest.hexdigest()


def _code() -> str:
    """Changes with the code of the models."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    modules = (path for name in ("networks", "training", "baselines") for path in
               sorted((package / name).glob("*.py")))  # fmt: skip
    for path in (*modules, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
