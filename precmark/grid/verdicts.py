"""What chapter 10 concludes about Liu's claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.churn.sentences import gap, listed, signed
from precmark.churn.verdicts import verdict_of
from precmark.claims import paper
from precmark.grid.audience import distance_of_shares
from precmark.grid.fits import MODEL_TITLES, NETWORKS, Answer
from precmark.grid.monthly_tables import HYBRID
from precmark.grid.months import Monthly
from precmark.grid.tag_study import TagStudy, printed_table3
from precmark.grid.tags import exponent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from precmark.chapters import Chapter


def joint(favours: Sequence[str]) -> str:
    """Of several comparisons that all have to hold: the worst for the first."""
    if "second" in favours:
        return "second"
    return "first" if all(f == "first" for f in favours) else "neither"


def grid_verdicts(chapter: Chapter, gaps: pd.DataFrame) -> None:
    """Record whether the conversion to pictures helps, and whether the network is needed.

    `gaps` as :func:`precmark.grid.comparison.gaps` makes them.
    """
    rows = gaps.set_index("than")
    simulated = chapter.run.source.simulated
    lot, boosting = rows.loc["by lot"], rows.loc["boosting"]
    chapter.verdict(
        id="liu-grid-conversion-helps",
        claim="Sorting the data onto a grid helps the network",
        place="Liu, section 2.2", paper="claimed, no figure",
        ours=f"placed minus by lot, average precision {gap(lot)}",
        verdict=verdict_of(lot.favours, first_claimed=True, simulated=simulated),
        why="The same features and network, placed by their distances or by lot, on the same test "
        "month and with one first seed; the interval is over users alone.",
    )  # fmt: skip
    chapter.verdict(
        id="liu-network-is-needed",
        claim="A convolutional network is the way from customers' labels to their behaviour",
        place="Liu, section 2.3", paper="not compared with another kind of model",
        ours=f"network minus boosting, average precision {gap(boosting)}",
        verdict=verdict_of(boosting.favours, first_claimed=True, simulated=simulated),
        why="Gradient boosting reads the same features without a picture.",
    )  # fmt: skip


def month_verdicts(
    chapter: Chapter,
    data: Monthly,
    answers: Sequence[Answer],
    attention: pd.DataFrame,
    hybrid: pd.DataFrame,
    table2: pd.DataFrame,
    *,
    draws: int = 300,
    seed: int = 0,
) -> None:
    """Record what Tables 1 and 2 say of attention and of the hybrid network.

    Parameters
    ----------
    chapter : Chapter
    data : Monthly
    answers : sequence of Answer
        Those of Table 1.
    attention, hybrid : pandas.DataFrame
        :func:`~precmark.grid.monthly_tables.mean_gaps` of both networks with attention.
    table2 : pandas.DataFrame
        See :func:`~precmark.grid.monthly_tables.table2`.
    draws, seed : int
        Of the bootstrap.
    """
    simulated = chapter.run.source.simulated
    both = [
        (name, row)
        for name, table in (("LSTM with attention", attention), ("hybrid", hybrid))
        for row in table.itertuples()
        if row.metric == "accuracy" and row.than in NETWORKS[:2]
    ]
    chapter.verdict(
        id="liu-attention-tests-better",
        claim="The two networks with attention are more accurate in testing than CNN and LSTM",
        place="Liu, section 4.1, Table 1", paper="more accurate, no interval",
        ours="; ".join(f"{name} minus {MODEL_TITLES[r.than]} {gap(r)}" for name, r in both),
        verdict=verdict_of(
            joint([r.favours for _, r in both]), first_claimed=True, simulated=simulated
        ),
        why="Mean accuracy over the twelve rows of Table 1, with intervals over users.",
    )  # fmt: skip
    found = hybrid_against(data, answers, table2, draws=draws, seed=seed)
    chapter.verdict(
        id="liu-hybrid-fits-best",
        claim="CNN + LSTM with attention fits the marketing data best of the four",
        place="Liu, section 4.2, Table 2",
        paper=f"Matthews correlation {paper('liu', 'table2.cnn_lstm_attention_mcc'):.3f}",
        ours="hybrid minus " + "; ".join(f"{MODEL_TITLES[r.model]} {gap(r)}"
                                         for r in found.itertuples()),
        verdict=verdict_of(joint(list(found["favours"])), first_claimed=True, simulated=simulated),
        why="Matthews correlation on the last month, thresholds chosen on held-out users.",
    )  # fmt: skip


def hybrid_against(
    data: Monthly, answers: Sequence[Answer], table2: pd.DataFrame, *, draws: int, seed: int
) -> pd.DataFrame:
    """The hybrid's Matthews correlation less that of the other three networks, as in Table 2."""
    longest = max(a.ask.last - a.ask.first for a in answers)
    mine = {
        a.ask.model: a
        for a in answers
        if a.ask.last - a.ask.first == longest and a.ask.model in NETWORKS
    }
    test = mine[HYBRID].rows["test"]
    drawn = metrics.bootstrap(
        data.y[test], {m: a.p["test"] for m, a in mine.items()},
        data.decisions["user_code"].to_numpy()[test], metrics=["matthews"],
        thresholds=table2.drop_duplicates("model").set_index("model")["threshold"].to_dict(),
        draws=draws, seed=seed,
    )  # fmt: skip
    rows = [
        {"model": m} | vars(drawn.difference(HYBRID, m, "matthews")) for m in mine if m != HYBRID
    ]
    return pd.DataFrame(rows)


