"""Which features and tags tell two groups apart: equations 17 to 23."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem


def two_groups(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`X` as float64 (n, p) and `y` as bool (n,), both checked.

    Raises
    ------
    InputError
        With every problem: shapes, values that are missing or infinite, labels other than 0 and 1,
        a group of fewer than two rows.
    """
    X, y = np.asarray(X), np.asarray(y)
    problems = []
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        problems.append(Problem(f"X has shape {X.shape} of {X.dtype}", "Give (rows, features)."))
    elif not np.isfinite(X.astype(float)).all():
        rows = np.flatnonzero(~np.isfinite(X.astype(float)).all(axis=1))
        problems.append(
            Problem("X: missing or infinite values", "Fill them or leave the rows out.",
                    len(rows), tuple((rows[:5] + 1).tolist()))
        )  # fmt: skip
    if y.ndim != 1 or X.ndim != 2 or len(y) != len(X):
        problems.append(Problem(f"y has shape {y.shape}", "Give one label a row."))
    elif y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        problems.append(Problem("y: other labels than 0 and 1", "Give 0 and 1."))
    elif min((y == 1).sum(), (y == 0).sum()) < 2:
        problems.append(
            Problem(
                f"{int((y == 1).sum())} rows of group 1 and {int((y == 0).sum())} of group 0",
                "Give two rows of each or more.",
            )
        )
    if problems:
        raise InputError(problems)
    return X.astype(np.float64), y.astype(bool)


