"""What the ablation's chapter reads from holdouts, needed effects, uplift, margins and sweeps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.ablation import tables
from precmark.ablation.sentences import ASSUMED, hundred, many, named
from precmark.ablation.worlds import WORLDS_IN_ORDER
from precmark.churn.sentences import listed, signed


def on_holdout(holdout: pd.DataFrame) -> str:
    """What the paper's reading and a random holdout say of the same coupons."""
    lines = []
    for r in holdout.itertuples():
        if np.isfinite(r.needed):
            need = f"needs {many(r.needed)} targeted, {many(r.needed_sessions)} sessions"
        else:
            need = "no size would find what is not there"
        lines.append(
            f"- {named([r.world])}: C-1 less C-2 says {signed(100 * r.against_c2_all, 1)} points "
            f"(all) or {signed(100 * r.against_c2_eligible, 1)} (eligible), the holdout "
            f"{signed(100 * r.difference, 1)} [{signed(100 * r.low, 1)}, "
            f"{signed(100 * r.high, 1)}], the truth is {signed(100 * r.true_effect, 1)}; {need}."
        )
    first = holdout.iloc[0]
    return (
        f"With {first.shown:,} shown and {first.held_out:,} held out at random, and the size that "
        "would find the effect four times in five:\n\n" + "\n".join(lines)
    )


def on_needed(needed: pd.DataFrame) -> str:
    """What response the printed conversion of option 4 would take."""
    first = needed.iloc[0]
    text = (
        f"Without a coupon {first.without:.1%} of those whom option 4 targets would buy. For a C-1 "
        f"of {first.target:.2%} coupons would have to add {hundred(first.needed_tau)} points on "
        f"average (at most {hundred(first.cap, 0)} are possible). "
    )
    if first.needed_tau == 0:
        return text + "So it takes no effect at all here."
    reach = needed[needed["reachable"]]
    parts = [
        f"{r.times:.0f} times that ({r.needed_effect:.2f}) in {named([r.world])}"
        for r in reach.itertuples()
    ]
    never = needed[~needed["reachable"]]["world"]
    if parts:
        text += (
            f"The one randomised contrast in print is a mean effect of {first.effect:g}; it would "
            f"take {listed(parts)}. "
        )
    if len(never):
        text += f"In {named(never)} no size of it is enough. "
    return text + (
        f"The other way to get there needs no effect: as many coupons for the surest buyers show a "
        f"C-1 of {first.surest:.0%} when coupons do nothing."
    )


def on_uplift(
    options: pd.DataFrame, *, budget: str = tables.EQUAL_COUPONS, margin: int = 30
) -> str:
    """What option 5 earns after paying for its exploration, and how far the ceiling is."""
    column = f"profit_{margin}"
    rows = tables.chosen(options, budget=budget, policies=("4", "5", "6 profit"))
    rows = rows.assign(
        profit=tables.per_thousand(rows, column),
        paid=tables.per_thousand(rows, f"exploration_cost_{margin}"),
    )
    lines = []
    for world in WORLDS_IN_ORDER:
        at = rows[rows["world"] == world].set_index("policy")
        five = at.loc["5"]
        price = f"its coupons by lot {'cost' if five.paid >= 0 else 'earned'} {abs(five.paid):.2f}"
        lines.append(
            f"- {named([world])}: option 5 {signed(five.profit, 2)}, or "
            f"{signed(five.profit - five.paid, 2)} in all, as {price}; option 4 "
            f"{signed(at.profit['4'], 2)}; the ceiling {signed(at.profit['6 profit'], 2)}."
        )
    return f"Change of profit at a margin of {margin} %, yuan per 1,000 sessions:\n\n" + "\n".join(
        lines
    )


def on_margins(profits: pd.DataFrame, policy: str = "4") -> str:
    """At which margin option 4 begins to pay in each world."""
    mine = profits[profits["policy"] == policy].drop_duplicates("world").set_index("world")
    parts, never = [], []
    for world in WORLDS_IN_ORDER:
        even = mine.break_even[world]
        if np.isfinite(even) and even <= 100:
            parts.append(f"{even:.0f} % in {named([world])}")
        else:
            never.append(world)
    text = f"Option {policy} earns more than it gives away "
    text += f"where the margin is above {listed(parts)}" if parts else "at no margin in any world"
    return text + (f", and at no margin in {named(never)}." if parts and never else ".")


def on_net(options: pd.DataFrame, *, budget: str = tables.EQUAL_COUPONS) -> str:
    """What is left of option 4's purchases after 30 days."""
    rows = tables.chosen(options, budget=budget, policies=("4",))
    rows = rows[rows["incremental"] > 0]
    parts = [
        f"{r.net_30d:,.0f} of {r.incremental:,.0f} in {named([r.world])}" for r in rows.itertuples()
    ]
    return (
        f"Of the purchases that option 4 causes, net of those only pulled forward from the next 30 "
        f"days: {listed(parts)}."
    )


def on_sweeps(table: pd.DataFrame, world: str = ASSUMED) -> str:
    """How option 4 less coupons by lot moves along each sweep in one world."""
    from precmark.plots.ablation import SWEEPS

    parts = []
    for kind, title in SWEEPS.items():
        rows = table[(table["sweep"] == kind) & (table["world"] == world)]
        if rows.empty:
            continue
        wide = rows.pivot(index="value", columns="policy", values="incremental_per_coupon")
        gap = 100 * (wide["4"] - wide["1"])
        points = [f"{signed(g, 1)} at {v:g}" for v, g in gap.items()]
        parts.append(f"{title}: {listed(points)}")
    return (
        f"Option 4 less coupons by lot in {named([world])}, caused purchases per 100 coupons. "
        + "; ".join(parts)
        + "."
    )
