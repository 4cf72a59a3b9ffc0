"""Segments of decisions by one map, frozen at the end of training, for a run and its futures."""

from __future__ import annotations

import hashlib
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.churn.segments_at import fitted_map, map_code, place, snapshot_days, training_end
from precmark.runs import Run
from precmark.sequences import Sequences
from precmark.tables import read_table, write_table

if TYPE_CHECKING:
    from precmark.segments import SomSegments


class Places:
    """The frozen map of the run's users, by which decisions of any of its stores are placed.

    The map is chapter 03's, fitted on the run's profiles as of the end of its training part; every
    decision is placed by the latest profile of its user that was taken before it
    (:mod:`precmark.churn.segments_at`). What was placed is kept beside the tables of its store.

    Parameters
    ----------
    run : Run
        With chapter 03's results.
    learnt : Sequences
        Of `run`.
    every_days : int
        Days between two profiles.
    seed, n_jobs : int
        Seed of the map; profiles made at the same time.
    """

    def __init__(
        self, run: Run, learnt: Sequences, *, every_days: int = 30, seed: int = 0, n_jobs: int = 2
    ):
        from precmark.segments import SomSegments

        run.need("segments/segments")
        self.run = run
        self.every_days = every_days
        self.seed = seed
        self.n_jobs = n_jobs
        self.n_segments = SomSegments.load(run.results / "segments" / "map.json").n_segments
        self.fit_on = training_end(learnt, run.source.timezone)
        asked = (*_data(run), self.n_segments, self.fit_on, seed, map_code())
        self.asked = hashlib.sha256("\0".join(map(str, asked)).encode()).hexdigest()[:12]
        self._map = None

    def changed(self, *, n_jobs: int, every_days: int) -> Places:
        """The same map, with profiles `every_days` apart, made by `n_jobs` processes."""
        same = copy(self)
        same.n_jobs, same.every_days = n_jobs, every_days
        return same

    @property
    def fitted(self) -> SomSegments:
        """The map; fitted at first use, then kept."""
        from precmark.segments import SomSegments

        path = self.run.path / "cache" / "places" / f"map-{self.asked}.json"
        if self._map is None and path.exists():
            self._map = SomSegments.load(path)
        if self._map is None:
            self._map = fitted_map(
                self.run, fit_on=self.fit_on, n_segments=self.n_segments, seed=self.seed
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            self._map.save(path)
        return self._map

    def segments(self, run: Run, sequences: Sequences) -> np.ndarray:
        """Segment of each decision of `sequences`, of `run` or a store of its own; int64 (n,).

        Customers are placed at their origins, sessions by the profiles taken before them.
        """
        decisions, zone = sequences.decisions, run.source.timezone
        if sequences.task.unit == "customer":
            days = [str(t.tz_convert(zone).date()) for t in sorted(decisions.timestamp.unique())]
        else:
            days = snapshot_days(decisions.timestamp, zone, self.every_days)
        who = pd.util.hash_pandas_object(decisions[["user_code", "timestamp"]], index=False)
        asked = (self.asked, *days, *_data(run), who.to_numpy().tobytes().hex())
        digest = hashlib.sha256("\0".join(map(str, asked)).encode()).hexdigest()[:12]
        path = run.path / "cache" / "places" / f"segments-{digest}.parquet"
        if path.exists():
            return read_table(path).segment.to_numpy()
        found = place(run, decisions, self.fitted, days=days, n_jobs=self.n_jobs)
        write_table(pd.DataFrame({"segment": found}), path)
        return found


def _data(run: Run) -> tuple[str, str]:
    """What tells the tables of `run` from others: its log, and the rules that made sessions."""
    return run.card["fingerprint"], run.card.get("signature", "")


def segments_of(
    run: Run, sequences: Sequences, *, every_days: int = 30, seed: int = 0, n_jobs: int = 2
) -> np.ndarray:
    """The segment of each of `sequences` of `run`: :meth:`Places.segments` of the run itself."""
    places = Places(run, sequences, every_days=every_days, seed=seed, n_jobs=n_jobs)
    return places.segments(run, sequences)
