"""The study's chapters: their graph, and what every chapter does at its start and its end."""

from __future__ import annotations

import ast
import json
import os
import re
import time
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from precmark.runs import Run
from precmark.source import CAPABILITIES

VERDICTS = (
    "reproduced",
    "not reproduced",
    "undecided",
    "not testable with public data",
    "internally inconsistent",
    "holds if assumed",
)
"""What a chapter may conclude about a claim (design section 5)."""

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_VERDICT_COLUMNS = ["id", "chapter", "claim", "place", "paper", "ours", "verdict", "why"]


@dataclass(frozen=True)
class ChapterCard:
    """One chapter's place in the graph.

    Attributes
    ----------
    name, title : str
    needs : tuple of str
        Chapters that must have run before.
    makes : tuple of str
        Folders of the run's results that it writes.
    tables, says : tuple of str
        Results tables of the data step and capabilities that it cannot do without.
    asks : str
        ``module:function`` that says of a run why it holds too little, or nothing; "" for none.
    reads : tuple of str
        Files of the repository that it reads beside the run's tables, claims and modules.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    tables: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    asks: str = ""
    reads: tuple[str, ...] = ()

    def lacks(self, run: Run) -> str:
        """Why the chapter is left out of `run`, in words; empty where it can run."""
        missing = [c for c in self.says if c not in run.source.says]
        if any(not run.has(table) for table in self.tables):
            return f"{run.source.title} has no event log"
        if missing:
            lacks = " or ".join(CAPABILITIES[c] for c in missing)
            return f"{run.source.title} does not hold {lacks}"
        return _asked(self.asks, run.path, run.card["fingerprint"]) if self.asks else ""


@cache
def _asked(asks: str, path: Path, fingerprint: str) -> str:
    """What function `asks` says of the run at `path`; its data are read once in a process."""
    module, function = asks.split(":")
    return getattr(import_module(module), function)(Run(path))


@cache
def registry() -> dict[str, ChapterCard]:
    """Every chapter by name, from ``chapters.toml``; ``*`` among the needs spelled out."""
    raw = tomllib.loads((Path(__file__).parent / "chapters.toml").read_text())
    cards = {}
    for name, entry in raw.items():
        needs = [n for n in raw if n != name] if entry["needs"] == ["*"] else entry["needs"]
        cards[name] = ChapterCard(
            name, entry["title"], tuple(needs),
            *(tuple(entry.get(key, ())) for key in ("makes", "tables", "says")),
            asks=entry.get("asks", ""), reads=tuple(entry.get("reads", ())),
        )  # fmt: skip
    return cards


def maker_of(table: str) -> str:
    """Name of the chapter that writes results table `table`; ``data`` for the step before all."""
    folder = table.split("/")[0]
    return next((c.name for c in registry().values() if folder in c.makes), "data")


@cache
def needed_by(chapter: str) -> frozenset[str]:
    """The chapters that `chapter` needs, directly or through one another."""
    direct = registry()[chapter].needs
    return frozenset(direct).union(*(needed_by(name) for name in direct))


def waiting_for(chapter: str) -> int:
    """How many chapters need `chapter`, directly or through one another."""
    return sum(chapter in needed_by(name) for name in registry())


def left_out(run: Run) -> dict[str, str]:
    """The chapters that the data of `run` cannot fill, and why."""
    reasons = {name: card.lacks(run) for name, card in registry().items()}
    return {name: why for name, why in reasons.items() if why}


def notebook_path(chapter: str) -> Path:
    """The source of `chapter`, relative to the repository's root."""
    return Path("notebooks") / f"{chapter}.ipynb"


def notebook_source(path: Path) -> str:
    """The cells of a notebook without outputs, counts and ids: what decides whether it is stale."""
    cells = json.loads(path.read_text())["cells"]
    kept = [
        (c["cell_type"], "".join(c["source"]), c.get("metadata", {}).get("tags", [])) for c in cells
    ]
    return json.dumps(kept, ensure_ascii=False)


def modules_of(chapter: str) -> list[Path]:
    """The files of the package that `chapter` imports, directly or through one another, sorted.

    Relative to the working folder. A chapter is stale when one of them has changed.
    """
    package = Path(__file__).parent
    code = [
        "".join(c["source"])
        for c in json.loads(notebook_path(chapter).read_text())["cells"]
        if c["cell_type"] == "code"
    ]
    queue = [m for text in code for m in _imports(re.sub(r"^[%!].*$", "", text, flags=re.M))]
    found: set[Path] = set()
    while queue:
        path = _module_file(package, queue.pop())
        if path is None or path in found:
            continue
        found.add(path)
        queue += _imports(path.read_text())
    return sorted(Path(os.path.relpath(p)) for p in found)


