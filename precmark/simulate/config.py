"""What a simulated store is asked to be: its scale, its world and its parameters."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from precmark.claims import paper
from precmark.errors import InputError, Problem

CATEGORIES = 18
"""Product categories of the store (the paper's section 5.1)."""

PRODUCTS = 743
"""Products of the store (the paper's section 5.1)."""

WINDOW_S = 9_000
"""The coupon's life and the outcome's window: 2.5 hours."""

COUPON_SPACING_DAYS = 7
"""One coupon a user in this many days."""

DISCOUNT = 0.15
"""Off the lines of the coupon's category."""

DECISIONS_PER_DAY = 2_258.0
"""Decisions a day at full traffic, for turning a number of decisions into a traffic share."""

SCALES: dict[str, float] = {
    "classroom": 2_000 / (365 * DECISIONS_PER_DAY),
    "sample": 10_000 / (365 * DECISIONS_PER_DAY),
    "book": 100_000 / (365 * DECISIONS_PER_DAY),
    "paper": 1.0,
}
"""Share of the published traffic. Fewer users, never a shorter calendar."""

WORLDS = ("persuadable_risk", "lost_causes", "sure_things", "orthogonal", "no_effect")
"""Who responds to a coupon; see :func:`precmark.simulate.response`."""


@dataclass(frozen=True)
class Config:
    """Everything that decides a simulated store; equal configurations give equal bits.

    Attributes
    ----------
    scale : str
        Key of :data:`SCALES`.
    world : str
        One of :data:`WORLDS`.
    seed : int
        0 or more.
    order_share : float
        Share of the explained variance of the purchase logit that comes from order and gaps of
        clicks, 0 to 1; the rest comes from totals and recency.
    taste_match : float
        ``l`` in m_ic = 1 - l + 18 l pi_ic, 0 to 1.
    effect : float
        ``A``, mean effect of a coupon on the purchase probability, 0 to 0.1.
    k : int
        A decision falls on the k-th click, 2 to 10.
    best_auroc : float
        auROC of the best possible risk score, 0.7 to 0.9.
    conversion : float
        Share of sessions that buy, 0.01 to 0.05.
    coupon_share : float
        Share of eligible decisions of the training period that get a random coupon, 0 to 0.5.
    training_share : float
        The training period's share of the calendar, 0.1 to 1.
    start : datetime.date
        First day of the log, in the store's time zone.
    days : int
        Days of the log.
    burn_in_days : int
        Days before the log from which returning visitors come.
    """

    scale: str = "sample"
    world: str = "persuadable_risk"
    seed: int = 1
    order_share: float = 0.5
    taste_match: float = 0.25
    effect: float = 0.009
    k: int = 3
    best_auroc: float = 0.80
    conversion: float = 0.025
    coupon_share: float = 0.10
    training_share: float = 0.6
    start: dt.date = dt.date(2024, 7, 1)
    days: int = 365
    burn_in_days: int = 180

    def __post_init__(self) -> None:
        problems = [
            Problem(f"{name}: {getattr(self, name)!r} is none of {', '.join(allowed)}", fix)
            for name, allowed, fix in (
                ("scale", tuple(SCALES), "Choose one of these scales."),
                ("world", WORLDS, "Choose one of these worlds."),
            )
            if getattr(self, name) not in allowed
        ]
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                problems.append(
                    Problem(f"{name}: {value!r} is outside {low} to {high}", "Use a value inside.")
                )
        problems += [
            Problem(f"{name}: {getattr(self, name)!r} is not a whole number", "Use one.")
            for name in ("seed", "k", "days", "burn_in_days")
            if isinstance(getattr(self, name), float)
        ]
        if problems:
            raise InputError(problems)

    @property
    def traffic(self) -> float:
        """Share of the published traffic, 0 to 1."""
        return SCALES[self.scale]

    @property
    def basket_mean(self) -> float:
        """Mean value of an order in yuan: published sales a day over orders a day."""
        orders = paper("gu", "table4.sessions_per_day") * self.conversion
        return paper("gu", "section5.sales_per_day") / orders


_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "order_share": (0, 1),
    "taste_match": (0, 1),
    "effect": (0, 0.1),
    "k": (2, 10),
    "best_auroc": (0.7, 0.9),
    "conversion": (0.01, 0.05),
    "coupon_share": (0, 0.5),
    "training_share": (0.1, 1),
    "days": (60, 3_650),
    "burn_in_days": (0, 3_650),
}
