"""Clusters with names, and where each customer stands in the life of one (You, section 4.4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.segments import LifecycleRules, SomSegments, lifecycle, personas
from precmark.segments.compare import wilson

if TYPE_CHECKING:
    from precmark.runs import Run
    from precmark.segments import Personas
    from precmark.strategy.predictions import Snapshot

STAGES = {
    "new": "introduction: new users",
    "active": "maturity: active users",
    "declining": "decline: the imminent loss",
    "lapsed": "(not in the paper: gone)",
}
"""Our labels, and the paper's three stages."""

MAP_ROWS = 4000
"""Customers that the map is trained on; all of them are placed."""


@dataclass(frozen=True)
class Portraits:
    """Customers by cluster and stage as of an origin, and what came after it.

    Attributes
    ----------
    customers : pandas.DataFrame
        ``user_code``, ``segment`` (1 to k), ``persona``, ``stage``; ``comes``, ``buys`` (in the
        days from the origin on).
    personas : Personas
        See :func:`precmark.segments.personas`.
    rules : LifecycleRules
    days : int
    """

    customers: pd.DataFrame
    personas: Personas
    rules: LifecycleRules
    days: int


def portraits(
    run: Run, snapshot: Snapshot, days: int, *, n_segments: int = 5, seed: int = 0
) -> Portraits:
    """Clusters by the map of chapter 03 and stages by its rules, both as of the snapshot's origin.

    Parameters
    ----------
    run : Run
        For the visits before the origin.
    snapshot : Snapshot
        Its outcomes are attached, never used.
    days : int
        Of the outcomes.
    n_segments, seed : int
    """
    from precmark.sequences.customer_log import instant

    profile = snapshot.profile
    fitted = SomSegments(n_segments=n_segments, max_rows=MAP_ROWS, seed=seed).fit(profile)
    labels = np.asarray(fitted.predict(profile))
    named = personas(profile, labels, fitted.state_.space)
    rules = LifecycleRules(recent_days=30.0, lapse_days=90.0)
    now = instant(snapshot.origin, run.source.timezone)
    visits = run.table("sessions/sessions", ["user_code", "start"])
    stage = lifecycle(visits, profile.user_code, as_of=now, rules=rules).lifecycle
    name = named.table.set_index("segment").persona
    made = snapshot.outcomes[["user_code", "comes", "buys"]].assign(
        segment=labels, persona=name.reindex(labels).to_numpy(), stage=stage.to_numpy()
    )
    return Portraits(made, named, rules, days)


def rates(found: Portraits, by: str, outcome: str) -> pd.DataFrame:
    """The share with `outcome` in each group of customers.

    Parameters
    ----------
    by : str
        ``"stage"`` or ``"persona"``.
    outcome : str
        ``"comes"`` or ``"buys"``.

    Returns
    -------
    pandas.DataFrame
        ``group`` (stages in their order, personas by size), ``customers``, ``share`` (of all),
        ``rate``, ``low``, ``high`` (95 % Wilson).
    """
    grouped = found.customers.groupby(by)[outcome]
    count = grouped.size()
    order = (
        [s for s in STAGES if s in count]
        if by == "stage"
        else list(count.sort_values(ascending=False, kind="stable").index)
    )
    count, hits = count.loc[order], grouped.sum().loc[order]
    low, high = wilson(hits.to_numpy(), count.to_numpy())
    return pd.DataFrame(
        {
            "group": order,
            "customers": count.to_numpy(),
            "share": count.to_numpy() / len(found.customers),
            "rate": (hits / count).to_numpy(),
            "low": low,
            "high": high,
        }
    )


def crossed(found: Portraits) -> pd.DataFrame:
    """Customers by persona (rows) and stage (columns, in their order)."""
    table = pd.crosstab(found.customers.persona, found.customers.stage)
    table = table.reindex(columns=[s for s in STAGES if s in table])
    order = table.sum(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order].rename_axis(index="persona", columns=None)


def stages_table(found: Portraits) -> pd.DataFrame:
    """The paper's stages beside our rules, in words."""
    said = found.rules.sentences()
    share = found.customers.stage.value_counts(normalize=True)
    return pd.DataFrame(
        [(STAGES[stage], stage, said[stage], f"{share.get(stage, 0.0):.1%}") for stage in STAGES],
        columns=["the paper", "ours", "rule, the first that holds", "customers"],
    )
