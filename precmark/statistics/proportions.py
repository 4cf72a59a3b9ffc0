"""Two shares compared: the pooled z test, intervals of the difference, and power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precmark.errors import InputError, Problem


@dataclass(frozen=True)
class TwoProportions:
    """The paper's test that two shares are equal.

    Attributes
    ----------
    p1, p2, pooled : float
        The shares of both samples and of both together.
    n1, n2 : int
    difference, low, high : float
        p1 - p2 with Newcombe's 95 % interval (his method 10, from Wilson's).
    z, p : float
        Statistic with the pooled variance, and its two-sided p value; 0 and 1 where nobody or
        everybody has the characteristic.
    enough : bool
        Whether all four expected counts are 5 or more, below which the normal curve is a poor
        stand-in.
    """

    p1: float
    p2: float
    pooled: float
    n1: int
    n2: int
    difference: float
    low: float
    high: float
    z: float
    p: float
    enough: bool


def two_proportions(x1: int, n1: int, x2: int, n2: int) -> TwoProportions:
    """The z test with pooled variance of two shares, and the interval of their difference.

    Parameters
    ----------
    x1, n1, x2, n2 : int
        Units with the characteristic and all units of either sample, x from 0 to n, n above 0.

    Raises
    ------
    InputError
        All counts that are impossible.

    References
    ----------
    Company H, section on two populations; Newcombe 1998, Interval estimation for the difference
    between independent proportions: comparison of eleven methods, Statistics in Medicine 17.
    """
    from scipy.stats import norm

    from precmark.segments.compare import wilson

    problems = []
    for which, x, n in (("first", x1, n1), ("second", x2, n2)):
        if not (n >= 1 and 0 <= x <= n and x == int(x) and n == int(n)):
            problems.append(
                Problem(f"{which} sample: {x} of {n}", "Give whole numbers, 0 <= x <= n, n >= 1.")
            )
    if problems:
        raise InputError(problems)
    p1, p2, pooled = x1 / n1, x2 / n2, (x1 + x2) / (n1 + n2)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    z = (p1 - p2) / error if error > 0 else 0.0
    (low1, low2), (high1, high2) = wilson(np.array([x1, x2]), np.array([n1, n2]))
    apart = p1 - p2
    expected = min(pooled, 1 - pooled) * min(n1, n2)
    return TwoProportions(
        p1=p1, p2=p2, pooled=pooled, n1=int(n1), n2=int(n2), difference=apart,
        low=float(apart - np.hypot(p1 - low1, high2 - p2)),
        high=float(apart + np.hypot(high1 - p1, p2 - low2)),
        z=float(z), p=float(2 * norm.sf(abs(z))), enough=bool(expected >= 5),
    )  # fmt: skip


def power(p1: float, p2: float, n1: float, n2: float, *, alpha: float = 0.05) -> float:
    """The chance that the two-sided pooled test finds shares p1 and p2 different.

    Parameters
    ----------
    p1, p2 : float
        True shares, between 0 and 1.
    n1, n2 : float
        Units, above 0.
    alpha : float
        The level at which the test rejects.

    References
    ----------
    Fleiss, Levin & Paik 2003, Statistical Methods for Rates and Proportions, section 4.
    """
    from scipy.stats import norm

    _check_shares(p1=p1, p2=p2, alpha=alpha)
    pooled = (n1 * p1 + n2 * p2) / (n1 + n2)
    null = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    error = np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    cut = norm.isf(alpha / 2) * null
    return float(norm.sf((cut - (p1 - p2)) / error) + norm.cdf((-cut - (p1 - p2)) / error))


def units_needed(p1: float, p2: float, *, power_wanted: float = 0.8, alpha: float = 0.05) -> int:
    """Units in each of two equal samples for the test to find p1 and p2 different so often.

    Raises
    ------
    InputError
        Shares outside 0 to 1 or equal: no sample is large enough for no difference.
    """
    from scipy.optimize import brentq

    _check_shares(p1=p1, p2=p2, alpha=alpha, power_wanted=power_wanted)
    if p1 == p2:
        raise InputError("p1 and p2 are equal. Give the difference that should be found.")
    size = brentq(lambda n: power(p1, p2, n, n, alpha=alpha) - power_wanted, 1.0, 1e12, xtol=1e-3)
    return int(np.ceil(size - 1e-6))


def smallest_found(p: float, n1: int, n2: int, *, power_wanted: float = 0.8) -> float:
    """The smallest rise above share `p` that samples of n1 and n2 find so often; nan for none."""
    from scipy.optimize import brentq

    _check_shares(p=p, power_wanted=power_wanted)
    most = (1 - p) * (1 - 1e-9)

    def gap(rise: float) -> float:
        return power(p + rise, p, n1, n2) - power_wanted

    return float(brentq(gap, 1e-12, most)) if gap(most) > 0 > gap(1e-12) else float("nan")


def _check_shares(**shares: float) -> None:
    problems = [
        Problem(f"{name} is {value}", "Give a share between 0 and 1.")
        for name, value in shares.items()
        if not 0 < value < 1
    ]
    if problems:
        raise InputError(problems)