def tag_verdicts(chapter: Chapter, study: TagStudy) -> None:
    """Record whether tags grow with the log, and whether the users left have more potential."""
    simulated = chapter.run.source.simulated
    printed = printed_table3()
    theirs = exponent(printed["gigabytes"], printed["tags"])[0]
    slope, low, high = exponent(study.sizes["rows"], study.sizes["tags"])
    chapter.verdict(
        id="liu-tags-grow-with-log",
        claim="Tags grow in step with the log", place="Liu, Table 3",
        paper=f"power {theirs:.2f}", ours=f"power {slope:.2f} [{low:.2f}, {high:.2f}]",
        verdict=verdict_of(
            "first" if abs(slope - 1) < 0.1 else "second", first_claimed=True, simulated=simulated
        ),
        why="Slope of the logarithms over seven sizes of the log; within a tenth of 1 counts.",
    )  # fmt: skip
    found = study.potential
    if found is None:
        chapter.verdict(
            id="liu-tags-buying-potential",
            claim="Users left by the filter of tags have the greater potential to buy",
            place="Liu, section 4.2, Table 3", paper="claimed, no figure", ours="no tag is kept",
            verdict="undecided", why="No tag tells the groups apart beyond luck on this log.",
        )  # fmt: skip
        return
    favours = "first" if found.low > 0 else "second" if found.high < 0 else "neither"
    chapter.verdict(
        id="liu-tags-buying-potential",
        claim="Users left by the filter of tags have the greater potential to buy",
        place="Liu, section 4.2, Table 3", paper="claimed, no figure",
        ours=f"{found.rate_left:.1%} of those left, {found.rate:.1%} of all came",
        verdict=verdict_of(favours, first_claimed=True, simulated=simulated),
        why="Tags were chosen on one month and tried on the next; as many users with the most tags "
        f"of any kind: {found.rate_most:.1%}.",
    )  # fmt: skip


def audience_verdicts(chapter: Chapter, table4: pd.DataFrame | None, table5: pd.DataFrame) -> None:
    """Record what Tables 4 and 5 say of who is predicted, and of whom to write to."""
    simulated = chapter.run.source.simulated
    if table4 is not None:
        told = table4[table4["candidates"] > 0]
        outside = (told["share_candidates"] < told["low"]) | (
            told["share_candidates"] > told["high"]
        )
        parts = [f"{distance_of_shares(table4, t)[1]:.1%} by {t}" for t in ("gender", "age")]
        theirs = [f"{distance_of_shares(table4, t)[0]:.2%} by {t}" for t in ("gender", "age")]
        chapter.verdict(
            id="liu-predicted-mirror-users",
            claim="The predicted users have the gender and age of all users",
            place="Liu, Table 4", paper=f"shares apart by {listed(theirs)}",
            ours=f"shares apart by {listed(parts)}",
            verdict=verdict_of(
                # one group of ten outside its interval is what luck alone may bring
                ("first", "neither")[outside.sum()] if outside.sum() < 2 else "second",
                first_claimed=True, simulated=simulated,
            ),
            why=f"{int(outside.sum())} of {len(told)} groups have a share among all candidates "
            "that lies outside the interval of their share among the predicted.",
        )  # fmt: skip
    ahead = int((table5["low"] > table5["general"]).sum())
    behind = int((table5["high"] < table5["general"]).sum()) if "high" in table5 else 0
    favours = "second" if behind else "first" if ahead == len(table5) else "neither"
    ratio = paper("liu", "section43.precision_mean") / paper("liu", "section43.general_mean")
    chapter.verdict(
        id="liu-targeting-finds-more",
        claim="In every month those whom the network picks respond more than others",
        place="Liu, section 4.3, Table 5", paper=f"ratio of the means {ratio:.2f}",
        ours=f"ratio {table5['lift'].min():.2f} to {table5['lift'].max():.2f}, "
        f"{ahead} of {len(table5)} months beyond chance",
        verdict=verdict_of(favours, first_claimed=True, simulated=simulated),
        why="Who would have been written to, by their outcome; nothing is said of what a message "
        f"adds (mean gap {signed(float(np.mean(table5['precision'] - table5['general'])))}).",
    )  # fmt: skip
