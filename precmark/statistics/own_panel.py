"""A run's own panel: countries or categories by week, with what its log knows of the regressors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from precmark.runs import Run

LEAST_UNITS, LEAST_WEEKS = 5, 8
"""Fewer units or weeks make no panel worth fitting."""

_MEMORY = 4
"""Weeks over which a country's range of products is counted."""


@dataclass(frozen=True)
class OwnPanel:
    """A panel and what its columns are.

    Attributes
    ----------
    frame : pandas.DataFrame
        ``unit``, ``week`` (from 0), the outcome and the columns; a row a unit and week.
    outcome : str
    columns : tuple of str
    units, words : str
        What a unit is ("countries"), and what the columns measure, in sentences.
    missing : str
        Which of display, price and marketing the log cannot say; empty for none.
    """

    frame: pd.DataFrame
    outcome: str
    columns: tuple[str, ...]
    units: str
    words: str
    missing: str


def own_panel(run: Run) -> OwnPanel | str:
    """The panel that the log of `run` holds, or why there is none.

    Categories by week where the log has page views and categories; else countries by week where it
    has users' countries.
    """
    says = run.source.says
    if not {"purchases", "items", "clock"} <= says:
        return f"{run.source.title} holds no sales by time and product, so it makes no panel."
    events = run.table(
        "sessions/events",
        columns=["user_code", "timestamp", "event", "item_id", "category", "value", "quantity"],
    )
    days = (events.timestamp - events.timestamp.min().normalize()).dt.days
    events = events.assign(week=days // 7)
    # Whole weeks only: the last one may end early.
    events = events[events.week < (int(days.max()) + 1) // 7]
    if {"views", "categories"} <= says and run.has("contract/items"):
        found = _categories(events, run.table("contract/items", columns=["item_id", "price"]))
    elif "attributes" in says and run.has("contract/users"):
        found = _countries(events, run.table("contract/users", columns=["user_code", "country"]))
    else:
        return f"{run.source.title} names neither categories seen nor countries of its customers."
    units, weeks = found.frame.unit.nunique(), found.frame.week.nunique()
    if units < LEAST_UNITS or weeks < LEAST_WEEKS:
        return (
            f"{run.source.title} gives {units} {found.units} over {weeks} weeks; a panel needs "
            f"{LEAST_UNITS} and {LEAST_WEEKS}."
        )
    return found


def _categories(events: pd.DataFrame, items: pd.DataFrame) -> OwnPanel:
    """Categories by week: units sold on products seen, their price, coupons shown."""
    events = events.dropna(subset=["category"])
    sold = events[events.event == "purchase"]
    seen = events[(events.event == "view") & events.item_id.notna()]
    seen = seen.merge(items.drop_duplicates("item_id"), on="item_id", how="left")
    sellers = sold.category.unique()
    grid = pd.MultiIndex.from_product(
        [sorted(sellers), range(int(events.week.max()) + 1)], names=["unit", "week"]
    )
    keys = ["category", "week"]
    price = np.log(seen.price.where(seen.price > 0)).groupby([seen[k] for k in keys]).mean()
    table = pd.DataFrame(
        {
            "sales": sold.quantity.fillna(1).groupby([sold[k] for k in keys]).sum(),
            "display": seen.groupby(keys).item_id.nunique(),
            "price": price,
            "marketing": events[events.event == "coupon_shown"].groupby(keys).size(),
        }
    ).rename_axis(["unit", "week"])
    table = table.reindex(grid)
    for column in ("sales", "display", "marketing"):
        table[column] = table[column].fillna(0.0)
    table = table.dropna().reset_index()
    columns = ["display", "price", "marketing"]
    moving = [c for c in columns if table[c].std() > 0]
    return OwnPanel(
        table[["unit", "week", "sales", *moving]],
        "sales", tuple(moving), "categories",
        "A row is a category in a week in which somebody looked at it. *Sales* are units sold, "
        "*display* the different products of the category that visitors looked at, *price* the "
        "mean logarithm of those products' list prices, *marketing* the coupons shown for the "
        "category.",
        "" if len(moving) == len(columns) else ", ".join(c for c in columns if c not in moving),
    )  # fmt: skip


def _countries(events: pd.DataFrame, users: pd.DataFrame) -> OwnPanel:
    """Countries by week: revenue on the range ordered lately and a price index."""
    sold = events[(events.event == "purchase") & (events.value > 0) & events.item_id.notna()]
    sold = sold.merge(users.dropna(subset=["country"]), on="user_code")
    each = np.log(sold.value / sold.quantity.fillna(1))
    sold = sold.assign(
        relative=each - each.groupby(sold.item_id).transform("median"),
        unit=sold.country,
    )
    keys = ["unit", "week"]
    sold["weighted"] = sold.relative * sold.value
    sums = sold.groupby(keys)[["value", "weighted"]].sum()
    table = pd.DataFrame(
        {"sales": np.log(sums.value), "price": sums.weighted / sums.value}
    ).reset_index()
    table["display"] = np.log1p(_range_before(sold, table))
    table = table[table.week >= _MEMORY]
    often = table.groupby("unit").week.transform("size") >= 2
    return OwnPanel(
        table.loc[often, ["unit", "week", "sales", "display", "price"]].reset_index(drop=True),
        "sales", ("display", "price"), "countries",
        "A row is a country in a week with an order from it. *Sales* are the logarithm of the "
        f"week's order value, *display* the logarithm of 1 and the different products that the "
        f"country ordered in the {_MEMORY} weeks before (the shop's own displays are not recorded; "
        "the week's own range would be another count of its orders), *price* the logarithm of the "
        "price paid against each product's median, weighted by value.",
        "marketing",
    )  # fmt: skip


def _range_before(sold: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    """Different products that each row's unit ordered in the weeks before its own."""
    pairs = sold[["unit", "week", "item_id"]].drop_duplicates()
    later = pd.concat([pairs.assign(week=pairs.week + k) for k in range(1, _MEMORY + 1)])
    counts = later.drop_duplicates().groupby(["unit", "week"]).size()
    wanted = pd.MultiIndex.from_frame(table[["unit", "week"]])
    return counts.reindex(wanted, fill_value=0).to_numpy()
