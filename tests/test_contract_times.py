"""Timestamps: each common way of writing one means the same instant; doubtful ones are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.contract import Options, check, ingest
from precmark.source import Dataset, Source

INSTANT = datetime(2024, 7, 1, 10, 20, 30, tzinfo=UTC)


def log(stamps, **columns) -> pd.DataFrame:
    """A log of two users with these stamps."""
    users = [f"u{i % 2}" for i in range(len(stamps))]
    return pd.DataFrame({"user_id": users, "timestamp": stamps, "event": "view", **columns})


def instants(tmp_path, table, **options) -> list[datetime]:
    """The stamps of `table` as ingested, in the order of its rows."""
    done = ingest(tmp_path / "run", table, Options(**options))
    events = pd.read_parquet(done.tables["events"]).sort_values("row")
    return [t.to_pydatetime() for t in events["timestamp"]]


SECONDS = int(INSTANT.timestamp())
WRITTEN = [
    "2024-07-01T10:20:30Z", "2024-07-01T10:20:30z", "2024-07-01 10:20:30+00",
    "2024-07-01T12:20:30+02:00",
    "2024-07-01 05:20:30-0500", "2024-07-01 10:20:30 +0000", "2024-07-01T10:20:30.000Z",
    "2024-07-01 10:20:30 UTC", "2024-07-01 11:20:30 Europe/London", "01/Jul/2024:12:20:30 +0200",
    "Mon, 01 Jul 2024 10:20:30 +0000", "Mon, 01 Jul 2024 10:20:30 GMT", " 2024-07-01T10:20:30Z ",
    str(SECONDS), str(SECONDS * 10**3), str(SECONDS * 10**6), str(SECONDS * 10**9), f"{SECONDS}.0",
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_text_that_says_its_zone(tmp_path, text):
    table = log([text, text], item_id=["a", "b"])
    assert instants(tmp_path, table) == [INSTANT] * 2


LOCAL = [
    "2024-07-01T11:20:30", "2024-07-01 11:20:30", "2024/07/01 11:20:30",
    "2024-07-01 11:20:30.000000",
    "01/07/2024 11:20:30", "01.07.2024 11:20:30", "01-07-2024 11:20:30", "20240701T112030",
    "20240701112030", "1 July 2024 11:20:30", "01 Jul 2024 11:20:30", "01/07/2024 11:20:30 AM",
]  # fmt: skip


@pytest.mark.parametrize("text", LOCAL)
def test_text_without_a_zone_needs_one(tmp_path, text):
    # A second date that no month-first reading allows settles the order of day and month.
    table = log(
        [text, text.replace("01/07", "31/07").replace("01-07", "31-07")], item_id=["a", "b"]
    )
    first = instants(tmp_path, table, timezone="Europe/London")[0]
    assert first == INSTANT
    found = [str(p) for p in check(table).problems]
    assert len(found) == 1
    assert "no time zone (2 rows, first 1, 2)" in found[0]
    assert "--timezone" in found[0]


NUMBERS = [
    (pa.int64(), SECONDS), (pa.int32(), SECONDS), (pa.float64(), float(SECONDS)),
    (pa.int64(), SECONDS * 10**3), (pa.int64(), SECONDS * 10**6), (pa.int64(), SECONDS * 10**9),
    (pa.float64(), SECONDS * 1e3), (pa.uint64(), SECONDS),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "number"), NUMBERS)
def test_epoch_numbers_by_magnitude(tmp_path, type_, number):
    table = pa.table(
        {
            "user_id": ["a", "b"],
            "timestamp": pa.array([number, number], type_),
            "event": ["view", "view"],
        }
    )
    assert instants(tmp_path, table) == [INSTANT] * 2


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_parquet_timestamps_of_every_unit(tmp_path, unit, zone):
    stamps = pa.array([INSTANT, INSTANT], pa.timestamp(unit, zone))
    table = pa.table({"user_id": ["a", "b"], "timestamp": stamps, "event": ["view", "view"]})
    options = {} if zone else {"timezone": "UTC"}
    assert instants(tmp_path, table, **options) == [INSTANT] * 2
    if not zone:
        assert "no time zone" in str(check(table).problems[0])


def test_day_and_month_are_told_apart_by_the_whole_column(tmp_path):
    us = log(["12/1/2010 8:26", "12/13/2010 9:05"])
    uk = log(["1/12/2010 8:26", "13/12/2010 9:05"])
    expected = [datetime(2010, 12, 1, 8, 26, tzinfo=UTC), datetime(2010, 12, 13, 9, 5, tzinfo=UTC)]
    assert instants(tmp_path / "us", us, timezone="UTC") == expected
    assert instants(tmp_path / "uk", uk, timezone="UTC") == expected


def test_dates_that_read_both_ways_are_refused():
    (problem,) = check(log(["1/12/2010 8:26", "2/11/2010 9:05"]), Options(timezone="UTC")).problems
    assert "day and month" in problem.what
    assert "YYYY-MM-DD" in problem.fix


def test_days_alone_are_midnights_of_the_zone(tmp_path):
    assert instants(tmp_path, log(["2024-07-01", "2024-01-02"]), timezone="Europe/London") == [
        datetime(2024, 6, 30, 23, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC),
    ]  # fmt: skip
    days = log([20240701, 20240702])
    expected = [datetime(2024, 7, 1, tzinfo=UTC), datetime(2024, 7, 2, tzinfo=UTC)]
    assert instants(tmp_path / "2", days, timezone="UTC") == expected
    assert "clock" not in check(days, Options(timezone="UTC")).require().says
    assert "clock" not in check(
        log(["2024-07-01", "2024-01-02"]), Options(timezone="Europe/London")
    ).require().says  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1991, 1, 1), datetime(2024, 1, 1)), min_size=2, max_size=20),
    st.sampled_from(["Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_local_stamps_agree_with_zoneinfo(tmp_path_factory, moments, zone):
    """An independent reading; the hour that occurs twice is the later one, as documented."""
    zone_info = ZoneInfo(zone)
    real = [
        m for m in moments
        if m.replace(tzinfo=zone_info).astimezone(UTC).astimezone(zone_info).replace(tzinfo=None)
        == m
    ]  # fmt: skip
    if len(real) < 2:
        return
    table = log([m.isoformat(" ") for m in real], item_id=[str(i) for i in range(len(real))])
    expected = [m.replace(tzinfo=zone_info, fold=1).astimezone(UTC) for m in real]
    assert instants(tmp_path_factory.mktemp("z"), table, timezone=zone) == expected


SOON = (datetime.now(UTC) + timedelta(days=3)).isoformat()
REFUSED = {
    "unparsable": ("soon", "not a date and time"),
    "no such day": ("2024-02-30T10:00:00Z", "not a date and time"),
    "future": (SOON, "in the future"),
    "future epoch": ("4102444800", "in the future"),
    "far": ("infinity", "in the future"),
    "before 1990": ("1989-12-31T23:59:59Z", "before 1990"),
    "default": ("1970-01-01T00:00:00Z", "before 1990"),
    "small number": ("12345", "before 1990"),
    "empty": ("", "empty"),
    "missing": (None, "empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_stamps_are_refused_with_row_and_sample(tmp_path, case):
    stamp, what = REFUSED[case]
    table = log(["2024-07-01T10:00:00Z", stamp, "2024-07-01T10:00:01Z", stamp])
    (problem,) = check(table, Options(timezone="UTC")).problems
    assert problem.what == f"events.timestamp: {what}"
    assert (problem.rows, problem.first_rows) == (2, (2, 4))
    assert problem.sample == (stamp or None)
    assert problem.fix
    path = tmp_path / "e.csv"
    table.to_csv(path, index=False)
    (again,) = check(path, Options(timezone="UTC")).problems
    assert again == problem


def test_a_column_that_is_no_time_is_refused():
    (problem,) = check(log([True, False])).problems
    assert "BOOLEAN" in problem.what


def test_a_future_instant_in_parquet_is_refused():
    stamps = pd.to_datetime(["2024-01-01", "2099-01-01", "1969-01-01"], utc=True)
    assert [p.what for p in check(log(stamps)).problems] == [
        "events.timestamp: in the future", "events.timestamp: before 1990",
    ]  # fmt: skip


def test_the_calendar_of_a_simulated_store_may_lie_ahead():
    table = log(["2222-01-01T10:00:00Z", "2222-01-01T11:00:00Z"])
    made_up = Source("made-up", "Made up", frozenset({"clock"}), simulated=True)
    assert not check(Dataset(made_up, {"events": table})).problems
    (problem, *_) = check(Dataset(replace(made_up, simulated=False), {"events": table})).problems
    assert "in the future" in problem.what
