"""Rules as data, played against a literal reading, and their effects where the truth is known."""

from __future__ import annotations

import copy
import json
import tomllib

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from precmark.errors import InputError
from precmark.runs import Run
from precmark.strategy import crm, crm_effects, rules
from precmark.tables import write_table
from tests.conftest import RUN_CARD

KEPT = tomllib.loads(rules.RULES.read_text())


def changed(path: list, value) -> dict:
    """The committed rules with one thing changed."""
    kept = copy.deepcopy(KEPT)
    place = kept
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return kept


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["rules", 0, "segment"], "hihg value", "Did you mean 'high value'"),
        (["rules", 1, "offer"], {"kind": "gift", "worth": 0.1}, "offer of kind 'gift'"),
        (["rules", 1, "offer"], {"kind": "points", "worth": 1.5}, "worth 1.5"),
        (["rules", 2, "holdout"], 1.0, "holdout 1.0"),
        (["rules", 2, "cap_days"], "often", "cap_days 'often'"),
        (["rules", 3, "trigger"], {"visits": {"below": 2}}, "no field 'visits'"),
        (["rules", 3, "trigger"], {"hour": {"about": 2}}, "at_least and below"),
        (["rules", 3, "name"], "points", "'points' stands twice"),
        (["segments", 0, "where"], "spent > 3", "conditions 'spent > 3'"),
        (["rules", 0, "colour"], "red", "'colour' is not known"),
        (["rules"], [], "no [[rules]]"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(path, value, said):
    with pytest.raises(InputError) as error:
        rules.rulebook(changed(path, value))
    assert said in str(error.value)


def test_all_problems_come_at_once_and_a_broken_file_is_named(tmp_path):
    kept = changed(["rules", 0, "segment"], "nobody")
    kept["rules"][1]["holdout"] = -1
    del kept["rules"][2]["trigger"]
    with pytest.raises(InputError) as error:
        rules.rulebook(kept)
    assert len(error.value.problems) == 3
    broken = tmp_path / "r.toml"
    broken.write_text("[[rules]\n")
    with pytest.raises(InputError, match="cannot be read as rules"):
        rules.load_rules(broken)


def test_rules_in_words():
    table = rules.load_rules().table().set_index("rule")
    assert table.loc["win back", "who"] == "days since visit at least 30"
    assert table.loc["points", "trigger"] == "always"
    assert table.loc["points", "offer"] == "points, 5%"


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Run:
    """A real log of 60 users over 200 days: visits, some with orders."""
    rng = np.random.default_rng(4)
    n = 500
    start = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(
        np.sort(rng.uniform(0, 200, n)), unit="D"
    ).floor("s")
    bought = rng.random(n) < 0.3
    visits = pd.DataFrame(
        {
            "user_code": rng.integers(0, 60, n), "start": start,
            "end": start + pd.Timedelta(minutes=5), "purchases": bought.astype(int),
            "revenue": np.where(bought, rng.integers(10, 50, n), 0).astype(float),
            "purchased": bought,
        }
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("shop")
    card = copy.deepcopy(RUN_CARD)
    card["source"]["says"] = [*card["source"]["says"], "prices"]
    (folder / "run.json").write_text(json.dumps(card))
    write_table(visits, folder / "results" / "sessions" / "sessions.parquet")
    return Run(folder)


def test_moments_know_the_past_only(shop):
    moments = crm.moments_of(shop)
    visits = shop.table("sessions/sessions")
    basket = visits.revenue[visits.purchased].mean()
    assert len(moments) > 150
    for row in moments.sample(40, random_state=0).itertuples():
        mine = visits[visits.user_code == row.user_code]
        past = mine[mine.end <= row.timestamp]
        after = mine[(mine.start > row.timestamp)
                     & (mine.start <= row.timestamp + pd.Timedelta(days=30))]  # fmt: skip
        assert row.visits_before == len(past) > 0
        assert row.purchases_before == past.purchased.sum()
        assert row.baskets_before == pytest.approx(past.revenue.sum() / basket)
        days = (row.timestamp - past.end.max()).total_seconds() / 86_400
        assert row.days_since_visit == pytest.approx(days)
        orders = past.end[past.purchased]
        assert np.isnan(row.days_since_purchase) == orders.empty
        if len(orders):
            days = (row.timestamp - orders.max()).total_seconds() / 86_400
            assert row.days_since_purchase == pytest.approx(days)
        assert row.bought == int(after.purchased.any())


def test_play_against_a_literal_loop(shop):
    moments, book = crm.moments_of(shop), rules.load_rules()
    played = crm.play(moments, book)
    last: dict[int, pd.Timestamp] = {}
    out_of: dict[tuple[int, str], set] = {}
    for row in played.itertuples():
        if row.baskets_before >= 2:
            segment = "high value"
        elif row.days_since_visit >= 30:
            segment = "quiet"
        elif row.purchases_before >= 1:
            segment = "customer"
        else:
            segment = "newcomer" if row.visits_before < 1 else "visitor"
        assert row.segment == segment
        rule = {r["segment"]: r["name"] for r in KEPT["rules"]}.get(segment)
        if rule is None:
            assert (row.rule, row.status) == ("", "no rule")
            continue
        if rule == "exclusive discount" and not row.days_since_purchase >= 7:
            assert (row.rule, row.status) == ("", "not triggered")
            continue
        assert row.rule == rule
        before = last.get(row.user_code)
        if before is not None and row.timestamp - before < pd.Timedelta(days=28):
            assert row.status == "capped"
            continue
        last[row.user_code] = row.timestamp
        out_of.setdefault((row.user_code, rule), set()).add(row.status)
    # a user is held out of a rule for good, or never
    assert all(len(found) == 1 for found in out_of.values())
    found = [next(iter(s)) == "held out" for s in out_of.values()]
    assert 0.08 < np.mean(found) < 0.35


def test_reach_counts_and_breaks_even(shop):
    book = rules.load_rules()
    played = crm.play(crm.moments_of(shop), book)
    table = crm.reach(played, book, margin=0.3).set_index("rule")
    mine = played[played.rule == "win back"]
    assert table.loc["win back", "offers"] == (mine.status == "offered").sum()
    assert table.loc["win back", "moments"] == (played.segment == "quiet").sum()
    asked = mine[mine.status.isin(["offered", "held out"])]
    base, effect = asked.bought.mean(), table.loc["win back", "break_even"]
    # profit of an offer, every buyer using it: margin on the caused less the worth on all buyers
    assert 0.3 * effect - 0.15 * (base + effect) == pytest.approx(0, abs=1e-12)
    assert np.isinf(crm.reach(played, book, margin=0.15).break_even.iloc[0])
    assert table.loc["first-purchase promotion", "offers"] == 0


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Run:
    """A small simulated store as a run with its truth; its sessions are counted here."""
    from precmark.simulate import simulate

    made = simulate("classroom", seed=3)
    events = made.tables["events"].to_pandas()
    codes = pd.Index(sorted(events.user_id.unique()))
    events["user_code"] = codes.get_indexer(events.user_id)
    bought = events.event == "purchase"
    events["paid"] = events.value.where(bought, 0.0).fillna(0.0)
    by = events.assign(bought=bought).groupby("session_id")
    visits = by.agg(
        user_code=("user_code", "first"), start=("timestamp", "min"), end=("timestamp", "max"),
        purchases=("bought", "sum"), revenue=("paid", "sum"),
    ).reset_index()  # fmt: skip
    folder = tmp_path_factory.mktemp("store")
    card = copy.deepcopy(RUN_CARD)
    card["source"]["says"] = [*card["source"]["says"], "prices", "truth"]
    (folder / "run.json").write_text(json.dumps(card))
    write_table(visits, folder / "results" / "sessions" / "sessions.parquet")
    write_table(events, folder / "results" / "contract" / "events.parquet")
    for name, table in made.truth.items():
        frame = table.to_pandas()
        frame["user_code"] = codes.get_indexer(frame.user_id)
        write_table(frame[frame.user_code >= 0], folder / "truth" / f"{name}.parquet")
    return Run(folder)


def test_effects_by_hand_on_a_simulated_store(store):
    from precmark.simulate import treatment_effect
    from precmark.simulate.catalogue import NAMES

    book, moments = rules.load_rules(), crm.moments_of(store)
    found = crm_effects.asked(store, moments, book)
    events = store.table("contract/events")
    for row in found.sample(25, random_state=1).itertuples():
        mine = events[(events.user_code == row.user_code) & (events.timestamp <= row.timestamp)]
        count = mine.category[mine.category.isin(NAMES)].value_counts()
        best = [NAMES.index(c) for c in count.index[count == count.max()]]
        assert row.category == (min(best) if best else 0)
    users = pd.read_parquet(store.truth / "users.parquet").sort_values("user_number")
    tau = crm_effects.true_effect(store, found, book, "orthogonal")
    coupon = (found.rule != "points").to_numpy()
    one = treatment_effect(found, users, world="orthogonal",
                           category_index=found.category.to_numpy())  # fmt: skip
    assert tau[coupon] == pytest.approx(np.minimum(one, 0.9 * (1 - found.p0))[coupon])
    every = treatment_effect(found, users, world="orthogonal").mean(axis=1) * 0.05 / 0.15
    assert tau[~coupon] == pytest.approx(every[~coupon])
    table = crm_effects.effects(store, moments, book, worlds=("orthogonal", "no_effect"))
    given = found[found.status == "offered"]
    mine = (given.rule == "win back").to_numpy()
    order = store.table("sessions/sessions").query("purchases > 0").revenue.mean()
    lift = tau[(found.status == "offered").to_numpy()][mine]
    anyway = (given.p0 * given.pi)[mine]
    profit = order * (0.3 * lift - 0.15 * (lift + anyway)).sum()
    row = table[(table.world == "orthogonal") & (table.rule == "win back")].iloc[0]
    assert row.profit == pytest.approx(profit) and row.extra == pytest.approx(lift.sum())
    assert row.extra_30d == pytest.approx(0.8 * lift.sum())
    nothing = table[table.world == "no_effect"]
    assert (nothing.extra == 0).all() and (nothing.profit <= 0).all()


def test_holdouts_measure_the_truth_on_average(store):
    book, moments = rules.load_rules(), crm.moments_of(store)
    table = crm_effects.holdouts(store, moments, book, world="orthogonal", replications=300)
    row = table.set_index("rule").loc["all rules"]
    assert row.low < row.measured < row.high and row.half_width > 0
    assert 0 <= row.found <= 1 and row.needed > row.held_out


def test_contrast_and_needed_by_formula():
    offered, held = np.array([[1, 1, 0, 0]]), np.array([[1, 0, 0, 0, 0]])
    difference, half = crm_effects.contrast(offered, held)
    a, b = 3 / 6, 2 / 7
    assert difference == pytest.approx([0.5 - 0.2])
    assert half == pytest.approx([1.96 * np.sqrt(a * (1 - a) / 6 + b * (1 - b) / 7)])
    n = crm_effects.needed(0.1, 0.05)
    spread = np.sqrt((0.1 * 0.9 + 0.15 * 0.85) / n)
    assert norm.sf(1.959964 - 0.05 / spread) == pytest.approx(0.8, abs=0.002)
    assert np.isinf(crm_effects.needed(0.1, 0.0))
