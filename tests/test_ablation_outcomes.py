"""What coupons lead to, against literal loops, exact sums and exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from precmark.ablation import (
    WORLDS_IN_ORDER,
    Future,
    World,
    expected,
    future_of,
    needed_response,
    oracle,
    primary_comparisons,
    random_holdout,
    replicate,
)
from precmark.ablation.holdout import newcombe
from precmark.ablation.oracle import expected_discount, highest, worth_of
from precmark.ablation.primary import max_t
from precmark.ablation.truth import too_close
from precmark.claims import paper
from precmark.errors import InputError
from precmark.simulate import Config, pulled_forward_share, simulate, uniform
from precmark.simulate.history import history
from precmark.simulate.orders import baskets, expected_baskets

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def future() -> Future:
    config = Config(scale="classroom", seed=7, coupon_share=0)
    return future_of(simulate("classroom", seed=7, coupon_share=0), config)


def small(future: Future, rows: np.ndarray, **columns) -> Future:
    """A few decisions of `future`, some columns replaced."""
    decisions = future.decisions.iloc[rows].reset_index(drop=True).assign(**columns)
    return Future(decisions, future.users, 20 * len(rows), 1, future.config)


def by_lot(future: Future, share: float, seed: int) -> np.ndarray:
    """Coupons at random, later ones within 7 days dropped one by one."""
    rng = np.random.default_rng(seed)
    coupon = np.full(len(future), -1, dtype=np.int8)
    last: dict[int, int] = {}
    for i in np.argsort(future.at_us):
        user, at = future.user[i], future.at_us[i]
        if rng.random() < share and at - last.get(user, -(10**18)) >= 7 * DAY:
            coupon[i], last[user] = rng.integers(18), at
    return coupon


def tau_of(future: Future, i: int, category: int, world: World) -> float:
    """tau_ic from the design's formula, one decision at a time."""
    row = future.decisions.iloc[i]
    user = future.users[future.users.user_number == row.user_number].iloc[0]
    r = row["rank"]
    shape = {
        "persuadable_risk": 3 * r**2, "lost_causes": 30 * r**2 * (1 - r) ** 2,
        "sure_things": 6 * (1 - r) ** 5, "orthogonal": 1.0, "no_effect": 0.0,
    }[world.name]  # fmt: skip
    match = 1 - world.taste_match + 18 * world.taste_match * future.pi[i, category]
    return min(world.effect * shape * user.deal_response * match, 0.9 * (1 - row.p0))


def test_the_future_counts_sessions_and_early_buyers_as_the_store_made_them(future):
    past = history(future.config)
    placed_later = future.sessions - len(past.logged)
    buyers = simulate("classroom", seed=7, coupon_share=0).truth["decisions"]["y0"].to_numpy().sum()
    assert 0 < placed_later < buyers  # some buyers come back in a session of their own
    assert future.early_buyers == past.early.sum()
    assert len(future) == len(past.decisions.session)


@pytest.mark.parametrize("name", ["persuadable_risk", "sure_things"])
def test_a_replication_against_a_literal_loop(future, name):
    world = World(name, effect=0.08)
    coupon = by_lot(future, 0.15, 1)
    one = lambda i, purpose: uniform(3, 2, future.key[i : i + 1], purpose)[0]  # noqa: E731
    config = Config(scale="classroom", seed=3, coupon_share=0)
    sums = dict.fromkeys(("with", "without", "won", "used", "value", "discount", "net"), 0.0)
    for i, c in enumerate(coupon):
        v, p0 = one(i, "outcome"), future.p0[i]
        if c < 0:
            sums["without"] += v < p0
            continue
        tau = tau_of(future, i, c, world)
        if v >= p0 + tau:
            continue
        sums["with"] += 1
        won = v >= p0
        sums["won"] += won
        if won and one(i, "pulled forward") >= pulled_forward_share(name):
            sums["net"] += 1
        if won or one(i, "redemption") < future.pi[i, c]:
            sums["used"] += 1
            value, own = baskets(config, 2, future.key[i : i + 1], np.array([c]))
            sums["discount"] += 0.15 * own[0]
            sums["value"] += value[0] * won
    assert sums["won"] > 5 and sums["net"] < sums["won"] < sums["used"] < sums["with"]

    got = replicate(future, {"a": coupon}, world, replications=2, seed=3)
    got = got[got.replication == 2].iloc[0]
    n, given_ = len(future), (coupon >= 0).sum()
    wanted = {
        "coupons": given_, "rate_sessions": given_ / future.sessions, "rate_eligible": given_ / n,
        "c1": sums["with"] / given_, "c1_n": given_,
        "c2_all": (sums["without"] + future.early_buyers) / (future.sessions - given_),
        "c2_all_n": future.sessions - given_,
        "c2_eligible": sums["without"] / (n - given_), "c2_eligible_n": n - given_,
        "incremental": sums["won"], "incremental_per_coupon": sums["won"] / given_,
        "redemptions": sums["used"], "order_value": sums["value"], "discount": sums["discount"],
        "revenue": sums["value"] - sums["discount"], "net_30d": sums["net"],
        "profit_10": 0.1 * sums["value"] - sums["discount"],
        "profit_50": 0.5 * sums["value"] - sums["discount"],
    }  # fmt: skip
    for column, value in wanted.items():
        assert got[column] == pytest.approx(value, rel=1e-9), column


