"""With a coupon: who responds in which world, and by how much."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from precmark.errors import InputError
from precmark.simulate.config import CATEGORIES, WORLDS
from precmark.simulate.people import taste, taste_for

RISK_SHARE_CAP = 0.9
"""A coupon lifts the purchase probability by at most this share of what is missing to 1."""

_PULLED_FORWARD = {"sure_things": 0.75}
_PULLED_FORWARD_ELSEWHERE = 0.2


def response(world: str, rank: np.ndarray) -> np.ndarray:
    """g(R): how strongly decisions respond by the rank R of their risk 1 - p0; mean 1 over R.

    Parameters
    ----------
    world : str
        ``persuadable_risk`` 3 R^2; ``lost_causes`` 30 R^2 (1 - R)^2; ``sure_things`` 6 (1 - R)^5;
        ``orthogonal`` 1; ``no_effect`` 0 (its mean is 0 too).
    rank : array, any shape
        0 to 1.

    Raises
    ------
    InputError
        An unknown world.
    """
    if world == "persuadable_risk":
        return 3.0 * rank**2
    if world == "lost_causes":
        return 30.0 * rank**2 * (1.0 - rank) ** 2
    if world == "sure_things":
        return 6.0 * (1.0 - rank) ** 5
    if world == "orthogonal":
        return np.ones_like(rank)
    if world == "no_effect":
        return np.zeros_like(rank)
    raise InputError(f"world {world!r}: use one of {', '.join(WORLDS)}.")


def pulled_forward_share(world: str) -> float:
    """Share of a coupon's extra purchases that would have come within 30 days anyway."""
    return _PULLED_FORWARD.get(world, _PULLED_FORWARD_ELSEWHERE)


def effect_size(
    p0: np.ndarray,
    rank: np.ndarray,
    deal_response: np.ndarray,
    pi: np.ndarray,
    *,
    world: str,
    taste_match: float,
    effect: float,
) -> np.ndarray:
    """tau = min(A g(R) z_u m_ic, 0.9 (1 - p0)) with m_ic = 1 - l + 18 l pi_ic.

    Parameters
    ----------
    p0, rank, deal_response : array
        p0, R and z_u; broadcast against `pi`.
    pi : array
        Taste for the coupon's category, 0 to 1.
    world : str
    taste_match : float
        ``l``.
    effect : float
        ``A``.
    """
    match = 1.0 - taste_match + CATEGORIES * taste_match * pi
    wanted = effect * response(world, rank) * deal_response * match
    return np.minimum(wanted, RISK_SHARE_CAP * (1.0 - p0))


def treatment_effect(
    truth_decisions: pa.Table | pd.DataFrame,
    truth_users: pa.Table | pd.DataFrame,
    *,
    world: str,
    category_index: int | np.ndarray | None = None,
    taste_match: float = 0.25,
    effect: float = 0.009,
) -> np.ndarray:
    """The true effect tau_ic of a coupon on the purchase probability of each decision.

    Parameters
    ----------
    truth_decisions : table
        Columns ``user_number``, ``p0``, ``rank``.
    truth_users : table
        Sorted by ``user_number``; columns ``deal_response``, ``cell``, ``first``, ``second``.
    world : str
        Any world, not only the one that the store was made in.
    category_index : int, array of int with shape (n,), or None
        The coupon's category, 0 to 17, for all or for each; None for every category.
    taste_match, effect : float
        ``l`` and ``A``.

    Returns
    -------
    array of float64, shape (n,), or (n, 18) where `category_index` is None
    """
    numbers = column(truth_users, "user_number")
    at = np.searchsorted(numbers, column(truth_decisions, "user_number"))
    cell, first, second, z = (
        column(truth_users, name)[at] for name in ("cell", "first", "second", "deal_response")
    )
    p0, rank = (column(truth_decisions, name) for name in ("p0", "rank"))
    settings = {"world": world, "taste_match": taste_match, "effect": effect}
    if category_index is None:
        pi = taste(cell, first, second)
        return effect_size(p0[:, None], rank[:, None], z[:, None], pi, **settings)
    category = np.broadcast_to(np.asarray(category_index), cell.shape)
    return effect_size(p0, rank, z, taste_for(cell, first, second, category), **settings)


def column(table: pa.Table | pd.DataFrame, name: str) -> np.ndarray:
    """Column `name` of `table` as a NumPy array."""
    values = table[name]
    return values.to_numpy()


def world_summary(
    truth_decisions: pa.Table | pd.DataFrame,
    truth_users: pa.Table | pd.DataFrame,
    *,
    coupon_shares: dict[str, float],
    taste_match: float = 0.25,
    effect: float = 0.009,
) -> pd.DataFrame:
    """What each world holds before any model is trained, from the truth of one store.

    Parameters
    ----------
    truth_decisions, truth_users : table
        As for :func:`treatment_effect`.
    coupon_shares : dict
        Name to the share of decisions that get a coupon, 0 to 1 (e.g. the paper's rates).
    taste_match, effect : float

    Returns
    -------
    pandas.DataFrame
        One row a world: ``world``; ``average_effect`` (of a coupon of a random category, on the
        purchase probability); ``risk_correlation`` (Pearson, with 1 - p0; missing without an
        effect); ``pulled_forward_share``; ``average_net_30d``; ``average_best_category``
        (everybody gets the best category); and for each share ``oracle_NAME`` (extra purchases a
        coupon when the truth picks users and categories).
    """
    p0 = column(truth_decisions, "p0")
    rows = []
    for world in WORLDS:
        tau = treatment_effect(
            truth_decisions, truth_users, world=world, taste_match=taste_match, effect=effect
        )
        mean, best = tau.mean(axis=1), np.sort(tau.max(axis=1))[::-1]
        varies = mean.std() > 0
        rows.append(
            {
                "world": world,
                "average_effect": mean.mean(),
                "risk_correlation": np.corrcoef(mean, 1 - p0)[0, 1] if varies else np.nan,
                "pulled_forward_share": pulled_forward_share(world),
                "average_net_30d": mean.mean() * (1 - pulled_forward_share(world)),
                "average_best_category": best.mean(),
                **{
                    f"oracle_{name}": best[: max(1, round(share * len(best)))].mean()
                    for name, share in coupon_shares.items()
                },
            }
        )
    return pd.DataFrame(rows)
