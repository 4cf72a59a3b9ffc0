"""The findings page: its ten sentences as a list, and the scorecard of all claims of a run."""

from __future__ import annotations

import pandas as pd

from precmark.audit import scorecard as by_paper
from precmark.audit import scored
from precmark.audit.table import TRIED
from precmark.chapters import registry
from precmark.churn.sentences import listed
from precmark.headlines import STANDING, Sentence, ten
from precmark.runs import Run
from precmark.sales import main_budget

__all__ = [
    "as_list",
    "claims",
    "claims_table",
    "in_short",
    "main_budget",
    "neighbours",
    "on_chart",
    "scorecard",
    "ten",
]


def claims(run: Run) -> pd.DataFrame:
    """Every claim of `run` with its verdict, contradictions first (:func:`precmark.audit.scored`).

    Returns
    -------
    pandas.DataFrame
        ``id``, ``paper``, ``place``, ``claim``, ``printed``, ``ours``, ``verdict``, ``why``,
        ``chapter``. ``verdict`` is empty for claims that a chapter tries which the run lacks.
    """
    order = ["internally inconsistent", "not reproduced", "undecided", "holds if assumed",
             "reproduced", "not testable with public data", ""]  # fmt: skip
    found = scored(run)
    rank = found["verdict"].map(order.index)
    return found.assign(rank=rank).sort_values("rank", kind="stable").drop(columns="rank")


_SHORT = {
    "reproduced": ("hold", "holds"),
    "not reproduced": ("do not", "does not"),
    "internally inconsistent": ("are contradicted by the papers' own figures",
                                "is contradicted by the papers' own figures"),
    "holds if assumed": ("hold in some simulated world", "holds in some simulated world"),
    "undecided": ("are open", "is open"),
    "not testable with public data": ("cannot be tested with public data",) * 2,
    "": ("wait for chapters that this copy lacks", "waits for a chapter that this copy lacks"),
}  # fmt: skip
"""What the page's first lines say of claims with a verdict: of several, of one."""


def in_short(found: pd.DataFrame) -> str:
    """How many claims of `found` (see :func:`claims`) got which verdict, as a sentence."""
    number = found["verdict"].value_counts()
    parts = [
        f"{number[verdict]} {one if number[verdict] == 1 else many}"
        for verdict, (many, one) in _SHORT.items()
        if number.get(verdict, 0)
    ]
    if not parts:
        return "No claim has been examined yet."
    return f"Of {len(found):,} claims {listed(parts)}."


def scorecard(found: pd.DataFrame) -> pd.DataFrame:
    """How many claims of `found` (see :func:`claims`) got which verdict, a row a paper.

    Every verdict of the study has its column, so that scorecards of two runs can be laid side by
    side; claims without a verdict are left out. The paper with the most claims comes first.
    """
    counted = by_paper(found).sort_values("all", ascending=False, kind="stable")
    return counted.drop(columns=[TRIED, "all"])


def claims_table(found: pd.DataFrame) -> pd.DataFrame:
    """`found` (see :func:`claims`) as the page prints it, headed in words."""
    titles = {name: card.title for name, card in registry().items()}
    table = found.assign(
        chapter=found["chapter"].map(lambda c: titles.get(c, c)),
        verdict=found["verdict"].replace("", TRIED),
        place=found["paper"] + ", " + found["place"],
    )
    headings = {"claim": "Claim", "place": "Place", "verdict": "Verdict", "printed": "Paper",
                "ours": "Here", "why": "Why", "chapter": "Chapter"}  # fmt: skip
    return table[list(headings)].rename(columns=headings)


def as_list(sentences: list[Sentence], run: Run) -> str:
    """`sentences` as a numbered Markdown list, each with a link to its chapter where there is one.

    A chapter that was executed into `run` has a page in the run's book.
    """
    lines = []
    for i, sentence in enumerate(sentences, 1):
        title = registry()[sentence.chapter].title
        if (run.chapters / f"{sentence.chapter}.ipynb").exists():
            title = f"[{title}]({sentence.chapter}.html)"
        lines.append(f"{i}. **{sentence.standing}.** {sentence.text} ({title})")
    return "\n".join(lines)


_NEIGHBOURS = (
    "liu-grid-conversion-helps", "liu-network-is-needed", "li-interest-tree", "li-neutral-push",
    "li-networks-enhance-dialogue", "company-h-displays-drive-sales", "you-deep-recommender",
    "you-rise-shows-effect",
)  # fmt: skip
"""The claims of Part II that its chapters turn on, in their order."""


def neighbours(found: pd.DataFrame) -> list[Sentence]:
    """What was found of the other four papers' systems, a sentence a claim.

    Parameters
    ----------
    found : pandas.DataFrame
        See :func:`claims`.
    """
    known = {row.id: row for row in found[found.verdict != ""].itertuples() if row.id}
    return [
        Sentence(
            STANDING[row.verdict],
            f"{row.claim.rstrip('.')} ({row.paper}). Here: **{row.ours}**. {row.why}",
            row.chapter,
        )
        for row in (known[id] for id in _NEIGHBOURS if id in known)
    ]


def on_chart(table: pd.DataFrame) -> str:
    """What to remember of :func:`precmark.plots.findings.said_and_done`."""
    table = table.dropna(subset=["said", "done"])
    none = table[table.world == "no_effect"]
    text = ""
    if len(none):
        text = (
            f"Where coupons do nothing the comparison says {none.said.min():+.1f} to "
            f"{none.said.max():+.1f} points. "
        )
    far = (table.said - table.done).abs()
    text += (
        f"Over all worlds and options the two lie {far.median():.1f} points apart in the middle "
        f"and {far.max():.1f} at most"
    )
    same = [
        rows.policy[rows.said.idxmax()] == rows.policy[rows.done.idxmax()]
        for world, rows in table.groupby("world", sort=False)
        if world != "no_effect"
    ]
    if same:
        text += f"; they name the same best option in {sum(same)} of {len(same)} worlds"
    return text + (
        ". In your own shop you see only the squares, unless you hold back a random part of the "
        "coupons of those whom you chose: then you see the dots."
    )
