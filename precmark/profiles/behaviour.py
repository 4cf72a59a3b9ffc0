"""Tables 2 and 3 of the paper and their counterparts in a shop: one function a kind of event.

Each returns named expressions over the coded rows of one user (see :mod:`precmark.profiles.rows`);
:mod:`precmark.profiles.build` puts them side by side.
"""

from __future__ import annotations

import ibis

from precmark.profiles.counts import (
    MS,
    counted,
    day_class,
    day_words,
    mean_interval_h,
    money,
    named,
    of_kind,
    part_of_day,
    seconds,
)
from precmark.profiles.dictionary import (
    HOUR_BINS,
    LONG_VIEW_S,
    PARTS_OF_DAY,
    VALID_WATCH_S,
    WEEKDAYS,
)

SHORT = (3, 7, 30)
MIDDLE = (7, 30)


def activity(rows: ibis.Table, span_days: int) -> dict:
    """Events of any kind: counts, days, parts of the day (Table 2, row 8); all page views."""
    out = counted(rows, "events", (*SHORT, 0)) | counted(rows, "views", (0,), rows.event == "view")
    out["events_prev_30"] = rows.count(where=(rows.age >= 30) & (rows.age < 60))
    for name in HOUR_BINS:
        out |= counted(rows, f"events_{name}", (30,), part_of_day(rows, name))
    out["days_since_first_event"] = rows.age.max().cast("int64") + 1
    out["days_since_last_event"] = rows.age.min().cast("int64") + 1
    return out | day_words(rows, "active", span_days)


def watching(rows: ibis.Table) -> dict:
    """Watch events: Table 2, rows 4 to 7; Table 3, rows 2 and 3."""
    out = counted(rows, "watches", MIDDLE)
    out |= counted(rows, "valid_watches", MIDDLE, rows.amount > VALID_WATCH_S * MS)
    out |= seconds(rows, "watch_s", MIDDLE)
    for part in PARTS_OF_DAY:
        out |= seconds(rows, f"watch_s_{part}", MIDDLE, part_of_day(rows, part))
    for weekday in WEEKDAYS:
        out |= seconds(rows, f"watch_s_{weekday}", (30,), day_class(rows, weekday))
    return out | {f"watch_interval_h_{d}": mean_interval_h(rows, d) for d in MIDDLE}


def viewing(rows: ibis.Table) -> dict:
    """Page views of the last 30 days, the shop's counterpart of watching."""
    out = counted(rows, "views", SHORT)
    out |= counted(rows, "long_views", MIDDLE, rows.amount > LONG_VIEW_S * MS)
    out |= seconds(rows, "view_s", MIDDLE)
    for part in PARTS_OF_DAY:
        out |= counted(rows, f"views_{part}", MIDDLE, part_of_day(rows, part))
    for weekday in WEEKDAYS:
        out |= counted(rows, f"views_{weekday}", (30,), day_class(rows, weekday))
    return out


def deeds(rows: ibis.Table, span_days: int) -> dict:
    """Chats, gifts, logins (Tables 2 and 3), searches, carts, purchases, money and RFM."""
    out = {}
    for name, event, windows in (
        ("chats", "chat", SHORT),
        ("gifts", "gift", SHORT),
        ("searches", "search", SHORT),
        ("carts", "cart", (*SHORT, 0)),
        ("purchases", "purchase", (*SHORT, 0)),
    ):
        out |= counted(rows, name, windows, of_kind(rows, event))
    out |= money(rows, "gift_value", SHORT, "gift")
    out |= money(rows, "spend", SHORT, "purchase", "cancel")
    out |= money(rows, "monetary", (0,), "purchase", "cancel")
    bought = of_kind(rows, "purchase")
    out["recency_days"] = rows.age.min(where=bought).cast("int64") + 1
    out |= day_words(rows, "bought", span_days, bought)
    return out | day_words(rows, "login", 30, of_kind(rows, "login"))


# -------------------------------------------------------------- per user and item or category


def watched(rows: ibis.Table) -> dict:
    """Measures of one user's watches of one broadcaster or channel, for lists and variety."""
    return _visited(rows, VALID_WATCH_S, seconds)


def viewed(rows: ibis.Table) -> dict:
    """Measures of one user's page views of one category."""
    return _visited(rows, LONG_VIEW_S, counted)


def viewed_product(rows: ibis.Table) -> dict:
    """Measures of one user's page views of one product."""
    out = counted(rows, "n", MIDDLE)
    return out | counted(rows, "long", MIDDLE, rows.amount > LONG_VIEW_S * MS)


def _visited(rows: ibis.Table, long_s: float, measure) -> dict:
    out = counted(rows, "n", MIDDLE)
    out |= counted(rows, "long", MIDDLE, rows.amount > long_s * MS)
    out |= seconds(rows, "s", MIDDLE)
    for part in PARTS_OF_DAY:
        out |= measure(rows, part, MIDDLE, part_of_day(rows, part))
    for weekday in WEEKDAYS:
        out |= measure(rows, weekday, (30,), day_class(rows, weekday))
    return out | {named("interval_h", d): mean_interval_h(rows, d) for d in MIDDLE}


SOCIAL = ("chat", "comment", "gift", "follow")
"""The events about a broadcaster that :func:`social` reads."""


def social(rows: ibis.Table) -> dict:
    """Measures of what one user did to one broadcaster."""
    out = counted(rows, "chats", MIDDLE, of_kind(rows, "chat"))
    out |= counted(rows, "gifts", (*MIDDLE, 0), of_kind(rows, "gift"))
    out |= counted(rows, "follows", (0,), of_kind(rows, "follow"))
    out |= counted(rows, "comments", (0,), of_kind(rows, "comment"))
    return out | money(rows, "gift_value", MIDDLE, "gift")


ORDERS = ("cart", "purchase", "cancel")
"""The events about a product that :func:`ordered` reads."""


def ordered(rows: ibis.Table) -> dict:
    """Measures of one user's carts and purchases of one product or category."""
    out = counted(rows, "carts", (*MIDDLE, 0), of_kind(rows, "cart"))
    out |= counted(rows, "purchases", (*MIDDLE, 0), of_kind(rows, "purchase"))
    return out | money(rows, "spend", MIDDLE, "purchase", "cancel")
