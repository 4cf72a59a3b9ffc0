"""Campaigns of known effect planted in a run's own log: what each way of judging finds (ch. 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.simulate import uniform
from precmark.strategy.series import LEAST_AFTER, LEAST_BEFORE, interrupted

if TYPE_CHECKING:
    from precmark.runs import Run

WAYS = (
    "last against first month",
    "mean after against before",
    "interrupted series",
    "interrupted series with a season",
    "interrupted series with a control group",
)
"""Ways to judge a campaign, from the paper's to the one with a control group."""

WEEKS_A_YEAR = 365.25 / 7
WEEKS_A_MONTH = 365.25 / 12 / 7
LEAST_SALES, LEAST_USERS = 40, 20
"""Fewer visits with sales on either side, or fewer users, leave a half with hardly any."""

AFTER_SHARE = 0.4
"""Share of the log's weeks that the planted campaign lasts: about five months of a year."""


@dataclass(frozen=True)
class Weeks:
    """A log as sales by user and whole week.

    Attributes
    ----------
    start : pandas.DatetimeIndex
        Local midnight of each week's first day, shape (weeks,).
    user, week : numpy.ndarray
        User code and week of each visit with money, shape (visits,).
    money : numpy.ndarray
        Of the visit, net of what was taken back.
    at : int
        The week in which the campaign is planted.
    """

    start: pd.DatetimeIndex
    user: np.ndarray
    week: np.ndarray
    money: np.ndarray
    at: int

    def series(self, weight: np.ndarray) -> np.ndarray:
        """Money by week, each visit counted `weight` times; shape (weeks,)."""
        return np.bincount(self.week, weight * self.money, len(self.start))


def weeks_of(run: Run) -> Weeks:
    """The whole weeks of a run's log.

    Raises
    ------
    InputError
        A log too short for a campaign of :data:`AFTER_SHARE` of it.
    """
    column = "revenue" if "prices" in run.source.says else "purchases"
    visits = run.table("sessions/sessions", ["user_code", "start", column])
    day = visits.start.dt.tz_convert(run.source.timezone).dt.tz_localize(None).dt.normalize()
    origin = day.min() + pd.Timedelta(days=1)  # the first day may be cut
    week = ((day - origin).dt.days // 7).to_numpy()
    weeks = int((day.max() - origin).days // 7)
    money = visits[column].to_numpy(dtype=float)
    at = weeks - round(AFTER_SHARE * weeks)
    if at < LEAST_BEFORE + 2 or weeks - at < LEAST_AFTER:
        text = f"the log holds {weeks} whole weeks"
        raise InputError([Problem(text, "Twenty or more are needed to plant a campaign.")])
    kept = (week >= 0) & (week < weeks) & (money != 0)
    start = origin + pd.to_timedelta(7 * np.arange(weeks), unit="D")
    return Weeks(start, visits.user_code.to_numpy()[kept], week[kept], money[kept], at)


def too_few(run: Run) -> str:
    """Why no campaign can be planted in the log of `run`, in words; empty where one can."""
    try:
        weeks = weeks_of(run)
    except InputError as error:
        return str(error)
    before = weeks.week < weeks.at
    least = min(before.sum(), (~before).sum())
    if least < LEAST_SALES or len(np.unique(weeks.user)) < LEAST_USERS:
        return (
            f"the log holds {least:,} visits with sales on one side of the campaign's start, and "
            f"{len(np.unique(weeks.user)):,} users; {LEAST_SALES} and {LEAST_USERS} are needed."
        )
    return ""


def plant(
    weeks: Weeks, effect: float, replication: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Sales by week of a random half of the users, who got a campaign, and of the other half.

    Each visit of the campaign's half from its start on counts once more with probability `effect`,
    so that their sales rise by this share on average.

    Parameters
    ----------
    weeks : Weeks
    effect : float
        0 to 1.
    replication, seed : int
        Name the draws.

    Returns
    -------
    treated, control : array of float, shape (weeks,)
    """
    if not 0 <= effect <= 1:
        raise InputError([Problem(f"effect: {effect}", "Give a share from 0 to 1.")])
    code = weeks.user.astype(np.uint64)
    treated = uniform(seed, replication, code, "campaign") < 0.5
    visit = np.arange(len(code), dtype=np.uint64)
    more = (uniform(seed, replication, visit, "planted sale") < effect) & (weeks.week >= weeks.at)
    return weeks.series(treated * (1.0 + more)), weeks.series(~treated * 1.0)


def judged(treated: np.ndarray, control: np.ndarray, at: int) -> pd.DataFrame:
    """One planted campaign by every way of :data:`WAYS`.

    Returns
    -------
    pandas.DataFrame
        ``way``, ``effect`` (share of what would have been), ``low``, ``high`` (95 %; missing for
        the first way, which has none), ``says`` (it says that sales rose: the interval lies above
        0, or, for the first way, the last month is above the first).
    """
    month = round(WEEKS_A_MONTH)
    growth = treated[-month:].sum() / treated[at : at + month].sum() - 1
    rows = [(WAYS[0], growth, np.nan, np.nan)]
    fits = [
        interrupted(treated, at, trend=False, lags=0),
        interrupted(treated, at),
        interrupted(treated, at, period=WEEKS_A_YEAR),
        interrupted(treated, at, control=control, trend=False),
    ]
    rows += [
        (way, f.relative, f.relative_low, f.relative_high)
        for way, f in zip(WAYS[1:], fits, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["way", "effect", "low", "high"])
    return table.assign(says=np.where(table.low.isna(), table.effect > 0, table.low > 0))


def study(
    weeks: Weeks, *, effects: tuple[float, ...] = (0.0, 0.3), replications: int = 60, seed: int = 0
) -> pd.DataFrame:
    """Every way on campaigns of known `effects`, planted `replications` times each.

    Returns
    -------
    pandas.DataFrame
        A row an effect and way: ``planted``; ``way``; ``effect`` (median over replications),
        ``least``, ``most`` (the middle 80 % of them), ``says`` (share that says that sales rose:
        false alarms where nothing was planted), ``covers`` (share of the intervals that hold what
        was planted; missing for the first way), ``replications``.
    """
    rows = []
    for effect in effects:
        for replication in range(1, replications + 1):
            treated, control = plant(weeks, effect, replication, seed=seed)
            rows.append(judged(treated, control, weeks.at).assign(planted=effect))
    found = pd.concat(rows, ignore_index=True)
    holds = (found.low <= found.planted) & (found.high >= found.planted)
    found["holds"] = holds.astype(float).where(found.low.notna())
    by = found.groupby(["planted", "way"], sort=False)
    return by.agg(
        effect=("effect", "median"), least=("effect", lambda v: v.quantile(0.1)),
        most=("effect", lambda v: v.quantile(0.9)), says=("says", "mean"),
        covers=("holds", "mean"), replications=("says", "size"),
    ).reset_index()  # fmt: skip
