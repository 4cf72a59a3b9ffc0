"""Every feature and list of the dictionary against loops over random logs, and the window edges."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.engine import connect
from precmark.errors import InputError
from precmark.profiles import build_profiles, features, list_entries, write_profiles
from precmark.profiles.basic import ATTRIBUTES
from precmark.profiles.rows import check_as_of
from precmark.runs import Run, write_card
from precmark.source import Source
from precmark.tables import read_units, write_table
from tests import profile_reference as reference
from tests.event_logs import at, loaded, random_log, table, users_table

EMPTY = [a for a in ATTRIBUTES if a != "tenure_days"]
"""Columns without a value where there is no users table."""

LISTS = ["user_code", "list", "window_days", "rank", "item_id", "value"]


def built(log: pa.Table, users: pa.Table | None = None, **choices):
    con = connect(threads=1)
    people = None if users is None else loaded(con, users, "users")
    made = build_profiles(loaded(con, log), people, **choices)
    profile = made.profile.order_by("user_code").to_pandas()
    lists = made.lists.order_by(*LISTS[:4]).to_pandas()
    return made, profile, lists


def check(log: pa.Table, as_of: dt.date, timezone: str) -> None:
    _, profile, lists = built(log, as_of=as_of, timezone=timezone)
    histories = reference.histories(log, as_of, timezone)
    logins = reference.has_logins(log, as_of, timezone)
    assert profile.user_code.tolist() == list(histories)
    for (_, got), (user, history) in zip(profile.iterrows(), histories.items(), strict=True):
        expected = reference.features(history, logins)
        assert set(expected) == {f.name for f in features()} - set(ATTRIBUTES)
        for name, value in expected.items():
            if value is None:
                assert pd.isna(got[name]), (user, name)
            else:
                assert got[name] == pytest.approx(value, abs=1e-6), (user, name)
        wanted = [
            (name, days, rank, item, value)
            for (name, days), ranked in sorted(reference.lists(history).items())
            for rank, (item, value) in enumerate(ranked, 1)
        ]
        mine = lists[lists.user_code == user]
        keys = ["list", "window_days", "rank", "item_id"]
        assert list(mine[keys].itertuples(index=False, name=None)) == [w[:4] for w in wanted]
        np.testing.assert_allclose(mine.value, [w[4] for w in wanted], atol=1e-6)


@settings(max_examples=2, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 71),
    st.sampled_from(["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York"]),
)
def test_every_feature_and_list_matches_loops(seed, day, timezone):
    log = random_log(seed, rows=700, users=6)
    as_of = dt.date(2024, 2, 20) + dt.timedelta(days=day)
    check(log, as_of, timezone)


def test_they_match_where_the_clocks_change():
    # The 30 days hold the last Sunday of March, when Europe's clocks go forward.
    check(random_log(5, rows=700, users=6), dt.date(2024, 4, 5), "Europe/London")


def test_the_order_of_rows_and_the_threads_change_nothing():
    log = random_log(21, rows=3000, users=20)
    shuffled = log.take(pa.array(np.random.default_rng(0).permutation(len(log))))
    _, profile, lists = built(log)
    con = connect(threads=2)
    made = build_profiles(loaded(con, shuffled))
    pd.testing.assert_frame_equal(profile, made.profile.order_by("user_code").to_pandas())
    pd.testing.assert_frame_equal(lists, made.lists.order_by(*LISTS[:4]).to_pandas())
    assert list(profile.columns) == ["user_id", "user_code", *(f.name for f in features())]
    met = set(zip(lists["list"], lists.window_days, strict=True))
    assert met == {(entry.name, entry.window_days) for entry in list_entries()}


# --------------------------------------------------------------------------- case by case


def many(user: str, event: str, times: list[str], **columns) -> list[dict]:
    return [{"user_id": user, "timestamp": at(t), "event": event, **columns} for t in times]


def cases() -> list[dict]:
    """One user a case, all as of 1 April 2024 in London, the day after the clocks went forward."""
    years = pd.date_range("2015-01-01", "2024-03-20", freq="37D").strftime("%Y-%m-%d").tolist()
    return [
        # London's 25 March begins at 00:00 UTC, 1 April at 23:00 UTC of the day before.
        *many("edges", "view", ["2024-03-25 00:00", "2024-03-31 23:00"]),
        *many("outside", "view", ["2024-03-24 23:59:59.999999", "2024-03-31 22:59:59.999999"]),
        *many("hours", "view", ["2024-03-30 17:30", "2024-03-31 17:30"]),
        *many("valid", "watch", ["2024-03-30"], duration_s=300.0),
        *many("valid", "watch", ["2024-03-30"], duration_s=300.001),
        *many("cancels", "purchase", ["2024-03-03"], value=20.0),
        *many("cancels", "cancel", ["2024-03-28"], value=20.0),
        *many("cancels", "purchase", ["2024-03-29"], value=5.5),
        *(r for x in ("p10", "p2", "P9", "é", "p1")
          for r in many("ties", "view", ["2024-03-30"], item_id=x)),
        *(r for i in range(14) for event in ("chat", "follow")
          for r in many("long", event, ["2024-03-30"], item_id=f"x{i:02d}")),
        *many("years", "purchase", years, value=1.0),
        *(r for v in [0.1] * 10 + [1e9, 0.2]
          for r in many("exact", "purchase", ["2024-03-01"], value=v)),
        *many("old", "purchase", ["2023-11-01"], value=3.0),
        *many("later", "view", ["2024-04-02"]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def case():
    _, profile, lists = built(table(cases()), as_of="2024-04-01", timezone="Europe/London")
    return profile.set_index("user_id"), lists.set_index("user_id")


def test_a_window_holds_its_first_instant_and_not_its_last(case):
    profile, _ = case
    edges, outside = profile.loc["edges"], profile.loc["outside"]
    assert (edges.views_7, edges.views, edges.days_since_last_event) == (1, 1, 7)
    assert (outside.views_7, outside.views_30, outside.views) == (1, 2, 2)
    assert (outside.days_since_first_event, outside.days_since_last_event) == (8, 1)


def test_hours_follow_the_stores_clock_through_the_change(case):
    # 17:30 UTC is 17:30 in London on 30 March and 18:30 on 31 March.
    row = case[0].loc["hours"]
    assert (row.views_afternoon_7, row.views_evening_7) == (1, 1)
    assert (row.views_saturday_30, row.views_sunday_30, row.views_workday_30) == (1, 1, 0)


def test_five_minutes_are_not_valid_and_a_millisecond_more_is(case):
    assert case[0].loc["valid"].valid_watches_7 == 1


def test_a_cancel_takes_money_back_and_may_leave_less_than_nothing(case):
    row = case[0].loc["cancels"]
    assert (row.monetary, row.spend_7, row.spend_30) == (5.5, -14.5, 5.5)


def test_ties_go_to_the_smaller_name(case):
    lists = case[1].loc["ties"]
    top = lists[(lists["list"] == "products_by_views") & (lists.window_days == 7)]
    assert top.item_id.tolist() == sorted(["p10", "p2", "P9", "é", "p1"])


def test_windowed_lists_end_at_ten_and_whole_ones_do_not(case):
    sizes = case[1].loc["long"].groupby(["list", "window_days"]).size()
    assert sizes["broadcasters_by_chats", 7] == 10 and sizes["followed", 0] == 14


def test_active_days_reach_back_over_many_years(case):
    row = case[0].loc["years"]
    purchases = sum(r["user_id"] == "years" for r in cases())
    assert purchases > 90
    assert row.active_days == row.frequency == row.monetary == purchases


def test_money_is_summed_exactly(case):
    assert case[0].loc["exact"].monetary == 1_000_000_001.2


def test_windows_may_be_empty(case):
    row = case[0].loc["old"]
    assert row.events_30 == 0 and row.active_days_30 == 0 and row.spend_30 == 0.0
    assert pd.isna(row.share_00_06_30) and row.chats_per_active_day_30 == 0.0
    assert (row.frequency, row.recency_days, row.monetary) == (1, 152, 3.0)


def test_who_came_later_is_not_known_yet(case):
    assert "later" not in case[0].index


def test_login_days_count_every_event_where_the_log_has_no_login(case):
    # This log has no login at all; the random logs of the tests above have.
    assert case[0].loc["outside"].login_days_30 == 2


# --------------------------------------------------------------------------- who is known, when

REGISTERED = [
    {"user_id": "a", "user_code": 0, "gender": "female", "age": 33.0, "level": 4},
    {"user_id": "b", "user_code": 1, "registered_at": at("2024-05-09 23:59:59").to_pydatetime()},
    {"user_id": "c", "user_code": 2, "registered_at": at("2024-05-10").to_pydatetime()},
    {"user_id": "d", "user_code": 3},
    {"user_id": "e", "user_code": 4},
    {"user_id": "f", "user_code": 5, "registered_at": at("2024-05-20").to_pydatetime()},
]


def known_as_of(as_of: str) -> pd.DataFrame:
    events = [("a", "2024-05-01"), ("e", "2024-05-12"), ("f", "2024-05-02"), ("g", "2024-05-03")]
    rows = [{"user_id": u, "timestamp": at(t), "event": "view"} for u, t in events]
    log = table(rows)
    codes = {"a": 0, "e": 4, "f": 5, "g": 6}
    coded = pa.array([codes[u] for u in log["user_id"].to_pylist()], pa.int64())
    log = log.set_column(log.column_names.index("user_code"), "user_code", coded)
    return built(log, users_table(REGISTERED), as_of=as_of)[1]


def test_users_are_those_known_by_the_date():
    # a, f, g had an event; b had registered; d has neither date nor event; c registered and e came
    # later. f's registration lies ahead of its first event, so that its tenure starts there.
    profile = known_as_of("2024-05-10")
    assert profile.user_id.tolist() == ["a", "b", "d", "f", "g"]
    tenure = profile.set_index("user_id").tenure_days
    assert tenure[["a", "b", "f", "g"]].tolist() == [9, 1, 8, 7] and pd.isna(tenure["d"])
    assert known_as_of("2024-05-11").user_id.tolist() == ["a", "b", "c", "d", "f", "g"]


def test_a_user_without_events_counts_nothing():
    silent = known_as_of("2024-05-10").set_index("user_id").loc["d"]
    missing = {f.name for f in features() if pd.isna(silent[f.name])}
    may = ("watch_interval_h", "share_", "recency_days", "days_since", "tenure_days")
    assert {m for m in missing if not m.startswith(may)} == set(ATTRIBUTES) - {"tenure_days"}
    counts = [f.name for f in features() if f.name not in missing]
    assert (silent[counts].astype(float) == 0).all()


def test_attributes_are_carried_over():
    a = known_as_of("2024-05-10").set_index("user_id").loc["a"]
    assert (a.gender, a.age, a.level) == ("female", 33.0, 4)


# --------------------------------------------------------------------------- refused


@pytest.mark.parametrize("as_of", ["2024-04-30", "2024-05-01", "2024-05-05"])
def test_an_as_of_date_outside_the_log_is_refused(as_of):
    rows = [{"user_id": "a", "timestamp": at(f"2024-05-0{d}"), "event": "view"} for d in (1, 3)]
    with pytest.raises(InputError, match="outside the log") as error:
        built(table(rows), as_of=as_of)
    assert "from 2024-05-02 to 2024-05-04" in str(error.value)


def test_the_default_date_is_the_day_after_the_last_event_on_the_stores_clock():
    last_us = at("2024-05-03 20:00").value // 1000
    assert check_as_of(None, 0, last_us, "UTC") == dt.date(2024, 5, 4)
    assert check_as_of(None, 0, last_us, "Asia/Shanghai") == dt.date(2024, 5, 5)


@pytest.mark.parametrize("as_of", ["tomorrow", "2024-13-01", "2024-05-03T10:00:00"])
def test_an_as_of_that_is_no_day_is_refused(as_of):
    rows = [{"user_id": "a", "timestamp": at("2024-05-03"), "event": "view"}]
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        built(table(rows), as_of=as_of)


def test_an_unknown_time_zone_and_an_empty_log_are_refused():
    log = random_log(1, rows=5)
    with pytest.raises(InputError, match="time zone 'Mars/Olympus'"):
        built(log, timezone="Mars/Olympus")
    with pytest.raises(InputError, match="no events"):
        built(log.slice(0, 0))


# --------------------------------------------------------------------------- files


def test_written_profiles_are_the_built_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("precmark.profiles.lists.BATCH_ROWS", 500)
    path = tmp_path / "r"
    source = Source("test", "A test", frozenset({"clock"}), timezone="Asia/Shanghai")
    write_card(path, {"source": source, "parameters": {}})
    log = random_log(31, rows=800, users=9)
    write_table(log, path / "results/sessions/events.parquet")
    run = Run(path)
    write_profiles(run, as_of="2024-04-20", threads=1)
    _, profile, lists = built(log, as_of="2024-04-20", timezone="Asia/Shanghai")
    written = run.table("profiles/profile")
    pd.testing.assert_frame_equal(written[profile.columns.drop(EMPTY)], profile.drop(columns=EMPTY))
    assert written[EMPTY].isna().all(axis=None)
    pd.testing.assert_frame_equal(run.table("profiles/lists"), lists, check_dtype=False)
    assert read_units(run.table_path("profiles/profile"))["watch_s_7"] == "s"
    assert len(run.table("profiles/dictionary")) == len(features()) + len(list_entries())
