"""The profile's lists: a user's broadcasters, channels, products and categories in order."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import ibis

from precmark.engine import BATCH_ROWS, ahead
from precmark.profiles.dictionary import Entry, list_entries
from precmark.profiles.pairs import ALL, Pairs
from precmark.profiles.rows import Rows
from precmark.tables import whole_file

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def numbered() -> tuple[Entry, ...]:
    """The dictionary's lists in the order of name and window; their places are their numbers."""
    return tuple(sorted(list_entries(), key=lambda entry: (entry.name, entry.window_days)))


def ranked(tables: list[ibis.Table]) -> ibis.Table:
    """All lists of all users, in numbers.

    Parameters
    ----------
    tables : list of ibis.Table
        The tables of :data:`precmark.profiles.pairs.ALL`, in that order.

    Returns
    -------
    ibis.Table
        ``user`` (int32), ``number`` (int16, the list's place in :func:`numbered`), ``rank``
        (int64, from 1), ``item`` and ``category`` (int32 codes, one of them missing) and
        ``value`` (float64, in the dictionary's unit). Ties go to the smaller text. Unordered.
    """
    parts = []
    for pairs, table in zip(ALL, tables, strict=True):
        for limited in (True, False):
            part = _rank(pairs, table, limited)
            if part is not None:
                codes = {"item": ibis.null("int32"), "category": ibis.null("int32")}
                part = part.mutate(**codes | {pairs.key: part.thing})
                parts.append(part.select("user", "number", "rank", "item", "category", "value"))
    return ibis.union(*parts)


def with_texts(codes: ibis.Table, rows: Rows, ids: ibis.Table) -> ibis.Table:
    """`codes` (of :func:`ranked`) in words: the columns of the lists (see ``Profiles.lists``).

    `ids` holds ``user`` and ``user_id``.
    """
    names = [(n, entry.name, entry.window_days) for n, entry in enumerate(numbered())]
    names = ibis.memtable(
        names, schema={"number": "int16", "list": "string", "window_days": "int64"}
    )
    items = rows.items.select(item="code", item_text="text")
    categories = rows.categories.select(category="code", category_text="text")
    words = codes.join(names, "number").left_join(items, "item").drop("item_right")
    words = words.left_join(categories, "category").drop("category_right").join(ids, "user")
    return words.select(
        "user_id",
        words.user.cast("int64").name("user_code"),
        *("list", "window_days", "rank"),
        ibis.coalesce(words.item_text, words.category_text).name("item_id"),
        "value",
    )


def _rank(pairs: Pairs, table: ibis.Table, limited: bool) -> ibis.Table | None:
    """The lists of one table of pairs that have a limit, or those that have none, ranked."""
    chosen, limits = [], set()
    for number, entry in enumerate(numbered()):
        measure = pairs.lists.get((entry.name, entry.window_days))
        if measure and bool(entry.limit) == limited:
            chosen.append(_entries(table, number, measure))
            limits.add(entry.limit)
    if not chosen:
        return None
    every = ibis.union(*chosen) if len(chosen) > 1 else chosen[0]
    order = [every.order.desc(), every.thing.asc()]
    place = ibis.row_number().over(group_by=["user", "number"], order_by=order)
    every = every.mutate(rank=place.cast("int64") + 1)
    if limited:
        (limit,) = limits
        every = every.filter(every["rank"] <= limit)
    return every.mutate(value=every.order.abs())


def _entries(table: ibis.Table, number: int, measure: str) -> ibis.Table:
    """The pairs that belong to list `number`, ordered by `measure` (``-``: smallest first)."""
    smallest_first = measure.startswith("-")
    value = table[measure.removeprefix("-")].cast("float64")
    kept = table.filter(value.notnull() if smallest_first else value > 0)
    return kept.select(
        "user",
        "thing",
        number=ibis.literal(number).cast("int16"),
        order=-value if smallest_first else value,
    )


def write_lists(codes: ibis.Table, rows: Rows, ids: ibis.Table, path: Path) -> None:
    """Write the lists in words at `path`, in the order of user_code, list, window and rank.

    The engine sorts and hands over numbers; words are put in batch by batch, as dictionaries,
    because tens of millions of short texts cost more than the lists themselves.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    in_words = _words(rows, ids)
    columns = ["user", "number", "rank", "item", "category", "value"]
    ordered = codes.select(*columns).order_by("user", "number", "rank")
    batches = ordered.to_pyarrow_batches(chunk_size=BATCH_ROWS)
    empty = in_words(pa.RecordBatch.from_pylist([], schema=batches.schema))
    with (
        whole_file(path) as temporary,
        # Without the stored schema a reader sees plain texts, not the dictionaries written here.
        pq.ParquetWriter(temporary, empty.schema, compression="zstd", store_schema=False) as out,
    ):
        for batch in ahead(batches):
            out.write_table(in_words(batch))


def _words(rows: Rows, ids: ibis.Table) -> Callable[[pa.RecordBatch], pa.Table]:
    """A function from a batch of codes to the same rows in words."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    items = rows.items.order_by("code").text.to_pyarrow().combine_chunks()
    categories = rows.categories.order_by("code").text.to_pyarrow().combine_chunks()
    things = pa.concat_arrays([items, categories])
    users = ids.order_by("user").to_pyarrow()
    codes = users["user"].to_numpy()
    lists = pa.array([entry.name for entry in numbered()])
    windows = np.array([entry.window_days for entry in numbered()], dtype=np.int64)

    def in_words(batch: pa.RecordBatch) -> pa.Table:
        user = batch["user"].dictionary_encode()
        at = np.searchsorted(codes, user.dictionary.to_numpy())
        names = users["user_id"].take(pa.array(at)).combine_chunks()
        shifted = pc.add(batch["category"].cast(pa.int64()), len(items))
        thing = pc.coalesce(batch["item"].cast(pa.int64()), shifted)
        number = batch["number"].cast(pa.int32())
        return pa.table(
            {
                "user_id": pa.DictionaryArray.from_arrays(user.indices, names),
                "user_code": batch["user"].cast(pa.int64()),
                "list": pa.DictionaryArray.from_arrays(number, lists),
                "window_days": windows[number.to_numpy()],
                "rank": batch["rank"],
                "item_id": pa.DictionaryArray.from_arrays(thing.cast(pa.int32()), things),
                "value": batch["value"],
            }
        )

    return in_words
