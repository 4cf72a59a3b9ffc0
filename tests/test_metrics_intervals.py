"""Bootstrap over users, paired differences, seeds, and the tables made of them."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from precmark.errors import InputError
from precmark.metrics import (
    METRICS,
    Threshold,
    across_seeds,
    bootstrap,
    choose_threshold,
    lift_table,
    metrics_table,
    paired,
    point_metrics,
    reliability_table,
    wide,
)
from precmark.metrics.resampling import SAME, percentiles, user_weights
from precmark.metrics.tables import interval_text
from precmark.segments.compare import wilson


def shop(n_users=60, rows_each=5, seed=0, share=0.25):
    """Outcomes and two models' scores; the rows of a user resemble one another."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), rows_each)
    taste = rng.normal(0, 1.5, n_users)[users]
    logit = taste + np.log(share / (1 - share))
    y = (rng.random(len(users)) < 1 / (1 + np.exp(-logit))).astype(int)
    good = 1 / (1 + np.exp(-(logit + rng.normal(0, 0.5, len(users)))))
    return users, y, good, np.round(rng.random(len(users)), 1)


def test_draws_equal_a_literal_loop_over_repeated_rows():
    users, y, good, poor = shop(25, 4)
    names = np.array([f"user {u}" for u in users])
    drawn = bootstrap(
        y, {"good": good, "poor": poor}, names,
        thresholds={"good": 0.4, "poor": Threshold(0.7, "f1", 0.1, 0.2)}, draws=40, seed=5,
    )  # fmt: skip
    weights = np.concatenate(list(user_weights(25, 40, 5)), axis=1)
    for d in range(40):
        rows = np.concatenate(
            [np.flatnonzero(users == u) for u in range(25) for _ in range(int(weights[u, d]))]
        )
        for i, (p, threshold) in enumerate(((good, 0.4), (poor, 0.7))):
            yd, pd_, chosen = y[rows], p[rows], p[rows] >= threshold
            expected = {
                "accuracy": sk.accuracy_score(yd, chosen),
                "precision": sk.precision_score(yd, chosen, zero_division=np.nan),
                "recall": sk.recall_score(yd, chosen),
                "f1": sk.f1_score(yd, chosen),
                "specificity": sk.recall_score(yd, chosen, pos_label=0),
                "matthews": sk.matthews_corrcoef(yd, chosen),
                "auroc": sk.roc_auc_score(yd, pd_),
                "average_precision": sk.average_precision_score(yd, pd_),
                "brier": sk.brier_score_loss(yd, pd_),
                "log_loss": sk.log_loss(yd, np.clip(pd_, 2e-16, 1 - 2e-16)),
            }
            for name, value in expected.items():
                found = drawn.draws[i, list(METRICS).index(name), d]
                np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-9, err_msg=name)


def test_values_are_the_point_metrics_and_rounds_change_nothing(monkeypatch):
    users, y, good, poor = shop()
    whole = bootstrap(y, np.c_[good, poor], users, draws=30, seed=1)
    for i, p in enumerate((good, poor)):
        np.testing.assert_allclose(whole.values[i], list(point_metrics(y, p).as_dict().values()))
    monkeypatch.setattr("precmark.metrics.resampling._CHUNK_BYTES", 8 * 60 * 7)
    in_rounds = bootstrap(y, np.c_[good, poor], users, draws=30, seed=1)
    np.testing.assert_allclose(in_rounds.draws, whole.draws, rtol=1e-12)
    assert not np.allclose(bootstrap(y, good, users, draws=30, seed=2).draws, whole.draws[:1])


def test_models_do_not_move_one_anothers_draws():
    users, y, good, poor = shop()
    both = bootstrap(y, {"a": good, "b": poor}, users, draws=25)
    alone = bootstrap(y, {"b": poor}, users, draws=25)
    np.testing.assert_array_equal(both.draws[1], alone.draws[0])
    fewer = bootstrap(y, poor, users, draws=25, metrics=["brier"])
    np.testing.assert_array_equal(fewer.draws[0, 0], both.draws[1, list(METRICS).index("brier")])


def test_user_weights_are_multinomial():
    weights = np.concatenate(list(user_weights(50, 4000, 0)), axis=1)
    assert (weights.sum(axis=0) == 50).all()
    assert weights.mean() == 1
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.03)
    small = np.concatenate(list(user_weights(50, 4000, 0, round_size=17)), axis=1)
    np.testing.assert_array_equal(small, weights)


