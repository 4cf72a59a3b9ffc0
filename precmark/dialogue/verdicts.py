"""What the dialogue chapter concludes about Li's claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.churn.verdicts import verdict_of
from precmark.dialogue.study import titles

if TYPE_CHECKING:
    from precmark.chapters import Chapter

REAL_TIME_MS = 50.0
"""Slower than this a reply is not felt as immediate; the limit that this book sets itself."""

ALONE = ("cnn", "gru", "attention")
"""The techniques of Li's section 4, one network each."""


def overall(favours: pd.Series) -> str:
    """One of "first", "second" and "neither" for a claim that the first wins every comparison."""
    if (favours == "second").any():
        return "second"
    return "first" if (favours == "first").all() else "neither"


def verdicts(
    chapter: Chapter,
    against: pd.DataFrame,
    changes: pd.DataFrame,
    deletions: pd.DataFrame,
    times: pd.DataFrame,
) -> None:
    """Record what chapter 12 concludes.

    Parameters
    ----------
    chapter : Chapter
    against : pandas.DataFrame
        See :func:`precmark.dialogue.quality.differences`.
    changes, deletions, times : pandas.DataFrame
        See :mod:`precmark.dialogue.readings`.
    """
    names = titles()
    networks = against[against.second == "logistic"]
    chapter.verdict(
        id="li-networks-enhance-dialogue",
        claim="Convolutional, recurrent and attention networks understand users better",
        place="Li, abstract", paper="claimed, no figure",
        ours="; ".join(f"{names[r.first]}: {gap(r)}" for r in networks.itertuples()),
        verdict=verdict_of(overall(networks.favours), first_claimed=True, simulated=False),
        why="Accuracy on sentences written apart, each network minus TF-IDF with logistic "
        "regression; without a rival any gain is one over nothing.",
    )  # fmt: skip
    rows = against[against["first"] == "together"]
    rows = rows[rows.second.isin(ALONE)]
    chapter.verdict(
        id="li-three-techniques-together",
        claim="The three techniques together serve a dialogue better than apart",
        place="Li, section 4.3", paper="claimed, no figure",
        ours="; ".join(f"together minus {names[r.second]}: {gap(r)}" for r in rows.itertuples()),
        verdict=verdict_of(overall(rows.favours), first_claimed=True, simulated=False),
        why="One network with the three in a row, of about the same size, on the same sentences.",
    )  # fmt: skip
    _cheap(chapter, times, names)
    _order(chapter, changes)
    _weights(chapter, deletions)


def _cheap(chapter: Chapter, times: pd.DataFrame, names) -> None:
    rows = times.set_index("model")
    mine = rows.loc["cnn"]
    rivals = [m for m in ("gru", "attention", "together") if m in rows.index]
    fast = mine.p99_ms < REAL_TIME_MS
    as_fast = [names[m] for m in rivals if rows.p99_ms[m] < REAL_TIME_MS]
    also = f"{listed(as_fast)} {'does' if len(as_fast) == 1 else 'do'} the same"
    reason = f"{also}, so this alone is no reason to prefer it." if as_fast else ""
    listing = listed(f"{names[m]} {rows.p99_ms[m]:.1f} ms" for m in rivals)
    chapter.verdict(
        id="li-cnn-cheap",
        claim="A convolutional network answers in real time with little computing",
        place="Li, section 4.1", paper="claimed, no figure",
        ours=f"{mine.p99_ms:.1f} ms a sentence at the 99th percentile, {mine.parameters:,.0f} "
        f"numbers; {listing}; regression {rows.p99_ms['logistic']:.1f} ms",
        verdict="reproduced" if fast else "not reproduced",
        why=f"Read as: under {REAL_TIME_MS:g} ms on one core. {reason}".strip(),
    )  # fmt: skip


def _order(chapter: Chapter, changes: pd.DataFrame) -> None:
    rows = changes[changes.model == "gru"].set_index("change")
    whole, shuffled = rows.loc["as written"], rows.loc["words shuffled"]
    apart = whole.low > shuffled.high
    against = whole.high < shuffled.low
    chapter.verdict(
        id="li-rnn-word-order",
        claim="A recurrent network uses the order of the words",
        place="Li, section 4.2", paper="claimed, no figure",
        ours=f"{whole.value:.2f} [{whole.low:.2f}, {whole.high:.2f}] as written, "
        f"{shuffled.value:.2f} [{shuffled.low:.2f}, {shuffled.high:.2f}] shuffled",
        verdict="reproduced" if apart else "not reproduced" if against else "undecided",
        why="Accuracy of the GRU on test sentences with their words in order and shuffled; "
        "reproduced where the two intervals do not meet.",
    )  # fmt: skip


def _weights(chapter: Chapter, deletions: pd.DataFrame) -> None:
    rows = deletions.set_index("left_out")
    heavy, chance = rows.loc["heaviest word"], rows.loc["random word"]
    apart, against = heavy.low > chance.high, heavy.high < chance.low
    chapter.verdict(
        id="li-attention-key-words",
        claim="Attention weighs the words that matter",
        place="Li, section 4.3", paper="claimed, no figure",
        ours=f"{heavy.lost:.0%} [{heavy.low:.0%}, {heavy.high:.0%}] of right answers lost without "
        f"the heaviest word, {chance.lost:.0%} [{chance.low:.0%}, {chance.high:.0%}] without a "
        "random one",
        verdict="reproduced" if apart else "not reproduced" if against else "undecided",
        why="Read as: leaving out the heaviest word costs more right answers than leaving out a "
        "random one.",
    )  # fmt: skip
