"""What a profile table gives away: k-anonymity, l-diversity, and what each column reveals.

Names and ids are gone from these tables. Who knows some facts about a person (sex, age, country,
when they joined) can still look for the one row that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem

FACTS = (
    "gender", "age", "country", "level", "login_platform", "has_avatar", "referrer",
    "signup_provider", "tenure_days",
)  # fmt: skip
"""Columns of a profile that somebody outside could know of a person."""

LEVELS_OF_K = (2, 5, 10)
"""Sizes of groups that the tables report."""


@dataclass(frozen=True)
class Anonymity:
    """How well rows hide among those that look the same in some columns.

    Attributes
    ----------
    columns : tuple of str
    rows : int
    groups : int
        Different combinations of values.
    smallest : int
        k of the table: the fewest rows that share a combination; 0 without rows.
    below : dict
        Share of the rows whose combination fewer than k rows have, 0 to 1, for each k asked for.
    diversity : int
        l: the fewest different sensitive values within a combination; 0 where none was given.
    told : float
        Share of the rows whose combination has one sensitive value only, among combinations of two
        rows or more and single rows alike: who finds the row's group knows the value. nan without.
    """

    columns: tuple[str, ...]
    rows: int
    groups: int
    smallest: int
    below: dict[int, float]
    diversity: int
    told: float


def anonymity(
    table: pd.DataFrame,
    columns: Sequence[str],
    *,
    sensitive: pd.Series | None = None,
    levels: Sequence[int] = LEVELS_OF_K,
) -> Anonymity:
    """k-anonymity and distinct l-diversity of `table` for who knows `columns`.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a person. A missing value is a value of its own.
    columns : sequence of str
        What is known of a person. With none of them, all rows look the same.
    sensitive : pandas.Series, optional
        What nobody should learn, in the table's order.
    levels : sequence of int
        The k of ``below``.

    Raises
    ------
    InputError
        Columns that the table lacks, all at once; a sensitive column of another length.

    References
    ----------
    Sweeney 2002, k-anonymity, doi 10.1142/S0218488502001648; Machanavajjhala et al. 2007,
    l-diversity, doi 10.1145/1217299.1217302.
    """
    _check(table, columns, sensitive)
    code = group_codes(table, columns)
    size = np.bincount(code) if len(code) else np.zeros(0, int)
    mine = size[code]
    below = {k: float(np.mean(mine < k)) if len(code) else np.nan for k in levels}
    diversity, told = 0, np.nan
    if sensitive is not None and len(code):
        values = pd.factorize(sensitive.astype(object), use_na_sentinel=False)[0]
        pairs = np.unique(np.column_stack([code, values]), axis=0)
        kinds = np.bincount(pairs[:, 0], minlength=len(size))
        diversity, told = int(kinds.min()), float(np.mean(kinds[code] == 1))
    smallest = int(size.min()) if len(size) else 0
    return Anonymity(tuple(columns), len(code), len(size), smallest, below, diversity, told)


def group_codes(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """(n,) int64 from 0: rows with the same values in all `columns` share a number."""
    return combined([column_codes(table[c]) for c in columns], len(table))


def column_codes(values: pd.Series) -> np.ndarray:
    """(n,) int64 from 0: rows with the same value share a number; missing is a value too."""
    return pd.factorize(values.astype(object), use_na_sentinel=False)[0].astype(np.int64)


def combined(codes: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """(rows,) int64 from 0: rows with the same numbers in all of `codes` share one."""
    code, kinds = np.zeros(rows, dtype=np.int64), 1
    for one in codes:
        width = int(one.max()) + 1 if rows else 1
        if kinds * width >= 2**62:
            found, code = np.unique(code, return_inverse=True)
            kinds = len(found)
        code, kinds = code * width + one, kinds * width
    return np.unique(code, return_inverse=True)[1].reshape(-1)


def _check(table: pd.DataFrame, columns: Sequence[str], sensitive: pd.Series | None = None) -> None:
    problems = [
        Problem(f"{c}: the table has no such column", f"It has {', '.join(map(str, table))[:300]}.")
        for c in columns
        if c not in table
    ]
    if sensitive is not None and len(sensitive) != len(table):
        what = f"sensitive: {len(sensitive):,} values for {len(table):,} rows"
        problems.append(Problem(what, "Give one value a row."))
    if problems:
        raise InputError(problems)


def by_subset(table: pd.DataFrame, columns: Sequence[str], *, most: int = 3) -> pd.DataFrame:
    """Every choice of up to `most` of `columns`, the most telling first.

    Returns
    -------
    pandas.DataFrame
        ``columns`` (names with commas), ``known`` (how many), ``groups``, ``smallest``,
        ``alone`` (share of rows that are the only one of their kind), ``below_5``.
    """
    _check(table, columns)
    rows = []
    for known in range(1, min(most, len(columns)) + 1):
        for chosen in combinations(columns, known):
            found = anonymity(table, chosen)
            rows.append((", ".join(chosen), known, found.groups, found.smallest,
                         found.below[2], found.below[5]))  # fmt: skip
    names = ["columns", "known", "groups", "smallest", "alone", "below_5"]
    made = pd.DataFrame(rows, columns=names)
    return made.sort_values(["alone", "below_5", "columns"], ascending=[False, False, True],
                            ignore_index=True)  # fmt: skip


def reveals(
    table: pd.DataFrame,
    columns: Sequence[str],
    sensitive: pd.Series,
    *,
    draws: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """What each column gives away by itself, and beside all the others.

    Parameters
    ----------
    table, columns, sensitive
        As in :func:`anonymity`.
    draws : int
        Orders of the sensitive values for the level of chance.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``column``, ``values`` (different ones), ``bits`` (entropy: log2 of how many times smaller
        the crowd becomes, on average), ``adds`` (bits beyond all the other columns), ``alone``
        (share of rows with a value that no other has), ``tells`` (share of the sensitive value's
        entropy that the column removes, 0 to 1), ``chance`` (what 95 % of columns of the same
        counts remove by luck). The most bits first.
    """
    _check(table, columns, sensitive)
    secret = pd.factorize(sensitive.astype(object), use_na_sentinel=False)[0]
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(secret) for _ in range(draws)]
    whole = entropy(group_codes(table, columns))
    total = entropy(secret)
    rows = []
    for column in columns:
        code = group_codes(table, [column])
        others = entropy(group_codes(table, [c for c in columns if c != column]))
        bits = entropy(code)
        by_luck = [_removed(code, bits, order, total) for order in orders]
        rows.append((
            column, int(code.max()) + 1 if len(code) else 0, bits, whole - others,
            anonymity(table, [column]).below[2], _removed(code, bits, secret, total),
            float(np.quantile(by_luck, 0.95)) if by_luck else np.nan,
        ))  # fmt: skip
    names = ["column", "values", "bits", "adds", "alone", "tells", "chance"]
    return pd.DataFrame(rows, columns=names).sort_values("bits", ascending=False, ignore_index=True)


def entropy(code: np.ndarray) -> float:
    """Bits of the shares of each number in `code`, (n,) int from 0; 0 for nothing."""
    if not len(code):
        return 0.0
    share = np.bincount(code) / len(code)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0


def _removed(code: np.ndarray, bits: float, secret: np.ndarray, total: float) -> float:
    """Share of the secret's entropy that `code` removes: I(code; secret) / H(secret)."""
    if total <= 0:
        return 0.0
    both = entropy(code * (secret.max() + 1) + secret)
    return max(0.0, (bits + total - both) / total)


