"""Customers at rolling origins against a loop over their days, and a corrupted future."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from precmark.engine import connect
from precmark.errors import InputError
from precmark.sequences import (
    CUSTOMER_CHANNELS,
    customer_sequences,
    customer_summary,
    read_sequences,
    rolling_origins,
    step_mask,
    task_for,
    write_sequences,
)
from precmark.sessions import find_sessions
from precmark.source import Source
from tests.event_logs import loaded, table
from tests.test_sequences_splits import small_run

ORDERS = Source("orders", "Test orders", frozenset({"purchases", "clock", "users", "prices"}),
                timezone="Europe/London")  # fmt: skip
SHOP = Source("shop", "Test shop", ORDERS.says | {"views", "sessions"}, timezone="Asia/Tokyo")


def random_orders(seed: int, *, users: int = 25, days: int = 400, rows: int = 500) -> list[dict]:
    """Orders of several lines, cancellations and a few views over more than a year."""
    rng = np.random.default_rng(seed)
    out = []
    for number in range(rows):
        user, minute = int(rng.integers(users)), int(rng.integers(days * 1_440))
        at = pd.Timestamp("2023-02-01", tz="UTC") + pd.Timedelta(minutes=minute)
        event = str(rng.choice(["purchase", "cancel", "view"], p=[0.7, 0.15, 0.15]))
        for line in range(int(rng.integers(1, 4))):
            row = {"user_id": f"u{user:02d}", "timestamp": at, "event": event,
                   "session_id": f"i{number}", "item_id": f"p{rng.integers(6)}"}  # fmt: skip
            if event != "view" and (line or rng.random() < 0.9):
                row |= {"value": float(rng.integers(1, 900)) / 100,
                        "quantity": float(rng.integers(1, 9))}  # fmt: skip
            out.append(row)
    return out


def in_duckdb(rows: list[dict]):
    con = connect(threads=1)
    return find_sessions(loaded(con, table(rows))).events


def local_days(events, timezone: str) -> dict[int, list[dict]]:
    """Each user's events with their local date, in order."""
    frame = events.to_pandas().sort_values(["user_code", "timestamp", "row"]).astype(object)
    mine = defaultdict(list)
    for e in frame.where(frame.notna(), None).to_dict("records"):
        e["date"] = e["timestamp"].tz_convert(timezone).date()
        mine[e["user_code"]].append(e)
    return mine


def steps_by_hand(mine: list[dict], origin: dt.date, length: int, T: int) -> list[dict]:
    """The channels of each step from the first order's on."""
    day = dt.timedelta(days=1)
    bought = [e for e in mine if e["event"] == "purchase" and e["date"] < origin]
    first = min(e["date"] for e in bought)
    steps = []
    for j in range(T):
        begin = origin - (T - j) * length * day
        end = begin + length * day
        if end <= first:
            continue
        inside = [e for e in mine if begin <= e["date"] < end]
        orders = [e for e in inside if e["event"] == "purchase"]
        so_far = [e for e in bought if e["date"] < end]
        dates = sorted({e["date"] for e in so_far})
        last_day = end - day
        angle = 2 * math.pi * (last_day.timetuple().tm_yday - 1)
        leap = last_day.year % 4 == 0
        angle /= 366 if leap else 365
        money = sum(e["value"] or 0 for e in orders)
        back = sum(e["value"] or 0 for e in inside if e["event"] == "cancel")
        steps.append({
            "has_order": float(bool(orders)),
            "log_orders": math.log1p(len({e["session_code"] for e in orders})),
            "log_items": math.log1p(sum(e["quantity"] or 0 for e in orders)),
            "log_revenue": math.log1p(money),
            "log_cancelled": math.log1p(back),
            "log_products": math.log1p(len({e["item_id"] for e in orders})),
            "log_days_since_order": math.log1p((last_day - dates[-1]).days),
            "log_weeks_since_first": math.log1p((last_day - first).days / 7),
            "log_orders_so_far": math.log1p(len({e["session_code"] for e in so_far})),
            "log_revenue_so_far": math.log1p(sum(e["value"] or 0 for e in so_far)),
            "log_usual_gap_days": math.nan if len(dates) < 2 else math.log1p(
                (dates[-1] - dates[0]).days / (len(dates) - 1)),
            "season_sin": math.sin(angle),
            "season_cos": math.cos(angle),
            "log_visits": math.log1p(len({e["session_code"] for e in inside})),
        })  # fmt: skip
    return steps


