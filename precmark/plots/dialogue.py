"""Figures of chapter 12: risk and coverage, changed sentences, words that weigh, times.

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


def risk_coverage(curves: pd.DataFrame, titles: Mapping[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Share of wrong answers over the share answered, a line a model; the mark is its threshold.

    Parameters
    ----------
    curves : pandas.DataFrame
        See :func:`precmark.dialogue.quality.curves`.
    titles : mapping of model to its name in words
    """
    fig, ax = figures.new(size=(7.2, 3.8))
    for i, (model, curve) in enumerate(curves.groupby("model", sort=False)):
        style = {"color": figures.COLOURS[i % 8], "ls": figures.LINES[i % 8], "lw": 1.4}
        shown = curve[curve.coverage >= 0.05]
        ax.plot(shown.coverage, shown.risk, label=titles[model], **style)
        chosen = curve[curve.chosen]
        ax.plot(chosen.coverage, chosen.risk, ls="none", marker=figures.MARKS[i % 8], ms=8,
                color=figures.COLOURS[i % 8])  # fmt: skip
    ax.set(xlabel="share of all turns answered", ylabel="share of answers that are wrong",
           xlim=(0, 1.02))  # fmt: skip
    ax.set_ylim(bottom=0)
    legend_below(fig, ax)
    return fig, curves


def changes(table: pd.DataFrame, titles: Mapping[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Accuracy of each model by what was done to the sentences.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.dialogue.readings.under_changes`.
    """
    models, kinds = list(table.model.unique()), list(table.change.unique())
    fig, ax = figures.new(size=(7.2, 1.2 + 0.48 * len(models)))
    for i, kind in enumerate(kinds):
        r = table[table.change == kind].set_index("model").loc[models]
        y = np.arange(len(models)) + 0.17 * (i - (len(kinds) - 1) / 2)
        whiskers(ax, r.value, y, r.low, r.high, i=i, label=kind, ms=5)
    ax.set_yticks(range(len(models)), [titles[m] for m in models], fontsize=9)
    ax.set(xlabel="accuracy on the test sentences", ylim=(len(models) - 0.45, -0.55))
    ax.set_xlim(left=0)
    legend_below(fig, ax)
    return fig, table


def word_weights(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Sentences word by word, a line each; the darker the cell, the heavier the word.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.dialogue.readings.weighed`.
    """
    sentences = list(table.text.unique())
    longest = int(table.place.max())
    fig, ax = figures.new(size=(7.2, 0.5 + 0.62 * len(sentences)))
    for row, number in enumerate(sentences):
        r = table[table.text == number]
        top = r.weight.max()
        for word, place, weight in zip(r.word, r.place, r.weight, strict=True):
            share = weight / top if top else 0
            ax.add_patch(_cell(place - 1, row, share))
            ax.text(place - 0.5, row + 0.68, word, ha="center", va="center", fontsize=7.5,
                    color="white" if share > 0.6 else "black")  # fmt: skip
        ax.text(0.02, row + 0.22, f"{r.intent.iloc[0].replace('_', ' ')}", fontsize=7.5,
                va="center", color="#444444", style="italic")  # fmt: skip
    ax.set(xlim=(0, longest), ylim=(len(sentences) + 0.02, 0))
    ax.axis("off")
    return fig, table


def _cell(x: float, y: float, share: float):
    from matplotlib.patches import Rectangle

    return Rectangle((x + 0.03, y + 0.42), 0.94, 0.52, facecolor=figures.COLOURS[0],
                     alpha=max(share, 0.04), lw=0)  # fmt: skip


def lost_answers(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Right answers lost when one word is left out, by which word.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.dialogue.readings.deletions`.
    """
    fig, ax = figures.new(size=(7.2, 2.2))
    whiskers(ax, table.lost, np.arange(len(table)), table.low, table.high, i=0)
    ax.set_yticks(range(len(table)), table.left_out)
    ax.set(xlabel="share of right answers that turn wrong", ylim=(len(table) - 0.5, -0.5))
    ax.set_xlim(left=0)
    return fig, table


def times(table: pd.DataFrame, limit_ms: float) -> tuple[Figure, pd.DataFrame]:
    """Time of a reply by what it does, as cumulated shares; the dashed line is the limit.

    Parameters
    ----------
    table : pandas.DataFrame
        ``action``, ``milliseconds``.
    limit_ms : float
    """
    fig, ax = figures.new(size=(7.2, 3.3))
    for i, (action, part) in enumerate(table.groupby("action", sort=True)):
        value = np.sort(part.milliseconds.to_numpy())
        share = np.arange(1, len(value) + 1) / len(value)
        ax.step(value, share, where="post", color=figures.COLOURS[i % 8],
                ls=figures.LINES[i % 8], lw=1.4, label=f"{action} ({len(part):,})")  # fmt: skip
    ax.axvline(limit_ms, color="#444444", ls="--", lw=1.2)
    ax.set_xscale("log")
    ax.set(xlabel=f"milliseconds a turn (dashed: {limit_ms:g})", ylabel="share of turns")
    legend_below(fig, ax)
    return fig, table
