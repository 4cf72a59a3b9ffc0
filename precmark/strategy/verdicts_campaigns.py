"""What chapter 14 concludes about the paper's claims on adverts, promotions and turnover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.strategy.placement_study import FIRST
from precmark.strategy.sentences_campaigns import worlds_text
from precmark.strategy.series_study import WAYS
from precmark.strategy.turnover import homes, printed_rise

if TYPE_CHECKING:
    from precmark.chapters import Chapter

ALPHA = 0.05


def campaign_verdicts(
    chapter: Chapter,
    *,
    later: pd.DataFrame | None = None,
    rules: pd.DataFrame | None = None,
    windows: pd.DataFrame | None = None,
    ways: pd.DataFrame | None = None,
) -> None:
    """Record the verdicts on campaigns that the run's data allow.

    Parameters
    ----------
    chapter : Chapter
    later : pandas.DataFrame, optional
        :func:`precmark.strategy.placement_study.expected` at the later log's rates.
    rules : pandas.DataFrame, optional
        :func:`precmark.strategy.crm_effects.effects`.
    windows : pandas.DataFrame, optional
        :func:`precmark.strategy.turnover.windows`.
    ways : pandas.DataFrame, optional
        :func:`precmark.strategy.series_study.study`.
    """
    if later is not None:
        _adverts(chapter, later)
    if rules is not None:
        _promotions(chapter, rules)
    if windows is not None:
        _turnover(chapter, windows)
    if ways is not None:
        _shown_by_rise(chapter, ways)


def _adverts(chapter: Chapter, later: pd.DataFrame) -> None:
    rows = later[later.plan != FIRST]
    wins = bool((rows.gain_low > 0).all())
    best = later.buyers[later.plan == FIRST].iloc[0]
    others = "; ".join(f"{r.plan} {r.buyers:,.1f}" for r in rows.itertuples())
    chapter.verdict(
        id="you-adverts-save",
        claim="Placing adverts where the buyers read saves cost",
        place="You, section 6.3.2", paper="no budget and no price is printed",
        ours=f"buyers for one budget: linear programme {best:,.1f}; {others}",
        verdict="holds if assumed" if wins else "undecided",
        why="By the later log's rates, at prices that are assumed, and if who is brought by an "
        "advert buys as those who came by themselves."
        if wins
        else "The intervals of the gains on the later log hold none.",
    )  # fmt: skip


def _promotions(chapter: Chapter, rules: pd.DataFrame) -> None:
    whole = rules[rules.rule == "all rules"]
    caused = whole.world[whole.extra > 0]
    paying = whole.world[whole.profit > 0]
    chapter.verdict(
        id="you-promotions-raise-sales",
        claim="Promotions made for each group of customers raise sales",
        place="You, section 5.3", paper="no figure is printed",
        ours="purchases caused by all rules: "
        + "; ".join(f"{r.world.replace('_', ' ')} {r.extra:.1f}" for r in whole.itertuples()),
        verdict="holds if assumed" if len(caused) else "not reproduced",
        why=f"Sales rise in {worlds_text(caused)} because the effects are assumed there; the rules "
        f"pay for their discounts in {worlds_text(paying)}.",
    )  # fmt: skip


def _turnover(chapter: Chapter, windows: pd.DataFrame) -> None:
    rise, table = printed_rise(), homes()
    by_luck = bool((table.p_value >= ALPHA).all())
    share = (windows.rise >= rise.growth).mean() if len(windows) else float("nan")
    common = share > ALPHA
    seen = f"; {share:.0%} of five-month windows without a campaign rise as much" if len(
        windows
    ) else ""  # fmt: skip
    chapter.verdict(
        id="you-turnover-effect",
        claim="Marketing by customer profiles raised the project's turnover",
        place="You, section 6.4 and conclusion",
        paper=f"from {rise.first:g} to {rise.last:g} million, {rise.growth:+.0%} in five months",
        ours=f"{table['first'].min():.1f} to {table['first'].max():.1f} homes against "
        f"{table['last'].min():.1f} to {table['last'].max():.1f}; chance gives as much with a "
        f"probability of {table.p_value.min():.2f} to {table.p_value.max():.2f}{seen}",
        verdict="undecided" if by_luck or common else "not testable with public data",
        why="At the prices that the paper prints the rise is a handful of homes, no comparison "
        "project and no earlier year is shown: an effect and none are both possible.",
    )  # fmt: skip


def _shown_by_rise(chapter: Chapter, ways: pd.DataFrame) -> None:
    none = ways[(ways.planted == ways.planted.min()) & (ways.way == WAYS[0])].iloc[0]
    control = ways[(ways.planted == ways.planted.min()) & (ways.way == WAYS[-1])].iloc[0]
    chapter.verdict(
        id="you-rise-shows-effect",
        claim="Turnover that rises in the months after a strategy begins shows its effect",
        place="You, section 6.4",
        paper=f"{printed_rise().growth:+.0%} from the first month to the last",
        ours=f"with nothing planted, the last month is above the first in {none.says:.0%} of the "
        f"trials; a comparison with a control group says so in {control.says:.0%}",
        verdict="not reproduced" if none.says > ALPHA else "undecided",
        why="A way of judging that finds effects where there are none cannot show one.",
    )  # fmt: skip
