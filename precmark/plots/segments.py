"""Figures of the segmentation chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from precmark.segments import NumberChoice, Personas, Separation

STEPS = (
    ("Event log", "section 5.1", "01"),
    ("Profile of\neach user", "Tables 1-3", "02"),
    ("Segments", "section 4.1, step 1", "03"),
    ("Churn risk,\none model a segment", "sections 4.1, 4.2", "04, 05"),
    ("Offers: what\nwould suit whom", "section 4.3", "06"),
    ("Coupons to those\nat high risk", "Table 6", "07"),
    ("Sales", "Table 7", "08"),
)
"""The steps of the paper's Figure 1 in our words, where each is described, and its chapter here."""


def label(feature: str) -> str:
    """A profile column's name as a figure prints it."""
    return feature.replace("_", " ")


def flow(here: str = "03") -> tuple[Figure, pd.DataFrame]:
    """The paper's framework as boxes and arrows, with the chapter of this book for each step."""
    from matplotlib.patches import FancyBboxPatch

    fig, ax = figures.new(size=(7.2, 3.4))
    ax.set(xlim=(0, 4), ylim=(0, 2))
    ax.axis("off")
    places = [(0, 1), (1, 1), (2, 1), (3, 1), (3, 0), (2, 0), (1, 0)]
    for (x, y), (step, place, chapter) in zip(places, STEPS, strict=True):
        now = chapter == here
        ax.add_patch(
            FancyBboxPatch(
                (x + 0.06, y + 0.2), 0.76, 0.6, boxstyle="round,pad=0.03",
                fc="#dcebf4" if now else "white", ec=figures.COLOURS[0], lw=2.2 if now else 1,
            )
        )  # fmt: skip
        ax.text(x + 0.44, y + 0.6, step, ha="center", va="center", fontsize=8.2, weight="bold")
        many = "chapters" if "," in chapter else "chapter"
        said = f"{place}\n{many} {chapter}"
        ax.text(x + 0.44, y + 0.3, said, ha="center", va="center", fontsize=7.5)
    arrow = {"arrowstyle": "-|>", "color": "#444444"}
    for (x, y), (to_x, to_y) in pairwise(places):
        if y != to_y:
            start, end = (x + 0.44, y + 0.16), (to_x + 0.44, to_y + 0.84)
        else:
            leave, arrive = (0.86, 0.02) if to_x > x else (0.02, 0.86)
            start, end = (x + leave, y + 0.5), (to_x + arrive, y + 0.5)
        ax.annotate("", end, start, arrowprops=arrow)
    rows = [(s.replace("\n", " "), p, c) for s, p, c in STEPS]
    return fig, pd.DataFrame(rows, columns=["step", "place in the paper", "chapter"])


def stickiness_plane(
    plane: pd.DataFrame, centres: np.ndarray, *, most: int = 3000, seed: int = 0
) -> tuple[Figure, pd.DataFrame]:
    """Users on the stickiness plane by segment (at most `most` drawn), centres numbered.

    `plane` is :meth:`StickinessSegments.plane`'s; the table holds a row a segment.
    """
    fig, ax = figures.new(size=(7.2, 4.4))
    active = plane[plane.segment > 0]
    drawn = active.sample(min(most, len(active)), random_state=seed)
    # users share few values of regularity: a little noise shows how many stand on one spot
    noise = np.random.default_rng(seed).normal(0, 0.008, (len(drawn), 2))
    for segment, rows in drawn.groupby("segment"):
        where = noise[drawn.segment.to_numpy() == segment]
        i = (segment - 1) % len(figures.COLOURS)
        ax.scatter(
            rows.regularity + where[:, 0], rows.depth + where[:, 1], s=12, alpha=0.55,
            marker=figures.MARKS[i], color=figures.COLOURS[i], lw=0, label=f"segment {segment}",
        )  # fmt: skip
    for i, (x, y) in enumerate(centres, 1):
        ax.annotate(
            str(i), (x, y), ha="center", va="center", weight="bold",
            bbox={"boxstyle": "circle", "fc": "white", "ec": "black"},
        )  # fmt: skip
    ax.set(xlabel="regularity (rank of active days, 0 to 1)", xlim=(-0.05, 1.05))
    ax.set(ylabel="depth (rank of activity a day, 0 to 1)", ylim=(-0.05, 1.05))
    if len(drawn):
        fig.legend(loc="outside right upper", markerscale=1.8)
    table = plane.groupby("segment").agg(
        users=("segment", "size"),
        active_days=("active_days", "mean"),
        activity_per_day=("activity_per_day", "mean"),
        regularity=("regularity", "mean"),
        depth=("depth", "mean"),
    )
    table.insert(1, "share", table.users / table.users.sum())
    return fig, table.reset_index()


