"""Chapter 01's readings of a shop, against literal counts."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark import store
from precmark.claims import claim
from precmark.plots import store as plots
from precmark.simulate import WORLDS, calibration

ZONE = "Asia/Shanghai"


def shop_of(rows: list[tuple[int, str]], timezone: str = ZONE) -> pd.DataFrame:
    """Sessions of (user, local start)."""
    start = pd.to_datetime([s for _, s in rows]).tz_localize(timezone).tz_convert("UTC")
    users = [u for u, _ in rows]
    n = len(rows)
    frame = pd.DataFrame(
        {
            "user_code": users,
            "start": start,
            "duration_s": np.arange(n) * 10.0,
            "views": np.arange(n) % 4,
            "carts": np.arange(n) % 2,
            "purchased": np.arange(n) % 3 == 0,
            "revenue": np.where(np.arange(n) % 3 == 0, 20.0, 0.0),
            "is_new": ~pd.Series(users).duplicated(),
            "kind": "shop",
        }
    )
    return store.shop_sessions(frame, timezone)


ROWS = [
    (1, "2024-01-31 23:30"),
    (2, "2024-02-01 00:10"),
    (1, "2024-02-03 12:00"),
    (2, "2024-04-30 12:00"),
    (3, "2024-02-03 12:30"),
]


def test_days_end_at_the_shops_midnight():
    table = store.daily(shop_of(ROWS))
    assert table.loc["2024-01-31", "sessions"] == 1
    assert table.loc["2024-02-01", "sessions"] == 1
    assert table.loc["2024-02-02", "sessions"] == 0
    assert table.loc["2024-02-03", "visitors"] == 2
    assert table.loc["2024-02-03", "new_visitors"] == 1
    assert len(table) == 91 and table["sessions"].sum() == 5


def test_live_only_sessions_are_left_out():
    frame = (
        shop_of(ROWS).drop(columns=["local", "day"]).assign(kind=["shop", "live"] + ["shop"] * 3)
    )
    assert len(store.shop_sessions(frame, ZONE)) == 4


def test_cohorts_by_hand():
    table = store.cohorts(shop_of(ROWS), 4)
    # User 1 starts in January, users 2 and 3 in February; the log ends with April.
    assert list(table.index) == ["2024-01", "2024-02"]
    assert list(table["users"]) == [1, 2]
    np.testing.assert_array_equal(table.loc["2024-01", [1, 2, 3, 4]], [1, 0, 0, np.nan])
    np.testing.assert_array_equal(table.loc["2024-02", [1, 2, 3]], [0, 0.5, np.nan])


def test_an_unfinished_month_is_not_counted_as_no_return():
    table = store.cohorts(shop_of([*ROWS[:3], (3, "2024-03-15 10:00")]), 2)
    assert np.isnan(table.loc["2024-01", 2]) and table.loc["2024-01", 1] == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 200), st.integers(0, 23)),
        min_size=1,
        max_size=60,
    )
)
def test_hours_cohorts_and_depth_against_loops(drawn):
    base = pd.Timestamp("2024-03-01")
    starts = [(u, base + pd.Timedelta(days=d, hours=h)) for u, d, h in drawn]
    shop = shop_of([(u, str(s)) for u, s in starts])
    grid = store.hours(shop)
    days = pd.date_range(min(s for _, s in starts).normalize(), max(s for _, s in starts))
    for weekday in range(7):
        weeks = sum(d.weekday() == weekday for d in days)
        for hour in (0, 7, 23):
            hits = sum(s.weekday() == weekday and s.hour == hour for _, s in starts)
            got = grid.iloc[weekday, hour]
            assert np.isnan(got) if weeks == 0 else got == pytest.approx(hits / weeks)
    table = store.depth(shop, 3)
    for n in (1, 2, 3):
        assert table["sessions"][n - 1] == sum(v >= n for v in shop["views"])
    months = {}
    for user, start in starts:
        months.setdefault(user, set()).add(start.year * 12 + start.month)
    cohorts = store.cohorts(shop, 3)
    for name, row in cohorts.iterrows():
        first = int(name[:4]) * 12 + int(name[5:])
        members = [m for m in months.values() if min(m) == first]
        assert row["users"] == len(members)
        for later in (1, 2, 3):
            if not np.isnan(row[later]):
                assert row[later] == sum(first + later in m for m in members) / len(members)


def test_funnel_and_key_figures_by_hand():
    shop = shop_of(ROWS)  # views 0 1 2 3 0, carts 0 1 0 1 0, buys yes no no yes no
    assert list(store.funnel(shop)["sessions"]) == [5, 3, 2, 2]
    says = {"sessions", "users", "views", "purchases", "prices", "clock"}
    figures = store.key_figures(shop, says, "CNY").set_index("figure")["value"]
    assert figures["share of sessions that buy"] == pytest.approx(0.4)
    assert figures["mean session duration"] == 20
    assert figures["page views a session"] == pytest.approx(6 / 5)
    assert figures["sales a day"] == pytest.approx(40 / 91)
    assert figures["mean value of an order"] == 20
    orders_only = store.key_figures(shop, {"users", "purchases", "prices"}, "")
    assert not orders_only["figure"].str.contains("session").any()


def test_calibration_by_hand():
    shop = shop_of(ROWS).drop(columns=["local", "day"])
    users = pd.DataFrame({"registered_at": pd.to_datetime(["2023-05-01", "2024-02-01"], utc=True)})
    table = calibration(shop, users, traffic=0.5, timezone=ZONE).set_index("figure")
    sessions = claim("gu", "table4.sessions_per_day").what
    assert table.loc[sessions, "simulated"] == pytest.approx(5 / 91 / 0.5)
    assert table.loc["new visitors a day", "simulated"] == pytest.approx(1 / 91 / 0.5)
    assert table.loc[sessions, "verdict"] == "off"
    assert (table["verdict"] == "cannot be matched").sum() == 2


def assignments(effect: float, n: int = 20_000) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    shown = rng.random(n) < 0.2
    outcome = rng.random(n) < 0.1 + effect * shown
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, n // 2, n).astype(str),
            "arm": np.where(shown, "coupon", "none"),
            "propensity": np.where(shown, 0.2, 0.8),
            "outcome": outcome.astype(int),
        }
    )


def test_coupon_contrast_against_a_bootstrap_of_users():
    table = assignments(0.03)
    found = store.coupon_contrast(table, 0.009)
    shown = table["arm"] == "coupon"
    naive = table.loc[shown, "outcome"].mean() - table.loc[~shown, "outcome"].mean()
    assert found.difference == pytest.approx(naive)
    rng = np.random.default_rng(0)
    codes = pd.factorize(table["user_id"])[0]
    draws, users = [], codes.max() + 1
    for _ in range(300):
        weight = np.bincount(rng.integers(0, users, users), minlength=users)[codes]
        y = table["outcome"]
        draws.append(
            np.average(y[shown], weights=weight[shown])
            - np.average(y[~shown], weights=weight[~shown])
        )
    assert (found.high - found.low) / 3.92 == pytest.approx(np.std(draws), rel=0.12)
    assert "more purchases" in store.on_contrast(found)
    assert "no difference" in store.on_contrast(store.coupon_contrast(assignments(0.0), 0.009))
    assert store.coupon_contrast(table, 0.009).needed == pytest.approx(
        4 * store.coupon_contrast(table, 0.018).needed
    )


def test_sentences_follow_the_numbers():
    shop = shop_of(ROWS)
    assert "12:00 to 13:00" in store.on_hours(store.hours(shop))
    assert "3 February 2024" in store.on_days(store.daily(shop))
    assert len(store.peaks(store.daily(shop))) == 2
    assert "next month" in store.on_cohorts(store.cohorts(shop, 3))
    flat = pd.DataFrame(1.0, index=list(store.WEEKDAYS), columns=range(24))
    assert "as busy as a workday." in store.on_hours(flat)
    flat.iloc[5:] = 0.5
    assert "quieter than a workday, by 50%" in store.on_hours(flat)


def test_every_figure_is_drawn():
    shop = shop_of(ROWS * 3)
    users = pd.DataFrame({"registered_at": pd.to_datetime(["2024-02-01"], utc=True)})
    table = calibration(shop.drop(columns=["local", "day"]), users, traffic=1, timezone=ZONE)
    drawn = [
        plots.calibration_dots(table, 0.05),
        plots.depth_curve(store.depth(shop)),
        plots.funnel_bars(store.funnel(shop)),
        plots.hour_map(store.hours(shop)),
        plots.daily_line(store.daily(shop)),
        plots.cohort_map(store.cohorts(shop, 3)),
        plots.duration_bars(shop)[0],
        plots.response_curves(WORLDS)[0],
    ]
    for fig in drawn:
        fig.canvas.draw()
        plt.close(fig)
    durations = plots.duration_bars(shop)[1]
    plt.close("all")
    assert durations["sessions"].sum() == len(shop)
