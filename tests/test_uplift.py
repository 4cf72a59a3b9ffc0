"""Learners of uplift and the effect of a random arm, against fits and loops written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from statsmodels.regression.linear_model import OLS, WLS

from precmark.errors import InputError
from precmark.uplift import (
    DoublyRobustLearner,
    TLearner,
    check_assignments,
    doubly_robust_scores,
    fold_of,
    randomised_effect,
    treated_share,
)


def trial(n: int = 600, *, seed: int = 0, users: int = 150) -> dict[str, np.ndarray]:
    """A trial whose chance of treatment, outcome and effect all depend on x."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    e = 0.15 + 0.5 / (1 + np.exp(-1.5 * X[:, 0]))
    mu0 = 0.15 + 0.3 / (1 + np.exp(-X[:, 0]))
    tau = 0.06 + 0.08 * np.tanh(X[:, 1])
    treated = (rng.random(n) < e).astype(int)
    y = (rng.random(n) < mu0 + treated * tau).astype(int)
    user = rng.integers(0, users, n)
    return {"X": X, "treated": treated, "y": y, "e": e, "tau": tau, "mu0": mu0, "user": user}


class Half(ClassifierMixin, BaseEstimator):
    """Says one half whatever it is given: as wrong as a nuisance can be."""

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


def test_the_t_learner_is_two_fits():
    t = trial()
    found = TLearner(LogisticRegression(C=0.3)).fit(t["X"], t["treated"], t["y"]).predict(t["X"])
    p = [
        LogisticRegression(C=0.3)
        .fit(t["X"][t["treated"] == arm], t["y"][t["treated"] == arm])
        .predict_proba(t["X"])[:, 1]
        for arm in (0, 1)
    ]
    np.testing.assert_allclose(found, p[1] - p[0], atol=1e-12)


def test_the_usual_outcome_weighs_its_ridge_by_cross_validation():
    t = trial(400, seed=3)
    wanted = []
    for arm in (0, 1):
        X, y = t["X"][t["treated"] == arm], t["y"][t["treated"] == arm]
        mean, spread = X.mean(axis=0), X.std(axis=0)
        loss = {}
        for C in 10.0 ** np.arange(-4, 2):
            parts = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
            loss[C] = np.mean([
                log_loss(
                    y[out],
                    LogisticRegression(C=C, max_iter=1_000)
                    .fit((X[into] - mean) / spread, y[into])
                    .predict_proba((X[out] - mean) / spread),
                )
                for into, out in parts
            ])  # fmt: skip
        best = LogisticRegression(C=min(loss, key=loss.get), max_iter=1_000)
        best.fit((X - mean) / spread, y)
        wanted.append(best.predict_proba((t["X"] - mean) / spread)[:, 1])
    found = TLearner().fit(t["X"], t["treated"], t["y"]).predict(t["X"])
    np.testing.assert_allclose(found, wanted[1] - wanted[0], atol=2e-3)


def test_an_arm_in_which_nobody_buys_has_chance_0():
    t = trial()
    y = t["y"] * t["treated"]
    learner = TLearner().fit(t["X"], t["treated"], y)
    only = TLearner().fit(t["X"], 1 - t["treated"], y)
    np.testing.assert_allclose(learner.predict(t["X"]), -only.predict(t["X"]), atol=1e-12)
    assert (learner.predict(t["X"]) >= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1_000))
def test_doubly_robust_scores_one_by_one(n, seed):
    rng = np.random.default_rng(seed)
    t, y = rng.integers(0, 2, n), rng.integers(0, 2, n)
    e, mu0, mu1 = rng.uniform(0.05, 0.95, n), rng.random(n), rng.random(n)
    wanted = []
    for i in range(n):
        score = mu1[i] - mu0[i]
        if t[i] == 1:
            score += (y[i] - mu1[i]) / e[i]
        else:
            score -= (y[i] - mu0[i]) / (1 - e[i])
        wanted.append(score)
    np.testing.assert_allclose(doubly_robust_scores(t, y, e, mu0, mu1), wanted)


