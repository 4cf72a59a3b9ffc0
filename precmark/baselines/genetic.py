"""AdaBoost of stumps, and GP-AdaBoost: AdaBoost of formulas that genetic programming finds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from gplearn.genetic import SymbolicClassifier
from sklearn.pipeline import Pipeline

from precmark.baselines.chosen import ChosenRounds
from precmark.baselines.models import Scaled
from precmark.errors import InputError

POPULATION = 300
"""Formulas in a generation."""
GENERATIONS = 8
"""Generations a learner."""
LEARNERS = (20, 5, 10, 15)
"""Learners that the ensemble may keep; the most are grown, the first is the default."""
TRIES = 5
"""Seeds a learner may try before the boosting stops."""


def weighted_error(predicted: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """Share of the `weight` on rows where `predicted` differs from `y`, in [0, 1]."""
    return float(np.average(np.asarray(predicted) != np.asarray(y), weights=weight))


class GpLearner(SymbolicClassifier):
    """A formula by genetic programming that does better than chance on the weighted rows.

    Left alone, a population may end on a formula that is wrong for half of the weight, and
    AdaBoost stops there without a word. This learner starts again with another seed then.
    The parameters are those of :class:`gplearn.genetic.SymbolicClassifier`.

    Attributes
    ----------
    tries_ : int
        Seeds it took.
    error_ : float
        Weighted error on the rows it was fitted to.
    """

    def fit(
        self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> GpLearner:
        """Fit to `X`, `y` with weights, up to :data:`TRIES` times."""
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        seed = self.random_state
        for self.tries_ in range(1, TRIES + 1):
            super().fit(X, y, sample_weight=weight)
            self.error_ = weighted_error(self.predict(X), y, weight)
            if self.error_ < 0.5:
                break
            self.random_state = (int(seed or 0) + 7919 * self.tries_) % (2**31)
        self.random_state = seed
        return self


class GpAdaBoost(ChosenRounds):
    """AdaBoost of formulas by genetic programming, ranked by its vote.

    The parameters and attributes are those of :class:`~precmark.baselines.ChosenRounds`.

    References
    ----------
    gplearn's ``SymbolicClassifier`` in scikit-learn's ``AdaBoostClassifier``; Zhu et al.,
    Multi-class AdaBoost, 2009, doi 10.4310/SII.2009.v2.n3.a8.
    """

    def fit(self, X: Any, y: Any, *, validation: Any = None) -> GpAdaBoost:
        """Grow the learners on `X`, `y`, keep the best number on ``validation=(X_v, y_v)``.

        Raises
        ------
        InputError
            When `y` holds one class only, or no formula does better than chance.
        """
        try:
            return super().fit(X, y, validation=validation)
        except ValueError as error:
            if "worse than random" not in str(error):
                raise
            raise InputError(
                f"GP-AdaBoost found no formula that does better than chance in {TRIES} tries on "
                f"{len(y):,} rows. Take more rows or other features, or leave this model out."
            ) from error

    @property
    def learners_(self) -> pd.DataFrame:
        """The learners grown: number, used (bool), error, weight, tries, length, formula."""
        boosted = self.model_[-1]
        names = self.model_[0].get_feature_names_out()
        rows = [
            (number, number <= self.choice_, float(error), float(weight), learner.tries_,
             learner._program.length_, named(str(learner._program), names))
            for number, (learner, error, weight) in enumerate(
                zip(boosted.estimators_, boosted.estimator_errors_, boosted.estimator_weights_,
                    strict=False), 1)
        ]  # fmt: skip
        columns = ["learner", "used", "error", "weight", "tries", "length", "formula"]
        return pd.DataFrame(rows, columns=columns)


def named(formula: str, names: Any) -> str:
    """`formula` with the columns' `names` in place of X0, X1, ..."""
    return re.sub(r"\bX(\d+)\b", lambda found: str(names[int(found.group(1))]), formula)


def adaboost(first: Any, seed: int) -> ChosenRounds:
    """AdaBoost of stumps; the knob is the number of rounds, the scores pass a logistic curve."""
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.tree import DecisionTreeClassifier

    boosted = AdaBoostClassifier(DecisionTreeClassifier(max_depth=1))
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", boosted)])
    return ChosenRounds(pipeline, (50, 10, 25, 75), platt=True, knob="n_estimators", seed=seed)


def gp_adaboost(first: Any, seed: int) -> GpAdaBoost:
    """GP-AdaBoost; the knob is the number of learners, the scores pass a logistic curve."""
    from sklearn.ensemble import AdaBoostClassifier

    learner = GpLearner(population_size=POPULATION, generations=GENERATIONS, low_memory=True)
    boosted = AdaBoostClassifier(learner)
    pipeline = Pipeline([("table", first), ("scale", Scaled()), ("model", boosted)])
    return GpAdaBoost(pipeline, LEARNERS, platt=True, knob="n_estimators", seed=seed)
