"""The baselines on sequences, against literal loops, hand computation and scikit-learn."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.ensemble import (
    AdaBoostClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from precmark.baselines import (
    BASELINES,
    BinnedRate,
    ChosenOnValidation,
    ChosenRounds,
    ConstantRate,
    GpAdaBoost,
    GpLearner,
    LastVisitRate,
    StepTable,
    ensembles,
    genetic,
    neural,
)
from precmark.baselines.ensembles import ForestStack, LeavesIntoLogistic, halves
from precmark.baselines.genetic import named
from precmark.baselines.models import Scaled
from precmark.baselines.neural import AnnNaiveBayes
from precmark.errors import InputError


def decisions(n=400, channels=4, steps=6, seed=0):
    """Sequences with padding, gaps and a signal in last values and in order; y of both classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, channels, steps)).astype(np.float32)
    X[:, 0] = X[:, 0] > 0.5
    length = rng.integers(1, steps + 1, n)
    X[rng.random(X.shape) < 0.05] = np.nan
    X[:, 0] = np.nan_to_num(X[:, 0])
    for row, real in enumerate(length):
        X[row, :, real:] = np.nan
    last = np.nan_to_num(X[np.arange(n), :, length - 1])
    logit = 1.5 * last[:, 0] + 1.2 * last[:, 1] + 0.2 * length - 2
    return X, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int8)


def literal_table(X, columns):
    """The table row by row, in plain Python; no column left out."""
    table = []
    for sequence in X.tolist():
        real = [t for t in range(len(sequence[0])) if any(not math.isnan(c[t]) for c in sequence)]
        steps = real[-1] + 1 if real else 0
        values, means, sums = [], [], []
        for channel in sequence:
            lags = [
                channel[steps - k] if k <= steps else math.nan for k in range(1, len(channel) + 1)
            ]
            values += lags if columns == "all" else lags[:1]
            there = [v for v in channel if not math.isnan(v)]
            means.append(sum(there) / len(there) if there else math.nan)
            sums.append(sum(there) if there else math.nan)
        table.append([*values, *means, *sums, steps])
    return np.array(table)


def column_channels(columns, n_channels, steps):
    """The channel that each column of the table is about; None for the number of steps."""
    lags = steps if columns == "all" else 1
    values = [c for c in range(n_channels) for _ in range(lags)]
    return [*values, *range(n_channels), *range(n_channels), None]


def boosted_by_hand(A, y, learners):
    """Weights, errors and votes of discrete AdaBoost, round by round."""
    weight = np.full(len(y), 1 / len(y))
    errors, votes = [], []
    for learner in learners:
        wrong = learner.predict(A) != y
        error = weight[wrong].sum() / weight.sum()
        vote = math.log((1 - error) / error)
        weight = np.where(wrong, weight * math.exp(vote), weight)
        weight /= weight.sum()
        errors.append(error)
        votes.append(vote)
    return np.array(errors), np.array(votes)


# ---- the table


@pytest.mark.parametrize("columns", ["all", "summary"])
@settings(max_examples=40, deadline=None)
@given(
    data=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 4)),
        elements=st.one_of(st.just(np.nan), st.integers(-9, 9).map(float)),
    )
)
def test_table_is_what_a_loop_makes(columns, data):
    table = StepTable(columns).fit(data)
    wanted = literal_table(data, columns)
    said = np.array([len(set(map(str, c))) > 1 for c in wanted.T.tolist()])
    for number in range(data.shape[1]):
        met = {
            str(sequence[number][t])
            for sequence in data.tolist()
            for t in range(data.shape[2])
            if any(not math.isnan(c[t]) for c in sequence)
        }
        if len(met) < 2:
            said[[c == number for c in column_channels(columns, *data.shape[1:])]] = False
    said[-1] = True
    assert table.kept_.tolist() == said.tolist()
    np.testing.assert_allclose(table.transform(data), wanted[:, said], rtol=1e-6)
    assert len(table.get_feature_names_out()) == said.sum()


