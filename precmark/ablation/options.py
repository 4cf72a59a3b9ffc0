"""The options of the ablation as data: the paper's Table 5, two rivals, and the full factorial."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from precmark.claims import paper


@dataclass(frozen=True)
class Option:
    """One way of choosing who gets which coupon.

    Attributes
    ----------
    name : str
        Key in tables: ``"1"`` to ``"6"``, ``"6 profit"``, or a cell such as ``"seg1-risk1-rec0"``.
    title : str
        In words, for figures.
    segments, risk, recommendation : bool
        The three components of Table 5: user segments, the C-ATT-LSTM risk score, the hybrid
        recommender for the coupon's category. Meaningless (False) for the oracles.
    kind : {"risk", "uplift", "oracle"}
        Whether users are chosen by risk (or lot), by estimated uplift, or by the truth.
    objective : str
        What an oracle maximises: ``conversions``, ``profit`` or ``net_30d``; for uplift the
        learner, ``doubly robust`` or ``T-learner``; else empty.
    printed : str
        Which option's printed distribution rate it takes under the paper's rates: ``"1"`` to
        ``"4"``.
    """

    name: str
    title: str
    segments: bool = False
    risk: bool = False
    recommendation: bool = False
    kind: str = "risk"
    objective: str = ""
    printed: str = "4"

    @property
    def printed_rate(self) -> float:
        """Coupons a session under the paper's rates (its Table 7), 0 to 1."""
        return paper("gu", f"table7.option{self.printed}_rate")

    @property
    def cell(self) -> str:
        """Name of the factorial cell with the same components; empty for uplift and oracles."""
        return cell_name(self.segments, self.risk, self.recommendation) * (self.kind == "risk")


def cell_name(segments: bool, risk: bool, recommendation: bool) -> str:
    """Name of a factorial cell, e.g. ``"seg1-risk0-rec1"``."""
    return f"seg{segments:d}-risk{risk:d}-rec{recommendation:d}"


OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option("1", "1: by lot", printed="1"),
        Option("2", "2: risk, recommender", risk=True, recommendation=True, printed="2"),
        Option("3", "3: segments, risk", segments=True, risk=True, printed="3"),
        Option("4", "4: the whole system", segments=True, risk=True, recommendation=True),
        Option(
            "5", "5: estimated uplift", risk=True, recommendation=True, kind="uplift",
            objective="doubly robust",
        ),
        Option(
            "5 T-learner", "5: uplift, T-learner", risk=True, recommendation=True, kind="uplift",
            objective="T-learner",
        ),
        Option("6", "6: oracle, conversions", kind="oracle", objective="conversions"),
        Option("6 profit", "6: oracle, profit", kind="oracle", objective="profit"),
        Option("6 net_30d", "6: oracle, 30-day net", kind="oracle", objective="net_30d"),
    )
}  # fmt: skip
"""The paper's options 1 to 4 exactly as its Table 5 lists them, then estimated uplift (5) and the
truth (6, one for each objective) as rivals."""

_PARTS = ("segments", "risk", "recommender")

FACTORIAL: dict[str, Option] = {
    cell_name(*on): Option(
        cell_name(*on),
        " + ".join(part for part, used in zip(_PARTS, on, strict=True) if used) or "nothing",
        *on,
    )
    for on in product((False, True), repeat=3)
}
"""All eight combinations of the three components; the paper's Table 5 fills four of them."""
