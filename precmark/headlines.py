"""The study's findings as sentences with computed numbers, each from the results of one chapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from precmark.ablation.tables import EQUAL_COUPONS, per_thousand
from precmark.churn.quality import judged
from precmark.churn.sentences import listed, signed, versus_boosting
from precmark.churn.verdicts import verdict_of
from precmark.claims import paper
from precmark.runs import Run
from precmark.sales import main_budget

STANDING = {
    "reproduced": "Holds",
    "not reproduced": "Does not hold",
    "internally inconsistent": "Contradicts itself",
    "undecided": "Open",
    "holds if assumed": "Holds in simulation",
    "not testable with public data": "Cannot be tested",
}
"""How a sentence of the page opens, by verdict."""

DEPENDS = "Depends on the world"
"""How a sentence opens on what holds in some worlds and not in others."""

RESPONDERS = {
    "persuadable_risk": "likely leavers",
    "lost_causes": "middling risks",
    "sure_things": "near-buyers",
    "orthogonal": "people of any risk",
}
"""Who responds to coupons in each world."""

METHODS = {
    "random": "a category by lot", "popular": "the most popular category",
    "again": "what the user touched before", "rules": "association rules",
    "same-category": "the category that the user touched most", "content": "content alone",
    "item-item": "item-item alone", "als": "ALS alone", "svd": "SVD alone", "nmf": "NMF alone",
}  # fmt: skip
"""Recommenders beside the hybrid."""

FOUR = ("1", "2", "3", "4")
"""The paper's options."""

VISIBLE = 0.2
"""Points of conversion from which on a comparison reports an effect."""


class Sentence(NamedTuple):
    """One finding.

    Attributes
    ----------
    standing : str
        How it opens: as a rule a value of :data:`STANDING`.
    text : str
        One sentence of Markdown with computed numbers.
    chapter : str
        Where its numbers come from.
    """

    standing: str
    text: str
    chapter: str


def ten(run: Run, claims: pd.DataFrame) -> list[Sentence]:
    """The findings of `run`, the most telling first, at most ten; fewer where chapters lack.

    Parameters
    ----------
    run : Run
    claims : pandas.DataFrame
        See :func:`precmark.audit.scored`.

    Returns
    -------
    list of Sentence
        The last counts the claims, where the run has an audit of them.
    """
    known = {row.id: row for row in claims[claims.verdict != ""].itertuples() if row.id}
    made = [function(run, known) for function in _FINDINGS]
    kept = [sentence for sentence in made if sentence is not None]
    if not run.has("audit/claims"):
        return kept[:10]
    return [*kept[:9], _contradictions(claims)]


def _standing(known: Mapping, id: str, otherwise: str = "undecided") -> str:
    """How a sentence on claim `id` opens: by its verdict where it has one."""
    return STANDING[known[id].verdict if id in known else otherwise]


def _in_no_effect(run: Run, known: Mapping) -> Sentence | None:
    """What the paper's comparison reports where coupons do nothing."""
    if not run.has("ablation/options"):
        return None
    options = main_budget(run.table("ablation/options"))
    rows = options[(options.world == "no_effect") & options.policy.isin(FOUR)]
    gap = 100 * (rows.c1 - rows.c2_all).set_axis(rows.policy).dropna()
    if "4" not in gap.index:
        return None
    told = 100 * (
        paper("gu", "table6.option4_couponed_conversion")
        - paper("gu", "table6.option4_other_conversion")
    )
    wrong = gap.abs().max() >= VISIBLE
    reads = f"from **{gap.min():+.1f} to {gap.max():+.1f} points** for options 1 to 4"
    return Sentence(
        STANDING["not reproduced" if wrong else "reproduced"],
        "In a simulated store where coupons do nothing, the paper's comparison, conversion with a "
        f"coupon less that without, {'still reads' if wrong else 'reads'} {reads} "
        f"({gap['4']:+.1f} for option 4, for which the paper prints {told:+.1f}): it tells "
        + ("whom the coupons reached, not what they did." if wrong else "what they did: nothing."),
        "07_ablation",
    )