def test_the_doubly_robust_learner_against_loops_over_its_parts():
    t = trial(500, seed=1)
    outcome = LogisticRegression(C=0.5)
    learner = DoublyRobustLearner(outcome, LinearRegression(), folds=3, seed=4)
    learner.fit(t["X"], t["treated"], t["y"], t["e"], groups=t["user"])
    part = fold_of(t["user"], 3, 4)
    fits = {}
    for number in range(3):
        for arm in (0, 1):
            others = [i for i in range(500) if part[i] != number and t["treated"][i] == arm]
            fits[number, arm] = LogisticRegression(C=0.5).fit(t["X"][others], t["y"][others])
    phi = np.empty(500)
    for i in range(500):
        one, e, y = t["X"][i : i + 1], t["e"][i], t["y"][i]
        mu = [fits[part[i], arm].predict_proba(one)[0, 1] for arm in (0, 1)]
        own = (y - mu[1]) / e if t["treated"][i] else -(y - mu[0]) / (1 - e)
        phi[i] = mu[1] - mu[0] + own
    np.testing.assert_allclose(learner.scores_, phi, atol=1e-9)
    assert learner.average_ == pytest.approx(phi.mean())

    by_hand = np.linalg.lstsq(np.column_stack([np.ones(500), t["X"]]), phi, rcond=None)[0]
    np.testing.assert_allclose(
        learner.predict(t["X"]), by_hand[0] + t["X"] @ by_hand[1:], atol=1e-8
    )
    fit = OLS(phi, np.ones(500)).fit(
        cov_type="cluster",
        cov_kwds={"groups": t["user"], "use_correction": False, "df_correction": False},
    )
    assert learner.error_ == pytest.approx(fit.bse[0])


def test_without_groups_every_row_is_its_own():
    t = trial(500, seed=2)
    learner = DoublyRobustLearner(LogisticRegression()).fit(t["X"], t["treated"], t["y"], t["e"])
    spread = learner.scores_.std() / np.sqrt(500)
    assert learner.error_ == pytest.approx(spread)


def test_the_average_is_right_although_the_outcome_model_is_not():
    found, covered, naive = [], 0, []
    for seed in range(150):
        t = trial(600, seed=seed, users=600)
        learner = DoublyRobustLearner(Half(), LinearRegression(), folds=2)
        learner.fit(t["X"], t["treated"], t["y"], t["e"])
        truth = t["tau"].mean()
        found.append(learner.average_ - truth)
        covered += abs(learner.average_ - truth) < 1.96 * learner.error_
        arm = t["treated"] == 1
        naive.append(t["y"][arm].mean() - t["y"][~arm].mean() - truth)
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error
    assert np.mean(naive) > 3 * error and np.mean(naive) > 0.03  # who is likely treated buys anyway
    assert 0.88 <= covered / len(found) <= 1.0


def test_tau_of_x_is_recovered_by_both_learners():
    rng = np.random.default_rng(5)
    X = rng.uniform(-1, 1, size=(40_000, 2))
    tau = 0.1 + 0.1 * X[:, 1]
    e = np.where(X[:, 0] > 0, 0.3, 0.6)
    treated = (rng.random(len(X)) < e).astype(int)
    y = (rng.random(len(X)) < 0.3 + 0.1 * X[:, 0] + treated * tau).astype(int)
    grid = np.column_stack([np.zeros(21), np.linspace(-1, 1, 21)])
    wanted = 0.1 + 0.1 * grid[:, 1]
    robust = DoublyRobustLearner(seed=1).fit(X, treated, y, e)
    for learner in (robust, TLearner().fit(X, treated, y, e)):
        np.testing.assert_allclose(learner.predict(grid), wanted, atol=0.03)
    assert robust.average_ == pytest.approx(tau.mean(), abs=3 * robust.error_)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 99), st.integers(6, 60))
def test_parts_split_no_group_and_are_even(folds, seed, users):
    groups = np.random.default_rng(seed).integers(0, users, 300)
    part = fold_of(groups, folds, seed)
    for group in np.unique(groups):
        assert len(set(part[groups == group])) == 1
    sizes = [len(set(groups[part == number])) for number in range(folds)]
    assert sum(sizes) == len(set(groups)) and max(sizes) - min(sizes) <= 1
    np.testing.assert_array_equal(part, fold_of(groups, folds, seed))


class Remembers(ClassifierMixin, BaseEstimator):
    """Refuses to speak of a user (column 0) that it was fitted on."""

    def fit(self, X, y):
        self.classes_, self.seen_ = np.array([0, 1]), set(X[:, 0])
        return self

    def predict_proba(self, X):
        assert not self.seen_ & set(X[:, 0])
        return np.full((len(X), 2), 0.5)


def test_no_outcome_model_speaks_of_a_user_it_was_fitted_on():
    t = trial()
    X = np.column_stack([t["user"], t["X"]])
    learner = DoublyRobustLearner(Remembers(), LinearRegression())
    learner.fit(X, t["treated"], t["y"], t["e"], groups=t["user"])
    with pytest.raises(AssertionError):  # rows of one user fall into several parts
        learner.fit(X, t["treated"], t["y"], t["e"])