def test_names_follow_the_values():
    X = np.arange(24, dtype=np.float32).reshape(2, 3, 4) ** 2
    table = StepTable(channels=["a", "b", "c"]).fit(X)
    row = dict(zip(table.get_feature_names_out(), table.transform(X)[0], strict=False))
    assert row["a_lag_01"] == X[0, 0, 3] and row["c_lag_04"] == X[0, 2, 0]
    assert row["b_sum"] == X[0, 1].sum() and row["b_mean"] == X[0, 1].mean()
    summary = StepTable("summary", ["a", "b", "c"]).fit(X)
    assert list(summary.get_feature_names_out()[:3]) == ["a_last", "b_last", "c_last"]
    assert summary.get_feature_names_out()[-1] == "steps"


def test_columns_that_say_nothing_are_left_out_with_a_note():
    X, _ = decisions(channels=4)
    X[:, 1] = np.where(np.isnan(X[:, 0]), np.nan, 3)
    X[:, 2] = np.nan
    for columns in ("all", "summary"):
        table = StepTable(columns, ["live", "same", "never", "other"]).fit(X)
        assert table.notes_[:2] == (
            "same: the same value throughout the training part, left out",
            "never: no value in the training part, left out",
        )
        names = table.get_feature_names_out()
        assert not [n for n in names if n.startswith(("same", "never"))]
        assert table.transform(X).shape == (len(X), len(names))
    full = np.ones((5, 1, 3), np.float32)
    only = StepTable("all", ["one"]).fit(full)
    assert only.notes_ == ("one: the same value throughout the training part, left out",)
    assert list(only.get_feature_names_out()) == ["steps"]


def test_a_table_is_learnt_on_the_training_part_only():
    X, _ = decisions()
    train, later = X[:200].copy(), X[200:].copy()
    train[:, 3] = np.nan
    table = StepTable().fit(train)
    assert table.transform(later).shape[1] == len(table.get_feature_names_out())
    assert not any("channel_03" in name for name in table.get_feature_names_out())


def test_what_the_table_refuses():
    X, _ = decisions()
    infinite = X.copy()
    infinite[6, 0, 0] = np.inf
    with pytest.raises(InputError, match=r"infinite values .*first 7"):
        StepTable().fit(infinite)
    with pytest.raises(InputError, match="n, F, T"):
        StepTable().fit(X[0])
    with pytest.raises(InputError, match="3 names"):
        StepTable(channels=["a", "b", "c"]).fit(X)
    with pytest.raises(InputError, match="choose one of"):
        StepTable("both").fit(X)
    with pytest.raises(InputError, match="was fitted to 4 and 6"):
        StepTable().fit(X).transform(X[:, :, :3])


def test_scaled_columns_are_those_of_scikit_learn_with_the_mean_where_missing():
    rng = np.random.default_rng(0)
    table = rng.normal(5, 3, (50, 4))
    table[rng.random(table.shape) < 0.2] = np.nan
    table[:, 3] = 7
    wanted = np.nan_to_num(StandardScaler().fit(table).transform(table))
    np.testing.assert_allclose(Scaled().fit_transform(table), wanted, atol=1e-6)


# ---- floors


def test_constant_is_the_base_rate():
    X, y = decisions(50)
    model = ConstantRate().fit(X, y)
    assert (model.predict_proba(X[:7])[:, 1] == y.mean()).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=4, max_size=60), st.integers(0, 9)
)
def test_binned_rates_by_hand(values, seed):
    y = np.random.default_rng(seed).integers(0, 2, len(values))
    y[:2] = 0, 1
    value = np.array([np.nan if v is None else v for v in values], dtype=float)
    model = BinnedRate(bins=4, weight=3).fit(value, y)
    base = y.mean()
    for row, v in enumerate(value):
        if math.isnan(v):
            mates = [i for i, u in enumerate(value) if math.isnan(u)]
        else:
            below = max((e for e in model.edges_ if e <= v), default=-math.inf)
            above = min((e for e in model.edges_ if e > v), default=math.inf)
            mates = [i for i, u in enumerate(value) if below <= u < above]
        rate = (sum(y[i] for i in mates) + 3 * base) / (len(mates) + 3)
        assert model.predict_proba(value)[row, 1] == pytest.approx(rate)
    assert len(model.edges_) <= 3


