"""What the second half of chapter 11 concludes about the paper's claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import signed
from precmark.churn.verdicts import verdict_of

if TYPE_CHECKING:
    from precmark.chapters import Chapter
    from precmark.interests.coldstart import Newcomers
    from precmark.interests.privacy import Anonymity

HIGH = "high end"
"""The usual group that the claim about valuable customers is tried on."""


def verdicts(
    chapter: Chapter,
    *,
    groups: pd.DataFrame | None,
    feedback: pd.DataFrame,
    newcomers: Newcomers | None,
    fresh: pd.DataFrame,
    pushed: pd.DataFrame,
    anonymity: Anonymity | None,
) -> None:
    """Record what chapter 11 concludes of groups, sinking offers, cold start, neutrality, privacy.

    Parameters
    ----------
    chapter : Chapter
    groups : pandas.DataFrame, optional
        See :func:`precmark.interests.groups.outcomes`.
    feedback : pandas.DataFrame
        See :func:`precmark.interests.feedback.compared`.
    newcomers : Newcomers, optional
    fresh : pandas.DataFrame
        See :func:`precmark.interests.coldstart.new_products`; may be empty.
    pushed : pandas.DataFrame
        See :func:`precmark.interests.neutrality.pushed`.
    anonymity : Anonymity, optional
    """
    simulated = chapter.run.source.simulated
    if groups is not None and (groups.group == HIGH).any():
        _valuable(chapter, groups.set_index("group").loc[HIGH], simulated)
    _sinking(chapter, feedback[feedback.measure == "found"].set_index("policy"))
    kinds = feedback[feedback.measure == "kinds"]
    if len(kinds):
        _narrowing(chapter, kinds.set_index("policy"))
    if newcomers is not None:
        _newcomers(chapter, newcomers, simulated)
    if len(fresh):
        _new_products(chapter, fresh, simulated)
    _neutral(chapter, pushed)
    if anonymity is not None:
        _private(chapter, anonymity)


def _valuable(chapter: Chapter, row: pd.Series, simulated: bool) -> None:
    chapter.verdict(
        id="li-customer-groups",
        claim="Customers can be selected from many sides so that the valuable ones are found",
        place="Li, section 3.1", paper="claimed, no figure",
        ours=f"bought later: {row.rate:.1%} of the selected, {row.others:.1%} of all others",
        verdict=verdict_of(row.favours, first_claimed=True, simulated=simulated),
        why=f"{row.customers:,} customers by {row.expression}, selected on what was known then; "
        f"the difference is {100 * row.difference:+.1f} points "
        f"[{100 * row.difference_low:+.1f}, {100 * row.difference_high:+.1f}].",
    )  # fmt: skip


def _sinking(chapter: Chapter, rows: pd.DataFrame) -> None:
    plain = [p for p in rows.index if p.startswith("sinks") and "by lot" not in p and "," not in p]
    hasty, patient = rows.loc[plain[0]], rows.loc[plain[-1]]
    chapter.verdict(
        id="li-unclicked-sink",
        claim="Users are served better when products that were not clicked many times make room",
        place="Li, section 5", paper="claimed, no figure",
        ours=f"wanted products found, {plain[-1]} pages: {patient.value:.1%}, "
        f"{100 * patient.difference:+.1f} points "
        f"[{100 * patient.difference_low:+.1f}, {100 * patient.difference_high:+.1f}]",
        verdict=verdict_of(patient.favours, first_claimed=True, simulated=True),
        why="Clicks are simulated on the test part; no log says what would have been clicked on "
        "another page."
        + (f" Impatience loses: {plain[0]} page, {100 * hasty.difference:+.1f} points."
           if hasty.favours == "second" else ""),
    )  # fmt: skip


def _narrowing(chapter: Chapter, rows: pd.DataFrame) -> None:
    """Narrowing has to be there, and sinking has to undo it."""
    learns = rows.loc[f"{rows.index[0]}, learns"]
    both = rows.loc[next(p for p in rows.index if p.startswith("sinks") and p.endswith("learns"))]
    narrowed = learns.favours == "second"
    undone = both.low > learns.high
    verdict = "holds if assumed" if narrowed and undone else "undecided"
    if not narrowed and learns.favours == "first":
        verdict = "not reproduced"
    chapter.verdict(
        id="li-ask-satisfaction",
        claim="Reordering goods that nobody clicks keeps personalisation from narrowing tastes",
        place="Li, section 5", paper="claimed, no figure",
        ours=f"kinds on a page: {rows.value.iloc[0]:.2f} where nothing is learnt, "
        f"{learns.value:.2f} with learning, {both.value:.2f} with learning and sinking",
        verdict=verdict,
        why="What is shown can be counted under simulated clicks; what it does to tastes, and "
        "asking users, would need an experiment.",
    )  # fmt: skip


def _newcomers(chapter: Chapter, found: Newcomers, simulated: bool) -> None:
    value, low, high = found.gap
    known = found.known.set_index("who").value
    favours = "first" if low > 0 else "second" if high < 0 else "neither"
    chapter.verdict(
        id="li-cold-start-users",
        claim="New users, of whom nothing is known, are served worse at first",
        place="Li, section 5", paper="claimed, no figure",
        ours=f"nDCG on arrival: known {known['known before']:.3f}, new {known['new']:.3f}",
        verdict=verdict_of(favours, first_claimed=True, simulated=simulated),
        why=f"Known less new: {signed(value)} [{signed(low)}, {signed(high)}], on arrival, "
        "different people in either group.",
    )  # fmt: skip


def _new_products(chapter: Chapter, table: pd.DataFrame, simulated: bool) -> None:
    rows = table[table.kept == 0].set_index("list")
    alone, content = rows.loc["item-item"], rows.loc["content"]
    favours = "first" if alone.ratio_high < 1 else "second" if alone.ratio_low > 1 else "neither"
    chapter.verdict(
        id="li-cold-start-products",
        claim="New products have difficulty gaining exposure",
        place="Li, section 5", paper="claimed, no figure",
        ours=f"shown / wanted: histories alone {alone.ratio:.2f}, content {content.ratio:.2f}, "
        f"hybrid {rows.ratio['hybrid']:.2f}",
        verdict=verdict_of(favours, first_claimed=True, simulated=simulated),
        why=f"A tenth of the products was made new, {alone.wanted:.0%} of what was wanted; lists "
        "from histories cannot show them, lists that read their content can.",
    )  # fmt: skip


def _neutral(chapter: Chapter, table: pd.DataFrame) -> None:
    """Deals and forged orders: both have to push the group in the hybrid or in some list."""
    deal = table[(table.scenario == "deal") & (table.model == "hybrid")].iloc[0]
    forged = table[table.scenario.isin(["orders", "bandwagon"])]
    yields = forged[forged.favours == "first"].model.unique()
    worst = forged.loc[forged.change.idxmax()]
    both = deal.favours == "first" and len(yields) > 0
    chapter.verdict(
        id="li-neutral-push",
        claim="Deals with brands and forged data make a system push some brands unfairly",
        place="Li, section 5", paper="claimed, no figure",
        ours=f"exposure: a deal {deal.change:+.0%}; forged orders at most {worst.change:+.0%} "
        f"({worst.model} list)",
        verdict="holds if assumed" if both else "undecided",
        why=f"Deals and forgeries are made up here; forged orders moved {len(yields)} of "
        f"{forged.model.nunique()} lists. Bounding exposure by what was wanted before undoes both.",
    )  # fmt: skip


def _private(chapter: Chapter, found: Anonymity) -> None:
    alone = found.below[2]
    verdict = "reproduced" if alone > 0.5 else "undecided" if alone > 0.05 else "not reproduced"
    if chapter.run.source.simulated and verdict == "reproduced":
        verdict = "holds if assumed"
    chapter.verdict(
        id="li-profiles-expose",
        claim="The personal data in profiles can expose the people behind them",
        place="Li, section 5", paper="claimed, no figure",
        ours=f"{alone:.1%} of {found.rows:,} customers are alone with {len(found.columns)} facts",
        verdict=verdict,
        why="Ids are hashed and names gone; who knows these facts of a person finds the one row. "
        "Reproduced where more than half are alone, not where fewer than a twentieth are.",
    )  # fmt: skip
