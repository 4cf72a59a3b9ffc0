"""What the ablation's chapter concludes about the paper's claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.ablation import tables
from precmark.ablation.sentences import ASSUMED, named
from precmark.churn.sentences import listed, signed
from precmark.claims import paper

if TYPE_CHECKING:
    from precmark.chapters import Chapter


def judged(primary: pd.DataFrame, comparison: str) -> tuple[str, list[str], str]:
    """Verdict on "the first is better", the worlds where it is, and the figures of all worlds.

    "holds if assumed" where the interval of some world favours the first; "not reproduced" where
    none does and some world with an effect decides against it, or all of them show it too small to
    matter; "undecided" otherwise.
    """
    rows = primary[primary["comparison"] == comparison]
    better = list(rows.loc[rows["favours"] == "first", "world"])
    figures = "; ".join(
        f"{r.world.replace('_', ' ')} {signed(r.difference, 2)} "
        f"[{signed(r.low, 2)}, {signed(r.high, 2)}]"
        for r in rows.itertuples()
    )
    if better:
        return "holds if assumed", better, figures
    # Where coupons do nothing, whatever gives fewer discounts wins: that is no evidence here.
    rows = rows[rows["world"] != "no_effect"]
    against = (rows["favours"] == "second").any() or (rows["matters"] == "smaller").all()
    return ("not reproduced" if against else "undecided"), better, figures


def ablation_verdicts(chapter: Chapter, study, primary: pd.DataFrame | None) -> None:
    """Record what chapter 07 concludes: Tables 5, 6 and the text of section 5.3.

    Parameters
    ----------
    chapter : Chapter
    study : Study or None
        Attributes ``options`` and ``needed``; None where the truth is not known: then nothing can
        be concluded about effects by policy.
    primary : pandas.DataFrame or None
        From :func:`precmark.ablation.primary_comparisons`.
    """
    if study is None or primary is None:
        return
    _effect_claims(chapter, study)
    _best_option(chapter, primary)
    _parts(chapter, primary)
    _cost_and_gain(chapter, study)


def _effect_claims(chapter: Chapter, study) -> None:
    """C-1 above C-2 as an effect, and the printed C-1 of option 4."""
    none = tables.table6(study.options, world="no_effect", budget=tables.PAPER_RATES)
    rows = none.set_index("policy")
    parts = [f"option {k} {r.c1:.1%} against {r.c2_all:.1%}" for k, r in rows.iterrows()]
    chapter.verdict(
        id="gu-c1-above-c2-is-effect",
        claim="Conversion with a coupon above that without shows that coupons work",
        place="Gu, Table 6 and section 5.3",
        paper=listed(f"{r.paper_c1:.2%} against {r.paper_c2:.2%}" for r in rows.itertuples()),
        ours=f"where coupons do nothing: {listed(parts)}", verdict="not reproduced",
        why="The couponed were selected and had got to the k-th click: the difference is there "
        "without any effect, and its sign depends on who is selected.",
    )  # fmt: skip
    needed = study.needed.set_index("world")
    need = needed.loc[ASSUMED]
    reached = needed.index[needed["c1"] >= needed["target"]]
    strong = (
        f"A mean effect of {need.needed_effect:.2f}, {need.times:.0f} times the assumed one, would "
        "be needed"
        if need.reachable
        else "No mean effect would be enough"
    )
    chapter.verdict(
        id="gu-option4-conversion-1369",
        claim="The conversion that the whole system's coupons reach",
        place="Gu, Table 6", paper=f"{need.target:.2%}",
        ours="; ".join(f"{w.replace('_', ' ')} {c:.2%}" for w, c in needed["c1"].items()),
        verdict="holds if assumed" if len(reached) else "not reproduced",
        why=f"{strong} where those about to leave respond; {need.without:.1%} of the targeted buy "
        "without a coupon.",
    )  # fmt: skip


def _best_option(chapter: Chapter, primary: pd.DataFrame) -> None:
    """Option 4 is the best: it has to lead the paper's three others in profit."""
    found = {c: judged(primary, c) for c in ("4-1", "4-2", "4-3")}
    everywhere = set.intersection(*(set(worlds) for _, worlds, _ in found.values()))
    lost = [c for c, (verdict, _, _) in found.items() if verdict == "not reproduced"]
    verdict = "holds if assumed" if everywhere else "not reproduced" if lost else "undecided"
    chapter.verdict(
        id="gu-option4-best", claim="Option 4, the whole system, is the best of the four",
        place="Gu, section 5.3", paper=_conversions(),
        ours="yuan per 1,000 sessions: 4-1 " + found["4-1"][2],
        verdict=verdict,
        why=f"It leads all three others in {named(sorted(everywhere))}."
        if everywhere
        else "In no world do the simultaneous intervals put it above all three others.",
    )  # fmt: skip


