"""From the wide profile to the space in which users are near or far (chapter 03)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.segments.state import remembered

NOT_FEATURES = ("user_id", "user_code", "as_of", "row")
"""Columns of a profile that name a user or a date."""


_CUT = re.compile(r"_(?:\d+d?|prev|night|morning|afternoon|evening|saturday|sunday|workday)(?=_|$)")


@remembered
@dataclass(frozen=True)
class FeatureSpace:
    """Standardised profile features, with all that is needed to place a new user.

    Attributes
    ----------
    names : tuple of str
        The profile columns kept, in the profile's order.
    logged : numpy.ndarray
        Whether the column's signed logarithm is used, bool, one a name.
    fill : numpy.ndarray
        What stands for a missing value, in the column's own unit.
    mean, sd : numpy.ndarray
        Of the (logged) column over the users fitted.
    clip : float
        Standardised values beyond this many standard deviations are drawn in to it.
    weight : numpy.ndarray
        Factor of each column: one over the root of how many columns of the same count are kept
        (other windows, parts of the day, days of the week), so that a count weighs as one feature
        however finely it is cut.
    dropped : tuple of tuple
        (column, why) for each numeric column left out.
    """

    names: tuple[str, ...]
    logged: np.ndarray
    fill: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    clip: float
    weight: np.ndarray
    dropped: tuple[tuple[str, str], ...]

    def transform(self, profile: pd.DataFrame) -> np.ndarray:
        """The users of `profile` as points, n by number of names, float64.

        In standard deviations among the users fitted, times `weight`.

        Raises
        ------
        InputError
            When `profile` lacks a column that was fitted.
        """
        missing = [n for n in self.names if n not in profile]
        if missing:
            raise InputError(
                f"the profile lacks {', '.join(missing)}, which the segments were fitted on. "
                "Make the profile with the same source and windows, or fit again."
            )
        values = _matrix(profile, self.names)
        values = np.where(np.isnan(values), self.fill, values)
        values = np.where(self.logged, signed_log(values), values)
        return self.weight * np.clip((values - self.mean) / self.sd, -self.clip, self.clip)


def signed_log(values: np.ndarray) -> np.ndarray:
    """sign(x) log(1 + abs(x)): the logarithm for counts and money, taken below zero too."""
    return np.sign(values) * np.log1p(np.abs(values))


def family(name: str) -> str:
    """`name` without window or time of day: ``views_30``, ``views_night_7`` are of ``views``."""
    return _CUT.sub("", name)


def _weights(names: Sequence[str]) -> np.ndarray:
    families = [family(n) for n in names]
    return np.array([1 / np.sqrt(families.count(f)) for f in families])


def _matrix(profile: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    columns = [pd.to_numeric(profile[n]).to_numpy(dtype=float, na_value=np.nan) for n in names]
    matrix = np.column_stack(columns) if columns else np.empty((len(profile), 0))
    return np.where(np.isfinite(matrix), matrix, np.nan)


def _skew(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    return np.abs((centred**3).mean(axis=0)) / np.where(spread > 0, spread, 1) ** 3


def _fill_values(matrix: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Longest time seen for what never happened (``*recency*``, ``days_since*``), else median."""
    fill = np.zeros(len(names))
    for j, name in enumerate(names):
        known = matrix[~np.isnan(matrix[:, j]), j]
        if len(known):
            never = "recency" in name or name.startswith("days_since")
            fill[j] = known.max() if never else np.median(known)
    return fill


def _rare_or_constant(matrix: np.ndarray, min_share: float) -> list[str]:
    """Why each column cannot tell users apart; empty text where it can."""
    why = []
    for column in matrix.T:
        values, counts = np.unique(column, return_counts=True)
        if len(values) == 1:
            why.append("the same for all")
        elif 1 - counts.max() / len(column) < min_share:
            why.append(f"the same for all but {1 - counts.max() / len(column):.1%} of users")
        else:
            why.append("")
    return why


