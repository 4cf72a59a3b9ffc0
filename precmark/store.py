"""What a shop's sessions say about it: the figures of a day, depth, hours, seasons, returns.

Chapter 01. Everything here reads the sessions table (one row a session, machines removed) and works
on any shop; what a source cannot say is left to the caller to leave out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pandas as pd

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def shop_sessions(sessions: pd.DataFrame, timezone: str) -> pd.DataFrame:
    """The sessions with shopping in them, and when they began on the shop's own clock.

    Parameters
    ----------
    sessions : pandas.DataFrame
        Columns of ``sessions/sessions``; ``start`` in UTC.
    timezone : str
        IANA name of the shop's zone.

    Returns
    -------
    pandas.DataFrame
        Without sessions of live streams only; further columns ``local`` (start on the shop's
        clock) and ``day`` (its midnight, without a zone).
    """
    shop = sessions[sessions["kind"] == "shop"]
    local = shop["start"].dt.tz_convert(timezone).dt.tz_localize(None)
    return shop.assign(local=local, day=local.dt.normalize())


def daily(shop: pd.DataFrame) -> pd.DataFrame:
    """Sessions, visitors, page views, orders and sales of each day from the first to the last.

    Parameters
    ----------
    shop : pandas.DataFrame
        From :func:`shop_sessions`.

    Returns
    -------
    pandas.DataFrame
        Index ``day``; ``sessions``, ``visitors`` (different users), ``new_visitors`` (first
        session in the log), ``views``, ``orders`` (sessions that buy), ``sales`` (money, net of
        what was taken back). Days without a session hold zeros.
    """
    by = shop.groupby("day")
    table = pd.DataFrame(
        {
            "sessions": by.size(),
            "visitors": by["user_code"].nunique(),
            "new_visitors": by["is_new"].sum(),
            "views": by["views"].sum(),
            "orders": by["purchased"].sum(),
            "sales": by["revenue"].sum(),
        }
    )
    every = pd.date_range(table.index.min(), table.index.max(), name="day")
    return table.reindex(every, fill_value=0)


def key_figures(shop: pd.DataFrame, says: Collection[str], currency: str) -> pd.DataFrame:
    """The shop in a handful of figures, those that its source can say.

    Parameters
    ----------
    shop : pandas.DataFrame
        From :func:`shop_sessions`.
    says : collection of str
        What the source holds (:data:`precmark.source.CAPABILITIES`).
    currency : str
        ISO code, or "" where unknown.

    Returns
    -------
    pandas.DataFrame
        ``figure``, ``value``, ``unit``.
    """
    table, money = daily(shop), currency or "money"
    days = len(table)
    bought = shop.loc[shop["purchased"], "revenue"]
    rows = [
        ((), "days in the log", days, "days"),
        (("sessions",), "sessions a day", len(shop) / days, "sessions/day"),
        (("users",), "visitors a day", table["visitors"].mean(), "visitors/day"),
        (("users",), "first-time visitors a day", table["new_visitors"].mean(), "visitors/day"),
        (("views",), "page views a day", table["views"].mean(), "pages/day"),
        (("views", "sessions"), "page views a session", shop["views"].mean(), "pages/session"),
        (("sessions", "clock"), "mean session duration", shop["duration_s"].mean(), "s"),
        (("views", "purchases"), "share of sessions that buy", shop["purchased"].mean(), "share"),
        (("purchases",), "orders a day", table["orders"].mean(), "orders/day"),
        (("prices",), "sales a day", table["sales"].mean(), f"{money}/day"),
        (("prices",), "mean value of an order", bought.mean(), money),
    ]
    kept = [row[1:] for row in rows if set(row[0]) <= set(says)]
    return pd.DataFrame(kept, columns=["figure", "value", "unit"])


def depth(shop: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """How many sessions reach the first, second, ... page view.

    Returns
    -------
    pandas.DataFrame
        ``page_views`` 1 to `most`, ``sessions`` (with that many or more), ``share`` (of those with
        one at least), ``goes_on`` (share of these sessions that see one page more).
    """
    views = shop["views"].to_numpy()
    reach = np.array([(views >= n).sum() for n in range(1, most + 2)])
    with np.errstate(invalid="ignore", divide="ignore"):
        goes_on = reach[1:] / reach[:-1]
    return pd.DataFrame(
        {
            "page_views": np.arange(1, most + 1),
            "sessions": reach[:-1],
            "share": reach[:-1] / max(reach[0], 1),
            "goes_on": goes_on,
        }
    )


def funnel(shop: pd.DataFrame) -> pd.DataFrame:
    """Sessions that view, put something in the cart and buy, whatever else they do.

    Returns
    -------
    pandas.DataFrame
        ``step``, ``sessions``, ``share`` (of all sessions).
    """
    steps = {
        "all sessions": np.ones(len(shop), dtype=bool),
        "view a product": shop["views"] > 0,
        "put it in the cart": shop["carts"] > 0,
        "buy": shop["purchased"],
    }
    counts = [int(np.sum(mask)) for mask in steps.values()]
    return pd.DataFrame(
        {"step": list(steps), "sessions": counts, "share": np.array(counts) / len(shop)}
    )


def hours(shop: pd.DataFrame) -> pd.DataFrame:
    """Sessions that begin in each hour of each weekday, on average over the log's weeks.

    Returns
    -------
    pandas.DataFrame
        7 rows (Monday first) by 24 columns (hour on the shop's clock): sessions an hour.
    """
    days = pd.date_range(shop["day"].min(), shop["day"].max())
    weeks = pd.Series(days.day_of_week).value_counts().reindex(range(7), fill_value=0)
    grid = pd.crosstab(shop["local"].dt.day_of_week, shop["local"].dt.hour)
    grid = grid.reindex(index=range(7), columns=range(24), fill_value=0)
    grid = grid.div(weeks.where(weeks > 0), axis=0)
    grid.index = pd.Index(WEEKDAYS, name="weekday")
    grid.columns.name = "hour"
    return grid


def cohorts(shop: pd.DataFrame, most_months: int = 12) -> pd.DataFrame:
    """Who comes back: users by the month of their first session, and the months they return in.

    Parameters
    ----------
    shop : pandas.DataFrame
        From :func:`shop_sessions`.
    most_months : int
        Months after the first to look at, 1 or more.

    Returns
    -------
    pandas.DataFrame
        Index ``cohort`` (month as text); ``users``; then columns 1 to `most_months`: share of the
        cohort with a session that many months later, missing where the log ends before that month
        does. Cohorts without one such month are left out.
    """
    month = shop["local"].dt.year * 12 + shop["local"].dt.month - 1
    first = month.groupby(shop["user_code"]).transform("min")
    seen = pd.DataFrame({"user": shop["user_code"], "cohort": first, "later": month - first})
    seen = seen.drop_duplicates()
    counts = seen.groupby(["cohort", "later"]).size().unstack(fill_value=0)
    months = range(1, most_months + 1)
    users = counts[0]
    shares = counts.reindex(columns=months, fill_value=0).div(users, axis=0)
    last_day = shop["day"].max()
    complete = last_day.year * 12 + last_day.month - 1 - (not last_day.is_month_end)
    for later in months:
        shares.loc[shares.index + later > complete, later] = np.nan
    shares.insert(0, "users", users)
    shares = shares[shares[list(months)].notna().any(axis=1)]
    shares.index = pd.Index([f"{m // 12}-{m % 12 + 1:02d}" for m in shares.index], name="cohort")
    return shares


class Contrast(NamedTuple):
    """Outcomes with a randomised coupon against outcomes without.

    Attributes
    ----------
    with_coupon, without : float
        Share that bought, weighted by the inverse of the propensity.
    difference, low, high : float
        With minus without, and its 95 % interval (users as the unit of resampling).
    coupons : int
        Decisions with a coupon.
    needed : float
        Coupons, at the same share of decisions, with which a difference of the size asked about
        is told from 0 four times in five (two-sided, 5 %).
    """

    with_coupon: float
    without: float
    difference: float
    low: float
    high: float
    coupons: int
    needed: float


def coupon_contrast(assignments: pd.DataFrame, aim: float) -> Contrast:
    """What the random coupons of a log show by themselves.

    Parameters
    ----------
    assignments : pandas.DataFrame
        The contract's table: ``user_code`` or ``user_id``, ``arm`` (``none`` or another),
        ``propensity``, ``outcome``.
    aim : float
        Size of a difference that one would want to find, above 0.
    """
    shown = (assignments["arm"] != "none").to_numpy()
    weight = 1.0 / assignments["propensity"].to_numpy()
    y = assignments["outcome"].to_numpy(dtype=float)
    means = [np.average(y[arm], weights=weight[arm]) for arm in (shown, ~shown)]
    # The ratio estimators' influence, summed within users: a user's decisions are not independent.
    influence = np.where(
        shown,
        weight * (y - means[0]) / weight[shown].sum(),
        -weight * (y - means[1]) / weight[~shown].sum(),
    )
    who = "user_code" if "user_code" in assignments else "user_id"
    by_user = pd.Series(influence).groupby(assignments[who].to_numpy()).sum()
    error = float(np.sqrt((by_user**2).sum()))
    difference = means[0] - means[1]
    return Contrast(
        with_coupon=float(means[0]),
        without=float(means[1]),
        difference=float(difference),
        low=float(difference - 1.96 * error),
        high=float(difference + 1.96 * error),
        coupons=int(shown.sum()),
        needed=float(shown.sum() * (2.80 * error / aim) ** 2),
    )


def on_contrast(contrast: Contrast) -> str:
    """What the random coupons show, in a sentence."""
    c = contrast
    if c.low > 0:
        found = "more purchases with a coupon than without"
    elif c.high < 0:
        found = "fewer purchases with a coupon than without"
    else:
        found = "no difference that the data can show"
    return (
        f"Of the decisions with a random coupon {c.with_coupon:.1%} ended in a purchase, of the "
        f"others {c.without:.1%}: {found} (difference {100 * c.difference:+.2f} percentage points, "
        f"95 % interval {100 * c.low:+.2f} to {100 * c.high:+.2f}, {c.coupons:,} coupons)."
    )


def on_hours(grid: pd.DataFrame) -> str:
    """When the shop is busy, in a sentence."""
    by_hour, by_day = grid.sum(), grid.sum(axis=1)
    busy, quiet = int(by_hour.idxmax()), int(by_hour.idxmin())
    weekend, workdays = by_day.iloc[5:].mean(), by_day.iloc[:5].mean()
    change = weekend / workdays - 1 if workdays else np.nan
    compared, by = ("busier than" if change > 0 else "quieter than"), f", by {abs(change):.0%}"
    if abs(change) < 0.02:
        compared, by = "as busy as", ""
    night = by_hour[quiet] / by_hour[busy]
    return (
        f"The busiest hour is {busy:02d}:00 to {(busy + 1) % 24:02d}:00, the quietest "
        f"{quiet:02d}:00 to {(quiet + 1) % 24:02d}:00 with {night:.0%} of that. "
        f"A day of the weekend is {compared} a workday{by}."
    )


def peaks(table: pd.DataFrame, column: str = "sessions", apart_days: int = 14) -> pd.Series:
    """The two busiest days of :func:`daily` that lie `apart_days` or more from each other."""
    first = table[column].idxmax()
    far = np.abs((table.index - first).days) >= apart_days
    days = [first, *([table.loc[far, column].idxmax()] if far.any() else [])]
    return table.loc[days, column]


def on_days(table: pd.DataFrame, noun: str = "sessions") -> str:
    """The median day and the peaks of :func:`daily`, in a sentence; `noun` names the counted."""
    top, median = peaks(table), table["sessions"].median()
    days = " and ".join(
        f"{d.day} {d:%B %Y} ({v / median:.1f} times)" if median else f"{d.day} {d:%B %Y}"
        for d, v in top.items()
    )
    return f"The median day has {median:,.0f} {noun}; at its peaks it has more: {days}."


def on_cohorts(table: pd.DataFrame) -> str:
    """How many users come back after a month and later, in a sentence.

    The later month is the last that three cohorts or more have lived through.
    """
    share = {
        m: np.average(table[m].dropna(), weights=table.loc[table[m].notna(), "users"])
        for m in table.columns.drop("users")
        if table[m].notna().sum() >= min(3, len(table))
    }
    first, *_, last = *share, max(share)
    text = f"Of all first-time visitors {share[first]:.1%} come again in the next month"
    if last > first:
        text += f"; of those who can be followed that far, {share[last]:.1%} come in month {last}"
    eldest = table.iloc[0][list(share)].mean()
    rest = table.iloc[1:][list(share)].mean(axis=None) if len(table) > 1 else np.nan
    if rest > 0 and eldest > 1.25 * rest:
        text += (
            ". The first cohort returns more often than the others, as it must where a log starts "
            "in the middle of a shop's life: it holds the regulars of the time before"
        )
    return text + "."
