"""Risk of leaving at each decision: C-ATT-LSTM on all users and one a segment, calibrated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.churn.fits import models, pooled_estimator
from precmark.churn.shelf import code
from precmark.errors import InputError
from precmark.sequences import Sequences
from precmark.tables import whole_file

NETWORK = "c-att-lstm"

LEAST_EACH = 20
"""Validation decisions of either outcome below which a segment's scores are calibrated with all."""


@dataclass(frozen=True)
class RiskModels:
    """What is known of risk at the end of training; risk is one minus the chance of a purchase.

    Attributes
    ----------
    classifier : SegmentedClassifier
        The pooled network and the networks of the segments.
    pooled : Calibrator
        For the pooled network's scores.
    by_segment : mapping of int to Calibrator
        For the scores of the segment's network; of segments with enough validation decisions.
    others : Calibrator
        For the scores of the networks by segment elsewhere.
    segment_risk : mapping of int to float
        Share of y = 0 in the training part of each segment: what is known of risk where segments
        are used and no network.
    base_rate : float
        Share of y = 1 in the training part.
    """

    classifier: Any
    pooled: metrics.Calibrator
    by_segment: Mapping[int, metrics.Calibrator]
    others: metrics.Calibrator
    segment_risk: Mapping[int, float]
    base_rate: float

    @property
    def fallbacks(self) -> dict[int, str]:
        """Segments that the pooled network serves, and why."""
        return {int(k): why for k, why in self.classifier.fallbacks_.items()}

    def mean_risk(self, segments: np.ndarray) -> np.ndarray:
        """The mean risk in training of each decision's segment, float64 (n,)."""
        wanted = pd.Series(np.asarray(segments)).map(dict(self.segment_risk))
        return wanted.fillna(1 - self.base_rate).to_numpy(dtype=float)


def part_rows(sequences: Sequences, part: str) -> np.ndarray:
    """Positions of the decisions of `part` at which no coupon was given."""
    free = ~sequences.decisions.coupon.to_numpy(bool)
    return np.flatnonzero((sequences.decisions.split == part).to_numpy() & free)


def risk_models(
    learnt: Sequences,
    segments: np.ndarray,
    *,
    epochs: int = 30,
    seed: int = 0,
    n_jobs: int = 2,
    fits: Path | None = None,
    keep: Path | None = None,
) -> RiskModels:
    """The networks of chapter 05, trained on the decisions without a coupon and calibrated.

    The training part trains; the validation part chooses each network's epoch and calibrates its
    scores (Platt), each segment's apart, so that one cut-off can serve all of them.

    Parameters
    ----------
    learnt : Sequences
        Of the run, n decisions.
    segments : array of int, shape (n,)
    epochs, seed : int
        Of each network.
    n_jobs : int
        Networks trained at the same time.
    fits : path, optional
        Chapter 05's shelf: a pooled network that lies there is not trained again.
    keep : path, optional
        Folder in which the networks are kept; found again for the same data, settings and code.

    Returns
    -------
    RiskModels
    """
    train, held_out = part_rows(learnt, "train"), part_rows(learnt, "validation")
    for part, rows in (("training", train), ("validation", held_out)):
        if len(np.unique(learnt.y[rows])) < 2:
            raise InputError(f"the {part} part lacks one outcome. Use a longer log.")
    asked = [_digest(learnt, segments), epochs, seed, code()]
    name = hashlib.sha256("\0".join(map(str, asked)).encode()).hexdigest()[:16]
    shelf = None if keep is None else keep / f"risk-{name}"
    classifier = _kept(shelf)
    if classifier is None:
        classifier = _trained(learnt, segments, train, held_out, epochs, seed, n_jobs, fits)
        _put(shelf, classifier)
    raw = _raw_scores(classifier, learnt.X[held_out], segments[held_out], n_jobs)
    y, where = learnt.y[held_out], segments[held_out]
    by_segment = pd.Series(1.0 - learnt.y[train]).groupby(segments[train]).mean()
    return RiskModels(
        classifier=classifier,
        pooled=metrics.Calibrator("platt").fit(raw[:, 0], y),
        by_segment=_calibrators(raw[:, 1], y, where),
        others=metrics.Calibrator("platt").fit(raw[:, 1], y),
        segment_risk={int(k): float(v) for k, v in by_segment.items()},
        base_rate=float(learnt.y[train].mean()),
    )


