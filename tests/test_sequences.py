"""Sequences of visits against a loop over events, the simulated truth and a corrupted future."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from precmark.contract import ingest
from precmark.engine import connect, read
from precmark.errors import InputError
from precmark.runs import Run, write_card
from precmark.sequences import (
    describe_channels,
    make_sequences,
    session_sequences,
    step_mask,
    task_for,
)
from precmark.sequences.stream import open_log, users
from precmark.sessions import find_sessions, write_sessions
from precmark.simulate import simulate
from precmark.source import CAPABILITIES, Source
from tests.event_logs import loaded, table

CLICKS = ("view", "search", "cart", "uncart")
EVERYTHING = frozenset(CAPABILITIES) - {"truth"}
SHOP = Source("shop", "Test shop", EVERYTHING, timezone="Europe/London")
ANONYMOUS = Source("clicks", "Anonymous clicks", frozenset({"views", "sessions", "items",
                                                          "categories"}))  # fmt: skip


def random_visits(seed: int, *, users: int = 6, visits: int = 5) -> list[dict]:
    """Rows of bursts of events: ties, visits that interleave, missing items and categories."""
    rng = np.random.default_rng(seed)
    kinds = [*CLICKS, "purchase", "cancel", "watch", "login", "coupon_shown"]
    share = [0.45, 0.1, 0.12, 0.05, 0.1, 0.03, 0.06, 0.05, 0.04]
    rows = []
    for user in range(users):
        start = pd.Timestamp("2024-03-25", tz="UTC") + pd.Timedelta(
            minutes=int(rng.integers(0, 3_000))
        )
        for visit in range(int(rng.integers(1, visits + 1))):
            start += pd.Timedelta(minutes=int(rng.choice([0, 40, 100, 1_440 * 10, 1_440 * 30])))
            at = start
            for _ in range(int(rng.integers(1, 9))):
                event = str(rng.choice(kinds, p=share))
                at += pd.Timedelta(seconds=int(rng.choice([0, 0, 1, 20, 600])))
                row = {"user_id": f"u{user}", "timestamp": at, "event": event,
                       "session_id": f"u{user}v{visit}"}  # fmt: skip
                if event != "login" and rng.random() < 0.85:
                    product = int(rng.integers(5))
                    row |= {"category": f"c{product % 3}"}
                    if event != "search":
                        row |= {"item_id": f"p{product}"}
                if event in ("purchase", "cancel") and rng.random() < 0.8:
                    row |= {"value": float(rng.integers(1, 500)) / 10}
                    if rng.random() < 0.8:
                        row |= {"quantity": float(rng.integers(1, 4))}
                rows.append(row)
    return [rows[i] for i in rng.permutation(len(rows))]


PRICES = {"p0": 10.0, "p1": 2.5, "p2": 0.0, "p3": None}


def in_duckdb(rows: list[dict], con=None):
    """Events of sessions of `rows`, and items, on a connection."""
    con = con or connect(threads=1)
    events = find_sessions(loaded(con, table(rows))).events
    items = pa.table(
        {
            "item_id": list(PRICES),
            "category": [f"c{i % 3}" for i in range(4)],
            "price": pa.array(PRICES.values(), pa.float64()),
        }
    )
    return events, loaded(con, items, "items")


def by_hand(events: pd.DataFrame, k: int, horizon: pd.Timedelta, timezone: str) -> list[dict]:
    """Each decision with its whole history, event by event."""
    events = events.sort_values(["user_code", "timestamp", "row"]).astype(object)
    events = events.where(events.notna(), None).to_dict("records")
    by_user = defaultdict(list)
    for e in events:
        by_user[e["user_code"]].append(e)
    found = []
    for mine in by_user.values():
        for i, e in enumerate(mine):
            before = [p for p in mine[: i + 1] if p["session_code"] == e["session_code"]]
            clicks = sum(p["event"] in CLICKS for p in before)
            if e["event"] not in CLICKS or clicks != k:
                continue
            if any(p["event"] == "purchase" for p in before):
                continue
            y = any(
                p["event"] == "purchase" and p["timestamp"] - e["timestamp"] <= horizon
                for p in mine[i + 1 :]
            )
            more = any(
                p["event"] in CLICKS and p["session_code"] == e["session_code"]
                for p in mine[i + 1 :]
            )
            steps = [step_by_hand(mine[: j + 1], e["timestamp"], timezone) for j in range(i + 1)]
            found.append({"event": e, "y": int(y), "more": int(more), "steps": steps})
    return found


def step_by_hand(past: list[dict], decided: pd.Timestamp, timezone: str) -> dict[str, float]:
    """The channels of the last event of `past`, read from their definitions."""
    e, earlier = past[-1], past[:-1]
    visit = [p for p in earlier if p["session_code"] == e["session_code"]]
    out = {f"is_{kind}": float(e["event"] == kind) for kind in (*CLICKS, "purchase")}
    is_click = e["event"] in CLICKS
    before = earlier
    if is_click and not any(p["event"] in CLICKS for p in visit):
        before = [p for p in earlier if p["event"] in CLICKS]
    gap = (e["timestamp"] - before[-1]["timestamp"]).total_seconds() if before else 0.0
    out["log_gap_s"] = math.log1p(gap)
    out["log_age_s"] = math.log1p((decided - e["timestamp"]).total_seconds())
    out["visit_start"] = float(not visit)
    out["seen_item"] = float(
        e["item_id"] is not None and any(p["item_id"] == e["item_id"] for p in visit)
    )
    named = [p["category"] for p in earlier if p["event"] in CLICKS and p["category"]]
    category = e["category"]
    out["same_category"] = float(bool(category and named and named[-1] == category))
    opened = [
        p["category"] for p in [*visit, e] if p["event"] in CLICKS and p["category"] is not None
    ]
    out["first_category"] = float(bool(category and opened and opened[0] == category))
    price = PRICES.get(e["item_id"])
    if e["event"] in ("purchase", "cancel") and e["value"] is not None:
        price = e["value"] / (e["quantity"] or 1.0)
    out["log_price"] = math.nan if price is None else math.log1p(price)
    local = e["timestamp"].tz_convert(timezone)
    of_day = (local - local.normalize()) / pd.Timedelta(days=1)
    if local.date() == pd.Timestamp("2024-03-31").date():  # the day on which clocks change
        of_day = (local.hour * 3_600 + local.minute * 60 + local.second) / 86_400
    out["hour_sin"], out["hour_cos"] = math.sin(2 * math.pi * of_day), math.cos(
        2 * math.pi * of_day
    )  # fmt: skip
    month = e["timestamp"] - pd.Timedelta(days=30)
    first_clicks = {}
    for p in past:
        if p["event"] in CLICKS:
            first_clicks.setdefault(p["session_code"], p["timestamp"])
    others = [at for s, at in first_clicks.items() if s != e["session_code"] and at >= month]
    out["log_visits_30d"] = math.log1p(len(others))
    out["log_orders"] = math.log1p(
        len({p["session_code"] for p in earlier if p["event"] == "purchase"})
    )
    return out


def expected(found: list[dict], channels: tuple[str, ...], T: int) -> np.ndarray:
    X = np.full((len(found), len(channels), T), np.nan)
    for i, decision in enumerate(found):
        for j, step in enumerate(decision["steps"][-T:]):
            X[i, :, j] = [step[c] for c in channels]
    return X


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 10_000), k=st.integers(1, 4), T=st.integers(1, 6),
       batch=st.sampled_from([3, 17, 500_000]))  # fmt: skip
def test_against_a_loop_over_the_events(seed, k, T, batch):
    events, items = in_duckdb(random_visits(seed, users=8))
    task = task_for(SHOP, k=k, steps=T, horizon_hours=0.5)
    plain = events.to_pandas()
    found = by_hand(plain, k, pd.Timedelta(minutes=30), SHOP.timezone)
    longest = max((len(f["steps"]) for f in found), default=0)
    if longest < T or len({f["event"]["timestamp"] for f in found}) < 9:
        return  # tested apart: the errors
    got = session_sequences(events, task, SHOP, items=items, batch_rows=batch)
    assert [*got.decisions["timestamp"]] == [f["event"]["timestamp"] for f in found]
    assert [*got.decisions["session_code"]] == [f["event"]["session_code"] for f in found]
    np.testing.assert_array_equal(got.y, [f["y"] for f in found])
    wanted = expected(found, got.channels, T)
    assert got.X.dtype == np.float32
    np.testing.assert_allclose(got.X, wanted, rtol=2e-6, atol=2e-6)
    steps = [min(T, len(f["steps"])) for f in found]
    np.testing.assert_array_equal(got.decisions["steps"], steps)
    np.testing.assert_array_equal(got.mask, np.arange(T) < np.array(steps)[:, None])
    np.testing.assert_array_equal(step_mask(got.X), got.mask)


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 10_000))
def test_next_click_and_order_only_channels(seed):
    rows = [r for r in random_visits(seed, users=40) if r["event"] == "view"]
    for row in rows:  # each visit its own user, as where nobody is recognised
        row["user_id"] = row["session_id"]
    events, items = in_duckdb(rows)
    task = task_for(ANONYMOUS, k=2)
    assert (task.label, task.steps, task.horizon.total_seconds()) == ("next_click", 2, 0)
    got = session_sequences(events, task, ANONYMOUS, items=items)
    found = by_hand(events.to_pandas(), 2, pd.Timedelta(0), "UTC")
    np.testing.assert_array_equal(got.y, [f["more"] for f in found])
    order_only = ("seen_item", "same_category", "first_category", "log_price")
    assert got.channels == (*order_only, "price_to_category", "category_share",
                            "in_c0", "in_c1", "in_c2")  # fmt: skip
    np.testing.assert_allclose(got.X[:, :4], expected(found, order_only, 2), rtol=2e-6, atol=1e-6)
    # Mean log list price: c0 holds p0 (p3 has none), c1 p1, c2 p2.
    usual = {"c0": math.log(11), "c1": math.log(3.5), "c2": 0.0}
    plain = events.to_pandas().sort_values(["user_code", "timestamp", "row"])
    for i, (_, visit) in enumerate((u, v) for u, v in plain.groupby("user_code") if len(v) >= 2):
        for j in range(2):
            e = visit.iloc[j]
            category = e["category"] if isinstance(e["category"], str) else None
            price = PRICES.get(e["item_id"])
            relative = math.log1p(price) - usual[category] if price is not None else math.nan
            alike = sum(c == category for c in visit["category"].iloc[: j + 1]) / (j + 1)
            one_hot = [category == f"c{c}" for c in range(3)]
            wanted = [relative, alike if category else 0.0, *one_hot]
            np.testing.assert_allclose(got.X[i, 4:, j], wanted, rtol=2e-6, atol=1e-6)


def test_one_case_read_by_eye():
    day = pd.Timestamp("2024-01-10 12:00", tz="UTC")
    minute = pd.Timedelta(minutes=1)

    def row(user, at, event, visit, **more):
        return {"user_id": user, "timestamp": day + at * minute, "event": event,
                "session_id": visit, **more}  # fmt: skip

    rows = [
        row("a", 0, "view", "a1"), row("a", 0, "purchase", "a1"), row("a", 0, "view", "a1"),
        row("a", 60, "view", "a2"), row("a", 61, "search", "a2"), row("a", 62, "view", "a2"),
        row("b", 0, "view", "b1"), row("b", 0, "cart", "b1"), row("b", 0, "purchase", "b1"),
        row("c", 0, "view", "c1"), row("c", 5, "view", "c1"), row("c", 155, "purchase", "c2"),
        row("d", 0, "view", "d1"), row("d", 6, "view", "d1"),
        row("d", 156, "purchase", "d2"), row("d", 157, "purchase", "d2"),
        row("e", 9, "view", "e1"), row("e", 9, "view", "e1"),
        row("e", 159, "login", "e2"), row("e", 900, "purchase", "e2"),
        *(row("f", 10 + i, "view", f"f{i // 2}") for i in range(8)),
    ]  # fmt: skip
    events, _ = in_duckdb(rows)
    got = session_sequences(events, task_for(SHOP, k=2, steps=4), SHOP)
    by = got.decisions.assign(y=got.y).groupby("user_code")
    # a: its first visit buys before click 2; the second decides at its second click.
    assert by.size().to_dict() == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 4}
    assert by["timestamp"].first()[0] == day + 61 * minute
    # b: the purchase of the same instant comes later in the log; c and d: 150 minutes, the very
    # end of the window; e: later.
    assert by["y"].first().to_dict() == {0: 0, 1: 1, 2: 1, 3: 1, 4: 0, 5: 0}
    a = got.X[0]
    assert list(a[got.channels.index("visit_start")]) == [0, 0, 1, 0]
    np.testing.assert_allclose(
        a[got.channels.index("log_gap_s")], np.log1p([0, 0, 3_600, 60]), rtol=1e-6
    )
    f = got.X[got.decisions["user_code"] == 5]
    assert step_mask(f).sum(axis=1).tolist() == [2, 4, 4, 4]
    assert np.isnan(f[0, :, 2:]).all()


def corrupted(rows: list[dict], cutoff: pd.Timestamp, rng: np.random.Generator) -> list[dict]:
    """`rows` with everything after `cutoff` changed, moved, removed, repeated or added to."""
    kept = [r for r in rows if r["timestamp"] <= cutoff]
    later = [dict(r) for r in rows if r["timestamp"] > cutoff]
    for r in later:
        r |= {"event": str(rng.choice([*CLICKS, "purchase", "cancel", "watch"])),
              "item_id": f"p{rng.integers(9)}", "category": f"c{rng.integers(9)}",
              "value": 1e6 * rng.random(), "quantity": 7.0, "duration_s": 5e4}  # fmt: skip
        r["timestamp"] = cutoff + pd.Timedelta(seconds=float(rng.integers(1, 10**6)))
    later = [r for r in later if rng.random() < 0.8]
    users = sorted({r["user_id"] for r in rows})
    extra = [
        {"user_id": str(rng.choice(users)), "event": "purchase", "value": 5.0, "item_id": "p1",
         "timestamp": cutoff + pd.Timedelta(seconds=int(s)), "session_id": f"new{s}"}
        for s in rng.integers(1, 10**5, 40)
    ]  # fmt: skip
    return [*kept, *(later + extra)]


@pytest.mark.parametrize("given_ids", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_later_than_the_decision(seed, given_ids):
    rows = random_visits(seed, users=40)
    if not given_ids:  # visits are then cut from gaps, durations included
        for r in rows:
            del r["session_id"]
    rng = np.random.default_rng(seed)
    times = sorted(r["timestamp"] for r in rows)
    task = task_for(SHOP, k=2, steps=5)
    events, items = in_duckdb(rows)
    whole = session_sequences(events, task, SHOP, items=items)
    compared = 0
    for place in (0.35, 0.7):
        cutoff = times[int(place * len(times))]
        changed = corrupted(rows, cutoff, rng)
        if not given_ids:
            changed = [{c: v for c, v in r.items() if c != "session_id"} for r in changed]
        events, items = in_duckdb(changed)
        again = session_sequences(events, task, SHOP, items=items)
        assert again.channels == whole.channels
        known = (whole.decisions["timestamp"] <= cutoff).to_numpy()
        known_again = (again.decisions["timestamp"] <= cutoff).to_numpy()
        assert whole.X[known].tobytes() == again.X[known_again].tobytes()
        keys = ["user_code", "timestamp", "steps"]
        left, right = (s.decisions.loc[m, keys].reset_index(drop=True)
                       for s, m in ((whole, known), (again, known_again)))  # fmt: skip
        pd.testing.assert_frame_equal(left, right)
        complete = (whole.decisions["timestamp"] + task.horizon <= cutoff).to_numpy()
        at = (again.decisions["timestamp"] + task.horizon <= cutoff).to_numpy()
        np.testing.assert_array_equal(whole.y[complete], again.y[at])
        compared += known.sum()
    assert compared > 40


@pytest.fixture(scope="module")
def shop_run(tmp_path_factory) -> Run:
    """A simulated store of classroom size as a run with sessions."""
    folder = tmp_path_factory.mktemp("runs") / "shop"
    made = ingest(folder, simulate("classroom", seed=3))
    write_card(folder, {"source": made.source, "parameters": {"engine": "duckdb", "as_of": None}})
    write_sessions(Run(folder), threads=1)
    return Run(folder)


@pytest.fixture(scope="module")
def shop(shop_run):
    return make_sequences(shop_run)


def truth_of(run: Run, sequences) -> pd.DataFrame:
    """The truth's decisions in the order of `sequences`; only tests may read it."""
    sessions = run.table("sessions/sessions", ["session_code", "session_id"])
    ids = sessions.set_index("session_code")["session_id"]
    truth = pd.read_parquet(run.truth / "decisions.parquet").set_index("session_id")
    assert len(truth) == len(sequences)
    return truth.loc[ids[sequences.decisions["session_code"]]]


