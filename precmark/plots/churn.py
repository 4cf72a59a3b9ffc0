"""Figures of chapter 05: models compared, their calibration, lift, and what they cost.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONSTANT = "constant"


def metric_title(metric: str) -> str:
    """A metric's name as a panel prints it; says so where lower is better."""
    if metric not in METRICS:
        return metric.replace("_", " ")
    title = METRICS[metric].title.removeprefix("expected ")
    return title if METRICS[metric].better == "higher" else f"{title}\n(lower is better)"


def whiskers(ax: Axes, x, y, low, high, *, i: int, horizontal: bool = True, **kwargs) -> None:
    """Marks at (x, y) in style `i` with the interval `low` to `high`; without one where nan."""
    value = np.asarray(x if horizontal else y, dtype=float)
    low, high = (np.asarray(v, dtype=float) for v in (low, high))
    reach = np.nan_to_num(np.vstack([value - low, high - value]).clip(min=0))
    style = {"color": figures.COLOURS[i % 8], "marker": figures.MARKS[i % 8], "ms": 6}
    style |= {"ls": "none", "capsize": 2.5, "elinewidth": 1.3} | kwargs
    ax.errorbar(x, y, **{"xerr" if horizontal else "yerr": reach}, **style)


def legend_below(fig: Figure, ax: Axes, **kwargs) -> None:
    """The legend of `ax` under the whole figure, if it has anything."""
    handles, labels = ax.get_legend_handles_labels()
    if labels:
        columns = len(labels) if len(labels) < 5 else 3
        kwargs = {"loc": "outside lower center", "ncols": columns, "frameon": False} | kwargs
        fig.legend(handles, labels, **kwargs)