def f_score(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far the means of two groups lie apart, against the spread within (equation 20).

    The printed ``1/m - 1`` is read as ``1/(m - 1)``: as printed it would be the share 1/m less 1,
    which is negative.

    Parameters
    ----------
    X : array of float, shape (n, p)
    y : array of 0 and 1, shape (n,)

    Returns
    -------
    array of float64, shape (p,)
        0 or more; infinite where the groups differ and do not vary, not a number where nothing
        varies.

    Raises
    ------
    InputError
        See :func:`two_groups`.

    References
    ----------
    Chen and Lin 2006, Combining SVMs with various feature selection strategies,
    doi 10.1007/978-3-540-35488-8_13; Liu 2022, equation 20.
    """
    X, y = two_groups(X, y)
    one, other = X[y], X[~y]
    whole = X.mean(axis=0)
    between = (one.mean(axis=0) - whole) ** 2 + (other.mean(axis=0) - whole) ** 2
    within = one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)
    # rounding leaves a trace of variance in a constant column
    still = np.ptp(X, axis=0) == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(still, np.nan, between / within)


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Correlation of two vectors (equation 17); not a number where one does not vary."""
    x, y = _vectors(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    a, b = x - x.mean(), y - y.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def euclidean(x: np.ndarray, y: np.ndarray) -> float:
    """Euclidean distance of two vectors (equation 18)."""
    x, y = _vectors(x, y)
    return float(np.sqrt(((x - y) ** 2).sum()))


def maximum_distance(x: np.ndarray, others: np.ndarray) -> float:
    """The largest of the M distances from `x` to the rows of `others` (M, N).

    Equation 19 prints ``max MD_i = ED_i``, which takes no maximum; the name asks for one.
    """
    others = np.asarray(others)
    if others.ndim != 2 or not len(others):
        raise InputError(
            Problem(f"others has shape {others.shape}", "Give one row or more to compare with.")
        )
    return max(euclidean(x, row) for row in others)


def _vectors(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(v, dtype=np.float64) for v in (x, y))
    problems = []
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        problems.append(
            Problem(f"vectors of shapes {x.shape} and {y.shape}", "Give two of one length.")
        )
    elif not (np.isfinite(x).all() and np.isfinite(y).all()):
        problems.append(Problem("vectors: missing or infinite values", "Fill or drop them."))
    if problems:
        raise InputError(problems)
    return x, y


def binomial_tail(n: np.ndarray, N: np.ndarray, q: float, *, printed: bool = False) -> np.ndarray:
    """Probability of `n` or more of `N` where each comes with probability `q` (equation 22).

    Parameters
    ----------
    n, N : arrays of int, shape (k,)
        How often a tag was seen in one group, and in both; 0 <= n <= N.
    q : float
        Share of that group in all tags seen (equation 21), 0 to 1.
    printed : bool
        The formula as printed, whose denominator is ``m!(N - m)`` where the factorial of N - m is
        needed. It divides by zero at m = N and is no probability; for N up to 170.

    Returns
    -------
    array of float64, shape (k,)

    Raises
    ------
    InputError
        Counts or a share out of range.

    References
    ----------
    Liu 2022, equations 21 and 22.
    """
    n, N = np.broadcast_arrays(np.asarray(n), np.asarray(N))
    problems = []
    if not 0 <= q <= 1:
        problems.append(Problem(f"q is {q}", "Give a share from 0 to 1."))
    if (n < 0).any() or (n > N).any():
        problems.append(Problem("n below 0 or above N", "n counts some of the N."))
    if printed and N.size and N.max() > 170:
        problems.append(Problem("N above 170", "The factorial overflows; leave printed out."))
    if problems:
        raise InputError(problems)
    if printed:
        pairs = zip(n.flat, N.flat, strict=True)
        return np.array([_as_printed(int(a), int(b), q) for a, b in pairs])
    from scipy.stats import binom

    return binom.sf(n - 1, N, q)


def _as_printed(n: int, N: int, q: float) -> float:
    from math import factorial

    total = 0.0
    for m in range(n, N + 1):
        if m == N:
            return float("inf")
        total += factorial(N) / (factorial(m) * (N - m)) * q**m * (1 - q) ** (N - m)
    return total


def turnover_score(p_one: np.ndarray, p_other: np.ndarray) -> np.ndarray:
    """The smaller of both groups' tail probabilities (equation 23): small where a tag is typical.

    The paper calls it a turnover; it is the p value of the group in which the tag is over-seen.
    """
    return np.minimum(p_one, p_other)


def tag_scores(counts: pd.DataFrame) -> pd.DataFrame:
    """What equations 21 to 23 say of each tag.

    Parameters
    ----------
    counts : pandas.DataFrame
        Index the tag; columns ``one`` and ``other``: in how many users of group 1 and 0 it stands.

    Returns
    -------
    pandas.DataFrame
        The rows of `counts` with ``users`` (both groups), ``p_one``, ``p_other`` and ``score``
        (:func:`turnover_score`), the most typical tag first, then by name.

    Raises
    ------
    InputError
        When no tag was seen.
    """
    one, other = counts["one"].to_numpy(), counts["other"].to_numpy()
    seen = one.sum() + other.sum()
    if not seen:
        raise InputError(Problem("no tag was seen in either group", "Give users with tags."))
    q = one.sum() / seen
    both = one + other
    p_one, p_other = binomial_tail(one, both, q), binomial_tail(other, both, 1 - q)
    out = counts.assign(
        users=both, p_one=p_one, p_other=p_other, score=turnover_score(p_one, p_other)
    )
    name = out.index.name or "tag"
    out = out.rename_axis(name).reset_index().sort_values(["score", name], kind="stable")
    return out.set_index(name)


def kept_tags(scores: pd.DataFrame, *, share: float = 0.05) -> pd.Index:
    """Tags whose score is believed although many were tried (Benjamini and Hochberg).

    Both tails of each tag are tried, so a score counts twice.

    Parameters
    ----------
    scores : pandas.DataFrame
        See :func:`tag_scores`.
    share : float
        Of the kept tags, about how many may be typical by luck, 0 to 1.

    References
    ----------
    Benjamini and Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    from scipy.stats import false_discovery_control

    p = np.minimum(2 * scores["score"].to_numpy(), 1.0)
    return scores.index[false_discovery_control(p) <= share]
