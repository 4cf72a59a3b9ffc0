"""Tags of users from a log, and the filter of Table 3 measured at seven sizes of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.grid.filtering import kept_tags, tag_scores
from precmark.grid.months import LEFT_OUT

if TYPE_CHECKING:
    from precmark.runs import Run

SIZES = 7
"""Sizes of the log in Table 3, in equal steps."""

_WORD = re.compile(r"\w\w+")
_TAG = re.compile(r"[\s,;\"“”„«»|]+")


def words_of(text: str) -> list[str]:
    """The different words of two letters or more in `text`, in small letters.

    Examples
    --------
    >>> words_of('RED Hat, red "scarf"')
    ['red', 'hat', 'scarf']
    """
    return list(dict.fromkeys(_WORD.findall(text.lower())))


def tags_in(text: str) -> list[str]:
    """The different tags in `text`, parted at spaces, commas, semicolons, bars and quotes.

    Anything else belongs to a tag: emoji, other scripts, signs. Tags are text, never markup.

    Examples
    --------
    >>> tags_in('travel, "gift set" <b>new</b> 🎁')
    ['travel', 'gift', 'set', '<b>new</b>', '🎁']
    """
    return list(dict.fromkeys(t for t in _TAG.split(text.lower()) if t))


@dataclass(frozen=True)
class Field:
    """One thing that an event tells: for each row a code, for each code its tags.

    Attributes
    ----------
    codes : numpy.ndarray
        int, (rows,); -1 where the event tells nothing.
    start, tags : numpy.ndarray
        Code c has the tags ``tags[start[c]:start[c + 1]]`` (numbers of tags).
    """

    codes: np.ndarray
    start: np.ndarray
    tags: np.ndarray


@dataclass(frozen=True)
class TagLog:
    """A log coded for tags.

    Attributes
    ----------
    users : numpy.ndarray
        int, (rows,): user code of each event.
    timestamp : numpy.ndarray
        datetime64, (rows,).
    fields : tuple of Field
    names : numpy.ndarray
        The tags by number, such as ``"category: mugs"``.
    """

    users: np.ndarray
    timestamp: np.ndarray
    fields: tuple[Field, ...]
    names: np.ndarray

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: np.ndarray) -> TagLog:
        """The events at `rows`, a mask."""
        fields = tuple(replace(f, codes=f.codes[rows]) for f in self.fields)
        return replace(self, users=self.users[rows], timestamp=self.timestamp[rows], fields=fields)


def tag_log(run: Run) -> TagLog:
    """The log of `run` coded for tags: deeds, products, words, platforms, parts of the day."""
    columns = ["user_code", "timestamp", "event", "item_id", "platform", "text"]
    events = run.table("sessions/events", columns)
    items = run.table("contract/items") if run.has("contract/items") else None
    return coded(events, items, run.source.timezone)


def coded(events: pd.DataFrame, items: pd.DataFrame | None, timezone: str = "UTC") -> TagLog:
    """See :func:`tag_log`.

    Parameters
    ----------
    events : pandas.DataFrame
        ``user_code``, ``timestamp``, ``event``, ``item_id``, ``platform``, ``text``.
    items : pandas.DataFrame, optional
        ``item_id``, ``category``, ``brand``, ``price``, ``tags``, ``description``.
    timezone : str
        The store's clock.
    """
    known: dict[str, int] = {}
    hour = events["timestamp"].dt.tz_convert(timezone).dt.hour
    part = pd.Series(np.array(["night", "morning", "afternoon", "evening"])[hour // 6])
    deeds = events["event"].where(~events["event"].isin(LEFT_OUT))
    searched = events["text"].where(events["event"] == "search")
    fields = [
        _field(deeds, lambda v: [f"did: {v}"], known),
        _field(events["platform"], lambda v: [f"platform: {v}"], known),
        _field(part, lambda v: [f"time: {v}"], known),
        _field(searched, lambda v: [f"searched: {w}" for w in words_of(v)], known),
    ]
    if items is not None:
        told = dict(zip(items["item_id"], _item_tags(items), strict=True))
        fields.append(_field(events["item_id"], lambda v: told.get(v, []), known))
    names = np.array(list(known), dtype=object)
    return TagLog(
        events["user_code"].to_numpy(), events["timestamp"].to_numpy("datetime64[us]"),
        tuple(fields), names,
    )  # fmt: skip


def _field(values: pd.Series, tags_of, known: dict[str, int]) -> Field:
    codes, levels = pd.factorize(values)
    tags = [[known.setdefault(t, len(known)) for t in tags_of(v)] for v in levels]
    start = np.r_[0, np.cumsum([len(t) for t in tags])].astype(np.int64)
    flat = np.array([t for one in tags for t in one], dtype=np.int64)
    return Field(codes, start, flat)


def _item_tags(items: pd.DataFrame) -> list[list[str]]:
    from precmark.recommend.content import price_bands

    bands = price_bands(items["price"])
    rows = zip(
        *(items[c] for c in ("category", "brand", "tags", "description")), bands, strict=True
    )
    found = []
    for category, brand, tags, description, band in rows:
        mine = [f"category: {category}"] if _there(category) else []
        mine += [f"brand: {brand}"] if _there(brand) else []
        mine += [f"price: {band}"] if _there(band) else []
        told = tags_in(tags) if _there(tags) else []
        told += words_of(description) if _there(description) else []
        found.append(mine + [f"word: {w}" for w in dict.fromkeys(told)])
    return found


def _there(value: object) -> bool:
    return isinstance(value, str) and value != ""


def user_tags(log: TagLog) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of a user and a tag once: users, tags (numbers), sorted by both."""
    pairs = [np.empty(0, dtype=np.int64)]
    width = len(log.names)
    for field in log.fields:
        told = field.codes >= 0
        levels = len(field.start) - 1
        key = _different(log.users[told].astype(np.int64) * levels + field.codes[told])
        user, code = np.divmod(key, max(levels, 1))
        length = (field.start[1:] - field.start[:-1])[code]
        first = np.repeat(field.start[code], length)
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        pairs.append(np.repeat(user, length) * width + field.tags[first + within])
    return np.divmod(_different(np.concatenate(pairs)), max(width, 1))


