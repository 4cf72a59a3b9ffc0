"""Where each user stands in the life of a customer, as of a date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError

LABELS = ("new", "active", "declining", "lapsed")
"""Every user has exactly one."""


@dataclass(frozen=True)
class LifecycleRules:
    """The rules, in the order in which they are asked; the first that holds decides.

    Attributes
    ----------
    recent_days : float
        ``new``: the first visit lies within these last days.
    lapse_days : float
        ``lapsed``: the last visit lies before these last days, or there is none; longer than
        `recent_days`.
    decline : float
        ``declining``: fewer visiting days in the recent days than this share of what the earlier
        part of the lapse window would give; else ``active``. In (0, 1].
    """

    recent_days: float = 30.0
    lapse_days: float = 90.0
    decline: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.recent_days < self.lapse_days or not 0 < self.decline <= 1:
            raise InputError(
                f"lifecycle rules {self}: want 0 < recent_days < lapse_days and 0 < decline <= 1."
            )

    def sentences(self) -> dict[str, str]:
        """Each label's rule in words, in the order in which they are asked."""
        return {
            "new": f"first visit in the last {self.recent_days:g} days",
            "lapsed": f"no visit in the last {self.lapse_days:g} days",
            "declining": (
                f"visiting days of the last {self.recent_days:g} days below {self.decline:.0%} of "
                f"their own rate over the {self.lapse_days - self.recent_days:g} days before"
            ),
            "active": "everyone else",
        }


def usual_gap(visits: pd.DataFrame, *, as_of: pd.Timestamp, quantile: float = 0.9) -> float:
    """Days between visiting days that `quantile` of all returns before `as_of` kept within.

    A yardstick for `lapse_days`; nan where nobody came twice. Only returns that happened count,
    so it is too short for a log that is short itself.
    """
    days = _visiting_days(visits, as_of).drop_duplicates(["user_code", "day"])
    gaps = days.groupby("user_code").day.diff().dropna()
    return float(gaps.quantile(quantile)) if len(gaps) else float("nan")


def lifecycle(
    visits: pd.DataFrame,
    user_codes: pd.Series | np.ndarray,
    *,
    as_of: pd.Timestamp,
    rules: LifecycleRules | None = None,
) -> pd.DataFrame:
    """The lifecycle label of each of `user_codes` as of `as_of`.

    Parameters
    ----------
    visits : pandas.DataFrame
        ``user_code`` and ``start`` (UTC), one row a visit; visits at or after `as_of` are not read.
    user_codes : array of int
        Whom to label, each once.
    as_of : pandas.Timestamp
        With a zone.
    rules : LifecycleRules, optional

    Returns
    -------
    pandas.DataFrame
        One row a user in the order given: ``user_code``; ``first_days``, ``last_days`` (days from
        the first and last visit to `as_of`, missing without a visit); ``recent``, ``earlier``
        (visiting days in the recent days and in the rest of the lapse window); ``lifecycle``.
    """
    rules = rules or LifecycleRules()
    codes = pd.Index(np.asarray(user_codes), name="user_code")
    days = _visiting_days(visits, as_of)
    recent = days.ago <= rules.recent_days
    earlier = ~recent & (days.ago <= rules.lapse_days)
    out = pd.DataFrame(index=codes)
    grouped = days.groupby("user_code").ago
    out["first_days"] = grouped.max().reindex(codes)
    out["last_days"] = grouped.min().reindex(codes)
    for name, chosen in (("recent", recent), ("earlier", earlier)):
        counts = days[chosen].drop_duplicates(["user_code", "day"]).user_code.value_counts()
        out[name] = counts.reindex(codes, fill_value=0).astype("int64")
    expected = out.earlier * rules.recent_days / (rules.lapse_days - rules.recent_days)
    conditions = [
        out.first_days <= rules.recent_days,
        ~(out.last_days <= rules.lapse_days),
        out.recent < rules.decline * expected,
    ]
    labels = np.select(conditions, ["new", "lapsed", "declining"], default="active")
    out["lifecycle"] = pd.array(labels, dtype="str")
    return out.reset_index()


def _visiting_days(visits: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Visits before `as_of`: user_code, ago (days to `as_of`), day (whole 24-hour days ago)."""
    if as_of.tzinfo is None:
        raise InputError(f"as_of {as_of} has no zone. Write it as in 2025-07-01T00:00:00Z.")
    start = pd.to_datetime(visits["start"], utc=True)
    ago = (as_of - start).dt.total_seconds() / 86_400
    days = pd.DataFrame({"user_code": visits["user_code"].to_numpy(), "ago": ago.to_numpy()})
    days = days[days.ago > 0].copy()
    # day d holds the visits in [as_of - d, as_of - d + 1)
    days["day"] = -np.ceil(days.ago)
    return days.sort_values(["user_code", "day"], ignore_index=True)
