"""Sessions against a loop over the events of each user, and their rules one by one."""

from __future__ import annotations

from collections import defaultdict

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.engine import connect
from precmark.errors import InputError
from precmark.runs import Run, write_card
from precmark.sessions import SESSION_COLUMNS, find_sessions, write_sessions
from precmark.source import Source
from precmark.tables import write_table
from tests.event_logs import at, loaded, random_log, table

LIVE = {"watch", "chat", "comment", "gift", "follow"}


def found(log: pa.Table, **rules):
    con = connect(threads=1)
    out = find_sessions(loaded(con, log), **rules)
    return (
        out.events.order_by("user_code", "timestamp", "row").to_pandas(),
        out.sessions.order_by("session_code").to_pandas(),
        out.bots.order_by("session_code").to_pandas(),
    )


def by_hand(log: pa.Table, gap_minutes: float = 30) -> list[dict]:
    """Every session, people's and robots', by looping over the rows."""
    rows = log.to_pylist()
    groups = defaultdict(list)
    busy_until: dict = {}
    number = defaultdict(int)
    for r in sorted(rows, key=lambda r: (r["user_code"], r["timestamp"], r["row"])):
        user = r["user_code"]
        ends = r["timestamp"] + pd.Timedelta(seconds=min(r["duration_s"] or 0.0, 86_400.0))
        if r["session_id"] is not None:
            groups[user, r["session_id"]].append((r, ends))
            continue
        quiet = user in busy_until and r["timestamp"] - busy_until[user] > pd.Timedelta(
            minutes=gap_minutes
        )
        number[user] += quiet
        busy_until[user] = max(ends, busy_until.get(user, ends))
        groups[user, number[user]].append((r, ends))
    ordered = sorted(
        groups.items(), key=lambda g: (g[0][0], g[1][0][0]["timestamp"], g[1][0][0]["row"])
    )
    sessions, seen = [], set()
    for code, ((user, key), members) in enumerate(ordered):
        names = [r["event"] for r, _ in members]
        money = {"purchase": 1, "cancel": -1}
        sessions.append(
            {
                "session_code": code,
                "session_id": key if isinstance(key, str) else f"s{code}",
                "user_id": members[0][0]["user_id"],
                "user_code": user,
                "start": members[0][0]["timestamp"],
                "end": max(ends for _, ends in members),
                "events": len(members),
                "views": names.count("view"),
                "searches": names.count("search"),
                "carts": names.count("cart"),
                "purchases": names.count("purchase"),
                "purchased": "purchase" in names,
                "revenue": sum(money.get(r["event"], 0) * (r["value"] or 0) for r, _ in members),
                "is_new": user not in seen,
                "kind": "live" if set(names) <= LIVE | {"login"} and set(names) & LIVE else "shop",
                "rows": [r["row"] for r, _ in members],
            }
        )
        seen.add(user)
    return sessions


def check(log: pa.Table, max_views: int = 100, gap_minutes: float = 30) -> None:
    events, sessions, bots = found(log, max_views=max_views, gap_minutes=gap_minutes)
    expected = by_hand(log, gap_minutes)
    assert list(sessions.columns) == list(SESSION_COLUMNS)
    for frame, wanted in (
        (sessions, [s for s in expected if s["views"] <= max_views]),
        (bots, [s for s in expected if s["views"] > max_views]),
    ):
        assert frame.session_code.tolist() == [s["session_code"] for s in wanted]
        for column in set(SESSION_COLUMNS) - {"duration_s", "revenue"}:
            assert frame[column].tolist() == [s[column] for s in wanted], column
        np.testing.assert_allclose(frame.revenue, [s["revenue"] for s in wanted], atol=1e-9)
        lasted = [(s["end"] - s["start"]) / pd.Timedelta(seconds=1) for s in wanted]
        np.testing.assert_allclose(frame.duration_s, lasted, atol=1e-9)
    places = {
        row: (s["session_code"], s["session_id"], place)
        for s in expected
        if s["views"] <= max_views
        for place, row in enumerate(s["rows"], 1)
    }
    assert set(events["row"]) == set(places)
    got = zip(events.session_code, events.session_id, events.position, strict=True)
    assert list(got) == [places[row] for row in events["row"]]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([5, 30, 240]))
def test_sessions_from_gaps_match_a_loop(seed, gap_minutes):
    check(random_log(seed, rows=300, users=5, days=4), max_views=3, gap_minutes=gap_minutes)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 1.0))
def test_given_sessions_are_kept_and_the_others_found(seed, share):
    log = random_log(seed, rows=300, users=5, days=4)
    rng = np.random.default_rng(seed)
    ids = [f"visit {rng.integers(20)}" if rng.random() < share else None for _ in range(len(log))]
    check(log.set_column(3, "session_id", pa.array(ids, pa.string())), max_views=5)


def test_a_log_without_durations_uses_the_times_alone():
    log = random_log(3, rows=200, users=4, days=3)
    check(log.set_column(8, "duration_s", pa.nulls(len(log), pa.float64())))


def test_thirty_minutes_do_not_cut_and_a_microsecond_more_does():
    def sessions(gap):
        times = [at("2024-05-01 10:00"), at("2024-05-01 10:00") + gap]
        rows = [{"user_id": "a", "timestamp": t, "event": "view"} for t in times]
        return len(found(table(rows))[1])

    assert sessions(pd.Timedelta(minutes=30)) == 1
    assert sessions(pd.Timedelta(minutes=30, microseconds=1)) == 2


