"""One worked example of each check, on made-up figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from precmark.audit.checks import CHECKS, printed_text, run_check
from precmark.audit.quantities import Quantity

_typed = Quantity.printed


def _share(digits: str, what: str = "", place: str = "") -> Quantity:
    figure = _typed(digits)
    return Quantity(figure.value, figure.half_width, "share", what, place)


EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "total": {"parts": (_typed("120"), _typed("75")), "total": _typed("205")},
    "shares": {"parts": (_share("0.62"), _share("0.31"), _share("0.08"))},
    "ratio": {"numerator": _typed("53"), "denominator": _typed("410"), "printed": _share("0.139")},
    "growth": {"new": _share("0.060"), "old": _share("0.048"), "printed": _share("0.25")},
    "product": {"factors": (_typed("140"), _typed("2.5")), "printed": _typed("350")},
    "difference": {"a": _share("0.71"), "b": _share("0.58"), "printed": _share("0.14")},
    "mean": {"values": (_typed("3.2"), _typed("4.1"), _typed("3.8")), "printed": _typed("3.9")},
    "weighted_mean": {
        "values": (_share("0.10"), _share("0.30")), "weights": (Quantity(900), Quantity(100)),
        "printed": _share("0.20"),
    },
    "f1": {"precision": _share("0.80"), "recall": _share("0.60"), "printed": _share("0.69")},
    "formula": {
        "expression": "price * (1 - discount)", "price": Quantity(40),
        "discount": _share("0.15"), "printed": _typed("34.00"),
    },
    "same": {
        "values": (_share("0.43", "uplift", "Abstract"), _share("0.34", "uplift", "Table 2")),
    },
    "ranking": {
        "best": _share("0.81", "our model"),
        "others": (_share("0.78", "trees"), _share("0.83", "a regression")), "order": "highest",
    },
    "monotone": {
        "values": (_typed("12"), _typed("15"), _typed("14")), "direction": "increasing",
    },
    "at_most": {
        "smaller": _typed("310", what="buyers"), "larger": _typed("290", what="visitors"),
    },
    "within": {"value": _share("0.034"), "low": _share("0.02"), "high": _share("0.03")},
    "inequality": {
        "expression": "gain > mails * cost", "gain": _typed("95"), "mails": Quantity(140),
        "cost": _typed("0.50"),
    },
    "correlation": {"value": _typed("1.04")},
    "grim": {"share": _share("0.174"), "total": Quantity(75)},
    "two_proportions": {
        "share1": _share("0.12"), "total1": Quantity(200), "share2": _share("0.09"),
        "total2": Quantity(200),
    },
    "proportion_interval": {
        "share": _share("0.15"), "total": Quantity(300), "low": _share("0.11"),
        "high": _share("0.20"),
    },
    "implied_matthews": {
        "sensitivity": _share("0.80"), "specificity": _share("0.90"), "accuracy": _share("0.87"),
        "matthews": _typed("0.85"),
    },
    "accuracy_between": {
        "sensitivity": _share("0.80"), "specificity": _share("0.90"), "accuracy": _share("0.93"),
    },
    "confusion": {
        "true_positives": Quantity(40), "false_positives": Quantity(10),
        "false_negatives": Quantity(20), "true_negatives": Quantity(130),
        "rate": "precision", "printed": _share("0.80"),
    },
    "p_value_from": {"statistic": _typed("1.70"), "df": Quantity(98), "below": Quantity(0.05)},
    "dimensions": {
        "left": "cost", "right": "clicks * price_per_click",
        "symbols": {"cost": "yuan", "clicks": "clicks", "price_per_click": "yuan / clicks"},
    },
    "chapter": {"chapter": "05_baselines"},
    "not_testable": {"reason": "The survey is private."},
}  # fmt: skip
"""Arguments for each check. The figures are made up: they are of no paper."""


def worked_examples() -> pd.DataFrame:
    """What each check finds on its made-up example.

    Returns
    -------
    pandas.DataFrame
        One row a check, in the order of :data:`precmark.audit.CHECKS`: ``check``, ``printed`` (the
        figure that is checked), ``finds`` (the sentence), ``verdict`` ("" where a chapter has to
        try it).
    """
    rows = []
    for name in CHECKS:
        finding = run_check(name, EXAMPLES[name])
        rows.append((name, printed_text(EXAMPLES[name]), finding.why, finding.verdict))
    return pd.DataFrame(rows, columns=["check", "printed", "finds", "verdict"])
