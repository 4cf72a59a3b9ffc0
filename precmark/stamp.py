"""The stamp at the foot of a page: what was run, on which data, with which versions, how long."""

from __future__ import annotations

import html
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from precmark.chapters import Chapter

PACKAGES = (
    "precmark", "duckdb", "ibis-framework", "pandas", "numpy", "scikit-learn", "torch", "skorch",
    "gplearn", "matplotlib",
)  # fmt: skip
"""Packages whose versions decide a page's numbers."""


def versions(*others: str) -> dict[str, str]:
    """Version of Python, of each of :data:`PACKAGES` and of `others` that is installed."""
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *others):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The checkout's short commit, with ``+changes`` where files differ; else ``unknown``."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+changes", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def display_stamp(chapter: Chapter, duration_s: float) -> None:
    """Display the stamp of `chapter`: parameters, data fingerprint, versions, commit, duration."""
    from IPython.display import HTML, display

    run = chapter.run
    parameters = {**run.card["parameters"], **chapter.parameters}
    rows = {
        "Run": run.name,
        "Data": run.source.title,
        "Data fingerprint": run.card["fingerprint"],
        "Parameters": ", ".join(f"{k}={v}" for k, v in parameters.items() if v not in (None, "")),
        "Versions": ", ".join(f"{k} {v}" for k, v in versions().items()),
        "Commit": commit(),
        "Duration": f"{duration_s:.1f} s",
    }
    cells = "".join(
        f"<tr><th scope='row'>{html.escape(k)}</th><td>{html.escape(str(v))}</td></tr>"
        for k, v in rows.items()
    )
    display(
        HTML(
            "<details class='precmark-stamp' open><summary>How this page was made</summary>"
            f"<table>{cells}</table></details>"
        )
    )
