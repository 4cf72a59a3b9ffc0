"""The study: three sets of utterances, their parts, and models fitted on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.dialogue.classifiers import (
    IntentClassifier,
    MostCommon,
    Nearest,
    NetworkClassifier,
    TfIdfLogistic,
)
from precmark.dialogue.scope import Understanding
from precmark.errors import InputError

if TYPE_CHECKING:
    from precmark.dialogue.intents import Intents

VALIDATION = 0.2
"""Share of each intent's training sentences that temperature, threshold and epochs are set on."""

FAMILIAR = 0.15
"""Share of each intent's training sentences kept for a test in the style of the training."""


@dataclass(frozen=True)
class Utterances:
    """A set of utterances in parts.

    Attributes
    ----------
    name, title : str
        Short, and in words.
    train, validation, test : pandas.DataFrame
        ``intent`` and ``text``; no sentence in two of them.
    outside_validation, outside_test : tuple of str
        Out-of-scope sentences; empty where the set has none.
    familiar : pandas.DataFrame or None
        A second test from the sentences that the training ones were drawn from, where `test` was
        written apart.
    """

    name: str
    title: str
    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    outside_validation: tuple[str, ...] = ()
    outside_test: tuple[str, ...] = ()
    familiar: pd.DataFrame | None = None


@dataclass(frozen=True)
class Entry:
    """One classifier of the comparison.

    Attributes
    ----------
    title : str
    family : str
        ``"floor"``, ``"linear"``, ``"network"`` or ``"together"``.
    make : callable
        Gives an unfitted classifier from a seed and a number of training epochs.
    """

    title: str
    family: str
    make: Callable[[int, int], IntentClassifier]


EPOCHS = 20
"""Training epochs of a network at most; it keeps the one that is best on validation data."""


def _network(name: str, seed: int, epochs: int) -> IntentClassifier:
    return NetworkClassifier(name, seed=seed, epochs=epochs)


MODELS: dict[str, Entry] = {
    "most-common": Entry("Most common intent", "floor", lambda *_: MostCommon()),
    "nearest": Entry("Nearest sentence", "floor", lambda *_: Nearest()),
    "logistic": Entry("TF-IDF, logistic regression", "linear", lambda *_: TfIdfLogistic()),
    "characters": Entry(
        "TF-IDF with characters, logistic regression",
        "linear",
        lambda *_: TfIdfLogistic(characters=True),
    ),
    "cnn": Entry("CNN", "network", partial(_network, "cnn")),
    "gru": Entry("GRU", "network", partial(_network, "gru")),
    "attention": Entry("Self-attention", "network", partial(_network, "attention")),
    "together": Entry("CNN, GRU, attention in a row", "together", partial(_network, "together")),
}
"""Every classifier of the comparison by name."""

NETWORKS = tuple(n for n, e in MODELS.items() if e.family in ("network", "together"))
"""Those that a seed decides on."""


def parts_of(frame: pd.DataFrame, share: float = VALIDATION, seed: int = 0):
    """`frame` in two by lot within each intent: the rest, and `share` of it (at least one)."""
    rng = np.random.default_rng(seed)
    order = frame.iloc[rng.permutation(len(frame))]
    place = order.groupby("intent").cumcount()
    size = order.groupby("intent").intent.transform("size")
    taken = (place < np.maximum(1, np.rint(share * size))).reindex(frame.index)
    return frame[~taken].reset_index(drop=True), frame[taken].reset_index(drop=True)


def shopping(intents: Intents, seed: int = 0) -> Utterances:
    """This book's intents: trained on `train`, tested on the paraphrases written apart.

    Every second out-of-scope sentence is for the threshold, the others are for the test.
    """
    learnt, familiar = parts_of(intents.train, FAMILIAR, seed)
    train, validation = parts_of(learnt, seed=seed + 1)
    outside = tuple(intents.out_of_scope.text)
    title = str(intents.card.get("title", "Shopping intents")).split(" (")[0]
    return Utterances("shopping", title, train, validation, intents.paraphrase,
                      outside[::2], outside[1::2], familiar)  # fmt: skip


def banking77(folder: Path | str, seed: int = 0) -> Utterances:
    """BANKING77 as published, a fifth of its training part for validation; nothing out of scope.

    References
    ----------
    Casanueva et al. 2020, Efficient intent detection with dual sentence encoders,
    doi 10.18653/v1/2020.nlp4convai-1.5.
    """
    files = [Path(folder) / f"banking77_{part}.csv" for part in ("train", "test")]
    _needed(files)
    whole, test = (
        pd.read_csv(f, dtype=str).rename(columns={"category": "intent"})[["intent", "text"]]
        for f in files
    )
    # a sentence in both parts would be known
    whole = whole[~whole.text.isin(test.text)].drop_duplicates("text").reset_index(drop=True)
    train, validation = parts_of(whole, seed=seed)
    return Utterances("banking77", "BANKING77", train, validation, test)


