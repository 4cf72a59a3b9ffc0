"""What chapter 13 concludes about the claims of the study of company H."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import listed
from precmark.claims import paper
from precmark.statistics.accuracy import Spread, customers_for_range
from precmark.statistics.sentences import interval
from precmark.statistics.study import Worlds

if TYPE_CHECKING:
    from precmark.chapters import Chapter

PLACE = "Company H, "


def statistics_verdicts(
    chapter: Chapter,
    worlds: Worlds,
    spreads: Mapping[str, Spread],
    batches: pd.DataFrame,
) -> None:
    """Record what chapter 13 concludes on display, marketing, accuracy and speed.

    Parameters
    ----------
    chapter : Chapter
    worlds : Worlds
        All three worlds.
    spreads : mapping of words to Spread
        Accuracy at outlets; the simulated ones and the run's own where it has any.
    batches : pandas.DataFrame
        From :func:`precmark.statistics.throughput.by_batch`.
    """
    _display(chapter, worlds)
    _regressions(chapter, worlds)
    _accuracy(chapter, spreads)
    rate = batches.rows_a_second
    chapter.verdict(
        id="company-h-model-meets-needs",
        claim="The model is fast and efficient enough for what is needed",
        place=PLACE + "Figure 6", paper="no value, no unit, no need",
        ours=f"{len(batches)} batches, {rate.median():,.0f} rows a second, "
        f"{batches.efficiency.mean():.1%} of the rows arrive",
        verdict="not testable with public data",
        why="Our pipeline's speed is measured; the paper gives neither its own nor what would be "
        "enough.",
    )  # fmt: skip


def _of(worlds: Worlds, world: str, method: str, term: str):
    rows = worlds.coefficients.set_index(["world", "method", "term"])
    return rows.loc[(world, method, term)]


def _display(chapter: Chapter, worlds: Worlds) -> None:
    """Averages by kind of store as evidence that display sells."""
    stars = worlds.kinds[worlds.kinds.by == "stars"]
    falls = [
        world
        for world, r in stars.groupby("world", sort=False)
        if (r.sort_values("kind").sales.diff().dropna() > 0).all()
        and (r.sort_values("kind").display.diff().dropna() > 0).all()
    ]
    idle = "display_idle" in falls
    chapter.verdict(
        id="company-h-displays-drive-sales",
        claim="The averages by kind of store show that units on display sell",
        place=PLACE + "Tables 2 to 4", paper="averages by type, area and stars",
        ours="display and sales rise together with the stars in "
        f"{len(falls)} of {stars.world.nunique()} simulated worlds, among them "
        f"{'one' if idle else 'none'} where display sells nothing",
        verdict="not reproduced" if idle else "undecided",
        why="The same averages arise where display has no effect, because stores that sell more "
        "are given more to display."
        if idle
        else "The averages differ between worlds with and without an effect.",
    )  # fmt: skip


def _regressions(chapter: Chapter, worlds: Worlds) -> None:
    """Whether the two announced regressions can measure what display and marketing do."""
    rows = worlds.coefficients[worlds.coefficients.term.isin(("display", "marketing"))]
    announced = "announced, no coefficient"
    pooled = _of(worlds, "display_idle", "pooled OLS", "display")
    wrong = not pooled.low <= pooled.truth <= pooled.high
    chapter.verdict(
        id="company-h-ols-measures-effects",
        claim="An OLS regression evaluates what the marketing does to sales",
        place=PLACE + "results, first paragraph", paper=announced,
        ours=f"display, true effect {pooled.truth:.2f}: {interval(pooled)}",
        verdict="not reproduced" if wrong else "undecided",
        why="Pooled OLS finds an effect where there is none: outlets that sell more are given more "
        "to display."
        if wrong
        else "On these draws its interval holds the true effect.",
    )  # fmt: skip
    fixed = rows[(rows.method == "fixed effects") & (rows.world != "display_follows")]
    held = ((fixed.low <= fixed.truth) & (fixed.truth <= fixed.high)).sum()
    misled = _of(worlds, "display_follows", "fixed effects", "display")
    most = held >= len(fixed) - 1  # one interval in twenty misses by chance
    chapter.verdict(
        id="company-h-fixed-effects-measure-effects",
        claim="A fixed-effects regression evaluates what the marketing does to sales",
        place=PLACE + "results, first paragraph", paper=announced,
        ours=f"{held} of {len(fixed)} intervals hold the truth where displays move by chance; "
        f"display that follows demand, true effect {misled.truth:.2f}: {interval(misled)}",
        verdict="holds if assumed" if most else "undecided",
        why="It does if displays and marketing move by chance within an outlet. Where they follow "
        "a demand that the analyst does not see it is wrong, and no test of the panel shows it.",
    )  # fmt: skip


def _accuracy(chapter: Chapter, spreads: Mapping[str, Spread]) -> None:
    """The range of accuracies: as a sign of precision, and as a difference between outlets."""
    low, high = paper("company_h", "accuracy.low"), paper("company_h", "accuracy.high")
    outlets = int(paper("company_h", "accuracy.outlets"))
    n = customers_for_range(low, high, outlets)
    own = [s for name, s in spreads.items() if not name.startswith("simulated outlets")]
    judged = own or list(spreads.values())
    gain = [s.accuracy - s.hindsight for s in judged]
    parts = listed(
        f"{name}: {s.accuracy:.1%}, the better constant answer {s.hindsight:.1%}"
        for name, s in spreads.items()
    )
    idle = all(g < 0.01 for g in gain) and all(s.accuracy >= low for s in judged)
    chapter.verdict(
        id="company-h-accuracy-is-good",
        claim="The printed range of accuracies shows that the marketing is precise",
        place=PLACE + "Figure 5", paper=f"{low:.0%} to {high:.0%}", ours=parts,
        verdict="not reproduced" if idle else "undecided",
        why="An accuracy in or above the printed range is reached here without telling customers "
        "apart: the constant answer does as well to within a point."
        if idle
        else "The accuracy here is above that of the constant answer; what the paper's would be "
        "against is not printed.",
    )  # fmt: skip
    wide = listed(
        f"{name} {s.least:.0%} to {s.most:.0%}, by chance "
        f"{s.chance_least[0]:.0%}-{s.chance_least[1]:.0%} to "
        f"{s.chance_most[0]:.0%}-{s.chance_most[1]:.0%}"
        for name, s in spreads.items()
    )
    chapter.verdict(
        id="company-h-accuracy-range-tells-outlets-apart",
        claim="The range of accuracies shows how outlets differ",
        place=PLACE + "Table 5 and Figure 5", paper=f"{low:.0%} to {high:.0%} over {outlets}",
        ours=wide, verdict="undecided",
        why=f"With about {n:,.0f} customers an outlet, equal outlets would show this range by "
        "chance; the paper does not say how many there were.",
    )  # fmt: skip
