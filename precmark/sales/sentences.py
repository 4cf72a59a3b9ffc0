"""What chapter 08 says about its figures, from the numbers drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.churn.sentences import listed, signed
from precmark.claims import paper
from precmark.sales.estimate import DISCOUNTED, Estimate
from precmark.sales.readings import (
    DISCOUNTS,
    FORMS,
    GROWTHS,
    OPTIONS,
    RATES,
    SAME,
    Reading,
    above_free,
    gap_of,
    growth_of,
    growth_readings,
    printed,
    rate_of,
)
from precmark.sales.truth import FOLLOWED, main_budget

WHO_RESPONDS = {
    "no_effect": "nobody responds",
    "persuadable_risk": "likely leavers respond",
    "lost_causes": "the middle responds",
    "sure_things": "near-buyers respond",
    "orthogonal": "unrelated to risk",
}
"""Who responds to a coupon in each world of the simulated store."""


def world_name(world: str) -> str:
    """A world in words, e.g. ``"lost causes"``."""
    return world.replace("_", " ")


def world_title(world: str) -> str:
    """A world as a panel is headed: its name and who responds."""
    who = WHO_RESPONDS.get(world)
    return f"{world_name(world)}\n({who})" if who else world_name(world)


def on_rows(rows: pd.DataFrame) -> str:
    """Which printed figures of Table 7 follow from Table 6, and which rows cannot be at all."""
    rate = sum(gap_of(printed(o, "rate"), rate_of(o, "sessions")) > SAME for o in OPTIONS)
    growth = sum(gap_of(printed(o, "growth"), growth_of(o, "C-2")) > SAME for o in OPTIONS)
    text = (
        f"In {rate} of {len(rows)} rows the printed rate is not the one that the "
        f"sessions of Table 6 give, and in {growth} the printed growth is not C-1 over "
        "C-2. The growth would follow from a conversion without coupons of "
        f"{listed(f'{v:.2%}' for v in rows['base implied'])} instead of the printed "
        f"{listed(f'{v:.2%}' for v in rows['C-2'])}. "
    )
    meanings = growth_readings()
    full = int((meanings.rows == len(rows)).sum())
    text += (
        f"Of {len(meanings)} conversions that the text lets it grow from, {full or 'none'} "
        f"give{'' if full > 1 else 's'} all rows. "
    )
    above = above_free()
    if above:
        at = rows.set_index("option")
        gaps = [
            f"{at['sales printed'][o]:.2f} against at most {at['no discount'][o]:.2f}"
            for o in above
        ]
        text += (
            f"For {_options(above)} the printed sales are above what printed rate and growth give "
            f"if the coupons cost nothing at all ({listed(gaps)}): it would take a surcharge, not "
            "a discount, to get there, or holders who are counted twice."
        )
    return text


def on_readings(table: pd.DataFrame, order: pd.DataFrame) -> str:
    """Whether any one reading gives all four rows, and how far the nearest is off."""
    best = order.iloc[0]
    full = int((order.rows == len(OPTIONS)).sum())
    text = (
        f"**{full} of {len(order)} readings give all four rows"
        f"{'' if full else f'; none gives more than {order.rows.max()}'}.** The nearest reads: "
        f"{Reading(*best[['rate', 'growth', 'discount', 'form']]).words}. It "
    )
    if full:
        return text + "agrees with every row within rounding."
    found = table[table.reading == order.index[0]]
    worst = found.loc[found.miss.idxmax()]
    return text + (
        f"agrees with {best.rows} rows and misses option {worst.option} most, by "
        f"{worst.miss:.2f} points of the index ({worst.computed:.2f} where {worst.printed:.2f} is "
        "printed), and it takes no discount off at all, though the text says that the discount "
        "was counted."
        if best.discount == "none"
        else f"agrees with {best.rows} rows and misses option {worst.option} most, by "
        f"{worst.miss:.2f} points of the index."
    )


def on_uncertainty(table: pd.DataFrame) -> str:
    """What the counts leave open about growth, sales and their order."""
    wide = table.set_index(["quantity", "campaign"])

    def one(quantity: str, option: str, form: str) -> str:
        r = wide.loc[(quantity, option)]
        return f"{format(r.value, form)} [{format(r.low, form)}, {format(r.high, form)}]"

    text = (
        f"Option 4's growth is {one('growth', '4', '+.0%')}, its sales {one('sales', '4', '.1f')}; "
        f"option 2's sales {one('sales', '2', '.1f')}. "
    )
    best = wide.loc["sales"].best
    text += (
        f"Option 4 has the higher sales in {best['4']:.0%} of the draws and option 2 in "
        f"{best['2']:.0%}: "
    )
    close = min(best["4"], best["2"]) > 0.025
    text += "the counts cannot tell them apart. " if close else "the counts tell them apart. "
    zero = [o for o in OPTIONS if wide.loc[("growth", o)].low < 0 < wide.loc[("growth", o)].high]
    if zero:
        text += f"The growth of {_options(zero)} may be none at all. "
    return text + (
        "All of this is about counting. That the formula takes the growth for the coupons' doing "
        "is a larger error, and no interval holds it."
    )


def on_calculator(found: Estimate) -> str:
    """The estimate for the chapter's parameters, in words."""
    text = (
        f"With {found.rate:.2%} of the sessions holding a coupon of {found.discount:.0%}, a growth "
        f"of {found.growth:+.0%} and a margin of {found.margin:.0%}, sales are estimated at "
        f"**{found.sales:.2f}** after {found.given:.2f} of discount, and the profit changes "
        f"by **{signed(found.profit, 2)}**, in hundredths of the sales without coupons. "
    )
    if np.isfinite(found.return_on_discount):
        text += f"Each unit of discount brings {signed(found.return_on_discount, 2)} of profit. "
    text += f"The profit breaks even at a discount of {found.break_even_discount:.1%}"
    if np.isfinite(found.break_even_growth):
        text += f", or, at this discount, with a growth of {found.break_even_growth:+.0%}"
    else:
        text += (
            ", and at this discount with no growth whatever, because the discount is not below "
            "the margin"
        )
    return (
        f"{text}. Sales rise longer than profit: they break even at "
        f"{found.sales_break_even_discount:.1%}."
    )


