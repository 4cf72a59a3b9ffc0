"""Figures of chapter 04: the network drawn, its costs and receptive field, attention, its parts.

Every function returns the figure and the table that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import figures
from precmark.plots.churn import whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from precmark.networks import LayerCost


def shape_text(shape: Sequence[int]) -> str:
    """``"32 x 20"`` of a tensor's shape without the batch."""
    return " × ".join(str(n) for n in shape)


def _costs_table(costs: Sequence[LayerCost]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "layer": [c.layer for c in costs],
            "equation": [str(c.equation or "") for c in costs],
            "output_shape": [shape_text(c.output_shape) for c in costs],
            "parameters": [c.parameters for c in costs],
            "multiply_adds": [c.multiply_adds for c in costs],
        }
    )


def _box(
    ax: Axes, x: float, y: float, layer: str, equation: str, shape: str, weights: int | None
) -> None:
    """One layer as a box of the unit square at (x, y); the input, without `weights`, is white."""
    from matplotlib.patches import FancyBboxPatch

    attention = "attention" in layer
    face = "white" if weights is None else "#f9ead9" if attention else "#dcebf4"
    edge = {"ec": figures.COLOURS[attention], "ls": "--" if attention else "-", "lw": 1.3}
    shape_of_box = "round,pad=0.02"
    ax.add_patch(
        FancyBboxPatch((x + 0.09, y + 0.16), 0.8, 0.68, boxstyle=shape_of_box, fc=face, **edge)
    )
    notes = [f"eq. {equation}"] if equation else []
    notes += ["features × steps"] if weights is None else [f"{weights:,} weights"]
    lines = ((0.68, layer, 8.6, "bold"), (0.48, shape, 9, "normal"))
    for up, text, size, weight in (*lines, (0.29, ", ".join(notes), 7.3, "normal")):
        ax.text(x + 0.49, y + up, text, ha="center", va="center", fontsize=size, weight=weight)


