"""Printed figures as intervals: what the digits leave open, computed without rounding errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from precmark.claims import half_width_of

HALF = Fraction(1, 2)
_BARE_UNITS = ("", "1", "index", "coefficient")


class Unbounded(ArithmeticError):
    """An operation whose result has no bounds: a division by a figure that may be 0."""


def exact(number: object) -> Fraction:
    """`number` as a fraction: of a float the shortest decimal that names it (0.1 is 1/10)."""
    if isinstance(number, (int, Fraction, Decimal)):
        return Fraction(number)
    return Fraction(repr(float(number)))


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`, both included; arithmetic and whole powers are exact.

    An operation returns the smallest interval that holds every result, provided that no figure
    stands twice in the expression; where one does, the interval may be wider.

    Attributes
    ----------
    low, high : Fraction
    """

    low: Fraction
    high: Fraction

    @classmethod
    def hull(cls, numbers: Iterable[Fraction]) -> Interval:
        """The smallest interval that holds `numbers`."""
        found = list(numbers)
        return cls(min(found), max(found))

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, other: Interval) -> Interval:
        return Interval.hull(a * b for a in (self.low, self.high) for b in (other.low, other.high))

    def __truediv__(self, other: Interval) -> Interval:
        if other.low <= 0 <= other.high:
            raise Unbounded("the figure that it divides by may be 0")
        return self * Interval(1 / other.high, 1 / other.low)

    def __pow__(self, power: int) -> Interval:
        if power < 0:
            return Interval(Fraction(1), Fraction(1)) / self**-power
        ends = [self.low**power, self.high**power]
        if power % 2 == 0 and self.low <= 0 <= self.high:
            ends.append(Fraction(0**power))
        return Interval.hull(ends)

    def rising(self, function: Callable[[float], float]) -> Interval:
        """`function`, which rises and works on floats, of this interval, rounded outwards."""
        try:
            low, high = function(float(self.low)), function(float(self.high))
        except ValueError:
            raise Unbounded("it takes a root or logarithm of what may be 0 or negative") from None
        except OverflowError:
            raise Unbounded("a power is too large to compute") from None
        return Interval(
            Fraction(math.nextafter(low, -math.inf)), Fraction(math.nextafter(high, math.inf))
        )

    def meets(self, other: Interval) -> bool:
        """Whether the two hold a number in common."""
        return self.low <= other.high and other.low <= self.high

    def overlaps(self, other: Interval) -> bool:
        """Whether the two hold more than one touching end in common, or are the same number."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return low < high or (low == high and (self.low == self.high or other.low == other.high))


@dataclass(frozen=True)
class Quantity:
    """A figure as it is printed: it stands for every number that rounds to it.

    Attributes
    ----------
    value : Fraction
        As printed; floats and decimals are turned into what their digits say.
    half_width : Fraction
        How far the true number may lie from `value`: half a unit of the last digit; 0 for an
        exact number.
    unit : str
        A unit that starts with "share" is shown in per cent.
    what : str
        The figure in words.
    place : str
        Where it is printed.

    Examples
    --------
    >>> Quantity(0.0376, 0.00005, unit="share of sessions").text
    '3.76%'
    """

    value: Fraction
    half_width: Fraction = Fraction(0)
    unit: str = ""
    what: str = ""
    place: str = ""

    def __post_init__(self):
        object.__setattr__(self, "value", exact(self.value))
        object.__setattr__(self, "half_width", exact(self.half_width))

    @classmethod
    def printed(cls, digits: str, unit: str = "", what: str = "") -> Quantity:
        """The figure that is typed as `digits`, known to half a unit of its last digit."""
        value = Decimal(digits)
        return cls(value, half_width_of(value), unit, what)

    @property
    def interval(self) -> Interval:
        """Every number that the printed digits leave open."""
        return Interval(self.value - self.half_width, self.value + self.half_width)

    @property
    def whole(self) -> bool:
        """Whether it is a whole number typed in full, as a count is."""
        return self.value.denominator == 1 and self.half_width in (0, HALF)

    @property
    def cut(self) -> Quantity:
        """The same digits, read as cut off instead of rounded; whole numbers stay."""
        if self.whole:
            return self
        away = self.half_width if self.value >= 0 else -self.half_width
        return _Cut(self.value + away, self.half_width, self.unit, self.what, self.place, self.text)

    @property
    def text(self) -> str:
        """The figure as the audit prints it, with its unit where it has one."""
        shown = number(self.value, like=self, more=0)
        bare = self.is_share or self.unit in _BARE_UNITS
        return shown if bare else f"{shown} {self.unit}"

    @property
    def is_share(self) -> bool:
        """Whether it is shown in per cent."""
        return self.unit.startswith("share")

    @property
    def name(self) -> str:
        """The figure in words with its value, for sentences."""
        return f"{self.what} ({self.text})" if self.what else self.text

    @property
    def value_first(self) -> str:
        """The value with the figure in words, for sentences."""
        return f"{self.text} ({self.what})" if self.what else self.text


@dataclass(frozen=True)
class _Cut(Quantity):
    """A quantity read as cut off: its interval has moved, what is printed has not."""

    shown: str = ""

    @property
    def text(self) -> str:
        return self.shown


def decimals(quantity: Quantity) -> int:
    """How many decimals `quantity` is known to; of an exact number, those it has, 6 at most."""
    if quantity.half_width:
        return max(math.ceil(-math.log10(2 * float(quantity.half_width)) - 1e-9), 0)
    return next((d for d in range(6) if (quantity.value * 10**d).denominator == 1), 6)


def number(value: Fraction | float, *, like: Quantity, more: int | None = None) -> str:
    """`value` in the unit of `like`, with `more` decimals than `like` is printed with.

    Where `more` is None, one or two more; none for a whole number beside a whole number.
    """
    places = max(decimals(like) - 2, 0) if like.is_share else decimals(like)
    shown = float(value) * 100 if like.is_share else float(value)
    if more is None:
        more = 2 if places < 2 else 1
        if like.whole and not like.is_share and (shown == int(shown) or abs(shown) >= 1000):
            more = 0
    return f"{shown:,.{places + more}f}" + ("%" if like.is_share else "")


def beside(quantity: Quantity, other: Quantity) -> Quantity:
    """`quantity`, shown in per cent where it is a bare number and `other` is a share."""
    if other.is_share and quantity.unit in _BARE_UNITS:
        return dataclasses.replace(quantity, unit="share")
    return quantity


def cut_off(argument: object) -> object:
    """`argument` of a check with every quantity in it read as cut off."""
    if isinstance(argument, Quantity):
        return argument.cut
    if isinstance(argument, (list, tuple)):
        return type(argument)(cut_off(a) for a in argument)
    return argument


def without_rounding(quantity: Quantity) -> Quantity:
    """`quantity` taken at face value."""
    return dataclasses.replace(quantity, half_width=Fraction(0))
