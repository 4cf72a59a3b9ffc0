"""Speed of the map: training, and the assignment of every user to a segment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import seconds
from precmark.segments import SomSegments, StickinessSegments


def profile_of(users: int, features: int = 40, seed: int = 0) -> pd.DataFrame:
    """A made-up profile: skewed counts with a common part, most users barely active."""
    rng = np.random.default_rng(seed)
    common = rng.gamma(0.5, 2, users)[:, None]
    counts = rng.poisson(common * rng.gamma(2, 0.5, features)).astype(float)
    frame = pd.DataFrame(counts, columns=[f"count{j}" for j in range(features)])
    days = np.minimum(rng.poisson(common[:, 0]), 30)
    return frame.assign(active_days_30=days, views_30=days * rng.integers(1, 9, users))


def run(scale: str = "full") -> list[dict]:
    largest = 100_000 if scale == "full" else 10_000
    profile = profile_of(largest)
    som = SomSegments()
    fit_s = seconds(lambda: som.fit(profile), repeats=1)
    small, large = (
        seconds(lambda n=n: som.predict(profile.iloc[:n])) for n in (largest // 10, largest)
    )
    stickiness_s = seconds(lambda: StickinessSegments().fit_predict(profile), repeats=1)
    # fitting standardises, trains, and assigns everybody once: the rate counts all of that
    learnt = min(largest, som.max_rows) * som.passes
    return [
        figure("map fitted and assigned", fit_s + large, "s", "lower", users=largest),
        figure(
            "rows shown to the map while fitting", learnt / fit_s, "rows/s", "higher", users=largest
        ),
        figure(
            "assignment to the map's segments", largest / large, "users/s", "higher", users=largest
        ),
        figure(
            "growth of the assignment", np.log10(large / small), "exponent", "lower", target=1.05
        ),
        figure("stickiness fitted and assigned", stickiness_s, "s", "lower", users=largest),
    ]


def figure(
    name: str, value: float, unit: str, better: str, *, users: int = 0, target: float | None = None
) -> dict:
    name = f"{name}, {users:,} users" if users else name
    return {"name": name, "value": float(value), "unit": unit, "target": target, "better": better}


if __name__ == "__main__":
    for row in run():
        print(row)
