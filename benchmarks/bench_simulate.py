"""The simulated store: events per second of one core, from nothing to tables in memory."""

from __future__ import annotations

import json
import subprocess
import sys

_CHILD = """
import json, resource, sys, time
from precmark.simulate import Config, fit, simulate
scale = sys.argv[1]
config = Config(scale=scale)
started = time.process_time()
fit(config.k, config.order_share, config.best_auroc, config.conversion)
fitted = time.process_time()
store = simulate(scale)
done = time.process_time()
print(json.dumps({
    "events": store.tables["events"].num_rows,
    "fit_s": fitted - started,
    "simulate_s": done - fitted,
    "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
}))
"""


def _measure(scale: str) -> dict[str, float]:
    """One store in a process of its own, timed in processor seconds summed over all threads."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, scale], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def run() -> list[dict]:
    """Figures of the scales ``book`` and ``paper``."""
    figures = []
    for scale in ("book", "paper"):
        found = _measure(scale)
        figures += [
            {
                "name": f"events per processor second, {scale} scale",
                "value": found["events"] / found["simulate_s"],
                "unit": "events/s",
                "target": 500_000,
                "better": "higher",
            },
            {
                "name": f"peak memory, {scale} scale ({found['events']:,.0f} events)",
                "value": found["peak_gib"],
                "unit": "GiB",
                "target": 8.0,
                "better": "lower",
            },
        ]
    figures.append(
        {
            "name": "fitting the store's risk model, once a process",
            "value": found["fit_s"],
            "unit": "s",
            "target": 2.0,
            "better": "lower",
        }
    )
    return figures
