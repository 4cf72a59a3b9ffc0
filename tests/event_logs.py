"""Random normalised logs for the tests of sessions, profiles and engines."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa

from precmark.contract.schema import EVENT_NAMES

PRODUCT_EVENTS = ("view", "cart", "uncart", "purchase", "cancel")
STREAM_EVENTS = ("watch", "chat", "comment", "gift", "follow")

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("event", pa.string()),
        ("session_id", pa.string()),
        ("item_id", pa.string()),
        ("category", pa.string()),
        ("value", pa.float64()),
        ("quantity", pa.float64()),
        ("duration_s", pa.float64()),
        ("platform", pa.string()),
        ("text", pa.string()),
        ("user_code", pa.int64()),
        ("row", pa.int64()),
    ]
)


def table(rows: list[dict]) -> pa.Table:
    """Rows given by some of their columns as a normalised log: sorted, coded, numbered."""
    frame = pd.DataFrame(rows, columns=[f for f in SCHEMA.names if f not in ("user_code", "row")])
    frame["timestamp"] = pd.to_datetime(frame.timestamp, utc=True).astype(
        pd.DatetimeTZDtype("us", "UTC")
    )
    frame["row"] = np.arange(1, len(frame) + 1)
    frame["user_code"] = frame.user_id.rank(method="dense").astype("int64") - 1
    frame = frame.sort_values(["user_code", "timestamp", "row"], ignore_index=True)
    frame = frame.astype(object).where(frame.notna(), None)
    return pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)


def loaded(con, log: pa.Table, name: str = "events"):
    """`log` as a table of the DuckDB connection `con`."""
    con.con.register(name, log)
    return con.table(name)


def at(text: str) -> pd.Timestamp:
    """A UTC instant."""
    return pd.Timestamp(text, tz="UTC")


def random_log(
    seed: int, *, rows: int = 600, users: int = 12, start: str = "2024-02-20", days: int = 70
) -> pa.Table:
    """A log with every kind of event, ties in time, missing items, values and durations."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(rows):
        event = str(rng.choice(EVENT_NAMES))
        # Coarse times, so that several events of a user fall on the same instant.
        second = int(rng.integers(0, days * 86_400 // 600)) * 600
        row = {
            "user_id": f"u{int(rng.integers(users)):03d}",
            "timestamp": pd.Timestamp(start, tz="UTC") + dt.timedelta(seconds=second),
            "event": event,
        }
        named = rng.random() < 0.9
        if event in PRODUCT_EVENTS and named:
            product = int(rng.integers(15))
            row |= {"item_id": f"p{product}", "category": f"c{product % 4}"}
        if event in STREAM_EVENTS and named:
            channel = int(rng.integers(6))
            row |= {"item_id": f"b{channel}", "category": f"channel {channel % 3}"}
        if event in ("purchase", "cancel", "gift") and rng.random() < 0.9:
            row["value"] = float(rng.integers(1, 5000)) / 100
        if event in ("view", "watch") and rng.random() < 0.9:
            row["duration_s"] = float(rng.choice([30.0, 300.0, 12.345, 31.0, 900.0, 300.001]))
        out.append(row)
    return table(out)


def users_table(rows: list[dict]) -> pa.Table:
    """A normalised users table from rows given by some of their columns."""
    kinds = {
        "user_id": pa.string(),
        "gender": pa.string(),
        "age": pa.float64(),
        "level": pa.int64(),
        "country": pa.string(),
        "login_platform": pa.string(),
        "has_avatar": pa.bool_(),
        "referrer": pa.string(),
        "registered_at": pa.timestamp("us", tz="UTC"),
        "signup_provider": pa.string(),
        "user_code": pa.int64(),
    }
    return pa.table(
        {name: pa.array([r.get(name) for r in rows], kind) for name, kind in kinds.items()}
    )
