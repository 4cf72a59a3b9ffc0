"""Option 5: the uplift of a coupon, learnt from the randomised tenth of the run's own log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from precmark.ablation.future import histories_of_decisions, run_config, truth_of_decisions
from precmark.ablation.known import affinity_of
from precmark.ablation.outcomes import Row, expected
from precmark.ablation.policies import Uplift
from precmark.ablation.truth import Future
from precmark.simulate import CATEGORIES, uniform
from precmark.simulate.catalogue import NAMES
from precmark.tables import read_table
from precmark.uplift import (
    DoublyRobustLearner,
    TLearner,
    check_assignments,
    fold_of,
    treated_share,
)

if TYPE_CHECKING:
    from precmark.ablation.worlds import World
    from precmark.recommend import HybridRecommender
    from precmark.runs import Run
    from precmark.sequences import Sequences

DEAL_WORDS = ("cheap", "coupon", "deal", "discount", "lowest price", "sale")
"""A search with one of them shows an eye for prices."""

SUMS = ("is_cart", "is_search", "is_uncart", "is_purchase")
LASTS = ("log_visits_30d", "log_orders")
"""Channels of which the learner knows the sum over the steps, and the last value."""

_FOLDS = 5


@dataclass(frozen=True)
class Traits:
    """What the learner knows of n decisions before a coupon is chosen.

    Attributes
    ----------
    table : array of float64, shape (n, d)
        Columns `names`: rank of the risk and its powers, signs of an eye for prices, sums and last
        values of the sequences' channels.
    affinity : array of float32, shape (n, 18)
    names : tuple of str
    """

    table: np.ndarray
    affinity: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.table)

    def with_category(self, category: np.ndarray | int) -> np.ndarray:
        """The learner's features for a coupon of `category`, float64 (n, d + 2)."""
        own = self.affinity[np.arange(len(self)), category].astype(float)
        return np.column_stack([self.table, own, own * self.table[:, 0]])


