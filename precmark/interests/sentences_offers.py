"""What the second half of chapter 11 says about its figures, from the numbers drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.churn.sentences import gap, listed, signed
from precmark.plots.interests_offers import SCENARIOS

if TYPE_CHECKING:
    from precmark.interests.coldstart import Newcomers
    from precmark.interests.feedback import ClickModel
    from precmark.interests.groups import Later
    from precmark.interests.neutrality import Marketplace
    from precmark.interests.privacy import Anonymity
    from precmark.interests.selection import Group

LEAST_CHANGE = 0.005
"""Share of exposure that is worth a word."""


def on_later(after: Later) -> str:
    """Which day the groups are selected on, and how many bought afterwards."""
    return (
        f"Groups are selected on the profiles as of {after.as_of}: **{len(after.profile):,}** "
        f"customers, of whom {after.bought.mean():.1%} bought something in the {after.days} days "
        "that followed. Nothing from that day on is in the profile."
    )


def on_notes(groups: Mapping[str, Group]) -> str:
    """What the expressions ask for and nobody has, and who is unknown."""
    unknown = [f"{name}: {g.unknown:,}" for name, g in groups.items() if g.unknown]
    notes = [f"{name}: {note}" for name, g in groups.items() for note in g.notes]
    empty = [name for name, g in groups.items() if not len(g)]
    text = ""
    if unknown:
        text += (
            f"Left out because a value is missing, neither in nor out: {listed(unknown)} customers."
        )
    if notes:
        text += f" Nobody has what is asked for: {'; '.join(notes)}."
    if empty:
        text += f" Nobody is in {listed(empty)}."
    return text.strip()


def on_groups(table: pd.DataFrame) -> str:
    """Which groups bought more or less than everybody else."""
    kept = table[table.customers > 0]
    said = {
        favours: [f"*{r.group}* ({_rate(r)})" for r in rows.itertuples()]
        for favours, rows in kept.groupby("favours")
    }
    text = []
    if "first" in said:
        text.append(f"More of these bought later than of all others: {listed(said['first'])}")
    if "second" in said:
        text.append(f"fewer of these did: {listed(said['second'])}")
    if "neither" in said:
        text.append(f"the data show no difference for {listed(said['neither'])}")
    best = kept.sort_values("share_of_sales", ascending=False).head(1)
    end = ""
    if len(best) and best.share_of_sales.notna().all():
        r = best.iloc[0]
        end = (
            f" The group that brought most is *{r.group}*: {r.share:.1%} of the customers and "
            f"{r.share_of_sales:.0%} of the later sales."
        )
    return sentence("; ".join(text)) + end if text else "No group has anybody in it."


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def _rate(row) -> str:
    return f"{row.rate:.1%} [{row.low:.1%}, {row.high:.1%}] against {row.others:.1%}"


def on_clicks(clicks: ClickModel, users: int) -> str:
    """What is assumed of the simulated users."""
    return (
        f"**Assumed:** {users:,} users of the test part look at a place at rank r with chance "
        f"r to the power of -{clicks.fading:g}, and click what they look at with chance "
        f"{clicks.wanted:g} if they went on to want it, {clicks.alike:g} if it is of a kind that "
        f"they went on to want, {clicks.other:g} otherwise. A product that was clicked leaves the "
        "page, whatever the shop does."
    )


def on_feedback(table: pd.DataFrame) -> str:
    """Whether offers that sink help to find what is wanted, and against sinking by lot."""
    rows = table[table.measure == "found"].set_index("policy")
    first = rows.index[0]
    tried = [p for p in rows.index if p.startswith("sinks") and "by lot" not in p and "," not in p]
    text = (
        f"After the last page users have found {rows.value[first]:.1%} of what they want where "
        f"{first}. "
    )
    parts = [
        f"{pages_of(name)} {rows.value[name]:.1%} ({_points(rows.loc[name])} points)"
        for name in tried
    ]
    text += f"Where an offer sinks that nobody clicked, they have found, after {listed(parts)}. "
    best = rows.loc[tried].value.idxmax()
    worst = rows.loc[tried[0]]
    if worst.favours == "second":
        text += (
            "To sink after one page throws away good offers that were not looked at: a place far "
            "down is rarely seen, and no click there says little. "
        )
    said = {
        "first": f"The best of them ({pages_of(best)}) finds more than a page that stays.",
        "second": "Every n tried finds less than a page that stays.",
        "neither": f"The best of them ({pages_of(best)}) cannot be told from a page that stays.",
    }
    return text + said[rows.favours[best]]


def pages_of(policy: str) -> str:
    """``"sinks after 2"`` as "2 pages"."""
    count = policy.removeprefix("sinks after ")
    return f"{count} page" + ("s" if count != "1" else "")


def on_lot(table: pd.DataFrame) -> str:
    """Sinking what nobody clicks, beside sinking as many by lot.

    `table` is that of :func:`precmark.interests.feedback.by_lot`.
    """
    if table.empty:
        return ""
    lot, same = (row for _, row in table[table.measure == "found"].iterrows())
    text = (
        f"As many offers sunk by lot find {lot.value:.1%}, those that nobody clicked "
        f"{same.value:.1%} ({_points(same)} points). "
    )
    return (
        text
        + {
            "first": "Which offers leave the page matters: a missing click says something.",
            "second": "Lots do better: a missing click here says less than chance.",
            "neither": "So it is the change of page that counts, as far as the data show, and not "
            "which offers leave it.",
        }[same.favours]
    )


def on_narrowing(table: pd.DataFrame) -> str:
    """What learning from clicks does to the variety of pages, and sinking after it."""
    rows = table[table.measure == "kinds"]
    if rows.empty:
        return "This source knows no kinds of products, so nothing can be said of variety."
    rows = rows.set_index("policy")
    first = rows.index[0]
    learns = rows.loc[f"{first}, learns"]
    both = rows.loc[[p for p in rows.index if p.endswith("learns") and p != f"{first}, learns"]]
    text = (
        f"Over the later pages, a page that stays holds {rows.value[first]:.2f} kinds. One that "
        f"learns from its own clicks holds {learns.value:.2f} ({_change(learns)}): "
    )
    text += {
        "second": "it narrows, as the paper fears. ",
        "first": "it does not narrow here. ",
        "neither": "no narrowing that the data can show. ",
    }[learns.favours]
    if len(both):
        r = both.iloc[0]
        text += f"Where it learns and unclicked offers sink, {r.value:.2f} ({_change(r)})."
    return text


def _points(row) -> str:
    """A difference of shares with its interval, in points."""
    return (
        f"{signed(100 * row.difference, 1)} "
        f"[{signed(100 * row.difference_low, 1)}, {signed(100 * row.difference_high, 1)}]"
    )


def _change(row, digits: int = 2) -> str:
    return (
        f"{signed(row.difference, digits)} "
        f"[{signed(row.difference_low, digits)}, {signed(row.difference_high, digits)}]"
    )


def on_newcomers(found: Newcomers) -> str:
    """How newcomers fare beside users known before, and what helps them."""
    known, new = (found.known.set_index("who").loc[w] for w in ("known before", "new"))
    value, low, high = found.gap
    verb = "better" if low > 0 else "worse" if high < 0 else "no differently, as far as data show"
    text = (
        f"On arrival, users known before get lists of nDCG {known.value:.3f} "
        f"({known.occasions:,.0f} occasions), newcomers {new.value:.3f} ({new.occasions:,.0f}): "
        f"known users are served {verb} ({signed(value)} [{signed(low)}, {signed(high)}]). "
    )
    rows = found.lists.set_index("name")
    like = "what people like them want"
    if like in rows.index:
        said = {
            "first": "helps",
            "second": "makes it worse",
            "neither": "makes no difference that the data can show",
        }[rows.favours[like]]
        text += (
            f"Knowing {listed(plain(a) for a in found.attributes)} {said} "
            f"({_change(rows.loc[like], 3)}). "
        )
    click = "the hybrid, one click later"
    if click in rows.index:
        text += (
            f"One click is worth {_change(rows.loc[click], 3)}: to ask with a first page is the "
            "cheaper cure."
            if rows.favours[click] == "first"
            else f"One click brings {_change(rows.loc[click], 3)}."
        )
    return text.strip()


def plain(name: str) -> str:
    """A column's name in words."""
    return name.replace("_", " ")


