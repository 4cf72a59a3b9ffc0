"""What the strategy chapter says about sources, customers and lists, from the numbers drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.claims import paper
from precmark.strategy.people import FIELDS
from precmark.strategy.predictions import TASKS

if TYPE_CHECKING:
    from precmark.strategy.hidden import Search
    from precmark.strategy.linked import Matching, Merged
    from precmark.strategy.predictions import Predicted
    from precmark.strategy.recommenders import Compared
    from precmark.strategy.sources import Sheets
    from precmark.strategy.stages import Portraits


def on_sheets(sheets: Sheets, users: int, *, with_views: bool) -> str:
    """What the three sheets hold, and what in them is the log's own."""
    people = len(sheets.people)
    drawn = f" ({people:,} of its {users:,}, drawn)" if people < users else ""
    account = (
        "" if with_views else (" This source has no page views, so who has a web account is drawn.")
    )
    return (
        f"The sheets hold **{len(sheets.records):,}** rows about **{people:,}** users of this "
        f"log{drawn}. Visits, orders and money are the log's own; names, addresses, numbers and "
        f"the calls are made up, as are the mistakes.{account}"
    )


def on_outliers(table: pd.DataFrame) -> str:
    """Which rule for outliers finds the misplaced amounts."""
    slips = int(table.slips.iloc[0])
    if not slips:
        return "No amount was misplaced, so the rules cannot be told apart here."
    said = [
        f"*{r.title}* flags {r.flagged:,}, finds {r.found} of {slips} misplaced amounts"
        + (f", and is right in {r.precision:.0%} [{r.precision_low:.0%}, {r.precision_high:.0%}]"
           if r.flagged else "")
        for r in table.itertuples()
    ]  # fmt: skip
    logs = table.set_index("rule").loc["mad log"]
    end = (
        "On logarithms the misplaced ones lie apart from all others."
        if logs.recall > 0.9 and logs.precision > 0.9
        else "No rule that sees the amounts alone does both: some customers really spend a hundred "
        "times what others do, and a small amount times a hundred looks like a large one."
    )
    return "; ".join(said) + f". {end}"


def on_matching(table: pd.DataFrame, found: Matching) -> str:
    """What each way to match gets right."""
    wide = table.pivot(index="way", columns="metric", values="value")
    rows = table.drop_duplicates("way").set_index("way")
    weights, keys, name = (rows.loc[w] for w in ("weights", "any key", "name"))
    share = weights["right pairs"] / max(weights.pairs, 1)
    wrong = weights["wrong pairs"] / max(weights["right pairs"] + weights["wrong pairs"], 1)
    return (
        f"Of {weights.pairs:,.0f} pairs of rows that are one person, the weights of all fields "
        f"join **{share:.0%}**; of the pairs they join, {wrong:.1%} are two people. An equal "
        f"e-mail or phone joins {keys['right pairs'] / max(keys.pairs, 1):.0%}, with "
        f"{keys['wrong pairs']:,.0f} wrong pairs, for households share a phone and chains of "
        f"equal values join strangers; the name alone makes {name['wrong pairs']:,.0f}. Mean "
        f"recall over rows is {wide.recall['weights']:.3f} against {wide.recall['any key']:.3f}. "
        f"{int((found.posterior >= 0.5).sum()):,} of {len(found.pairs):,} pairs compared were "
        "joined."
    )


def on_thresholds(table: pd.DataFrame, link: float) -> str:
    """What moving the threshold buys, and what no threshold can."""
    at = table.set_index("threshold")
    strict = at.loc[0.99]
    used = at.loc[link]
    return (
        f"From a posterior of {link:g} on, {used.precision:.1%} of the joined pairs are right and "
        f"{used.recall:.0%} of all are joined directly; asking for 0.99 gives "
        f"{strict.precision:.1%} and {strict.recall:.0%}. Beyond {used.ceiling:.0%} no threshold "
        f"goes: {1 - used.ceiling:.0%} of the pairs share no value that a block could "
        "hold them by, since their rows fill in different fields."
    )


def on_conflicts(merged: Merged, rules: pd.DataFrame) -> str:
    """Where the sheets disagree, and which rule keeps the right value."""
    table = merged.conflicts
    worst = table.loc[table.share.idxmax()]
    text = (
        f"The merge leaves **{len(merged.customers):,}** customers. Of those with two rows or more "
        f"that fill in a field, {table.conflicts.sum() / max(table.several.sum(), 1):.1%} are in "
        f"conflict, most about the {worst.field.replace('_', ' ')} ({worst.share:.1%} of "
        f"{worst.several:,}). "
    )
    whole = rules[rules.field == "all fields"].sort_values("value", ascending=False)
    if whole.empty:
        return text + "There is no conflict to judge the rules by."
    said = [f"{r.title} {r.value:.0%} [{r.low:.0%}, {r.high:.0%}]" for r in whole.itertuples()]
    apart = whole.low.iloc[0] > whole.high.iloc[-1]
    return text + (
        f"Where rows of one person disagree the rules keep the right value in: {listed(said)}. "
        + ("" if apart else "These intervals overlap: two rows against each other leave little to "
           "decide by, whatever the rule. ")
        + "A conflict is better shown than hidden."
    )  # fmt: skip


