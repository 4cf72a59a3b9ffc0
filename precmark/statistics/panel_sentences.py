"""What chapter 13 says of outlets and panels, from the numbers drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.churn.sentences import listed
from precmark.statistics.diagnostics import FEW_UNITS
from precmark.statistics.outlets import WORLDS
from precmark.statistics.own_panel import OwnPanel
from precmark.statistics.sentences import interval
from precmark.statistics.study import PanelStudy, Worlds


def on_kinds(worlds: Worlds) -> str:
    """How alike the tables of two opposite worlds are."""
    wide = worlds.kinds.pivot_table(index=["by", "kind"], columns="world", values="sales")
    gap = (wide["display_sells"] - wide["display_idle"]).abs() / wide["display_sells"]
    stars = worlds.kinds[(worlds.kinds.by == "stars")]
    agree = stars.groupby("world").apply(
        lambda r: np.corrcoef(r.display, r.sales)[0, 1], include_groups=False
    )
    return (
        f"Between a world in which display sells and one in which it sells nothing, no kind of "
        f"store differs by more than {gap.max():.0%} in sales. Over the five kinds of stars "
        f"display and sales correlate at {agree['display_sells']:.3f} and "
        f"{agree['display_idle']:.3f}. "
        "Averages by kind of store cannot tell the two worlds apart."
    )


def on_worlds(worlds: Worlds) -> str:
    """What each method makes of display in each world, against what is true."""
    rows = worlds.coefficients[worlds.coefficients.term == "display"]
    lines = []
    for world, r in rows.groupby("world", sort=False):
        r = r.set_index("method")
        truth = r.truth.iloc[0]
        holds = (r.low <= truth) & (truth <= r.high)
        right, wrong = list(r.index[holds]), list(r.index[~holds])
        text = f"- *{WORLDS[world].title}* (true effect {truth:.2f}): "
        text += f"the intervals of {listed(right)} hold it" if right else "no interval holds it"
        if right and wrong:
            text += f", those of {listed(wrong)} do not"
        text += (
            f". Pooled OLS says {interval(r.loc['pooled OLS'])}, fixed effects "
            f"{interval(r.loc['fixed effects'])}."
        )
        lines.append(text)
    return "\n".join(lines)


def on_tests(tests: pd.DataFrame, units: int) -> str:
    """What the diagnostics say, and what follows for the standard errors."""
    p = tests.set_index("test").p
    levels = p[["Hausman", "Mundlak, clustered"]].dropna()
    parts = []
    if (levels < 0.05).all():
        parts.append("Hausman and Mundlak reject: levels go with the columns, so random effects "
                     "and pooled least squares are biased")  # fmt: skip
    elif (levels >= 0.05).all():
        parts.append("neither Hausman nor Mundlak can show that levels go with the columns")
    else:
        parts.append("Hausman and Mundlak disagree; the second is the one that allows for errors "
                     "of unequal width")  # fmt: skip
    uneven = p["Breusch-Pagan"] < 0.05
    serial = p["Wooldridge"] < 0.05
    if uneven or serial:
        why = [w for w, yes in (("of unequal width", uneven), ("tied from week to week", serial))
               if yes]  # fmt: skip
        parts.append(f"errors are {listed(why)}, which is why they are clustered by unit")
    else:
        parts.append("errors look independent and alike; clustering costs little then")
    text = "; ".join(parts)
    text = text[0].upper() + text[1:] + "."
    if units < FEW_UNITS:
        text += (
            f" With {units} units the clustered errors lean low: intervals are somewhat too narrow."
        )
    return text


def on_own(own: OwnPanel, study: PanelStudy) -> str:
    """The run's own panel: what the methods say of each column, and what is missing."""
    text = (
        f"{study.rows:,} rows, {study.units} {own.units}, {study.periods} weeks. {own.words} "
        + (f"Not recorded, and so left out: {own.missing}. " if own.missing else "")
    )
    wide = study.coefficients.set_index(["method", "term"])
    for column in own.columns:
        if ("fixed effects", column) not in wide.index:
            continue
        ols = wide.loc[("pooled OLS", column)]
        two = wide.loc[
            ("two-way fixed effects", column)
            if ("two-way fixed effects", column) in wide.index
            else ("fixed effects", column)
        ]
        signs = [0 if r.low <= 0 <= r.high else int(np.sign(r.estimate)) for r in (ols, two)]
        words = {0: "nothing that can be told from zero", 1: "more", -1: "less"}
        text += (
            f"For *{column}*, pooled OLS says {words[signs[0]]} ({interval(ols)}), and with levels "
            f"of units and weeks held {words[signs[1]]} ({interval(two)}). "
        )
    return text.strip()
