"""The audit on the command line: a table, a count, a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from precmark.audit.files import load
from precmark.audit.table import TRIED, audit
from precmark.chapters import VERDICTS
from precmark.tables import whole_file

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

_WIDE = 140
"""Characters of a line from which on place and verdict have columns of their own."""

_STYLES = {"reproduced": "green", "internally inconsistent": "bold red", "undecided": "yellow"}


def checked(files: Iterable[str]) -> pd.DataFrame:
    """Every claim in `files` with its verdict (see :func:`precmark.audit.audit`)."""
    return audit(load(files))


def write_json(table: pd.DataFrame, path: Path) -> None:
    """Write `table` at `path` as a JSON list of one object a claim, whole or not at all."""
    with whole_file(path) as temporary:
        text = json.dumps(table.to_dict("records"), indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def show(table: pd.DataFrame, console: Console) -> None:
    """Print id, place, verdict and reason of each claim of `table`, then how many got which."""
    from rich.table import Table
    from rich.text import Text

    wide = console.width >= _WIDE
    heads = ["Claim", "Place", "Verdict", "Why"] if wide else ["Claim", "Why"]
    lines = Table(*heads, show_lines=not wide)
    for row in table.itertuples():
        verdict = Text(row.verdict or TRIED, style=_STYLES.get(row.verdict, ""))
        cells = [Text(row.id, style="bold"), Text(f"{row.paper}, {row.place}"), verdict]
        lines.add_row(*(cells if wide else [Text("\n").join(cells)]), Text(row.why))
    console.print(lines)
    console.print(count(table))


def count(table: pd.DataFrame) -> str:
    """One line: how many claims of `table`, and how many got each verdict."""
    found = table["verdict"].value_counts()
    said = [f"{found[v]} {v}" for v in VERDICTS if v in found]
    if "" in found:
        said.append(f"{found['']} {TRIED}")
    noun = "claim" if len(table) == 1 else "claims"
    return f"{len(table)} {noun}: " + (", ".join(said) or "none") + "."
