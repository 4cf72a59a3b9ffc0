"""Checks of claims about order: best of a table, rising, at most, within."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from precmark.audit.finding import CONSISTENT, CONTRADICTED, OPEN, Finding, ends, sentence
from precmark.audit.quantities import Quantity
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
    gap = smaller.interval - larger.interval
    if gap.low > 0:
        why = f"{smaller.value_first} is more than {larger.value_first} allows."
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
    return Finding(
        CONSISTENT if inside else CONTRADICTED,
        f"{value.text} {word} between {low.text} and {high.text}.",
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
