"""Speed of chapter 11's first half: trees, user-based lists, pictures and new words."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import random as random_matrix

from benchmarks import figure, seconds
from precmark.interests import words
from precmark.interests.hand_features import edge_histogram
from precmark.interests.images import train_pictures
from precmark.interests.interest_tree import interest_tree, update_speed
from precmark.interests.lists import UserUser
from precmark.interests.tag_tree import tag_tree


def log(events: int, items: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Views and purchases of a hundredth as many users, and the paths of the products."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01", tz="UTC")
    names = np.array([f"p{i:05d}" for i in range(items)], dtype=object)
    made = pd.DataFrame(
        {
            "user_code": rng.integers(0, max(1, events // 100), events),
            "event": rng.choice(["view", "purchase"], events, p=[0.9, 0.1]),
            "timestamp": start + pd.to_timedelta(np.arange(events), unit="min"),
            "item_id": names[rng.integers(0, items, events)],
        }
    )
    paths = pd.DataFrame(
        {"kind": [f"kind {i % 20}" for i in range(items)],
         "part": [f"{i % 5}" for i in range(items)]},
        index=pd.Index(names, name="item_id"),
    )  # fmt: skip
    return made, paths


def bags(count: int, months: int = 6, seed: int = 0) -> words.Documents:
    """`count` bags of four words of a vocabulary that grows a little each month."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, months, count))
    month = pd.date_range("2024-01-01", periods=months, freq="MS")[at]
    texts = tuple(
        tuple(dict.fromkeys(f"w{i}" for i in rng.integers(0, 400 + 50 * m, 4))) for m in at
    )
    places = pd.DataFrame({"session_code": np.arange(count), "month": month})
    return words.Documents(places, texts, frozenset())


def run(scale: str = "full") -> list[dict]:
    full = scale == "full"
    events, items, users = (100_000, 3_700, 4_000) if full else (5_000, 300, 200)
    made, paths = log(events, items)
    one = made.assign(user_code=0)
    tags = pd.DataFrame(
        [(name, f"t{t}") for i, name in enumerate(paths.index) for t in {i % 700, i % 70, i % 7}],
        columns=["item_id", "tag"],
    )
    liking = random_matrix(users, items, 0.02, "csr", random_state=0)
    model = UserUser().fit(liking)
    rng = np.random.default_rng(0)
    count = 640 if full else 64
    pixels = rng.integers(0, 255, (count, 64, 64, 3)).astype(np.uint8)
    kinds = [f"k{i % 4}" for i in range(count)]
    few = (pixels[:32], kinds[:32])
    return [
        figure("an event into its user's interest tree",
               update_speed(made, paths, most=events).microseconds.iloc[0], "µs", "lower"),
        figure(f"one user's tree counted afresh from {events:,} events",
               seconds(lambda: interest_tree(one, paths), 1), "s", "lower"),
        figure(f"a tree of {tags.tag.nunique():,} tags on {items:,} products",
               seconds(lambda: tag_tree(tags)), "s", "lower"),
        figure(f"user-based scores of {min(500, users)} of {users:,} users, {items:,} products",
               seconds(lambda: model.scores(model.prepare(liking[:500]))), "s", "lower"),
        figure(f"an epoch on {count} pictures of 64 pixels",
               seconds(lambda: train_pictures(pixels, kinds, few, epochs=1), 1), "s", "lower"),
        figure(f"edges of {count} pictures",
               seconds(lambda: edge_histogram(pixels), 1), "s", "lower"),
        figure(f"new words of {events // 20:,} documents in 6 months",
               seconds(lambda: words.discover(bags(events // 20), ["w0", "w1"]), 1), "s", "lower"),
    ]  # fmt: skip
