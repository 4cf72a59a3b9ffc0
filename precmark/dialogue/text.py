"""Sentences as numbers: cleaning, words, and the vocabulary that all networks share."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

MOST_CHARACTERS = 1_000
"""What is read of an utterance; the rest of a longer one is passed over, and the reply says so."""

STEPS = 32
"""Words that a network reads of an utterance; the longest of CLINC150 has 28."""

PAD, UNKNOWN = 0, 1
"""Numbers of the step that did not happen and of the word that training did not know."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]", re.UNICODE)


def clean(text: str) -> str:
    """`text` with forms unified (NFKC), control and format characters out, white space single.

    Parameters
    ----------
    text : str
        Anything a keyboard or a pipe can send: empty, emoji, right-to-left marks, control codes.

    Returns
    -------
    str
        At most :data:`MOST_CHARACTERS` characters; line breaks and tabs are spaces.

    Examples
    --------
    >>> clean("  two\\u202e towels\\x07 \\n please ")
    'two towels please'
    """
    # a surplus before cleaning, so that control characters do not use up what is read
    unified = unicodedata.normalize("NFKC", str(text)[: 4 * MOST_CHARACTERS])
    if not unified.isprintable():
        unified = "".join(
            " " if c.isspace() else c
            for c in unified
            if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
        )
    return " ".join(unified.split())[:MOST_CHARACTERS].rstrip()


def words(text: str) -> list[str]:
    """The words of `text` in small letters; each mark and emoji is a word of its own.

    Examples
    --------
    >>> words("I'd like 2 towels, please!")
    ["i'd", 'like', '2', 'towels', ',', 'please', '!']
    """
    return [w.replace("’", "'") for w in _WORD.findall(clean(text).casefold())]


@dataclass(frozen=True)
class Vocabulary:
    """The words that training knew, by number.

    Attributes
    ----------
    number : dict of str to int
        From 2 upwards, the commonest word first.
    """

    number: dict[str, int]

    @classmethod
    def of(cls, texts: Iterable[str], least: int = 1) -> Vocabulary:
        """All words that occur in `texts` at least `least` times; ties by alphabet."""
        counts = Counter(w for text in texts for w in words(text))
        kept = sorted((w for w, n in counts.items() if n >= least), key=lambda w: (-counts[w], w))
        return cls({w: i for i, w in enumerate(kept, 2)})

    def __len__(self) -> int:
        return len(self.number) + 2

    def encode(self, texts: Sequence[str], steps: int = STEPS) -> np.ndarray:
        """Word numbers, int64 (n, `steps`): the first words of each text, then :data:`PAD`.

        A text without any word is one :data:`UNKNOWN`, so that every row has a real step.
        """
        made = np.full((len(texts), steps), PAD, np.int64)
        for row, text in enumerate(texts):
            known = [self.number.get(w, UNKNOWN) for w in words(text)[:steps]] or [UNKNOWN]
            made[row, : len(known)] = known
        return made
