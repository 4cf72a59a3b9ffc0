"""Figures of chapter 07: selection without effect, options by world, factorial, comparisons.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.ablation import tables
from precmark.ablation.primary import SMALLEST
from precmark.ablation.worlds import WORLDS_IN_ORDER
from precmark.plots.churn import legend_below, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = "percentage points"


def words(world: str) -> str:
    """A world's name as figures print it."""
    return world.replace("_", " ")


def _zero(ax: Axes) -> None:
    ax.axvline(0, color="#555555", lw=1, zorder=1)


def selection(table6: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """C-1 and C-2 of the paper's options where coupons do nothing, and as the paper prints them.

    Parameters
    ----------
    table6 : pandas.DataFrame
        :func:`precmark.ablation.tables.table6` of ``no_effect``.
    """
    drawn = {
        "here: coupons do nothing": {
            "C-1, with a coupon": "c1", "C-2, all without": "c2_all",
            "C-2, the eligible without": "c2_eligible",
        },
        "as printed": {"C-1, with a coupon": "paper_c1", "C-2, all without": "paper_c2"},
    }  # fmt: skip
    fig, axes = figures.new(1, 2, size=(7.2, 2.9), sharey=True, sharex=True)
    at = np.arange(len(table6))
    for ax, (title, columns) in zip(axes, drawn.items(), strict=True):
        for i, (label, column) in enumerate(columns.items()):
            face = {} if i == 0 else {"markerfacecolor": "white", "markeredgewidth": 1.5}
            ax.plot(100 * table6[column], at, ls="none", marker=figures.MARKS[i], ms=8,
                    color=figures.COLOURS[i], label=label, **face)  # fmt: skip
        ax.set(title=title, xlabel="conversion, %")
    most = 100 * table6[["c1", "c2_eligible", "paper_c1"]].to_numpy().max()
    axes[0].set_xlim(0, 1.08 * most)
    axes[0].set_yticks(at, table6["option"])
    axes[0].set_ylim(len(table6) - 0.5, -0.5)
    legend_below(fig, axes[0])
    return fig, table6


def by_world(
    options: pd.DataFrame,
    *,
    budget: str = tables.EQUAL_COUPONS,
    policies: Sequence[str] = tables.MAIN,
) -> tuple[Figure, pd.DataFrame]:
    """Caused purchases a coupon of each option in the four worlds with an effect.

    The intervals hold 95 % of the replications.
    """
    fig, axes = figures.new(2, 2, size=(7.2, 5.2), sharex=True, sharey=True)
    parts = []
    for ax, world in zip(axes.flat, tables.WITH_EFFECT, strict=True):
        rows = tables.chosen(options, world=world, budget=budget, policies=policies)
        parts.append(rows)
        for i, row in enumerate(rows.itertuples()):
            whiskers(ax, [100 * row.incremental_per_coupon], [i],
                     [100 * row.incremental_per_coupon_low],
                     [100 * row.incremental_per_coupon_high], i=i)  # fmt: skip
        _zero(ax)
        ax.set_title(words(world))
    axes[0, 0].set_yticks(range(len(rows)), rows["title"])
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    for ax in axes[-1]:
        ax.set_xlabel("caused purchases per 100 coupons")
    shown = pd.concat(parts, ignore_index=True)
    columns = ["world", "policy", "title", "coupons", "incremental_per_coupon"]
    columns += ["incremental_per_coupon_low", "incremental_per_coupon_high"]
    return fig, shown[columns]


def factorial_map(cells: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Caused purchases per 100 coupons by cell and world, as numbers on a heat map.

    Parameters
    ----------
    cells : pandas.DataFrame
        :func:`precmark.ablation.tables.factorial`.
    """
    values = 100 * cells[list(WORLDS_IN_ORDER)].to_numpy(dtype=float)
    fig, ax = figures.new(size=(7.2, 3.9))
    image = ax.imshow(values, aspect="auto", cmap=figures.SEQUENTIAL, vmin=0)
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (y, x), value in np.ndenumerate(values):
        ax.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=9,
                color="black" if value > middle else "white")  # fmt: skip
    ax.set_yticks(range(len(cells)), cells["cell"], fontsize=9)
    ax.set_xticks(
        range(len(WORLDS_IN_ORDER)),
        [words(w).replace(" ", "\n") for w in WORLDS_IN_ORDER],
        fontsize=9,
    )
    ax.grid(visible=False)
    fig.colorbar(image, ax=ax, label="caused purchases\nper 100 coupons", pad=0.02)
    return fig, cells


def comparisons(
    primary: pd.DataFrame, *, smallest: float = SMALLEST
) -> tuple[Figure, pd.DataFrame]:
    """The primary comparisons with simultaneous intervals; the band is too small to matter."""
    fig, ax = figures.new(size=(7.2, 5.6))
    worlds = list(dict.fromkeys(primary["world"]))
    names = list(dict.fromkeys(primary["comparison"]))
    ax.axvspan(-smallest, smallest, color="#e9eef2", zorder=0,
               label="smaller than the smallest effect of interest")  # fmt: skip
    _zero(ax)
    for i, name in enumerate(names):
        rows = primary[primary["comparison"] == name]
        at = [worlds.index(w) * (len(names) + 1) + i for w in rows["world"]]
        label = f"option {name.replace('-', ' minus ')}"
        whiskers(ax, rows["difference"], at, rows["low"], rows["high"], i=i, label=label)
    middles = [w * (len(names) + 1) + (len(names) - 1) / 2 for w in range(len(worlds))]
    ax.set_yticks(middles, [words(w) for w in worlds])
    ax.set_ylim(len(worlds) * (len(names) + 1) - 1.5, -1)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("difference in profit, yuan per 1,000 sessions")
    legend_below(fig, ax, ncols=2)
    return fig, primary


def budgets(
    options: pd.DataFrame, *, margin: int = 30, policies: Sequence[str] = tables.MAIN
) -> tuple[Figure, pd.DataFrame]:
    """Profit of each option under each budget, in every world; a mark a budget."""
    rows = tables.chosen(options, policies=policies)
    rows = rows.assign(profit=tables.per_thousand(rows, f"profit_{margin}"))
    fig, axes = figures.new(2, 3, size=(7.2, 5.4), sharex=True, sharey=True)
    titles = tables.chosen(rows, world=WORLDS_IN_ORDER[0], budget=tables.BUDGETS[0])["title"]
    for ax, world in zip(axes.flat, WORLDS_IN_ORDER, strict=False):
        for i, budget in enumerate(tables.BUDGETS):
            mine = tables.chosen(rows, world=world, budget=budget, policies=policies)
            ax.plot(mine["profit"], np.arange(len(mine)) + 0.18 * (i - 1), ls="none",
                    marker=figures.MARKS[i], color=figures.COLOURS[i], label=budget)  # fmt: skip
        _zero(ax)
        ax.set_title(words(world), fontsize=10)
        ax.xaxis.set_tick_params(labelbottom=True)
    axes[0, 0].set_yticks(range(len(titles)), titles)
    axes[0, 0].set_ylim(len(titles) - 0.5, -0.5)
    axes[-1, -1].set_visible(False)
    for ax in (axes[1, 0], axes[1, 1], axes[0, 2]):
        ax.set_xlabel("yuan per 1,000\nsessions", fontsize=9)
    legend_below(fig, axes[0, 0])
    return fig, rows[["world", "budget", "policy", "title", "coupons", "rate_sessions", "profit"]]


def holdout_readings(holdout: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """What C-1 against C-2 says, what a random holdout says, and what is true, by world.

    Parameters
    ----------
    holdout : pandas.DataFrame
        Rows of :func:`precmark.ablation.random_holdout` for one policy and budget.
    """
    marks = {
        "C-1 less C-2, all without": ("against_c2_all", 1),
        "C-1 less C-2, the eligible": ("against_c2_eligible", 2),
        "C-1 less the random holdout": ("difference", 0),
    }
    fig, ax = figures.new(size=(7.2, 3.6))
    at = np.arange(len(holdout))
    _zero(ax)
    for offset, (label, (column, i)) in enumerate(marks.items()):
        value = 100 * holdout[column]
        low, high = (
            (100 * holdout["low"], 100 * holdout["high"])
            if column == "difference"
            else (value, value)
        )
        whiskers(ax, value, at + 0.2 * (offset - 1), low, high, i=i, label=label)
    ax.plot(100 * holdout["true_effect"], at, ls="none", marker="|", ms=18, mew=2.5,
            color="black", label="truth")  # fmt: skip
    ax.set_yticks(at, [words(w) for w in holdout["world"]])
    ax.set_ylim(len(holdout) - 0.5, -0.5)
    ax.set_xlabel(f"difference in conversion, {_POINTS}")
    legend_below(fig, ax, ncols=2)
    return fig, holdout


def margins(
    profits: pd.DataFrame, policies: Sequence[str] = ("1", "4")
) -> tuple[Figure, pd.DataFrame]:
    """Profit by margin on the order value, a line a world, a panel a policy.

    Parameters
    ----------
    profits : pandas.DataFrame
        :func:`precmark.ablation.tables.profit_by_margin`.
    """
    fig, axes = figures.new(1, len(policies), size=(7.2, 3.4), sharey=True)
    for ax, policy in zip(np.atleast_1d(axes), policies, strict=True):
        mine = profits[profits["policy"] == policy]
        for i, world in enumerate(WORLDS_IN_ORDER):
            line = mine[mine["world"] == world]
            ax.plot(line["margin"], line["profit"], color=figures.COLOURS[i],
                    ls=figures.LINES[i], marker=figures.MARKS[i], label=words(world))  # fmt: skip
        ax.axhline(0, color="#555555", lw=1, zorder=1)
        ax.set(title=f"option {mine['title'].iloc[0]}", xlabel="margin, % of the order value")
    np.atleast_1d(axes)[0].set_ylabel("change of profit,\nyuan per 1,000 sessions")
    legend_below(fig, np.atleast_1d(axes)[0])
    return fig, profits


SWEEPS: Mapping[str, str] = {
    "effect": "mean effect A",
    "taste_match": "taste match l",
    "order_share": "share of order in the signal",
}
"""What is varied, in words."""


def sweeps(
    table: pd.DataFrame,
    *,
    worlds: Sequence[str] = ("persuadable_risk", "sure_things"),
    policies: Sequence[str] = ("1", "2", "3", "4", "5"),
) -> tuple[Figure, pd.DataFrame]:
    """Caused purchases per 100 coupons as effect, taste match and share of order vary."""
    kinds = [k for k in SWEEPS if k in set(table["sweep"])]
    rows = table[table["policy"].isin(policies) & table["world"].isin(worlds)]
    fig, axes = figures.new(
        len(worlds), len(kinds), size=(7.2, 2.3 * len(worlds) + 0.6), sharey="row", squeeze=False
    )
    for y, world in enumerate(worlds):
        for x, kind in enumerate(kinds):
            ax, part = axes[y, x], rows[(rows["sweep"] == kind) & (rows["world"] == world)]
            for i, policy in enumerate(policies):
                line = part[part["policy"] == policy].sort_values("value")
                if len(line):
                    ax.plot(line["value"], 100 * line["incremental_per_coupon"],
                            color=figures.COLOURS[i], ls=figures.LINES[i],
                            marker=figures.MARKS[i], label=f"option {policy}")  # fmt: skip
            ax.set_xticks(sorted(part["value"].unique()))
            if y == len(worlds) - 1:
                ax.set_xlabel(SWEEPS[kind])
        axes[y, 0].set_ylabel(f"{words(world)}:\ncaused per 100 coupons")
    legend_below(fig, axes[0, 0])
    return fig, rows
