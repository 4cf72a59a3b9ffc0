"""Responses by cell, budgets by linear programming, and what plans keep, read a second way."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, betabinom

from precmark.errors import InputError
from precmark.runs import Run
from precmark.strategy import placement, placement_study, response
from precmark.strategy.placement import Limits, Market, allocate, equal, proportional
from precmark.tables import write_table
from tests.conftest import RUN_CARD


def counted(contacts, buyers, segment=None) -> pd.DataFrame:
    n = len(contacts)
    return pd.DataFrame(
        {
            "channel": [f"c{i % 3}" for i in range(n)], "slot": "0-6 h",
            "segment": segment or ["first visit"] * n, "contacts": contacts, "buyers": buyers,
        }
    )  # fmt: skip


def market(contacts, prices, steps=((1.0, 1.0),), segment=None) -> Market:
    cells = counted(contacts, [0] * len(contacts), segment)
    return Market(cells.assign(price=np.asarray(prices, dtype=float)), steps)


def test_likelihood_is_the_beta_binomial_up_to_a_constant():
    n, k, mu = np.array([40, 100, 7]), np.array([3, 2, 0]), np.array([0.05, 0.05, 0.1])
    ours = [response.log_likelihood(m, n, k, mu) for m in (3.0, 50.0)]
    theirs = [betabinom.logpmf(k, n, m * mu, m * (1 - mu)).sum() for m in (3.0, 50.0)]
    assert ours[1] - ours[0] == pytest.approx(theirs[1] - theirs[0], abs=1e-8)


def test_alike_cells_get_their_kinds_rate_and_unlike_ones_keep_their_own():
    rng = np.random.default_rng(3)
    same = response.shrunk(counted([400] * 40, rng.binomial(400, 0.05, 40)))
    assert same.cells.rate.std() < 0.3 * same.cells.raw.std()
    truth = rng.beta(0.5, 4.5, 40)
    differ = response.shrunk(counted([400] * 40, rng.binomial(400, truth)))
    assert np.abs(differ.cells.rate - differ.cells.raw).max() < 0.02
    assert differ.concentration < 30 and not differ.alike


def test_rate_is_between_the_cell_and_its_kind_and_intervals_match_a_known_posterior():
    cells = counted([50, 60, 5000], [10, 1, 200], ["a", "a", "b"])
    found = response.shrunk(cells, draws=40_000)
    low = np.minimum(found.cells.raw, found.cells.prior)
    high = np.maximum(found.cells.raw, found.cells.prior)
    assert found.cells.rate.between(low - 1e-12, high + 1e-12).all()
    # segment b has one cell of 5,000: prior and count agree, so its posterior lies within the
    # intervals of counting it once and of counting it twice
    once, twice = (beta.ppf(0.975, c * 200.5, c * 4800.5) for c in (1, 2))
    assert twice - 5e-4 < found.cells.high[2] < once + 5e-4


def test_cells_are_refused_with_everything_that_is_wrong():
    with pytest.raises(InputError) as error:
        response.shrunk(counted([10, 0, 3], [11, 0, 1]))
    assert "below 1" in str(error.value) and "not 0 to contacts" in str(error.value)


def greedy(m: Market, rate: np.ndarray, budget: float) -> float:
    """Best buyers without limits: fill cells and steps by buyers a unit of money."""
    offers = [
        (rate[i] * r / m.cells.price[i], m.cells.contacts[i] * m.cells.price[i] * t)
        for i in range(len(m.cells))
        for t, r in m.steps
    ]
    total = 0.0
    for worth, room in sorted(offers, reverse=True):
        spent = min(room, budget)
        total, budget = total + worth * spent, budget - spent
    return total


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7), st.floats(0.05, 1.5))
def test_without_limits_the_programme_is_the_greedy_plan(seed, n, share):
    rng = np.random.default_rng(seed)
    m = market(rng.integers(1, 50, n), rng.uniform(0.5, 3, n), ((1.0, 1.0), (2.0, 0.4)))
    rate, budget = rng.uniform(0.001, 0.3, n), share * float(m.room.sum())
    plan = allocate(m, rate, budget)
    assert plan.buyers(rate) == pytest.approx(greedy(m, rate, budget), rel=1e-6)
    assert plan.spent.sum() <= budget * (1 + 1e-9)
    for other in (equal(m, budget), proportional(m, budget)):
        assert other.buyers(rate) <= plan.buyers(rate) * (1 + 1e-6)
        assert other.spent.sum() == pytest.approx(min(budget, m.room.sum()))


def test_limits_against_every_plan_on_a_grid():
    m = market([10, 10, 10], [1, 1, 1], segment=["a", "b", "b"])
    rate = np.array([0.3, 0.2, 0.1])
    limits = Limits(most={"c0": 0.5}, least={"c2": 2.0}, reach={"b": 7.0})
    best = max(
        np.array(x) @ rate
        for x in itertools.product(np.arange(0, 10.5, 0.5), repeat=3)
        if sum(x) <= 12 and x[0] <= 6 and x[2] >= 2 and x[1] + x[2] >= 7
    )
    assert allocate(m, rate, 12.0, limits).buyers(rate) == pytest.approx(best)


def test_next_unit_is_what_one_more_unit_brings():
    m = market([100, 100], [2.0, 1.0])
    rate = np.array([0.3, 0.1])
    plan = allocate(m, rate, 150.0)
    more = allocate(m, rate, 151.0)
    assert plan.next_unit == pytest.approx(more.buyers(rate) - plan.buyers(rate))


def test_reached_counts_later_contacts_for_less():
    m = market([10], [2.0], ((1.0, 1.0), (1.0, 0.5)))
    assert m.reached(np.array([30.0])) == pytest.approx([10 + 5 * 0.5])


def test_an_infeasible_budget_names_the_limits_and_the_least_budget():
    m = market([10, 10, 10], [1, 1, 1])
    with pytest.raises(InputError) as error:
        allocate(m, np.full(3, 0.1), 5.0, Limits(least={"c0": 4.0, "c1": 3.0}))
    assert "need a budget of 7.0" in str(error.value)
    assert "it lacks 2.0" in str(error.value)
    with pytest.raises(InputError, match=r"500 contacts.*it lacks 470"):
        allocate(m, np.full(3, 0.1), 50.0, Limits(reach={"first visit": 500}))


def test_wrong_limits_and_budgets_are_listed_at_once():
    m = market([10, 10, 10], [1, 1, 1])
    with pytest.raises(InputError) as error:
        allocate(m, np.full(3, 2.0), -1.0, Limits(most={"c9": 0.5, "c1": 3}, reach={"firs": 1}))
    text = str(error.value)
    for part in ("rate", "budget: -1", "no channel 'c9'", "c1 3", "Did you mean 'first visit'"):
        assert part in text


def test_prices_file_is_read_and_refused(tmp_path):
    cells = counted([5, 5], [0, 0]).assign(channel=["direct", "billboard"])
    made = placement.priced(cells)
    assert made.cells.price.tolist() == pytest.approx([1.0 * 0.8, 1.5 * 0.8])
    broken = tmp_path / "p.toml"
    broken.write_text("other = 1.0\n[channel]\n")
    with pytest.raises(InputError, match="steps"):
        placement.priced(cells, broken)
    with pytest.raises(InputError, match="never rise"):
        market([1], [1.0], ((1.0, 0.5), (1.0, 0.9)))


def test_expected_is_the_draws_by_hand():
    m = market([10, 20], [1, 1])
    rate, draws = np.array([0.2, 0.1]), np.array([[0.1, 0.3, 0.2], [0.1, 0.1, 0.2]])
    made = placement_study.plans(m, rate, 10.0)
    table = placement_study.expected(made, rate, draws).set_index("plan")
    best, same = 10 * draws[0], 5 * draws[0] + 5 * draws[1]
    assert table.loc["linear programme", "buyers"] == pytest.approx(2.0)
    assert table.loc["equal", "gain"] == pytest.approx(2.0 - 1.5)
    assert table.loc["equal", "gain_high"] == pytest.approx(np.percentile(best - same, 97.5))


def test_later_rates_are_counts_and_stand_ins():
    cells = counted([5, 5, 5], [0, 0, 0], ["a", "a", "b"])
    visits = pd.DataFrame(
        {
            "user_code": [1, 1, 2, 3], "channel": ["c0", "c0", "c0", "c9"], "slot": "0-6 h",
            "segment": "a", "bought": [1, 0, 0, 1],
        }
    )  # fmt: skip
    rate, draws = placement_study.later_rates(cells, visits, draws=50)
    # c1 has no visit: segment a's 1 in 3; segment b has none at all: everybody's 1 in 3
    assert rate == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert draws.shape == (3, 50) and set(np.round(draws[0], 6)) <= {0.5, 0.0, round(1 / 3, 6)}


def test_planted_rates_have_the_spread_asked_for_and_raw_planning_overpromises():
    rng = np.random.default_rng(0)
    rates = np.concatenate(
        [placement_study._rates(rng, np.full(50, 0.05), 0.5) for _ in range(400)]
    )
    assert rates.mean() == pytest.approx(0.05, rel=0.02)
    assert rates.std() == pytest.approx(0.025, rel=0.03)
    m = market(rng.integers(20, 80, 30), np.ones(30))
    study = placement_study.planted(m, np.full(30, 0.05), 400, spreads=(0.0,), replications=8)
    told = placement_study.against_truth(study).set_index("plan")
    assert told.loc["raw rates", "promised"] > 1.2
    assert told.loc["shrunken rates", "promised"] < told.loc["raw rates", "promised"]
    wide = study.pivot(index="replication", columns="plan", values="delivered")
    assert (wide.le(wide["the truth"] * (1 + 1e-9), axis=0)).all().all()


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_text(json.dumps(RUN_CARD))
    visits = pd.DataFrame(
        {
            "user_code": [1, 1, 2, 1, 2],
            "start": pd.to_datetime(
                ["2024-07-01 05:30Z", "2024-07-02 10:00Z", "2024-07-02 12:00Z",
                 "2024-07-03 23:30Z", "2024-07-04 12:00Z"]
            ),
            "purchased": [False, True, False, False, True],
            "kind": ["shop", "shop", "live", "shop", "shop"],
        }
    )  # fmt: skip
    write_table(visits, folder / "results" / "sessions" / "sessions.parquet")
    users = pd.DataFrame({"user_code": [1, 2], "referrer": ["search", None]})
    write_table(users, folder / "results" / "contract" / "users.parquet")
    return response.placed_visits(Run(folder))


def test_visits_are_placed_by_what_was_known_before(placed):
    # London in summer is an hour ahead: 05:30 UTC is 6:30, 23:30 UTC is 0:30 of the next day
    assert placed.slot.tolist() == ["6-12 h", "6-12 h", "0-6 h", "12-18 h"]
    assert placed.segment.tolist() == ["first visit", "came before", "bought before", "came before"]
    assert placed.bought.tolist() == [0, 1, 0, 1]
    # only one channel is known, so there is nothing to tell apart
    assert set(placed.channel) == {"all"}


def test_time_parts_do_not_overlap_and_cells_add_up(placed):
    early, late = response.by_time(placed, share=0.5)
    assert early.start.max() < late.start.min() and len(early) + len(late) == len(placed)
    cells = response.cells_of(placed)
    assert cells.contacts.sum() == len(placed) and cells.buyers.sum() == placed.bought.sum()
