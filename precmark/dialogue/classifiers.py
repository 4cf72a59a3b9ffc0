"""Intent classifiers with one face: fit on sentences, give logits; networks, TF-IDF, and floors."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from precmark.dialogue.text import PAD, STEPS, UNKNOWN, Vocabulary, words
from precmark.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd
    import torch

SPARE = 0.1
"""Share of words that a network does not get to see at a training step."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, k) that rows of `logits` stand for."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def problems_of(texts: Sequence[str], intents: Sequence[str]) -> list[Problem]:
    """Why no classifier can be fitted on `texts` with `intents`; empty where one can."""
    found = []
    if len(texts) != len(intents):
        told = f"texts: {len(texts):,} for {len(intents):,} intents"
        found.append(Problem(told, "Give one intent a text, in the same order."))
    if len(set(intents)) < 2:
        found.append(Problem("intents: fewer than two", "Give sentences of two intents or more."))
    wordless = [i for i, text in enumerate(texts, 1) if not words(text)]
    if wordless:
        fix = "Leave these rows out, or write the sentence."
        found.append(Problem("texts: no word in them", fix, len(wordless), tuple(wordless[:5])))
    return found


class IntentClassifier:
    """What every classifier answers to.

    Attributes
    ----------
    classes_ : numpy.ndarray
        Names of the k intents, sorted; the order of all columns.
    """

    def fit(
        self,
        texts: Sequence[str],
        intents: Sequence[str],
        *,
        validation: tuple[Sequence[str], Sequence[str]] | None = None,
    ) -> IntentClassifier:
        """Learn from n sentences and their intents.

        Parameters
        ----------
        texts, intents : sequences of str, length n
        validation : (texts, intents), optional
            Networks keep the epoch that is best there; others do not read it.

        Raises
        ------
        InputError
            Listing lengths that differ, fewer than two intents, texts without any word, and
            parameters that cannot be.
        """
        problems = problems_of(texts, intents) + self._problems()
        if problems:
            raise InputError(problems)
        self.classes_, codes = np.unique(np.asarray(intents, dtype=object), return_inverse=True)
        self._learn(list(texts), codes, validation)
        return self

    def _problems(self) -> list[Problem]:
        return []

    def _learn(self, texts: list[str], codes: np.ndarray, validation) -> None:
        raise NotImplementedError

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Scores (n, k), float64, whose softmax are the probabilities; any text is answered."""
        raise NotImplementedError

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities (n, k), columns as :attr:`classes_`, rows sum to 1."""
        return softmax(self.logits(texts))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The most probable intent of each text, (n,)."""
        return self.classes_[self.logits(texts).argmax(axis=1)]


class MostCommon(IntentClassifier):
    """The floor that reads nothing: each intent by its share of the training sentences."""

    def _learn(self, texts: list[str], codes: np.ndarray, validation) -> None:
        self.shares_ = np.bincount(codes) / len(codes)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logarithms of the shares, the same for every text."""
        return np.tile(np.log(self.shares_), (len(texts), 1))


class Nearest(IntentClassifier):
    """The floor that learns nothing: the intent of the training sentence that shares most words.

    Scores are 20 times the cosine of TF-IDF word vectors with the nearest sentence of each intent.
    """

    def _learn(self, texts: list[str], codes: np.ndarray, validation) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.reader_ = TfidfVectorizer(analyzer=words, sublinear_tf=True)
        order = np.argsort(codes, kind="stable")
        self.known_ = self.reader_.fit_transform([texts[i] for i in order]).T.tocsr()
        self.starts_ = np.searchsorted(codes[order], np.arange(len(self.classes_)))

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """20 times the best cosine of each intent."""
        found = np.zeros((len(texts), len(self.classes_)))
        for start in range(0, len(texts), 512):
            rows = slice(start, start + 512)
            near = (self.reader_.transform(texts[rows]) @ self.known_).toarray()
            found[rows] = np.maximum.reduceat(near, self.starts_, axis=1)
        return 20 * found


