"""Speed of the ablation: replications of a future's outcomes, and the oracle."""

from __future__ import annotations

import time

import numpy as np

from benchmarks import figure
from precmark.ablation import Future, expected, future_of, oracle, replicate
from precmark.ablation.budget import Cutoff, Ranked, apply_budget
from precmark.simulate import CATEGORIES, Config, simulate

_RATE = 0.012
"""Coupons a session, about the paper's for option 4."""


def policy(future: Future, seed: int) -> np.ndarray:
    """Coupons by lot, at about the paper's rate, one a user in 7 days."""
    rng = np.random.default_rng(seed)
    n = len(future)
    score = rng.random(n)
    cut = Cutoff(1 - _RATE * future.sessions / n, 0.0, 0.0, 0.0)
    given = apply_budget(Ranked(score, rng.random(n), future.user, future.at_us), cut)
    return np.where(given, rng.integers(0, CATEGORIES, n), -1).astype(np.int8)


def seconds(work, repeats: int = 3) -> float:
    """Fastest of `repeats` timings of `work()`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def run(scale: str = "full") -> list[dict]:
    size = "book" if scale == "full" else "sample"
    replications = 200 if scale == "full" else 20
    config = Config(scale=size, seed=11, coupon_share=0)
    future = future_of(simulate(size, seed=11, coupon_share=0), config)
    n = f"{len(future):,} decisions"
    policies = {str(i): policy(future, i) for i in range(16)}
    world = "persuadable_risk"
    one = {"0": policies["0"]}
    alone = seconds(lambda: replicate(future, one, world, replications=replications))
    many = seconds(lambda: replicate(future, policies, world, replications=replications), 1)
    budget = round(_RATE * future.sessions)
    best = seconds(lambda: oracle(future, world, "profit", budget=budget))
    exact = seconds(lambda: expected(future, policies["0"], world))
    wanted = 200 if scale == "full" else None
    return [
        figure(
            f"outcome replications, one policy, {n}", replications / alone, "1/s", target=wanted
        ),
        figure(
            f"outcome replications a policy, 16 policies, {n}",
            16 * replications / many, "1/s", target=wanted,
        ),
        figure(f"true expected outcome of a policy, {n}", exact, "s", "lower"),
        figure(f"oracle for profit, {n}", best, "s", "lower"),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
