"""Figures of the findings page; each function returns the figure and the table that it draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import legend_below
from precmark.sales.sentences import world_title
from precmark.sales.truth import FOLLOWED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scorecard_bars(counts: pd.DataFrame) -> Figure:
    """Stacked bars of `counts` (papers by verdicts, :func:`precmark.findings.scorecard`)."""
    fig, ax = figures.new(size=(7.2, 1.5 + 0.5 * len(counts)))
    left = pd.Series(0, index=counts.index)
    shown = [c for c in counts.columns if counts[c].sum()]
    for i, verdict in enumerate(shown):
        widths = counts[verdict]
        ax.barh(counts.index, widths, left=left, label=verdict, height=0.62,
                color=figures.COLOURS[i], hatch=figures.HATCHES[i], edgecolor="white")  # fmt: skip
        for y, (start, width) in enumerate(zip(left, widths, strict=True)):
            if width:
                box = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"}
                ax.text(start + width / 2, y, str(width), ha="center", va="center",
                        fontsize=8.5, bbox=box)  # fmt: skip
        left = left + widths
    ax.invert_yaxis()
    ax.set_xlabel("claims")
    ax.grid(axis="y", visible=False)
    legend_below(fig, ax, ncols=3)
    return fig


def said_and_done(options: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """By world, what C-1 less C-2 says of each option and what a coupon truly did, in points.

    Parameters
    ----------
    options : pandas.DataFrame
        ``ablation/options`` under one budget: ``world``, ``policy`` ("1" to "5" are drawn),
        ``title``, ``c1``, ``c2_all``, ``incremental_per_coupon``.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The table: ``world``, ``policy``, ``title``, ``said`` = C-1 - C-2 of all sessions and
        ``done`` = purchases caused by a coupon, both in points of a hundred.
    """
    from matplotlib.ticker import MaxNLocator

    rows = options[options.policy.isin(FOLLOWED)]
    table = rows[["world", "policy", "title"]].assign(
        said=100 * (rows.c1 - rows.c2_all), done=100 * rows.incremental_per_coupon
    )
    table = table.reset_index(drop=True)
    worlds = list(table.world.unique())
    policies = [p for p in FOLLOWED if p in set(table.policy)]
    deep = -(-len(worlds) // 3)
    fig, axes = figures.new(
        deep, min(3, len(worlds)), size=(7.2, 0.7 + deep * (0.85 + 0.27 * len(policies))),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for ax in axes.flat[len(worlds) :]:
        ax.axis("off")
    at = np.arange(len(policies))
    for ax, world in zip(axes.flat, worlds, strict=False):
        found = table[table.world == world].set_index("policy").reindex(policies)
        ax.hlines(at, found.said, found.done, color="#b5b5b5", lw=1.6, zorder=1)
        ax.plot(found.said, at, marker="s", ms=6.5, ls="none", color=figures.COLOURS[1],
                label="what the comparison says (C-1 less C-2)")  # fmt: skip
        ax.plot(found.done, at, marker="o", ms=6.5, ls="none", color=figures.COLOURS[0],
                label="what a coupon did")  # fmt: skip
        ax.axvline(0, color="#444444", ls="--", lw=1.1, zorder=0)
        ax.set_title(world_title(world), fontsize=9.5)
        ax.set_yticks(at, found.title, fontsize=8.5)
        ax.set_ylim(len(policies) - 0.5, -0.5)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.tick_params(axis="x", labelbottom=True)
    for i in range(max(0, len(worlds) - axes.shape[1]), len(worlds)):
        axes.flat[i].set_xlabel("points of conversion", fontsize=9)
    legend_below(fig, axes[0, 0])
    return fig, table
