"""From what a shop knows at each decision to who gets which coupon: frozen, then applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.ablation.budget import Cutoff, Ranked, apply_budget, choose_cutoff
from precmark.ablation.options import Option
from precmark.errors import InputError, Problem
from precmark.simulate import CATEGORIES, uniform
from precmark.simulate.catalogue import NAMES


@dataclass(frozen=True)
class Seen:
    """What policies may know of n decisions, and nothing that came later.

    Attributes
    ----------
    key : array of uint64, shape (n,)
        Names the decision in keyed draws (lots, random categories).
    user : array of int64, shape (n,)
    at_us : array of int64, shape (n,)
        Instant of the decision, microseconds since 1970 UTC.
    segment : array of int64, shape (n,)
    p_pooled, p_segment : array of float64, shape (n,)
        Calibrated chance of a purchase, by the pooled network and by the segment's.
    segment_risk : array of float64, shape (n,)
        Mean risk of the segment in training.
    affinity : array of float32, shape (n, 18)
        By the recommender, columns in the order of ``precmark.simulate.catalogue.NAMES``; rows sum
        to 1.
    """

    key: np.ndarray
    user: np.ndarray
    at_us: np.ndarray
    segment: np.ndarray
    p_pooled: np.ndarray
    p_segment: np.ndarray
    segment_risk: np.ndarray
    affinity: np.ndarray

    def __post_init__(self) -> None:
        problems = [
            Problem(f"{name}: {len(value)} rows, key has {len(self.key)}", "Give one a decision.")
            for name, value in vars(self).items()
            if len(value) != len(self.key)
        ]
        if self.affinity.ndim != 2 or self.affinity.shape[1] != CATEGORIES:
            what = f"affinity: shape {self.affinity.shape}"
            problems.append(Problem(what, f"Give a column for each of {CATEGORIES} categories."))
        if problems:
            raise InputError(problems)

    def __len__(self) -> int:
        return len(self.key)

    @property
    def recommended(self) -> np.ndarray:
        """The recommender's category, int8 (n,)."""
        return self.affinity.argmax(axis=1).astype(np.int8)

    @property
    def random_category(self) -> np.ndarray:
        """A category by lot, int8 (n,); the same for all policies."""
        drawn = uniform(0, 0, self.key, "random category") * CATEGORIES
        return np.floor(drawn).astype(np.int8)

    @property
    def lot(self) -> np.ndarray:
        """A lot for ties, in (0, 1); the same for all policies."""
        return uniform(0, 0, self.key, "lot")


@dataclass(frozen=True)
class Uplift:
    """What a learner of uplift says of n decisions.

    Attributes
    ----------
    category : array of int8, shape (n,)
        With the highest estimated effect.
    tau : array of float64, shape (n,)
        That effect on the chance of a purchase.
    """

    category: np.ndarray
    tau: np.ndarray


def score_of(option: Option, seen: Seen, uplift: Uplift | None = None) -> np.ndarray:
    """How much `option` wants to give each decision a coupon, float64 (n,).

    Risk where it has the network: of the segment's network with segments, of the pooled one
    without. Segments alone know the mean risk of each segment. Nothing: all alike, so that the lot
    decides. Estimated uplift: that.

    Raises
    ------
    InputError
        An uplift option without estimates; an oracle, which is no policy that a shop could follow.
    """
    if option.kind == "oracle":
        raise InputError(f"option {option.name} reads the truth; see precmark.ablation.oracle.")
    if option.kind == "uplift":
        if uplift is None:
            raise InputError(f"option {option.name} needs estimates of the uplift.")
        return uplift.tau
    if option.risk:
        return 1.0 - (seen.p_segment if option.segments else seen.p_pooled)
    return seen.segment_risk if option.segments else np.zeros(len(seen))


def category_of(option: Option, seen: Seen, uplift: Uplift | None = None) -> np.ndarray:
    """The category of the coupon that `option` would give at each decision, int8 (n,)."""
    if option.kind == "uplift":
        return uplift.category
    return seen.recommended if option.recommendation else seen.random_category


def ranked(option: Option, seen: Seen, uplift: Uplift | None = None) -> Ranked:
    """The decisions as `option` ranks them."""
    return Ranked(score_of(option, seen, uplift), seen.lot, seen.user, seen.at_us)


@dataclass(frozen=True)
class Prices:
    """What a coupon is forecast to cost, from the log up to the end of validation.

    Attributes
    ----------
    line_value : array of float64, shape (18,)
        Mean value of an order's lines of the category, given that it has some, yuan.
    share : array of float64, shape (18,)
        The category's share of all orders that hold it: how often a coupon of a random category
        meets the order.
    base_rate : float
        Share of decisions that end in a purchase.
    discount : float
        Off these lines, 0 to 1.
    """

    line_value: np.ndarray
    share: np.ndarray
    base_rate: float
    discount: float


