"""What chapter 14 says about campaigns, from the numbers drawn."""

from __future__ import annotations

import pandas as pd

from precmark.churn.sentences import listed
from precmark.strategy.placement import Plan
from precmark.strategy.placement_study import FIRST
from precmark.strategy.response import Response
from precmark.strategy.series_study import WAYS
from precmark.strategy.turnover import MONTHS, printed_rise, sales_needed

_NO_EFFECT = "no_effect"


def percent(share: float) -> str:
    """A share with its sign as a whole percentage; a plain 0 where it rounds to that."""
    return f"{100 * share:+.0f}%" if round(100 * share) else "0%"


def worlds_text(names) -> str:
    """Names of worlds in words: "sure things and orthogonal", "no world" for none."""
    return listed(str(n).replace("_", " ") for n in names) or "no world"


def on_response(found: Response) -> str:
    """How far the cells differ, by kind of visitor and beyond it."""
    cells = found.cells
    by = cells.groupby("segment")[["buyers", "contacts"]].sum()
    rate = (by.buyers / by.contacts).sort_values()
    text = (
        f"The part of the log to plan with holds {cells.contacts.sum():,} visits and "
        f"{cells.buyers.sum():,} buyers in {len(cells)} cells; buyers in the "
        f"median cell: {cells.buyers.median():.0f}. "
    )
    if len(rate) > 1:
        text += (
            f"Kinds of visitor differ: *{rate.index[-1]}* buys in {rate.iloc[-1]:.1%} of the "
            f"visits, *{rate.index[0]}* in {rate.iloc[0]:.1%}. "
        )
    if found.alike:
        return text + (
            "Within a kind of visitor, channels and hours differ **no more than luck makes "
            "them**: whatever the best cells show, the estimate for each is its kind's."
        )
    return text + (
        f"Within a kind of visitor the cells differ somewhat: the kind's rate weighs as much as "
        f"{found.concentration:,.0f} visits of a cell's own."
    )


def on_plans(early: pd.DataFrame, later: pd.DataFrame, best: Plan, budget: float) -> str:
    """What the linear programme gains on the other plans, as planned and on the later log."""
    rows = later[later.plan != FIRST]
    parts = [
        f"{r.gain:+,.1f} buyers against *{r.plan}* [{r.gain_low:+,.1f}, {r.gain_high:+,.1f}]"
        for r in rows.itertuples()
    ]
    promised, kept = (t.buyers[t.plan == FIRST].iloc[0] for t in (early, later))
    wins = (rows.gain_low > 0).sum()
    text = (
        f"For a budget of {budget:,.0f} the linear programme expects **{promised:,.1f}** "
        f"buyers; at the rates of the later log, which it did not see, it is {kept:,.1f}. There it "
        f"brings {listed(parts)}. One more unit of budget would bring {best.next_unit:.4f} buyers. "
    )
    if wins == len(rows):
        return text + "Both differences are beyond chance, at the prices that were assumed."
    if wins:
        return text + "Not every difference is beyond chance."
    return text + "No difference is beyond chance."


def on_planted(summary: pd.DataFrame) -> str:
    """What planning by raw rates promises and brings against shrunken ones, at both ends."""
    at = summary.set_index(["spread", "plan"])
    spreads = sorted(summary.spread.unique())
    low, high = spreads[0], spreads[-1]
    raw, drawn = at.loc[(low, "raw rates")], at.loc[(low, "shrunken rates")]
    equal = [at.loc[(s, "equal")].delivered for s in (low, high)]
    text = (
        f"Where cells of a kind are alike, planning by the rates as counted promises "
        f"{raw.promised:.0%} of what comes and brings {raw.delivered:.0%} of what the best plan "
        f"would; by shrunken rates it promises {drawn.promised:.0%} and brings "
        f"{drawn.delivered:.0%}. "
    )
    ends = [at.loc[(high, p)].delivered for p in ("raw rates", "shrunken rates")]
    same = "bring nearly the same" if abs(ends[0] - ends[1]) < 0.05 else "differ"
    return text + (
        f"Where the true rates spread by {high:.0%} of their mean, the two {same} "
        f"({ends[0]:.0%} and {ends[1]:.0%}), and equal money brings {equal[1]:.0%} instead of "
        f"{equal[0]:.0%}: the more the cells differ, the more there is to gain, and the less it "
        "matters how their rates are estimated."
    )


