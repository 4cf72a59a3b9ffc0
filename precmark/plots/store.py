"""Figures of chapter 01, the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.store import peaks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def calibration_dots(table: pd.DataFrame, tolerance: float) -> Figure:
    """Simulated over published for each figure of ``precmark.simulate.calibration``."""
    fig, ax = figures.new(size=(7.2, 0.8 + 0.34 * len(table)))
    ax.axvspan(1 - tolerance, 1 + tolerance, color="#e4e4e4", zorder=0)
    ax.axvline(1, color="#555555", lw=1)
    groups = {"matched": 0, "off": 1, "cannot be matched": 4}
    for verdict, style in groups.items():
        rows = np.flatnonzero(table["verdict"] == verdict)
        if not len(rows):
            continue
        ratio = (table["simulated"] / table["published"]).iloc[rows]
        ax.plot(ratio, rows, figures.MARKS[style], color=figures.COLOURS[style], label=verdict,
                fillstyle="none" if verdict == "cannot be matched" else "full", ms=7)  # fmt: skip
    ax.set_yticks(range(len(table)), table["figure"] + " (" + table["place"] + ")")
    ax.invert_yaxis()
    ax.set_xlabel("simulated / published")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=3)
    return fig


def depth_curve(table: pd.DataFrame) -> Figure:
    """Share of sessions that reach each page view, on a logarithmic axis."""
    fig, ax = figures.new(size=(7.2, 3.2))
    ax.plot(table["page_views"], table["share"], "-o", color=figures.COLOURS[0])
    for n, share in zip(table["page_views"], table["share"], strict=True):
        if n in (1, 2, 3, 5):
            ax.annotate(f"{share:.1%}", (n, share), xytext=(6, 6), textcoords="offset points")
    ax.set_yscale("log")
    for axis_part in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        axis_part(lambda v, _: f"{100 * v:g} %" if f"{v:.0e}"[0] in "125" else "")
    ax.set_xticks(table["page_views"])
    ax.set(xlabel="page view reached", ylabel="share of sessions")
    return fig


def funnel_bars(table: pd.DataFrame) -> Figure:
    """Bars of sessions by step, with the share of all sessions written beside."""
    fig, ax = figures.new(size=(7.2, 2.4))
    ax.barh(table["step"], table["sessions"], color=figures.COLOURS[0], height=0.6)
    for y, (count, share) in enumerate(zip(table["sessions"], table["share"], strict=True)):
        ax.text(count, y, f" {count:,} ({share:.1%})", va="center")
    ax.invert_yaxis()
    ax.set_xlim(0, 1.25 * table["sessions"].max())
    ax.set_xlabel("sessions")
    ax.grid(axis="y", visible=False)
    return fig


def hour_map(grid: pd.DataFrame, noun: str = "sessions") -> Figure:
    """Heat map of sessions by weekday and hour; `noun` names what they are."""
    fig, ax = figures.new(size=(7.2, 2.7))
    image = ax.imshow(grid, aspect="auto", cmap=figures.SEQUENTIAL)
    ax.set_yticks(range(7), grid.index)
    ax.set_xticks(range(0, 24, 3), [f"{h:02d}" for h in range(0, 24, 3)])
    ax.set_xlabel("hour on the shop's clock")
    ax.grid(visible=False)
    fig.colorbar(image, ax=ax, label=f"{noun} an hour", pad=0.02)
    return fig


def daily_line(table: pd.DataFrame, noun: str = "sessions") -> Figure:
    """Sessions by day, their mean over seven days, and the peaks; `noun` names what they are."""
    column = "sessions"
    fig, ax = figures.new(size=(7.2, 3.0))
    ax.plot(table.index, table[column], color="#9db8c8", lw=0.9, label="each day")
    smooth = table[column].rolling(7, center=True).mean()
    ax.plot(table.index, smooth, color=figures.COLOURS[0], lw=2, label="mean of 7 days")
    top = peaks(table)
    ax.plot(top.index, top, figures.MARKS[2], color=figures.COLOURS[1], ms=8, label="peaks")
    for day, value in top.items():
        ax.annotate(f"{day.day} {day:%b}", (day, value), xytext=(7, -3),
                    textcoords="offset points")  # fmt: skip
    ax.set(ylabel=noun, ylim=(0, 1.3 * table[column].max()))
    ax.xaxis.set_major_formatter(_month_axis(ax))
    ax.legend(loc="upper left", ncols=3)
    return fig


def _month_axis(ax):
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=8)
    ax.xaxis.set_major_locator(locator)
    return ConciseDateFormatter(locator)


def cohort_map(table: pd.DataFrame) -> Figure:
    """Heat map of the share of each cohort that returns, month by month; numbers in the cells."""
    months = [c for c in table.columns if c != "users"]
    values = 100 * table[months].to_numpy(dtype=float)
    fig, ax = figures.new(size=(7.2, 1.2 + 0.27 * len(table)))
    image = ax.imshow(values, aspect="auto", cmap=figures.SEQUENTIAL, vmin=0)
    middle = np.nanmax(values) / 2
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.0f}" if value >= 10 else f"{value:.1f}"
            ax.text(x, y, text, ha="center", va="center", fontsize=8,
                    color="black" if value > middle else "white")  # fmt: skip
    labels = [f"{c} ({n:,.0f} users)" for c, n in table["users"].items()]
    ax.set_yticks(range(len(table)), labels, fontsize=8.5)
    ax.set_xticks(range(len(months)), months)
    ax.set_xlabel("months after the first visit")
    ax.grid(visible=False)
    fig.colorbar(image, ax=ax, label="% of the cohort", pad=0.02)
    return fig


def duration_bars(shop: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Sessions by duration in doubling steps, with the mean and the median marked."""
    seconds = shop["duration_s"].to_numpy()
    edges = np.array([0.0, *2.0 ** np.arange(0, 14)])
    counts, _ = np.histogram(np.minimum(seconds, edges[-1]), edges)
    table = pd.DataFrame({"from_s": edges[:-1], "to_s": edges[1:], "sessions": counts})
    fig, ax = figures.new(size=(7.2, 3.0))
    at = np.arange(len(counts))
    ax.bar(at, 100 * counts / counts.sum(), width=0.9, color=figures.COLOURS[0])
    for value, name, i in ((np.median(seconds), "median", 1), (seconds.mean(), "mean", 2)):
        place = np.interp(np.log2(max(value, 1)), np.arange(0, 14), np.arange(1, 15)) - 0.5
        ax.axvline(
            place, color=figures.COLOURS[i], ls=figures.LINES[i], label=f"{name} {value:.0f} s"
        )
    ax.set_xticks(at, [f"{e:g}" for e in edges[:-1]])
    ax.set(xlabel="duration from ... s (next step: twice as long)", ylabel="% of sessions")
    ax.legend()
    return fig, table


def response_curves(worlds: tuple[str, ...]) -> tuple[Figure, pd.DataFrame]:
    """g(R) of each world against the rank of risk."""
    from precmark.simulate import response

    rank = np.linspace(0, 1, 101)
    table = pd.DataFrame({world: response(world, rank) for world in worlds})
    table.insert(0, "rank", rank)
    fig, ax = figures.new(size=(7.2, 3.4))
    for i, world in enumerate(worlds):
        ax.plot(rank, table[world], ls=figures.LINES[i], color=figures.COLOURS[i],
                marker=figures.MARKS[i], markevery=20, label=world.replace("_", " "))  # fmt: skip
    ax.set(xlabel="rank of the risk not to buy, R (0: surest buyer, 1: surest leaver)",
           ylabel="response g(R)")  # fmt: skip
    ax.legend()
    return fig, table