def test_interval_covers_the_known_auroc_about_95_times_in_100():
    # scores normal in both classes, one standard deviation apart: auROC = Phi(1 / sqrt 2)
    truth = stats.norm.cdf(1 / np.sqrt(2))
    rng = np.random.default_rng(0)
    covered = 0
    for study in range(300):
        y = np.r_[np.ones(60), np.zeros(140)]
        score = stats.norm.cdf(rng.normal(y, 1))
        row = bootstrap(y, score, draws=300, seed=study, metrics=["auroc"]).table().iloc[0]
        covered += row.low <= truth <= row.high
    # 300 studies: 0.95 +- three standard errors, and some less for 200 rows
    assert 0.90 <= covered / 300 <= 0.985


def test_drawing_users_is_wider_than_drawing_rows_when_users_return():
    users, y, good, _ = shop(60, 10)
    metrics = ["brier", "accuracy"]
    rows = bootstrap(y, np.full(len(y), 0.3), draws=500, metrics=metrics).table()
    clusters = bootstrap(y, np.full(len(y), 0.3), users, draws=500, metrics=metrics).table()
    assert ((clusters.high - clusters.low) > 1.4 * (rows.high - rows.low)).all()
    single = bootstrap(y, good, np.arange(len(y)), draws=50)
    np.testing.assert_array_equal(single.draws, bootstrap(y, good, draws=50).draws)


def test_undefined_draws_are_left_out_and_never_counted_as_0():
    y = np.r_[1, 1, np.zeros(18)]
    drawn = bootstrap(y, np.linspace(0.9, 0.1, 20), draws=400, thresholds=0.95)
    auroc = drawn.draws[0, list(METRICS).index("auroc")]
    # no positive is drawn with chance (18/20)^20 = 0.12
    assert np.isnan(auroc).mean() == pytest.approx(0.9**20, abs=0.06)
    table = drawn.table().set_index("metric")
    assert table.loc["auroc", ["low", "high"]].tolist() == [1, 1]
    assert table.loc["precision", ["value", "low", "high"]].isna().all()
    low, high = percentiles(np.array([[np.nan, 1.0, 2.0, 3.0], [np.nan] * 4]))
    np.testing.assert_allclose(low, [1.05, np.nan])
    np.testing.assert_allclose(high, [2.95, np.nan])


def test_interval_of_the_calibration_error_holds_its_value():
    rng = np.random.default_rng(2)
    p = rng.beta(1, 6, 400)
    y = (rng.random(400) < p).astype(int)
    row = bootstrap(y, p, draws=200, metrics=["expected_calibration_error"]).table().iloc[0]
    assert row.low <= row.value <= row.high


# ---- two models


def test_paired_difference_is_that_of_the_same_draws():
    users, y, good, poor = shop(80, 6)
    found = paired(y, good, poor, users, metric="auroc", draws=300, seed=3)
    a = bootstrap(y, good, users, draws=300, seed=3, metrics=["auroc"]).draws[0, 0]
    b = bootstrap(y, poor, users, draws=300, seed=3, metrics=["auroc"]).draws[0, 0]
    assert found.difference == pytest.approx(sk.roc_auc_score(y, good) - sk.roc_auc_score(y, poor))
    np.testing.assert_allclose([found.low, found.high], np.percentile(a - b, [2.5, 97.5]))
    assert (found.share_above, found.verdict, found.favours) == (1, "higher", "first")
    back = paired(y, poor, good, users, metric="auroc", draws=300, seed=3)
    assert (back.verdict, back.favours) == ("lower", "second")
    assert back.low == pytest.approx(-found.high)
    error = paired(y, good, poor, users, metric="brier", draws=300)
    assert (error.verdict, error.favours) == ("lower", "first"), "a lower error is better"


def test_a_model_against_itself_shows_no_difference():
    users, y, good, _ = shop()
    same = paired(y, good, good, users, draws=100)
    assert (same.difference, same.low, same.high, same.share_above) == (0, 0, 0, 0.5)
    assert (same.verdict, same.favours) == (SAME, "neither")


def test_pairing_is_narrower_than_two_intervals_apart():
    users, y, good, _ = shop(100, 5)
    near = np.clip(good + np.random.default_rng(1).normal(0, 0.02, len(y)), 0, 1)
    pair = paired(y, good, near, users, metric="auroc", draws=300)
    row = bootstrap(y, good, users, draws=300, metrics=["auroc"]).table().iloc[0]
    assert pair.high - pair.low < 0.4 * (row.high - row.low)


def test_every_model_against_one():
    users, y, good, poor = shop()
    drawn = bootstrap(y, {"a": good, "b": poor, "c": good}, users, draws=60)
    table = drawn.against("a", ["auroc", "brier"])
    assert table[["model", "than", "metric"]].to_numpy().tolist() == [
        ["b", "a", "auroc"], ["b", "a", "brier"], ["c", "a", "auroc"], ["c", "a", "brier"],
    ]  # fmt: skip
    assert (table[table.model == "c"].difference == 0).all()
    assert len(drawn.against("a")) == 2 * len(METRICS)
    with pytest.raises(InputError) as told:
        drawn.difference("a", "z", "gini")
    assert "'z'" in str(told.value) and "'gini'" in str(told.value)


