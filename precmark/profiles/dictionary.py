"""The profile dictionary: every column and list of the profile, as data (paper, Tables 1 to 3)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd

PARTS_OF_DAY = {"night": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
"""Part of the day: first hour, hour after the last, on the store's clock. The paper names morning,
afternoon and evening without their hours; night is added so that nothing is lost."""

HOUR_BINS = {f"{low:02d}_{high:02d}": (low, high) for low, high in PARTS_OF_DAY.values()}
"""The paper's four active periods (Table 2, row 8), whose last it prints 18-00."""

WEEKDAYS = {"saturday": (5, 5), "sunday": (6, 6), "workday": (0, 4)}
"""Class of day: first and last weekday, Monday 0."""

VALID_WATCH_S = 300.0
"""A watch longer than this is valid (paper, Table 3, row 3: over 5 minutes)."""

LONG_VIEW_S = 30.0
"""A page view longer than this is long, the shop's counterpart of a valid watch (our choice: a
session in the paper's shop lasts 88 s, so that no page is read for 5 minutes)."""

_THINGS = {"products": "items", "categories": "categories"}


@dataclass(frozen=True)
class Entry:
    """One column of the profile, or one list in one window.

    Attributes
    ----------
    name : str
        The column, or the list's name in the ``list`` column of the lists.
    kind : {"feature", "list"}
    table, row : int
        The paper's table and its row from the top; 0 where the entry stands for none (RFM).
    shop : bool
        Not in the paper: the counterpart of that row in a shop, or an addition.
    formula : str
    unit : str
        Of the column, or of the list's ``value``; empty for names and flags.
    window_days : int or None
        Days before the as-of date; 0 for the whole history, None for an attribute of the user.
    limit : int
        Longest rank in a list; 0 for no limit and for features.
    of : str
        What a list holds: broadcasters, channels, products or categories; empty for features.
    needs : tuple of str
        What the source must be able to say (:data:`precmark.source.CAPABILITIES`).
    """

    name: str
    kind: str
    table: int
    row: int
    shop: bool
    formula: str
    unit: str
    window_days: int | None
    limit: int
    of: str
    needs: tuple[str, ...]


@cache
def entries() -> tuple[Entry, ...]:
    """Every entry of the dictionary: features in the order of the profile's columns, then lists."""
    text = (Path(__file__).parent / "dictionary.toml").read_text(encoding="utf-8")
    families = tomllib.loads(text)
    return tuple(
        entry
        for kind in ("feature", "list")
        for family in families[kind]
        for entry in _expand(kind, family)
    )


def _expand(kind: str, family: dict) -> list[Entry]:
    """The entries of one family: one for each window and each class of time in its name."""
    name = family["name"]
    choices = []
    for field, classes in (("part", PARTS_OF_DAY), ("weekday", WEEKDAYS), ("bin", HOUR_BINS)):
        if f"{{{field}}}" in name:
            choices.append([{field: key, "hours": _hours(*span)} for key, span in classes.items()])
    if "{things}" in name:
        choices.append([{"things": things} for things in _THINGS])
    out = []
    for *chosen, days in product(*choices, family.get("windows", [None])):
        words = {key: value for words in chosen for key, value in words.items()} | {"d": days}
        fill = str.format_map
        title = fill(name, words) if days else name.replace("_{d}", "")
        needs = [fill(need, words) for need in family["needs"]]
        out.append(
            Entry(
                name=title,
                kind=kind,
                table=family.get("table", 0),
                row=family.get("row", 0),
                shop=family.get("shop", False),
                formula=fill(family["formula"], words),
                unit=family.get("unit", ""),
                window_days=days,
                limit=family.get("limit", 0),
                of=fill(family.get("of", ""), words),
                needs=tuple(_THINGS.get(need, need) for need in needs),
            )
        )
    return out


def _hours(first: int, after: int) -> str:
    return f"{first:02d}:00-{after:02d}:00"


def features() -> tuple[Entry, ...]:
    """The entries that are columns of the profile, in their order."""
    return tuple(entry for entry in entries() if entry.kind == "feature")


def list_entries() -> tuple[Entry, ...]:
    """The entries that are lists, one for each list and window."""
    return tuple(entry for entry in entries() if entry.kind == "list")


def dictionary() -> pd.DataFrame:
    """The dictionary as a table, one row an entry; columns as in :class:`Entry`.

    ``needs`` is joined by commas; ``window_days`` is Int64, missing for attributes.
    """
    frame = pd.DataFrame([vars(entry) for entry in entries()])
    return frame.assign(
        needs=frame.needs.str.join(", "), window_days=frame.window_days.astype("Int64")
    )


def units() -> dict[str, str]:
    """The unit of each column of the profile that has one."""
    return {entry.name: entry.unit for entry in features() if entry.unit}
