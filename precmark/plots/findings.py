"""Figures of the findings page."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from precmark import figures


def scorecard_bars(counts: pd.DataFrame) -> Figure:
    """Stacked bars of `counts` (chapters by verdicts, :func:`precmark.findings.scorecard`)."""
    fig, ax = figures.new(size=(7.2, 0.9 + 0.55 * len(counts)))
    left = pd.Series(0, index=counts.index)
    shown = [c for c in counts.columns if counts[c].sum()]
    for i, verdict in enumerate(shown):
        widths = counts[verdict]
        ax.barh(counts.index, widths, left=left, label=verdict, height=0.6,
                color=figures.COLOURS[i], hatch=figures.HATCHES[i], edgecolor="white")  # fmt: skip
        for y, (start, width) in enumerate(zip(left, widths, strict=True)):
            if width:
                box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none"}
                ax.text(start + width / 2, y, str(width), ha="center", va="center", bbox=box)
        left = left + widths
    ax.invert_yaxis()
    ax.set_xlabel("claims")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.35), ncols=3)
    return fig
