"""Figures of chapter 14 on campaigns: placement, rules, and effects on a series.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from precmark import figures
from precmark.plots.churn import legend_below, whiskers
from precmark.strategy.placement import Market, Plan
from precmark.strategy.response import CELL, SEGMENTS
from precmark.strategy.series import Interruption
from precmark.strategy.series_study import WAYS, Weeks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NONE = {"color": "#444444", "ls": "--", "lw": 1.1}
_RAW, _TRUTH = "raw rates", "the truth"


def shrinkage(cells: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Each cell's rate as counted against the rate drawn to its kind of visitor.

    Parameters
    ----------
    cells : pandas.DataFrame
        Of :class:`precmark.strategy.response.Response`.
    """
    fig, ax = figures.new(size=(7.2, 3.8))
    biggest = cells.contacts.max()
    for i, segment in enumerate(s for s in SEGMENTS if (cells.segment == s).any()):
        rows = cells[cells.segment == segment]
        ax.scatter(rows.raw, rows.rate, s=12 + 90 * rows.contacts / biggest, alpha=0.7,
                   label=segment, color=figures.COLOURS[i], marker=figures.MARKS[i])  # fmt: skip
    top = float(cells.rate.max())
    ax.plot([0, top], [0, top], label="as counted", **_NONE)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.set_ylim(0, 1.25 * top)
    ax.set_xlabel("buyers a visit, as counted in the cell")
    ax.set_ylabel("as estimated")
    legend_below(fig, ax)
    return fig, cells[[*CELL, "contacts", "buyers", "raw", "rate", "low", "high"]]


def money(market: Market, made: Sequence[Plan]) -> tuple[Figure, pd.DataFrame]:
    """Share of each plan's money by channel, time slot and kind of visitor."""
    cells = market.cells
    fig, axes = figures.new(1, 3, size=(7.2, 3.6))
    rows = []
    for ax, kind in zip(axes, CELL, strict=True):
        names = [s for s in SEGMENTS if s in set(cells.segment)] if kind == "segment" else sorted(
            set(cells[kind]), key=lambda n: (len(n.split("-")[0]), n) if kind == "slot" else (0, n)
        )  # fmt: skip
        for i, plan in enumerate(made):
            share = pd.Series(plan.spent).groupby(cells[kind].to_numpy()).sum() / plan.spent.sum()
            share = share.reindex(names, fill_value=0.0)
            at = np.arange(len(names)) + (i - (len(made) - 1) / 2) * 0.27
            ax.barh(at, share, 0.25, label=plan.name, color=figures.COLOURS[i],
                    hatch=figures.HATCHES[i], edgecolor="white", lw=0.4)  # fmt: skip
            rows += [(plan.name, kind, n, float(v)) for n, v in share.items()]
        ax.set_yticks(range(len(names)), [n.replace("_", " ") for n in names], fontsize=8.5)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        title = {"channel": "channel", "slot": "local time", "segment": "visitor"}[kind]
        ax.set_title(title, fontsize=9.5)
        ax.grid(axis="y", visible=False)
    legend_below(fig, axes[0])
    return fig, pd.DataFrame(rows, columns=["plan", "by", "name", "share_of_money"])


