"""The paper's four networks and a logistic regression, trained on months, asked of later ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.churn.fits import TITLES
from precmark.churn.processes import in_processes
from precmark.errors import InputError, Problem
from precmark.grid.months import TESTED, Monthly

NETWORKS = ("cnn", "lstm", "lstm-attention", "cnn-lstm-attention")
"""The four of Tables 1 and 2, in their order."""

PLAIN = "logistic"
"""Logistic regression on the grid's features: what a practitioner reaches for first."""

MODEL_TITLES = {
    "constant": "Constant",
    PLAIN: "Logistic regression",
    **{name: TITLES[name] for name in NETWORKS},
}
"""Models in words."""

PAPER_KEYS = {name: name.replace("-", "_") for name in NETWORKS}
"""Networks as ``data/claims/liu.toml`` names them."""

HELD = 0.25
"""Share of the users whose decisions choose epoch and threshold and train nothing."""

BATCH, RATE = 64, 7e-3


@dataclass(frozen=True)
class Ask:
    """One fit.

    Attributes
    ----------
    model : str
        One of :data:`NETWORKS` or :data:`PLAIN`.
    first, last : int
        Numbers of the months that train.
    test : int
        Number of the month that is predicted, after `last`.
    """

    model: str
    first: int
    last: int
    test: int


@dataclass(frozen=True)
class Answer:
    """What a fitted model said.

    Attributes
    ----------
    ask : Ask
    rows : dict of str to array of int
        Positions of the decisions of "train" (those it was trained on), "validation" and "test".
    p : dict of str to array of float
        P(outcome) of these rows.
    seconds : float
        Of one core, for the fit.
    last_best : bool
        Whether the last epoch of a network was the best on held-out users: more might still help.
    """

    ask: Ask
    rows: dict[str, np.ndarray]
    p: dict[str, np.ndarray]
    seconds: float
    last_best: bool = False


def table1_asks(data: Monthly, models: Sequence[str] = (*NETWORKS, PLAIN)) -> list[Ask]:
    """The twelve rows of Table 1 for each of `models`: months i to j, tested on month j + 1."""
    seven = len(data.months) - TESTED
    return [
        Ask(model, seven + i, seven + j, seven + j + 1)
        for i, longest in enumerate((5, 5, 5))
        for j in range(i, longest)
        for model in models
    ]


def growing_asks(data: Monthly, models: Sequence[str]) -> list[Ask]:
    """Every month but the first, predicted by all months before it."""
    return [Ask(model, 0, k - 1, k) for k in range(1, len(data.months)) for model in models]


def fit_all(
    data: Monthly,
    asks: Sequence[Ask],
    *,
    epochs: int = 8,
    most_rows: int = 1500,
    seed: int = 0,
    n_jobs: int = 2,
) -> list[Answer]:
    """An answer to each of `asks`, in their order; the same ask is fitted once.

    Parameters
    ----------
    data : Monthly
    asks : sequence of Ask
    epochs : int
        Of the networks, >= 1; the one with the lowest loss on held-out users is kept.
    most_rows : int
        Decisions that train; where there are more, so many are drawn by lot. Held-out users give
        at most as many.
    seed : int
    n_jobs : int
        Fits at the same time, a process each.

    Raises
    ------
    InputError
        When a test month does not come after the training months, or training or validation holds
        one outcome only.
    """
    wanted = list(dict.fromkeys(asks))
    problems = [
        Problem(f"{a}: not in the log, or the future trains", "Test on a later month.")
        for a in wanted
        if not 0 <= a.first <= a.last < a.test < len(data.months)
    ]
    if problems:
        raise InputError(problems)
    tasks = [(data, ask, epochs, most_rows, seed) for ask in wanted]
    done = dict(zip(wanted, in_processes(fit_one, tasks, n_jobs), strict=True))
    return [done[ask] for ask in asks]


def held_out(users: np.ndarray, seed: int) -> np.ndarray:
    """Which decisions belong to users that only validate: bool, the same for a user every month."""
    rng = np.random.default_rng(seed)
    return (rng.random(int(users.max()) + 1) < HELD)[users]


def fit_one(data: Monthly, ask: Ask, epochs: int, most_rows: int, seed: int) -> Answer:
    """The answer to one :class:`Ask`; see :func:`fit_all`."""
    import time

    users = data.decisions["user_code"].to_numpy()
    known = data.rows(ask.first, ask.last)
    held = held_out(users, seed)[known]
    rng = np.random.default_rng(seed)
    rows = {
        "train": _some(known[~held], most_rows, rng),
        "validation": _some(known[held], most_rows, rng),
        "test": data.rows(ask.test, ask.test),
    }
    _check_classes(data, ask, rows)
    started = time.perf_counter()
    values = data.table if ask.model == PLAIN else data.X
    model = _model(ask.model, epochs, seed)
    pairs = {part: (values[at], data.y[at].astype(np.int64)) for part, at in rows.items()}
    model.fit(*pairs["train"], validation=pairs["validation"])
    seconds = time.perf_counter() - started
    p = {part: model.predict_proba(x)[:, 1] for part, (x, _) in pairs.items()}
    last_best = ask.model != PLAIN and model.best_epoch_ == epochs
    return Answer(ask, rows, p, seconds, last_best)


def _model(name: str, epochs: int, seed: int):
    if name == PLAIN:
        from sklearn.preprocessing import FunctionTransformer

        from precmark.baselines.models import logistic

        return logistic(FunctionTransformer(), seed)
    from precmark.training import SequenceClassifier

    return SequenceClassifier(
        name, epochs=epochs, batch_size=BATCH, learning_rate=RATE, seed=seed, progress=False
    )


def _some(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return np.sort(rng.choice(rows, most, replace=False))


def _check_classes(data: Monthly, ask: Ask, rows: dict[str, np.ndarray]) -> None:
    problems = []
    for part in ("train", "validation"):
        y = data.y[rows[part]]
        if not len(y) or y.min() == y.max():
            months = f"{data.months[ask.first]} to {data.months[ask.last]}"
            problems.append(
                Problem(
                    f"{part} part of {months}: {len(y)} decisions with one outcome only",
                    "Take more months, more users or another outcome.",
                )
            )
    if problems:
        raise InputError(problems)


def seconds_table(answers: Sequence[Answer]) -> pd.DataFrame:
    """``model``, ``fits`` and ``seconds`` (of one core, all fits), in the order of first use."""
    frame = pd.DataFrame({"model": [a.ask.model for a in answers],
                          "seconds": [a.seconds for a in answers]})  # fmt: skip
    found = frame.groupby("model", sort=False).agg(
        fits=("seconds", "size"), seconds=("seconds", "sum")
    )
    return found.reset_index()
