"""How sure an estimate is that rests on counted sessions and buyers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.claims import paper
from precmark.errors import InputError, Problem
from precmark.sales.estimate import DISCOUNTED, draw_problems, input_problems


@dataclass(frozen=True)
class Counts:
    """What was counted of a campaign: a row of the paper's Table 6.

    Attributes
    ----------
    couponed, other : float
        Sessions with and without a coupon (C-1-N and C-2-N), 1 or more.
    couponed_conversion, other_conversion : float
        Shares of them that bought (C-1 and C-2), 0 to 1.
    rate : float, optional
        Coupons per session, above 0 to 1, where it was set beforehand. None: as counted, and as
        uncertain as the counts make it.
    """

    couponed: float
    couponed_conversion: float
    other: float
    other_conversion: float
    rate: float | None = None


def count_problems(counts: Counts, name: str = "counts") -> list[Problem]:
    """Everything that is wrong with `counts`."""
    problems = [
        Problem(f"{name}.{field}: {value!r} is not a number of sessions", "Give 1 or more.")
        for field in ("couponed", "other")
        if not 1 <= (value := getattr(counts, field)) < np.inf
    ]
    problems += [
        Problem(f"{name}.{field}: {value!r} is not a share", "Give the share that bought, 0 to 1.")
        for field in ("couponed_conversion", "other_conversion")
        if not 0 <= (value := getattr(counts, field)) <= 1
    ]
    if counts.other_conversion == 0:
        problems.append(
            Problem(
                f"{name}.other_conversion: nobody bought without a coupon",
                "A growth needs something that it grows from; count for longer.",
            )
        )
    if counts.rate is not None and not 0 < counts.rate <= 1:
        problems.append(
            Problem(f"{name}.rate: {counts.rate!r} is not above 0 and at most 1", "Give a share.")
        )
    return problems


def compare(
    campaigns: Mapping[str, Counts],
    discount: float,
    *,
    margin: float = 0.3,
    applies_to: str = "all",
    draws: int = 20_000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """The estimates of several campaigns with the intervals that their counts leave.

    Parameters
    ----------
    campaigns : mapping of name to Counts
    discount, margin, applies_to
        See :func:`precmark.sales.estimate`.
    draws : int
        Monte Carlo draws, 100 or more.
    seed : int
        Same seed, same numbers.
    level : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row a campaign and quantity: ``campaign``, ``quantity``, ``value`` from the counts as
        they are, ``low``, ``high``, and ``best``: the share of draws in which this campaign has
        the highest value of all. Quantities: "growth"; "sales"; "sales_per_coupon", the change of
        sales for one coupon, in what its holder would have bought for without it on average; and
        "return_on_discount" where every campaign gives some discount away in every draw.

    Raises
    ------
    InputError
        Lists every bad input of every campaign.

    Notes
    -----
    Each conversion is drawn from the Beta distribution that its buyers b of n sessions leave with
    Jeffreys' prior, Beta(b + 1/2, n - b + 1/2); a rate that was counted from Beta(n1 + 1/2,
    n2 + 1/2). Campaigns are independent. The intervals say what the counts leave open, not whether
    the growth is the coupons' doing.

    References
    ----------
    Brown, Cai and DasGupta 2001, Interval estimation for a binomial proportion,
    doi:10.1214/ss/1009213286.
    """
    problems = input_problems(1.0, 0.0, discount, margin, applies_to)
    for name, counts in campaigns.items():
        problems += count_problems(counts, name)
    if not campaigns:
        problems.append(Problem("campaigns: none given", "Give at least one."))
    problems += draw_problems(draws)
    if not 0 < level < 1:
        problems.append(Problem(f"level: {level!r} is not between 0 and 1", "Give 0.95."))
    if problems:
        raise InputError(problems)
    random = np.random.default_rng(seed)
    terms = (discount, margin, applies_to)
    drawn = [_quantities(*_draw(c, draws, random), *terms) for c in campaigns.values()]
    plain = [_quantities(*_as_counted(c), *terms) for c in campaigns.values()]
    tails = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for quantity in [q for q in drawn[0] if all(q in d for d in drawn)]:
        every = np.vstack([d[quantity] for d in drawn])
        best = np.bincount(every.argmax(axis=0), minlength=len(drawn)) / draws
        for name, values, value, share in zip(campaigns, every, plain, best, strict=True):
            low, high = np.quantile(values, tails)
            rows.append((name, quantity, float(value[quantity]), low, high, share))
    columns = ["campaign", "quantity", "value", "low", "high", "best"]
    return pd.DataFrame(rows, columns=columns)


def _as_counted(counts: Counts) -> tuple[float, float]:
    rate = counts.couponed / (counts.couponed + counts.other)
    growth = counts.couponed_conversion / counts.other_conversion - 1
    return rate if counts.rate is None else counts.rate, growth


def _draw(counts: Counts, draws: int, random: np.random.Generator) -> tuple:
    """Rate and growth, `draws` times."""
    rate = counts.rate
    if rate is None:
        rate = random.beta(counts.couponed + 0.5, counts.other + 0.5, draws)
    shares = [
        random.beta(n * share + 0.5, n * (1 - share) + 0.5, draws)
        for n, share in (
            (counts.couponed, counts.couponed_conversion),
            (counts.other, counts.other_conversion),
        )
    ]
    return rate, shares[0] / shares[1] - 1


def _quantities(rate, growth, discount: float, margin: float, applies_to: str) -> dict:
    """What :func:`compare` reports, for numbers or arrays of `rate` and `growth`."""
    given = discount * DISCOUNTED[applies_to][1](growth)
    found = {
        "growth": growth,
        "sales": 100 * (1 + rate * (growth - given)),
        "sales_per_coupon": growth - given,
    }
    if np.all(given > 0):
        found["return_on_discount"] = margin * growth / given - 1
    return found


def paper_counts(*, printed_rate: bool = True) -> dict[str, Counts]:
    """The four rows of the paper's Table 6, by option.

    Parameters
    ----------
    printed_rate : bool
        Whether the rate is Table 7's, or what the counts of Table 6 give.
    """
    found = {}
    for option in "1234":
        row = {
            name: paper("gu", f"table6.option{option}_{key}")
            for name, key in (
                ("couponed", "couponed_sessions"),
                ("couponed_conversion", "couponed_conversion"),
                ("other", "other_sessions"),
                ("other_conversion", "other_conversion"),
            )
        }
        rate = paper("gu", f"table7.option{option}_rate") if printed_rate else None
        found[option] = Counts(**row, rate=rate)
    return found
