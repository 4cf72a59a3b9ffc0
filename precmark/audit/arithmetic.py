"""Checks of printed figures against one another: sums, ratios, means, formulas.

Every check takes :class:`~precmark.audit.quantities.Quantity` arguments and asks whether *some*
true numbers that round to what is printed agree. So it raises no false alarm about rounding: what
it calls inconsistent is so for every number that the digits, read as rounded, can stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from operator import add, mul

from precmark.audit.expressions import evaluate, parse, written
from precmark.audit.finding import (
    CONSISTENT,
    CONTRADICTED,
    Finding,
    compare,
    open_when_unbounded,
)
from precmark.audit.quantities import Interval, Quantity, number
from precmark.errors import InputError

WHOLE = Quantity(Fraction(1), unit="share")


def _sum(quantities: Sequence[Quantity]) -> tuple[Fraction, Interval]:
    values = sum((q.value for q in quantities), Fraction(0))
    return values, reduce(add, (q.interval for q in quantities))


def total(*, parts: Sequence[Quantity], total: Quantity) -> Finding:
    """Whether printed parts add up to their printed total."""
    return compare(f"The {len(parts)} parts add up to", *_sum(parts), total)


def shares(*, parts: Sequence[Quantity], total: Quantity = WHOLE) -> Finding:
    """Whether printed shares of a whole add up to it, to 1 where no `total` is given."""
    return compare(f"The {len(parts)} shares add up to", *_sum(parts), total, like=parts[0])


@open_when_unbounded
def ratio(*, numerator: Quantity, denominator: Quantity, printed: Quantity) -> Finding:
    """Whether a printed ratio is that of its two printed figures."""
    if not denominator.value:
        raise InputError("ratio: the denominator is 0. Name the figure that it is divided by.")
    return compare(
        f"{numerator.text} divided by {denominator.text} is",
        numerator.value / denominator.value,
        numerator.interval / denominator.interval,
        printed,
    )


@open_when_unbounded
def growth(*, new: Quantity, old: Quantity, printed: Quantity) -> Finding:
    """Whether a printed growth is `new` / `old` - 1."""
    if not old.value:
        raise InputError("growth: the old figure is 0, so no growth can follow from it.")
    one = Interval(Fraction(1), Fraction(1))
    return compare(
        f"From {old.text} to {new.text} is a growth of",
        new.value / old.value - 1,
        new.interval / old.interval - one,
        printed,
    )


def product(*, factors: Sequence[Quantity], printed: Quantity) -> Finding:
    """Whether a printed figure is the product of its printed factors."""
    return compare(
        " times ".join(f.text for f in factors) + " is",
        reduce(mul, (f.value for f in factors)),
        reduce(mul, (f.interval for f in factors)),
        printed,
    )


def difference(*, a: Quantity, b: Quantity, printed: Quantity) -> Finding:
    """Whether a printed difference is `a` - `b`."""
    lead = f"{a.text} less {b.text} is"
    return compare(lead, a.value - b.value, a.interval - b.interval, printed)


def mean(*, values: Sequence[Quantity], printed: Quantity) -> Finding:
    """Whether a printed mean is the plain mean of the printed values."""
    summed, found = _sum(values)
    count = Fraction(len(values))
    return compare(
        f"The mean of the {len(values)} figures is",
        summed / count,
        found / Interval(count, count),
        printed,
    )


@open_when_unbounded
def weighted_mean(
    *, values: Sequence[Quantity], weights: Sequence[Quantity], printed: Quantity
) -> Finding:
    """Whether a printed mean is that of the printed values with the printed weights.

    Raises
    ------
    InputError
        As many weights as values are needed, none negative, not all 0.
    """
    if len(values) != len(weights):
        raise InputError(
            f"weighted_mean: {len(values)} values but {len(weights)} weights. Give one a value."
        )
    if any(w.value < 0 for w in weights) or not any(w.value for w in weights):
        raise InputError("weighted_mean: weights are 0 or more, and one at least is above 0.")
    whole = sum(w.value for w in weights)
    face = sum(v.value * w.value for v, w in zip(values, weights, strict=True)) / whole
    return compare(
        f"The weighted mean of the {len(values)} figures is",
        face,
        Interval(_least_mean(values, weights), -_least_mean(_negated(values), weights)),
        printed,
    )


def _negated(values: Sequence[Quantity]) -> list[Quantity]:
    return [Quantity(-v.value, v.half_width) for v in values]


def _least_mean(values: Sequence[Quantity], weights: Sequence[Quantity]) -> Fraction:
    """The least weighted mean over all values and weights in their intervals, exactly.

    At the least, every value is at its low end, and each weight at its high end where its value is
    below the mean, at its low end where it is above: so the values are sorted, and every place to
    change over is tried.
    """
    ends = sorted(
        (v.interval.low, max(w.interval.low, Fraction(0)), w.interval.high)
        for v, w in zip(values, weights, strict=True)
    )
    found = []
    for change in range(len(ends) + 1):
        weighed = [high for _, _, high in ends[:change]] + [low for _, low, _ in ends[change:]]
        if whole := sum(weighed):
            found.append(sum(e[0] * w for e, w in zip(ends, weighed, strict=True)) / whole)
    return min(found)


@open_when_unbounded
def f1(*, precision: Quantity, recall: Quantity, printed: Quantity) -> Finding:
    """Whether a printed F1 is the harmonic mean 2PR / (P + R) of precision and recall.

    Raises
    ------
    InputError
        Precision and recall lie between 0 and 1 and are not both 0.
    """
    rates = {"precision": precision, "recall": recall}
    problems = [
        f"f1: {name} {float(q.value)}: give a rate above 0 and at most 1 (divide per cent by 100)."
        for name, q in rates.items()
        if not 0 < q.value <= 1
    ]
    if problems:
        raise InputError(problems)

    def harmonic(p: Fraction, r: Fraction) -> Fraction:
        return 2 * p * r / (p + r) if p > 0 and r > 0 else Fraction(0)

    low, high = (
        harmonic(getattr(precision.interval, end), getattr(recall.interval, end))
        for end in ("low", "high")
    )  # The harmonic mean rises with both.
    return compare(
        f"Precision {precision.text} and recall {recall.text} give an F1 of",
        harmonic(precision.value, recall.value),
        Interval(low, high),
        printed,
    )


@open_when_unbounded
def formula(*, expression: str, printed: Quantity, **symbols: Quantity) -> Finding:
    """Whether a printed figure is what `expression` makes of other printed figures.

    Parameters
    ----------
    expression : str
        Numbers, names of `symbols`, ``+ - * / **``, ``sqrt log exp abs min max`` and brackets.
    printed : Quantity
        What it should give.
    symbols : Quantity
        One for each name in `expression`.

    Raises
    ------
    InputError
        Anything else in `expression`, a name without a figure, a figure without its name.
    """
    tree = parse(expression, symbols)
    face = {name: Interval(q.value, q.value) for name, q in symbols.items()}
    value = evaluate(tree, face)
    found = evaluate(tree, {name: q.interval for name, q in symbols.items()})
    texts = {name: number(q.value, like=q, more=0) for name, q in symbols.items()}
    return compare(f"{written(tree, texts)} is", value.low, found, printed)


def same(*, values: Sequence[Quantity]) -> Finding:
    """Whether one figure that is printed in several places is the same in all of them.

    A figure that is printed with fewer digits elsewhere agrees where it rounds to the same.
    """
    apart = [
        (a, b) for i, a in enumerate(values) for b in values[i + 1 :]
        if not a.interval.overlaps(b.interval)
    ]  # fmt: skip
    if not apart:
        texts = " and ".join(dict.fromkeys(q.text for q in values))
        places = "Both" if len(values) == 2 else f"All {len(values)}"
        return Finding(CONSISTENT, f"{places} places have {texts}.", texts)
    first, other = apart[0]
    shown = [_placed(q, in_words=first.what != other.what) for q in (first, other)]
    return Finding(
        CONTRADICTED,
        f"Printed are {shown[0]} and {shown[1]}, where one figure should stand.",
        " and ".join(dict.fromkeys(q.text for q in values)),
    )


def _placed(quantity: Quantity, *, in_words: bool) -> str:
    """A figure with its place, and what it is where the words tell it from another."""
    beside = "; ".join(filter(None, (quantity.what if in_words else "", quantity.place)))
    return f"{quantity.text} ({beside})" if beside else quantity.text
