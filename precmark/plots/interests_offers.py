"""Figures of chapter 11's second half: groups, sinking offers, cold start, exposure, privacy.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import legend_below, pooled_against_segment, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from precmark.interests.anonymise import Protected
    from precmark.interests.coldstart import Newcomers
    from precmark.interests.feedback import Shown

SCENARIOS = {
    "clean": "as it is",
    "orders": "forged orders",
    "bandwagon": "forged, with\nbest-sellers",
    "deal": "paid deal",
}
"""Scenarios of :func:`precmark.interests.neutrality.pushed` in words."""


def groups_later(table: pd.DataFrame, *, xlabel: str) -> tuple[Figure, pd.DataFrame]:
    """Share of each group that bought later, beside everybody else's.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.interests.groups.outcomes`.
    """
    kept = table[table.customers > 0]
    rest = kept.assign(value=kept.others, low=np.nan, high=np.nan, series="all other customers")
    mine = kept.assign(value=kept.rate, series="the group")
    long = pd.concat([rest, mine], ignore_index=True)
    long["row"] = long.group + "  (" + long.customers.map("{:,}".format) + ")"
    fig, _ = pooled_against_segment(long, row="row", series="series", xlabel=xlabel)
    right = fig.axes[0].get_xlim()[1]
    fig.axes[0].set_xlim(-0.015 * right, right)
    return fig, table


def pages(results: Mapping[str, Shown]) -> tuple[Figure, pd.DataFrame]:
    """Share found, products seen and kinds on the page over the pages, a line a policy."""
    table = pd.concat([r.pages.assign(policy=name) for name, r in results.items()])
    titles = {
        "found": "wanted products\nfound so far",
        "seen": "different products\nshown so far",
        "kinds": "kinds on the page",
    }
    measures = [m for m in titles if table[m].notna().any()]
    fig, axes = figures.new(1, len(measures), size=(7.2, 3.5), squeeze=False)
    for ax, measure in zip(axes.flat, measures, strict=True):
        for i, (name, r) in enumerate(table.groupby("policy", sort=False)):
            look = {"color": figures.COLOURS[i % 8], "ls": figures.LINES[i % 8], "lw": 1.3}
            look |= {"marker": figures.MARKS[i % 8], "ms": 3.5, "markevery": (i % 4, 4)}
            ax.plot(r.page, r[measure], label=name, **look)
        ax.set_title(titles[measure], fontsize=9.5)
        ax.set(xlabel="page")
        ax.set_ylim(bottom=1 if measure == "kinds" else 0)
    legend_below(fig, axes[0, 0], fontsize=8.5)
    return fig, table.reset_index(drop=True)


def arrivals(found: Newcomers) -> tuple[Figure, pd.DataFrame]:
    """nDCG of lists on arrival: what serves newcomers, and users known before."""
    known = found.known[found.known.who == "known before"].rename(columns={"who": "name"})
    table = pd.concat([found.lists, known.assign(name="users known before: the hybrid")])
    fig, ax = figures.new(size=(7.2, 0.9 + 0.42 * len(table)))
    for y, r in enumerate(table.itertuples()):
        last = y == len(table) - 1
        whiskers(ax, [r.value], [y], [r.low], [r.high], i=1 if last else 0)
    ax.set_yticks(range(len(table)), table.name)
    ax.set(xlabel="nDCG at 10, on arrival", ylim=(len(table) - 0.5, -0.5))
    ax.set_xlim(left=0)
    return fig, table.reset_index(drop=True)


def new_products(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Exposure of new products for what they are wanted, and the quality of the lists, by list.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.interests.coldstart.new_products`.
    """
    kept = table.kept.map({0: "", 1: ", 1 place kept"}).fillna(
        ", " + table.kept.astype(str) + " places kept"
    )
    names = table.list + kept
    fig, (left, right) = figures.new(1, 2, size=(7.2, 1.3 + 0.3 * len(table)), sharey=True)
    at = np.arange(len(table))
    whiskers(left, table.ratio, at, table.ratio_low, table.ratio_high, i=0)
    left.axvline(1, color="#444444", ls="--", lw=1.2)
    right.barh(at, table.nDCG, color=figures.COLOURS[1], height=0.5)
    left.set(xlabel="share shown / share wanted", ylim=(len(table) - 0.5, -0.5))
    left.set_xlim(left=-0.05)
    for ax in (left, right):
        ax.locator_params(axis="x", nbins=4)
    right.set(xlabel="nDCG at 10")
    left.set_yticks(at, names)
    return fig, table


def exposures(table: pd.DataFrame, by: str) -> tuple[Figure, pd.DataFrame]:
    """Each group's exposure over its share of what was wanted, with intervals; 1 is neutral.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.interests.exposure.exposure`.
    by : str
        What the groups are.
    """
    shown = table.sort_values("ratio", ascending=False, kind="stable")
    fig, ax = figures.new(size=(7.2, 1.0 + 0.27 * len(shown)))
    at = np.arange(len(shown))
    for i, says in enumerate(("pushed", "neutral", "held back")):
        mine = (shown.says == says).to_numpy()
        if mine.any():
            r = shown[mine]
            whiskers(ax, r.ratio, at[mine], r.low, r.high, i=(1, 5, 0)[i], label=says)
    ax.axvline(1, color="#444444", ls="--", lw=1.2)
    ax.set_yticks(at, shown.group, fontsize=9)
    ax.set(xlabel=f"exposure / share of what was wanted, by {by}", ylim=(len(shown) - 0.5, -0.5))
    legend_below(fig, ax)
    return fig, shown.reset_index(drop=True)


