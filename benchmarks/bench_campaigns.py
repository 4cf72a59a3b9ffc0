"""Speed of campaigns: budgets over many cells, rules over many moments, interrupted series."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import figure, seconds
from precmark.strategy import crm, placement, response, rules, series


def market(channels: int, segments: int, seed: int = 0) -> tuple[placement.Market, np.ndarray]:
    """Cells of every channel, hour of the day and segment, and their rates."""
    rng = np.random.default_rng(seed)
    names = pd.MultiIndex.from_product(
        [[f"c{i}" for i in range(channels)], [f"{h} h" for h in range(24)],
         [f"s{i}" for i in range(segments)]], names=response.CELL,
    )  # fmt: skip
    cells = names.to_frame(index=False)
    cells["contacts"] = rng.integers(20, 2_000, len(cells))
    cells["price"] = rng.uniform(0.5, 3, len(cells))
    steps = ((1.0, 1.0), (1.0, 0.5), (2.0, 0.25))
    return placement.Market(cells, steps), rng.beta(2, 60, len(cells))


def moments(count: int, seed: int = 0) -> pd.DataFrame:
    """Made-up moments of a tenth as many users in time order."""
    rng = np.random.default_rng(seed)
    visits = rng.poisson(1.5, count)
    at = pd.Timestamp("2024-01-01", tz="UTC").as_unit("us")
    at = at + pd.to_timedelta(np.sort(rng.integers(0, 31_536_000, count)), unit="s")
    return pd.DataFrame(
        {
            "user_code": rng.integers(0, count // 10, count),
            "timestamp": at,
            "visits_before": visits, "purchases_before": rng.binomial(visits, 0.2),
            "baskets_before": rng.gamma(0.3, 2, count), "days_since_visit": rng.gamma(1, 15, count),
            "days_since_purchase": rng.gamma(1, 30, count), "hour": rng.integers(0, 24, count),
            "bought": rng.integers(0, 2, count),
        }
    )  # fmt: skip


def run(scale: str = "full") -> list[dict]:
    full = scale == "full"
    bought, rate = market(*((40, 10) if full else (4, 3)))
    budget = 0.3 * float(bought.room[:, 0].sum())
    limits = placement.Limits(most={"c0": 0.1}, reach={"s0": float(bought.cells.contacts[0])})
    allocated = seconds(lambda: placement.allocate(bought, rate, budget, limits), 3)
    count = 1_000_000 if full else 10_000
    made, book = moments(count), rules.load_rules()
    played = seconds(lambda: crm.play(made, book), 2)
    y = 100 + np.random.default_rng(1).normal(0, 5, 52)
    turns = 200 if full else 10
    fitted = seconds(lambda: [series.interrupted(y, 31, lags=3) for _ in range(turns)], 3)
    return [
        figure(f"budget over {len(bought.cells):,} cells in three steps", allocated, "s", "lower"),
        figure(f"rules played over {count:,} moments", played, "s", "lower"),
        figure("interrupted series of a year of weeks", 1000 * fitted / turns, "ms", "lower"),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
