"""What the churn chapters conclude about the papers' claims, and the figures that they quote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.churn.quality import judged
from precmark.churn.sentences import AP, gap, listed, segment_gap, versus_boosting
from precmark.claims import paper

if TYPE_CHECKING:
    from precmark.chapters import Chapter
    from precmark.churn.fits import Comparison
    from precmark.sequences import Sequences


def verdict_of(favours: str, *, first_claimed: bool, simulated: bool) -> str:
    """A verdict on a claim that one model is better, from whom the interval favours.

    Parameters
    ----------
    favours : {"first", "second", "neither"}
    first_claimed : bool
        Whether the claim is about the first of the two.
    simulated : bool
        A claim that holds in a simulated store holds if its world is assumed.
    """
    if favours == "neither":
        return "undecided"
    if (favours == "first") != first_claimed:
        return "not reproduced"
    return "holds if assumed" if simulated else "reproduced"


def architecture_verdicts(chapter: Chapter, against: pd.DataFrame) -> None:
    """Record what chapter 04 concludes: attention, equation 10."""
    chapter.verdict(
        id="gu-equation10-outputs",
        claim="The network's output is a churn score", place="Gu, equation 10",
        paper=f"{paper('gu', 'section5.joints'):.0f} outputs, torques of joints",
        ours="one logit", verdict="internally inconsistent",
        why="Equation 10 describes a robot's joints; a churn score needs one output.",
    )  # fmt: skip
    claims = {
        "no-attention": ("attention", "Attention to channels and steps improves the network"),
        "no-lstm": ("lstm", "The LSTM after the convolutions improves the network"),
    }
    rows = judged(against).set_index("model")
    simulated = chapter.run.source.simulated
    for name, (part, claim) in claims.items():
        if name not in rows.index:
            continue
        row = rows.loc[name]
        chapter.verdict(
            id=f"gu-{part}-improves-network",
            claim=claim, place="Gu, section 4.2", paper="claimed, no figure",
            ours=f"without it, {AP} {gap(row)}",
            verdict=verdict_of(row.favours, first_claimed=False, simulated=simulated),
            why="The difference between the network without the part and the whole, on the same "
            "decisions.",
        )  # fmt: skip


def comparison_verdicts(
    chapter: Chapter,
    quality: pd.DataFrame | None,
    against: pd.DataFrame | None,
    by_segment: pd.DataFrame | None,
    published: pd.DataFrame,
) -> None:
    """Record what chapter 05 concludes: Figure 3, segments, Liu's Table 2."""
    wrong = published[~published["agree"]]
    chapter.verdict(
        id="liu-table2-mcc",
        claim="Four networks' sensitivity, specificity, accuracy and Matthews correlation",
        place="Liu, Table 2",
        paper=listed(f"{v:.2f}" for v in published["printed MCC"]),
        ours=listed(f"{v:.2f}" for v in published["implied MCC"]),
        verdict="internally inconsistent" if len(wrong) else "reproduced",
        why="The Matthews correlation follows from the other three rates, and is not the printed "
        f"one in {len(wrong)} of {len(published)} rows.",
    )  # fmt: skip
    if against is None or quality is None:
        return
    simulated = chapter.run.source.simulated
    rows = judged(against)
    _figure_3(chapter, rows, simulated)
    boosting = rows[rows.model == "histogram-boosting"]
    if len(boosting):
        chapter.verdict(
            id="gu-network-is-the-model-to-use",
            claim="The network is the model to use", place="Gu, conclusion",
            paper="not compared with gradient boosting", ours=gap(boosting.iloc[0]),
            verdict=verdict_of(
                boosting.favours.iloc[0], first_claimed=False, simulated=simulated
            ),
            why=versus_boosting(against),
        )  # fmt: skip
    if by_segment is not None and "c-att-lstm" in set(by_segment.model):
        row = by_segment[by_segment.model == "c-att-lstm"].iloc[0]
        chapter.verdict(
            id="gu-segment-models-predict-better",
            claim="One model a segment predicts better than one for all", place="Gu, section 5.3",
            paper="claimed, no figure", ours=f"{AP} {segment_gap(row)}",
            verdict=verdict_of(row.favours, first_claimed=True, simulated=simulated),
            why="C-ATT-LSTM by segment minus pooled, on the same decisions.",
        )  # fmt: skip


RIVALS = ("lr-rf-leaves", "lr-rf-stacked", "ann", "adaboost", "gp-adaboost")
"""The rivals of the paper's Figure 3, as far as its text names them."""


def _figure_3(chapter: Chapter, rows: pd.DataFrame, simulated: bool) -> None:
    """The claim that all rivals of Figure 3 do worse than the network."""
    rivals = rows[rows.model.isin(RIVALS)]
    if rivals.empty:
        return
    beaten = rivals[rivals.favours == "second"]
    better = rivals[rivals.favours == "first"]
    favours = "second" if len(beaten) == len(rivals) else "first" if len(better) else "neither"
    chapter.verdict(
        id="gu-figure3-network-best",
        claim="C-ATT-LSTM beats LR-RF, ANN and AdaBoost", place="Gu, Figure 3",
        paper="all beaten, no value printed",
        ours=f"{len(beaten)} of {len(rivals)} worse, {len(better)} better",
        verdict=verdict_of(favours, first_claimed=False, simulated=simulated),
        why=f"By {AP} on the test part; worse by more than chance: "
        f"{listed(beaten.title) if len(beaten) else 'none'}.",
    )  # fmt: skip


def architecture_figures(
    sequences: Sequences,
    costs: pd.DataFrame,
    fields: Mapping[str, int],
    trained: Comparison,
    against: pd.DataFrame,
) -> dict[str, str]:
    """The values that chapter 04 quotes in its prose, by key, formatted."""
    total = costs["multiply-adds"].sum()
    dearest = costs.loc[costs["multiply-adds"].idxmax()]
    rows = judged(against)
    return {
        "steps": f"{sequences.task.steps:,}",
        "padded": f"{1 - sequences.mask.mean():.0%}",
        "parameters": f"{costs.parameters.sum():,}",
        "macs": f"{total:,}",
        "dearest": str(dearest.layer),
        "dearest_share": f"{dearest['multiply-adds'] / total:.0%}",
        "conv_field": f"{_two_convolutions(fields):,}",
        "variants": f"{trained.fits.model.nunique():,}",
        "learning_rate": f"{paper('gu', 'section5.learning_rate'):g}",
        "epochs": f"{paper('gu', 'section5.epochs'):g}",
        "batch": f"{paper('gu', 'section5.batch_size'):g}",
        "answer": _architecture_answer(sequences, costs, rows),
    }


def _two_convolutions(fields: Mapping[str, int]) -> int:
    """Steps that two convolutions like the first see together, without attention between them."""
    first = next(iter(fields.values()))
    return 2 * first - 1


def _architecture_answer(sequences: Sequences, costs: pd.DataFrame, rows: pd.DataFrame) -> str:
    needed = rows[rows.favours == "second"].title
    text = (
        f"It is a network of {costs.parameters.sum():,} parameters that reads at most "
        f"{sequences.task.steps} steps of {len(sequences.channels)} channels, nothing of which "
        "lies after the decision. "
    )
    if len(needed):
        return text + f"On these data these variants are worse than the whole: {listed(needed)}."
    spread = float(np.nanmax(np.abs(rows.difference))) if len(rows) else 0.0
    return text + (
        "On these data no part of it can be shown to earn its place: leaving any out changes "
        f"average precision by at most {spread:.3f}, within what chance does."
    )
