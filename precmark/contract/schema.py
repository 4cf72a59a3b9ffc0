"""The contract's tables as data: each column's type, unit and range (the study's one format)."""

from __future__ import annotations

from dataclasses import dataclass

EVENT_NAMES = (
    "view", "search", "cart", "uncart", "purchase", "cancel", "login",
    "watch", "chat", "comment", "gift", "follow", "coupon_shown", "coupon_used",
)  # fmt: skip
"""Every event name the contract knows."""

LIVE_EVENTS = ("watch", "chat", "comment", "gift", "follow")
"""Events about a broadcaster; the others are about a product or the whole shop."""

CLICK_EVENTS = ("view", "search", "cart", "uncart")
"""The shopping clicks that count towards the k-th event of a decision."""


@dataclass(frozen=True)
class Column:
    """One column of a contract table.

    Attributes
    ----------
    name : str
    kind : str
        ``text``, ``timestamp`` (UTC, microseconds), ``number``, ``integer``, ``flag``, ``choice``.
    unit : str
        Empty where the column has none.
    required : bool
    choices : tuple of str
        The allowed values of a ``choice``.
    low, high : float or None
        The allowed range, both ends included unless `open_low`.
    open_low : bool
        `low` itself is not allowed.
    """

    name: str
    kind: str
    unit: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    open_low: bool = False


TABLES: dict[str, tuple[Column, ...]] = {
    "events": (
        Column("user_id", "text", required=True),
        Column("timestamp", "timestamp", "UTC", required=True),
        Column("event", "choice", required=True, choices=EVENT_NAMES),
        Column("session_id", "text"),
        Column("item_id", "text"),
        Column("category", "text"),
        Column("value", "number", "money", low=0),
        Column("quantity", "number", "pieces", low=0, open_low=True),
        Column("duration_s", "number", "s", low=0),
        Column("platform", "choice", choices=("web", "ios", "android")),
        Column("text", "text"),
    ),
    "users": (
        Column("user_id", "text", required=True),
        Column("gender", "choice", choices=("female", "male", "unknown")),
        Column("age", "number", "years"),
        Column("level", "integer", low=0, high=150),
        Column("country", "text"),
        Column("login_platform", "choice", choices=("web", "ios", "android")),
        Column("has_avatar", "flag"),
        Column("referrer", "text"),
        Column("registered_at", "timestamp", "UTC"),
        Column("signup_provider", "text"),
    ),
    "items": (
        Column("item_id", "text", required=True),
        Column("kind", "choice", choices=("product", "broadcaster")),
        Column("category", "text"),
        Column("price", "number", "money", low=0),
        Column("brand", "text"),
        Column("tags", "text"),
        Column("description", "text"),
    ),
    "visits": (
        Column("session_id", "text", required=True),
        Column("purchased", "flag", required=True),
    ),
    "assignments": (
        Column("decision_id", "text", required=True),
        Column("user_id", "text", required=True),
        Column("session_id", "text"),
        Column("timestamp", "timestamp", "UTC", required=True),
        Column("arm", "text", required=True),
        Column("category", "text"),
        Column("propensity", "number", "probability", required=True, low=0, high=1, open_low=True),
        Column("outcome", "integer", required=True, low=0, high=1),
        Column("revenue", "number", "money"),
        Column("cost", "number", "money", low=0),
    ),
}
"""Columns of each table. ``visits`` may carry any further columns (counts, durations, context)."""


def units(table: str) -> dict[str, str]:
    """The unit of each column of contract table `table` that has one."""
    return {c.name: c.unit for c in TABLES[table] if c.unit}
