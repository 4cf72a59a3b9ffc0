"""Where the expressions of sessions and profiles run: DuckDB in the process, or Spark."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import os
import queue
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import ibis

from precmark.errors import InputError
from precmark.tables import whole_file, with_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pyarrow as pa

ENGINES = ("duckdb", "spark")
"""The engines by the name given to ``--engine``."""

DAY_US = 86_400_000_000
"""Microseconds of a day."""

MONEY_PARTS = 10_000
"""Money is summed in whole ten-thousandths, so that the order of rows changes no digit."""

LARGEST_MONEY = 1e12
"""A line's value above this is taken for a mistake, not money."""

_PARTITIONS = 8
_HELD: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
BATCH_ROWS = 500_000
"""Rows that pass between an engine and a file at a time."""


@ibis.udf.scalar.builtin
def epoch_us(instant: ibis.expr.datatypes.Timestamp(timezone="UTC")) -> int:
    """Microseconds since 1970 in DuckDB."""


@ibis.udf.scalar.builtin
def unix_micros(instant: ibis.expr.datatypes.Timestamp(timezone="UTC")) -> int:
    """Microseconds since 1970 in Spark."""


@ibis.udf.scalar.builtin
def make_timestamptz(us: int) -> ibis.expr.datatypes.Timestamp(timezone="UTC"):
    """Instant from microseconds since 1970 in DuckDB."""


@ibis.udf.scalar.builtin
def timestamp_micros(us: int) -> ibis.expr.datatypes.Timestamp(timezone="UTC"):
    """Instant from microseconds since 1970 in Spark."""


@ibis.udf.agg.builtin
def bit_or(bits: int) -> int:
    """All bits set in any row; the same name in both engines, though Ibis knows only one."""


@ibis.udf.scalar.builtin
def bit_count(bits: int) -> ibis.expr.datatypes.int32:
    """How many bits of a non-negative integer are set; the same name in both engines.

    DuckDB gives a tiny integer and Spark an int: cast the result before adding.
    """


def connect(engine: str = "duckdb", *, threads: int | None = None, memory_limit: str = "3GB"):
    """An Ibis connection to `engine`, in UTC.

    Parameters
    ----------
    engine : {"duckdb", "spark"}
        ``duckdb`` runs in this process and spills to a temporary folder when a table outgrows
        `memory_limit`. ``spark`` joins the Spark session that is already running, or starts a
        local one; it needs ``pip install precmark[spark]`` and Java 17.
    threads : int, optional
        Threads to use; None for all processors. A running Spark session keeps its own.
    memory_limit : str
        What DuckDB, or the driver of a Spark session started here, may hold, e.g. ``"3GB"``.

    Returns
    -------
    ibis.backends.BaseBackend

    Raises
    ------
    InputError
        Unknown engine; Spark asked for where pyspark or Java is missing.
    """
    if engine == "duckdb":
        spill = Path(tempfile.gettempdir(), f"precmark-{os.getpid()}")
        settings = {
            "memory_limit": memory_limit,
            "preserve_insertion_order": False,
            "temp_directory": str(spill),
        }
        if threads:
            settings["threads"] = threads
        return ibis.duckdb.connect(**settings)
    if engine == "spark":
        return _connect_spark(threads, memory_limit)
    raise InputError(f"engine {engine!r} is not known. Use one of: {', '.join(ENGINES)}.")


def spark_missing() -> str:
    """What keeps Spark from running here, in words; empty where nothing does."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed (`pip install precmark[spark]`)"
    java_home = os.environ.get("JAVA_HOME")
    java = Path(java_home, "bin", "java").exists() if java_home else shutil.which("java")
    return "" if java else "Java is not installed (version 17 or later, on PATH or in JAVA_HOME)"


def _connect_spark(threads: int | None, memory_limit: str):
    missing = spark_missing()
    if missing:
        raise InputError(f"engine 'spark' cannot run: {missing}. Or use --engine duckdb.")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(f"local[{threads or '*'}]")
        .appName("precmark")
        .config("spark.driver.memory", memory_limit.lower().removesuffix("b"))
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", str(_PARTITIONS))
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    return ibis.pyspark.connect(session)


def keep(con, table: ibis.Table) -> ibis.Table:
    """`table`, computed once now (DuckDB) or at first use (Spark) and held by the connection."""
    if con.name == "pyspark":
        # Ibis drops a cached table once nobody holds it, and expressions made from it do not.
        _HELD.setdefault(con, []).append(table.cache())
        return _HELD[con][-1]
    return con.create_table(ibis.util.gen_name("kept"), table, temp=True)


def read(con, path: Path | str) -> ibis.Table:
    """The Parquet file (or folder of files) at `path` as a table of connection `con`."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist. Give the path of a Parquet file.")
    return con.read_parquet(str(path))


def microseconds(con, instant: ibis.expr.types.TimestampColumn) -> ibis.expr.types.IntegerColumn:
    """`instant` as microseconds since 1970-01-01 UTC (int64), exact on both engines."""
    return (unix_micros if con.name == "pyspark" else epoch_us)(instant)


