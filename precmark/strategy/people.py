"""Made-up identities for a run's users: who a customer would be if the log did not hide it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.simulate.draws import stream

FIELDS = ("name", "email", "phone", "birth_year", "gender", "town")
"""What identifies a person, in the order of the tables."""

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st", "tr")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ei")
_CODAS = ("", "", "n", "r", "l", "s", "m")
FAMILIES, GIVENS, TOWNS = 400, 600, 60
"""How many family names, given names and towns there are."""


def _words(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` different words of two syllables, in the order in which they were drawn."""
    found: dict[str, None] = {}
    while len(found) < count:
        word = "".join(
            str(rng.choice(part)) for part in (_ONSETS, _VOWELS, _ONSETS, _VOWELS, _CODAS)
        )
        found.setdefault(word.capitalize())
    return np.array(list(found), dtype=object)


def _frequent(rng: np.random.Generator, words: np.ndarray, n: int) -> np.ndarray:
    """`n` of `words`, the first ones more often: shares fall with the root of the rank."""
    weight = 1 / np.sqrt(np.arange(1, len(words) + 1))
    return rng.choice(words, n, p=weight / weight.sum())


def identities(user_codes: np.ndarray, *, seed: int = 0, year: int = 2025) -> pd.DataFrame:
    """A made-up person for each of `user_codes`: nothing in it comes from any data.

    Parameters
    ----------
    user_codes : array of int, each once
    seed : int
    year : int
        The year in which people are 16 to 75.

    Returns
    -------
    pandas.DataFrame
        In the order given: ``user_code``; ``name`` (given and family name, of syllables; namesakes
        occur), ``email`` (at a reserved domain), ``phone`` (11 digits), ``birth_year``,
        ``gender``, ``town``, all text.
    """
    rng = stream(seed, "strategy people")
    n = len(user_codes)
    given = _frequent(rng, _words(rng, GIVENS), n)
    family = _frequent(rng, _words(rng, FAMILIES), n)
    age = np.clip(np.rint(rng.normal(36, 12, n)), 16, 75).astype(int)
    number = rng.permutation(n)
    email = [
        f"{g.lower()}.{f.lower()}{i}@mail.example"
        for g, f, i in zip(given, family, number, strict=True)
    ]
    phone = 10**10 + rng.choice(9 * 10**9, n, replace=False)
    return pd.DataFrame(
        {
            "user_code": np.asarray(user_codes),
            "name": given + " " + family,
            "email": email,
            "phone": phone.astype(str),
            "birth_year": (year - age).astype(str),
            "gender": rng.choice(["female", "male"], n),
            "town": _frequent(rng, _words(rng, TOWNS), n),
        }
    ).astype(dict.fromkeys(FIELDS, object))
