"""Logistic regression, pairs, separation and two shares, against other libraries and loops."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from statsmodels.stats import proportion

from precmark.errors import InputError
from precmark.statistics import (
    count_pairs,
    fit_logistic,
    power,
    separated_outlets,
    smallest_found,
    two_proportions,
    units_needed,
)
from precmark.statistics.checks import dependencies
from precmark.statistics.firth import find_separation

COLUMNS = ["visits", "spent", "price"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """600 customers; prices in thousands and spending in hundreds, so that scales differ."""
    rng = np.random.default_rng(5)
    made = pd.DataFrame(
        {
            "visits": rng.normal(size=600),
            "spent": rng.gamma(2.0, 300.0, 600),
            "price": rng.normal(6_000, 40, 600),
        }
    )
    eta = 0.9 * made.visits + 0.001 * (made.spent - 600) - 0.01 * (made.price - 6_000) - 0.6
    return made.assign(bought=(rng.random(600) < 1 / (1 + np.exp(-eta))).astype(int))


@pytest.fixture(scope="module")
def report(frame):
    return fit_logistic(frame, "bought", COLUMNS)


@pytest.fixture(scope="module")
def reference(frame):
    return sm.Logit(frame.bought, sm.add_constant(frame[COLUMNS])).fit(disp=0, tol=1e-12)


# ---- the report


def test_coefficients_errors_and_odds_ratios_are_those_of_statsmodels(report, reference):
    found = report.coefficients.set_index("term")
    assert list(found.index) == ["constant", *COLUMNS]
    interval = np.exp(reference.conf_int().to_numpy())
    for theirs, ours in (
        (reference.params, found.estimate), (reference.bse, found.error),
        (reference.tvalues**2, found.wald), (reference.pvalues, found.p),
        (np.exp(reference.params), found.odds_ratio), (interval[:, 0], found.low),
        (interval[:, 1], found.high),
    ):  # fmt: skip
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(report.fitted, reference.predict(), rtol=1e-6)


def test_scikit_learn_without_a_penalty_gives_the_same_probabilities(frame, report):
    scaled = (frame[COLUMNS] - frame[COLUMNS].mean()) / frame[COLUMNS].std()
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(scaled, frame.bought)
    np.testing.assert_allclose(report.fitted, model.predict_proba(scaled)[:, 1], atol=1e-5)
    later = frame.sample(50, random_state=1)
    np.testing.assert_allclose(report.predict_proba(later), report.fitted[later.index], rtol=1e-12)


def test_the_three_tests_against_their_definitions(frame, report, reference):
    tests = report.tests.set_index("test")
    assert tests.loc["likelihood ratio", "chi2"] == pytest.approx(reference.llr, rel=1e-8)
    assert tests.loc["likelihood ratio", "p"] == pytest.approx(reference.llr_pvalue, rel=1e-6)
    slopes = np.eye(4)[1:]
    wald = reference.wald_test(slopes, use_f=False, scalar=True)
    assert tests.loc["Wald", "chi2"] == pytest.approx(float(wald.statistic), rel=1e-6)
    # The score at the constant model, row by row.
    share = frame.bought.mean()
    score, information = np.zeros(4), np.zeros((4, 4))
    for row in frame.itertuples():
        x = np.array([1.0, row.visits, row.spent, row.price])
        score += (row.bought - share) * x
        information += share * (1 - share) * np.outer(x, x)
    statistic = score @ np.linalg.solve(information, score)
    assert tests.loc["score", "chi2"] == pytest.approx(statistic, rel=1e-6)
    assert tests.loc["score", "p"] == pytest.approx(chi2.sf(statistic, 3), rel=1e-5)
    assert set(tests.df) == {3}


def test_aic_and_sbc_are_those_of_statsmodels(report, reference):
    fit = report.fit.set_index("criterion")
    assert fit.loc["AIC", "with_columns"] == pytest.approx(reference.aic)
    assert fit.loc["SBC", "with_columns"] == pytest.approx(reference.bic)
    assert fit.loc["-2 log L", "constant_only"] == pytest.approx(-2 * reference.llnull)
    assert fit.loc["SBC", "constant_only"] == pytest.approx(-2 * reference.llnull + math.log(600))


def test_the_parameters_units_do_not_change_the_probabilities(frame, report):
    other = frame.assign(price=frame.price / 1000, spent=frame.spent * 100)
    np.testing.assert_allclose(
        fit_logistic(other, "bought", COLUMNS).fitted, report.fitted, rtol=1e-7
    )


# ---- pairs


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40).filter(
        lambda rows: len({y for y, _ in rows}) == 2
    )
)
def test_pairs_against_looking_at_every_pair(rows):
    y, p = (np.array(v) for v in zip(*rows, strict=True))
    p = p / 7
    concordant = discordant = tied = 0
    for yi, pi in rows:
        for yj, pj in rows:
            if yi == 1 and yj == 0:
                concordant += pi > pj
                discordant += pi < pj
                tied += pi == pj
    found = count_pairs(y, p)
    assert (found.concordant, found.discordant, found.tied) == (concordant, discordant, tied)
    assert found.pairs == (y == 1).sum() * (y == 0).sum()
    assert found.c == pytest.approx(roc_auc_score(y, p))
    assert found.somers_d == pytest.approx(2 * found.c - 1)


def test_pair_measures_of_a_case_by_hand():
    # Events 0.9, 0.4; others 0.4, 0.2, 0.1: five pairs concordant, one tied.
    found = count_pairs([1, 0, 1, 0, 0], [0.9, 0.4, 0.4, 0.2, 0.1])
    assert (found.concordant, found.discordant, found.tied) == (5, 0, 1)
    assert found.c == pytest.approx(5.5 / 6)
    assert found.gamma == 1.0
    assert found.tau_a == pytest.approx(5 / 10)
    binned = count_pairs([1, 0], [0.5011, 0.5001], bin_width=0.002)
    assert binned.tied == 1 and count_pairs([1, 0], [0.5011, 0.5001]).concordant == 1


def test_a_million_pairs_of_rows_are_counted_without_looking_at_each():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 300_000), rng.random(300_000)
    assert count_pairs(y, p).c == pytest.approx(roc_auc_score(y, p), abs=1e-12)


# ---- separation


def literally_separated(X, y) -> bool:
    """Whether some weights put every event at or above 0 and every other at or below, not all 0."""
    signed = X * (2 * y - 1)[:, None]
    for i in range(len(y)):
        found = linprog(-signed[i], A_ub=-signed, b_ub=np.zeros(len(y)), bounds=[(-1, 1)] * 2)
        if -found.fun > 1e-9:
            return True
    return False


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=5, max_size=9).filter(
        lambda rows: len({y for y, _ in rows}) == 2 and len({x for _, x in rows}) > 1
    )
)
def test_separation_by_one_column_against_thresholds(rows):
    y, x = (np.array(v, dtype=float) for v in zip(*rows, strict=True))
    X = np.column_stack([np.ones(len(y)), x])
    low, high = x[y == 1], x[y == 0]
    strictly = low.min() > high.max() or low.max() < high.min()
    border = low.min() >= high.max() or low.max() <= high.min()
    found = find_separation(X, y, ["x"])
    assert found.kind == ("complete" if strictly else "quasi-complete" if border else "none")
    assert (found.kind != "none") == literally_separated(X, y)
    assert found.columns == (("x",) if border else ())


def test_separated_outlets_are_named_and_get_the_penalised_answer():
    frame = separated_outlets()
    assert frame[frame.high_star == 1].sold.min() == 1 and frame.sold.min() == 0
    found = fit_logistic(frame, "sold", ["high_star", "price"])
    assert found.method == "Firth's penalised likelihood"
    assert found.separation.kind == "quasi-complete"
    assert found.separation.columns == ("high_star",)
    row = found.coefficients.set_index("term").loc["high_star"]
    assert np.isfinite(row.estimate) and row.low < row.odds_ratio < row.high
    with pytest.raises(InputError, match="quasi-complete separation by high_star"):
        fit_logistic(frame, "sold", ["high_star", "price"], penalise=False)


def test_the_penalised_answer_of_a_two_by_two_table_adds_a_half_to_each_cell():
    # 0 of 10 against 7 of 12: Jeffreys' penalty is then half a unit more in every cell.
    frame = pd.DataFrame({"shown": [0.0] * 10 + [1.0] * 12, "sold": [0] * 10 + [1] * 7 + [0] * 5})
    found = fit_logistic(frame, "sold", ["shown"])
    assert found.separation.kind == "quasi-complete"
    expected = math.log(7.5 / 5.5) - math.log(0.5 / 10.5)
    assert found.coefficients.estimate[1] == pytest.approx(expected, abs=1e-7)


def penalised(beta, X, y) -> float:
    eta = X @ beta
    p = 1 / (1 + np.exp(-eta))
    information = sum(pi * (1 - pi) * np.outer(x, x) for pi, x in zip(p, X, strict=True))
    likelihood = sum(math.log(pi) if yi else math.log(1 - pi) for pi, yi in zip(p, y, strict=True))
    return likelihood + 0.5 * math.log(np.linalg.det(information))


def test_the_penalised_fit_is_the_maximum_and_its_interval_where_it_falls():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    frame["y"] = (rng.random(40) < 1 / (1 + np.exp(-frame.a))).astype(int)
    found = fit_logistic(frame, "y", ["a", "b"], penalise=True)
    X, y = np.column_stack([np.ones(40), frame[["a", "b"]]]), frame.y.to_numpy()
    best = minimize(lambda b: -penalised(b, X, y), np.zeros(3), tol=1e-12)
    np.testing.assert_allclose(found.coefficients.estimate, best.x, atol=1e-4)
    for end in (found.coefficients.low[1], found.coefficients.high[1]):
        held = minimize(
            lambda b, e=end: -penalised(np.array([b[0], math.log(e), b[1]]), X, y), np.zeros(2)
        )
        assert 2 * (held.fun - best.fun) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-3)
    none = minimize(lambda b: -penalised(np.array([b[0], 0, 0]), X, y), np.zeros(1))
    ratio = found.tests.set_index("test").loc["likelihood ratio", "chi2"]
    assert ratio == pytest.approx(2 * (none.fun - best.fun), abs=1e-4)


# ---- what is refused


def test_everything_wrong_is_said_at_once_and_collinear_columns_are_named(frame):
    bad = frame.assign(
        total=2 * frame.visits + 0.5 * frame.spent, always=3.0, kind="street", bought=1
    )
    bad.loc[4, "price"] = np.nan
    with pytest.raises(InputError) as caught:
        fit_logistic(bad, "bought", ["visits", "spent", "price", "total", "always", "kind", "x"])
    text = str(caught.value)
    assert len(caught.value.problems) == 6
    for part in (
        "bought: constant, always 1", "price: empty or infinite (1 row, first 5)",
        "kind: text", "x: not in the table", "always: the same for all rows",
        "total: collinear, it equals", "0.5 * spent", "2 * visits",
    ):  # fmt: skip
        assert part in text, part


def test_an_outcome_of_other_numbers_and_too_few_rows_are_refused(frame):
    with pytest.raises(InputError, match="not 0 or 1"):
        fit_logistic(frame.assign(bought=frame.bought + 1), "bought", COLUMNS)
    with pytest.raises(InputError, match="4 rows for 3 columns"):
        fit_logistic(frame.iloc[:4].assign(bought=[0, 1, 0, 1]), "bought", COLUMNS)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-4, 1e4))
def test_dependencies_find_exactly_the_planted_ones(seed, scale):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 3))
    planted = np.column_stack([X, scale * (X[:, 0] - X[:, 2]) + 5])
    assert dependencies(X, ["a", "b", "c"]) == []
    ((name, equals),) = dependencies(planted, ["a", "b", "c", "d"])
    assert name == "d" and "* a" in equals and "* c" in equals and "* b" not in equals


# ---- two shares


CASES = st.tuples(st.integers(2, 400), st.integers(2, 400)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_two_share_test_and_interval_are_those_of_statsmodels(case):
    x1, n1, x2, n2 = case
    found = two_proportions(*case)
    low, high = proportion.confint_proportions_2indep(x1, n1, x2, n2, method="newcomb")
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    if 0 < x1 + x2 < n1 + n2:
        z, p = proportion.proportions_ztest([x1, x2], [n1, n2])
        assert (found.z, found.p) == (pytest.approx(z), pytest.approx(p, abs=1e-12))
    else:
        assert (found.z, found.p) == (0.0, 1.0)


def test_the_paper_formula_by_hand():
    # 30 of 100 against 45 of 100: p = 0.375, error = sqrt(0.375 * 0.625 * 0.02)
    found = two_proportions(30, 100, 45, 100)
    assert found.z == pytest.approx(-0.15 / math.sqrt(0.375 * 0.625 * 0.02))
    assert found.enough and not two_proportions(1, 9, 2, 9).enough


def test_power_is_how_often_the_test_rejects():
    rng = np.random.default_rng(3)
    n1, n2, p1, p2 = 400, 300, 0.20, 0.28
    x1, x2 = rng.binomial(n1, p1, 40_000), rng.binomial(n2, p2, 40_000)
    pooled = (x1 + x2) / (n1 + n2)
    z = (x1 / n1 - x2 / n2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    assert power(p1, p2, n1, n2) == pytest.approx((np.abs(z) > 1.959964).mean(), abs=0.01)
    theirs = proportion.power_proportions_2indep(p1 - p2, p2, n1, ratio=n2 / n1).power
    assert power(p1, p2, n1, n2) == pytest.approx(theirs, abs=0.003)


def test_units_needed_and_the_smallest_difference_found_reach_the_power_wanted():
    n = units_needed(0.10, 0.12)
    assert power(0.10, 0.12, n, n) >= 0.8 > power(0.10, 0.12, n - 2, n - 2)
    rise = smallest_found(0.10, 500, 5_000)
    assert power(0.10 + rise, 0.10, 500, 5_000) == pytest.approx(0.8, abs=1e-6)
    assert math.isnan(smallest_found(0.5, 2, 2))


@pytest.mark.parametrize("case", [(5, 4, 1, 4), (-1, 4, 1, 4), (1, 4, 0, 0)])
def test_impossible_counts_are_refused(case):
    with pytest.raises(InputError, match="whole numbers"):
        two_proportions(*case)


def test_equal_or_impossible_shares_have_no_sample_size():
    with pytest.raises(InputError, match="equal"):
        units_needed(0.2, 0.2)
    with pytest.raises(InputError, match="between 0 and 1"):
        power(0.0, 1.2, 10, 10)
