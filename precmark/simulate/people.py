"""The simulated store's users: what they are, what they like and how they answer a coupon."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from precmark.claims import paper
from precmark.simulate.catalogue import STYLES, catalogue
from precmark.simulate.config import CATEGORIES
from precmark.simulate.draws import lookup, stream

BASELINE_SD = 0.5
"""Standard deviation of b_u, a user's own lasting part of the purchase logit."""

CELLS = 8
"""Attribute cells that share half of their taste: gender by four bands of age."""

_TASTE_TABLE = 4096
_LATENT = (0.60, 0.25, 0.15)  # favourite, second favourite, the store's popularity
REFERRERS = ("search", "deal_site", "social", "video", "friend", "direct")
_REFERRER_SHARES = (0.30, 0.12, 0.20, 0.18, 0.08, 0.12)
COUNTRIES = ("CN", "SA", "AE", "EG", "US", "JP", "MY", "GB")
_COUNTRY_SHARES = (0.70, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02)
PROVIDERS = ("phone", "facebook", "google", "instagram", "wechat")
_PROVIDER_SHARES = (0.45, 0.15, 0.15, 0.07, 0.18)
PLATFORMS = ("web", "ios", "android")
_PLATFORM_SHARES = (0.25, 0.28, 0.47)


@dataclass(frozen=True)
class People:
    """One array entry a user, in order of arrival.

    Attributes
    ----------
    activity, depth : array of float32
        Standard normal; how often a user comes back, how far a session goes.
    baseline : array of float32
        b_u, logits.
    deal_response : array of float32
        z_u, Gamma with mean 1 and coefficient of variation 0.5, independent of all else.
    deal_searcher : array of float32
        Chance, 0 to 1, that a search of the user's holds a word for a deal: a noisy sign of z_u.
    cell, first, second : array of int8
        Attribute cell, favourite and second favourite category: see :func:`taste`.
    style : array of int8
        The style of product the user leans to.
    platform, referrer, country, provider : array of int8
        Positions in :data:`PLATFORMS`, :data:`REFERRERS`, :data:`COUNTRIES`, :data:`PROVIDERS`.
    female : array of bool
    age : array of int16
        True age in years.
    live : array of bool
        Whether the user watches live streams.
    """

    activity: np.ndarray
    depth: np.ndarray
    baseline: np.ndarray
    deal_response: np.ndarray
    deal_searcher: np.ndarray
    cell: np.ndarray
    first: np.ndarray
    second: np.ndarray
    style: np.ndarray
    platform: np.ndarray
    referrer: np.ndarray
    country: np.ndarray
    provider: np.ndarray
    female: np.ndarray
    age: np.ndarray
    live: np.ndarray


def people(seed: int, n: int, live_share: float) -> People:
    """Draw `n` users; everything independent except where :class:`People` says otherwise."""
    rng = stream(seed, "people")
    normal = rng.standard_normal((3, n), dtype=np.float32)
    response = rng.standard_gamma(4.0, n, dtype=np.float32) / 4.0
    known = paper("gu", "table1.female") + paper("gu", "table1.male")
    female = rng.random(n, dtype=np.float32) < paper("gu", "table1.female") / known
    age = np.clip(np.rint(rng.normal(22.0, 4.3, n)), 8, 60).astype(np.int16)
    band = np.digitize(age, (18, 22, 26)).astype(np.int8)
    popularity = lookup(catalogue().popularity, _TASTE_TABLE)[0].astype(np.int8)
    favourites = popularity[rng.integers(0, _TASTE_TABLE, (2, n), dtype=np.uint16)]
    # The two signs of z_u that a log can show are noisy: a user's referrer and search words.
    sign = np.log(response) + 0.8 * rng.standard_normal(n, dtype=np.float32)
    deal_site = rng.random(n, dtype=np.float32) < _logistic(1.2 * sign - 2.0)
    return People(
        activity=normal[0],
        depth=normal[1],
        baseline=(BASELINE_SD * normal[2]).astype(np.float32),
        deal_response=response,
        deal_searcher=_logistic(1.5 * sign - 1.0).astype(np.float32),
        cell=(4 * female + band).astype(np.int8),
        first=favourites[0],
        second=favourites[1],
        style=rng.integers(0, STYLES, n, dtype=np.int8),
        platform=_draw(rng, _PLATFORM_SHARES, n),
        referrer=np.where(deal_site, 1, _draw(rng, _without_deal_site(), n)).astype(np.int8),
        country=_draw(rng, _COUNTRY_SHARES, n),
        provider=_draw(rng, _PROVIDER_SHARES, n),
        female=female,
        age=age,
        live=rng.random(n, dtype=np.float32) < live_share,
    )


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def _without_deal_site() -> tuple[float, ...]:
    shares = zip(REFERRERS, _REFERRER_SHARES, strict=True)
    rest = [0.0 if name == "deal_site" else share for name, share in shares]
    return tuple(s / sum(rest) for s in rest)


