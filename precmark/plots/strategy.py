"""Figures of chapter 14: the way through it, matching, outliers, stages, predictions, a segment.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import legend_below, whiskers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = (
    ("Data acquisition", "section 4.1", "three sheets out of one log"),
    ("Preprocessing", "section 4.2", "repeats, outliers, matching, merging"),
    ("Analysis", "section 4.3", "stages, three predictions"),
    ("Profile construction", "section 4.4", "persona cards, a hidden segment"),
    ("Strategy", "section 5", "recommend, place, rules, evaluate"),
)
"""The steps of the paper's Figure 1 and section 5, and what stands for each here."""


def way() -> tuple[Figure, pd.DataFrame]:
    """The paper's steps from data to strategy as boxes in a row, with what this chapter does."""
    from matplotlib.patches import FancyBboxPatch

    fig, ax = figures.new(size=(7.2, 1.9))
    ax.set(xlim=(0, len(STEPS)), ylim=(0, 1))
    ax.axis("off")
    for x, (step, place, ours) in enumerate(STEPS):
        ax.add_patch(
            FancyBboxPatch((x + 0.08, 0.1), 0.74, 0.8, boxstyle="round,pad=0.03", fc="white",
                           ec=figures.COLOURS[0])
        )  # fmt: skip
        words = step.replace(" ", "\n", 1)
        ax.text(x + 0.45, 0.72, words, ha="center", va="center", fontsize=8.5, weight="bold")
        ax.text(x + 0.45, 0.5, place, ha="center", va="center", fontsize=7.5)
        ours = "\n".join(_folded(ours, 17))
        ax.text(x + 0.45, 0.27, ours, ha="center", va="center", fontsize=7.5, color="#333333")
    for x, _ in pairwise(range(len(STEPS))):
        ax.annotate("", (x + 1.05, 0.5), (x + 0.86, 0.5), arrowprops={"arrowstyle": "-|>"})
    return fig, pd.DataFrame(STEPS, columns=["step", "place", "here"])


