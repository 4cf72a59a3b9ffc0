"""Figures of chapter 08: Table 7 under every reading, its uncertainty, break-even, the truth.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import legend_below, whiskers
from precmark.sales.estimate import Estimate, estimate
from precmark.sales.readings import OPTIONS
from precmark.sales.sentences import world_title
from precmark.sales.truth import FOLLOWED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PRINTED = {"color": "black", "marker": "|", "ms": 20, "mew": 2.2, "ls": "none"}


def readings(table: pd.DataFrame, order: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Every reading's sales by option as a cloud, the nearest reading, and what is printed.

    Parameters
    ----------
    table, order : pandas.DataFrame
        :func:`precmark.sales.table7` and :func:`precmark.sales.ranked`.
    """
    fig, ax = figures.new(size=(7.2, 3.9))
    places = np.random.default_rng(0).uniform(-0.3, 0.3, table.reading.nunique())
    for i, option in enumerate(OPTIONS):
        rows = table[table.option == option]
        best = rows[rows.reading == order.index[0]]
        first = {"cloud": "a reading", "best": "the nearest reading", "printed": "printed"}
        label = first if i == 0 else dict.fromkeys(first)
        ax.plot(rows.computed, i + places, ".", ms=3.5, alpha=0.45, color=figures.COLOURS[5],
                label=label["cloud"])  # fmt: skip
        ax.plot(best.computed, [i], marker="s", ms=8, ls="none", color=figures.COLOURS[1],
                label=label["best"])  # fmt: skip
        ax.plot(rows.printed.iloc[:1], [i], label=label["printed"], **_PRINTED)
    ax.set_yticks(range(len(OPTIONS)), [f"option {o}" for o in OPTIONS])
    ax.set_ylim(len(OPTIONS) - 0.45, -0.55)
    ax.set_xlabel("estimated sales, 100 without coupons")
    ax.grid(axis="y", visible=False)
    legend_below(fig, ax)
    return fig, table


def uncertainty(table: pd.DataFrame, rows: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Growth, sales and return of the four options with intervals, and what the paper prints.

    Parameters
    ----------
    table, rows : pandas.DataFrame
        :func:`precmark.sales.compare` of the paper's counts, :func:`precmark.sales.row_by_row`.
    """
    panels = {
        "growth": ("growth of the conversion", "growth printed"),
        "sales": ("estimated sales", "sales printed"),
        "return_on_discount": ("profit per unit of discount", None),
    }
    fig, axes = figures.new(1, 3, size=(7.2, 3.0), sharey=True)
    for ax, (quantity, (title, printed)) in zip(axes, panels.items(), strict=True):
        found = table[table.quantity == quantity].reset_index(drop=True)
        whiskers(ax, found.value, found.index, found.low, found.high, i=0,
                 label="from Table 6, 95 % interval")  # fmt: skip
        if printed:
            ax.plot(rows[printed], rows.index, label="printed in Table 7", **_PRINTED)
        zero = 100 if quantity == "sales" else 0
        ax.axvline(zero, color="#444444", ls="--", lw=1.1, label="nothing gained")
        ax.set_title(title, fontsize=9.5)
        ax.set_yticks(range(len(OPTIONS)), [f"option {o}" for o in OPTIONS])
        ax.set_ylim(len(OPTIONS) - 0.5, -0.5)
    from matplotlib.ticker import PercentFormatter

    axes[0].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend_below(fig, axes[0])
    return fig, table


def break_even(found: Estimate) -> tuple[Figure, pd.DataFrame]:
    """Sales and profit over the discount, with both break-even points and the discount chosen."""
    marks = [found.break_even_discount, found.sales_break_even_discount, found.discount]
    finite = [m for m in marks if np.isfinite(m) and m < 1]
    top = min(0.95, max(0.3, 1.25 * max(finite)))
    grid = np.linspace(0, top, 96)
    made = [
        estimate(found.rate, found.growth, float(d), margin=found.margin,
                 applies_to=found.applies_to)
        for d in grid
    ]  # fmt: skip
    table = pd.DataFrame(
        {"discount": grid, "sales": [e.sales - 100 for e in made],
         "profit": [e.profit for e in made]}
    )  # fmt: skip
    fig, ax = figures.new(size=(7.2, 3.4))
    points = {"sales": found.sales_break_even_discount, "profit": found.break_even_discount}
    for i, (name, zero) in enumerate(points.items()):
        ax.plot(100 * grid, table[name], color=figures.COLOURS[i], ls=figures.LINES[i],
                lw=1.9, label=f"change of {name}")  # fmt: skip
        if np.isfinite(zero) and zero <= top:
            ax.plot(100 * zero, 0, marker=figures.MARKS[i], ms=8, color=figures.COLOURS[i])
            ax.annotate(f"{zero:.1%}", (100 * zero, 0), xytext=(5, 7), textcoords="offset points")
    ax.axhline(0, color="#444444", lw=1)
    ax.axvline(100 * found.discount, color="#444444", ls=":", lw=1.4, label="the discount asked")
    ax.set_xlabel("discount, %")
    ax.set_ylabel("hundredths of sales")
    legend_below(fig, ax)
    return fig, table


def against_truth(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """By world, what the formula says of each policy and what its coupons truly did to sales.

    Parameters
    ----------
    table : pandas.DataFrame
        :func:`precmark.sales.formula_against_truth` of one budget; policies "1" to "5" are drawn.
    """
    from matplotlib.ticker import MaxNLocator

    shown = table[table.policy.isin(FOLLOWED)]
    style = {} if shown.true_low.notna().any() else {"capsize": 0, "elinewidth": 0}
    worlds, policies = list(shown.world.unique()), sorted(shown.policy.unique())
    rows = -(-len(worlds) // 3)
    fig, axes = figures.new(
        rows, min(3, len(worlds)), size=(7.2, 0.8 + rows * (0.9 + 0.25 * len(policies))),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for ax in axes.flat[len(worlds) :]:
        ax.axis("off")
    for ax, world in zip(axes.flat, worlds, strict=False):
        found = shown[shown.world == world].set_index("policy").reindex(policies)
        at = np.arange(len(policies))
        ends = found[["estimated", "estimated_free"]].to_numpy()
        ax.hlines(at, ends.min(axis=1), ends.max(axis=1), color=figures.COLOURS[1], lw=5,
                  alpha=0.75, label="the formula, with and without discount")  # fmt: skip
        whiskers(ax, found.true, at, found.true_low, found.true_high, i=0, **style,
                 label="the truth, net of the discount")  # fmt: skip
        ax.axvline(100, color="#444444", ls="--", lw=1.1)
        ax.set_title(world_title(world), fontsize=9.5)
        ax.set_yticks(at, found.title, fontsize=8.5)
        ax.set_ylim(len(policies) - 0.5, -0.5)
        ax.tick_params(axis="x", labelbottom=True)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
    for i in range(max(0, len(worlds) - axes.shape[1]), len(worlds)):
        axes.flat[i].set_xlabel("sales, 100 without coupons", fontsize=9)
    legend_below(fig, axes[0, 0])
    return fig, shown