def _conversions() -> str:
    printed = tables.printed_table6()
    return listed(f"{r.paper_c1:.2%}" for r in printed.itertuples())


def _parts(chapter: Chapter, primary: pd.DataFrame) -> None:
    """Segments and recommendation, each by the two options that differ in it alone."""
    claims = {
        "gu-segments-help": ("Dividing users into segments raises the gain", "4-2"),
        "gu-recommendation-helps": ("Recommending the coupon's category raises the gain", "4-3"),
    }
    for name, (claim, comparison) in claims.items():
        first, second = comparison.split("-")
        verdict, better, figures = judged(primary, comparison)
        c1 = [paper("gu", f"table6.option{k}_couponed_conversion") for k in (first, second)]
        chapter.verdict(
            id=name, claim=claim, place="Gu, Tables 5 and 6",
            paper=f"C-1 {c1[0]:.2%} against {c1[1]:.2%}",
            ours=f"profit, yuan per 1,000 sessions: {figures}", verdict=verdict,
            why=f"Option {first} less option {second} at equal numbers of coupons, judged with all "
            f"comparisons; better in {named(better) if better else 'no world'}"
            f"{_small(primary, comparison)}.",
        )  # fmt: skip


def _small(primary: pd.DataFrame, comparison: str) -> str:
    """Where every world with an effect shows a difference too small to matter, that it does."""
    rows = primary[(primary["comparison"] == comparison) & (primary["world"] != "no_effect")]
    small = (rows["matters"] == "smaller").all()
    return ", and everywhere within the smallest effect of interest" if small else ""


def _cost_and_gain(chapter: Chapter, study) -> None:
    """More for less: sales that a yuan of discount causes, option 4 against 2 at printed rates."""
    options = tables.chosen(study.options, budget=tables.PAPER_RATES, policies=("2", "4"))
    options = options[options["world"] != "no_effect"]
    ratio = options["order_value"] / options["discount"]
    wide = options.assign(ratio=ratio).pivot(index="world", columns="policy")
    wide = wide.loc[list(tables.WITH_EFFECT)]
    cheaper = wide["discount"]["4"] < wide["discount"]["2"]
    richer = wide["ratio"]["4"] > wide["ratio"]["2"]
    pays = wide["profit_30"]["4"] > 0
    holds = list(wide.index[cheaper & richer & pays])
    figures = "; ".join(
        f"{w.replace('_', ' ')} {r['4']:.2f} and {r['2']:.2f}" for w, r in wide["ratio"].iterrows()
    )
    why = "By true expectation of the policies as trained. Option 4 spends less than option 2 in "
    why += (
        f"{named(wide.index[cheaper]) if cheaper.any() else 'no world'}, sells more for each yuan "
    )
    why += (
        f"in {named(wide.index[richer]) if richer.any() else 'no world'}, and pays for itself at "
    )
    why += (
        f"a margin of 30 % in {named(wide.index[pays]) if pays.any() else 'no world'}; all three "
    )
    why += f"in {named(holds) if holds else 'none'}."
    chapter.verdict(
        id="gu-lower-cost-higher-gain",
        claim="At a lower cost than option 2, option 4 gets more out of each coupon's discount",
        place="Gu, Table 7 and section 5.3",
        paper=f"estimated sales of {paper('gu', 'table7.option4_sales'):.2f} with coupons for "
        f"{paper('gu', 'table7.option4_rate'):.2%} of sessions, against "
        f"{paper('gu', 'table7.option2_sales'):.2f} with {paper('gu', 'table7.option2_rate'):.2%}",
        ours=f"sales caused by a yuan of discount, option 4 and option 2: {figures}",
        verdict="holds if assumed" if holds else "not reproduced", why=why,
    )  # fmt: skip