def test_last_visit_reads_the_gap_at_the_start_of_the_visit():
    X = np.full((4, 2, 4), np.nan, np.float32)
    X[0] = [[1, 0, 1, 0], [0, 2, 9, 3]]
    X[1, :, :2] = [[1, 0], [0, 2]]
    X[2] = [[0, 0, 0, 0], [5, 6, 7, 8]]
    X[3, :, :3] = [[0, 1, 0], [4, 11, 2]]
    model = LastVisitRate(["visit_start", "log_gap_s"])
    many, y = np.repeat(X, 30, axis=0), np.repeat([1, 0, 0, 1], 30)
    model.fit(many, y)
    np.testing.assert_array_equal(model._value(X), [9, np.nan, np.nan, 11])
    p = model.predict_proba(X)[:, 1]
    # Rows 1 and 2 share the bin without a value: 60 rows, no purchase, drawn to one half.
    assert p[1] == p[2] == pytest.approx(20 * 0.5 / 80)
    assert model.notes_ == ()


def test_last_visit_of_customers_is_the_last_step_and_without_channels_the_constant():
    X, y = decisions(200, channels=2)
    model = LastVisitRate(["other", "log_days_since_order"]).fit(X, y)
    last = [row[1, np.flatnonzero(np.isfinite(row).any(axis=0))[-1]] for row in X]
    np.testing.assert_array_equal(model._value(X), last)
    blind = LastVisitRate().fit(X, y)
    np.testing.assert_allclose(blind.predict_proba(X)[:, 1], y.mean())
    assert "the same as the constant" in blind.notes_[0]


# ---- the choice on validation


def test_logistic_regression_by_hand_for_every_candidate():
    X, y = decisions(300)
    Xv, yv = decisions(300, seed=1)
    model = BASELINES["logistic"].make(0).fit(X, y, validation=(Xv, yv))
    table = StepTable().fit(X)
    scaler = StandardScaler().fit(table.transform(X))

    def scaled(Z):
        return np.nan_to_num(scaler.transform(table.transform(Z)))

    scores = {}
    for C in model.candidates:
        mine = LogisticRegression(C=C, max_iter=1000, tol=1e-8).fit(scaled(X), y)
        scores[C] = average_precision_score(yv, mine.predict_proba(scaled(Xv))[:, 1])
        if model.choice_ == C:
            np.testing.assert_allclose(
                model.predict_proba(Xv), mine.predict_proba(scaled(Xv)), atol=2e-3
            )
    for C, score in scores.items():
        assert model.scores_[C] == pytest.approx(score, abs=5e-3)
    assert model.choice_ == max(model.scores_, key=model.scores_.get)
    assert len(scores) == BASELINES["logistic"].candidates


def test_without_validation_the_first_candidate():
    X, y = decisions(200)
    for validation in (None, (X[:0], y[:0]), (X[:20], np.zeros(20))):
        model = BASELINES["logistic"].make(0).fit(X, y, validation=validation)
        assert model.choice_ == model.candidates[0] and model.scores_ == {}


def test_rounds_are_chosen_by_the_score_of_ensembles_fitted_with_so_many():
    X, y = decisions(300)
    Xv, yv = decisions(300, seed=1)
    boosted = HistGradientBoostingClassifier(max_leaf_nodes=4, early_stopping=False)
    model = ChosenRounds(Pipeline([("table", StepTable()), ("model", boosted)]), (3, 1, 9), seed=4)
    model.fit(X, y, validation=(Xv, yv))
    table = StepTable().fit(X)
    answers = {
        rounds: clone(boosted)
        .set_params(max_iter=rounds, random_state=4)
        .fit(table.transform(X), y)
        .predict_proba(table.transform(Xv))
        for rounds in (3, 1, 9)
    }
    scores = {r: average_precision_score(yv, p[:, 1]) for r, p in answers.items()}
    assert model.scores_ == pytest.approx(scores)
    assert model.choice_ == max(scores, key=scores.get)
    np.testing.assert_allclose(model.predict_proba(Xv), answers[model.choice_])


