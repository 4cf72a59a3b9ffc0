"""Figures of chapter 05 on learning: training curves, and what features and steps are worth.

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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def training_curves(
    histories: Mapping[str, pd.DataFrame], best: Mapping[str, int] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Loss by epoch on training and validation rows, a panel a model, the kept epoch ringed.

    Parameters
    ----------
    histories : mapping of model to DataFrame
        Columns ``epoch``, ``train_loss``, ``valid_loss`` and, where there,
        ``valid_average_precision`` (a second row of panels).
    best : mapping of model to epoch, optional
    """
    count = len(histories)
    columns = 2 if count == 4 else min(3, count)
    blocks = -(-count // columns)
    fig, axes = figures.new(
        2 * blocks, columns, size=(7.2, 0.6 + 2.9 * blocks), squeeze=False, sharex=True,
        sharey=False,
    )  # fmt: skip
    for j in range(count, blocks * columns):
        for k in (0, 1):
            axes[2 * (j // columns) + k, j % columns].axis("off")
    limits = _limits(histories)
    for j, (model, h) in enumerate(histories.items()):
        pair = [axes[2 * (j // columns) + k, j % columns] for k in (0, 1)]
        _curves(*pair, h, (best or {}).get(model))
        pair[0].set_title(model, fontsize=9.5)
        for ax, kind in zip(pair, limits, strict=True):
            ax.set_ylim(limits[kind])
            ax.tick_params(labelsize=8, labelleft=j % columns == 0, labelbottom=ax is pair[1])
            ax.xaxis.get_major_locator().set_params(integer=True)
            if j % columns == 0:
                ax.set_ylabel(kind.replace("_", "\n"), fontsize=9)
        pair[1].set_xlabel("epoch", fontsize=9)
    legend_below(fig, axes[0, 0])
    whole = [h.assign(model=m) for m, h in histories.items()]
    return fig, pd.concat(whole, ignore_index=True)


def _curves(losses: Axes, precision: Axes, history: pd.DataFrame, best: int | None) -> None:
    """The curves of one model; a ring where the epoch is `best`."""
    drawn = (
        (losses, "train_loss", "training", 0),
        (losses, "valid_loss", "validation", 1),
        (precision, "valid_average_precision", "validation", 1),
    )
    for ax, column, label, i in drawn:
        if column not in history or history[column].isna().all():
            continue
        ax.plot(history.epoch, history[column], color=figures.COLOURS[i], ls=figures.LINES[i],
                label=label)  # fmt: skip
        kept = history[history.epoch == best]
        if label == "validation" and len(kept):
            ax.plot(kept.epoch, kept[column], "o", ms=9, mfc="none", mec="black", mew=1.4,
                    label="kept")  # fmt: skip


def _limits(histories: Mapping[str, pd.DataFrame]) -> dict[str, tuple[float, float]]:
    """One range for all panels of losses, and one for those of average precision."""
    found = {}
    for kind in ("loss", "average_precision"):
        parts = [h.filter(like=kind).to_numpy(dtype=float).ravel() for h in histories.values()]
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        room = 0.07 * (high - low) or 0.05
        found[kind] = (low - room, high + room)
    return found


def importance_bars(
    table: pd.DataFrame, *, most: int = 12, xlabel: str
) -> tuple[Figure, pd.DataFrame]:
    """What each feature is worth, the most important on top, with intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``feature``, ``importance``, ``low``, ``high`` and, for several, ``model`` (a panel
        each); features stand in the order of their mean.
    most : int
        How many features are drawn; the table keeps all.
    xlabel : str
        What ``importance`` is, such as "average precision lost when shuffled".
    """
    if "model" not in table:
        table = table.assign(model="")
    models = list(table.model.unique())
    order = table.groupby("feature").importance.mean().sort_values(ascending=False)
    shown = order.index[:most]
    at = np.arange(len(shown))
    fig, axes = figures.new(
        1,
        len(models),
        size=(7.2, max(2.0, 1.1 + 0.26 * len(shown))),
        squeeze=False,
        sharey=True,
        sharex=True,
    )
    for i, (ax, model) in enumerate(zip(axes.flat, models, strict=True)):
        r = table[table.model == model].set_index("feature").reindex(shown)
        ax.barh(at, r.importance, height=0.65, color=figures.COLOURS[i % 8], ec="white",
                hatch=figures.HATCHES[i % 8], alpha=0.85)  # fmt: skip
        whiskers(ax, r.importance, at, r.low, r.high, i=0, color="black", marker="")
        ax.axvline(0, color="black", lw=0.8)
        ax.set_title(model, fontsize=9.5)
        ax.set_yticks(at, [f.replace("_", " ") for f in shown], fontsize=9)
        ax.set_ylim(len(shown) - 0.4, -0.6)
        ax.grid(axis="y", visible=False)
    fig.supxlabel(xlabel, fontsize=10)
    rank = {f: i for i, f in enumerate(order.index)}
    return fig, table.sort_values("feature", key=lambda c: c.map(rank), kind="stable")


def step_importance(
    matrix: pd.DataFrame, *, label: str = "mean |gradient x input|"
) -> tuple[Figure, pd.DataFrame]:
    """Heat map of what each feature at each step is worth.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Features by steps; columns are steps before the decision (0 is the decided one), drawn from
        the earliest on the left. Cells that are not a number stay grey.
    label : str
        What a cell holds.
    """
    matrix = matrix[sorted(matrix.columns, reverse=True)]
    fig, ax = figures.new(size=(7.2, max(2.4, 1.2 + 0.25 * len(matrix))))
    ax.set_facecolor("#d5d5d5")
    image = ax.imshow(matrix.to_numpy(dtype=float), aspect="auto", cmap=figures.SEQUENTIAL)
    ax.set_yticks(range(len(matrix)), [str(n).replace("_", " ") for n in matrix.index], fontsize=9)
    every = max(1, len(matrix.columns) // 10)
    at = np.arange(len(matrix.columns) - 1, -1, -every)
    ax.set_xticks(at, [str(matrix.columns[i]) for i in at])
    ax.set_xlabel("steps before the decision")
    ax.grid(visible=False)
    fig.colorbar(image, ax=ax, label=label, pad=0.02)
    long = matrix.rename_axis(index="feature", columns="steps_before").stack()
    return fig, long.rename("importance").reset_index()
