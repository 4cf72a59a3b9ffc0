"""Simulated outlets whose effects are known, with the averages that the paper's text prints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.claims import paper
from precmark.errors import InputError, Problem
from precmark.simulate.draws import stream

MONTHS = 24
LIST_PRICE = 6.0
"""Thousands of the currency; months and outlets lie around it."""

TYPES = ("street", "IT mall", "shopping mall", "other")
AREAS = ("North", "East", "South", "West", "elsewhere")
_AREA_SHARES = (0.18, 0.22, 0.20, 0.15, 0.25)
_MIDDLE_STARS, _FIVE_OF_HIGH = 0.14, 0.25
"""Ours: the text gives the share of one and two stars alone."""
_LOW_PROFILE = {1: 1.0, 2: 1.25, 3: 2.1}
"""Display of stores below four stars, relative to those with one."""
_TYPES_BY_STARS = {
    1: (0.50, 0.38, 0.03, 0.09), 2: (0.48, 0.40, 0.04, 0.08), 3: (0.35, 0.38, 0.20, 0.07),
    4: (0.22, 0.23, 0.50, 0.05), 5: (0.20, 0.20, 0.55, 0.05),
}  # fmt: skip


@dataclass(frozen=True)
class OutletWorld:
    """What is true in a simulated chain of outlets.

    Attributes
    ----------
    name, title : str
    display, price, marketing : float
        Units sold more in a month for one more unit on display, for a price higher by 1 (thousand)
        and for one more round of marketing.
    demand : float
        How far displays follow the month's own demand, which the analyst does not see; 0 for not.
    """

    name: str
    title: str
    display: float
    price: float
    marketing: float
    demand: float = 0.0

    @property
    def effects(self) -> dict[str, float]:
        """The true coefficients by column."""
        return {"display": self.display, "price": self.price, "marketing": self.marketing}


WORLDS = {
    world.name: world
    for world in (
        OutletWorld("display_sells", "display and marketing sell", 0.25, -0.10, 0.08),
        OutletWorld("display_idle", "neither sells anything", 0.0, -0.10, 0.0),
        OutletWorld("display_follows", "neither sells; displays follow demand", 0.0, -0.10, 0.0,
                    demand=0.6),
    )
}  # fmt: skip
"""The chains by name. In all of them outlets that sell more are given more to display."""

EFFECTS = ("display", "price", "marketing")


def outlets(
    world: str = "display_sells", *, stores: int | None = None, months: int = MONTHS, seed: int = 0
) -> pd.DataFrame:
    """A panel of outlets by month, drawn from a world of :data:`WORLDS`.

    Every outlet has its own level of sales, and more stars, more units on display and more
    marketing with it. Displays, prices and rounds of marketing also move by chance from month to
    month; that movement is what fixed effects read. Sales are Poisson counts around a mean that is
    linear in the columns, so that the true coefficients are exactly those of the world (but for the
    rare month in which the mean would fall below 0.01).

    Parameters
    ----------
    world : str
    stores : int, optional
        100 or more; by default as many as the paper names.
    months : int
        2 or more.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``outlet``, ``month`` (from 0), ``type``, ``area``, ``orientation`` ("retail", "industry"),
        ``stars`` (1-5), ``display`` (units), ``price`` (thousands), ``marketing`` (rounds),
        ``sales`` (units). Average display, display of high-star outlets, average sales and shares
        of stars are set to the text's; what it leaves open is ours.

    Raises
    ------
    InputError
        An unknown world, too few stores or months.
    """
    problems = []
    if world not in WORLDS:
        problems.append(Problem(f"world {world!r}: unknown", f"Use one of {', '.join(WORLDS)}."))
    stores = int(paper("company_h", "stores.stores")) if stores is None else stores
    if stores < 100 or months < 2:
        what = f"{stores} stores, {months} months"
        problems.append(Problem(what, "Give 100 stores or more and 2 months or more."))
    if problems:
        raise InputError(problems)
    truth = WORLDS[world]
    people = _stores(stores, stream(seed, "outlets"))
    rng = stream(seed, f"outlet months {world}")
    shape = (stores, months)
    level = people.pop("level").to_numpy()[:, None]
    shelf = people.pop("shelf").to_numpy()[:, None]
    rounds = rng.poisson(level / level.mean(), shape)
    price = LIST_PRICE + rng.normal(0, 0.2, months) + rng.normal(0, 0.3, shape)
    shock = rng.gamma(4.0, 0.25, shape)  # mean 1: the month's demand at this outlet
    push = (1 - truth.demand) * rng.gamma(4.0, 0.25, shape) + truth.demand * shock
    display = rng.poisson(shelf * push)
    season = 0.03 * np.sin(2 * np.pi * np.arange(months) / 12)
    wanted = 1 / paper("company_h", "stores.stores_per_sale")
    base = wanted - truth.display * shelf.mean() - truth.marketing
    mean = (
        base * level / level.mean() * (shock if truth.demand else 1.0) + season
        + truth.display * display + truth.price * (price - LIST_PRICE)
        + truth.marketing * rounds
    )  # fmt: skip
    made = people.loc[people.index.repeat(months)].reset_index(drop=True)
    made.insert(1, "month", np.tile(np.arange(months), stores))
    return made.assign(
        display=display.ravel(),
        price=price.ravel(),
        marketing=rounds.ravel(),
        sales=rng.poisson(mean.clip(min=0.01)).ravel(),
    )


def _stores(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """The stores themselves: what they are, their level of sales, what they display on average."""
    low = paper("company_h", "stores.low_stars")
    high = 1 - low - _MIDDLE_STARS
    shares = np.array(
        [low * 0.55, low * 0.45, _MIDDLE_STARS, high * (1 - _FIVE_OF_HIGH), high * _FIVE_OF_HIGH]
    )
    # Rounded shares of exactly n stores: the printed share then holds as it stands.
    edges = np.rint(np.cumsum(shares) * n).astype(int)
    stars = rng.permutation(np.searchsorted(edges, np.arange(n), side="right") + 1)
    shelf = shelf_by_stars(shares)[stars - 1]
    level = shelf * rng.gamma(16.0, 1 / 16.0, n)
    kinds = np.array([rng.choice(TYPES, p=_TYPES_BY_STARS[s]) for s in stars])
    return pd.DataFrame(
        {
            "outlet": [f"outlet {i:04}" for i in range(1, n + 1)],
            "type": kinds,
            "area": rng.choice(AREAS, n, p=_AREA_SHARES),
            "orientation": rng.choice(["retail", "industry"], n, p=[0.7, 0.3]),
            "stars": stars,
            "level": level,
            "shelf": level / level.mean() / paper("company_h", "stores.stores_per_display"),
        }
    )


def shelf_by_stars(shares: np.ndarray) -> np.ndarray:
    """Average display of stores with 1 to 5 stars, so that both printed averages hold.

    Parameters
    ----------
    shares : array, shape (5,)
        Of stores by stars, sum 1.
    """
    high = paper("company_h", "stores.high_star_displays")
    average = 1 / paper("company_h", "stores.stores_per_display")
    profile = np.array([*_LOW_PROFILE.values()])
    left = average - high * shares[3:].sum()
    # Four and five stars differ by a half, around the printed average of both.
    five = 1.5 / ((shares[3] + 1.5 * shares[4]) / shares[3:].sum())
    four = five / 1.5
    return np.r_[profile * left / (profile @ shares[:3]), high * four, high * five]


def by_kind(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Stores, monthly sales and display a store for each value of `kind`: Tables 2 to 4.

    Parameters
    ----------
    frame : pandas.DataFrame
        From :func:`outlets`.
    kind : {"type", "area", "stars", "orientation"}

    Returns
    -------
    pandas.DataFrame
        ``kind``, ``stores``, ``share``, ``display`` and ``sales`` (units a store and month).
    """
    grouped = frame.groupby(kind, observed=True)
    table = grouped.agg(
        stores=("outlet", "nunique"), display=("display", "mean"), sales=("sales", "mean")
    ).reset_index()
    table.insert(2, "share", table.stores / frame.outlet.nunique())
    return table.rename(columns={kind: "kind"})