def on_coverage(merged: Merged) -> str:
    """What the merge adds to what each sheet knows."""
    sheets = merged.customers.sheets
    several = (sheets > 1).mean()
    known = merged.customers[list(FIELDS)].notna().sum(axis=1)
    alone, joined = (known[sheets == 1].mean(), known[sheets > 1].mean())
    return (
        f"{several:.0%} of the customers stand in more than one sheet; of them {joined:.1f} of "
        f"the {len(FIELDS)} fields are known, of those in one sheet {alone:.1f}. A set that is "
        "complete in every field does not come of putting sheets together: nobody has asked most "
        "customers for what is missing."
    )


def on_stages(found: Portraits, table: pd.DataFrame, verb: str) -> str:
    """How well the stages of a day tell what came after it."""
    rows = table.set_index("group")
    parts = [f"{r.rate:.0%} of the {g} ({r.customers:,.0f})" for g, r in rows.iterrows()]
    text = f"In the {found.days} days after, {listed(parts)} {verb}. "
    if {"declining", "active"} <= set(rows.index):
        a, d = rows.loc["active"], rows.loc["declining"]
        text += (
            "The declining do so less often than the active, and the intervals leave no doubt. "
            if d.high < a.low else
            "The data cannot tell the declining from the active. "
        )  # fmt: skip
    if {"lapsed", "declining"} <= set(rows.index):
        share = rows.share["lapsed"]
        text += (
            f"{share:.0%} of all customers are beyond the paper's last stage: they had not been "
            "seen for three months, and an offer against leaving comes too late for most."
        )
    return text


def on_personas(found: Portraits, table: pd.DataFrame, verb: str) -> str:
    """The clusters' rates of what came after, highest and lowest."""
    high, low = table.loc[table.rate.idxmax()], table.loc[table.rate.idxmin()]
    text = (
        f"*{high.group}* {verb} most often ({high.rate:.1%} [{high.low:.1%}, {high.high:.1%}]), "
        f"*{low.group}* least ({low.rate:.1%} [{low.low:.1%}, {low.high:.1%}])"
    )
    apart = high.low > low.high
    return text + (
        ". Neither clusters nor stages were fitted to that." if apart else
        ", and the intervals overlap: the clusters are no segments in this respect."
    )  # fmt: skip


def on_predictions(found: Predicted) -> str:
    """Each task: how rare, who is best, and whether it beats recency alone."""
    lines = []
    for task in found.counts.task:
        row = found.counts.set_index("task").loc[task]
        mine = found.quality[(found.quality.task == task)]
        area = mine[mine.metric == "auroc"].set_index("model")
        best = area.value.drop(["Constant"]).idxmax()
        apart = found.gaps[found.gaps.task == task].set_index("model")
        better = [m for m in apart.index if apart.favours[m] == "first"]
        said = f"{listed(better)} beat{'s' if len(better) == 1 else ''} recency alone" if better \
            else "no model beats recency alone by more than chance"  # fmt: skip
        lines.append(
            f"- **{TASKS[task].capitalize()}** ({row.rate:.1%} of {row.customers:,.0f} customers): "
            f"area {area.value[best]:.2f} [{area.low[best]:.2f}, {area.high[best]:.2f}] by "
            f"{best}; in average precision {said}."
        )
    for task, why in found.left_out.items():
        lines.append(f"- **{TASKS[task].capitalize()}**: not judged ({why}).")
    return f"Within the {found.days} days after the last origin:\n\n" + "\n".join(lines)


def on_network(found: Compared) -> str:
    """How the network's training went."""
    table = found.training
    text = (
        f"The network learns from {found.pairs:,} pairs of a history and the product that came "
        f"next; validation keeps epoch {found.epochs} of {len(table)}"
    )
    best = table.nDCG.max()
    return text + (f" (nDCG {best:.3f})." if best == best else ".")


def on_recommenders(found: Compared) -> str:
    """Who leads, and where the network stands."""
    value = found.quality.query("users == 'all' and metric == 'nDCG'")
    texts = []
    for target, words in (("all", "Over all products"), ("new", "Among products new to the user")):
        mine = value[value.target == target].sort_values("value", ascending=False)
        if mine.empty:
            continue
        best = mine.iloc[0]
        texts.append(
            f"{words} ({mine.occasions.iloc[0]:,} occasions) **{found.models[best.model].title}** "
            f"leads with nDCG {best.value:.3f} [{best.low:.3f}, {best.high:.3f}]; "
            + network_against(found, target)
        )
    return ". ".join(texts) + "."


def network_against(found: Compared, target: str) -> str:
    """The network against content, collaborative filtering and factorisation, in words."""
    rows = found.against[found.against.target == target].set_index("model")
    parts = {"first": [], "second": [], "neither": []}
    for name, entry in found.models.items():
        if name in rows.index and entry.family != "floor":
            row = rows.loc[name]
            parts[row.favours].append(f"{entry.title} ({gap(row)})")
    said = [
        f"{verb} {listed(parts[key])}"
        for key, verb in (("first", "beats"), ("second", "loses to"),
                          ("neither", "cannot be told from"))
        if parts[key]
    ]  # fmt: skip
    return "the network " + listed(said)


