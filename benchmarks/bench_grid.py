"""Speed of the grid: features placed, pictures made and read, tags filtered."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks import figure, seconds
from precmark.grid.distances import feature_distances, normalised_ranks, pixel_distances
from precmark.grid.igtd import images, mismatch, place_features
from precmark.grid.tags import coded, exponent, filter_tags

SWAPS = 5000


def features(rows: int, count: int, seed: int = 0) -> np.ndarray:
    """Rows of `count` features that share twenty hidden ones."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 20))
    return hidden @ rng.normal(size=(20, count)) + rng.normal(size=(rows, count))


def recounted(X: np.ndarray, turns: int) -> float:
    """`turns` swaps tried as a plain program would: the whole error counted again for each."""
    p = X.shape[1]
    R, Q = (normalised_ranks(d) for d in (feature_distances(X), pixel_distances(p, (10, 10))))
    order = np.arange(p)
    rng = np.random.default_rng(0)
    best = mismatch(R, Q, order)
    for _ in range(turns):
        a, b = rng.integers(0, p, 2)
        swapped = order.copy()
        swapped[[a, b]] = swapped[[b, a]]
        error = mismatch(R, Q, swapped)
        if error < best:
            order, best = swapped, error
    return best


def made_up_log(rows: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events of a tenth as many users, on a thousand products with eight words each."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{k}" for k in range(2000)])
    items = pd.DataFrame(
        {"item_id": [f"i{k}" for k in range(1000)], "category": "c", "brand": None,
         "price": rng.random(1000), "tags": None,
         "description": [" ".join(rng.choice(words, 8)) for _ in range(1000)]}
    )  # fmt: skip
    at = pd.Timestamp("2024-01-01", tz="UTC").as_unit("us")
    events = pd.DataFrame(
        {"user_code": rng.integers(0, max(rows // 10, 10), rows),
         "timestamp": at + pd.to_timedelta(np.arange(rows), unit="min"),
         "event": "view", "item_id": rng.choice(items.item_id.to_numpy(), rows),
         "platform": "web", "text": None}
    )  # fmt: skip
    return events, items


def run(scale: str = "full") -> list[dict]:
    full = scale == "full"
    X = features(20_000 if full else 500, 100)
    placed = place_features(X, max_swaps=SWAPS)
    turns = SWAPS if full else 50
    # all turns are made: each start ends early where no swap helps
    starts = -(-SWAPS // (len(placed.errors) - 1)) if full else 2
    once = seconds(lambda: place_features(X, max_swaps=SWAPS, starts=starts), 2)
    counted = seconds(lambda: recounted(X, turns // 10), 1) * 10
    pictures = seconds(lambda: images(X.astype(np.float32), placed))
    sizes = (50_000, 100_000, 200_000, 400_000) if full else (1_000, 2_000, 4_000)
    times = []
    for rows in sizes:
        events, items = made_up_log(rows)
        log = coded(events, items)
        came = np.unique(log.users)[::5]
        times.append(seconds(lambda log=log, came=came: filter_tags(log, came), 2))
    return [
        figure(
            f"features on a grid, 100 features, {SWAPS:,} turns or more in {starts} starts", once,
            "s", "lower", target=10 if full else None,
        ),
        figure(
            f"{turns:,} swaps tried with the whole error counted again / our grid, which looks at "
            "100 swaps a turn",
            counted / once,
        ),
        figure(f"pictures of {len(X):,} customers", pictures, "s", "lower"),
        figure(f"tags filtered, {sizes[-1]:,} events", times[-1], "s", "lower"),
        figure("growth of the tag filter: power of the rows", exponent(sizes, times)[0], "power",
               "lower"),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
