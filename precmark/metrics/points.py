"""The metrics of one model on one set of rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from precmark.metrics.inputs import checked
from precmark.metrics.measures import areas, from_sums, rank, sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class PointMetrics:
    """Metrics of one model; y = 1, the purchase, is the positive class.

    Attributes
    ----------
    accuracy, precision, recall, f1, sensitivity, specificity, matthews : float
        Of the decisions "p is at or above the threshold"; 0 to 1, `matthews` -1 to 1. `recall`
        and `sensitivity` are the same number under both names. `precision` and `matthews` are not
        a number where nothing is predicted positive (`matthews` also where everything is).
    auroc, average_precision : float
        Of the order that the probabilities give, 0 to 1. A constant has 0.5 and the share of
        positives.
    brier, expected_calibration_error, log_loss : float
        Of the probabilities, 0 or more, lower is better. The calibration error is taken over 10
        bins of equal count (:func:`~precmark.metrics.equal_count_bins`) and is above 0 by chance
        alone even for a perfect model.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    sensitivity: float
    specificity: float
    matthews: float
    auroc: float
    average_precision: float
    brier: float
    expected_calibration_error: float
    log_loss: float

    def as_dict(self) -> dict[str, float]:
        """The metrics by name, in the order of :data:`~precmark.metrics.METRICS`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def point_metrics(y: ArrayLike, p: ArrayLike, threshold: float = 0.5) -> PointMetrics:
    """All metrics of probabilities `p` of the outcomes `y`.

    Parameters
    ----------
    y : array (n,)
        0 or 1; 1 is the purchase.
    p : array (n,)
        Probability of y = 1, 0 to 1.
    threshold : float
        A row counts as predicted positive where p is at or above it. Choose it on validation data
        (:func:`~precmark.metrics.choose_threshold`).

    Raises
    ------
    InputError
        Lengths that differ, one class only, a probability missing or outside 0 to 1.

    Examples
    --------
    >>> found = point_metrics([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    >>> found.accuracy, found.auroc
    (0.5, 0.75)
    """
    scores = checked(y, p)
    rows = np.arange(len(scores.y))
    ones = np.ones((len(rows), 1))
    order = rank(scores.y, scores.p[0], rows, len(rows))
    found = from_sums(sums(scores.y, scores.p[0], threshold, rows, len(rows)) @ ones)
    found["auroc"], found["average_precision"] = areas(order, ones)
    return PointMetrics(**{name: float(value[0]) for name, value in found.items()})