def metric_dots(
    table: pd.DataFrame,
    metrics: Sequence[str] = ("average_precision", "auroc", "brier"),
    *,
    groups: Mapping[str, str] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Models by metric with their intervals; the constant is the dashed line of each panel.

    Parameters
    ----------
    table : pandas.DataFrame
        See :func:`precmark.metrics.metrics_table`.
    metrics : names of :data:`precmark.metrics.METRICS`
        A panel each, three in a row; models stand in the order of the first, best on top.
    groups : mapping of model to group, optional
        Models of a group share colour and mark; groups take them in the order given.
    """
    shown = table[table.metric.isin(metrics)]
    value = shown.pivot(index="model", columns="metric", values="value")
    first = metrics[0]
    lower = first in METRICS and METRICS[first].better == "lower"
    models = value.drop(index=CONSTANT, errors="ignore").sort_values(first, ascending=lower).index
    group = pd.Series({m: (groups or {}).get(m, "") for m in models})
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    height = 0.7 + rows * max(1.5, 0.7 + 0.23 * len(models))
    fig, axes = figures.new(rows, columns, size=(7.2, height), squeeze=False, sharey=True)
    for ax in axes.flat[len(metrics) :]:
        ax.axis("off")
    for ax, metric in zip(axes.flat, metrics, strict=False):
        here = shown[shown.metric == metric].set_index("model")
        for i, name in enumerate(dict.fromkeys((groups or {"": ""}).values())):
            at = np.flatnonzero(group == name)
            if not len(at):
                continue
            r = here.loc[models[at]]
            whiskers(ax, r.value, at, r.low, r.high, i=i, label=name or None)
        if CONSTANT in here.index and np.isfinite(here.value[CONSTANT]):
            ax.axvline(here.value[CONSTANT], color="#444444", ls="--", lw=1.2, label=CONSTANT)
        ax.set_title(metric_title(metric), fontsize=9.5)
        ax.margins(x=0.08)
        ax.set_yticks(range(len(models)), models, fontsize=9)
        ax.set_ylim(len(models) - 0.4, -0.6)
        ax.tick_params(axis="x", labelsize=8.5)
    legend_below(fig, axes[0, 0])
    order = {m: i for i, m in enumerate([*models, CONSTANT])}
    return fig, shown.sort_values(
        ["metric", "model"], key=lambda c: c.map(order) if c.name == "model" else c
    ).reset_index(drop=True)


def pooled_against_segment(
    table: pd.DataFrame, *, row: str = "model", series: str = "trained", xlabel: str
) -> tuple[Figure, pd.DataFrame]:
    """Two or more marks a row joined by a line: one pooled model beside one model a segment.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `row` (what stands on the axis, such as the model or the segment), `series` (what
        is compared), ``value``, ``low``, ``high``. Rows and series keep their order.
    xlabel : str
        What ``value`` is.
    """
    names, kinds = list(table[row].unique()), list(table[series].unique())
    fig, ax = figures.new(size=(7.2, 1.3 + 0.38 * len(names)))
    spread = 0.2 * (np.arange(len(kinds)) - (len(kinds) - 1) / 2)
    wide = table.pivot(index=row, columns=series, values="value").loc[names, kinds]
    for y, values in enumerate(wide.to_numpy(dtype=float)):
        ax.plot(values, y + spread, color="#9a9a9a", lw=1.2, zorder=1)
    for i, kind in enumerate(kinds):
        r = table[table[series] == kind].set_index(row).reindex(names)
        face = {"mfc": "white", "mew": 1.5} if i == 0 else {}
        whiskers(ax, r.value, np.arange(len(names)) + spread[i], r.low, r.high, i=i,
                 label=kind, **face)  # fmt: skip
    ax.set_yticks(range(len(names)), [str(n) for n in names])
    ax.set(xlabel=xlabel, ylim=(len(names) - 0.4, -0.6))
    legend_below(fig, ax)
    return fig, table


def short(count: float) -> str:
    """A count that fits under a tick: ``"950"``, ``"1.3k"``, ``"24k"``."""
    if count < 1000:
        return f"{count:.0f}"
    return f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:,.0f}k"


def risk_by_clicks(
    quality: pd.DataFrame, risk: pd.DataFrame | None = None
) -> tuple[Figure, pd.DataFrame]:
    """How good the prediction is after each number of clicks, and how far both outcomes part.

    Parameters
    ----------
    quality : pandas.DataFrame
        Columns ``clicks``, ``series`` (such as a metric, and the share of purchases as its floor),
        ``value``, ``low``, ``high``; where it has ``decisions`` their number stands on the axis.
    risk : pandas.DataFrame, optional
        Columns ``clicks``, ``outcome`` (in words), ``risk`` (median predicted), ``low``, ``high``
        (quartiles); a second panel.
    """
    fig, axes = figures.new(
        1, 1 if risk is None else 2, size=(7.2, 3.6), squeeze=False, sharex=True
    )
    for ax, table, series, value, title in (
        (axes[0, 0], quality, "series", "value", "quality of the prediction"),
        (axes[0, -1], risk, "outcome", "risk", "predicted risk to leave"),
    ):
        if table is None:
            continue
        kinds = list(table[series].unique())
        for i, kind in enumerate(kinds):
            r = table[table[series] == kind]
            shift = 0.08 * (i - (len(kinds) - 1) / 2)
            whiskers(ax, r.clicks + shift, r[value], r.low, r.high, i=i, horizontal=False,
                     ls=figures.LINES[i], label=kind)  # fmt: skip
        top = float(np.nanmax(table[[value, "high"]].to_numpy(dtype=float)))
        ax.set_ylim(0, 1.08 * top)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), title=title, frameon=False,
                  fontsize=8.5, alignment="left", borderaxespad=0.2)  # fmt: skip
    counts = quality.drop_duplicates("clicks").sort_values("clicks")
    labels = [str(c) for c in counts.clicks]
    says = "clicks seen"
    if "decisions" in quality:
        labels = [f"{c}\n{short(n)}" for c, n in zip(counts.clicks, counts.decisions, strict=True)]
        says += "; below: decisions"
    for ax in axes.flat:
        ax.set_xticks(counts.clicks, labels, fontsize=8)
        ax.set_xlabel(says)
    if risk is None:
        return fig, quality
    second = risk.rename(columns={"outcome": "series", "risk": "value"})
    return fig, pd.concat([quality, second], ignore_index=True)


def reliability(tables: Mapping[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """What came against what was predicted, a panel a model, four in a row.

    `tables` maps each model to its :func:`precmark.metrics.reliability_table`.
    """
    count = len(tables)
    columns = min(4, count)
    rows = -(-count // columns)
    side = 6.6 / max(columns, 2)
    fig, axes = figures.new(
        rows, columns, size=(7.2, 0.3 + rows * side + 0.35), squeeze=False, sharex=True, sharey=True
    )
    for ax in axes.flat[count:]:
        ax.axis("off")
    whole = pd.concat([t.assign(model=m) for m, t in tables.items()], ignore_index=True)
    top = min(1.0, 1.08 * max(whole.predicted.max(), whole.observed_high.max()))
    for ax, (model, t) in zip(axes.flat, tables.items(), strict=False):
        ax.plot([0, top], [0, top], color="#777777", ls="--", lw=1)
        whiskers(ax, t.predicted, t.observed, t.observed_low, t.observed_high, i=0,
                 horizontal=False, ls="-", lw=1, ms=4.5)  # fmt: skip
        ax.set_title(textwrap.fill(model, 22), fontsize=9)
        ax.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        ax.tick_params(labelsize=8.5)
        ax.xaxis.get_major_locator().set_params(nbins=2 if columns == 4 else 4)
    for j, ax in enumerate(axes.flat[:count]):
        if j % columns == 0:
            ax.set_ylabel("share that came", fontsize=9)
        if j + columns >= count:
            ax.set_xlabel("predicted probability", fontsize=9)
            ax.tick_params(labelbottom=True)
    return fig, whole[["model", *[c for c in whole.columns if c != "model"]]]


def lift_by_decile(
    tables: Mapping[str, pd.DataFrame], *, outcomes: str = "purchases"
) -> tuple[Figure, pd.DataFrame]:
    """Lift by tenth of the decisions, and the share of `outcomes` found from the top down.

    `tables` maps each model (up to five read well) to its :func:`precmark.metrics.lift_table`;
    `outcomes` names what they count.
    """
    fig, (left, right) = figures.new(1, 2, size=(7.2, 3.7), width_ratios=(1.35, 1))
    left.axhline(1, color="#444444", ls="--", lw=1)
    right.plot([0, 10], [0, 1], color="#444444", ls="--", lw=1, label="at random")
    for i, (model, t) in enumerate(tables.items()):
        shift = 0.18 * (i - (len(tables) - 1) / 2)
        whiskers(left, t.decile + shift, t.lift, t.lift_low, t.lift_high, i=i, horizontal=False,
                 ms=4.5, elinewidth=1, capsize=0, label=model)  # fmt: skip
        right.plot(np.r_[0, t.decile], np.r_[0, t.gain], color=figures.COLOURS[i],
                   marker=figures.MARKS[i], ms=4, ls=figures.LINES[i], label=model)  # fmt: skip
    most = max(len(t) for t in tables.values())
    left.set(
        title="Lift", xlabel="tenth of the decisions, highest score first", xlim=(0.4, most + 0.6)
    )
    left.set_ylabel("times the overall rate")
    left.set_ylim(bottom=0)
    right.set(
        title="Gain", xlabel="tenths taken", ylabel=f"share of all {outcomes}", xlim=(0, most)
    )
    right.set_ylim(0, 1.02)
    for ax in (left, right):
        ax.set_xticks(range(0 if ax is right else 1, most + 1))
        ax.tick_params(labelsize=8.5)
    legend_below(fig, right)
    whole = [t.assign(model=m) for m, t in tables.items()]
    return fig, pd.concat(whole, ignore_index=True)


COSTS = {"parameters": "parameters", "fit_seconds": "training time, s"}


def cost_against_quality(
    table: pd.DataFrame,
    *,
    ylabel: str = "average precision",
    costs: Mapping[str, str] = COSTS,
) -> tuple[Figure, pd.DataFrame]:
    """Quality with intervals against what it costs, on logarithmic axes where costs differ much; a
    number a model.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``model``, ``value``, ``low``, ``high``, the columns of `costs` (above 0, or not a
        number where a model has none) and, where there, ``group`` (mark and colour).
    costs : mapping of column to axis label
        A panel each.
    """
    table = table.sort_values("value", ascending=False).reset_index(drop=True)
    group = table.group if "group" in table else pd.Series("", index=table.index)
    lines = -(-len(table) // 3)
    fig, axes = figures.new(
        1, len(costs), size=(7.2, 3.3 + 0.17 * lines), squeeze=False, sharey=True
    )
    for ax, (cost, label) in zip(axes.flat, costs.items(), strict=True):
        for i, name in enumerate(group.unique()):
            r = table[(group == name) & (table[cost] > 0)]
            whiskers(ax, r[cost], r.value, r.low, r.high, i=i, horizontal=False, ms=5,
                     elinewidth=1, alpha=0.85, label=name or None)  # fmt: skip
        ax.set_xlabel(label)
        known = table[cost][table[cost] > 0]
        if len(known) and known.max() > 3 * known.min():
            ax.set_xscale("log")
            _plain_log_ticks(ax)
        else:  # within one decade a logarithmic axis crowds its labels
            ax.xaxis.get_major_locator().set_params(nbins=4)
            ax.xaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
        _number(ax, table[cost].to_numpy(dtype=float), table.value.to_numpy(dtype=float))
    axes[0, 0].set_ylabel(ylabel)
    keys = [f"{i}  {m}" for i, m in enumerate(table.model, 1)]
    # an empty handle a model: the legend lays the key out in columns
    blank = [axes[0, 0].plot([], [], " ")[0] for _ in keys]
    fig.legend(blank, keys, loc="outside lower center", ncols=3, fontsize=8.5, handlelength=0,
               handletextpad=0, frameon=False)  # fmt: skip
    legend_below(fig, axes[0, -1], loc="outside upper center", fontsize=8.5)
    return fig, table.assign(number=np.arange(1, len(table) + 1))


_CORNERS = ((5, 4), (5, -10), (-5, 4), (-5, -10))
"""Where a point's number may stand, in printer's points from it."""


def _number(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Write 1, 2, ... at the points with x above 0, each at the corner with most room."""
    from matplotlib.patheffects import withStroke

    drawn = np.flatnonzero(x > 0)
    if not len(drawn):
        return
    # distances as the eye sees them: log x and y as shares of their ranges
    place = np.c_[np.log10(x[drawn]), y[drawn]]
    reach = np.ptp(place, axis=0)
    place = (place - place.min(axis=0)) / np.where(reach > 0, reach, 1)
    taken = [tuple(p) for p in place]
    for k, i in enumerate(drawn):
        spots = [place[k] + np.array([0.012 * dx, 0.012 * dy]) for dx, dy in _CORNERS]
        room = [min(np.hypot(*(s - t)) for t in taken) for s in spots]
        # the first corner wins unless another has clearly more room
        best = int(np.argmax(np.round(room, 2)))
        taken.append(tuple(spots[best]))
        right = _CORNERS[best][0] > 0
        text = ax.annotate(
            str(i + 1), (x[i], y[i]), xytext=_CORNERS[best], textcoords="offset points",
            ha="left" if right else "right", fontsize=8.5, weight="bold",
        )  # fmt: skip
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _plain_log_ticks(ax: Axes) -> None:
    """Ticks of a logarithmic x axis in plain figures, three a decade where there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.get_xlim()
    steps = (1.0, 2.0, 5.0) if high / low < 200 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(axis="x", labelsize=8.5)
