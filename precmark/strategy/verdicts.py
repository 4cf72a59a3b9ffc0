"""What the strategy chapter concludes about the paper's claims on sources, customers and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.churn.verdicts import verdict_of
from precmark.claims import paper
from precmark.segments.sentences import strength
from precmark.strategy.predictions import TASKS
from precmark.strategy.sentences import network_favours

if TYPE_CHECKING:
    from precmark.chapters import Chapter
    from precmark.strategy.predictions import Predicted
    from precmark.strategy.recommenders import Compared
    from precmark.strategy.stages import Portraits

NO_FIGURE = "claimed, no figure"

UNITED = 0.95
"""Share of the pairs joined, and of the joined that are right, from which a set is called whole."""

SAME = 0.65
"""Adjusted Rand index from which two ways to part customers are called much the same."""


def sources_verdict(chapter: Chapter, ways: pd.DataFrame) -> None:
    """Whether the sheets become one whole set (see :func:`~precmark.strategy.linked.compare_ways`).

    The mistakes are made up, so a yes holds where they are as assumed.
    """
    row = ways[ways.way == "weights"].iloc[0]
    joined = row["right pairs"] / max(row.pairs, 1)
    right = row["right pairs"] / max(row["right pairs"] + row["wrong pairs"], 1)
    whole = min(joined, right) >= UNITED
    chapter.verdict(
        id="you-sources-united",
        claim="The data of different sources are united into one complete set without duplicates",
        place="You, section 4.2", paper=NO_FIGURE,
        ours=f"{joined:.0%} of the pairs of one person joined, {right:.1%} of the joined right",
        verdict="holds if assumed" if whole else "not reproduced",
        why="On sheets with mistakes of known kinds; rows that fill in different fields cannot "
        "be joined by any method.",
    )  # fmt: skip


def customers_verdicts(
    chapter: Chapter, found: Portraits | None, predicted: Predicted | None
) -> None:
    """Stages by clusters, and the three predictions."""
    if found is not None:
        index = stage_agreement(found)
        same = "holds if assumed" if chapter.run.source.simulated else "reproduced"
        chapter.verdict(
            id="you-stages-by-clusters",
            claim="Clusters divide users into the stages of a life cycle",
            place="You, section 4.4.1", paper=NO_FIGURE,
            ours=f"adjusted Rand index of clusters and stages by rule {index:.2f}",
            verdict=same if index >= SAME else "not reproduced",
            why=f"Clusters of the whole profile and stages by dates part customers in "
            f"{strength(index)} ways; a stage is a rule about dates and needs no clusters.",
        )  # fmt: skip
    if predicted is not None and len(predicted.counts):
        told = predicted.gaps.groupby("task", sort=False).favours.agg(set)
        favours = (
            "second" if any(f == {"second"} for f in told)
            else "first" if all("first" in f for f in told) and not predicted.left_out
            else "neither"
        )  # fmt: skip
        # Of a task's models the one that is told from recency stands for it, then the better one.
        ranked = predicted.gaps.assign(told=predicted.gaps.favours == "first")
        best = ranked.sort_values(["told", "difference"]).groupby("task", sort=False).tail(1)
        best = best.sort_values("task", key=lambda tasks: tasks.map(list(TASKS).index))
        left = f"; not judged: {listed(predicted.left_out)}" if predicted.left_out else ""
        chapter.verdict(
            id="you-behaviour-predicted",
            claim="Machine learning predicts purchase intention, repurchase and churn",
            place="You, section 4.4.2", paper=NO_FIGURE,
            ours="average precision minus that of recency alone: "
            + "; ".join(f"{TASKS[r.task]} {gap(r)} ({r.model})" for r in best.itertuples()) + left,
            verdict=verdict_of(
                favours, first_claimed=True, simulated=chapter.run.source.simulated
            ),
            why="Judged against the days since the last visit, on the last of three origins"
            + (", and not for all three." if predicted.left_out else "."),
        )  # fmt: skip


def stage_agreement(found: Portraits) -> float:
    """The adjusted Rand index of clusters and stages: 1 the same parts, 0 as by chance."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(found.customers.stage, found.customers.segment))


def recommender_verdict(chapter: Chapter, found: Compared) -> None:
    """The network against the best of each other kind."""
    rows = found.against[found.against.target == "all"]
    kinds = [m for m, e in found.models.items() if e.family not in ("floor", "network")]
    rows = rows[rows.model.isin(kinds)]
    chapter.verdict(
        id="you-deep-recommender",
        claim="Neural networks improve recommendation over content, collaborative filtering and "
        "factorisation",
        place="You, section 5.1", paper=NO_FIGURE,
        ours="nDCG, two-tower minus "
        + "; ".join(f"{found.models[r.model].title} {gap(r)}" for r in rows.itertuples()),
        verdict=verdict_of(
            network_favours(found), first_claimed=True, simulated=chapter.run.source.simulated
        ),
        why="One small network with one setting, its epochs chosen on validation data, on the "
        "occasions of chapter 06.",
    )  # fmt: skip


def segment_verdict(chapter: Chapter, sweep: pd.DataFrame) -> None:
    """Whether clusters find a planted segment of the paper's size (difference of one sd)."""
    share = paper("you", "section633.women_share")
    here = sweep[((sweep.share - share).abs() < 1e-9) & (sweep["shift"] == 1.0)]
    best = here[here.method != "subgroups"].sort_values("rate").iloc[-1]
    other = here[here.method == "subgroups"].iloc[0]
    verdict = (
        "holds if assumed" if best.low > 0.5
        else "not reproduced" if best.high < 0.5 else "undecided"
    )  # fmt: skip
    chapter.verdict(
        id="you-clusters-find-small",
        claim="Clusters bring to light a segment as small as the unmarried women that the paper "
        "names",
        place="You, sections 4.4.1 and 6.3.3", paper=f"{share:.0%} of the customers",
        ours=f"{best.title} find it in {best.rate:.0%} [{best.low:.0%}, {best.high:.0%}] of the "
        f"plantings, a {other.title} in {other.rate:.0%} [{other.low:.0%}, {other.high:.0%}]",
        verdict=verdict,
        why="Planted in this run's customers, one standard deviation from the others in five of "
        "the main directions of behaviour.",
    )  # fmt: skip


def beside(chapter: Chapter) -> pd.DataFrame:
    """The paper's statements that this chapter tried so far, beside what it found, row by row."""
    rows = [(v["place"], v["claim"], v["paper"], v["ours"], v["verdict"]) for v in chapter.verdicts]
    return pd.DataFrame(rows, columns=["place", "statement", "printed", "ours", "verdict"])
