"""A tree of tags from what stands on the same products: the broader tag above the narrower one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

THRESHOLD = 0.8
"""P(broader | narrower) from which a tag stands below another, as in the source."""

LEAST_PRODUCTS = 3
"""A tag on fewer products says too little of what it goes with."""

ROOT = "all tags"


@dataclass(frozen=True)
class TagTree:
    """Tags and what stands above each.

    Attributes
    ----------
    nodes : pandas.DataFrame
        A row a tag, and first the root: ``node`` (the tag), ``parent`` (``"all tags"`` where no tag
        is broader; ``""`` for the root), ``level`` (0 is the root), ``weight`` (products that have
        the tag), ``p_parent`` (share of them that have the parent tag too; 1 below the root).
    threshold : float
    left_out : int
        Tags on too few products.
    """

    nodes: pd.DataFrame
    threshold: float
    left_out: int

    @property
    def links(self) -> pd.DataFrame:
        """The nodes that stand below another tag."""
        return self.nodes[~self.nodes.parent.isin(("", ROOT))]

    def top(self) -> pd.Series:
        """The tag below the root above each tag (itself where it stands there), by tag."""
        parent = dict(zip(self.nodes.node, self.nodes.parent, strict=True))
        found = {}
        for tag in self.nodes.node[1:]:
            above = tag
            while parent[above] != ROOT:
                above = parent[above]
            found[tag] = above
        return pd.Series(found, dtype=object)


def tag_tree(
    tags: pd.DataFrame, *, threshold: float = THRESHOLD, least: int = LEAST_PRODUCTS
) -> TagTree:
    """Arrange `tags` by subsumption.

    Parameters
    ----------
    tags : pandas.DataFrame
        ``item_id``, ``tag``; each pair once.
    threshold : float
        Above 0.5, up to 1.
    least : int
        Products that a tag must have.

    Returns
    -------
    TagTree
        Tag x stands above y where P(x | y) >= `threshold` and x has more products than y, which is
        P(x | y) > P(y | x). Of several such x, the parent is the narrowest, then the one with the
        highest P(x | y), then the first by name. A parent always has more products, so the links
        make no circle.

    Raises
    ------
    InputError
        Listing a threshold that cannot be, columns that lack, and no tag that is left.

    References
    ----------
    Sanderson and Croft 1999, Deriving concept hierarchies from text, doi 10.1145/312624.312679.
    """
    problems = [
        Problem(f"tags.{column}: the column is missing", "Use item_tags of the products.")
        for column in ("item_id", "tag")
        if column not in tags
    ]
    if not 0.5 < threshold <= 1:
        problems.append(Problem(f"threshold: {threshold}", "Use a share above 0.5, up to 1."))
    if problems:
        raise InputError(problems)
    names, together, left_out = _together(tags, least)
    if not len(names):
        fix = "Give products tags or descriptions, or lower `least`."
        raise InputError(Problem(f"tags: none on {least} products or more", fix))
    parent, share = _parents(names, together, threshold)
    count = together.diagonal().astype(int)
    level = _levels(parent, count)
    nodes = pd.DataFrame(
        {
            "node": names,
            "parent": [names[p] if p >= 0 else ROOT for p in parent],
            "level": level,
            "weight": count,
            "p_parent": share,
        }
    )
    nodes = nodes.sort_values(["level", "weight", "node"], ascending=[True, False, True])
    root = pd.DataFrame([(ROOT, "", 0, tags.item_id.nunique(), 1.0)], columns=nodes.columns)
    return TagTree(pd.concat([root, nodes], ignore_index=True), threshold, left_out)


def _together(tags: pd.DataFrame, least: int) -> tuple[np.ndarray, csr_matrix, int]:
    """Tags on `least` products or more, sorted; on how many products two stand; tags left out."""
    from scipy.sparse import csr_matrix

    counts = tags.tag.value_counts()
    names = np.array(sorted(counts.index[counts >= least]), dtype=object)
    kept = tags[tags.tag.isin(names)]
    row = pd.factorize(kept.item_id)[0]
    column = pd.Index(names).get_indexer(kept.tag)
    shape = (row.max() + 1 if len(row) else 0, len(names))
    has = csr_matrix((np.ones(len(kept)), (row, column)), shape=shape)
    return names, (has.T @ has).tocsr(), len(counts) - len(names)


def _parents(
    names: np.ndarray, together: csr_matrix, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Number of each tag's parent (-1: none) and P(parent | tag), 1 where there is none."""
    count = together.diagonal()
    pair = together.tocoo()
    broad, narrow = pair.row, pair.col
    share = pair.data / count[narrow]
    kept = (share >= threshold - 1e-12) & (count[broad] > count[narrow])
    found = pd.DataFrame({"narrow": narrow[kept], "broad": broad[kept], "share": share[kept]})
    found["count"] = count[found.broad]
    found["name"] = names[found.broad]
    found = found.sort_values(["count", "share", "name"], ascending=[True, False, True])
    found = found.drop_duplicates("narrow").set_index("narrow")
    parent, p = np.full(len(names), -1), np.ones(len(names))
    parent[found.index] = found.broad
    p[found.index] = found.share
    return parent, p


def _levels(parent: np.ndarray, count: np.ndarray) -> np.ndarray:
    """1 below the root, 2 below those, ...; a parent has more products, so it comes first."""
    level = np.ones(len(parent), dtype=int)
    for tag in np.argsort(-count, kind="stable"):
        if parent[tag] >= 0:
            level[tag] = level[parent[tag]] + 1
    return level


def links_by_chance(
    tags: pd.DataFrame, *, threshold: float = THRESHOLD, least: int = LEAST_PRODUCTS,
    times: int = 20, seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """How many tags stand below another when tags are dealt out to products at random.

    Returns
    -------
    array (times,) of int
        Links of trees in which every tag keeps its number of products, drawn afresh each time.
    """
    rng = np.random.default_rng(seed)
    items = tags.item_id.unique()
    counts = tags.tag.value_counts().sort_index()
    counts = counts[counts >= least]
    found = []
    for _ in range(times):
        dealt = [rng.choice(len(items), n, replace=False) for n in counts]
        table = {"item_id": np.concatenate(dealt), "tag": np.repeat(counts.index, counts)}
        tree = tag_tree(pd.DataFrame(table), threshold=threshold, least=least)
        found.append(len(tree.links))
    return np.array(found)
