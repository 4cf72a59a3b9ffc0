"""The same tuning effort for every baseline: one knob, four settings at most, validation judges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline

from precmark.baselines.checks import checked_labels, label_problems, refuse
from precmark.errors import InputError

MOST_CANDIDATES = 4
"""Settings that a baseline may try."""


def with_seed(model: Any, seed: int) -> Any:
    """An unfitted copy of `model` with every seed in it, nested ones too, set to `seed`."""
    copy = clone(model)
    seeds = [name for name in copy.get_params() if name.split("__")[-1] in ("seed", "random_state")]
    return copy.set_params(**dict.fromkeys(seeds, seed))


def checked_validation(validation: Any) -> tuple[Any, np.ndarray] | None:
    """`validation` as (X, y) with both classes, or None where it cannot choose anything.

    Raises
    ------
    InputError
        When the labels are not 0 and 1, or not one a row.
    """
    if validation is None or len(validation[0]) == 0:
        return None
    X, y = validation
    problems = label_problems(y, len(X), "y of the validation part")
    if problems and "one class only" in problems[0].what:
        return None
    refuse(problems)
    return X, np.asarray(y).astype(np.int64)


class Chosen(ClassifierMixin, BaseEstimator):
    """What the two wrappers share: the checks, the labels, the verbs."""

    def _checked(self) -> list:
        candidates = list(self.candidates)
        if not 1 <= len(candidates) <= MOST_CANDIDATES:
            raise InputError(
                f"{len(candidates)} settings of {self.knob}; give 1 to {MOST_CANDIDATES}, "
                "the default first."
            )
        return candidates

    def predict(self, X: Any) -> np.ndarray:
        """The likelier class of each row, int64."""
        return (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)

    @property
    def notes_(self) -> tuple[str, ...]:
        """What the first step left out and why, in words."""
        first = self.model_[0] if isinstance(self.model_, Pipeline) else self.model_
        return tuple(getattr(first, "notes_", ()))


class ChosenOnValidation(Chosen):
    """The setting of one knob with the best average precision on the validation part.

    Parameters
    ----------
    model : estimator
        With ``fit(X, y)`` and ``predict_proba(X)``.
    knob : str
        The parameter of `model` that is set, as in ``set_params``.
    candidates : sequence
        At most four settings; the first is the default, taken where there is no validation part
        (or one with one class only), and where several are equally good.
    seed : int
        Given to everything in `model` that draws.

    Attributes
    ----------
    model_ : estimator
        The one chosen.
    choice_ : object
        Its setting.
    scores_ : dict
        Setting to average precision on the validation part; empty without one.
    """

    def __init__(self, model: Any, knob: str, candidates: Sequence, seed: int = 0):
        self.model = model
        self.knob = knob
        self.candidates = candidates
        self.seed = seed

    def fit(self, X: Any, y: Any, *, validation: Any = None) -> ChosenOnValidation:
        """Fit each candidate to `X`, `y` and keep the best on ``validation=(X_v, y_v)``.

        Raises
        ------
        InputError
            When `y` holds one class only, or the arrays do not fit together.
        """
        from sklearn.metrics import average_precision_score

        candidates = self._checked()
        y = checked_labels(y, len(X))
        judge = checked_validation(validation)
        self.scores_, best = {}, -np.inf
        for value in candidates if judge else candidates[:1]:
            model = with_seed(self.model, self.seed).set_params(**{self.knob: value}).fit(X, y)
            score = 0.0
            if judge:
                score = float(
                    average_precision_score(judge[1], model.predict_proba(judge[0])[:, 1])
                )
                self.scores_[value] = score
            if score > best:
                best, self.choice_, self.model_ = score, value, model
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1)."""
        return self.model_.predict_proba(X)


