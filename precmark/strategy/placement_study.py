"""Whether a planned budget keeps what it promises: on the later log, and where truth is planted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from precmark.metrics.resampling import percentiles, user_weights
from precmark.strategy.placement import Market, Plan, allocate, equal, proportional
from precmark.strategy.response import CELL, shrunk

FIRST = "linear programme"
"""The plan that the others are compared with."""

SPREADS = (0.0, 0.25, 0.5, 1.0)
"""Standard deviations of a cell's true rate about that of its segment, as shares of it."""


def plans(market: Market, rate: np.ndarray, budget: float) -> list[Plan]:
    """The best plan at `rate`, equal money and proportional money, for the same `budget`."""
    return [
        allocate(market, rate, budget, name=FIRST),
        equal(market, budget),
        proportional(market, budget),
    ]


def expected(made: Sequence[Plan], rate: np.ndarray, draws: np.ndarray) -> pd.DataFrame:
    """Expected buyers of each plan, and of the first less each other.

    Parameters
    ----------
    made : sequence of Plan
    rate : array of float, shape (cells,)
    draws : array of float, shape (cells, draws)
        Rates that may be true; all plans meet the same.

    Returns
    -------
    pandas.DataFrame
        ``plan``, ``buyers``, ``low``, ``high`` (95 % over draws); ``gain`` (the first plan less
        this one, buyers), ``gain_low``, ``gain_high``.
    """
    first = made[0]
    rows = []
    for plan in made:
        low, high = percentiles(plan.buyers(draws))
        gain_low, gain_high = percentiles(first.buyers(draws) - plan.buyers(draws))
        rows.append(
            {
                "plan": plan.name, "buyers": float(plan.buyers(rate)), "low": float(low),
                "high": float(high), "gain": float(first.buyers(rate) - plan.buyers(rate)),
                "gain_low": float(gain_low), "gain_high": float(gain_high),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def later_rates(
    cells: pd.DataFrame, visits: pd.DataFrame, *, draws: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The rate of every cell in later `visits`, as it is and drawn again by users.

    A cell without a later visit has the later rate of its segment, or of all visits.

    Returns
    -------
    rate : array of float, shape (cells,)
    draws : array of float, shape (cells, draws)
        Whole users are drawn with replacement.
    """
    keys = pd.MultiIndex.from_frame(cells[CELL])
    at = keys.get_indexer(pd.MultiIndex.from_frame(visits[CELL]))
    known = visits[at >= 0]
    at = at[at >= 0]
    segments, of_cell = np.unique(cells["segment"].to_numpy(dtype=str), return_inverse=True)
    user = np.unique(known["user_code"], return_inverse=True)[1]
    bought = known["bought"].to_numpy(dtype=float)
    rates = []
    drawn = user_weights(user.max() + 1, draws, seed, round_size=1)
    for weights in (np.ones((user.max() + 1, 1)), *drawn):
        weight = weights[user, 0]
        n = np.bincount(at, weight, len(cells))
        k = np.bincount(at, weight * bought, len(cells))
        n_segment = np.bincount(of_cell, n, len(segments))
        k_segment = np.bincount(of_cell, k, len(segments))
        stand_in = np.where(n_segment > 0, k_segment / np.maximum(n_segment, 1), k.sum() / n.sum())
        rates.append(np.where(n > 0, k / np.maximum(n, 1e-12), stand_in[of_cell]))
    return rates[0], np.stack(rates[1:], axis=1)


def planted(
    market: Market,
    prior: np.ndarray,
    budget: float,
    *,
    spreads: Sequence[float] = SPREADS,
    replications: int = 40,
    seed: int = 0,
) -> pd.DataFrame:
    """What plans promise and bring where the true rates are known, by how far the cells differ.

    Each replication draws every cell's true rate about that of its segment, then a log of the
    market's own contacts, plans by that log alone, and counts the buyers by the true rates.

    Parameters
    ----------
    market : Market
    prior : array of float, shape (cells,)
        Mean of each cell's true rate.
    budget : float
    spreads : sequence of float
        See :data:`SPREADS`; 0 or more.
    replications, seed : int

    Returns
    -------
    pandas.DataFrame
        A row a spread, replication and plan: ``spread``, ``replication``, ``plan`` ("raw rates",
        "shrunken rates", "equal", "proportional", "the truth"), ``promised`` (missing where no rate
        is looked at), ``delivered`` (expected buyers by the true rates).
    """
    rng = np.random.default_rng(seed)
    contacts = market.cells["contacts"].to_numpy()
    blind = [equal(market, budget), proportional(market, budget)]
    rows = []
    for spread in spreads:
        for replication in range(1, replications + 1):
            truth = _rates(rng, prior, spread)
            buyers = rng.binomial(contacts, truth)
            estimated = shrunk(market.cells.assign(buyers=buyers), draws=1).cells.rate.to_numpy()
            told = {
                "raw rates": buyers / contacts, "shrunken rates": estimated, "the truth": truth,
            }  # fmt: skip
            made = [allocate(market, rate, budget, name=name) for name, rate in told.items()]
            for plan in (*made, *blind):
                promised = plan.buyers(told[plan.name]) if plan.name in told else np.nan
                rows.append((spread, replication, plan.name, promised, plan.buyers(truth)))
    return pd.DataFrame(rows, columns=["spread", "replication", "plan", "promised", "delivered"])


def _rates(rng: np.random.Generator, prior: np.ndarray, spread: float) -> np.ndarray:
    """True rates with mean `prior` and standard deviation `spread` of it (beta distributed)."""
    if spread == 0:
        return prior
    # the variance of a beta is mu (1 - mu) / (m + 1); a wider spread than it allows is cut
    m = np.maximum((1 - prior) / (prior * spread**2) - 1, 0.05)
    return rng.beta(m * prior, m * (1 - prior))


def against_truth(study: pd.DataFrame) -> pd.DataFrame:
    """The planted study by spread and plan.

    Columns: ``spread``, ``plan``, ``delivered`` (mean share of what the plan that knows the truth
    brings), ``low``, ``high`` (95 % of the mean over replications), ``promised`` (mean share of its
    own delivery that a plan promises; missing where it promises nothing).
    """
    wide = study.pivot(index=["spread", "replication"], columns="plan", values="delivered")
    best = wide["the truth"].rename("best").reset_index()
    joined = study.merge(best, on=["spread", "replication"])
    joined["share"] = joined.delivered / joined.best
    joined["kept"] = joined.promised / joined.delivered
    by = joined.groupby(["spread", "plan"], sort=False)
    found = by.agg(delivered=("share", "mean"), sd=("share", "std"), n=("share", "size"),
                   promised=("kept", "mean")).reset_index()  # fmt: skip
    half = 1.96 * found.sd.fillna(0) / np.sqrt(found.n)
    found["low"], found["high"] = found.delivered - half, found.delivered + half
    return found[["spread", "plan", "delivered", "low", "high", "promised"]]