def _draw(rng: np.random.Generator, shares: tuple[float, ...], n: int) -> np.ndarray:
    """`n` positions in `shares` as int8, by one look-up each."""
    table = lookup(np.asarray(shares), 4096)[0].astype(np.int8)
    return table[rng.integers(0, 4096, n, dtype=np.uint16)]


@lru_cache(maxsize=1)
def _taste_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tables and shares of the attribute cells' tastes, and of the store's popularity."""
    rng = stream(0, "tastes")
    popularity = catalogue().popularity
    cells = popularity * np.exp(rng.normal(0.0, 0.8, (CELLS, CATEGORIES)))
    drawn = [lookup(row / row.sum(), _TASTE_TABLE) for row in cells]
    base, base_shares = lookup(popularity, _TASTE_TABLE)
    return (
        np.array([t for t, _ in drawn], dtype=np.int8),
        np.array([s for _, s in drawn]),
        base.astype(np.int8),
        base_shares,
    )


def taste(cell: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Each user's taste pi over the 18 categories: half from attributes, half their own.

    Parameters
    ----------
    cell, first, second : array of int, shape (n,)
        As in :class:`People`.

    Returns
    -------
    array of float64, shape (n, 18)
        Rows sum to 1.
    """
    _, cell_shares, _, base_shares = _taste_tables()
    pi = 0.5 * cell_shares[cell] + 0.5 * _LATENT[2] * base_shares
    rows = np.arange(len(pi))
    pi[rows, first] += 0.5 * _LATENT[0]
    pi[rows, second] += 0.5 * _LATENT[1]
    return pi


def taste_for(
    cell: np.ndarray, first: np.ndarray, second: np.ndarray, category: np.ndarray
) -> np.ndarray:
    """Each user's taste for one `category` each, shape (n,): :func:`taste` without the others."""
    _, cell_shares, _, base_shares = _taste_tables()
    pi = 0.5 * cell_shares[cell, category] + 0.5 * _LATENT[2] * base_shares[category]
    pi = pi + 0.5 * _LATENT[0] * (first == category)
    return pi + 0.5 * _LATENT[1] * (second == category)


def draw_category(rng: np.random.Generator, people: People, user: np.ndarray) -> np.ndarray:
    """One category for each entry of `user` (positions), drawn from that user's taste; int8."""
    tables, _, base, _ = _taste_tables()
    n = len(user)
    which = rng.random(n, dtype=np.float32)
    pick = rng.integers(0, _TASTE_TABLE, n, dtype=np.uint16)
    category = tables[people.cell[user], pick]
    own = np.flatnonzero(which >= 0.5)
    which, pick, user = which[own] * 2.0 - 1.0, pick[own], user[own]
    latent = np.where(
        which < _LATENT[0],
        people.first[user],
        np.where(which < _LATENT[0] + _LATENT[1], people.second[user], base[pick]),
    )
    category[own] = latent
    return category
