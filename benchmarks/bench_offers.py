"""Speed of chapter 11's second half: expressions, bounded lists, crowds and coarse tables."""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd

from benchmarks import figure, seconds
from precmark.interests.anonymise import protect
from precmark.interests.exposure import bounded_lists
from precmark.interests.privacy import anonymity
from precmark.interests.selection import select

EXPRESSION = (
    "gender == 'female' and (18 <= age < 30 or spend / visits > 20) and not country == 'GB'"
)
FACTS = ["gender", "age", "country", "tenure_days"]


def people(rows: int, seed: int = 0) -> pd.DataFrame:
    """Customers with facts and some spending; three in ten ages are missing."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "gender": rng.choice(["female", "male", "unknown"], rows),
            "age": np.where(rng.random(rows) < 0.3, np.nan, rng.integers(15, 70, rows)),
            "country": rng.choice(["CN", "GB", "US", "SA", "AE"], rows),
            "tenure_days": rng.integers(0, 500, rows),
            "spend": rng.exponential(40.0, rows),
            "visits": rng.integers(0, 9, rows),
        }
    )


def by_pandas(table: pd.DataFrame) -> pd.Series:
    """The same group by pandas' own filters, missing values as in SQL's where."""
    young = table.age.between(18, 30, inclusive="left")
    rich = table.spend / table.visits.where(table.visits > 0) > 20
    return (table.gender == "female") & (young | rich) & (table.country != "GB")


def run(scale: str = "full") -> list[dict]:
    rows, users, items = (1_000_000, 2_000, 3_500) if scale == "full" else (20_000, 200, 300)
    table = people(rows)
    ours, theirs = seconds(lambda: select(table, EXPRESSION)), seconds(lambda: by_pandas(table))
    rng = np.random.default_rng(1)
    scores = rng.random((users, items), dtype=np.float32)
    code = np.arange(items) % 5
    target = np.full(5, 0.2)
    parts = sum(1 for _ in ast.walk(ast.parse(EXPRESSION)))
    return [
        figure(f"an expression of {parts} parts on {rows:,} customers", ours, "s", "lower"),
        figure(f"the same group by pandas, {rows:,} customers", theirs, "s", "lower"),
        figure(f"{users:,} bounded lists of ten among {items:,} products in 5 groups",
               seconds(lambda: bounded_lists(scores, code, target, 1.1)), "s", "lower"),
        figure(f"crowds of {rows:,} customers by four facts",
               seconds(lambda: anonymity(table, FACTS)), "s", "lower"),
        figure(f"{rows // 10:,} customers made coarse until each hides among 5",
               seconds(lambda: protect(table.head(rows // 10), FACTS), 1), "s", "lower"),
    ]  # fmt: skip