def on_new_products(table: pd.DataFrame) -> str:
    """How often new products are shown for what they are wanted."""
    rows = {(r.list, r.kept): r for r in table.itertuples()}
    alone, content = rows["item-item", 0], rows["content", 0]
    hybrid = rows["hybrid", 0]
    text = (
        f"{alone.wanted:.0%} of what users went on to want are products made new. Lists from "
        f"histories alone give them {alone.exposure:.1%} of the exposure, the popular list "
        f"{rows['popular', 0].exposure:.1%}. Content gives {content.exposure:.1%}"
        f"{_held(content)} and reaches {content.reached:.0%} of them, the hybrid "
        f"{hybrid.exposure:.1%}{_held(hybrid)}. "
    )
    kept = [r for r in table.itertuples() if r.list == "item-item" and r.kept]
    for r in kept[:1]:
        cost = {
            "second": "costs quality",
            "first": "even gains quality",
            "neither": "costs nothing that the data can show",
        }[r.favours]
        text += (
            f"The last of ten places, kept for them, gives {r.exposure:.1%} and {cost} (nDCG of "
            f"the item-item list {gap(r)})."
        )
    return text


def _held(row) -> str:
    if row.ratio_high < 1:
        return ", less than is wanted"
    return ", more than is wanted" if row.ratio_low > 1 else ", about what is wanted"


