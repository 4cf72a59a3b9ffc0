"""A user's interests as a tree: kind of product, brand or band of price, product; old ones fade."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.recommend.content import price_bands
from precmark.recommend.shop import SEARCH_WEIGHT, WEIGHTS, products_of

if TYPE_CHECKING:
    from precmark.interests.tag_tree import TagTree

HALF_LIFE_DAYS = 30.0
"""Days after which an event counts half."""

ROOT = "all interests"
OTHER = "other"
BETWEEN = " > "
"""Stands between the parts of a node's name, from the root downwards."""


def product_paths(
    items: pd.DataFrame, tags: pd.DataFrame | None = None, tree: TagTree | None = None
) -> pd.DataFrame:
    """Where each product hangs.

    Parameters
    ----------
    items : pandas.DataFrame
        As in the contract.
    tags, tree : frame and TagTree, optional
        Needed where the source names no categories: a product then hangs below the tag with the
        most products among the tops of its own tags.

    Returns
    -------
    pandas.DataFrame
        Index ``item_id``; ``kind`` (category, or top tag; ``"other"`` where nothing is known) and
        ``part`` (brand, or band of price as ``"band 1"`` to ``"band 5"``; ``""`` where neither is).
    """
    products = products_of(items)
    index = pd.Index(products.item_id, name="item_id")
    if products.category.notna().any():
        kind = products.category.astype(object).fillna(OTHER).to_numpy()
    elif tags is not None and tree is not None and len(tags):
        kind = _top_tags(tags, tree).reindex(index).fillna(OTHER).to_numpy()
    else:
        kind = np.full(len(index), OTHER, dtype=object)
    part = np.full(len(index), "", dtype=object)
    for column in ("brand", "price"):
        if column in products and products[column].notna().any():
            values = products[column].astype(object)
            values = price_bands(products.price) if column == "price" else values
            part = values.fillna("unknown" if column == "brand" else "no price").to_numpy(object)
            break
    return pd.DataFrame({"kind": kind, "part": part}, index=index)


def _top_tags(tags: pd.DataFrame, tree: TagTree) -> pd.Series:
    """The most common top of each product's tags, by ``item_id``."""
    weight = tree.nodes.set_index("node").weight
    found = tags.assign(top=tags.tag.map(tree.top())).dropna(subset="top")
    found = found.assign(weight=found.top.map(weight))
    found = found.sort_values(["item_id", "weight", "top"], ascending=[True, False, True])
    return found.drop_duplicates("item_id").set_index("item_id").top


@dataclass
class LiveInterests:
    """One user's tree, kept up to date event by event.

    Parameters
    ----------
    paths : pandas.DataFrame
        From :func:`product_paths`.
    half_life_days : float
        Above 0.

    Attributes
    ----------
    weights : dict
        Path of a node (a tuple of names) to its weight as of `at`; the root is ``()``.
    at : float
        Seconds since 1970 of the latest event; NaN before the first.

    Notes
    -----
    All weights fade alike, so they are kept as of one instant with a common factor: an event costs
    as many additions as the tree is deep, however many interests there are.
    """

    paths: pd.DataFrame
    half_life_days: float = HALF_LIFE_DAYS
    _raw: dict[tuple[str, ...], float] = field(default_factory=dict)
    _from: float = np.nan
    at: float = np.nan

    def __post_init__(self) -> None:
        if not self.half_life_days > 0:
            raise InputError(
                Problem(f"half_life_days: {self.half_life_days}", "Use a number of days above 0.")
            )
        parts = zip(self.paths.index, self.paths.kind, self.paths.part, strict=True)
        self._path = {i: (k, p, i) if p else (k, i) for i, k, p in parts}
        self._kinds = set(self.paths.kind)
        self._rate = 1 / (86400 * self.half_life_days)

    def fresh(self) -> LiveInterests:
        """Another user's tree over the same products, still empty."""
        made = copy.copy(self)
        made._raw, made._from, made.at = {}, np.nan, np.nan
        return made

    def see(
        self, event: str, seconds: float, item_id: object = None, category: object = None
    ) -> None:
        """Add one event; `seconds` since 1970, never less than before.

        Views, carts and purchases of a product count, and searches that name a kind of product;
        everything else is passed over.

        Raises
        ------
        InputError
            When the event is older than the latest one.
        """
        path, weight = self._path.get(item_id), WEIGHTS.get(event, 0.0)
        if path is None and event == "search" and category in self._kinds:
            path, weight = (category,), SEARCH_WEIGHT
        if path is None or not weight:
            return
        if seconds < self.at:
            fix = "Give events in the order of time."
            raise InputError(Problem("events.timestamp: older than the one before", fix))
        if np.isnan(self._from):
            self._from = seconds
        age = (seconds - self._from) * self._rate
        if age > 500:  # the common factor would leave the range of a float
            self._raw = {p: w * 2.0**-age for p, w in self._raw.items()}
            self._from, age = seconds, 0.0
        self.at, gain = seconds, weight * 2.0**age
        for depth in range(len(path) + 1):
            node = path[:depth]
            self._raw[node] = self._raw.get(node, 0.0) + gain

    @property
    def weights(self) -> dict[tuple[str, ...], float]:
        """Every node's weight as of the latest event."""
        return self.weights_at(self.at)

    def weights_at(self, seconds: float) -> dict[tuple[str, ...], float]:
        """Every node's weight as of `seconds` since 1970."""
        factor = 2.0 ** (-(seconds - self._from) * self._rate)
        return {path: raw * factor for path, raw in self._raw.items()}


