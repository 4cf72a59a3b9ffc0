"""The ablation: speed of outcomes and of the oracle, and of whole studies of the sample.

The whole study is timed on a copy of ``runs/sample`` with nothing kept, so that its networks are
trained again; the interval of option 4 less option 3 over 5 futures and 3 trainings keeps them in
that run's cache. Both are left out where ``make book`` has not made the run.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import figure, seconds
from precmark.ablation import Future, expected, future_of, oracle, replicate
from precmark.ablation.averages import averaged_difference, replicated
from precmark.ablation.budget import Cutoff, Ranked, apply_budget
from precmark.ablation.study import study
from precmark.runs import Run
from precmark.simulate import CATEGORIES, Config, simulate

SAMPLE = Path("runs/sample")

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
    rows = [
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
    if scale == "full" and (SAMPLE / "results" / "ablation").exists():
        rows += whole_study(SAMPLE) + half_width(SAMPLE)
    return rows


def whole_study(folder: Path) -> list[dict]:
    """Seconds of the whole ablation of a copy of the run in `folder`, by stage and in all."""
    kept = ("ablation", "futures", "places", "fits", "book", "chapters")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*kept))
        started = time.perf_counter()
        found = study(Run(copy))
        total = time.perf_counter() - started
    swept = sum(s for name, s in found.seconds.items() if name.startswith("sweep"))
    decisions = found.options.c1_n[0] + found.options.c2_eligible_n[0]
    n = f"{len(found.options):,} rows, {decisions:,.0f}"
    rows = [
        figure(
            f"whole ablation of the sample with training, {n} decisions", total - swept, "s",
            "lower", target=300,
        ),
        figure("the same with all sweeps", total, "s", "lower"),
    ]  # fmt: skip
    return rows + [figure(f"- {name}", s, "s", "lower") for name, s in found.seconds.items()]


def half_width(folder: Path, *, stores: int = 5, seeds: int = 3) -> list[dict]:
    """Half-width of option 4 less 3, caused purchases a coupon, over `stores` x `seeds`.

    Networks and futures stay in the run's cache, so that a second call takes trained models.
    """
    drawn = replicated(Run(folder), ("3", "4"), stores=stores, seeds=seeds)
    found = averaged_difference(drawn).iloc[0]
    what = f"half-width of option 4 less 3, {stores} stores x {seeds} trainings, {found.world}"
    width = 100 * found.half_width
    return [figure(what, width, "percentage points", "lower", target=0.5)]
