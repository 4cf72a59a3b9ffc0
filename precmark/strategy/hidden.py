"""A small segment that nobody asked for: planted, looked for, and lost (You, section 6.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from precmark.claims import paper
from precmark.errors import InputError, Problem
from precmark.segments import fit_space
from precmark.simulate.draws import stream

BANDS = (20, 24, 28, 32, 36, 40, 45, 50, 60)
"""Ages at which a band begins; the first band is everyone younger than the first of them."""

SHIFTED = 5
"""Features in which the planted segment differs."""

MOST_ROWS = 3000
"""Customers of one trial."""

FOUND = 0.5
"""Jaccard index of what was found and what was planted from which it counts as found."""

METHODS = {
    "clusters-3": "three clusters",
    "clusters-12": "twelve clusters",
    "subgroups": "search over attributes",
}
"""How the segment is looked for, in words."""


@dataclass(frozen=True)
class Planted:
    """Customers with attributes and behaviour, a few of whom are unlike the rest.

    Attributes
    ----------
    attributes : pandas.DataFrame
        (n,) ``gender`` (female, male), ``single`` (bool), ``age`` (years).
    points : numpy.ndarray
        (n, p) behaviour, uncorrelated columns of variance 1 before anything was planted.
    inside : numpy.ndarray
        (n,) bool: single women of the paper's ages.
    """

    attributes: pd.DataFrame
    points: np.ndarray
    inside: np.ndarray


def behaviour(profile: pd.DataFrame, *, parts: int = 12) -> np.ndarray:
    """The behaviour of `profile`'s customers as uncorrelated numbers, (n, up to `parts`).

    The feature space of chapter 03 without attributes, turned to principal components of variance
    1, so that no feature counts for more because it is written down twice.
    """
    told = [c for c in profile if c not in ("age", "level", "tenure_days", "has_avatar")]
    space = fit_space(profile[told])
    points = space.transform(profile)
    centred = points - points.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    rank = int(min(parts, (s > s[0] * 1e-6).sum())) if len(s) and s[0] > 0 else 0
    if rank < 2:
        raise InputError("customers differ in fewer than two ways: no segment can hide in that.")
    return u[:, :rank] * np.sqrt(len(points))


def plant(
    points: np.ndarray, share: float, shift: float, *, seed: int = 0, rows: int = MOST_ROWS
) -> Planted:
    """Give customers attributes at random, and those of one small segment another behaviour.

    Attributes are drawn independently of behaviour, so that nothing but what is planted ties them.
    The segment, single women of the ages that the paper prints, holds `share` of the customers:
    others who would be of it by the draw are made married.

    Parameters
    ----------
    points : array (n, p)
        See :func:`behaviour`.
    share : float
        Of the customers, in [0, 0.2].
    shift : float
        By how many standard deviations each of five columns is moved, up or down; >= 0.
    seed : int
    rows : int
        Customers, drawn from `points` (with replacement where there are fewer).

    Raises
    ------
    InputError
        Listing a share or a shift out of range, and too few customers.
    """
    problems = []
    if not 0 <= share <= 0.2:
        problems.append(Problem(f"share: {share}", "Give a share from 0 to 0.2."))
    if not shift >= 0:
        problems.append(Problem(f"shift: {shift}", "Give standard deviations, 0 or more."))
    if len(points) < 100 or rows < 100:
        fix = "Use 100 or more; a segment of 2 % is then two people."
        problems.append(Problem(f"{min(len(points), rows)} customers", fix))
    if problems:
        raise InputError(problems)
    rng = stream(seed, "strategy hidden")
    low, high = (int(paper("you", f"section633.women_age_{end}")) for end in ("low", "high"))
    made = points[rng.choice(len(points), rows, replace=len(points) < rows)].copy()
    age = np.clip(np.rint(rng.normal(36, 11, rows)), 18, 75).astype(int)
    female, single = rng.random(rows) < 0.5, rng.random(rows) < 0.35
    single &= ~(female & (age >= low) & (age <= high))
    inside = np.zeros(rows, dtype=bool)
    inside[rng.choice(rows, round(share * rows), replace=False)] = True
    female, single = female | inside, single | inside
    age = np.where(inside, rng.integers(low, high + 1, rows), age)
    moved = rng.choice(made.shape[1], min(SHIFTED, made.shape[1]), replace=False)
    made[np.ix_(inside, moved)] += shift * rng.choice([-1, 1], len(moved))
    gender = np.where(female, "female", "male")
    attributes = pd.DataFrame({"gender": gender, "single": single, "age": age})
    return Planted(attributes, made, inside)


@dataclass(frozen=True)
class Subgroups:
    """The groups that one to three conditions on attributes can name.

    Attributes
    ----------
    names : tuple of str
        In words, e.g. ``"female, single, 28-35"``.
    cells : numpy.ndarray
        (groups, cells) bool: which cells of gender by marriage by band of age each group holds.
    """

    names: tuple[str, ...]
    cells: np.ndarray


def subgroups() -> Subgroups:
    """Every gender (or both), marriage (or both) and run of age bands (or all) but everyone."""
    bands = len(BANDS) + 1
    names, cells = [], []
    runs = [(i, j) for i in range(bands) for j in range(i, bands)]
    for gender, single, (first, last) in product((None, 0, 1), (None, 0, 1), runs):
        whole = (first, last) == (0, bands - 1)
        if gender is None and single is None and whole:
            continue
        grid = np.zeros((2, 2, bands), dtype=bool)
        grid[
            slice(None) if gender is None else gender,
            slice(None) if single is None else single,
            first : last + 1,
        ] = True
        words = [] if gender is None else [("male", "female")[gender]]
        words += [] if single is None else [("married", "single")[single]]
        words += [] if whole else [_ages(first, last)]
        names.append(", ".join(words))
        cells.append(grid.ravel())
    return Subgroups(tuple(names), np.array(cells))


def _ages(first: int, last: int) -> str:
    if first == 0:
        return f"under {BANDS[last]}"
    if last == len(BANDS):
        return f"{BANDS[first - 1]} and older"
    return f"{BANDS[first - 1]}-{BANDS[last] - 1}"


def cell_of(attributes: pd.DataFrame) -> np.ndarray:
    """The cell of each customer, (n,), in the order of :class:`Subgroups`."""
    female = (attributes.gender == "female").to_numpy(int)
    single = attributes.single.to_numpy(int)
    band = np.digitize(attributes.age, BANDS)
    return (2 * female + single) * (len(BANDS) + 1) + band


def distances(points: np.ndarray, cell: np.ndarray, groups: Subgroups, *, least: int = 5):
    """How far the mean behaviour of each group is from that of all others.

    For a group of n1 of n customers with mean m1 against m2: n1 n2 / n times the squared distance
    of m1 and m2, on points of variance 1: about chi-squared with p degrees of freedom where group
    and behaviour have nothing to do with each other. -inf for groups of fewer than `least`.
    """
    n, width = len(points), groups.cells.shape[1]
    count = groups.cells @ np.bincount(cell, minlength=width).astype(float)
    total = np.stack([np.bincount(cell, x, minlength=width) for x in points.T], axis=1)
    inside = groups.cells @ total
    outside = points.sum(axis=0) - inside
    other = n - count
    safe, rest = np.maximum(count, 1)[:, None], np.maximum(other, 1)[:, None]
    squared = ((inside / safe - outside / rest) ** 2).sum(axis=1)
    found = count * other / n * squared
    return np.where((count >= least) & (other >= least), found, -np.inf)


@dataclass(frozen=True)
class Search:
    """The group found by the search over attributes.

    Attributes
    ----------
    name : str
        In words; "" where none stands out.
    inside : numpy.ndarray
        (n,) bool; none where none stands out.
    distance, limit : float
        Of the group that stands out most, and what chance alone exceeds in 5 % of the searches.
    p : float
        Share of searches on shuffled customers with as far a group (one is added to both counts).
    table : pandas.DataFrame
        The five groups that stand out most: ``group``, ``customers``, ``distance``.
    """

    name: str
    inside: np.ndarray
    distance: float
    limit: float
    p: float
    table: pd.DataFrame


def search(planted: Planted, *, shuffles: int = 99, seed: int = 0) -> Search:
    """The group of attributes whose behaviour is least like that of the others, if any is.

    Every group is looked at, so the best of them must be beyond what the best of as many groups
    reaches when attributes are dealt out anew (Westfall and Young's maximum statistic).

    Parameters
    ----------
    planted : Planted
        Its ``inside`` is not read.
    shuffles : int
        19 or more.
    seed : int

    References
    ----------
    Kloesgen 1996 and Wrobel 1997 on subgroup discovery; Westfall and Young, Resampling-based
    multiple testing, 1993.
    """
    groups, cell = subgroups(), cell_of(planted.attributes)
    points = planted.points
    found = distances(points, cell, groups)
    rng = np.random.default_rng(seed)
    chance = [distances(points, rng.permutation(cell), groups).max() for _ in range(shuffles)]
    best = int(found.argmax())
    limit = float(np.quantile(chance, 0.95, method="higher"))
    p = (1 + sum(c >= found[best] for c in chance)) / (1 + shuffles)
    inside = groups.cells[best][cell] if p <= 0.05 else np.zeros(len(cell), dtype=bool)
    top = np.argsort(-found, kind="stable")[:5]
    size = groups.cells @ np.bincount(cell, minlength=groups.cells.shape[1])
    table = pd.DataFrame(
        {"group": [groups.names[i] for i in top], "customers": size[top], "distance": found[top]}
    )
    name = groups.names[best] if p <= 0.05 else ""
    return Search(name, inside, float(found[best]), limit, float(p), table)


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Customers in both over customers in either; 0 where both are empty."""
    either = (first | second).sum()
    return float((first & second).sum() / either) if either else 0.0


def clusters(points: np.ndarray, k: int, *, seed: int = 0) -> np.ndarray:
    """k-means clusters of `points`, (n,), from 0."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # a few thousand rows: more threads wait for one another longer than they work
    with threadpool_limits(limits=1):
        return KMeans(k, n_init=1, random_state=seed).fit_predict(points)


def best_cluster(labels: np.ndarray, inside: np.ndarray) -> float:
    """The largest Jaccard index of a cluster with the planted segment: an upper bound, since it is
    chosen with the answer in hand."""
    return max(jaccard(labels == k, inside) for k in np.unique(labels))


def trial(
    points: np.ndarray, share: float, shift: float, *, shuffles: int = 99, seed: int = 0
) -> dict[str, float]:
    """The Jaccard index of what each of :data:`METHODS` finds with what was planted."""
    made = plant(points, share, shift, seed=seed)
    found = {
        f"clusters-{k}": best_cluster(clusters(made.points, k, seed=seed), made.inside)
        for k in (3, 12)
    }
    return found | {"subgroups": jaccard(search(made, shuffles=shuffles, seed=seed).inside,
                                         made.inside)}  # fmt: skip


def _trials(
    points: np.ndarray, share: float, shift: float, shuffles: int, seeds: list[int]
) -> list[dict[str, float]]:
    return [trial(points, share, shift, shuffles=shuffles, seed=seed) for seed in seeds]


def sweep(
    points: np.ndarray,
    *,
    shares: tuple[float, ...] = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08),
    shifts: tuple[float, ...] = (0.5, 1.0, 2.0),
    trials: int = 10,
    shuffles: int = 29,
    seed: int = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """How often each method finds segments of each size and difference.

    Parameters
    ----------
    points : array (n, p)
        See :func:`behaviour`.
    shares, shifts : tuples of float
    trials : int
        Plantings each, with seeds of their own.
    shuffles, seed : int
    n_jobs : int
        Processes.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``title``, ``share``, ``shift``, ``trials``, ``found`` (times the Jaccard index
        reached 0.5), ``rate``, ``low``, ``high`` (95 % Wilson), ``jaccard`` (mean).
    """
    from precmark.churn.processes import in_processes
    from precmark.segments.compare import wilson

    rows, settings = [], list(product(shifts, shares))
    tasks = [
        (points, share, shift, shuffles, [seed + 1000 * i for i in range(trials)])
        for shift, share in settings
    ]
    for (shift, share), runs in zip(settings, in_processes(_trials, tasks, n_jobs), strict=True):
        for method, title in METHODS.items():
            reached = np.array([r[method] for r in runs])
            hits = int((reached >= FOUND).sum())
            low, high = wilson(np.array([hits]), np.array([trials]))
            rows.append((method, title, share, shift, trials, hits, hits / trials, low[0],
                         high[0], reached.mean()))  # fmt: skip
    columns = ["method", "title", "share", "shift", "trials", "found", "rate", "low", "high",
               "jaccard"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def false_alarms(
    points: np.ndarray, *, trials: int = 40, shuffles: int = 29, seed: int = 0
) -> pd.DataFrame:
    """How often the search names a group where nothing was planted: ``trials``, ``alarms``,
    ``rate``, ``low``, ``high`` (95 % Wilson); about 5 % by design.
    """
    from precmark.segments.compare import wilson

    named = [
        bool(search(plant(points, 0.0, 0.0, seed=seed + 1000 * i), shuffles=shuffles, seed=i).name)
        for i in range(trials)
    ]
    low, high = wilson(np.array([sum(named)]), np.array([trials]))
    return pd.DataFrame(
        [(trials, sum(named), np.mean(named), low[0], high[0])],
        columns=["trials", "alarms", "rate", "low", "high"],
    )