def _imports(text: str) -> list[str]:
    """Every ``precmark`` module that the Python `text` names in an import."""
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{a.name}" for a in node.names]
    return [n for n in names if n == "precmark" or n.startswith("precmark.")]


def _module_file(package: Path, dotted: str) -> Path | None:
    """The file of module `dotted`, or None where it names an object inside a module."""
    base = package.joinpath(*dotted.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


def verdicts_of(run: Run) -> pd.DataFrame:
    """Every verdict that the chapters of `run` have written, in the chapters' order.

    Returns
    -------
    pandas.DataFrame
        One row a claim, all text: ``id`` (as in ``data/claims/``), ``chapter``, ``claim``,
        ``place``, ``paper``, ``ours``, ``verdict``, ``why`` (see :meth:`Chapter.verdict`).
    """
    paths = (run.table_path(f"verdicts/{n[:2]}") for n, c in registry().items() if not c.lacks(run))
    frames = [pd.read_parquet(path) for path in paths if path.exists()]
    frames = [f for f in frames if len(f)] or [pd.DataFrame(columns=_VERDICT_COLUMNS)]
    found = pd.concat(frames, ignore_index=True)
    return found.reindex(columns=_VERDICT_COLUMNS, fill_value="").fillna("")


class Chapter:
    """A chapter under way in its notebook.

    Attributes
    ----------
    name : str
    run : Run
    parameters : dict
        The values of the notebook's parameters cell.
    about : str
        A sentence for captions: that the data is simulated, or which data set it is.
    """

    def __init__(self, name: str, run: Run, parameters: dict[str, Any]):
        self.name = name
        self.run = run
        self.parameters = parameters
        source = run.source
        self.about = "Simulated store." if source.simulated else f"Data: {source.title}."
        self._verdicts: list[dict[str, str]] = []
        self._started = time.perf_counter()

    @classmethod
    def start(cls, name: str, run: str | None = None, **parameters: Any) -> Chapter:
        """Open `run` (see :meth:`Run.open`) for chapter `name` and start its clock.

        `parameters` are those of the notebook's parameters cell; the stamp prints them.
        """
        opened = Run.open(run)
        opened.reader = name
        return cls(name, opened, parameters)

    def glue(self, key: str, value: Any, format: str = "{:,.1f}") -> None:
        """Make `value` quotable in prose as ``{glue:text}`` under `key`.

        Numbers are cast to plain Python first, because numpy scalars render blank.
        Keys start with the chapter's number, e.g. ``01_sessions``.
        """
        from myst_nb import glue

        if not key.startswith(self.name[:3]):
            raise ValueError(f"glue key {key!r} must start with {self.name[:3]!r}")
        glue(key, value if isinstance(value, str) else format.format(float(value)), display=False)

    def say(self, text: str) -> None:
        """Display `text`, Markdown computed from the data, as prose."""
        from IPython.display import Markdown, display

        display(Markdown(text))

    @property
    def verdicts(self) -> tuple[dict[str, str], ...]:
        """What was recorded so far, in order: the arguments of :meth:`verdict` and ``chapter``."""
        return tuple(dict(v) for v in self._verdicts)

    def verdict(
        self, *, id: str, claim: str, place: str, paper: str, ours: str, verdict: str, why: str
    ) -> None:
        """Record what this chapter concludes about a claim.

        Parameters
        ----------
        id : str
            The claim's id in ``data/claims/``, e.g. ``"gu-figure3-network-best"``: small letters,
            digits and dashes, the paper's name first. Once a chapter.
        claim : str
            The claim in our own words.
        place : str
            Where it stands, e.g. ``"Gu, Table 4"``.
        paper, ours : str
            The paper's figure and ours, formatted.
        verdict : str
            One of :data:`VERDICTS`.
        why : str
            One sentence.
        """
        if verdict not in VERDICTS:
            raise ValueError(f"verdict {verdict!r}: one of {', '.join(VERDICTS)}")
        if not _ID.fullmatch(id) or any(v["id"] == id for v in self._verdicts):
            raise ValueError(f"verdict id {id!r}: small letters, digits and dashes, each id once")
        self._verdicts.append(
            {
                "id": id,
                "chapter": self.name,
                "claim": claim,
                "place": place,
                "paper": paper,
                "ours": ours,
                "verdict": verdict,
                "why": why,
            }
        )

    def finish(self) -> None:
        """Write the verdicts to ``results/verdicts/NN.parquet`` and display the page's stamp."""
        from precmark.stamp import display_stamp

        verdicts = pd.DataFrame(self._verdicts, columns=_VERDICT_COLUMNS).astype("str")
        self.run.write(f"verdicts/{self.name[:2]}", verdicts)
        display_stamp(self, time.perf_counter() - self._started)
