"""Checks of claims about order: best of a table, rising, at most, within, inequalities."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from precmark.audit.expressions import comparison, evaluate, written
from precmark.audit.finding import (
    CONSISTENT,
    CONTRADICTED,
    OPEN,
    Finding,
    ends,
    open_when_unbounded,
    sentence,
)
from precmark.audit.quantities import Interval, Quantity, beside, number
from precmark.errors import InputError


def _above(a: Quantity, b: Quantity) -> bool:
    """Whether `a` is above `b` for all that their digits leave open (a shared end aside)."""
    return a.value > b.value and a.interval.low >= b.interval.high


def ranking(
    *, best: Quantity, others: Sequence[Quantity], order: Literal["highest", "lowest"] = "highest"
) -> Finding:
    """Whether the figure that is called the best of a table is the highest (or lowest) in it.

    Undecided where a rival is printed the same, or so near that the digits leave it open.
    """
    up = order == "highest"
    beaten = [o for o in others if (_above(best, o) if up else _above(o, best))]
    ahead = [o for o in others if (_above(o, best) if up else _above(best, o))]
    word = "higher" if up else "lower"
    if ahead:
        top = (max if up else min)(ahead, key=lambda o: o.value)
        why = f"{top.name} is {word} than {best.name}"
        more = len(ahead) - 1
        why += f", and so {'is' if more == 1 else 'are'} {more} more." if more else "."
        return Finding(CONTRADICTED, sentence(why), top.text)
    count = f"{len(beaten)} of {len(others)}"
    if len(beaten) == len(others):
        next_one = (max if up else min)(others, key=lambda o: o.value)
        why = f"{best.text} is the {order}; next comes {next_one.name}."
        return Finding(CONSISTENT, why, f"{best.text} against {next_one.text}")
    level = next(o for o in others if o not in beaten)
    why = f"The digits do not tell {best.text} from {level.name}; it is {word} than {count}."
    return Finding(OPEN, why, count)


def monotone(
    *, values: Sequence[Quantity], direction: Literal["increasing", "decreasing"]
) -> Finding:
    """Whether printed figures rise (or fall) from each to the next.

    Raises
    ------
    InputError
        Fewer than two values.
    """
    if len(values) < 2:
        raise InputError("monotone: give two values or more, in their order.")
    up = direction == "increasing"
    steps = list(pairwise(values))
    against = [(a, b) for a, b in steps if (_above(a, b) if up else _above(b, a))]
    level = [(a, b) for a, b in steps if not _above(a, b) and not _above(b, a)]
    row = ", ".join(v.text for v in values)
    if against:
        a, b = against[0]
        move = "falls" if up else "rises"
        return Finding(
            CONTRADICTED, f"In {row} it {move} from {a.text} to {b.text}.", f"{a.text} to {b.text}"
        )
    if level:
        a, b = level[0]
        why = f"In {row} the digits do not tell {a.text} from {b.text}."
        return Finding(OPEN, why, f"{a.text} and {b.text}")
    return Finding(CONSISTENT, f"{row} is {direction} at each step.", row)


def at_most(*, smaller: Quantity, larger: Quantity) -> Finding:
    """Whether a figure that cannot exceed another one does not."""
    smaller, larger = beside(smaller, larger), beside(larger, smaller)
    gap = smaller.interval - larger.interval
    if gap.low > 0:
        why = f"{smaller.value_first} is more than {larger.value_first}."
        return Finding(CONTRADICTED, why, smaller.text, ends(gap))
    why = f"{smaller.value_first} is no more than {larger.value_first}."
    return Finding(CONSISTENT, why, smaller.text, ends(gap))


def within(*, value: Quantity, low: Quantity, high: Quantity) -> Finding:
    """Whether a printed figure lies between two printed bounds.

    Raises
    ------
    InputError
        A lower bound above the upper one.
    """
    if low.value > high.value:
        raise InputError(f"within: low ({low.text}) is above high ({high.text}). Swap them.")
    inside = value.interval.high >= low.interval.low and value.interval.low <= high.interval.high
    word = "lies" if inside else "does not lie"
    rounded = inside and not low.value <= value.value <= high.value
    tail = ", as these are rounded" if rounded else ""
    return Finding(
        CONSISTENT if inside else CONTRADICTED,
        f"{value.text} {word} between {low.text} and {high.text}{tail}.",
        value.text,
        ends(value.interval),
    )


def correlation(*, value: Quantity) -> Finding:
    """Whether a printed correlation lies between -1 and 1."""
    found = value.interval
    if found.low > 1 or found.high < -1:
        return Finding(
            CONTRADICTED, f"A correlation lies between -1 and 1; {value.text} does not.",
            value.text, ends(found),
        )  # fmt: skip
    return Finding(CONSISTENT, f"{value.text} lies between -1 and 1.", value.text, ends(found))


_RELATIONS = {"<=": "at most", "<": "below", ">=": "at least", ">": "above"}


@open_when_unbounded
def inequality(*, expression: str, **symbols: Quantity) -> Finding:
    """Whether two expressions of printed figures stand in the order that is claimed.

    Parameters
    ----------
    expression : str
        Two sides with ``<=``, ``<``, ``>=`` or ``>`` between them, e.g. ``"sales <= 100 * (1 +
        rate * growth)"``; each side as in :func:`precmark.audit.arithmetic.formula`.
    symbols : Quantity
        One for each name in `expression`.

    Returns
    -------
    Finding
        Undecided where the digits leave both open. `interval` is that of left less right.

    Raises
    ------
    InputError
        No comparison, more than one, a side that is not arithmetic, a name without a figure, a
        figure without its name.
    """
    left, relation, right = comparison(expression, symbols)
    gap = evaluate(
        ast.BinOp(left, ast.Sub(), right), {name: q.interval for name, q in symbols.items()}
    )
    above = gap if relation.startswith("<") else -gap
    # Two ranges that share no more than an end are apart, as in a ranking.
    level = above.low == above.high == 0
    holds = relation.endswith("=") if level else above.high <= 0
    fails = above.low >= 0 and not holds
    shown, values = zip(*_sides(left, right, symbols), strict=True)
    said = f"{_RELATIONS[relation]} {shown[1]}"
    computed = " against ".join(values)
    if not holds and not fails:
        why = f"The digits leave open whether {shown[0]} is {said}."
        return Finding(OPEN, why, computed, ends(gap))
    why = f"{shown[0]} is {'' if holds else 'not '}{said}."
    return Finding(CONSISTENT if holds else CONTRADICTED, why, computed, ends(gap))


def _sides(
    left: ast.expr, right: ast.expr, symbols: Mapping[str, Quantity]
) -> list[tuple[str, str]]:
    """Each side in words, and its value; shown as the other side where that is one figure."""
    face = {name: Interval(q.value, q.value) for name, q in symbols.items()}
    texts = {name: number(q.value, like=q, more=0) for name, q in symbols.items()}
    sides = []
    for side, other in ((left, right), (right, left)):
        if isinstance(side, ast.Name):
            sides.append((symbols[side.id].text, texts[side.id]))
            continue
        value = evaluate(side, face).low
        fixed = isinstance(side, ast.Constant)
        if isinstance(other, ast.Name):
            shown = number(value, like=symbols[other.id], more=0 if fixed else None)
        else:
            shown = f"{float(value):,.0f}" if abs(value) >= 1000 else f"{float(value):.4g}"
        sides.append((shown if fixed else f"{written(side, texts)} = {shown}", shown))
    return sides
