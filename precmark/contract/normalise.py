"""From checked input to the normalised tables of a run, with user ids replaced by keyed hashes."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from precmark.contract.checks import Examined, check, examine
from precmark.contract.columns import BLANKS, USER_SYNONYMS
from precmark.contract.options import Options
from precmark.contract.reading import TableLike, literal, quoted, unreadable, workspace
from precmark.contract.report import Checked, infer_source
from precmark.contract.schema import TABLES, units
from precmark.errors import InputError, Problem
from precmark.source import Dataset, Source
from precmark.tables import whole_file, with_units, write_table

_ARROW = {
    "text": pa.string(), "choice": pa.string(), "timestamp": pa.timestamp("us", "UTC"),
    "number": pa.float64(), "integer": pa.int64(), "flag": pa.bool_(),
}  # fmt: skip
_ORDER = {
    "events": "user_code, timestamp, row", "users": "user_code", "items": "item_id",
    "visits": "row", "assignments": "timestamp, row",
}  # fmt: skip
_HAS_USERS = ("events", "users", "assignments")


@dataclass(frozen=True)
class Ingested:
    """What :func:`ingest` wrote.

    Attributes
    ----------
    checked : Checked
        What the check found; its ``fingerprint`` is the data's.
    source : Source
        The dataset's own card, or one inferred from what the log holds.
    tables : mapping of str to Path
        Normalised tables by name, with ``rejected`` and ``report``.
    users : int
        Distinct users over all tables; codes run from 0 to one less.
    """

    checked: Checked
    source: Source
    tables: Mapping[str, Path]
    users: int


def ingest(
    run_path: Path | str,
    data: Dataset | Mapping[str, TableLike] | TableLike,
    options: Options | None = None,
    *,
    name: str = "",
) -> Ingested:
    """Check `data` and write its normalised tables into a run's folder, all of them or none.

    ``results/contract/`` gets ``events`` (the contract's columns, all of them, with ``user_code``
    and ``row``, sorted by user_code, timestamp and row), ``users``, ``items``, ``visits`` and
    ``assignments`` as given, ``rejected`` (rows set aside: table, row, reason, user_id, record)
    and ``report`` (table, item, rows). ``truth/`` gets the tables that no model may read.
    ``private/`` gets the key of the user ids, kept if it is there, and the way back.

    Parameters
    ----------
    run_path : path
        The run's folder, ``runs/NAME``.
    data : Dataset, mapping, path, Arrow table or frame
        See :func:`precmark.contract.check`.
    options : Options, optional
    name : str, optional
        Of the source inferred for a user's own log; the folder's name by default.

    Returns
    -------
    Ingested

    Raises
    ------
    InputError
        With every problem of the input; or where the disk is full. Earlier results stay as they
        were.
    """
    run_path = Path(run_path)
    with _disk(run_path), workspace(run_path) as (connection, work):
        examined = examine(connection, work, data, options or Options())
        examined.checked.require()
        dataset = data if isinstance(data, Dataset) else None
        key = _key(run_path / "private")
        users = _codes(connection, examined, dataset, key)
        new = work / "new"
        for table in examined.typed:
            _write_table(connection, examined, table, new / "contract" / f"{table}.parquet")
        _write_rejected(connection, examined, dataset, new / "contract" / "rejected.parquet")
        _write_report(examined.checked, dataset, new / "contract" / "report.parquet")
        for table, truth in (dataset.truth if dataset else {}).items():
            _write_truth(connection, truth, new / "truth" / f"{table}.parquet")
        _write_private(connection, run_path / "private", key)
        _put(new / "contract", run_path / "results" / "contract", work)
        if (new / "truth").exists():
            _put(new / "truth", run_path / "truth", work)
    source = dataset.source if dataset else infer_source(examined.checked, name or run_path.name)
    folder = run_path / "results" / "contract"
    tables = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
    return Ingested(examined.checked, source, tables, users)


@contextmanager
def _disk(run_path: Path) -> Iterator[None]:
    """Turn what the disk or DuckDB refuses into one message."""
    try:
        yield
    except duckdb.Error as error:
        raise unreadable(str(run_path), error) from error
    except OSError as error:
        raise InputError(
            Problem(
                f"{run_path}: could not be written ({error.strerror or error}); nothing was left "
                "half written",
                "Free some space or choose another folder, then run the same command again.",
            )
        ) from error


def _key(private: Path) -> bytes:
    """The key of the run's user ids: the one it has, or a new one (not yet written)."""
    path = private / "key"
    return bytes.fromhex(path.read_text().strip()) if path.exists() else secrets.token_bytes(32)