def test_decisions_labels_and_coupons_are_the_truth(shop_run, shop):
    truth = truth_of(shop_run, shop)
    assert (shop.decisions["timestamp"].to_numpy() == truth["timestamp"].to_numpy()).all()
    np.testing.assert_array_equal(shop.y, truth["y"])
    np.testing.assert_array_equal(shop.decisions["coupon"], truth["coupon"].notna())
    assert shop.X.shape[1:] == (16, 20) and shop.task.positive == "a purchase within 2.5 hours"
    kept = shop.part("train")
    assert not kept.decisions["coupon"].any()
    with_coupons = shop.part("train", coupons=True)
    assert len(with_coupons) > len(kept) > 0
    assert len(shop.part("test", by="random_split")) > 0
    with pytest.raises(InputError, match="training"):
        shop.part("training")


def features_of_truth(shop) -> tuple[np.ndarray, np.ndarray]:
    """The totals and order features of precmark.simulate.risk, computed from X alone."""
    place = {name: i for i, name in enumerate(shop.channels)}
    totals, order = [], []
    for x, steps in zip(shop.X.astype(float), shop.decisions["steps"], strict=True):
        x = x[:, :steps]
        begins = np.flatnonzero(x[place["visit_start"]])
        visit = x[:, begins[-1] if len(begins) else 0 :]
        clicks = visit[:, visit[:4].any(axis=0)][:, -3:]
        kind = clicks[:4].argmax(axis=0)
        gaps = np.expm1(clicks[place["log_gap_s"]])
        first = clicks[place["first_category"]]
        returning = gaps[0] > 0
        pairs = list(itertools.pairwise(kind))
        totals.append([
            clicks[place["log_visits_30d"], 0], returning, np.log1p(gaps[0] / 86_400),
            *((kind == code).sum() for code in (2, 1, 3)), np.log(gaps[1:].sum()),
        ])  # fmt: skip
        order.append([
            max((i + 1 for i in range(3) if kind[i] == 2), default=0), np.log(gaps[2] / gaps[1]),
            (not first[1]) and first[2], pairs.count((1, 0)), pairs.count((0, 1)),
            returning and clicks[place["same_category"], 0],
        ])  # fmt: skip
    return np.array(totals, dtype=float), np.array(order, dtype=float)