@pytest.mark.parametrize("name", WORLDS_IN_ORDER)
def test_the_expectation_is_the_mean_of_the_replications(future, name):
    world, coupon = World(name, effect=0.05), by_lot(future, 0.3, 2)
    mean = expected(future, coupon, world)
    drawn = replicate(future, {"a": coupon}, world, replications=400, seed=1)
    at = np.flatnonzero(coupon >= 0)
    tau = np.array([tau_of(future, i, coupon[i], world) for i in at])
    # Exact variances of the counts; of the money, those of the replications.
    sd = {
        "incremental": np.sqrt((tau * (1 - tau)).sum()),
        "c1": np.sqrt(((future.p0[at] + tau) * (1 - future.p0[at] - tau)).sum()) / len(at),
    }
    assert mean.incremental == pytest.approx(tau.sum())
    assert mean.c1 == pytest.approx((future.p0[at] + tau).mean())
    for column, value in mean.as_dict().items():
        error = sd.get(column, drawn[column].std()) / np.sqrt(400)
        assert abs(drawn[column].mean() - value) <= 4 * error + 1e-9, column


def test_without_an_effect_nothing_is_caused_and_only_discounts_remain(future):
    coupon = by_lot(future, 0.3, 3)
    drawn = replicate(future, {"a": coupon}, "no_effect", replications=20)
    for column in ("incremental", "order_value", "net_30d"):
        assert (drawn[column] == 0).all() and getattr(
            expected(future, coupon, "no_effect"), column
        ) == 0
    assert (drawn["revenue"] == -drawn["discount"]).all() and drawn["discount"].mean() > 0
    assert (drawn["profit_30"] == drawn["profit_10"]).all()


def test_rates_of_table_6_by_hand(future):
    rows = np.flatnonzero(np.concatenate([[True], np.diff(future.user) != 0]))[:4]
    few = small(future, rows, p0=[0.1, 0.2, 0.3, 0.4])
    few = Future(few.decisions, few.users, 50, 3, few.config)
    row = expected(few, np.array([-1, 5, -1, 0]), "no_effect")
    assert row.c1 == pytest.approx((0.2 + 0.4) / 2) and row.c1_n == 2
    assert row.c2_all == pytest.approx((0.1 + 0.3 + 3) / 48) and row.c2_all_n == 48
    assert row.c2_eligible == pytest.approx((0.1 + 0.3) / 2) and row.c2_eligible_n == 2
    assert (row.rate_sessions, row.rate_eligible) == (2 / 50, 2 / 4)
    used = 0.2 * few.pi[1, 5] + 0.4 * few.pi[3, 0]
    assert row.redemptions == pytest.approx(used)
    own = expected_baskets(few.config)[1]
    assert row.discount == pytest.approx(
        0.15 * (0.2 * few.pi[1, 5] * own[5] + 0.4 * few.pi[3, 0] * own[0])
    )
    nobody = expected(few, np.full(4, -1), "orthogonal")
    assert np.isnan(nobody.c1) and nobody.incremental == 0 and nobody.c2_eligible == 0.25


def test_policies_share_their_luck(future):
    a, b = by_lot(future, 0.2, 4), by_lot(future, 0.1, 5)
    both = replicate(future, {"a": a, "b": b, "again": a}, "orthogonal", replications=5, seed=9)
    alone = replicate(future, {"b": b}, "orthogonal", replications=5, seed=9)
    measures = both.columns[3:]
    of = lambda frame, name: frame[frame.policy == name][measures].to_numpy()  # noqa: E731
    np.testing.assert_array_equal(of(both, "a"), of(both, "again"))
    np.testing.assert_array_equal(of(both, "b"), of(alone, "b"))
    # Another world differs only by what its coupons do.
    other = replicate(future, {"a": a}, "no_effect", replications=5, seed=9)
    np.testing.assert_allclose(
        other.c1 * other.c1_n, (both.c1 * both.c1_n - both.incremental)[both.policy == "a"]
    )


