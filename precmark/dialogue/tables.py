"""Tables of the dialogue chapter as its pages print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from precmark.dialogue.quality import METRICS
from precmark.dialogue.replies import label
from precmark.dialogue.shelf import Shelf, plain, price_words
from precmark.dialogue.study import titles

if TYPE_CHECKING:
    from precmark.chapters import Chapter
    from precmark.dialogue.intents import Intents


def titled(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with the models' names in words."""
    return table.assign(model=table.model.map(titles()))


def intents_table(intents: Intents, varied: pd.DataFrame) -> pd.DataFrame:
    """Every intent with its meaning, where it leads, and how many sentences it has, as text."""
    rows = varied.set_index("intent")
    return pd.DataFrame(
        [
            {
                "Intent": label(name),
                "Meaning": meaning,
                "Leads to": intents.leads_to[name],
                "Training": f"{rows.train[name]:,.0f}",
                "Written apart": f"{rows.paraphrases[name]:,.0f}",
                "Openings": f"{rows.openings[name]:,.0f}",
            }
            for name, meaning in intents.meanings.items()
        ]
    )


def shares_words(shares: pd.DataFrame) -> pd.DataFrame:
    """Every share of every model with its interval, a row a model."""
    heads = {
        "accuracy": "Written apart", "familiar": "By lot", "answered": "Answered",
        "right": "Right of those", "refused": "Outside refused", "served": "Turns served",
    }  # fmt: skip
    text = [f"{r.value:.0%} [{r.low:.0%}, {r.high:.0%}]" for r in shares.itertuples()]
    wide = shares.assign(text=text).pivot(index="model", columns="metric", values="text")
    kept = [m for m in METRICS if m in wide]
    wide = wide.loc[shares.model.unique(), kept].rename(columns=heads).fillna("")
    wide.insert(0, "Model", [titles()[m] for m in wide.index])
    return wide.reset_index(drop=True).rename_axis(columns=None)


def confusions_words(table: pd.DataFrame) -> pd.DataFrame:
    """The commonest mistakes as text."""
    return pd.DataFrame(
        {
            "Intent": table.intent.map(label),
            "Taken for": table.taken_for.map(label),
            "Sentences": table.sentences.astype(str),
            "For example": table.example,
        }
    )


def slots_table(shelf: Shelf, lines: Sequence[str]) -> pd.DataFrame:
    """What the rules find in each of `lines`; those in which they find nothing are left out."""
    brands = sorted(shelf.lexicon.brands.values())
    more = ["not more than twenty", "something between ten and fifteen please"]
    more += [f"anything, but not from {brands[0]}"] if brands else []
    rows = []
    for line in (*lines, *more):
        slots = shelf.lexicon.slots(line)
        if slots.empty:
            continue
        priced = slots.least is not None or slots.most is not None
        rows.append(
            {
                "Sentence": line,
                "Category": plain(slots.category or ""),
                "Price": price_words(slots, shelf.currency) if priced else "",
                "Brand": slots.brand or "",
                "Not wanted": ", ".join(plain(w) for w in slots.without),
                "Other words of the catalogue": " ".join(slots.words),
            }
        )
    return pd.DataFrame(rows)


def times_words(times: pd.DataFrame) -> pd.DataFrame:
    """What each model costs, as text."""
    return pd.DataFrame(
        {
            "Model": times.model.map(titles()),
            "Numbers learnt": [f"{n:,}" for n in times.parameters],
            "Fit, s of a core": [f"{s:.1f}" for s in times.fit_seconds],
            "Median, ms": [f"{v:.2f}" for v in times.p50_ms],
            "99 %, ms": [f"{v:.2f}" for v in times.p99_ms],
        }
    )


def public_shares(records: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Accuracy on each public set and the share of out-of-scope sentences refused: long form."""
    parts = []
    for record in records.values():
        shares = record["tables"]["shares"]
        for metric, words in (("accuracy", ""), ("refused", ": refused")):
            rows = shares[shares.metric == metric]
            parts.append(rows.assign(metric=f"{record['title']}{words}"))
    whole = pd.concat(parts, ignore_index=True)
    # a set that was measured with fewer models leaves an empty place, not a hole
    grid = pd.MultiIndex.from_product(
        [whole.model.unique(), whole.metric.unique()], names=["model", "metric"]
    )
    return whole.set_index(["model", "metric"]).reindex(grid).reset_index()


def verdict_words(chapter: Chapter) -> pd.DataFrame:
    """The verdicts of this chapter so far."""
    table = pd.DataFrame(chapter._verdicts)
    heads = {"claim": "Claim", "place": "Place", "ours": "Ours", "verdict": "Verdict"}
    return table[list(heads)].rename(columns=heads)
