"""Occasions, metrics and their intervals: against literal loops, and nothing from the future."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.errors import InputError
from precmark.recommend import HybridRecommender, at_click, in_period, judge, split_times
from precmark.recommend.measures import new_and_repeat, resampled
from precmark.recommend.shop import shop_of
from precmark.recommend.study import subset
from tests.recommend_cases import START, codes, shop_events, shop_items

CLICKS = {"view", "search", "cart", "uncart"}


# ---- occasions, read literally


def sessions_of(events) -> list[list]:
    rows = events.sort_values(["session_code", "position"])
    rows = rows.assign(item_id=rows.item_id.fillna(""))
    return [list(mine.itertuples()) for _, mine in rows.groupby("session_code")]


def literal(events, start, wanted, k, known):
    """Occasion by (person, time of click k): history rows, and targets in order."""
    found = {}
    whole = sessions_of(events)
    for session in whole:
        if session[0].timestamp < start:
            continue
        clicks, cut = 0, None
        for place, row in enumerate(session):
            clicks += row.event in CLICKS
            if clicks == k:
                cut = place
                break
        if cut is None or any(r.event == "purchase" for r in session[: cut + 1]):
            continue
        after = [r.item_id for r in session[cut + 1 :] if r.event == wanted]
        if not after:
            continue
        earlier = [
            (r.event, r.item_id, r.timestamp)
            for other in whole
            for r in other
            if r.user_code == session[0].user_code and other[0].timestamp < session[0].timestamp
        ]
        during, clicks = [], 0
        for row in session[: cut + 1]:
            clicks += row.event in CLICKS
            if 0 < clicks <= known:
                during.append((row.event, row.item_id, row.timestamp))
        touched = sum(e in ("view", "cart", "purchase") for e, _, _ in earlier)
        found[session[0].user_code, session[cut].timestamp] = (
            sorted(earlier + during, key=str), list(dict.fromkeys(after)), touched
        )  # fmt: skip
    return found


def read(asked) -> dict:
    """Occasions as :func:`literal` gives them."""
    made = {}
    for row in asked.users.itertuples():
        history = asked.history[asked.history.user_code == row.user_code]
        item = history.item_id.fillna("")
        rows = list(zip(history.event, item, history.timestamp, strict=True))
        targets = asked.targets[asked.targets.user_code == row.user_code].sort_values("place")
        assert targets.place.tolist() == list(range(len(targets)))
        made[row.person, row.timestamp] = (
            sorted(rows, key=str), targets.item_id.tolist(), row.before
        )  # fmt: skip
    return made


@pytest.mark.parametrize("wanted", ["purchase", "view"])
@pytest.mark.parametrize("k,known", [(3, None), (3, 1), (2, 0), (1, None)])
def test_an_occasion_is_the_kth_click_of_a_session_without_a_purchase_so_far(wanted, k, known):
    events = shop_events(users=12, sessions=60, seed=k)
    start = START + pd.Timedelta(days=3)
    asked = at_click(events, start, wanted=wanted, clicks=k, known=known)
    expected = literal(events, start, wanted, k, k if known is None else known)
    assert read(asked) == expected and len(expected) > 3


def test_a_period_ends_where_it_is_told_to():
    events = shop_events(users=12, sessions=60)
    start, end = START + pd.Timedelta(days=2), START + pd.Timedelta(days=5)
    expected = {
        key: value for key, value in literal(events, start, "view", 3, 3).items() if key[1] < end
    }
    assert read(at_click(events, start, end, wanted="view")) == expected


def test_a_period_without_clicks_asks_each_user_once():
    events = shop_events(users=12, sessions=60)
    start = START + pd.Timedelta(days=4)
    asked = in_period(events, start)
    late = events[(events.timestamp >= start) & (events.event == "purchase")]
    assert asked.users.person.tolist() == sorted(set(late.user_code))
    for row in asked.users.itertuples():
        mine = asked.targets[asked.targets.user_code == row.user_code].item_id
        assert mine.tolist() == list(dict.fromkeys(late[late.user_code == row.person].item_id))
        early = events[(events.user_code == row.person) & (events.timestamp < start)]
        history = asked.history[asked.history.user_code == row.user_code]
        assert sorted(history.timestamp) == sorted(early.timestamp)


@given(seed=st.integers(0, 10_000), known=st.sampled_from([None, 1, 2]))
@settings(max_examples=8, deadline=None)
def test_what_comes_after_an_occasion_changes_nothing_that_is_known_at_it(seed, known):
    events = shop_events(users=10, sessions=40, seed=seed)
    start = START + pd.Timedelta(days=2)
    asked = at_click(events, start, wanted="view", known=known)
    if not len(asked):
        return
    row = asked.users.iloc[seed % len(asked)]
    later = events.timestamp > row.timestamp
    other = events.copy()
    rng = np.random.default_rng(seed)
    named = later & other.item_id.notna()
    other.loc[named, "item_id"] = rng.permutation(other.loc[named, "item_id"].to_numpy())
    again = at_click(other, start, wanted="view", known=known)
    same = again.users[
        (again.users.person == row.person) & (again.users.timestamp == row.timestamp)
    ]
    kept = ["item_id", "event", "timestamp"]
    pd.testing.assert_frame_equal(
        asked.history.loc[asked.history.user_code == row.user_code, kept].reset_index(drop=True),
        again.history.loc[again.history.user_code == same.user_code.iloc[0], kept].reset_index(
            drop=True
        ),
    )


def test_lists_do_not_know_the_future():
    events, items = shop_events(sessions=200), shop_items()
    split = split_times(events)
    late = events.timestamp >= split.test
    other = events.copy()
    other.loc[late & other.item_id.notna(), "item_id"] = "p00"
    lists = []
    for log in (events, other):
        early = log[log.timestamp < split.test]
        training = log[log.timestamp < split.validation]
        asked = at_click(early, split.validation)
        model = HybridRecommender("item-item").fit(training, items, validation=asked)
        lists.append(model.recommend(asked.users[["user_code"]], history=asked.history))
    pd.testing.assert_frame_equal(*lists)


def test_a_split_cuts_the_interactions_six_to_two_to_two():
    events = shop_events(sessions=200)
    split = split_times(events)
    given_ = events[events.event.isin(["view", "cart", "purchase"])].timestamp
    early = (given_ < split.validation).mean()
    middle = ((given_ >= split.validation) & (given_ < split.test)).mean()
    assert early == pytest.approx(0.6, abs=0.01) and middle == pytest.approx(0.2, abs=0.01)
    assert split.validation < split.test


@pytest.mark.parametrize("count", [0, 2])
def test_a_log_of_one_instant_cannot_be_split(count):
    events = shop_events().head(count).assign(timestamp=START, event="view", item_id="p01")
    with pytest.raises(InputError, match="cannot be split"):
        split_times(events)


def test_a_subset_keeps_histories_and_targets_of_its_occasions():
    asked = at_click(shop_events(), START, wanted="view")
    kept = asked.users.before.to_numpy() > 5
    part = subset(asked, kept)
    assert 0 < len(part) < len(asked)
    numbers = set(asked.users.user_code[kept])
    assert set(part.history.user_code) == numbers & set(asked.history.user_code)
    assert set(part.targets.user_code) == numbers


def test_targets_are_repeats_if_their_user_had_touched_them():
    asked = at_click(shop_events(), START + pd.Timedelta(days=4), wanted="view")
    found = new_and_repeat(asked)
    for row, repeat in zip(asked.targets.itertuples(), found, strict=True):
        mine = asked.history[asked.history.user_code == row.user_code]
        mine = mine[mine.event.isin(["view", "cart", "purchase"])]
        assert repeat == (row.item_id in set(mine.item_id))
    assert 0 < found.mean() < 1


# ---- metrics


def metrics_by_hand(listed: list[str], wanted: set[str], surprise: dict) -> dict:
    hits = [item in wanted for item in listed]
    gain = sum(1 / math.log2(r + 2) for r, hit in enumerate(hits) if hit)
    ideal = sum(1 / math.log2(r + 2) for r in range(min(10, len(wanted))))
    at = [sum(hits[: r + 1]) / (r + 1) for r, hit in enumerate(hits) if hit]
    return {
        "precision": sum(hits) / 10,
        "recall": sum(hits) / len(wanted),
        "hit rate": float(any(hits)),
        "nDCG": gain / ideal,
        "MAP": sum(at) / min(10, len(wanted)),
        "novelty": sum(surprise[i] for i in listed) / len(listed) if listed else 0.0,
    }


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_metrics_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    events, items = shop_events(sessions=20, seed=seed % 5), shop_items()
    shop = shop_of(events, items)
    n = 8
    lists, targets, wanted = [], [], {}
    for user in range(n):
        length = int(rng.integers(0, 13))
        listed = rng.permutation(shop.index)[:length]
        lists += [(user, r + 1, item) for r, item in enumerate(listed)]
        wanted[user] = set(rng.permutation(shop.index)[: int(rng.integers(0, 15))])
        targets += [(user, item) for item in wanted[user]]
    lists = pd.DataFrame(lists, columns=["user_code", "rank", "item_id"])
    targets = pd.DataFrame(targets, columns=["user_code", "item_id"])
    users = pd.DataFrame({"user_code": range(n), "person": rng.integers(0, 5, n)})
    found = judge(lists.sample(frac=1, random_state=0), targets, users, shop)
    weight = {"view": 1, "cart": 3, "purchase": 5}
    count = dict.fromkeys(shop.index, 1.0)
    for row in events.itertuples():
        if row.event in weight and row.item_id in count:
            count[row.item_id] += weight[row.event]
    surprise = {item: -math.log2(c / sum(count.values())) for item, c in count.items()}
    asked = [u for u in range(n) if wanted[u]]
    assert found.each.user_code.tolist() == asked
    ten = lists[lists["rank"] <= 10]
    for row in found.each.to_dict("records"):
        mine = ten[ten.user_code == row["user_code"]].sort_values("rank").item_id.tolist()
        for metric, value in metrics_by_hand(mine, wanted[row["user_code"]], surprise).items():
            assert row[metric] == pytest.approx(value), metric
    covered = set(ten[ten.user_code.isin(asked)].item_id)
    assert found.coverage == pytest.approx(len(covered) / len(shop))


def test_a_perfect_list_is_perfect_and_a_wrong_one_is_worth_nothing():
    shop = shop_of(shop_events(), shop_items())
    best, worst = shop.index[:3], shop.index[5:8]
    targets = pd.DataFrame({"user_code": 1, "item_id": best})
    users = pd.DataFrame({"user_code": [1], "person": [1]})
    for items, value in ((best, 1.0), (worst, 0.0)):
        lists = pd.DataFrame({"user_code": 1, "rank": [1, 2, 3], "item_id": items})
        row = judge(lists, targets, users, shop).each.iloc[0]
        assert row["nDCG"] == row["MAP"] == row["recall"] == row["hit rate"] == value
        assert row["precision"] == pytest.approx(0.3 * value)


# ---- intervals


def test_intervals_are_those_of_the_normal_where_everybody_comes_once():
    rng = np.random.default_rng(2)
    values = rng.normal(3, 2, 900)
    table = resampled({"a": values}, np.arange(900), draws=3_000).table().iloc[0]
    half = 1.96 * values.std() / 30
    assert table.value == pytest.approx(values.mean())
    assert table.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert table.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_people_are_drawn_with_all_their_occasions():
    # 100 people with nine equal occasions each know as much as 100 occasions, not as 900
    value = np.random.default_rng(3).normal(0, 1, 100)
    one = resampled({"a": value}, np.arange(100), draws=2_000).table().iloc[0]
    nine = resampled({"a": np.repeat(value, 9)}, np.repeat(np.arange(100), 9), draws=2_000)
    nine = nine.table().iloc[0]
    assert (nine.low, nine.high) == pytest.approx((one.low, one.high))


def test_differences_are_on_the_same_draws():
    rng = np.random.default_rng(4)
    hard = rng.normal(0, 5, 400)
    drawn = resampled({"a": hard + 1, "b": hard, "c": hard.copy()}, np.arange(400))
    assert drawn.difference("a", "b") == pytest.approx((1, 1, 1))
    assert drawn.difference("b", "c") == (0, 0, 0)
    assert drawn.table().high[0] - drawn.table().low[0] > 0.5


def test_nobody_asked_leaves_no_value():
    table = resampled({"a": np.zeros(0)}, np.zeros(0, int)).table()
    assert table[["value", "low", "high"]].isna().all(axis=None)
    assert codes().empty
