"""What the ablation's chapter says about its figures, from the numbers drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.ablation import tables
from precmark.churn.sentences import listed, signed
from precmark.claims import paper

ASSUMED = "persuadable_risk"
"""The world that the paper's design takes for granted: those about to leave can be won."""


def named(worlds) -> str:
    """Worlds in words, in italics: "*lost causes* and *orthogonal*"."""
    return listed(f"*{w.replace('_', ' ')}*" for w in worlds)


def hundred(value: float, digits: int = 1) -> str:
    """A rate a coupon as purchases per 100 coupons."""
    return f"{100 * value:.{digits}f}"


def many(count: float) -> str:
    """A number of people, rounded; beyond a billion it is only that."""
    if count >= 1e9:
        return "more than a billion"
    digits = max(0, int(np.floor(np.log10(max(count, 1)))) - 1)
    return f"{round(count, -digits):,.0f}"


def on_randomised(found) -> str:
    """The average effect by the randomised part of the log itself, with the size it would need."""
    row = found.table[found.table["estimator"] == "difference in means"].iloc[0]
    text = (
        f"Of {row.n_treated:,} decisions that got a coupon by lot, {row.treated:.1%} ended in a "
        f"purchase; of {row.n_control:,} that got none, {row.control:.1%}. The difference is "
        f"{signed(100 * row.effect, 2)} percentage points, 95 % interval over users "
        f"{signed(100 * row.low, 2)} to {signed(100 * row.high, 2)}. "
    )
    if row.low > 0 or row.high < 0:
        text += "The interval leaves out zero: the coupons changed something on average. "
    else:
        text += "The interval holds zero: this log alone cannot tell a useful coupon from none. "
    aim = f"{100 * found.aim:.2g} percentage points"
    aim = "one percentage point" if found.aim == 0.01 else aim
    if row.needed > row.n_treated:
        return text + (
            f"To find an effect of {aim} four times in five it would take about "
            f"{many(row.needed)} decisions with a coupon."
        )
    return text + f"It holds enough decisions to find an effect of {aim}."


def on_worlds(worlds: pd.DataFrame) -> str:
    """What the worlds share and where they part, before any model is trained."""
    with_effect = worlds[worlds["world"] != "no_effect"]
    low, high = with_effect["average_effect"].min(), with_effect["average_effect"].max()
    least = with_effect.loc[with_effect["risk_correlation"].idxmin()]
    most = with_effect.loc[with_effect["risk_correlation"].idxmax()]
    size = f"{hundred(low, 2)} to {hundred(high, 2)}"
    size = size if hundred(low, 2) != hundred(high, 2) else f"about {hundred(low, 2)}"
    return (
        f"A coupon by lot causes {size} purchases per 100 coupons in every world with an effect: a "
        "randomised average cannot tell the worlds apart. The correlation of the effect with risk "
        f"can: from {least.risk_correlation:+.2f} in {named([least.world])} to "
        f"{most.risk_correlation:+.2f} in {named([most.world])}."
    )


def on_selection(table: pd.DataFrame) -> str:
    """What C-1 against C-2 claims where coupons do nothing (:func:`tables.table6`)."""
    lot = table[table["policy"] == "1"].iloc[0]
    four = table[table["policy"] == "4"].iloc[0]
    text = (
        "No coupon changes anything here, yet C-1 and C-2 differ. Coupons by lot (option 1) go to "
        f"decisions, that is to visits that got to the k-th click: {lot.c1:.1%} of them buy, "
        f"against {lot.c2_all:.1%} of all sessions without a coupon. Read as the paper reads it, "
        f"that would be a coupon that multiplies conversion by {lot.c1 / lot.c2_all:.1f}; against "
        f"those who got as far without a coupon ({lot.c2_eligible:.1%}) {_left(lot)} of it is "
        "left. "
    )
    side = "below" if four.c1 < four.c2_eligible else "above"
    text += (
        f"Targeting the surest leavers (option 4) selects the other way: their C-1 is "
        f"{four.c1:.1%}, {side} the {four.c2_eligible:.1%} of the eligible without. "
    )
    if four.c1 < four.c2_eligible:
        text += (
            "A good risk model lowers C-1, because it finds those who do not buy. That the paper's "
            f"highest C-1 ({four.paper_c1:.2%}) belongs to an option that targets the surest "
            "leavers is the surprising thing in its Table 6."
        )
    return text


def _left(row) -> str:
    """How much of C-1 less C-2 of all sessions is there against the eligible too."""
    share = (row.c1 - row.c2_eligible) / (row.c1 - row.c2_all)
    return "nothing" if share <= 0.1 else f"{share:.0%}"