def bounds(tables: Mapping[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """nDCG over the highest exposure that is left, a line a grouping, a mark a bound.

    Parameters
    ----------
    tables : mapping of grouping to frame
        See :func:`precmark.interests.neutrality.trade_off`.
    """
    fig, ax = figures.new(size=(7.2, 3.4))
    for i, (by, table) in enumerate(tables.items()):
        r = table.sort_values("most_shown")
        colour = figures.COLOURS[i % 8]
        ax.fill_between(r.most_shown, r.low, r.high, color=colour, alpha=0.15, lw=0)
        ax.plot(r.most_shown, r.nDCG, color=colour, ls=figures.LINES[i], marker=figures.MARKS[i],
                ms=5, lw=1.3, label=f"bounded by {by}")  # fmt: skip
        free = r[np.isinf(r.bound)].iloc[0]
        ax.plot(free.most_shown, free.nDCG, marker=figures.MARKS[i], ms=11, mfc="none", ls="none",
                color=colour, label="without bound" if i == 0 else None)  # fmt: skip
    ax.set(
        xlabel="exposure of the most favoured group / its share of what is wanted",
        ylabel="nDCG at 10",
    )
    ax.set_ylim(bottom=0)
    legend_below(fig, ax)
    return fig, pd.concat([t.assign(by=by) for by, t in tables.items()], ignore_index=True)


def attacks(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """A group's exposure under each attack, a panel a list: as shown (filled) and bounded (open).

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.interests.neutrality.pushed`.
    """
    models = list(table.model.unique())
    rows = table[["scenario", "forged"]].drop_duplicates().to_numpy()
    labels = [SCENARIOS[s] + (f" {share:.0%}" if share else "") for s, share in rows]
    fig, axes = figures.new(1, len(models), size=(7.2, 3.9), sharey=True, squeeze=False)
    for ax, model in zip(axes.flat, models, strict=True):
        r = table[table.model == model]
        _attack_panel(ax, r)
        ax.set_title(model, fontsize=10)
    axes[0, 0].set_yticks(range(len(labels)), labels, fontsize=9)
    axes[0, 0].set_ylim(len(labels) - 0.5, -0.5)
    fig.supxlabel(f"share of all exposure that {table.group.iloc[0]} gets", fontsize=10)
    legend_below(fig, axes[0, 0], loc="outside upper center")
    return fig, table


def _attack_panel(ax: Axes, r: pd.DataFrame) -> None:
    at = np.arange(len(r))
    for y, one in zip(at, r.itertuples(), strict=True):
        ax.plot([one.bounded, one.exposure], [y, y], color="#9a9a9a", lw=1.2, zorder=1)
    ax.plot(r.exposure, at, ls="none", marker="o", color=figures.COLOURS[1], label="as shown")
    ax.plot(r.bounded, at, ls="none", marker="s", mfc="white", mew=1.5, color=figures.COLOURS[0],
            label="bounded")  # fmt: skip
    ax.axvline(r.wanted.iloc[0], color="#444444", ls="--", lw=1.2, label="wanted before")
    ax.set_xlim(-0.05, 1.05)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def alone(known: Mapping[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """Share of customers who are the only one of their kind, by the number of columns known.

    Parameters
    ----------
    known : mapping of a kind of columns to frame
        See :func:`precmark.interests.privacy.facts_known`.
    """
    fig, ax = figures.new(size=(7.2, 3.3))
    for i, (kind, r) in enumerate(known.items()):
        colour = figures.COLOURS[i % 8]
        ax.fill_between(r.known, r.low, r.high, color=colour, alpha=0.15, lw=0)
        ax.plot(r.known, r.alone, color=colour, ls=figures.LINES[i], marker=figures.MARKS[i],
                lw=1.4, label=kind)  # fmt: skip
    ax.set(xlabel="columns known, drawn at random", ylabel="customers who are alone")
    ax.set_ylim(-0.02, 1.02)
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend_below(fig, ax)
    table = pd.concat([t.assign(columns=kind) for kind, t in known.items()], ignore_index=True)
    return fig, table


def protection(found: Protected) -> tuple[Figure, pd.DataFrame]:
    """Step by step: customers in too small a crowd, and the bits that the columns still hold."""
    steps = found.steps
    words = ["as it is", *(f"{r.column}: {r.to}" for r in steps.iloc[1:].itertuples())]
    fig, (left, right) = figures.new(1, 2, size=(7.2, 1.2 + 0.25 * len(steps)), sharey=True)
    at = np.arange(len(steps))
    left.barh(at, steps.below, color=figures.COLOURS[1], height=0.6)
    right.barh(at, steps.bits, color=figures.COLOURS[0], height=0.6)
    left.set(xlabel=f"customers in crowds below {found.k}", xlim=(0, 1.02))
    right.set(xlabel="bits that the columns hold")
    left.set_yticks(at, words, fontsize=9)
    left.set_ylim(len(steps) - 0.5, -0.5)
    return fig, steps