def dendrogram(
    tree: np.ndarray, n_segments: int, *, leaves: int = 24
) -> tuple[Figure, pd.DataFrame]:
    """The top of Ward's `tree`, at most `leaves` branches, with the line that cuts `n_segments`."""
    from scipy.cluster.hierarchy import dendrogram as draw

    fig, ax = figures.new()
    heights = tree[::-1, 2]
    if len(tree):
        draw(
            tree, p=leaves, truncate_mode="lastp", ax=ax, show_leaf_counts=True,
            color_threshold=0, above_threshold_color=figures.COLOURS[0], leaf_rotation=90,
        )  # fmt: skip
        ax.tick_params(axis="x", labelsize=8)
    if 1 < n_segments <= len(heights):
        line = (heights[n_segments - 2] + heights[n_segments - 1]) / 2
        ax.axhline(line, color=figures.COLOURS[1], ls="--", label=f"cut into {n_segments}")
        ax.legend()
    ax.set(xlabel="branches (number of users in brackets)", ylabel="height of the merge")
    ax.grid(axis="x", visible=False)
    top = heights[:leaves]
    return fig, pd.DataFrame({"segments_after_merge": np.arange(1, len(top) + 1), "height": top})


def choice_curves(choices: Mapping[str, NumberChoice]) -> tuple[Figure, pd.DataFrame]:
    """Silhouette and stability by number of segments, with intervals; the chosen one ringed."""
    fig, axes = figures.new(1, 2, size=(7.2, 3.6), sharex=True)
    tables = []
    for i, (name, choice) in enumerate(choices.items()):
        table = choice.table
        tables.append(table.assign(segmentation=name))
        colour, mark, line = figures.COLOURS[i], figures.MARKS[i], figures.LINES[i]
        for ax, what in zip(axes, ("silhouette", "stability"), strict=True):
            ax.plot(table.segments, table[what], color=colour, marker=mark, ls=line, label=name)
            ax.fill_between(
                table.segments,
                table[f"{what}_low"],
                table[f"{what}_high"],
                color=colour,
                alpha=0.15,
            )
            chosen = table[table.chosen]
            ax.scatter(
                chosen.segments, chosen[what], s=160, fc="none", ec="black", lw=1.5, zorder=3
            )
    axes[0].set(title="Silhouette", xlabel="segments", ylabel="mean silhouette")
    axes[1].set(title="Stability", xlabel="segments", ylabel="adjusted Rand index")
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend()
    return fig, pd.concat(tables, ignore_index=True)


def _grid(table: pd.DataFrame, column: str) -> np.ndarray:
    return table.pivot(index="row", columns="column", values=column).to_numpy()


def _borders(ax: Axes, segment: np.ndarray, colour: str = "white") -> None:
    """Lines between map units of different segments."""
    rows, columns = segment.shape
    for r in range(rows):
        for c in range(columns):
            if c + 1 < columns and segment[r, c] != segment[r, c + 1]:
                ax.plot([c + 0.5] * 2, [r - 0.5, r + 0.5], color=colour, lw=2)
            if r + 1 < rows and segment[r, c] != segment[r + 1, c]:
                ax.plot([c - 0.5, c + 0.5], [r + 0.5] * 2, color=colour, lw=2)