class TfIdfLogistic(IntentClassifier):
    """TF-IDF of words and pairs of words, then multinomial logistic regression.

    Parameters
    ----------
    c : float
        Inverse of the ridge's strength, above 0.
    characters : bool
        Read runs of 2 to 5 characters inside words as well: typing errors cost less.
    """

    def __init__(self, c: float = 20.0, *, characters: bool = False):
        self.c = c
        self.characters = characters

    def _problems(self) -> list[Problem]:
        return [] if self.c > 0 else [Problem(f"c: {self.c}", "Use a number above 0.")]

    def _learn(self, texts: list[str], codes: np.ndarray, validation) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_union

        read = (pairs, runs) if self.characters else (pairs,)
        self.reader_ = make_union(*(TfidfVectorizer(sublinear_tf=True, analyzer=a) for a in read))
        features = self.reader_.fit_transform(texts)
        self.model_ = LogisticRegression(C=self.c, tol=1e-3, max_iter=300).fit(features, codes)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """The regression's linear scores; with two intents, that of the first is 0."""
        scores = self.model_.decision_function(self.reader_.transform(texts))
        return np.column_stack([0 * scores, scores]) if scores.ndim == 1 else scores


def pairs(text: str) -> list[str]:
    """Words of `text`, and neighbouring ones joined by a blank.

    Examples
    --------
    >>> pairs("Two towels please")
    ['two', 'towels', 'please', 'two towels', 'towels please']
    """
    found = words(text)
    return found + [f"{a} {b}" for a, b in itertools.pairwise(found)]


def runs(text: str) -> list[str]:
    """Runs of 2 to 5 characters of each word of `text`, its ends marked by blanks."""
    padded = [f" {w} " for w in words(text)]
    return [w[i : i + n] for w in padded for n in range(2, 6) for i in range(len(w) - n + 1)]


