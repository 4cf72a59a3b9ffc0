"""Names for segments, from the features that set them apart, with the numbers behind."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from precmark.segments.features import FeatureSpace, family

EVERYONE = "All users"
"""Name of a segment that nobody is outside of."""

ORDINARY = "Ordinary users"
"""Name of a segment that no feature sets apart."""


@dataclass(frozen=True)
class Personas:
    """Segments with names.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a segment: ``segment``, ``persona`` (unique), ``users``, ``share`` (0 to 1).
    traits : pandas.DataFrame
        One row a segment and feature, ordered by distance: ``segment``, ``feature``, ``theme``,
        ``difference`` (standardised mean difference from all other users), ``mean_in``,
        ``mean_rest`` (means of the feature in its own unit), ``rank`` (1 the most telling).
    """

    table: pd.DataFrame
    traits: pd.DataFrame


@cache
def _words() -> tuple[tuple[re.Pattern[str], dict], ...]:
    entries = tomllib.loads((Path(__file__).parent / "words.toml").read_text())["word"]
    return tuple((re.compile(e["pattern"]), e) for e in entries)


def words_for(feature: str, high: bool) -> tuple[str, str, str]:
    """Theme, noun and adjective for users far above (`high`) or below the others on `feature`."""
    for pattern, entry in _words():
        if pattern.search(feature):
            noun, adjective = entry["high" if high else "low"]
            return entry["theme"], noun, adjective
    plain = re.sub(r"_+", " ", feature).strip()
    return (
        plain,
        f"users with {'much' if high else 'little'} {plain}",
        f"{'high' if high else 'low'}-{plain}",
    )


def mean_differences(points: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Standardised mean difference of each segment from all other users, segments by features.

    The difference of the two means over the standard deviation among all users; 0 where a feature
    does not vary or there are no other users.
    """
    segments = np.unique(labels)
    out = np.zeros((len(segments), points.shape[1]))
    spread = points.std(axis=0)
    for i, segment in enumerate(segments):
        inside = labels == segment
        if inside.all():
            continue
        gap = points[inside].mean(axis=0) - points[~inside].mean(axis=0)
        out[i] = np.where(spread > 1e-9, gap / np.maximum(spread, 1e-9), 0.0)
    return pd.DataFrame(out, index=pd.Index(segments, name="segment"))


def personas(
    profile: pd.DataFrame, labels: np.ndarray, space: FeatureSpace, *, least: float = 0.2
) -> Personas:
    """Name each segment of `labels` by what sets it apart in `space`.

    The noun comes from the feature with the largest absolute standardised mean difference, the
    adjective from the next of another theme; where a name is taken, further themes are added
    until it is unique. Larger segments choose first. Same input, same names.

    Parameters
    ----------
    profile : pandas.DataFrame
        One row a user, with the features of `space`.
    labels : numpy.ndarray
        Segment of each row.
    space : FeatureSpace
    least : float
        Differences smaller than this are not named; standard deviations.

    Returns
    -------
    Personas
    """
    labels = np.asarray(labels)
    traits = _traits(profile, labels, space)
    segments, counts = np.unique(labels, return_counts=True)
    taken: dict[object, str] = {}
    for i in np.lexsort((np.arange(len(segments)), -counts)):
        told = traits[(traits.segment == segments[i]) & (traits.difference.abs() >= least)]
        name = EVERYONE if len(segments) == 1 else _name(told, set(taken.values()))
        taken[segments[i]] = name
    table = pd.DataFrame(
        {
            "segment": segments,
            "persona": [taken[s] for s in segments],
            "users": counts,
            "share": counts / len(labels),
        }
    )
    return Personas(table, traits)


def telling_features(found: Personas, most: int = 8) -> list[str]:
    """The features that part the segments most, one of each count whatever its window.

    Ranked by the mean square of the differences, weighted by the segments' users.
    """
    weighted = found.traits.merge(found.table, on="segment")
    weighted["told"] = weighted.share * weighted.difference**2
    told = weighted.groupby("feature", sort=False).told.sum().round(9)
    order = told.sort_values(ascending=False, kind="stable").index
    first = pd.Series(order, index=[family(f) for f in order])
    return first[~first.index.duplicated()].head(most).tolist()


def _traits(profile: pd.DataFrame, labels: np.ndarray, space: FeatureSpace) -> pd.DataFrame:
    differences = mean_differences(space.transform(profile), labels)
    raw = profile[list(space.names)].apply(pd.to_numeric).astype(float)
    rows = []
    for segment, row in differences.iterrows():
        inside = labels == segment
        mean_in, mean_rest = raw[inside].mean(), raw[~inside].mean()
        # rounded for the order only: equal differences must rank the same on every machine
        order = np.lexsort((np.arange(len(row)), -np.abs(row.to_numpy()).round(9)))
        for rank, j in enumerate(order, 1):
            feature = space.names[j]
            theme = words_for(feature, row.iloc[j] > 0)[0]
            rows.append(
                (segment, feature, theme, row.iloc[j], mean_in[feature], mean_rest[feature], rank)
            )
    columns = ["segment", "feature", "theme", "difference", "mean_in", "mean_rest", "rank"]
    return pd.DataFrame(rows, columns=columns)


def _name(traits: pd.DataFrame, taken: set[str]) -> str:
    """The shortest unused name that the leading traits, one a theme, can make."""
    leading = traits.drop_duplicates("theme")
    words = [words_for(t.feature, t.difference > 0)[1:] for t in leading.itertuples()]
    adjectives = [adjective for _, adjective in words[1:]]
    for count in range(min(1, len(adjectives)), len(adjectives) + 1):
        name = _capital(f"{', '.join(adjectives[:count])} {words[0][0]}".strip()) if words else ""
        if name and name not in taken:
            return name
    base = _capital(words[0][0]) if words else ORDINARY
    number = 1
    while (name := base if number == 1 else f"{base} {number}") in taken:
        number += 1
    return name


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