def explained(features: np.ndarray, wanted: np.ndarray) -> float:
    """R squared of the least-squares fit."""
    design = np.column_stack([np.ones(len(features)), features])
    left = wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    return 1 - left.var() / wanted.var()


def test_what_decides_the_outcome_can_be_computed_from_x(shop_run, shop):
    truth = truth_of(shop_run, shop)
    totals, order = features_of_truth(shop)
    # What is missing is what lies before the log and in the short visits of those who come back.
    assert explained(totals, truth["totals_logit"].to_numpy()) > 0.95
    carts, searches, dwell = totals[:, 3], totals[:, 4], totals[:, 6]
    basis = np.column_stack([
        totals, dwell**2, carts**2, searches**2, carts * searches, totals[:, 0] ** 2,
        totals[:, 2] ** 2,
    ])  # fmt: skip
    wanted = truth["order_logit"].to_numpy()
    assert explained(np.column_stack([basis, order]), wanted) > 0.97
    assert explained(basis, wanted) < 0.2


def test_one_user_larger_than_a_batch_changes_nothing(shop_run, shop):
    again = make_sequences(shop_run, batch_rows=50)
    assert shop.X.tobytes() == again.X.tobytes()
    pd.testing.assert_frame_equal(shop.decisions, again.decisions)


