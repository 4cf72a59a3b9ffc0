"""Stages, predictions, the two-tower recommender and the hidden segment of chapter 14."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from precmark.claims import paper
from precmark.errors import InputError
from precmark.recommend.measures import judge
from precmark.segments import LifecycleRules, Personas
from precmark.strategy import enough, hidden, predictions, recommenders, sentences, stages, verdicts
from precmark.strategy.two_tower import TwoTower, next_items
from tests.recommend_cases import START, shop_events, shop_items, shop_periods

# ---- the hidden segment


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).standard_normal((2000, 8))


def test_what_is_planted_is_there_and_nothing_else(points):
    made = hidden.plant(points, 0.02, 1.5, seed=4, rows=2000)
    low, high = (paper("you", f"section633.women_age_{end}") for end in ("low", "high"))
    a = made.attributes
    literal = (a.gender == "female") & a.single & a.age.between(low, high)
    assert (literal.to_numpy() == made.inside).all()
    assert made.inside.sum() == round(0.02 * 2000)
    plain = hidden.plant(points, 0.02, 0.0, seed=4, rows=2000)
    moved = made.points - plain.points
    assert not moved[~made.inside].any()
    assert sorted(np.abs(moved[made.inside][0])) == [0, 0, 0, 1.5, 1.5, 1.5, 1.5, 1.5]


def test_every_group_of_attributes_is_named_by_its_members():
    groups = hidden.subgroups()
    assert len(set(groups.names)) == len(groups.names) == 3 * 3 * 55 - 1
    rng = np.random.default_rng(1)
    people = pd.DataFrame(
        {"gender": rng.choice(["female", "male"], 500), "single": rng.random(500) < 0.5,
         "age": rng.integers(18, 76, 500)}
    )  # fmt: skip
    cell = hidden.cell_of(people)
    inside = dict(zip(groups.names, groups.cells[:, cell], strict=True))
    women = (people.gender == "female") & people.single & people.age.between(28, 35)
    assert (inside["female, single, 28-35"] == women).all()
    assert (inside["male, under 24"] == ((people.gender == "male") & (people.age < 24))).all()
    assert (inside["married, 60 and older"] == (~people.single & (people.age >= 60))).all()


def test_distances_are_the_literal_ones(points):
    rng = np.random.default_rng(2)
    groups = hidden.subgroups()
    cell = rng.integers(0, groups.cells.shape[1], len(points))
    found = hidden.distances(points, cell, groups)
    for g in rng.choice(len(groups.names), 20, replace=False):
        inside = groups.cells[g][cell]
        n1, n2 = inside.sum(), (~inside).sum()
        gap = points[inside].mean(axis=0) - points[~inside].mean(axis=0)
        assert found[g] == pytest.approx(n1 * n2 / (n1 + n2) * (gap**2).sum())


def test_a_distance_without_a_segment_is_chi_squared():
    rng = np.random.default_rng(3)
    groups = hidden.subgroups()
    one = hidden.Subgroups(groups.names[:1], groups.cells[:1])
    drawn = [
        hidden.distances(rng.standard_normal((300, 6)), rng.integers(0, 40, 300), one)[0]
        for _ in range(300)
    ]
    assert stats.kstest(drawn, stats.chi2(6).cdf).pvalue > 0.01


def test_the_search_finds_the_segment_and_rarely_anything_else(points):
    found = hidden.search(hidden.plant(points, 0.03, 2.0, seed=1, rows=2000), seed=1)
    assert found.name == "female, single, 28-35"
    assert found.p == pytest.approx(1 / 100)
    alarms = hidden.false_alarms(points, trials=20, shuffles=19)
    assert alarms.alarms[0] <= 5


def test_clusters_that_are_the_segment_have_an_index_of_1():
    inside = np.array([True, True, False, False, False])
    assert hidden.best_cluster(np.array([1, 1, 0, 0, 2]), inside) == 1
    assert hidden.best_cluster(np.array([1, 1, 1, 0, 2]), inside) == pytest.approx(2 / 3)
    assert hidden.jaccard(~inside & inside, ~inside & inside) == 0


def test_a_sweep_counts_its_trials(points):
    table = hidden.sweep(points, shares=(0.005, 0.05), shifts=(2.0,), trials=3, shuffles=19)
    assert list(table.method.unique()) == list(hidden.METHODS)
    search = table[table.method == "subgroups"].set_index("share")
    assert search.found[0.05] == 3
    assert (table.rate == table.found / 3).all()
    assert sentences.smallest_found(table, "subgroups", 2.0) in (0.005, 0.05)


def test_bad_plantings_list_all_that_is_wrong(points):
    with pytest.raises(InputError) as refused:
        hidden.plant(points[:50], 0.5, -1.0)
    assert len(refused.value.problems) == 3
    with pytest.raises(InputError, match="fewer than two ways"):
        hidden.behaviour(pd.DataFrame({"views": [1.0, 2, 3, 4]}))


# ---- the two towers


def test_histories_end_before_their_item_and_hold_no_more_than_the_last():
    events = shop_events(users=20, sessions=60)
    told, wanted = next_items(events, np.random.default_rng(0), most=10**6, last=4)
    known = events[events.event.isin(["view", "cart", "purchase"])]
    known = known.sort_values(["user_code", "timestamp"], kind="stable").reset_index(drop=True)
    assert len(wanted) == len(known)
    for pair in range(0, len(known), 7):
        row = known.iloc[pair]
        mine = known[(known.user_code == row.user_code) & (known.timestamp < row.timestamp)]
        assert wanted[pair] == row.item_id
        assert list(told[told.user_code == pair].item_id) == list(mine.item_id.tail(4))


def test_lines_of_one_basket_do_not_tell_of_each_other():
    events = pd.DataFrame(
        {"user_code": 1, "item_id": ["a", "b", "c"], "event": "purchase",
         "timestamp": [START, START, START + pd.Timedelta(days=1)]}
    )  # fmt: skip
    told, wanted = next_items(events, np.random.default_rng(0), most=10, last=5)
    assert list(wanted) == ["a", "b", "c"]
    assert list(told.user_code) == [2, 2]


def test_pairs_are_drawn_by_weight_where_there_are_too_many():
    events = shop_events(users=60, sessions=300)
    wanted = next_items(events, np.random.default_rng(0), most=200, last=3)[1]
    assert len(wanted) == 200


@pytest.fixture(scope="module")
def shop():
    return shop_periods(300)


@pytest.fixture(scope="module")
def towers(shop):
    return TwoTower(epochs=6, batch_size=64, seed=1).fit(shop.before_test, shop.items)


def test_towers_learn_what_users_favour(shop, towers):
    def found(model):
        lists = model.recommend(shop.test.users[["user_code"]], 6, history=shop.test.history)
        return (
            judge(lists, shop.test.targets, shop.test.users, model.shop_, k=6).each["nDCG"].mean()
        )

    blind = TwoTower(epochs=1, learning_rate=1e-9, batch_size=64, seed=1)
    assert found(towers) > found(blind.fit(shop.before_test, shop.items)) + 0.03
    assert towers.history_.loss.iloc[-1] < towers.history_.loss.iloc[0]


def test_scores_are_inner_products_of_the_towers(shop, towers):
    import torch

    person = shop.test.users[["user_code"]].head(1)
    lists = towers.recommend(person, 24, history=shop.test.history)
    from precmark.recommend.shop import histories_of

    known = histories_of(shop.test.history, towers.shop_, person.user_code)
    row = np.hstack([known.items.toarray(), known.searches.toarray()])
    row /= np.linalg.norm(row)
    with torch.no_grad():
        scores = towers.net_(torch.from_numpy(row.astype(np.float32))).numpy()[0]
    literal = towers.shop_.index[np.argsort(-scores)]
    assert list(lists.item_id) == list(literal)


def test_the_same_seed_gives_the_same_lists(shop, towers):
    again = TwoTower(epochs=6, batch_size=64, seed=1).fit(shop.before_test, shop.items)
    users = shop.test.users[["user_code"]]
    first, second = (m.recommend(users, 5, history=shop.test.history) for m in (towers, again))
    pd.testing.assert_frame_equal(first, second)


def test_validation_keeps_the_best_epoch(shop):
    model = TwoTower(epochs=5, batch_size=64).fit(
        shop.training, shop.items, validation=shop.validation
    )
    best = model.history_.loc[model.history_.nDCG.idxmax()]
    assert model.epochs_ == best.epoch
    users = shop.validation.users
    lists = model.recommend(users[["user_code"]], 10, history=shop.validation.history)
    judged = judge(lists, shop.validation.targets, users, model.shop_).each["nDCG"].mean()
    assert judged == pytest.approx(best.nDCG)


def test_newcomers_get_what_is_popular_and_bad_shops_are_refused(shop, towers):
    nobody = shop.test.history.iloc[:0]
    lists = towers.recommend(pd.DataFrame({"user_code": [1, 2]}), 5, history=nobody)
    first, second = (lists[lists.user_code == u].item_id.tolist() for u in (1, 2))
    assert first == second
    with pytest.raises(InputError, match="column is missing"):
        TwoTower().fit(shop.before_test.drop(columns="item_id"), shop_items())


def test_every_kind_is_judged_on_the_same_occasions(shop):
    found = recommenders.compare(shop, epochs=2, draws=100)
    rows = found.quality.query("metric == 'nDCG' and users == 'all' and target == 'all'")
    assert set(rows.model) == set(found.models)
    assert rows.occasions.nunique() == 1
    value = rows.set_index("model").value
    gaps = found.against.query("target == 'all'").set_index("model").difference
    for name in gaps.index:
        assert gaps[name] == pytest.approx(value["two-tower"] - value[name], abs=1e-9)
    table = recommenders.kinds_table(found)
    assert list(table["kind (section 5.1)"]) == list(recommenders.FAMILIES.values())[1:]
    assert "the network" in sentences.on_recommenders(found)


# ---- stages and predictions


class LogRun:
    """A log of a year in which half of the users come monthly and half only in its first half."""

    def __init__(self, users=160, days=360, seed=0):
        rng = np.random.default_rng(seed)
        rows = []
        for user in range(users):
            end = days if user % 2 else days // 2
            for day in range(int(rng.integers(0, 30)), end, 20):
                kind = "purchase" if rng.random() < (0.6 if user % 4 == 1 else 0.1) else "view"
                rows.append((user, START + pd.Timedelta(days=day, hours=9), kind))
        self.events = pd.DataFrame(rows, columns=["user_code", "timestamp", "event"])
        self.source = self
        self.timezone, self.title = "UTC", "Half a shop"

    def table(self, name, columns=None):
        return (
            self.events
            if name == "sessions/events"
            else self.events.rename(columns={"timestamp": "start"})
        )

    def has(self, name):
        return True


@pytest.fixture
def log(monkeypatch):
    run = LogRun()

    def profile(asked, day):
        before = asked.events[asked.events.timestamp < pd.Timestamp(day, tz="UTC")]
        by = before.groupby("user_code")
        since = (pd.Timestamp(day, tz="UTC") - by.timestamp.max()).dt.days
        return pd.DataFrame(
            {"events": by.size(), "days_since_last_event": since,
             "purchases": by.event.agg(lambda e: (e == "purchase").sum())}
        ).reset_index()  # fmt: skip

    monkeypatch.setattr(predictions, "past_profile", profile)
    return run


def test_outcomes_are_read_off_the_log(log):
    taken, days = predictions.snapshots(log)
    assert 50 <= days <= 60
    last = log.events.timestamp.max().date()
    assert taken[2].origin + dt.timedelta(days=days - 1) == last
    for snapshot in taken:
        now = pd.Timestamp(snapshot.origin, tz="UTC")
        span = pd.Timedelta(days=days)
        for row in snapshot.outcomes.sample(20, random_state=0).itertuples():
            mine = log.events[log.events.user_code == row.user_code]
            after = mine[(mine.timestamp >= now) & (mine.timestamp < now + span)]
            before = mine[mine.timestamp < now]
            assert row.comes == bool(len(after))
            assert row.buys == bool((after.event == "purchase").any())
            assert row.bought == bool((before.event == "purchase").any())
            assert row.active == bool((before.timestamp >= now - span).any())


def test_each_task_is_about_its_own_customers(log):
    taken, _ = predictions.snapshots(log)
    found = taken[2].outcomes
    at, y = predictions.rows_of(taken[2], "churn")
    assert found.active.iloc[at].all()
    assert (y == ~found.comes.iloc[at]).all()
    at, y = predictions.rows_of(taken[2], "repurchase")
    assert len(at) == found.bought.sum()
    assert y.sum() == (found.bought & found.buys).sum()


def test_predictions_beat_the_constant_and_say_what_is_left_out(log):
    taken, days = predictions.snapshots(log)
    found = predictions.predict(taken, days, draws=100)
    assert set(found.counts.task) | set(found.left_out) == set(predictions.TASKS)
    area = found.quality.query("task == 'repurchase' and metric == 'auroc'").set_index("model")
    assert area.value["Constant"] == 0.5
    assert area.value["Logistic regression"] > 0.7
    for task, row in found.counts.set_index("task").iterrows():
        y = predictions.rows_of(taken[2], task)[1]
        assert (row.customers, row.positive) == (len(y), y.sum())
    without = predictions.predict(taken, days, purchases=False, draws=100)
    assert without.left_out["intent"] == "the source holds no purchases"
    assert "Buys again" in sentences.on_predictions(without)


def portraits_of(stage, comes):
    customers = pd.DataFrame(
        {"user_code": range(len(stage)), "stage": stage, "comes": comes, "buys": False,
         "segment": 1, "persona": "Everyone"}
    )  # fmt: skip
    return stages.Portraits(customers, Personas(None, None), LifecycleRules(), 60)


def test_rates_by_stage_are_counts_with_wilson_intervals():
    made = portraits_of(["active"] * 40 + ["declining"] * 60, [True] * 30 + [False] * 70)
    table = stages.rates(made, "stage", "comes")
    assert list(table.group) == ["active", "declining"]
    assert list(table.rate) == [0.75, 0]
    low, high = stats.binomtest(30, 40).proportion_ci(method="wilson")
    assert table.low[0] == pytest.approx(low)
    assert table.high[0] == pytest.approx(high)
    assert "leave no doubt" in sentences.on_stages(made, table, "came back")
    same = portraits_of(["active"] * 5 + ["declining"] * 5, [True, False] * 5)
    said = sentences.on_stages(same, stages.rates(same, "stage", "comes"), "came back")
    assert "cannot tell" in said


def test_stages_that_are_the_clusters_agree_and_others_do_not():
    made = portraits_of(["active"] * 10 + ["new"] * 10, [False] * 20)
    assert verdicts.stage_agreement(made) == 0
    made.customers["segment"] = [1] * 10 + [2] * 10
    assert verdicts.stage_agreement(made) == 1


@pytest.mark.parametrize(("span", "days"), [(365, 60), (120, 20), (30, 7)])
def test_windows_shrink_with_the_log(span, days):
    assert predictions.horizon_of(span) == days


def test_a_log_that_is_too_short_or_too_empty_is_left_out():
    short = LogRun(users=300)
    short.events = short.events[short.events.timestamp < START + pd.Timedelta(days=15)]
    assert "too short" in predictions.need_snapshots(short)
    assert predictions.need_snapshots(LogRun()) == ""
    assert "160 users; 200 are needed" in enough.too_little(LogRun())
    assert enough.too_little(LogRun(users=240)) == ""


def test_a_range_of_one_share_is_said_once():
    assert sentences._range(pd.Series([0.001, 0.0])) == "0%"
    assert sentences._range(pd.Series([0.1, 0.0])) == "0% to 10%"


class Book:
    """Stands for a chapter; keeps its verdicts."""

    def __init__(self, simulated: bool):
        self.run = SimpleNamespace(source=SimpleNamespace(simulated=simulated))
        self.said = {}

    def verdict(self, id, **parts):
        self.said[id] = parts


def gap_rows(task: str, *rows: tuple[str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"task": task, "model": m, "difference": d, "low": d - 0.02, "high": d + 0.02,
          "favours": f} for m, d, f in rows]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tasks", "left_out", "simulated", "verdict"),
    [
        ("all told", {}, False, "reproduced"),
        ("all told", {}, True, "holds if assumed"),
        ("all told", {"repurchase": "none bought"}, False, "undecided"),
        ("one not told", {}, False, "undecided"),
        ("one worse", {}, False, "not reproduced"),
    ],
)
def test_predictions_hold_where_each_of_the_three_beats_recency(
    tasks, left_out, simulated, verdict
):
    second = {"all told": (0.05, "first"), "one not told": (0.01, "neither"),
              "one worse": (-0.05, "second")}[tasks]  # fmt: skip
    gaps = pd.concat(
        [
            gap_rows("churn", ("Wide", 0.09, "neither"), ("Narrow", 0.04, "first")),
            gap_rows("intent", ("Narrow", *second)),
        ]
    )
    counts = pd.DataFrame({"task": ["churn", "intent"]})
    predicted = predictions.Predicted(pd.DataFrame(), gaps, counts, left_out, 30)
    book = Book(simulated)
    verdicts.customers_verdicts(book, None, predicted)
    said = book.said["you-behaviour-predicted"]
    assert said["verdict"] == verdict
    # The model that beats recency is quoted, not the one whose figure is larger but unsure.
    assert "stays away +0.040 [+0.020, +0.060] (Narrow)" in said["ours"]
    assert ("not judged: repurchase" in said["ours"]) == bool(left_out)