def on_table6(table: pd.DataFrame, world: str) -> str:
    """How far Table 6 and ours are apart in one world, and what each ranks first."""
    printed = table.loc[table["paper_c1"].idxmax()]
    ours = table.loc[table["c1"].idxmax()]
    true = table.loc[table["true"].idxmax()]
    four = table[table["policy"] == "4"].iloc[0]
    text = (
        f"In {named([world])} option {ours.policy} has the highest C-1 ({ours.c1:.1%}); in the "
        f"paper it is option {printed.policy} ({printed.paper_c1:.2%}). "
    )
    if table["true"].max() <= 0:
        return text + "No option causes a purchase here."
    text += (
        f"Option {true.policy} truly causes most, {hundred(true.true)} purchases per 100 coupons. "
    )
    if ours.policy != true.policy:
        text += "So the highest C-1 does not mark the best option. "
    text += (
        f"Option 4 converts {four.c1:.1%} of those with a coupon, of which "
        f"{hundred(four.true)} points are due to it; the printed difference to C-2 is "
        f"{100 * (four.paper_c1 - four.paper_c2):.1f} points. "
    )
    lot = table[table["policy"] == "1"].iloc[0]
    if abs(lot.paper_c1 - lot.c2_all) > abs(lot.paper_c1 - lot.c1):
        return text
    return text + (
        f"Coupons by lot convert {lot.c1:.1%} here, because only visits that get to the k-th click "
        f"can have one; the printed {lot.paper_c1:.2%} is nearer to all sessions, so the paper may "
        "have drawn its lot among all of them. It does not say."
    )


def on_options(options: pd.DataFrame, *, budget: str = tables.EQUAL_COUPONS) -> str:
    """Which option causes most a coupon in each world, and what chance would have done."""
    lines = []
    for world in tables.WITH_EFFECT:
        rows = tables.chosen(options, world=world, budget=budget, policies=tables.MAIN)
        value = rows.set_index("policy")["incremental_per_coupon"]
        best = value.drop("6").idxmax()
        lead = "coupons by lot lead" if best == "1" else f"option {best} leads"
        rest = {"4": "option 4", "1": "coupons by lot"}
        behind = listed(f"{name} ({hundred(value[k], 2)})" for k, name in rest.items() if k != best)
        lines.append(
            f"- {named([world])}: {lead} with {hundred(value[best], 2)} per 100 coupons, ahead of "
            f"{behind}; the oracle reaches {hundred(value['6'], 2)}."
        )
    return "\n".join(lines)


def on_factorial(cells: pd.DataFrame) -> str:
    """What each of the three parts adds on average, in purchases per 100 coupons."""
    found = tables.main_effects(cells).set_index("part")
    names = {"segments": "Segments", "risk": "The risk model", "recommendation": "The recommender"}
    lines = []
    for part, name in names.items():
        per_world = [
            f"{signed(100 * found.loc[part, w], 2)} in {named([w])}" for w in tables.WITH_EFFECT
        ]
        lines.append(f"- {name}: {listed(per_world)}.")
    return (
        "Averaged over the four settings of the other two parts, each part changes the purchases "
        "per 100 coupons by:\n\n" + "\n".join(lines)
    )


def on_smallest(smallest: float, margin: int, conversion: float, basket: float) -> str:
    """What the smallest effect of interest means, against the profit and the published traffic."""
    sessions = paper("gu", "table4.sessions_per_day")
    profit = 1_000 * conversion * basket * margin / 100
    yearly = smallest * sessions / 1_000 * 365
    return (
        f"The smallest effect of interest is **{smallest:g} yuan of profit per 1,000 sessions**. "
        f"At a margin of {margin} % 1,000 sessions earn about {profit:,.0f} yuan without any "
        f"coupon, so it is {smallest / profit:.1%} of the profit; for a shop with the published "
        f"{sessions:,.0f} sessions a day it is {yearly:,.0f} yuan a year. A system that has to be "
        "trained, watched and repaired costs more than that in hours of work, so what earns less "
        "is not worth building."
    )


def on_primary(primary: pd.DataFrame) -> str:
    """How many of the comparisons are decided, and which are large enough to matter."""
    first = primary[primary["favours"] == "first"]
    second = primary[primary["favours"] == "second"]
    large = primary[primary["matters"] == "larger"]
    small = primary[primary["matters"] == "smaller"]
    none = len(primary) - len(first) - len(second)
    if none == len(primary):
        text = f"Judged together, none of the {none} comparisons favours either option. "
    else:
        text = (
            f"Of {len(primary)} comparisons, judged together, the first option is favoured in "
            f"{len(first)}, the second in {len(second)}, and neither in {none}. "
        )
    text += (
        f"{len(large) or 'None'} {'is' if len(large) < 2 else 'are'} surely larger than the "
        f"smallest effect of interest, {len(small) or 'none'} surely smaller. "
    )
    four = primary[primary["comparison"] == "4-1"]
    better = [r.world for r in four.itertuples() if r.favours == "first"]
    worse = [r.world for r in four.itertuples() if r.favours == "second"]
    where = named(better) if better else "no world"
    text += f"The whole system is shown to beat coupons by lot in {where}. "
    if worse:
        text += f"It is shown to lose to them in {named(worse)}. "
    reach = (primary["high"] - primary["low"]).median() / 2
    text += f"Half of the intervals reach {reach:.1f} yuan or more to either side. "
    return text + _segments_and_uplift(primary)


