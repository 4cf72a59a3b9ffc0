"""The a of equation 11, chosen on validation data, and its whole curve with intervals."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.recommend.measures import K, judge, resampled
from precmark.recommend.occasions import Occasions, at_click, in_period
from precmark.recommend.shop import WEIGHTS, histories_of, interactions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from precmark.recommend.hybrid import HybridRecommender

GRID = tuple(round(0.1 * i, 1) for i in range(11))
"""The values of a that validation weighs."""

JUDGE = "nDCG"
"""The metric at 10 that chooses."""

HELD_BACK = 0.2
"""Share of the interactions that serves for the choice where no validation data is given."""


def choose_alpha(
    model: HybridRecommender,
    events: pd.DataFrame,
    items: pd.DataFrame,
    validation: pd.DataFrame | Occasions | None,
) -> tuple[float, pd.DataFrame | None]:
    """The a with the highest :data:`JUDGE` on validation data, and the curve.

    Parameters as in :meth:`HybridRecommender.fit`; `model` is fitted on `events`. Where nothing
    was wanted of a user of whom an item is known, there is nothing to choose by: a is 0.5 and the
    curve None. Of equal values the lower a, nearer to content, is taken.
    """
    if validation is None:
        known = interactions(events).timestamp
        border = known.quantile(1 - HELD_BACK, interpolation="nearest")
        early = events[events.timestamp < border]
        asked = occasions_of(events, border)
        touched = early.event.isin(list(WEIGHTS)) & early.item_id.notna()
        if not len(asked) or not touched.any():
            return 0.5, None
        fitted = copy.copy(model)
        fitted.alpha = 0.5
        model = fitted.fit(early, items)
    elif isinstance(validation, Occasions):
        asked = validation
    else:
        start = validation.timestamp.min()
        asked = occasions_of(pd.concat([events, validation], ignore_index=True), start)
    curve = alpha_curve(model, asked)
    if curve is None:
        return 0.5, None
    judged = curve[curve.metric == JUDGE]
    return float(judged.alpha.iloc[int(judged.value.to_numpy().argmax())]), curve


def occasions_of(events: pd.DataFrame, start: pd.Timestamp) -> Occasions:
    """The occasions from `start` on that `events` can tell of.

    At the third click of a session where `events` has sessions with clicks, else from `start` on;
    what is wanted are purchases, or views where nobody buys.
    """
    wanted = "purchase" if (events.event == "purchase").any() else "view"
    clicks = {"session_code", "position"} <= set(events) and (events.event == "view").any()
    return (at_click if clicks else in_period)(events, start, wanted=wanted)


def alpha_curve(
    model: HybridRecommender,
    occasions: Occasions,
    grid: Sequence[float] = GRID,
    *,
    draws: int = 500,
    seed: int = 0,
) -> pd.DataFrame | None:
    """:data:`JUDGE` and hit rate at 10 for each a of `grid`, of users of whom an item is known.

    Returns
    -------
    pandas.DataFrame or None
        ``alpha``, ``metric``, ``value``, ``low``, ``high`` (95 % over people), ``occasions``. None
        without any such user.
    """
    each: dict[str, dict[str, np.ndarray]] = {metric: {} for metric in (JUDGE, "hit rate")}
    people = None
    known = histories_of(
        occasions.history, model.shop_, occasions.users.user_code, half_life=model.half_life
    )
    warm = known.users[~known.cold]
    targets = occasions.targets[occasions.targets.user_code.isin(warm)]
    if targets.empty:
        return None
    for alpha, lists in model.lists_by_alpha(known.of(warm), grid, K):
        judged = judge(lists, targets, occasions.users, model.shop_).each
        people = judged.person.to_numpy()
        for metric in each:
            each[metric][f"{alpha:g}"] = judged[metric].to_numpy()
    tables = []
    for metric, series in each.items():
        found = resampled(series, people, draws=draws, seed=seed).table()
        found = found.rename(columns={"name": "alpha"}).astype({"alpha": float})
        tables.append(found.assign(metric=metric, occasions=len(people)))
    columns = ["alpha", "metric", "value", "low", "high", "occasions"]
    return pd.concat(tables, ignore_index=True)[columns]
