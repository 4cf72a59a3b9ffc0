"""Run the benchmarks and store a record a topic: ``python -m benchmarks [TOPIC ...]``."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import sys
from pathlib import Path

from precmark.stamp import commit, versions
from precmark.tables import whole_file

FOLDER = Path(__file__).parent


def topics() -> list[str]:
    """Every ``bench_TOPIC.py``; `book` last, because it takes the longest."""
    found = sorted(p.stem.removeprefix("bench_") for p in FOLDER.glob("bench_*.py"))
    return sorted(found, key=lambda topic: topic == "book")


def machine() -> dict[str, object]:
    """Processor, cores, memory and system that the figures were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_gib, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def store(topic: str, figures: list[dict]) -> Path:
    """Write the record of `topic`; each figure has name, value, unit, target and better."""
    record = {
        "topic": topic,
        "machine": machine(),
        "versions": versions("onnxruntime"),
        "commit": commit(),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "figures": figures,
    }
    path = FOLDER / "results" / f"{topic}.json"
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure and store figures in benchmarks/results/TOPIC.json.",
        epilog="Example: python -m benchmarks contract profiles",
    )
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"of {', '.join(topics())}")
    wanted = parser.parse_args().topics or topics()
    unknown = set(wanted) - set(topics())
    if unknown:
        parser.error(f"no topic {', '.join(sorted(unknown))}; there are {', '.join(topics())}")
    for topic in wanted:
        print(f"{topic} ...", file=sys.stderr, flush=True)
        figures = importlib.import_module(f"benchmarks.bench_{topic}").run()
        store(topic, figures)
        for f in figures:
            target = f"  (target {f['target']:,g}, {f['better']} is better)" if f["target"] else ""
            print(f"  {f['name']}: {f['value']:,.4g} {f['unit']}{target}", flush=True)


if __name__ == "__main__":
    main()
