"""The README's command on a fresh clone: installation, first build, classroom, nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _timed(command: list[str], folder: Path) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _figure(name: str, value_s: float, target_s: float | None) -> dict:
    return {"name": name, "value": value_s, "unit": "s", "target": target_s, "better": "lower"}


def run() -> list[dict]:
    """Clone into a temporary folder and time `make` there, step by step."""
    folder = Path(tempfile.mkdtemp(prefix="precmark-bench-"))
    try:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "clone")], check=True)
        clone = folder / "clone"
        install = _timed(["make", ".venv/.ready"], clone)
        book = _timed(["make", "book"], clone)
        fits = cell_s(clone / "runs/sample/chapters/05_baselines.ipynb", "fit")
        classroom = _timed(["make", "book", "SCALE=classroom"], clone)
        unchanged = _timed(["make", "book", "SCALE=classroom"], clone)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures(install, book, fits, classroom, unchanged)


def cell_s(notebook: Path, cell: str) -> float:
    """Seconds that papermill took for the cell with id `cell` of an executed notebook."""
    cells = json.loads(notebook.read_text())["cells"]
    (found,) = [c for c in cells if c.get("id") == cell]
    return float(found["metadata"]["papermill"]["duration"])


def figures(
    install: float, book: float, fits: float, classroom: float, unchanged: float
) -> list[dict]:
    """The record of one run, seconds each."""
    return [
        _figure("make book from a fresh clone, with the installation", install + book, None),
        _figure("make book, installed, all fourteen chapters", book, 30 * 60),
        _figure("of it all models of chapter 05, pooled and one a segment, 2 cores", fits, 8 * 60),
        _figure("make book SCALE=classroom, installed", classroom, 11 * 60),
        _figure("make book SCALE=classroom, nothing changed", unchanged, 30),
    ]
