"""Figures of chapter 10: the grid, the maps, the six tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.grid.comparison import MapReading
from precmark.grid.fits import MODEL_TITLES
from precmark.grid.igtd import Layout
from precmark.grid.tag_study import printed_table3
from precmark.plots.churn import legend_below, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def swap_errors(layout: Layout) -> tuple[Figure, pd.DataFrame]:
    """The mean mismatch of ranks after each turn."""
    fig, ax = figures.new(size=(7.2, 2.9))
    turns = np.arange(len(layout.errors))
    ax.plot(turns, layout.errors, lw=1.8)
    ax.set(xlabel="turns (one feature looked at in each)", ylabel="mean mismatch of ranks")
    ax.set_ylim(0, 1.08 * layout.errors[0])
    return fig, pd.DataFrame({"turn": turns, "mismatch": layout.errors})


def short_name(feature: str) -> str:
    """A feature's name in two lines that fit a pixel: ``"view\\n4 w"``, ``"view\\nlast"``."""
    if feature.startswith("days_since_"):
        return f"{feature.removeprefix('days_since_')[:9]}\nlast"
    name, _, weeks = feature.rpartition("_")
    return f"{name[:9]}\n{weeks[:-1]} w"


def family(feature: str) -> str:
    """The channel of a feature, without its window."""
    if feature.startswith("days_since_"):
        return feature.removeprefix("days_since_")
    return feature.rpartition("_")[0]


_COLOURED = ("purchase", "view", "watch", "visits", "money", "cancel")


def feature_grid(layout: Layout) -> tuple[Figure, pd.DataFrame]:
    """Every feature on its pixel; up to four channels are coloured."""
    rows, columns = layout.shape
    places = layout.places()
    table = pd.DataFrame(
        {"feature": layout.names, "row": places[:, 0] + 1, "column": places[:, 1] + 1}
    )
    table["channel"] = table["feature"].map(family)
    there = set(table["channel"])
    shown = [c for c in _COLOURED if c in there][:4]
    fig, ax = figures.new(size=(7.2, 0.62 * rows + 0.5))
    for r in table.itertuples():
        k = shown.index(r.channel) if r.channel in shown else None
        face = "#f4f4f4" if k is None else figures.COLOURS[k]
        hatch = "" if k is None else figures.HATCHES[k]
        ax.add_patch(_square(r.column - 1, r.row - 1, face, hatch, 1.0 if k is None else 0.35))
        ax.text(r.column - 0.5, r.row - 0.5, short_name(r.feature), ha="center", va="center",
                fontsize=6.4, linespacing=1.1)  # fmt: skip
    for k, name in enumerate(shown):
        ax.add_patch(_square(-9, -9, figures.COLOURS[k], figures.HATCHES[k], 0.35, name))
    _bare(ax, rows, columns)
    legend_below(fig, ax)
    return fig, table


def _square(x: float, y: float, face: str, hatch: str, alpha: float, label: str | None = None):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, fc=face, ec="white", lw=1.5, hatch=hatch, alpha=alpha,
                     label=label)  # fmt: skip


def _bare(ax: Axes, rows: int, columns: int) -> None:
    ax.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)


def customers(
    pictures: np.ndarray, titles: Sequence[str], layout: Layout
) -> tuple[Figure, pd.DataFrame]:
    """Pictures of single customers side by side, one colour scale.

    Parameters
    ----------
    pictures : array of float, shape (k, rows, columns)
    titles : sequence of str
        k captions.
    layout : Layout
        Its names label the table.
    """
    from precmark.grid.igtd import by_feature

    fig, axes = figures.new(1, len(pictures), size=(7.2, 2.2), squeeze=False)
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=True):
        drawn = _heat(ax, picture, -2.5, 2.5)
        ax.set_title(title, fontsize=9)
    bar = fig.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("standard deviations\nfrom the mean", fontsize=8.5)
    values = by_feature(pictures, layout)
    table = pd.DataFrame(values.T, columns=list(titles))
    table.insert(0, "feature", layout.names)
    return fig, table


def _heat(ax: Axes, values: np.ndarray, low: float, high: float):
    drawn = ax.imshow(values, vmin=low, vmax=high, aspect="equal", cmap=figures.SEQUENTIAL)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    return drawn


