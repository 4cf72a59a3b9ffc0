"""Customers by month against plain loops, and fits that never see the month they are asked of."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from precmark.engine import connect, read
from precmark.errors import InputError
from precmark.grid import fits
from precmark.grid.fits import Answer, Ask, fit_all, growing_asks, held_out, table1_asks
from precmark.grid.months import (
    WEEKS,
    complete_months,
    daily_log,
    monthly_of,
    only,
    outcome_of,
)
from precmark.tables import write_table

EPOCH = dt.date(1970, 1, 1)


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - EPOCH).days


def events(rows: list[tuple]) -> pd.DataFrame:
    """(user, UTC time, event, item, value) as the sessions' events."""
    frame = pd.DataFrame(rows, columns=["user_code", "timestamp", "event", "item_id", "value"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True).astype("datetime64[us, UTC]")
    return frame.assign(
        session_code=np.arange(len(frame)) // 2, quantity=1.0, duration_s=30.0, row=0
    )


def days_of(users: int = 240, seed: int = 0) -> pd.DataFrame:
    """A daily log of nine months in which even users come often and odd ones rarely."""
    rng = np.random.default_rng(seed)
    first, last = day("2024-01-01"), day("2024-09-30")
    rows = []
    for user in range(users):
        rate = 0.10 if user % 2 == 0 else 0.02
        for d in np.flatnonzero(rng.random(last - first + 1) < rate):
            bought = int(rng.random() < 0.3)
            rows.append(
                {"user_code": user, "day": first + int(d), "view": 1 + int(rng.integers(3)),
                 "purchase": bought, "visits": 1, "money": 10.0 * bought}
            )  # fmt: skip
    rows += [{"user_code": 0, "day": d, "view": 1, "purchase": 0, "visits": 1, "money": 0.0}
             for d in (first, last)]  # fmt: skip
    frame = pd.DataFrame(rows).drop_duplicates(["user_code", "day"])
    return frame.sort_values(["user_code", "day"]).reset_index(drop=True)


def test_a_daily_log_by_hand(tmp_path):
    rows = [
        # 23:30 UTC on a Friday is Saturday morning in Shanghai
        (7, "2024-03-01 23:30", "view", "a", None),
        (7, "2024-03-02 01:00", "purchase", "b", 2.5),
        (7, "2024-03-02 18:00", "view", "a", None),
        (9, "2024-03-02 03:00", "coupon_shown", None, None),
    ]
    write_table(events(rows), tmp_path / "events.parquet")
    found = daily_log(read(connect(), tmp_path / "events.parquet"), "Asia/Shanghai")
    assert found["user_code"].tolist() == [7, 7]
    assert found["day"].tolist() == [day("2024-03-02"), day("2024-03-03")]
    first = found.iloc[0]
    assert (first.view, first.purchase, first.visits, first.products) == (1, 1, 1, 2)
    assert (first.money, first.minutes, first.morning, first.weekend) == (2.5, 1.0, 2, 2)
    assert found.iloc[1].night == 1
    # a coupon is the shop's deed, and nothing happened in any evening
    assert not {"coupon_shown", "evening"} & set(found)


def test_an_empty_log_is_refused(tmp_path):
    write_table(events([(1, "2024-01-01", "view", "a", 1.0)]).iloc[:0], tmp_path / "e.parquet")
    with pytest.raises(InputError, match="no events"):
        daily_log(read(connect(), tmp_path / "e.parquet"), "UTC")


def test_only_whole_months_with_four_weeks_before_them_count():
    found = complete_months(day("2024-01-03"), day("2024-05-30"))
    # 2024-02-01 has 29 days before it, May lacks its last day
    assert [str(m) for m in found] == ["2024-02", "2024-03", "2024-04"]
    assert [str(m) for m in complete_months(day("2024-01-05"), day("2024-05-31"))] == [
        "2024-03", "2024-04", "2024-05",
    ]  # fmt: skip


def test_what_was_known_and_what_came_are_those_of_loops():
    days = days_of(60)
    data = monthly_of(days, outcome="purchase")
    assert data.months == tuple(f"2024-0{m}" for m in range(2, 10))
    for position in np.random.default_rng(0).choice(len(data), 15, replace=False):
        user, month = data.decisions.iloc[position]
        start = day(f"{data.months[month]}-01")
        end = day(str((pd.Period(data.months[month]) + 1).start_time.date()))
        mine = days[days.user_code == user]
        came = mine[(mine.day >= start) & (mine.day < end)]
        assert data.y[position] == int((came.purchase > 0).any())
        assert data.spent[position] == pytest.approx(came.money.sum())
        before = mine[(mine.day < start) & (mine.day >= start - 7 * WEEKS)]
        assert len(before)
        for k, channel in enumerate(data.channels):
            weekly = [
                before[(before.day >= start - 7 * w) & (before.day < start - 7 * (w - 1))]
                for w in range(WEEKS, 0, -1)
            ]
            expected = [np.log1p(part[channel].sum()) for part in weekly]
            assert data.X[position, k] == pytest.approx(expected, abs=1e-5)
        column = data.features.index("view_4w")
        expected = np.log1p(before[before.day >= start - 28].view.sum())
        assert data.table[position, column] == pytest.approx(expected, abs=1e-5)
        last = data.features.index("days_since_purchase")
        bought = before[before.purchase > 0]
        since = start - 1 - bought.day.max() if len(bought) else 7 * WEEKS
        assert data.table[position, last] == pytest.approx(np.log1p(since), abs=1e-5)


def test_candidates_are_those_seen_in_the_weeks_before_and_no_others():
    days = days_of(60)
    data = monthly_of(days, outcome="visit")
    for month in range(len(data.months)):
        start = day(f"{data.months[month]}-01")
        seen = days[(days.day < start) & (days.day >= start - 7 * WEEKS)].user_code.unique()
        mine = data.decisions.user_code[data.rows(month, month)]
        assert sorted(seen) == mine.tolist()


def test_nothing_of_the_month_or_later_is_known():
    days = days_of(60)
    data = monthly_of(days, outcome="visit")
    start = day("2024-05-01")
    changed = days.copy()
    changed.loc[changed.day >= start, ["view", "money"]] *= 7
    later = monthly_of(changed, outcome="visit")
    upto = data.rows(0, data.months.index("2024-05"))
    assert (data.X[upto] == later.X[upto]).all()
    shared = [f for f in data.features if f in later.features]
    assert len(shared) > 10
    one, two = (d.table[upto][:, [d.features.index(f) for f in shared]] for d in (data, later))
    assert (one == two).all()


def test_at_most_so_many_candidates_and_the_same_lot_again():
    days = days_of(60)
    one, two = (monthly_of(days, most_users=20, outcome="visit", seed=3) for _ in range(2))
    assert one.decisions.groupby("month").size().max() == 20
    assert one.decisions.equals(two.decisions)


def test_the_outcome_is_the_dearest_that_is_not_too_rare():
    assert monthly_of(days_of(700)).outcome == "purchase"
    rare = days_of(700)
    rare.loc[rare.day % 5 > 0, "purchase"] = 0
    assert monthly_of(rare).outcome == outcome_of(rare) == "visit"
    for read_days in (monthly_of, outcome_of):
        with pytest.raises(InputError, match="no outcome comes and stays away"):
            read_days(days_of(60))


def test_a_short_log_is_refused():
    days = days_of(20)
    with pytest.raises(InputError, match="Table 1 needs 6"):
        monthly_of(days[days.day < day("2024-05-10")])


def test_the_rows_of_table_1_are_the_papers():
    data = monthly_of(days_of(60), outcome="visit")
    asks = table1_asks(data, ["cnn"])
    start = len(data.months) - 6
    rows = [(a.first - start + 7, a.last - start + 7, a.test - start + 7) for a in asks]
    assert rows == [(i, j, j + 1) for i in (7, 8, 9) for j in range(i, 12)]
    growing = growing_asks(data, ["cnn"])
    assert [(a.first, a.last, a.test) for a in growing] == [
        (0, k - 1, k) for k in range(1, len(data.months))
    ]


@pytest.fixture(scope="module")
def learnt() -> tuple[object, list[Answer]]:
    data = monthly_of(days_of(300), outcome="visit")
    asks = [Ask("logistic", 2, 4, 5), Ask("cnn", 2, 4, 5), Ask("logistic", 2, 4, 5)]
    return data, fit_all(data, asks, epochs=8, most_rows=400, n_jobs=1)


def test_no_user_both_trains_and_validates_and_the_test_comes_later(learnt):
    data, answers = learnt
    for a in answers:
        users = {part: set(data.decisions.user_code[at]) for part, at in a.rows.items()}
        assert not users["train"] & users["validation"]
        month = {part: data.decisions.month.to_numpy()[at] for part, at in a.rows.items()}
        assert month["train"].max() <= 4 and month["validation"].max() <= 4
        assert set(month["test"]) == {5}
        assert len(a.rows["test"]) == len(data.rows(5, 5))
        assert len(a.rows["train"]) <= 400


def test_models_find_who_comes_often(learnt):
    from sklearn.metrics import roc_auc_score

    data, answers = learnt
    for a in answers[:2]:
        assert roc_auc_score(data.y[a.rows["test"]], a.p["test"]) > 0.65
    assert answers[0] is answers[2]


def test_who_is_held_out_is_so_in_every_month():
    users = np.array([3, 9, 3, 9, 3])
    held = held_out(users, 1)
    assert held[0] == held[2] == held[4] and held[1] == held[3]
    assert held_out(np.arange(4000), 1).mean() == pytest.approx(fits.HELD, abs=0.03)


def test_the_future_and_one_outcome_are_refused():
    data = monthly_of(days_of(60), outcome="visit")
    with pytest.raises(InputError, match="future trains"):
        fit_all(data, [Ask("logistic", 0, 3, 3), Ask("logistic", 0, 1, 99)])
    came = only(data, np.flatnonzero(data.y == 1))
    with pytest.raises(InputError, match="one outcome only"):
        fit_all(came, [Ask("logistic", 0, 1, 2)], n_jobs=1)