def test_thresholds_of_both_models_are_used():
    users, y, good, _ = shop()
    found = paired(y, good, good, users, metric="accuracy", thresholds=(0.5, 0.0), draws=20)
    expected = sk.accuracy_score(y, good >= 0.5) - y.mean()
    assert found.difference == pytest.approx(expected)


def test_bad_calls_are_told():
    with pytest.raises(InputError) as told:
        bootstrap([0, 1], [0.1, 0.9], [7, 7], draws=0)
    assert "one user only" in str(told.value) and "draws: 0" in str(told.value)
    with pytest.raises(InputError, match="a: has no threshold"):
        bootstrap([0, 1], {"a": [0.1, 0.9]}, thresholds={"b": 0.5})
    with pytest.raises(InputError, match="metric 'x': unknown"):
        paired([0, 1], [0.1, 0.9], [0.1, 0.9], metric="x")


# ---- seeds


def test_seed_interval_is_scipys_t_interval():
    values = [0.71, 0.74, 0.70, 0.72]
    found = across_seeds(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high))
    assert (found.n, found.says) == (4, "4 seeds")
    assert found.standard_deviation == pytest.approx(np.std(values, ddof=1))
    assert across_seeds([0.71, np.nan, 0.74]).n == 2


def test_one_seed_has_no_interval():
    found = across_seeds([0.7])
    assert (found.mean, found.n, found.says) == (0.7, 1, "one seed")
    assert np.isnan([found.low, found.high, found.standard_deviation]).all()
    with pytest.raises(InputError, match="no seed"):
        across_seeds([np.nan])


# ---- tables


def test_metrics_table_has_every_model_and_the_constant_first():
    users, y, good, poor = shop()
    threshold = choose_threshold(y, good)
    table = metrics_table(
        y, {"good": good, "poor": poor}, {"good": threshold, "poor": 0.5}, users,
        base_rate=0.2, draws=50, seed=4,
    )  # fmt: skip
    assert table.columns.tolist() == ["model", "metric", "value", "low", "high"]
    assert table.model.unique().tolist() == ["constant", "good", "poor"]
    assert table.metric.unique().tolist() == list(METRICS)
    at = table.set_index(["model", "metric"]).value
    assert at["constant", "accuracy"] == pytest.approx(1 - y.mean())
    assert at["constant", "brier"] == pytest.approx(np.mean((0.2 - y) ** 2))
    assert at["constant", "auroc"] == 0.5
    assert at["good", "f1"] == pytest.approx(sk.f1_score(y, good >= threshold.value))
    inside = table.dropna()
    assert ((inside.low <= inside.value + 1e-9) & (inside.value <= inside.high + 1e-9)).all()


def test_metrics_table_refuses_what_it_cannot_name():
    users, y, good, _ = shop()
    with pytest.raises(InputError) as told:
        metrics_table(y, {"constant": good}, {}, users, base_rate=12)
    assert "'constant'" in str(told.value) and "base_rate: 12" in str(told.value)
    with pytest.raises(InputError, match="good: has no threshold"):
        metrics_table(y, {"good": good}, {}, users, base_rate=0.2)


def test_wide_table_prints_values_with_intervals_in_order():
    table = pd.DataFrame(
        {
            "model": ["b", "b", "a", "a"],
            "metric": ["auroc", "precision", "auroc", "precision"],
            "value": [0.712, np.nan, 0.5, 0.25],
            "low": [0.657, np.nan, np.nan, 0.1],
            "high": [0.75, np.nan, np.nan, 0.4],
        }
    )
    text = wide(table)
    assert text.index.tolist() == ["b", "a"] and text.columns.tolist() == ["auroc", "precision"]
    assert text.loc["b"].tolist() == ["0.71 [0.66, 0.75]", "undefined"]
    assert text.loc["a"].tolist() == ["0.50", "0.25 [0.10, 0.40]"]
    assert wide(table, digits=3).loc["b", "auroc"] == "0.712 [0.657, 0.750]"
    assert interval_text(1.0, 0.5, 1.5, 0) == "1 [0, 2]"


def test_lift_by_hand():
    # twenty rows, four purchases: three in the first fifth, one in the third
    p = np.linspace(1, 0, 20)
    y = np.zeros(20)
    y[[0, 1, 3, 10]] = 1
    table = lift_table(y, p, bins=5, draws=50)
    assert table.decile.tolist() == [1, 2, 3, 4, 5] and (table.rows == 4).all()
    assert table.with_outcome.tolist() == [3, 0, 1, 0, 0]
    np.testing.assert_allclose(table.lift, [0.75 / 0.2, 0, 0.25 / 0.2, 0, 0])
    np.testing.assert_allclose(table.gain, [0.75, 0.75, 1, 1, 1])
    np.testing.assert_allclose(table.mean_score, [p[4 * b : 4 * b + 4].mean() for b in range(5)])
    assert (table.gain_low <= table.gain).all() and (table.gain <= table.gain_high).all()
    churn = lift_table(y, p, outcome="churn", bins=5, draws=20)
    # the surest leavers come first: the last fifth holds four of sixteen
    assert churn.with_outcome.tolist() == [4, 4, 3, 4, 1]
    np.testing.assert_allclose(churn.gain.iloc[-1], 1)