def on_reach(table: pd.DataFrame, margin: float) -> str:
    """Whom the rules reach, and how large an effect would have to be."""
    spoken = table[(table.offers > 0) & (table.base > 0)]
    silent = table[table.offers == 0]
    text = f"The rules make {table.offers.sum():,} offers and hold {table.held_out.sum():,} back. "
    if len(silent):
        text += (
            f"{listed(f'*{r}*' for r in silent.rule).capitalize()} "
            f"{'finds' if len(silent) == 1 else 'find'} nobody in this log. "
        )
    if spoken.empty:
        return text
    worst = spoken.loc[spoken.break_even.idxmax()]
    least = spoken.loc[spoken.break_even.idxmin()]
    other = f", *{least.rule}* by {100 * least.break_even:.1f}" if len(spoken) > 1 else ""
    return text + (
        f"At a margin of {margin:.0%}, and if every buyer uses the offer, *{worst.rule}* pays "
        f"once it lifts the {worst.base:.1%} who buy anyway by {100 * worst.break_even:.1f} "
        f"percentage points{other}. Discounts to those who buy anyway are what it costs: who buys "
        "more, costs more."
    )


def on_rules(table: pd.DataFrame) -> str:
    """In which worlds rules pay, and the rules against the coupon for everybody."""
    wide = table.pivot(index="rule", columns="world", values="profit_100")
    paying = {r: [w for w in wide if wide.loc[r, w] > 0] for r in wide.index}
    single = {r: w for r, w in paying.items() if w and r not in ("all rules", "everybody")}
    if single:
        text = listed(f"*{r}* pays in {worlds_text(w)}" for r, w in single.items()) + ". "
        text = text[0].upper() + text[1:]
    else:
        text = "No rule pays for itself in any world. "
    text += (
        f"All rules together pay in {worlds_text(paying['all rules'])}, a coupon for everybody "
        f"in {worlds_text(paying['everybody'])}. "
    )
    better = [w for w in wide if wide.loc["all rules", w] > wide.loc["everybody", w]]
    worlds = [w for w in better if w != _NO_EFFECT]
    text += (
        "A hundred offers by the rules do better than a hundred to everybody in "
        f"{worlds_text(worlds)}"
    )
    if _NO_EFFECT in wide:
        cost = -wide.loc["all rules", _NO_EFFECT]
        text += f"; where offers do nothing, a hundred by the rules cost {cost:.1f}"
    caused = table[(table.rule == "all rules") & (table.world != _NO_EFFECT)].extra
    return text + (
        f". Purchases are caused in every world with an effect ({caused.min():.0f} to "
        f"{caused.max():.0f}): more sales and more profit are two claims."
    )


def on_holdouts(table: pd.DataFrame, world: str) -> str:
    """What the holdouts can show, and what they would need."""
    whole = table[table.rule == "all rules"].iloc[0]
    rules = table[table.rule != "all rules"]
    covered = ((table.low <= table.truth) & (table.high >= table.truth)).sum()
    text = (
        f"In the world of *{world.replace('_', ' ')}* the offers lift purchases by "
        f"{100 * whole.truth:.2f} percentage points on average. One trial of all rules measures "
        f"{100 * whole.measured:+.2f} [{100 * whole.low:+.2f}, {100 * whole.high:+.2f}]; it "
        f"would show an effect in {whole.found:.0%} of the "
        f"trials. {covered} of the {len(table)} intervals hold the truth. "
    )
    if len(rules):
        best = rules.loc[rules.found.idxmax()]
        text += (
            f"Of the single rules *{best.rule}* comes nearest ({best.found:.0%} of the "
            f"trials); to be sure four times in five it takes {best.needed:,.0f} moments with and "
            "as many without "
            "the offer. "
        )
    if whole.found >= 0.8:
        return text + "A holdout of a fifth is enough here to know that the rules work together."
    return text + (
        "A holdout of a fifth costs little; at this size it leaves the question open in "
        f"{1 - whole.found:.0%} of the trials."
    )


def on_homes(table: pd.DataFrame) -> str:
    """What the printed turnovers are in homes, and how many it would take."""
    rise, (first, last) = printed_rise(), sales_needed()
    cheap, dear = table.iloc[0], table.iloc[-1]
    return (
        f"A rise of {rise.growth:.0%} is {rise.a_month:.1%} a month. At the lowest price that "
        f"the paper prints for a home, {rise.first:g} million are {cheap['first']:.1f} homes and "
        f"{rise.last:g} million {cheap['last']:.1f}; at the highest budget, "
        f"{dear['first']:.1f} and "
        f"{dear['last']:.1f}. **{round(cheap['first'])} sales against {round(cheap['last'])} are "
        f"what chance gives**: with equal rates so uneven a pair comes with a probability of "
        f"{cheap.p_value:.2f}, and the growth may be anything from {cheap.low:.0%} to "
        f"{cheap.high:+.0%}. It would take {first} sales against {last} to rule out chance. "
        "Apart from counts: wherever the logarithm of a month's turnover varies by "
        f"{rise.noise:.2f} "
        "or more (a seventh of the turnover), two months differ so much one time in twenty."
    )