def as_timestamp(con, us: ibis.expr.types.IntegerColumn) -> ibis.expr.types.TimestampColumn:
    """The instant `us` microseconds after 1970-01-01 UTC; the way back of :func:`microseconds`."""
    return (timestamp_micros if con.name == "pyspark" else make_timestamptz)(us)


def write_whole(
    table: ibis.Table, path: Path | str, units: Mapping[str, str] | None = None
) -> Path:
    """Write `table` as Parquet at `path` batch by batch, whole or not at all.

    Parameters
    ----------
    table : ibis.Table
        Ordered where the order of rows matters; may be larger than memory.
    path, units
        See :func:`precmark.tables.write_table`; units of columns that `table` lacks are ignored.
    """
    import pyarrow.parquet as pq

    batches = table.to_pyarrow_batches(chunk_size=BATCH_ROWS)
    known = {name: unit for name, unit in (units or {}).items() if name in batches.schema.names}
    schema = with_units(_in_utc(batches.schema), known)
    with (
        whole_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as out,
    ):
        for batch in ahead(batches):
            out.write_batch(batch.cast(schema))
    return Path(path)


def ahead(batches: Iterable) -> Iterator:
    """The items of `batches`, fetched by a thread of its own up to two ahead of the reader.

    The engine then computes the next rows while the last ones are encoded and written.
    """
    fetched: queue.Queue = queue.Queue(maxsize=2)
    stop = threading.Event()

    def fetch() -> None:
        try:
            for batch in batches:
                fetched.put((batch, None))
                if stop.is_set():
                    return
            fetched.put((None, None))
        except BaseException as error:  # handed to the reader, who raises it
            fetched.put((None, error))

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    try:
        while True:
            batch, error = fetched.get()
            if error is not None:
                raise error
            if batch is None:
                return
            yield batch
    finally:
        stop.set()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                fetched.get(timeout=0.05)


def _in_utc(schema: pa.Schema) -> pa.Schema:
    """`schema` with every instant in UTC: Spark hands its instants over without their zone."""
    import pyarrow as pa

    utc = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [f.with_type(utc) if pa.types.is_timestamp(f.type) else f for f in schema], schema.metadata
    )


def in_parts(amount: ibis.expr.types.NumericColumn, parts: int = MONEY_PARTS):
    """`amount` as a whole number of 1/`parts` (int64): sums of these are exact in any order."""
    return (amount.cast("float64") * float(parts)).round().cast("int64")


def check_amounts(largest: float | None) -> None:
    """Refuse a log whose `largest` ``value`` is no money (above :data:`LARGEST_MONEY`)."""
    if largest is not None and largest > LARGEST_MONEY:
        raise InputError(
            f"events.value: the largest is {largest:g}, more than {LARGEST_MONEY:g}. Give the "
            "money of each line in the store's currency."
        )


def local_clock(timezone: str, first_us: int, last_us: int) -> Callable:
    """A function from microseconds UTC to microseconds on the local clock of `timezone`.

    The zone's changes of offset between `first_us` and `last_us` become one chain of comparisons
    of integers, so that daylight saving is right to the second and costs no time-zone arithmetic
    row by row, the same on every engine.

    Parameters
    ----------
    timezone : str
        IANA name, e.g. ``"Europe/London"``.
    first_us, last_us : int
        The span of the instants to come, microseconds since 1970 UTC. Outside it the offset of
        the nearer end is used.

    Returns
    -------
    function of an integer column (or int) to the same

    Examples
    --------
    >>> winter = 1_700_000_000_000_000
    >>> local_clock("Europe/Paris", winter, winter)(winter) - winter
    3600000000
    """
    pieces = offset_changes(timezone, first_us, last_us)

    def to_local(us):
        first, *later = pieces
        if not later:
            return us + first[1]
        if isinstance(us, int):
            return us + [offset for start, offset in pieces if start <= max(us, first[0])][-1]
        cases = [(us >= start, offset) for start, offset in reversed(later)]
        return us + ibis.cases(*cases, else_=first[1]).cast("int64")

    return to_local


def offset_changes(timezone: str, first_us: int, last_us: int) -> list[tuple[int, int]]:
    """Each stretch of constant UTC offset in the span: (its start, its offset), microseconds UTC.

    The first stretch starts at `first_us`. Found by halving whole days in which the offset differs
    at both ends, to the second.
    """
    zone = zone_of(timezone)

    def offset(second: int) -> int:
        return round(dt.datetime.fromtimestamp(second, zone).utcoffset().total_seconds())

    first, last = first_us // 1_000_000, -(-last_us // 1_000_000)
    pieces = [(first_us, offset(first) * 1_000_000)]
    start = first
    while start < last:
        end = min(start + 86_400, last)
        if offset(start) != offset(end):
            low, high = start, end
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(start) else (low, middle)
            pieces.append((high * 1_000_000, offset(high) * 1_000_000))
        start = end
    return pieces


def zone_of(timezone: str) -> ZoneInfo:
    """The time zone called `timezone`; an :class:`InputError` where there is none."""
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"time zone {timezone!r} is not known. Use an IANA name, e.g. Europe/London."
        ) from None


def day_start_us(day: dt.date, timezone: str) -> int:
    """The instant at which local date `day` begins in `timezone`, microseconds since 1970 UTC."""
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=zone_of(timezone))
    return round(midnight.timestamp()) * 1_000_000
