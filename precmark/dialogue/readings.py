"""Closer looks: what a changed sentence does, which words weigh, how long a reply takes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.dialogue.classifiers import NetworkClassifier
from precmark.dialogue.quality import codes, first_seeds
from precmark.dialogue.text import STEPS, words

if TYPE_CHECKING:
    from precmark.dialogue.conversation import Conversation, Turn
    from precmark.dialogue.study import Fitted, Utterances

CHANGES = {
    "as written": "the sentence itself",
    "one typing error": "two neighbouring letters of the longest word swapped",
    "words shuffled": "the same words in another order",
    "first half": "only the first half of the words",
}
"""What is done to a test sentence, in words."""


def changed(text: str, change: str, rng: np.random.Generator) -> str:
    """`text` after one of :data:`CHANGES`.

    Examples
    --------
    >>> changed("where is my parcel", "first half", np.random.default_rng(0))
    'where is'
    """
    found = words(text)
    if change == "words shuffled":
        return " ".join(rng.permutation(found))
    if change == "first half":
        return " ".join(found[: max(1, len(found) // 2)])
    if change == "one typing error" and found:
        at = max(range(len(found)), key=lambda i: len(found[i]))
        word = found[at]
        if len(word) > 1:
            i = int(rng.integers(len(word) - 1))
            found[at] = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        return " ".join(found)
    return text


def under_changes(
    fits: Sequence[Fitted], found: Utterances, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Accuracy of each model on the test sentences after each of :data:`CHANGES`, first seed only.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``change``, ``value``, ``low``, ``high`` (95 %, over sentences).
    """
    from precmark.metrics.resampling import user_weights

    rng = np.random.default_rng(seed)
    given = {c: [changed(t, c, rng) for t in found.test.text] for c in CHANGES}
    keys, right = [], []
    for model, fit in first_seeds(fits).items():
        at = codes(fit, found.test.intent)
        for change, texts in given.items():
            keys.append((model, change))
            right.append(fit.understanding.classifier.logits(texts).argmax(axis=1) == at)
    whole, n = np.array(right, dtype=float), len(found.test)
    drawn = np.concatenate([whole @ w for w in user_weights(n, draws, seed)], axis=1) / n
    low, high = np.quantile(drawn, (0.025, 0.975), axis=1)
    table = pd.DataFrame(keys, columns=["model", "change"])
    return table.assign(value=whole.mean(axis=1), low=low, high=high)


def deletions(fit: Fitted, found: Utterances, *, seed: int = 0) -> pd.DataFrame:
    """What happens to right answers when the heaviest, a random or the lightest word is left out.

    Parameters
    ----------
    fit : Fitted
        Of a network with attention.

    Returns
    -------
    pandas.DataFrame
        ``left_out`` (``"heaviest word"``, ``"random word"``, ``"lightest word"``), ``lost`` (share
        of the right answers that turn wrong) with its Wilson interval ``low`` and ``high``,
        ``sentences`` (right ones of two words or more).
    """
    from scipy.stats import binomtest

    classifier = fit.understanding.classifier
    rng = np.random.default_rng(seed)
    at = codes(fit, found.test.intent)
    right = fit.logits.argmax(axis=1) == at
    taken: dict[str, list[str]] = {"heaviest word": [], "random word": [], "lightest word": []}
    asked = []
    for i in np.flatnonzero(right):
        text = found.test.text.iloc[i]
        shown = words(text)[:STEPS]
        if len(shown) < 2:
            continue
        asked.append(at[i])
        weight = classifier.word_weights(text).to_numpy()
        for what, place in zip(
            taken, (weight.argmax(), rng.integers(len(shown)), weight.argmin()), strict=True
        ):
            taken[what].append(" ".join(shown[:place] + shown[place + 1 :]))
    rows = []
    for what, texts in taken.items():
        lost = int((classifier.logits(texts).argmax(axis=1) != np.array(asked)).sum())
        interval = binomtest(lost, len(texts)).proportion_ci(method="wilson")
        rows.append((what, lost / len(texts), interval.low, interval.high, len(texts)))
    return pd.DataFrame(rows, columns=["left_out", "lost", "low", "high", "sentences"])


def weighed(fit: Fitted, texts: Sequence[str]) -> pd.DataFrame:
    """The weight of each word of `texts`.

    Returns
    -------
    pandas.DataFrame
        ``text`` (its number from 1), ``place`` of the word from 1, ``word``, ``weight``, and
        ``intent`` (what the network takes the sentence for).
    """
    classifier: NetworkClassifier = fit.understanding.classifier
    parts = []
    for number, text in enumerate(texts, 1):
        weight = classifier.word_weights(text)
        parts.append(
            pd.DataFrame(
                {
                    "text": number, "place": np.arange(1, len(weight) + 1), "word": weight.index,
                    "weight": weight.to_numpy(), "intent": str(classifier.predict([text])[0]),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def reading_times(
    fits: Sequence[Fitted], texts: Sequence[str], *, repeats: int = 1
) -> pd.DataFrame:
    """Milliseconds that each model takes to read one sentence at a time.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``parameters``, ``fit_seconds``, ``p50_ms``, ``p99_ms``.
    """
    rows = []
    for model, fit in first_seeds(fits).items():
        fit.understanding.read("a first sentence, so that nothing is loaded while the clock runs")
        times = []
        for text in list(texts) * repeats:
            start = time.perf_counter()
            fit.understanding.read(text)
            times.append(1000 * (time.perf_counter() - start))
        p50, p99 = np.quantile(times, (0.5, 0.99))
        rows.append((model, fit.parameters, fit.fit_seconds, p50, p99))
    return pd.DataFrame(rows, columns=["model", "parameters", "fit_seconds", "p50_ms", "p99_ms"])


def turn_times(
    start: Mapping[str, object], texts: Sequence[str], *, each: int = 6
) -> tuple[pd.DataFrame, list[Turn]]:
    """Conversations of `each` turns over `texts`, and how long each reply took.

    Parameters
    ----------
    start : mapping
        Arguments of :class:`~precmark.dialogue.conversation.Conversation`.

    Returns
    -------
    pandas.DataFrame, list of Turn
        ``action``, ``milliseconds``, ``products`` (offered), a row a turn.
    """
    from precmark.dialogue.conversation import Conversation

    turns: list[Turn] = []
    for first in range(0, len(texts), each):
        talk: Conversation = Conversation(**start)
        turns += [talk.reply(text) for text in texts[first : first + each]]
    rows = [(t.action, 1000 * t.seconds, len(t.offers)) for t in turns]
    return pd.DataFrame(rows, columns=["action", "milliseconds", "products"]), turns
