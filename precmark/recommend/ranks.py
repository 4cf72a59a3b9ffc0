"""Ranks within each user and the ten best of many, by one sort of whole numbers a user."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

LEVELS = 2**22 - 1
"""Scores are told apart to this part of a user's highest: float32 noise makes no order."""

CHUNK_ROWS = 512
"""Users a piece: small enough that a piece's matrices stay in the caches."""


MANY_TIES = 0.08
"""Share of ties above which a pass over all places is faster than one over the ties."""


def within_user_ranks(scores: np.ndarray) -> np.ndarray:
    """The rank of each item among all items of its user, from 0 (last) to 1 (first).

    Parameters
    ----------
    scores : array of float32, shape (n, m)
        Higher is better, any sign; m >= 2.

    Returns
    -------
    array of float32, shape (n, m)
        (number of items with a lower score) / (m - 1). Items that a score cannot tell apart share
        the lowest rank among them, so that items of which nothing is known get 0, not 0.5. Scores
        closer than 2^-22 of the user's range count as the same.

    Notes
    -----
    The number of an item is packed beside its score, so that a sort of whole numbers gives values
    and order at once: time grows with n m log m.
    """
    from scipy.sparse import csr_matrix

    n, m = scores.shape
    keys, bits = _keys(scores)
    keys.sort(axis=1)
    column = (keys & keys.dtype.type((1 << bits) - 1)).astype(np.int32)
    keys >>= keys.dtype.type(bits)
    rank = np.zeros((n, m), dtype=np.float32)
    place = np.arange(1, m, dtype=np.float32)
    place *= np.float32(1 / (m - 1))
    fresh = keys[:, 1:] != keys[:, :-1]
    np.multiply(fresh, place, out=rank[:, 1:])
    # the lowest of a user share rank 0, which stands there; the others take their group's first
    np.logical_not(fresh, out=fresh)
    fresh &= keys[:, 1:] != keys[:, :1]
    if np.count_nonzero(fresh) > MANY_TIES * fresh.size:
        np.maximum.accumulate(rank, axis=1, out=rank)
    else:
        _share_first(rank.reshape(-1), np.flatnonzero(fresh), m)
    # a sparse matrix that is full: its way back to a dense one is the fastest scatter there is
    starts = np.arange(0, n * m + 1, m, dtype=np.int32)
    return csr_matrix((rank.ravel(), column.ravel(), starts), shape=(n, m)).toarray()


def _share_first(rank: np.ndarray, tied: np.ndarray, m: int) -> None:
    """Give each place of a run of ties the rank of the place before the run, in place.

    `tied` are the ties in order, counted over rows without their first column: m - 1 a row.
    """
    if not len(tied):
        return
    at = tied + tied // (m - 1) + 1
    begins = np.ones(len(at), dtype=bool)
    begins[1:] = np.diff(at) != 1
    # a run ends with its row: the first column of a row is never a tie
    first = rank[at[begins] - 1]
    rank[at] = np.repeat(first, np.diff(np.flatnonzero(np.append(begins, True))))


def _keys(scores: np.ndarray) -> tuple[np.ndarray, int]:
    """Each score as a whole number of :data:`LEVELS` with its column in the lowest bits."""
    m = scores.shape[1]
    low = scores.min(axis=1, keepdims=True)
    reach = scores.max(axis=1, keepdims=True) - low
    scale = np.divide(LEVELS, reach, out=np.zeros_like(reach), where=reach > 0)
    kind, bits = (np.uint32, 10) if m <= 1024 else (np.uint64, 32)
    above = scores - low if low.any() else scores
    # rounding adds less than 1 to the highest, so that it stays below 2^22
    keys = (above * scale).astype(kind)
    keys <<= kind(bits)
    keys |= np.arange(m, dtype=kind)
    return keys, bits


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """The columns of the k highest scores of each row, best first; ties go to the later column.

    Parameters
    ----------
    scores : array of float32, shape (n, m)
    k : int
        1 to m.

    Returns
    -------
    array of int64, shape (n, k)
    """
    m = scores.shape[1]
    keys, bits = _keys(scores)
    best = np.partition(keys, m - k, axis=1)[:, m - k :]
    best.sort(axis=1)
    return (best[:, ::-1] & keys.dtype.type((1 << bits) - 1)).astype(np.int64)


def in_chunks(work: Callable[[slice], object], n: int) -> Iterator[object]:
    """``work(rows)`` for pieces of :data:`CHUNK_ROWS` of n rows, in order, all cores at once."""
    pieces = [slice(i, min(i + CHUNK_ROWS, n)) for i in range(0, n, CHUNK_ROWS)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(cores or 1) as pool:
        yield from pool.map(work, pieces)