def test_baskets_average_what_is_expected_and_are_near_the_stores_orders():
    config = Config(scale="book", seed=2)
    value, own = expected_baskets(config)
    key = np.arange(200_000, dtype=np.uint64)
    for category in (0, 7, 17):
        drawn = baskets(config, 1, key, np.full(len(key), category))
        for got, wanted in zip(drawn, (value[category], own[category]), strict=True):
            assert abs(got.mean() - wanted) < 4 * got.std() / np.sqrt(len(key))
        assert (drawn[1] <= drawn[0] + 1e-9).all()
    # The store's own orders, of which coupons are a small part, by the category they begin with.
    events = simulate("book", seed=2).tables["events"].select(
        ["event", "session_id", "timestamp", "category", "value"]
    ).to_pandas()  # fmt: skip
    lines = events[events.event == "purchase"]
    order = lines.groupby(["session_id", "timestamp"], sort=False)
    orders = order.agg(category=("category", "first"), value=("value", "sum"))
    from precmark.simulate.catalogue import NAMES

    wanted = value[orders.category.map({n: i for i, n in enumerate(NAMES)})].mean()
    assert wanted == pytest.approx(orders.value.mean(), rel=0.03)
    assert 17 < (wanted * (1 - 0.03 / 1.32)) < 26


def test_the_7_day_rule(future):
    given_ = np.random.default_rng(0).random(len(future)) < 0.7
    last: dict[int, int] = {}
    close = []
    for i in sorted(np.flatnonzero(given_), key=lambda i: (future.user[i], future.at_us[i])):
        if future.at_us[i] - last.get(future.user[i], -(10**18)) < 7 * DAY:
            close.append(i)
        last[future.user[i]] = future.at_us[i]
    assert len(close) > 20
    np.testing.assert_array_equal(too_close(future, given_), sorted(close))
    with pytest.raises(InputError, match="7 days") as refused:
        expected(future, np.where(given_, 18, -1), "orthogonal")
    assert len(refused.value.problems) == 2  # the category 18 too
    with pytest.raises(InputError, match="shape"):
        expected(future, np.zeros(3), "orthogonal")
    with pytest.raises(InputError, match="one replication"):
        replicate(future, {}, "orthogonal")


def test_a_world_is_checked_all_at_once():
    with pytest.raises(InputError) as refused:
        World("nowhere", taste_match=-1, effect=2)
    assert len(refused.value.problems) == 3


def exhaustive(few: Future, worth: np.ndarray, budget: float) -> float:
    """The highest total worth over all subsets that keep the 7-day rule, best category each."""
    best, value = 0.0, worth.max(axis=1)
    for picked in itertools.product((False, True), repeat=len(few)):
        at = np.flatnonzero(picked)
        if len(at) <= budget and all(
            few.user[i] != few.user[j] or abs(few.at_us[i] - few.at_us[j]) >= 7 * DAY
            for i, j in itertools.combinations(at, 2)
        ):
            best = max(best, value[at].sum())
    return best


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=9, max_size=9),
    st.integers(0, 9),
    st.sampled_from(["orthogonal", "persuadable_risk"]),
    st.sampled_from(["conversions", "profit", "net_30d"]),
)
def test_the_oracle_against_every_subset(future, places, budget, world, objective):
    rows = np.arange(9) * 7 + 3
    users = future.users.user_number.to_numpy()[[u for u, _ in places]]
    stamps = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(
        [d for _, d in places], unit="D"
    )
    few = small(future, rows, user_number=users, timestamp=stamps)
    worth = worth_of(few, World(world), objective)
    coupon = oracle(few, world, objective, budget=budget)
    got = sum(worth[i, c] for i, c in enumerate(coupon) if c >= 0)
    assert (coupon >= 0).sum() <= budget and not len(too_close(few, coupon >= 0))
    assert got == pytest.approx(exhaustive(few, worth, budget), abs=1e-12)


def test_the_oracle_on_12_decisions_where_a_users_coupons_are_worth_the_same(future):
    days = [0, 3, 6, 9, 12, 15, 18, 0, 7, 14, 1, 30]
    users = future.users.user_number.to_numpy()[[0] * 7 + [1] * 3 + [2] * 2]
    stamps = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(days, unit="D")
    few = small(future, np.arange(12), user_number=users, timestamp=stamps)
    world = World("orthogonal")
    worth = worth_of(few, world, "conversions")
    assert worth[0].max() == worth[6].max()  # no cap binds: one user, one worth
    for budget in range(13):
        coupon = oracle(few, world, "conversions", budget=budget)
        got = sum(worth[i, c] for i, c in enumerate(coupon) if c >= 0)
        assert got == pytest.approx(exhaustive(few, worth, budget), abs=1e-12)
    assert len(highest(few, few.p0, 4)) == 4


