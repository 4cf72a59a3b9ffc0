"""Paths and small runs that the tests share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from precmark.tables import write_table

ROOT = Path(__file__).resolve().parent.parent

SHORT = [
    word
    for parameter in (
        "04_model_architecture.epochs=5",
        "05_baselines.epochs=5",
        "05_baselines.leave_out=gp-adaboost",
        "10_data_grid.epochs=2",
        "10_data_grid.grid_epochs=2",
        "12_dialogue.epochs=2",
    )
    for word in ("-p", parameter)
]
"""Options of `precmark run` for short trainings: only the sample is trained in full."""


_LONGEST = ("test_study.py", "test_own_data.py", "test_workflow.py")
"""Files that run whole studies: begun first, so that two processes end together."""


def pytest_collection_modifyitems(items):
    """The longest files first; the order within a file stays."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch):
    """Tests run from the repository's root, as users do."""
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the public data sets; the test is skipped where it is not at hand."""
    folder = os.environ.get("PRECMARK_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("PRECMARK_DATA does not name a folder with the public data sets")
    return Path(folder).resolve()


def cli(*arguments: object, cwd: Path = ROOT, **kwargs) -> subprocess.CompletedProcess:
    """Run the real command line; stdout and stderr as text."""
    command = [sys.executable, "-c", "from precmark.cli import main; main()"]
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, **kwargs
    )


RUN_CARD = {
    "source": {
        "name": "tiny", "title": "Tiny shop", "says": ["purchases", "clock", "users"],
        "simulated": False, "timezone": "Europe/London", "currency": "GBP", "licence": "",
        "reference": "", "notes": [],
    },
    "fingerprint": "abc",
    "signature": "abc",
    "span": [1_600_000_000_000_000, 1_610_000_000_000_000],
    "parameters": {"data": "tiny", "as_of": "2021-01-08", "engine": "duckdb"},
}  # fmt: skip


@pytest.fixture
def tiny_run(tmp_path) -> Path:
    """The folder of a run that has a card and nothing else."""
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(RUN_CARD))
    return folder


def notebook(*cells: str | tuple[str, list[str]], path: Path) -> Path:
    """Write code `cells` (source, or source and tags) as a notebook at `path`."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    made = []
    for cell in cells:
        source, tags = (cell, []) if isinstance(cell, str) else cell
        made.append(new_code_cell(source, metadata={"tags": tags}))
    book = new_notebook(cells=made)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    book.metadata["language_info"] = {"name": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)
    return path


@pytest.fixture
def tiny_project(tmp_path) -> Path:
    """A checkout with two small chapters and a run, for tests of the workflow itself."""
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    parameters = ("run = None  # type: str\nanswer = 1  # type: int\n", ["parameters"])
    start = "from precmark.chapters import Chapter\nchapter = Chapter.start('{0}', run)"
    for name, makes in {"01_store": "store", "03_segmentation": "segments"}.items():
        notebook(
            parameters,
            start.format(name),
            "import pandas as pd\n"
            f"chapter.run.write('{makes}/answer', pd.DataFrame({{'a': [answer]}}))",
            "chapter.finish()",
            path=tmp_path / "notebooks" / f"{name}.ipynb",
        )
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(RUN_CARD))
    write_table(pd.DataFrame({"user_code": [0]}), folder / "results/contract/events.parquet")
    return tmp_path
