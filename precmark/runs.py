"""One run of the study: a folder of tables, executed chapters and a rendered book.

``runs/NAME/`` holds ``run.json`` (what was asked for, the source's card, the data's fingerprint),
``results/`` (tables that pass between chapters), ``truth/`` (simulated stores: no model reads it),
``private/`` (the key of the user ids; no page includes it), ``chapters/`` (executed notebooks),
``logs/`` (notebooks under way) and ``book/`` (rendered pages).
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa

from precmark.errors import InputError
from precmark.source import CAPABILITIES, Source
from precmark.tables import read_table, whole_file, write_table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def root() -> Path:
    """The repository's root: the nearest folder from here upwards with ``_config.yml``."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_config.yml").exists() and (folder / "notebooks").is_dir():
            return folder
    raise InputError(
        f"{here} is not inside a precmark checkout (no _config.yml beside notebooks/ above it). "
        "Run the command from the folder that `git clone` made."
    )


def enter_root() -> None:
    """Make the repository's root the working folder, so that relative paths mean one thing."""
    os.chdir(root())


def check_name(name: str) -> str:
    """`name` where it can name a run's folder; an :class:`InputError` where it cannot."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"run name {name!r}: use 1 to 64 letters, digits, dots, dashes or underscores, "
            "starting with a letter or digit, and no slashes. Example: --name my-store"
        )
    return name


class Run:
    """A run's folder, opened for reading and writing.

    Parameters
    ----------
    path : path
        The run's folder; it must hold ``run.json`` (``precmark run`` makes it).

    Attributes
    ----------
    path, results, truth, private, chapters, logs, book : Path
    name : str
        The folder's name.
    card : dict
        ``run.json``: ``parameters``, ``source``, ``fingerprint``, ``version``.
    source : Source
        What the data is and what it can say.
    reader : str
        The chapter that reads the run; it is held to what it needs. "" for anybody else.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        if not (self.path / "run.json").exists():
            raise InputError(
                f"there is no run at {self.path}. Make it with `precmark run --name "
                f"{self.path.name} ...` (`make book` makes runs/sample)."
            )
        self.name = self.path.name
        self.reader = ""
        self.results = self.path / "results"
        self.truth = self.path / "truth"
        self.private = self.path / "private"
        self.chapters = self.path / "chapters"
        self.logs = self.path / "logs"
        self.book = self.path / "book"
        self.card = json.loads((self.path / "run.json").read_text())
        source = dict(self.card["source"])
        self.source = Source(
            **{**source, "says": frozenset(source["says"]), "notes": tuple(source["notes"])}
        )

    @classmethod
    def open(cls, run: Path | str | None = None) -> Run:
        """Open `run`: a folder, relative to the repository's root, or None for the default.

        The default is ``$PRECMARK_RUN`` or ``runs/sample``. The working folder becomes the
        repository's root, so that a notebook behaves the same wherever it was started.
        """
        enter_root()
        return cls(run or os.environ.get("PRECMARK_RUN") or "runs/sample")

    @property
    def as_of(self) -> pd.Timestamp | None:
        """The instant before which profiles look (local midnight, in UTC); None without a clock."""
        day = self.card["parameters"]["as_of"]
        return day and pd.Timestamp(day, tz=self.source.timezone).tz_convert("UTC")

    @property
    def engine(self) -> str:
        """The engine that the run asked for: ``duckdb`` or ``spark``."""
        return self.card["parameters"]["engine"]

    def has(self, table: str) -> bool:
        """Whether the results hold `table`, e.g. ``"contract/users"``."""
        return self.table_path(table).exists()

    def table_path(self, table: str) -> Path:
        """Where `table` (``"sessions/sessions"``) lies.

        Raises
        ------
        ValueError
            Where :attr:`reader` does not need the chapter that makes it: whether the table is
            there would depend on the order in which the chapters happened to run.
        """
        if self.reader:
            from precmark.chapters import maker_of, needed_by

            made_by = maker_of(table)
            if made_by not in ("data", self.reader, *needed_by(self.reader)):
                raise ValueError(
                    f"chapter {self.reader} reads {table}, which chapter {made_by} makes: "
                    f"add {made_by} to its needs in chapters.toml"
                )
        return self.results / f"{table}.parquet"

    def need(self, table: str) -> Path:
        """Path of `table`; where missing, an error that says which chapter makes it and how."""
        path = self.table_path(table)
        if not path.exists():
            from precmark.chapters import maker_of

            made_by = maker_of(table)
            raise InputError(
                f"{path} is missing; chapter {made_by} makes it. "
                f"Run `precmark run --name {self.name} --only {made_by}`."
            )
        return path

    def table(self, table: str, columns: list[str] | None = None) -> pd.DataFrame:
        """`table` as a frame (see :meth:`need` for the error)."""
        return read_table(self.need(table), columns)

    def write(
        self, table: str, frame: pa.Table | pd.DataFrame, units: Mapping[str, str] | None = None
    ) -> Path:
        """Write `frame` as results table `table` with column `units`, whole or not at all."""
        return write_table(frame, self.table_path(table), units)

    def says(self, *capabilities: str, part: str = "") -> bool:
        """Whether the source holds all `capabilities`; where not, prints why `part` is left out."""
        missing = [c for c in capabilities if c not in self.source.says]
        if missing:
            lacks = " or ".join(CAPABILITIES[c] for c in missing)
            print(
                f"Left out{': ' + part if part else ''}. {self.source.title} does not hold {lacks}."
            )
        return not missing


def write_card(path: Path, card: Mapping[str, object]) -> None:
    """Write ``run.json`` in `path`, whole or not at all; a Source is stored field by field."""
    card = dict(card)
    if isinstance(card.get("source"), Source):
        source = dataclasses.asdict(card["source"])
        card["source"] = {**source, "says": sorted(source["says"]), "notes": list(source["notes"])}
    with whole_file(path / "run.json") as temporary:
        temporary.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold run folder `path` for this process; refuse where another process holds it.

    The kernel frees the lock when the process ends, however it ends, so none is ever stale.
    """
    path.mkdir(parents=True, exist_ok=True)
    with (path / ".lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            raise InputError(
                f"run {path.name!r} is being worked on by process {handle.read().strip() or '?'}. "
                "Wait until it ends, or give this run another --name."
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
