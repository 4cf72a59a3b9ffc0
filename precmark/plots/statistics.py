"""Figures of chapter 13: odds ratios, variables, panels, accuracy at outlets, throughput.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import legend_below, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from precmark.statistics import Components, Factors, LogisticReport, VariableClusters

_STEM = "#7a7a7a"


def odds_ratios(
    report: LogisticReport, titles: Mapping[str, str], spread: pd.Series
) -> tuple[Figure, pd.DataFrame]:
    """Odds ratios for a rise by one standard deviation, with 95 % intervals, on a log axis.

    Parameters
    ----------
    report : LogisticReport
    titles : mapping of column to words
    spread : pandas.Series
        Standard deviation of each column: it makes the columns comparable.
    """
    table = report.coefficients[report.coefficients.term != "constant"].copy()
    sd = table.term.map(spread).to_numpy(dtype=float)
    for column in ("odds_ratio", "low", "high"):
        table[f"{column}_per_sd"] = table[column].to_numpy(dtype=float) ** sd
    table = table.sort_values("odds_ratio_per_sd").reset_index(drop=True)
    height = np.arange(len(table))
    fig, ax = figures.new(size=(7.2, 1.2 + 0.34 * len(table)))
    clear = (table.low > 1) | (table.high < 1)
    for i, (rows, words) in enumerate(
        ((clear, "interval leaves out 1"), (~clear, "interval holds 1"))
    ):
        r = table[rows]
        if len(r):
            whiskers(ax, r.odds_ratio_per_sd, height[rows], r.low_per_sd, r.high_per_sd,
                     i=(0, 5)[i], mfc=(None, "white")[i], label=words)  # fmt: skip
    ax.axvline(1, color="#444444", ls="--", lw=1)
    ax.set_xscale("log")
    ax.set_yticks(height, [titles.get(t, t) for t in table.term])
    _plain_log(ax, table.low_per_sd.min(), table.high_per_sd.max())
    ax.set(xlabel="odds ratio for one standard deviation more")
    legend_below(fig, ax)
    return fig, table


def _plain_log(ax: Axes, low: float, high: float) -> None:
    """Plain numbers on a logarithmic x axis."""
    from matplotlib.ticker import NullLocator

    steps = np.array([0.1, 0.2, 0.33, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20])
    shown = steps[(steps >= low * 0.95) & (steps <= high * 1.05)]
    if len(shown):
        ax.set_xticks(shown, [f"{s:g}" for s in shown])
        ax.xaxis.set_minor_locator(NullLocator())


def variable_tree(
    clusters: VariableClusters, titles: Mapping[str, str]
) -> tuple[Figure, pd.DataFrame]:
    """The variables' tree on 1 - abs(r), the line that cuts it, and which variables stand."""
    from scipy.cluster.hierarchy import dendrogram

    fig, ax = figures.new(size=(7.2, 1.2 + 0.32 * len(clusters.columns)))
    stands = set(clusters.table.variable[clusters.table.stands])
    labels = [titles.get(c, c) + (" *" if c in stands else "") for c in clusters.columns]
    dendrogram(
        clusters.tree, orientation="left", labels=labels, ax=ax, color_threshold=0,
        above_threshold_color=figures.COLOURS[0],
    )  # fmt: skip
    ax.axvline(
        clusters.height, color=figures.COLOURS[1], ls="--",
        label=f"cut into {clusters.clusters}; * stands for its cluster",
    )  # fmt: skip
    ax.tick_params(axis="y", labelsize=9)
    ax.grid(axis="y", visible=False)
    ax.set(xlabel="distance of a merge, 1 - |r| (average linkage)")
    legend_below(fig, ax)
    return fig, clusters.table


