"""Variables grouped by correlation (R-type clustering), and the one that stands for each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.statistics.checks import regressors


@dataclass(frozen=True)
class VariableClusters:
    """Groups of variables.

    Attributes
    ----------
    columns : tuple of str
    correlation : numpy.ndarray
        (p, p), the paper's matrix R.
    tree : numpy.ndarray
        (p - 1, 4), SciPy's linkage on the distances 1 - abs(r).
    height : float
        Where the tree is cut.
    table : pandas.DataFrame
        ``variable``, ``cluster`` (from 1), ``own`` (r squared with its cluster's first component),
        ``next`` (with the nearest other cluster's; 0 where there is one cluster), ``ratio``
        ((1 - own) / (1 - next): low is clear), ``stands`` (the lowest ratio of its cluster).
    """

    columns: tuple[str, ...]
    correlation: np.ndarray
    tree: np.ndarray
    height: float
    table: pd.DataFrame

    @property
    def clusters(self) -> int:
        """How many groups there are."""
        return int(self.table.cluster.max())


def cluster_variables(
    frame: pd.DataFrame, columns: Sequence[str], *, clusters: int | None = None
) -> VariableClusters:
    """Variables clustered by average linkage on 1 - abs(r).

    Parameters
    ----------
    frame : pandas.DataFrame
    columns : sequence of str
        Two or more, not constant and not combinations of each other.
    clusters : int, optional
        From 1 to the number of columns. By default as few as leave every cluster with one
        dimension: its correlation matrix has no second eigenvalue above 1.

    Raises
    ------
    InputError
        See :func:`precmark.statistics.checks.regressors`; fewer than two columns; a number of
        clusters that cannot be.

    References
    ----------
    Company H, on R-type clustering; SAS/STAT User's Guide, The VARCLUS Procedure (the stopping
    rule and the ratio).
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    columns = tuple(columns)
    X = regressors(frame, columns)
    p = len(columns)
    if p < 2 or (clusters is not None and not 1 <= clusters <= p):
        raise InputError(
            f"{clusters or 'some'} clusters of {p} column(s): give two columns or more, and a "
            "number of clusters from 1 to theirs."
        )
    correlation = np.corrcoef(X, rowvar=False)
    distance = np.clip(1 - np.abs(correlation), 0, None)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    for k in [clusters] if clusters else range(1, p + 1):
        labels = _in_order(fcluster(tree, k, criterion="maxclust"))
        if clusters or all(_second(correlation, labels == c) <= 1 for c in np.unique(labels)):
            break
    heights = np.r_[0.0, tree[:, 2], 1.0]
    merged = p - labels.max()
    height = float((heights[merged] + heights[merged + 1]) / 2)
    return VariableClusters(
        columns, correlation, tree, height, _table(columns, correlation, labels)
    )


def _in_order(labels: np.ndarray) -> np.ndarray:
    """Labels from 1 in the order in which the variables are given."""
    _, first = np.unique(labels, return_index=True)
    order = {labels[i]: rank + 1 for rank, i in enumerate(sorted(first))}
    return np.array([order[label] for label in labels])


def _second(correlation: np.ndarray, inside: np.ndarray) -> float:
    """The second eigenvalue of the correlations inside a cluster; 0 for a single variable."""
    part = correlation[np.ix_(inside, inside)]
    return float(np.linalg.eigvalsh(part)[-2]) if len(part) > 1 else 0.0


def _table(columns, correlation: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Each variable's squared correlation with the first component of every cluster."""
    squared = np.empty((len(columns), labels.max()))
    for c in range(labels.max()):
        inside = labels == c + 1
        values, vectors = np.linalg.eigh(correlation[np.ix_(inside, inside)])
        squared[:, c] = (correlation[:, inside] @ vectors[:, -1]) ** 2 / values[-1]
    rows = np.arange(len(columns))
    own = squared[rows, labels - 1].copy()
    squared[rows, labels - 1] = -1.0
    others = squared.max(axis=1).clip(min=0)
    table = pd.DataFrame({"variable": columns, "cluster": labels, "own": own, "next": others})
    table["ratio"] = (1 - table.own.clip(upper=1)) / (1 - table.next)
    table["stands"] = table.index.isin(table.groupby("cluster").ratio.idxmin())
    return table