def test_adaboost_scores_pass_a_logistic_curve_fitted_on_validation():
    X, y = decisions(300)
    Xv, yv = decisions(300, seed=1)
    model = BASELINES["adaboost"].make(2).fit(X, y, validation=(Xv, yv))
    table = StepTable().fit(X)
    scaler = Scaled().fit(table.transform(X))
    plain = AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=1), n_estimators=model.choice_, random_state=2
    ).fit(scaler.transform(table.transform(X)), y)
    vote = plain.decision_function(scaler.transform(table.transform(Xv)))
    np.testing.assert_allclose(model.decision_function(Xv), vote, atol=1e-12)
    curve = LogisticRegression(C=1e6).fit(vote[:, None], yv)
    np.testing.assert_allclose(
        model.predict_proba(Xv), curve.predict_proba(vote[:, None]), atol=1e-6
    )


def test_an_ensemble_that_stops_early_is_still_judged():
    X = np.random.default_rng(0).normal(size=(80, 1, 1)).astype(np.float32)
    y = (X[:, 0, 0] > 0).astype(int)
    model = BASELINES["adaboost"].make(0).fit(X, y, validation=(X, y))
    assert len(model.model_[-1].estimators_) == 1
    assert set(model.scores_.values()) == {1.0} and model.choice_ == model.candidates[0]
    assert ((model.predict_proba(X)[:, 1] > 0.5) == y).all()


def test_refusals_of_the_wrapper():
    X, y = decisions(60)
    with pytest.raises(InputError, match=r"one class only \(1 in all 60 rows\)"):
        BASELINES["logistic"].make(0).fit(X, np.ones(60))
    with pytest.raises(InputError, match="other values than 0 and 1"):
        BASELINES["ann"].make(0).fit(X, y + 1)
    with pytest.raises(InputError, match="one label a row"):
        BASELINES["constant"].make(0).fit(X, y[:-1])
    with pytest.raises(InputError, match="of the validation part"):
        BASELINES["logistic"].make(0).fit(X, y, validation=(X, y[:-1]))
    with pytest.raises(InputError, match="5 settings of C"):
        ChosenOnValidation(LogisticRegression(), "C", (1, 2, 3, 4, 5)).fit(X[:, :, 0], y)


# ---- the models of the papers


def test_leaves_into_logistic_by_hand():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 5))
    y = (A[:, 0] + rng.normal(size=200) > 0.5).astype(int)
    model = LeavesIntoLogistic(trees=7, leaf_rows=10, C=0.5, seed=3).fit(A, y)
    grown, fitted = model.halves_
    assert sorted([*grown, *fitted]) == list(range(200))
    assert abs(y[grown].sum() - y[fitted].sum()) <= 1
    forest = RandomForestClassifier(7, min_samples_leaf=10, random_state=3).fit(A[grown], y[grown])
    leaves = [sorted(set(column)) for column in forest.apply(A[fitted]).T]

    def coded(Z):
        return np.array(
            [
                [leaf == own for tree, leaf in enumerate(row) for own in leaves[tree]]
                for row in forest.apply(Z)
            ],
            dtype=float,
        )

    by_hand = LogisticRegression(C=0.5, max_iter=300).fit(coded(A[fitted]), y[fitted])
    new = rng.normal(size=(40, 5))
    np.testing.assert_allclose(
        model.predict_proba(new), by_hand.predict_proba(coded(new)), atol=1e-4
    )


def test_halves_keep_both_classes():
    y = np.array([0] * 7 + [1] * 3)
    first, second = halves(y, 0)
    assert (y[first].sum(), y[second].sum()) == (2, 1)
    assert len(first) == 6 and not set(first) & set(second)