class RiskRank:
    """The rank of the risk among the training decisions, by a regression that leaves users out.

    A network that has seen the outcome of a decision without a coupon, and not of one with, would
    tell the two apart. So each user's risk comes from regressions fitted on other users' decisions
    without a coupon; new decisions get the mean of them.
    """

    def fit(self, sequences: Sequences, train: np.ndarray, seed: int) -> RiskRank:
        """Fit one regression for each part of the users of the training decisions `train`."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from precmark.baselines.features import StepTable

        decisions = sequences.decisions
        self.table_ = StepTable("summary").fit(sequences.X[train])
        X = self._filled(sequences.X[train])
        y = sequences.y[train]
        free = ~decisions.coupon.to_numpy(bool)[train]
        users = decisions.user_code.to_numpy()
        part = fold_of(users[train], _FOLDS, seed)
        self.models_ = [
            make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1_000)).fit(
                X[(part != fold) & free], y[(part != fold) & free]
            )
            for fold in range(_FOLDS)
        ]
        self.part_of_user_ = pd.Series(part, index=users[train]).groupby(level=0).first()
        self.quantiles_ = np.quantile(
            self._risk(X, users[train], inside=True), np.linspace(0, 1, 201)
        )
        return self

    def rank(self, X: np.ndarray, users: np.ndarray | None = None) -> np.ndarray:
        """Rank of the risk of each sequence, 0 to 1; `users` where they are users of training."""
        risk = self._risk(self._filled(X), users, inside=users is not None)
        return np.interp(risk, self.quantiles_, np.linspace(0, 1, len(self.quantiles_)))

    def _filled(self, X: np.ndarray) -> np.ndarray:
        return np.nan_to_num(self.table_.transform(X), nan=0.0).astype(float)

    def _risk(self, X: np.ndarray, users: np.ndarray | None, *, inside: bool) -> np.ndarray:
        logits = np.column_stack([model.decision_function(X) for model in self.models_])
        if not inside:
            return -logits.mean(axis=1)
        part = self.part_of_user_.reindex(users).to_numpy(dtype=int)
        return -logits[np.arange(len(X)), part]


def traits_of(
    ranks: RiskRank,
    sequences: Sequences,
    rows: np.ndarray,
    histories: pd.DataFrame,
    affinity: np.ndarray,
    *,
    inside: bool = False,
) -> Traits:
    """What the learner knows of the decisions `rows`.

    Parameters
    ----------
    ranks : RiskRank
    sequences : Sequences
    rows : array of int, shape (n,)
    histories : pandas.DataFrame
        Of these decisions, ``user_code`` as in `rows`.
    affinity : array, shape (n, 18)
    inside : bool
        The decisions are of the training part.
    """
    X = sequences.X[rows]
    users = sequences.decisions.user_code.to_numpy()[rows] if inside else None
    r = ranks.rank(X, users)
    columns = {"risk rank": r, "risk rank^2": r**2, "risk rank^3": r**3}
    searches = histories[histories.event == "search"]
    # Few texts are searched for again and again.
    number, texts = pd.factorize(searches.text.astype("str"))
    is_deal = pd.Series(texts).str.contains("|".join(DEAL_WORDS), case=False, regex=True)
    deal = pd.Series(is_deal.to_numpy(bool)[number], index=searches.index)
    found = pd.DataFrame({"n": 1.0, "deal": deal.astype(float)}).groupby(searches.user_code).sum()
    found = found.reindex(rows).fillna(0.0)
    # Shrunk towards nothing: one search for a deal says less than three of three.
    columns["deal searches"] = (found.deal / (found.n + 1)).to_numpy()
    for name in (*SUMS, *LASTS):
        if name in sequences.channels:
            values = X[:, sequences.channels.index(name)]
            columns[name] = np.nansum(values, axis=1) if name in SUMS else _last(values)
    return Traits(np.column_stack(list(columns.values())), affinity, tuple(columns))


def _last(values: np.ndarray) -> np.ndarray:
    """The last finite value of each row of (n, T); 0 where there is none."""
    there = np.isfinite(values)
    at = values.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    return np.where(there.any(axis=1), np.nan_to_num(values[np.arange(len(values)), at]), 0.0)


@dataclass(frozen=True)
class Experiment:
    """The randomised part of the run's log as the learner and, apart, the worlds need it.

    Attributes
    ----------
    traits : Traits
        Of its n decisions.
    treated : array of int, shape (n,)
    category : array of int8, shape (n,)
        Of the coupon shown; drawn by lot where there was none, so that it tells nothing of the arm.
    propensity : array of float64, shape (n,)
        Chance of any coupon.
    user : array of int64, shape (n,)
    truth : Future
        Of these decisions, to play the worlds; the learner never sees it.
    v : array of float64, shape (n,)
        V of each decision.
    """

    traits: Traits
    treated: np.ndarray
    category: np.ndarray
    propensity: np.ndarray
    user: np.ndarray
    truth: Future
    v: np.ndarray

    def outcomes(self, world: World) -> np.ndarray:
        """Whether each decision ends in a purchase in `world`, int8 (n,)."""
        tau = world.tau(self.truth, None, self.category.astype(np.int64))
        return (self.v < self.truth.p0 + np.where(self.treated == 1, tau, 0.0)).astype(np.int8)

    def cost(self, world: World) -> Row:
        """What the coupons of the experiment come to in `world`: its price is minus the profit."""
        given = np.where(self.treated == 1, self.category, -1).astype(np.int8)
        return expected(self.truth, given, world)


def experiment_of(
    run: Run,
    learnt: Sequences,
    ranks: RiskRank,
    recommender: HybridRecommender,
) -> Experiment:
    """The decisions of `run` in its assignments table, with traits as known at each.

    Raises
    ------
    InputError
        See :func:`precmark.uplift.check_assignments`; no truth.
    """
    has = run.has("contract/assignments")
    assigned = check_assignments(run.table("contract/assignments") if has else None)
    sessions = run.table("sessions/sessions", ["session_code", "session_id"])
    code = sessions.set_index("session_id").session_code
    place = pd.Series(np.arange(len(learnt)), index=learnt.decisions.session_code.to_numpy())
    at = place.reindex(code.reindex(assigned.session_id)).to_numpy()
    train = (learnt.decisions.split == "train").to_numpy()
    usable = np.isfinite(at)
    usable[usable] = train[at[usable].astype(int)]
    assigned, rows = assigned[usable].reset_index(drop=True), at[usable].astype(int)
    histories = histories_of_decisions(run, learnt, rows)
    traits = traits_of(
        ranks, learnt, rows, histories, affinity_of(recommender, rows, histories), inside=True
    )
    treated = (assigned.arm != "none").to_numpy(dtype=int)
    decisions = read_table(run.truth / "decisions.parquet")
    truth = truth_of_decisions(decisions, sessions, replace(learnt.take(rows)))
    drawn = uniform(0, 0, truth.key.to_numpy(np.uint64), "category of no coupon") * CATEGORIES
    shown = pd.Index(NAMES).get_indexer(assigned.category.astype("str"))
    return Experiment(
        traits=traits,
        treated=treated,
        category=np.where(treated == 1, shown, np.floor(drawn)).astype(np.int8),
        propensity=treated_share(assigned),
        user=learnt.decisions.user_code.to_numpy()[rows],
        truth=Future(
            decisions=truth,
            users=read_table(run.truth / "users.parquet"),
            sessions=len(sessions),
            early_buyers=0,
            config=run_config(run),
        ),
        v=truth.v.to_numpy(),
    )


def learner_of(name: str, seed: int) -> Any:
    """A new learner: ``"doubly robust"`` or ``"T-learner"``."""
    return TLearner() if name == "T-learner" else DoublyRobustLearner(seed=seed)


def learnt_uplift(
    experiment: Experiment, world: World, name: str, *, seed: int = 0
) -> TLearner | DoublyRobustLearner:
    """Learner `name`, fitted on what the experiment shows in `world`."""
    X = experiment.traits.with_category(experiment.category)
    y, learner = experiment.outcomes(world), learner_of(name, seed)
    if name == "T-learner":
        return learner.fit(X, experiment.treated, y, experiment.propensity)
    return learner.fit(X, experiment.treated, y, experiment.propensity, groups=experiment.user)


def best_coupon(learner: TLearner | DoublyRobustLearner, traits: Traits) -> Uplift:
    """The category with the highest estimated effect at each decision, and that effect."""
    n = len(traits)
    tau, category = np.full(n, -np.inf), np.zeros(n, dtype=np.int8)
    for number in range(CATEGORIES):
        found = learner.predict(traits.with_category(number))
        better = found > tau
        tau[better], category[better] = found[better], number
    return Uplift(category, tau)
