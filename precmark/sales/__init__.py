"""Estimated sales: the formula, its uncertainty, Table 7 under every reading, and the truth."""

from precmark.sales.estimate import (
    DISCOUNTED,
    Asked,
    Estimate,
    asked_or_paper,
    estimate,
    input_problems,
)
from precmark.sales.readings import (
    DISCOUNTS,
    FORMS,
    GROWTHS,
    RATES,
    Interval,
    Reading,
    above_free,
    every_reading,
    growth_of,
    growth_readings,
    implied_base,
    ranked,
    rate_of,
    row_by_row,
    sales_of,
    table7,
)
from precmark.sales.truth import formula_against_truth, main_budget, returns
from precmark.sales.uncertain import Counts, compare, paper_counts
from precmark.sales.verdicts import sales_verdicts

__all__ = [
    "DISCOUNTED",
    "DISCOUNTS",
    "FORMS",
    "GROWTHS",
    "RATES",
    "Asked",
    "Counts",
    "Estimate",
    "Interval",
    "Reading",
    "above_free",
    "asked_or_paper",
    "compare",
    "estimate",
    "every_reading",
    "formula_against_truth",
    "growth_of",
    "growth_readings",
    "implied_base",
    "input_problems",
    "main_budget",
    "paper_counts",
    "ranked",
    "rate_of",
    "returns",
    "row_by_row",
    "sales_of",
    "sales_verdicts",
    "table7",
]