def test_stack_by_hand():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(150, 4)).astype(np.float32)
    y = (A[:, 0] + rng.normal(size=150) > 0.3).astype(int)
    model = ForestStack(trees=9, leaf_rows=8, C=0.2, folds=3, seed=5).fit(A, y)
    forest = RandomForestClassifier(9, min_samples_leaf=8, random_state=5)
    line = LogisticRegression(C=0.2, max_iter=300)
    cv = StratifiedKFold(3, shuffle=True, random_state=5)
    out = [cross_val_predict(m, A, y, cv=cv, method="predict_proba")[:, 1] for m in (forest, line)]
    above = LogisticRegression().fit(np.column_stack(out), y)
    below = [m.fit(A, y).predict_proba(A)[:, 1] for m in (forest, line)]
    wanted = above.predict_proba(np.column_stack(below))
    np.testing.assert_allclose(model.predict_proba(A), wanted, atol=1e-6)


def test_a_class_of_one_row_is_no_obstacle_to_lr_rf():
    A = np.random.default_rng(0).normal(size=(30, 2))
    y = np.zeros(30, int)
    y[3] = 1
    for model in (LeavesIntoLogistic(5, 2), ForestStack(5, 2)):
        p = model.fit(A, y).predict_proba(A)
        assert np.isfinite(p).all() and p.shape == (30, 2)


def test_naive_bayes_sees_the_second_layer():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(80, 3))
    y = (A[:, 0] * A[:, 1] > 0).astype(int)
    model = AnnNaiveBayes(hidden=(5, 4), epochs=60, seed=1).fit(A, y)
    second = []
    for row in A:
        units = row
        for weights, bias in zip(
            model.network_.coefs_[:2], model.network_.intercepts_[:2], strict=True
        ):
            units = [
                max(0.0, sum(u * weights[i][j] for i, u in enumerate(units)) + bias[j])
                for j in range(len(bias))
            ]
        second.append(units)
    wanted = GaussianNB().fit(second, y).predict_proba(second)
    np.testing.assert_allclose(model.predict_proba(A), wanted, atol=1e-8)


def small_gp(rounds=(6, 3), **parameters):
    settings_ = {"population_size": 40, "generations": 2, **parameters}
    steps = [("table", StepTable("summary", list("abcd"))), ("scale", Scaled())]
    boosted = AdaBoostClassifier(GpLearner(**settings_))
    return GpAdaBoost(
        Pipeline([*steps, ("model", boosted)]), rounds, platt=True, knob="n_estimators", seed=0
    )


def test_every_genetic_learner_does_better_than_chance_on_its_weights():
    X, y = decisions(300)
    model = small_gp().fit(X, y, validation=decisions(200, seed=1))
    A, boosted = model.model_[:-1].transform(X), model.model_[-1]
    errors, votes = boosted_by_hand(A, y, boosted.estimators_)
    assert (errors < 0.5).all()
    learners = model.learners_
    np.testing.assert_allclose(learners["error"], errors, rtol=1e-6)
    np.testing.assert_allclose(learners["weight"], votes, rtol=1e-6)
    np.testing.assert_allclose([e.error_ for e in boosted.estimators_], errors, rtol=1e-6)
    assert learners["used"].sum() == min(model.choice_, len(learners))
    used = len(learners[learners["used"]])
    says = np.array([np.where(e.predict(A) == 1, 1, -1) for e in boosted.estimators_[:used]])
    vote = votes[:used] @ says / votes[:used].sum()
    np.testing.assert_allclose(model.decision_function(X), 2 * vote, atol=1e-9)
    assert not learners["formula"].str.contains("X[0-9]").any()


def test_a_learner_no_better_than_chance_starts_again_with_another_seed():
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    weight = rng.random(60)
    one = {"population_size": 1, "generations": 1, "tournament_size": 1}
    again = 0
    for seed in range(12):
        learner = GpLearner(random_state=seed, **one).fit(A, y, sample_weight=weight)
        first = super(GpLearner, GpLearner(random_state=seed, **one)).fit(
            A, y, sample_weight=weight
        )
        wrong = weight[first.predict(A) != y].sum() / weight.sum()
        assert (learner.tries_ > 1) == (wrong >= 0.5)
        again += learner.tries_ > 1
        now = weight[learner.predict(A) != y].sum() / weight.sum()
        assert now < 0.5 or learner.tries_ == genetic.TRIES
        assert learner.error_ == pytest.approx(now)
        assert learner.random_state == seed
    assert again > 0


