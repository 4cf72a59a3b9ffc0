"""How the options fare as an assumption varies: size of the effect, taste, share of order."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from precmark.ablation.future import future_store, run_config, store_of
from precmark.ablation.outcomes import Row, expected
from precmark.ablation.play import Coupons, Scene, frozen_policies, play
from precmark.ablation.scenes import scene_of, trained_on
from precmark.ablation.tables import EQUAL_COUPONS, MAIN, PAPER_OPTIONS
from precmark.ablation.worlds import WORLDS_IN_ORDER, World
from precmark.churn.processes import in_processes

if TYPE_CHECKING:
    from precmark.churn.places import Places
    from precmark.runs import Run
    from precmark.sequences import Sequences

EFFECTS = (0.003, 0.009, 0.02)
"""Mean effects A of a coupon."""

TASTES = (0.0, 0.25, 0.5)
"""Taste matches l."""

ORDERS = (0.0, 0.5, 1.0)
"""Shares of order and gaps of clicks in what explains a purchase."""

ORDER_DECISIONS = 14_000
"""Decisions of the futures with another share of order, at most: each needs a store of its own."""

ORDER_EPOCHS = 15
"""Epochs of their networks at most."""

ORDER_DAYS = 120
"""Days between two profiles of their users, at least."""

_BASE = {"effect": World("no_effect").effect, "taste_match": World("no_effect").taste_match}
SWEEP_KEYS = ("sweep", "value", "policy", "world")
"""What a row of a sweep is about."""


def swept_worlds(
    scene: Scene, fixed: Coupons, base: pd.DataFrame, *, n_jobs: int = 2
) -> pd.DataFrame:
    """The main options where coupons do more or less, or taste matters more or less.

    Policies by risk stay what they are; uplift is learnt again from what the experiment shows in
    each world, and the oracle knows each world.

    Parameters
    ----------
    scene : Scene
    fixed : Coupons
        Of the policies by risk, at equal numbers of coupons.
    base : pandas.DataFrame
        ``world``, ``policy`` and the columns of Row of the unchanged worlds.
    n_jobs : int
        Worlds played at the same time.

    Returns
    -------
    pandas.DataFrame
        ``sweep`` ("effect", "taste_match"), ``value``, ``policy``, ``world``, the columns of
        :class:`precmark.ablation.Row`.
    """
    asked = [
        (sweep, value, name)
        for sweep, values in (("effect", EFFECTS), ("taste_match", TASTES))
        for value in values
        for name in WORLDS_IN_ORDER
    ]
    changed = [a for a in asked if a[1] != _BASE[a[0]] and a[2] != "no_effect"]
    worlds = [(scene, fixed, World(name, **{sweep: value})) for sweep, value, name in changed]
    quick = partial(play, names=MAIN, budgets=(EQUAL_COUPONS,), replications=0)
    found = dict(zip(changed, in_processes(quick, worlds, n_jobs), strict=True))
    parts = []
    for key in asked:
        sweep, value, name = key
        rows = found[key].rows if key in found else base[base.world == name]
        rows = rows[rows.policy.isin(MAIN)]
        parts.append(rows.assign(sweep=sweep, value=value))
    return _tidy(pd.concat(parts, ignore_index=True))


def swept_order(
    run: Run,
    learnt: Sequences,
    places: Places,
    *,
    decisions: int = ORDER_DECISIONS,
    epochs: int = 30,
    seed: int = 0,
    n_jobs: int = 2,
) -> pd.DataFrame:
    """The paper's options in stores in which the order of clicks says more or less.

    Another share of order is another law of purchases, so each value has a store of its own to
    train on, as large as the run's, and a future of its own. Users are placed by the run's map.
    To save time futures are smaller, networks train for :data:`ORDER_EPOCHS` and profiles are
    :data:`ORDER_DAYS` apart, at the run's own share as at the others, so that only the share
    differs; its rows are not those of the main table.

    Parameters
    ----------
    run : Run
    learnt : Sequences
        Of the run: gives task and channels.
    places : Places
    decisions : int
        Of each future; fewer than the study's, so intervals of these points are wider.
    epochs, seed : int
        Of each network, at most.
    n_jobs : int
        Stores at the same time.

    Returns
    -------
    pandas.DataFrame
        As :func:`swept_worlds`, ``sweep`` "order_share".
    """
    epochs = min(epochs, ORDER_EPOCHS)
    tasks = [(run, learnt, places, value, decisions, epochs, seed) for value in ORDERS]
    found = in_processes(_with_order, tasks, n_jobs)
    parts = [rows.assign(value=value) for value, rows in zip(ORDERS, found, strict=True)]
    return _tidy(pd.concat(parts, ignore_index=True).assign(sweep="order_share"))


def _with_order(
    run: Run,
    learnt: Sequences,
    places: Places,
    value: float,
    decisions: int,
    epochs: int,
    seed: int,
) -> pd.DataFrame:
    """``world``, ``policy`` and the columns of Row at share `value` of order."""
    # Processes within a process would wait for one another.
    places = places.changed(n_jobs=1, every_days=max(places.every_days, ORDER_DAYS))
    past = replace(run_config(run), order_share=value, coupon_share=0.0)
    store = store_of(run, past, learnt, f"order-{value:g}")
    segments = places.segments(store.run, store.sequences)
    trained = trained_on(
        store.run, store.sequences, segments, uplift=False, epochs=epochs, seed=seed, n_jobs=1,
        keep=store.run.path / "cache" / "ablation",
    )  # fmt: skip
    future = future_store(run, decisions=decisions, seed=seed, order_share=value)
    scene = scene_of(
        trained, future, places.segments(future.run, future.sequences), n_jobs=1
    )  # fmt: skip
    coupons, _ = frozen_policies(scene, PAPER_OPTIONS, budgets=(EQUAL_COUPONS,))
    return pd.DataFrame(
        [
            {"world": world, "policy": name, **expected(future.truth, coupon, world).as_dict()}
            for world in WORLDS_IN_ORDER
            for (_, name), coupon in coupons.items()
        ]
    )


def _tidy(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with the keys first, and without what only the main table has."""
    return table[[*SWEEP_KEYS, *Row.__dataclass_fields__]].reset_index(drop=True)
