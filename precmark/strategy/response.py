"""How visits respond by channel, time slot and kind of visitor, and how sure that is (chapter 14).

A cell of a log holds few buyers, and the best of many cells is partly the luckiest. Each cell's
rate is therefore drawn to that of its kind of visitor, the more so the less the cells differ beyond
luck (empirical Bayes, beta-binomial).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.metrics.resampling import percentiles

if TYPE_CHECKING:
    from precmark.runs import Run

SEGMENTS = ("first visit", "came before", "bought before")
"""Kinds of visitor: what is known of them when the visit begins."""

SLOTS = ("0-6 h", "6-12 h", "12-18 h", "18-24 h")
"""Local hours of a visit's start."""

CELL = ["channel", "slot", "segment"]
"""The columns that name a cell."""

MOST_CONCENTRATION = 1e6
"""Where the likelihood still rises here, the cells differ no more than luck makes them."""

LEAST_BUYERS = 30
"""Fewer in the log leave no rate to plan with, or none to judge by."""

_LEAST_CHANNEL = 0.01


def placed_visits(run: Run) -> pd.DataFrame:
    """Every visit to the shop with the cell that it belongs to, in time order.

    Parameters
    ----------
    run : Run
        With ``sessions/sessions``; ``contract/users`` names the channel where there is one.

    Returns
    -------
    pandas.DataFrame
        One row a visit: ``user_code``; ``start`` (UTC); ``channel`` (who sent the user, else the
        user's platform, else "all"; those with under 1 % of the visits are "other"); ``slot``
        (:data:`SLOTS`); ``segment`` (:data:`SEGMENTS`, from the visits before this one alone);
        ``bought`` (0 or 1).
    """
    columns = ["user_code", "start", "purchased", "kind"]
    visits = run.table("sessions/sessions", columns).sort_values(["start", "user_code"])
    visits = visits.reset_index(drop=True)
    before = visits.groupby("user_code").cumcount()
    bought = visits.purchased.astype(int)
    bought_before = bought.groupby(visits.user_code).cumsum() - bought
    segment = np.select([bought_before > 0, before > 0], SEGMENTS[:0:-1], default=SEGMENTS[0])
    hour = visits.start.dt.tz_convert(run.source.timezone).dt.hour
    placed = pd.DataFrame(
        {
            "user_code": visits.user_code,
            "start": visits.start,
            "channel": _channels(run, visits.user_code),
            "slot": np.array(SLOTS)[hour // 6],
            "segment": segment,
            "bought": bought,
        }
    )
    return placed[visits.kind == "shop"].reset_index(drop=True)


def _channels(run: Run, codes: pd.Series) -> np.ndarray:
    """The channel of each visit's user."""
    users = run.table("contract/users") if run.has("contract/users") else pd.DataFrame()
    for name in ("referrer", "login_platform"):
        if name in users and users[name].nunique() > 1:
            found = users.set_index("user_code")[name].reindex(codes).fillna("unknown")
            share = found.map(found.value_counts(normalize=True))
            return found.where(share >= _LEAST_CHANNEL, "other").to_numpy(dtype=str)
    return np.full(len(codes), "all")


def cells_of(visits: pd.DataFrame) -> pd.DataFrame:
    """Contacts and buyers of every cell that occurs, sorted.

    Columns: ``channel``, ``slot``, ``segment``, ``contacts`` (visits), ``buyers``.
    """
    by = visits.groupby(CELL, observed=True).bought
    return by.agg(contacts="size", buyers="sum").reset_index()


def too_few(visits: pd.DataFrame) -> str:
    """Why no budget can be planned from `visits`, in words; empty where one can."""
    buyers = int(visits.bought.sum())
    if buyers >= LEAST_BUYERS:
        return ""
    return (
        f"only {buyers:,} visits buy, and {LEAST_BUYERS} are needed to plan a budget and judge it"
    )


def by_time(visits: pd.DataFrame, *, share: float = 0.6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first `share` of the visits in time, from which is learnt, and the rest.

    Visits of one instant stay together.
    """
    cut = visits.start.sort_values(ignore_index=True).iloc[int(share * (len(visits) - 1))]
    early = visits.start <= cut
    return visits[early], visits[~early]


@dataclass(frozen=True)
class Response:
    """The rate of every cell, and what else it may be.

    Attributes
    ----------
    cells : pandas.DataFrame
        The cells with ``raw`` (buyers a contact), ``prior`` (the rate of the cell's kind of
        visitor), ``rate`` (drawn to it), ``low``, ``high`` (95 %).
    draws : numpy.ndarray
        (cells, draws): rates that agree with the log.
    concentration : float
        Contacts that the prior weighs (the likeliest number); the larger, the more alike the cells.
    alike : bool
        Whether the cells differ no more than luck makes them: the likelihood rises to the end.
    """

    cells: pd.DataFrame
    draws: np.ndarray
    concentration: float
    alike: bool


def log_likelihood(m: float, contacts: np.ndarray, buyers: np.ndarray, prior: np.ndarray) -> float:
    """How likely the counts are at concentration `m`, up to a constant of the counts.

    Parameters
    ----------
    m : float
        Above 0.
    contacts, buyers : array of int, shape (cells,)
    prior : array of float, shape (cells,)
        Mean of each cell's rate, in (0, 1).

    Notes
    -----
    Buyers are beta-binomial: k ~ BetaBin(n, m mu, m (1 - mu)).
    """
    from scipy.special import betaln

    a, b = m * prior, m * (1 - prior)
    return float(np.sum(betaln(a + buyers, b + contacts - buyers) - betaln(a, b)))


def shrunk(cells: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> Response:
    """The rates of `cells` drawn to those of their kinds of visitor.

    Parameters
    ----------
    cells : pandas.DataFrame
        ``segment``, ``contacts`` (1 or more), ``buyers`` (0 to contacts), and the other columns of
        a cell.
    draws : int
    seed : int

    Returns
    -------
    Response
        ``rate`` = (m mu + buyers) / (m + contacts) with mu the rate of the cell's kind of visitor
        (half a buyer added, so that none is 0) and m the concentration of the highest likelihood,
        1 to a million. The draws know neither: mu is drawn from its own counts and log m by its
        likelihood.

    Raises
    ------
    InputError
        No cell, a cell without contacts, more buyers than contacts.
    """
    contacts, buyers = cells["contacts"].to_numpy(), cells["buyers"].to_numpy()
    problems = [] if len(cells) else [Problem("cells: there is none", "Give a log with visits.")]
    for wrong, what, fix in (
        (contacts < 1, "contacts: below 1", "Leave cells without visits out."),
        ((buyers < 0) | (buyers > contacts), "buyers: not 0 to contacts", "Count visits that buy."),
    ):
        if wrong.any():
            rows = tuple(int(i) + 1 for i in np.flatnonzero(wrong)[:5])
            problems.append(Problem(what, fix, rows=int(wrong.sum()), first_rows=rows))
    if problems:
        raise InputError(problems)
    by = cells.groupby("segment")[["buyers", "contacts"]].transform("sum")
    prior = ((by.buyers + 0.5) / (by.contacts + 1)).to_numpy()
    rng = np.random.default_rng(seed)
    grid = np.exp(np.linspace(0, np.log(MOST_CONCENTRATION), 120))
    likely = np.array([log_likelihood(m, contacts, buyers, prior) for m in grid])
    m = float(grid[likely.argmax()])
    weight = np.exp(likely - likely.max())
    many = rng.choice(grid, draws, p=weight / weight.sum())
    group, at = np.unique(cells["segment"].to_numpy(dtype=str), return_inverse=True)
    first = [int(np.flatnonzero(at == g)[0]) for g in range(len(group))]
    k, n = by.buyers.to_numpy()[first], by.contacts.to_numpy()[first]
    mu = rng.beta(k[:, None] + 0.5, (n - k)[:, None] + 0.5, (len(group), draws))[at]
    drawn = rng.beta(many * mu + buyers[:, None], many * (1 - mu) + (contacts - buyers)[:, None])
    low, high = percentiles(drawn)
    rate = (m * prior + buyers) / (m + contacts)
    found = cells.assign(raw=buyers / contacts, prior=prior, rate=rate, low=low, high=high)
    return Response(found, drawn, m, m == grid[-1])
