"""Splits over time, by origin and at random; tasks; and sequences on disk."""

from __future__ import annotations

import datetime as dt
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precmark.errors import InputError
from precmark.runs import Run, write_card
from precmark.sequences import (
    Task,
    origin_split,
    random_split,
    read_sequences,
    step_mask,
    task_for,
    time_split,
    write_sequences,
)
from precmark.source import Source
from precmark.tables import write_table
from tests.event_logs import table
from tests.test_sequences import SHOP, random_visits

START = pd.Timestamp("2024-01-01", tz="UTC")


def source(*says: str) -> Source:
    return Source("test", "Test log", frozenset(says))


@given(
    minutes=st.lists(st.integers(0, 400), min_size=5, max_size=60),
    window=st.sampled_from([0, 1, 30]),
    fractions=st.sampled_from([(0.6, 0.2, 0.2), (0.5, 0.25, 0.25)]),
)
def test_time_split_against_its_definition(minutes, window, fractions):
    at = pd.Series([START + pd.Timedelta(minutes=m) for m in minutes])
    horizon = dt.timedelta(minutes=window)
    end = at.max()
    try:
        parts = time_split(at, horizon, fractions, end=end)
    except InputError as error:
        assert "cannot be split" in str(error)
        return
    in_order = sorted(minutes)
    n = len(minutes)
    second = in_order[int(np.ceil(round(fractions[0] * n, 6)))]
    third = in_order[min(int(np.ceil(round((fractions[0] + fractions[1]) * n, 6))), n - 1)]
    for m, part in zip(minutes, parts, strict=True):
        own = "train" if m < second else "validation" if m < third else "test"
        reaches = {"train": second, "validation": third, "test": max(minutes) + 1}[own]
        purged = window > 0 and m + window >= reaches
        assert part == ("purged" if purged else own)


def test_borders_of_time_split():
    at = pd.Series(START + pd.to_timedelta(np.arange(10), unit="h"))
    hour = dt.timedelta(hours=1)
    parts = time_split(at, hour)
    # A window that ends with the first instant of the next part reaches into it.
    assert [*parts] == [*["train"] * 5, "purged", "validation", "purged", "test", "test"]
    shorter = time_split(at, hour - dt.timedelta(microseconds=1))
    assert [*shorter].count("purged") == 0
    # A window that ends with the log's last instant is complete.
    assert time_split(at, hour, end=at.iloc[-1])[8:].tolist() == ["test", "purged"]
    days = time_split(at.dt.floor("D").where(at.index % 2 == 0, at + pd.Timedelta(days=9)),
                      dt.timedelta(0), (0.5, 0.2, 0.3))  # fmt: skip
    assert (days[::2] == "train").all() and "purged" not in days
    # The naive times of a frame without zones count as UTC.
    np.testing.assert_array_equal(time_split(at.dt.tz_localize(None).to_numpy(), hour), parts)


def test_splits_that_cannot_be():
    same = pd.Series([START] * 20)
    with pytest.raises(InputError, match="20 decisions at 1 different instants"):
        time_split(same, dt.timedelta(0))
    with pytest.raises(InputError, match="0 decisions"):
        time_split(same[:0], dt.timedelta(0))
    for wrong in ((0.6, 0.4), (0.8, 0.3, -0.1), (0.6, 0.2, 0.1)):
        with pytest.raises(InputError, match="no shares of three parts"):
            time_split(same, dt.timedelta(0), wrong)
    with pytest.raises(InputError, match=r"2 origins: one each is needed.*shorter horizon"):
        origin_split(pd.Series([START, START + pd.Timedelta(days=90)]))


def test_origin_split_never_splits_an_origin():
    origin = pd.Series([START + pd.Timedelta(days=90 * i) for i in (3, 0, 1, 2, 3, 0)])
    assert [*origin_split(origin)] == ["test", "train", "train", "validation", "test", "train"]


def test_random_split_has_its_shares_and_keeps_its_seed():
    parts = random_split(1_000, 3)
    assert [(parts == p).sum() for p in ("train", "validation", "test")] == [600, 200, 200]
    np.testing.assert_array_equal(parts, random_split(1_000, 3))
    assert (parts != random_split(1_000, 4)).any()
    assert (parts[:600] != "train").any()


def test_tasks_of_sources():
    shop = task_for(SHOP)
    assert (shop.unit, shop.label, shop.k, shop.steps) == ("session", "purchase", 3, 20)
    assert shop.horizon == dt.timedelta(hours=2.5) and "2.5 hours" in shop.positive
    orders = source("purchases", "clock", "users")
    customers = task_for(orders, horizon_days=60, step="day", steps=30)
    assert (customers.unit, customers.label) == ("customer", "repurchase")
    assert customers.horizon == dt.timedelta(days=60) and "left-censored" in customers.note
    clicks = task_for(source("views", "sessions"), k=4)
    assert (clicks.label, clicks.steps) == ("next_click", 4) and "no purchases" in clicks.note
    days_only = task_for(source("views", "sessions", "purchases", "users"))
    assert days_only.label == "next_click" and days_only.steps == 20
    assert "no clock" in days_only.note
    for task in (shop, customers, clicks):
        assert Task.from_json(task.to_json()) == task


