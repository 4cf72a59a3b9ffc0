"""The chapter's panels in one go: every world by every method, and the run's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from precmark.errors import InputError
from precmark.statistics.diagnostics import diagnose
from precmark.statistics.outlets import EFFECTS, WORLDS, by_kind, outlets
from precmark.statistics.own_panel import OwnPanel, own_panel
from precmark.statistics.panel import (
    Panel,
    fixed_effects,
    panel_of,
    pooled_ols,
    random_effects,
    side_by_side,
)

if TYPE_CHECKING:
    from precmark.runs import Run

KINDS = ("type", "area", "stars", "orientation")
"""What the paper's Tables 2, 3 and 4 group stores by, and what its text on Table 1 does."""


@dataclass(frozen=True)
class PanelStudy:
    """A panel regressed in every way.

    Attributes
    ----------
    coefficients : pandas.DataFrame
        ``method`` ("pooled OLS", "fixed effects", "two-way fixed effects", "random effects"),
        ``term``, ``estimate``, ``error``, ``t``, ``p``, ``low``, ``high``.
    tests : pandas.DataFrame
        From :func:`precmark.statistics.diagnostics.diagnose`.
    absorbed : tuple of str
        Columns that do not change within units.
    rows, units, periods : int
    """

    coefficients: pd.DataFrame
    tests: pd.DataFrame
    absorbed: tuple[str, ...]
    rows: int
    units: int
    periods: int


def study_panel(panel: Panel) -> PanelStudy:
    """`panel` by pooled least squares, fixed, two-way fixed and random effects, with the tests."""
    pooled, fixed, random = pooled_ols(panel), fixed_effects(panel), random_effects(panel)
    fits = [pooled, fixed, fixed_effects(panel, periods=True), random]
    return PanelStudy(
        side_by_side(fits), diagnose(panel, pooled, fixed, random), fixed.absorbed, len(panel.y),
        len(panel.units), len(panel.periods),
    )  # fmt: skip


@dataclass(frozen=True)
class Worlds:
    """What Tables 2 to 4 and the regressions show in each simulated world.

    Attributes
    ----------
    kinds : pandas.DataFrame
        ``world``, ``by`` (of :data:`KINDS`), ``kind``, ``stores``, ``share``, ``display``,
        ``sales``.
    coefficients : pandas.DataFrame
        ``world``, ``truth`` and the columns of :class:`PanelStudy`.
    tests : pandas.DataFrame
        ``world`` and the columns of :func:`precmark.statistics.diagnostics.diagnose`.
    rows, stores, months : int
    """

    kinds: pd.DataFrame
    coefficients: pd.DataFrame
    tests: pd.DataFrame
    rows: int
    stores: int
    months: int


def study_worlds(
    worlds: Iterable[str] = tuple(WORLDS), *, stores: int | None = None, seed: int = 0
) -> Worlds:
    """Every world's outlets by kind and by regression; `stores` as in :func:`outlets`."""
    kinds, coefficients, tests = [], [], []
    for name in worlds:
        frame = outlets(name, stores=stores, seed=seed)
        for by in KINDS:
            kinds.append(by_kind(frame, by).astype({"kind": str}).assign(world=name, by=by))
        found = study_panel(
            panel_of(frame, unit="outlet", period="month", outcome="sales", columns=EFFECTS)
        )
        truth = found.coefficients.term.map(WORLDS[name].effects)
        coefficients.append(found.coefficients.assign(world=name, truth=truth))
        tests.append(found.tests.assign(world=name))
    return Worlds(
        pd.concat(kinds, ignore_index=True)[
            ["world", "by", "kind", "stores", "share", "display", "sales"]
        ],
        pd.concat(coefficients, ignore_index=True), pd.concat(tests, ignore_index=True),
        found.rows, found.units, found.periods,
    )  # fmt: skip


def own_study(run: Run) -> tuple[OwnPanel, PanelStudy] | str:
    """The run's own panel in every way, or why there is none, in a sentence."""
    own = own_panel(run)
    if isinstance(own, str):
        return own
    try:
        return own, study_own(own)
    except InputError as error:
        return f"{run.source.title} makes no panel to regress: {error}"


def study_own(own: OwnPanel) -> PanelStudy:
    """The run's own panel in every way."""
    return study_panel(
        panel_of(own.frame, unit="unit", period="week", outcome=own.outcome, columns=own.columns)
    )
