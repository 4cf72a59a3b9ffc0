"""Figures of chapter 02: coverage, ages and their default values, hours, tails, a user's card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.profile_pages.tables import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from precmark.profiles import AgeRule


def coverage_bars(table: pd.DataFrame, label: str) -> Figure:
    """Coverage of the basic attributes, with the paper's figures as diamonds.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.profile_pages.tables.attribute_rows`.
    label : str
        What the bars are, for the legend.
    """
    fig, ax = figures.new(size=(7.2, 0.9 + 0.3 * len(table)))
    at = np.arange(len(table))
    ours, printed = 100 * table["this run"], 100 * table["paper"]
    ax.barh(at, ours, height=0.55, color=figures.COLOURS[0], label=label)
    ax.plot(printed, at, figures.MARKS[3], color=figures.COLOURS[1], mec="black", mew=0.5, ms=9,
            ls="none", label="the paper's platform")  # fmt: skip
    for y, (mine, theirs) in enumerate(zip(ours, printed, strict=True)):
        text = f"{mine:.0f} %" if np.isnan(theirs) else f"{mine:.1f} % (paper {theirs:.0f} %)"
        ax.text(np.nanmax([mine, theirs]) + 2.5, y, text, va="center", fontsize=9)
    names = table["here"].where(table["here"] != "age", table["the paper asks for"])
    ax.set_yticks(at, names.str.replace("_", " "))
    ax.invert_yaxis()
    ax.set(xlim=(0, 116), xlabel="% of users with a value", xticks=range(0, 101, 20))
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0, frameon=False)
    return fig


def age_histogram(rule: AgeRule) -> Figure:
    """Users by age, default values hatched, with what the neighbours would suggest."""
    counts = rule.counts
    fig, ax = figures.new(size=(7.2, 3.4))
    kept = counts[~counts.spike]
    ax.bar(kept.age, kept.users, width=0.85, color=figures.COLOURS[0], label="kept")
    spikes = counts[counts.spike]
    if len(spikes):
        ax.bar(spikes.age, spikes.users, width=0.85, color="white", ec=figures.COLOURS[1],
               hatch=figures.HATCHES[1], label="taken for a default value")  # fmt: skip
    ax.step(counts.age, counts.expected, where="mid", color="black", lw=1, ls=figures.LINES[1],
            label="expected from the neighbours")  # fmt: skip
    for spike in spikes.itertuples():
        right = spike.age > (rule.low + rule.high) / 2
        ax.annotate(f"age {spike.age}: {spike.users:,.0f} users", (spike.age, spike.users),
                    xytext=(-7 if right else 7, 2), textcoords="offset points",
                    ha="right" if right else "left", fontsize=9)  # fmt: skip
    ax.set(xlabel="age, years", ylabel="users", xlim=(rule.low - 1, rule.high + 1))
    ax.set_ylim(0, 1.12 * max(counts.users.max(), 1))
    ax.yaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, frameon=False)
    return fig


def reach_bars(table: pd.DataFrame) -> Figure:
    """Users with any event by window, and empty cells of the features of that window."""
    fig, ax = figures.new(size=(7.2, 2.9))
    at = np.arange(len(table))
    series = (("share", "users with any event"), ("empty_cells", "cells that are empty"))
    for i, (column, label) in enumerate(series):
        values = 100 * table[column].to_numpy(dtype=float)
        y = at + 0.2 * (2 * i - 1)
        ax.barh(y, values, height=0.36, color=figures.COLOURS[i], hatch=figures.HATCHES[i],
                ec="white", label=label)  # fmt: skip
        for where, value in zip(y, values, strict=True):
            if np.isfinite(value):
                text = f"{value:.2g} %" if 0 < value < 10 else f"{value:.0f} %"
                ax.text(value + 1, where, text, va="center", fontsize=9)
    ax.set_yticks(at, table.window)
    ax.invert_yaxis()
    ax.set(xlim=(0, 110), xlabel="%", xticks=range(0, 101, 20))
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2, frameon=False)
    return fig


_SERIES = {
    "events": "all events",
    "users": "mean of users' shares",
    "watching": "time watched",
    "watching a day": "time watched",
    "page views a day": "page views",
}


def time_bars(hours: pd.DataFrame, weekdays: pd.DataFrame) -> Figure:
    """Left: shares by six hours. Right, where there is something: a day of each class."""
    by_day = [c for c in weekdays.columns if c.endswith(" a day")]
    fig, axes = figures.new(1, 2 if by_day else 1, size=(7.2, 3.3), squeeze=False)
    left = axes[0, 0]
    _grouped(left, 100 * hours, list(hours.columns), ("events", "users", "watching"))
    left.axhline(25, color="black", lw=1, ls=figures.LINES[3])
    left.set(xlabel="hours on the store's clock", ylabel="% of 30 days")
    if by_day:
        right = axes[0, 1]
        _grouped(right, weekdays, by_day, (None, "page views a day", "watching a day"))
        right.axhline(1, color="black", lw=1, ls=figures.LINES[3])
        right.set(ylabel="times the mean day")
    for ax in axes[0]:
        ax.grid(axis="x", visible=False)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8.5, frameon=False)
    return fig


def _grouped(ax, table: pd.DataFrame, columns: list[str], order: tuple[str | None, ...]) -> None:
    width = 0.8 / len(columns)
    for i, column in enumerate(columns):
        look = order.index(column)
        at = np.arange(len(table)) + (i - (len(columns) - 1) / 2) * width
        ax.bar(at, table[column], width=0.92 * width, color=figures.COLOURS[look], ec="white",
               hatch=figures.HATCHES[look], label=_SERIES[column])  # fmt: skip
    ax.set_xticks(range(len(table)), table.index)


def tail_panels(table: pd.DataFrame, units: dict[str, str]) -> Figure:
    """A small panel a feature: share of all users that have at least so much, both axes in powers.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.profile_pages.readings.tails`.
    units : dict
        Column of the profile to unit.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    features = list(dict.fromkeys(table.feature))
    rows = -(-len(features) // 3)
    fig, axes = figures.new(rows, 3, size=(7.2, 0.4 + 2.1 * rows), sharey=True, squeeze=False)
    fig.get_layout_engine().set(hspace=0.08)
    for ax in axes.flat[len(features) :]:
        ax.set_visible(False)
    axes[0, 0].set_ylim(min(70 * table.share.min(), 10), 150)
    for i, (ax, feature) in enumerate(zip(axes.flat, features, strict=False)):
        part = table[table.feature == feature]
        ax.plot(part.at_least, 100 * part.share, drawstyle="steps-pre", color=figures.COLOURS[0])
        ax.plot(part.at_least.iloc[[0, -1]], 100 * part.share.iloc[[0, -1]], "o", ms=4,
                color=figures.COLOURS[0])  # fmt: skip
        ax.set(xscale="log", yscale="log")
        low, high = part.at_least.min(), part.at_least.max()
        ax.set_xlim(0.8 * min(low, high / 10), 1.25 * max(high, 10 * low))
        ax.xaxis.set_major_locator(LogLocator(numticks=4))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_title(feature, fontsize=9.5)
        ax.set_xlabel(units.get(feature, ""), fontsize=8.5)
        ax.tick_params(labelsize=8)
        ax.xaxis.set_major_formatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}")
        ax.yaxis.set_major_formatter(lambda v, _: f"{v:g} %")
        if i % 3 == 0:
            ax.set_ylabel("users with that much", fontsize=8.5)
    return fig


def user_card(card: pd.DataFrame) -> Figure:
    """One user's features as places among all users, with the values written out."""
    fig, ax = figures.new(size=(7.2, 0.9 + 0.3 * max(len(card), 1)))
    at = np.arange(len(card))
    ax.hlines(at, 0, 100 * card.below, color="#9db8c8", lw=2)
    ax.plot(100 * card.below, at, "o", color=figures.COLOURS[0], ms=7)
    for y, row in enumerate(card.itertuples()):
        ax.text(103, y, f"{number(row.value)} ({row.unit})", va="center", fontsize=9)
    ax.set_yticks(at, card.feature)
    ax.invert_yaxis()
    ax.set(xlim=(0, 150), xlabel="% of all users with less", xticks=range(0, 101, 20))
    ax.grid(axis="y", visible=False)
    return fig


def rfm_panels(profile: pd.DataFrame, currency: str) -> tuple[Figure, pd.DataFrame]:
    """Buyers by recency, frequency and monetary value, and the bins drawn."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    bought = profile[profile.frequency > 0]
    paid = bought.loc[bought.monetary > 0, "monetary"]
    panels = [
        ("recency", bought.recency_days, np.linspace(0, max(bought.recency_days.max(), 1), 25),
         "days since the last purchase"),
        ("frequency", bought.frequency.clip(upper=15), np.arange(0.5, 16), "days with a purchase"),
    ]  # fmt: skip
    if len(paid):
        edges = np.geomspace(paid.min(), paid.max() * 1.001, 25)
        panels.append(("monetary", paid, edges, f"{currency or 'money'} spent"))
    fig, axes = figures.new(1, len(panels), size=(7.2, 2.8))
    out = []
    for i, (ax, (name, values, edges, label)) in enumerate(zip(axes, panels, strict=True)):
        counts, _ = np.histogram(values, edges)
        table = {"measure": name, "from": edges[:-1], "to": edges[1:], "users": counts}
        out.append(pd.DataFrame(table))
        ax.bar(edges[:-1], counts, width=np.diff(edges), align="edge", ec="white", lw=0.4,
               color=figures.COLOURS[i])  # fmt: skip
        ax.set_title(name.capitalize(), fontsize=10)
        ax.set_xlabel(label, fontsize=9)
        ax.tick_params(labelsize=8)
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.yaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
        ax.grid(axis="x", visible=False)
    axes[0].set_ylabel("buyers")
    axes[1].set_xticks([1, 5, 10, 15], ["1", "5", "10", "15+"])
    if len(paid):
        axes[2].set_xscale("log")
        axes[2].xaxis.set_major_locator(LogLocator(numticks=4))
        axes[2].xaxis.set_minor_formatter(NullFormatter())
        axes[2].xaxis.set_major_formatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}")
    return fig, pd.concat(out, ignore_index=True)
