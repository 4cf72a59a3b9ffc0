"""Checks of shares against the counts that they come from: GRIM, two proportions, intervals."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Literal

from precmark.audit.finding import CONSISTENT, CONTRADICTED, OPEN, Finding
from precmark.audit.quantities import Interval, Quantity, decimals, exact, number
from precmark.errors import InputError

ONE_ITEM = Quantity(Fraction(1))


def grim(*, share: Quantity, total: Quantity, items: Quantity = ONE_ITEM) -> Finding:
    """Whether a printed share (or mean of whole numbers) can come from a whole number of cases.

    Parameters
    ----------
    share : Quantity
        A share, from 0 to 1; or a mean of whole numbers.
    total : Quantity
        How many cases it is of; where it is itself rounded, every whole number that rounds to it
        is tried.
    items : Quantity
        Whole numbers that each case sums over, for means of scales; 1 for shares.

    Returns
    -------
    Finding
        Undecided where every share of so many digits can come from so many cases: then the test
        cannot fail and says nothing.

    Raises
    ------
    InputError
        A total or items below 1, a negative share, a share in per cent instead of from 0 to 1.

    References
    ----------
    Brown & Heathers 2017, The GRIM test, doi:10.1177/1948550616673876.
    """
    problems = [
        f"grim: {name} is {q.text}; give a whole number from 1 up."
        for name, q in (("total", total), ("items", items))
        if q.value < 1
    ]
    if share.value < 0 or (share.is_share and share.value > 1):
        problems.append(f"grim: share is {share.text}; give a number from 0 to 1.")
    if problems:
        raise InputError(problems)
    wanted = share.interval
    low, high = math.ceil(total.interval.low), math.floor(total.interval.high)
    low, pieces = max(low, 1), int(items.value)
    text = f"{float(total.value) * pieces:,.0f}"
    if (wanted.high - wanted.low) * high * pieces >= 1:
        why = f"Of {text} a count can give any figure of so many digits: this test cannot fail."
        return Finding(OPEN, why, "any")
    for cases in range(low, high + 1):
        count = math.ceil(wanted.low * cases * pieces)
        if count <= wanted.high * cases * pieces:
            found = Fraction(count, cases * pieces)
            shown = number(found, like=share)
            why = f"{count:,} of {cases * pieces:,} is {shown}, which rounds to {share.text}."
            return Finding(CONSISTENT, why, f"{count:,} of {cases * pieces:,}")
    return _no_count(share, int(total.value) * pieces)


def _no_count(share: Quantity, cases: int) -> Finding:
    below = math.floor(share.value * cases)
    near = [(k, number(Fraction(k, cases), like=share)) for k in (below, below + 1)]
    text = " and ".join(f"{k:,} of {cases:,} is {shown}" for k, shown in near)
    return Finding(
        CONTRADICTED,
        f"No count gives {share.text}: {text}.",
        " or ".join(shown for _, shown in near),
    )


def _counts(share: Quantity, total: Quantity) -> tuple[int, int, int]:
    """Cases, and the fewest and most of them that the share can mean; the nearest where none."""
    cases = round(total.value)
    low = math.ceil(share.interval.low * cases)
    high = math.floor(share.interval.high * cases)
    if low > high:
        low = high = round(share.value * cases)
    return cases, max(low, 0), min(high, cases)


def _refuse_shares(check: str, **pairs: tuple[Quantity, Quantity]) -> None:
    """Raise for shares outside 0 to 1 and totals below 1."""
    problems = []
    for name, (share, total) in pairs.items():
        if not 0 <= share.value <= 1:
            problems.append(f"{check}: {name} is {float(share.value):g}; give a share from 0 to 1.")
        if total.value < 1:
            problems.append(f"{check}: the total of {name} is {total.text}; give 1 or more.")
    if problems:
        raise InputError(problems)


def two_proportions(
    *,
    share1: Quantity,
    total1: Quantity,
    share2: Quantity,
    total2: Quantity,
    claim: Literal["first higher", "differ", "alike"] = "first higher",
) -> Finding:
    """Whether the difference between two printed shares is more than chance.

    Newcombe's 95% interval of the difference, widened to all counts that the printed shares can
    mean, and the two-sided z test. Cases are taken as independent of one another. It says nothing
    about what made the difference.

    Parameters
    ----------
    share1, share2 : Quantity
        From 0 to 1.
    total1, total2 : Quantity
        How many cases each is of.
    claim : str
        ``"first higher"``, ``"differ"`` or ``"alike"``.

    Returns
    -------
    Finding
        Undecided where the interval holds 0, whatever is claimed: no difference shown is not none
        there. `interval` is that of share 1 less share 2.

    Raises
    ------
    InputError
        A share outside 0 to 1, a total below 1.

    References
    ----------
    Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

    _refuse_shares("two_proportions", share1=(share1, total1), share2=(share2, total2))
    n1, *counts1 = _counts(share1, total1)
    n2, *counts2 = _counts(share2, total2)
    ends = [
        confint_proportions_2indep(a, n1, b, n2, method="newcomb", compare="diff")
        for a, b in product(counts1, counts2)
    ]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    k1, k2 = round(share1.value * n1), round(share2.value * n2)
    same = k1 / n1 == k2 / n2
    p = 1.0 if same else proportions_ztest([k1, k2], [n1, n2])[1]
    gap = share1.value - share2.value
    shown, first, last = (_points(exact(v), share1) for v in (gap, low, high))
    said = f"{share1.text} less {share2.text} is {shown} points, with a 95% interval from {first} "
    said += f"to {last} (p {_p_text(p)})"
    if low <= 0 <= high:
        return Finding(
            OPEN, f"{said}: chance alone can do that.", f"{first} to {last}", (low, high)
        )
    holds = claim == "differ" or (claim == "first higher" and low > 0)
    against = {"alike": ", so they are not alike", "first higher": ", but the other way round"}
    return Finding(
        CONSISTENT if holds else CONTRADICTED,
        f"{said}: beyond chance{'' if holds else against[claim]}.",
        f"{first} to {last}",
        (low, high),
    )


