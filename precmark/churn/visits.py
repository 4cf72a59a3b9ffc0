"""Whole visits, one row each: the tabular models, with and without what only the end tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.churn.fits import left_out
from precmark.churn.processes import in_processes
from precmark.churn.quality import SHOWN
from precmark.sequences import random_split

if TYPE_CHECKING:
    from precmark.runs import Run

LATE = "page_value"
"""The column that averages what pages earned later: known only when the visit is over."""


@dataclass(frozen=True)
class Visits:
    """The tabular models on finished visits.

    Attributes
    ----------
    quality : pandas.DataFrame
        ``model``, ``title``, ``family``, ``metric``, ``value``, ``low``, ``high``, ``split`` ("all
        columns", "without the page value"), ``fit`` ("pooled").
    visits, purchases : int
        Of the test part.
    """

    quality: pd.DataFrame
    visits: int
    purchases: int


def visit_models(
    run: Run, *, leave_out: str = "", draws: int = 1000, seed: int = 0, n_jobs: int = 2
) -> Visits | None:
    """The baselines on the visits of `run`, split 6:2:2 at random; None where it holds none.

    The rows have no time from which a split by time could be made. Each visit counts as a user of
    its own. `leave_out` names models that are not fitted, separated by commas; an unknown name is
    refused with an :class:`InputError`.
    """
    if not run.has("contract/visits"):
        return None
    frame = run.table("contract/visits")
    part = random_split(len(frame), seed=seed)
    y = frame.purchased.to_numpy().astype("int64")
    readings = {"all columns": frame}
    if LATE in frame:
        readings["without the page value"] = frame.drop(columns=LATE)
    without = left_out(leave_out)
    names = [name for name in _made(frame, seed) if name not in without]
    tasks = [(words, name) for words in readings for name in names]
    done = in_processes(
        _fit, [(readings[words], y, part, name, seed) for words, name in tasks], n_jobs
    )
    tables = []
    for words in readings:
        mine = {n: d for (w, n), d in zip(tasks, done, strict=True) if w == words}
        limits = {
            n: metrics.choose_threshold(y[part == "validation"], d[0], criterion="f1")
            for n, d in mine.items()
        }
        table = metrics.metrics_table(
            y[part == "test"], {n: d[1] for n, d in mine.items()}, limits,
            base_rate=float(y[part == "train"].mean()), metrics=SHOWN, draws=draws, seed=seed,
        )  # fmt: skip
        tables.append(table.assign(split=words, fit="pooled"))
    quality = pd.concat(tables, ignore_index=True)
    titles, families = _names()
    quality.insert(1, "title", quality.model.map(titles).fillna("Constant"))
    quality.insert(2, "family", quality.model.map(families).fillna("floor"))
    return Visits(quality, int((part == "test").sum()), int(y[part == "test"].sum()))


def _made(frame: pd.DataFrame, seed: int) -> dict:
    from precmark.baselines import VISIT_CODES, VISIT_KEYS, table_pipelines

    codes = [name for name in VISIT_CODES if name in frame]
    keys = [name for name in VISIT_KEYS if name in frame]
    made = table_pipelines(frame, "purchased", categorical=codes, leave_out=keys, seed=seed)
    return {name: model for name, model in made.items() if name != "constant"}


def _fit(frame: pd.DataFrame, y: np.ndarray, part: np.ndarray, name: str, seed: int):
    """P(purchase) of model `name` on the validation and on the test part."""
    rows = {p: np.flatnonzero(part == p) for p in ("train", "validation", "test")}
    X = frame.drop(columns="purchased")
    model = _made(frame, seed)[name].fit(
        X.iloc[rows["train"]], y[rows["train"]],
        validation=(X.iloc[rows["validation"]], y[rows["validation"]]),
    )  # fmt: skip
    return tuple(model.predict_proba(X.iloc[rows[p]])[:, 1] for p in ("validation", "test"))


def _names() -> tuple[dict[str, str], dict[str, str]]:
    from precmark.baselines import BASELINES

    titles = {name: b.title for name, b in BASELINES.items()}
    return titles, {name: "floor" if b.floor else "baseline" for name, b in BASELINES.items()}