def _bare(ax: Axes, title: str) -> None:
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def map_overview(codebook: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """U-matrix with the segments' borders, and users a unit with the segments' numbers.

    `codebook` is :meth:`SomSegments.codebook_table`'s.
    """
    fig, (left, right) = figures.new(1, 2, size=(7.2, 3.7))
    segment = _grid(codebook, "segment")
    image = left.imshow(_grid(codebook, "u_distance"), cmap=figures.SEQUENTIAL)
    _borders(left, segment)
    _bare(left, "U-matrix and segments")
    fig.colorbar(image, ax=left, shrink=0.75, label="distance to neighbours")
    hits = _grid(codebook, "hits")
    image = right.imshow(np.log10(1 + hits), cmap=figures.SEQUENTIAL)
    _borders(right, segment)
    for number, rows in codebook.groupby("segment"):
        # the busiest unit carries the number: a mean could fall outside a bent segment
        unit = rows.loc[rows.hits.idxmax()]
        right.text(
            unit.column, unit.row, str(number), ha="center", va="center", weight="bold",
            bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": "black"},
        )  # fmt: skip
    _bare(right, "Users a unit")
    bar = fig.colorbar(image, ax=right, shrink=0.75, label="users")
    ticks = np.array([t for t in (0, 1, 10, 100, 1000, 10_000, 100_000) if t <= max(hits.max(), 1)])
    bar.set_ticks(np.log10(1 + ticks), labels=[f"{t:,}" for t in ticks])
    return fig, codebook[["row", "column", "hits", "segment", "u_distance"]]


def component_planes(
    codebook: pd.DataFrame, features: Sequence[str]
) -> tuple[Figure, pd.DataFrame]:
    """One map a feature: where on the map it is high or low, with the segments' borders."""
    columns = min(4, len(features))
    rows = -(-len(features) // columns)
    fig, axes = figures.new(rows, columns, size=(7.2, 0.4 + 1.95 * rows), squeeze=False)
    segment = _grid(codebook, "segment")
    values = codebook[list(features)].to_numpy()
    low, high = values.min(), values.max()
    for ax in axes.flat[len(features) :]:
        ax.axis("off")
    for ax, feature in zip(axes.flat, features, strict=False):
        image = ax.imshow(_grid(codebook, feature), vmin=low, vmax=high, cmap=figures.SEQUENTIAL)
        _borders(ax, segment)
        _bare(ax, "")
        ax.set_title(label(feature), fontsize=8.5)
    fig.colorbar(image, ax=axes, shrink=0.6, label="standard deviations")
    return fig, codebook[["row", "column", "segment", *features]]


def persona_cards(found: Personas, *, traits: int = 5) -> tuple[Figure, pd.DataFrame]:
    """A card a segment: its name, its share, and the features that set it apart most."""
    count = len(found.table)
    rows = -(-count // 2)
    fig, axes = figures.new(rows, 2, size=(7.2, 0.5 + 1.75 * rows), squeeze=False, sharex=True)
    for ax in axes.flat[count:]:
        ax.axis("off")
    shown = found.traits[found.traits["rank"] <= traits]
    for ax, row in zip(axes.flat, found.table.itertuples(), strict=False):
        mine = shown[shown.segment == row.segment][::-1]
        high = mine.difference > 0
        for side, hatch, colour in (
            (high, "", figures.COLOURS[0]),
            (~high, "//", figures.COLOURS[1]),
        ):
            names = [label(f) for f in mine.feature]
            ax.barh(names, mine.difference.where(side), color=colour, hatch=hatch, ec="white")
        ax.axvline(0, color="black", lw=0.8)
        ax.set_title(f"{row.segment}. {row.persona}\n{row.share:.1%} of users", fontsize=9)
        ax.tick_params(axis="y", labelsize=8)
        ax.grid(axis="y", visible=False)
    for ax in axes[-1]:
        ax.set_xlabel("difference from all others (sd)", fontsize=8)
    return fig, shown.merge(found.table, on="segment").reset_index(drop=True)


def shares(table: pd.DataFrame, *, xlabel: str) -> tuple[Figure, pd.DataFrame]:
    """Stacked bars of `table` (counts; a bar a row), each row scaled to its own total."""
    part = table.div(table.sum(axis=1).clip(lower=1), axis=0)
    fig, ax = figures.new(size=(7.2, 1.7 + 0.36 * len(table)))
    left = np.zeros(len(part))
    for i, column in enumerate(part):
        ax.barh(
            [str(r) for r in part.index], part[column], left=left, label=str(column), ec="white",
            color=figures.COLOURS[i % 8], hatch=figures.HATCHES[i % 8],
        )  # fmt: skip
        left += part[column].to_numpy()
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, xlim=(0, 1))
    ax.grid(axis="y", visible=False)
    fig.legend(loc="outside lower center", ncols=min(4, len(part.columns)), fontsize=9)
    named = part.index.name or "row"
    return fig, table.rename_axis(named).reset_index()


def future_rates(parted: Mapping[str, Separation], *, ylabel: str) -> tuple[Figure, pd.DataFrame]:
    """Share of each segment's users with the outcome and its interval, a panel a segmentation."""
    sizes = [max(2, len(p.rates)) for p in parted.values()]
    fig, axes = figures.new(
        1, len(parted), size=(7.2, 3.6), sharey=True, width_ratios=sizes, squeeze=False
    )
    tables = []
    for i, (ax, (name, part)) in enumerate(zip(axes.flat, parted.items(), strict=True)):
        rates = part.rates.sort_values("rate", ascending=False)
        gap = [rates.rate - rates.rate_low, rates.rate_high - rates.rate]
        ax.errorbar(
            [str(s) for s in rates.segment], rates.rate, yerr=np.clip(gap, 0, None),
            fmt=figures.MARKS[i], color=figures.COLOURS[i], capsize=3,
        )  # fmt: skip
        ax.set_title(f"{name}\nAUROC {part.auroc:.2f}", fontsize=9.5)
        ax.tick_params(axis="x", rotation=60, labelsize=8)
        ax.margins(x=0.15)
        tables.append(rates.assign(segmentation=name, segment=rates.segment.astype(str)))
    axes[0, 0].set(ylabel=ylabel)
    axes[0, 0].set_ylim(bottom=0)
    return fig, pd.concat(tables, ignore_index=True)
