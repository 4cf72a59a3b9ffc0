"""Segments before decisions, and whether a run holds enough to compare models on."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pandas as pd
import pytest

from precmark.churn import NO_PROFILE, enough, segments_of
from precmark.churn.segments_at import fitted_map, place, snapshot_days
from precmark.errors import InputError
from precmark.runs import Run, write_card
from precmark.segments import SomSegments, past
from precmark.sequences import Sequences
from precmark.source import CAPABILITIES, Source
from precmark.tables import write_table
from tests.churn_cases import TASK
from tests.event_logs import random_log, table
from tests.test_segments import groups
from tests.test_sequences import random_visits

EVERYTHING = frozenset(CAPABILITIES) - {"truth"}


def at(*texts: str) -> pd.Series:
    return pd.Series([pd.Timestamp(text, tz="UTC") for text in texts])


def run_of(folder, rows=None, *, says=EVERYTHING, timezone="UTC", fingerprint="abc") -> Run:
    """A run with the sessions of `rows`; with a card only where None."""
    folder.mkdir(parents=True, exist_ok=True)
    source = Source("shop", "Test shop", says, timezone=timezone)
    parameters = {"engine": "duckdb", "as_of": None}
    card = {"source": source, "fingerprint": fingerprint, "parameters": parameters}
    write_card(folder, card)
    if rows is not None:
        log = table(rows).to_pandas()
        log["session_code"] = log.groupby(["user_code", "session_id"], sort=False).ngroup()
        write_table(log, folder / "results/sessions/events.parquet")
    return Run(folder)


# ---- days


def test_profiles_are_taken_from_the_first_decision_on():
    # 23:30 UTC is the next day in Berlin.
    days = snapshot_days(at("2024-03-01 23:30", "2024-03-20 12:00", "2024-03-31 23:00"),
                         "Europe/Berlin", 15)  # fmt: skip
    assert days == ["2024-03-02", "2024-03-17", "2024-04-01"]
    assert snapshot_days(at("2024-03-01 10:00"), "UTC") == ["2024-03-01"]
    with pytest.raises(InputError, match="every_days is 0"):
        snapshot_days(at("2024-03-01 10:00"), "UTC", 0)


# ---- segments from a hand-made history


def segments_at(run, decisions, *, fit_on, n_segments, days):
    fitted = fitted_map(run, fit_on=fit_on, n_segments=n_segments)
    return place(run, decisions, fitted, days=days, n_jobs=1)


@pytest.fixture
def histories(monkeypatch):
    """Users change their group with the day: user u is in group (u + day of month) % 3.

    Users from 150 on come with the 20th; nobody is known before the 5th.
    """
    profile, group = groups((60, 60, 60), spread=0.1)
    members = [profile[group == g] for g in range(3)]
    asked = []

    def past_profile(run, day, users=None):
        asked.append(day)
        number = pd.Timestamp(day).day
        if number < 5:
            raise InputError("the log holds nothing before")
        there = np.arange(180 if number >= 20 else 150)
        there = there if users is None else np.intersect1d(there, users)
        rows = [members[(u + number) % 3].iloc[u // 3] for u in there]
        return pd.DataFrame(rows).assign(user_code=there).reset_index(drop=True)

    monkeypatch.setattr(past, "past_profile", past_profile)
    return past_profile, asked


def test_each_decision_is_placed_by_the_latest_profile_before_it(tmp_path, histories):
    past_profile, asked = histories
    run = run_of(tmp_path / "shop", timezone="America/New_York")
    rng = np.random.default_rng(0)
    decisions = pd.DataFrame(
        {"user_code": rng.integers(0, 190, 400),
         "timestamp": pd.Timestamp("2024-06-02", tz="UTC")
         + pd.to_timedelta(rng.integers(0, 27 * 24, 400), "h")}
    )  # fmt: skip
    days = ["2024-06-01", "2024-06-11", "2024-06-21"]
    found = segments_at(run, decisions, fit_on="2024-06-14", n_segments=3, days=days)
    assert asked[0] == "2024-06-14" and asked[1:] == days
    fitted = SomSegments(n_segments=3, seed=0).fit(past_profile(run, "2024-06-14"))
    profiles = {day: past_profile(run, day) for day in days[1:]}
    known = 0
    for row, segment in zip(decisions.itertuples(), found, strict=True):
        local = row.timestamp.tz_convert("America/New_York").tz_localize(None)
        last = [day for day in days if pd.Timestamp(day) <= local][-1]
        # Nobody is known on the first day.
        mine = [] if last == days[0] else profiles[last].query(f"user_code == {row.user_code}")
        assert segment == (fitted.predict(mine)[0] if len(mine) else NO_PROFILE)
        known += len(mine)
    assert found.dtype == np.int64 and set(found) == {0, 1, 2, 3}
    assert 100 < known < 400


def test_borders_of_days_are_the_stores_midnights(tmp_path, histories):
    run = run_of(tmp_path / "shop", timezone="America/New_York")
    decisions = pd.DataFrame(
        {"user_code": 170,
         "timestamp": at("2024-06-21 03:59:59", "2024-06-21 04:00:00", "2024-05-01 00:00:00")}
    )  # fmt: skip
    found = segments_at(run, decisions, fit_on="2024-06-11", n_segments=3,
                        days=["2024-06-11", "2024-06-21"])  # fmt: skip
    # User 170 is known from the 20th; nothing is known before the first day.
    assert found[0] == NO_PROFILE and found[1] != NO_PROFILE and found[2] == NO_PROFILE


def test_a_clock_that_skips_midnight(tmp_path, histories):
    # In Chile the clocks of 11 September 2022 went from 24:00 to 1:00, at 4:00 UTC.
    run = run_of(tmp_path / "shop", timezone="America/Santiago")
    times = at("2022-09-11 12:00", "2022-09-11 03:59", "2022-09-25 12:00", "2022-09-11 04:00")
    days = snapshot_days(times[[0, 2]], "America/Santiago", 14)
    assert days == ["2022-09-11", "2022-09-25"]
    decisions = pd.DataFrame({"user_code": [3, 3, 170, 3], "timestamp": times})
    found = segments_at(run, decisions, fit_on="2022-09-11", n_segments=3, days=days)
    assert (found > 0).tolist() == [True, False, True, True] and found[0] == found[3]


def sequences_of(decisions, task=TASK) -> Sequences:
    n = len(decisions)
    return Sequences(np.zeros((n, 1, 1), np.float32), np.zeros(n, np.int8), ("a",), decisions, task)


def test_the_map_knows_nothing_after_training(tmp_path, histories):
    past_profile, asked = histories
    run = run_of(tmp_path / "shop", timezone="Asia/Tokyo")
    with pytest.raises(InputError, match="segments"):
        segments_of(run, sequences_of(pd.DataFrame()))
    # Chapter 03 cut its map into 3.
    fitted = SomSegments(n_segments=3).fit(past_profile(run, "2024-06-30"))
    write_table(pd.DataFrame({"user_code": [0]}), run.table_path("segments/segments"))
    fitted.save(run.results / "segments" / "map.json")
    asked.clear()
    decisions = pd.DataFrame(
        {"user_code": np.arange(30),
         "timestamp": pd.Timestamp("2024-06-05 18:00", tz="UTC")
         + pd.to_timedelta(np.arange(30) * 18, "h"),
         "split": ["train"] * 20 + ["validation"] * 5 + ["test"] * 5}
    )  # fmt: skip
    segments = segments_of(run, sequences_of(decisions), every_days=10, n_jobs=1)
    # The last training decision is at 2024-06-19 24:00 UTC, 9:00 of the 20th in Tokyo.
    assert asked == ["2024-06-20", "2024-06-06", "2024-06-16", "2024-06-26"]
    assert (segments > 0).all()
    asked.clear()
    origins = decisions.assign(
        timestamp=at("2024-06-09 15:00", "2024-06-19 15:00", "2024-06-24 15:00")
        .repeat(10).to_numpy(), split=np.repeat(["train", "validation", "test"], 10),
    )  # fmt: skip
    customers = sequences_of(origins, dataclasses.replace(TASK, unit="customer"))
    segments_of(run, customers, n_jobs=1)
    # Customers are placed at their origins, midnights in Tokyo.
    assert asked == ["2024-06-10", "2024-06-10", "2024-06-20", "2024-06-25"]


def test_no_later_event_changes_a_segment(tmp_path, monkeypatch):
    # Each profile is built once, as that takes seconds.
    whole = functools.cache(past.past_profile)
    monkeypatch.setattr(past, "past_profile", lambda run, day, users=None: whole(run, day))
    log = random_log(4, rows=3_000, users=60).to_pandas()
    log["session_id"] = log.timestamp.dt.strftime("%j")
    border = pd.Timestamp("2024-04-10", tz="UTC")
    rng = np.random.default_rng(1)
    late = (log.timestamp >= border).to_numpy()
    wrong = log.copy()
    for column in ("event", "item_id", "category", "value", "duration_s"):
        values = wrong.loc[late, column].to_numpy()
        wrong.loc[late, column] = rng.permutation(values)
    wrong.loc[late, "value"] *= 100
    wrong = wrong[~late | (rng.random(len(wrong)) < 0.7)]
    users = log.user_id.drop_duplicates()
    decisions = pd.DataFrame(
        {"user_code": rng.integers(0, len(users), 300),
         "timestamp": pd.Timestamp("2024-03-05", tz="UTC")
         + pd.to_timedelta(rng.integers(0, 60 * 24, 300), "h")}
    )  # fmt: skip
    found = []
    for name, events in (("right", log), ("wrong", wrong)):
        run = run_of(tmp_path / name)
        numbered = events.assign(session_code=0)
        write_table(numbered, run.table_path("sessions/events"))
        found.append(
            segments_at(run, decisions, fit_on="2024-04-10", n_segments=4,
                        days=["2024-04-10", "2024-04-20"])
        )  # fmt: skip
    before = (decisions.timestamp < pd.Timestamp("2024-04-20", tz="UTC")).to_numpy()
    np.testing.assert_array_equal(found[0][before], found[1][before])
    # The corruption is one that later decisions do see.
    assert (found[0][~before] != found[1][~before]).any()
    assert set(found[0]) == {NO_PROFILE, 1, 2, 3, 4}


# ---- enough


def many_visits(n: int, bought: int) -> list[dict]:
    """`n` visits of three views each, an hour apart, of which the first `bought` buy."""
    rows = []
    for visit in range(n):
        start = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(hours=3 * visit)
        events = ["view"] * 3 + ["purchase"] * (visit * bought // n != (visit + 1) * bought // n)
        for minute, event in enumerate(events):
            rows.append({"user_id": f"u{visit % 5}", "event": event, "item_id": "p1",
                         "session_id": f"s{visit}", "value": 5.0 if event == "purchase" else None,
                         "timestamp": start + pd.Timedelta(minutes=minute)})  # fmt: skip
    return rows


def test_enough_decisions(tmp_path):
    assert enough.too_few_decisions(run_of(tmp_path / "a", many_visits(330, 60))) == ""


def test_too_few_decisions_are_counted(tmp_path):
    few = enough.too_few_decisions(run_of(tmp_path / "a", many_visits(100, 40)))
    assert few.startswith("Test shop holds ") and "the churn models need 300 and 30" in few
    n = int(few.removeprefix("Test shop holds ").split()[0])
    assert 90 <= n <= 100
    rare = enough.too_few_decisions(run_of(tmp_path / "b", many_visits(400, 12)))
    assert " 12 with a purchase within 2.5 hours" in rare or " 11 with a purchase" in rare
    one = enough.too_few_decisions(run_of(tmp_path / "c", many_visits(330, 0)))
    assert " 0 with a purchase" in one or "one outcome" in one


def test_a_log_that_cannot_be_split_or_says_nothing_is_explained(tmp_path):
    short = enough.too_few_decisions(run_of(tmp_path / "a", many_visits(3, 1)))
    assert short and "Traceback" not in short
    silent = run_of(tmp_path / "b", says=frozenset({"clock"}))
    assert "does not hold" in enough.too_few_decisions(silent)


def test_the_answer_is_kept_until_the_data_change(tmp_path, monkeypatch):
    folder = tmp_path / "shop"
    run = run_of(folder, many_visits(330, 60))
    assert enough.too_few_decisions(run) == ""
    kept = json.loads((folder / "cache" / "decisions.json").read_text())
    assert kept["reason"] == "" and kept["data"] == "abc"

    def refuse(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(enough, "make_sequences", refuse)
    assert enough.too_few_decisions(run) == ""
    with pytest.raises(AssertionError, match="made again"):
        enough.too_few_decisions(run_of(folder, fingerprint="other"))
    monkeypatch.undo()
    smaller = run_of(folder, many_visits(100, 40), fingerprint="other")
    assert "the churn models need" in enough.too_few_decisions(smaller)
    monkeypatch.setattr(enough, "__version__", "0")
    monkeypatch.setattr(enough, "make_sequences", refuse)
    with pytest.raises(AssertionError, match="made again"):
        enough.too_few_decisions(smaller)
    assert [path.name for path in (folder / "cache").iterdir()] == ["decisions.json"]


def test_visits_are_enough_without_a_log(tmp_path):
    run = run_of(tmp_path / "visits", says=frozenset({"purchases"}))
    assert "neither an event log nor enough visits" in enough.nothing_to_compare(run)
    visits = pd.DataFrame({"purchased": np.arange(400) < 29})
    write_table(visits, run.table_path("contract/visits"))
    assert "nor enough visits" in enough.nothing_to_compare(run)
    write_table(
        pd.DataFrame({"purchased": np.arange(299) < 100}), run.table_path("contract/visits")
    )
    assert "nor enough visits" in enough.nothing_to_compare(run)
    write_table(pd.DataFrame({"purchased": np.arange(300) < 30}), run.table_path("contract/visits"))
    assert enough.nothing_to_compare(run) == ""
    log = run_of(tmp_path / "log", random_visits(1, users=3))
    write_table(pd.DataFrame({"user_code": [0]}), log.table_path("contract/events"))
    assert enough.nothing_to_compare(log) == enough.too_few_decisions(log) != ""
