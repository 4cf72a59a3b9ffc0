"""Without a coupon: what is known at the k-th click, and the purchase probability p0.

logit p0 = a + b'x + b_u + e with b'x = scale (sqrt(1 - s) z_totals + sqrt(s) z_order). z_totals
sums up totals and recency, all of them independent of outcomes; z_order what only the order and the
gaps of the first k clicks tell. Both have mean 0 and variance 1 on a fixed calibration sample, and
z_order is residualised there on the totals, so the shares of explained variance are 1 - s and s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from precmark.simulate.browsing import CART, SEARCH, UNCART, VIEW, Clicks
from precmark.simulate.config import Config
from precmark.simulate.visits import DAY_S, Visits, combined

NOISE_SD = 0.3
"""Standard deviation of e, the part of the logit that nobody can know."""

EARLY_SHARE = 0.0015
"""Share of sessions that buy before the k-th click."""

LATER_SHARE = 0.30
"""Share of buyers after a decision who come back for it in a short session of its own."""

PILOT_TRAFFIC = 0.12
"""Traffic of the calibration sample: about 100,000 decisions, always the same."""

TOTALS_WEIGHTS = {
    "log1p_visits_30d": 0.55, "returning": 0.20, "log1p_days_since_visit": -0.45,
    "carts": 0.90, "searches": 0.35, "uncarts": -0.60, "log_dwell_s": 0.35,
}  # fmt: skip
"""Weight of each total in z_totals, per standard deviation. Chosen, not taken from the paper."""

ORDER_WEIGHTS = {
    "cart_position": 0.70, "slowing": 0.60, "back_to_first": 0.70, "search_then_view": 0.60,
    "view_then_search": -0.60, "resumes_last_visit": 0.60,
}  # fmt: skip
"""Weight of each order feature in z_order, per standard deviation of its residual."""

REFERENCE_POINTS = 2_001


@dataclass(frozen=True)
class Decisions:
    """Sessions that reach the k-th click without a purchase, in the order of the sessions.

    Attributes
    ----------
    session : array of int64
        Position among the sessions of the log.
    user : array of int32
    at_ms : array of int64
        Milliseconds of the k-th click since the log's first midnight.
    totals : array of float64, shape (n, 7)
        Columns in the order of :data:`TOTALS_WEIGHTS`.
    order : array of float64, shape (n, 6)
        Columns in the order of :data:`ORDER_WEIGHTS`.
    """

    session: np.ndarray
    user: np.ndarray
    at_ms: np.ndarray
    totals: np.ndarray
    order: np.ndarray


@dataclass(frozen=True)
class RiskModel:
    """The fitted constants of the logit; the same for every seed and scale.

    Attributes
    ----------
    intercept, scale : float
        ``a`` and the scale of b'x.
    totals_mean, totals_weight : array, shape (7,)
        z_totals = (totals - totals_mean) @ totals_weight.
    order_mean, order_weight : array, shape (6,)
        With `residual`: z_order = (order - order_mean) @ order_weight - basis @ residual.
    residual : array, shape (basis columns,)
        What the totals tell about the order features, taken out of z_order.
    reference : array, shape (2001,)
        Quantiles of 1 - p0 from 0 to 1: R is the rank of 1 - p0 among them.
    order_share : float
    auroc : float
        Of a + b'x + b_u on the calibration sample.
    """

    intercept: float
    scale: float
    totals_mean: np.ndarray
    totals_weight: np.ndarray
    order_mean: np.ndarray
    order_weight: np.ndarray
    residual: np.ndarray
    reference: np.ndarray
    order_share: float
    auroc: float

    def scores(self, decisions: Decisions) -> tuple[np.ndarray, np.ndarray]:
        """z_totals and z_order of each decision."""
        totals = _dot(decisions.totals - self.totals_mean, self.totals_weight)
        order = _dot(decisions.order - self.order_mean, self.order_weight)
        return totals, order - _dot(_basis(decisions.totals), self.residual)

    def parts(self, decisions: Decisions) -> tuple[np.ndarray, np.ndarray]:
        """The two parts of b'x in logits: from totals, from order."""
        totals, order = self.scores(decisions)
        s = self.order_share
        return self.scale * np.sqrt(1 - s) * totals, self.scale * np.sqrt(s) * order

    def rank(self, p0: np.ndarray) -> np.ndarray:
        """R: rank of 1 - p0 in the fixed reference distribution, 0 to 1."""
        return np.interp(1.0 - p0, self.reference, np.linspace(0.0, 1.0, len(self.reference)))


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-x))