def _folded(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


def ways_to_match(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Precision and recall of each way to match, with intervals over persons."""
    names = list(table.title.unique())
    fig, axes = figures.new(1, 2, size=(7.2, 2.7), sharey=True)
    for i, (ax, metric) in enumerate(zip(axes, ("precision", "recall"), strict=True)):
        mine = table[table.metric == metric].set_index("title").loc[names]
        whiskers(ax, mine.value, np.arange(len(names)), mine.low, mine.high, i=i)
        ax.set_title(metric, fontsize=10)
        ax.locator_params(axis="x", nbins=4)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.margins(x=0.1)
    fig.supxlabel("mean over records (B-cubed)", fontsize=10)
    return fig, table


def thresholds(table: pd.DataFrame, link: float) -> tuple[Figure, pd.DataFrame]:
    """Precision and recall of joined pairs over the posterior from which pairs are joined."""
    fig, ax = figures.new(size=(7.2, 3.2))
    x = np.log(table.threshold / (1 - table.threshold))
    for i, name in enumerate(("precision", "recall")):
        ax.plot(x, table[name], color=figures.COLOURS[i], ls=figures.LINES[i],
                marker=figures.MARKS[i], ms=5, label=name)  # fmt: skip
    ceiling = table.ceiling.iloc[0]
    ax.axhline(ceiling, color="#444444", ls=":", label="recall of all pairs in the blocks")
    ax.axvline(np.log(link / (1 - link)), color=figures.COLOURS[5], lw=1, label="used here")
    shown = [0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    ax.set_xticks([np.log(p / (1 - p)) for p in shown], [f"{p:g}" for p in shown])
    ax.set(xlabel="posterior from which two records are joined (logit scale)", ylim=(None, 1.02))
    legend_below(fig, ax)
    return fig, table


def evidence(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Bits for one person that an equal, a near and a different value of each field are worth."""
    fields = list(table.field.unique())
    levels = list(table.level.unique())
    fig, ax = figures.new(size=(7.2, 3.2))
    for i, level in enumerate(levels):
        mine = table[table.level == level].set_index("field").loc[fields]
        kept = ~((mine.index == "gender") & (level == "near"))
        y = np.arange(len(fields)) + 0.26 * (i - 1)
        ax.barh(y[kept], mine.weight[kept], height=0.24, color=figures.COLOURS[i],
                hatch=figures.HATCHES[i], ec="white", label=level)  # fmt: skip
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(len(fields)), [f.replace("_", " ") for f in fields])
    ax.invert_yaxis()
    ax.set_xlabel("weight, bits for one person")
    ax.grid(axis="y", visible=False)
    legend_below(fig, ax)
    return fig, table


def spread(
    written: pd.Series, slip: pd.Series, flag: np.ndarray, unit: str
) -> tuple[Figure, pd.DataFrame]:
    """Histogram of amounts on a logarithmic axis: right ones, misplaced ones, and what is flagged.

    Parameters
    ----------
    written : pandas.Series
        Amounts; those not above 0 are left out.
    slip, flag : pandas.Series, array of bool
        Which amounts are wrong, and which a rule flags.
    unit : str
        Of money.
    """
    kept = written > 0
    x, bad, odd = written[kept], slip[kept].to_numpy(bool), np.asarray(flag)[kept]
    edges = np.geomspace(x.min(), x.max() * 1.001, 40)
    fig, ax = figures.new(size=(7.2, 2.9))
    parts = [x[~bad], x[bad]]
    ax.hist(parts, bins=edges, stacked=True, color=[figures.COLOURS[0], figures.COLOURS[1]],
            label=["right", "decimal point misplaced"], ec="white", lw=0.4)  # fmt: skip
    top = x[odd & (x > x.median())]
    low = x[odd & (x < x.median())]
    for value, words in ((top.min() if len(top) else None, "flagged from here"),
                         (low.max() if len(low) else None, "flagged up to here")):  # fmt: skip
        if value is not None:
            ax.axvline(value, color="#444444", ls="--", lw=1.2)
            ax.annotate(words, (value, 0.93), xycoords=("data", "axes fraction"), fontsize=8.5,
                        xytext=(4, 0), textcoords="offset points")  # fmt: skip
    ax.set(xscale="log", xlabel=f"spend of a row of the order book ({unit})", ylabel="rows")
    legend_below(fig, ax)
    counts = [np.histogram(p, edges)[0] for p in parts]
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "right": counts[0],
                          "misplaced": counts[1]})  # fmt: skip
    return fig, table


def group_rates(tables: dict[str, pd.DataFrame], *, xlabel: str) -> tuple[Figure, pd.DataFrame]:
    """Rates by group with intervals, a panel a way to group customers.

    Parameters
    ----------
    tables : dict of title to frame of :func:`precmark.strategy.stages.rates`
    """
    height = 0.9 + 0.42 * max(len(t) for t in tables.values())
    fig, axes = figures.new(1, len(tables), size=(7.2, height), squeeze=False, sharex=True)
    for i, (ax, (title, table)) in enumerate(zip(axes.flat, tables.items(), strict=True)):
        whiskers(ax, table.rate, np.arange(len(table)), table.low, table.high, i=i)
        names = ["\n".join(_folded(str(g), 20)) for g in table.group]
        ax.set_yticks(range(len(table)), names, fontsize=8.5)
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_title(title, fontsize=10)
        ax.xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    highest = max(t.high.max() for t in tables.values())
    axes[0, 0].set_xlim(-0.02 * highest, 1.04 * highest)
    fig.supxlabel(xlabel, fontsize=10)
    parts = [t.assign(by=title) for title, t in tables.items()]
    return fig, pd.concat(parts, ignore_index=True)