def test_the_oracles_profit_and_discount_are_those_of_the_scoring(future):
    world = World("lost_causes", taste_match=0.5, effect=0.02)
    coupon = oracle(future, world, "profit", budget=40, margin=40)
    row, at = expected(future, coupon, world), np.flatnonzero(coupon >= 0)
    assert row.coupons == 40
    assert worth_of(future, world, "profit", margin=40)[at, coupon[at]].sum() == pytest.approx(
        row.profit_40
    )
    assert expected_discount(future, world)[at, coupon[at]].sum() == pytest.approx(row.discount)
    lot = expected(future, by_lot(future, 0.02, 0), world)
    assert row.profit_40 / 40 > lot.profit_40 / lot.coupons
    # Under a budget of discounts: within it, near it, and better than any count can do within it.
    priced = oracle(future, world, "conversions", budget=30, discount=True)
    found = expected(future, priced, world)
    assert 29 < found.discount <= 30
    for count in range(1, 400, 20):
        rival = expected(future, oracle(future, world, "conversions", budget=count), world)
        if rival.discount <= 30:
            assert rival.incremental < found.incremental + 0.1
    assert (oracle(future, "no_effect", "conversions", budget=10) == -1).all()
    with pytest.raises(InputError, match="conversions, profit"):
        oracle(future, world, "fame", budget=1)
    with pytest.raises(InputError, match="budget"):
        oracle(future, world, "profit", budget=-1)


def test_simultaneous_intervals_cover_all_comparisons_together():
    rng = np.random.default_rng(0)
    exact = stats.norm.ppf((1 + 0.95 ** (1 / 20)) / 2)
    assert max_t(rng.normal(3, 2, (40_000, 20))) == pytest.approx(exact, abs=0.03)
    # Wholly dependent columns need no more than one does; a constant column none at all.
    same = np.column_stack([rng.normal(size=40_000)] * 5 + [np.full(40_000, 7.0)])
    assert max_t(same) == pytest.approx(stats.norm.ppf(0.975), abs=0.03)


def test_primary_comparisons_against_plain_pandas(future):
    policies = {str(k): by_lot(future, 0.05 * k, k) for k in range(1, 6)}
    drawn = pd.concat(replicate(future, policies, w, replications=60) for w in WORLDS_IN_ORDER)
    found = primary_comparisons(drawn, smallest=1.0)
    assert len(found) == 20 and list(found.world.unique()) == list(WORLDS_IN_ORDER)
    t = []
    for row in found.itertuples():
        first, second = row.comparison.split("-")
        of = drawn[drawn.world == row.world].set_index("replication")
        gap = of[of.policy == first].profit_30 - of[of.policy == second].profit_30
        gap = 1_000 * gap / future.sessions
        assert row.difference == pytest.approx(gap.mean())
        assert row.high - row.low == pytest.approx(2 * row.critical * gap.std())
        sign = "first" if row.low > 0 else "second" if row.high < 0 else "neither"
        assert row.favours == sign
        inside = row.low >= -1 and row.high <= 1
        outside = row.low > 1 or row.high < -1
        assert row.matters == ("smaller" if inside else "larger" if outside else "open")
        t.append(((gap - gap.mean()) / gap.std()).abs())
    assert found.critical.iloc[0] == pytest.approx(np.quantile(np.max(t, axis=0), 0.95))


def test_primary_comparisons_refuse_what_they_cannot_compare(future):
    drawn = replicate(future, {"1": by_lot(future, 0.1, 0)}, "no_effect", replications=5)
    with pytest.raises(InputError) as refused:
        primary_comparisons(pd.concat([drawn.assign(budget=b) for b in ("a", "b")]))
    text = str(refused.value)
    assert "several budgets" in text and "2, 3, 4, 5" in text and "5 draws" in text
    with pytest.raises(InputError, match="no column policy"):
        primary_comparisons(drawn.drop(columns="policy"))


@pytest.mark.parametrize("shares", [(0.2, 40, 0.1, 60), (0.0, 30, 0.05, 400), (1.0, 25, 0.4, 25)])
def test_the_interval_of_a_difference_is_statsmodels(shares):
    c1, n1, c0, n0 = shares
    wanted = confint_proportions_2indep(c1 * n1, n1, c0 * n0, n0, method="newcomb")
    assert newcombe(c1, n1, c0, n0) == pytest.approx(wanted)