def hashed(user_id: str, key: bytes) -> str:
    """The keyed hash that stands for `user_id`: 16 hexadecimal digits of BLAKE2b."""
    return hashlib.blake2b(user_id.encode(), key=key, digest_size=8).hexdigest()


def _codes(
    connection: duckdb.DuckDBPyConnection, examined: Examined, dataset: Dataset | None, key: bytes
) -> int:
    """Make table ``codes`` (original, user_id, user_code); ids of rows set aside have no code."""
    tables = [t for t in _HAS_USERS if t in examined.typed]
    kept = " UNION ".join(f"SELECT user_id FROM ids_{t}" for t in tables)
    kept = kept or "SELECT NULL::VARCHAR AS user_id WHERE false"
    connection.execute(
        "CREATE TEMP TABLE ranks AS SELECT user_id AS original, "
        f"(row_number() OVER (ORDER BY user_id) - 1)::BIGINT AS user_code FROM ({kept})"
    )
    aside = [
        f"SELECT user_id FROM typed_{t} WHERE {examined.reasons[t]} IS NOT NULL" for t in tables
    ]
    if dataset is not None and (column := _user_column(dataset.set_aside)):
        ids = dataset.set_aside[column].astype("string")
        connection.register("adapter_ids", pa.table({"user_id": pa.array(ids, pa.string())}))
        aside.append("SELECT user_id FROM adapter_ids")
    if aside:
        connection.execute(
            "INSERT INTO ranks SELECT DISTINCT user_id, NULL FROM "
            f"({' UNION '.join(aside)}) WHERE trim(user_id, {BLANKS}) <> '' "
            "AND user_id NOT IN (SELECT original FROM ranks)"
        )
    ids = connection.execute("SELECT original, user_code FROM ranks").to_arrow_table()
    hashes = [hashed(i, key) for i in ids["original"].to_pylist()]
    if len(set(hashes)) < len(hashes):
        raise InputError("two user ids got the same hash; delete private/key and run again.")
    connection.register("hashes", ids.append_column("user_id", pa.array(hashes, pa.string())))
    # As an enumeration a user id travels through joins and sorts as four bytes.
    connection.execute("CREATE TYPE user_hash AS ENUM (SELECT user_id FROM hashes)")
    connection.execute(
        "CREATE TEMP TABLE codes AS SELECT original, user_code, user_id::user_hash AS user_id "
        "FROM hashes"
    )
    return connection.execute("SELECT count(user_code) FROM codes").fetchone()[0]


def _user_column(frame: pd.DataFrame) -> str | None:
    names = {str(c).lower(): c for c in frame.columns}
    return next((names[n] for n in ("user_id", *USER_SYNONYMS) if n in names), None)


