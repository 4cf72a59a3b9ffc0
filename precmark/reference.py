"""Aggregates of a run's results, stored in ``data/reference/`` and compared on other machines."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from precmark.runs import Run
from precmark.stamp import commit
from precmark.tables import whole_file

IDENTIFIERS = ("user_id", "session_id", "key")
"""Columns whose values depend on a run's key; everything else must not."""


def summarise(run: Run) -> dict[str, dict[str, Any]]:
    """Rows of every results table of `run`, and of each column its count, mean or distinct values.

    Returns
    -------
    dict
        ``"folder/table"`` to ``{"rows": n, "columns": {name: [non-null, mean or n distinct]}}``.
    """
    summary = {}
    for path in sorted(run.results.rglob("*.parquet")):
        table = pd.read_parquet(path)
        columns = {
            name: [int(column.notna().sum()), _figure(column)]
            for name, column in table.items()
            if name not in IDENTIFIERS
        }
        name = str(path.relative_to(run.results).with_suffix(""))
        summary[name] = {"rows": len(table), "columns": columns}
    return summary


def _figure(column: pd.Series) -> float:
    """Mean of a number or flag (instants in seconds), else how many different values there are."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return float(column.dropna().astype("int64").mean()) if column.notna().any() else 0.0
    if pd.api.types.is_numeric_dtype(column):
        mean = float(column.astype("float64").mean())
        return 0.0 if math.isnan(mean) else mean
    return float(column.dropna().astype(str).nunique())


def compare(
    ours: dict[str, dict[str, Any]], stored: dict[str, dict[str, Any]], rtol: float
) -> list[str]:
    """Every difference between two summaries beyond the relative tolerance `rtol`, in words."""
    found = [f"{name}: only in one of the two" for name in sorted(set(ours) ^ set(stored))]
    for name in sorted(set(ours) & set(stored)):
        a, b = ours[name], stored[name]
        if a["rows"] != b["rows"]:
            found.append(f"{name}: {a['rows']} rows, stored {b['rows']}")
        for column in sorted(set(a["columns"]) | set(b["columns"])):
            x, y = a["columns"].get(column), b["columns"].get(column)
            if x is None or y is None:
                found.append(f"{name}.{column}: only in one of the two")
            elif x[0] != y[0] or not math.isclose(x[1], y[1], rel_tol=rtol, abs_tol=1e-9):
                found.append(f"{name}.{column}: {x}, stored {y}")
    return found


def store(run: Run, folder: Path = Path("data/reference")) -> Path:
    """Write the summary of `run` to ``folder/NAME.json`` with its fingerprint and commit."""
    path = folder / f"{run.name}.json"
    content = {
        "fingerprint": run.card["fingerprint"],
        "commit": commit(),
        "parameters": run.card["parameters"],
        "tables": summarise(run),
    }
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return path
