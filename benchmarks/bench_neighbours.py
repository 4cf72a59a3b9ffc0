"""The chapters of Part II by themselves: on the sample, and at classroom scale."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks import figure

ROOT = Path(__file__).resolve().parent.parent
PRECMARK = [sys.executable, "-c", "from precmark.cli import main; main()", "run"]

PART_II = ("10_data_grid", "11_interests", "12_dialogue", "13_statistics", "14_strategy")
TARGETS_S = {"sample": 600, "classroom": 240}


def run() -> list[dict]:
    """Make the data of each scale, then time the five chapters alone."""
    return figures({scale: seconds_of(scale) for scale in TARGETS_S})


def seconds_of(scale: str) -> float:
    """Seconds of chapters 10 to 14 in a run whose data are there."""
    name = f"bench-{scale}"
    _made("--simulate", scale, "--name", name, "--only", "09_claims_audit")
    asked = [word for chapter in PART_II for word in ("--only", chapter)]
    started = time.perf_counter()
    _made("--name", name, "--force", *asked)
    return time.perf_counter() - started


def figures(seconds: dict[str, float]) -> list[dict]:
    """The record of one run: seconds by scale."""
    return [
        figure(f"chapters 10 to 14, {scale}, 2 cores", value, "s", "lower", target=TARGETS_S[scale])
        for scale, value in seconds.items()
    ]


def _made(*arguments: str) -> None:
    subprocess.run([*PRECMARK, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