def _worlds(primary: pd.DataFrame) -> list[str]:
    """The worlds of `primary` in which somebody responds, in its order."""
    return [w for w in dict.fromkeys(primary.world) if w != "no_effect"]


def _where(primary: pd.DataFrame, comparison: str, favours: str) -> list[str]:
    """The worlds in which `comparison` favours the ``"first"`` or the ``"second"``."""
    rows = primary[(primary.comparison == comparison) & (primary.favours == favours)]
    return [w for w in _worlds(primary) if w in set(rows.world)]


def _by_worlds(better: list, worse: list, worlds: list) -> str:
    """How a sentence on a lead opens: that it is there in all worlds, some, none or unknown."""
    if len(better) == len(worlds):
        return STANDING["reproduced"]
    if better:
        return DEPENDS
    return STANDING["not reproduced" if worse else "undecided"]


def _option_4(run: Run, known: Mapping) -> Sentence | None:
    """In which worlds the paper's complete option earns more than its rivals."""
    if not run.has("ablation/primary"):
        return None
    primary = run.table("ablation/primary")
    worlds = _worlds(primary)
    if not worlds or not {f"4-{rival}" for rival in "123"} <= set(primary.comparison):
        return None
    won, lost = (
        [_where(primary, f"4-{rival}", side) for rival in "123"] for side in ("first", "second")
    )
    better = [w for w in worlds if all(w in found for found in won)]
    worse = [w for w in worlds if any(w in found for found in lost)]
    return Sentence(
        _by_worlds(better, worse, worlds),
        "With as many coupons, the paper's complete option 4 earns more than options 1 (by lot), "
        "2 (no segments) and 3 (no recommendation) alike, by more than chance, in "
        f"**{len(better)} of {len(worlds)} worlds** in which somebody responds"
        f"{_in_brackets(better, worlds)}; {_where_or_nowhere(worse)} it earns less than one of "
        "them.",
        "07_ablation",
    )


def _in_brackets(some: list[str], worlds: list[str]) -> str:
    """Which worlds, where they are neither none nor all."""
    return f" ({_where_or_nowhere(some)})" if 0 < len(some) < len(worlds) else ""


def _where_or_nowhere(worlds: list[str]) -> str:
    """Worlds by who responds in them: "where near-buyers or likely leavers respond"."""
    if not worlds:
        return "in none"
    who = listed(RESPONDERS.get(w, f"those of *{w.replace('_', ' ')}*") for w in worlds)
    return f"where {' or '.join(who.rsplit(' and ', 1))} respond"


def _uplift(run: Run, known: Mapping) -> Sentence | None:
    """Whether targeting by estimated uplift beats targeting by risk."""
    if not run.has("ablation/primary"):
        return None
    primary = run.table("ablation/primary")
    worlds = _worlds(primary)
    if not worlds or "5-4" not in set(primary.comparison):
        return None
    better, worse = (_where(primary, "5-4", side) for side in ("first", "second"))
    text = (
        "Asking who responds instead of who leaves, with a model learnt from coupons given by lot, "
        f"earns more than option 4 in **{len(better)} of {len(worlds)} worlds** with an effect"
        f"{_in_brackets(better, worlds)}, and less {_where_or_nowhere(worse)}"
    )
    paid = _after_paying(run)
    if paid is not None:
        text += (
            "; in expectation, with what those coupons cost or earned counted in, it is ahead in "
            f"{len(paid)}{_in_brackets(paid, worlds)}"
        )
    return Sentence(_by_worlds(better, worse, worlds), f"{text}.", "07_ablation")


