"""What is known of each customer before a day, and whether they come back: the run's own table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.statistics.checks import usable

if TYPE_CHECKING:
    from precmark.runs import Run

HORIZON_DAYS = 90
FIRST_CLICKS = 3
LONG_VISIT = 10
LEAST = 50
"""Fewer events or non-events in either part leave nothing to fit or to judge."""

TITLES = {
    "recency": "days since the last visit (log)",
    "tenure": "days since the first visit (log)",
    "visits": "visits (log)",
    "events": "events a visit (log)",
    "minutes": "minutes a visit (log)",
    "views": "page views (log)",
    "searches": "searches (log)",
    "carts": "products put in the cart (log)",
    "purchases": "lines bought (log)",
    "revenue": "money spent (log)",
    "live": "share of visits that were live only",
    "new_customer": "first seen in the last 30 days",
    "mean_price": "mean price of the first products",
    "price_range": "range of their prices",
    "first_price": "price of the first product",
    "categories": "different categories",
    "products": "different products",
    "stays": "second click in the category of the first",
    "weekend": "on a weekend",
    "day": "days since the log began",
}
"""Every column that a table may have, in words."""


@dataclass(frozen=True)
class Customers:
    """The rows that the chapter's statistics are about.

    Attributes
    ----------
    train, test : pandas.DataFrame
        ``row`` (user or session code), the columns and ``outcome`` (0, 1). The test part is later.
    columns : tuple of str
        Keys of :data:`TITLES` that can stand beside each other in the training part.
    left_out : dict
        Column to what it equals there.
    rows : str
        "customers" or "visits".
    outcome : str
        The event in words that finish "a customer who ...".
    origin : pandas.Timestamp or None
        The instant before which the test part's columns look; None for visits.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    columns: tuple[str, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    rows: str = "customers"
    outcome: str = ""
    origin: pd.Timestamp | None = None


def customers_of(run: Run, *, horizon_days: int = HORIZON_DAYS) -> Customers | str:
    """Customers at two days, each with what followed; visits where users are not recognised.

    With users and a clock: everyone seen before the origin; the outcome is a visit (an order, where
    the log holds orders only) within `horizon_days` after it. The origins lie two horizons (train)
    and one (test) before the end, so that no outcome of one part is seen by the other's columns.
    Otherwise, or where too few come back: visits with at least three clicks; the outcome is that
    they get to ten.

    Returns
    -------
    Customers or str
        Why there is no such table, in a sentence.
    """
    says, reasons = run.source.says, []
    for make, wanted in ((_returns, {"users", "clock"}), (_long_visits, {"views"})):
        if wanted <= says:
            found = make(run, horizon_days)
            reason = _too_few(found)
            if not reason:
                candidates = [c for c in found.train.columns if c in TITLES]
                columns, left_out = usable(found.train, candidates)
                return replace(found, columns=tuple(columns), left_out=left_out)
            reasons.append(reason)
    if not reasons:
        return f"{run.source.title} recognises no users and holds no page views."
    return f"{run.source.title} has {'; and '.join(reasons)}. {LEAST} of either kind are needed."


def _too_few(found: Customers) -> str:
    """Which part lacks events or non-events; empty where neither does."""
    for part, frame in (("earlier", found.train), ("later", found.test)):
        events = int(frame.outcome.sum())
        if min(events, len(frame) - events) < LEAST:
            return (
                f"{events:,} of {len(frame):,} {found.rows} in its {part} part that {found.outcome}"
            )
    return ""


def _returns(run: Run, horizon_days: int) -> Customers:
    sessions = run.table("sessions/sessions")
    horizon = pd.Timedelta(days=horizon_days)
    end = sessions.start.max()
    orders_only = "views" not in run.source.says and "purchases" in run.source.says
    counted = sessions[sessions.purchased] if orders_only else sessions
    parts = []
    for origin in (end - 2 * horizon, end - horizon):
        table = customer_features(sessions, origin)
        after = counted[(counted.start >= origin) & (counted.start < origin + horizon)]
        table["outcome"] = table.row.isin(after.user_code).astype("int64")
        if orders_only:  # the time between an invoice and its correction is no time spent
            table = table.drop(columns="minutes")
        parts.append(table)
    verb = "order again" if orders_only else "come back"
    return Customers(
        parts[0], parts[1], (), rows="customers",
        outcome=f"{verb} within {horizon_days} days", origin=end - horizon,
    )  # fmt: skip


