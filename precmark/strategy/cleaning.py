"""Rows that stand twice, amounts that cannot be, and what is missing (You, section 4.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError

if TYPE_CHECKING:
    from precmark.strategy.sources import Sheets

OUTLIER_RULES = {
    "sd": "mean and standard deviation, 3",
    "box": "quartiles, 1.5 box lengths",
    "mad log": "median and MAD of logarithms, 3.5",
}
"""Rules for outliers, in words."""

OLDEST = 100
"""Years: who would be older was typed in wrongly."""


def repeated_rows(records: pd.DataFrame) -> pd.Series:
    """Whether each row repeats an earlier one of its sheet in all but its number: bool."""
    return records.drop(columns="record").duplicated()


def impossible_years(birth_year: pd.Series, year: int) -> pd.Series:
    """Whether each year of birth (text or numbers) cannot be: not a number, in the future, or too
    far back."""
    number = pd.to_numeric(birth_year, errors="coerce")
    bad = number.isna() | (number > year) | (number < year - OLDEST)
    return bad & birth_year.notna()


def outliers(values: np.ndarray, rule: str) -> np.ndarray:
    """Whether each value stands apart, by `rule`; missing values do not.

    Parameters
    ----------
    values : array of float, (n,)
        Of one sign for ``"mad log"``, which takes logarithms of what is above 0.
    rule : str
        ``"sd"``: more than 3 standard deviations from the mean. ``"box"``: beyond 1.5 times the
        distance of the quartiles, outside them. ``"mad log"``: 0.6745 times the distance of the
        logarithm from the median of logarithms, divided by the median of these distances,
        above 3.5.

    Raises
    ------
    InputError
        For an unknown rule.

    References
    ----------
    Iglewicz and Hoaglin, How to detect and handle outliers, 1993; Tukey, Exploratory data
    analysis, 1977.
    """
    if rule not in OUTLIER_RULES:
        raise InputError(f"outlier rule {rule!r}: one of {', '.join(OUTLIER_RULES)}.")
    values = np.asarray(values, dtype=float)
    known = np.isfinite(values)
    if rule == "mad log":
        known &= values > 0
    x = values[known]
    flag = np.zeros(len(values), dtype=bool)
    if len(x) < 3:
        return flag
    if rule == "sd":
        flag[known] = np.abs(x - x.mean()) > 3 * x.std()
    elif rule == "box":
        low, high = np.quantile(x, [0.25, 0.75])
        reach = 1.5 * (high - low)
        flag[known] = (x < low - reach) | (x > high + reach)
    else:
        logs = np.log(x)
        apart = np.abs(logs - np.median(logs))
        typical = np.median(apart)
        flag[known] = 0.6745 * apart > 3.5 * typical if typical > 0 else apart > 0
    return flag


def outlier_table(written: pd.Series, slip: pd.Series) -> pd.DataFrame:
    """Each rule against the amounts that were misplaced on purpose.

    Parameters
    ----------
    written : pandas.Series
        Money as the sheet has it.
    slip : pandas.Series of bool
        Which amounts are wrong by two places.

    Returns
    -------
    pandas.DataFrame
        ``rule``, ``title``, ``flagged``, ``slips`` (there are), ``found`` (of these),
        ``precision``, ``recall`` (not a number where nothing was flagged, or
        misplaced), with their 95 % Wilson intervals ``precision_low`` and so on.
    """
    from precmark.segments.compare import wilson

    rows = []
    slip = slip.to_numpy(bool)
    for rule, title in OUTLIER_RULES.items():
        flag = outliers(written.to_numpy(), rule)
        found = int((flag & slip).sum())
        row = {"rule": rule, "title": title, "flagged": int(flag.sum()),
               "slips": int(slip.sum()), "found": found}  # fmt: skip
        for name, count in (("precision", flag.sum()), ("recall", slip.sum())):
            row |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
            if count:
                low, high = wilson(np.array([found]), np.array([count]))
                row |= {name: found / count, f"{name}_low": low[0], f"{name}_high": high[0]}
        rows.append(row)
    return pd.DataFrame(rows)


def without_outliers(written: pd.Series, *, rule: str = "mad log") -> pd.Series:
    """`written` with what `rule` flags made missing: a wrong amount is worse than none."""
    return written.mask(outliers(written.to_numpy(), rule))


def steps_table(records: pd.DataFrame, *, year: int) -> pd.DataFrame:
    """What cleaning does to stacked sheets: ``step``, ``sheet``, ``rows`` touched, ``done``."""
    from precmark.strategy.sources import SOURCES, TITLES

    rows = []
    for source in SOURCES:
        mine = records[records.source == source]
        money = mine.orders > 0
        gone = int(mine.loc[money, "spend"].isna().sum())
        odd = int(outliers(mine.spend.to_numpy(), "mad log").sum())
        for step, count, done in (
            ("row stands twice", int(repeated_rows(mine).sum()), "one is kept"),
            ("impossible year of birth", int(impossible_years(mine.birth_year, year).sum()),
             "made missing"),
            ("amount stands apart", odd, "made missing"),
            ("amount missing", gone, "left missing, never filled with a mean"),
        ):  # fmt: skip
            rows.append((step, TITLES[source], count, done))
    table = pd.DataFrame(rows, columns=["step", "sheet", "rows", "done"])
    return table[table.rows > 0].reset_index(drop=True)


def cleaned(sheets: Sheets, *, year: int) -> Sheets:
    """`sheets` without exact repeats, impossible years of birth and amounts that stand apart.

    Records and truth keep the same rows. Rows entered twice in different words stay: the matching
    joins them, and then one customer is left.
    """
    kept = ~repeated_rows(sheets.records).to_numpy()
    records = sheets.records[kept].reset_index(drop=True)
    bad = impossible_years(records.birth_year, year)
    records = records.assign(
        birth_year=records.birth_year.mask(bad), spend=without_outliers(records.spend)
    )
    return replace(sheets, records=records, truth=sheets.truth[kept].reset_index(drop=True))
