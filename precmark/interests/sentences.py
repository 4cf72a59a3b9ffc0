"""What chapter 11 says about trees, pictures, lists and words, from the numbers drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.interests.clothing import HAND, NETWORK
from precmark.interests.compare import EXTRA_LOSS, FACTORISATIONS, NEIGHBOURHOODS
from precmark.recommend.sentences import VERBS, WANTED

if TYPE_CHECKING:
    from precmark.interests.clothing import ClothingResults
    from precmark.interests.tag_tree import TagTree
    from precmark.interests.words import Discovered
    from precmark.recommend.study import Entry, Periods


def on_interests(nodes: pd.DataFrame, days: float) -> str:
    """One user's tree: what weighs most, and how much of it is old."""
    top = nodes[nodes.level == 1].iloc[0]
    kinds = int((nodes.level == 1).sum())
    items = nodes[nodes.level == nodes.level.max()]
    return (
        f"The tree has {kinds} kind{'s' if kinds > 1 else ''} of products and {len(items):,} "
        f"products below them. *{top['name']}* holds {top.share:.0%} of the weight. An event of "
        f"{days:g} days ago counts half."
    )


def on_drift(table: pd.DataFrame) -> str:
    """Whether the leading interest stayed the same."""
    lead = table.loc[table.groupby("month").share.idxmax(), ["month", "kind"]]
    names = list(dict.fromkeys(lead.kind))
    months = table.month.nunique()
    if len(names) == 1:
        return f"Over {months} months the leading interest stays *{names[0]}*."
    return (
        f"Over {months} months {len(names)} kinds lead in turn, beginning with *{names[0]}* and "
        f"ending with *{lead.kind.iloc[-1]}*: a tree that forgot nothing would show the change "
        "later."
    )


def on_speed(speed: pd.DataFrame) -> str:
    """What one event costs."""
    row = speed.iloc[0]
    return (
        f"{row.events:,.0f} events of {row.users:,.0f} users were put into their trees one by one, "
        f"in {row.microseconds:,.0f} µs each."
    )


def on_tags(tree: TagTree, chance: np.ndarray) -> str:
    """Size of the tag tree, and how many links chance would make."""
    n, links = len(tree.nodes) - 1, len(tree.links)
    if not links:
        return f"Of {n:,} tags none stands below another: they say different things."
    deep = int(tree.nodes.level.max())
    return (
        f"Of {n:,} tags on enough products, **{links:,}** stand below another, {deep} levels in "
        f"all; {tree.left_out:,} rarer ones are left out. Tags dealt out at random with the same "
        f"frequencies make {chance.mean():.1f} such links on average (at most {chance.max():,} in "
        f"{len(chance)} draws), so "
        + (
            "hardly any of the links is luck."
            if chance.mean() < 0.05 * links
            else f"about {chance.mean() / links:.0%} of the links may be luck."
        )
    )


def photos_words(results: ClothingResults) -> pd.DataFrame:
    """Accuracy of every model and seed with its interval, and the network less each rival."""
    lead = results.differences[results.differences.seed == results.card["seeds"][0]]
    lead = {row.model: gap(row) for row in lead.itertuples()}
    rows = [
        (
            row.model,
            "" if row.seed < 0 else str(row.seed),
            f"{row.value:.1%}",
            f"{row.low:.1%} to {row.high:.1%}",
            lead.get(row.model, ""),
        )
        for row in results.accuracy.itertuples()
    ]
    columns = [
        "features and model",
        "seed",
        "named rightly",
        "95 %",
        "network (first seed) less it",
    ]
    return pd.DataFrame(rows, columns=columns)


def on_photos(results: ClothingResults) -> str:
    """Whether what is learnt beats what is made by hand."""
    test = int(results.photos.test.sum())
    mine = results.accuracy[results.accuracy.model == NETWORK].value
    hand = results.accuracy[results.accuracy.model != NETWORK].set_index("model").value
    best = hand.idxmax()
    near = results.neighbours.set_index("features").value
    text = (
        f"The network names {mine.min():.0%} to {mine.max():.0%} of {test} test photos rightly, "
        f"by seed; a logistic regression on {best}, the best of the hand-made, {hand[best]:.0%}. "
        if len(mine) > 1
        else f"The network names {mine.iloc[0]:.0%} of {test} test photos rightly; a logistic "
        f"regression on {best}, the best of the hand-made, {hand[best]:.0%}. "
    )
    lead = results.differences[results.differences.model == best]
    sure = int((lead.low > 0).sum())
    text += (
        f"Its lead is beyond doubt with {sure} of {len(lead)} seeds. "
        f"Of the ten photos nearest to one, {near[NETWORK]:.0%} show the same kind by the "
        f"network's features, {near[list(HAND)].max():.0%} by the best hand-made ones, and "
        f"{near['chance']:.0%} by chance."
    )
    return text


