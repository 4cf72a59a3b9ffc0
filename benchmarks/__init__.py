"""What ``make bench`` runs: one module a topic, each with ``run() -> list of figures``."""

import time
from collections.abc import Callable


def figure(
    name: str,
    value: float,
    unit: str = "x",
    better: str = "higher",
    *,
    target: float | None = None,
) -> dict[str, object]:
    """One figure of a record; as it stands a ratio of which more is better, else ``"lower"``."""
    return {"name": name, "value": float(value), "unit": unit, "target": target, "better": better}


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Fastest of `repeats` timings of `work()`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
