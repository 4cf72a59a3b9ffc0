"""What the simulated store sells, who broadcasts in it, and what its users search and say.

The catalogue is the same in every simulated store: seeds change the users, not the shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from precmark.simulate.config import CATEGORIES, PRODUCTS
from precmark.simulate.draws import lookup, numbered, stream

NAMES = (
    "tissue", "laundry", "oral_care", "hair_care", "bath", "kitchen_storage",
    "home_cleaning", "snacks", "skin_care", "cookware", "towels", "feminine_care",
    "bedding", "tableware", "baby_care", "stationery", "dishwashing", "pest_control",
)  # fmt: skip
"""The 18 categories, most popular first."""

_NOUNS = (
    ("facial tissue", "kitchen roll"), ("washing liquid", "fabric softener"),
    ("toothpaste", "toothbrush"), ("shampoo", "conditioner"), ("shower gel", "soap"),
    ("storage box", "food container"), ("floor cleaner", "mop"), ("nuts", "biscuits"),
    ("hand cream", "face mask"), ("frying pan", "saucepan"), ("bath towel", "face towel"),
    ("pads", "liners"), ("pillowcase", "duvet cover"), ("bowl set", "chopsticks"),
    ("baby wipes", "nappies"), ("notebook", "gel pens"), ("dish soap", "scourer"),
    ("mosquito coil", "moth balls"),
)  # fmt: skip
_QUALITIES = ("soft", "large", "family", "travel", "classic", "gentle", "strong", "natural")
_BRANDS = ("Anlan", "Beiyu", "Chunhe", "Dongmu")
_PLAIN = ("{}", "{} set", "best {}", "{} for home", "new {}", "{} large")
_DEAL = ("cheap {}", "{} sale", "{} discount", "{} coupon", "{} deal", "{} lowest price")
CHANNELS = ("games", "music", "cooking", "beauty", "talk", "sports", "travel", "crafts")
BROADCASTERS = 120
_PHRASES = (
    "hello", "first time here", "nice", "how much is it", "does it come in blue", "so funny",
    "good song", "love this", "what size is that", "again please", "thanks", "see you tomorrow",
    "is it in stock", "well played", "looks tasty", "hi everyone",
)  # fmt: skip

STYLES = 4
"""Products of one style are bought by the same users; a product's style is its brand."""

ITEM_TABLE = 1024
"""Length of the look-up tables that products are drawn from."""

QUERIES_PER_CATEGORY = len(_PLAIN) + len(_DEAL)
"""Search texts of a category: first the plain ones, then those with a word for a deal."""


@dataclass(frozen=True)
class Catalogue:
    """The store's products and broadcasters, and tables to draw them from.

    Attributes
    ----------
    popularity : array of float, shape (18,)
        Base share of each category, sum 1.
    category, style : array of int, shape (743,)
        Of each product.
    price : array of float, shape (743,)
        In yuan, before scaling to the wanted mean order.
    general : array of int16, shape (18, 1024)
        Products of a category, each as often as it is popular.
    styled : array of int16, shape (18, 4, 1024)
        The same within a style.
    mean_price : float
        Of a product drawn by popularity of category and product.
    """

    popularity: np.ndarray
    category: np.ndarray
    style: np.ndarray
    price: np.ndarray
    general: np.ndarray
    styled: np.ndarray
    mean_price: float


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The store's catalogue: 743 products in 18 categories, log-normal prices, Zipf popularity."""
    rng = stream(0, "catalogue")
    popularity = 1.0 / np.arange(1, CATEGORIES + 1) ** 0.5
    popularity /= popularity.sum()
    sizes = 8 + np.floor(popularity * (PRODUCTS - 8 * CATEGORIES)).astype(int)
    sizes[: PRODUCTS - sizes.sum()] += 1
    category = np.repeat(np.arange(CATEGORIES), sizes)
    rank = np.arange(PRODUCTS) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    style = rank % STYLES
    weight = 1.0 / (rank + 1.0) ** 0.8
    price = np.exp(rng.normal(0.0, 0.25, CATEGORIES)[category] + rng.normal(0.0, 0.5, PRODUCTS))
    general = np.empty((CATEGORIES, ITEM_TABLE), dtype=np.int16)
    styled = np.empty((CATEGORIES, STYLES, ITEM_TABLE), dtype=np.int16)
    mean_price = 0.0
    for c in range(CATEGORIES):
        rows = np.flatnonzero(category == c)
        table, shares = lookup(weight[rows] / weight[rows].sum(), ITEM_TABLE)
        general[c] = rows[table]
        mean_price += popularity[c] * float(shares @ price[rows])
        for s in range(STYLES):
            own = rows[style[rows] == s]
            styled[c, s] = own[lookup(weight[own] / weight[own].sum(), ITEM_TABLE)[0]]
    return Catalogue(popularity, category, style, price, general, styled, mean_price)


def product_ids() -> pa.Array:
    """Ids of the products, ``p0001`` to ``p0743``."""
    return numbered("p", np.arange(1, PRODUCTS + 1), 4)


def broadcaster_ids() -> pa.Array:
    """Ids of the broadcasters, ``b001`` to ``b120``."""
    return numbered("b", np.arange(1, BROADCASTERS + 1), 3)


def broadcaster_channels() -> np.ndarray:
    """Channel number of each broadcaster, shape (120,)."""
    return np.arange(BROADCASTERS) % len(CHANNELS)


def texts() -> pa.Array:
    """Every text of the log: the search texts category by category, then what is said live."""
    queries = [
        form.format(_NOUNS[c][j % 2])
        for c in range(CATEGORIES)
        for j, form in enumerate(_PLAIN + _DEAL)
    ]
    return pa.array(queries + list(_PHRASES), pa.string())


def phrase_codes() -> np.ndarray:
    """Positions in :func:`texts` of what is said live."""
    first = CATEGORIES * QUERIES_PER_CATEGORY
    return np.arange(first, first + len(_PHRASES))


def items_table(prices: np.ndarray) -> pa.Table:
    """The contract's ``items``: products at `prices` (yuan, shape (743,)), then broadcasters."""
    store = catalogue()
    rng = stream(0, "descriptions")
    quality = rng.integers(0, len(_QUALITIES), PRODUCTS)
    noun = rng.integers(0, 2, PRODUCTS)
    rows = list(zip(store.category, store.style, quality, noun, strict=True))
    names = [
        f"{_QUALITIES[q]} {_NOUNS[c][n]} by {_BRANDS[s]}, {NAMES[c].replace('_', ' ')}"
        for c, s, q, n in rows
    ]
    channels = [CHANNELS[c] for c in broadcaster_channels()]
    missing = [None] * BROADCASTERS
    return pa.table(
        {
            "item_id": pa.concat_arrays([product_ids(), broadcaster_ids()]),
            "kind": pa.array(["product"] * PRODUCTS + ["broadcaster"] * BROADCASTERS),
            "category": pa.array([NAMES[c] for c in store.category] + channels),
            "price": pa.array([*prices.tolist(), *missing], pa.float64()),
            "brand": pa.array([_BRANDS[s] for s in store.style] + missing, pa.string()),
            "tags": pa.array(
                [f"{NAMES[c]} {_QUALITIES[q]} {_NOUNS[c][n]}" for c, _, q, n in rows] + channels
            ),
            "description": pa.array(names + [f"live {c}" for c in channels]),
        }
    )