@pytest.mark.parametrize("source", [ORDERS, SHOP], ids=lambda s: s.name)
@pytest.mark.parametrize(("step", "T", "batch"), [("week", 12, 100_000), ("day", 30, 13)])
def test_against_a_loop_over_the_days(source, step, T, batch):
    events = in_duckdb(random_orders(7))
    task = task_for(source, unit="customer", steps=T, step=step, horizon_days=60)
    got = customer_sequences(events, task, source, batch_users=batch)
    assert got.channels == tuple(CUSTOMER_CHANNELS)[: 14 if source is SHOP else 13]
    by_user = local_days(events, source.timezone)
    last = max(e["date"] for mine in by_user.values() for e in mine)
    end = last + dt.timedelta(days=1)
    row = 0
    for back, part in ((180, "train"), (120, "validation"), (60, "test")):
        origin = end - dt.timedelta(days=back)
        for user, mine in sorted(by_user.items()):
            bought = [e["date"] for e in mine if e["event"] == "purchase"]
            if not bought or min(bought) >= origin:
                continue
            decision = got.decisions.iloc[row]
            local = decision["timestamp"].tz_convert(source.timezone)
            assert (local.date(), local.hour, local.minute) == (origin, 0, 0)
            assert (decision["user_code"], decision["split"]) == (user, part)
            after = origin + dt.timedelta(days=60)
            assert got.y[row] == any(origin <= d < after for d in bought)
            steps = steps_by_hand(mine, origin, 7 if step == "week" else 1, T)
            wanted = np.full((len(got.channels), T), np.nan)
            for j, values in enumerate(steps):
                wanted[:, j] = [values[name] for name in got.channels]
            np.testing.assert_allclose(got.X[row], wanted, rtol=3e-6, atol=3e-6)
            assert decision["steps"] == len(steps) == step_mask(got.X[row : row + 1]).sum()
            row += 1
    assert row == len(got) and 0 < got.y.mean() < 1


def test_nothing_later_than_the_origin():
    rows = random_orders(3)
    task = task_for(ORDERS, steps=10, horizon_days=60)
    whole = customer_sequences(in_duckdb(rows), task, ORDERS)
    summary = customer_summary(in_duckdb(rows), whole.decisions["timestamp"].unique(),
                               timezone=ORDERS.timezone)  # fmt: skip
    rng = np.random.default_rng(0)
    # The last event stays, because the origins are counted back from it.
    last = max(r["timestamp"] for r in rows)
    for origin in whole.decisions["timestamp"].unique():
        changed = [dict(r) for r in rows]
        for r in changed:
            if origin <= r["timestamp"] < last:
                r["event"] = str(rng.choice(["purchase", "cancel"]))
                r["user_id"] = f"u{rng.integers(25):02d}"
                r |= {"value": 1e6, "quantity": 1e3, "item_id": "new"}
        drawn = rng.random(len(changed)) < 0.5
        changed = [
            r
            for r, keep in zip(changed, drawn, strict=True)
            if keep or r["timestamp"] == last or r["timestamp"] < origin
        ]
        events = in_duckdb(changed)
        again = customer_sequences(events, task, ORDERS)
        known = (whole.decisions["timestamp"] <= origin).to_numpy()
        same = (again.decisions["timestamp"] <= origin).to_numpy()
        assert whole.X[known].tobytes() == again.X[same].tobytes()
        assert (whole.decisions["user_code"][known].to_numpy()
                == again.decisions["user_code"][same].to_numpy()).all()  # fmt: skip
        earlier = summary[(summary["timestamp"] <= origin).to_numpy()]
        pd.testing.assert_frame_equal(
            earlier, customer_summary(events, earlier["timestamp"].unique(),
                                      timezone=ORDERS.timezone))  # fmt: skip