def on_confusion(results: ClothingResults) -> str:
    """What is most often taken for what."""
    wrong = results.confusion[results.confusion.kind != results.confusion.named]
    worst = wrong.sort_values(["photos", "kind"], ascending=[False, True]).head(2)
    parts = [f"{r.kind} for {r.named} ({r.photos:.0f} photos)" for r in worst.itertuples()]
    return f"Most often taken: {listed(parts)}. " if parts else ""


def on_drawings(count: int, kinds: int, right: float, side: int) -> str:
    """What was drawn and how well the network tells it apart."""
    return (
        f"{count:,} products of {kinds} kinds were drawn at {side} pixels. The network names "
        f"{right:.0%} of the drawings that it did not learn from rightly, "
        f"{1 / kinds:.0%} would be chance where kinds are equally many."
    )


def on_asked(found: Periods) -> str:
    """What is asked and wanted, and of how many."""
    return (
        f"**{len(found.test):,}** occasions of {found.test.users.person.nunique():,} users in the "
        f"last fifth of the log; wanted is what was {WANTED[found.wanted]} next, "
        f"{len(found.test.targets) / max(len(found.test), 1):.1f} products each."
    )


def on_lists(quality: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """Who leads among all products and among new ones."""
    texts = []
    for target, words in (("all", "Among all products"), ("new", "among products new to the user")):
        part = quality[(quality.metric == "nDCG") & (quality.users == "all")]
        part = part[part.target == target].set_index("model").value
        if part.empty:
            continue
        order = part.sort_values(ascending=False)
        first, second = order.index[:2]
        texts.append(
            f"{words} **{models[first].title}** leads with {order.iloc[0]:.3f}, then "
            f"{models[second].title} with {order.iloc[1]:.3f}"
        )
    return "; ".join(texts) + "."


def on_duels(duels: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """Factorisation against neighbours, and the tree against the rest."""
    mine = duels[duels["first"].isin(FACTORISATIONS)]
    parts = [
        f"{models[r.first].title} {VERBS[r.favours]} {models[r.second].title} ({gap(r)})"
        for r in mine.itertuples()
    ]
    text = f"{'; '.join(parts)}. "
    tree = duels[duels["first"] == "tree"]
    groups = {}
    for row in tree.itertuples():
        groups.setdefault(VERBS[row.favours], []).append(models[row.second].title)
    said = [f"{verb} {listed(names)}" for verb, names in groups.items()]
    return f"{text}The interest tree {'; '.join(said)}."


def on_forgetting(duels: pd.DataFrame) -> str:
    """What forgetting is worth."""
    row = duels[duels.second == "tree-old"].iloc[0]
    verb = {"first": "better than", "second": "worse than"}.get(row.favours, "not told from")
    return f"The tree that forgets is {verb} the same tree that does not ({gap(row)})."


def on_pictures(duels: pd.DataFrame, quality: pd.DataFrame) -> str:
    """What drawn pictures are worth as content."""
    part = quality[(quality.metric == "nDCG") & (quality.users == "all")]
    part = part[part.target == "all"].set_index("model").value
    return (
        f"Lists by the drawings reach {part['pictures']:.3f}, lists by the attributes that were "
        f"drawn {part['content']:.3f}, what is popular {part['popular']:.3f}. A drawing cannot "
        "hold more than what it was made from, and a network that learnt to name kinds keeps what "
        "tells kinds apart and drops much of the rest."
    )


def on_density(losses: pd.DataFrame, table: pd.DataFrame, models: Mapping[str, Entry]) -> str:
    """Who loses most where few users are known."""
    rows = losses[losses.model != EXTRA_LOSS]
    users = table.groupby("share").users.first()
    parts = [
        f"{models[r.model].title} {r.fewest / r.whole:.0%}" for r in rows.itertuples() if r.whole
    ]
    text = (
        f"From {users.iloc[-1]:,} users down to {users.iloc[0]:,}, of its nDCG keeps: "
        f"{listed(parts)}. "
    )
    extra = losses[losses.model == EXTRA_LOSS]
    if extra.empty:
        return text
    row = extra.iloc[0]
    more = "more" if row.low > 0 else "less" if row.high < 0 else "neither surely more nor less"
    return text + (
        f"In nDCG the factorisations lose {more} than the neighbourhoods "
        f"({gap(row)}; averages of {listed(models[m].title for m in FACTORISATIONS)} and of "
        f"{listed(models[m].title for m in NEIGHBOURHOODS)})."
    )


def on_words(found: Discovered) -> str:
    """How much vocabulary the months brought."""
    later = found.months[found.months.month > found.months.month[found.months.known == 0].max()]
    if found.words.empty:
        return (
            f"In {len(later)} months after the first no word becomes known: this shop's queries "
            "and descriptions use the same words all along, and the method says so."
        )
    busiest = later.loc[later.new.idxmax()]
    last = later.iloc[-1]
    return (
        f"The {len(later)} months after the first bring **{later.new.sum():,}** words, most in "
        f"{busiest.month:%B %Y} ({busiest.new:,}) and {last.new:,} in the last. In the first "
        "months a word may be new to us only because the log begins there."
    )


def words_table(found: Discovered, *, each: int = 2, most: int = 16) -> pd.DataFrame:
    """The new words of each month that stand in most documents, as a reader sees them."""
    words = found.words.sort_values(["documents", "word"], ascending=[False, True])
    words = words.groupby("month").head(each).sort_values("month", kind="stable").tail(most)
    return pd.DataFrame(
        {
            "month": words.month.dt.strftime("%b %Y"),
            "word": words.word,
            "documents": words.documents,
            "from": words.source,
            "kind by vectors": words.kind,
            "cosine": words.similarity.map("{:.2f}".format),
            "kind by counts": words.beside,
            "nearest words": words.near,
        }
    )


def on_planted(table: pd.DataFrame) -> str:
    """How the planted words fared, by vectors and by counting."""
    n, there = len(table), int(table.found.sum())
    if not there:
        return f"None of {n} planted words was found: they stood in too few documents."
    late = table.months_late.mean()
    by = {name: int(table[name].sum()) for name in ("by_vectors", "by_counts")}
    text = (
        f"**{there} of {n}** planted words are found, {late:.1f} months late on average; word "
        f"vectors put {by['by_vectors']} under the right kind, plain counts of what stands beside "
        f"a word {by['by_counts']}. "
    )
    if by["by_vectors"] > by["by_counts"]:
        return text + "Here the vectors earn their training."
    if by["by_vectors"] == by["by_counts"]:
        return text + "Counting does as well, without any training."
    return text + "Counting does better, without any training."


def claims_table(verdicts: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """What the paper claims, section by section, beside what was found here."""
    found = pd.DataFrame(list(verdicts), columns=["place", "claim", "ours", "verdict"])
    found = found.assign(place=found.place.str.removeprefix("Li, "))
    found = found.sort_values("place", kind="stable")
    return found.rename(columns={"place": "in the paper", "ours": "measured here"})


def answer(
    quality: pd.DataFrame,
    models: Mapping[str, Entry],
    results: ClothingResults,
    planted: pd.DataFrame | None,
) -> str:
    """The first half's answer at the head of the chapter."""
    mine = results.accuracy[results.accuracy.model == NETWORK].value.mean()
    hand = results.accuracy[results.accuracy.model != NETWORK].value.max()
    text = (
        f"{on_lists(quality, models).rstrip('.').replace('**', '')} (nDCG at 10). On real photos "
        f"of clothes the network names {mine:.0%} rightly, hand-made features {hand:.0%}."
    )
    if planted is not None and len(planted):
        found = int(planted.found.sum())
        text += (
            f" Of {len(planted)} new words that we planted, {found} are found and "
            f"{int(planted.by_vectors.sum())} put under the right kind by word vectors "
            f"({int(planted.by_counts.sum())} by counting)."
        )
    return text
