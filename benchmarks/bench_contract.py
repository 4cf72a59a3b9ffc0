"""Speed and memory of the contract: check and ingest of a long log, each in its own process."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = {"full": 10_000_000, "small": 200_000}
USERS = 150_000


def write_log(path: Path, rows: int) -> None:
    """A year's log of 150,000 users with text ids, ten of the contract's columns filled."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(
        f"""COPY (SELECT
            'user-' || lpad((hash(i, 1) % {USERS})::VARCHAR, 7, '0') AS user_id,
            make_timestamptz(1719792000000000 + (i * (31536000000000 // {rows}))::BIGINT)
                AS timestamp,
            ['view', 'view', 'view', 'search', 'cart', 'purchase', 'login', 'watch', 'chat', 'gift']
                [(hash(i, 3) % 10 + 1)::INT] AS event,
            's' || (i // 8)::VARCHAR AS session_id,
            'item-' || (hash(i, 2) % 743)::VARCHAR AS item_id,
            'category-' || (hash(i, 2) % 18)::VARCHAR AS category,
            (hash(i, 4) % 10000) / 100.0 AS value,
            (1 + hash(i, 5) % 3)::DOUBLE AS quantity,
            CASE WHEN hash(i, 3) % 10 = 7 THEN (hash(i, 6) % 3000)::DOUBLE END AS duration_s,
            ['web', 'ios', 'android'][(hash(i, 7) % 3 + 1)::INT] AS platform
        FROM range({rows}) AS t(i)) TO '{path}' (FORMAT parquet)"""
    )


def measure(task: str, path: str) -> None:
    """Print seconds and peak memory of one task as JSON; runs in a process of its own."""
    from precmark.contract import check, ingest

    start = time.perf_counter()
    if task == "check":
        check(path).require()
    else:
        with tempfile.TemporaryDirectory() as folder:
            ingest(folder, path)
    seconds = time.perf_counter() - start
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_gib": peak_kib / 2**20}))


def child(task: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_contract", task, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(scale: str = "full") -> list[dict]:
    rows = ROWS[scale]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        write_log(path, rows)
        # The faster of two: the first one also reads the file from the disk.
        checked = min((child("check", path) for _ in range(2)), key=lambda m: m["seconds"])
        ingested = child("ingest", path)
        csv = Path(folder) / "log.csv"
        to_csv(path, csv, rows // 10)
        from_csv = child("check", csv)
    about = f"{rows:,} events of {USERS:,} users"
    return [
        {"name": f"check from Parquet, duplicates included, {about}",
         "value": rows / checked["seconds"], "unit": "rows/s", "target": 2_500_000,
         "better": "higher"},
        {"name": "peak memory of that check", "value": checked["peak_gib"], "unit": "GiB",
         "target": 2, "better": "lower"},
        {"name": f"check and normalise, {about}", "value": rows / ingested["seconds"],
         "unit": "rows/s", "target": None, "better": "higher"},
        {"name": "peak memory of that", "value": ingested["peak_gib"], "unit": "GiB",
         "target": 2, "better": "lower"},
        {"name": f"check from CSV, {rows // 10:,} events", "value": rows / 10 / from_csv["seconds"],
         "unit": "rows/s", "target": None, "better": "higher"},
    ]  # fmt: skip


def to_csv(path: Path, csv: Path, rows: int) -> None:
    """The first `rows` of `path` as CSV, timestamps in ISO 8601 with their zone."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(
        f"COPY (SELECT * FROM read_parquet('{path}') LIMIT {rows}) TO '{csv}' (HEADER)"
    )


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2])
