"""What a check concludes, in the study's verdicts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from precmark.audit.quantities import Interval, Quantity, Unbounded, number

CONSISTENT = "reproduced"
CONTRADICTED = "internally inconsistent"
OPEN = "undecided"
ASSUMED = "holds if assumed"
NOT_TESTABLE = "not testable with public data"
"""The verdicts (design section 5) that arithmetic on printed figures can reach."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    verdict : str
        One of :data:`precmark.chapters.VERDICTS`; "" where a chapter has to try the claim.
    why : str
        One sentence with the figures.
    computed : str
        What the check computed, formatted; "" where nothing was.
    interval : tuple of float or None
        The least and the most that the printed digits, or chance, leave open for it.
    """

    verdict: str
    why: str
    computed: str = ""
    interval: tuple[float, float] | None = None


def ends(interval: Interval) -> tuple[float, float]:
    """`interval` as two floats."""
    return float(interval.low), float(interval.high)


def span(interval: Interval, *, like: Quantity) -> str:
    """`interval` in words: its two ends, or the one number that they show as."""
    low, high = (number(end, like=like) for end in (interval.low, interval.high))
    return low if low == high else f"{low} to {high}"


def compare(
    lead: str,
    value: Fraction | float,
    found: Interval,
    printed: Quantity,
    *,
    like: Quantity | None = None,
) -> Finding:
    """A finding on whether a computed figure is the printed one within all printed digits.

    Parameters
    ----------
    lead : str
        The sentence up to the computed figure, e.g. ``"The parts add up to"``.
    value : Fraction or float
        The computed figure, every input at face value.
    found : Interval
        The computed figure for everything that the inputs' digits leave open.
    printed : Quantity
        What it is compared with.
    like : Quantity, optional
        Whose unit and digits the computed figure is shown with; `printed` where None.
    """
    like = like or printed
    computed = number(value, like=like)
    given = f"{lead} {computed}"
    if (open_to := span(found, like=like)) != computed:
        given += f" ({open_to} for all that the digits leave open)"
    agrees = found.meets(printed.interval)
    tail = f", which agrees with {printed.text}." if agrees else f", not {printed.text}."
    return Finding(CONSISTENT if agrees else CONTRADICTED, given + tail, computed, ends(found))


def sentence(text: str) -> str:
    """`text` with a capital at its start."""
    return text[:1].upper() + text[1:]


def open_when_unbounded(check: Callable[..., Finding]) -> Callable[..., Finding]:
    """`check`, undecided where it has to divide by what may be 0."""

    @functools.wraps(check)
    def guarded(**arguments: object) -> Finding:
        try:
            return check(**arguments)
        except Unbounded as error:
            return Finding(OPEN, f"The printed digits leave everything open: {error}.")

    return guarded