def on_truth(table: pd.DataFrame) -> str:
    """The formula against the truth by world, for the paper's complete option."""
    shown = main_budget(table)
    shown = shown[shown.policy.isin(FOLLOWED)]
    four = shown[shown.policy == "4"]
    parts = [
        f"{world_name(r.world)}: estimated {r.estimated:.2f}, true {r.true:.2f}"
        for r in four.itertuples()
    ]
    text = f"Option 4 (*{four.budget.iloc[0]}*): {'; '.join(parts)}. " if len(four) else ""
    wrong = shown[np.sign((shown.estimated - 100).round(3)) != np.sign((shown.true - 100).round(3))]
    worst = shown.loc[shown.gap.abs().idxmax()]
    return text + (
        f"Over the {shown.policy.nunique()} options and {shown.world.nunique()} worlds the formula "
        f"has the wrong sign in {len(wrong)} of {len(shown)} cases. Its largest error "
        f"is {signed(worst.gap, 2)} points (option {worst.policy}, {world_name(worst.world)}). "
        "It compares those who were chosen with those who were not, so it reports how the "
        "chosen differ, and adds that to what the coupon does."
    )


def on_order(table: pd.DataFrame) -> str:
    """How often the formula and the truth agree on the best of the four options."""
    four = table[table.policy.isin(OPTIONS)]
    parts = []
    for (world, budget), same in four.groupby(["world", "budget"], sort=False):
        said = same.policy[same.estimated.idxmax()]
        true = same.policy[same.true.idxmax()]
        parts.append((world, budget, said, true))
    right = sum(said == true for _, _, said, true in parts)
    named = {said for _, _, said, _ in parts}
    return (
        "By the formula the highest sales of the paper's four belong to "
        f"{_options(sorted(named))}; by the truth the same one leads in {right} of {len(parts)} "
        "combinations of world and budget."
    )