def _points(value: Fraction, like: Quantity) -> str:
    """A difference of shares in percentage points, signed."""
    return f"{float(value) * 100:+.{max(decimals(like) - 2, 1)}f}"


def _p_text(p: float) -> str:
    return "below 0.0001" if p < 0.0001 else f"= {p:.4f}"


def proportion_interval(
    *, share: Quantity, total: Quantity, low: Quantity | None = None, high: Quantity | None = None
) -> Finding:
    """Whether a printed 95% interval is that of its printed share, by any of the usual methods.

    Wald, Wilson, Agresti-Coull and Clopper-Pearson are tried; the sentence gives Wilson's.

    Raises
    ------
    InputError
        No printed end to compare with, a share outside 0 to 1, a total below 1.
    """
    from statsmodels.stats.proportion import proportion_confint

    if low is None and high is None:
        raise InputError("proportion_interval: give low, high or both, as they are printed.")
    _refuse_shares("proportion_interval", share=(share, total))
    cases, least, most = _counts(share, total)
    like = low or high
    found = {}
    for method in ("wilson", "normal", "agresti_coull", "beta"):
        ends = [proportion_confint(k, cases, method=method) for k in (least, most)]
        found[method] = [Interval.hull(exact(e[i]) for e in ends) for i in (0, 1)]
    fits = [
        method
        for method, pair in found.items()
        if all(
            printed is None or computed.meets(printed.interval)
            for printed, computed in zip((low, high), pair, strict=True)
        )
    ]
    centre = proportion_confint(round(share.value * cases), cases, method="wilson")
    shown = " to ".join(number(end, like=like, more=1) for end in centre)
    printed = " to ".join(q.text for q in (low, high) if q is not None)
    why = f"{share.text} of {total.text} has a 95% interval of {shown} (Wilson); printed is "
    why += f"{printed}, " + ("which fits." if fits else "which no usual method gives.")
    return Finding(CONSISTENT if fits else CONTRADICTED, why, shown, tuple(map(float, centre)))
