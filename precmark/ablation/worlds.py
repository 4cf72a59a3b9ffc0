"""The worlds that a future is played in: who responds to a coupon, and by how much (chapter 07)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precmark.ablation.truth import Future
from precmark.errors import InputError, Problem
from precmark.simulate import WORLDS, pulled_forward_share, treatment_effect

WORLDS_IN_ORDER = ("no_effect", *(w for w in WORLDS if w != "no_effect"))
"""Names of all worlds, the one without any effect first."""


@dataclass(frozen=True)
class World:
    """A world in which coupons are tried.

    Attributes
    ----------
    name : str
        One of :data:`WORLDS_IN_ORDER`; see :func:`precmark.simulate.response`.
    taste_match : float
        ``l`` in m_ic = 1 - l + 18 l pi_ic, 0 to 1.
    effect : float
        ``A``, mean effect of a coupon on the purchase probability, 0 to 1.
    """

    name: str
    taste_match: float = 0.25
    effect: float = 0.009

    def __post_init__(self) -> None:
        problems = []
        if self.name not in WORLDS_IN_ORDER:
            fix = f"Use one of {', '.join(WORLDS_IN_ORDER)}."
            problems.append(Problem(f"world: there is no {self.name!r}", fix))
        for field in ("taste_match", "effect"):
            if not 0 <= getattr(self, field) <= 1:
                value = getattr(self, field)
                problems.append(Problem(f"{field}: {value!r} is outside 0 to 1", "Use a share."))
        if problems:
            raise InputError(problems)

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")

    @property
    def pulled_forward(self) -> float:
        """Share of extra purchases that would have come within 30 days anyway, 0 to 1."""
        return pulled_forward_share(self.name)

    def tau(
        self, future: Future, at: np.ndarray | None = None, category: np.ndarray | None = None
    ) -> np.ndarray:
        """The true effect of a coupon on the purchase probability.

        Parameters
        ----------
        future : Future
        at : array of int, shape (m,), optional
            Positions of decisions; all where left out.
        category : array of int, shape (m,), or int, optional
            The coupon's category; every category where left out.

        Returns
        -------
        array of float64, shape (m,) or (m, 18)
        """
        rows = future.decisions if at is None else future.decisions.iloc[at]
        return treatment_effect(
            rows, future.users, world=self.name, category_index=category,
            taste_match=self.taste_match, effect=self.effect,
        )  # fmt: skip


def as_world(world: World | str) -> World:
    """`world`, or the one of that name with its usual effect and taste match."""
    return World(world) if isinstance(world, str) else world
