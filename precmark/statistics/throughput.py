"""The book's own pipeline on many batches: from a file of events to a score a customer, timed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.claims import paper
from precmark.errors import InputError
from precmark.statistics.customers import (
    Customers,
    customer_features,
    prices_of,
    visit_features,
)

if TYPE_CHECKING:
    from precmark.runs import Run
    from precmark.statistics.logistic import LogisticReport

STAGES = ("check", "sessions", "columns", "score")
"""Read, checked and normalised; visits found; columns made; probabilities given."""

_OURS = ("user_code", "row")
"""Columns that the contract's step adds: a batch comes without them."""


def sets_of_data() -> int:
    """On how many sets of data the paper measures its model's speed."""
    return int(paper("company_h", "accuracy.performance_sets"))


def batches_of(run: Run, wanted: int) -> int:
    """`wanted` batches, or as many as `run` has users where they are fewer."""
    return min(wanted, run.table("contract/events", columns=["user_code"]).user_code.nunique())


def measure_throughput(
    run: Run, customers: Customers | None, model: LogisticReport | None, *, batches: int = 0
) -> pd.DataFrame:
    """Every event of `run` once more through the pipeline, in `batches` files of whole users.

    Each batch is written to a file beforehand, as a shop would deliver it. Then it is checked and
    normalised, its visits are found, its columns made and scored by `model`. The files lie in a
    temporary folder that is removed.

    Parameters
    ----------
    run : Run
    customers, model
        The columns and the model that scores; None leaves out the last two stages.
    batches : int
        0 for as many as the paper has.

    Returns
    -------
    pandas.DataFrame
        A row a batch and stage: ``batch`` (from 1), ``stage``, ``rows`` (in the file),
        ``megabytes`` (of the file's table in memory), ``kept`` (rows that arrive in sessions),
        ``scored`` (customers or visits), ``seconds``.

    Raises
    ------
    InputError
        Fewer users than batches.
    """
    import pyarrow.parquet as pq

    batches = batches or sets_of_data()
    events = pq.read_table(run.need("contract/events"))
    user = events["user_code"].to_numpy()
    if len(np.unique(user)) < batches or batches < 1:
        raise InputError(
            f"{len(np.unique(user)):,} users cannot be cut into {batches} batches. Ask for fewer."
        )
    part = user % batches
    given = events.drop_columns([c for c in _OURS if c in events.column_names])
    rows = []
    with tempfile.TemporaryDirectory(prefix="precmark-batches-") as folder:
        # The first passage loads libraries; it is made once more, outside the clock's reach.
        for i in (0, *range(batches)):
            batch = given.filter(part == i)
            path = Path(folder) / f"batch-{i + 1}.parquet"
            pq.write_table(batch, path)
            found = _through(run, path, Path(folder) / f"run-{i + 1}", customers, model)
            rows = [r for r in rows if r["batch"] != i + 1]
            common = {"batch": i + 1, "rows": len(batch), "megabytes": batch.nbytes / 1e6}
            rows += [common | stage for stage in found]
            shutil.rmtree(Path(folder) / f"run-{i + 1}")
    return pd.DataFrame(rows)[["batch", "stage", "rows", "megabytes", "kept", "scored", "seconds"]]


def _through(run, path: Path, folder: Path, customers, model) -> list[dict]:
    """One batch through all stages."""
    from precmark.contract import ingest
    from precmark.runs import Run, write_card
    from precmark.sessions import write_sessions
    from precmark.source import Dataset

    seconds: dict[str, float] = {}
    with _timed(seconds, "check"):
        ingested = ingest(folder, Dataset(run.source, {"events": path}))
    write_card(folder, {"source": ingested.source, "parameters": {}, "fingerprint": ""})
    batch = Run(folder)
    with _timed(seconds, "sessions"):
        write_sessions(batch)
    scored = 0
    if customers is not None and model is not None:
        with _timed(seconds, "columns"):
            table = _columns(run, batch, customers)()
        with _timed(seconds, "score"):
            scored = len(model.predict_proba(table)) if len(table) else 0
    kept = len(batch.table("sessions/events", columns=["session_code"]))
    return [
        {"stage": stage, "kept": kept, "scored": scored, "seconds": s}
        for stage, s in seconds.items()
    ]


def _columns(run: Run, batch: Run, customers: Customers) -> Callable[[], pd.DataFrame]:
    """What makes the columns of a batch."""
    if customers.origin is not None:
        return lambda: customer_features(batch.table("sessions/sessions"), customers.origin)
    items = prices_of(run)
    start = run.table("sessions/events", columns=["timestamp"]).timestamp.min()
    return lambda: visit_features(batch.table("sessions/events"), items, start=start)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - started


def by_batch(table: pd.DataFrame) -> pd.DataFrame:
    """A row a batch: its speed and its efficiency.

    Returns
    -------
    pandas.DataFrame
        ``batch``, ``rows``, ``megabytes``, ``seconds`` (all stages), ``rows_a_second``,
        ``megabytes_a_second``, ``efficiency`` (rows that arrive in sessions, of those sent),
        ``scored``.
    """
    grouped = table.groupby("batch", sort=True)
    made = grouped.agg(
        rows=("rows", "first"), megabytes=("megabytes", "first"), kept=("kept", "first"),
        scored=("scored", "first"), seconds=("seconds", "sum"),
    ).reset_index()  # fmt: skip
    made["rows_a_second"] = made.rows / made.seconds
    made["megabytes_a_second"] = made.megabytes / made.seconds
    made["efficiency"] = made.kept / made.rows
    return made.drop(columns="kept")
