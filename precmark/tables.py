"""Tables on disk: Parquet written whole or not at all, with each column's unit in its schema."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from precmark.errors import InputError


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; renamed to `path` on success, removed on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror or error}); nothing was left half "
            "written. Free some space or choose another folder, then run the same command again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def with_units(schema: pa.Schema, units: Mapping[str, str]) -> pa.Schema:
    """`schema` with ``{"unit": ...}`` in the metadata of each column that `units` names."""
    unknown = set(units) - set(schema.names)
    if unknown:
        raise KeyError(f"units for columns that the table lacks: {sorted(unknown)}")
    fields = [
        f.with_metadata({**(f.metadata or {}), b"unit": units[f.name].encode()})
        if f.name in units
        else f
        for f in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def write_table(
    table: pa.Table | pd.DataFrame, path: Path | str, units: Mapping[str, str] | None = None
) -> Path:
    """Write `table` as Parquet (zstd) at `path`, whole or not at all.

    Parameters
    ----------
    table : pyarrow.Table or pandas.DataFrame
        A frame's index is not written.
    path : path
        Folders are made where missing.
    units : mapping of column name to unit, optional
        Stored in the schema; read back with :func:`read_units`.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        When the file cannot be written (a full disk, a read-only folder).
    """
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    table = table.cast(with_units(table.schema, units or {}))
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return Path(path)


def read_units(path: Path | str) -> dict[str, str]:
    """The unit of each column of the Parquet file at `path` that declares one."""
    schema = pq.read_schema(path)
    return {
        f.name: f.metadata[b"unit"].decode() for f in schema if f.metadata and b"unit" in f.metadata
    }


def read_table(path: Path | str, columns: list[str] | None = None) -> pd.DataFrame:
    """The Parquet file at `path` as a frame."""
    return pq.read_table(path, columns=columns).to_pandas()