def clinc150(folder: Path | str) -> Utterances:
    """CLINC150 (full) as published: its own validation and out-of-scope parts.

    References
    ----------
    Larson et al. 2019, An evaluation dataset for intent classification and out-of-scope
    prediction, doi 10.18653/v1/D19-1131.
    """
    import json

    path = Path(folder) / "clinc150.json"
    _needed([path])
    parts = json.loads(path.read_text("utf-8"))
    frames = {
        part: pd.DataFrame(parts[part], columns=["text", "intent"])[["intent", "text"]]
        for part in ("train", "val", "test")
    }
    outside = {p: tuple(text for text, _ in parts[p]) for p in ("oos_train", "oos_val", "oos_test")}
    return Utterances(
        "clinc150", "CLINC150", frames["train"], frames["val"], frames["test"],
        outside["oos_val"] + outside["oos_train"], outside["oos_test"],
    )  # fmt: skip


def _needed(files: Sequence[Path]) -> None:
    missing = [f for f in files if not f.is_file()]
    if missing:
        raise InputError(
            [
                f"{f} is missing. Put the publisher's file there, or name its folder."
                for f in missing
            ]
        )


def understood(
    found: Utterances, model: str, *, seed: int = 0, epochs: int = EPOCHS
) -> Understanding:
    """The classifier `model` fitted on `found`, with its temperature and threshold.

    Where the set has no out-of-scope sentences the threshold parts right answers from wrong ones.
    """
    made = Understanding(MODELS[model].make(seed, epochs))
    return made.fit(found.train, found.validation, found.outside_validation)


@dataclass(frozen=True)
class Fitted:
    """One model on one set with one seed: what the comparison reads.

    Attributes
    ----------
    model : str
    seed : int
    understanding : Understanding
    logits, outside, familiar : numpy.ndarray
        Of the test sentences (n, k), of the out-of-scope ones of the test, and of those of
        ``Utterances.familiar``.
    fit_seconds : float
        Processor time of the fit.
    parameters : int
        Numbers learnt.
    """

    model: str
    seed: int
    understanding: Understanding
    logits: np.ndarray
    outside: np.ndarray
    familiar: np.ndarray
    fit_seconds: float
    parameters: int


def fitted(found: Utterances, model: str, seed: int = 0, epochs: int = EPOCHS) -> Fitted:
    """`model` fitted on `found` and asked for all test sentences."""
    import time

    start = time.process_time()
    understanding = understood(found, model, seed=seed, epochs=epochs)
    seconds = time.process_time() - start
    classifier = understanding.classifier
    asked = (
        list(found.test.text),
        list(found.outside_test),
        [] if found.familiar is None else list(found.familiar.text),
    )
    nothing = np.zeros((0, len(classifier.classes_)))
    test, outside, familiar = (classifier.logits(t) if t else nothing for t in asked)
    return Fitted(
        model, seed, understanding, test, outside, familiar, seconds, parameters_of(classifier)
    )


def fit_all(
    found: Utterances,
    models: Sequence[str] = tuple(MODELS),
    *,
    seeds: int = 1,
    seed: int = 0,
    epochs: int = EPOCHS,
    cores: int = 1,
) -> list[Fitted]:
    """Each of `models` on `found`; networks with seeds `seed`, `seed` + 1, ..., others once."""
    from precmark.churn.processes import in_processes

    tasks = [
        (found, name, seed + i, epochs)
        for name in models
        for i in range(seeds if name in NETWORKS else 1)
    ]
    # the longest fits first, so that the processes end together
    order = sorted(range(len(tasks)), key=lambda i: tasks[i][1] not in NETWORKS)
    made = in_processes(fitted, [tasks[i] for i in order], cores)
    return [made[order.index(i)] for i in range(len(tasks))]


def parameters_of(classifier: IntentClassifier) -> int:
    """How many numbers `classifier` has learnt; stored sentences count by their words."""
    if isinstance(classifier, NetworkClassifier):
        return sum(p.numel() for p in classifier.network_.parameters())
    if isinstance(classifier, TfIdfLogistic):
        return classifier.model_.coef_.size + classifier.model_.intercept_.size
    if isinstance(classifier, Nearest):
        return int(classifier.known_.nnz)
    return len(classifier.classes_)


def titles() -> Mapping[str, str]:
    """The models' names in words."""
    return {name: entry.title for name, entry in MODELS.items()}
