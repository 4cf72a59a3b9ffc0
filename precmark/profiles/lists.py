"""The profile's lists: a user's broadcasters, channels, products and categories in order."""

from __future__ import annotations

import ibis

from precmark.profiles.dictionary import list_entries
from precmark.profiles.pairs import ALL, Pairs
from precmark.profiles.rows import Rows


def ranked(rows: Rows, tables: list[ibis.Table]) -> ibis.Table:
    """All lists, long: one row a user, list, window and rank.

    Parameters
    ----------
    rows : Rows
    tables : list of ibis.Table
        The tables of :data:`precmark.profiles.pairs.ALL`, in that order.

    Returns
    -------
    ibis.Table
        ``user`` (int32), ``list`` (text), ``window_days`` (int64, 0 for the whole history),
        ``rank`` (int64, from 1), ``item_id`` (text: broadcaster, channel, product or category)
        and ``value`` (float64, in the dictionary's unit). Ties go to the smaller text. Unordered.
    """
    numbers = {
        (entry.name, entry.window_days): (number, entry.limit)
        for number, entry in enumerate(list_entries())
    }
    parts = []
    for pairs, table in zip(ALL, tables, strict=True):
        for limited in (True, False):
            part = _rank(pairs, table, numbers, limited)
            if part is not None:
                texts = rows.items if pairs.key == "item" else rows.categories
                texts = texts.select(thing_="code", item_id="text")
                parts.append(part.join(texts, part.thing == texts.thing_))
    columns = ["user", "number", "rank", "item_id", "value"]
    long = ibis.union(*(part.select(*columns) for part in parts))
    names = [(n, name, days) for (name, days), (n, _) in numbers.items()]
    schema = {"number_": "int8", "list": "string", "window_days": "int64"}
    named = ibis.memtable(names, schema=schema)
    named = long.join(named, long.number == named.number_)
    return named.select("user", "list", "window_days", "rank", "item_id", "value")


def _rank(pairs: Pairs, table: ibis.Table, numbers: dict, limited: bool) -> ibis.Table | None:
    """The lists of one table of pairs that have a limit, or those that have none, ranked."""
    chosen, limits = [], set()
    for key, measure in pairs.lists.items():
        number, limit = numbers[key]
        if bool(limit) == limited:
            chosen.append(_entries(table, number, measure))
            limits.add(limit)
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
        number=ibis.literal(number, "int8"),
        order=-value if smallest_first else value,
    )
