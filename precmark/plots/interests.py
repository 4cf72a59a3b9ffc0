"""Figures of chapter 11, first half: trees, pictures, lists learnt from few, new words.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import legend_below, whiskers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_NAME = 22


def tree(
    nodes: pd.DataFrame, *, most: tuple[int, ...] = (5, 4, 3), label: str = "weight"
) -> tuple[Figure, pd.DataFrame]:
    """A tree from left to right, the heaviest branches of each node; a node's size is its weight.

    Parameters
    ----------
    nodes : pandas.DataFrame
        ``node``, ``parent``, ``level`` (0 is the root), ``weight``; ``name`` where it differs from
        ``node``. The root is the first row.
    most : tuple of int
        Branches drawn of a node, from the root downwards; deeper levels are left out.
    label : str
        What the number beside a name is.
    """
    names = nodes.name if "name" in nodes else nodes.node
    nodes = nodes.assign(name=names.to_numpy())
    shown = _heaviest(nodes, most)
    place = _places(shown)
    leaves = sum(1 for n in shown.node if n not in set(shown.parent))
    depth = int(shown.level.max())
    fig, ax = figures.new(size=(7.2, max(2.4, 0.6 + 0.24 * leaves)))
    whole = pd.api.types.is_integer_dtype(nodes.weight)
    heaviest = shown.weight.iloc[1:].max() if len(shown) > 1 else 1.0
    for row in shown.itertuples():
        x, y = place[row.node]
        if row.parent:
            px, py = place[row.parent]
            ax.plot([px, px + 0.8, px + 0.8, x], [py, py, y, y], color="#9a9a9a", lw=0.9, zorder=1)
        size = 3 + 9 * np.sqrt(min(row.weight / heaviest, 1.0))
        colour = figures.COLOURS[row.level % 8]
        ax.plot(x, y, marker=figures.MARKS[row.level % 8], ms=size, color=colour, zorder=2)
        text = row.name if len(row.name) <= LONGEST_NAME else row.name[: LONGEST_NAME - 1] + "…"
        number = f"{row.weight:,.0f}" if whole or row.weight >= 10 else f"{row.weight:.1f}"
        ax.annotate(f"{text} ({number})", (x, y), xytext=(8, 4), fontsize=8,
                    textcoords="offset points", zorder=3,
                    bbox={"fc": "white", "ec": "none", "pad": 0.4, "alpha": 0.85})  # fmt: skip
    ax.set(xlim=(-0.15, depth + 0.95), ylim=(leaves - 0.3, -0.9))
    ax.axis("off")
    ax.set_title(f"in brackets: {label}", fontsize=9, fontweight="normal")
    return fig, shown.reset_index(drop=True)


def _heaviest(nodes: pd.DataFrame, most: tuple[int, ...]) -> pd.DataFrame:
    """The rows of the root and of the heaviest branches, each parent before its children."""
    root = nodes.iloc[0].node
    kept, queue = [0], [(root, 0)]
    children = {p: np.flatnonzero(nodes.parent == p) for p in nodes.parent.unique()}
    while queue:
        node, level = queue.pop(0)
        if level >= len(most):
            continue
        mine = children.get(node, np.zeros(0, int))
        order = mine[np.argsort(-nodes.weight.to_numpy()[mine], kind="stable")][: most[level]]
        kept += list(order)
        queue += [(nodes.node.iloc[i], level + 1) for i in order]
    return nodes.iloc[kept]


def _places(shown: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Leaves below one another, a parent in the middle of its children."""
    below = {p: list(part.node) for p, part in shown.groupby("parent", sort=False)}
    place: dict[str, tuple[float, float]] = {}
    level = dict(zip(shown.node, shown.level, strict=True))
    line = 0

    def put(node: str) -> float:
        nonlocal line
        if node in below:
            ys = [put(child) for child in below[node]]
            y = (ys[0] + ys[-1]) / 2
        else:
            y, line = float(line), line + 1
        place[node] = (float(level[node]), y)
        return y

    put(shown.node.iloc[0])
    return place