def test_learners_list_all_that_is_wrong_at_once():
    t = trial(20)
    X, treated, y, e = t["X"].copy(), np.ones(20), t["y"].astype(float), t["e"].copy()
    X[3, 1], y[4], e[[5, 7]] = np.nan, 2, (0.0, 1.0)
    for learner in (TLearner(), DoublyRobustLearner()):
        with pytest.raises(InputError) as refused:
            learner.fit(X, treated, y, e)
        found = {p.what: p.first_rows for p in refused.value.problems}
        assert found == {
            "X: not finite": (4,),
            "y: not 0 or 1": (5,),
            "treated: one arm only": (),
            "propensity: outside (0, 1)": (6, 8),
        }
    e[5] = np.nan
    with pytest.raises(InputError, match="propensity: outside"):
        TLearner().fit(t["X"], t["treated"], t["y"], e)
    with pytest.raises(InputError, match="propensity: missing"):
        DoublyRobustLearner().fit(t["X"], t["treated"], t["y"], None)
    with pytest.raises(InputError, match="rows"):
        TLearner().fit(t["X"], t["treated"][:-1], t["y"])
    with pytest.raises(InputError, match="1 folds"):
        DoublyRobustLearner(folds=1).fit(t["X"], t["treated"], t["y"], t["e"])
    for learner in (TLearner(), DoublyRobustLearner()):
        with pytest.raises(InputError, match="fit first"):
            learner.predict(t["X"])


def test_an_arm_whose_rows_lie_in_one_part_is_refused():
    t = trial(40)
    treated = (t["user"] == t["user"][0]).astype(int)
    with pytest.raises(InputError, match="arm 1: all rows in one part"):
        DoublyRobustLearner().fit(t["X"], treated, t["y"], t["e"], groups=t["user"])


