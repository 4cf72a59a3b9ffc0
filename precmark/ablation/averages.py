"""One option less another over several futures and trainings, with an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.ablation.future import future_store
from precmark.ablation.outcomes import replicate
from precmark.ablation.play import frozen_policies
from precmark.ablation.scenes import scene_of, trained_on
from precmark.ablation.tables import EQUAL_COUPONS
from precmark.ablation.worlds import World
from precmark.churn.places import Places
from precmark.errors import InputError
from precmark.sequences import read_sequences

if TYPE_CHECKING:
    from precmark.runs import Run


def averaged_difference(
    replications: pd.DataFrame,
    first: str = "4",
    second: str = "3",
    *,
    measure: str = "incremental_per_coupon",
    draws: int = 2_000,
    seed: int = 0,
) -> pd.DataFrame:
    """`first` less `second`, mean over stores and trainings, with what their luck leaves open.

    Parameters
    ----------
    replications : pandas.DataFrame
        ``world``, ``policy``, ``store``, ``training_seed``, ``replication`` and `measure`, every
        store with every training and replication.
    first, second : str
        Policies.
    measure : str
        A column of :class:`precmark.ablation.Row`.
    draws : int
        Bootstrap draws, 1 or more.
    seed : int

    Returns
    -------
    pandas.DataFrame
        A row a world: ``world``, ``difference``, ``low``, ``high`` (2.5 and 97.5 %), ``half_width``
        (of the interval), ``stores``, ``trainings``, ``replications``.

    Raises
    ------
    InputError
        A policy that is not there.

    Notes
    -----
    Each draw takes stores and trainings with replacement and one replication for each store, since
    all of them are accidents that another study would not share (a bootstrap over crossed factors:
    Owen 2007, doi 10.1214/07-AOAS122).
    """
    absent = {first, second} - set(replications.policy)
    if absent:
        raise InputError(f"replications lack policy {', '.join(sorted(absent))}.")
    rng = np.random.default_rng(seed)
    rows = []
    for world, mine in replications.groupby("world", sort=False):
        keys = ["store", "training_seed", "replication"]
        wide = mine.pivot(index=keys, columns="policy", values=measure).sort_index()
        shape = tuple(len(level) for level in wide.index.levels)
        difference = (wide[first] - wide[second]).to_numpy().reshape(shape)
        stores, trainings, times = shape
        store = rng.integers(stores, size=(draws, stores, 1))
        training = rng.integers(trainings, size=(draws, 1, trainings))
        when = rng.integers(times, size=(draws, stores, 1))
        means = difference[store, training, when].mean(axis=(1, 2))
        low, high = np.quantile(means, [0.025, 0.975])
        rows.append(
            {
                "world": world, "difference": difference.mean(), "low": low, "high": high,
                "half_width": (high - low) / 2, "stores": stores, "trainings": trainings,
                "replications": times,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def replicated(
    run: Run,
    names: tuple[str, ...] = ("3", "4"),
    *,
    world: str = "persuadable_risk",
    stores: int = 5,
    seeds: int = 3,
    decisions: int = 100_000,
    replications: int = 200,
    epochs: int = 30,
    every_days: int = 30,
    n_jobs: int = 2,
) -> pd.DataFrame:
    """What a few policies by risk or lot come to over several futures and trainings of `run`.

    The part of :func:`precmark.ablation.study.study` that :func:`averaged_difference` needs: one
    world, equal numbers of coupons. Networks and futures that were kept are used again.

    Parameters
    ----------
    run, stores, seeds, decisions, replications, epochs, every_days, n_jobs
        See :func:`precmark.ablation.study.study`.
    names : tuple of str
        Policies.
    world : str

    Returns
    -------
    pandas.DataFrame
        As :func:`precmark.ablation.replicate`, with ``store`` and ``training_seed``.
    """
    learnt = read_sequences(run)
    places = Places(run, learnt, every_days=every_days, n_jobs=n_jobs)
    taught = [
        trained_on(
            run, learnt, places.segments(run, learnt), uplift=False, epochs=epochs, seed=number,
            n_jobs=n_jobs, keep=run.path / "cache" / "ablation",
        )
        for number in range(seeds)
    ]  # fmt: skip
    parts = []
    for number in range(stores):
        store = future_store(run, decisions=decisions, seed=number)
        segments = places.segments(store.run, store.sequences)
        for trained in taught:
            scene = scene_of(trained, store, segments, n_jobs=n_jobs)
            coupons, _ = frozen_policies(scene, names, budgets=(EQUAL_COUPONS,))
            given = {name: coupons[EQUAL_COUPONS, name] for name in names}
            drawn = replicate(
                store.truth, given, World(world), replications=replications, seed=number
            )
            parts.append(drawn.assign(store=number, training_seed=trained.seed))
    return pd.concat(parts, ignore_index=True)