def network_favours(found: Compared) -> str:
    """Whom the comparison of the network with the three other kinds favours, over all products."""
    rows = found.against[found.against.target == "all"].set_index("model")
    kinds = [m for m, e in found.models.items() if e.family in ("content", "collaborative",
                                                               "factorisation")]  # fmt: skip
    favours = set(rows.favours[kinds])
    return "second" if "second" in favours else "first" if favours == {"first"} else "neither"


def on_search(found: Search, size: int) -> str:
    """What one search over attributes found."""
    if not found.name:
        return (
            f"Nothing stands out: the furthest group has distance {found.distance:.0f}, and chance "
            f"alone reaches {found.limit:.0f} in one search of twenty."
        )
    return (
        f"The search names **{found.name}** ({int(found.inside.sum()):,} customers, {size:,} were "
        f"planted): distance {found.distance:.0f}, where chance alone exceeds {found.limit:.0f} in "
        f"one search of twenty (p = {found.p:.2f})."
    )


def smallest_found(sweep: pd.DataFrame, method: str, shift: float) -> float:
    """The smallest share from which on `method` finds the segment in most plantings; nan if none"""
    mine = sweep[(sweep.method == method) & (sweep["shift"] == shift)].sort_values("share")
    lost = mine[mine.rate < 0.8].share
    kept = mine[mine.share > (lost.max() if len(lost) else 0)]
    return float(kept.share.min()) if len(kept) else float("nan")


def on_hidden(sweep: pd.DataFrame, alarms: pd.DataFrame, rows: int) -> str:
    """At what size the segment is lost, by method."""
    parts = []
    for method, title in sweep.drop_duplicates("method")[["method", "title"]].itertuples(
        index=False
    ):
        said = []
        for shift in sweep["shift"].unique():
            least = smallest_found(sweep, method, shift)
            said.append(
                f"never at {shift:g} sd" if least != least
                else f"from {100 * least:g} % at {shift:g} sd"
            )  # fmt: skip
        parts.append(f"- **{title}**: {', '.join(said)}.")
    row = alarms.iloc[0]
    return (
        f"Found in four plantings of five or more, among {rows:,} customers:\n\n"
        + "\n".join(parts)
        + f"\n\nWhere nothing was planted, the search names a group in {row.alarms:.0f} of "
        f"{row.trials:.0f} cases ({row.rate:.0%} [{row.low:.0%}, {row.high:.0%}]; 5 % by design). "
        "Clusters get the benefit of the doubt: the best of them is picked with the answer in "
        "hand. They follow the directions in which most customers differ, and two in a hundred "
        "make no direction."
    )


def answer(
    match: pd.DataFrame,
    predicted: Predicted | None,
    compared: Compared | None,
    sweep: pd.DataFrame,
) -> str:
    """The answer at the head of the chapter, of its first half."""
    rows = match.drop_duplicates("way").set_index("way")
    weights = rows.loc["weights"]
    text = (
        f"Three spoilt sheets can be put together again: weights of all fields join "
        f"{weights['right pairs'] / max(weights.pairs, 1):.0%} of the pairs that are one person, "
        f"an equal e-mail or phone "
        f"{rows.loc['any key', 'right pairs'] / max(weights.pairs, 1):.0%}. "
    )
    if predicted is not None and len(predicted.counts):
        told = [
            TASKS[t] for t in predicted.counts.task
            if (predicted.gaps[predicted.gaps.task == t].favours == "first").any()
        ]  # fmt: skip
        text += (
            f"Who {listed(told)} can be predicted better than by recency alone. "
            if told else "No prediction beats recency alone. "
        )  # fmt: skip
    if compared is not None:
        verb = {"first": "beats", "second": "does not beat", "neither": "cannot be told from"}
        text += f"The neural recommender {verb[network_favours(compared)]} all the simpler kinds. "
    share = paper("you", "section633.women_share")
    at = sweep[(sweep.share - share).abs() < 1e-9]
    rate = {m: at[at.method == m].rate for m in at.method.unique()}
    clusters = pd.concat([rate["clusters-3"], rate["clusters-12"]])
    text += (
        f"A hidden segment of {share:.0%} is found by a search over attributes in "
        f"{_range(rate['subgroups'])} of the plantings, by clusters in {_range(clusters)}."
    )
    return text


def _range(shares: pd.Series) -> str:
    """From the least to the largest of `shares`: ``"0% to 10%"``, or one where they are equal."""
    ends = [f"{shares.min():.0%}", f"{shares.max():.0%}"]
    return " to ".join(dict.fromkeys(ends))


def women_ages() -> str:
    """The paper's ages of the segment that nobody had noticed, e.g. ``"28 to 35"``."""
    low, high = (paper("you", f"section633.women_age_{end}") for end in ("low", "high"))
    return f"{low:.0f} to {high:.0f}"
