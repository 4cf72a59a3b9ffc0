"""From which probability on a purchase is predicted: chosen on validation data, and stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from precmark.errors import InputError, Problem
from precmark.metrics.inputs import checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CRITERIA = {
    "f1": "the highest F1",
    "youden": "the highest sensitivity + specificity - 1",
    "matthews": "the highest Matthews correlation",
    "accuracy": "the highest accuracy",
    "cost": "the lowest mean cost of errors a row",
}
"""What a threshold can be chosen for, by name."""


@dataclass(frozen=True)
class Threshold:
    """A threshold and why it is this one; its fields make a row of a table.

    Attributes
    ----------
    value : float
        A row is predicted positive where p is at or above it; 0 to 1, or just above 1 where
        predicting nothing costs least.
    criterion : str
        A name of :data:`CRITERIA`.
    score : float
        The criterion at `value` on the rows that it was chosen on: too good for new rows. Not a
        number where no threshold defines it (Matthews correlation of equal scores).
    share : float
        Share of those rows that are predicted positive, 0 to 1.
    """

    value: float
    criterion: str
    score: float
    share: float


def choose_threshold(
    y_validation: ArrayLike,
    p_validation: ArrayLike,
    criterion: str = "f1",
    *,
    cost_false_positive: float = 1.0,
    cost_false_negative: float = 1.0,
) -> Threshold:
    """The threshold that serves `criterion` best on validation rows.

    Parameters
    ----------
    y_validation : array (n,)
        0 or 1; 1 is the purchase.
    p_validation : array (n,)
        Probability of y = 1, 0 to 1.
    criterion : str
        A name of :data:`CRITERIA`.
    cost_false_positive, cost_false_negative : float
        For ``"cost"``: what a predicted purchase that does not come and a missed one cost, in the
        same unit, 0 or more.

    Returns
    -------
    Threshold
        Halfway between the lowest score that is predicted positive and the next one down, so that
        rounding does not move a row across. The highest of equally good thresholds.

    Raises
    ------
    InputError
        An unknown criterion, a negative cost; see also :func:`~precmark.metrics.inputs.checked`.
    """
    problems = []
    if criterion not in CRITERIA:
        fix = f"Choose among {', '.join(CRITERIA)}."
        problems.append(Problem(f"criterion {criterion!r}: unknown", fix))
    costs = {"cost_false_positive": cost_false_positive, "cost_false_negative": cost_false_negative}
    problems += [
        Problem(f"{name}: {cost}", "A cost is 0 or more.")
        for name, cost in costs.items()
        if not cost >= 0
    ]
    if problems:
        raise InputError(problems)
    scores = checked(y_validation, p_validation)
    y, p = scores.y, scores.p[0]
    levels, level = np.unique(-p, return_inverse=True)
    levels = -levels  # falling
    # the first candidate predicts nothing, the others everything from a score upwards
    taken = np.r_[0, np.cumsum(np.bincount(level))]
    hit = np.r_[0, np.cumsum(np.bincount(level, weights=y))]
    goodness = _goodness(criterion, hit, taken - hit, y, costs)
    best = int(np.argmax(goodness))
    if best == 0:
        value = (levels[0] + 1) / 2 if levels[0] < 1 else np.nextafter(1.0, 2.0)
    else:
        lowest, below = levels[best - 1], levels[best] if best < len(levels) else 0.0
        value = (lowest + below) / 2
        if best < len(levels) and value <= below:  # neighbouring floats have nothing between
            value = lowest
    score = -goodness[best] if criterion == "cost" else goodness[best]
    score = float(score) if np.isfinite(score) else float("nan")
    return Threshold(float(value), criterion, score, float(taken[best] / len(y)))


def _goodness(
    criterion: str, hit: np.ndarray, false_alarm: np.ndarray, y: np.ndarray, costs: dict
) -> np.ndarray:
    """What `criterion` makes of each candidate; minus infinity where it is undefined."""
    positives, rows = y.sum(), len(y)
    negatives = rows - positives
    chosen = hit + false_alarm
    missed, rejected = positives - hit, negatives - false_alarm
    if criterion == "f1":
        return 2 * hit / (2 * hit + false_alarm + missed)
    if criterion == "youden":
        return hit / positives + rejected / negatives - 1
    if criterion == "accuracy":
        return (hit + rejected) / rows
    if criterion == "cost":
        lost = false_alarm * costs["cost_false_positive"] + missed * costs["cost_false_negative"]
        return -lost / rows
    spread = np.sqrt(positives * negatives) * np.sqrt(chosen * (rows - chosen))
    product = hit * rejected - false_alarm * missed
    return np.divide(product, spread, out=np.full(len(hit), -np.inf), where=spread > 0)
