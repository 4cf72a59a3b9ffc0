"""What comparing every churn model costs on the sample: pooled and one a segment, one seed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from precmark import churn
from precmark.runs import Run
from precmark.sequences import read_sequences

RUN = "runs/sample"
CORES = 2


def run(scale: str = "full") -> list[dict]:
    """Needs the sample run up to chapter 04 (``make book``); the fits are made anew."""
    at = Run.open(RUN)
    sequences = read_sequences(at)
    started = time.perf_counter()
    segments = churn.segments_of(at, sequences, n_jobs=CORES)
    placed_s = time.perf_counter() - started
    models = churn.models(sequences.channels, epochs=30 if scale == "full" else 1)
    if scale != "full":
        models = {name: models[name] for name in ("constant", "logistic", "c-att-lstm")}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fitted = churn.compare(
            sequences, models, segments=segments, n_jobs=CORES, keep=Path(folder) / "fits"
        )
        fitted_s = time.perf_counter() - started
    started = time.perf_counter()
    churn.quality(sequences, fitted)
    judged_s = time.perf_counter() - started
    what = f"{len(models)} models on {len(sequences):,} decisions of the sample, {CORES} cores"
    slowest = fitted.fits.sort_values("seconds").iloc[-1]
    return [
        figure(f"all models, pooled and one a segment, one seed: {what}", fitted_s, target=480),
        figure(f"of it the dearest, {slowest.title}, on one core", slowest.seconds),
        figure("C-ATT-LSTM, pooled and one a segment, on one core", _seconds(fitted, "c-att-lstm")),
        figure("decisions placed in segments by profiles before them", placed_s),
        figure("ten metrics of all models with 1,000 bootstrap draws", judged_s),
    ]


def _seconds(fitted: churn.Comparison, name: str) -> float:
    return float(fitted.fits.set_index("model").seconds[name])


def figure(name: str, value: float, *, target: float | None = None) -> dict:
    return {
        "name": name, "value": float(value), "unit": "s", "target": target, "better": "lower",
    }  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