def on_exposure(table: pd.DataFrame, by: str) -> str:
    """Which groups get more or less than their share."""
    pushed = table[table.says == "pushed"].sort_values("ratio", ascending=False)
    held = table[table.says == "held back"].sort_values("ratio")
    if pushed.empty and held.empty:
        return (
            f"By {by}, every group's exposure is within what chance allows of its share of what "
            f"was wanted; the ratios lie between {table.ratio.min():.2f} and "
            f"{table.ratio.max():.2f}."
        )
    text = []
    for rows, word in ((pushed, "more"), (held, "less")):
        if len(rows):
            most = rows.iloc[0]
            text.append(
                f"{len(rows)} of {len(table)} groups get {word} than their share, *{most.group}* "
                f"{most.ratio:.2f} times it [{most.low:.2f}, {most.high:.2f}]"
            )
    chance = 0.05 * len(table)
    few = len(pushed) + len(held) <= 2 * chance
    return f"By {by}, {'; '.join(text)}. " + (
        f"Of {len(table)} intervals about {chance:.0f} would miss 1 by chance alone, so this says "
        "little."
        if few
        else "Nobody was paid: lists that learn from what was touched do this by themselves."
    )


def on_bounds(tables: Mapping[str, pd.DataFrame]) -> str:
    """What each bound costs."""
    texts = []
    for by, table in tables.items():
        free = table[np.isinf(table.bound)].iloc[0]
        rows = table[~np.isinf(table.bound)].sort_values("bound", ascending=False)
        costs = rows[rows.favours == "second"]
        text = f"By {by}, the most favoured group has {free.most_shown:.2f} times its share. "
        loose = rows[rows.favours != "second"]
        if len(loose):
            text += f"A bound of {loose.bound.min():g} costs no nDCG that the data can show. "
        if len(costs):
            worst = costs.iloc[-1]
            text += (
                f"A bound of {worst.bound:g} changes nDCG by {_change(worst, 3)}, from "
                f"{free.nDCG:.3f} to {worst.nDCG:.3f}."
            )
        texts.append(text)
    return " ".join(texts)


def on_attacks(table: pd.DataFrame, by: str) -> str:
    """What forged orders and a deal do to one group's exposure, and what the bound leaves."""
    group, wanted = table.group.iloc[0], table.wanted.iloc[0]
    deal = table[table.scenario == "deal"].set_index("model")
    clean = table[table.scenario == "clean"].set_index("model")
    forged = table[table.scenario.isin(["orders", "bandwagon"])]
    text = (
        f"Favoured is {by} *{group}*, wanted in {wanted:.0%} of the cases before. A deal lifts it "
        f"in the hybrid from {clean.exposure['hybrid']:.0%} of all exposure to "
        f"{deal.exposure['hybrid']:.0%}. "
    )
    for name, rows in forged.groupby("model", sort=False):
        best = rows.loc[rows.change.idxmax()]
        how = f"{SCENARIOS[best.scenario].replace(chr(10), ' ')} ({best.forged:.0%})"
        if best.favours == "first" and best.change >= LEAST_CHANGE:
            text += f"The {name} list gives it {best.change:+.1%} after {how}. "
        else:
            text += f"The {name} list hardly yields to any forgery tried. "
    left = table.bounded.max()
    return text + (
        f"With the bound it gets at most {left:.0%} in any list and under any attack, since the "
        "shop bounds by what was wanted before."
    )


def answer(
    groups: pd.DataFrame | None,
    feedback: pd.DataFrame,
    market: Marketplace,
    bounds: Mapping[str, pd.DataFrame],
    found: Anonymity | None,
) -> str:
    """What the second half answers, in a few sentences."""
    by = market.groups.by
    table = bounds[by].sort_values("bound")
    free = table.iloc[-1]
    kept = table[(table.favours != "second") & ~np.isinf(table.bound)]
    text = f"By {by}, lists show the most favoured group {free.most_shown:.2f} times its share; "
    text += (
        f"bounding that to {kept.bound.min():g} costs nothing that the data can show. "
        if len(kept)
        else "every bound tried costs quality. "
    )
    rows = feedback[feedback.measure == "found"].set_index("policy")
    tried = [p for p in rows.index if p.startswith("sinks") and "by lot" not in p and "," not in p]
    best = rows.loc[tried].value.idxmax()
    said = {
        "first": "helps simulated users find what they want",
        "second": "hides what simulated users want",
        "neither": "neither helps nor harms simulated users",
    }
    text += (
        f"Letting unclicked offers sink (at best after {pages_of(best)}) "
        f"{said[rows.favours[best]]}. "
    )
    if found is not None:
        text += (
            f"Without any name, {found.below[2]:.1%} of the customers are alone with "
            f"{len(found.columns)} facts of their profile."
        )
    if groups is not None:
        better = groups[groups.favours == "first"].group
        if len(better):
            text += f" Of the groups selected, {listed(better)} bought more than others later."
    return text.strip()