class ChosenRounds(Chosen):
    """The number of boosting rounds with the best average precision on the validation part.

    The ensemble is fitted once with the most rounds; fewer rounds are its first ones, so that
    the choice costs no further fit.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        Its last step boosts: ``staged_predict_proba(X)`` and, with `platt`,
        ``staged_decision_function(X)``.
    candidates : sequence of int
        At most four numbers of rounds; the first is the default.
    platt : bool
        The scores of the ensemble are no probabilities: a logistic curve through them is fitted
        on the validation part (on the training part without one), which changes no order.
    knob : str
        The parameter of the last step that holds the number of rounds.
    seed : int

    Attributes
    ----------
    model_ : sklearn.pipeline.Pipeline
        Fitted with the most rounds.
    choice_ : int
        Rounds used.
    scores_ : dict
        Rounds to average precision on the validation part; empty without one.
    curve_ : tuple of float or None
        Slope and intercept of the logistic curve.

    References
    ----------
    Platt, Probabilistic outputs for support vector machines, 1999.
    """

    def __init__(
        self,
        model: Any,
        candidates: Sequence[int],
        *,
        platt: bool = False,
        knob: str = "max_iter",
        seed: int = 0,
    ):
        self.model = model
        self.candidates = candidates
        self.platt = platt
        self.knob = knob
        self.seed = seed

    def fit(self, X: Any, y: Any, *, validation: Any = None) -> ChosenRounds:
        """Fit the most rounds to `X`, `y` and keep the best number on ``validation=(X_v, y_v)``.

        Raises
        ------
        InputError
            When `y` holds one class only, or the arrays do not fit together.
        """
        candidates = [int(rounds) for rounds in self._checked()]
        y = checked_labels(y, len(X))
        judge = checked_validation(validation)
        knob = f"{self.model.steps[-1][0]}__{self.knob}"
        self.model_ = with_seed(self.model, self.seed).set_params(**{knob: max(candidates)})
        self.model_.fit(X, y)
        self.scores_ = self._judged(candidates, *judge) if judge else {}
        self.choice_ = max(candidates, key=lambda rounds: self.scores_.get(rounds, 0.0))
        if not judge:
            self.choice_ = candidates[0]
        self.curve_ = self._curve(*(judge or (X, y))) if self.platt else None
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, 2), column 1 = P(y = 1)."""
        score = self.decision_function(X)
        if self.curve_ is not None:
            slope, intercept = self.curve_
            score = 1 / (1 + np.exp(-(slope * score + intercept)))
        return np.column_stack([1 - score, score])

    def decision_function(self, X: Any) -> np.ndarray:
        """What the chosen rounds rank by, (n,): a vote with `platt`, else P(y = 1).

        scikit-learn's vote counts both classes: it is twice the weighted mean of -1 and 1.
        """
        staged = self._staged(X)
        return next(islice(staged, self._rounds() - 1, None))

    def _rounds(self) -> int:
        """Rounds used: those chosen, or fewer where the ensemble stopped before."""
        last = self.model_[-1]
        made = getattr(last, "n_iter_", None) or len(last.estimators_)
        return min(self.choice_, made)

    def _staged(self, X: Any):
        """The score after each round, (n,) each."""
        table, last = self.model_[:-1].transform(X), self.model_[-1]
        if self.platt:
            return (np.asarray(score) for score in last.staged_decision_function(table))
        return (p[:, 1] for p in last.staged_predict_proba(table))

    def _judged(self, candidates: list[int], X: Any, y: np.ndarray) -> dict[int, float]:
        """Average precision at each of `candidates`; at the last round where it stopped before."""
        from sklearn.metrics import average_precision_score

        scores, value = {}, 0.0
        wanted = set(candidates)
        for made, score in enumerate(self._staged(X), 1):
            if made in wanted:
                scores[made] = float(average_precision_score(y, score))
            value = score
        stopped = float(average_precision_score(y, value))
        return {rounds: scores.get(rounds, stopped) for rounds in candidates}

    def _curve(self, X: Any, y: np.ndarray) -> tuple[float, float]:
        from sklearn.linear_model import LogisticRegression

        score = self.decision_function(X)[:, None]
        fitted = LogisticRegression(C=1e6).fit(score, y)
        return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