def on_windows(table: pd.DataFrame, title: str) -> str:
    """How often a shop without a campaign rises as the paper's project did."""
    printed = printed_rise().growth
    if table.empty:
        return (
            f"{title} is shorter than {MONTHS} months, so that no such window can be found in it."
        )
    share, rises = (table.rise >= printed).mean(), (table.rise > 0).mean()
    text = (
        f"Of the {len(table):,} days on which {MONTHS} months can begin in {title}, "
        f"{rises:.0%} show "
        f"a rise from the first to the last month, and **{share:.0%}** one of {printed:.0%} or "
        f"more, the largest {table.rise.max():.0%}. None is due to the paper's strategy. "
    )
    if share > 0.05:
        return text + "By this measure a rise as printed is nothing unusual."
    if share > 0:
        return text + "By this measure a rise as printed is rare, though it does occur."
    return text + "By this measure a rise as printed would be unusual here."


def on_ways(table: pd.DataFrame) -> str:
    """False alarms and power of every way to judge a campaign."""
    at = table.set_index(["planted", "way"])
    none, some = min(table.planted), max(table.planted)
    lines = []
    for way in WAYS:
        row, planted = at.loc[(none, way)], at.loc[(some, way)]
        lines.append(
            f'- *{way}*: finds {percent(row.effect)} where nothing was planted and says "it rose" '
            f"in {row.says:.0%} of the trials; {percent(planted.effect)} and {planted.says:.0%} "
            f"where {some:.0%} was planted."
        )
    control = at.loc[(none, WAYS[-1])], at.loc[(some, WAYS[-1])]
    text = "\n".join(lines)
    bias = max(abs(control[0].effect), abs(control[1].effect - some))
    ending = (
        "The control group finds what was planted: whatever moved both groups drops out."
        if bias < 0.1
        else "Even with a control group these sales are too few to find what was planted closely."
    )
    if control[1].says < 0.8:
        ending += (
            f" It says so in {control[1].says:.0%} of the trials: sales this noisy need a larger "
            "campaign, or a longer one."
        )
    return f"{text}\n\n{ending}"


def on_placebos(table: pd.DataFrame, p_value: float) -> str:
    """How many placebo dates show an effect, and where the real one stands among them."""
    placebo, real = table[~table.real], table[table.real].iloc[0]
    if placebo.empty:
        return "The time before the campaign is too short for any placebo date."
    return (
        f"Of the {len(placebo)} placebo dates {placebo.found.mean():.0%} have an interval that "
        "leaves out zero, where one in twenty should. The campaign's own first weeks show "
        f"{percent(real.effect)} [{percent(real.low)}, {percent(real.high)}]; as large an effect, "
        f"up or down, comes at {p_value:.0%} of all dates, its own among them."
    )


def campaign_answer(
    homes: pd.DataFrame,
    *,
    later: pd.DataFrame | None = None,
    rules: pd.DataFrame | None = None,
    windows: pd.DataFrame | None = None,
    ways: pd.DataFrame | None = None,
) -> str:
    """The findings on campaigns in a few sentences, for the end of the chapter's opening.

    Parameters are those of :func:`precmark.strategy.verdicts_campaigns.campaign_verdicts` and
    :func:`precmark.strategy.turnover.homes`; begins with a space.
    """
    said = [""]
    if later is not None:
        buyers = later.set_index("plan").buyers
        said.append(
            "A budget placed by linear programming brings "
            f"{buyers[FIRST] / buyers['equal'] - 1:+.0%} buyers against equal money on the later "
            "log, at assumed prices."
        )
    if rules is not None:
        whole = rules[rules.rule == "all rules"]
        paying = worlds_text(whole.world[whole.profit > 0])
        said.append(
            f"Rules for customers raise sales wherever offers work at all, and pay in {paying}."
        )
    first, last = round(homes["first"].iloc[0]), round(homes["last"].iloc[0])
    text = f"The paper's rise in turnover is {first} homes against {last} or fewer"
    if windows is not None and len(windows):
        share = (windows.rise >= printed_rise().growth).mean()
        text += f"; {share:.0%} of five-month windows without a campaign rise as much here"
    said.append(f"{text}.")
    if ways is not None:
        none = ways[ways.planted == ways.planted.min()].set_index("way").says
        said.append(
            f"Judged as the paper does, {none[WAYS[0]]:.0%} of campaigns that did nothing look "
            f"like a success; with a control group, {none[WAYS[-1]]:.0%}."
        )
    return " ".join(said)
