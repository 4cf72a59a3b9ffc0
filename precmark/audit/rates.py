"""Checks of a classifier's printed rates, and of test statistics, against one another."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Literal

import numpy as np

from precmark.audit.finding import CONSISTENT, CONTRADICTED, OPEN, Finding, compare, ends
from precmark.audit.quantities import Interval, Quantity, exact, number
from precmark.errors import InputError
from precmark.metrics.rates import confusion_from_rates

_GRID = 9
"""Places that are tried along each rounded rate, its two ends among them."""


def _places(quantity: Quantity) -> np.ndarray:
    found = quantity.interval
    return np.clip(np.linspace(float(found.low), float(found.high), _GRID), 0, 1)


def _refuse_rates(check: str, **rates: Quantity) -> None:
    problems = [
        f"{check}: {name} is {float(q.value):g}; give a rate from 0 to 1 (divide per cent by 100)."
        for name, q in rates.items()
        if not 0 <= q.value <= 1
    ]
    if problems:
        raise InputError(problems)


def implied_matthews(
    *, sensitivity: Quantity, specificity: Quantity, accuracy: Quantity, matthews: Quantity
) -> Finding:
    """Whether a printed Matthews correlation follows from sensitivity, specificity and accuracy.

    The three fix the share of positives, and with it the whole table of hits and misses (see
    :func:`precmark.metrics.confusion_from_rates`). A grid over what their digits leave open is
    tried, its corners included.

    Raises
    ------
    InputError
        A rate outside 0 to 1.

    References
    ----------
    Matthews 1975, doi:10.1016/0005-2795(75)90109-9.
    """
    rates = (sensitivity, specificity, accuracy)
    _refuse_rates(
        "implied_matthews", sensitivity=sensitivity, specificity=specificity, accuracy=accuracy
    )
    centre = confusion_from_rates(*(float(q.value) for q in rates))
    spots = [confusion_from_rates(*spot) for spot in product(*map(_places, rates))]
    possible = [s.matthews for s in spots if math.isfinite(s.matthews)]
    lead = f"Sensitivity {sensitivity.text}, specificity {specificity.text} and accuracy "
    lead += accuracy.text
    if not possible:
        if sensitivity.interval.meets(specificity.interval):
            return Finding(OPEN, f"{lead} fix no share of positives: the first two are the same.")
        why = f"{lead} cannot come from one table: positives would be {centre.prevalence:.1%}."
        return Finding(CONTRADICTED, why, "none")
    face = centre.matthews if math.isfinite(centre.matthews) else float(np.median(possible))
    found = Interval(exact(min(possible)), exact(max(possible)))
    lead += f" imply {centre.prevalence:.1%} positives and a Matthews correlation of"
    return compare(lead, face, found, matthews)


def accuracy_between(
    *, sensitivity: Quantity, specificity: Quantity, accuracy: Quantity
) -> Finding:
    """Whether a printed accuracy lies between sensitivity and specificity, whose mean it is.

    Raises
    ------
    InputError
        A rate outside 0 to 1.
    """
    _refuse_rates(
        "accuracy_between", sensitivity=sensitivity, specificity=specificity, accuracy=accuracy
    )
    one, other = sorted((sensitivity, specificity), key=lambda q: q.value)
    low = min(sensitivity.interval.low, specificity.interval.low)
    high = max(sensitivity.interval.high, specificity.interval.high)
    inside = accuracy.interval.meets(Interval(low, high))
    word = "lies" if inside else "does not lie"
    return Finding(
        CONSISTENT if inside else CONTRADICTED,
        f"Accuracy is a weighted mean of sensitivity and specificity; {accuracy.text} {word} "
        f"between {one.text} and {other.text}.",
        f"{one.text} to {other.text}",
        ends(Interval(low, high)),
    )


_RATES = {
    "sensitivity": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "precision": lambda tp, fp, fn, tn: (tp, tp + fp),
    "accuracy": lambda tp, fp, fn, tn: (tp + tn, tp + fp + fn + tn),
    "f1": lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn),
}


def confusion(
    *,
    true_positives: Quantity,
    false_positives: Quantity,
    false_negatives: Quantity,
    true_negatives: Quantity,
    rate: Literal["sensitivity", "specificity", "precision", "accuracy", "f1"],
    printed: Quantity,
) -> Finding:
    """Whether a printed rate is that of the four printed counts.

    Raises
    ------
    InputError
        A negative count, or a rate that has no case to be of.
    """
    counts = [q.value for q in (true_positives, false_positives, false_negatives, true_negatives)]
    if any(c < 0 for c in counts):
        raise InputError("confusion: counts are 0 or more.")
    part, whole = _RATES[rate](*counts)
    if not whole:
        raise InputError(f"confusion: {rate} is of no case at all; mend the counts.")
    value = Fraction(part) / whole
    lead = f"{float(part):,.0f} of {float(whole):,.0f} is a {rate} of"
    return compare(lead, value, Interval(value, value), printed)


def p_value_from(
    *,
    statistic: Quantity,
    df: Quantity | None = None,
    df2: Quantity | None = None,
    printed: Quantity | None = None,
    below: Quantity | None = None,
    distribution: Literal["t", "normal", "chi2", "F"] = "t",
) -> Finding:
    """Whether a printed p value follows from its printed statistic.

    Parameters
    ----------
    statistic : Quantity
        Two-sided for ``t`` and ``normal``, upper tail for ``chi2`` and ``F``.
    df, df2 : Quantity, optional
        Degrees of freedom; without them ``t`` is taken as normal. `df2` for ``F``.
    printed, below : Quantity, optional
        The printed p, or the bound that it is said to lie below; one of the two.
    distribution : str
        ``t``, ``normal``, ``chi2`` or ``F``.

    Raises
    ------
    InputError
        Both or neither of `printed` and `below`; degrees of freedom that are missing or not above
        0.
    """
    problems = []
    if (printed is None) == (below is None):
        problems.append("p_value_from: give either printed or below.")
    missing = {"chi2": df is None, "F": df is None or df2 is None}.get(distribution, False)
    if missing or any(q is not None and q.value <= 0 for q in (df, df2)):
        problems.append(f"p_value_from: {distribution} needs degrees of freedom above 0.")
    if problems:
        raise InputError(problems)
    tail = _tail(distribution, df, df2)
    if distribution in ("t", "normal"):
        away = [abs(statistic.interval.low), abs(statistic.interval.high)]
        crosses = statistic.interval.low <= 0 <= statistic.interval.high
        places = [0.0 if crosses else float(min(away)), float(max(away))]
        value = tail(abs(float(statistic.value)))
    else:
        places = [max(float(statistic.interval.low), 0.0), float(statistic.interval.high)]
        value = tail(float(statistic.value))
    found = Interval(exact(tail(places[1])), exact(tail(places[0])))
    name = f"{distribution} = {statistic.text}"
    if df is not None and distribution != "normal":
        name += f" with {df.text}" + (f" and {df2.text}" if df2 is not None else "")
        name += " degrees of freedom"
    if printed is not None:
        return compare(f"{name} gives a p of", value, found, printed)
    holds = found.low < below.interval.high
    shown = number(value, like=below)
    return Finding(
        CONSISTENT if holds else CONTRADICTED,
        f"{name} gives a p of {shown}, which is {'' if holds else 'not '}below {below.text}.",
        shown,
        ends(found),
    )


def _tail(distribution: str, df: Quantity | None, df2: Quantity | None):
    """The p value of a statistic under `distribution`."""
    from scipy import stats

    first, second = (float(q.value) if q is not None else None for q in (df, df2))
    if distribution == "F":
        return lambda x: float(stats.f.sf(x, first, second))
    if distribution == "chi2":
        return lambda x: float(stats.chi2.sf(x, first))
    if distribution == "t" and first is not None:
        return lambda x: float(2 * stats.t.sf(x, first))
    return lambda x: float(2 * stats.norm.sf(x))
