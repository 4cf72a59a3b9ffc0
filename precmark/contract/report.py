"""What a check says: counts by table, problems, and what the data can be used for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from precmark.errors import InputError, Problem
from precmark.source import Source


@dataclass(frozen=True)
class TableCheck:
    """What the check found in one table.

    Attributes
    ----------
    table : str
        Contract table.
    files : tuple of str
        Its files, as the user knows them.
    rows, kept : int
        Rows read; rows that go into the run.
    set_aside : mapping of str to int
        Reason to rows; each row counts once, under the first reason that it meets.
    columns : mapping of str to str
        Contract column to the file's column.
    ignored, dropped : tuple of str
        The file's columns that the contract does not use; those left out as personal data.
    users : int
        Distinct users among the rows kept (0 where the table has none).
    start, end : datetime or None
        First and last timestamp (UTC) of the rows kept.
    digest : int
        Sum of a 64-bit hash over the rows kept, whatever their order.
    """

    table: str
    files: tuple[str, ...]
    rows: int
    kept: int = 0
    set_aside: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    users: int = 0
    start: datetime | None = None
    end: datetime | None = None
    digest: int = 0


@dataclass(frozen=True)
class Checked:
    """The outcome of :func:`check`.

    Attributes
    ----------
    tables : mapping of str to TableCheck
        The tables that could be read.
    problems : tuple of Problem or str
        What is refused; empty where the data can be used.
    says : frozenset of str
        Keys of ``source.CAPABILITIES`` that the tables have; empty where refused.
    timezone : str
        Zone that the user named, or ``"UTC"``.
    fingerprint : str
        16 hexadecimal digits of the content that goes into the run: the same for any container,
        order of rows, and key. Empty where refused.
    """

    tables: Mapping[str, TableCheck]
    problems: tuple[Problem | str, ...]
    says: frozenset[str] = frozenset()
    timezone: str = "UTC"
    fingerprint: str = ""

    @property
    def ok(self) -> bool:
        """Whether the data can be used."""
        return not self.problems

    @property
    def rows(self) -> int:
        """Rows read, over all tables."""
        return sum(t.rows for t in self.tables.values())

    @property
    def set_aside(self) -> dict[str, int]:
        """``"table: reason"`` to rows set aside."""
        return {f"{t.table}: {r}": n for t in self.tables.values() for r, n in t.set_aside.items()}

    def require(self) -> Checked:
        """Itself; an :class:`InputError` with every problem where there is one."""
        if self.problems:
            raise InputError(self.problems)
        return self


def fingerprint(tables: Mapping[str, TableCheck]) -> str:
    """16 hexadecimal digits over the tables' names, rows kept and digests."""
    text = "\n".join(f"{t} {r.kept} {r.digest:016x}" for t, r in sorted(tables.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def infer_source(checked: Checked, name: str, title: str = "", currency: str = "") -> Source:
    """The card of a user's own log: what it can say is what its tables were found to hold."""
    return Source(
        name=name,
        title=title or name,
        says=checked.says,
        timezone=checked.timezone,
        currency=currency,
    )