def architecture(
    costs: Sequence[LayerCost], input_shape: Sequence[int], *, columns: int | None = None
) -> tuple[Figure, pd.DataFrame]:
    """The network as boxes in the order of the data, with each layer's output shape.

    Parameters
    ----------
    costs : sequence of LayerCost
        See :func:`precmark.networks.layer_costs`.
    input_shape : sequence of int
        (F, T), features by steps.
    columns : int
        Boxes a line; lines run to and fro. Three or four, whichever fills the last line better,
        where left out.
    """
    table = _costs_table(costs)
    boxes = [("input X", "", shape_text(input_shape), None)]
    boxes += list(
        table[["layer", "equation", "output_shape", "parameters"]].itertuples(index=False)
    )
    columns = columns or max((4, 3), key=lambda n: (len(boxes) - 1) % n / (n - 1))
    rows = -(-len(boxes) // columns)
    fig, ax = figures.new(size=(7.2, 0.2 + 1.15 * rows))
    ax.set(xlim=(0, columns), ylim=(0, rows))
    ax.axis("off")
    places = []
    for i, box in enumerate(boxes):
        row, step = divmod(i, columns)
        x = step if row % 2 == 0 else columns - 1 - step
        places.append((x, rows - 1 - row))
        _box(ax, *places[-1], *box)
    arrow = {"arrowstyle": "-|>", "color": "#444444", "shrinkA": 0, "shrinkB": 0}
    for (x, y), (to_x, to_y) in pairwise(places):
        if y != to_y:
            start, end = (x + 0.49, y + 0.13), (to_x + 0.49, to_y + 0.87)
        else:
            leave, arrive = (0.92, 0.06) if to_x > x else (0.06, 0.92)
            start, end = (x + leave, y + 0.5), (to_x + arrive, y + 0.5)
        ax.annotate("", end, start, arrowprops=arrow)
    return fig, table


def receptive_field(fields: Mapping[str, int], steps: int) -> tuple[Figure, pd.DataFrame]:
    """Which of the `steps` input steps each layer's value at one middle step can see.

    Parameters
    ----------
    fields : mapping of layer to int
        How many neighbouring steps a value of that layer sees, its own among them; a number as
        large as `steps` or larger means all.
    steps : int
        T.
    """
    from matplotlib.patches import Rectangle

    centre = (steps - 1) // 2
    fig, ax = figures.new(size=(7.2, 0.9 + 0.36 * len(fields)))
    rows = []
    for y, (layer, width) in enumerate(fields.items()):
        first = 0 if width >= steps else max(0, centre - (width - 1) // 2)
        last = steps - 1 if width >= steps else min(steps - 1, centre + width // 2)
        rows.append((layer, last - first + 1, first + 1, last + 1))
        for step in range(steps):
            sees = first <= step <= last
            ax.add_patch(
                Rectangle(
                    (step + 0.56, y - 0.36), 0.88, 0.72, fc=figures.COLOURS[0] if sees else "white",
                    ec="#9a9a9a", lw=0.7, hatch="//" if sees and step != centre else "",
                )
            )  # fmt: skip
        ax.text(steps + 0.7, y, f"{last - first + 1} of {steps}", va="center", fontsize=9)
    ax.set(xlim=(0.4, steps + 2.6), ylim=(len(fields) - 0.4, -0.6), xlabel="step of the input")
    ax.set_yticks(range(len(fields)), list(fields))
    ax.set_xticks([s for s in range(1, steps + 1) if s == 1 or s % 5 == 0 or s == centre + 1])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return fig, pd.DataFrame(rows, columns=["layer", "steps_seen", "first_step", "last_step"])


def attention_map(
    events: Sequence[str], spatial: Sequence[np.ndarray], channel: Sequence[np.ndarray]
) -> tuple[Figure, pd.DataFrame]:
    """One session read by the network: the weight of each step, and of each filter.

    Parameters
    ----------
    events : sequence of str
        What happened at each of the t real steps, first to last; a second line may hold the gap.
    spatial : sequence of arrays (t,) or longer
        Spatial attention after each convolution, 0 to 1; padding beyond `events` is left out.
    channel : sequence of arrays (C,)
        Channel attention after each convolution, 0 to 1.
    """
    count = len(events)
    fig, (steps, filters) = figures.new(
        2, 1, size=(7.2, 4.6), gridspec_kw={"height_ratios": (2.4, 1)}
    )
    at = np.arange(count)
    weights = [np.asarray(s, dtype=float)[:count] for s in spatial]
    width = 0.8 / len(weights)
    for i, values in enumerate(weights):
        shift = width * (i - (len(weights) - 1) / 2)
        steps.bar(at + shift, values, width=0.94 * width, color=figures.COLOURS[i], ec="white",
                  hatch=figures.HATCHES[i], label=f"after convolution {i + 1}")  # fmt: skip
    turned = count > 8
    labels = [e.replace("\n", ", ") for e in events] if turned else list(events)
    steps.set_xticks(
        at, labels, fontsize=8, rotation=60 if turned else 0, ha="right" if turned else "center",
        rotation_mode="anchor" if turned else "default",
    )  # fmt: skip
    steps.set(ylabel="weight of the step", ylim=(0, 1), xlim=(-0.6, count - 0.4))
    steps.grid(axis="x", visible=False)
    steps.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(weights), borderaxespad=0.2,
                 frameon=False)  # fmt: skip
    image = filters.imshow(
        np.vstack(channel).astype(float), aspect="auto", cmap=figures.SEQUENTIAL, vmin=0, vmax=1
    )
    filters.set_yticks(range(len(channel)), [f"convolution {i + 1}" for i in range(len(channel))])
    filters.set_xlabel("filter")
    every = max(1, len(channel[0]) // 8)
    filters.set_xticks(range(every - 1, len(channel[0]), every))
    filters.xaxis.set_major_formatter(lambda v, _: f"{v + 1:.0f}")
    filters.grid(visible=False)
    fig.colorbar(image, ax=filters, label="weight", pad=0.02)
    return fig, _weights_table(events, weights, channel)


def _weights_table(
    events: Sequence[str], spatial: Sequence[np.ndarray], channel: Sequence[np.ndarray]
) -> pd.DataFrame:
    """A row a weight: ``attention``, ``convolution``, ``at`` (event or filter), ``weight``."""
    steps = [e.replace("\n", ", ") for e in events]
    kinds = (
        ("spatial", spatial, steps),
        ("channel", channel, [f"filter {c + 1}" for c in range(len(channel[0]))]),
    )
    parts = [
        pd.DataFrame(
            {"attention": kind, "convolution": i + 1, "at": names, "weight": np.asarray(values)}
        )
        for kind, layers, names in kinds
        for i, values in enumerate(layers)
    ]
    return pd.concat(parts, ignore_index=True)


def parts_comparison(
    table: pd.DataFrame, *, xlabel: str = "average precision", whole: str | None = None
) -> tuple[Figure, pd.DataFrame]:
    """What each part adds: each variant's quality, and its paired difference from the whole.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``variant``, ``value``, ``low``, ``high``, and ``difference``, ``difference_low``,
        ``difference_high`` (variant less the whole network; not a number for the whole itself).
    xlabel : str
        What ``value`` is.
    whole : str, optional
        The variant to compare with; the first where left out. It stands on top.
    """
    whole = whole or table.variant.iloc[0]
    first = table.variant == whole
    table = pd.concat([table[first], table[~first]], ignore_index=True)
    at = np.arange(len(table))
    fig, (left, right) = figures.new(1, 2, size=(7.2, 1.2 + 0.36 * len(table)), sharey=True)
    for rows, i in ((at[:1], 1), (at[1:], 0)):
        r = table.loc[rows]
        whiskers(left, r.value, rows, r.low, r.high, i=i)
    left.axvline(table.value.iloc[0], color="#777777", ls=":", lw=1.2)
    r = table.loc[at[1:]]
    whiskers(right, r.difference, at[1:], r.difference_low, r.difference_high, i=0)
    right.axvline(0, color="#444444", ls="--", lw=1.2)
    left.set_yticks(at, table.variant)
    left.set_ylim(len(table) - 0.4, -0.6)
    left.set_xlabel(xlabel)
    right.set_xlabel(f"difference from “{whole}”")
    for ax in (left, right):
        ax.xaxis.get_major_locator().set_params(nbins=5)
    return fig, table
