"""Connections, clocks, and DuckDB against Spark on the same expressions."""

from __future__ import annotations

import datetime as dt
import threading
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark import engine
from precmark.engine import connect, local_clock, offset_changes, spark_missing
from precmark.errors import InputError
from precmark.profiles import build_profiles, write_profiles
from precmark.runs import Run, write_card
from precmark.sessions import find_sessions, write_sessions
from precmark.source import Source
from precmark.tables import write_table
from tests.event_logs import at, loaded, random_log, users_table

ZONES = ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "Europe/London", "Australia/Lord_Howe"]
START = int(dt.datetime(2023, 1, 1, tzinfo=dt.UTC).timestamp())
SECONDS = 3 * 365 * 86_400


@given(st.sampled_from(ZONES), st.lists(st.integers(START, START + SECONDS), min_size=2))
def test_the_local_clock_is_the_zones(zone, seconds):
    to_local = local_clock(zone, min(seconds) * 1_000_000, max(seconds) * 1_000_000)
    for second in seconds:
        local = dt.datetime.fromtimestamp(second, ZoneInfo(zone)).replace(tzinfo=dt.UTC)
        assert to_local(second * 1_000_000) == round(local.timestamp()) * 1_000_000


def test_the_clock_changes_to_the_second():
    start, end = (int(at(t).value // 1000) for t in ("2024-01-01", "2024-12-31"))
    changes = offset_changes("Europe/London", start, end)
    hours = [(pd.Timestamp(us, unit="us"), offset / 3.6e9) for us, offset in changes]
    assert hours == [
        (pd.Timestamp("2024-01-01"), 0),
        (pd.Timestamp("2024-03-31 01:00"), 1),
        (pd.Timestamp("2024-10-27 01:00"), 0),
    ]


@settings(max_examples=5, deadline=None)
@given(st.sampled_from(ZONES), st.integers(0, 2**32 - 1))
def test_the_clock_in_a_table_is_the_clock_in_python(zone, seed):
    import ibis
    import pyarrow as pa

    us = np.random.default_rng(seed).integers(START, START + SECONDS, 50) * 1_000_000
    to_local = local_clock(zone, int(us.min()), int(us.max()))
    con = connect(threads=1)
    table = loaded(con, pa.table({"us": us}), "t")
    got = table.mutate(local=to_local(ibis._.us)).to_pandas()
    assert got.local.tolist() == [to_local(u) for u in got.us.tolist()]


def test_instants_survive_the_way_there_and_back():
    con = connect(threads=1)
    log = loaded(con, random_log(1, rows=20))
    us = engine.microseconds(con, log.timestamp)
    got = log.select(log.timestamp, us=us, back=engine.as_timestamp(con, us)).to_pandas()
    assert (got.timestamp == got.back).all()
    assert got.us.tolist() == [t.value // 1000 for t in got.timestamp.dt.as_unit("ns")]


def test_unknown_engines_zones_and_files_are_named(tmp_path):
    with pytest.raises(InputError, match="duckdb, spark"):
        connect("polars")
    with pytest.raises(InputError, match="Europe/London"):
        engine.zone_of("Moon")
    with pytest.raises(InputError, match="does not exist"):
        engine.read(connect(threads=1), tmp_path / "no.parquet")


def test_spark_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"precmark\[spark\].*--engine duckdb"):
        connect("spark")


def test_spark_without_java_says_so(monkeypatch):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(InputError, match="Java is not installed"):
        connect("spark")


def test_writing_keeps_order_units_and_leaves_nothing_behind(tmp_path):
    con = connect(threads=1)
    log = loaded(con, random_log(2, rows=300))
    path = engine.write_whole(log.order_by("row"), tmp_path / "x.parquet", {"duration_s": "s"})
    assert pq.read_table(path)["row"].to_pylist() == list(range(1, 301))
    assert pq.read_schema(path).field("duration_s").metadata[b"unit"] == b"s"
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_what_is_fetched_ahead_comes_in_order_and_its_errors_too():
    assert list(engine.ahead(range(100))) == list(range(100))

    def broken():
        yield 1
        raise InputError("the file ended")

    seen = []
    with pytest.raises(InputError, match="ended"):
        for item in engine.ahead(broken()):
            seen.append(item)
    assert seen == [1]


def test_a_reader_that_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    for item in engine.ahead(range(1_000_000)):
        if item == 3:
            break
    assert threading.active_count() == before


# ------------------------------------------------------------------------- DuckDB against Spark


@pytest.fixture(scope="module")
def spark():
    if spark_missing():
        pytest.skip(spark_missing())
    con = connect("spark", threads=2, memory_limit="1GB")
    yield con
    con._session.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    log = random_log(41, rows=1500, users=15)
    pq.write_table(log, folder / "events.parquet")
    ids = np.where(np.arange(len(log)) % 3 == 0, None, np.arange(len(log)) // 20)
    given = [None if i is None else f"v{i}" for i in ids]
    with_ids = log.set_column(3, "session_id", [given])
    pq.write_table(with_ids.cast(log.schema), folder / "with_ids.parquet")
    people = [
        {
            "user_id": f"u{i:03d}",
            "user_code": i,
            "age": float(15 + i) if i % 4 else None,
            "gender": "female",
            "has_avatar": i % 2 == 0,
            "registered_at": at("2024-02-01").to_pydatetime() if i % 3 else None,
        }
        for i in range(17)
    ]
    pq.write_table(users_table(people), folder / "users.parquet")
    return folder


def same(left: pd.DataFrame, right: pd.DataFrame, keys: list[str]) -> None:
    left, right = (f.sort_values(keys, ignore_index=True) for f in (left, right))
    assert list(left.columns) == list(right.columns)
    for name in left.columns:
        a, b = left[name], right[name]
        if pd.api.types.is_datetime64_any_dtype(a):  # Spark's come without their zone, in UTC
            a, b = (pd.to_datetime(x, utc=True) for x in (a, b))
        assert a.isna().tolist() == b.isna().tolist(), name
        assert a.dropna().tolist() == b.dropna().tolist(), name


@pytest.mark.spark
@pytest.mark.parametrize("log", ["events", "with_ids"])
def test_both_engines_find_the_same_sessions(spark, files, log):
    found = [
        find_sessions(engine.read(con, files / f"{log}.parquet"), max_views=3)
        for con in (connect(threads=1), spark)
    ]
    for name, keys in (("events", ["row"]), ("sessions", ["session_code"])):
        same(*(getattr(f, name).to_pandas() for f in found), keys)
    same(*(f.bots.to_pandas() for f in found), ["session_code"])


@pytest.mark.spark
@pytest.mark.parametrize("timezone", ["Asia/Shanghai", "Europe/London"])
def test_both_engines_build_the_same_profiles(spark, files, timezone):
    made = [
        build_profiles(
            engine.read(con, files / "events.parquet"),
            engine.read(con, files / "users.parquet"),
            as_of="2024-04-05",
            timezone=timezone,
        )
        for con in (connect(threads=1), spark)
    ]
    assert made[0].ages.spikes == made[1].ages.spikes
    same(*(m.profile.to_pandas() for m in made), ["user_code"])
    same(*(m.lists.to_pandas() for m in made), ["user_code", "list", "window_days", "rank"])


@pytest.mark.spark
def test_sessions_and_profiles_written_by_spark_are_duckdbs(spark, files, tmp_path):
    written = []
    for name in ("duckdb", "spark"):
        path = tmp_path / name
        source = Source("test", "A test", frozenset({"clock"}), timezone="Asia/Shanghai")
        write_card(path, {"source": source, "parameters": {}})
        for table in ("events", "users"):
            write_table(
                pq.read_table(files / f"{table}.parquet"),
                path / f"results/contract/{table}.parquet",
            )
        run = Run(path)
        write_sessions(run, engine=name, threads=2, max_views=3)
        write_profiles(run, engine=name, threads=2, as_of="2024-04-05")
        written.append(run)
    for table in (
        "sessions/events",
        "sessions/sessions",
        "sessions/bots",
        "profiles/profile",
        "profiles/lists",
    ):
        left, right = (pq.read_table(run.table_path(table)) for run in written)
        assert left.schema.types == right.schema.types, table
        assert left.to_pylist() == right.to_pylist(), table
