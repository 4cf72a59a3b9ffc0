"""How alike two spellings are: Jaro-Winkler similarity and a single slip of the keyboard."""

from __future__ import annotations

from functools import lru_cache

PREFIX_SCALE = 0.1
"""What each of the first four equal letters adds of the rest, in Winkler's paper."""


def jaro(first: str, second: str) -> float:
    """Jaro's similarity of two texts, 0 to 1.

    With m letters in common (equal, and no further apart than half the longer text less one) and t
    half the number of them that stand in another order: (m/a + m/b + (m - t)/m) / 3; 1 for two
    empty texts, 0 where m is 0.
    """
    if first == second:
        return 1.0
    reach = max(max(len(first), len(second)) // 2 - 1, 0)
    taken = [False] * len(second)
    common = []
    for i, letter in enumerate(first):
        for j in range(max(0, i - reach), min(len(second), i + reach + 1)):
            if not taken[j] and second[j] == letter:
                taken[j] = True
                common.append(letter)
                break
    if not common:
        return 0.0
    theirs = [letter for letter, used in zip(second, taken, strict=True) if used]
    moved = sum(a != b for a, b in zip(common, theirs, strict=True)) / 2
    m = len(common)
    return (m / len(first) + m / len(second) + (m - moved) / m) / 3


@lru_cache(maxsize=2**18)
def jaro_winkler(first: str, second: str) -> float:
    """Jaro's similarity raised for texts that begin alike, 0 to 1.

    References
    ----------
    Winkler, String comparator metrics and enhanced decision rules in the Fellegi-Sunter model of
    record linkage, 1990.

    Examples
    --------
    >>> round(jaro_winkler("martha", "marhta"), 3)
    0.961
    """
    found = jaro(first, second)
    same = 0
    for a, b in zip(first[:4], second[:4], strict=False):
        if a != b:
            break
        same += 1
    return found + same * PREFIX_SCALE * (1 - found)


@lru_cache(maxsize=2**18)
def one_slip(first: str, second: str) -> bool:
    """Whether one letter changed, added, lost, or two neighbours exchanged, part the two texts."""
    if first == second:
        return True
    short, long = sorted((first, second), key=len)
    if len(long) - len(short) > 1:
        return False
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    if len(short) != len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start + 1 : start + 2] + short[start : start + 1] + short[start + 2 :]
    return short[start + 1 :] == long[start + 1 :] or swapped == long[start:]