def test_silence_starts_when_the_longest_event_ends():
    rows = [
        {"user_id": "a", "timestamp": at("2024-05-01 10:00"), "event": "watch", "duration_s": 3600},
        {"user_id": "a", "timestamp": at("2024-05-01 10:05"), "event": "chat"},
        {"user_id": "a", "timestamp": at("2024-05-01 11:20"), "event": "chat"},
    ]
    _, sessions, _ = found(table(rows))
    assert sessions.duration_s.tolist() == [80 * 60]
    assert sessions.kind.tolist() == ["live"]


def test_one_absurd_duration_does_not_join_everything():
    rows = [
        {"user_id": "a", "timestamp": at("2024-05-01"), "event": "watch", "duration_s": 1e300},
        {"user_id": "a", "timestamp": at("2024-05-03"), "event": "view"},
    ]
    _, sessions, _ = found(table(rows))
    assert sessions.duration_s.tolist() == [86_400.0, 0.0]


def test_a_hundred_page_views_are_a_person_and_one_more_is_a_robot():
    rows = [
        {"user_id": user, "timestamp": at("2024-05-01"), "event": "view"}
        for user, views in (("person", 100), ("robot", 101))
        for _ in range(views)
    ]
    events, sessions, bots = found(table(rows))
    assert sessions.user_id.tolist() == ["person"] and bots.user_id.tolist() == ["robot"]
    assert bots.views.tolist() == [101]
    assert events.user_id.unique().tolist() == ["person"]


def test_days_without_a_clock_are_one_session_each():
    rows = [
        {"user_id": "a", "timestamp": at(day), "event": "purchase", "value": 1.0}
        for day in ("2024-05-01", "2024-05-01", "2024-05-02")
    ]
    _, sessions, _ = found(table(rows))
    assert sessions.events.tolist() == [2, 1]
    assert sessions.duration_s.tolist() == [0.0, 0.0]


def test_one_id_of_two_users_is_two_sessions():
    rows = [
        {"user_id": u, "timestamp": at("2024-05-01"), "event": "view", "session_id": "1"}
        for u in "ab"
    ]
    _, sessions, _ = found(table(rows))
    assert sessions.session_id.tolist() == ["1", "1"] and sessions.session_code.tolist() == [0, 1]


def test_only_robots_are_refused():
    rows = [{"user_id": "a", "timestamp": at("2024-05-01"), "event": "view"}] * 101
    with pytest.raises(
        InputError, match="each session found, 1 in all, has more than 100 page views"
    ) as error:
        found(table(rows))
    assert "--max-views" in str(error.value)


def test_rules_out_of_range_are_all_named():
    with pytest.raises(InputError) as error:
        found(random_log(1), gap_minutes=0, max_views=0)
    assert len(error.value.problems) == 2


def test_values_that_are_no_money_are_refused():
    rows = [{"user_id": "a", "timestamp": at("2024-05-01"), "event": "purchase", "value": 1e13}]
    with pytest.raises(InputError, match=r"1e\+13"):
        found(table(rows))


def test_money_is_summed_exactly_in_any_order():
    rows = [
        {"user_id": "a", "timestamp": at("2024-05-01"), "event": "purchase", "value": v}
        for v in [0.1] * 10 + [1e9, 0.2]
    ]
    _, sessions, _ = found(table(rows))
    assert sessions.revenue.tolist() == [1_000_000_001.2]


def a_run(path, log: pa.Table) -> Run:
    write_card(path, {"source": Source("test", "A test", frozenset({"clock"})), "parameters": {}})
    write_table(log, path / "results/contract/events.parquet")
    return Run(path)


def test_written_sessions_are_the_found_ones(tmp_path):
    log = random_log(11, rows=900, users=20, days=10)
    run = a_run(tmp_path / "r", log)
    sessions = write_sessions(run, threads=1, max_views=1)
    events, expected, bots = found(log, max_views=1)
    pd.testing.assert_frame_equal(sessions.to_pandas(), expected, check_dtype=False)
    pd.testing.assert_frame_equal(run.table("sessions/bots"), bots, check_dtype=False)
    written = run.table("sessions/events")
    assert list(written.columns) == [*log.column_names, "session_code", "position"]
    pd.testing.assert_frame_equal(written, events, check_dtype=False)
    assert len(bots) > 0


def test_written_events_of_several_batches_stay_beside_their_sessions(tmp_path, monkeypatch):
    monkeypatch.setattr("precmark.sessions.BATCH_ROWS", 64)
    log = random_log(12, rows=700, users=9, days=10)
    run = a_run(tmp_path / "r", log)
    write_sessions(run, threads=1, max_views=1)
    events, _, _ = found(log, max_views=1)
    pd.testing.assert_frame_equal(run.table("sessions/events"), events, check_dtype=False)


def test_an_unordered_file_is_refused_and_nothing_is_written(tmp_path):
    log = random_log(13, rows=50).sort_by([("row", "ascending")])
    run = a_run(tmp_path / "r", log)
    with pytest.raises(InputError, match="not in the order"):
        write_sessions(run, threads=1)
    assert not list((run.results / "sessions").iterdir())


def test_units_are_stored(tmp_path):
    run = a_run(tmp_path / "r", random_log(14, rows=50))
    write_sessions(run, threads=1)
    schema = pq.read_schema(run.table_path("sessions/sessions"))
    assert schema.field("duration_s").metadata[b"unit"] == b"s"


def test_the_order_of_rows_does_not_matter():
    log = random_log(15, rows=400, users=6, days=5)
    shuffled = log.take(pa.array(np.random.default_rng(0).permutation(len(log))))
    for left, right in zip(found(log), found(shuffled), strict=True):
        pd.testing.assert_frame_equal(left, right)


def test_found_tables_are_ibis_tables():
    con = connect(threads=1)
    out = find_sessions(loaded(con, random_log(1, rows=20)))
    assert all(isinstance(t, ibis.Table) for t in (out.events, out.sessions, out.bots))
