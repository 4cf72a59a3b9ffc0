"""Speed, memory and growth of the profiles, beside hand-written SQL and pandas.

Every measurement is a process of its own that reads one Parquet file of normalised events and
writes the profile of every user and all lists; imports are not counted. All three write the same
numbers: checked on a small log first.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVENTS_PER_USER = 66.7
SIZES = {"full": (1_000_000, 10_000_000, 30_000_000), "small": (20_000, 60_000, 120_000)}
PANDAS_ROWS = {"full": 1_000_000, "small": 20_000}
AS_OF = dt.date(2025, 3, 1)
TODAY = (AS_OF - dt.date(1970, 1, 1)).days
TIMEZONE = "Asia/Shanghai"
THREADS = 2
_MIX = {"view": 420, "search": 50, "cart": 60, "uncart": 10, "purchase": 25, "cancel": 3,
        "login": 72, "watch": 160, "chat": 90, "comment": 30, "gift": 40, "follow": 20,
        "coupon_shown": 12, "coupon_used": 8}  # fmt: skip


def write_log(path: Path, rows: int, days: int) -> None:
    """A normalised log of text ids over the `days` before AS_OF: 743 products, 120 broadcasters.

    Users differ in activity; the rows are sorted by user, as the contract writes them.
    """
    import duckdb

    users = round(rows / EVENTS_PER_USER)
    edges, total = [], 0
    for name, share in _MIX.items():
        total += share
        edges.append(f"WHEN kind < {total} THEN '{name}'")
    product = "('view', 'cart', 'uncart', 'purchase', 'cancel')"
    stream = "('watch', 'chat', 'comment', 'gift', 'follow')"
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false; SET preserve_insertion_order = false")
    con.execute("SET memory_limit = '6GB'")
    con.execute(
        f"""COPY (WITH drawn AS (SELECT i, hash(i, 2) % 1000 AS kind,
            ({users} * power(hash(i, 1) % 1000000 / 1e6, 1.5))::BIGINT AS u,
            (power(hash(i, 3) % 100000 / 1e5, 2) * 743)::INT AS p,
            (power(hash(i, 3) % 100000 / 1e5, 2) * 120)::INT AS b,
            make_timestamptz({TODAY}::BIGINT * 86400000000 - 8 * 3600000000 - 1
                - (hash(i, 4) % ({days}::UBIGINT * 86400000000))::BIGINT) AS timestamp
            FROM range({rows}) AS t(i)),
        named AS (SELECT *, CASE {" ".join(edges)} END AS event FROM drawn)
        SELECT md5(u::VARCHAR) AS user_id, timestamp, event,
            's' || (u * 1000 + epoch_us(timestamp) // 7200000000)::VARCHAR AS session_id,
            CASE WHEN event IN {product} THEN 'item-' || p WHEN event IN {stream}
                THEN 'broadcaster-' || b END AS item_id,
            CASE WHEN event IN {product} THEN 'category-' || p % 18 WHEN event IN {stream}
                THEN 'channel-' || b % 12 END AS category,
            CASE WHEN event IN ('purchase', 'cancel', 'gift')
                THEN (hash(i, 5) % 10000) / 100.0 END AS value,
            CASE WHEN event IN ('purchase', 'cancel') THEN 1.0 END AS quantity,
            CASE WHEN event = 'watch' THEN (hash(i, 6) % 12000) / 10.0
                 WHEN event = 'view' THEN (hash(i, 6) % 1200) / 10.0 END AS duration_s,
            ['web', 'ios', 'android'][(hash(i, 7) % 3 + 1)::INT] AS platform,
            NULL::VARCHAR AS text, u AS user_code, i + 1 AS row
        FROM named ORDER BY u, timestamp, i)
        TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""
    )


def ours(events: Path, profile: Path, lists: Path, today: int, threads: int) -> None:
    from precmark.engine import connect, read
    from precmark.profiles import build_profiles

    con = connect(threads=threads)
    made = build_profiles(read(con, events), as_of=AS_OF, timezone=TIMEZONE)
    made.write(profile, lists)


def measure(how: str, events: str, out: str) -> None:
    """Print seconds and peak memory of one way to build the profiles, as JSON."""
    from benchmarks import profiles_pandas, profiles_sql

    if how == "ours":
        pass
    build = {"ours": ours, "sql": profiles_sql.build, "pandas": profiles_pandas.build}[how]
    start = time.perf_counter()
    build(Path(events), Path(out, "profile.parquet"), Path(out, "lists.parquet"), TODAY, THREADS)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_gib": _peak_gib()}))


