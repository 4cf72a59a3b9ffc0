"""What a log was found to hold, in the words of ``source.CAPABILITIES``."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from precmark.contract.columns import Typed
from precmark.contract.schema import LIVE_EVENTS


def capabilities(
    connection: duckdb.DuckDBPyConnection, typed: Mapping[str, Typed], zone: str
) -> frozenset[str]:
    """What accepted tables can say (keys of ``source.CAPABILITIES``)."""
    says = set()
    if "events" in typed:
        says.add("events")
        says |= _events_say(connection, typed["events"], zone)
    if "visits" in typed:
        says |= {"visits", "sessions", "purchases"}
    if "items" in typed and "category" in typed["items"].columns:
        says.add("categories")
    if set(typed["users"].columns if "users" in typed else ()) - {"user_id"}:
        says.add("attributes")
    if "assignments" in typed:
        says.add("coupons")
    return frozenset(says)


def _events_say(connection: duckdb.DuckDBPyConnection, typed: Typed, zone: str) -> set[str]:
    by_event = {
        event: numbers
        for event, *numbers in connection.execute(
            "SELECT event, count(*), count(value), count(item_id), count(category) "
            "FROM accepted_events GROUP BY event"
        ).fetchall()
    }
    says = {name for name, event in (("views", "view"), ("purchases", "purchase"))
            if event in by_event}  # fmt: skip
    if by_event.get("purchase", (0, 0))[1]:
        says.add("prices")
    if any(n[2] for n in by_event.values()):
        says.add("items")
    if any(n[3] for n in by_event.values()):
        says.add("categories")
    if set(LIVE_EVENTS) & set(by_event):
        says.add("live")
    local = "timezone($zone, timestamp)"
    clock = connection.execute(
        f"SELECT count(*) > 0 FROM (SELECT 1 FROM accepted_events WHERE {local} <> "
        f"date_trunc('day', {local}) LIMIT 1)",
        {"zone": zone},
    ).fetchone()[0]
    across = connection.execute(
        "SELECT count_if(epoch_us(b) - epoch_us(a) > 86_400_000_000) > 0 FROM ids_events"
    ).fetchone()[0]
    says |= {"clock"} if clock else set()
    says |= {"users"} if across else set()
    says |= {"sessions"} if clock or "session_id" in typed.columns else set()
    return says
