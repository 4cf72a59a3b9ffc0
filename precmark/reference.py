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

TIMES = ("seconds", "fit_seconds", "milliseconds", "p50_ms", "p99_ms", "peak_mb")
"""Columns that measure the machine."""

TRAINED = (
    "architecture/", "churn/", "recommendation/", "ablation/", "sales/",
    "grid/", "interests/", "dialogue/", "statistics/", "strategy/",
    *(f"verdicts/{chapter:02}" for chapter in (*range(4, 9), *range(10, 15))),
)  # fmt: skip
"""Tables that training made, or what was trained decided: their digits differ between processors,
and their words with them."""

TRAINED_RTOL, TRAINED_ATOL, TRAINED_SPREAD = 0.1, 0.05, 0.2
"""How far the means of :data:`TRAINED` tables may differ: this share, this much, or this share of
the column's standard deviation. A network that is trained with the last digit of one sum changed
ends elsewhere, and some coupons go to others; their mean scores and outcomes end within these."""


def summarise(run: Run) -> dict[str, dict[str, Any]]:
    """Rows of every results table of `run`, and of each column its count, mean or distinct values.

    Returns
    -------
    dict
        ``"folder/table"`` to ``{"rows": n, "columns": {name: [non-null, mean or n distinct]}}``;
        in :data:`TRAINED` tables the standard deviation follows.
    """
    summary = {}
    for path in sorted(run.results.rglob("*.parquet")):
        table = pd.read_parquet(path)
        name = str(path.relative_to(run.results).with_suffix(""))
        trained = name.startswith(TRAINED)
        columns = {
            key: [
                int(column.notna().sum()),
                _figure(column),
                *([_spread(column)] if trained else []),
            ]
            for key, column in table.items()
            if key not in (*IDENTIFIERS, *TIMES) and not (trained and _text(column))
        }
        summary[name] = {"rows": len(table), "columns": columns}
    return summary


def _text(column: pd.Series) -> bool:
    types = pd.api.types
    return not (types.is_numeric_dtype(column) or types.is_datetime64_any_dtype(column))


def _figure(column: pd.Series) -> float:
    """Mean of a number or flag (instants in seconds), else how many different values there are."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return float(column.dropna().astype("int64").mean()) if column.notna().any() else 0.0
    if pd.api.types.is_numeric_dtype(column):
        mean = float(column.astype("float64").mean())
        return 0.0 if math.isnan(mean) else mean
    return float(column.dropna().astype(str).nunique())


def _spread(column: pd.Series) -> float:
    """The standard deviation of a number; 0 of instants and of fewer than two values."""
    if not pd.api.types.is_numeric_dtype(column) or column.notna().sum() < 2:
        return 0.0
    values = column.astype("float64")
    return 0.0 if values.isin([math.inf, -math.inf]).any() else float(values.std())


def compare(
    ours: dict[str, dict[str, Any]], stored: dict[str, dict[str, Any]], rtol: float
) -> list[str]:
    """Every difference between two summaries beyond the relative tolerance `rtol`, in words.

    Means of :data:`TRAINED` tables may differ as :data:`TRAINED_SPREAD` says.
    """
    found = [f"{name}: only in one of the two" for name in sorted(set(ours) ^ set(stored))]
    for name in sorted(set(ours) & set(stored)):
        a, b = ours[name], stored[name]
        if a["rows"] != b["rows"]:
            found.append(f"{name}: {a['rows']} rows, stored {b['rows']}")
        for column in sorted(set(a["columns"]) | set(b["columns"])):
            x, y = a["columns"].get(column), b["columns"].get(column)
            if x is None or y is None:
                found.append(f"{name}.{column}: only in one of the two")
            elif x[0] != y[0] or not math.isclose(x[1], y[1], **_near(y, rtol)):
                found.append(f"{name}.{column}: {x}, stored {y}")
    return found


def _near(stored: list[float], rtol: float) -> dict[str, float]:
    """How far a mean may be from the `stored` one; three entries where training made it."""
    if len(stored) == 2:
        return {"rel_tol": rtol, "abs_tol": 1e-9}
    return {"rel_tol": TRAINED_RTOL, "abs_tol": max(TRAINED_ATOL, TRAINED_SPREAD * stored[2])}


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