def customer_features(sessions: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    """What the sessions before `origin` say of each customer.

    Parameters
    ----------
    sessions : pandas.DataFrame
        As :func:`precmark.sessions.find_sessions` makes them.
    origin : pandas.Timestamp

    Returns
    -------
    pandas.DataFrame
        ``row`` (user code) and columns of :data:`TITLES`, in the order of the user code.
    """
    past = sessions[sessions.start < origin]
    grouped = past.groupby("user_code")
    first, last, visits = grouped.start.min(), grouped.start.max(), grouped.size()
    day = pd.Timedelta(days=1)
    table = pd.DataFrame(
        {
            "recency": np.log1p((origin - last) / day),
            "tenure": np.log1p((origin - first) / day),
            "visits": np.log(visits),
            "events": np.log(grouped.events.sum() / visits),
            "minutes": np.log1p(grouped.duration_s.mean() / 60),
            "views": np.log1p(grouped.views.sum()),
            "searches": np.log1p(grouped.searches.sum()),
            "carts": np.log1p(grouped.carts.sum()),
            "purchases": np.log1p(grouped.purchases.sum()),
            "revenue": np.log1p(grouped.revenue.sum().clip(lower=0)),
            "live": (past.kind == "live").groupby(past.user_code).mean(),
            "new_customer": ((origin - first) / day < 30).astype(float),
        }
    )
    return table.rename_axis("row").reset_index()


def _long_visits(run: Run, horizon_days: int) -> Customers:
    events = run.table(
        "sessions/events", columns=["session_code", "position", "timestamp", "item_id", "category"]
    )
    table = visit_features(events, prices_of(run), start=events.timestamp.min())
    lengths = events.groupby("session_code").size()
    table["outcome"] = (lengths.loc[table.row].to_numpy() >= LONG_VISIT).astype("int64")
    cut = float(table.day.quantile(0.7))
    return Customers(
        table[table.day <= cut].reset_index(drop=True),
        table[table.day > cut].reset_index(drop=True), (), rows="visits",
        outcome=f"get to {LONG_VISIT} clicks",
    )  # fmt: skip


def prices_of(run: Run) -> pd.DataFrame:
    """``item_id`` and ``price`` of the products of `run`; no rows where it names none."""
    if run.has("contract/items"):
        return run.table("contract/items", columns=["item_id", "price"])
    return pd.DataFrame({"item_id": [], "price": []})


def visit_features(
    events: pd.DataFrame, items: pd.DataFrame, *, start: pd.Timestamp
) -> pd.DataFrame:
    """What the first three clicks of each visit say, for visits that have so many.

    Parameters
    ----------
    events : pandas.DataFrame
        ``session_code``, ``position`` (from 1), ``timestamp``, ``item_id``, ``category``.
    items : pandas.DataFrame
        ``item_id``, ``price``; products without a price count as of mean price.
    start : pandas.Timestamp
        From when days are counted.

    Returns
    -------
    pandas.DataFrame
        ``row`` (session code) and columns of :data:`TITLES`.
    """
    first = events[events.position <= FIRST_CLICKS].sort_values(["session_code", "position"])
    first = first.merge(items.drop_duplicates("item_id"), on="item_id", how="left")
    price = first.price.astype(float)
    first["price"] = price.fillna(price.mean() if price.notna().any() else 0.0)
    grouped = first.groupby("session_code")
    began = grouped.timestamp.first()
    second = first[first.position == 2].set_index("session_code").category
    opening = first[first.position == 1].set_index("session_code").category
    table = pd.DataFrame(
        {
            "mean_price": grouped.price.mean(),
            "price_range": grouped.price.max() - grouped.price.min(),
            "first_price": grouped.price.first(),
            "categories": grouped.category.nunique().astype(float),
            "products": grouped.item_id.nunique().astype(float),
            "stays": (second == opening.reindex(second.index)).astype(float),
            "weekend": (began.dt.dayofweek >= 5).astype(float),
            "day": (began - start).dt.days.astype(float),
        }
    )
    enough = grouped.size() == FIRST_CLICKS
    return table[enough].rename_axis("row").reset_index()