def answer(order: pd.DataFrame, truth: pd.DataFrame | None) -> str:
    """The answer at the head of the chapter."""
    full = int((order.rows == len(OPTIONS)).sum())
    text = (
        f"Not from the figures that are printed beside them: of {len(order)} readings of the text "
        f"{'none gives' if not full else f'{full} give'} all four rows of Table 7"
    )
    text += f", and none more than {order.rows.max()}. " if not full else ". "
    above = above_free()
    if above:
        text += (
            f"{_options(above).capitalize()} sell{'' if len(above) > 1 else 's'} more than rate "
            "and growth allow even if the coupons are free. "
        )
    if truth is not None and len(truth):
        none = main_budget(truth)
        none = none[(none.world == "no_effect") & none.policy.isin(OPTIONS)]
        if len(none):
            text += (
                "In a simulated store where coupons do nothing but cost money, the formula reports "
                f"sales from {none.estimated.min():.2f} to {none.estimated.max():.2f} for the four "
                f"options; the truth is {none.true.min():.2f} to {none.true.max():.2f}."
            )
    return text.strip()


def discount_words() -> str:
    """What the discount may be taken off, as a list in words."""
    *first, last = [words for words, _ in DISCOUNTED.values()]
    return f"{', '.join(first)}, or {last}"


def printed_twice() -> dict[str, str]:
    """Option 4's growth and sales as abstract and table print them, as text by name."""
    growth, again, rise, sales = printed_abstract()
    return {
        "abstract_growth": f"{growth:.2%}", "table_growth": f"{again:.2%}",
        "abstract_sales": f"{rise:.2%}", "table_sales": f"{sales:.2f}",
    }  # fmt: skip


def rows_in_words(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """:func:`precmark.sales.row_by_row` as the page prints it: rate and growth, then sales."""
    shares = ["rate printed", "rate from counts", "growth printed", "growth from C-2",
              "base implied", "C-2"]  # fmt: skip
    points = ["sales printed", "no discount", "discounted"]
    text = rows.astype(object)
    text[shares] = rows[shares].map("{:.2%}".format)
    text[points] = rows[points].map("{:.2f}".format)
    text["discount implied"] = rows["discount implied"].map("{:.1%}".format)
    headings = {"no discount": "most without discount", "discounted": "with discount"}
    sales = ["option", *points, "discount implied"]
    return text[["option", *shares]], text[sales].rename(columns=headings)


def readings_in_words(order: pd.DataFrame, most: int = 25) -> pd.DataFrame:
    """The nearest readings of :func:`precmark.sales.ranked` as the page prints them."""
    shown = order.head(most)
    tables = {"rate": RATES, "growth": GROWTHS, "discount": DISCOUNTS, "form": FORMS}
    numbers = [*(f"option {option}" for option in OPTIONS), "largest miss"]
    text = shown[numbers].map("{:.2f}".format)
    text["rows that agree"] = shown.rows.astype(str)
    return text.assign(**{name: shown[name].map(words) for name, words in tables.items()})


def printed_abstract() -> tuple[float, float, float, float]:
    """Growth in abstract and text, rise of sales in the abstract, sales of Table 7."""
    return (
        paper("gu", "abstract.option4_growth"), paper("gu", "table7.option4_growth"),
        paper("gu", "abstract.option4_sales_growth"), paper("gu", "table7.option4_sales"),
    )  # fmt: skip


def _options(options) -> str:
    options = list(options)
    return f"option{'s' if len(options) > 1 else ''} {listed(options)}"
