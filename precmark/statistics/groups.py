"""Two groups whose shares the chapter compares, and outlets that separate an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from precmark.statistics.customers import TITLES, Customers
from precmark.statistics.outlets import LIST_PRICE, outlets

if TYPE_CHECKING:
    from precmark.runs import Run


@dataclass(frozen=True)
class TwoGroups:
    """Counts of two groups.

    Attributes
    ----------
    x1, n1, x2, n2 : int
        Units with the outcome and all units of either group.
    first, second, outcome : str
        In words.
    randomised : bool
        Whether chance assigned the units, so that a difference is an effect.
    """

    x1: int
    n1: int
    x2: int
    n2: int
    first: str
    second: str
    outcome: str
    randomised: bool


def two_groups(run: Run, customers: Customers | None) -> TwoGroups | None:
    """Decisions with and without a coupon; else customers of the first country and all others.

    Where neither is known, the rows of `customers` with and without the first of their columns
    that is 0 or 1; None where there is no such column either.
    """
    if "coupons" in run.source.says and run.has("contract/assignments"):
        table = run.table("contract/assignments", columns=["arm", "outcome"]).dropna()
        coupon = table.arm == "coupon"
        if 0 < coupon.sum() < len(table):
            return _counted(table.outcome == 1, coupon, "visits dealt a coupon",
                            "visits dealt none", "bought", randomised=True)  # fmt: skip
    if customers is None:
        return None
    rows = customers.test
    country = _countries(run, customers)
    if country is not None and country.nunique() > 1:
        top = country.mode().iloc[0]
        known = country.notna().to_numpy()
        return _counted(
            rows.outcome[known] == 1, (country == top)[known], f"{customers.rows} from {top}",
            "others", customers.outcome, randomised=False,
        )  # fmt: skip
    for column in customers.columns:
        values = set(rows[column].unique())
        if values == {0.0, 1.0}:
            return _counted(
                rows.outcome == 1, rows[column] == 1,
                f'{customers.rows} with "{TITLES[column]}"', "others",
                customers.outcome, randomised=False,
            )  # fmt: skip
    return None


def _counted(happened, in_first, first, second, outcome, *, randomised) -> TwoGroups:
    happened, in_first = happened.to_numpy(bool), in_first.to_numpy(bool)
    return TwoGroups(
        int((happened & in_first).sum()), int(in_first.sum()), int((happened & ~in_first).sum()),
        int((~in_first).sum()), first, second, outcome, randomised,
    )  # fmt: skip


def _countries(run: Run, customers: Customers) -> pd.Series | None:
    """The country of each row of the test part, in its order; None where none is known."""
    if not run.has("contract/users"):
        return None
    users = run.table("contract/users", columns=["user_code", "country"])
    country = users.drop_duplicates("user_code").set_index("user_code").country
    if not country.notna().any():
        return None
    user = customers.test.row
    if customers.rows == "visits":
        sessions = run.table("sessions/sessions", columns=["session_code", "user_code"])
        user = user.map(sessions.set_index("session_code").user_code)
    return user.map(country).reset_index(drop=True)


def separated_outlets(*, stores: int = 300, months: int = 9, seed: int = 0) -> pd.DataFrame:
    """Simulated outlets, and whether each sold anything: all with many stars did.

    Returns
    -------
    pandas.DataFrame
        ``high_star`` (0, 1: four stars or more), ``price`` (mean over the months,
        less the list price), ``sold`` (0, 1:
        anything in those months).
    """
    frame = outlets("display_idle", stores=stores, months=months, seed=seed)
    grouped = frame.groupby("outlet")
    return pd.DataFrame(
        {
            "high_star": (grouped.stars.first() >= 4).astype(float),
            "price": grouped.price.mean() - LIST_PRICE,
            "sold": (grouped.sales.sum() > 0).astype("int64"),
        }
    ).reset_index(drop=True)
