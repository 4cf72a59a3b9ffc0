"""Two learners of who responds by how much: the T-learner and the doubly robust learner."""

from __future__ import annotations

from typing import Any

import numpy as np

from precmark.errors import InputError, Problem

_C = np.logspace(-4, 1, 6)
_ALPHAS = np.logspace(0, 6, 13)
"""Strengths of the ridge that are weighed; an effect that the data cannot show is drawn to 0."""


class TLearner:
    """tau(x) = mu_1(x) - mu_0(x), one regularised logistic regression for each arm.

    Parameters
    ----------
    outcome : estimator, optional
        Anything that scikit-learn can clone, with ``fit(X, y)`` and ``predict_proba(X)``; the
        default standardises and weighs six strengths of the ridge by cross-validation.

    Attributes
    ----------
    arms_ : tuple of two estimators
        Of the control and of the treated.

    References
    ----------
    Kunzel, Sekhon, Bickel and Yu, Metalearners for estimating heterogeneous treatment effects
    using machine learning, 2019, doi 10.1073/pnas.1804597116.
    """

    def __init__(self, outcome: Any = None):
        self.outcome = outcome

    def fit(
        self,
        X: np.ndarray,
        treated: np.ndarray,
        y: np.ndarray,
        propensity: np.ndarray | None = None,
    ) -> TLearner:
        """Fit both arms.

        Parameters
        ----------
        X : array of float, shape (n, d)
            Finite.
        treated, y : array of 0 and 1, shape (n,)
        propensity : array of float, shape (n,), optional
            Chance of treatment; checked, otherwise not needed.

        Raises
        ------
        InputError
            Every problem of the input: see :func:`checked`.
        """
        X, treated, y, _ = checked(X, treated, y, propensity)
        self.arms_ = tuple(_fitted(self.outcome, X[treated == a], y[treated == a]) for a in (0, 1))
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Estimated effect of treatment on the chance of y = 1, float64 (n,)."""
        _must_be_fitted(self, "arms_")
        control, treated = (_chance(arm, np.asarray(X, dtype=float)) for arm in self.arms_)
        return treated - control


class DoublyRobustLearner:
    """tau(x) regressed on the doubly robust score of each row, nuisances cross-fitted.

    phi = mu_1 - mu_0 + t (y - mu_1) / e - (1 - t)(y - mu_0) / (1 - e), whose mean given x is
    tau(x) where the propensity e is known, whatever mu is.

    Parameters
    ----------
    outcome : estimator, optional
        For mu_0 and mu_1, as in :class:`TLearner`.
    effect : estimator, optional
        For tau(x): ``fit(X, phi)`` and ``predict(X)``; the default standardises and weighs 13
        strengths of the ridge.
    folds : int
        Parts of the cross-fitting, 2 or more.
    seed : int
        Of the parts.

    Attributes
    ----------
    scores_ : array of float64, shape (n,)
        phi.
    average_, error_ : float
        Mean of phi, the augmented inverse-propensity estimate of the average effect, and its
        standard error (clustered by `groups` where given).
    effect_ : estimator
        The fitted regression of phi.

    References
    ----------
    Kennedy, Towards optimal doubly robust estimation of heterogeneous causal effects, 2023,
    doi 10.1214/23-EJS2157; Robins, Rotnitzky and Zhao, Estimation of regression coefficients when
    some regressors are not always observed, 1994, doi 10.1080/01621459.1994.10476818.
    """

    def __init__(self, outcome: Any = None, effect: Any = None, *, folds: int = 5, seed: int = 0):
        self.outcome = outcome
        self.effect = effect
        self.folds = folds
        self.seed = seed

    def fit(
        self,
        X: np.ndarray,
        treated: np.ndarray,
        y: np.ndarray,
        propensity: np.ndarray,
        *,
        groups: np.ndarray | None = None,
    ) -> DoublyRobustLearner:
        """Fit the nuisances on the other parts, then the effect on all.

        Parameters
        ----------
        X : array of float, shape (n, d)
            Finite.
        treated, y : array of 0 and 1, shape (n,)
        propensity : array of float, shape (n,)
            Known chance of treatment of each row, in (0, 1).
        groups : array, shape (n,), optional
            The user of each row: a user's rows stay in one part, and errors are clustered.

        Raises
        ------
        InputError
            Every problem of the input: see :func:`checked`; fewer than two folds.
        """
        from sklearn.base import clone

        if self.folds < 2:
            raise InputError(f"{self.folds} folds: cross-fitting needs 2 or more.")
        if propensity is None:
            raise InputError("propensity: missing. Give the chance of treatment of each row.")
        X, treated, y, e = checked(X, treated, y, propensity)
        groups = np.arange(len(y)) if groups is None else np.asarray(groups)
        mu = self._nuisances(X, treated, y, fold_of(groups, self.folds, self.seed))
        self.scores_ = doubly_robust_scores(treated, y, e, *mu)
        self.average_ = float(self.scores_.mean())
        _, group = np.unique(groups, return_inverse=True)
        sums = np.bincount(group, self.scores_ - self.average_)
        self.error_ = float(np.sqrt((sums**2).sum()) / len(y))
        self.effect_ = clone(self.effect) if self.effect is not None else _ridge()
        self.effect_.fit(X, self.scores_)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Estimated effect of treatment on the chance of y = 1, float64 (n,)."""
        _must_be_fitted(self, "effect_")
        return np.asarray(self.effect_.predict(np.asarray(X, dtype=float)), dtype=float)

    def _nuisances(
        self, X: np.ndarray, treated: np.ndarray, y: np.ndarray, fold: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """mu_0 and mu_1 of every row, from models of the other parts."""
        mu = np.zeros((2, len(y)))
        for number in np.unique(fold):
            inside = fold == number
            for arm in (0, 1):
                rows = ~inside & (treated == arm)
                if not rows.any():
                    raise InputError(
                        Problem(f"arm {arm}: all rows in one part", "Use more rows or fewer folds.")
                    )
                mu[arm, inside] = _chance(_fitted(self.outcome, X[rows], y[rows]), X[inside])
        return mu[0], mu[1]


def doubly_robust_scores(
    treated: np.ndarray, y: np.ndarray, propensity: np.ndarray, mu0: np.ndarray, mu1: np.ndarray
) -> np.ndarray:
    """phi of :class:`DoublyRobustLearner` for each row, float64 (n,)."""
    treated, y = np.asarray(treated, dtype=float), np.asarray(y, dtype=float)
    won = treated * (y - mu1) / propensity
    lost = (1 - treated) * (y - mu0) / (1 - propensity)
    return mu1 - mu0 + won - lost


def fold_of(groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The part of each row, 0 to `folds` - 1: groups are spread evenly at random, never split."""
    names, group = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return (order % folds)[group]


def checked(
    X: np.ndarray, treated: np.ndarray, y: np.ndarray, propensity: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The input of a learner as arrays.

    Raises
    ------
    InputError
        Lengths that differ; values of X that are not finite; a treatment or outcome other than 0
        and 1; one arm only; a propensity outside (0, 1): all of them at once.
    """
    X = np.asarray(X, dtype=float)
    treated, y = np.asarray(treated), np.asarray(y)
    e = np.full(len(y), 0.5) if propensity is None else np.asarray(propensity, dtype=float)
    lengths = [len(part) for part in (X, treated, y, e)]
    if X.ndim != 2 or len(set(lengths)) != 1:
        raise InputError(
            f"X {X.shape}, treated, y and propensity have {lengths} rows. Give X as rows by "
            "features and one entry of each a row."
        )
    problems = []
    if not np.isfinite(X).all():
        rows = np.flatnonzero(~np.isfinite(X).all(axis=1))
        problems.append(_at(rows, "X: not finite", "Fill what is missing."))
    for name, values in (("treated", treated), ("y", y)):
        wrong = np.flatnonzero(~np.isin(values, (0, 1)))
        if len(wrong):
            problems.append(_at(wrong, f"{name}: not 0 or 1", "Use 0 and 1."))
    if len(np.unique(treated)) < 2:
        problems.append(Problem("treated: one arm only", "Give rows of both arms."))
    wrong = np.flatnonzero(~((e > 0) & (e < 1)))
    if len(wrong):
        what = "propensity: outside (0, 1)"
        problems.append(_at(wrong, what, "Give each row's chance of treatment."))
    if problems:
        raise InputError(problems)
    return X, treated.astype(int), y.astype(int), e


def _at(rows: np.ndarray, what: str, fix: str) -> Problem:
    return Problem(what, fix, len(rows), tuple(int(row) + 1 for row in rows[:5]))


def _must_be_fitted(learner: Any, attribute: str) -> None:
    if not hasattr(learner, attribute):
        raise InputError(f"this {type(learner).__name__} has learnt nothing yet. Call fit first.")


def _fitted(outcome: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """`outcome` fitted; a constant where it cannot be (one class, or too few of one to weigh)."""
    from sklearn.base import clone
    from sklearn.dummy import DummyClassifier

    rarer = min(int(y.sum()), int((1 - y).sum()))
    if outcome is not None:
        return clone(outcome if rarer else DummyClassifier()).fit(X, y)
    return (_logistic() if rarer >= 5 else DummyClassifier()).fit(X, y)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = StratifiedKFold(5, shuffle=True, random_state=0)
    return make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=_C, l1_ratios=(0,), cv=parts, scoring=_log_likelihood, max_iter=1_000,
            use_legacy_attributes=False,
        ),
    )  # fmt: skip


def _log_likelihood(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Mean log-likelihood of `y`; scikit-learn's own scorer takes longer than the fit."""
    logit = (X @ model.coef_.T).ravel() + model.intercept_
    return -float(np.logaddexp(0.0, np.where(y > 0, -logit, logit)).mean())


def _ridge() -> Any:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(alphas=_ALPHAS))


def _chance(model: Any, X: np.ndarray) -> np.ndarray:
    """P(y = 1) of `model`, also where it has seen one class only."""
    classes = list(getattr(model, "classes_", (0, 1)))
    if 1 not in classes:
        return np.zeros(len(X))
    return np.asarray(model.predict_proba(X))[:, classes.index(1)]
