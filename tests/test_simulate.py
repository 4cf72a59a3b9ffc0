"""The simulated store: its log against its truth, its calibration, and what no world may change."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from precmark.contract.schema import CLICK_EVENTS, LIVE_EVENTS, TABLES
from precmark.errors import InputError
from precmark.simulate import (
    CATEGORIES,
    SCALES,
    WORLDS,
    Config,
    calibration,
    contradictions,
    simulate,
)

WINDOW = pd.Timedelta(hours=2.5)


@pytest.fixture(scope="module")
def store():
    return simulate("sample", seed=7, coupon_share=0.3)


@pytest.fixture(scope="module")
def events(store):
    return store.tables["events"].to_pandas()


@pytest.fixture(scope="module")
def decisions(store):
    return store.truth["decisions"].to_pandas()


def sessions_of(events: pd.DataFrame) -> pd.DataFrame:
    """One row a session, read plainly from the log; machines left out."""
    events = events.sort_values(["session_id", "timestamp"], kind="stable")
    bought = events[events["event"].isin(["purchase", "cancel"])]
    signed = bought["value"].where(bought["event"] == "purchase", -bought["value"])
    grouped = events.groupby("session_id")
    shop = ~events["event"].isin([*LIVE_EVENTS, "login"])
    sessions = pd.DataFrame(
        {
            "user_id": grouped["user_id"].first(),
            "start": grouped["timestamp"].first(),
            "end": grouped["timestamp"].last(),
            "last": events.drop_duplicates("session_id", keep="last").set_index("session_id")[
                "duration_s"
            ],
            "views": (events["event"] == "view").groupby(events["session_id"]).sum(),
            "purchased": (events["event"] == "purchase").groupby(events["session_id"]).any(),
            "kind": np.where(shop.groupby(events["session_id"]).any(), "shop", "live"),
            "revenue": signed.groupby(bought["session_id"]).sum(),
        }
    )
    span = (sessions["end"] - sessions["start"]).dt.total_seconds()
    sessions["duration_s"] = span + sessions["last"].fillna(0)
    sessions["revenue"] = sessions["revenue"].fillna(0)
    return sessions[sessions["views"] <= 100]


def test_label_from_the_log_is_the_truth_for_every_decision(events, decisions):
    buys = events.loc[events["event"] == "purchase", ["user_id", "timestamp"]]
    times = {u: g.to_numpy() for u, g in buys.groupby("user_id")["timestamp"]}
    wrong = 0
    for user, at, y in decisions[["user_id", "timestamp", "y"]].itertuples(index=False):
        bought = any(at <= t <= at + WINDOW for t in times.get(user, ()))
        wrong += bought != y
    assert wrong == 0


def test_decisions_are_the_third_clicks_before_a_purchase(store, events, decisions):
    machines = set(events["user_id"]) - set(store.truth["users"]["user_id"].to_pylist())
    found, clicks, bought = {}, Counter(), set()
    rows = events[~events["user_id"].isin(machines)][["session_id", "event", "timestamp"]]
    for session, event, at in rows.itertuples(index=False):  # the log is sorted by time
        if event == "purchase":
            bought.add(session)
        clicks[session] += event in CLICK_EVENTS
        if clicks[session] == 3 and session not in found and session not in bought:
            found[session] = at
    assert found == dict(zip(decisions["session_id"], decisions["timestamp"], strict=True))


def test_same_seed_same_bits_and_another_seed_not():
    one, two, other = simulate("classroom"), simulate("classroom"), simulate("classroom", seed=2)
    for name, table in one.tables.items():
        assert table.equals(two.tables[name])
    for name, table in one.truth.items():
        assert table.equals(two.truth[name])
    assert not one.tables["events"].equals(other.tables["events"])
    assert one.tables["items"].equals(other.tables["items"])


def test_worlds_share_everything_but_couponed_decisions():
    stores = [simulate("classroom", world=w, coupon_share=0.4, effect=0.05) for w in WORLDS]
    reference = None
    couponed = set(
        stores[0].truth["decisions"].filter(
            pc.is_valid(stores[0].truth["decisions"]["coupon"])
        )["user_id"].to_pylist()
    )  # fmt: skip
    for store in stores:
        events = store.tables["events"]
        kept = events.filter(pc.invert(pc.is_in(events["user_id"], pa.array(sorted(couponed)))))
        if reference is None:
            reference = kept, store.truth["decisions"]["p0"]
        assert kept.equals(reference[0])
        assert store.truth["decisions"]["p0"].equals(reference[1])
    effects = [store.truth["decisions"]["tau"].to_numpy().mean() for store in stores]
    assert effects[-1] == 0 and all(e > 0 for e in effects[:-1])


def test_tables_keep_to_the_contract(store):
    arrow = {
        "text": pa.string(), "choice": pa.string(), "number": pa.float64(), "flag": pa.bool_(),
        "integer": pa.int64(), "timestamp": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    for name in ("events", "users", "items", "assignments"):
        table = store.tables[name]
        columns = {c.name: c for c in TABLES[name]}
        assert set(table.column_names) == set(columns)
        for column in table.column_names:
            rule, values = columns[column], table[column]
            assert values.type == arrow[rule.kind], (name, column)
            if rule.required:
                assert values.null_count == 0
            if rule.choices:
                assert set(pc.unique(values).to_pylist()) <= {*rule.choices, None}
            if rule.low is not None:
                low = pc.min(values).as_py()
                assert low > rule.low if rule.open_low else low >= rule.low
            if rule.high is not None:
                assert pc.max(values).as_py() <= rule.high
    assert len(set(store.tables["users"]["user_id"].to_pylist())) == store.tables["users"].num_rows
    times = store.tables["events"]["timestamp"].to_numpy()
    assert (np.diff(times) >= np.timedelta64(0)).all()


def test_no_truth_in_the_public_tables(store):
    public = {c for t in store.tables.values() for c in t.column_names}
    hidden = {c for t in store.truth.values() for c in t.column_names}
    shared = public & hidden
    assert shared <= {"user_id", "session_id", "decision_id", "timestamp", "age"}
    reported = store.tables["users"].to_pandas().set_index("user_id")["age"]
    true = store.truth["users"].to_pandas().set_index("user_id")["age"]
    assert reported.isna().mean() > 0.6
    assert true.notna().all()


def test_events_point_at_known_users_items_and_categories(store, events):
    assert set(events["user_id"]) == set(store.tables["users"]["user_id"].to_pylist())
    items = store.tables["items"].to_pandas().set_index("item_id")
    about = events.dropna(subset=["item_id"])
    assert (about["category"].to_numpy() == items.loc[about["item_id"], "category"]).all()
    live = about["event"].isin(LIVE_EVENTS)
    kinds = items.loc[about["item_id"], "kind"].to_numpy()
    assert (kinds[live] == "broadcaster").all() and (kinds[~live] == "product").all()
    products = items[items["kind"] == "product"]
    assert len(products) == 743 and products["category"].nunique() == CATEGORIES


def test_sessions_stand_apart_and_hold_one_user(events):
    sessions = sessions_of(events)
    assert (events.groupby("session_id")["user_id"].nunique() == 1).all()
    ordered = sessions.sort_values(["user_id", "start"])
    same = ordered["user_id"].eq(ordered["user_id"].shift())
    apart = ordered["start"] - ordered["end"].shift()
    assert apart[same].min() >= pd.Timedelta(minutes=30)
    inside = events.sort_values(["session_id", "timestamp"])
    gap = inside["timestamp"].diff()[inside["session_id"].eq(inside["session_id"].shift())]
    live = sessions.index[sessions["kind"] == "live"]
    shop_gap = gap[~inside["session_id"].isin(live).reindex(gap.index)]
    assert shop_gap.max() < pd.Timedelta(minutes=30)


def test_random_coupons(store, decisions):
    given = decisions[decisions["coupon"].notna()]
    assert given["eligible"].all() and decisions.loc[decisions["eligible"], "training"].all()
    spacing = given.sort_values(["user_id", "timestamp"]).groupby("user_id")["timestamp"].diff()
    assert spacing.min() >= pd.Timedelta(days=7)
    # Eligibility by its definition: in the training period, no coupon in the 7 days before.
    times = {u: list(g) for u, g in given.groupby("user_id")["timestamp"]}
    for user, at, training, eligible in decisions[
        ["user_id", "timestamp", "training", "eligible"]
    ].itertuples(index=False):
        week = pd.Timedelta(days=7)
        recent = any(pd.Timedelta(0) < at - t < week for t in times.get(user, ()))
        assert eligible == (training and not recent)
    assignments = store.tables["assignments"].to_pandas()
    assert set(assignments["decision_id"]) == set(
        decisions.loc[decisions["eligible"], "decision_id"]
    )
    shown = assignments["arm"] == "coupon"
    assert (shown == assignments["category"].notna()).all()
    np.testing.assert_allclose(assignments.loc[shown, "propensity"], 0.3 / 18)
    np.testing.assert_allclose(assignments.loc[~shown, "propensity"], 0.7)
    assert abs(shown.mean() - 0.3) < 4 * np.sqrt(0.21 / len(shown))


def test_coupons_are_used_within_their_life_and_paid_for(store, events):
    assignments = store.tables["assignments"].to_pandas()
    used = events[events["event"] == "coupon_used"]
    assert len(used) > 0
    for row in used.itertuples():
        own = assignments[
            (assignments["user_id"] == row.user_id)
            & (assignments["category"] == row.category)
            & (assignments["timestamp"] <= row.timestamp)
            & (assignments["timestamp"] >= row.timestamp - WINDOW)
        ]
        assert len(own) == 1
        lines = events[(events["session_id"] == row.session_id) & (events["event"] == "purchase")]
        off = 0.15 * lines.loc[lines["category"] == row.category, "value"].sum()
        assert off > 0
        assert row.value == pytest.approx(off, abs=0.0051)
        assert own["cost"].iloc[0] == pytest.approx(row.value)
        assert own["revenue"].iloc[0] == pytest.approx(lines["value"].sum())
    assert assignments.loc[assignments["outcome"] == 0, ["revenue", "cost"]].to_numpy().max() == 0
    assert (assignments.loc[assignments["outcome"] == 1, "revenue"] > 0).all()


def test_extra_buyers_always_redeem(decisions, store):
    used = store.tables["assignments"].to_pandas().set_index("decision_id")["cost"] > 0
    shown = decisions[decisions["coupon"].notna()].set_index("decision_id")
    extra = shown.index[shown["y"] & ~shown["y0"]]
    assert len(extra) > 0 and used[extra].all()


def test_outcomes_are_monotone_and_drawn_from_one_v(decisions):
    d = decisions
    assert (d["y0"] == (d["v"] < d["p0"])).all()
    assert (d["y"] == (d["v"] < d["p0"] + d["tau"])).all()
    assert (d["y"] >= d["y0"]).all()
    assert (d.loc[d["coupon"].isna(), "tau"] == 0).all()
    assert ((d["tau"] >= 0) & (d["tau"] <= 0.9 * (1 - d["p0"]) + 1e-12)).all()
    logit = np.log(d["p0"] / (1 - d["p0"]))
    parts = d["totals_logit"] + d["order_logit"] + d["baseline_logit"] + d["noise_logit"]
    assert (logit - parts).std() < 1e-9


def test_calibration_within_five_percent(events, store):
    table = calibration(
        sessions_of(events),
        store.tables["users"].to_pandas(),
        traffic=SCALES["sample"],
        timezone=store.source.timezone,
    )
    aimed = table[table["verdict"] != "cannot be matched"]
    assert (aimed["verdict"] == "matched").all(), aimed
    assert set(table.loc[table["verdict"] == "cannot be matched", "published"]) == {13438, 9438}


@pytest.mark.parametrize(("scale", "wanted"), [("classroom", 2_000), ("sample", 10_000)])
def test_scales_keep_the_year_and_the_number_of_decisions(scale, wanted):
    store = simulate(scale, seed=11)
    assert store.truth["decisions"].num_rows == pytest.approx(wanted, rel=0.06)
    times = store.tables["events"]["timestamp"].to_pandas()
    assert (times.max() - times.min()).days == pytest.approx(365, abs=1)
    local = times.dt.tz_convert("Asia/Shanghai")
    assert local.min() >= pd.Timestamp("2024-07-01", tz="Asia/Shanghai")
    assert local.dt.date.nunique() >= 365


def test_season_and_hours_show_in_local_time(events):
    local = events["timestamp"].dt.tz_convert("Asia/Shanghai")
    daily = local.dt.date.value_counts()
    plain = daily.median()
    for day in ("2024-11-11", "2025-06-18"):
        assert daily[pd.Timestamp(day).date()] > 1.4 * plain
    hours = local.dt.hour.value_counts(normalize=True)
    assert hours[range(19, 23)].sum() > 4 * hours[range(2, 6)].sum()


def test_returning_visitors_exist_from_the_first_day(events, store):
    registered = store.tables["users"].to_pandas().set_index("user_id")["registered_at"]
    week = events[events["timestamp"] < events["timestamp"].min() + pd.Timedelta(days=7)]
    before = registered[week["user_id"].unique()] < events["timestamp"].min()
    assert 0.25 < before.mean() < 0.6


def test_live_streams_and_machines_have_their_shares(store, events):
    live = events["event"].isin([*LIVE_EVENTS, "login"])
    assert 0.1 < live.mean() < 0.27
    sessions = (events["event"] == "view")[~live].groupby(events["session_id"]).sum()
    assert sessions.min() >= 1
    machines = sessions[sessions > 100]
    assert 1 <= len(machines) <= 5e-4 * len(sessions)
    assert sessions[sessions <= 100].max() <= 62
    watch = events[events["event"] == "watch"]
    assert 0.1 < (watch["duration_s"] > 300).mean() < 0.5
    assert (events.loc[events["event"] == "gift", "value"] > 0).all()


def test_attributes_have_the_papers_gaps():
    users = simulate("book", seed=3).tables["users"].to_pandas()
    assert users["gender"].isin(["female", "male"]).mean() == pytest.approx(0.22, abs=0.01)
    assert users["age"].notna().mean() == pytest.approx(0.28, abs=0.01)
    valid = users["age"].between(8, 60)
    assert valid.mean() == pytest.approx(0.25, abs=0.01)
    clean = valid & ~users["age"].isin([51, 52])
    assert clean.mean() == pytest.approx(0.21, abs=0.01)
    counts = users["age"].value_counts()
    assert counts[52] > 3 * counts[51] > 3 * counts.get(50, 0)
    assert counts.drop([51.0, 52.0]).idxmax() in range(19, 26)


def test_a_store_with_another_k_keeps_its_promise():
    store = simulate("classroom", k=2, order_share=0.0)
    decisions = store.truth["decisions"].to_pandas()
    events = store.tables["events"].to_pandas()
    buys = events[events["event"] == "purchase"]
    merged = decisions.merge(buys[["user_id", "timestamp"]], on="user_id", suffixes=("", "_buy"))
    late = merged["timestamp_buy"] - merged["timestamp"]
    inside = merged[(late >= pd.Timedelta(0)) & (late <= WINDOW)]
    assert set(inside["decision_id"]) == set(decisions.loc[decisions["y"], "decision_id"])
    assert (decisions["order_logit"] == 0).all()


def test_contradictions_follow_from_the_printed_figures():
    found = contradictions()
    assert len(found) == 3
    for printed in found["printed"]:
        first, second = (float(x.replace(",", "")) for x in re.findall(r"[\d,]+(?= )", printed))
        assert first != second


def test_bad_parameters_are_all_named_at_once():
    with pytest.raises(InputError) as raised:
        Config(scale="huge", world="flat", effect=3.0, k=2.5, order_share=float("nan"))
    text = str(raised.value)
    for word in ("scale", "world", "effect", "k: 2.5", "order_share"):
        assert word in text
    assert len(raised.value.problems) == 5
