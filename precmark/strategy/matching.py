"""Who is who: candidate pairs, Fellegi and Sunter's weights, and groups of records."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.strategy.people import FIELDS
from precmark.strategy.strings import jaro_winkler, one_slip

MISSING, DIFFERENT, NEAR, EQUAL = -1, 0, 1, 2
"""Levels at which two values agree."""

NEAR_NAME = 0.9
"""Jaro-Winkler similarity from which two names or towns are near."""

MOST_IN_BLOCK = 60
"""A block with more records is passed over: what so many share tells nobody apart."""

LINK = 0.5
"""Posterior from which a pair is linked: more likely one person than two."""


def normalised(records: pd.DataFrame) -> pd.DataFrame:
    """`records` with identifying fields in one spelling.

    Names and towns: small letters, words in the order of the alphabet; e-mails: small letters;
    phones: the last eleven digits; birth years: digits. Empty texts become missing.

    Raises
    ------
    InputError
        When fields are missing, or all of them are empty: the sheets then share no key.
    """
    lacking = [f for f in FIELDS if f not in records]
    if lacking:
        has = "Give every sheet these columns; leave what is unknown empty."
        raise InputError([Problem(f"records.{f}: the column is missing", has) for f in lacking])
    made = records.copy()
    for field in FIELDS:
        text = made[field].astype(object).where(made[field].notna(), "").astype(str)
        text = text.str.strip().str.lower()
        if field in ("phone", "birth_year"):
            text = text.str.replace(r"\D", "", regex=True).str[-11:]
        if field in ("name", "town"):
            text = text.map(lambda t: " ".join(sorted(t.replace(",", " ").split())))
        made[field] = text.where(text != "").astype(object)
    if made[list(FIELDS)].isna().all(axis=None):
        raise InputError(
            f"no row fills in any of {', '.join(FIELDS)}: the sources share no key. "
            "Give at least one of them in two sources."
        )
    return made


def block_keys(records: pd.DataFrame) -> dict[str, pd.Series]:
    """What two records must share to be compared, by rule; of :func:`normalised` records.

    Phone; e-mail; the first three letters of both names; the first name with the town; the phone's
    first and last four digits, each with the town.
    """
    word = records.name.str.split(" ", n=1, expand=True).reindex(columns=[0, 1])
    return {
        "phone": records.phone,
        "email": records.email,
        "name beginnings": word[0].str[:3] + "/" + word[1].str[:3],
        "first name and town": word[0] + "/" + records.town,
        "last name and town": word[1] + "/" + records.town,
        "phone's end and town": records.phone.str[-4:] + "/" + records.town,
    }


def candidate_pairs(
    records: pd.DataFrame, *, most_in_block: int = MOST_IN_BLOCK
) -> tuple[np.ndarray, pd.DataFrame]:
    """Pairs of :func:`normalised` records worth comparing.

    Returns
    -------
    numpy.ndarray
        (pairs, 2) positions, the smaller first, each pair once, sorted.
    pandas.DataFrame
        ``rule``, ``blocks``, ``pairs`` (of the rule alone), ``passed over`` (blocks too large).
    """
    found, rows = [], []
    for rule, key in block_keys(records).items():
        groups = [g for g in records.groupby(key.to_numpy()).indices.values() if len(g) > 1]
        small = [np.sort(g) for g in groups if len(g) <= most_in_block]
        pairs = [p for g in small for p in combinations(g.tolist(), 2)]
        found += pairs
        rows.append((rule, len(small), len(pairs), len(groups) - len(small)))
    report = pd.DataFrame(rows, columns=["rule", "blocks", "pairs", "passed over"])
    if not found:
        return np.empty((0, 2), np.int64), report
    return np.unique(np.array(found, dtype=np.int64), axis=0), report


def levels(records: pd.DataFrame, pairs: np.ndarray) -> np.ndarray:
    """How each pair agrees on each of :data:`~precmark.strategy.people.FIELDS`.

    Returns
    -------
    numpy.ndarray
        (pairs, fields) int8: :data:`EQUAL`; :data:`NEAR` (names and towns: Jaro-Winkler of 0.9 or
        more; e-mails, phones and birth years: one slip, since an e-mail that only resembles
        another is a namesake's); :data:`DIFFERENT`; :data:`MISSING`, where
        either is unknown.
    """
    out = np.full((len(pairs), len(FIELDS)), MISSING, dtype=np.int8)
    for column, field in enumerate(FIELDS):
        values = records[field].to_numpy(dtype=object)
        known = records[field].notna().to_numpy()
        first, second = pairs.T
        both = np.flatnonzero(known[first] & known[second])
        near = _near(field)
        out[both, column] = [
            EQUAL if a == b else NEAR if near(a, b) else DIFFERENT
            for a, b in zip(values[first[both]], values[second[both]], strict=True)
        ]
    return out


def _near(field: str):
    if field == "gender":
        return lambda a, b: False
    if field in ("email", "phone", "birth_year"):
        return one_slip
    return lambda a, b: jaro_winkler(*sorted((a, b))) >= NEAR_NAME


@dataclass(frozen=True)
class Weights:
    """Fellegi and Sunter's model.

    Attributes
    ----------
    m, u : numpy.ndarray
        (fields, 3): chance of each level (different, near, equal) among pairs of one person, and
        of two, where both values are known; rows sum to 1.
    prior : float
        Share of all pairs of records that are of one person.
    log_likelihood : tuple of float
        After each round of the EM algorithm, with what the half pairs add to it; never falls.
    """

    m: np.ndarray
    u: np.ndarray
    prior: float
    log_likelihood: tuple[float, ...]

    def table(self) -> pd.DataFrame:
        """``field``, ``level``, ``one person``, ``two people``, ``weight`` (bits of evidence)."""
        rows = [
            (field, level, self.m[f, k], self.u[f, k], np.log2(self.m[f, k] / self.u[f, k]))
            for f, field in enumerate(FIELDS)
            for k, level in ((EQUAL, "equal"), (NEAR, "near"), (DIFFERENT, "different"))
        ]
        columns = ["field", "level", "one person", "two people", "weight"]
        return pd.DataFrame(rows, columns=columns)

    def posterior(self, agreed: np.ndarray, rare: np.ndarray | float = 0.0) -> np.ndarray:
        """P(one person) of pairs with levels `agreed`, (pairs,), in [0, 1].

        `rare`, (pairs,), is what :func:`rarity` adds to the logit.
        """
        return _sigmoid(_log_ratio(agreed, self.m, self.u) + rare + _logit(self.prior))


def rarity(records: pd.DataFrame, pairs: np.ndarray, agreed: np.ndarray) -> np.ndarray:
    """How much more (natural logarithm) an equal name or town says than equal ones do on average.

    Two people share a word by chance as often as its share f of all words of the field says, on
    average with the sum of f squared. For each word of an equal name or town log(sum of f squared
    / f) is added: above 0 for a rare word, below 0 for a common one. (pairs,) float64.

    References
    ----------
    Winkler, Frequency-based matching in the Fellegi-Sunter model of record linkage, 2000.
    """
    found = np.zeros(len(pairs))
    for field in ("name", "town"):
        words = records[field].dropna().str.split(" ")
        if words.empty:
            continue
        share = words.explode().value_counts(normalize=True)
        mean = np.log((share**2).sum())
        each = np.zeros(len(records))
        each[records[field].notna().to_numpy()] = [
            sum(mean - np.log(share[word]) for word in text) for text in words
        ]
        equal = agreed[:, FIELDS.index(field)] == EQUAL
        found[equal] += each[pairs[equal, 0]]
    return found


def fit_weights(
    records: pd.DataFrame,
    pairs: np.ndarray,
    agreed: np.ndarray,
    *,
    rounds: int = 50,
    seed: int = 0,
    random_pairs: int = 20_000,
) -> Weights:
    """Weights without any known match, by the EM algorithm over all pairs of records.

    Of all pairs those that no block holds count as pairs of two people, whatever they show. How
    often they agree is counted (equal values) or read off pairs drawn at random (near ones), so
    that u stands for all pairs and not for those that a block has picked. Fields are taken as
    independent given whether a pair is one person; a missing field says nothing.

    Parameters
    ----------
    records : pandas.DataFrame
        Of :func:`normalised`, n rows.
    pairs, agreed : numpy.ndarray
        Of :func:`candidate_pairs` and :func:`levels`.
    rounds : int
        Most rounds of EM; it ends where the prior moves by less than a millionth of itself.
    seed, random_pairs : int
        Of the pairs drawn.

    References
    ----------
    Fellegi and Sunter, A theory for record linkage, 1969, doi 10.1080/01621459.1969.10501049;
    Winkler, Using the EM algorithm for weight computation, 1988.
    """
    if not len(pairs):
        raise InputError(
            "no two records share a phone, an e-mail or a name: nothing links the sources. "
            "Give at least one identifying field in two of them."
        )
    every = len(records) * (len(records) - 1) / 2
    seen = _counts(agreed, None)
    rest = np.maximum(pair_totals(records, seed=seed, drawn=random_pairs) - seen, 0)
    m = np.tile([0.05, 0.10, 0.85], (len(FIELDS), 1))
    u = _shares(rest)
    prior, history = 0.5 * len(pairs) / every, []
    for _ in range(rounds):
        p = _sigmoid(_log_ratio(agreed, m, u) + _logit(prior))
        history.append(_log_likelihood(agreed, m, u, prior, every, rest))
        m, u = _shares(_counts(agreed, p)), _shares(_counts(agreed, 1 - p) + rest)
        new = float(np.clip(p.sum() / every, 1e-12, 0.5))
        done = abs(new - prior) < 1e-6 * prior
        prior = new
        if done:
            break
    return Weights(m, u, prior, tuple(history))


def pair_totals(records: pd.DataFrame, *, seed: int = 0, drawn: int = 20_000) -> np.ndarray:
    """How many of all pairs of `records` show each level on each field: (fields, 3).

    Equal values are counted; the rest are near as often as among pairs drawn at random.
    """
    rng = np.random.default_rng(seed)
    some = rng.integers(0, len(records), (drawn, 2))
    some = _counts(levels(records, some[some[:, 0] != some[:, 1]]), None)
    found = np.zeros((len(FIELDS), 3))
    for f, field in enumerate(FIELDS):
        counts = records[field].value_counts().to_numpy(dtype=float)
        known, equal = counts.sum(), (counts * (counts - 1) / 2).sum()
        others = known * (known - 1) / 2 - equal
        near = some[f, NEAR] / max(some[f, NEAR] + some[f, DIFFERENT], 1)
        found[f] = others * (1 - near), others * near, equal
    return found


def _log_likelihood(agreed, m, u, prior, every, rest) -> float:
    """Of the candidates as a mixture, of all other pairs as two people, and of the half pairs."""
    known = agreed >= 0
    at = np.where(known, agreed, 0)
    by_two = (np.log(u)[np.arange(agreed.shape[1]), at] * known).sum(axis=1)
    mixed = np.logaddexp(np.log(prior) + _log_ratio(agreed, m, u), np.log1p(-prior))
    others = (every - len(agreed)) * np.log1p(-prior) + (rest * np.log(u)).sum()
    return float((mixed + by_two).sum() + others + 0.5 * (np.log(m).sum() + np.log(u).sum()))


def _counts(agreed: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """(fields, 3) weighted number of pairs at each level."""
    weight = np.ones(len(agreed)) if weight is None else weight
    return np.stack([np.bincount(c[c >= 0], weight[c >= 0], minlength=3) for c in agreed.T])


def _shares(counts: np.ndarray) -> np.ndarray:
    """Rows of `counts` as shares; half a pair is added to each, so that no chance is 0."""
    return (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)


def _log_ratio(agreed: np.ndarray, m: np.ndarray, u: np.ndarray) -> np.ndarray:
    ratio = np.log(m / u)
    known = agreed >= 0
    at = np.where(known, agreed, 0)
    return (ratio[np.arange(agreed.shape[1]), at] * known).sum(axis=1)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def _logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))


def groups_of(pairs: np.ndarray, n: int) -> np.ndarray:
    """The group of each of n records where `pairs` are linked, directly or through others.

    (n,) int64, numbered from 0 in the order of their first record.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), np.int8)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return pd.factorize(connected_components(graph, directed=False)[1])[0].astype(np.int64)
