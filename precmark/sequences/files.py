"""Sequences on disk: ``sequences/decisions`` and ``sequences/steps`` of a run."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from precmark.engine import BATCH_ROWS, connect, read
from precmark.errors import InputError
from precmark.sequences.arrays import Sequences
from precmark.sequences.blocks import finished, gathered
from precmark.sequences.customer_unit import plan_customers
from precmark.sequences.session_unit import plan_sessions
from precmark.sequences.task import Task, task_for
from precmark.tables import whole_file, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from precmark.runs import Run
    from precmark.sequences.blocks import Block, Plan

ROW_GROUP = 10_000
"""Sequences written and read at a time."""

_UNITS = {"timestamp": "UTC", "steps": "steps"}


def write_sequences(
    run: Run, task: Task | None = None, *, seed: int = 0, batch_rows: int = BATCH_ROWS
) -> Sequences:
    """Make the sequences of `run`, write them to its results, and read them back.

    Writes ``sequences/steps`` (one row a decision: the F x T values as a list of fixed length,
    channel after channel) block by block, so that memory does not grow with the number of events,
    then ``sequences/decisions`` with the labels and splits. Each is written whole or not at all,
    and a pair that does not belong together is refused when read.

    Parameters
    ----------
    run : Run
        With sessions.
    task : Task, optional
        None: :func:`precmark.sequences.task_for` the run's source.
    seed : int
        Of the random split.
    batch_rows : int
        Events read at a time (sessions).

    Returns
    -------
    Sequences

    Raises
    ------
    InputError
        See :func:`precmark.sequences.session_sequences` and
        :func:`precmark.sequences.customer_sequences`; sessions missing; a full disk.
    """
    task = task or task_for(run.source)
    plan = _plan(run, task, batch_rows)
    metadata = {
        b"task": task.to_json().encode(),
        b"channels": "\n".join(plan.names).encode(),
        # Two files cannot be renamed at once; this tells whether they are of one making.
        b"made": uuid.uuid4().hex.encode(),
    }
    decisions = _write_steps(plan.blocks(), run.table_path("sequences/steps"), metadata)
    table = pa.Table.from_pandas(finished(decisions, plan, seed), preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
    write_table(table, run.table_path("sequences/decisions"), _UNITS)
    return read_sequences(run)


def make_sequences(
    run: Run, task: Task | None = None, *, seed: int = 0, batch_rows: int = BATCH_ROWS
) -> Sequences:
    """The sequences of `run` for `task`, in memory; nothing is written.

    For further tasks beside the stored one, e.g. another k. Parameters and errors are those of
    :func:`write_sequences`.
    """
    return gathered(_plan(run, task or task_for(run.source), batch_rows), seed)


def _plan(run: Run, task: Task, batch_rows: int) -> Plan:
    """What to make of the tables of `run`."""
    con = connect()
    events = read(con, run.need("sessions/events"))
    if task.unit == "customer":
        return plan_customers(events, task, run.source)
    optional = {
        name: read(con, run.table_path(f"contract/{name}"))
        for name in ("items", "assignments")
        if run.has(f"contract/{name}")
    }
    return plan_sessions(events, task, run.source, **optional, batch_rows=batch_rows)


def _write_steps(blocks: Iterable[Block], path: Path, metadata: dict) -> pd.DataFrame:
    """Write the values of `blocks`; returns their decisions with y."""
    kept, writer = [], None
    with whole_file(path) as temporary:
        try:
            for X, y, decisions in blocks:
                width = X.shape[1] * X.shape[2]
                if writer is None:
                    kind = pa.list_(pa.float32(), width)
                    schema = pa.schema([("steps", kind)], metadata=metadata)
                    # Measured: a dictionary of the values takes 2.7 times as long and more space.
                    how = {"compression": "zstd", "use_dictionary": False}
                    writer = pq.ParquetWriter(temporary, schema, **how)
                flat = pa.array(X.reshape(-1), pa.float32())
                lists = pa.FixedSizeListArray.from_arrays(flat, width)
                writer.write_table(pa.table([lists], schema=schema), row_group_size=ROW_GROUP)
                kept.append(decisions.assign(y=y))
        finally:
            if writer is not None:
                writer.close()
    return pd.concat(kept)


def read_sequences(run: Run) -> Sequences:
    """The sequences that :func:`write_sequences` wrote, bit for bit.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Sequences

    Raises
    ------
    InputError
        Where a table is missing, or the two were not written together.
    """
    decisions_path, steps_path = run.need("sequences/decisions"), run.need("sequences/steps")
    with pq.ParquetFile(steps_path) as file:
        metadata = file.schema_arrow.metadata or {}
        others = pq.read_schema(decisions_path).metadata or {}
        if metadata.get(b"made") is None or metadata.get(b"made") != others.get(b"made"):
            raise InputError(
                f"{decisions_path} and {steps_path} were not written together. Make both again: "
                f"delete them and run the chapter that makes them for run {run.name}."
            )
        task = Task.from_json(metadata[b"task"])
        channels = tuple(metadata[b"channels"].decode().split("\n"))
        X = np.empty((file.metadata.num_rows, len(channels), task.steps), dtype=np.float32)
        start = 0
        for batch in file.iter_batches(ROW_GROUP):
            values = batch.column(0).flatten().to_numpy(zero_copy_only=False)
            X[start : start + len(batch)] = values.reshape(len(batch), *X.shape[1:])
            start += len(batch)
    decisions = pq.read_table(decisions_path).to_pandas()
    y = decisions.pop("y").to_numpy(dtype=np.int8)
    return Sequences(X, y, channels, decisions, task)