def test_lift_of_equal_scores_does_not_depend_on_their_order():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 203), rng.integers(0, 4, 203) / 4
    first = lift_table(y, p, draws=10)
    shuffled = rng.permutation(203)
    second = lift_table(y[shuffled], p[shuffled], draws=10)
    pd.testing.assert_series_equal(first.lift, second.lift)
    # equal to the mean over orders of the ties
    means = np.zeros(10)
    for _ in range(400):
        order = np.lexsort((rng.random(203), -p))
        edges = np.round(np.linspace(0, 203, 11)).astype(int)
        means += [y[order][a:b].sum() for a, b in pairwise(edges)]
    np.testing.assert_allclose(first.with_outcome, means / 400, atol=0.5)
    constant = lift_table(y, np.full(203, 0.3), draws=10)
    np.testing.assert_allclose(constant.lift, 1)


def test_lift_intervals_are_those_of_a_literal_loop():
    users, y, good, _ = shop(30, 5)
    table = lift_table(y, good, users, bins=3, draws=60, seed=2)
    decile = np.empty(len(y), dtype=int)
    decile[np.argsort(-good)] = np.repeat([0, 1, 2], 50)
    lifts = []
    for weights in np.concatenate(list(user_weights(30, 60, 2)), axis=1).T:
        w = weights[users]
        rate = [np.average(y[decile == b], weights=w[decile == b]) for b in range(3)]
        lifts.append(np.array(rate) / np.average(y, weights=w))
    low, high = np.percentile(lifts, [2.5, 97.5], axis=0)
    np.testing.assert_allclose(table.lift_low, low)
    np.testing.assert_allclose(table.lift_high, high)
    with pytest.raises(InputError) as told:
        lift_table(y, good, outcome="profit", bins=0)
    assert "outcome 'profit'" in str(told.value) and "bins: 0" in str(told.value)


def test_reliability_is_pandas_on_deciles_with_wilsons_interval():
    rng = np.random.default_rng(0)
    p = rng.random(1000)
    y = (rng.random(1000) < p).astype(int)
    table = reliability_table(y, p)
    parts = pd.qcut(p, 10, labels=False)
    by_bin = pd.DataFrame({"b": parts, "y": y, "p": p}).groupby("b")
    assert table.rows.tolist() == [100] * 10 and table.bin.tolist() == list(range(1, 11))
    np.testing.assert_allclose(table.predicted, by_bin.p.mean())
    np.testing.assert_allclose(table.observed, by_bin.y.mean())
    low, high = wilson(by_bin.y.sum().to_numpy(), np.full(10, 100))
    np.testing.assert_allclose(table.observed_low, low, atol=1e-12)
    np.testing.assert_allclose(table.observed_high, high, atol=1e-12)
    error = np.average(abs(table.observed - table.predicted), weights=table.rows)
    assert error == pytest.approx(point_metrics(y, p).expected_calibration_error)


def test_reliability_of_a_constant_is_one_point():
    table = reliability_table([0, 1, 0, 0], [0.3] * 4)
    assert table[["bin", "rows", "predicted", "observed"]].to_numpy().tolist() == [
        [1, 4, pytest.approx(0.3), 0.25]
    ]
    with pytest.raises(InputError, match="bins: 0"):
        reliability_table([0, 1], [0.1, 0.2], bins=0)


# ---- size


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peaks are read on Linux")
def test_twenty_models_on_a_thousand_draws_take_seconds_and_little_memory():
    script = """
import re, time
import numpy as np
from precmark.metrics import bootstrap
rng = np.random.default_rng(0)
users = rng.integers(0, 2500, 4000)
y = (rng.random(4000) < 0.12).astype(int)
p = {f"m{i}": rng.random(4000) for i in range(20)}
before = time.process_time()
bootstrap(y, p, users, draws=1000)
# The peak since the program started; the usual ru_maxrss would count the process that forked it.
peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]
print(time.process_time() - before, int(peak) / 1e6)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    seconds, gigabytes = map(float, done.stdout.split())
    assert seconds < 15 and gigabytes < 1, done.stdout + done.stderr


def test_importing_the_metrics_loads_nothing_heavy():
    script = "import sys, precmark.metrics; print({'torch', 'sklearn', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr
