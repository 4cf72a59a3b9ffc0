"""When to answer and when to ask again: temperature, scores of being meant, thresholds, risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.dialogue.classifiers import IntentClassifier, softmax
from precmark.errors import InputError, Problem

if TYPE_CHECKING:
    from precmark.metrics import Threshold

SCORES = {
    "probability": "the highest calibrated probability",
    "energy": "energy: the logarithm of the summed exponentials of the logits",
}
"""What can tell an utterance that is meant for the shop from another, by name; higher is surer."""

OUTSIDE = "out_of_scope"
"""What :meth:`Understanding.read` calls an utterance that it refuses."""


def log_loss(logits: np.ndarray, at: np.ndarray, temperature: float = 1.0) -> float:
    """Mean negative log-probability of the true classes `at` under softmax(logits / temperature).

    Parameters
    ----------
    logits : array (n, k)
    at : array (n,)
        Column of the true class.
    temperature : float
        Above 0; above 1 makes all probabilities more alike.
    """
    scaled = logits / temperature
    top = scaled.max(axis=1)
    total = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    return float((total - scaled[np.arange(len(at)), at]).mean())


def fit_temperature(logits: np.ndarray, at: np.ndarray) -> float:
    """The temperature, 0.05 to 20, with the lowest :func:`log_loss` on validation rows.

    One number for all classes: no answer changes, only how sure it claims to be.

    References
    ----------
    Guo et al. 2017, On calibration of modern neural networks, arXiv 1706.04599.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda t: log_loss(logits, at, float(np.exp(t))),
        bounds=(np.log(0.05), np.log(20)), method="bounded",
    )  # fmt: skip
    return float(np.exp(found.x))


def confidence(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """The highest probability of each row at `temperature`, (n,)."""
    return softmax(logits / temperature).max(axis=1)


def energy(logits: np.ndarray) -> np.ndarray:
    """log sum exp of each row of logits, (n,): the negative of the free energy at temperature 1.

    References
    ----------
    Liu et al. 2020, Energy-based out-of-distribution detection, arXiv 2010.03759.
    """
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def risk_coverage(right: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """What is answered and how much of it wrongly, as less and less is answered.

    Parameters
    ----------
    right : array (n,) of bool
        Whether the answer is right; an out-of-scope utterance has no right answer.
    score : array (n,)
        Utterances with the highest are answered first; equal ones are answered together.

    Returns
    -------
    pandas.DataFrame
        A row a distinct score, falling: ``score``, ``coverage`` (share answered), ``risk`` (share
        of wrong ones among those answered).

    References
    ----------
    El-Yaniv and Wiener 2010, On the foundations of noise-free selective classification.
    """
    levels, level = np.unique(-np.asarray(score, dtype=float), return_inverse=True)
    answered = np.cumsum(np.bincount(level))
    wrong = np.cumsum(np.bincount(level, weights=~np.asarray(right, dtype=bool)))
    return pd.DataFrame(
        {"score": -levels, "coverage": answered / len(level), "risk": wrong / answered}
    )


@dataclass(frozen=True)
class Heard:
    """What was understood of one utterance.

    Attributes
    ----------
    intent : str
        Its most probable intent, or :data:`OUTSIDE` where `confidence` is below the threshold.
    guess : str
        The most probable intent, refused or not.
    confidence : float
        Calibrated probability of `guess`, 0 to 1.
    second : str
        The next most probable intent.
    """

    intent: str
    guess: str
    confidence: float
    second: str


class Understanding:
    """A classifier with its temperature and its threshold, all learnt before the test part.

    Parameters
    ----------
    classifier : IntentClassifier
        Not fitted yet.

    Attributes
    ----------
    temperature_ : float
        Of the validation sentences' logits.
    threshold_ : Threshold
        An answer is given where the confidence is at or above ``threshold_.value``. Chosen for the
        highest sum of the share answered among what is classified rightly and the share refused
        among the rest, which the mixture of both does not move.
    """

    def __init__(self, classifier: IntentClassifier):
        self.classifier = classifier

    def fit(
        self,
        train: pd.DataFrame,
        validation: pd.DataFrame,
        outside: Sequence[str],
    ) -> Understanding:
        """Learn from `train`, then temperature and threshold from the other two.

        Parameters
        ----------
        train, validation : pandas.DataFrame
            ``intent`` and ``text``; no sentence in both.
        outside : sequence of str
            Out-of-scope sentences for the threshold; where there are none it parts right answers
            from wrong ones.

        Raises
        ------
        InputError
            As :meth:`IntentClassifier.fit`; also where validation is empty or holds an intent that
            training does not.
        """
        unknown = sorted(set(validation.intent) - set(train.intent))
        problems = [
            Problem(f"validation: intent {name!r} is not in training", "Give it sentences there.")
            for name in unknown
        ]
        if not len(validation):
            problems.append(Problem("validation: no sentences", "Give some, 50 or more."))
        if problems:
            raise InputError(problems)
        given = (list(validation.text), list(validation.intent))
        self.classifier.fit(list(train.text), list(train.intent), validation=given)
        return self._settle(validation, list(outside))

    def _settle(self, validation: pd.DataFrame, outside: list[str]) -> Understanding:
        from precmark.metrics import choose_threshold

        at = np.searchsorted(self.classifier.classes_, validation.intent.to_numpy(dtype=object))
        inside = self.classifier.logits(list(validation.text))
        self.temperature_ = fit_temperature(inside, at)
        logits = np.concatenate([inside, self.classifier.logits(outside)]) if outside else inside
        right = np.r_[inside.argmax(axis=1) == at, np.zeros(len(outside), bool)]
        sure = confidence(logits, self.temperature_)
        if right.any() and not right.all():
            self.threshold_: Threshold = choose_threshold(right, sure, "youden")
        else:
            self.threshold_ = _all_or_nothing(bool(right.any()))
        return self

    def read(self, text: str) -> Heard:
        """What `text` asks for; a text without any word is out of scope."""
        from precmark.dialogue.text import words

        logits = self.classifier.logits([text])
        p = softmax(logits / self.temperature_)[0]
        best, second = np.argsort(-p, kind="stable")[:2]
        sure = float(p[best]) if words(text) else 0.0
        names = self.classifier.classes_
        intent = names[best] if sure >= self.threshold_.value else OUTSIDE
        return Heard(str(intent), str(names[best]), sure, str(names[second]))


def _all_or_nothing(answer: bool) -> Threshold:
    """The threshold where validation shows no mistake, or no success: all answered, or nothing."""
    from precmark.metrics import Threshold

    value = 0.0 if answer else float(np.nextafter(1.0, 2.0))
    return Threshold(value, "youden", 0.0, float(answer))
