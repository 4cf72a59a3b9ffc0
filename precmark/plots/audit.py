"""Figures of chapter 09; each function returns the figure and the table that it draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import legend_below, whiskers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def possible_shares(shares: pd.DataFrame, *, reach: float = 0.0015) -> tuple[Figure, pd.DataFrame]:
    """Around each printed share: what its digits leave open, and the shares that a count can give.

    Parameters
    ----------
    shares : pandas.DataFrame
        See :func:`precmark.audit.shares_and_counts`.
    reach : float
        How far to both sides of the printed share is drawn, as a share.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The table is `shares`.
    """
    fig, ax = figures.new(size=(7.2, 1.4 + 0.42 * len(shares)))
    for i, row in enumerate(shares.itertuples()):
        counts = np.arange(
            np.ceil((row.printed - reach) * row.cases),
            np.floor((row.printed + reach) * row.cases) + 1,
        )
        first = i == 0
        ax.barh(i, 200 * row.half_width, left=-100 * row.half_width, height=0.62,
                color=figures.COLOURS[1], alpha=0.45,
                label="what rounds to the printed share" if first else None)  # fmt: skip
        ax.plot(100 * (counts / row.cases - row.printed), np.full(len(counts), i),
                color=figures.COLOURS[0], marker="|", ms=17, mew=2, ls="none",
                label="shares that a whole number of cases gives" if first else None)  # fmt: skip
    labels = [f"{r.share or r.id}\n{r.printed:.2%} of {r.cases:,}" for r in shares.itertuples()]
    ax.set_yticks(range(len(shares)), labels)
    ax.set_ylim(len(shares) - 0.5, -0.5)
    ax.set_xlim(-100 * reach, 100 * reach)
    ax.set_xlabel("difference from the printed share, percentage points")
    ax.grid(axis="y", visible=False)
    legend_below(fig, ax, ncols=2)
    return fig, shares


def difference_intervals(found: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Every reported difference of two shares with its 95% interval, in percentage points.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`precmark.audit.differences`.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The table is `found`.
    """
    fig, ax = figures.new(size=(7.2, 1.3 + 0.4 * len(found)))
    open_ones = (found["low"] <= 0) & (found["high"] >= 0)
    for i, (mask, label) in enumerate(
        ((~open_ones, "beyond chance"), (open_ones, "chance alone can do that"))
    ):
        rows = np.flatnonzero(mask)
        part = 100 * found.loc[mask, ["difference", "low", "high"]]
        whiskers(ax, part["difference"], rows, part["low"], part["high"], i=i, label=label)
    ax.axvline(0, color="#444444", lw=1)
    labels = found["compared"].str.replace(" less ", "\nless ", regex=False)
    ax.set_yticks(range(len(found)), labels, fontsize=8.5)
    ax.set_ylim(len(found) - 0.5, -0.5)
    ax.set_xlabel("first less second, percentage points")
    legend_below(fig, ax, ncols=2)
    return fig, found