def class_maps(reading: MapReading) -> tuple[Figure, pd.DataFrame]:
    """Mean class activation maps with and without the outcome, and their difference, named."""
    came, stayed = reading.maps
    apart = came - stayed
    fig, axes = figures.new(1, 3, size=(7.2, 3.6))
    low = float(np.nanmin(reading.maps))
    high = float(np.nanmax(reading.maps))
    for ax, values, title in ((axes[0], came, "outcome came"), (axes[1], stayed, "it did not")):
        drawn = _heat(ax, values, low, high)
        ax.set_title(title, fontsize=9.5)
    bar = fig.colorbar(drawn, ax=axes[:2], location="bottom", shrink=0.7, pad=0.03)
    bar.set_label("log odds, times pixels", fontsize=8.5)
    drawn = _heat(axes[2], apart, float(np.nanmin(apart)), float(np.nanmax(apart)))
    axes[2].set_title("difference", fontsize=9.5)
    bar = fig.colorbar(drawn, ax=axes[2], location="bottom", shrink=0.9, pad=0.03)
    bar.set_label("came less did not", fontsize=8.5)
    top = reading.table.reindex(reading.table["apart"].abs().sort_values(ascending=False).index)
    for number, r in enumerate(top.head(5).itertuples(), 1):
        axes[2].text(r.column, r.row, str(number), ha="center", va="center", fontsize=9,
                     weight="bold", color="white",
                     bbox={"fc": "#222222", "ec": "none", "pad": 1.2})  # fmt: skip
    return fig, top.reset_index(drop=True)


def map_against_need(reading: MapReading) -> tuple[Figure, pd.DataFrame]:
    """What a map shows at a feature against what the network loses without it."""
    table = reading.table.assign(size=reading.table["apart"].abs())
    fig, ax = figures.new(size=(7.2, 3.6))
    ax.axhline(0, color="#777777", lw=0.8)
    ax.plot(table["size"], table["lost"], ls="none", marker="o", ms=4.5, alpha=0.6)
    needed = table.sort_values("lost", ascending=False).head(4)
    bright = table.sort_values("size", ascending=False).head(4)
    for i, (rows, label) in enumerate(((needed, "costs most"), (bright, "brightest")), 1):
        ax.plot(rows["size"], rows["lost"], ls="none", marker=figures.MARKS[i], ms=8, mfc="none",
                mew=1.6, color=figures.COLOURS[i],
                label=f"{label}: " + ", ".join(f.replace("_", " ") for f in rows["feature"]),
                )  # fmt: skip
    ax.set(xlabel="how far the two groups' maps lie apart at the feature (log odds x pixels)",
           ylabel="average precision\nlost when shuffled")  # fmt: skip
    legend_below(fig, ax, ncols=1, fontsize=8.5)
    return fig, table.drop(columns="size")


