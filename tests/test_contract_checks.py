"""The check: all problems at once, what is set aside, what the data can say."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.contract import Options, check, ingest, parse_pairs
from precmark.contract.schema import EVENT_NAMES
from precmark.errors import InputError

START = datetime(2024, 7, 1, tzinfo=UTC)


def log(n: int = 6, **columns) -> pd.DataFrame:
    """n different events of three users."""
    data = {
        "user_id": [f"u{i % 3}" for i in range(n)],
        "timestamp": [START + timedelta(hours=i) for i in range(n)],
        "event": ["view"] * n,
    }
    return pd.DataFrame(data | columns)


def messages(data, **options) -> list[str]:
    return [str(p) for p in check(data, Options(**options)).problems]


def test_a_good_log_has_no_problems():
    checked = check(log()).require()
    events = checked.tables["events"]
    assert (checked.rows, events.kept, events.users) == (6, 6, 3)
    assert (events.start, events.end) == (START, START + timedelta(hours=5))
    assert checked.set_aside == {}
    assert events.columns == {c: c for c in ("user_id", "timestamp", "event")}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("userid", "user_id"), ("visitorid", "user_id"), ("Customer ID", "user_id"),
     ("time", "timestamp"), ("event_time", "timestamp"), ("action", "event"),
     ("Event", "event")],
)  # fmt: skip
def test_a_missing_column_names_the_nearest(theirs, ours):
    (message,) = messages(log().rename(columns={ours: theirs}))
    assert f"events.{ours}: there is no column '{ours}'" in message
    assert f"--map {ours}={theirs}" in message
    assert check(log().rename(columns={ours: theirs}), Options(map={ours: theirs})).ok


def test_a_mapped_column_that_is_not_there_is_a_problem_too():
    (message,) = messages(log(), map={"item_id": "produkt"})
    assert "'produkt' (--map)" in message


def test_an_optional_column_can_be_left_out():
    table = log(platform="fridge")
    assert "unknown value 'fridge'" in messages(table)[0]
    assert "--map platform=" in messages(table)[0]
    assert check(table, Options(map={"platform": ""})).ok


def test_options_are_checked_too():
    found = messages(
        log(), map={"usr_id": "a"}, event_names={"buy": "purchas"}, timezone="Europe/Londn"
    )
    assert "Did you mean 'user_id'?" in found[0]
    assert "Did you mean 'purchase'?" in found[1]
    assert "Did you mean 'Europe/London'?" in found[2]


def test_pairs_of_an_option():
    assert parse_pairs("a=b, c = d e,", "--map") == {"a": "b", "c": "d e"}
    assert parse_pairs(None, "--map") == {}
    assert parse_pairs("platform=", "--map") == {"platform": ""}
    with pytest.raises(InputError) as caught:
        parse_pairs("a=b,c,=d,a=e", "--map")
    assert len(caught.value.problems) == 3
    assert "--map: 'c'" in str(caught.value)


def test_unknown_events_are_listed_by_name_with_the_nearest():
    table = log(event=["view", "addtocart", "transaction", "addtocart", "viewed", None])
    found = messages(table)
    assert "unknown value 'addtocart' (2 rows, first 2, 4)" in found[0]
    assert "--event-names addtocart=cart" in found[0]
    assert [f.split(":")[1].split("(")[0].strip() for f in found[1:]] == [
        "unknown value 'transaction'", "unknown value 'viewed'", "empty",
    ]  # fmt: skip
    names = {"addtocart": "cart", "transaction": "purchase", "viewed": "view"}
    assert len(messages(table, event_names=names)) == 1
    checked = check(table.assign(event=table["event"].fillna("view")), Options(event_names=names))
    assert checked.require().says >= {"purchases", "views"}


def test_many_unknown_values_are_counted_but_not_all_listed():
    found = messages(log(40, event=[f"e{i}" for i in range(40)]))
    assert len(found) == 13
    assert "(28 rows)" in found[-1]


def test_all_problems_come_at_once(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text(
        "visitorid,timestamp,event,value,quantity,email\n"
        "u1,2024-07-01 10:00,view,1,1,x@y.org\n"
        "u2,2024-13-01T10:00:00Z,looked,abc,1,\n"
        "u2,2999-01-01T10:00:00Z,view,1,two,\n"
    )
    found = messages(path)
    for part in ("'email'", "'user_id'", "in the future", "not a date", "no time zone",
                 "'looked'", "value: not a number", "quantity: not a number"):  # fmt: skip
        assert sum(part in f for f in found) == 1, part
    assert len(found) == 8


def test_impossible_values_and_blank_ids_are_set_aside_and_counted(tmp_path):
    nan, inf = float("nan"), math.inf
    table = pa.table(
        {
            "user_id": ["u0", "u1", None, "  ", "u0", "u1", "u0", "u1", "u9", "u1"],
            "timestamp": [START + timedelta(hours=i) for i in range(10)],
            "event": ["purchase"] * 10,
            "value": [1.0, -1.0, 2.0, 2.0, nan, inf, 3.0, 4.0, -5.0, 6.0],
            "quantity": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, -1.0, None],
            "duration_s": [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -0.5, 1.0, 2.0],
        }
    )
    done = ingest(tmp_path / "run", table)
    assert done.checked.set_aside == {
        "events: no user_id": 2, "events: value below 0": 2, "events: value not finite": 2,
        "events: quantity not above 0": 1, "events: duration_s below 0": 1,
    }  # fmt: skip
    events = pd.read_parquet(done.tables["events"])
    assert events["row"].tolist() == [1, 10]
    rejected = pd.read_parquet(done.tables["rejected"])
    assert rejected["row"].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert rejected["user_id"].isna().tolist() == [
        False, True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert not rejected["user_id"].isin(["u0", "u1", "u9"]).any()
    assert rejected["record"].str.contains('"value"').all()
    assert done.users == 2
    report = pd.read_parquet(done.tables["report"]).set_index("item")["rows"]
    assert (report["read"], report["kept"]) == (10, 2)
    assert report.filter(like="set aside").sum() == 8


def test_exact_duplicates_keep_the_first(tmp_path):
    once = log(5, value=[1.0, None, 2.0, None, 3.0])
    table = pd.concat([once, once.iloc[[1, 1, 4]], once.iloc[[0]].assign(value=9.0)])
    done = ingest(tmp_path / "run", table)
    assert done.checked.set_aside == {"events: exact duplicate": 3}
    assert sorted(pd.read_parquet(done.tables["events"])["row"]) == [1, 2, 3, 4, 5, 9]
    rejected = pd.read_parquet(done.tables["rejected"])
    assert rejected["row"].tolist() == [6, 7, 8]
    assert set(rejected["reason"]) == {"exact duplicate"}
    same = pd.concat([once, table.iloc[[-1]]])
    assert done.checked.fingerprint == check(same).require().fingerprint


def test_rows_that_differ_only_in_an_unused_column_are_duplicates():
    table = pd.concat([log(3), log(1).assign(extra="x")])
    assert check(table).set_aside == {"events: exact duplicate": 1}


def test_everything_set_aside_is_refused(tmp_path):
    (message,) = messages(log(value=-1.0))
    assert "every row was set aside (value below 0: 6 rows)" in message
    with pytest.raises(InputError):
        ingest(tmp_path / "run", log(value=-1.0))
    assert not (tmp_path / "run" / "results").exists()


def test_one_user_and_one_event_are_refused():
    assert "only one user" in messages(log(user_id="a"))[0]
    assert "at least 2 users" in messages(log(user_id="a"))[0]
    assert "only one event" in messages(log(1))[0]
    assert "only one event (set aside: no user_id: 3 rows)" in messages(
        log(4, user_id=["a", None, None, " "])
    )[0]  # fmt: skip


def test_no_purchase_is_allowed_and_said():
    assert "purchases" not in check(log()).require().says
    assert check(log(event="purchase")).says >= {"purchases"}
    assert "prices" not in check(log(event="purchase")).says
    assert "prices" not in check(log(value=2.0)).says


def test_what_a_log_says():
    hours = log(6)
    assert check(hours).says == {"events", "views", "clock", "sessions"}
    days = [START + timedelta(days=i) for i in range(6)]
    assert check(log(timestamp=days)).says == {"events", "views", "users"}
    assert check(log(timestamp=days, session_id="s")).says == {
        "events",
        "views",
        "users",
        "sessions",
    }
    rich = log(event=["purchase", "watch", "gift", "view", "view", "view"], value=1.0,
               item_id="i", category="c")  # fmt: skip
    assert check(rich).says == {
        "events",
        "views", "clock", "sessions", "purchases", "prices", "live", "items", "categories",
    }  # fmt: skip
    users = pd.DataFrame({"user_id": ["u0"], "age": [30]})
    offers = pd.DataFrame(
        {"decision_id": ["d"], "user_id": ["u1"], "timestamp": [START], "arm": ["none"],
         "propensity": [0.5], "outcome": [1]}
    )  # fmt: skip
    tables = {"events": hours, "users": users, "assignments": offers}
    assert check(tables).require().says >= {"attributes", "coupons"}


def test_other_tables_follow_their_own_rules():
    users = pd.DataFrame(
        {"user_id": ["a", "a", "b", "c", None], "level": [1, 2, 151, 3.5, 4], "age": [300.0] * 5,
         "gender": ["female", "male", "unknown", "Female", "male"], "has_avatar": "yes"}
    )  # fmt: skip
    found = messages({"events": log(), "users": users})
    assert len(found) == 2
    assert "users.gender: unknown value 'Female'" in found[0]
    assert "Did you mean 'female'?" in found[0]
    assert "users.level: not a whole number" in found[1]
    users = users.assign(gender="male", level=[1, 2, 151, 3, 4])
    found = messages({"events": log(), "users": users})
    assert "users.user_id: given more than once" in found[0]
    assert "(1 row, first 2)" in found[0]
    checked = check({"events": log(), "users": users.iloc[1:]}).require()
    assert checked.tables["users"].set_aside == {"level above 150": 1, "no user_id": 1}
    offers = {"decision_id": ["d1", "d2", "d3"], "user_id": ["u1", "u2", "u0"],
              "timestamp": [START] * 3, "arm": ["a", None, "b"], "propensity": [0.1, 0.1, 0.0],
              "outcome": [1, 0, 0]}  # fmt: skip
    checked = check({"events": log(), "assignments": pd.DataFrame(offers)}).require()
    assert checked.tables["assignments"].set_aside == {"no arm": 1, "propensity not above 0": 1}
    offers["outcome"] = ["bought", 0, 2]
    assert "outcome: not a number" in messages({"assignments": pa.table(
        offers | {"outcome": ["bought", "0", "2"]})})[0]  # fmt: skip


def test_flags_are_read_from_words_and_numbers(tmp_path):
    visits = pd.DataFrame({"session_id": list("abcd"), "purchased": ["TRUE", "no", "1", "0"],
                           "pages": [1, 2, 3, 4]})  # fmt: skip
    done = ingest(tmp_path / "run", {"visits": visits})
    table = pd.read_parquet(done.tables["visits"])
    assert table["purchased"].tolist() == [True, False, True, False]
    assert table["pages"].tolist() == [1, 2, 3, 4]
    path = tmp_path / "v.csv"
    visits.assign(pages=[1, 2, None, 4.5], month="May").to_csv(path, index=False)
    table = pd.read_parquet(ingest(tmp_path / "csv", {"visits": path}).tables["visits"])
    assert table["pages"].dtype == float
    assert table["month"].tolist() == ["May"] * 4
    assert "not true or false" in messages({"visits": visits.assign(purchased="perhaps")})[0]


def test_an_unknown_table_is_refused():
    with pytest.raises(InputError, match="no table orders"):
        check({"orders": log()}).require()


def test_a_money_column_with_signs_is_refused_with_the_fix():
    (message,) = messages(log(value=["1,50 €"] * 6))
    assert "not a number (6 rows, first 1, 2, 3, 4, 5), e.g. '1,50 €'" in message
    assert "decimal point" in message


CELL = {
    "user_id": st.sampled_from(["a", "b", "c", "", " ", None]),
    "event": st.sampled_from(["view", "cart", "purchase"]),
    "value": st.sampled_from([None, 0.0, 1.5, -1.0, math.inf]),
    "quantity": st.sampled_from([None, 1.0, 0.0]),
    "hour": st.integers(0, 3),
}


def reading(rows: list[dict]) -> dict[str, int]:
    """The rules as loops over rows: how many are set aside for each reason."""
    counts: dict[str, int] = {}
    seen = set()
    for row in rows:
        value, quantity = row["value"], row["quantity"]
        whole = tuple(row[column] for column in sorted(row))
        if not (row["user_id"] or "").strip():
            reason = "no user_id"
        elif value is not None and not math.isfinite(value):
            reason = "value not finite"
        elif value is not None and value < 0:
            reason = "value below 0"
        elif quantity is not None and quantity <= 0:
            reason = "quantity not above 0"
        elif whole in seen:
            reason = "exact duplicate"
        else:
            seen.add(whole)
            continue
        counts[reason] = counts.get(reason, 0) + 1
    return counts


@settings(max_examples=30, deadline=None)
@given(st.lists(st.fixed_dictionaries(CELL), min_size=1, max_size=40))
def test_counts_against_a_plain_reading_of_the_rules(rows):
    # Two users that are always there, so that nothing but the counts is under test.
    always = {"event": "search", "value": None, "quantity": None, "hour": 9}
    fixed = [{"user_id": user} | always for user in "xy"]
    rows = fixed + rows
    stamps = [START + timedelta(hours=r["hour"]) for r in rows]
    table = pa.table(
        {
            "user_id": pa.array([r["user_id"] for r in rows], pa.string()),
            "timestamp": stamps,
            "event": [r["event"] for r in rows],
            "value": pa.array([r["value"] for r in rows], pa.float64(), from_pandas=False),
            "quantity": pa.array([r["quantity"] for r in rows], pa.float64()),
        }
    )
    found = check(table).require().tables["events"]
    assert dict(found.set_aside) == reading(rows)
    assert found.kept == len(rows) - sum(found.set_aside.values())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=8, unique=True))
def test_any_event_name_but_the_contracts_is_refused(names):
    unknown = [n for n in names if n not in EVENT_NAMES]
    found = check(log(len(unknown) + 2, event=["view", "view", *unknown])).problems
    assert [p.rows for p in found] == [1] * len(unknown)