def test_memory_holds_a_batch_and_one_user(shop_run):
    events = read(connect(threads=1), shop_run.need("sessions/events"))
    per_user = events.to_pandas()["user_code"].value_counts()
    sizes, last = [], -1
    for batch in users(open_log(events), batch_rows=50):
        assert batch.user[0] > last and (np.diff(batch.user) >= 0).all()
        last = batch.user[-1]
        sizes.append(len(batch.user))
    assert sum(sizes) == per_user.sum() and max(sizes) <= 50 + per_user.max()


def test_every_channel_is_put_in_words(shop):
    words = describe_channels([*shop.channels, "in_sale", "log_revenue"])
    assert words["what"].str.len().min() > 15 and len(words) == 18
    assert words["what"].iloc[-2] == "1 where the category is sale"


def test_other_clicks_and_windows(shop_run, shop):
    k5 = make_sequences(shop_run, task_for(shop_run.source, k=5))
    reached = set(shop.decisions["session_code"])
    assert set(k5.decisions["session_code"]) <= reached and len(k5) < len(shop)
    longer = make_sequences(shop_run, task_for(shop_run.source, horizon_hours=48))
    assert (longer.y >= shop.y).all() and longer.y.sum() > shop.y.sum()
    short = make_sequences(shop_run, task_for(shop_run.source, steps=2))
    last = shop.decisions["steps"].to_numpy() - 1
    rows = np.arange(len(shop))
    np.testing.assert_array_equal(short.X[:, :, 1], shop.X[rows, :, last])


