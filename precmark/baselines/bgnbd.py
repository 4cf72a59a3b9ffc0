"""BG/NBD: customers who buy at their own rate until, after some purchase, they are gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from precmark.errors import InputError, Problem

STARTS = ((1.0, 1.0, 1.0, 1.0), (0.3, 0.5, 0.5, 3.0), (2.0, 2.0, 0.2, 1.0))
"""Starting values of r, alpha (in units of the longest age), a and b for the search."""

MOST_LOG = 10.0
"""Bound of the search on each parameter's logarithm."""

EDGE_LOG = 8.0
"""Beyond it the likelihood is flat: a parameter runs away instead of having a maximum."""


@dataclass(frozen=True)
class BgNbd:
    """A BG/NBD model: purchases of an active customer are Poisson at rate lambda a day, lambda is
    Gamma(r, alpha); after each repeat purchase the customer is gone with probability p, p is
    Beta(a, b).

    Attributes
    ----------
    r, alpha : float
        Shape and rate (days) of the gamma distribution of the purchase rate.
    a, b : float
        Of the beta distribution of the probability of leaving after a purchase.
    log_likelihood : float
        Of the customers it was fitted to; nan where it was not fitted.
    customers : int
        How many they were; 0 where it was not fitted.
    converged : bool
        Whether the best search ended inside its bounds, with the gradient near 0.
    message : str
        What the search said.

    References
    ----------
    Fader, Hardie & Lee, "Counting your customers" the easy way, 2005, doi 10.1287/mksc.1040.0098.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")
    customers: int = 0
    converged: bool = True
    message: str = "given, not fitted"

    def probability_alive(self, frequency, recency, age) -> np.ndarray:
        """P(still active at `age`), (n,); 1 without a repeat purchase, as the model has it."""
        frequency, recency, age = checked_history(frequency, recency, age)
        with np.errstate(over="ignore"):
            odds_gone = np.where(
                frequency > 0, np.exp(self._log_odds_gone(frequency, recency, age)), 0
            )
        return 1 / (1 + odds_gone)

    def probability_purchase(self, frequency, recency, age, days: float) -> np.ndarray:
        """P(at least one purchase in the next `days` days), (n,).

        An active customer of rate lambda buys nothing in H days with probability
        exp(-lambda H), which only lengthens the time without a purchase from T to T + H. With the
        likelihood of the active A(T) proportional to (alpha + T)^-(r + x),

            P = (A(T) - A(T + H)) / L
              = P(active) (1 - ((alpha + T) / (alpha + T + H))^(r + x)).

        Parameters
        ----------
        frequency, recency, age : array of (n,)
            Repeat purchases, day of the last and days observed, both since the first purchase.
        days : float
            H, > 0.
        """
        frequency, recency, age = checked_history(frequency, recency, age)
        _check_days(days)
        silent = np.exp(
            (self.r + frequency) * (np.log(self.alpha + age) - np.log(self.alpha + age + days))
        )
        return self.probability_alive(frequency, recency, age) * (1 - silent)

    def expected_purchases(self, frequency, recency, age, days: float) -> np.ndarray:
        """Expected purchases in the next `days` days, (n,): equation 10.

        The hypergeometric function is taken in Euler's other form, in which large frequencies do
        not overflow.
        """
        from scipy.special import hyp2f1

        frequency, recency, age = checked_history(frequency, recency, age)
        _check_days(days)
        # At a = 1 numerator and a - 1 both vanish; the limit is approached from beside it.
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6
        z = days / (self.alpha + age + days)
        rest = (1 - z) ** (a - 1) * hyp2f1(
            a + self.b - 1 - self.r, a - 1, a + self.b + frequency - 1, z
        )
        alive = self.probability_alive(frequency, recency, age)
        return (a + self.b + frequency - 1) / (a - 1) * (1 - rest) * alive

    def _log_odds_gone(self, frequency, recency, age) -> np.ndarray:
        """Log of P(gone) / P(active) after at least one repeat purchase."""
        return (
            np.log(self.a)
            - np.log(self.b + np.maximum(frequency, 1) - 1)
            + (self.r + frequency) * (np.log(self.alpha + age) - np.log(self.alpha + recency))
        )


def log_likelihood(parameters, frequency, recency, age) -> np.ndarray:
    """Log-likelihood of each customer, (n,): equation 6.

    Parameters
    ----------
    parameters : sequence of float
        r, alpha, a, b; all > 0.
    frequency : array
        Repeat purchases x, one a customer.
    recency, age : array
        Day of the last purchase t_x and days observed T, since the first purchase; t_x = 0
        where x = 0.
    """
    from scipy.special import betaln, gammaln

    r, alpha, a, b = parameters
    x = frequency
    shared = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    active = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    many = np.maximum(x, 1)
    gone = betaln(a + 1, b + many - 1) - betaln(a, b) - (r + x) * np.log(alpha + recency)
    return shared + np.where(x > 0, np.logaddexp(active, gone), active)


def fit_bgnbd(frequency, recency, age) -> BgNbd:
    """The BG/NBD model of greatest likelihood, found from several starts on log parameters.

    Parameters
    ----------
    frequency : array of (n,)
        Repeat purchases (days with a purchase after the first), >= 0.
    recency, age : array of (n,)
        Days from the first purchase to the last and to the end of observation.

    Returns
    -------
    BgNbd
        Look at ``converged``: a log without enough repeat purchases has no maximum.

    Raises
    ------
    InputError
        Lengths differ, values out of range, or nobody bought twice.
    """
    from scipy.optimize import minimize

    frequency, recency, age = checked_history(frequency, recency, age)
    if not (frequency > 0).any():
        raise InputError(
            "BG/NBD: nobody bought twice, so nothing says how often customers return. "
            "Take a longer history, or the recency floor alone."
        )
    unit = float(age.max())
    rows, count = np.unique(np.column_stack([frequency, recency, age]), axis=0, return_counts=True)
    scaled = rows / [1, unit, unit]

    def loss(log_parameters: np.ndarray) -> float:
        value = log_likelihood(np.exp(log_parameters), *scaled.T)
        return -float(count @ value) / len(frequency)

    bounds = [(-MOST_LOG, MOST_LOG)] * 4
    searches = [minimize(loss, np.log(s), method="L-BFGS-B", bounds=bounds) for s in STARTS]
    best = min(searches, key=lambda search: search.fun)
    r, alpha, a, b = np.exp(best.x)
    inside = bool((np.abs(best.x) < EDGE_LOG).all())
    message = str(best.message)
    if not inside:
        message += "; a parameter runs to the edge of the search: these data do not fix it"
    # Days in place of the unit of the search: x powers of it leave the density.
    total = -float(best.fun) * len(frequency) - float(frequency.sum()) * float(np.log(unit))
    return BgNbd(
        *(float(v) for v in (r, alpha * unit, a, b)),
        log_likelihood=total,
        customers=len(frequency),
        converged=bool(best.success) and inside,
        message=message,
    )


def checked_history(frequency, recency, age) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three as float64 of one length; refuses all that is out of range at once."""
    given = {"frequency": frequency, "recency": recency, "age": age}
    found = {name: np.atleast_1d(np.asarray(v, dtype=np.float64)) for name, v in given.items()}
    if len({v.shape for v in found.values()}) > 1 or found["age"].ndim != 1:
        shapes = ", ".join(f"{name} {v.shape}" for name, v in found.items())
        raise InputError(f"BG/NBD: {shapes}; give three arrays of one length.")
    x, recency, age = found.values()
    wrong = {
        "missing or infinite values": ~np.isfinite(x + recency + age),
        "a frequency below 0": x < 0,
        "recency below 0 or above age": (recency < 0) | (recency > age),
        "recency above 0 without a repeat purchase": (x == 0) & (recency > 0),
    }
    problems = [
        Problem(
            f"BG/NBD: {what}",
            "Count repeat purchases and days from the first purchase.",
            rows=int(bad.sum()),
            first_rows=tuple(int(row) + 1 for row in np.flatnonzero(bad)[:5]),
        )
        for what, bad in wrong.items()
        if bad.any()
    ]
    if problems:
        raise InputError(problems)
    return x, recency, age


def _check_days(days: float) -> None:
    if not 0 < days < np.inf:
        raise InputError(f"days is {days}; give the days ahead as a number above 0.")