def interest_tree(
    events: pd.DataFrame,
    paths: pd.DataFrame,
    *,
    as_of: pd.Timestamp | None = None,
    half_life_days: float = HALF_LIFE_DAYS,
) -> pd.DataFrame:
    """The interest tree of one user.

    Parameters
    ----------
    events : pandas.DataFrame
        Of one user: ``event``, ``timestamp``, ``item_id``, and ``category`` for searches.
    paths : pandas.DataFrame
        From :func:`product_paths`.
    as_of : pandas.Timestamp, optional
        Events from then on do not count; the latest event counts in full where left out.
    half_life_days : float
        An event of so many days ago counts half.

    Returns
    -------
    pandas.DataFrame
        A row a node, the root first, then by level and weight: ``node`` (whole path), ``parent``,
        ``level`` (0 is the root), ``name``, ``weight`` (sum over its events of view 1, cart 3,
        purchase 5, search 1, each faded) and ``share`` (of the root's weight). Empty where nothing
        counted.
    """
    columns = ["event", "timestamp", "item_id", *(["category"] if "category" in events else [])]
    known = events[columns].sort_values("timestamp", kind="stable")
    if as_of is not None:
        known = known[known.timestamp < as_of]
    seconds = pd.DatetimeIndex(known.timestamp).as_unit("us").asi8 / 1e6
    category = known.category if "category" in known else [None] * len(known)
    live = LiveInterests(paths, half_life_days)
    for event, at, item, kind in zip(known.event, seconds, known.item_id, category, strict=True):
        live.see(event, at, item, kind)
    then = live.at if as_of is None else as_of.timestamp()
    return tree_table(live.weights_at(then))


def tree_table(weights: dict[tuple[str, ...], float]) -> pd.DataFrame:
    """Weights by path as the table that :func:`interest_tree` returns."""
    whole = weights.get((), 0.0)
    rows = [
        (
            BETWEEN.join(map(str, path)) or ROOT,
            (BETWEEN.join(map(str, path[:-1])) or ROOT) if path else "",
            len(path),
            str(path[-1]) if path else ROOT,
            weight,
            weight / whole if whole else 0.0,
        )
        for path, weight in weights.items()
    ]
    found = pd.DataFrame(rows, columns=["node", "parent", "level", "name", "weight", "share"])
    order = ["level", "weight", "node"]
    return found.sort_values(order, ascending=[True, False, True]).reset_index(drop=True)


def with_descriptions(nodes: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """`nodes` whose products are named by their descriptions, where there are any."""
    if "description" not in items:
        return nodes
    known = items.drop_duplicates("item_id").set_index("item_id").description.astype(object)
    product = (nodes.level == nodes.level.max()) & (nodes.level > 1)
    described = nodes.name.where(product).map(known.dropna())
    return nodes.assign(name=described.fillna(nodes.name))


def interests_over_time(
    events: pd.DataFrame, paths: pd.DataFrame, *, half_life_days: float = HALF_LIFE_DAYS
) -> pd.DataFrame:
    """The share of each kind of product in one user's interests at the end of each month.

    Returns
    -------
    pandas.DataFrame
        ``month`` (first instant of the next one), ``kind``, ``share`` (sums to 1 a month); months
        from the user's first event to the last.
    """
    month = events.timestamp.dt.tz_convert(None).dt.to_period("M")
    rows = []
    for period in pd.period_range(month.min(), month.max(), freq="M"):
        end = (period + 1).start_time.tz_localize("UTC")
        tree = interest_tree(events, paths, as_of=end, half_life_days=half_life_days)
        top = tree[tree.level == 1]
        rows.append(pd.DataFrame({"month": end, "kind": top.name, "share": top.share}))
    return pd.concat(rows, ignore_index=True)


def update_speed(events: pd.DataFrame, paths: pd.DataFrame, *, most: int = 20000) -> pd.DataFrame:
    """How long an event takes to reach its user's tree, measured on the first `most` events.

    Returns
    -------
    pandas.DataFrame
        One row: ``events``, ``users``, ``seconds`` (in all), ``microseconds`` (an event).
    """
    from time import perf_counter

    known = events.sort_values("timestamp", kind="stable").head(most)
    seconds = pd.DatetimeIndex(known.timestamp).as_unit("us").asi8 / 1e6
    category = known.category if "category" in known else [None] * len(known)
    live = dict.fromkeys(known.user_code.unique())
    shared = LiveInterests(paths)
    rows = zip(known.user_code, known.event, seconds, known.item_id, category, strict=True)
    began = perf_counter()
    for user, event, at, item, kind in rows:
        mine = live[user]
        if mine is None:
            mine = live[user] = shared.fresh()
        mine.see(event, at, item, kind)
    took = perf_counter() - began
    return pd.DataFrame(
        {
            "events": [len(known)],
            "users": [len(live)],
            "seconds": [took],
            "microseconds": [1e6 * took / max(len(known), 1)],
        }
    )