def test_take_keeps_rows_together(shop):
    some = shop.take([5, 2])
    assert some.decisions["decision"].tolist() == [5, 2] and len(some) == 2
    np.testing.assert_array_equal(some.X, shop.X[[5, 2]])
    chosen = shop.y == 1
    assert shop.take(chosen).y.all() and len(shop.take(chosen)) == chosen.sum()


def test_errors_say_what_to_do(shop_run):
    con = connect(threads=1)
    events = read(con, shop_run.need("sessions/events"))
    source = shop_run.source
    with pytest.raises(InputError, match=r"no session reaches click 5000 .* the longest has \d+"):
        session_sequences(events, task_for(source, k=5_000), source)
    with pytest.raises(InputError, match=r"99999 steps, but no user has more than \d+ events"):
        session_sequences(events, task_for(source, steps=99_999), source)
    ended = events.group_by("user_code").mutate(n=ibis._.count())
    most = int(ended.n.max().execute())
    with pytest.raises(InputError, match=r"\d+ steps, but no decision has more than \d+ events"):
        session_sequences(events, task_for(source, steps=most), source)
    with pytest.raises(InputError, match="lacks columns session_code, value"):
        session_sequences(events.drop("session_code", "value"), task_for(source), source)
    with pytest.raises(InputError, match="no events"):
        session_sequences(events.limit(0), task_for(source), source)
    few = events.filter(events.user_code < 5)
    with pytest.raises(InputError, match=r"cannot be split|no session reaches"):
        session_sequences(few, task_for(source, steps=1), source)
    blind = Source("blind", "Blind log", frozenset({"views", "sessions"}))
    views = events.filter(events.event == "view")
    with pytest.raises(InputError, match="every step looks the same"):
        session_sequences(views, task_for(blind), blind)
