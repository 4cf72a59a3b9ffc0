"""The profile read off the log by loops: the definitions of the dictionary, nothing shared."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from itertools import pairwise
from zoneinfo import ZoneInfo

import pyarrow as pa

PARTS = {
    "night": range(6),
    "morning": range(6, 12),
    "afternoon": range(12, 18),
    "evening": range(18, 24),
}
BINS = {"00_06": "night", "06_12": "morning", "12_18": "afternoon", "18_24": "evening"}
DAYS = {"saturday": (5,), "sunday": (6,), "workday": (0, 1, 2, 3, 4)}


def midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The instant at which `day` begins in `zone`."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=zone)


class History:
    """One user's events before the as-of date, and questions about them."""

    def __init__(self, rows: list[dict], as_of: dt.date, zone: ZoneInfo):
        self.as_of, self.zone = as_of, zone
        end = midnight(as_of, zone)
        self.rows = [r for r in rows if r["timestamp"] < end]
        for r in self.rows:
            r["local"] = r["timestamp"].astimezone(zone)

    def inside(self, days: int, *events: str, since: int = 0) -> list[dict]:
        """Events of the window [as_of - days, as_of - since); days 0: the whole history."""
        low = midnight(self.as_of - dt.timedelta(days=days), self.zone) if days else None
        high = midnight(self.as_of - dt.timedelta(days=since), self.zone)
        return [
            r
            for r in self.rows
            if (low is None or r["timestamp"] >= low)
            and r["timestamp"] < high
            and (not events or r["event"] in events)
        ]

    def dates(self, rows: list[dict]) -> int:
        """Different calendar days of `rows`."""
        return len({r["local"].date() for r in rows})

    def ago(self, rows: list[dict], pick) -> int | None:
        """Days from the date of the earliest or latest of `rows` (`pick`) to the as-of date."""
        return (self.as_of - pick(r["local"].date() for r in rows)).days if rows else None


def total(rows: list[dict], field: str) -> float:
    return math.fsum(r[field] or 0.0 for r in rows)


def spent(rows: list[dict]) -> float:
    sign = {"purchase": 1, "cancel": -1}
    return math.fsum(sign.get(r["event"], 0) * (r["value"] or 0.0) for r in rows)


def longer(rows: list[dict], seconds: float) -> list[dict]:
    return [r for r in rows if (r["duration_s"] or 0.0) > seconds]


def in_part(rows: list[dict], part: str) -> list[dict]:
    return [r for r in rows if r["local"].hour in PARTS[part]]


def on_day(rows: list[dict], day: str) -> list[dict]:
    return [r for r in rows if r["local"].weekday() in DAYS[day]]


def different(rows: list[dict], field: str) -> int:
    return len({r[field] for r in rows if r[field] is not None})


def interval_h(rows: list[dict]) -> float | None:
    """Mean hours between neighbours, one gap at a time."""
    times = sorted(r["timestamp"] for r in rows)
    gaps = [(b - a).total_seconds() / 3600 for a, b in pairwise(times)]
    return math.fsum(gaps) / len(gaps) if gaps else None


def features(h: History, has_logins: bool) -> dict[str, object]:
    """Every feature of one user but the attributes."""
    out: dict[str, object] = {}
    for d in (3, 7, 30):
        active = h.dates(h.inside(d))
        out[f"events_{d}"] = len(h.inside(d))
        out[f"active_days_{d}"] = active
        for name in ("chats", "gifts", "searches", "carts", "purchases", "views"):
            event = name.removesuffix("es") if name == "searches" else name.removesuffix("s")
            n = len(h.inside(d, event))
            out[f"{name}_{d}"] = n
            if name not in ("carts", "views"):
                out[f"{name}_per_active_day_{d}"] = n / active if active else 0.0
        out[f"gift_value_{d}"] = total(h.inside(d, "gift"), "value")
        out[f"spend_{d}"] = spent(h.inside(d))
    for d in (7, 30):
        watches, views = h.inside(d, "watch"), h.inside(d, "view")
        out[f"watches_{d}"] = len(watches)
        out[f"valid_watches_{d}"] = len(longer(watches, 300))
        out[f"watch_s_{d}"] = total(watches, "duration_s")
        out[f"watch_interval_h_{d}"] = interval_h(watches)
        out[f"channels_watched_{d}"] = different(watches, "category")
        out[f"broadcasters_watched_{d}"] = different(watches, "item_id")
        out[f"long_views_{d}"] = len(longer(views, 30))
        out[f"view_s_{d}"] = total(views, "duration_s")
        out[f"categories_viewed_{d}"] = different(views, "category")
        out[f"products_viewed_{d}"] = different(views, "item_id")
        out[f"login_days_{d}"] = h.dates(h.inside(d, "login") if has_logins else h.inside(d))
        for part in PARTS:
            out[f"watch_s_{part}_{d}"] = total(in_part(watches, part), "duration_s")
            out[f"views_{part}_{d}"] = len(in_part(views, part))
    for day in DAYS:
        out[f"watch_s_{day}_30"] = total(on_day(h.inside(30, "watch"), day), "duration_s")
        out[f"views_{day}_30"] = len(on_day(h.inside(30, "view"), day))
    month = h.inside(30)
    for name, part in BINS.items():
        out[f"events_{name}_30"] = len(in_part(month, part))
        out[f"share_{name}_30"] = len(in_part(month, part)) / len(month) if month else None
    before = h.inside(60, since=30)
    out |= {"events_prev_30": len(before), "active_days_prev_30": h.dates(before)}
    out |= {"events": len(h.inside(0)), "active_days": h.dates(h.inside(0))}
    out |= {name: len(h.inside(0, event)) for name, event in
            (("carts", "cart"), ("purchases", "purchase"), ("views", "view"))}  # fmt: skip
    for name, event in (("followed_broadcasters", "follow"), ("gifted_broadcasters", "gift"),
                        ("commented_broadcasters", "comment"), ("products_carted", "cart"),
                        ("products_bought", "purchase")):  # fmt: skip
        out[name] = different(h.inside(0, event), "item_id")
    bought = h.inside(0, "purchase")
    out["recency_days"] = h.ago(bought, max)
    out["frequency"] = h.dates(bought)
    out["monetary"] = spent(h.inside(0))
    out["days_since_first_event"] = h.ago(h.inside(0), min)
    out["days_since_last_event"] = h.ago(h.inside(0), max)
    return out


