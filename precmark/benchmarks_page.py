"""The benchmark page of the book: the stored figures of ``make bench`` as Markdown tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from precmark.errors import InputError, Problem

_INTRO = """# Benchmarks

How fast the study's parts are, as `make bench` measured them. Each record says on what it was
measured; on another machine the figures differ, the ratios less so, because both sides of a ratio
are measured in the same run.
"""
_NONE_YET = "\nNo figures are stored yet. `make bench` measures them and writes them.\n"
_KEYS = ("name", "value", "unit", "target", "better")


def benchmarks_markdown(folder: Path | str) -> str:
    """The page as Markdown, a section for each ``TOPIC.json`` in `folder`, by name.

    Parameters
    ----------
    folder : path
        Holds records of ``machine``, ``versions``, ``commit``, ``date`` and ``figures``, a list
        of ``name``, ``value``, ``unit``, ``target`` (null where there is none) and ``better``
        (``higher`` or ``lower``). May be empty or absent.

    Returns
    -------
    str
        Markdown that ends with a line feed.

    Raises
    ------
    InputError
        Lists every record that cannot be read and what it lacks.
    """
    sections, problems = [], []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            sections.append(_section(path.stem, json.loads(path.read_text(encoding="utf-8"))))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(
                Problem(
                    f"{path}: not a benchmark record ({type(error).__name__}: {error})",
                    "Run `make bench` again.",
                )
            )
    if problems:
        raise InputError(problems)
    return _INTRO + ("".join(sections) or _NONE_YET)


def reached(figure: Mapping[str, Any]) -> bool | None:
    """Whether `figure`'s value is at least as good as its target; None where it has no target."""
    if figure["better"] not in ("higher", "lower"):
        raise ValueError(f"better is {figure['better']!r}, not higher or lower")
    if figure["target"] is None:
        return None
    if figure["better"] == "higher":
        return figure["value"] >= figure["target"]
    return figure["value"] <= figure["target"]


def _section(topic: str, record: Mapping[str, Any]) -> str:
    lines = [
        f"\n## {topic.replace('_', ' ').capitalize()}\n",
        "| figure | measured | target | reached |",
        "|---|---:|---:|---|",
    ]
    for figure in record["figures"]:
        name, value, unit, target, better = (figure[key] for key in _KEYS)
        bound = {"higher": "at least ", "lower": "at most "}.get(better, "")
        wanted = "" if target is None else f"{bound}{_number(target)} {unit}".strip()
        word = {True: "yes", False: "no", None: ""}[reached(figure)]
        cells = (str(name), f"{_number(value)} {unit}".strip(), wanted, word)
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    lines.append(
        f"\nMeasured on {record['date']} at commit {record['commit']}. "
        f"Machine: {_words(record['machine'])}. Versions: {_words(record['versions'])}.\n"
    )
    return "\n".join(lines)


def _number(value: float) -> str:
    """`value` with at least three significant digits and thousands set apart."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _words(value: Mapping[str, Any] | str) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    parts = []
    for key, one in value.items():
        name, of, unit = key.rpartition("_gib")
        parts.append(f"{name} {one} GiB" if of and not unit else f"{key} {one}")
    return ", ".join(parts)