def test_wrong_tasks_are_refused_all_at_once():
    with pytest.raises(InputError) as caught:
        task_for(SHOP, unit="visit", k=0, steps=0, horizon_hours=0, horizon_days=-1, step="month",
                 origins=2)  # fmt: skip
    text = str(caught.value)
    assert len(caught.value.problems) == 7
    for word in ("'visit'", "k = 0", "0 steps", "0 hours", "-1 days", "'month'", "2 origins"):
        assert word in text
    for wrong in ({"k": 2.5}, {"steps": float("nan")}, {"horizon_hours": float("nan")},
                  {"horizon_hours": float("inf")}, {"horizon_days": float("inf")}):  # fmt: skip
        with pytest.raises(InputError):
            task_for(SHOP, **wrong)
    with pytest.raises(InputError, match=r"lacks views, sessions.*Use unit='customer'"):
        task_for(source("purchases", "clock", "users"), unit="session")
    with pytest.raises(InputError, match=r"lacks purchases.*Use unit='session'"):
        task_for(source("views", "sessions", "clock", "users"), unit="customer")
    with pytest.raises(InputError, match="log of clicks or of dated purchases") as caught:
        task_for(source("purchases", "sessions"))
    assert len(caught.value.problems) == 2


def test_a_step_counts_where_any_channel_is_known():
    X = np.full((1, 3, 4), np.nan, dtype=np.float32)
    X[0, :, 0], X[0, 2, 1], X[0, :, 2] = 1, 0, np.inf
    assert step_mask(X).tolist() == [[True, True, True, False]]


def small_run(folder, rows: list[dict], says: frozenset[str] = SHOP.says) -> Run:
    """A run with sessions made from `rows`, each user's session ids as given."""
    folder.mkdir(parents=True)
    made = Source("shop", "Test shop", says, timezone="Europe/London")
    write_card(folder, {"source": made, "parameters": {"engine": "duckdb", "as_of": None}})
    log = table(rows).to_pandas()
    log["session_code"] = log.groupby(["user_code", "session_id"], sort=False).ngroup()
    write_table(log, folder / "results/sessions/events.parquet")
    return Run(folder)


def test_written_and_read_bit_for_bit(tmp_path):
    run = small_run(tmp_path / "shop", random_visits(5, users=80))
    task = task_for(run.source, k=2, steps=6)
    written = write_sequences(run, task, seed=4)
    read = read_sequences(run)
    assert read.task == task and read.channels == written.channels
    assert read.X.tobytes() == written.X.tobytes() and read.X.dtype == np.float32
    np.testing.assert_array_equal(read.y, written.y)
    pd.testing.assert_frame_equal(read.decisions, written.decisions)
    decisions = pq.read_table(run.table_path("sequences/decisions"))
    stored = pq.read_schema(run.table_path("sequences/steps")).field("steps").type
    assert stored.list_size == len(read.channels) * 6
    assert decisions.schema.field("timestamp").metadata == {b"unit": b"UTC"}
    assert set(decisions.column_names) == {*read.decisions.columns, "y"}
    assert [*read.decisions.columns] == [
        "decision", "user_code", "session_code", "timestamp", "steps", "coupon", "split",
        "random_split",
    ]  # fmt: skip
    again = write_sequences(run, task, seed=4)
    assert again.X.tobytes() == written.X.tobytes()
    pd.testing.assert_frame_equal(again.decisions, written.decisions)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    run = small_run(tmp_path / "shop", random_visits(5, users=80))
    first = write_sequences(run, task_for(run.source, k=2, steps=6))
    before = {p.name: p.read_bytes() for p in (run.results / "sequences").iterdir()}
    with pytest.raises(InputError, match="no session reaches click 99"):
        write_sequences(run, task_for(run.source, k=99, steps=6))
    assert {p.name: p.read_bytes() for p in (run.results / "sequences").iterdir()} == before
    assert len(read_sequences(run)) == len(first)


def test_tables_of_different_makings_are_refused(tmp_path):
    run = small_run(tmp_path / "shop", random_visits(5, users=80))
    with pytest.raises(InputError, match="is missing"):
        read_sequences(run)
    write_sequences(run, task_for(run.source, k=2, steps=6))
    kept = shutil.copy(run.table_path("sequences/decisions"), tmp_path / "old.parquet")
    write_sequences(run, task_for(run.source, k=2, steps=5))
    shutil.copy(kept, run.table_path("sequences/decisions"))
    with pytest.raises(InputError, match="were not written together"):
        read_sequences(run)
