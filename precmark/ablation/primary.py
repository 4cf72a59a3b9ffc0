"""The comparisons stated before running, with intervals that hold for all of them at once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem

COMPARISONS = (("4", "1"), ("4", "2"), ("4", "3"), ("5", "4"))
"""First less second policy, in each world (design section 5)."""

SMALLEST = 0.5
"""Smallest effect of interest, yuan of profit per 1,000 sessions."""

LEVEL = 0.95
"""Share of futures in which all intervals hold at once."""

_DRAW = ("store", "training_seed", "replication")
_MEASURES = ("profit_30", "c1_n", "c2_all_n")


def primary_comparisons(
    replicated: pd.DataFrame, *, measure: str = "profit_30", smallest: float = SMALLEST
) -> pd.DataFrame:
    """Differences between policies in each world, with simultaneous intervals over all of them.

    Parameters
    ----------
    replicated : pandas.DataFrame
        Rows of :func:`precmark.ablation.replicate` of one budget for the policies "1" to "5", all
        worlds, each draw holding every policy; ``store`` and ``training_seed`` tell draws apart
        where there are several.
    measure : str
        A column in yuan, e.g. ``"profit_30"``, read per 1,000 sessions.
    smallest : float
        Smallest effect of interest, yuan per 1,000 sessions, 0 or more.

    Returns
    -------
    pandas.DataFrame
        A row a world and comparison: ``world``; ``comparison`` ("4-1": first less second);
        ``difference`` (mean over the draws, yuan per 1,000 sessions); ``low``, ``high`` (in 95 % of
        the futures all differences lie inside at once); ``favours`` ("first", "second",
        "neither"); ``matters`` ("larger": beyond the smallest effect of interest, "smaller": within
        it, "open"); ``critical`` (the factor on the standard deviation, one for all).

    Raises
    ------
    InputError
        Columns or policies that are missing, more than one budget, fewer than 20 draws.

    Notes
    -----
    The interval is ``difference ± critical x standard deviation`` over the draws; ``critical``
    is the 95 % quantile of the largest ``|difference of a draw - mean| / standard deviation`` over
    all comparisons (the largest absolute t), so that their dependence counts.

    References
    ----------
    Westfall and Young 1993, Resampling-Based Multiple Testing; Hothorn, Bretz and Westfall 2008,
    Simultaneous inference in general parametric models, doi 10.1002/bimj.200810425.
    """
    _check(replicated, measure)
    drawn = _differences(replicated, measure)
    mean, spread = drawn.mean().to_numpy(), drawn.std().to_numpy()
    critical = max_t(drawn.to_numpy())
    low, high = mean - critical * spread, mean + critical * spread
    return pd.DataFrame(
        {
            "world": drawn.columns.get_level_values(0),
            "comparison": drawn.columns.get_level_values(1),
            "difference": mean,
            "low": low,
            "high": high,
            "favours": np.select([low > 0, high < 0], ["first", "second"], "neither"),
            "matters": np.select(
                [(low > smallest) | (high < -smallest), (low >= -smallest) & (high <= smallest)],
                ["larger", "smaller"],
                "open",
            ),
            "critical": critical,
        }
    )


def max_t(draws: np.ndarray, level: float = LEVEL) -> float:
    """The factor on the standard deviation within which all columns of `draws` lie at once.

    Parameters
    ----------
    draws : array, shape (draws, comparisons)
    level : float
        Share of the draws in which all do, 0 to 1.
    """
    away = np.abs(draws - draws.mean(axis=0))
    spread = draws.std(axis=0, ddof=1)
    t = np.divide(away, spread, out=np.zeros_like(away), where=spread > 0)
    return float(np.quantile(t.max(axis=1), level))


def _differences(replicated: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Difference per 1,000 sessions of each draw (rows) by world and comparison (columns)."""
    draw = [c for c in _DRAW if c in replicated]
    sessions = replicated["c1_n"] + replicated["c2_all_n"]
    value = replicated.assign(value=1_000 * replicated[measure] / sessions)
    wide = value.pivot(index=draw, columns=["world", "policy"], values="value")
    worlds = list(dict.fromkeys(replicated["world"]))
    return pd.DataFrame(
        {
            (world, f"{first}-{second}"): wide[(world, first)] - wide[(world, second)]
            for world in worlds
            for first, second in COMPARISONS
        }
    )


def _check(replicated: pd.DataFrame, measure: str) -> None:
    needed = {"world", "policy", "replication", measure, *_MEASURES[1:]}
    missing = sorted(needed - set(replicated))
    if missing:
        raise InputError(
            [
                Problem(f"replicated: no column {c}", "Give what replicate() returns.")
                for c in missing
            ]
        )
    problems = []
    if "budget" in replicated and replicated["budget"].nunique() > 1:
        problems.append(Problem("replicated: several budgets", "Choose the rows of one budget."))
    policies = sorted({p for pair in COMPARISONS for p in pair})
    for world, rows in replicated.groupby("world", sort=False):
        absent = [p for p in policies if p not in set(rows["policy"])]
        if absent:
            what = f"replicated: world {world} lacks policy {', '.join(absent)}"
            problems.append(Problem(what, "Replicate options 1 to 5 in each world."))
    draws = len(replicated[[c for c in _DRAW if c in replicated]].drop_duplicates())
    if draws < 20:
        problems.append(Problem(f"replicated: {draws} draws", "Draw at least 20, best 200."))
    if problems:
        raise InputError(problems)
