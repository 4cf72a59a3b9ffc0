"""The segment of each decision's user, from the profile as it stood before the decision.

The segments of chapter 03 know the whole log. A model that is trained in them would learn from
tomorrow: who bought after the decision sits in the buyers' segment. So the map is fitted on the
profile as of the end of the training part, and each decision is placed by the latest profile that
was taken before it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.churn.processes import in_processes
from precmark.errors import InputError

if TYPE_CHECKING:
    from precmark.runs import Run
    from precmark.segments import SomSegments
    from precmark.sequences import Sequences

NO_PROFILE = 0
"""Segment of a decision whose user had no event before the latest profile was taken."""


def snapshot_days(timestamp: pd.Series, timezone: str, every_days: int = 30) -> list[str]:
    """The local days on which profiles are taken, so that each decision has one before it.

    Parameters
    ----------
    timestamp : pandas.Series of datetime, UTC
        Times of the decisions.
    timezone : str
        IANA name of the store's clock.
    every_days : int
        Days between two profiles, at least 1.

    Returns
    -------
    list of str
        ISO days; the first is the day of the first decision.
    """
    if every_days < 1:
        raise InputError(f"every_days is {every_days}: take a profile every 1 day or more.")
    # Dates first: some clocks skip midnight on the day that summer time begins.
    local = timestamp.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
    days = pd.date_range(local.min(), local.max(), freq=f"{every_days}D")
    return [str(day.date()) for day in days]


def fitted_map(run: Run, *, fit_on: str, n_segments: int, seed: int = 0) -> SomSegments:
    """The map of chapter 03 cut into `n_segments`, fitted on the profile as of day `fit_on`."""
    from precmark.segments import SomSegments
    from precmark.segments.past import past_profile

    return SomSegments(n_segments=n_segments, seed=seed).fit(past_profile(run, fit_on))


def place(
    run: Run, decisions: pd.DataFrame, fitted: SomSegments, *, days: list[str], n_jobs: int = 2
) -> np.ndarray:
    """Segment of each decision by a `fitted` map, be it of another log than `run`'s.

    Parameters
    ----------
    run : Run
        The log of the decisions, with sessions.
    decisions : pandas.DataFrame
        ``user_code`` and ``timestamp`` of the n decisions.
    fitted : SomSegments
        See :func:`fitted_map`.
    days : list of str
        ISO days on which profiles are taken (see :func:`snapshot_days`), ascending.
    n_jobs : int
        Processes that build profiles at the same time.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
        From 1; :data:`NO_PROFILE` where the user had no profile yet.

    Notes
    -----
    Cost: one profile of all users a day in `days` (chapter 02's cost each).
    """
    from precmark.engine import day_start_us

    starts = [day_start_us(dt.date.fromisoformat(day), run.source.timezone) for day in days]
    latest = np.searchsorted(starts, _micros(decisions), side="right") - 1
    codes = decisions.user_code.to_numpy()
    rows = [np.flatnonzero(latest == number) for number in range(len(days))]
    tasks = [(run, day, fitted, np.unique(codes[r])) for day, r in zip(days, rows, strict=True)]
    taken = in_processes(_placed, tasks, min(n_jobs, len(days)))
    out = np.full(len(decisions), NO_PROFILE, dtype=np.int64)
    for mine, placed in zip(rows, taken, strict=True):
        out[mine] = placed.reindex(codes[mine]).fillna(NO_PROFILE).astype("int64")
    return out


def _placed(run: Run, day: str, fitted: SomSegments, users: np.ndarray) -> pd.Series:
    """Segment by user_code of `users`, by profiles as of `day`; empty where nobody is known.

    The ages that are believed are a matter of all users, so a map that knows ages reads them all.
    """
    from precmark.segments.past import past_profile

    everybody = "age" in fitted.state_.space.names
    try:
        profile = past_profile(run, day, users=None if everybody else users)
    except InputError:
        return pd.Series(dtype="int64")
    if profile.empty:
        return pd.Series(dtype="int64")
    return pd.Series(np.asarray(fitted.predict(profile)), index=profile.user_code.to_numpy())


def training_end(sequences: Sequences, timezone: str) -> str:
    """The local day, ISO, of the last training decision: its midnight is the end of training."""
    train = sequences.decisions.timestamp[(sequences.decisions.split == "train").to_numpy()]
    # Midnight before the last training decision: nothing later than training saw.
    return str(train.max().tz_convert(timezone).date())


def map_code() -> str:
    """A digest of the code that makes profiles, maps and places."""
    package = Path(__file__).resolve().parents[1]
    folders = [package / name for name in ("profiles", "segments")]
    modules = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    digest = hashlib.sha256()
    for path in (*modules, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _micros(decisions: pd.DataFrame) -> np.ndarray:
    return pd.DatetimeIndex(decisions.timestamp).as_unit("us").asi8
