"""A small made-up shop for the tests of recommenders, and its periods."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.recommend.study import periods

START = pd.Timestamp("2024-01-01", tz="UTC")
KINDS = ("bath", "oral_care", "snacks", "towels")
SAYS = ["events", "views", "purchases", "clock", "users", "sessions", "items", "categories"]


def shop_items(n: int = 24) -> pd.DataFrame:
    """`n` products, six or so in each of four categories, and a broadcaster."""
    number = np.arange(n)
    products = pd.DataFrame(
        {
            "item_id": [f"p{i:02d}" for i in number],
            "kind": "product",
            "category": np.array(KINDS)[number % 4],
            "price": 1.0 + (number * 7) % 13,
            "brand": np.array(["Anlan", "Beiyu", "Chunhe"])[number % 3],
            "tags": np.array(["soft blue", "soft red", "strong blue"])[(number // 4) % 3],
            "description": [f"{KINDS[i % 4]} number {i // 8}" for i in number],
        }
    )
    nobody = {"item_id": "b1", "kind": "broadcaster", "category": "music"}
    return pd.concat([products, pd.DataFrame([nobody])], ignore_index=True)


def shop_events(
    users: int = 40, sessions: int = 120, seed: int = 0, n_items: int = 24
) -> pd.DataFrame:
    """Sessions of 2 to 9 events; users arrive over time and favour one category each."""
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(sessions):
        user = int(rng.integers(max(4, users * (session + 1) // sessions)))
        began = START + pd.Timedelta(hours=3 * session)
        for position in range(int(rng.integers(2, 10))):
            kind = rng.choice(["view", "view", "view", "search", "cart", "purchase", "watch"])
            own = rng.random() < 0.7
            item = 4 * int(rng.integers(n_items // 4)) + user % 4
            item = item if own else int(rng.integers(n_items))
            named = kind not in ("search", "watch")
            rows.append(
                {
                    "user_code": user,
                    "session_code": session,
                    "position": position + 1,
                    "timestamp": began + pd.Timedelta(minutes=position),
                    "event": kind,
                    "item_id": f"p{item:02d}" if named else ("b1" if kind == "watch" else None),
                    "category": KINDS[item % 4] if kind != "watch" else None,
                }
            )
    return pd.DataFrame(rows)


class ShopRun:
    """As much of a run as the study reads."""

    def __init__(self, events, items, says=SAYS, title="Tiny shop"):
        self.tables = {"sessions/events": events, "contract/items": items}
        self.source = self
        self.says, self.title, self.simulated = frozenset(says), title, False

    def table(self, name, columns=None):
        return self.tables[name]

    def has(self, name):
        return name in self.tables


def shop_periods(sessions: int = 400, seed: int = 0, **kwargs):
    """The periods of a made-up shop."""
    events = shop_events(users=150, sessions=sessions, seed=seed)
    return periods(ShopRun(events, shop_items(), **kwargs))


def codes(*users: int) -> pd.DataFrame:
    return pd.DataFrame({"user_code": list(users)})