def lists(h: History) -> dict[tuple[str, int], list[tuple[str, float]]]:
    """Every list of one user, in order: (item, value)."""
    out: dict = defaultdict(dict)

    def rank(name, d, rows, field, value, longest=10, smallest_first=False):
        groups = defaultdict(list)
        for r in rows:
            if r[field] is not None:
                groups[r[field]].append(r)
        scored = [(item, value(members)) for item, members in groups.items()]
        scored = [(item, v) for item, v in scored if v is not None and (smallest_first or v > 0)]
        sign = 1 if smallest_first else -1
        scored.sort(key=lambda s: (sign * round(s[1], 9), s[0]))
        out[name, d] = scored[:longest]

    def seconds(rows):
        return total(rows, "duration_s")

    def value(rows):
        return total(rows, "value")

    for name, event in (("followed", "follow"), ("gifted", "gift"), ("commented", "comment"),
                        ("carted", "cart"), ("bought", "purchase")):  # fmt: skip
        rank(name, 0, h.inside(0, event), "item_id", len, longest=None)
    for d in (7, 30):
        watches, views = h.inside(d, "watch"), h.inside(d, "view")
        for things, rows, field in (("channels", watches, "category"),
                                    ("broadcasters", watches, "item_id"),
                                    ("categories", views, "category")):  # fmt: skip
            rank(f"{things}_by_duration", d, rows, field, seconds)
            rank(
                f"{things}_by_{'views' if things == 'categories' else 'count'}", d, rows, field, len
            )
            if things != "broadcasters":
                rank(f"{things}_by_interval", d, rows, field, interval_h, smallest_first=True)
        rank("products_by_views", d, views, "item_id", len)
        rank("products_by_long_views", d, longer(views, 30), "item_id", len)
        rank("broadcasters_by_valid_watches", d, longer(watches, 300), "item_id", len)
        rank("broadcasters_by_chats", d, h.inside(d, "chat"), "item_id", len)
        rank("broadcasters_by_gifts", d, h.inside(d, "gift"), "item_id", len)
        rank("broadcasters_by_gift_value", d, h.inside(d, "gift"), "item_id", value)
        for part in PARTS:
            rank(f"broadcasters_{part}", d, in_part(watches, part), "item_id", seconds)
            rank(f"categories_{part}", d, in_part(views, part), "category", len)
        for things, field in (("products", "item_id"), ("categories", "category")):
            rank(f"{things}_by_carts", d, h.inside(d, "cart"), field, len)
            rank(f"{things}_by_purchases", d, h.inside(d, "purchase"), field, len)
            rank(f"{things}_by_spend", d, h.inside(d, "purchase", "cancel"), field, spent)
    for day in DAYS:
        rank(f"broadcasters_{day}", 30, on_day(h.inside(30, "watch"), day), "item_id", seconds)
        rank(f"categories_{day}", 30, on_day(h.inside(30, "view"), day), "category", len)
    return {key: scored for key, scored in out.items() if scored}


def histories(log: pa.Table, as_of: dt.date, timezone: str) -> dict[int, History]:
    """The history of each user with an event before the as-of date."""
    rows = defaultdict(list)
    for r in log.to_pylist():
        rows[r["user_code"]].append(r)
    zone = ZoneInfo(timezone)
    all_of = {user: History(mine, as_of, zone) for user, mine in sorted(rows.items())}
    return {user: h for user, h in all_of.items() if h.rows}


def has_logins(log: pa.Table, as_of: dt.date, timezone: str) -> bool:
    """Whether the log has a login before the as-of date."""
    end = midnight(as_of, ZoneInfo(timezone))
    return any(r["event"] == "login" and r["timestamp"] < end for r in log.to_pylist())
