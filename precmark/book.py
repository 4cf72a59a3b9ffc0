"""From a run to its rendered book: pages chosen by what the run has, warnings as errors."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import yaml

from precmark.chapters import registry
from precmark.errors import InputError
from precmark.runs import Run
from precmark.source import Source
from precmark.tables import whole_file

_CHECKED = "# NBVAL_CHECK_OUTPUT\n"  # For the tests, as is fmt: skip; not for readers.


class BookFailed(Exception):
    """Sphinx refused the pages; the text holds its warnings and errors."""


def render(run: Run) -> Path:
    """Render the book of `run` and return its first page.

    The new book replaces the old one only when it is complete. Nothing is done when no page, no
    module (the API reference quotes them) and no setting has changed.

    Raises
    ------
    InputError
        When the run has no executed chapter.
    BookFailed
        When Sphinx warns: a missing quoted value, a broken reference, a page left out.
    """
    if not any(run.chapters.glob("*.ipynb")):
        raise InputError(
            f"run {run.name!r} has no executed chapter. Run `precmark run --name {run.name}` first."
        )
    source = assemble(run)
    html = run.book / "html"
    signature = _signature(source)
    stored = run.book / ".signature"
    if (html / "index.html").exists() and stored.exists() and stored.read_text() == signature:
        return html / "index.html"
    build = run.book / ".build"
    shutil.rmtree(build, ignore_errors=True)
    _build(source, build)
    shutil.rmtree(html, ignore_errors=True)
    os.replace(build / "_build" / "html", html)
    shutil.rmtree(build)
    with whole_file(stored) as temporary:
        temporary.write_text(signature)
    return html / "index.html"


def _build(source: Path, build: Path) -> None:
    # The package has no __main__, and the script beside Python may not be on the path.
    command = [
        sys.executable, "-c", "from jupyter_book.cli.main import main; main()",
        "build", str(source), "--path-output", str(build), "--all", "-W", "--keep-going", "-q",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        output = output.replace(f"{source.resolve()}{os.sep}", "")
        said = [
            line
            for line in output.splitlines()
            if any(mark in line for mark in ("WARNING", "ERROR", "Error", "rror:"))
        ]
        text = "\n".join(said) or output[-3000:]
        raise BookFailed(f"the book was not rendered; Sphinx says:\n{text}")


def assemble(run: Run) -> Path:
    """Lay out the book's sources in ``book/source`` of `run` and return that folder.

    Hand-written pages and the style come from ``book/``, chapters from the run, without the cells
    that its source cannot fill (:func:`keep_cell`), the benchmark page from the stored figures.
    """
    from precmark.benchmarks_page import benchmarks_markdown

    folder = run.book / "source"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree("book", folder, ignore=shutil.ignore_patterns("_toc.yml", "decisions"))
    shutil.copy("_config.yml", folder)
    for path in sorted(run.chapters.glob("*.ipynb")):
        if path.stem in registry():
            notebook = json.loads(path.read_text())
            (folder / path.name).write_text(json.dumps(page(notebook, run.source)))
    (folder / "benchmarks.md").write_text(benchmarks_markdown(Path("benchmarks/results")))
    toc = yaml.safe_load(Path("book/_toc.yml").read_text())
    pages = {p.stem for p in (*folder.glob("*.md"), *folder.glob("*.ipynb"))}
    (folder / "_toc.yml").write_text(yaml.safe_dump(prune(toc, pages), sort_keys=False))
    return folder


def prune(toc: dict, pages: Collection[str]) -> dict:
    """`toc` without the files that are not among `pages`, and without parts left empty.

    The root falls back to the first page that is there.
    """
    parts = []
    for part in toc["parts"]:
        kept = [c for c in part["chapters"] if c["file"] in pages and c["file"] != toc["root"]]
        parts.append({**part, "chapters": kept})
    root = toc["root"]
    if root not in pages:
        first = next(part for part in parts if part["chapters"])
        root = first["chapters"].pop(0)["file"]
    return {**toc, "root": root, "parts": [p for p in parts if p["chapters"]]}


def page(notebook: dict, source: Source) -> dict:
    """An executed `notebook` as a page of the book on `source`."""
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if not keep_cell(tags, source):
            continue
        if {"parameters", "injected-parameters"} & set(tags):  # The stamp prints them.
            cell["metadata"]["tags"] = [*tags, "remove-cell"]
        text = "".join(cell["source"]).replace("  # fmt: skip", "").replace(_CHECKED, "")
        cells.append({**cell, "source": text})
    return {**notebook, "cells": cells}


def keep_cell(tags: Collection[str], source: Source) -> bool:
    """Whether a cell with `tags` belongs into a book on `source`.

    ``needs-X`` cells need capability X, ``lacks-X`` cells its absence; ``sample-only`` prose is
    true of the sample alone.
    """
    if "sample-only" in tags and source.name != "simulated-sample":
        return False
    needs = {t.removeprefix("needs-") for t in tags if t.startswith("needs-")}
    lacks = {t.removeprefix("lacks-") for t in tags if t.startswith("lacks-")}
    return needs <= source.says and not lacks & source.says


def _signature(source: Path) -> str:
    """A digest of every file that decides what the rendered book says."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for root in (source, package):
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(str(path.relative_to(root)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def store_outputs(run: Run) -> list[Path]:
    """Copy the executed chapters of `run` into ``notebooks/``, as the stored sample outputs.

    What papermill added (the injected cell, times by cell) is taken out again; the duration stays,
    because progress lines quote it as the expected one.

    Returns
    -------
    list of Path
        The notebooks written.
    """
    written = []
    for path in sorted(run.chapters.glob("*.ipynb")):
        notebook = json.loads(path.read_text())
        cells = []
        for cell in notebook["cells"]:
            if "injected-parameters" in cell["metadata"].get("tags", []):
                continue
            for key in ("papermill", "execution"):
                cell["metadata"].pop(key, None)
            cells.append(cell)
        notebook["cells"] = cells
        duration = notebook["metadata"].get("papermill", {}).get("duration")
        notebook["metadata"]["papermill"] = {"duration": duration}
        target = Path("notebooks") / path.name
        with whole_file(target) as temporary:
            temporary.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
        written.append(target)
    return written
