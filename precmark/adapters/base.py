"""What every adapter has: a card (``data/cards/NAME.toml``) and the way from its file to tables."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from precmark.contract.schema import TABLES
from precmark.errors import InputError, Problem
from precmark.source import Dataset, Source

CARDS = Path(__file__).resolve().parents[2] / "data" / "cards"
"""The folder of the cards."""

Fingerprint = dict[str, int | float | str]
"""What was counted in a file: row counts, sums, first and last date."""

_ARROW = {
    "text": pa.string(),
    "choice": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
}


@dataclass(frozen=True)
class Download:
    """One file to download.

    Attributes
    ----------
    url : str
    file : str
        Its path below the cache folder.
    """

    url: str
    file: str


@dataclass(frozen=True)
class Card:
    """The card of a public data set, as read from ``data/cards``.

    Attributes
    ----------
    source : Source
        Name, title, capabilities, time zone, currency, licence, reference, notes.
    publisher, licence_url, homepage : str
    files : tuple of str
        Names under which the data is looked for in a folder, in this order.
    downloads : tuple of Download
    columns : dict of str to str
        Column of the publisher's file to its meaning; all are required.
    fingerprint : dict
        What the published content counts to (see :data:`Fingerprint`).
    codes : dict of str to list of str
        What the publisher's codes 1, 2, ... of a column stand for; "" where unknown.
    """

    source: Source
    publisher: str
    licence_url: str
    homepage: str
    files: tuple[str, ...]
    downloads: tuple[Download, ...]
    columns: dict[str, str]
    fingerprint: Fingerprint
    codes: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapter:
    """How one public data set becomes tables of the contract.

    Attributes
    ----------
    name : str
        The card's name, as on the command line.
    read : callable
        Path (file or folder, any container that the publisher or a copy uses) to the raw frame,
        with the columns that the card names.
    fingerprint : callable
        Raw frame to its :data:`Fingerprint`.
    convert : callable
        Raw frame and the card to a :class:`~precmark.source.Dataset`.
    """

    name: str
    read: Callable[[Path], pd.DataFrame]
    fingerprint: Callable[[pd.DataFrame], Fingerprint]
    convert: Callable[[pd.DataFrame, Card], Dataset]


def read_card(name: str) -> Card:
    """The card of data set `name`."""
    path = CARDS / f"{name}.toml"
    if not path.exists():
        raise InputError(
            f"the card {path} is missing. Work in a whole checkout of the project, and install "
            "it with `pip install -e .`."
        )
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    source = Source(
        name=raw["name"],
        title=raw["title"],
        says=frozenset(raw["says"]),
        timezone=raw["timezone"],
        currency=raw["currency"],
        licence=raw["licence"],
        reference=raw["reference"],
        notes=tuple(raw["notes"]),
    )
    return Card(
        source=source,
        publisher=raw["publisher"],
        licence_url=raw["licence_url"],
        homepage=raw["homepage"],
        files=tuple(raw["files"]),
        downloads=tuple(Download(**d) for d in raw["downloads"]),
        columns=raw["columns"],
        fingerprint=raw["fingerprint"],
        codes=raw.get("codes", {}),
    )


def check_columns(found: Iterable[str], card: Card, path: Path) -> None:
    """Refuse a file that lacks columns which `card` names, listing each with the nearest name."""
    found = [str(c) for c in found]
    problems = []
    for column in card.columns:
        if column not in found:
            near = difflib.get_close_matches(column, found, n=1)
            fix = f"The nearest column there is {near[0]!r}." if near else _expected(card)
            problems.append(Problem(f"{path.name}: column {column!r} is missing", fix))
    if problems:
        raise InputError(problems)


def check_fingerprint(found: Fingerprint, card: Card, path: Path) -> None:
    """Refuse content that differs from what the publisher's file counts to, saying where."""
    differ = [
        f"{key.replace('_', ' ')} {_show(found.get(key))} (published {_show(expected)})"
        for key, expected in card.fingerprint.items()
        if not _same(found.get(key), expected)
    ]
    if differ:
        what = f"{path} does not hold what was published as {card.source.name}: "
        raise InputError(Problem(what + ", ".join(differ), _expected(card)))


def table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Contract table `name` from `columns`, each cast to the type that the contract gives it."""
    kinds = {c.name: c.kind for c in TABLES[name]}
    arrays = {}
    for column, values in columns.items():
        if isinstance(values, str) or values is None:
            raise TypeError(f"{column}: give one value a row")
        array = pa.array(values, from_pandas=True)
        kind = _ARROW[kinds[column]] if column in kinds else array.type
        arrays[column] = array.cast(pa.string() if pa.types.is_large_string(kind) else kind)
    return pa.table(arrays)


def _same(found: object, expected: object) -> bool:
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=0.005)
    return found == expected


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _expected(card: Card) -> str:
    return f"Take the file that {card.publisher} publishes: {card.homepage}."