def predictions(quality: pd.DataFrame, titles: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Area under the ROC curve and average precision of each model, a row of panels a task."""
    tasks = list(quality.task.unique())
    models = list(quality.model.unique())
    metrics = {"auroc": "area under the ROC curve", "average_precision": "average precision"}
    height = 0.6 + (0.45 + 0.26 * len(models)) * len(tasks)
    fig, axes = figures.new(len(tasks), 2, size=(7.2, height), squeeze=False, sharey=True)
    for row, task in zip(axes, tasks, strict=True):
        for ax, (metric, words) in zip(row, metrics.items(), strict=True):
            mine = quality[(quality.task == task) & (quality.metric == metric)]
            mine = mine.set_index("model").loc[models]
            for i, model in enumerate(models):
                r = mine.loc[[model]]
                whiskers(ax, r.value, [i], r.low, r.high, i=i)
            ax.set_title(f"{titles[task]}: {words}", fontsize=9.5)
            ax.set_yticks(range(len(models)), models, fontsize=9)
            ax.set_ylim(len(models) - 0.5, -0.5)
            ax.margins(x=0.08)
    return fig, quality


def recommenders(table: pd.DataFrame, groups: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """nDCG at 10 of each recommender for all products and for those new to the user.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``target``, ``metric``, ``value``, ``low``, ``high``.
    groups : dict of model to family
    """
    shown = table[table.metric == "nDCG"]
    targets = {"all": "all products", "new": "new to the user"}
    targets = {t: words for t, words in targets.items() if (shown.target == t).any()}
    families = list(dict.fromkeys(groups.values()))
    models = [m for m in groups if (shown.model == m).any()]
    fig, axes = figures.new(
        1, len(targets), size=(7.2, 1.2 + 0.27 * len(models)), squeeze=False, sharey=True
    )
    for ax, (target, words) in zip(axes.flat, targets.items(), strict=True):
        mine = shown[shown.target == target].set_index("model")
        for i, family in enumerate(families):
            at = [k for k, m in enumerate(models) if groups[m] == family]
            r = mine.loc[[models[k] for k in at]]
            whiskers(ax, r.value, at, r.low, r.high, i=i, label=family)
        ax.set_title(words, fontsize=10)
        ax.set_yticks(range(len(models)), models, fontsize=9)
        ax.set_ylim(len(models) - 0.5, -0.5)
        ax.set_xlim(left=-0.02 * mine.high.max())
        ax.set_xlabel("nDCG at 10 on the test part")
    legend_below(fig, axes[0, 0], ncols=3)
    return fig, shown.reset_index(drop=True)


def hidden_segment(sweep: pd.DataFrame, printed: float) -> tuple[Figure, pd.DataFrame]:
    """How often each method finds the planted segment, over its size, a panel a difference."""
    shifts = list(sweep["shift"].unique())
    fig, axes = figures.new(1, len(shifts), size=(7.2, 3.1), sharey=True, squeeze=False)
    for ax, shift in zip(axes.flat, shifts, strict=True):
        for i, (title, mine) in enumerate(
            sweep[sweep["shift"] == shift].groupby("title", sort=False)
        ):
            ax.fill_between(mine.share, mine.low, mine.high, color=figures.COLOURS[i], alpha=0.13,
                            lw=0)  # fmt: skip
            ax.plot(mine.share, mine.rate, color=figures.COLOURS[i], marker=figures.MARKS[i],
                    ls=figures.LINES[i], ms=5, label=title)  # fmt: skip
        ax.axvline(printed, color="#444444", ls=":", lw=1.2, label="the paper's share")
        ax.set(xscale="log", ylim=(-0.03, 1.03))
        ticks = [0.0025, 0.01, 0.04]
        ax.set_xticks(ticks, [f"{100 * t:g} %" for t in ticks])
        ax.minorticks_off()
        ax.set_title(f"moved by {shift:g} sd", fontsize=10)
    axes[0, 0].set_ylabel("plantings in which it is found")
    axes[0, len(shifts) // 2].set_xlabel("the segment's share of the customers")
    legend_below(fig, axes[0, 0])
    return fig, sweep