def risk_scores(
    known: RiskModels, X: np.ndarray, segments: np.ndarray, *, n_jobs: int = 2
) -> pd.DataFrame:
    """The calibrated chance of a purchase of each decision, by either kind of network.

    Parameters
    ----------
    known : RiskModels
    X : array of float32, shape (n, F, T)
    segments : array of int, shape (n,)
    n_jobs : int
        Pieces scored at the same time.

    Returns
    -------
    pandas.DataFrame
        n rows: ``pooled`` and ``segment``, P(y = 1), float64.
    """
    raw = _raw_scores(known.classifier, X, segments, n_jobs)
    by_segment = known.others.transform(raw[:, 1])
    for number, calibrator in known.by_segment.items():
        mine = segments == number
        by_segment[mine] = calibrator.transform(raw[mine, 1])
    return pd.DataFrame({"pooled": known.pooled.transform(raw[:, 0]), "segment": by_segment})


def _calibrators(
    p: np.ndarray, y: np.ndarray, segments: np.ndarray
) -> dict[int, metrics.Calibrator]:
    found = {}
    for number in np.unique(segments):
        mine = segments == number
        if min(y[mine].sum(), (1 - y[mine]).sum()) >= LEAST_EACH:
            found[int(number)] = metrics.Calibrator("platt").fit(p[mine], y[mine])
    return found


def _raw_scores(classifier: Any, X: np.ndarray, segments: np.ndarray, n_jobs: int) -> np.ndarray:
    """P(y = 1) of the pooled network and of the segment's, (n, 2), uncalibrated."""
    for network in (classifier.pooled_, *classifier.models_.values()):
        network.set_params(threads=n_jobs)
    both = np.empty((len(X), 2))
    both[:, 0] = both[:, 1] = classifier.pooled_.predict_proba(X)[:, 1]
    for number, network in classifier.models_.items():
        mine = np.flatnonzero(segments == number)
        both[mine, 1] = network.predict_proba(X[mine])[:, 1]
    return both


def _trained(
    learnt: Sequences,
    segments: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    epochs: int,
    seed: int,
    n_jobs: int,
    fits: Path | None,
) -> Any:
    from precmark.training import SegmentedClassifier

    model = models(learnt.channels, epochs=epochs)[NETWORK]
    return SegmentedClassifier(model.make(seed), n_jobs=n_jobs).fit(
        learnt.X[train], learnt.y[train], segments=segments[train],
        validation=(learnt.X[held_out], learnt.y[held_out]),
        validation_segments=segments[held_out],
        pooled=pooled_estimator(model, seed, learnt, keep=fits),
    )  # fmt: skip


def _digest(sequences: Sequences, segments: np.ndarray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(sequences.X).tobytes())
    for part in (sequences.y, sequences.decisions.coupon.to_numpy(bool), np.asarray(segments)):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update("\0".join(sequences.decisions.split.astype(str)).encode())
    return digest.hexdigest()


def _put(shelf: Path | None, classifier: Any) -> None:
    """Keep the networks in folder `shelf`; the list of them last, so that half is never found."""
    if shelf is None:
        return
    shelf.mkdir(parents=True, exist_ok=True)
    classifier.pooled_.save(shelf / "pooled.safetensors")
    for number, network in classifier.models_.items():
        network.save(shelf / f"{number}.safetensors")
    known = {
        "segments": [int(number) for number in classifier.models_],
        "fallbacks": {str(k): why for k, why in classifier.fallbacks_.items()},
    }
    with whole_file(shelf / "networks.json") as temporary:
        temporary.write_text(json.dumps(known, indent=1) + "\n")


def _kept(shelf: Path | None) -> Any:
    """The networks that :func:`_put` kept, or None."""
    from precmark.training import SegmentedClassifier, SequenceClassifier

    if shelf is None or not (shelf / "networks.json").exists():
        return None
    known = json.loads((shelf / "networks.json").read_text())
    found = SegmentedClassifier(SequenceClassifier())
    found.pooled_ = SequenceClassifier.load(shelf / "pooled.safetensors")
    found.models_ = {
        number: SequenceClassifier.load(shelf / f"{number}.safetensors")
        for number in known["segments"]
    }
    found.fallbacks_ = {int(k): why for k, why in known["fallbacks"].items()}
    found.classes_ = np.array([0, 1])
    return found