def _after_paying(run: Run) -> list[str] | None:
    """Worlds in which option 5 expects more than 4 when it pays for its exploration at once."""
    if not run.has("ablation/options"):
        return None
    options = run.table("ablation/options")
    rows = options[(options.budget == EQUAL_COUPONS) & (options.world != "no_effect")]
    if "exploration_cost_30" not in rows or not rows.exploration_cost_30.any():
        return None
    left = per_thousand(rows, "profit_30") - per_thousand(rows, "exploration_cost_30")
    wide = rows.assign(left=left).pivot(index="world", columns="policy", values="left")
    if not {"4", "5"} <= set(wide.columns):
        return None
    return [w for w in dict.fromkeys(rows.world) if wide.loc[w, "5"] > wide.loc[w, "4"]]


def _needed(run: Run, known: Mapping) -> Sentence | None:
    """What coupons would have to do for the paper's headline conversion."""
    if not run.has("ablation/needed"):
        return None
    needed = run.table("ablation/needed")
    needed = needed[needed.world != "no_effect"]
    if needed.empty:
        return None
    target, without = needed.target.iloc[0], needed.without.iloc[0]
    reached = needed.c1 >= needed.target
    return Sentence(
        _standing(
            known, "gu-option4-conversion-1369",
            "holds if assumed" if reached.any() else "not reproduced",
        ),
        f"For {target:.2%} of option 4's coupon holders to buy, as the paper reports, "
        f"{_enough(needed)}; without a coupon {without:.1%} of those whom it chooses buy.",
        "07_ablation",
    )  # fmt: skip


def _enough(needed: pd.DataFrame) -> str:
    """How strong coupons would have to be."""
    if (needed.needed_tau == 0).all():
        return "coupons **need not do anything** here"
    never = list(needed.world[~needed.reachable])
    times = needed.times[needed.reachable]
    if times.empty:
        return "**no strength** of coupons would be enough in any world"
    least, most = (f"{v:.1f}" if v < 10 else f"{v:,.0f}" for v in (times.min(), times.max()))
    text = (
        f"coupons would have to be **{least if least == most else f'{least} to {most}'} times** as "
        "strong as the only randomised contrast that the paper prints"
    )
    return text + (f", and none would do {_where_or_nowhere(never)}" if never else "")


def _sales(run: Run, known: Mapping) -> Sentence | None:
    """Table 7."""
    if not run.has("sales/readings"):
        return None
    readings = run.table("sales/readings")
    full = int((readings["rows"] == 4).sum())
    text = (
        f"Of {len(readings):,} ways to read the paper's sales estimate **{full or 'none'}** "
        f"give{'' if full > 1 else 's'} all four rows of its Table 7"
    )
    if run.has("sales/truth"):
        truth = main_budget(run.table("sales/truth"))
        none = truth[(truth.world == "no_effect") & (truth.policy == "4")]
        if len(none):
            text += (
                f", and where coupons do nothing the formula would still report "
                f"{none.estimated.iloc[0]:.2f} for option 4, where 100 is no change and "
                f"{none.true.iloc[0]:.2f} is true"
            )
    return Sentence(_standing(known, "gu-table7-sales-follow"), f"{text}.", "08_sales_estimate")


def _recommendation(run: Run, known: Mapping) -> Sentence | None:
    """Whether the recommender finds the category."""
    if not run.has("recommendation/categories"):
        return None
    table = run.table("recommendation/categories").set_index("model")
    others = table.drop(index="hybrid", errors="ignore")
    if len(others) == len(table) or others.empty:
        return None
    mine, best = table.loc["hybrid"], others.loc[others.hit_rate.idxmax()]
    return Sentence(
        _standing(known, "gu-recommendation-finds-category"),
        "The hybrid recommender names the category that is wanted next in "
        f"**{mine.hit_rate:.0%}** of the cases [{mine.low:.0%}, {mine.high:.0%}]; the best of the "
        f"other methods, {METHODS.get(best.name, best.name)}, in {best.hit_rate:.0%} "
        f"[{best.low:.0%}, {best.high:.0%}].",
        "06_recommendation",
    )


