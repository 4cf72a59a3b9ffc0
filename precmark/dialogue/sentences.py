"""What the dialogue chapter says about its figures, from the numbers drawn."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.dialogue.study import MODELS, NETWORKS, Utterances, titles

if TYPE_CHECKING:
    from precmark.dialogue.conversation import Turn

VERBS = {"first": "better than", "second": "worse than", "neither": "not to be told from"}
"""Whom an interval favours, in words of the first."""


def value_of(shares: pd.DataFrame, model: str, metric: str) -> pd.Series:
    """The row of one model and metric."""
    return shares[(shares.model == model) & (shares.metric == metric)].iloc[0]


def with_interval(row: pd.Series) -> str:
    """``"44 % [39 %, 49 %]"``."""
    return f"{row.value:.0%} [{row.low:.0%}, {row.high:.0%}]"


def on_set(found: Utterances) -> str:
    """How many sentences there are and what each part is for."""
    text = (
        f"{found.title}: **{found.train.intent.nunique()}** intents; {len(found.train):,} "
        f"sentences to learn from, {len(found.validation):,} to choose epochs, temperature and "
        f"threshold on, **{len(found.test):,}** for the test"
    )
    if found.familiar is not None:
        text += (
            f", written apart, and {len(found.familiar):,} more drawn by lot from those that the "
            "training ones come from"
        )
    if found.outside_test:
        text += (
            f". Of the sentences that no intent covers, {len(found.outside_validation):,} serve "
            f"the choice and {len(found.outside_test):,} the test"
        )
    return text + "."


def on_accuracy(shares: pd.DataFrame) -> str:
    """Who leads, what the floors reach, and what a test in the training's own style would claim."""
    table = shares[shares.metric == "accuracy"].sort_values("value", ascending=False)
    best = table.iloc[0]
    names = titles()
    learnt = table[~table.model.isin(["most-common", "nearest"])]
    near = [names[m] for m in learnt[learnt.high >= best.low].model if m != best.model]
    text = (
        f"**{names[best.model]}** finds the intent of {with_interval(best)} of the sentences "
        "written apart"
    )
    text += f"; the intervals of {listed(near)} overlap with its own" if near else ""
    if "nearest" in set(table.model):
        floor = value_of(shares, "nearest", "accuracy")
        text += f". The nearest training sentence alone gives {floor.value:.0%}"
    own = shares[(shares.metric == "familiar") & (shares.model == best.model)]
    if len(own):
        text += (
            f". Among sentences drawn from the same writing as the training ones, the same model "
            f"finds {with_interval(own.iloc[0])}: a random split would have promised that, "
            f"{100 * (own.iloc[0].value - best.value):.0f} points more than a new way of saying it "
            "gets"
        )
    return text + "."


def on_differences(table: pd.DataFrame) -> str:
    """Each network against the regression, and the row of all against each, in words."""
    names = titles()
    lines = [
        f"- {names[r.first]} minus {names[r.second]}: {gap(r)}, {VERBS[r.favours]} it."
        for r in table.itertuples()
    ]
    return "Accuracy on the same sentences, with the interval of the difference:\n\n" + "\n".join(
        lines
    )


def on_scope(scope: pd.DataFrame, shares: pd.DataFrame, model: str) -> str:
    """What separates in-scope from out-of-scope, and what the chosen threshold does."""
    names = titles()
    rows = scope[scope.model == model].set_index("score")
    p, e = rows.loc["probability"], rows.loc["energy"]
    answered, right, refused = (
        value_of(shares, model, m) for m in ("answered", "right", "refused")
    )
    return (
        f"{names[model]}: an in-scope sentence gets the higher probability than one from outside "
        f"in {p.value:.0%} of all pairs [{p.low:.0%}, {p.high:.0%}], the higher energy in "
        f"{e.value:.0%} [{e.low:.0%}, {e.high:.0%}]. With its threshold it answers "
        f"{with_interval(answered)} of the in-scope sentences, {with_interval(right)} of these "
        f"rightly (without refusing it would be {value_of(shares, model, 'accuracy').value:.0%}), "
        f"and refuses {with_interval(refused)} of those outside."
    )


def on_calibration(table: pd.DataFrame) -> str:
    """Whether probabilities mean what they say before and after the temperature."""
    names = titles()
    learnt = table[table.model.isin(NETWORKS)]
    worst = learnt.loc[learnt.error_before.idxmax()] if len(learnt) else table.iloc[-1]
    gain = int((table.error_after < table.error_before).sum())
    over = table[table.mean_confidence > table.accuracy + 0.05]
    text = (
        f"The temperature, one number from validation sentences, lowers the calibration error of "
        f"{gain} of {len(table)} models; that of {names[worst.model]} goes from "
        f"{worst.error_before:.2f} to {worst.error_after:.2f} at a temperature of "
        f"{worst.temperature:.2f}. "
    )
    if len(over):
        claim, keep = ("claims", "it keeps") if len(over) == 1 else ("claim", "they keep")
        text += (
            f"After it, {listed(names[m] for m in over.model)} still {claim} more than {keep} on "
            "sentences written apart: validation sentences are like the training ones, and what "
            "is learnt from them does not hold for another hand."
        )
    return text.strip()