def test_a_holdout_finds_the_effect_that_c1_against_c2_misses(future):
    world = World("orthogonal", effect=0.1)
    coupon = by_lot(future, 0.5, 6)
    found = random_holdout(future, coupon, world, replications=300, seed=2).iloc[0]
    at = np.flatnonzero(coupon >= 0)
    held = uniform(2, 0, future.key[at], "holdout") < 0.5
    assert (found.held_out, found.targeted) == (held.sum(), len(at))
    tau = np.array([tau_of(future, i, coupon[i], world) for i in at])
    assert found.true_effect == pytest.approx(tau.mean())
    v = uniform(2, 1, future.key[at], "outcome")
    shown = v[~held] < (future.p0[at] + tau)[~held]
    assert found.shown_conversion == pytest.approx(shown.mean())
    assert found.held_conversion == pytest.approx((v[held] < future.p0[at][held]).mean())
    assert found.difference == pytest.approx(found.shown_conversion - found.held_conversion)
    spread = np.sqrt(0.25 / held.sum() + 0.25 / (~held).sum())
    assert abs(found.estimate - tau.mean()) < spread  # the split itself is one draw
    assert found.covers > 0.8
    row = expected(future, coupon, world)
    assert found.against_c2_all == pytest.approx(row.c1 - row.c2_all)
    assert found.against_c2_eligible == pytest.approx(row.c1 - row.c2_eligible)


def test_the_needed_size_has_the_wanted_power(future):
    found = random_holdout(
        future, by_lot(future, 0.5, 6), World("orthogonal", effect=0.1), share=0.3
    )
    row = found.iloc[0]
    coupon = by_lot(future, 0.5, 6)
    p0 = future.p0[coupon >= 0].mean()
    n, p1 = row.needed, p0 + row.true_effect
    rng = np.random.default_rng(0)
    c0 = rng.binomial(round(0.3 * n), p0, 20_000) / round(0.3 * n)
    c1 = rng.binomial(round(0.7 * n), p1, 20_000) / round(0.7 * n)
    error = np.sqrt(c0 * (1 - c0) / (0.3 * n) + c1 * (1 - c1) / (0.7 * n))
    assert np.mean(np.abs(c1 - c0) > 1.96 * error) == pytest.approx(0.8, abs=0.03)
    assert row.needed_sessions == pytest.approx(n * future.sessions / row.targeted)


def test_a_holdout_without_an_effect_can_never_be_large_enough(future):
    coupon = by_lot(future, 0.5, 6)
    found = random_holdout(future, coupon, "no_effect", replications=400).iloc[0]
    assert np.isinf(found.needed) and found.true_effect == 0
    assert found.finds == pytest.approx(0.05, abs=0.045)
    with pytest.raises(InputError) as refused:
        random_holdout(
            future, np.full(len(future), -1), "no_effect", share=0, power=1, replications=0
        )
    assert len(refused.value.problems) == 4


def test_the_response_that_a_conversion_needs(future):
    surely_leaving = np.argsort(future.p0)[: len(future) // 3]
    coupon = by_lot(future, 0.5, 6)
    coupon[np.setdiff1d(np.arange(len(future)), surely_leaving)] = -1
    found = needed_response(future, coupon).set_index("world")
    target = paper("gu", "table6.option4_couponed_conversion")
    p0 = future.p0[coupon >= 0]
    assert (found.target == target).all()
    assert found.without.iloc[0] == pytest.approx(p0.mean())
    assert found.cap.iloc[0] == pytest.approx((0.9 * (1 - p0)).mean())
    assert not found.reachable["no_effect"] and found.reachable["persuadable_risk"]
    for world in found.index[found.reachable]:
        there = expected(future, coupon, World(world, effect=found.needed_effect[world]))
        assert there.c1 == pytest.approx(target, abs=1e-9)
        assert expected(future, coupon, world).c1 == pytest.approx(found.c1[world])
    for world in found.index[~found.reachable]:
        assert expected(future, coupon, World(world, effect=1)).c1 < target
    # With no effect at all, coupons for the surest buyers alone convert better than that.
    top = highest(future, future.p0, (coupon >= 0).sum())
    assert (
        found.surest.iloc[0] == pytest.approx(future.p0[top].mean())
        and found.surest.iloc[0] > target
    )
    # A policy that reaches the target by itself needs nothing.
    assert needed_response(future, coupon, target=0.0).needed_effect.eq(0).all()
    with pytest.raises(InputError, match="nobody"):
        needed_response(future, np.full(len(future), -1))