def _network(run: Run, known: Mapping) -> Sentence | None:
    """The paper's network against gradient boosting."""
    if not (run.has("churn/differences") and run.has("churn/quality")):
        return None
    against = run.table("churn/differences")
    said = versus_boosting(against)
    if not said:
        return None
    quality = run.table("churn/quality")
    fits = quality.drop_duplicates(["model", "fit"]).groupby("fit").size()
    favours = judged(against).set_index("model").favours["histogram-boosting"]
    verdict = verdict_of(favours, first_claimed=False, simulated=run.source.simulated)
    said = said.removesuffix(".").replace("C-ATT-LSTM", "the paper's network C-ATT-LSTM", 1)
    return Sentence(
        _standing(known, "gu-network-is-the-model-to-use", verdict),
        f"{said[0].upper()}{said[1:]}, in average precision, among **{fits.max()} models** on the "
        "same decisions.",
        "05_baselines",
    )


def _one_model_a_segment(run: Run, known: Mapping) -> Sentence | None:
    """Whether a model of its own for each segment predicts better."""
    if not run.has("churn/differences") or "gu-segment-models-predict-better" not in known:
        return None
    row = known["gu-segment-models-predict-better"]
    return Sentence(
        STANDING[row.verdict],
        "Giving each segment its own network, to which the paper credits part of its lead, changes "
        f"its average precision by **{row.ours.removeprefix('average precision ')}** against one "
        "network for all.",
        "05_baselines",
    )


def _segments(run: Run, known: Mapping) -> Sentence | None:
    """Whether segments of the whole profile tell more of the future than RFM."""
    row = known.get("gu-profile-segments-beat-rfm")
    if row is None:
        return None
    what = "what users do"
    if run.has("segments/future"):
        what = f"who {run.table('segments/future').outcome.iloc[0]}"
    level = {"undecided": "cannot be told from", "not reproduced": "are worse than"}
    return Sentence(
        STANDING[row.verdict],
        f"In telling {what} afterwards, segments of the whole profile "
        f"{level.get(row.verdict, 'are better than')} those of RFM: by "
        f"**{row.ours.removeprefix('area ')}** of area under the ROC curve.",
        "03_segmentation",
    )


def _contradictions(claims: pd.DataFrame) -> Sentence:
    """How many claims the papers' own figures contradict."""
    wrong, fine = (
        int((claims.verdict == verdict).sum())
        for verdict in ("internally inconsistent", "reproduced")
    )
    return Sentence(
        "In all",
        f"Of **{len(claims):,} claims** of {claims.paper.nunique()} papers the papers' own figures "
        f"contradict {wrong:,}, whatever the data; {fine:,} hold.",
        "09_claims_audit",
    )


def _leak(run: Run, known: Mapping) -> Sentence | None:
    """What a random split flatters."""
    if not run.has("churn/leak"):
        return None
    leak = run.table("churn/leak")
    wide = leak[leak.metric == "auroc"].pivot(index="title", columns="split", values="value")
    wide = wide.drop("Constant", errors="ignore")
    if not {"by time", "at random"} <= set(wide.columns) or wide.empty:
        return None
    gain = float((wide["at random"] - wide["by time"]).mean())
    return Sentence(
        "Left unsaid",
        "The paper does not say how it split its data; split at random instead of by time, the "
        f"same models' area under the ROC curve changes by **{signed(gain)}** on average.",
        "05_baselines",
    )


def _from_verdict(id: str, chapter: str) -> Callable:
    """A sentence from the verdict on claim `id`: where the results say no more."""

    def sentence(run: Run, known: Mapping) -> Sentence | None:
        row = known.get(id)
        if row is None:
            return None
        return Sentence(STANDING[row.verdict], f"{row.paper}, {row.place}: {row.why}", chapter)

    return sentence


_FINDINGS = (
    _in_no_effect, _option_4, _uplift, _needed, _sales, _recommendation, _network,
    _one_model_a_segment, _segments, _leak, _from_verdict("liu-table2-mcc", "05_baselines"),
)  # fmt: skip
"""In the order of the page; the last are for runs that lack some of the first. The count of all
claims (:func:`_contradictions`) ends every page."""