def _segments_and_uplift(primary: pd.DataFrame) -> str:
    """What 4-2 (segments), 4-3 (recommender) and 5-4 (uplift) say."""
    parts = []
    for comparison, gain in (
        ("4-2", "Segments (4 against 2) are shown to pay"),
        ("4-3", "The recommender (4 against 3) is shown to pay"),
        ("5-4", "Estimated uplift (5) is shown to beat option 4"),
    ):
        rows = primary[(primary["comparison"] == comparison) & (primary["favours"] == "first")]
        worlds = list(rows["world"])
        parts.append(f"{gain} in {named(worlds) if worlds else 'no world'}.")
    return " ".join(parts)


def on_rates(rates: pd.DataFrame) -> str:
    """How near the realised rates came to the wanted ones (:func:`tables.rates`)."""
    rows = rates[rates["policy"].isin(tables.PAPER_OPTIONS)]
    printed = rows[rows["budget"] == tables.PAPER_RATES]
    parts = [
        f"{r.realised_rate:.2%} for option {r.policy} (printed {r.wanted_rate:.2%})"
        for r in printed.itertuples()
    ]
    gap = 100 * (rows["realised_rate"] / rows["wanted_rate"] - 1)
    return (
        f"Under the paper's rates, coupons a session came out as {listed(parts)}. A cut-off is "
        "chosen on the validation decisions and then frozen, so under all three budgets the future "
        f"spends less or more than planned, from {signed(gap.min(), 0)} % to "
        f"{signed(gap.max(), 0)} %. Every figure below is of the coupons that were really given."
    )


def on_budgets(
    options: pd.DataFrame, *, world: str = ASSUMED, margin: int = 30, policy: str = "3"
) -> str:
    """What an equal discount does to an option that gives coupons of random categories."""
    at = options[(options["world"] == world) & options["policy"].isin([policy, "4"])]
    at = at.assign(profit=tables.per_thousand(at, f"profit_{margin}"))
    at = at.set_index(["budget", "policy"])
    equal, count = (at.loc[budget] for budget in (tables.EQUAL_DISCOUNT, tables.EQUAL_COUPONS))
    ahead = {name: r.profit[policy] > r.profit["4"] for name, r in (("e", equal), ("c", count))}
    text = (
        f"At the same expected discount option {policy} gives "
        f"{equal.coupons[policy] / equal.coupons['4']:.1f} times as many coupons as option 4: a "
        "coupon of a random category is seldom used by who buys anyway, so it costs little. "
        f"In {named([world])} option {policy} then earns {signed(equal.profit[policy], 2)} yuan "
        f"per 1,000 sessions and option 4 {signed(equal.profit['4'], 2)}; at equal numbers it was "
        f"{signed(count.profit[policy], 2)} against {signed(count.profit['4'], 2)}."
    )
    if ahead["e"] != ahead["c"]:
        text += " Which of the two is better hangs on what is held equal."
    return text


def answer(study, found, *, world: str = ASSUMED) -> str:
    """The answer at the head of the chapter; without the truth, what the log itself says.

    Parameters
    ----------
    study : the tables of a study, or None
        Attributes ``options``, ``needed``.
    found : Randomised or None
    """
    if study is None:
        return on_randomised(found)
    options = study.options
    value = options[options["budget"] == tables.EQUAL_COUPONS].set_index(["world", "policy"])
    four = value.xs("4", level="policy")["incremental_per_coupon"]
    lot = value.xs("1", level="policy")["incremental_per_coupon"]
    better = [w for w in tables.WITH_EFFECT if four[w] > 1.1 * lot[w]]
    worse = [w for w in tables.WITH_EFFECT if four[w] < 0.9 * lot[w]]
    alike = [w for w in tables.WITH_EFFECT if w not in better + worse]
    text = (
        f"It depends on who responds, and Table 6 cannot tell. Where those about to leave can be "
        f"won, option 4 causes {hundred(four[world])} purchases per 100 coupons against "
        f"{hundred(lot[world])} by lot. "
    )
    parts = [
        f"{how} in {named(worlds)}"
        for how, worlds in (("better", better), ("about as well", alike), ("worse", worse))
        if worlds
    ]
    text += f"Against chance it does {listed(parts)}. "
    none = tables.table6(options, world="no_effect", budget=tables.PAPER_RATES)
    row = none[none["policy"] == "1"].iloc[0]
    text += (
        f"C-1 against C-2 shows none of this: where coupons do nothing, coupons by lot still show "
        f"{row.c1:.1%} against {row.c2_all:.1%}. "
    )
    need = study.needed.set_index("world").loc[world]
    if need.needed_tau > 0:
        strong = f"{need.times:.0f} times" if need.reachable else "more than any"
        text += (
            f"The printed {need.target:.2%} of option 4 would take {strong} the effect that the "
            "paper's own random coupons show."
        )
    return text
