"""Speed of recommendation: lists of ten for many users, against the library's own loop."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from benchmarks import figure, seconds
from precmark.recommend import HybridRecommender
from precmark.recommend.shop import histories_of, products_of
from precmark.simulate import simulate

EVENTS_A_USER = 6


def catalogue() -> pd.DataFrame:
    """The simulated store's items."""
    return simulate("classroom", seed=11).tables["items"].to_pandas()


def made_up(items: pd.DataFrame, users: int, seed: int = 0) -> pd.DataFrame:
    """Events of `users`: six views, carts and purchases each, most of them in two categories."""
    rng = np.random.default_rng(seed)
    products = products_of(items).sort_values("category")
    order = products.item_id.to_numpy(dtype=object)
    n, m = users * EVENTS_A_USER, len(order)
    user = np.repeat(np.arange(users), EVENTS_A_USER)
    centre = rng.integers(0, m, (users, 2))[user, rng.integers(0, 2, n)]
    near = (centre + np.rint(rng.normal(0, 15, n))).astype(int) % m
    position = np.where(rng.random(n) < 0.8, near, rng.integers(0, m, n))
    second = rng.permutation(n)
    return pd.DataFrame(
        {
            "user_code": user,
            "item_id": order[position],
            "event": rng.choice(["view", "cart", "purchase"], n, p=[0.85, 0.1, 0.05]),
            "timestamp": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(second, unit="s"),
        }
    )


def library(model: HybridRecommender, events: pd.DataFrame):
    """The library's item-item model and what each user liked: collaborative scores alone."""
    from implicit.nearest_neighbours import CosineRecommender

    liking = histories_of(events, model.shop_, half_life=None).items.astype(np.float64)
    made = CosineRecommender(K=50, num_threads=1)
    with warnings.catch_warnings():
        # it tells itself that it transposed the matrix
        warnings.filterwarnings("ignore", message="Method expects CSR input")
        made.fit(liking, show_progress=False)
    return made, liking


def run(scale: str = "full") -> list[dict]:
    users, looped = (100_000, 10_000) if scale == "full" else (1_000, 200)
    items = catalogue()
    events = made_up(items, users)
    model = HybridRecommender("item-item", alpha=0.5).fit(events, items)
    factors = HybridRecommender("als", alpha=0.5).fit(events.head(6 * users // 10), items)
    asked = pd.DataFrame({"user_code": np.arange(users)})
    theirs, liking = library(model, events)

    def loop():
        for user in range(looped):
            theirs.recommend(user, liking[user], N=10, filter_already_liked_items=False)

    stored = seconds(lambda: model.recommend(asked, 10))
    given = seconds(lambda: model.recommend(asked, 10, history=events))
    solved = seconds(lambda: factors.recommend(asked, 10, history=events), 1)
    elected = seconds(lambda: model.category(asked))
    one_by_one = seconds(loop) * users / looped
    what = f"{users:,} users x {len(model.shop_):,} items"
    wanted = 2 if scale == "full" else None
    return [
        figure(f"top 10, {what}, item-item and content", stored, "s", "lower", target=wanted),
        figure(
            f"top 10, {what}: the library's loop for item-item alone / ours for both scores",
            one_by_one / stored,
        ),
        figure(f"top 10, {what}, histories handed in", given, "s", "lower"),
        figure(f"top 10, {what}, ALS and content, histories handed in", solved, "s", "lower"),
        figure(f"categories, {what}", elected, "s", "lower"),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
