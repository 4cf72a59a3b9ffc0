"""How good models are: each table against scikit-learn, literal loops and sums by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from precmark import churn, metrics
from precmark.churn.quality import COMPARED, SHOWN, base_rate, judged, part_of
from precmark.metrics.resampling import SAME
from tests.churn_cases import decisions, rows_of, said

DRAWS = 60


@pytest.fixture(scope="module")
def sequences():
    """Decisions that are numbered from 500, so that a number is not a position."""
    return decisions(600, first=500)


@pytest.fixture(scope="module")
def compared(sequences):
    return said(sequences, seeds=(0, 1, 2))


@pytest.fixture(scope="module")
def table(sequences, compared):
    return churn.quality(sequences, compared, draws=DRAWS)


def p_of(compared, rows, name, fit="pooled", seed=0):
    """Scores of `name` for the decisions at `rows`, one by one."""
    found = compared.predictions
    mine = found[(found.model == name) & (found.fit == fit) & (found.seed == seed)]
    by_decision = dict(zip(mine.decision, mine.p, strict=True))
    return np.array([float(by_decision[row + 500]) for row in rows])


def best_f1(y, p):
    """The highest F1 of any threshold at a score of its own, and the scores around it."""
    scores = [2 * y[p >= t].sum() / (np.sum(p >= t) + y.sum()) for t in p]
    return max(scores), p[int(np.argmax(scores))]


def calibration_error(y, p):
    """Ten bins of equal count by the rank of p, which has no ties."""
    place = np.argsort(np.argsort(p)) + 0.5
    total = 0.0
    for b in range(10):
        mine = (place * 10 / len(p)).astype(int) == b
        total += abs(y[mine].sum() - p[mine].sum())
    return total / len(p)


def by_sklearn(y, p, threshold):
    chosen = p >= threshold
    return {
        "average_precision": sk.average_precision_score(y, p),
        "auroc": sk.roc_auc_score(y, p),
        "f1": sk.f1_score(y, chosen),
        "accuracy": sk.accuracy_score(y, chosen),
        "precision": sk.precision_score(y, chosen),
        "sensitivity": sk.recall_score(y, chosen),
        "specificity": sk.recall_score(y, chosen, pos_label=0),
        "matthews": sk.matthews_corrcoef(y, chosen),
        "brier": sk.brier_score_loss(y, p),
        "expected_calibration_error": calibration_error(y, p),
    }


# ---- one model


def test_part_holds_the_rows_that_models_were_asked(sequences, compared):
    for part in ("validation", "test"):
        rows = rows_of(sequences, part)
        found = part_of(sequences, compared, part, fit="segment", seed=1)
        assert found.rows.tolist() == rows
        assert found.y.tolist() == sequences.y[rows].tolist()
        assert found.users.tolist() == sequences.decisions.user_code.to_numpy()[rows].tolist()
        assert list(found.p) == ["constant", "poor", "good"]
        expected = p_of(compared, rows, "good", "segment", 1)
        np.testing.assert_array_equal(found.p["good"], expected)
    only = np.arange(len(sequences)) % 2 == 0
    found = part_of(sequences, compared, "test", only=only)
    assert found.rows.tolist() == [r for r in rows_of(sequences, "test") if r % 2 == 0]


def test_scores_do_not_depend_on_the_order_of_the_predictions(sequences, compared, table):
    mixed = compared.predictions.sample(frac=1, random_state=3)
    first = mixed[mixed.seed == 0]
    mixed = pd.concat([first, mixed[mixed.seed != 0]])
    moved = dataclasses.replace(compared, predictions=mixed)
    order = ["model", "fit", "metric"]
    again = churn.quality(sequences, moved, draws=DRAWS)
    pd.testing.assert_frame_equal(
        again.sort_values(order, ignore_index=True), table.sort_values(order, ignore_index=True)
    )


def test_thresholds_have_the_best_f1_of_validation(sequences, compared):
    rows = rows_of(sequences, "validation")
    y = sequences.y[rows]
    found = churn.thresholds(sequences, compared)
    assert len(found) == 3 * 2 * 3 and (found.criterion == "f1").all()
    for row in found.itertuples():
        p = p_of(compared, rows, row.model, row.fit, row.seed)
        best, _ = best_f1(y, p)
        assert row.score == pytest.approx(best)
        assert sk.f1_score(y, p >= row.threshold) == pytest.approx(best)


def test_every_metric_is_scikit_learns_on_test_at_validations_threshold(sequences, compared, table):
    held_out, test = rows_of(sequences, "validation"), rows_of(sequences, "test")
    y = sequences.y[test]
    limits = churn.thresholds(sequences, compared).set_index(["model", "fit", "seed"]).threshold
    found = table.set_index(["model", "fit", "metric"]).value
    for name in ("good", "poor"):
        for fit in ("pooled", "segment"):
            each = []
            for seed in (0, 1, 2):
                _, lowest = best_f1(
                    sequences.y[held_out], p_of(compared, held_out, name, fit, seed)
                )
                limit = limits[name, fit, seed]
                below = p_of(compared, held_out, name, fit, seed)
                assert (below >= limit).sum() == (below >= lowest).sum()
                each.append(by_sklearn(y, p_of(compared, test, name, fit, seed), limit))
            for metric in SHOWN:
                mean = np.mean([values[metric] for values in each])
                assert found[name, fit, metric] == pytest.approx(mean), (name, fit, metric)
    assert set(table.metric) == set(SHOWN) == set(each[0])


def test_the_constant_says_the_rate_of_training(sequences, table):
    rate = np.mean([sequences.y[row] for row in rows_of(sequences, "train")])
    y = sequences.y[rows_of(sequences, "test")]
    assert base_rate(sequences) == pytest.approx(rate)
    constant = table[(table.model == "constant") & (table.fit == "pooled")]
    assert constant.family.eq("floor").all() and constant.title.eq("The constant one").all()
    found = constant.set_index("metric").value
    assert found["brier"] == pytest.approx(np.mean((rate - y) ** 2))
    assert found["expected_calibration_error"] == pytest.approx(abs(rate - y.mean()))
    assert found["average_precision"] == pytest.approx(y.mean())
    assert found["auroc"] == 0.5 and found["sensitivity"] == 0 and np.isnan(found["precision"])


def test_intervals_over_seeds_are_students_and_over_users_the_first_seeds(
    sequences, compared, table
):
    test = rows_of(sequences, "test")
    y = sequences.y[test]
    each = [sk.average_precision_score(y, p_of(compared, test, "good", seed=s)) for s in (0, 1, 2)]
    row = table[(table.model == "good") & (table.fit == "pooled")].set_index("metric")
    row = row.loc["average_precision"]
    low, high = stats.t.interval(0.95, 2, np.mean(each), stats.sem(each))
    assert (row.seed_low, row.seed_high) == (pytest.approx(low), pytest.approx(high))
    one = said(sequences, seeds=(0,))
    first = compared.predictions[compared.predictions.seed == 0]
    alone = churn.quality(sequences, dataclasses.replace(one, predictions=first), draws=DRAWS)
    assert alone.seed_low.isna().all() and alone.seed_high.isna().all()
    pd.testing.assert_frame_equal(alone[["low", "high"]], table[["low", "high"]])


def test_only_some_decisions_are_judged(sequences, compared):
    only = sequences.decisions.user_code.to_numpy() % 2 == 0
    rows = [row for row in rows_of(sequences, "test") if only[row]]
    found = churn.quality(sequences, compared, draws=DRAWS, only=only)
    found = found.set_index(["model", "fit", "metric"]).value
    each = [
        sk.roc_auc_score(sequences.y[rows], p_of(compared, rows, "poor", seed=s)) for s in (0, 1, 2)
    ]
    assert found["poor", "pooled", "auroc"] == pytest.approx(np.mean(each))


# ---- two models


def test_differences_are_those_of_metrics_computed_anew(sequences, compared):
    rows = rows_of(sequences, "test")
    y = sequences.y[rows]
    found = churn.against(sequences, compared, "poor", draws=DRAWS)
    assert set(found.metric) == set(COMPARED)
    assert set(zip(found.model, found.fit, strict=True)) == {
        (m, f) for m in ("good", "constant") for f in ("pooled", "segment")
    }
    scores = {"average_precision": sk.average_precision_score, "auroc": sk.roc_auc_score,
              "brier": sk.brier_score_loss}  # fmt: skip
    for row in found.itertuples():
        score = scores[row.metric]
        gap = score(y, p_of(compared, rows, row.model, row.fit)) - score(
            y, p_of(compared, rows, "poor", row.fit)
        )
        assert row.difference == pytest.approx(gap) and row.low <= gap <= row.high
        said_of = "higher" if row.low > 0 else "lower" if row.high < 0 else SAME
        better = "lower" if row.metric == "brier" else "higher"
        favours = "neither" if said_of == SAME else "first" if said_of == better else "second"
        assert (row.verdict, row.favours) == (said_of, favours)
    good = found[found.model == "good"].set_index(["fit", "metric"]).favours
    assert good["pooled", "average_precision"] == "first"
    assert found.title.unique().tolist() == ["The constant one", "The good one"]


def test_pooled_beside_segment(sequences, compared):
    rows = rows_of(sequences, "test")
    y = sequences.y[rows]
    found = churn.pooled_against_segment(sequences, compared, draws=DRAWS)
    assert found.groupby("model", sort=False).trained.apply(list).to_dict() == {
        name: ["pooled", "one a segment"] for name in ("constant", "poor", "good")
    }
    for name, same in found.groupby("model"):
        value = [
            sk.average_precision_score(y, p_of(compared, rows, name, fit))
            for fit in ("pooled", "segment")
        ]
        assert same.value.tolist() == pytest.approx(value)
        assert same.difference.tolist() == pytest.approx([value[1] - value[0]] * 2)
        assert (same.difference_low <= same.difference).all()
        assert same.verdict.nunique() == 1 and same.title.eq(f"The {name} one").all()
    users = sequences.decisions.user_code.to_numpy()[rows]
    gap = metrics.paired(
        y, p_of(compared, rows, "good", "segment"), p_of(compared, rows, "good"), users,
        draws=DRAWS,
    )  # fmt: skip
    mine = found[found.model == "good"].iloc[0]
    assert (mine.difference_low, mine.difference_high) == (gap.low, gap.high)


# ---- calibration


def logits(p):
    return np.log(p / (1 - p))[:, None]


def platt(y, p, wanted):
    line = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5_000).fit(logits(p), y)
    return line.predict_proba(logits(wanted))[:, 1]


def test_calibration_is_scikit_learns_on_validation(sequences, compared):
    held_out, test = rows_of(sequences, "validation"), rows_of(sequences, "test")
    y, y_test = sequences.y[held_out], sequences.y[test]
    found = churn.calibrated(sequences, compared, ["good", "poor"])
    rows = found.table.set_index(["model", "calibration"])
    assert len(rows) == 6
    for name in ("good", "poor"):
        p, wanted = p_of(compared, held_out, name), p_of(compared, test, name)
        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, y)
        ways = {"none": wanted, "Platt": platt(y, p, wanted), "isotonic": curve.predict(wanted)}
        for way, done in ways.items():
            row = rows.loc[f"The {name} one", way]
            assert row["Brier score"] == pytest.approx(np.mean((done - y_test) ** 2), abs=2e-4)
            if way != "isotonic":
                error = calibration_error(y_test, done)
                assert row["expected calibration error"] == pytest.approx(error, abs=2e-3)
        before, after = (found.curves[f"The {name} one\n{way}"]
                         for way in ("as it is", "Platt scaling"))  # fmt: skip
        assert before.rows.sum() == after.rows.sum() == len(test)
        assert (before.predicted @ before.rows) / len(test) == pytest.approx(wanted.mean())
        mean = ways["Platt"].mean()
        assert (after.predicted @ after.rows) / len(test) == pytest.approx(mean, abs=1e-3)


def test_scores_by_segment_are_calibrated_within_large_segments(sequences, compared):
    segments = np.where(np.arange(len(sequences)) % 3 == 0, 1, np.where(
        np.arange(len(sequences)) % 40 == 1, 3, 2))  # fmt: skip
    found = churn.with_calibrated(sequences, compared, segments, least=10)
    assert len(found) == len(compared.predictions)
    held_out = np.array(rows_of(sequences, "validation"))
    for (name, fit, seed), same in found.groupby(["model", "fit", "seed"]):
        if name == "constant":
            continue
        done = dict(zip(same.decision - 500, same.p_calibrated, strict=True))
        assert all(
            part == sequences.decisions.split[row]
            for row, part in zip(same.decision - 500, same.split, strict=True)
        )
        for s in (1, 2, 3):
            fitted_on = held_out[segments[held_out] == s]
            rarer = min(sequences.y[fitted_on].sum(), (1 - sequences.y[fitted_on]).sum())
            assert (rarer < 10) == (s == 3)
            if fit == "pooled" or rarer < 10:
                fitted_on = held_out
            rows = [row for row in rows_of(sequences, "test") if segments[row] == s]
            expected = platt(
                sequences.y[fitted_on], p_of(compared, fitted_on, name, fit, seed),
                p_of(compared, rows, name, fit, seed),
            )  # fmt: skip
            np.testing.assert_allclose([done[row] for row in rows], expected, atol=2e-3)


def test_calibration_of_a_constant_is_the_rate_of_validation(sequences, compared):
    found = churn.with_calibrated(sequences, compared)
    rate = sequences.y[rows_of(sequences, "validation")].mean()
    same = found[found.model == "constant"]
    np.testing.assert_allclose(same.p_calibrated, rate, atol=1e-3)


# ---- tables of the chapters


def test_judged_and_titled_rows(table):
    rows = judged(table, "segment")
    assert set(rows.metric) == {"average_precision"} and set(rows.fit) == {"segment"}
    named = churn.titled(table)
    assert set(named.fit) == {"pooled"}
    assert set(named.model) == {"constant", "The poor one", "The good one"}


def test_variants_are_listed_with_what_they_lose(sequences, compared, table):
    gaps = churn.against(sequences, compared, "good", draws=DRAWS)
    found = churn.variants_table(table, gaps)
    assert set(found.variant) == {"The good one", "The poor one"}
    rows = found.set_index("variant")
    assert np.isnan(rows.difference["The good one"])
    gap = gaps[(gaps.model == "poor") & (gaps.fit == "pooled")].set_index("metric")
    gap = gap.loc["average_precision"]
    poor = rows.loc["The poor one"]
    assert (poor.difference, poor.difference_low) == (gap.difference, gap.low)
    assert poor.low <= poor.value <= poor.high


def test_costs_are_means_over_seeds(compared, table):
    found = churn.cost_table(table, compared.fits).set_index("model")
    assert found.fit_seconds.tolist() == [2.0] * 3 and found.parameters.tolist() == [7.0] * 3
    assert found.group.to_dict() == churn.groups(compared.fits)
    value = judged(table).set_index("title").value
    assert found.value.to_dict() == value.to_dict()


def test_best_models_are_one_of_each_kind_and_the_papers():
    rows = [("constant", "floor", 0.9), ("boosting", "baseline", 0.5), ("ann", "baseline", 0.4),
            ("c-att-lstm", "network", 0.3), ("cnn", "network", 0.6)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["model", "family", "value"]).assign(
        fit="pooled", metric="average_precision"
    )
    assert churn.best_models(table, table) == ["boosting", "cnn", "c-att-lstm"]
    table.loc[3, "value"] = 0.7
    assert churn.best_models(table, table) == ["boosting", "c-att-lstm"]
    without = table[table.model != "c-att-lstm"]
    assert churn.best_models(without, without) == ["boosting", "cnn"]


def test_lift_counts_the_top_tenth(sequences, compared):
    rows = rows_of(sequences, "test")
    y, p = sequences.y[rows], p_of(compared, rows, "good")
    (found,) = churn.lift_tables(sequences, compared, ["good"], draws=DRAWS).values()
    top = np.argsort(-p)[: round(len(rows) / 10)]
    assert found.lift.iloc[0] == pytest.approx(y[top].mean() / y.mean())
    assert found.gain.iloc[0] == pytest.approx(y[top].sum() / y.sum())


def test_tables_are_drawn_with_models_by_title(sequences, compared, table):
    shown = churn.wide_table(table).to_html()
    assert "The good one" in shown and "average precision" in shown
    value = judged(table).set_index("model").value["good"]
    assert f"{value:.3f} [" in shown
    gaps = churn.against(sequences, compared, "poor", draws=DRAWS)
    text = churn.against_table(gaps).to_html()
    assert text.index("The good one") < text.index("The constant one")
