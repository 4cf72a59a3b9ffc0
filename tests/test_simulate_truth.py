"""The simulated store's equations: keyed draws, the logit, the worlds, the effects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import roc_auc_score

from precmark.claims import claim, claims, paper
from precmark.errors import InputError
from precmark.simulate import (
    CATEGORIES,
    WORLDS,
    fit,
    pulled_forward_share,
    response,
    simulate,
    taste,
    treatment_effect,
    uniform,
    world_summary,
)
from precmark.simulate.draws import lookup, mix, numbered, pick, scrambled
from precmark.simulate.people import taste_for
from precmark.simulate.risk import expected_auroc


@pytest.fixture(scope="module")
def truth():
    return simulate("book", seed=5).truth


def test_keyed_draws_do_not_depend_on_order_or_company():
    keys = np.random.default_rng(0).integers(0, 2**63, 1_000, dtype=np.uint64)
    all_at_once = uniform(3, 0, keys, "outcome")
    shuffled = np.random.default_rng(1).permutation(1_000)
    np.testing.assert_array_equal(uniform(3, 0, keys[shuffled], "outcome"), all_at_once[shuffled])
    one_by_one = [uniform(3, 0, keys[i : i + 1], "outcome")[0] for i in range(20)]
    np.testing.assert_array_equal(one_by_one, all_at_once[:20])


@pytest.mark.parametrize("keys", [np.arange(50_000), np.arange(50_000) << 16])
def test_keyed_draws_are_uniform_and_unrelated(keys):
    keys = keys.astype(np.uint64)
    a = uniform(1, 0, keys, "outcome")
    assert stats.kstest(a, "uniform").pvalue > 1e-4
    assert a.min() > 0 and a.max() < 1
    others = (
        uniform(1, 0, keys, "coupon"),
        uniform(2, 0, keys, "outcome"),
        uniform(1, 1, keys, "outcome"),
        np.roll(a, 1),
    )
    for b in others:
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(keys))


@given(st.integers(0, 2**64 - 1))
def test_mix_is_splitmix64(x):
    # Reference: the published algorithm in plain Python integers.
    mask = 2**64 - 1
    z = (x + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    assert int(mix(np.array([x], dtype=np.uint64))[0]) == z ^ (z >> 31)


def test_ids_as_text():
    assert numbered("u", np.array([1, 234, 9_999_999]), 7).to_pylist() == [
        "u0000001", "u0000234", "u9999999",
    ]  # fmt: skip
    ids = scrambled(np.arange(1_000)).to_pylist()
    assert len(set(ids)) == 1_000
    assert ids[5] == f"{int(mix(np.array([5], dtype=np.uint64))[0]):016x}"
    position = np.array([3, 3, 0, 999])
    assert pick(scrambled(np.arange(1_000)), position).to_pylist() == [ids[i] for i in position]


def test_lookup_draws_with_the_shares_it_says():
    table, shares = lookup(np.array([0.5, 0.3, 0.2]), 64)
    np.testing.assert_array_equal(np.bincount(table) / 64, shares)
    assert shares.sum() == 1 and np.abs(shares - [0.5, 0.3, 0.2]).max() < 1 / 64


@pytest.mark.parametrize("world", WORLDS)
def test_response_averages_one(world):
    mean, _ = integrate.quad(lambda r: response(world, np.array([r]))[0], 0, 1)
    assert mean == pytest.approx(0 if world == "no_effect" else 1, abs=1e-9)
    with pytest.raises(InputError, match="persuadable_risk"):
        response("nowhere", np.zeros(1))


def test_taste_sums_to_one_and_agrees_with_the_single_category():
    rng = np.random.default_rng(0)
    cell, first, second = rng.integers(0, 8, 50), *rng.integers(0, CATEGORIES, (2, 50))
    pi = taste(cell, first, second)
    np.testing.assert_allclose(pi.sum(axis=1), 1)
    for c in range(CATEGORIES):
        single = taste_for(cell, first, second, np.full(50, c))
        np.testing.assert_allclose(single, pi[:, c])


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("taste_match", [0.0, 0.25, 0.5])
def test_treatment_effect_against_a_literal_loop(world, taste_match):
    truth = simulate("classroom", seed=2).truth
    decisions = truth["decisions"].to_pandas().head(60)
    users = truth["users"].to_pandas()
    effect = 0.2  # large enough that the cap binds for some
    got = treatment_effect(decisions, users, world=world, taste_match=taste_match, effect=effect)
    assert got.shape == (60, CATEGORIES)
    shapes = {
        "persuadable_risk": lambda r: 3 * r**2,
        "lost_causes": lambda r: 30 * r**2 * (1 - r) ** 2,
        "sure_things": lambda r: 6 * (1 - r) ** 5,
        "orthogonal": lambda r: 1.0,
        "no_effect": lambda r: 0.0,
    }
    for i, d in enumerate(decisions.itertuples()):
        u = users[users["user_id"] == d.user_id].iloc[0]
        pi = taste(np.array([u.cell]), np.array([u["first"]]), np.array([u.second]))[0]
        for c in range(CATEGORIES):
            m = 1 - taste_match + 18 * taste_match * pi[c]
            wanted = effect * shapes[world](d.rank) * u.deal_response * m
            assert got[i, c] == pytest.approx(min(wanted, 0.9 * (1 - d.p0)), rel=1e-6)
    chosen = np.arange(60) % CATEGORIES
    single = treatment_effect(
        decisions, users, world=world, category_index=chosen, taste_match=taste_match, effect=effect
    )
    np.testing.assert_allclose(single, got[np.arange(60), chosen])


def test_rank_is_uniform_and_orders_risk(truth):
    d = truth["decisions"].to_pandas()
    assert stats.kstest(d["rank"], "uniform").statistic < 0.012
    assert stats.spearmanr(d["rank"], 1 - d["p0"]).statistic > 0.9999


@pytest.mark.parametrize("order_share", [0.0, 0.3, 1.0])
def test_variance_shares_are_those_asked_for(order_share):
    d = simulate("book", seed=9, order_share=order_share).truth["decisions"].to_pandas()
    totals, order = d["totals_logit"].var(), d["order_logit"].var()
    assert order / (totals + order) == pytest.approx(order_share, abs=0.02)
    if 0 < order_share < 1:
        assert abs(np.corrcoef(d["totals_logit"], d["order_logit"])[0, 1]) < 0.015


@pytest.mark.parametrize("best", [0.72, 0.80, 0.88])
def test_best_possible_auroc_is_the_one_asked_for(best):
    model = fit(3, 0.5, best, 0.025)
    assert model.auroc == pytest.approx(best, abs=1e-4)
    d = simulate("book", seed=4, best_auroc=best).truth["decisions"].to_pandas()
    score = d["totals_logit"] + d["order_logit"] + d["baseline_logit"]
    assert expected_auroc(score.to_numpy(), d["p0"].to_numpy()) == pytest.approx(best, abs=0.006)
    assert roc_auc_score(d["y0"], score) == pytest.approx(best, abs=0.015)


def test_expected_auroc_against_all_pairs():
    rng = np.random.default_rng(0)
    score, p = rng.normal(size=80), rng.random(80)
    above = total = 0.0
    for i in range(80):
        for j in range(80):
            if i != j:
                weight = p[i] * (1 - p[j])
                total += weight
                above += weight * (score[i] > score[j])
    assert expected_auroc(score, p) == pytest.approx(above / total)


def test_coupon_answer_is_independent_of_risk(truth):
    d, u = truth["decisions"].to_pandas(), truth["users"].to_pandas()
    assert u["deal_response"].mean() == pytest.approx(1, abs=0.01)
    assert u["deal_response"].std() == pytest.approx(0.5, abs=0.01)
    z = u.set_index("user_id").loc[d["user_id"], "deal_response"].to_numpy()
    # Decisions of one user share z, so the number of users decides how far chance can go.
    assert abs(np.corrcoef(z, d["p0"])[0, 1]) < 4 / np.sqrt(d["user_id"].nunique())
    assert abs(np.corrcoef(u["baseline"], u["deal_response"])[0, 1]) < 0.01


def test_deal_sites_and_deal_words_are_noisy_signs_of_the_answer():
    store = simulate("book", seed=6)
    u = store.truth["users"].to_pandas().set_index("user_id")["deal_response"]
    users = store.tables["users"].to_pandas().set_index("user_id")
    site = users["referrer"].eq("deal_site").reindex(u.index)
    gap = u[site].mean() - u[~site].mean()
    assert 0.1 < gap < 0.6
    events = store.tables["events"].to_pandas()
    searches = events[events["event"] == "search"]
    deal = searches["text"].str.contains("cheap|sale|discount|coupon|deal|lowest")
    share = deal.groupby(searches["user_id"]).mean()
    correlation = stats.spearmanr(share, u[share.index]).statistic
    assert 0.1 < correlation < 0.6


def test_world_summary_orders_the_worlds(truth):
    table = world_summary(
        truth["decisions"], truth["users"], coupon_shares={"few": 0.05, "all": 1.0}
    ).set_index("world")
    assert list(table.index) == list(WORLDS)
    for world in WORLDS[:-1]:
        assert table.loc[world, "average_effect"] == pytest.approx(0.009, rel=0.04)
    assert table.loc["no_effect", "average_effect"] == 0
    assert table.loc["persuadable_risk", "risk_correlation"] > 0.3
    assert table.loc["sure_things", "risk_correlation"] < -0.3
    assert abs(table.loc["orthogonal", "risk_correlation"]) < 0.05
    assert np.isnan(table.loc["no_effect", "risk_correlation"])
    real = table.drop("no_effect")
    assert (real["oracle_few"] > real["oracle_all"]).all()
    np.testing.assert_allclose(real["oracle_all"], real["average_best_category"])
    assert table.loc["sure_things", "pulled_forward_share"] == 0.75
    assert pulled_forward_share("orthogonal") == 0.2


def test_pulled_forward_flags_have_their_share(truth):
    flags = truth["decisions"]["pulled_forward"].to_numpy(zero_copy_only=False)
    assert flags.mean() == pytest.approx(0.2, abs=0.01)


def test_claims_are_read_and_the_nearest_is_named():
    assert paper("gu", "table4.sessions_per_day") == 11145
    assert claim("gu", "table6.option1_couponed_conversion").place == "Table 6"
    assert all(c.unit and c.place and c.what for c in claims("gu").values())
    with pytest.raises(InputError, match=r"table4\.sessions_per_day"):
        paper("gu", "table4.sesions_per_day")
    with pytest.raises(InputError, match="gu"):
        paper("nobody", "x.y")
