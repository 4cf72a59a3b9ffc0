"""Random numbers: streams for the store's history, keyed draws for decisions, and ids as text."""

from __future__ import annotations

import zlib

import numpy as np
import pyarrow as pa

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for `purpose`, so that one part's draws never move another's."""
    return np.random.Generator(
        np.random.SFC64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]))
    )


def mix(x: np.ndarray) -> np.ndarray:
    """Each 64-bit number scrambled one to one (the finaliser of SplitMix64).

    References
    ----------
    Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014,
    doi:10.1145/2660193.2660195.
    """
    with np.errstate(over="ignore"):
        x = (np.asarray(x, dtype=np.uint64) + _GOLDEN).astype(np.uint64, copy=False)
        shifted = x >> np.uint64(30)
        x ^= shifted
        x *= _MIX1
        x ^= np.right_shift(x, np.uint64(27), out=shifted)
        x *= _MIX2
        x ^= np.right_shift(x, np.uint64(31), out=shifted)
    return x


def uniform(
    seed: int, replication: int, key: np.ndarray, purpose: str, *, mixed: bool = False
) -> np.ndarray:
    """One number in (0, 1) for each key; the same for equal arguments, whatever came before.

    Policies that decide about the same decisions therefore meet the same luck.

    Parameters
    ----------
    seed, replication : int
        The store and its repetition; 0 or more.
    key : array of uint64, shape (n,)
        What the draw is about, e.g. the decision.
    purpose : str
        What the draw is for; draws for different purposes are independent.
    mixed : bool
        `key` went through :func:`mix` already: saves half of the work where the same keys are
        drawn for again and again. The numbers are the same.

    Returns
    -------
    array of float64, shape (n,)
        Multiples of 2^-53, shifted by half a step so that neither 0 nor 1 can occur.
    """
    salt = np.array([seed, replication, zlib.crc32(purpose.encode())], dtype=np.uint64)
    state = np.zeros(1, dtype=np.uint64)
    for part in salt:
        state = mix(state ^ part)
    bits = mix((key if mixed else mix(key)) ^ state)
    drawn = (bits >> np.uint64(11)).astype(np.float64)
    drawn += 0.5
    drawn *= 2.0**-53
    return drawn


def normal(seed: int, replication: int, key: np.ndarray, purpose: str) -> np.ndarray:
    """One standard normal number for each key, keyed as in :func:`uniform`."""
    from scipy.special import ndtri

    return ndtri(uniform(seed, replication, key, purpose))


def lookup(probabilities: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A table for drawing from `probabilities` by one look-up, and the exact shares it draws with.

    Parameters
    ----------
    probabilities : array, shape (n,)
        At least 0, sum 1.
    size : int
        Length of the table; a uniform whole number below `size` picks an entry.

    Returns
    -------
    table : array of int16, shape (size,)
    shares : array of float64, shape (n,)
        How often each value stands in the table (largest remainders), over `size`.
    """
    wanted = np.asarray(probabilities, dtype=float) * size
    counts = np.floor(wanted).astype(int)
    missing = size - counts.sum()
    counts[np.argsort(counts - wanted, kind="stable")[:missing]] += 1
    table = np.repeat(np.arange(len(counts), dtype=np.int16), counts)
    return table, counts / size


def numbered(prefix: str, number: np.ndarray, digits: int) -> pa.Array:
    """Ids as text, e.g. ``u0001234``: `prefix`, then `number` with leading zeros."""
    number = np.asarray(number).astype(np.uint32)
    width = len(prefix) + digits
    text = np.empty((len(number), width), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    for place in range(width - 1, len(prefix) - 1, -1):
        tens = number // np.uint32(10)
        text[:, place] = number - tens * np.uint32(10) + ord("0")
        number = tens
    return _fixed_width(text)


def scrambled(number: np.ndarray) -> pa.Array:
    """Ids as 16 hexadecimal digits that do not tell the order of `number`; never two alike."""
    pairs = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2")
    octets = mix(number).astype(">u8").view(np.uint8).reshape(-1, 8)
    return _fixed_width(pairs[octets].view(np.uint8))


def pick(ids: pa.Array, position: np.ndarray) -> pa.Array:
    """`ids` at each `position`, faster than ``take`` because ids of one kind are equally long.

    Parameters
    ----------
    ids : pyarrow.Array of string
        From :func:`numbered` or :func:`scrambled`, not sliced.
    position : array of int
    """
    if not len(ids):
        return ids
    characters = np.frombuffer(ids.buffers()[2], dtype=np.uint8).reshape(len(ids), -1)
    width = characters.shape[1]
    chosen = characters.view(f"V{width}").ravel()[position]
    return _fixed_width(chosen.view(np.uint8).reshape(-1, width))


def _fixed_width(text: np.ndarray) -> pa.Array:
    """Rows of characters, shape (n, width), as strings."""
    rows, width = text.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text))]
    )
