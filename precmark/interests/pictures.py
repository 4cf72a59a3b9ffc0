"""Drawn pictures of products, where no photos are at hand: they show the mechanics and no more."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.interests.images import PictureModel, train_pictures
from precmark.recommend.shop import interactions, products_of

if TYPE_CHECKING:
    from precmark.recommend.study import Periods

MOST_PRODUCTS = 800
"""Drawn and learnt from; the most touched ones where a shop has more."""

DRAWN_SIDE = 32
"""Pixels of a drawing's side: plain shapes need fewer than photos."""

MOST_KINDS = 18
SHAPES = ("ellipse", "box", "triangle", "diamond", "ring", "cross", "arch", "bars", "bottle")
_COLOURS = (
    "#0b5c8c", "#d9772b", "#3d8c6c", "#8a5aa6", "#b8405e", "#7a7a7a", "#c2a83e", "#4fb3c8",
)  # fmt: skip
_NAMED = {
    "black": "#222222", "white": "#d8d8d8", "gray": "#8a8a8a", "grey": "#8a8a8a", "blue": "#2b5fb4",
    "navy blue": "#1d2d5c", "red": "#c22f2f", "green": "#3d8c4c", "brown": "#7a5230",
    "beige": "#d9c7a0", "pink": "#e58fb1", "violet": "#7b4ea3", "yellow": "#e2c43c",
    "burgundy": "#6e1f33", "orange": "#dd7d2b", "olive": "#6f7138", "turquoise": "#3bb0a6",
}  # fmt: skip


def draw_products(
    items: pd.DataFrame, paths: pd.DataFrame, *, side: int = DRAWN_SIDE, seed: int = 0
) -> pd.DataFrame:
    """A small drawing of each product: shape by kind, colour by part or tags, size by price.

    Parameters
    ----------
    items : pandas.DataFrame
        As in the contract.
    paths : pandas.DataFrame
        From :func:`~precmark.interests.interest_tree.product_paths`.
    side : int
        Pixels.
    seed : int
        Of what differs between two drawings of the same thing: place, turn, shade and specks.

    Returns
    -------
    pandas.DataFrame
        ``item_id``, ``kind`` and ``pixels`` (side, side, 3) uint8, in the order of `paths`. A kind
        beyond the 18 largest has no shape of its own and is left out.
    """
    products = products_of(items).set_index("item_id").reindex(paths.index)
    kinds = paths.kind.value_counts()
    kinds = list(kinds.sort_index().sort_values(ascending=False, kind="stable").index[:MOST_KINDS])
    parts = sorted(paths.part.unique())
    price = products.price.astype(float) if "price" in products else pd.Series(np.nan, paths.index)
    size = price.rank(pct=True).fillna(0.5).to_numpy()
    tags = products.tags if "tags" in products else pd.Series(None, paths.index, dtype=object)
    rows = []
    for i, (item, kind, part) in enumerate(zip(paths.index, paths.kind, paths.part, strict=True)):
        if kind in kinds:
            rng = np.random.default_rng([seed, zlib.crc32(str(item).encode())])
            colour = _colour(tags.iloc[i], parts.index(part))
            shape = kinds.index(kind)
            rows.append((item, kind, _drawing(shape, colour, size[i], rng, side)))
    return pd.DataFrame(rows, columns=["item_id", "kind", "pixels"])


def _colour(tags: object, part: int) -> str:
    """The colour that the tags name, else one for the part."""
    text = "" if pd.isna(tags) else str(tags).casefold()
    named = [name for name in _NAMED if name in text]
    return _NAMED[max(named, key=len)] if named else _COLOURS[part % len(_COLOURS)]


