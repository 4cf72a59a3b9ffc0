"""Concordant, discordant and tied pairs, and the C statistic that they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from precmark.errors import InputError, Problem
from precmark.statistics.checks import binary


@dataclass(frozen=True)
class Pairs:
    """Every event paired with every non-event, by which of the two has the higher probability.

    Attributes
    ----------
    concordant, discordant, tied : int
        Pairs in which the event has the higher, the lower, the same probability.
    rows : int
    """

    concordant: int
    discordant: int
    tied: int
    rows: int

    @property
    def pairs(self) -> int:
        """All pairs, the paper's t."""
        return self.concordant + self.discordant + self.tied

    @property
    def c(self) -> float:
        """C, 0 to 1: concordant pairs and half of the tied, over all; the area under the ROC."""
        return (self.concordant + 0.5 * self.tied) / self.pairs

    @property
    def somers_d(self) -> float:
        """Somers' D, -1 to 1: concordant less discordant, over all pairs."""
        return (self.concordant - self.discordant) / self.pairs

    @property
    def gamma(self) -> float:
        """Goodman and Kruskal's gamma, -1 to 1: the same over the pairs without ties."""
        untied = self.concordant + self.discordant
        return (self.concordant - self.discordant) / untied if untied else float("nan")

    @property
    def tau_a(self) -> float:
        """Kendall's tau-a, -1 to 1: the same over all pairs of rows, of whatever outcome."""
        return (self.concordant - self.discordant) / (0.5 * self.rows * (self.rows - 1))


def count_pairs(y: ArrayLike, p: ArrayLike, *, bin_width: float = 0.0) -> Pairs:
    """Concordant, discordant and tied pairs in O(n log n).

    Parameters
    ----------
    y : array, shape (n,)
        0 or 1.
    p : array, shape (n,)
        Predicted probability, or any score that grows with it.
    bin_width : float
        Probabilities in one interval of this width count as tied, as in older procedures, which
        used 0.002; 0 compares them as they are.

    Raises
    ------
    InputError
        Outcomes other than 0 and 1, or all the same; lengths that differ; scores not finite.

    References
    ----------
    Company H, section "Goodness of fit"; SAS/STAT User's Guide, The LOGISTIC Procedure, "Rank
    Correlation of Observed Responses and Predicted Probabilities".
    """
    y, problems = binary(y)
    p = np.asarray(p, dtype=float)
    if p.shape != y.shape:
        problems.append(Problem(f"{len(y):,} outcomes but {p.size:,} scores", "Give one each."))
    elif not np.isfinite(p).all():
        problems.append(Problem("scores: not finite", "Leave those rows out."))
    if bin_width < 0:
        problems.append(Problem(f"bin_width {bin_width}: below 0", "Give 0 or a small width."))
    if problems:
        raise InputError(problems)
    score = np.floor(p / bin_width) if bin_width else p
    events, others = score[y == 1], np.sort(score[y == 0])
    below = np.searchsorted(others, events, side="left")
    up_to = np.searchsorted(others, events, side="right")
    concordant, not_above = int(below.sum()), int(up_to.sum())
    return Pairs(concordant, len(events) * len(others) - not_above, not_above - concordant, len(y))
