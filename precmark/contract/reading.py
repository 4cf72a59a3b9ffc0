"""From files, Arrow tables and frames to DuckDB relations with row numbers, out of core."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from precmark.contract.files import Input, check_utf8, csv_header, find, open_all, unix_lines
from precmark.errors import InputError, Problem

MEMORY_LIMIT = "1100MB"
"""What DuckDB may hold before it spills; the process stays below 2 GiB with it."""

TableLike = Path | str | list | tuple | pa.Table | pd.DataFrame
"""A table on its way in: path, glob, folder or a list of them, Arrow table or frame."""

_NESTED = re.compile(r"\[\d*\]$|^(STRUCT|MAP|UNION|LIST)\b|^VARIANT$")


@dataclass(frozen=True)
class Staged:
    """One input table, readable by DuckDB and not yet looked into.

    Attributes
    ----------
    table : str
        Contract table.
    view : str
        DuckDB view: the file's columns and ``__row``, the row number from 1 over all files.
    files : tuple of str
        As the user knows them.
    starts : tuple of int
        Rows before each file.
    rows : int
    columns : mapping of str to str
        Column to DuckDB type, in the file's order.
    """

    table: str
    view: str
    files: tuple[str, ...]
    starts: tuple[int, ...]
    rows: int
    columns: Mapping[str, str]

    def where(self, row: int) -> str:
        """``"part-2.csv, row 7"`` for row number `row`; empty where there is one file only."""
        if len(self.files) < 2:
            return ""
        part = max(i for i, start in enumerate(self.starts) if start < row)
        return f"{self.files[part]}, row {row - self.starts[part]}"


@contextmanager
def workspace(folder: Path | str | None = None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A DuckDB connection that spills to, and a path of, a temporary folder; both go at the end.

    Parameters
    ----------
    folder : path, optional
        Where the temporary folder is made; the system's place by default.
    """
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        _sweep(Path(folder))
    work = Path(tempfile.mkdtemp(prefix=f".ingest-{os.getpid()}-", dir=folder))
    connection = duckdb.connect()
    try:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        # Every thread needs buffers of its own out of that limit.
        connection.execute(f"SET threads = {min(os.cpu_count() or 1, 8)}")
        connection.execute(f"SET temp_directory = {literal(str(work / 'spill'))}")
        connection.execute("SET TimeZone = 'UTC'")
        # In a notebook without widgets the bar is off, and DuckDB refuses to be told so again.
        if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
            connection.execute("SET enable_progress_bar = false")
        yield connection, work
    finally:
        connection.close()
        shutil.rmtree(work, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what a killed process left in `folder`."""
    for left in folder.glob(".ingest-*-*"):
        owner = left.name.split("-")[1]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def is_number(type_: str) -> bool:
    """Whether DuckDB type `type_` holds numbers."""
    return bool(re.match(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$|DOUBLE$|FLOAT$|DECIMAL", type_))


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def stage(connection: duckdb.DuckDBPyConnection, work: Path, table: str, data: TableLike) -> Staged:
    """Make `data` a view of `connection` with row numbers, as input of contract table `table`.

    Text formats are turned into Parquet in `work` once, every column as the text it is, so that
    nothing is guessed about types and the rows keep their numbers.

    Raises
    ------
    InputError
        Lists every file that cannot be read, is not UTF-8, has no rows, rows with too many or too
        few fields, or nested columns.
    """
    folder = work / table
    folder.mkdir()
    if isinstance(data, (pa.Table, pd.DataFrame)):
        inputs = [Input(table, _write(table, data, folder), "parquet")]
    else:
        inputs = open_all(find(data), folder)
    if len({i.kind for i in inputs}) > 1:
        kinds = sorted({f"{i.name} ({i.kind})" for i in inputs})
        raise InputError(
            Problem(
                f"{table}: files of different kinds: {', '.join(kinds[:4])}",
                "Give files of one kind.",
            )
        )
    problems: list[Problem | str] = []
    parts = []
    for number, item in enumerate(inputs):
        try:
            target = folder / f"{number}.parquet"
            parts.append(
                item.path if item.kind == "parquet" else _convert(connection, item, target)
            )
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return _view(connection, table, [i.name for i in inputs], parts)


def _write(table: str, data: pa.Table | pd.DataFrame, folder: Path) -> Path:
    if isinstance(data, pd.DataFrame):
        try:
            data = pa.Table.from_pandas(data, preserve_index=False)
        except pa.ArrowException as error:
            raise InputError(
                Problem(
                    f"{table}: a column mixes types ({', '.join(map(str, error.args))})",
                    "Give every value of a column the same type.",
                )
            ) from error
    path = folder / "memory.parquet"
    pq.write_table(data, path, compression="zstd")
    return path


def _convert(connection: duckdb.DuckDBPyConnection, item: Input, target: Path) -> Path:
    """The text file `item` as Parquet, all columns text."""
    mixed = check_utf8(item)
    copied = item
    if item.kind == "json":
        _copy_text(connection, item, _json_source(connection, item), target)
    elif misfits := _copy_csv(connection, item, target):
        # DuckDB takes one kind of line end for the file's; Windows and Unix ends come mixed.
        if mixed:
            copied = replace(item, path=unix_lines(item, target.with_suffix(".txt")))
            misfits = _copy_csv(connection, copied, target)
        if misfits:
            raise InputError(misfits)
    for used in {item.path, copied.path}:
        if used.parent == target.parent:
            used.unlink()
    return target


def _copy_text(
    connection: duckdb.DuckDBPyConnection, item: Input, source: str, target: Path
) -> None:
    try:
        connection.execute(
            f"COPY (SELECT * FROM {source}) TO {literal(str(target))} (FORMAT parquet)"
        )
    except duckdb.Error as error:
        raise unreadable(item.name, error) from error


def _copy_csv(connection: duckdb.DuckDBPyConnection, item: Input, target: Path) -> list[Problem]:
    """Copy CSV file `item` to Parquet; the problems are lines that do not fit its header."""
    names, separator = csv_header(item)
    columns = ", ".join(f"{literal(n)}: 'VARCHAR'" for n in names)
    source = (
        f"read_csv({literal(str(item.path))}, auto_detect = false, header = true, "
        f"delim = {literal(separator)}, quote = '\"', escape = '\"', columns = {{{columns}}}, "
        "store_rejects = true, rejects_limit = 0)"
    )
    _copy_text(connection, item, source, target)
    found = connection.execute(
        "SELECT error_type, count(DISTINCT line), list_sort(list(DISTINCT line))[:5], "
        "first(error_message ORDER BY line) FROM reject_errors GROUP BY 1 ORDER BY 1"
    ).fetchall()
    connection.execute("DROP TABLE reject_errors")
    connection.execute("DROP TABLE reject_scans")
    return [
        Problem(
            f"{item.name}: lines that do not fit the header ({str(kind).lower()}: {message})",
            "Quote fields that hold the separator, then give every line the header's columns.",
            rows=rows,
            # Line 1 is the header; exact as long as no field holds a line break.
            first_rows=tuple(line - 1 for line in lines),
        )
        for kind, rows, lines, message in found
    ]


def _json_source(connection: duckdb.DuckDBPyConnection, item: Input) -> str:
    """Read with every top-level field as text; nested fields are refused."""
    with item.path.open("rb") as file:
        lines = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    layout = "newline_delimited" if lines else "array"
    read = f"read_json({literal(str(item.path))}, format = '{layout}', records = true"
    try:
        described = connection.execute(
            f"DESCRIBE SELECT * FROM {read}, sample_size = -1, map_inference_threshold = -1)"
        ).fetchall()
    except duckdb.Error as error:
        raise unreadable(item.name, error) from error
    _refuse_nested(item.name, {name: type_ for name, type_, *_ in described})
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name, *_ in described)
    return f"{read}, columns = {{{columns}}})"


def _refuse_nested(name: str, columns: Mapping[str, str]) -> None:
    problems = [
        Problem(
            f"{name}: column {column!r} is nested ({type_[:60]})",
            "Write each of its fields as a column of its own, or leave it out of the file.",
        )
        for column, type_ in columns.items()
        if _NESTED.search(type_)
    ]
    if problems:
        raise InputError(problems)


def unreadable(name: str, error: duckdb.Error) -> InputError:
    """What DuckDB says of `name`, in one line and without its query."""
    first = str(error).split("\n\n")[0].split("\nLINE")[0].strip().replace("\n", " ")
    reason = first.rsplit(": ", 1)[-1]
    if isinstance(error, duckdb.OutOfMemoryException):
        what, fix = "needs more memory than it may take", "Free some disk space, or split the file."
    elif re.search(r"No space left|out of disk|not write|File too large", str(error), re.I):
        what = f"could not be written ({reason}); nothing was left half written"
        fix = "Free some space or choose another folder, then run the same command again."
    else:
        what, fix = f"cannot be read: {first[:300]}", "Mend the file there, or export it again."
    line = re.search(r"line:? (\d+)", first, re.IGNORECASE)
    return InputError(
        Problem(
            f"{name}: {what}",
            fix,
            rows=1 if line else 0,
            first_rows=(int(line.group(1)),) if line else (),
        )
    )


def _refuse_reserved(names: list[str], parts: list[Path]) -> None:
    """Row numbers come from DuckDB's own columns; a file's column of that name would hide them."""
    problems = [
        Problem(f"{name}: column {column!r} has a name that DuckDB keeps for itself", "Rename it.")
        for name, part in zip(names, parts, strict=True)
        for column in pq.read_schema(part).names
        if column.lower() in ("file_row_number", "file_index", "__row")
    ]
    if problems:
        raise InputError(problems)


def _view(
    connection: duckdb.DuckDBPyConnection, table: str, names: list[str], parts: list[Path]
) -> Staged:
    """One view over Parquet files `parts`."""
    counts = []
    for name, part in zip(names, parts, strict=True):
        try:
            counts.append(pq.read_metadata(part).num_rows)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                Problem(f"{name}: not a readable Parquet file ({error})", "Export it again.")
            ) from error
    if not sum(counts):
        raise InputError(
            Problem(
                f"{', '.join(names[:3])}: a header and no rows", "Export it again with its rows."
            )
        )
    starts = tuple(sum(counts[:i]) for i in range(len(counts)))
    _refuse_reserved(names, parts)
    files = ", ".join(literal(str(p)) for p in parts)
    offset = (
        f"list_value({', '.join(map(str, starts))})[file_index::BIGINT + 1]"
        if len(parts) > 1
        else "0"
    )
    view = f"raw_{table}"
    try:
        connection.execute(
            f"CREATE VIEW {view} AS SELECT *, file_row_number + 1 + {offset} AS __row "
            f"FROM read_parquet([{files}], union_by_name = true)"
        )
        described = connection.execute(f"DESCRIBE {view}").fetchall()
    except duckdb.Error as error:
        raise unreadable(", ".join(names[:3]), error) from error
    columns = {name: type_ for name, type_, *_ in described if name != "__row"}
    _refuse_nested(", ".join(names[:3]), columns)
    return Staged(table, view, tuple(names), starts, sum(counts), columns)