def _dot(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`rows` @ `weight`, summed column by column: the same bits whatever the number of threads."""
    total = np.zeros(len(rows))
    for column, w in zip(rows.T, weight, strict=True):
        total += column * w
    return total


def observe(
    visits: Visits,
    logged: np.ndarray,
    clicks: Clicks,
    opening: np.ndarray,
    early: np.ndarray,
    k: int,
) -> Decisions:
    """What is known at each decision.

    Parameters
    ----------
    visits : Visits
        All sessions, the burn-in's included.
    logged : array of int64
        Positions in `visits` of the sessions of the log, to which `clicks` and `early` belong.
    clicks : Clicks
    opening : array of int8, shape (visits,)
        First category of each session.
    early : array of bool
        Sessions that buy before the k-th click: no decision.
    k : int
    """
    count = np.diff(clicks.offset)
    session = np.flatnonzero((count >= k) & ~early)
    at = clicks.offset[session][:, None] + np.arange(k)
    visit = logged[session]
    user, start_s = visits.user[visit], visits.start_s[visit]
    kind, category = clicks.kind[at], clicks.category[at]
    gaps = np.diff(clicks.begin_ms[at], axis=1) / 1_000.0
    # A visit of the burn-in left no clicks; the category it opened with stands for its last one.
    last_category = opening.copy()
    last_category[logged] = clicks.category[clicks.offset[1:] - 1]
    returning = np.zeros(len(visit), dtype=bool)
    returning[:] = (visit > 0) & (visits.user[visit - 1] == user)
    previous = np.where(returning, visit - 1, visit)
    days_since = (start_s - visits.start_s[previous]) / DAY_S
    key = combined(visits.user, visits.start_s)
    recent = visit - np.searchsorted(key, combined(user, start_s - 30 * DAY_S))
    totals = np.column_stack(
        [
            np.log1p(recent),
            returning,
            np.log1p(days_since),
            (kind == CART).sum(axis=1),
            (kind == SEARCH).sum(axis=1),
            (kind == UNCART).sum(axis=1),
            np.log(gaps.sum(axis=1)),
        ]
    ).astype(float)
    resumes = returning & (category[:, 0] == last_category[previous])
    order = _order_features(kind, category, gaps, resumes)
    at_ms = start_s * 1_000 + clicks.begin_ms[at[:, -1]]
    return Decisions(session, user, at_ms, totals, order)


def _order_features(
    kind: np.ndarray, category: np.ndarray, gaps: np.ndarray, resumes: np.ndarray
) -> np.ndarray:
    """Columns of :data:`ORDER_WEIGHTS` from kinds and categories (n, k) and gaps in s (n, k-1)."""
    k = kind.shape[1]
    position = np.where(kind == CART, np.arange(1, k + 1), 0).max(axis=1) / k
    before, after = kind[:, :-1], kind[:, 1:]
    left = (category[:, 1:-1] != category[:, :1]).any(axis=1)
    return np.column_stack(
        [
            position,
            np.log(gaps[:, -1] / gaps[:, 0]),
            left & (category[:, -1] == category[:, 0]),
            ((before == SEARCH) & (after == VIEW)).sum(axis=1),
            ((before == VIEW) & (after == SEARCH)).sum(axis=1),
            resumes,
        ]
    ).astype(float)


def _basis(totals: np.ndarray) -> np.ndarray:
    """What of the totals z_order is freed of: each total, squares, and counts as categories."""
    dwell, carts, searches = totals[:, 6], totals[:, 3], totals[:, 4]
    columns = [np.ones(len(totals)), *totals.T, dwell**2, carts**2, searches**2]
    columns += [carts * searches, totals[:, 0] ** 2, totals[:, 2] ** 2]
    return np.column_stack(columns)


@lru_cache(maxsize=32)
def fit(k: int, order_share: float, best_auroc: float, conversion: float) -> RiskModel:
    """Fit scale to the best possible auROC and intercept to the conversion, once a parameter set.

    Both are found on a pilot population with a fixed seed, so every store with these parameters
    shares one truth.
    """
    from precmark.simulate.history import history

    config = Config(scale="paper", seed=20_240_701, k=k)
    past = history(config, traffic=PILOT_TRAFFIC)
    decisions = past.decisions
    model = _standardise(decisions, order_share)
    base = past.people.baseline[decisions.user].astype(float)
    noise = past.noise
    totals, order = model.scores(decisions)
    explained = np.sqrt(1 - order_share) * totals + np.sqrt(order_share) * order
    sessions = len(past.logged)
    # Sessions that buy: early ones and decisions; LATER_SHARE of the latter adds a session.
    buyers = sessions * (conversion - EARLY_SHARE) / (1 - LATER_SHARE * conversion)
    wanted = buyers / len(decisions.session)

    def auroc(scale: float) -> float:
        score = scale * explained + base
        intercept = _intercept(score + noise, wanted)
        return expected_auroc(score, logistic(intercept + score + noise))

    scale = round(_crossing(lambda x: auroc(x) - best_auroc, 0.0, 6.0), 9)
    intercept = round(_intercept(scale * explained + base + noise, wanted), 9)
    p0 = logistic(intercept + scale * explained + base + noise)
    return replace(
        model,
        intercept=intercept,
        scale=scale,
        reference=np.quantile(1 - p0, np.linspace(0, 1, REFERENCE_POINTS)),
        auroc=auroc(scale),
    )


def _crossing(f: Callable[[float], float], low: float, high: float) -> float:
    """Where the increasing `f` crosses zero (regula falsi, Illinois variant)."""
    at_low, at_high = f(low), f(high)
    for _ in range(60):
        x = (low * at_high - high * at_low) / (at_high - at_low)
        value = f(x)
        if abs(value) < 1e-7:
            break
        if value < 0:
            low, at_low, at_high = x, value, at_high / 2
        else:
            high, at_high, at_low = x, value, at_low / 2
    return x


def _standardise(decisions: Decisions, order_share: float) -> RiskModel:
    """z_totals and z_order with mean 0, variance 1 and no correlation on `decisions`."""
    sd = decisions.totals.std(axis=0)
    weight = np.array(list(TOTALS_WEIGHTS.values())) / np.where(sd > 0, sd, 1.0)
    totals_mean = decisions.totals.mean(axis=0)
    weight /= _dot(decisions.totals - totals_mean, weight).std()

    basis = _basis(decisions.totals)
    order_mean = decisions.order.mean(axis=0)
    centred = decisions.order - order_mean
    # Least squares may differ in the last bits with the number of threads; rounding hides that.
    coefficients = np.round(np.linalg.lstsq(basis, centred, rcond=None)[0], 9)
    residuals = centred - np.column_stack([_dot(basis, c) for c in coefficients.T])
    left = residuals.std(axis=0)
    order_weight = np.where(left > 1e-6, np.array(list(ORDER_WEIGHTS.values())), 0.0)
    order_weight /= np.where(left > 1e-6, left, 1.0)
    order_weight /= _dot(residuals, order_weight).std()
    return RiskModel(
        intercept=0.0,
        scale=1.0,
        totals_mean=totals_mean,
        totals_weight=weight,
        order_mean=order_mean,
        order_weight=order_weight,
        residual=_dot(coefficients, order_weight),
        reference=np.zeros(0),
        order_share=order_share,
        auroc=float("nan"),
    )


def _intercept(score: np.ndarray, wanted: float) -> float:
    """a such that the mean of logistic(a + score) is `wanted` (Newton's method)."""
    a = np.log(wanted / (1 - wanted)) - score.mean()
    for _ in range(50):
        p = logistic(a + score)
        step = (p.mean() - wanted) / (p * (1 - p)).mean()
        a -= step
        if abs(step) < 1e-10:
            break
    return float(a)


def expected_auroc(score: np.ndarray, probability: np.ndarray) -> float:
    """auROC of `score` expected over outcomes drawn with `probability`.

    Each pair of decisions counts with the chance that the first buys and the second does not;
    ties are taken as they stand in the sorted order, so scores should be continuous.
    """
    p = probability[np.argsort(score, kind="stable")]
    no = 1.0 - p
    below = np.cumsum(no) - no
    return float((p * below).sum() / (p.sum() * no.sum() - (p * no).sum()))
