"""What would show the effect: a random holdout inside the targeted, and what 13.69 % would need."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from precmark.ablation.oracle import highest
from precmark.ablation.truth import Future, checked
from precmark.ablation.worlds import WORLDS_IN_ORDER, World, as_world
from precmark.claims import paper
from precmark.errors import InputError, Problem
from precmark.simulate import uniform
from precmark.simulate.effects import RISK_SHARE_CAP

_TINY = 1e-9  # an effect at which no cap binds, to read what multiplies it


def random_holdout(
    future: Future,
    coupon: np.ndarray,
    world: World | str,
    *,
    share: float = 0.5,
    replications: int = 200,
    seed: int = 0,
    power: float = 0.8,
) -> pd.DataFrame:
    """What a policy would have shown if a random part of its coupons had been held back.

    Parameters
    ----------
    future : Future
    coupon : array of int8, shape (n,)
        The policy; see :func:`precmark.ablation.expected`.
    world : World or str
    share : float
        Of the targeted who are held out, 0 to 1, both ends excluded.
    replications : int
        How often the experiment is repeated, 1 or more.
    seed : int
    power : float
        Wanted chance that the 95 % interval leaves out zero, for the needed size.

    Returns
    -------
    pandas.DataFrame
        One row: ``world``; ``targeted``, ``shown``, ``held_out`` (decisions); ``true_effect`` (mean
        tau of the targeted); ``shown_conversion``, ``held_conversion``, ``difference``, ``low``,
        ``high`` (the first experiment with its 95 % interval); ``estimate`` (mean difference over
        the experiments); ``covers`` (share of the experiments whose interval holds the true
        effect); ``finds`` (share whose interval leaves out zero); ``against_c2_all``,
        ``against_c2_eligible`` (expected C-1 less C-2, what the paper's reading would call the
        effect); ``needed`` (targeted decisions for the wanted power; infinite where there is no
        effect); ``needed_sessions`` (sessions at this policy's rate of coupons).

    Raises
    ------
    InputError
        A share, power or number out of range, a policy with fewer than 20 coupons.
    """
    world, coupon = as_world(world), checked(future, coupon)
    at = np.flatnonzero(coupon >= 0)
    _check(len(at), share, replications, power)
    key, p0 = future.key[at], future.p0[at]
    tau = world.tau(future, at, coupon[at].astype(np.int64))
    held = uniform(seed, 0, key, "holdout") < share
    drawn = np.array([
        _experiment(uniform(seed, r, key, "outcome"), p0, tau, held)
        for r in range(1, replications + 1)
    ])  # fmt: skip
    difference, low, high = (drawn[:, j] for j in (2, 3, 4))
    truth, c1 = tau.mean(), (p0 + tau).mean()
    buyers = future.p0.sum() - p0.sum()
    needed = _needed(p0.mean(), c1, share, power)
    row = {
        "world": world.name,
        "targeted": len(at), "shown": int((~held).sum()), "held_out": int(held.sum()),
        "true_effect": truth,
        "shown_conversion": drawn[0, 0], "held_conversion": drawn[0, 1],
        "difference": difference[0], "low": low[0], "high": high[0],
        "estimate": difference.mean(),
        "covers": float(np.mean((low <= truth) & (truth <= high))),
        "finds": float(np.mean((low > 0) | (high < 0))),
        "against_c2_all": c1 - (buyers + future.early_buyers) / (future.sessions - len(at)),
        "against_c2_eligible": c1 - buyers / (len(future) - len(at)),
        "needed": needed,
        "needed_sessions": needed * future.sessions / len(at),
    }  # fmt: skip
    return pd.DataFrame([row])


def _check(targeted: int, share: float, replications: int, power: float) -> None:
    problems = [
        Problem(f"{name}: {value!r} is outside 0 to 1", "Use a share between the two.")
        for name, value in (("share", share), ("power", power))
        if not 0 < value < 1
    ]
    if replications < 1:
        problems.append(Problem(f"replications: {replications}", "Ask for at least one."))
    if targeted < 20:
        problems.append(Problem(f"coupon: {targeted} coupons", "A holdout needs 20 targeted."))
    if problems:
        raise InputError(problems)


def _experiment(v: np.ndarray, p0: np.ndarray, tau: np.ndarray, held: np.ndarray) -> tuple:
    """Conversion of the shown and of the held out, their difference and its 95 % interval."""
    shown = ~held
    n1, n0 = max(int(shown.sum()), 1), max(int(held.sum()), 1)
    c1 = np.count_nonzero(v[shown] < (p0 + tau)[shown]) / n1
    c0 = np.count_nonzero(v[held] < p0[held]) / n0
    return c1, c0, c1 - c0, *newcombe(c1, n1, c0, n0)


def newcombe(c1: float, n1: float, c0: float, n0: float) -> tuple[float, float]:
    """95 % interval of the difference of two independent shares.

    Parameters
    ----------
    c1, c0 : float
        Shares, 0 to 1.
    n1, n0 : float
        What they are shares of, 1 or more.

    References
    ----------
    Newcombe 1998, Interval estimation for the difference between independent proportions, method
    10, doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    (low1, high1), (low0, high0) = _wilson(c1, n1), _wilson(c0, n0)
    difference = c1 - c0
    return (
        difference - np.hypot(c1 - low1, high0 - c0),
        difference + np.hypot(high1 - c1, c0 - low0),
    )


def _wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    from scipy.special import ndtri

    z = ndtri(0.975)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - reach, middle + reach


def _needed(p0: float, p1: float, share: float, power: float) -> float:
    """Targeted decisions, both arms together, for a two-sided test at 5 %."""
    from scipy.special import ndtri

    if p1 == p0:
        return float("inf")
    z = ndtri(0.975) + ndtri(power)
    spread = p1 * (1 - p1) / (1 - share) + p0 * (1 - p0) / share
    return float(np.ceil(z**2 * spread / (p1 - p0) ** 2))


def needed_response(
    future: Future,
    coupon: np.ndarray,
    *,
    worlds: Iterable[World | str] = WORLDS_IN_ORDER,
    target: float | None = None,
) -> pd.DataFrame:
    """How strong coupons would have to be for the couponed of a policy to convert at `target`.

    Parameters
    ----------
    future : Future
    coupon : array of int8, shape (n,)
        The policy, as a rule option 4.
    worlds : iterable of World or str
    target : float, optional
        C-1 to be reached, 0 to 1; the paper's of option 4 where left out.

    Returns
    -------
    pandas.DataFrame
        A row a world: ``world``; ``coupons``; ``target``; ``without`` (conversion of the targeted
        without a coupon); ``c1`` (with the world's effect); ``needed_tau`` (mean effect that the
        target needs, 0 at least); ``cap`` (mean of 0.9 (1 - p0), the most that an effect may be);
        ``effect`` (A of the world); ``needed_effect`` (A at which C-1 is the target; NaN where no A
        up to 1 is enough); ``times`` (needed over A); ``reachable``; ``surest`` (C-1 of as many
        coupons given to the surest buyers when coupons do nothing).
    """
    target = paper("gu", "table6.option4_couponed_conversion") if target is None else target
    coupon = checked(future, coupon)
    at = np.flatnonzero(coupon >= 0)
    if not len(at):
        raise InputError("coupon: nobody gets one. Give a policy with coupons.")
    p0, category = future.p0[at], coupon[at].astype(np.int64)
    surest = highest(future, future.p0, len(at))
    cap = RISK_SHARE_CAP * (1 - p0)
    rows = []
    for world in map(as_world, worlds):
        per_effect = World(world.name, world.taste_match, _TINY).tau(future, at, category) / _TINY
        missing = max(target - p0.mean(), 0.0)
        needed = _effect_for(per_effect, cap, missing)
        rows.append(
            {
                "world": world.name, "coupons": len(at), "target": target, "without": p0.mean(),
                "c1": (p0 + world.tau(future, at, category)).mean(),
                "needed_tau": missing, "cap": cap.mean(), "effect": world.effect,
                "needed_effect": needed, "times": needed / world.effect,
                "reachable": bool(np.isfinite(needed)), "surest": future.p0[surest].mean(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _effect_for(per_effect: np.ndarray, cap: np.ndarray, wanted: float) -> float:
    """A, 0 to 1, such that the mean of min(A per_effect, cap) is `wanted`; else NaN."""
    if wanted == 0:
        return 0.0
    low, high = 0.0, 1.0
    if np.minimum(per_effect, cap).mean() < wanted:
        return float("nan")
    for _ in range(80):
        middle = (low + high) / 2
        enough = np.minimum(middle * per_effect, cap).mean() >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high