def plans(early: pd.DataFrame, later: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Expected buyers of each plan by the rates planned with, and by those of the later log.

    Parameters
    ----------
    early, later : pandas.DataFrame
        :func:`precmark.strategy.placement_study.expected`.
    """
    fig, ax = figures.new(size=(7.2, 2.6))
    shown = {"by the log planned with": early, "by the later log": later}
    for i, (label, table) in enumerate(shown.items()):
        at = np.arange(len(table)) + (i - 0.5) * 0.25
        whiskers(ax, table.buyers, at, table.low, table.high, i=i, label=label)
    ax.set_yticks(range(len(early)), early.plan)
    ax.set_ylim(len(early) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel("buyers that the budget brings")
    legend_below(fig, ax)
    return fig, pd.concat([t.assign(rates=label) for label, t in shown.items()], ignore_index=True)


def planted_rates(summary: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """What plans bring of what the best would, and what they promise, by how far cells differ.

    Parameters
    ----------
    summary : pandas.DataFrame
        :func:`precmark.strategy.placement_study.against_truth`.
    """
    fig, axes = figures.new(1, 2, size=(7.2, 3.3))
    plans = [p for p in summary.plan.unique() if p != _TRUTH]
    for i, plan in enumerate(plans):
        rows = summary[summary.plan == plan]
        style = {"color": figures.COLOURS[i], "marker": figures.MARKS[i], "ls": figures.LINES[i]}
        axes[0].plot(rows.spread, rows.delivered, label=plan, **style)
        axes[0].fill_between(rows.spread, rows.low, rows.high, color=figures.COLOURS[i], alpha=0.2)
        if rows.promised.notna().any():
            axes[1].plot(rows.spread, rows.promised, **style)
    axes[0].set_title("brought, of the best possible", fontsize=9.5)
    axes[1].set_title("promised, of what is brought", fontsize=9.5)
    axes[1].axhline(1, **_NONE)
    axes[0].set_ylim(0, 1.05)
    for ax in axes:
        ax.set_xlabel("spread of true rates between cells")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    legend_below(fig, axes[0])
    return fig, summary


def rule_profit(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Profit of a hundred offers by rule, a mark a world.

    Parameters
    ----------
    table : pandas.DataFrame
        :func:`precmark.strategy.crm_effects.effects`.
    """
    rules = list(dict.fromkeys(table.rule))
    fig, ax = figures.new(size=(7.2, 0.9 + 0.5 * len(rules)))
    for i, world in enumerate(dict.fromkeys(table.world)):
        rows = table[table.world == world].set_index("rule").reindex(rules)
        at = np.arange(len(rules)) + (i - 2) * 0.13
        ax.plot(rows.profit_100, at, ls="none", marker=figures.MARKS[i], ms=6,
                color=figures.COLOURS[i], label=world.replace("_", " "))  # fmt: skip
    ax.axvline(0, **_NONE)
    names = table.drop_duplicates("rule").set_index("rule").offers
    ax.set_yticks(range(len(rules)), [f"{r}\n({names[r]:,} offers)" for r in rules], fontsize=8.5)
    ax.set_ylim(len(rules) - 0.5, -0.5)
    ax.set_xlabel("profit of 100 offers, in the store's money")
    legend_below(fig, ax, ncols=5)
    return fig, table


def holdout(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """What one comparison with the held-out users finds, and the truth, rule by rule.

    Parameters
    ----------
    table : pandas.DataFrame
        :func:`precmark.strategy.crm_effects.holdouts`.
    """
    fig, ax = figures.new(size=(7.2, 0.9 + 0.45 * len(table)))
    at = np.arange(len(table))
    whiskers(ax, table.measured, at, table.low, table.high, i=0, label="measured by the holdout")
    ax.plot(
        table.truth, at, marker="|", ms=18, mew=2.2, ls="none", color="black", label="the truth"
    )
    ax.axvline(0, **_NONE)
    ticks = [f"{r.rule}\n({r.offered:,} and {r.held_out:,})" for r in table.itertuples()]
    ax.set_yticks(at, ticks, fontsize=8.5)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("purchases more with the offer, percentage points")
    legend_below(fig, ax)
    return fig, table


def free_rises(found: pd.DataFrame, printed: float) -> tuple[Figure, pd.DataFrame]:
    """How many windows without a campaign rise by how much, and the paper's rise.

    Parameters
    ----------
    found : pandas.DataFrame
        :func:`precmark.strategy.turnover.windows`.
    printed : float
        Growth that the paper prints, as a share.
    """
    fig, ax = figures.new(size=(7.2, 2.9))
    shown = found.rise.clip(upper=2.0)
    ax.hist(
        shown, bins=np.arange(-1, 2.01, 0.1), color=figures.COLOURS[0], edgecolor="white", lw=0.5
    )
    ax.axvline(printed, color=figures.COLOURS[1], lw=2.2, label="the rise that the paper prints")
    ax.axvline(0, **_NONE)
    low = min(-0.3, float(shown.min()) - 0.1)
    ax.set_xlim(low, max(0.8, float(shown.max()) + 0.1))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("fifth month against first (30 days each)")
    ax.set_ylabel("days to begin on")
    legend_below(fig, ax)
    return fig, found


def campaign(
    weeks: Weeks, treated: np.ndarray, control: np.ndarray, fit: Interruption
) -> tuple[Figure, pd.DataFrame]:
    """A planted campaign: both groups' sales, and their difference with what was fitted to it."""
    fig, axes = figures.new(2, 1, size=(7.2, 4.4), sharex=True)
    shares = {"with the campaign": treated, "control group": control}
    for i, (label, y) in enumerate(shares.items()):
        axes[0].plot(weeks.start, y / y[: weeks.at].mean(), ls=figures.LINES[i], label=label,
                     color=figures.COLOURS[i], marker=figures.MARKS[i], ms=3.5)  # fmt: skip
    axes[0].set_ylabel("sales, of the\nmean before")
    axes[1].plot(weeks.start, fit.series, ".", color=figures.COLOURS[5], label="difference")
    axes[1].plot(weeks.start, fit.fitted, color=figures.COLOURS[2], drawstyle="steps-mid",
                 label="fitted")  # fmt: skip
    axes[1].set_ylabel("difference")
    for ax in axes:
        ax.axvline(weeks.start[weeks.at] - pd.Timedelta(days=3.5), **_NONE)
        ax.tick_params(axis="x", rotation=0, labelsize=8.5)
    axes[0].set_title("the campaign begins at the dashed line", fontsize=9.5)
    lines = [line for ax in axes for line in ax.get_legend_handles_labels()[0]]
    fig.legend(handles=lines, loc="outside lower center", ncols=4, frameon=False)
    table = pd.DataFrame(
        {"week": weeks.start, "treated": treated, "control": control, "difference": fit.series,
         "fitted": fit.fitted}
    )  # fmt: skip
    return fig, table


def ways(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """What every way to judge finds where nothing was planted, and where something was.

    Parameters
    ----------
    table : pandas.DataFrame
        :func:`precmark.strategy.series_study.study`.
    """
    planted = list(dict.fromkeys(table.planted))
    fig, axes = figures.new(1, len(planted), size=(7.2, 3.1), sharey=True, squeeze=False)
    for ax, value in zip(axes.flat, planted, strict=True):
        rows = table[table.planted == value].set_index("way").reindex(WAYS)
        at = np.arange(len(WAYS))
        whiskers(ax, rows.effect, at, rows.least, rows.most, i=0,
                 label="found (middle 80 % of the trials)")  # fmt: skip
        ax.axvline(value, color=figures.COLOURS[1], lw=1.8, label="planted")
        ax.set_title(f"planted: {value:.0%}" if value else "nothing planted", fontsize=9.5)
        ax.set_yticks(at, WAYS, fontsize=8.5)
        ax.set_ylim(len(WAYS) - 0.5, -0.5)
        _percent_within(ax, rows)
    legend_below(fig, axes[0, 0])
    return fig, table


def _percent_within(ax: Axes, rows: pd.DataFrame) -> None:
    """Percent on the x axis, cut at 200 % where a wild way would squeeze all others."""
    low, high = float(rows.least.min()), float(rows.most.max())
    ax.set_xlim(max(-1.5, min(-0.2, low - 0.1)), min(2.0, max(0.6, high + 0.1)))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("effect on sales")


def placebo_dates(table: pd.DataFrame, weeks: Weeks) -> tuple[Figure, pd.DataFrame]:
    """The effect "found" at every date without a campaign, and at the real one.

    Parameters
    ----------
    table : pandas.DataFrame
        :func:`precmark.strategy.series.placebos`.
    weeks : Weeks
    """
    fig, ax = figures.new(size=(7.2, 2.8))
    shown = table.assign(week=weeks.start[table["at"]])
    for i, (label, real) in enumerate({"placebo date": False, "the campaign": True}.items()):
        rows = shown[shown.real == real]
        whiskers(
            ax, rows.week, rows.effect, rows.low, rows.high, i=i, horizontal=False, label=label
        )
    ax.axhline(0, **_NONE)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_ylabel("effect, of the mean before")
    ax.tick_params(axis="x", labelsize=8.5)
    legend_below(fig, ax)
    return fig, shown