def _peak_gib() -> float:
    """Most memory this process has held; where Linux tells it, not counting the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        held = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(held.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def child(how: str, events: Path, out: Path) -> dict[str, float]:
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.bench_profiles", how, str(events), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def check_same(folder: Path) -> None:
    """Refuse to compare ways that do not write the same numbers."""
    import numpy as np
    import pandas as pd

    from precmark.profiles.basic import ATTRIBUTES

    log = folder / "check.parquet"
    write_log(log, 20_000, 40)
    outs = {how: folder / f"check-{how}" for how in ("ours", "sql", "pandas")}
    for how, out in outs.items():
        child(how, log, out)
    for table in ("profile", "lists"):
        frames = {how: pd.read_parquet(out / f"{table}.parquet") for how, out in outs.items()}
        names = sorted(set(frames["ours"].columns) - set(ATTRIBUTES))
        for how, frame in frames.items():
            for name in names:
                wanted, got = frames["sql"][name], frame[name].reset_index(drop=True)
                if wanted.dtype.kind in "OU" or name in ("user_id", "list", "item_id"):
                    same = (wanted.astype(str) == got.astype(str)).all()
                else:
                    same = np.allclose(
                        wanted.astype(float), got.astype(float), atol=1e-6, equal_nan=True
                    )
                if not same:
                    raise RuntimeError(f"{how}: {table}.{name} differs from the SQL's")


def run(scale: str = "full") -> list[dict]:
    small, middle, large = SIZES[scale]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        check_same(folder)
        seconds: dict[int, float] = {}
        for rows in (small, middle, large):
            log = folder / f"{rows}.parquet"
            write_log(log, rows, 365)
            if rows != middle:
                seconds[rows] = child("ours", log, folder / "out")["seconds"]
                log.unlink() if rows != PANDAS_ROWS[scale] else None
        year = folder / f"{middle}.parquet"
        month = folder / "month.parquet"
        write_log(month, middle, 30)
        # In turns, and the better of two: another load on the machine then hits both alike.
        turns = [(how, log) for log in (year, year, month) for how in ("ours", "sql")]
        best: dict[tuple[str, str], dict[str, float]] = {}
        for how, log in turns:
            got = child(how, log, folder / "out")
            key = (how, log.stem)
            best[key] = min(got, best.get(key, got), key=lambda m: m["seconds"])
        for_pandas = folder / f"{PANDAS_ROWS[scale]}.parquet"
        by_pandas = child("pandas", for_pandas, folder / "out")
        same_rows = child("ours", for_pandas, folder / "out")
    return _figures(scale, best, seconds, by_pandas, same_rows, str(middle))


def _figures(scale, best, seconds, by_pandas, same_rows, year) -> list[dict]:
    small, middle, large = SIZES[scale]
    about = f"{middle:,} events of {round(middle / EVENTS_PER_USER):,} users, {THREADS} threads"
    exponent = math.log(seconds[large] / seconds[small]) / math.log(large / small)
    pandas_rate = PANDAS_ROWS[scale] / by_pandas["seconds"]
    out = []
    for log, words in ((year, "a year's log"), ("month", "all within 30 days")):
        mine, sql = best["ours", log], best["sql", log]
        rate = middle / mine["seconds"]
        out += [
            _figure(f"profiles and lists, {words}: {about}", rate, "events/s", 700_000, "higher"),
            _figure(f"the same by hand-written SQL, {words}", middle / sql["seconds"], "events/s",
                    None, "higher"),
            _figure(f"time over that of hand-written SQL, {words}",
                    mine["seconds"] / sql["seconds"], "ratio", 1.0, "lower"),
            _figure(f"peak memory, {words}", mine["peak_gib"], "GiB", 4.0, "lower"),
            _figure(f"peak memory of hand-written SQL, {words}", sql["peak_gib"], "GiB"),
        ]  # fmt: skip
    out += [
        _figure(f"the same in pandas, {PANDAS_ROWS[scale]:,} events", pandas_rate, "events/s",
                None, "higher"),
        _figure(f"pandas' time over ours, {PANDAS_ROWS[scale]:,} events",
                by_pandas["seconds"] / same_rows["seconds"], "ratio", None, "higher"),
        _figure(f"our rate at {middle:,} events over pandas' at {PANDAS_ROWS[scale]:,}",
                middle / best["ours", year]["seconds"] / pandas_rate, "ratio", 10.0, "higher"),
        _figure(f"growth exponent of the time, {small:,} to {large:,} events", exponent,
                "exponent", 1.05, "lower"),
        _figure(f"time of {large:,} events", seconds[large], "s"),
    ]  # fmt: skip
    return out


def _figure(name, value, unit, target=None, better="lower") -> dict:
    return {"name": name, "value": value, "unit": unit, "target": target, "better": better}


if __name__ == "__main__":
    measure(*sys.argv[1:])
