"""New words and tags, month by month: found in queries and descriptions, placed by word vectors."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.interests.tags import clean_tag, item_tags, words_of
from precmark.recommend.shop import WEIGHTS

if TYPE_CHECKING:
    from gensim.models import Word2Vec

LEAST_DOCUMENTS = 5
"""Documents in which a word must have stood before it counts as known."""

MOST_DOCUMENTS = 1500
"""Of a month; more are drawn from at random."""

WIDTH, WINDOW, EPOCHS = 32, 20, 20


@dataclass(frozen=True)
class Documents:
    """What stood together: a product's tags, and the words typed in the session that led to it.

    Attributes
    ----------
    places : pandas.DataFrame
        A row a document: ``session_code``, ``month`` (its first day), in order of time.
    words : tuple of tuple of str
        Of each document, each word once.
    from_queries : frozenset of str
        Words that somebody typed.
    """

    places: pd.DataFrame
    words: tuple[tuple[str, ...], ...]
    from_queries: frozenset[str]


def documents(
    events: pd.DataFrame, items: pd.DataFrame, *, most: int = MOST_DOCUMENTS, seed: int = 0
) -> Documents:
    """The products touched and the words typed in `events`, as bags of words.

    Parameters
    ----------
    events : pandas.DataFrame
        ``session_code``, ``timestamp``, ``event``, ``item_id``, and ``text`` and ``category`` of
        searches.
    items : pandas.DataFrame
        As in the contract; a product stands for its tags.
    most : int
        Documents of a month; where there are more, so many are drawn with `seed`.

    Returns
    -------
    Documents
        One a session and product that it touched, and one a session that searched (with the kind
        that the search named), where there are two words or more.
    """
    tags = item_tags(items)[["item_id", "tag"]].rename(columns={"tag": "word"})
    typed = _typed(events)
    touched = events.loc[events.event.isin(list(WEIGHTS)) & events.item_id.isin(tags.item_id)]
    first = touched.drop_duplicates(["session_code", "item_id"])[["session_code", "timestamp",
                                                                   "item_id"]]  # fmt: skip
    searched = typed.groupby("session_code").timestamp.min().reset_index().assign(item_id=None)
    places = pd.concat([first, searched], ignore_index=True)
    month = places.timestamp.dt.tz_convert(None).dt.to_period("M").dt.start_time
    places = places.assign(month=month)
    order = places.item_id.astype(object).where(places.item_id.notna(), "").astype(str)
    places = places.iloc[np.lexsort((order, places.session_code, places.timestamp))]
    rng = np.random.default_rng(seed)
    kept = [
        part.iloc[np.sort(rng.permutation(len(part))[:most])]
        for _, part in places.groupby("month", sort=True)
    ]
    places = pd.concat(kept) if kept else places
    of_item = tags.groupby("item_id", sort=False).word.agg(tuple).to_dict()
    of_session = typed.groupby("session_code", sort=False).word.agg(tuple).to_dict()
    words = [
        tuple(dict.fromkeys((*of_session.get(session, ()), *of_item.get(item, ()))))
        for session, item in zip(places.session_code, places.item_id, strict=True)
    ]
    long = np.array([len(w) > 1 for w in words], dtype=bool)
    places = places.loc[long, ["session_code", "month"]].reset_index(drop=True)
    plain = frozenset(typed.word[typed.typed])
    return Documents(places, tuple(w for w in words if len(w) > 1), plain)


def _typed(events: pd.DataFrame) -> pd.DataFrame:
    """Words of searches, a row each: ``session_code``, ``timestamp``, ``word``, ``typed`` (false
    for the kind that a search named).
    """
    columns = ["session_code", "timestamp"]
    if "text" not in events:
        nothing = {"word": pd.Series(dtype=object), "typed": pd.Series(dtype=bool)}
        return events.iloc[:0][columns].assign(**nothing)
    searches = events[(events.event == "search") & events.text.notna()]
    read = {text: list(words_of(text)) for text in searches.text.unique()}
    found = searches[columns].assign(word=searches.text.map(read), typed=True)
    found = found.explode("word").dropna(subset="word")
    if "category" in searches:
        named = searches[searches.category.notna()]
        kind = named[columns].assign(word=[clean_tag(c) for c in named.category], typed=False)
        found = pd.concat([found, kind])
    return found.drop_duplicates(["session_code", "word"])


def stable_hash(text: str) -> int:
    """A number of `text` that is the same in every process."""
    return zlib.crc32(text.encode())


def _learnt(model: Word2Vec | None, texts: Sequence[Sequence[str]], seed: int) -> Word2Vec:
    """`model` taught `texts` as well; a new one where there is none."""
    from gensim.models import Word2Vec

    texts = [list(text) for text in texts]
    if model is None:
        model = Word2Vec(
            vector_size=WIDTH, window=WINDOW, min_count=1, workers=1, seed=seed,
            hashfxn=stable_hash, epochs=EPOCHS, sg=1, negative=5,
        )  # fmt: skip
        model.build_vocab(texts)
    else:
        model.build_vocab(texts, update=True)
    model.train(texts, total_examples=len(texts), epochs=EPOCHS)
    return model


@dataclass(frozen=True)
class Discovered:
    """What the months brought.

    Attributes
    ----------
    months : pandas.DataFrame
        ``month``, ``documents``, ``known`` (words that had stood in enough documents before it),
        ``new`` (words that passed this mark in it); the first month only builds the vocabulary.
    words : pandas.DataFrame
        A row a new word: ``month``, ``word``, ``documents`` (of that month), ``source``
        (``"query"``, ``"catalogue"`` or ``"both"``), ``kind`` (of `kinds`, the nearest by word
        vectors), ``similarity`` (cosine), ``beside`` (the kind that stands beside it most),
        ``near`` (the three nearest known words).
    """

    months: pd.DataFrame
    words: pd.DataFrame


def discover(
    found: Documents,
    kinds: Iterable[str],
    *,
    catalogue: Iterable[str] = (),
    least: int = LEAST_DOCUMENTS,
    seed: int = 0,
) -> Discovered:
    """New words of each month, and where they belong.

    Parameters
    ----------
    found : Documents
    kinds : iterable of str
        Known tags under which a new word is put, e.g. the categories.
    catalogue : iterable of str
        Words that products bear.
    least : int
        Documents up to a month's end from which a word is known.
    seed : int
        Of the word vectors (skip-gram, 32 numbers), taught month after month and never from
        scratch.

    Raises
    ------
    InputError
        Where the documents hold fewer than two months, or no kind stands in the first.

    References
    ----------
    Mikolov et al. 2013, Distributed representations of words and phrases, arXiv 1310.4546.
    """
    months = sorted(found.places.month.unique())
    if len(months) < 2:
        fix = "Words can be new from the second month on; give a longer log."
        raise InputError(Problem(f"documents: {len(months)} months", fix))
    kinds, catalogue = sorted(set(map(clean_tag, kinds))), set(catalogue)
    by_month = [np.flatnonzero(found.places.month == month) for month in months]
    start = _vocabulary_until(months, [len(places) for places in by_month])
    model, total, rows, counts = None, pd.Series(dtype=float), [], []
    for month, places in zip(months, by_month, strict=True):
        texts = [found.words[i] for i in places]
        here = pd.Series([w for text in texts for w in text], dtype=object).value_counts()
        before = total
        total = total.add(here, fill_value=0)
        known = set(before.index[before >= least])
        fresh = sorted(w for w in total.index[total >= least] if w not in known and w in here.index)
        model = _learnt(model, texts, seed)
        first = month <= start
        counts.append((month, len(texts), len(known), 0 if first else len(fresh)))
        near = _Near(model, kinds, known)
        for word in () if first else fresh:
            source = _source(word, found.from_queries, catalogue)
            row = (month, word, int(here[word]), source)
            rows.append((*row, *near.kind(word), _beside(word, texts, kinds), near.words(word)))
    columns = ["month", "word", "documents", "source", "kind", "similarity", "beside", "near"]
    return Discovered(
        pd.DataFrame(counts, columns=["month", "documents", "known", "new"]),
        pd.DataFrame(rows, columns=columns),
    )


def _vocabulary_until(months: Sequence[pd.Timestamp], sizes: Sequence[int]) -> pd.Timestamp:
    """The month up to which documents only build the vocabulary.

    It is the first that is no mere rest of a month: of a fifth of the usual size or more.
    """
    whole = np.asarray(sizes) >= 0.2 * np.median(sizes)
    return months[int(np.argmax(whole))]


def _source(word: str, queries: frozenset[str], catalogue: set[str]) -> str:
    if word in queries:
        return "both" if word in catalogue else "query"
    return "catalogue"


def _beside(word: str, texts: Sequence[Sequence[str]], kinds: Sequence[str]) -> str:
    """The kind that stands beside `word` in most of `texts`; ``""`` where none does."""
    beside: dict[str, int] = {}
    names = set(kinds) - {word}
    for text in texts:
        if word in text:
            for other in names.intersection(text):
                beside[other] = beside.get(other, 0) + 1
    return min(beside, key=lambda k: (-beside[k], k)) if beside else ""


class _Near:
    """Which kinds and known words are near a word by a month's vectors."""

    def __init__(self, model: Word2Vec, kinds: Sequence[str], known: set[str]):
        self.vectors = model.wv
        self.kinds = [k for k in kinds if k in model.wv]
        self.known = sorted(k for k in known if k in model.wv)

    def _cosines(self, word: str, names: Sequence[str]) -> np.ndarray:
        return self.vectors.cosine_similarities(
            self.vectors[word], np.stack([self.vectors[name] for name in names])
        )

    def kind(self, word: str) -> tuple[str, float]:
        """The nearest kind other than the word, and its cosine."""
        names = [k for k in self.kinds if k != word]
        if word not in self.vectors or not names:
            return "", np.nan
        cosines = self._cosines(word, names)
        best = int(np.argmax(cosines))
        return names[best], float(cosines[best])

    def words(self, word: str) -> str:
        """The three nearest known words."""
        names = [k for k in self.known if k != word]
        if word not in self.vectors or not names:
            return ""
        order = np.argsort(-self._cosines(word, names), kind="stable")[:3]
        return ", ".join(names[i] for i in order)


