"""Speed of the statistical models: pairs, logistic reports, panels, the penalised likelihood."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import figure, seconds
from precmark.statistics import (
    count_pairs,
    fit_logistic,
    fixed_effects,
    outlets,
    panel_of,
    pooled_ols,
)
from precmark.statistics.outlets import EFFECTS


def customers(rows: int, columns: int = 10, seed: int = 0) -> pd.DataFrame:
    """Normal columns ``x0`` ... and an outcome ``y`` that is logistic in them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    eta = X @ np.linspace(-1, 1, columns) - 1
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(columns)])
    return frame.assign(y=(rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(int))


def library(frame: pd.DataFrame):
    """linearmodels' fixed effects on the same panel."""
    from linearmodels.panel import PanelOLS

    table = frame.assign(constant=1.0).set_index(["outlet", "month"])
    model = PanelOLS(table.sales, table[["constant", *EFFECTS]], entity_effects=True)
    return model.fit(cov_type="clustered", cluster_entity=True)


def run(scale: str = "full") -> list[dict]:
    rows, stores = (1_000_000, 7_000) if scale == "full" else (20_000, 300)
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 2, rows), rng.random(rows)
    people = customers(rows // 10)
    names = [c for c in people.columns if c != "y"]
    chain = outlets(stores=stores)
    panel = panel_of(chain, unit="outlet", period="month", outcome="sales", columns=EFFECTS)
    few = people.head(2_000)
    ours = seconds(lambda: fixed_effects(panel))
    theirs = seconds(lambda: library(chain), 2)  # the first loads it
    what = f"{len(chain):,} rows of {stores:,} outlets"
    return [
        figure(f"concordant, discordant and tied pairs of {rows:,} rows",
               seconds(lambda: count_pairs(y, p)), "s", "lower"),
        figure(f"logistic report, {len(people):,} rows x {len(names)} columns",
               seconds(lambda: fit_logistic(people, "y", names)), "s", "lower"),
        figure(f"penalised likelihood with profile intervals, {len(few):,} rows x 5 columns",
               seconds(lambda: fit_logistic(few, "y", names[:5], penalise=True), 1), "s", "lower"),
        figure(f"pooled OLS with clustered errors, {what}", seconds(lambda: pooled_ols(panel)),
               "s", "lower"),
        figure(f"fixed effects with clustered errors, {what}", ours, "s", "lower"),
        figure(f"fixed effects, {what}: linearmodels from the same frame / ours from the panel",
               theirs / ours),
        figure(f"two-way fixed effects, {what}",
               seconds(lambda: fixed_effects(panel, periods=True), 1), "s", "lower"),
    ]  # fmt: skip
