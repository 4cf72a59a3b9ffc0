"""Ward's tree, its cuts, and the nearest of many centres in chunks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Nearest(NamedTuple):
    """The nearest centre of each point.

    Attributes
    ----------
    first : numpy.ndarray
        Index of the nearest centre, int64, one a point; ties go to the lower index.
    second : numpy.ndarray
        Index of the second nearest; equal to `first` where there is one centre only.
    distance : numpy.ndarray
        Euclidean distance to the nearest, float64, in the points' unit.
    """

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray


def nearest(points: np.ndarray, centres: np.ndarray, chunk: int = 8192) -> Nearest:
    """Nearest and second nearest of `centres` for each of `points`, `chunk` points at a time.

    Parameters
    ----------
    points : numpy.ndarray
        n by f.
    centres : numpy.ndarray
        m by f, m >= 1.
    chunk : int
        Points held against all centres at once: memory is `chunk` times m numbers.

    Returns
    -------
    Nearest
    """
    n = len(points)
    first, second = np.zeros(n, np.int64), np.zeros(n, np.int64)
    squared = (centres**2).sum(axis=1) / 2
    for start in range(0, n, chunk):
        part = slice(start, start + chunk)
        # |x - c|^2 / 2 less |x|^2 / 2, which is the same for every centre of a point
        gap = squared - points[part] @ centres.T
        best = gap.argmin(axis=1)
        first[part] = best
        if len(centres) > 1:
            gap[np.arange(len(best)), best] = np.inf
            second[part] = gap.argmin(axis=1)
    # the distance afresh: the short cut above loses digits where a point sits on its centre
    distance = np.sqrt(((points - centres[first]) ** 2).sum(axis=1))
    return Nearest(first, second, distance)


def ward_tree(points: np.ndarray) -> np.ndarray:
    """Ward's tree over `points` as SciPy's linkage matrix (n - 1 by 4); empty for one point.

    References
    ----------
    Ward, Hierarchical grouping to optimize an objective function, 1963,
    doi 10.1080/01621459.1963.10500845.
    """
    from scipy.cluster.hierarchy import linkage

    return linkage(points, "ward") if len(points) > 1 else np.empty((0, 4))


def cut(tree: np.ndarray, n_clusters: int) -> np.ndarray:
    """Cluster of each leaf of `tree` when cut into at most `n_clusters`, from 0, int64.

    Merges at height zero are never undone, so identical points stay together and fewer clusters
    than asked for can come out. Clusters are numbered in the order of their first leaf.
    """
    leaves = len(tree) + 1
    merges = max(leaves - n_clusters, int((tree[:, 2] <= 0).sum()))
    root = np.arange(leaves + len(tree))
    # downwards, so that a merge's own root is known before its two children ask for it
    for i in range(min(merges, len(tree)) - 1, -1, -1):
        root[tree[i, :2].astype(np.int64)] = root[leaves + i]
    _, first, label = np.unique(root[:leaves], return_index=True, return_inverse=True)
    return relabel(label, np.argsort(first))


def centroids(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of the points of each label 0..k-1, k by f; every label must occur."""
    count = np.bincount(labels).astype(float)
    sums = np.stack([np.bincount(labels, weights=column) for column in points.T], axis=1)
    return sums / count[:, None]


def relabel(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """`labels` 0..k-1 renamed so that ``order[0]`` becomes 0, ``order[1]`` becomes 1, ..."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[labels]
