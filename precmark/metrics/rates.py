"""Whether published sensitivity, specificity, accuracy and Matthews correlation agree."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from precmark.errors import InputError, Problem


@dataclass(frozen=True)
class ImpliedRates:
    """What sensitivity, specificity and accuracy imply.

    Attributes
    ----------
    prevalence : float
        Share of positives; not a number where sensitivity equals specificity (any share would do).
        Outside 0 to 1 the three rates cannot come from one table.
    matthews : float
        Matthews correlation, -1 to 1; not a number where `prevalence` is not strictly inside 0 to
        1, or all decisions are the same.
    matthews_low, matthews_high : float
        The least and the most over the corners of what the published digits leave open; not a
        number where no corner has one.
    possible : bool
        Whether `prevalence` lies in 0 to 1.
    """

    prevalence: float
    matthews: float
    matthews_low: float
    matthews_high: float
    possible: bool


def _implied(sensitivity: float, specificity: float, accuracy: float) -> tuple[float, float]:
    if sensitivity == specificity:
        return float("nan"), float("nan")
    prevalence = (accuracy - specificity) / (sensitivity - specificity)
    chosen = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    if not 0 < prevalence < 1 or not 0 < chosen < 1:
        return prevalence, float("nan")
    spread = prevalence * (1 - prevalence) / (chosen * (1 - chosen))
    return prevalence, (sensitivity + specificity - 1) * spread**0.5


def confusion_from_rates(
    sensitivity: float, specificity: float, accuracy: float, *, rounding: float = 0.0
) -> ImpliedRates:
    """Prevalence and Matthews correlation that follow from three published rates.

    Parameters
    ----------
    sensitivity, specificity, accuracy : float
        0 to 1.
    rounding : float
        Half a unit of the last published digit: 0.00005 for percentages with two decimals.

    Returns
    -------
    ImpliedRates

    Raises
    ------
    InputError
        A rate outside 0 to 1, a negative rounding.

    Notes
    -----
    With prevalence pi: accuracy = pi sensitivity + (1 - pi) specificity gives pi; the share
    predicted positive is q = pi sensitivity + (1 - pi) (1 - specificity); then the correlation is
    (sensitivity + specificity - 1) sqrt(pi (1 - pi) / (q (1 - q))).

    References
    ----------
    Matthews 1975, doi 10.1016/0005-2795(75)90109-9.

    Examples
    --------
    >>> found = confusion_from_rates(0.9, 0.8, 0.85)  # as many positives as negatives
    >>> round(found.prevalence, 3), round(found.matthews, 3)
    (0.5, 0.704)
    """
    rates = {"sensitivity": sensitivity, "specificity": specificity, "accuracy": accuracy}
    problems = [
        Problem(f"{name}: {value}", "Rates lie between 0 and 1 (divide percentages by 100).")
        for name, value in rates.items()
        if not 0 <= value <= 1
    ]
    if not rounding >= 0:
        problems.append(
            Problem(f"rounding: {rounding}", "Give 0 or half a unit of the last digit.")
        )
    if problems:
        raise InputError(problems)
    prevalence, matthews = _implied(sensitivity, specificity, accuracy)
    corners = product(*[[max(v - rounding, 0), min(v + rounding, 1)] for v in rates.values()])
    open_to = np.array([_implied(*corner)[1] for corner in corners])
    open_to = open_to[np.isfinite(open_to)]
    low, high = (open_to.min(), open_to.max()) if len(open_to) else (np.nan, np.nan)
    return ImpliedRates(prevalence, matthews, float(low), float(high), bool(0 <= prevalence <= 1))
