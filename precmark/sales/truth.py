"""What the paper's formula would have said where the truth is known: the ablation's worlds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.ablation.tables import PAPER_RATES
from precmark.errors import InputError, Problem
from precmark.sales.estimate import estimate

NEEDED = ("world", "budget", "policy", "title", "c1", "c1_n", "c2_all", "c2_all_n", "incremental",
          "order_value", "discount", "net_30d", "profit_30")  # fmt: skip
"""Columns that :func:`formula_against_truth` reads of ``ablation/options``."""


def main_budget(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `table` under the paper's own rates; without any, under its first budget.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column ``budget``, e.g. ``ablation/options``.
    """
    budgets = list(table["budget"].unique())
    wanted = PAPER_RATES if PAPER_RATES in budgets else next(iter(budgets), PAPER_RATES)
    return table[table["budget"] == wanted]


def formula_against_truth(options: pd.DataFrame, discount: float) -> pd.DataFrame:
    """The paper's estimate from a policy's C-1 and C-2, beside what its coupons truly did to sales.

    Parameters
    ----------
    options : pandas.DataFrame
        ``ablation/options``: the columns :data:`NEEDED`, a row a world, budget and policy, and
        ``revenue_low``, ``revenue_high`` where there.
    discount : float
        What the formula takes off every purchase with a coupon, from 0, below 1.

    Returns
    -------
    pandas.DataFrame
        ``world``, ``budget``, ``policy``, ``title``, ``rate``, ``growth`` (C-1 / C-2 - 1, C-2 of
        all sessions as the paper has it); ``estimated`` and ``estimated_free``: the formula with
        every purchase with a coupon discounted, and with none; ``true``: sales that the coupons
        led to, net of the discount, 100 without coupons, and ``true_low``, ``true_high``, the
        middle 95 % of the futures (not a number where the revenue has none); ``true_30d``: the same
        without purchases that were only pulled forward; ``gap`` = estimated - true;
        ``true_return``: profit at a margin of 30 % for each unit of discount given (not a number
        where none was). Policies that gave no coupon are left out.

    Raises
    ------
    InputError
        Lists the columns that lack; a bad discount.

    Notes
    -----
    Purchases without coupons are those that were made less those that the coupons caused. Each
    stands for the mean value of the orders that coupons caused, over all worlds with an effect; in
    a table without any such order the index counts purchases at a value of 1 and leaves out the
    discount.
    """
    missing = [c for c in NEEDED if c not in options.columns]
    if missing:
        raise InputError(
            Problem(
                f"ablation/options lacks {', '.join(missing)}", "Run chapter 07_ablation again."
            )
        )
    rows = options[options.c1_n > 0].reset_index(drop=True)
    bought = rows.c1 * rows.c1_n + rows.c2_all * rows.c2_all_n
    without = bought - rows.incremental
    value = rows.order_value.sum() / rows.incremental.sum() if rows.incremental.any() else np.nan
    net = (rows.net_30d / rows.incremental.where(rows.incremental != 0)).fillna(0.0)
    worth = without * value
    if np.isfinite(value):
        change, later = rows.order_value - rows.discount, rows.order_value * net - rows.discount
    else:
        worth, change, later = without, rows.incremental, rows.net_30d
    rate = rows.c1_n / (rows.c1_n + rows.c2_all_n)
    growth = rows.c1 / rows.c2_all - 1
    pairs = list(zip(rate, growth, strict=True))
    estimated = [estimate(float(r), float(g), discount).sales for r, g in pairs]
    found = rows[["world", "budget", "policy", "title"]].assign(
        rate=rate,
        growth=growth,
        estimated=estimated,
        estimated_free=100 * (1 + rate * growth),
        true=100 * (1 + change / worth),
        true_30d=100 * (1 + later / worth),
        **{
            f"true_{end}": 100 * (1 + rows.get(f"revenue_{end}", np.nan) / worth)
            for end in ("low", "high")
        },
    )
    found["gap"] = found.estimated - found.true
    return found.assign(true_return=rows.profit_30 / rows.discount.where(rows.discount > 0))


FOLLOWED = ("1", "2", "3", "4", "5")
"""Policies that somebody could follow, as figures and sentences compare them: no oracle."""


def returns(options: pd.DataFrame, margin: int = 30) -> pd.DataFrame:
    """Which of the paper's four options has the best true return on its discounts, by world.

    Parameters
    ----------
    options : pandas.DataFrame
        ``ablation/options``.
    margin : {10, 20, 30, 40, 50}
        In %.

    Returns
    -------
    pandas.DataFrame
        A row a world and budget, of those where a discount was given: ``world``, ``budget``,
        ``best`` (policy), ``option4`` and ``next``: profit for each yuan of discount of option 4
        and of the best of the other three.
    """
    four = options[options.policy.isin(["1", "2", "3", "4"]) & (options.discount > 0)]
    four = four.assign(back=four[f"profit_{margin}"] / four.discount)
    rows = []
    for (world, budget), same in four.groupby(["world", "budget"], sort=False):
        back = same.set_index("policy").back
        if "4" in back.index and len(back) > 1:
            rows.append((world, budget, back.idxmax(), back["4"], back.drop("4").max()))
    return pd.DataFrame(rows, columns=["world", "budget", "best", "option4", "next"])
