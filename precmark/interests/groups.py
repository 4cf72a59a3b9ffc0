"""What groups selected by expressions hold, and what their customers did afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.interests.selection import Group
from precmark.segments.compare import wilson

if TYPE_CHECKING:
    from precmark.runs import Run

USUAL = {
    "high end": "monetary >= {high:.2f}",
    "to be kept": "frequency >= 2 and recency_days > {gap:.0f}",
    "newcomers": "tenure_days <= 30",
    "lookers": "views_30 >= 10 and purchases == 0",
    "left a cart": "carts_30 > purchases_30",
    "women of 18 to 30": "gender == 'female' and 18 <= age <= 30",
}
"""Groups of the paper's section 3.1 (valuable, to be kept, new) and some that shops use; the
numbers in braces come from the profile."""

HIGH_SHARE = 0.1
"""Of the buyers, the share that counts as high end."""


@dataclass(frozen=True)
class Later:
    """Customers as they stood on a day, and what they did from then on.

    Attributes
    ----------
    profile : pandas.DataFrame
        As of `as_of`, one row a customer.
    bought : numpy.ndarray
        (n,) bool: a purchase between `as_of` and the log's end.
    spent : numpy.ndarray
        (n,) money of these purchases, cancellations taken back, at least 0; nan without prices.
    as_of : str
        ISO day on the store's clock; nothing from it on is in the profile.
    days : int
        Whole days from `as_of` to the end of the log.
    """

    profile: pd.DataFrame
    bought: np.ndarray
    spent: np.ndarray
    as_of: str
    days: int


def later(run: Run, as_of: pd.Timestamp) -> Later:
    """The profile of `run` as of the local day of `as_of`, and the purchases after its midnight."""
    from precmark.segments.past import past_profile

    day = as_of.tz_convert(run.source.timezone).normalize()
    profile = past_profile(run, str(day.date()))
    events = run.table("sessions/events", ["user_code", "timestamp", "event", "value"])
    last = events.timestamp.max()
    after = events[(events.timestamp >= day) & events.event.isin(["purchase", "cancel"])]
    sign = np.where(after.event == "purchase", 1.0, -1.0)
    money = (after.value * sign).groupby(after.user_code).sum(min_count=1)
    buyers = after.user_code[after.event == "purchase"].unique()
    spent = money.reindex(profile.user_code).fillna(0.0).clip(lower=0.0).to_numpy(dtype=float)
    if "prices" not in run.source.says:
        spent = np.full(len(profile), np.nan)
    bought = profile.user_code.isin(buyers).to_numpy()
    return Later(profile, bought, spent, str(day.date()), (last - day).days)


def usual_groups(profile: pd.DataFrame) -> dict[str, str]:
    """Expressions of :data:`USUAL` that part this `profile`: somebody is in, somebody is not.

    ``high`` is the spending that a tenth of the buyers reach, ``gap`` the days since the last
    purchase that three quarters of those who bought twice keep within.
    """
    from precmark.interests.selection import select

    money = profile.monetary[profile.monetary > 0]
    again = profile.recency_days[profile.frequency >= 2].dropna()
    numbers = {}
    if len(money):
        numbers["high"] = float(np.quantile(money, 1 - HIGH_SHARE))
    if len(again):
        numbers["gap"] = float(np.quantile(again, 0.75))
    made = {}
    for name, text in USUAL.items():
        if any(f"{{{key}:" in text and key not in numbers for key in ("high", "gap")):
            continue
        expression = text.format(**numbers)
        if 0 < len(select(profile, expression)) < len(profile):
            made[name] = expression
    return made


def outcomes(groups: Mapping[str, Group], after: Later) -> pd.DataFrame:
    """Each group beside all other customers, by what came later.

    Parameters
    ----------
    groups : mapping of name to Group
        Selected on ``after.profile``.
    after : Later

    Returns
    -------
    pandas.DataFrame
        ``group``, ``expression``, ``customers``, ``share`` (of all, 0 to 1), ``unknown``
        (customers), ``rate``, ``low``, ``high`` (bought later, Wilson 95 %), ``others`` (rate of
        everybody else), ``difference``, ``difference_low``, ``difference_high`` (Newcombe 95 %),
        ``favours`` (``"first"``, the group, ``"second"`` or ``"neither"``), ``spent`` (money a
        customer), ``share_of_sales``. Rates of nobody are nan.

    References
    ----------
    Newcombe 1998, Interval estimation for the difference between independent proportions,
    doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10.
    """
    rows = [_outcome(name, group, after) for name, group in groups.items()]
    return pd.DataFrame(rows)


def _outcome(name: str, group: Group, after: Later) -> dict[str, object]:
    mine, n = group.mask, len(group.mask)
    trials = np.array([mine.sum(), (~mine).sum()])
    hits = np.array([after.bought[mine].sum(), after.bought[~mine].sum()])
    low, high = wilson(hits, trials)
    rate = np.divide(hits, trials, out=np.full(2, np.nan), where=trials > 0)
    apart = rate[0] - rate[1]
    below = apart - np.hypot(rate[0] - low[0], high[1] - rate[1])
    above = apart + np.hypot(high[0] - rate[0], rate[1] - low[1])
    favours = "first" if below > 0 else "second" if above < 0 else "neither"
    sales = after.spent.sum()
    return {
        "group": name, "expression": group.expression, "customers": int(trials[0]),
        "share": trials[0] / max(n, 1), "unknown": group.unknown, "rate": rate[0],
        "low": low[0] if trials[0] else np.nan, "high": high[0] if trials[0] else np.nan,
        "others": rate[1], "difference": apart, "difference_low": below,
        "difference_high": above, "favours": favours,
        "spent": after.spent[mine].mean() if trials[0] else np.nan,
        "share_of_sales": after.spent[mine].sum() / sales if sales > 0 else np.nan,
    }  # fmt: skip