def on_changes(table: pd.DataFrame) -> str:
    """What a typing error and a shuffle cost each model."""
    names = titles()
    wide = table.pivot(index="model", columns="change", values="value")
    typo = (wide["as written"] - wide["one typing error"]).sort_values()
    order = (wide["as written"] - wide["words shuffled"]).sort_values()
    return (
        f"A typing error in the longest word costs {names[typo.index[0]]} least "
        f"({100 * typo.iloc[0]:.0f} points) and {names[typo.index[-1]]} most "
        f"({100 * typo.iloc[-1]:.0f}). Shuffling all words costs {names[order.index[-1]]} "
        f"{round(100 * order.iloc[-1])} points and {names[order.index[0]]} "
        f"{round(100 * order.iloc[0])}: "
        "that much, and no more, of what a model knows lies in the order."
    )


def on_deletions(table: pd.DataFrame) -> str:
    """Whether the words with weight are those that decide."""
    rows = table.set_index("left_out")
    heavy, chance, light = (rows.loc[f"{w} word"] for w in ("heaviest", "random", "lightest"))
    apart = heavy.low > chance.high
    return (
        f"Without its heaviest word {heavy.lost:.0%} [{heavy.low:.0%}, {heavy.high:.0%}] of the "
        f"right answers turn wrong, without a random one {chance.lost:.0%} "
        f"[{chance.low:.0%}, {chance.high:.0%}], without the lightest {light.lost:.0%}. "
        + ("The weights point at words that decide." if apart else
           "The intervals overlap: the weights say little about which words decide.")
    )  # fmt: skip


def on_times(table: pd.DataFrame, turns: pd.DataFrame, limit_ms: float) -> str:
    """How long reading and a whole turn take."""
    names = titles()
    slow = table.loc[table.p99_ms.idxmax()]
    p50, p99 = turns.milliseconds.quantile([0.5, 0.99])
    verb = "under" if p99 < limit_ms else "over"
    return (
        f"Reading one sentence takes {names[slow.model]} longest, {slow.p99_ms:.1f} ms at the 99th "
        f"percentile. A whole turn, products included, takes {p50:.1f} ms in the middle and "
        f"**{p99:.1f} ms** at the 99th percentile, {verb} {limit_ms:g} ms, on this machine while "
        "the book was made."
    )


def on_turns(turns: pd.DataFrame) -> str:
    """What the turns of the trial conversations ended in."""
    counts = turns.action.value_counts()
    parts = [f"{n / len(turns):.0%} {action}" for action, n in counts.items()]
    return f"Of {len(turns):,} turns over test sentences, in scope and not: {listed(parts)}."


def on_public(records: Mapping[str, Mapping[str, Any]]) -> str:
    """What the public sets say, one sentence each."""
    names = titles()
    parts = []
    for record in records.values():
        shares = record["tables"]["shares"]
        table = shares[shares.metric == "accuracy"].sort_values("value", ascending=False)
        best = table.iloc[0]
        line = value_of(shares, "logistic", "accuracy")
        text = (
            f"**{record['title']}** ({record['sizes']['intents']} intents, "
            f"{record['sizes']['test']:,} test sentences): {names[best.model]} leads with "
            f"{best.value:.1%} [{best.low:.1%}, {best.high:.1%}]"
        )
        if best.model != "logistic":
            text += f", logistic regression has {line.value:.1%} [{line.low:.1%}, {line.high:.1%}]"
        refused = shares[(shares.model == best.model) & (shares.metric == "refused")]
        if len(refused):
            text += f"; it refuses {with_interval(refused.iloc[0])} of what is out of scope"
        parts.append(text)
    return ". ".join(parts) + "."


def answer(shares: pd.DataFrame, against: pd.DataFrame, p99_ms: float) -> str:
    """The answer at the head of the chapter."""
    names = titles()
    table = shares[(shares.metric == "accuracy")].sort_values("value", ascending=False)
    best = table.iloc[0]
    rows = against[against.second == "logistic"]
    better = [names[m] for m in rows[rows.favours == "first"]["first"]]
    refused = value_of(shares, best.model, "refused")
    text = (
        f"On sentences written apart the best of {len(table)} classifiers, {names[best.model]}, "
        f"finds {best.value:.0%} of the intents (the floor that reads nothing "
        f"{table.value.min():.0%}). "
    )
    text += (
        f"{listed(better)} beat TF-IDF with logistic regression" if better
        else "No network beats TF-IDF with logistic regression beyond chance"
    )  # fmt: skip
    return text + (
        f"; refusing by calibrated confidence keeps {refused.value:.0%} of what is out of scope "
        f"from a wrong answer. A turn takes {p99_ms:.0f} ms at the 99th percentile."
    )


def transcript(turns: Sequence[Turn]) -> str:
    """Turns as Markdown: what was said, what was understood, what was replied.

    What people type is shown as it is: marks of Markdown and HTML have no effect, and what is
    longer than 160 characters is cut.
    """
    parts = []
    for turn in turns:
        said = turn.said if len(turn.said) <= 160 else f"{turn.said[:160]} ..."
        how = "a rule"
        if turn.heard is not None:
            how = f"{turn.heard.guess.replace('_', ' ')} {turn.heard.confidence:.2f}"
            how += ", not sure" if turn.heard.intent != turn.heard.guess else ""
        lines = [harmless(line) for line in turn.reply.split("\n")]
        reply = "<br>".join(lines)
        parts.append(
            f"**Customer:** {harmless(said) or '(nothing)'}\n\n> *{how}; {turn.action}*<br>{reply}"
        )
    return "\n\n".join(parts)


def harmless(text: str) -> str:
    """`text` in which no character means anything to Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", html.escape(text, quote=False))


def family_groups() -> dict[str, str]:
    """Each model's title to its family, for colours."""
    return {entry.title: entry.family for entry in MODELS.values()}
