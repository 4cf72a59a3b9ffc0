"""The whole ablation of a run: every policy in every world under every budget, as tables."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from precmark.ablation.future import asked_of, future_store
from precmark.ablation.holdout import needed_response, random_holdout
from precmark.ablation.outcomes import Row
from precmark.ablation.play import ALL, COMMON, Coupons, Scene, frozen_policies, play
from precmark.ablation.primary import primary_comparisons
from precmark.ablation.scenes import scene_of, trained_on
from precmark.ablation.sweeps import ORDER_DECISIONS, SWEEP_KEYS, swept_order, swept_worlds
from precmark.ablation.tables import EQUAL_COUPONS
from precmark.ablation.worlds import WORLDS_IN_ORDER, World
from precmark.churn.places import Places
from precmark.churn.processes import in_processes
from precmark.errors import InputError, Problem
from precmark.sequences import read_sequences
from precmark.simulate import world_summary
from precmark.uplift import check_assignments

if TYPE_CHECKING:
    from precmark.runs import Run
    from precmark.simulate import Config

DECISIONS = {"classroom": 10_000}
"""Decisions of a future where nothing else is asked for; 100,000 at the other scales."""

ORDER_FROM = 50_000
"""Decisions of a future from which on ``order_sweep="auto"`` varies the share of order."""

_SPREAD = ("incremental_per_coupon", "profit_30", "revenue")


@dataclass(frozen=True)
class Study:
    """What every policy comes to in every world; units in ``precmark.ablation.tables.UNITS``.

    Attributes
    ----------
    options : pandas.DataFrame
        A row a world, budget and policy: ``world``, ``budget``, ``policy``, ``title``,
        ``segments``, ``risk``, ``recommendation``; the true expectations of
        :class:`precmark.ablation.Row`, mean over stores and trainings;
        ``incremental_per_coupon_low``, ``_high``, and so for ``profit_30`` and ``revenue``
        (2.5 and 97.5 % over replications, stores and trainings); ``exploration_cost_10`` to
        ``_50`` (what the randomised tenth cost at these margins, yuan, of options by uplift;
        below 0 where it earned).
    replications : pandas.DataFrame
        ``world``, ``budget``, ``policy``, ``store``, ``training_seed``, ``replication`` and the
        columns of Row realised, at equal numbers of coupons.
    holdout : pandas.DataFrame
        :func:`precmark.ablation.random_holdout` of option 4 in each world, with ``policy`` and
        ``budget``.
    cutoffs : pandas.DataFrame
        :func:`precmark.ablation.play.frozen_policies`, with ``store`` and ``training_seed``.
    sweeps : pandas.DataFrame
        ``sweep``, ``value``, ``policy``, ``world`` and the columns of Row.
    needed : pandas.DataFrame
        :func:`precmark.ablation.needed_response` of option 4.
    worlds : pandas.DataFrame
        :func:`precmark.simulate.world_summary`, the world without effect first.
    config : Config
        Of the first future.
    seconds : dict of str to float
        What each stage took.
    """

    options: pd.DataFrame
    replications: pd.DataFrame
    holdout: pd.DataFrame
    cutoffs: pd.DataFrame
    sweeps: pd.DataFrame
    needed: pd.DataFrame
    worlds: pd.DataFrame
    config: Config
    seconds: dict[str, float]

    @cached_property
    def primary(self) -> pd.DataFrame:
        """The comparisons stated before running (:func:`precmark.ablation.primary_comparisons`)."""
        return primary_comparisons(self.replications)


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.started
        self.started = now


def study(
    run: Run,
    *,
    decisions: int = 0,
    replications: int = 200,
    stores: int = 1,
    seeds: int = 1,
    world_sweeps: bool = True,
    order_sweep: str = "auto",
    epochs: int = 30,
    every_days: int = 30,
    n_jobs: int = 2,
    seed: int = 0,
) -> Study:
    """Options 1 to 6 and the full factorial in all worlds under three budgets.

    Policies learn from `run` alone, are frozen on its validation part and then meet futures of the
    same store that nothing has seen. Networks and futures are kept below ``cache`` of the run.

    Parameters
    ----------
    run : Run
        Of a simulated store, with chapters 03 and 04.
    decisions : int
        Of each future; 0 for :data:`DECISIONS`.
    replications : int
        How often each future happens again, 1 or more.
    stores, seeds : int
        Futures, and trainings, to average over, 1 or more.
    world_sweeps : bool
        Also vary the size of the effect and the part of taste in it.
    order_sweep : {"auto", "yes", "no"}
        Also vary the share of order, which simulates and trains three times more; ``"auto"``:
        where futures have :data:`ORDER_FROM` decisions or more.
    epochs : int
        Of each network, at most.
    every_days : int
        Days between two profiles by which users are placed in segments.
    n_jobs : int
        Processes.
    seed : int
        Number of the first future, and seed of the first training.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        Numbers out of range; assignments from which no effect can be learnt
        (:func:`precmark.uplift.check_assignments`); no truth; sequences or segments that lack.
    """
    decisions = _checked(run, decisions, replications, stores, seeds, order_sweep)
    clock = _Clock()
    learnt = read_sequences(run)
    places = Places(run, learnt, every_days=every_days, n_jobs=n_jobs)
    segments = places.segments(run, learnt)
    clock.lap("segments of the run")
    taught = [
        trained_on(run, learnt, segments, epochs=epochs, seed=seed + number, n_jobs=n_jobs,
                   keep=run.path / "cache" / "ablation")
        for number in range(seeds)
    ]  # fmt: skip
    clock.lap("training")
    acts: list[_Act] = []
    for number in range(seed, seed + stores):
        store = future_store(run, decisions=decisions, seed=number)
        clock.lap("futures")
        placed = places.segments(store.run, store.sequences)
        clock.lap("segments of the futures")
        for trained in taught:
            scene = scene_of(trained, store, placed, n_jobs=n_jobs)
            clock.lap("futures scored")
            act = _act(number, scene, replications, n_jobs)
            acts.append(act if not acts else replace(act, scene=None, fixed={}))
            clock.lap("worlds played")
    found = _first_only(acts[0], replications, seed)
    clock.lap("holdout and needed response")
    swept = [pd.DataFrame(columns=[*SWEEP_KEYS, *Row.__dataclass_fields__])]
    if world_sweeps:
        swept = [swept_worlds(acts[0].scene, acts[0].fixed, acts[0].base, n_jobs=n_jobs)]
        clock.lap("sweeps of effect and taste")
    if order_sweep == "yes" or (order_sweep == "auto" and decisions >= ORDER_FROM):
        swept.append(
            swept_order(
                run, learnt, places, decisions=min(decisions // 4, ORDER_DECISIONS),
                epochs=epochs, seed=seed, n_jobs=n_jobs,
            )
        )  # fmt: skip
        clock.lap("sweep of order")
    drawn = pd.concat([act.drawn for act in acts], ignore_index=True)
    return Study(
        options=_options(pd.concat([act.rows for act in acts]), drawn),
        replications=drawn[drawn.budget == EQUAL_COUPONS].reset_index(drop=True),
        cutoffs=pd.concat([act.cutoffs for act in acts], ignore_index=True),
        sweeps=pd.concat([part for part in swept if len(part)] or swept, ignore_index=True),
        seconds=clock.seconds,
        **found,
    )


def _checked(
    run: Run, decisions: int, replications: int, stores: int, seeds: int, order_sweep: str
) -> int:
    """The decisions of a future, where everything that was asked for can be had."""
    asked = {"replications": replications, "stores": stores, "seeds": seeds}
    problems = [
        Problem(f"{name}: {value}", "Ask for 1 or more.")
        for name, value in asked.items()
        if value < 1
    ]
    if decisions < 0:
        problems.append(Problem(f"decisions: {decisions}", "Ask for 1 or more, or 0."))
    if order_sweep not in ("auto", "yes", "no"):
        problems.append(Problem(f"order_sweep: {order_sweep!r}", "Use auto, yes or no."))
    has = run.has("contract/assignments")
    for check in (
        lambda: check_assignments(run.table("contract/assignments") if has else None),
        lambda: asked_of(run),
    ):
        try:
            check()
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return decisions or DECISIONS.get(asked_of(run)[0], 100_000)


@dataclass(frozen=True)
class _Act:
    """One future through the eyes of one training, played in every world."""

    rows: pd.DataFrame
    drawn: pd.DataFrame
    cutoffs: pd.DataFrame
    scene: Scene | None
    fixed: Coupons

    @property
    def base(self) -> pd.DataFrame:
        """The rows at equal numbers of coupons."""
        return self.rows[self.rows.budget == EQUAL_COUPONS]


def _act(store: int, scene: Scene, replications: int, n_jobs: int) -> _Act:
    fixed, cutoffs = frozen_policies(scene)
    # Each future has luck of its own; its worlds share it.
    tasks = [(scene, fixed, World(name)) for name in WORLDS_IN_ORDER]
    played = in_processes(partial(play, replications=replications, seed=store), tasks, n_jobs)
    keys = {"store": store, "training_seed": scene.seed}
    return _Act(
        rows=pd.concat([p.rows for p in played], ignore_index=True),
        drawn=pd.concat([p.drawn for p in played], ignore_index=True).assign(**keys),
        cutoffs=pd.concat([cutoffs, *(p.cutoffs for p in played)], ignore_index=True).assign(
            **keys
        ),
        scene=scene,
        fixed=fixed,
    )


def _first_only(act: _Act, replications: int, seed: int) -> dict[str, Any]:
    """The tables made of the first future and training alone, by field of :class:`Study`."""
    future, coupon = act.scene.truth, act.fixed[EQUAL_COUPONS, COMMON]
    held = [
        random_holdout(future, coupon, World(name), replications=replications, seed=seed)
        for name in WORLDS_IN_ORDER
    ]
    rate = ALL[COMMON].printed_rate
    worlds = world_summary(
        future.decisions, future.users,
        coupon_shares={f"{rate:.2%}": rate * future.sessions / len(future)},
    )  # fmt: skip
    return {
        "holdout": pd.concat(held, ignore_index=True).assign(policy=COMMON, budget=EQUAL_COUPONS),
        "needed": needed_response(future, coupon),
        "worlds": worlds.set_index("world").loc[list(WORLDS_IN_ORDER)].reset_index(),
        "config": future.config,
    }


def _options(rows: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """The table ``options`` from the rows and replications of all futures and trainings."""
    keys = ["world", "budget", "policy"]
    mean = rows.groupby(keys, sort=False).mean(numeric_only=True)
    grouped = drawn.groupby(keys, sort=False)
    for column in _SPREAD:
        for end, share in (("low", 0.025), ("high", 0.975)):
            mean[f"{column}_{end}"] = grouped[column].quantile(share)
    out = mean.reset_index()
    for place, part in enumerate(("title", "segments", "risk", "recommendation"), start=3):
        out.insert(place, part, [getattr(ALL[name], part) for name in out.policy])
    return out