def test_no_formula_better_than_chance_is_told_in_words():
    # 16 equal weights are exact in binary, so that the error is one half and not beside it.
    X, y = np.ones((16, 4, 1), np.float32), np.arange(16) % 2
    with pytest.raises(InputError, match="no formula that does better than chance in 5 tries"):
        small_gp().fit(X, y)


def test_formulas_are_told_with_the_names_of_the_columns():
    assert named("add(X1, mul(X10, 0.5))", [f"c{i}" for i in range(11)]) == "add(c1, mul(c10, 0.5))"


# ---- the registry


@pytest.fixture
def small_population(monkeypatch):
    monkeypatch.setattr(genetic, "POPULATION", 30)
    monkeypatch.setattr(genetic, "GENERATIONS", 2)
    monkeypatch.setattr(genetic, "LEARNERS", (4, 2))
    monkeypatch.setattr(ensembles, "LEAF_ROWS", (20, 40))
    monkeypatch.setattr(neural, "PENALTIES", (1.0, 5.0))


@pytest.mark.parametrize("name", list(BASELINES))
def test_every_baseline_is_a_seeded_classifier_of_the_same_arrays(name, small_population):
    X, y = decisions(260)
    Xv, yv = decisions(120, seed=1)
    given = X.copy(), y.copy()
    models = [
        BASELINES[name].make(seed, channels=list("abcd")).fit(X, y, validation=(Xv, yv))
        for seed in (7, 7)
    ]
    first, second = (m.predict_proba(Xv) for m in models)
    assert first.shape == (120, 2)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.sum(axis=1), 1)
    assert ((first >= 0) & (first <= 1)).all()
    assert (models[0].predict(Xv) == (first[:, 1] >= 0.5)).mean() > 0.99
    np.testing.assert_array_equal(X, given[0])
    np.testing.assert_array_equal(y, given[1])
    copy = clone(models[0]).fit(X, y, validation=(Xv, yv))
    np.testing.assert_array_equal(copy.predict_proba(Xv), first)
    if not BASELINES[name].floor:
        assert average_precision_score(yv, first[:, 1]) > yv.mean() + 0.05
        assert len(models[0].candidates) <= 4 and BASELINES[name].knob


@pytest.mark.parametrize("name", list(BASELINES))
def test_every_baseline_takes_one_channel_one_step_and_little_data(name, small_population):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1, 1)).astype(np.float32)
    X[::9] = np.nan
    y = (np.nan_to_num(X[:, 0, 0]) + rng.normal(size=40) > 0.8).astype(int)
    p = BASELINES[name].make(0).fit(X, y).predict_proba(X)
    assert np.isfinite(p).all() and p.shape == (40, 2)


@pytest.mark.parametrize("name", list(BASELINES))
@pytest.mark.parametrize("value", [1.0, np.nan])
def test_features_that_say_nothing_give_the_base_rate(name, value, small_population):
    X = np.full((40, 2, 3), value, np.float32)
    y = (np.arange(40) % 4 == 0).astype(int)
    p = BASELINES[name].make(0).fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_allclose(p, p[0])
    assert p[0] == pytest.approx(0.25, abs=0.12)


def test_floors_come_first_and_genetic_programming_last():
    floors = [baseline.floor for baseline in BASELINES.values()]
    assert floors == sorted(floors, reverse=True) and list(BASELINES)[-1] == "gp-adaboost"
    assert len({baseline.title for baseline in BASELINES.values()}) == len(BASELINES)


def test_the_learners_are_a_table():
    X, y = decisions(120)
    table = small_gp((3,)).fit(X, y).learners_
    assert isinstance(table, pd.DataFrame)
    assert list(table) == ["learner", "used", "error", "weight", "tries", "length", "formula"]