def _repeats(points: np.ndarray, names: Sequence[str], limit: float) -> dict[int, str]:
    """Columns whose correlation with an earlier kept column exceeds `limit`, and which that is."""
    correlation = np.abs(points.T @ points) / len(points)
    kept: list[int] = []
    out: dict[int, str] = {}
    for j in range(len(names)):
        twin = next((i for i in kept if correlation[i, j] > limit), None)
        if twin is None:
            kept.append(j)
        else:
            out[j] = f"moves with {names[twin]} (correlation {correlation[twin, j]:.3f})"
    return out


def numeric_columns(profile: pd.DataFrame, leave_out: Sequence[str] = ()) -> list[str]:
    """Names of the numeric and flag columns of `profile`, without ids and `leave_out`."""
    skip = {*NOT_FEATURES, *leave_out}
    return [
        c for c in profile.columns if c not in skip and pd.api.types.is_numeric_dtype(profile[c])
    ]


def fit_space(
    profile: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    min_share: float = 0.01,
    max_correlation: float = 0.95,
    min_coverage: float = 0.5,
    clip: float = 4.0,
) -> FeatureSpace:
    """The space of `profile`'s numeric features: logged where that helps, standardised, no twins.

    A column is left out when fewer than `min_coverage` of the users have it, when fewer than
    `min_share` of the users differ from the commonest value (one user in ten thousand would
    otherwise stand a hundred standard deviations away), or when it moves with an earlier column
    (which would count it twice); what cuts of one count remain share one weight. A signed
    logarithm replaces a column where it is less skewed than the column itself.

    Parameters
    ----------
    profile : pandas.DataFrame
        One row a user.
    columns : sequence of str, optional
        The features to start from; by default every numeric and flag column but ids.
    min_share : float
        In [0, 1).
    max_correlation : float
        In (0, 1]; 1 keeps all.
    min_coverage : float
        In [0, 1].
    clip : float
        Standard deviations, > 0.

    Returns
    -------
    FeatureSpace
        With one all-zero feature where all users are alike.

    Raises
    ------
    InputError
        When `profile` has no users, no numeric column, or lacks one of `columns`.
    """
    names = _checked_columns(profile, columns)
    matrix = _matrix(profile, names)
    covered = (~np.isnan(matrix)).mean(axis=0)
    fill = _fill_values(matrix, names)
    matrix = np.where(np.isnan(matrix), fill, matrix)
    why = _rare_or_constant(matrix, min_share)
    why = [
        f"known for {share:.0%} of users" if share < min_coverage else reason
        for share, reason in zip(covered, why, strict=True)
    ]
    logged = _skew(signed_log(matrix)) < _skew(matrix)
    matrix = np.where(logged, signed_log(matrix), matrix)
    mean, sd = matrix.mean(axis=0), matrix.std(axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    alive = [j for j, reason in enumerate(why) if not reason]
    twins = _repeats(((matrix - mean) / sd)[:, alive], [names[j] for j in alive], max_correlation)
    for position, reason in twins.items():
        why[alive[position]] = reason
    keep = [j for j, reason in enumerate(why) if not reason] or [int(covered.argmax())]
    return FeatureSpace(
        names=tuple(names[j] for j in keep),
        logged=logged[keep],
        fill=fill[keep],
        mean=mean[keep],
        sd=sd[keep],
        clip=float(clip),
        weight=_weights([names[j] for j in keep]),
        dropped=tuple((names[j], r) for j, r in enumerate(why) if r and j not in keep),
    )


def _checked_columns(profile: pd.DataFrame, columns: Sequence[str] | None) -> list[str]:
    if profile.empty:
        raise InputError("the profile has no users, so there is nothing to tell apart.")
    names = numeric_columns(profile) if columns is None else list(columns)
    missing = [n for n in names if n not in profile]
    if missing:
        raise InputError(
            f"the profile lacks {', '.join(missing)}. Its numeric columns are "
            f"{', '.join(numeric_columns(profile)) or 'none'}."
        )
    if not names:
        raise InputError(
            "the profile has no numeric column, so users cannot be told apart. "
            "Make it with precmark.profiles, or name columns that hold numbers."
        )
    return names