def scree(components: Components) -> tuple[Figure, pd.DataFrame]:
    """Eigenvalues against chance (left), and the cumulative contribution (right)."""
    table = components.table
    fig, (left, right) = figures.new(1, 2, size=(7.2, 3.3))
    left.plot(table.component, table.eigenvalue, marker="o", label="eigenvalue")
    left.plot(table.component, table.chance, ls="--", marker="s", mfc="white", ms=4,
              label="95 % of chance")  # fmt: skip
    left.axhline(1, color=_STEM, lw=1, ls=":")
    left.set(xlabel="component", ylabel="eigenvalue", title="variance carried", ylim=(0, None))
    right.bar(table.component, table.contribution, color=figures.COLOURS[0], label="contribution")
    right.plot(table.component, table.cumulative, color=figures.COLOURS[1], marker="s", ms=4,
               label="cumulative")  # fmt: skip
    right.set(xlabel="component", ylabel="share of the variance", title="contribution rates",
              ylim=(0, 1.05))  # fmt: skip
    for ax in (left, right):
        ax.set_xticks(table.component[:: max(1, len(table) // 10)])
        ax.legend(fontsize=9)
    return fig, table


def loadings(factors: Factors, titles: Mapping[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Loadings before and after rotation as a heat map with numbers, and what is unique."""
    names = [f"factor {j + 1}" for j in range(factors.loadings.shape[1])]
    order = np.lexsort(
        (-np.abs(factors.loadings).max(axis=1), np.abs(factors.loadings).argmax(axis=1))
    )
    fig, axes = figures.new(1, 2, size=(7.2, 1.4 + 0.31 * len(order)), sharey=True, squeeze=False)
    for ax, values, title in zip(
        axes.flat, (factors.unrotated, factors.loadings),
        ("before rotation", f"after {factors.rotation} ({factors.method})"), strict=True,
    ):  # fmt: skip
        shown = values[order]
        ax.imshow(shown, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(shown):
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8,
                    color="white" if abs(value) > 0.7 else "black")  # fmt: skip
        ax.set_xticks(range(len(names)), names, fontsize=8)
        ax.set_yticks(range(len(order)), [titles.get(factors.columns[i], "") for i in order],
                      fontsize=8)  # fmt: skip
        ax.grid(visible=False)
        ax.set_title(title, fontsize=10)
    table = pd.DataFrame(factors.loadings, columns=names)
    table.insert(0, "variable", factors.columns)
    return fig, table.assign(uniqueness=factors.uniqueness, kmo=factors.kmo_by_variable).iloc[
        order
    ].reset_index(drop=True)


def power_curve(
    p: float, n1: int, n2: int, *, measured: float, least: float
) -> tuple[Figure, pd.DataFrame]:
    """Power of the test over the true difference, with the one measured and the least found.

    Parameters
    ----------
    p : float
        The second group's share.
    n1, n2 : int
    measured : float
        The difference in the data.
    least : float
        The rise that is found four times in five; not a number for none.
    """
    from precmark.statistics import power

    reach = max(abs(measured) * 1.6, 2 * least if np.isfinite(least) else 0, 1e-4)
    apart = np.linspace(max(-p * 0.999, -reach), min((1 - p) * 0.999, reach), 161)
    rows = [power(p + d, p, n1, n2) for d in apart]
    fig, ax = figures.new(size=(7.2, 3.2))
    ax.plot(100 * apart, rows, color=figures.COLOURS[0], label="chance to reject")
    ax.axvline(100 * measured, color=figures.COLOURS[1], ls="--", label="difference measured")
    if np.isfinite(least):
        ax.plot(100 * least, 0.8, marker="D", ls="none", color=figures.COLOURS[2],
                label="smallest rise found 4 times in 5")  # fmt: skip
    ax.set(xlabel="true difference of the shares, percentage points", ylabel="power",
           ylim=(0, 1.02))  # fmt: skip
    legend_below(fig, ax)
    return fig, pd.DataFrame({"difference": apart, "power": rows})


def kinds(table: pd.DataFrame, titles: Mapping[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Units on display and sold a store and month by kind of store, a row of panels a world.

    Under each kind stands its share of the stores.

    Parameters
    ----------
    table : pandas.DataFrame
        ``world``, ``by``, ``kind``, ``share``, ``display``, ``sales`` (see ``Worlds.kinds``).
    titles : mapping of world to words
    """
    worlds, groups = list(titles), list(table.by.unique())
    fig, axes = figures.new(
        len(worlds), len(groups), size=(7.2, 2.5 * len(worlds)), squeeze=False, sharey=True
    )
    for row, world in zip(axes, worlds, strict=True):
        for ax, by in zip(row, groups, strict=True):
            r = table[(table.world == world) & (table.by == by)]
            x = np.arange(len(r))
            ax.bar(x - 0.2, r.display, 0.4, color=figures.COLOURS[0], label="on display")
            ax.bar(x + 0.2, r.sales, 0.4, color=figures.COLOURS[1], hatch="//",
                   edgecolor="white", label="sold")  # fmt: skip
            names = [
                k.replace("shopping ", "shopping\n").replace("else", "else-\n") + f"\n{share:.0%}"
                for k, share in zip(r.kind, r.share, strict=True)
            ]
            ax.set_xticks(x, names, fontsize=7.5)
            ax.grid(axis="x", visible=False)
            ax.set_title(f"by {by}" if world == worlds[0] else "", fontsize=10)
        row[0].set_ylabel(f"{titles[world]}\nunits a store, month", fontsize=8.5)
    legend_below(fig, axes[0, 0])
    return fig, table[table.world.isin(worlds)].reset_index(drop=True)


def coefficients(
    table: pd.DataFrame, titles: Mapping[str, str], *, by: str = "world"
) -> tuple[Figure, pd.DataFrame]:
    """Coefficients of each method with 95 % intervals, a row of panels a world; truth dashed.

    Parameters
    ----------
    table : pandas.DataFrame
        `by`, ``method``, ``term``, ``estimate``, ``low``, ``high``, and ``truth`` where known.
    titles : mapping of the values of `by` to words
    """
    shown = table[table.term != "constant"]
    terms, methods = list(shown.term.unique()), list(shown.method.unique())
    fig, axes = figures.new(
        len(titles), len(terms), size=(7.2, 0.9 + 1.45 * len(titles)), squeeze=False, sharey=True,
        sharex="col",
    )  # fmt: skip
    for row, (key, title) in zip(axes, titles.items(), strict=True):
        for ax, term in zip(row, terms, strict=True):
            r = shown[(shown[by] == key) & (shown.term == term)].set_index("method")
            r = r.reindex(methods)
            for i, method in enumerate(methods):
                m = r.loc[method]
                whiskers(ax, m.estimate, i, [m.low], [m.high], i=i)
            if "truth" in r and r.truth.notna().any():
                ax.axvline(r.truth.dropna().iloc[0], color="#111111", ls="--", lw=1.2)
            ax.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)
            ax.set_yticks(range(len(methods)), methods, fontsize=8)
            ax.set_ylim(len(methods) - 0.5, -0.5)
            ax.tick_params(axis="x", labelsize=8)
            ax.set_title(term if key == next(iter(titles)) else "", fontsize=10)
        if title:
            row[0].set_ylabel("\n".join(textwrap.wrap(title, 20)), fontsize=8.5)
    return fig, shown.reset_index(drop=True)


def outlet_accuracies(
    tables: Mapping[str, pd.DataFrame], band: tuple[float, float]
) -> tuple[Figure, pd.DataFrame]:
    """Every outlet's accuracy with its interval, in order, beside that of the constant answer.

    Parameters
    ----------
    tables : mapping of title to frame
        From :func:`precmark.statistics.outlet_accuracy`.
    band : tuple of float
        The paper's range, shaded.
    """
    fig, axes = figures.new(
        len(tables), 1, size=(7.2, 2.7 * len(tables) + 0.4), squeeze=False, sharey=True
    )
    for ax, (title, table) in zip(axes.flat, tables.items(), strict=True):
        x = np.arange(1, len(table) + 1)
        ax.axhspan(*band, color="#e8dfc4", zorder=0, label="the paper's range")
        reach = np.vstack([table.accuracy - table.low, table.high - table.accuracy]).clip(min=0)
        ax.errorbar(x, table.accuracy, reach, ls="none", marker="o", ms=3.5, capsize=0,
                    elinewidth=1, color=figures.COLOURS[0],
                    label="model, 95 % interval")  # fmt: skip
        ax.plot(x, table.constant, ls="none", marker="_", ms=6, mew=1.6,
                color=figures.COLOURS[1], label="constant answer")  # fmt: skip
        ax.set(ylabel="accuracy", title=title, xlim=(0, len(table) + 1))
        ax.title.set_fontsize(10)
    axes[-1, 0].set_xlabel("outlets, from the least to the most accurate")
    legend_below(fig, axes[0, 0])
    return fig, pd.concat(
        [t.assign(customers_of=name) for name, t in tables.items()], ignore_index=True
    )


def throughput(stages: pd.DataFrame, batches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Seconds of each batch by stage, and its speed, in the order in which they ran.

    Parameters
    ----------
    stages : pandas.DataFrame
        From :func:`precmark.statistics.measure_throughput`.
    batches : pandas.DataFrame
        From :func:`precmark.statistics.by_batch`.
    """
    fig, (top, below) = figures.new(2, 1, size=(7.2, 4.6), sharex=True)
    bottom = np.zeros(len(batches))
    for i, stage in enumerate(stages.stage.unique()):
        seconds = stages[stages.stage == stage].set_index("batch").seconds
        seconds = seconds.reindex(batches.batch).to_numpy()
        top.bar(batches.batch, seconds, bottom=bottom, color=figures.COLOURS[i],
                hatch=figures.HATCHES[i], edgecolor="white", lw=0.3, label=stage)  # fmt: skip
        bottom += seconds
    top.set(ylabel="seconds a batch")
    below.plot(batches.batch, batches.rows_a_second, marker="o", ms=3.5, lw=1)
    below.axhline(batches.rows_a_second.median(), color=figures.COLOURS[1], ls="--", lw=1,
                  label="median")  # fmt: skip
    below.set(ylabel="rows a second", xlabel="batch", ylim=(0, None))
    below.legend(fontsize=9, loc="lower right")
    legend_below(fig, top)
    return fig, batches