def _different(keys: np.ndarray) -> np.ndarray:
    """Each of `keys` once, sorted; sorting in place is several times as fast as a hash table."""
    keys.sort()
    return keys[np.r_[True, keys[1:] != keys[:-1]]] if len(keys) else keys


@dataclass(frozen=True)
class Filtered:
    """What the filter left.

    Attributes
    ----------
    scores : pandas.DataFrame
        See :func:`~precmark.grid.filtering.tag_scores`; group 1 has the outcome.
    kept : pandas.Index
        Tags that tell the groups apart.
    buyers : pandas.Index
        Those of `kept` that are typical of the users with the outcome.
    pairs, kept_pairs : int
        Tags of users (a tag counts for each user who has it) before and after.
    users, kept_users : int
        Users with a tag, and with one of `buyers`.
    """

    scores: pd.DataFrame
    kept: pd.Index
    buyers: pd.Index
    pairs: int
    kept_pairs: int
    users: int
    kept_users: int


def filter_tags(log: TagLog, positive: Iterable[int], *, share: float = 0.05) -> Filtered:
    """The tags of `log` that tell users with the outcome from the others.

    Parameters
    ----------
    log : TagLog
        Events before the outcome only.
    positive : iterable of int
        Codes of the users with the outcome.
    share : float
        See :func:`~precmark.grid.filtering.kept_tags`.

    Raises
    ------
    InputError
        When the log holds no tag.
    """
    if not len(log) or not len(log.names):
        raise InputError(Problem("the log holds no tag", "Give events of some kind."))
    users, tags = user_tags(log)
    one = np.isin(users, np.fromiter(positive, dtype=np.int64))
    seen = np.bincount(tags, minlength=len(log.names))
    counts = pd.DataFrame(
        {"one": np.bincount(tags[one], minlength=len(log.names))},
        index=pd.Index(log.names, name="tag"),
    )
    counts = counts.assign(other=seen - counts["one"])[seen > 0]
    scores = tag_scores(counts)
    kept = kept_tags(scores, share=share)
    typical = scores.loc[kept]
    buyers = typical.index[typical["p_one"] < typical["p_other"]]
    number = pd.Index(log.names)
    in_kept = np.isin(tags, number.get_indexer(kept))
    in_buyers = np.isin(tags, number.get_indexer(buyers))
    return Filtered(
        scores, kept, buyers, len(tags), int(in_kept.sum()),
        len(np.unique(users)), len(np.unique(users[in_buyers])),
    )  # fmt: skip


def having(log: TagLog, chosen: Iterable[str]) -> pd.Series:
    """How many of the tags `chosen` each user of `log` has, by user code."""
    users, tags = user_tags(log)
    hit = np.isin(tags, pd.Index(log.names).get_indexer(list(chosen)))
    return pd.Series(hit.astype(int)).groupby(users).sum()


def by_size(
    log: TagLog, positive: Iterable[int], *, sizes: int = SIZES, repeats: int = 2, seed: int = 0
) -> pd.DataFrame:
    """Table 3 measured: the filter on the first 1/7, 2/7, ... of the users, in an order by lot.

    Parameters
    ----------
    log : TagLog
    positive : iterable of int
    sizes : int
    repeats : int
        Timings a size; the fastest counts.
    seed : int
        Of the order.

    Returns
    -------
    pandas.DataFrame
        ``size`` (1 upwards), ``rows`` (events), ``megabytes`` (of the coded events), ``tags``
        and ``filtered`` (a tag counts for each user who has it), ``different`` and ``kept`` (tags
        without their users), ``users`` (with a tag), ``kept_users`` (with a tag typical of the
        outcome), ``seconds`` and ``peak_mb`` (NumPy's and Python's memory beyond the log).
    """
    import tracemalloc

    positive = np.fromiter(positive, dtype=np.int64)
    everybody = np.random.default_rng(seed).permutation(np.unique(log.users))
    rows = []
    for k in range(1, sizes + 1):
        part = log.take(np.isin(log.users, everybody[: k * len(everybody) // sizes]))
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            found = filter_tags(part, positive)
            times.append(time.perf_counter() - started)
        tracemalloc.start()
        filter_tags(part, positive)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        coded_bytes = part.users.nbytes + sum(f.codes.nbytes for f in part.fields)
        rows.append(
            {"size": k, "rows": len(part), "megabytes": coded_bytes / 1e6, "tags": found.pairs,
             "filtered": found.kept_pairs, "different": len(found.scores),
             "kept": len(found.kept), "users": found.users, "kept_users": found.kept_users,
             "seconds": min(times), "peak_mb": peak / 1e6}
        )  # fmt: skip
    return pd.DataFrame(rows)


def exponent(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Slope of log y over log x with its 95 % t interval: 1 where y grows in step with x."""
    from scipy.stats import linregress, t

    fit = linregress(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)))
    half = float(t.ppf(0.975, len(x) - 2)) * fit.stderr
    return float(fit.slope), float(fit.slope - half), float(fit.slope + half)
