"""What a shop has learnt by the end of validation, and what it sees at a decision."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.ablation.future import histories_of_decisions
from precmark.ablation.policies import Prices, Seen, prices_of
from precmark.ablation.risk import RiskModels, part_rows, risk_models, risk_scores
from precmark.simulate.catalogue import NAMES
from precmark.simulate.config import DISCOUNT

if TYPE_CHECKING:
    from pathlib import Path

    from precmark.recommend import HybridRecommender
    from precmark.runs import Run
    from precmark.sequences import Sequences

_EVENT_COLUMNS = [
    "user_code", "item_id", "event", "timestamp", "category", "quantity", "value", "session_code",
]  # fmt: skip


@dataclass(frozen=True)
class Known:
    """All that policies were made of; nothing in it is later than the run's validation part.

    Attributes
    ----------
    risk : RiskModels
    recommender : HybridRecommender
        Fitted on the training part, its weight chosen on validation.
    prices : Prices
    validation : Seen
        The validation decisions without a coupon, on which cut-offs are chosen.
    validation_rows : array of int
        Their positions among the run's decisions.
    validation_sessions : int
        Shop sessions in the span of these decisions: the denominator of the paper's rates.
    seconds : dict of str to float
        What each stage took.
    """

    risk: RiskModels
    recommender: HybridRecommender
    prices: Prices
    validation: Seen
    validation_rows: np.ndarray
    validation_sessions: int
    seconds: dict[str, float]

    @property
    def decisions_per_session(self) -> float:
        """Decisions a session in the validation part, 0 to 1."""
        return len(self.validation_rows) / self.validation_sessions


def learn(
    run: Run,
    learnt: Sequences,
    segments: np.ndarray,
    *,
    epochs: int = 30,
    seed: int = 0,
    n_jobs: int = 2,
    keep: Path | None = None,
) -> Known:
    """Everything but the estimated uplift, learnt from `run`.

    Parameters
    ----------
    run : Run
    learnt : Sequences
        Of the run.
    segments : array of int, shape (n,)
        Of its decisions.
    epochs, seed, n_jobs, keep
        See :func:`precmark.ablation.risk.risk_models`.

    Returns
    -------
    Known
    """
    from precmark.recommend import HybridRecommender

    started, seconds = time.perf_counter(), {}

    def lap(name: str) -> None:
        nonlocal started
        seconds[name], started = time.perf_counter() - started, time.perf_counter()

    risk = risk_models(
        learnt, segments, epochs=epochs, seed=seed, n_jobs=n_jobs,
        fits=run.path / "cache" / "fits", keep=keep,
    )  # fmt: skip
    lap("risk models")
    rows = part_rows(learnt, "validation")
    times = learnt.decisions.timestamp
    trained_to = times.iloc[part_rows(learnt, "train")].max()
    first, last = times.iloc[rows].min(), times.iloc[rows].max()
    events = run.table("sessions/events", _EVENT_COLUMNS)
    past = events[events.timestamp <= trained_to]
    later = events[(events.timestamp > trained_to) & (events.timestamp <= last)]
    recommender = HybridRecommender(seed=seed).fit(
        past, run.table("contract/items"), validation=later
    )
    lap("recommender")
    sessions = run.table("sessions/sessions", ["start", "kind"])
    inside = (sessions.kind == "shop") & sessions.start.between(first, last)
    prices = prices_of(
        events[events.timestamp <= last], base_rate=risk.base_rate, discount=DISCOUNT
    )
    validation = seen_at(
        risk, recommender, learnt, segments, rows, run=run,
        key=learnt.decisions.decision.to_numpy()[rows].astype(np.uint64), n_jobs=n_jobs,
    )  # fmt: skip
    lap("validation scored")
    return Known(risk, recommender, prices, validation, rows, int(inside.sum()), seconds)


def seen_at(
    risk: RiskModels,
    recommender: HybridRecommender,
    sequences: Sequences,
    segments: np.ndarray,
    rows: np.ndarray,
    *,
    run: Run,
    key: np.ndarray,
    histories: pd.DataFrame | None = None,
    n_jobs: int = 2,
) -> Seen:
    """What policies see at the decisions `rows` of `sequences`.

    Parameters
    ----------
    risk, recommender
        What was learnt.
    sequences : Sequences
        Of `run`.
    segments : array of int, shape (decisions of `sequences`,)
    rows : array of int, shape (n,)
        Positions of the decisions wanted.
    run : Run
        Whose sessions hold the decisions' histories.
    key : array of uint64, shape (n,)
    histories : pandas.DataFrame, optional
        Of these decisions (:func:`precmark.ablation.future.histories_of_decisions`), where known.
    """
    if histories is None:
        histories = histories_of_decisions(run, sequences, rows)
    decisions = sequences.decisions.iloc[rows]
    scores = risk_scores(risk, sequences.X[rows], segments[rows], n_jobs=n_jobs)
    return Seen(
        key=key,
        user=decisions.user_code.to_numpy(dtype=np.int64),
        at_us=pd.DatetimeIndex(decisions.timestamp).as_unit("us").asi8,
        segment=segments[rows],
        p_pooled=scores.pooled.to_numpy(),
        p_segment=scores.segment.to_numpy(),
        segment_risk=risk.mean_risk(segments[rows]),
        affinity=affinity_of(recommender, rows, histories),
    )


def affinity_of(
    recommender: HybridRecommender, rows: np.ndarray, histories: pd.DataFrame
) -> np.ndarray:
    """Affinity of each of `rows` to each category, float32 (n, 18), rows sum to 1.

    Parameters
    ----------
    recommender : HybridRecommender
        Fitted.
    rows : array of int, shape (n,)
        The ``user_code`` of each decision in `histories`.
    histories : pandas.DataFrame
    """
    found = recommender.category_scores(pd.DataFrame({"user_code": rows}), history=histories)
    wanted = found.reindex(columns=list(NAMES), fill_value=0.0).to_numpy(dtype=np.float32)
    return wanted / wanted.sum(axis=1, keepdims=True)