def _drawing(kind: int, colour: str, size: float, rng: np.random.Generator, side: int):
    """One drawing: twice as large as wanted, turned, and made small, so that edges are soft."""
    from PIL import Image, ImageColor, ImageDraw

    whole = 2 * side
    shade = rng.integers(-25, 26, 3)
    fill = tuple(int(v) for v in np.clip(np.array(ImageColor.getrgb(colour)) + shade, 0, 255))
    image = Image.new("RGB", (whole, whole), "white")
    pen = ImageDraw.Draw(image)
    reach = whole * (0.22 + 0.16 * size)
    middle = whole / 2 + rng.uniform(-0.08, 0.08, 2) * whole
    _shape(pen, SHAPES[kind % len(SHAPES)], middle, reach, fill)
    if kind >= len(SHAPES):  # the second nine are told by a band across
        x, y = middle
        pen.rectangle((x - reach, y - reach / 6, x + reach, y + reach / 6), fill="#111111")
    image = image.rotate(float(rng.uniform(-20, 20)), fillcolor="white")
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)).astype(float)
    specks = rng.normal(0, 12, pixels.shape)
    return np.clip(pixels + specks, 0, 255).astype(np.uint8)


def _shape(pen, name: str, middle: np.ndarray, r: float, fill) -> None:
    x, y = middle
    boxes = {
        "box": [(x - r, y - r, x + r, y + r)],
        "cross": [(x - r, y - r / 3, x + r, y + r / 3), (x - r / 3, y - r, x + r / 3, y + r)],
        "bars": [(x - r + i * 0.8 * r, y - r, x - 0.6 * r + i * 0.8 * r, y + r) for i in range(3)],
        "bottle": [(x - r / 2, y - r / 3, x + r / 2, y + r), (x - r / 6, y - r, x + r / 6, y)],
        "arch": [(x - r, y, x - r / 2, y + r), (x + r / 2, y, x + r, y + r)],
    }
    polygons = {
        "triangle": [(x, y - r), (x + r, y + r), (x - r, y + r)],
        "diamond": [(x, y - r), (x + r, y), (x, y + r), (x - r, y)],
    }
    for box in boxes.get(name, ()):
        pen.rectangle(box, fill=fill)
    if name in polygons:
        pen.polygon(polygons[name], fill=fill)
    if name in ("ellipse", "ring"):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    if name == "ring":
        pen.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill="white")
    if name == "arch":
        pen.pieslice((x - r, y - r, x + r, y + r), 180, 360, fill=fill)


def learnt_from_drawings(
    drawn: pd.DataFrame, *, epochs: int = 12, seed: int = 0
) -> tuple[PictureModel, pd.DataFrame, float]:
    """A network that tells the drawn kinds apart, each product's features, and how well it does.

    Parameters
    ----------
    drawn : pandas.DataFrame
        From :func:`draw_products`.
    epochs, seed
        Of the network.

    Returns
    -------
    PictureModel, pandas.DataFrame, float
        The model; features by ``item_id``; the share named rightly of a fifth of the drawings that
        the network did not learn from (they choose the epoch).

    Raises
    ------
    InputError
        As :func:`~precmark.interests.images.train_pictures`, e.g. where there is one kind.
    """
    order = np.random.default_rng(seed).permutation(len(drawn))
    held = np.sort(order[: max(1, len(drawn) // 5)])
    kept = np.sort(order[len(held) :])
    pixels, kinds = np.stack(drawn.pixels), drawn.kind.to_numpy(object)
    counts = pd.Series(kinds[kept]).value_counts()
    common = set(counts.index[counts >= 2])
    kept = kept[[kinds[i] in common for i in kept]]
    held = held[[kinds[i] in common for i in held]]
    model = train_pictures(
        pixels[kept], list(kinds[kept]), (pixels[held], list(kinds[held])), epochs=epochs,
        batch=32, width=12, seed=seed, threads=1,
    )  # fmt: skip
    features = pd.DataFrame(model.features(pixels), index=pd.Index(drawn.item_id, name="item_id"))
    named = np.array(model.kinds, object)[model.probabilities(pixels[held]).argmax(axis=1)]
    return model, features, float((named == kinds[held]).mean())


def most_touched(found: Periods, most: int = MOST_PRODUCTS) -> pd.Index:
    """The products that the training part touched most, ``item_id``, at most `most`, sorted."""
    products = products_of(found.items).item_id
    counts = interactions(found.before_test).item_id.value_counts()
    counts = counts.reindex(products).fillna(0).sort_index()
    return counts.sort_values(ascending=False, kind="stable").index[:most].sort_values()
