"""What the paper's rise in turnover can show: homes, luck, and months without a campaign (ch. 14).

Only the first and the last of five months are printed. Two things are left to ask of them: how many
sales make such a turnover, and how often a shop without any campaign shows such a rise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.claims import paper

if TYPE_CHECKING:
    from precmark.runs import Run

MONTHS = 5
"""February to June, the paper's months after the strategy began."""

BLOCK_DAYS = 30
"""A "month" of a window that may begin on any day."""

_PRICES = {
    "lowest price, first group": "section633.house_total_low",
    "highest price, first group": "section633.house_total_high",
    "highest budget, second group": "section633.stacked_budget_high",
    "lowest budget, third group": "section633.villa_budget_low",
    "highest budget, third group": "section633.villa_budget_high",
}


@dataclass(frozen=True)
class Rise:
    """The printed rise.

    Attributes
    ----------
    first, last : float
        Turnover, million yuan.
    growth : float
        last / first - 1.
    a_month : float
        The same growth each month, compounded.
    noise : float
        Standard deviation of the logarithm of a month's turnover at which a rise or fall of this
        size between two months is luck one time in twenty.
    """

    first: float
    last: float
    growth: float
    a_month: float
    noise: float


def printed_rise() -> Rise:
    """The rise that the paper prints (Section 6.4)."""
    from scipy.stats import norm

    first, last = (paper("you", f"section64.turnover_{m}") for m in ("february", "june"))
    log = np.log(last / first)
    return Rise(
        first, last, last / first - 1, float(np.exp(log / (MONTHS - 1)) - 1),
        float(log / (norm.ppf(0.975) * np.sqrt(2))),
    )  # fmt: skip


def homes() -> pd.DataFrame:
    """How many homes the printed turnovers are at the prices that the paper prints.

    Returns
    -------
    pandas.DataFrame
        ``price`` (million yuan), ``what``; ``first``, ``last`` (homes, not rounded); ``p_value``
        of equal rates in both months (exact, two-sided, of the rounded homes); ``low``, ``high``:
        95 % interval of the growth that they allow (shares; Clopper and Pearson, infinite where
        the first month may have had none).
    """
    rise = printed_rise()
    rows = []
    for what, key in _PRICES.items():
        price = paper("you", key)
        counts = rise.first / price, rise.last / price
        p_value, low, high = equal_rates(round(counts[0]), round(counts[1]))
        rows.append((what, price, *counts, p_value, low, high))
    columns = ["what", "price", "first", "last", "p_value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).sort_values("price", ignore_index=True)


def equal_rates(first: int, last: int) -> tuple[float, float, float]:
    """Two counts against equal rates: p-value, and 95 % interval (low, high) of the growth.

    Notes
    -----
    Given their sum, the later count is binomial with last / (first + last) as its share
    (Przyborowski and Wilenski 1940, doi:10.1093/biomet/31.3-4.313).
    """
    from scipy.stats import binomtest

    if first + last == 0:
        return 1.0, -1.0, float("inf")
    test = binomtest(last, first + last, 0.5)
    low, high = test.proportion_ci(0.95, method="exact")
    return (
        float(test.pvalue), float(low / (1 - low) - 1),
        float(high / (1 - high) - 1) if high < 1 else float("inf"),
    )  # fmt: skip


def sales_needed() -> tuple[int, int]:
    """The fewest sales in both months that make the printed rise more than luck (p below 0.05)."""
    rise = printed_rise()
    first = 1
    while True:
        last = round(first * (1 + rise.growth))
        if last > first and equal_rates(first, last)[0] < 0.05:
            return first, last
        first += 1


def daily_sales(run: Run) -> pd.DataFrame:
    """Money (orders where the source has no prices) of every day of the log, in local time.

    Returns
    -------
    pandas.DataFrame
        Index ``day`` from the first to the last, without gaps; ``sales``.
    """
    column = "revenue" if "prices" in run.source.says else "purchases"
    visits = run.table("sessions/sessions", ["start", column])
    day = visits.start.dt.tz_convert(run.source.timezone).dt.tz_localize(None).dt.normalize()
    sales = visits[column].astype(float).groupby(day.rename("day")).sum()
    every = pd.date_range(sales.index.min(), sales.index.max(), name="day")
    return sales.reindex(every, fill_value=0.0).rename("sales").to_frame()


def windows(days: pd.DataFrame, *, months: int = MONTHS) -> pd.DataFrame:
    """The rise from the first to the last block of every window of `months` blocks of 30 days.

    Parameters
    ----------
    days : pandas.DataFrame
        From :func:`daily_sales`; the first and the last day may be cut and are left out.
    months : int
        2 or more.

    Returns
    -------
    pandas.DataFrame
        A row a day on which a window can begin: ``start``, ``first``, ``last`` (sales of the first
        and last block), ``rise`` (last / first - 1; windows that begin with nothing are left out).
        Empty where the log is shorter than a window.
    """
    whole = days["sales"].iloc[1:-1]
    blocks = whole.rolling(BLOCK_DAYS).sum().to_numpy()[BLOCK_DAYS - 1 :]
    distance = (months - 1) * BLOCK_DAYS
    first, last = blocks[: max(0, len(blocks) - distance)], blocks[distance:]
    start = whole.index[: len(first)]
    table = pd.DataFrame({"start": start, "first": first, "last": last})
    table = table[table["first"] > 0].reset_index(drop=True)
    return table.assign(rise=table["last"] / table["first"] - 1)