def test_summary_against_its_definition_and_aligned():
    events = in_duckdb(random_orders(11))
    task = task_for(ORDERS, steps=8, horizon_days=60)
    got = customer_sequences(events, task, ORDERS)
    summary = customer_summary(events, got.decisions["timestamp"].unique(),
                               timezone=ORDERS.timezone)  # fmt: skip
    for name in ("user_code", "timestamp"):
        assert (summary[name].to_numpy() == got.decisions[name].to_numpy()).all()
    by_user = local_days(events, ORDERS.timezone)
    for r in summary.itertuples():
        origin = r.timestamp.tz_convert(ORDERS.timezone).date()
        mine = [e for e in by_user[r.user_code] if e["date"] < origin]
        spent = defaultdict(float)
        for e in mine:
            if e["event"] == "purchase":
                spent[e["date"]] += e["value"] or 0
        days = sorted(spent)
        assert r.frequency == len(days) - 1
        assert r.recency_days == (days[-1] - days[0]).days
        assert r.T_days == (origin - days[0]).days >= r.recency_days
        repeat = [spent[d] for d in days[1:]]
        assert r.monetary == pytest.approx(np.mean(repeat) if repeat else 0)
        back = sum(e["value"] or 0 for e in mine if e["event"] == "cancel")
        assert r.revenue == pytest.approx(sum(spent.values()) - back)
    # Dates serve as well as instants.
    dates = [t.tz_convert(ORDERS.timezone).date() for t in got.decisions["timestamp"].unique()]
    pd.testing.assert_frame_equal(
        summary, customer_summary(events, dates, timezone=ORDERS.timezone)
    )


def test_windows_of_origins_do_not_overlap():
    first, last = dt.date(2010, 12, 1), dt.date(2011, 12, 9)
    origins = rolling_origins(first, last, horizon_days=90)
    assert [*map(str, origins)] == ["2011-03-15", "2011-06-13", "2011-09-11"]
    assert rolling_origins(first, last, horizon_days=120, origins=3)[0] > first
    message = r"a log of 374 days .* too short for 3 origins of 125 days.*at most 124 days"
    with pytest.raises(InputError, match=message):
        rolling_origins(first, last, horizon_days=125)


def test_errors_say_what_to_do():
    events = in_duckdb(random_orders(1, days=100))
    with pytest.raises(InputError, match="too short for 3 origins of 90 days"):
        customer_sequences(events, task_for(ORDERS), ORDERS)
    with pytest.raises(InputError, match=r"40 steps.*more than \d+ weeks.*Use at most \d+ steps"):
        customer_sequences(events, task_for(ORDERS, steps=40, horizon_days=20), ORDERS)
    with pytest.raises(InputError, match="lacks columns value, quantity"):
        customer_sequences(events.drop("value", "quantity"), task_for(ORDERS), ORDERS)
    with pytest.raises(InputError, match="no events"):
        customer_sequences(events.limit(0), task_for(ORDERS), ORDERS)
    late = [r for r in random_orders(1) if r["event"] != "purchase"]
    late += [{**late[0], "event": "purchase", "timestamp": pd.Timestamp("2024-02-28", tz="UTC")}]
    with pytest.raises(InputError, match=r"no customer has a purchase before 2023-\d\d-\d\d, "):
        customer_sequences(in_duckdb(late), task_for(ORDERS, steps=4), ORDERS)


def test_written_and_read_bit_for_bit(tmp_path):
    run = small_run(tmp_path / "orders", random_orders(2), ORDERS.says)
    written = write_sequences(run, task_for(run.source, steps=10, horizon_days=60))
    read = read_sequences(run)
    assert read.X.tobytes() == written.X.tobytes() and read.task.origins == 3
    assert read.task.unit == "customer" and "session_code" not in read.decisions
    pd.testing.assert_frame_equal(read.decisions, written.decisions)
    assert set(read.decisions["split"]) == {"train", "validation", "test"}
    assert len(read.part("test")) == (read.decisions["split"] == "test").sum()
