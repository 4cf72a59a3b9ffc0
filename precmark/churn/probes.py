"""Questions put to a few models: the leak of a random split, how early, what they look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.churn.fits import Comparison, Model, compare, pooled_estimator
from precmark.churn.importance import gradient_importance, permutation_importance
from precmark.churn.processes import in_processes
from precmark.churn.quality import part_of, quality
from precmark.sequences import Sequences, make_sequences

if TYPE_CHECKING:
    from precmark.runs import Run

PROBED = ("histogram-boosting", "c-att-lstm")
"""The practitioner's pick and the paper's network."""


def probed(models: Mapping[str, Model]) -> dict[str, Model]:
    """Those of `models` that the probes ask: :data:`PROBED`."""
    return {name: models[name] for name in PROBED if name in models}


def split_leak(
    sequences: Sequences,
    models: Mapping[str, Model],
    fitted: Comparison,
    *,
    draws: int = 1000,
    seed: int = 0,
    n_jobs: int = 2,
    keep: Path | None = None,
) -> pd.DataFrame:
    """The probed models under the split by time and under the random split.

    Parameters
    ----------
    fitted : Comparison
        Of the split by time, with the probed models among its own.

    Returns
    -------
    pandas.DataFrame
        As :func:`precmark.churn.quality.quality`, pooled fits only, with ``split`` ("by time",
        "at random").
    """
    asked = probed(models)
    shuffled = compare(sequences, asked, by="random_split", seeds=(seed,), n_jobs=n_jobs, keep=keep)
    timed = quality(sequences, fitted, draws=draws, seed=seed)
    timed = timed[timed.model.isin([*asked, "constant"])]
    random = quality(sequences, shuffled, draws=draws, seed=seed, by="random_split")
    both = pd.concat([timed.assign(split="by time"), random.assign(split="at random")])
    return both[both.fit == "pooled"].reset_index(drop=True)


def risk_by_clicks(
    run: Run,
    sequences: Sequences,
    models: Mapping[str, Model],
    *,
    most: int = 5,
    draws: int = 1000,
    seed: int = 0,
    n_jobs: int = 2,
    keep: Path | None = None,
) -> pd.DataFrame:
    """Average precision of the probed models after 1 to `most` clicks, on the same sessions.

    For each number of clicks the sequences are made anew and the models fitted on sessions that
    get so far, for each number on no more than the given `sequences` have. Judged are the sessions
    that reach `most` clicks without a purchase and are in the test part for every number of
    clicks. Where the outcome is the next click itself, sessions that reach `most` clicks have all
    had it, so those that get so far are judged instead.

    Returns
    -------
    pandas.DataFrame
        ``clicks``, ``series`` (title of the model, or "constant"), ``value``, ``low``, ``high``
        (average precision; the constant's is the share of good outcomes), ``judged`` (sessions).
    """
    asked = probed(models)
    made = {k: _after(run, sequences, k, seed) for k in range(1, most + 1)}
    alone = partial(compare, seeds=(seed,), n_jobs=1, keep=keep)
    done = in_processes(alone, [(after, asked) for after in made.values()], n_jobs)
    tests = [set(after.part("test").decisions.session_code) for after in made.values()]
    reach = set.intersection(*tests)
    same = sequences.task.label != "next_click"
    rows = []
    for (k, after), fitted in zip(made.items(), done, strict=True):
        only = after.decisions.session_code.isin(reach).to_numpy() if same else None
        part = part_of(after, fitted, "test", only=only)
        drawn = metrics.bootstrap(
            part.y, part.p, part.users, metrics=["average_precision"], draws=draws, seed=seed,
            thresholds=0.5,
        ).table()  # fmt: skip
        for row in drawn.itertuples(index=False):
            rows.append((k, asked[row.model].title, row.value, row.low, row.high, len(part.y)))
        rate = float(part.y.mean())
        rows.append((k, "constant", rate, rate, rate, len(part.y)))
    names = ["clicks", "series", "value", "low", "high", "judged"]
    return pd.DataFrame(rows, columns=names)


def _after(run: Run, sequences: Sequences, k: int, seed: int) -> Sequences:
    """The sequences of `run` at click `k`; those at hand where it is theirs.

    Of the training and the validation part no more is kept, at random, than `sequences` has:
    fewer clicks are reached by more sessions, and the curve is to show clicks, not data.
    """
    if k == sequences.task.k:
        return sequences
    steps = min(sequences.task.steps, k) if "users" not in run.source.says else None
    task = dataclasses.replace(sequences.task, k=k, steps=steps or sequences.task.steps)
    made = make_sequences(run, task)
    rng = np.random.default_rng([seed, k])
    keep = (made.decisions.split == "test").to_numpy(copy=True)
    for part in ("train", "validation"):
        rows = np.flatnonzero((made.decisions.split == part).to_numpy())
        most = int((sequences.decisions.split == part).sum())
        keep[rng.permutation(rows)[:most]] = True
    return made.take(keep)


@dataclass(frozen=True)
class Importance:
    """What the probed models lean on.

    Attributes
    ----------
    permutation : pandas.DataFrame
        ``model`` (title) and the columns of
        :func:`precmark.churn.importance.permutation_importance`.
    gradients : pandas.DataFrame
        Of C-ATT-LSTM: channels by steps before the decision (0 is its own), see
        :func:`precmark.churn.importance.gradient_importance`.
    """

    permutation: pd.DataFrame
    gradients: pd.DataFrame


def importance(
    sequences: Sequences,
    models: Mapping[str, Model],
    *,
    repeats: int = 5,
    seed: int = 0,
    keep: Path | None = None,
) -> Importance:
    """Permutation importance of the probed models, and gradients of C-ATT-LSTM, on the test part.

    Networks come from `keep` where the comparison left them there; other models are fitted anew.
    """
    test = sequences.part("test")
    tables, gradients = [], pd.DataFrame()
    for model in probed(models).values():
        fitted = pooled_estimator(model, seed, sequences, keep=keep)
        table = permutation_importance(
            lambda X, fitted=fitted: fitted.predict_proba(X)[:, 1],
            test.X, test.y, sequences.channels, repeats=repeats, seed=seed,
        )  # fmt: skip
        tables.append(table.assign(model=model.title))
        if model.family == "network":
            rows = fitted.tensors(test.X)
            found = gradient_importance(fitted.module(), rows.x, test.mask, sequences.channels)
            gradients = found.pivot(index="channel", columns="lag", values="gradient")
            gradients = gradients.loc[list(sequences.channels)]
    return Importance(pd.concat(tables, ignore_index=True), gradients)


def channel_importance(found: Importance) -> pd.DataFrame:
    """The channels of a permutation table as ``feature``, ``importance``, ``low``, ``high``."""
    return _ranked(found, "channel")


def step_importance(found: Importance) -> pd.DataFrame:
    """The steps of a permutation table, likewise: "own step", "1 before", "2 before", ..."""
    table = _ranked(found, "step")
    words = table.feature.where(table.feature != "0", "own step")
    return table.assign(feature=words.where(words == "own step", words + " before"))


def _ranked(found: Importance, kind: str) -> pd.DataFrame:
    rows = found.permutation[found.permutation.kind == kind]
    return rows.drop(columns="kind").rename(columns={"name": "feature", "drop": "importance"})