def _write_table(
    connection: duckdb.DuckDBPyConnection, examined: Examined, table: str, path: Path
) -> None:
    """One normalised table, straight from DuckDB to Parquet."""
    typed, copies = examined.typed[table], examined.copies[table]
    coded = table in _HAS_USERS
    fields = [pa.field(c.name, _ARROW[c.kind]) for c in TABLES[table]]
    if typed.extras:
        described = connection.execute(
            f"SELECT {', '.join(map(quoted, typed.extras))} FROM {typed.view} LIMIT 0"
        ).to_arrow_table()
        fields += list(described.schema)
    if coded:
        fields.append(pa.field("user_code", pa.int64()))
    if table in ("events", "visits"):
        fields.append(pa.field("row", pa.int64()))
    # Names out of a list are sorted as enumerations too; text again on the way out.
    small = {c.name: c.choices for c in TABLES[table] if c.choices}
    inner, outer = ["t.row", "c.user_code"] if coded else ["t.row"], []
    for name in typed.names:
        column = quoted(name)
        if name == "user_id" and coded:
            inner.append("c.user_id")
        elif name in small:
            inner.append(f"t.{column}::ENUM({', '.join(map(literal, small[name]))}) AS {column}")
        else:
            inner.append(f"t.{column}")
    for field in fields:
        text = "::VARCHAR" if field.name in small or (field.name == "user_id" and coded) else ""
        outer.append(f"{quoted(field.name)}{text} AS {quoted(field.name)}")
    join = "JOIN codes AS c ON t.user_id = c.original" if coded else ""
    query = (
        f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM (SELECT * FROM "
        f"accepted_{table} {copies.without}) AS t {join} ORDER BY {_ORDER[table]})"
    )
    copy(connection, query, path, with_units(pa.schema(fields), units(table)))


def copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, schema: pa.Schema) -> None:
    """Write the result of `query` as Parquet (zstd), out of core, with `schema` stored in it.

    DuckDB writes faster than Arrow and in bounded memory, but knows no metadata of columns; the
    schema is therefore stored as Arrow itself would, under the key ``ARROW:schema``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = base64.b64encode(schema.serialize().to_pybytes()).decode()
    connection.execute(
        f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, "
        f"KV_METADATA {{'ARROW:schema': '{stored}'}})"
    )


def _write_rejected(
    connection: duckdb.DuckDBPyConnection, examined: Examined, dataset: Dataset | None, path: Path
) -> None:
    """Rows set aside: table, row, reason, user_id (hashed), record (the other columns as JSON)."""
    parts = []
    for table, typed in examined.typed.items():
        user = "user_id" if table in _HAS_USERS else "NULL::VARCHAR"
        others = [c for c in typed.columns if c != "user_id"] + list(typed.extras)
        pack = ", ".join(f"{quoted(c)} := {quoted(c)}::VARCHAR" for c in others)
        record = f"to_json(struct_pack({pack}))::VARCHAR" if others else "'{}'"
        start = f"SELECT {literal(table)} AS t, row, "
        end = f"{user} AS original, {record} AS record FROM {typed.view}"
        reason = examined.reasons[table]
        if reason != "NULL::VARCHAR":
            parts.append(f"{start}{reason} AS reason, {end} WHERE reason IS NOT NULL")
        if examined.copies[table].rows:
            parts.append(f"{start}'exact duplicate' AS reason, {end} SEMI JOIN copies_{table} "
                         "USING (row)")  # fmt: skip
    if dataset is not None and len(dataset.set_aside):
        connection.register("adapter_aside", _adapter_aside(dataset.set_aside))
        parts.append("SELECT t, row, reason, original, record FROM adapter_aside")
    parts = parts or ["SELECT ''::VARCHAR t, 0 AS row, '' reason, '' original, '' record LIMIT 0"]
    schema = pa.schema(
        [("table", pa.string()), ("row", pa.int64()), ("reason", pa.string()),
         ("user_id", pa.string()), ("record", pa.string())]
    )  # fmt: skip
    query = (
        f'SELECT t AS "table", row::BIGINT AS row, reason, c.user_id, record FROM '
        f"({' UNION ALL '.join(parts)}) LEFT JOIN codes AS c USING (original) "
        "ORDER BY t, row, reason, record"
    )
    copy(connection, query, path, schema)


def _adapter_aside(frame: pd.DataFrame) -> pa.Table:
    user = _user_column(frame)
    others = frame.drop(columns=[c for c in (user, "reason", "row", "table") if c in frame])
    lines = others.to_json(orient="records", lines=True).splitlines() if len(others.columns) else []
    numbers = pd.to_numeric(frame["row"]) if "row" in frame else pd.Series([None] * len(frame))
    return pa.table(
        {
            "t": pa.array(frame.get("table", pd.Series(["events"] * len(frame))), pa.string()),
            "row": pa.array(numbers.astype("Int64"), pa.int64()),
            "reason": pa.array(frame["reason"].astype("string"), pa.string()),
            "original": pa.array(
                frame[user].astype("string") if user else [None] * len(frame), pa.string()
            ),
            "record": pa.array(lines or ["{}"] * len(frame), pa.string()),
        }
    )


def _write_report(checked: Checked, dataset: Dataset | None, path: Path) -> None:
    """Rows read, kept and set aside by table."""
    lines = []
    for table, found in checked.tables.items():
        lines += [(table, "read", found.rows), (table, "kept", found.kept)]
        lines += [(table, f"set aside: {why}", n) for why, n in found.set_aside.items()]
        lines += [(table, f"column left out as personal data: {c}", 0) for c in found.dropped]
    if dataset is not None and len(dataset.set_aside):
        counted = dataset.set_aside.groupby("reason", sort=True).size()
        lines += [("source", f"set aside: {why}", int(n)) for why, n in counted.items()]
    frame = pd.DataFrame(lines, columns=["table", "item", "rows"])
    write_table(frame, path, {"rows": "rows"})


def _write_truth(connection: duckdb.DuckDBPyConnection, truth: TableLike, path: Path) -> None:
    """A truth table with the run's hashed ids in place of the original ones."""
    if isinstance(truth, pd.DataFrame):
        truth = pa.Table.from_pandas(truth, preserve_index=False)
    elif not isinstance(truth, pa.Table):
        truth = pq.read_table(truth)
    if "user_id" in truth.column_names:
        codes = connection.execute(
            "SELECT original, user_id::VARCHAR AS user_id, user_code FROM codes"
        ).fetchnumpy()
        coded = pd.DataFrame(codes).set_index("original")
        found = coded.reindex(truth["user_id"].to_pandas())
        place = truth.column_names.index("user_id")
        hashes = pa.array(found["user_id"].to_numpy(), pa.string(), from_pandas=True)
        truth = truth.set_column(place, "user_id", hashes)
        if "user_code" not in truth.column_names:
            numbers = pa.array(found["user_code"].astype("Int64"), pa.int64())
            truth = truth.append_column("user_code", numbers)
    write_table(truth, path)


