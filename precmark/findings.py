"""The findings page: what the chapters of a run concluded, gathered from their verdicts."""

from __future__ import annotations

import pandas as pd

from precmark.chapters import VERDICTS, registry, verdicts_of
from precmark.runs import Run


def verdicts(run: Run) -> pd.DataFrame:
    """Every verdict of `run`: see :func:`precmark.chapters.verdicts_of`."""
    return verdicts_of(run)


def scorecard(found: pd.DataFrame) -> pd.DataFrame:
    """How many claims of `found` (see :func:`verdicts`) got which verdict, a row a chapter.

    Every verdict of the study has its column, so that scorecards of two runs can be laid side by
    side; the index holds the chapters' titles.
    """
    counts = pd.crosstab(found["chapter"], found["verdict"])
    counts = counts.reindex(columns=list(VERDICTS), fill_value=0)
    counts.index = pd.Index([registry()[c].title for c in counts.index], name="chapter")
    return counts


def sentences(found: pd.DataFrame) -> list[str]:
    """One sentence a verdict with its reason, those that contradict a paper first."""
    order = ["not reproduced", "internally inconsistent", "undecided", "reproduced",
             "holds if assumed", "not testable with public data"]  # fmt: skip
    ranked = found.assign(rank=found["verdict"].map(order.index)).sort_values(
        ["rank", "chapter"], kind="stable"
    )
    return [
        f"{row.claim} ({row.place}): **{row.verdict}**. {row.why}" for row in ranked.itertuples()
    ]


def claims_table(found: pd.DataFrame) -> pd.DataFrame:
    """`found` as the page prints it: headed in words, without the reasons, which stand above it."""
    table = found.assign(chapter=[registry()[c].title for c in found["chapter"]])
    headings = {"chapter": "Chapter", "claim": "Claim", "place": "Place", "paper": "Paper",
                "ours": "Here", "verdict": "Verdict"}  # fmt: skip
    return table[list(headings)].rename(columns=headings)
