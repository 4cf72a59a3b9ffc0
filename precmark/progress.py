"""One line a chapter while notebooks run: cells done, elapsed, expected."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from precmark.chapters import notebook_path
from precmark.runs import Run

_POLL_S = 0.5
_SAY_EVERY_S = 15.0
_PAPERMILLS = ("injected-parameters", "papermill-error-cell")


@dataclass(frozen=True)
class CellError:
    """Where an executed notebook failed: `cell` counts all cells from 1; `text` is the error."""

    cell: int
    text: str


def failed_cell(notebook: Path) -> CellError | None:
    """The first error among the outputs of the executed `notebook`, or None.

    Cells are counted as in the chapter's source, without those that papermill puts in.
    """
    own = [
        cell
        for cell in _cells(notebook)
        if not any(tag.startswith(_PAPERMILLS) for tag in cell["metadata"].get("tags", []))
    ]
    for number, cell in enumerate(own, 1):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return CellError(number, f"{output['ename']}: {output['evalue']}")
    return None


def _cells(notebook: Path) -> list[dict]:
    """The cells of `notebook`; empty while papermill is writing it."""
    try:
        return json.loads(notebook.read_text())["cells"]
    except (OSError, json.JSONDecodeError):
        return []


def duration_s(notebook: Path) -> float | None:
    """How long papermill took for the executed `notebook`, in seconds, or None."""
    try:
        metadata = json.loads(notebook.read_text())["metadata"]
    except (OSError, json.JSONDecodeError):
        return None
    return metadata.get("papermill", {}).get("duration")


class Progress:
    """Follows a run's notebooks from the files that papermill writes after each cell.

    Parameters
    ----------
    run : Run
    chapters : sequence of str
        In the order of the lines.
    """

    def __init__(self, run: Run, chapters: Sequence[str]):
        self._run = run
        self._chapters = list(chapters)
        self._since = time.time()
        self._seen: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._expected = {
            name: duration_s(run.chapters / f"{name}.ipynb") or duration_s(notebook_path(name))
            for name in chapters
        }

    def follow(self, process: subprocess.Popen) -> None:
        """Print until `process` ends: a live table on a terminal, plain lines elsewhere."""
        console = Console(stderr=True)
        if console.is_terminal:
            with Live(self._table(), console=console, refresh_per_second=2) as live:
                while process.poll() is None:
                    time.sleep(_POLL_S)
                    live.update(self._table())
                live.update(self._table())
            return
        while process.poll() is None:
            time.sleep(_POLL_S)
            self._print_changes(console)
        self._print_changes(console)
        for name in self._chapters:
            if name not in self._seen and self._finished(name) and not process.returncode:
                console.print(f"{name}: up to date", highlight=False)

    def unfinished(self) -> list[str]:
        """The chapters that have no executed notebook."""
        return [name for name in self._chapters if not self._finished(name)]

    def _finished(self, name: str) -> bool:
        return (self._run.chapters / f"{name}.ipynb").exists()

    def _print_changes(self, console: Console) -> None:
        now = time.time()
        for name in self._chapters:
            state = self._state(name)
            if state is None:
                continue
            ended = state.startswith(("done", "failed"))
            if ended and self._said.get(name) == float("inf"):
                continue
            if ended or now - self._said.get(name, self._seen[name]) >= _SAY_EVERY_S:
                self._said[name] = float("inf") if ended else now
                console.print(f"{name}: {state}", highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name in self._chapters:
            idle = "up to date" if self._finished(name) else "waiting"
            table.add_row(name, self._state(name) or idle)
        return table

    def _state(self, name: str) -> str | None:
        """What `name` is doing in words; None before this call touched it."""
        under_way = self._run.logs / f"{name}.ipynb"
        output = self._run.chapters / f"{name}.ipynb"
        if output.exists() and output.stat().st_mtime >= self._since:
            self._seen.setdefault(name, self._since)
            return f"done in {duration_s(output) or 0:.0f} s"
        if not under_way.exists() or under_way.stat().st_mtime < self._since:
            return None
        started = self._seen.setdefault(name, time.time())
        cells = [c for c in _cells(under_way) if c["cell_type"] == "code"]
        done = sum(c["metadata"].get("papermill", {}).get("status") == "completed" for c in cells)
        error = failed_cell(under_way)
        if error:
            return f"failed in cell {error.cell}: {error.text}"
        expected = self._expected[name]
        of = f", expected {expected:.0f} s" if expected else ""
        return f"{done} of {len(cells)} cells, {time.time() - started:.0f} s{of}"
