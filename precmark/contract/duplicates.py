"""Rows that stand in a table more than once, and a digest of the rows whatever their order."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from precmark.contract.reading import quoted

_AT_ONCE = 24_000_000


@dataclass(frozen=True)
class Copies:
    """The exact duplicates of a table.

    Attributes
    ----------
    rows : int
        Rows that repeat an earlier one in every column.
    digest : int
        Sum, modulo 2^64, of the 64-bit hashes of the rows without those.
    without : str
        SQL that leaves them out, to stand after the table's name; empty where there are none.
    """

    rows: int
    digest: int
    without: str


def find_copies(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    table: str,
    names: tuple[str, ...],
    total: int,
) -> Copies:
    """The exact duplicates of `view` over columns `names`, keeping the first of each.

    Hashes that differ prove that rows differ; rows are compared column by column only where two
    hashes are equal. Hashes are held in memory for 24 million rows at a time (200 MB).

    Parameters
    ----------
    view : str
        DuckDB view with `names` and ``row``.
    table : str
        For the name of the temporary table ``copies_TABLE`` (columns ``row`` and ``h``).
    total : int
        Rows of `view`.

    Notes
    -----
    The hash is DuckDB's own, over the contract's columns in the contract's order and types, so
    the digest does not depend on the file; a test holds it to known values, as another version
    of DuckDB could change it.
    """
    columns = ", ".join(quoted(n) for n in names)
    passes = max(1, -(-total // _AT_ONCE))
    digest, repeated = 0, []
    # The order of the hashes does not matter, and keeping it costs half of the speed.
    connection.execute("SET preserve_insertion_order = false")
    for i in range(passes):
        part = f" WHERE h % {passes} = {i}" if passes > 1 else ""
        hashes = connection.execute(
            f"SELECT h FROM (SELECT hash({columns}) AS h FROM {view}){part}"
        ).fetchnumpy()["h"]
        digest += int(hashes.sum(dtype=np.uint64))
        hashes.sort()
        repeated.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
    connection.execute("SET preserve_insertion_order = true")
    suspects = np.concatenate(repeated)
    if not len(suspects):
        return Copies(0, digest % 2**64, "")
    connection.register("suspects", pa.table({"h": suspects}))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE copies_{table} AS SELECT row, h FROM ("
        f"SELECT row, hash({columns}) AS h, row_number() OVER (PARTITION BY {columns} "
        f"ORDER BY row) AS nth FROM {view} WHERE hash({columns}) IN (FROM suspects)) WHERE nth > 1"
    )
    connection.unregister("suspects")
    rows, taken = connection.execute(
        f"SELECT count(*), coalesce(sum(h::HUGEINT), 0) FROM copies_{table}"
    ).fetchone()
    if not rows:
        return Copies(0, digest % 2**64, "")
    without = f"ANTI JOIN copies_{table} USING (row)"
    return Copies(rows, (digest - int(taken)) % 2**64, without)