def prices_of(events: pd.DataFrame, *, base_rate: float, discount: float) -> Prices:
    """What the purchases among `events` say of the cost of a coupon.

    Parameters
    ----------
    events : pandas.DataFrame
        ``event``, ``session_code``, ``category``, ``value`` of the log up to the end of validation.
    base_rate, discount : float

    Notes
    -----
    A category bought in fewer than 20 orders takes the mean of all.
    """
    bought = events[(events.event == "purchase") & events.value.notna()]
    if bought.empty:
        raise InputError("nobody bought before the end of validation, so no cost can be forecast.")
    lines = bought.groupby(["session_code", bought.category.astype(str)]).value.sum()
    by = lines.groupby(level=1)
    mean, orders = by.mean(), by.size()
    mean = mean.where(orders >= 20).reindex(list(NAMES)).fillna(float(lines.mean()))
    share = orders.reindex(list(NAMES)).fillna(0) / bought.session_code.nunique()
    return Prices(mean.to_numpy(float), share.to_numpy(float), base_rate, discount)


def forecast_cost(
    option: Option, seen: Seen, prices: Prices, uplift: Uplift | None = None
) -> np.ndarray:
    """The discount that `option` forecasts for a coupon at each decision, yuan, float64 (n,).

    A buyer redeems with the chance that the order is of the coupon's category: the recommender's
    affinity where the option has one, else the category's share of orders. A purchase has the
    chance that the option knows: its calibrated score, the mean of the segment, or the base rate;
    who is won over (estimated uplift) redeems always.

    Notes
    -----
    A forecast is not the truth. The recommender's affinity is to what is looked at now; where users
    redeem less often than that, options with the recommender spend less than they forecast, and
    where coupons win users over, all spend more. What was truly spent stands in the results.
    """
    category = category_of(option, seen, uplift)
    if option.recommendation:
        redeems = seen.affinity[np.arange(len(seen)), category].astype(float)
    else:
        redeems = prices.share[category]
    if option.risk:
        p = seen.p_segment if option.segments else seen.p_pooled
    else:
        p = 1 - seen.segment_risk if option.segments else np.full(len(seen), prices.base_rate)
    used = p * redeems
    if uplift is not None and option.kind == "uplift":
        used = used + np.clip(uplift.tau, 0.0, 1.0)
    return prices.discount * prices.line_value[category] * used


@dataclass(frozen=True)
class Frozen:
    """A policy after validation: nothing of it changes any more.

    Attributes
    ----------
    option : Option
    cutoff : Cutoff
    """

    option: Option
    cutoff: Cutoff

    def decide(self, seen: Seen, uplift: Uplift | None = None) -> np.ndarray:
        """The coupon of each decision as time goes by: category, or -1; int8 (n,)."""
        given = apply_budget(ranked(self.option, seen, uplift), self.cutoff)
        return np.where(given, category_of(self.option, seen, uplift), -1).astype(np.int8)


def freeze(
    option: Option,
    validation: Seen,
    *,
    coupons: float | None = None,
    spend: float | None = None,
    prices: Prices | None = None,
    uplift: Uplift | None = None,
) -> Frozen:
    """`option` with the cut-off that spends its budget on the validation decisions.

    Parameters
    ----------
    option : Option
    validation : Seen
    coupons : float, optional
        Coupons on the validation decisions; or
    spend : float, optional
        forecast discount on them, yuan, which needs `prices`.
    prices : Prices, optional
    uplift : Uplift, optional
        Of the validation decisions.
    """
    if (coupons is None) == (spend is None):
        raise InputError("give a budget of coupons or of discount, one of them.")
    order = ranked(option, validation, uplift)
    if coupons is not None:
        return Frozen(option, choose_cutoff(order, coupons))
    cost = forecast_cost(option, validation, prices, uplift)
    return Frozen(option, choose_cutoff(order, spend, cost=cost))


def reference_spend(option: Option, validation: Seen, coupons: float, prices: Prices) -> float:
    """The discount that `option` forecasts for `coupons` coupons on the validation decisions."""
    given = freeze(option, validation, coupons=coupons).decide(validation) >= 0
    return float(forecast_cost(option, validation, prices)[given].sum())


def decide_all(
    frozen: Mapping[str, Frozen], seen: Seen, uplift: Mapping[str, Uplift] | None = None
) -> dict[str, np.ndarray]:
    """The coupons of each of several frozen policies, by name."""
    uplift = uplift or {}
    return {name: policy.decide(seen, uplift.get(name)) for name, policy in frozen.items()}