def monthly_quality(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Table 1: the paper's and our accuracy, and our average precision, row by row."""
    rows = list(dict.fromkeys(table["row"]))
    models = [m for m in MODEL_TITLES if m in set(table["model"])]
    fig, axes = figures.new(3, 1, size=(7.2, 7.6), sharex=True)
    panels = (
        ("paper_test", "accuracy, as printed"),
        ("accuracy", "accuracy, ours"),
        ("average_precision", "average precision, ours"),
    )
    at = np.arange(len(rows))
    for ax, (column, title) in zip(axes, panels, strict=True):
        for i, model in enumerate(models):
            values = table[table["model"] == model].set_index("row")[column].reindex(rows)
            if values.isna().all():
                continue
            plain = {"color": "#444444", "marker": "_", "ls": "--"} if model == "constant" else {}
            style = {"color": figures.COLOURS[i], "marker": figures.MARKS[i], "ls": ":"} | plain
            shift = 0 if model == "constant" else 0.09 * (i - len(models) / 2)
            ax.plot(at + shift, values, ms=5, lw=1, label=MODEL_TITLES[model], **style)
        ax.set_title(title, fontsize=10)
    axes[-1].set_xticks(at, rows, fontsize=9)
    axes[-1].set_xlabel("training months of the paper's row; tested on the month after")
    legend_below(fig, axes[1])
    return fig, table


def rates(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Table 2: four rates of each model, ours with intervals and the paper's."""
    names = list(dict.fromkeys(table["metric"]))
    models = [m for m in MODEL_TITLES if m in set(table["model"])]
    fig, axes = figures.new(2, 2, size=(7.2, 4.9), sharey=True)
    for ax, name in zip(axes.flat, names, strict=True):
        r = table[table["metric"] == name].set_index("model").reindex(models)
        at = np.arange(len(models))
        whiskers(ax, r["value"], at - 0.13, r["low"], r["high"], i=0, label="ours")
        ax.plot(r["paper"], at + 0.13, ls="none", marker="D", mfc="white", ms=5.5,
                color=figures.COLOURS[1], label="paper")  # fmt: skip
        title = "Matthews correlation" if name == "matthews" else name
        ax.set_title(title, fontsize=9.5)
        ax.set_yticks(at, [MODEL_TITLES[m] for m in models], fontsize=9)
        ax.set_ylim(len(models) - 0.4, -0.6)
        ax.set_xlim(-0.03, 1.03)
    legend_below(fig, axes[0, 0])
    return fig, table


def growth(sizes: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Table 3: tags before and after the filter by size of the log, the paper's and ours; time."""
    printed = printed_table3()
    fig, axes = figures.new(1, 3, size=(7.2, 3.1))
    for ax, frame, x, scale, title in (
        (axes[0], printed, "gigabytes", 1e6, "paper"),
        (axes[1], sizes, "rows", 1e3, "ours"),
    ):
        unit = "million" if scale == 1e6 else "thousand"
        across = frame[x] / (1 if x == "gigabytes" else 1e3)
        for i, (column, label) in enumerate((("tags", "before"), ("filtered", "after the filter"))):
            ax.plot(across, frame[column] / scale, color=figures.COLOURS[i],
                    marker=figures.MARKS[i], ls=figures.LINES[i], ms=5, label=label)  # fmt: skip
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="log, GB" if x == "gigabytes" else "log, thousand rows",
               ylabel=f"tags, {unit}")  # fmt: skip
        ax.set_ylim(bottom=0)
    axes[2].plot(sizes["rows"] / 1e3, sizes["seconds"], color=figures.COLOURS[2], marker="^", ms=5)
    axes[2].set_title("time of the filter, ours", fontsize=10)
    axes[2].set(xlabel="log, thousand rows", ylabel="seconds")
    axes[2].set_ylim(bottom=0)
    for ax in axes:
        ax.set_xlim(left=0)
    legend_below(fig, axes[0])
    return fig, sizes


def audience(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Table 4: shares by gender and age of the predicted, of all candidates, of those who came."""
    fig, axes = figures.new(2, 1, size=(7.2, 5.2), height_ratios=(3, 7), sharex=True)
    for ax, trait in zip(axes, ("gender", "age"), strict=True):
        r = table[table["trait"] == trait].reset_index(drop=True)
        at = np.arange(len(r))
        whiskers(ax, r["share_predicted"], at - 0.2, r["low"], r["high"], i=0,
                 label="predicted")  # fmt: skip
        for i, (column, shift, label) in enumerate(
            (("share_candidates", 0.0, "all candidates"), ("share_came", 0.2, "came")), 1
        ):
            ax.plot(r[column], at + shift, ls="none", marker=figures.MARKS[i], ms=5.5,
                    color=figures.COLOURS[i], label=label)  # fmt: skip
        ax.plot(r["paper_predicted"], at, ls="none", marker="|", ms=14, mew=2,
                color="#444444", label="paper's users")  # fmt: skip
        ax.set_yticks(at, r["value"])
        ax.set_ylim(len(r) - 0.5, -0.5)
        ax.set_title(trait, fontsize=10)
    axes[-1].set_xlabel("share")
    axes[-1].set_xlim(-0.02, 1.0)
    legend_below(fig, axes[0])
    return fig, table


def targeting(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Table 5: the picked against those at random, month by month; the paper's index below."""
    from precmark.claims import paper

    fig, axes = figures.new(1, 2, size=(7.2, 3.5), width_ratios=(1.2, 1))
    at = np.arange(len(table))
    whiskers(axes[0], at, table["precision"], table["low"], table["high"], i=0, horizontal=False,
             label="highest scores", ls="-", lw=1)  # fmt: skip
    axes[0].plot(at, table["general"], color=figures.COLOURS[1], marker="s", ls="--", ms=5,
                 label="at random")  # fmt: skip
    axes[0].set_xticks(at, table["month"], rotation=60, fontsize=8)
    axes[0].set_ylabel("share with the outcome")
    axes[0].set_ylim(bottom=0)
    axes[0].set_title("ours", fontsize=10)
    months = np.arange(1, 13)
    for i, kind in enumerate(("precision", "general")):
        values = [paper("liu", f"table5.{kind}_{m}") for m in months]
        axes[1].plot(months, values, color=figures.COLOURS[i], marker=figures.MARKS[i],
                     ls=figures.LINES[i], ms=5)  # fmt: skip
    axes[1].set(
        xlabel="month of the forecast", ylabel="income, no unit printed", xticks=months[::2]
    )
    axes[1].set_ylim(bottom=0)
    axes[1].set_title("paper: precision and general", fontsize=10)
    legend_below(fig, axes[0])
    return fig, table


def by_month(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Table 6: precision, recall and F1 by month, ours with intervals and the paper's."""
    months = [m for m in dict.fromkeys(table["month"]) if m != "pooled"]
    fig, axes = figures.new(1, 3, size=(7.2, 3.2), sharey=True)
    at = np.arange(len(months))
    for ax, name in zip(axes, ("precision", "recall", "f1"), strict=True):
        r = table[table["metric"] == name].set_index("month").reindex(months)
        whiskers(ax, at - 0.1, r["value"], r["low"], r["high"], i=0, horizontal=False,
                 label="ours")  # fmt: skip
        ax.plot(at + 0.1, r["paper"], ls="none", marker="D", mfc="white", ms=5.5,
                color=figures.COLOURS[1], label="paper")  # fmt: skip
        ax.plot(at, r["base_rate"], color="#444444", ls="--", lw=1, label="rate of the outcome")
        ax.set_title("F1" if name == "f1" else name, fontsize=10)
        ax.set_xticks(at, months, fontsize=8.5)
        ax.set_ylim(0, 1)
    axes[1].set_xlabel("paper's month")
    legend_below(fig, axes[0])
    return fig, table