def planted(
    found: Documents, kinds: Iterable[str], *, words: int = 12, chance: float = 0.25, seed: int = 0
) -> tuple[Documents, pd.DataFrame]:
    """`found` with made-up words, so that it is known when each came up and where it belongs.

    Parameters
    ----------
    found : Documents
    kinds : iterable of str
        Each planted word belongs to one of them, in turn.
    words : int
    chance : float
        Of a document with the kind, from the word's month on, to hold the word.

    Returns
    -------
    Documents, pandas.DataFrame
        The documents, and ``word``, ``kind``, ``month`` (of planting).
    """
    rng = np.random.default_rng(seed)
    stand = pd.Series([w for text in found.words for w in text], dtype=object).value_counts()
    names = sorted((k for k in set(map(clean_tag, kinds)) if k in stand.index),
                   key=lambda k: (-stand[k], k))  # fmt: skip
    months = sorted(found.places.month.unique())
    sizes = [int((found.places.month == month).sum()) for month in months]
    later = [m for m in months if m > _vocabulary_until(months, sizes)] or months
    truth = pd.DataFrame(
        [(f"novelty{i:02d}", names[i % len(names)], later[int(rng.integers(len(later)))])
         for i in range(words if names else 0)],
        columns=["word", "kind", "month"],
    )  # fmt: skip
    month = found.places.month.to_numpy()
    made = [list(text) for text in found.words]
    for row in truth.itertuples():
        draw = rng.random(len(made)) < chance
        for i in np.flatnonzero(draw & (month >= np.datetime64(row.month))):
            if row.kind in found.words[i]:
                made[i].append(row.word)
    return Documents(found.places, tuple(map(tuple, made)), found.from_queries), truth


def recovered(truth: pd.DataFrame, found: Discovered) -> pd.DataFrame:
    """What became of planted words.

    Returns
    -------
    pandas.DataFrame
        ``word``, ``kind``, ``month`` as planted; ``found`` (bool), ``months_late`` (NaN where not
        found), ``by_vectors`` and ``by_counts`` (bool: put under the right kind).
    """
    told = found.words.set_index("word").reindex(truth.word)
    when = pd.PeriodIndex(pd.to_datetime(told.month), freq="M")
    late = [
        np.nan if pd.isna(w) else (w - pd.Period(m, "M")).n
        for w, m in zip(when, truth.month, strict=True)
    ]
    kind = truth.kind.to_numpy()
    return truth.assign(
        found=told.month.notna().to_numpy(),
        months_late=late,
        by_vectors=told.kind.to_numpy() == kind,
        by_counts=told.beside.to_numpy() == kind,
    )