class NetworkClassifier(IntentClassifier):
    """A network of :mod:`precmark.dialogue.networks`, trained by Adam on mini-batches of sentences.

    Parameters
    ----------
    network : str
        ``"cnn"``, ``"gru"``, ``"attention"`` or ``"together"``.
    epochs : int
        At least 1. With a validation part, training ends `patience` epochs after the best one.
    seed : int
        Of weights, order, dropout and the words that are hidden.
    learning_rate : float
    batch_size, patience : int

    Attributes
    ----------
    vocabulary_ : Vocabulary
        All words of the training sentences; one in ten is hidden at each step, so that the number
        for unknown words is learnt too.
    history_ : list of dict
        ``epoch``, ``train_loss``, and with validation ``valid_loss`` and ``valid_accuracy``.
    network_ : torch.nn.Module
        With the weights of the best epoch.
    """

    def __init__(
        self,
        network: str = "cnn",
        *,
        epochs: int = 20,
        seed: int = 0,
        learning_rate: float = 4e-3,
        batch_size: int = 64,
        patience: int = 3,
    ):
        self.network = network
        self.epochs = epochs
        self.seed = seed
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.patience = patience

    def _problems(self) -> list[Problem]:
        from precmark.dialogue.networks import NETWORKS

        found = [
            Problem(f"{name}: {value}", "Use a number above 0.")
            for name in ("epochs", "learning_rate", "batch_size", "patience")
            if not (value := getattr(self, name)) > 0
        ]
        if self.network not in NETWORKS:
            fix = f"Choose one of {', '.join(NETWORKS)}."
            found.append(Problem(f"network: there is no {self.network!r}", fix))
        return found

    def _learn(self, texts: list[str], codes: np.ndarray, validation) -> None:
        import torch

        from precmark.dialogue.networks import build
        from precmark.training.devices import own_random_state, torch_threads

        self.vocabulary_ = Vocabulary.of(texts)
        x = torch.from_numpy(self.vocabulary_.encode(texts, STEPS))
        y = torch.from_numpy(codes)
        with torch_threads(1), own_random_state(self.seed, torch.device("cpu")):
            self.network_ = build(self.network, len(self.vocabulary_), len(self.classes_))
            adam = torch.optim.Adam(
                self.network_.parameters(), lr=self.learning_rate, weight_decay=1e-5, fused=True
            )
            self._train(adam, x, y, validation)

    def _train(self, adam: torch.optim.Optimizer, x, y, validation) -> None:
        from precmark.training.batches import batch_order

        if validation is not None:
            encoded = self.vocabulary_.encode(list(validation[0]), STEPS)
            at = np.searchsorted(self.classes_, np.asarray(validation[1], dtype=object))
        self.history_ = []
        best, kept, since = -np.inf, None, 0
        for epoch in range(1, self.epochs + 1):
            order = batch_order(len(x), self.seed, epoch)
            losses = [self._step(adam, x[r], y[r]) for r in order.split(self.batch_size)]
            row = {"epoch": epoch, "train_loss": float(np.mean(losses))}
            if validation is not None:
                row |= self._judged(encoded, at)
                since += 1
                # the loss breaks ties: small validation parts have few distinct accuracies
                goodness = row["valid_accuracy"] - 1e-3 * row["valid_loss"]
                if goodness > best:
                    best, kept, since = goodness, copy.deepcopy(self.network_.state_dict()), 0
            self.history_.append(row)
            if since >= self.patience:
                break
        if kept is not None:
            self.network_.load_state_dict(kept)
        self.network_.eval()

    def _step(self, adam: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> float:
        """One step of Adam on a batch of word numbers, some of them hidden; the loss before it."""
        import torch

        self.network_.train()
        x = x[:, : int((x != PAD).sum(1).max())]
        hidden = (torch.rand(x.shape) < SPARE) & (x != PAD)
        loss = torch.nn.functional.cross_entropy(self.network_(x.masked_fill(hidden, UNKNOWN)), y)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return float(loss.detach())

    def _judged(self, encoded: np.ndarray, at: np.ndarray) -> dict[str, float]:
        """Loss and accuracy on validation sentences whose intents have the numbers `at`."""
        p = softmax(self._scores(encoded))
        true = np.clip(p[np.arange(len(p)), at], 1e-12, None)
        accuracy = float((p.argmax(axis=1) == at).mean())
        return {"valid_loss": float(-np.log(true).mean()), "valid_accuracy": accuracy}

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """The network's output, 512 sentences at a time."""
        return self._scores(self.vocabulary_.encode(texts, STEPS))

    def _scores(self, encoded: np.ndarray) -> np.ndarray:
        import torch

        from precmark.training.devices import torch_threads

        self.network_.eval()
        found = [np.zeros((0, len(self.classes_)))]
        with torch_threads(1), torch.inference_mode():
            for part in torch.from_numpy(encoded).split(512) if len(encoded) else ():
                part = part[:, : int((part != PAD).sum(1).max())]
                found.append(self.network_(part).double().numpy())
        return np.concatenate(found)

    def word_weights(self, text: str) -> pd.Series:
        """How much each word of `text` weighs in the final sum: index the words, sums to 1.

        Raises
        ------
        InputError
            Where the network has no weighted sum (``"cnn"``, ``"gru"``).
        """
        import pandas as pd
        import torch

        if not hasattr(self.network_, "pool"):
            fix = "Ask one with attention: attention or together."
            raise InputError(Problem(f"network {self.network!r}: it weighs no words", fix))
        shown = words(text)[:STEPS] or [""]
        with torch.inference_mode():
            x = torch.from_numpy(self.vocabulary_.encode([text], STEPS))[:, : len(shown)]
            weights = self.network_.pool.weights(*self.network_.states(x))
        return pd.Series(weights[:, 0, 0].double().numpy(), index=shown)