def facts_known(
    table: pd.DataFrame,
    columns: Sequence[str],
    *,
    most: int = 6,
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """How fast rows become the only one of their kind as more columns are known.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : sequence of str
        Each draw puts them into an order of its own and learns them one after the other.
    most : int
        Columns known, from 1 to this or all.
    draws, seed : int

    Returns
    -------
    pandas.DataFrame
        ``known``, ``alone`` (mean share of single rows over the draws), ``low``, ``high`` (a tenth
        of the draws lies below, a tenth above).

    References
    ----------
    The idea is unicity: de Montjoye et al. 2013, Unique in the crowd, doi 10.1038/srep01376.
    """
    _check(table, columns)
    most = min(most, len(columns))
    codes = [column_codes(table[c]) for c in columns]
    rng = np.random.default_rng(seed)
    alone = np.zeros((draws, most))
    for draw in alone:
        code = np.zeros(len(table), dtype=np.int64)
        for known, column in enumerate(rng.permutation(len(columns))[:most]):
            code = combined([code, codes[column]], len(table))
            draw[known] = np.mean(np.bincount(code)[code] == 1) if len(code) else np.nan
    low, high = np.quantile(alone, [0.1, 0.9], axis=0) if most else (alone[0], alone[0])
    return pd.DataFrame(
        {"known": range(1, most + 1), "alone": alone.mean(axis=0), "low": low, "high": high}
    )


def facts(profile: pd.DataFrame, columns: Sequence[str] = FACTS) -> list[str]:
    """Those of `columns` in which the people of `profile` differ."""
    there = [c for c in columns if c in profile]
    return [c for c in there if profile[c].astype(object).nunique(dropna=False) > 1]


def money_bands(spent: pd.Series) -> pd.Series:
    """Spending that is nobody's business: nothing, or the third of the buyers that it lies in."""
    rank = spent[spent > 0].rank(pct=True, method="average")
    third = np.ceil(rank * 3).clip(1, 3).map({1: "lower third", 2: "middle", 3: "upper third"})
    return third.reindex(spent.index).fillna("nothing").rename("spending")