def shares_over_time(table: pd.DataFrame, *, most: int = 4) -> tuple[Figure, pd.DataFrame]:
    """Lines of the shares of a user's interests at the ends of months; small ones as the rest.

    Parameters
    ----------
    table : pandas.DataFrame
        ``month``, ``kind``, ``share``.
    """
    wide = table.pivot(index="month", columns="kind", values="share").fillna(0.0)
    order = wide.mean().sort_values(ascending=False, kind="stable").index
    shown = wide[order[:most]]
    if len(order) > most:
        shown = shown.assign(**{"all others": wide[order[most:]].sum(axis=1)})
    fig, ax = figures.new(size=(7.2, 3.2))
    x = [month.strftime("%b %y") for month in shown.index - pd.Timedelta(days=1)]
    for i, kind in enumerate(shown):
        ax.plot(range(len(x)), shown[kind], color=figures.COLOURS[i], marker=figures.MARKS[i],
                ls=figures.LINES[i], ms=5, label=str(kind))  # fmt: skip
    step = max(1, -(-len(x) // 8))
    ax.set_xticks(range(0, len(x), step), x[::step])
    ax.set(ylabel="share of the interests", ylim=(-0.02, 1.02), xlabel="end of month")
    legend_below(fig, ax)
    return fig, shown.rename_axis(columns=None).reset_index()


def contact_sheet(
    drawn: pd.DataFrame, *, kinds: int = 8, each: int = 4
) -> tuple[Figure, pd.DataFrame]:
    """Pictures side by side, a column a kind.

    Parameters
    ----------
    drawn : pandas.DataFrame
        ``item_id``, ``kind``, ``pixels``.
    kinds, each : int
        The kinds with the most pictures, and pictures of each.
    """
    names = list(drawn.kind.value_counts().index[:kinds])
    each = min(each, int(drawn.kind.value_counts().iloc[: len(names)].max()))
    fig, axes = figures.new(each, len(names), size=(7.2, 0.4 + 0.88 * each), squeeze=False)
    for column, name in enumerate(names):
        mine = drawn[drawn.kind == name].head(each)
        for row in range(each):
            ax = axes[row, column]
            ax.axis("off")
            if row < len(mine):
                ax.imshow(mine.pixels.iloc[row])
        text = str(name).replace("_", " ")
        axes[0, column].set_title(text[:16], fontsize=7.5, fontweight="normal", loc="center")
    shown = drawn[drawn.kind.isin(names)].groupby("kind").head(each)
    return fig, shown[["item_id", "kind"]].reset_index(drop=True)


def confusion(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Which kinds are taken for which: each row's photos as shares, as a heat map.

    Parameters
    ----------
    table : pandas.DataFrame
        ``kind`` (shown), ``named``, ``photos``.
    """
    names = sorted(set(table.kind) | set(table.named))
    counts = table.pivot(index="kind", columns="named", values="photos")
    counts = counts.reindex(index=names, columns=names).fillna(0)
    share = counts.div(counts.sum(axis=1).replace(0, 1), axis=0).to_numpy()
    fig, ax = figures.new(size=(6.4, 5.0))
    image = ax.imshow(share, vmin=0, vmax=1, cmap=figures.SEQUENTIAL)
    for i, j in np.argwhere(counts.to_numpy() > 0):
        light = share[i, j] > 0.55
        ax.text(j, i, f"{counts.iat[i, j]:.0f}", ha="center", va="center", fontsize=8,
                color="black" if light else "white")  # fmt: skip
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8.5)
    ax.set_yticks(range(len(names)), names, fontsize=8.5)
    ax.grid(False)
    ax.set(xlabel="named", ylabel="shown")
    fig.colorbar(image, ax=ax, label="share of the photos shown", shrink=0.8)
    return fig, table


def by_density(table: pd.DataFrame, titles: Mapping[str, str]) -> tuple[Figure, pd.DataFrame]:
    """A line a model over the number of users that it learnt from.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``users``, ``value``, ``low``, ``high``.
    """
    fig, ax = figures.new(size=(7.2, 3.6))
    names = list(table.model.unique())
    for i, name in enumerate(names):
        r = table[table.model == name].sort_values("users")
        # a little aside, so that intervals do not cover one another
        x = r.users * 1.04 ** (i - (len(names) - 1) / 2)
        whiskers(ax, x, r.value, r.low, r.high, i=i, horizontal=False, label=titles[name],
                 ls=figures.LINES[i], lw=1.2)  # fmt: skip
    users = sorted(table.users.unique())
    ax.set_xscale("log")
    ax.set_xticks(users, [f"{u:,}" for u in users])
    ax.minorticks_off()
    ax.set(xlabel="users learnt from (log scale)", ylabel="nDCG at 10")
    ax.set_ylim(bottom=0)
    legend_below(fig, ax)
    return fig, table


def new_words(months: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Bars of the words that became known in each month, above the vocabulary so far.

    Parameters
    ----------
    months : pandas.DataFrame
        ``month``, ``known``, ``new``; months at the head without known words are not drawn, they
        build the vocabulary.
    """
    later = months[months.month > months.month[months.known == 0].max()]
    fig, (top, below) = figures.new(2, 1, size=(7.2, 4.0), sharex=True)
    x = np.arange(len(later))
    top.bar(x, later.new, color=figures.COLOURS[0])
    for i, count in zip(x, later.new, strict=True):
        top.annotate(f"{count:,}", (i, count), ha="center", va="bottom", fontsize=8)
    top.set(ylabel="new words")
    top.margins(y=0.15)
    below.plot(x, later.known + later.new, color=figures.COLOURS[1], marker="s", ms=5)
    below.set(ylabel="words known", ylim=(0, 1.15 * max(later.known + later.new, default=1)))
    below.set_xticks(x, [month.strftime("%b %y") for month in later.month], fontsize=8.5)
    return fig, months
