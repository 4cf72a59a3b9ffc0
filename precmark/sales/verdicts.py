"""What chapter 08 concludes about the paper's claims on sales."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import listed, signed
from precmark.sales.readings import GROWTHS, OPTIONS, above_free, growth_readings
from precmark.sales.sentences import printed_abstract, world_name
from precmark.sales.truth import main_budget

if TYPE_CHECKING:
    from precmark.chapters import Chapter


def sales_verdicts(
    chapter: Chapter,
    rows: pd.DataFrame,
    order: pd.DataFrame,
    uncertain: pd.DataFrame,
    best: pd.DataFrame | None,
) -> None:
    """Record the chapter's verdicts.

    Parameters
    ----------
    chapter : Chapter
    rows, order, uncertain
        :func:`precmark.sales.row_by_row`, :func:`precmark.sales.ranked` and
        :func:`precmark.sales.compare` of the paper's counts.
    best : pandas.DataFrame or None
        :func:`precmark.sales.returns`, where the run has an ablation.
    """
    _sales_follow(chapter, rows, order)
    meanings = growth_readings()
    nearest = meanings.iloc[0]
    full = meanings.index[meanings.rows == len(rows)]
    chapter.verdict(
        id="gu-table7-growth-from-table6",
        claim="The growth of the conversion in Table 7 follows from Table 6",
        place="Gu, Tables 6 and 7",
        paper=listed(f"{v:.2%}" for v in rows["growth printed"]),
        ours=listed(f"{v:.2%}" for v in rows["growth from C-2"]),
        verdict="reproduced" if len(full) else "internally inconsistent",
        why=f"It is {GROWTHS[full[0]]}."
        if len(full)
        else f"Of {len(meanings)} conversions to grow from the best gives {nearest.rows:.0f} of "
        f"{len(rows)} rows, and C-2 gives {meanings.rows['C-2']}; the printed growth needs "
        f"{listed(f'{v:.2%}' for v in rows['base implied'])} in the place of C-2.",
    )
    _abstract(chapter)
    _best_return(chapter, uncertain, best)


def _sales_follow(chapter: Chapter, rows: pd.DataFrame, order: pd.DataFrame) -> None:
    nearest, full = order.iloc[0], int((order.rows == len(OPTIONS)).sum())
    above = above_free()
    chapter.verdict(
        id="gu-table7-sales-follow",
        claim="The estimated sales of Table 7 follow from distribution rate, growth and discount",
        place="Gu, Table 7",
        paper=listed(f"{v:.2f}" for v in rows["sales printed"]),
        ours=listed(f"{nearest[f'option {o}']:.2f}" for o in OPTIONS) + " at the nearest",
        verdict="reproduced" if full else "internally inconsistent",
        why=f"{full} of {len(order)} readings give all four rows; the nearest is off by up to "
        f"{nearest['largest miss']:.2f}, and {len(above)} rows are above what rate and growth give "
        "without any discount.",
    )


def _abstract(chapter: Chapter) -> None:
    abstract, text, rise, sales = printed_abstract()
    same = round(abstract, 4) == round(text, 4) and round(100 + 100 * rise, 2) == round(sales, 2)
    chapter.verdict(
        id="gu-abstract-growth",
        claim="The abstract gives option 4's growth and sales as the text does",
        place="Gu, abstract and Table 7",
        paper=f"{abstract:.2%} and {rise:+.2%} (abstract)",
        ours=f"{text:.2%} and {sales / 100 - 1:+.2%} (Table 7)",
        verdict="reproduced" if same else "internally inconsistent",
        why="One growth and one rise of sales stand in two places with two values each."
        if not same
        else "Both places agree.",
    )


def _best_return(chapter: Chapter, uncertain: pd.DataFrame, best: pd.DataFrame | None) -> None:
    back = uncertain[uncertain.quantity == "return_on_discount"].set_index("campaign")
    claim = {
        "id": "gu-option4-best-return",
        "claim": "Option 4 has the best ratio of what comes back to what is put in",
        "place": "Gu, abstract and section 5.3",
        "paper": "claimed, no figure",
    }
    found = None if best is None else main_budget(best[best.world != "no_effect"])
    if (found is None or found.empty) and back.empty:
        chapter.verdict(
            **claim, ours="none without a discount", verdict="undecided",
            why="At a discount of 0 nothing is put in.",
        )  # fmt: skip
        return
    if found is None or found.empty:
        leads = back.best["4"] > 0.975
        chapter.verdict(
            **claim,
            ours=f"{signed(back.value['4'], 2)} for each unit of discount by the formula",
            verdict="holds if assumed" if leads else "undecided",
            why=f"By the formula option 4 leads in {back.best['4']:.0%} of the draws, if the "
            "growth is taken for the coupons' doing; the holders were chosen, so it need not be.",
        )
        return
    wins = found[found.best == "4"]
    named = listed(world_name(w) for w in wins.world) if len(wins) else "none"
    chapter.verdict(
        **claim,
        ours=f"best in {len(wins)} of {len(found)} worlds with an effect",
        verdict="holds if assumed" if len(wins) else "not reproduced",
        why=f"True profit at a margin of 30 % for each yuan of discount, options 1 to 4, "
        f"{found.budget.iloc[0]}; option 4 leads in: {named}.",
    )
