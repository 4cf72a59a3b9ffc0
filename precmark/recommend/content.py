"""Content scores: items like those that a user looked at (Gu, r_CB of equation 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.recommend.shop import Histories, Shop

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PRICE_BANDS = 5
"""Equal-count bands of price within the catalogue."""

MOST_WORDS = 500
"""Of tags and descriptions, the most frequent that at least two products share."""


def item_features(items: pd.DataFrame) -> tuple[csr_matrix, tuple[str, ...]]:
    """Each product as a vector of what it is.

    Parameters
    ----------
    items : pandas.DataFrame
        Products as in the contract; a column that lacks or is empty throughout is left out.

    Returns
    -------
    csr_matrix (m, features), tuple of str
        Blocks ``category``, ``price`` (five bands), ``brand`` and ``text`` (TF-IDF of tags and
        description), each block of a row of length 1 (0 where unknown), all four of equal weight;
        and the names of the features as ``block: value``.
    """
    from scipy.sparse import csr_matrix, hstack

    blocks, names = [], []
    for column in ("category", "price", "brand"):
        values = _values(items, column)
        if values is not None:
            codes, kinds = pd.factorize(values, sort=True)
            rows = np.flatnonzero(codes >= 0)
            shape = (len(items), len(kinds))
            ones = np.ones(len(rows), np.float32)
            blocks.append(csr_matrix((ones, (rows, codes[rows])), shape=shape))
            names += [f"{column}: {kind}" for kind in kinds]
    words = _words(items)
    if words is not None:
        blocks.append(words[0])
        names += [f"text: {word}" for word in words[1]]
    if not blocks:
        return csr_matrix((len(items), 1), dtype=np.float32), ("nothing",)
    return hstack(blocks, format="csr").astype(np.float32), tuple(names)


def _values(items: pd.DataFrame, column: str) -> pd.Series | None:
    """The column as text, prices as bands; None where nothing is known."""
    if column not in items or items[column].isna().all():
        return None
    if column != "price":
        return items[column].astype(object)
    return price_bands(items.price)


def price_bands(price: pd.Series) -> pd.Series:
    """Each price's band within the catalogue, ``"band 1"`` (lowest) to ``"band 5"``.

    Bands hold equally many products, ties in the order given; None where no price is known.
    """
    bands = pd.qcut(price.astype(float).rank(method="first"), PRICE_BANDS, labels=False)
    return bands.map(lambda band: None if np.isnan(band) else f"band {band + 1:.0f}")


def _words(items: pd.DataFrame) -> tuple[csr_matrix, list[str]] | None:
    """TF-IDF of tags and description, rows of length 1; None where the shop describes nothing."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    columns = [c for c in ("tags", "description") if c in items and items[c].notna().any()]
    if not columns:
        return None
    text = items[columns].astype(object).fillna("").agg(" ".join, axis=1)
    reader = TfidfVectorizer(
        lowercase=True, token_pattern=r"(?u)\b\w\w+\b", min_df=2, max_features=MOST_WORDS,
        dtype=np.float32,
    )  # fmt: skip
    try:
        found = reader.fit_transform(text)
    except ValueError:  # no word occurs twice
        return None
    return found, list(reader.get_feature_names_out())


class Content:
    """Cosine between a user's vector, the sum of what was liked, and each item."""

    def fit(self, shop: Shop) -> Content:
        """Describe the products of `shop`."""
        from sklearn.preprocessing import normalize

        features, self.names_ = item_features(shop.items)
        self.item_vectors_ = normalize(features)
        described = _category_vectors(shop, self.names_, features.shape[1])
        m = len(shop)
        # dense tables where they fit, see ItemItem
        self._small = m * m <= 2**25
        if self._small:
            across = self.item_vectors_.T.toarray()
            self._items = np.asarray(self.item_vectors_ @ across)
            self._searches = np.asarray(described @ across)
        else:
            self._items, self._searches = self.item_vectors_, described
        return self

    def scores(self, history: Histories) -> np.ndarray:
        """Scores (n, m), float32: higher is better; all 0 where nothing is known of the user."""
        found = history.items @ self._items + history.searches @ self._searches
        if not self._small:
            found = (found @ self.item_vectors_.T).toarray()
        return found


def _category_vectors(shop: Shop, names: tuple[str, ...], width: int) -> csr_matrix:
    """(categories, features): the feature of each category, which a search for it names."""
    from scipy.sparse import csr_matrix

    column = pd.Index(names).get_indexer([f"category: {c}" for c in shop.categories])
    rows = np.arange(len(shop.categories))
    ones = np.ones(len(rows), np.float32)
    return csr_matrix((ones, (rows, column)), shape=(len(rows), width))
