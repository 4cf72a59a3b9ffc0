"""Metrics of one model, thresholds, calibration and published rates."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression

from precmark.errors import InputError
from precmark.metrics import (
    METRICS,
    Calibrator,
    PointMetrics,
    choose_threshold,
    confusion_from_rates,
    equal_count_bins,
    point_metrics,
)
from precmark.metrics.inputs import checked, named
from precmark.metrics.measures import areas, from_sums, known, rank, sums

# six rows by hand: scores with a tie, threshold 0.5
HAND_Y = [1, 0, 1, 0, 0, 1]
HAND_P = [0.9, 0.8, 0.6, 0.6, 0.2, 0.1]


def literal_calibration_error(y, p, weights=None, bins=10):
    """Ten bins of equal count, by a loop over rows in order of p (no ties)."""
    weights = np.ones(len(y)) if weights is None else weights
    order = sorted(range(len(p)), key=lambda i: p[i])
    total = 0.0
    for b in range(bins):
        rows = [i for k, i in enumerate(order) if math.floor((k + 0.5) * bins / len(p)) == b]
        total += abs(sum(weights[i] * (y[i] - p[i]) for i in rows))
    return total / sum(weights)


def test_six_rows_by_hand():
    # predicted positive: 0.9 0.8 0.6 0.6 -> TP 2, FP 2, FN 1, TN 1
    found = point_metrics(HAND_Y, HAND_P)
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.precision == pytest.approx(2 / 4)
    assert found.recall == found.sensitivity == pytest.approx(2 / 3)
    assert found.specificity == pytest.approx(1 / 3)
    assert found.f1 == pytest.approx(4 / 7)
    assert found.matthews == pytest.approx((2 * 1 - 2 * 1) / math.sqrt(4 * 3 * 3 * 2))
    # pairs: 0.9 beats three; 0.6 beats 0.2, ties with 0.6, loses to 0.8; 0.1 beats none
    assert found.auroc == pytest.approx((3 + 1.5 + 0) / 9)
    # at 0.9 recall +1/3, precision 1; at 0.6 +1/3, 2/4; at 0.1 +1/3, 3/6
    assert found.average_precision == pytest.approx((1 + 2 / 4 + 3 / 6) / 3)
    assert found.brier == pytest.approx((0.01 + 0.64 + 0.16 + 0.36 + 0.04 + 0.81) / 6)
    product = 0.9 * 0.2 * 0.6 * 0.4 * 0.8 * 0.1
    assert found.log_loss == pytest.approx(-math.log(product) / 6)
    # fewer rows than bins: each row its own, the two of 0.6 share one
    apart = [0.1, 0.8, 0.4 - 0.6, 0.2, 0.9]
    assert found.expected_calibration_error == pytest.approx(sum(map(abs, apart)) / 6)


def against_sklearn(y, p, threshold, weights=None):
    chosen = (np.asarray(p) >= threshold).astype(int)
    kw = {"sample_weight": weights}
    return {
        "accuracy": sk.accuracy_score(y, chosen, **kw),
        "precision": sk.precision_score(y, chosen, zero_division=np.nan, **kw),
        "recall": sk.recall_score(y, chosen, **kw),
        "sensitivity": sk.recall_score(y, chosen, **kw),
        "specificity": sk.recall_score(y, chosen, pos_label=0, **kw),
        "f1": sk.f1_score(y, chosen, **kw),
        "matthews": sk.matthews_corrcoef(y, chosen, **kw) if len(set(chosen)) > 1 else np.nan,
        "auroc": sk.roc_auc_score(y, p, **kw),
        "average_precision": sk.average_precision_score(y, p, **kw),
        "brier": sk.brier_score_loss(y, p, **kw),
        "log_loss": sk.log_loss(y, np.asarray(p, dtype=float), labels=[0, 1], **kw),
    }


@st.composite
def predictions(draw):
    n = draw(st.integers(2, 60))
    y = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda v: len(set(v)) == 2))
    levels = draw(st.sampled_from([2, 5, 1000]))  # few levels: many ties
    p = draw(st.lists(st.integers(0, levels), min_size=n, max_size=n))
    return np.array(y), np.array(p) / levels, draw(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]))


@settings(max_examples=40, deadline=None)
@given(predictions())
def test_every_metric_is_sklearns(case):
    y, p, threshold = case
    found = point_metrics(y, p, threshold).as_dict()
    assert list(found) == list(METRICS)
    for name, value in against_sklearn(y, p, threshold).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(predictions(), st.integers(0, 2**31))
def test_weighted_metrics_are_sklearns_and_those_of_repeated_rows(case, seed):
    y, p, threshold = case
    rng = np.random.default_rng(seed)
    users = rng.integers(0, max(2, len(y) // 2), len(y))
    counts = rng.integers(0, 4, users.max() + 1)
    weights = counts[users]
    if len(set(y[weights > 0])) < 2:
        return
    columns = counts[:, None].astype(float)
    found = from_sums(sums(y, p, threshold, users, len(counts)) @ columns)
    found["auroc"], found["average_precision"] = areas(rank(y, p, users, len(counts)), columns)
    repeated = np.repeat(np.arange(len(y)), weights)
    literal = against_sklearn(y[repeated], p[repeated], threshold)
    for name, value in against_sklearn(y, p, threshold, weights).items():
        if name == "matthews" and np.isnan(literal[name]):
            continue  # sklearn sees decisions of rows without weight
        for other in (value, literal[name]):
            np.testing.assert_allclose(found[name][0], other, rtol=1e-9, atol=1e-9, err_msg=name)


def test_calibration_error_is_a_literal_loops():
    rng = np.random.default_rng(0)
    p = rng.random(237)
    y = (rng.random(237) < p**2).astype(int)
    found = point_metrics(y, p).expected_calibration_error
    assert found == pytest.approx(literal_calibration_error(y, p))
    weights = rng.integers(0, 3, 237).astype(float)
    rows = np.arange(237)
    weighted = from_sums(sums(y, p, 0.5, rows, 237) @ weights[:, None])
    expected = literal_calibration_error(y, p, weights)
    assert weighted["expected_calibration_error"][0] == pytest.approx(expected)


def test_equal_count_bins_hold_equal_counts_and_keep_ties_together():
    p = np.random.default_rng(1).random(1003)
    counts = np.bincount(equal_count_bins(p))
    assert len(counts) == 10 and set(counts) <= {100, 101}
    assert (np.diff(equal_count_bins(np.sort(p))) >= 0).all()
    assert set(equal_count_bins(np.full(50, 0.3))) == {5}, "one score, one bin: the middle one"
    tied = np.round(p, 1)
    assert pd.Series(equal_count_bins(tied)).groupby(tied).nunique().eq(1).all()


def test_constant_has_the_trivial_values_and_undefined_ones_are_not_numbers():
    y = np.r_[np.ones(12), np.zeros(88)]
    found = point_metrics(y, np.full(100, 0.12))
    assert found.accuracy == pytest.approx(0.88)
    assert found.auroc == 0.5
    assert found.average_precision == pytest.approx(0.12)
    assert found.brier == pytest.approx(0.12 * 0.88)
    assert found.expected_calibration_error == pytest.approx(0, abs=1e-12)
    assert found.recall == found.f1 == 0
    assert np.isnan(found.precision) and np.isnan(found.matthews)
    everything = point_metrics(y, np.full(100, 0.12), 0.0)
    assert everything.recall == 1 and np.isnan(everything.matthews)
    assert everything.precision == pytest.approx(0.12)


def test_probabilities_of_exactly_0_and_1_have_a_finite_log_loss():
    found = point_metrics([0, 1], [1.0, 0.0])
    assert found.log_loss == pytest.approx(-math.log(np.finfo(float).eps))
    assert point_metrics([0, 1], [0.0, 1.0]).log_loss == pytest.approx(0, abs=1e-12)
    single = np.array([0.25, 0.75], dtype=np.float32)
    assert point_metrics(np.array([False, True]), single).log_loss == pytest.approx(-np.log(0.75))


def test_row_order_does_not_matter():
    rng = np.random.default_rng(3)
    y, p = rng.integers(0, 2, 200), rng.integers(0, 9, 200) / 8
    shuffled = rng.permutation(200)
    first, second = point_metrics(y, p), point_metrics(y[shuffled], p[shuffled])
    for name, value in first.as_dict().items():
        assert getattr(second, name) == pytest.approx(value), name
    assert isinstance(first, PointMetrics)


# ---- input


def test_all_problems_are_told_at_once_with_their_rows():
    y = [0, 1, 2, 0, np.nan]
    p = {"a": [0.1, np.nan, 0.2, 1.5, 0.3], "b": [0.1, 0.2]}
    with pytest.raises(InputError) as told:
        checked(y, p, ["u", None, "v", "w", "x"])
    text = str(told.value)
    assert "4 problems" in text
    assert "y: not 0 or 1 (2 rows, first 3, 5)" in text
    assert "p of a: missing or outside 0 to 1 (2 rows, first 2, 4)" in text
    assert "p of b: 2 values for 5 outcomes" in text
    assert "users: missing (1 row, first 2)" in text


@pytest.mark.parametrize(
    ("y", "p", "users", "says"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], None, "every outcome is 1"),
        ([False, False], [0.1, 0.2], None, "every outcome is 0"),
        ([], [], None, "y: has no rows"),
        ([0, 1], [0.1, 0.2, 0.3], None, "3 values for 2 outcomes"),
        ([0, 1], [0.1, 0.2], [1], "users: 1 values for 2 outcomes"),
        ([0, 1], [0.1, np.inf], None, "outside 0 to 1 (1 row, first 2), e.g. 'inf'"),
        ([[0, 1]], [0.1, 0.2], None, "y: has 2 dimensions"),
        ([0, 1], {}, None, "p: has no model"),
        (["no", "yes"], [0.1, 0.2], None, "y: not 0 or 1"),
    ],
)
def test_bad_input_is_refused_in_words(y, p, users, says):
    with pytest.raises(InputError) as told:
        checked(y, p, users)
    assert says in str(told.value)


def test_models_are_named_from_what_is_given():
    columns = np.array([[0.1, 0.2], [0.3, 0.4]])
    assert list(named(columns)) == ["model 1", "model 2"]
    assert list(named(pd.DataFrame(columns, columns=["cnn", "lstm"]))) == ["cnn", "lstm"]
    np.testing.assert_array_equal(named(columns)["model 2"], [0.2, 0.4])
    with pytest.raises(InputError, match="'gini': unknown"):
        known(["auroc", "gini"])


# ---- thresholds


def literal_scores(y, p, threshold, criterion, fp=1.0, fn=1.0):
    chosen = p >= threshold
    if criterion == "cost":
        return -(fp * (chosen & (y == 0)).sum() + fn * (~chosen & (y == 1)).sum()) / len(y)
    if criterion == "youden":
        return chosen[y == 1].mean() - chosen[y == 0].mean()
    if criterion == "matthews":
        if chosen.all() or not chosen.any():
            return -np.inf
        return sk.matthews_corrcoef(y, chosen)
    return {"f1": sk.f1_score, "accuracy": sk.accuracy_score}[criterion](y, chosen)


@pytest.mark.parametrize("criterion", ["f1", "youden", "matthews", "accuracy", "cost"])
def test_no_threshold_is_better_than_the_chosen_one(criterion):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = (rng.random(50) < 0.2).astype(int)
        p = np.round(np.clip(rng.normal(0.3 + 0.2 * y, 0.2), 0, 1), 2 if seed % 2 else 6)
        costs = {"cost_false_positive": 1.0, "cost_false_negative": 3.0}
        found = choose_threshold(y, p, criterion, **costs)
        tried = [literal_scores(y, p, t, criterion, 1, 3) for t in [*p, 0, 1.1]]
        here = literal_scores(y, p, found.value, criterion, 1, 3)
        assert here == pytest.approx(max(tried))
        score = -here if criterion == "cost" else here
        assert found.score == pytest.approx(score)
        assert found.share == pytest.approx((p >= found.value).mean())
        assert found.criterion == criterion


def test_threshold_lies_halfway_and_the_highest_wins():
    assert choose_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]).value == pytest.approx(0.4)
    # 0.9 alone and 0.9 to 0.3 both give accuracy 3/4
    assert choose_threshold([1, 0, 1, 0], [0.9, 0.5, 0.3, 0.1], "accuracy").value == 0.7
    nothing = choose_threshold([1, 0, 0], [0.5, 0.6, 1.0], "cost", cost_false_positive=9)
    assert nothing.value > 1 and nothing.share == 0 and nothing.score == pytest.approx(1 / 3)
    assert not np.any(np.array([1.0]) >= nothing.value)
    # with no scores below it, all is predicted
    assert choose_threshold([1, 0], [0.4, 0.4]).value == pytest.approx(0.2)
    assert choose_threshold([1, 0], [0.0, 0.0]).value == 0


def test_threshold_of_one_score_has_no_matthews():
    found = choose_threshold([1, 0, 1], [0.5, 0.5, 0.5], "matthews")
    assert math.isnan(found.score), "no threshold parts the rows"


def test_threshold_between_neighbouring_floats_parts_them():
    low = 0.3
    for _ in range(2):  # the mean of neighbours rounds to the even one: once up, once down
        high = np.nextafter(low, 1)
        found = choose_threshold([0, 1], [low, high])
        assert low < found.value <= high and found.score == 1
        low = high


def test_bad_criterion_and_costs_are_told_together():
    with pytest.raises(InputError) as told:
        choose_threshold([0, 1], [0.1, 0.2], "best", cost_false_positive=-1)
    assert "criterion 'best'" in str(told.value) and "cost_false_positive: -1" in str(told.value)


# ---- calibration


def miscalibrated(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.beta(1, 6, n)
    logit = np.log(true / (1 - true))
    return 1 / (1 + np.exp(-(2 * logit + 1.5))), (rng.random(n) < true).astype(int), true


def test_isotonic_is_sklearns_and_survives_json():
    p, y, _ = miscalibrated()
    calibrator = Calibrator("isotonic").fit(p, y)
    new = np.random.default_rng(1).random(500)
    direct = IsotonicRegression(out_of_bounds="clip").fit(p, y).predict(new)
    np.testing.assert_allclose(calibrator.transform(new), direct, atol=1e-12)
    back = Calibrator.from_dict(json.loads(json.dumps(calibrator.to_dict())))
    np.testing.assert_array_equal(back.transform(new), calibrator.transform(new))


def test_platt_is_the_likelihoods_maximum_and_finds_what_was_done():
    from scipy.optimize import minimize

    p, y, _ = miscalibrated()
    calibrator = Calibrator("platt").fit(p, y)
    score = np.log(p / (1 - p))

    def loss(w):
        z = w[0] * score + w[1]
        return np.sum(np.logaddexp(0, z) - y * z)

    best = minimize(loss, [1.0, 0.0], method="BFGS").x
    found = [calibrator.state_["slope"][0], calibrator.state_["intercept"][0]]
    np.testing.assert_allclose(found, best, rtol=1e-3, atol=1e-3)
    # p was made from 2 logit + 1.5, so the way back is (logit - 1.5) / 2
    np.testing.assert_allclose(found, [0.5, -0.75], atol=0.1)
    back = Calibrator.from_dict(json.loads(json.dumps(calibrator.to_dict())))
    np.testing.assert_array_equal(back.transform(p), calibrator.transform(p))


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_calibration_mends_new_rows_and_keeps_the_order(method):
    calibrator = Calibrator(method).fit(*miscalibrated()[:2])
    p, y, _ = miscalibrated(seed=9)
    mended = calibrator.transform(p)
    before, after = point_metrics(y, p), point_metrics(y, mended)
    assert after.expected_calibration_error < 0.3 * before.expected_calibration_error
    assert after.brier < before.brier
    assert (np.diff(mended[np.argsort(p)]) >= 0).all()
    if method == "platt":
        assert after.auroc == pytest.approx(before.auroc)


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_saturated_and_perfectly_parted_scores_stay_finite(method):
    calibrator = Calibrator(method).fit([0.0, 0.0, 1.0, 1.0], [0, 0, 1, 1])
    out = calibrator.transform([0.0, 0.5, 1.0])
    assert np.isfinite(out).all() and out[0] < 0.01 and out[2] > 0.99


def test_calibrator_says_what_is_wrong():
    with pytest.raises(InputError, match="unknown"):
        Calibrator("beta")
    with pytest.raises(InputError, match="Call fit"):
        Calibrator().transform([0.5])
    with pytest.raises(InputError, match="every outcome is 0"):
        Calibrator().fit([0.1, 0.2], [0, 0])
    for stored in (
        {},
        {"method": "platt", "state": {"slope": [1.0]}},
        {"method": "platt", "state": {"slope": ["x"], "intercept": [1.0]}},
        {"method": "platt", "state": {"slope": [float("nan")], "intercept": [1.0]}},
        {"method": "isotonic", "state": {"p": [0.1, 0.2], "calibrated": [0.1]}},
        {"method": "isotonic", "state": {"p": [], "calibrated": []}},
    ):
        with pytest.raises(InputError, match="not a calibrator's"):
            Calibrator.from_dict(stored)


# ---- published rates


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_rates_of_a_real_table_give_back_its_prevalence_and_matthews(tp, fn, fp, tn):
    total = tp + fn + fp + tn
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    if abs(sensitivity - specificity) < 1e-3:
        return
    found = confusion_from_rates(sensitivity, specificity, (tp + tn) / total)
    y = np.repeat([1, 1, 0, 0], [tp, fn, fp, tn])
    chosen = np.repeat([1, 0, 1, 0], [tp, fn, fp, tn])
    assert found.possible
    assert found.prevalence == pytest.approx((tp + fn) / total, abs=1e-8)
    assert found.matthews == pytest.approx(sk.matthews_corrcoef(y, chosen), abs=1e-6)
    assert found.matthews_low == found.matthews == found.matthews_high


def test_rounded_rates_leave_a_range_that_holds_the_truth():
    # 70 of 100 positives and 930 of 1,000 negatives right
    exact = sk.matthews_corrcoef(
        np.repeat([1, 1, 0, 0], [70, 30, 70, 930]), np.repeat([1, 0, 1, 0], [70, 30, 70, 930])
    )
    found = confusion_from_rates(0.70, 0.93, round(1000 / 1100, 4), rounding=0.00005)
    assert found.matthews_low < exact < found.matthews_high
    assert found.matthews_high - found.matthews_low < 0.01


def test_rates_that_cannot_be_are_said_to_be_so():
    outside = confusion_from_rates(0.9, 0.8, 0.95)
    assert not outside.possible and math.isnan(outside.matthews)
    assert outside.prevalence == pytest.approx(1.5)
    equal = confusion_from_rates(0.8, 0.8, 0.8)
    assert math.isnan(equal.prevalence) and not equal.possible
    with pytest.raises(InputError) as told:
        confusion_from_rates(70.7, 0.8, -0.1, rounding=-1)
    assert str(told.value).count("\n") == 3
