"""Customers at rolling origins: the models beside recency and BG/NBD, with and without the rich."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.churn.fits import Comparison
from precmark.churn.quality import SHOWN, base_rate, part_of
from precmark.sequences import Sequences, customer_summary

if TYPE_CHECKING:
    from precmark.runs import Run

TOP_SHARE = 0.01
"""Customers who are left out of the second reading: the first hundredth by revenue."""


@dataclass(frozen=True)
class Customers:
    """The models and the floors on customers.

    Attributes
    ----------
    quality : pandas.DataFrame
        ``model``, ``title``, ``family``, ``metric``, ``value``, ``low``, ``high``, ``split`` ("all
        customers", "without the top 1 %"), ``fit`` ("pooled").
    top_revenue : float
        Share of the revenue before the last origin that the top hundredth holds.
    customers, top : int
        Customers of the test part, and how many of them are in the top hundredth.
    gaps : pandas.DataFrame
        Each learnt model minus each floor in average precision on all customers: ``model``,
        ``title``, ``than``, ``difference``, ``low``, ``high``, ``favours``.
    notes : tuple of str
        What the fit of BG/NBD had to say.
    """

    quality: pd.DataFrame
    top_revenue: float
    customers: int
    top: int
    gaps: pd.DataFrame
    notes: tuple[str, ...]


def customer_models(
    run: Run, sequences: Sequences, fitted: Comparison, *, draws: int = 1000, seed: int = 0
) -> Customers:
    """The pooled models of `fitted` beside recency and BG/NBD on the customers of the test part.

    BG/NBD sees no label. For the validation part it is fitted to the histories before that origin,
    for the test part to those before the last; recency learns its rates in the training part.

    Raises
    ------
    InputError
        See :func:`precmark.sequences.customer_summary`.
    """
    from precmark.engine import connect, read

    decisions = sequences.decisions
    summary = customer_summary(
        read(connect(), run.need("sessions/events")), sorted(decisions.timestamp.unique()),
        timezone=run.source.timezone,
    )  # fmt: skip
    summary = decisions[["user_code", "timestamp"]].merge(
        summary, on=["user_code", "timestamp"], how="left", validate="one_to_one"
    )
    floors, notes = _floors(sequences, summary)
    known = fitted.fits.drop_duplicates("model").set_index("model")
    titles = {**known.title, **{k: f.title for k, f in _registry().items()}}
    families = {**known.family, **dict.fromkeys(floors, "floor")}
    said = {part: _said(sequences, fitted, floors, part) for part in ("validation", "test")}
    test = part_of(sequences, fitted, "test")
    revenue = summary.revenue.to_numpy()[test.rows]
    rich = revenue >= np.quantile(revenue, 1 - TOP_SHARE)
    limits = {
        name: metrics.choose_threshold(sequences.y[said["validation"].rows], p, criterion="f1")
        for name, p in said["validation"].p.items()
    }
    tables = []
    for words, keep in (
        ("all customers", np.ones(len(rich), bool)),
        ("without the top 1 %", ~rich),
    ):
        table = metrics.metrics_table(
            test.y[keep], {name: p[keep] for name, p in said["test"].p.items()}, limits,
            test.users[keep], base_rate=base_rate(sequences), metrics=SHOWN, draws=draws, seed=seed,
        )  # fmt: skip
        tables.append(table.assign(split=words, fit="pooled"))
    quality = pd.concat(tables, ignore_index=True)
    quality.insert(1, "title", quality.model.map(titles).fillna("Constant"))
    quality.insert(2, "family", quality.model.map(families).fillna("floor"))
    gaps = _gaps(test.y, said["test"].p, test.users, floors, draws, seed)
    gaps.insert(1, "title", gaps.model.map(titles))
    return Customers(
        quality, float(revenue[rich].sum() / revenue.sum()), len(rich), int(rich.sum()), gaps, notes
    )


def _registry():
    from precmark.baselines import CUSTOMER_FLOORS

    return CUSTOMER_FLOORS


@dataclass(frozen=True)
class _Said:
    rows: np.ndarray
    p: dict[str, np.ndarray]


def _said(sequences: Sequences, fitted: Comparison, floors: dict, part: str) -> _Said:
    """P(y = 1) of every floor and pooled model on `part`; the constant is added by the table."""
    found = part_of(sequences, fitted, part)
    p = {name: values[found.rows] for name, values in floors.items()}
    p |= {name: values for name, values in found.p.items() if name != "constant"}
    return _Said(found.rows, p)


def _floors(sequences: Sequences, summary: pd.DataFrame) -> tuple[dict, tuple[str, ...]]:
    """P(y = 1) of each floor on every decision of the validation and the test part."""
    days = sequences.task.horizon.days
    split = sequences.decisions.split.to_numpy()
    train = split == "train"
    registry = _registry()
    recency = registry["recency"].make(days).fit(summary[train], sequences.y[train])
    p = {"recency": recency.predict_proba(summary)[:, 1]}
    p["bg-nbd"] = np.full(len(summary), np.nan)
    notes: tuple[str, ...] = ()
    for part in ("validation", "test"):
        mine = split == part
        before = summary[mine]
        model = registry["bg-nbd"].make(days).fit(before)
        p["bg-nbd"][mine] = model.predict_proba(before)[:, 1]
        notes += model.notes_
    return p, tuple(dict.fromkeys(notes))


def _gaps(y, p: dict, users, floors: dict, draws: int, seed: int) -> pd.DataFrame:
    drawn = metrics.bootstrap(
        y, p, users, thresholds=0.5, metrics=["average_precision"], draws=draws, seed=seed
    )
    learnt = [name for name in p if name not in floors]
    return pd.concat(
        [drawn.against(floor)[lambda t: t.model.isin(learnt)] for floor in floors],
        ignore_index=True,
    )