def _write_private(connection: duckdb.DuckDBPyConnection, private: Path, key: bytes) -> None:
    """The key and the way back, readable by the owner alone."""
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(private, 0o700)
    users = connection.execute(
        "SELECT user_id::VARCHAR AS user_id, user_code, original FROM codes ORDER BY original"
    ).to_arrow_table()
    with whole_file(private / "users.parquet") as temporary:
        temporary.touch(mode=0o600)
        pq.write_table(users, temporary, compression="zstd")
    if not (private / "key").exists():
        with whole_file(private / "key") as temporary:
            temporary.touch(mode=0o600)
            temporary.write_text(key.hex() + "\n")


def _put(new: Path, place: Path, work: Path) -> None:
    """Move folder `new` to `place`; what was there goes only once the new one is complete."""
    place.parent.mkdir(parents=True, exist_ok=True)
    old = work / f"old-{place.name}"
    if place.exists():
        os.rename(place, old)
    try:
        os.rename(new, place)
    except OSError:
        if old.exists():
            os.rename(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def read_dataset(
    name: str,
    events: TableLike | None = None,
    *,
    options: Options | None = None,
    title: str = "",
    **tables: TableLike,
) -> tuple[Dataset, Checked]:
    """A user's own tables as a dataset, checked, with a card that says what they hold.

    Parameters
    ----------
    name : str
        Short name of the source.
    events : path, list of paths, Arrow table or frame, optional
    options : Options, optional
    title : str, optional
        As it stands in captions; `name` by default.
    **tables : path, Arrow table or frame
        ``users``, ``items``, ``visits``, ``assignments``.

    Raises
    ------
    InputError
        With every problem found.
    """
    given = {t: d for t, d in {"events": events, **tables}.items() if d is not None}
    checked = check(given, options).require()
    return Dataset(infer_source(checked, name, title), given), checked
