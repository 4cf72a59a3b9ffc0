"""Running the chapters of a run: Snakemake for the graph, papermill for each notebook.

What Snakemake needs to know of a chapter (is it in this run, with which parameters, in which state)
is computed here, so that the Snakefile stays a page.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from precmark.chapters import left_out, modules_of, notebook_path, notebook_source, registry
from precmark.errors import InputError
from precmark.progress import Progress, failed_cell
from precmark.runs import Run

_TYPES = {"int": int, "float": (int, float), "str": str, "bool": bool}


def chapters_of(run: str) -> list[str]:
    """The chapters that exist as notebooks and that the data of `run` can fill, in order."""
    opened = Run(run)
    return [
        name
        for name, card in registry().items()
        if notebook_path(name).exists() and not card.lacks(opened)
    ]


def chapter_parameters(run: str, chapter: str) -> str:
    """papermill's parameters of `chapter` in `run`, as base64 YAML: safe in any shell."""
    card = json.loads((Path(run) / "run.json").read_text())
    values = {"run": run, **card.get("chapter_parameters", {}).get(chapter, {})}
    return base64.b64encode(yaml.safe_dump(values).encode()).decode()


def chapter_state(run: str, chapter: str) -> str:
    """A digest of what `chapter` depends on besides files: its cells and the run's data."""
    card = json.loads((Path(run) / "run.json").read_text())
    parts = [
        notebook_source(notebook_path(chapter)),
        card["fingerprint"],
        json.dumps(card["source"], sort_keys=True),
        json.dumps(card["parameters"], sort_keys=True),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def claims_inputs(run: str, chapter: str) -> list[str]:
    """The claims files that `chapter` of `run` reads: with one of them changed, it is stale.

    Those of ``data/claims/`` for every chapter that quotes a paper, and what its parameter
    ``claims`` names where it has one.
    """
    card = json.loads((Path(run) / "run.json").read_text())
    named = card.get("chapter_parameters", {}).get(chapter, {}).get("claims")
    folder = Path("data/claims")
    quotes = any(path.as_posix().endswith("precmark/claims.py") for path in modules_of(chapter))
    found = sorted(p for p in folder.glob("*") if p.is_file()) if quotes else []
    if named:
        from precmark.audit import claims_files

        with suppress(InputError):  # The chapter refuses it, and says what is wrong.
            found += claims_files(named)
    return list(dict.fromkeys(str(path) for path in found))


def check_parameters(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parse ``CHAPTER.NAME=VALUE`` items against the chapters' parameters cells.

    Returns
    -------
    dict
        Chapter to parameter to value, typed.

    Raises
    ------
    InputError
        Listing every unknown chapter, unknown parameter and value of the wrong type.
    """
    problems: list[str] = []
    values: dict[str, dict[str, Any]] = {}
    for item in given:
        left, equals, text = item.partition("=")
        chapter, dot, name = left.partition(".")
        if not (equals and dot and name):
            problems.append(
                f"parameter {item!r}: write CHAPTER.NAME=VALUE, "
                "e.g. -p 03_segmentation.max_segments=6"
            )
            continue
        if chapter not in registry() or not notebook_path(chapter).exists():
            problems.append(f"parameter {item!r}: there is no chapter {chapter!r}."
                            + _nearest(chapter, registry()))  # fmt: skip
            continue
        known = declared_parameters(chapter)
        if name not in known or name == "run":
            names = [n for n in known if n != "run"]
            problems.append(
                f"parameter {item!r}: chapter {chapter} has no parameter {name!r}."
                + _nearest(name, names)
                + f" It has: {', '.join(names) or 'none'}."
            )
            continue
        value, problem = _typed(text, known[name])
        if problem:
            problems.append(f"parameter {item!r}: {problem}")
        values.setdefault(chapter, {})[name] = value
    if problems:
        raise InputError(problems)
    return values


def declared_parameters(chapter: str) -> dict[str, dict[str, str]]:
    """The parameters of `chapter` as papermill reads them: name to type, default and help."""
    from papermill import inspect_notebook

    return inspect_notebook(str(notebook_path(chapter)))


def _typed(text: str, declared: Mapping[str, str]) -> tuple[Any, str]:
    """`text` as the declared type; or None and what is wrong."""
    kind = declared["inferred_type_name"]
    if kind == "str":
        return text, ""
    value = yaml.safe_load(text)
    wanted = _TYPES.get(kind)
    if wanted is None:
        return value, ""
    fits = isinstance(value, wanted) and (kind == "bool") == isinstance(value, bool)
    return (value, "") if fits else (None, f"{text!r} is not of type {kind}.")


def _nearest(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def execute(run: Run, *, only: Sequence[str] = (), cores: int = 2, force: bool = False) -> None:
    """Bring the chapters of `run` up to date, in parallel, with a progress line for each.

    Parameters
    ----------
    only : sequence of str
        Chapters to bring up to date (with those that they need); all where empty.
    cores : int
        Chapters that may run at the same time.
    force : bool
        Rerun the chapters of `only` (or all) though nothing changed.

    Raises
    ------
    InputError
        For an unknown chapter.
    ChapterFailed
        When a chapter raised; its executed notebook is kept in ``logs/``.
    """
    chapters = chapters_of(str(run.path))
    unknown = [name for name in only if name not in chapters]
    if unknown:
        out = left_out(run)
        raise InputError(
            f"{n} is left out of this run: {out[n].rstrip('.')}."
            if n in out
            else f"no chapter {n!r} in this run.{_nearest(n, chapters)} It has: "
            f"{', '.join(chapters)}."
            for n in unknown
        )
    if not chapters:
        return
    run.logs.mkdir(exist_ok=True)
    targets = [str(run.chapters / f"{name}.ipynb") for name in only or chapters]
    command = [
        sys.executable, "-m", "snakemake", "--cores", str(cores), "--rerun-incomplete",
        "--nolock", "--keep-going", "--scheduler", "greedy", "--config", f"run={run.path}",
    ]  # fmt: skip
    command += ["--forcerun", *(only or chapters)] if force else []
    log = run.logs / "snakemake.log"
    progress = Progress(run, with_needs(only, chapters) if only else chapters)
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--", *targets], stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            progress.follow(process)
        except BaseException:  # Ctrl-C and kill too: no notebook may outlive this command.
            _stop(process)
            raise
    if process.returncode:
        raise ChapterFailed(run, progress.unfinished(), log)


def with_needs(only: Sequence[str], chapters: Sequence[str]) -> list[str]:
    """Those of `chapters` that `only` names or needs, in their order."""
    wanted, waiting = set(), list(only)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += registry()[name].needs
    return [name for name in chapters if name in wanted]


def _stop(process: subprocess.Popen) -> None:
    """End Snakemake and the notebooks that it started; SIGKILL only after a grace period."""
    for sent, patience_s in ((signal.SIGINT, 5), (signal.SIGTERM, 3), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, sent)
            process.wait(patience_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        time.sleep(0.2)


class ChapterFailed(Exception):
    """One or more chapters raised; the text says in which cell and where the notebook is kept.

    Attributes
    ----------
    bad_input : bool
        Whether all of them refused their input: then nothing is broken but a parameter or the data.
    """

    def __init__(self, run: Run, chapters: Sequence[str], log: Path):
        lines = []
        refused = []
        for name in chapters:
            notebook = run.logs / f"{name}.ipynb"
            error = failed_cell(notebook) if notebook.exists() else None
            if error:
                refused.append(error.text.startswith(("InputError:", "Diverged:")))
                lines.append(
                    f"{name} failed in cell {error.cell}: {error.text}\n"
                    f"  the executed notebook, with the error: {notebook}"
                )
        self.bad_input = bool(refused) and all(refused)
        if not lines:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            lines = [f"Snakemake stopped; the end of {log}:\n{tail}"]
        lines.append(
            "Finished chapters are kept. After mending the cause, the same command reruns the rest."
        )
        super().__init__("\n".join(lines))
