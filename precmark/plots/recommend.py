"""Figures of chapter 06: how a was chosen, one user's ranks, lists by clicks known.

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


def alpha_curves(
    curves: pd.DataFrame, titles: Mapping[str, str], *, metric: str = "nDCG"
) -> tuple[Figure, pd.DataFrame]:
    """The metric on validation data over a, a panel a collaborative model; the best a is filled.

    Parameters
    ----------
    curves : pandas.DataFrame
        ``collaborative``, ``alpha``, ``metric``, ``value``, ``low``, ``high``.
    titles : mapping of collaborative model to its name in words
    """
    shown = curves[curves.metric == metric]
    names = list(shown.collaborative.unique())
    fig, axes = figures.new(1, len(names), size=(7.2, 2.9), squeeze=False, sharey=True, sharex=True)
    for i, (ax, name) in enumerate(zip(axes.flat, names, strict=True)):
        r = shown[shown.collaborative == name]
        colour = figures.COLOURS[i % 8]
        ax.fill_between(r.alpha, r.low, r.high, color=colour, alpha=0.2, lw=0)
        ax.plot(r.alpha, r.value, color=colour, lw=1.5, marker=figures.MARKS[i], ms=4, mfc="white")
        best = r.loc[r.value.idxmax()]
        ax.plot(best.alpha, best.value, color=colour, marker=figures.MARKS[i], ms=8)
        ax.set_title(titles.get(name, name), fontsize=10)
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes[0, 0].set_ylabel(f"{metric} at 10, validation")
    fig.supxlabel("a: 0 is content alone, 1 collaborative alone", fontsize=10)
    return fig, shown.reset_index(drop=True)


def one_user(ranks: pd.DataFrame, alpha: float) -> tuple[Figure, pd.DataFrame]:
    """One user's products by both ranks, all and the corner with the ten, which are numbered.

    Parameters
    ----------
    ranks : pandas.DataFrame
        ``item_id``, ``r_cf``, ``r_cb`` (0 to 1), ``r``, ``listed`` (1 to 10, 0 for others),
        ``touched``, ``wanted`` (bool).
    alpha : float
        a; the line joins what has the tenth item's r'.
    """
    fig, (whole, near) = figures.new(1, 2, size=(7.2, 3.9))
    listed = ranks[ranks.listed > 0]
    for ax, scale in ((whole, 0.6), (near, 1.0)):
        _ranked(ax, ranks, scale)
        if len(listed):
            _level(ax, alpha, listed.r.min())
        ax.set(xlabel="collaborative rank, r_CF", ylabel="content rank, r_CB")
    whole.set(xlim=(-0.04, 1.05), ylim=(-0.04, 1.08), title="all products")
    near.set_title("around the list")
    for axis, column in (("x", "r_cf"), ("y", "r_cb")):
        low = listed[column].min() if len(listed) else 0.0
        room = max(0.25 * (1 - low), 0.002)
        getattr(near, f"set_{axis}lim")(low - room, 1 + room)
        near.locator_params(axis=axis, nbins=4)
    for row in listed.itertuples():
        near.annotate(str(row.listed), (row.r_cf, row.r_cb), xytext=(6, -9), fontsize=8,
                      textcoords="offset points")  # fmt: skip
    legend_below(fig, whole)
    return fig, ranks


def _level(ax, alpha: float, r: float) -> None:
    """The line of all products with this r'."""
    style = {"color": "#444444", "ls": "--", "lw": 1.1}
    if alpha == 1:
        ax.axvline(r, **style)
    else:
        x = np.array([-1.0, 2.0])
        ax.plot(x, (r - alpha * x) / (1 - alpha), **style)


def _ranked(ax, ranks: pd.DataFrame, scale: float) -> None:
    """Products as marks: grey, filled where listed, ringed where touched or wanted."""
    style = {"ls": "none", "mfc": "none", "mew": 1.5}
    others = ranks[ranks.listed == 0]
    ax.plot(others.r_cf, others.r_cb, ls="none", marker=".", ms=4, color="#9a9a9a", zorder=1,
            label="a product")  # fmt: skip
    listed = ranks[ranks.listed > 0]
    ax.plot(listed.r_cf, listed.r_cb, ls="none", marker="o", ms=6 * scale,
            color=figures.COLOURS[0], label="in the list of ten")  # fmt: skip
    for column, mark, colour, size, label in (
        ("touched", "s", figures.COLOURS[1], 10, "touched before"),
        ("wanted", "D", figures.COLOURS[4], 13, "wanted afterwards"),
    ):
        r = ranks[ranks[column]]
        ax.plot(r.r_cf, r.r_cb, marker=mark, ms=size * scale, mec=colour, label=label, **style)


def by_clicks(
    table: pd.DataFrame, titles: Mapping[str, str], *, ylabel: str
) -> tuple[Figure, pd.DataFrame]:
    """A line a model over the number of clicks that its list was made from.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``clicks``, ``value``, ``low``, ``high``.
    """
    fig, ax = figures.new(size=(7.2, 3.4))
    names = list(table.model.unique())
    for i, name in enumerate(names):
        r = table[table.model == name]
        x = r.clicks + 0.05 * (i - (len(names) - 1) / 2)
        whiskers(ax, x, r.value, r.low, r.high, i=i, horizontal=False, label=titles[name],
                 ls=figures.LINES[i], lw=1.2)  # fmt: skip
    ax.set_xticks(sorted(table.clicks.unique()))
    ax.set_ylim(bottom=0)
    ax.set(xlabel="clicks known (0: on arrival)", ylabel=ylabel)
    legend_below(fig, ax)
    return fig, table
