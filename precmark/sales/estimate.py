"""Sales with coupons, as an index of 100 without: the formula, its break-even and its return."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from precmark.claims import paper
from precmark.errors import InputError, Problem

DISCOUNTED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "all": ("every purchase with a coupon", lambda growth: 1 + growth),
    "anyway": (
        "only purchases that would have been made anyway",
        lambda growth: np.minimum(1.0, 1 + growth),
    ),
    "extra": ("only the extra purchases", lambda growth: np.maximum(growth, 0.0)),
    "none": ("nothing", lambda growth: 0.0 * growth),
}
"""What the discount is taken off: in words, and how many purchases that is for each one that coupon
holders would have made without, as a function of the growth (a number or an array)."""


@dataclass(frozen=True)
class Estimate:
    """Sales with coupons for given inputs; money in hundredths of the sales without coupons.

    Attributes
    ----------
    rate : float
        Coupons per session, above 0 to 1.
    growth : float
        Conversion of coupon holders over what it would have been, less 1.
    discount : float
        Off a basket, from 0, below 1.
    margin : float
        Gross margin on the list price, above 0 to 1.
    applies_to : str
        Key of :data:`DISCOUNTED`.
    sales : float
        Sales with coupons, 100 without.
    given : float
        Discount given away.
    profit : float
        Change of the gross profit.
    return_on_discount : float
        `profit` for each unit of discount given; not a number where none is.
    break_even_discount : float
        The discount at which `profit` is 0: 1 or more where even a free basket pays, 0 where no
        discount does; not a number where nothing is discounted.
    sales_break_even_discount : float
        The same for sales: the discount at which they stay at 100.
    break_even_growth : float
        The growth at which `profit` is 0 at this discount; infinite where none is.
    """

    rate: float
    growth: float
    discount: float
    margin: float
    applies_to: str
    sales: float
    given: float
    profit: float
    return_on_discount: float
    break_even_discount: float
    sales_break_even_discount: float
    break_even_growth: float


class Asked(NamedTuple):
    """A campaign as asked for: rate, growth and discount of :func:`estimate`."""

    rate: float
    growth: float
    discount: float


LEAST_DRAWS = 100
"""Fewer Monte Carlo draws leave an interval to chance."""


def asked_or_paper(
    rate: float | None,
    growth: float | None,
    discount: float | None,
    *,
    margin: float = 0.3,
    draws: int = LEAST_DRAWS,
) -> Asked:
    """The campaign that was asked for; what is None as in the paper's option 4.

    Raises
    ------
    InputError
        Lists everything that is out of range, of `margin` and `draws` too.
    """
    asked = Asked(
        paper("gu", "table7.option4_rate") if rate is None else rate,
        paper("gu", "table7.option4_growth") if growth is None else growth,
        paper("gu", "section5.discount") if discount is None else discount,
    )
    problems = input_problems(*asked, margin) + draw_problems(draws)
    if problems:
        raise InputError(problems)
    return asked


def draw_problems(draws: int) -> list[Problem]:
    """What is wrong with a number of Monte Carlo draws; empty where nothing is."""
    if draws >= LEAST_DRAWS:
        return []
    return [Problem(f"draws: {draws!r}", f"Give {LEAST_DRAWS} or more.")]


def input_problems(
    rate: float, growth: float, discount: float, margin: float, applies_to: str = "all"
) -> list[Problem]:
    """Everything that is wrong with the inputs of :func:`estimate`; empty where nothing is."""
    ranges = {
        "rate": (rate, lambda v: 0 < v <= 1, "above 0 and at most 1",
                 "Give coupons per session as a share: 0.01 for 1 %."),
        "growth": (growth, lambda v: -1 <= v < math.inf, "a number from -1 upwards",
                   "Give the growth of the conversion as a share: 0.25 for +25 %."),
        "discount": (discount, lambda v: 0 <= v < 1, "from 0 to below 1",
                     "Give the share of the price that the coupon takes off: 0.15 for 15 %."),
        "margin": (margin, lambda v: 0 < v <= 1, "above 0 and at most 1",
                   "Give the gross margin as a share of the list price: 0.3 for 30 %."),
    }  # fmt: skip
    problems = [
        Problem(f"{name}: {value!r} is not {words}", fix)
        for name, (value, fits, words, fix) in ranges.items()
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not fits(value)
    ]
    if applies_to not in DISCOUNTED:
        problems.append(
            Problem(f"applies_to: {applies_to!r} is none of {', '.join(DISCOUNTED)}", "Choose one.")
        )
    return problems


def estimate(
    rate: float, growth: float, discount: float, *, margin: float = 0.3, applies_to: str = "all"
) -> Estimate:
    """Estimated sales, profit and break-even of a coupon campaign.

    Parameters
    ----------
    rate : float
        Coupons per session, above 0 to 1.
    growth : float
        Conversion of coupon holders over what it would have been without coupon, less 1; from -1.
    discount : float
        Share of a basket's price, from 0, below 1.
    margin : float
        Gross margin, share of the list price, above 0 to 1.
    applies_to : {"all", "anyway", "extra", "none"}
        What the discount is taken off (:data:`DISCOUNTED`).

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        Lists every input outside its range.

    Notes
    -----
    Let a store have n sessions, of which each buys with probability c for a basket of b: sales
    without coupons are n c b = 100. A share r of the sessions gets a coupon. If they would have
    bought like the others, their conversion becomes c (1 + g), and u purchases for each one that
    they would have made anyway are paid (1 - d) b. Then the sessions without coupon bring
    100 (1 - r), those with one 100 r (1 + g - d u), together

        sales = 100 (1 + r (g - d u)),       u = 1 + g where every purchase is discounted,

    of which 100 r d u were given away. With a margin m on the list price, profit changes by
    100 r (m g - d u): it breaks even at d = m g / u, with u = 1 + g at d = m g / (1 + g). The rate
    r scales what is won and lost alike, so break-even does not depend on it. Two assumptions carry
    all of this: coupon holders would have bought like the others, and g is the coupon's doing.

    Examples
    --------
    One session in ten gets 20 % off, and twice as many of these buy:

    >>> found = estimate(0.1, 1.0, 0.2, margin=0.5)
    >>> round(found.sales, 6), round(found.given, 6), round(found.profit, 6)
    (106.0, 4.0, 1.0)
    >>> round(found.break_even_discount, 6), round(found.return_on_discount, 6)
    (0.25, 0.25)
    """
    problems = input_problems(rate, growth, discount, margin, applies_to)
    if problems:
        raise InputError(problems)
    units = float(DISCOUNTED[applies_to][1](growth))
    given = 100 * rate * discount * units
    profit = 100 * rate * margin * growth - given
    return Estimate(
        rate=rate,
        growth=growth,
        discount=discount,
        margin=margin,
        applies_to=applies_to,
        sales=100 * (1 + rate * growth) - given,
        given=given,
        profit=profit,
        return_on_discount=profit / given if given else math.nan,
        break_even_discount=_break_even(margin * growth, units),
        sales_break_even_discount=_break_even(growth, units),
        break_even_growth=_growth_needed(discount, margin, applies_to),
    )


def _break_even(gain: float, units: float) -> float:
    if units == 0:
        return math.nan
    return max(gain, 0.0) / units


def _growth_needed(discount: float, margin: float, applies_to: str) -> float:
    """The least growth at which the discount pays: m g = d u(g)."""
    if applies_to == "none" or discount == 0:
        return 0.0
    if applies_to == "anyway":
        return discount / margin
    if applies_to == "extra":
        return 0.0 if discount <= margin else math.inf
    return discount / (margin - discount) if discount < margin else math.inf