def experiment(n: int = 2_000, *, seed: int = 0) -> pd.DataFrame:
    """Assignments of two coupons and none, with chances that depend on the user."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 400, n)
    keen = user % 3 == 0
    chance = {"none": np.where(keen, 0.5, 0.8), "five": np.where(keen, 0.3, 0.15)}
    chance["ten"] = 1 - chance["none"] - chance["five"]
    drawn = rng.random(n)
    arm = np.select(
        [drawn < chance["none"], drawn < chance["none"] + chance["five"]], ["none", "five"], "ten"
    )
    lift = pd.Series({"none": 0.0, "five": 0.03, "ten": 0.1})
    y = rng.random(n) < 0.1 + 0.2 * keen + lift[arm].to_numpy()
    return pd.DataFrame(
        {
            "user_code": user,
            "arm": arm,
            "propensity": np.select([arm == a for a in chance], list(chance.values())),
            "outcome": y.astype(int),
        }
    )


def test_the_effect_of_each_arm_is_a_regression_clustered_by_user():
    frame = experiment()
    found = randomised_effect(frame, aim=0.02).table
    assert list(found.arm) == ["five", "five", "ten", "ten"]
    for row in found.itertuples():
        both = frame[frame.arm.isin([row.arm, "none"])]
        shown = (both.arm == row.arm).to_numpy(float)
        weight = 1 / both.propensity if row.estimator == "inverse propensity" else shown * 0 + 1.0
        fit = WLS(both.outcome, np.column_stack([np.ones(len(both)), shown]), weights=weight).fit(
            cov_type="cluster",
            cov_kwds={
                "groups": both.user_code.to_numpy(), "use_correction": False,
                "df_correction": False,
            },
        )  # fmt: skip
        effect, error = fit.params.iloc[1], fit.bse.iloc[1]
        assert row.effect == pytest.approx(effect)
        assert (row.low, row.high) == pytest.approx((effect - 1.96 * error, effect + 1.96 * error))
        assert row.control == pytest.approx(fit.params.iloc[0])
        assert row.treated - row.control == pytest.approx(row.effect)
        assert (row.n_treated, row.n_control) == (shown.sum(), (1 - shown).sum())
        assert row.users == both.user_code.nunique()
        # the error falls with the square root of the rows, and 2.80 of it must fit into the aim
        assert 2.80 * error * np.sqrt(row.n_treated / row.needed) == pytest.approx(0.02)


def test_weights_answer_for_everybody_where_some_are_drawn_more_often():
    found = {"difference in means": [], "inverse propensity": []}
    for seed in range(60):
        table = randomised_effect(experiment(seed=seed)).table
        for name, values in found.items():
            row = table[(table.arm == "ten") & (table.estimator == name)].iloc[0]
            values.append(row.effect - 0.1)
    error = np.std(found["inverse propensity"], ddof=1) / np.sqrt(60)
    assert abs(np.mean(found["inverse propensity"])) < 3 * error
    assert np.mean(found["difference in means"]) > 0.02  # the keen get it oftener and buy oftener


def test_equal_chances_make_both_estimators_one():
    frame = experiment().assign(propensity=lambda f: np.where(f.arm == "none", 0.6, 0.2))
    table = randomised_effect(frame).table
    first, second = (table[table.estimator == e].reset_index() for e in table.estimator.unique())
    pd.testing.assert_frame_equal(
        first.drop(columns=["estimator", "index"]), second.drop(columns=["estimator", "index"])
    )


def refused(frame: pd.DataFrame | None, **kwargs) -> dict:
    """What is wrong with `frame`, and where."""
    with pytest.raises(InputError) as caught:
        check_assignments(frame, **kwargs)
    return {getattr(p, "what", p): getattr(p, "first_rows", ()) for p in caught.value.problems}


def test_a_sound_table_is_given_back():
    frame = experiment()
    assert check_assignments(frame) is frame
    assert check_assignments(frame.assign(discount=0.0), discount=0.15) is not None
    assert check_assignments(frame.assign(discount=np.nan)) is not None  # of those without coupon


def test_no_table_and_no_rows():
    for call in (check_assignments, randomised_effect):
        with pytest.raises(InputError, match="no assignments table"):
            call(None)
    assert "assignments: no rows" in refused(experiment().iloc[:0])
    whats = list(refused(pd.DataFrame({"when": [1]})))
    for name in ("arm", "propensity", "outcome", "user_id"):
        assert f"assignments.{name}: missing" in whats


def test_one_arm_only_and_no_arm_that_got_nothing():
    frame = experiment()
    assert list(refused(frame[frame.arm == "ten"])) == ["assignments: one arm only, 'ten'"]
    assert list(refused(frame[frame.arm == "none"])) == ["assignments: one arm only, 'none'"]
    no_control = refused(frame[frame.arm != "none"])
    assert list(no_control) == ["assignments: no arm 'none' among five, ten"]


def test_everything_wrong_with_a_table_is_listed_at_once_with_its_rows():
    frame = experiment(50).assign(discount=0.15)
    frame["arm"] = frame.arm.astype(object)
    frame.loc[0, "arm"] = None
    frame.loc[[1, 2], "propensity"] = (0.0, -0.1)
    frame.loc[3, "propensity"] = np.nan
    frame.loc[[4, 5, 6, 7, 8, 9, 10], "propensity"] = 1.2
    frame.loc[11, "outcome"] = 2
    frame.loc[[12, 13], "discount"] = (1.0, -0.2)
    found = refused(frame, discount=1.5)
    assert found == {
        "assignments.arm: missing": (1,),
        "assignments.propensity: missing or not a number": (4,),
        "assignments.propensity: 0 or less, so that the row could not have been drawn": (2, 3),
        "assignments.propensity: above 1": (5, 6, 7, 8, 9),
        "assignments.outcome: not 0 or 1": (12,),
        "assignments.discount: outside [0, 1)": (13, 14),
        "discount: 1.5 is outside [0, 1)": (),
    }
    with pytest.raises(InputError) as caught:
        check_assignments(frame)
    text = str(caught.value)
    assert text.startswith("6 problems") and "7 rows, first 5, 6, 7, 8, 9" in text
    with pytest.raises(InputError, match="above 1"):
        randomised_effect(frame)


@pytest.mark.parametrize("discount", [-0.01, 1.0, 15])
def test_a_discount_outside_0_to_1(discount):
    assert list(refused(experiment(), discount=discount)) == [
        f"discount: {discount} is outside [0, 1)"
    ]


def test_the_chance_of_any_coupon_is_what_the_rows_without_one_leave():
    frame = pd.DataFrame({"arm": ["none", "ten", "none"], "propensity": [0.9, 0.1 / 18, 0.9]})
    np.testing.assert_allclose(treated_share(frame), [0.1, 0.1, 0.1])
    with pytest.raises(InputError, match="2 different chances"):
        treated_share(frame.assign(propensity=[0.9, 0.1, 0.8]))
    with pytest.raises(InputError, match="above 0 and below 1"):
        treated_share(frame.assign(propensity=[1.0, 0.1, 1.0]))
