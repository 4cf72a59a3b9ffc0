"""From a run to what a world is played on: models trained once, futures seen through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from precmark.ablation.estimates import (
    Experiment,
    RiskRank,
    Traits,
    experiment_of,
    traits_of,
)
from precmark.ablation.future import FutureStore, histories_of_decisions
from precmark.ablation.known import Known, learn, seen_at
from precmark.ablation.play import Scene

if TYPE_CHECKING:
    from pathlib import Path

    from precmark.runs import Run
    from precmark.sequences import Sequences


@dataclass(frozen=True)
class Trained:
    """All that one training made of a run.

    Attributes
    ----------
    known : Known
        Networks, recommender, prices and the validation decisions.
    ranks : RiskRank, optional
    experiment : Experiment, optional
        The randomised tenth; None where nothing was asked of it.
    validation_traits : Traits, optional
    seed : int
    """

    known: Known
    ranks: RiskRank | None
    experiment: Experiment | None
    validation_traits: Traits | None
    seed: int


def trained_on(
    run: Run,
    learnt: Sequences,
    segments: np.ndarray,
    *,
    uplift: bool = True,
    epochs: int = 30,
    seed: int = 0,
    n_jobs: int = 2,
    keep: Path | None = None,
) -> Trained:
    """Everything that policies need, learnt from `run`.

    Parameters
    ----------
    run : Run
    learnt : Sequences
        Of the run.
    segments : array of int, shape (n,)
        Of its decisions.
    uplift : bool
        Also read the randomised tenth for estimated uplift.
    epochs, seed, n_jobs, keep
        See :func:`precmark.ablation.risk.risk_models`.
    """
    known = learn(run, learnt, segments, epochs=epochs, seed=seed, n_jobs=n_jobs, keep=keep)
    if not uplift:
        return Trained(known, None, None, None, seed)
    train = np.flatnonzero((learnt.decisions.split == "train").to_numpy())
    ranks = RiskRank().fit(learnt, train, seed)
    rows = known.validation_rows
    histories = histories_of_decisions(run, learnt, rows)
    return Trained(
        known=known,
        ranks=ranks,
        experiment=experiment_of(run, learnt, ranks, known.recommender),
        validation_traits=traits_of(ranks, learnt, rows, histories, known.validation.affinity),
        seed=seed,
    )


def scene_of(
    trained: Trained, store: FutureStore, segments: np.ndarray, *, n_jobs: int = 2
) -> Scene:
    """The future of `store` as seen through what was `trained`.

    Parameters
    ----------
    trained : Trained
    store : FutureStore
    segments : array of int, shape (n,)
        Of its decisions.
    n_jobs : int
        Pieces scored at the same time.
    """
    known, sequences = trained.known, store.sequences
    rows = np.arange(len(sequences))
    histories = store.histories
    seen = seen_at(
        known.risk, known.recommender, sequences, segments, rows, run=store.run,
        key=store.truth.key, histories=histories, n_jobs=n_jobs,
    )  # fmt: skip
    traits = None
    if trained.ranks is not None:
        traits = traits_of(trained.ranks, sequences, rows, histories, seen.affinity)
    return Scene(
        validation=known.validation,
        validation_sessions=known.validation_sessions,
        prices=known.prices,
        seen=seen,
        truth=store.truth,
        experiment=trained.experiment,
        validation_traits=trained.validation_traits,
        traits=traits,
        seed=trained.seed,
    )
