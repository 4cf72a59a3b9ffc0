"""How good each model is on the test part, against the others, by segment, and at what price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.churn.describe import titles
from precmark.churn.fits import Comparison
from precmark.sequences import Sequences

SHOWN = (
    "average_precision", "auroc", "f1", "accuracy", "precision", "sensitivity", "specificity",
    "matthews", "brier", "expected_calibration_error",
)  # fmt: skip
"""Metrics of the tables, the one that judges first."""

JUDGE = "average_precision"
"""The metric that judges: the positive class is rare."""

COMPARED = ("average_precision", "auroc", "brier")
"""Metrics of the paired comparisons: none of them depends on a threshold."""


@dataclass(frozen=True)
class Part:
    """One part of the decisions with every model's score, all from one seed.

    Attributes
    ----------
    y : array of int8, shape (m,)
    users : array of int64, shape (m,)
    p : dict of str to array, shape (m,)
        P(y = 1) by model.
    rows : array of int64, shape (m,)
        Positions among all decisions.
    """

    y: np.ndarray
    users: np.ndarray
    p: dict[str, np.ndarray]
    rows: np.ndarray


def part_of(
    sequences: Sequences,
    compared: Comparison,
    part: str,
    *,
    fit: str = "pooled",
    seed: int | None = None,
    by: str = "split",
    only: np.ndarray | None = None,
) -> Part:
    """The decisions of `part` and what each model of `compared` said of them.

    Parameters
    ----------
    fit : {"pooled", "segment", "last epoch"}
    seed : int, optional
        The first of `compared` where None.
    only : array of bool, shape (n,), optional
        Decisions to keep.
    """
    said = compared.predictions
    seed = int(said.seed.iloc[0]) if seed is None else seed
    decisions = sequences.decisions
    chosen = (decisions[by] == part).to_numpy() & ~decisions.coupon.to_numpy(bool)
    rows = np.flatnonzero(chosen if only is None else chosen & only)
    mine = said[(said.fit == fit) & (said.seed == seed)]
    wide = mine.pivot(index="decision", columns="model", values="p")
    wide = wide.reindex(decisions.decision.to_numpy()[rows])
    order = [name for name in compared.fits.model.unique() if name in wide]
    p = {name: wide[name].to_numpy(dtype="float64") for name in order}
    return Part(sequences.y[rows], decisions.user_code.to_numpy()[rows], p, rows)


def base_rate(sequences: Sequences, by: str = "split") -> float:
    """Share of y = 1 among the decisions that models are trained on."""
    return float(sequences.part("train", by=by).y.mean())


def thresholds(sequences: Sequences, compared: Comparison, *, by: str = "split") -> pd.DataFrame:
    """The threshold of each model with the best F1 on the validation part.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``fit``, ``seed``, ``threshold``, ``criterion``, ``score`` (F1 there).
    """
    rows = []
    for fit, seed in _kinds(compared):
        part = part_of(sequences, compared, "validation", fit=fit, seed=seed, by=by)
        for name, p in part.p.items():
            t = metrics.choose_threshold(part.y, p, criterion="f1")
            rows.append((name, fit, seed, t.value, t.criterion, t.score))
    return pd.DataFrame(rows, columns=["model", "fit", "seed", "threshold", "criterion", "score"])


def quality(
    sequences: Sequences,
    compared: Comparison,
    *,
    draws: int = 1000,
    seed: int = 0,
    by: str = "split",
    only: np.ndarray | None = None,
) -> pd.DataFrame:
    """Every metric of every model on the test part, with intervals over users and over seeds.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``title``, ``family``, ``fit``, ``metric``, ``value`` (mean over
        the seeds), ``low``, ``high`` (95 % over users, of the first seed), ``seed_low``,
        ``seed_high`` (95 % of the mean over seeds; NaN with one seed).
    """
    limits = thresholds(sequences, compared, by=by)
    rate = base_rate(sequences, by)
    tables = []
    for fit, number in _kinds(compared):
        part = part_of(sequences, compared, "test", fit=fit, seed=number, by=by, only=only)
        mine = limits[(limits.fit == fit) & (limits.seed == number)].set_index("model").threshold
        p = {name: p for name, p in part.p.items() if name != "constant"}
        table = metrics.metrics_table(
            part.y, p, mine.drop("constant", errors="ignore").to_dict(), part.users,
            base_rate=rate, metrics=SHOWN, draws=draws, seed=seed,
        )  # fmt: skip
        tables.append(table.assign(fit=fit, seed=number))
    return _over_seeds(pd.concat(tables, ignore_index=True), compared)


def _over_seeds(table: pd.DataFrame, compared: Comparison) -> pd.DataFrame:
    """One row a model, fit and metric of a table with one a seed too."""
    rows = []
    for (model, fit, metric), same in table.groupby(["model", "fit", "metric"], sort=False):
        known = same.value.dropna()
        spread = metrics.across_seeds(known) if len(known) else None
        over = (spread.mean, spread.low, spread.high) if spread else (np.nan,) * 3
        first = same.iloc[0]
        rows.append((model, fit, metric, over[0], first.low, first.high, *over[1:]))
    names = ["model", "fit", "metric", "value", "low", "high", "seed_low", "seed_high"]
    out = pd.DataFrame(rows, columns=names)
    known = compared.fits.drop_duplicates("model").set_index("model")
    out.insert(1, "title", out.model.map(known.title).fillna("Constant"))
    out.insert(2, "family", out.model.map(known.family).fillna("floor"))
    return out


def against(
    sequences: Sequences,
    compared: Comparison,
    than: str,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each model minus model `than` on the same decisions and draws, pooled and by segment.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``title``, ``than``, ``fit``, ``metric``, ``difference``, ``low``, ``high``,
        ``share_above``, ``verdict``, ``favours`` (see :class:`precmark.metrics.PairedDifference`),
        for the metrics of :data:`COMPARED`.
    """
    title = titles(compared.fits)
    tables = []
    for fit in dict.fromkeys(fit for fit, _ in _kinds(compared)):
        part = part_of(sequences, compared, "test", fit=fit)
        if than not in part.p:
            continue
        drawn = metrics.bootstrap(
            part.y, part.p, part.users, thresholds=0.5, metrics=COMPARED, draws=draws, seed=seed
        )
        tables.append(drawn.against(than).assign(fit=fit))
    out = pd.concat(tables, ignore_index=True)
    out.insert(1, "title", out.model.map(title))
    return out


def pooled_against_segment(
    sequences: Sequences, compared: Comparison, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """One model a segment beside the pooled one, for each model; average precision.

    Returns
    -------
    pandas.DataFrame
        Two rows a model, ``trained`` ("pooled", "one a segment"): ``model``, ``title``, ``value``,
        ``low``, ``high``, and on both ``difference`` (by segment minus pooled),
        ``difference_low``, ``difference_high``, ``verdict``, ``favours``.
    """
    pooled = part_of(sequences, compared, "test")
    segment = part_of(sequences, compared, "test", fit="segment")
    title = titles(compared.fits)
    tables = []
    for name in segment.p:
        both = {"pooled": pooled.p[name], "one a segment": segment.p[name]}
        drawn = metrics.bootstrap(
            pooled.y, both, pooled.users, metrics=[JUDGE], draws=draws, seed=seed, thresholds=0.5
        )
        gap = drawn.difference("one a segment", "pooled", JUDGE)
        tables.append(
            drawn.table().rename(columns={"model": "trained"}).assign(
                model=name, title=title[name], difference=gap.difference, difference_low=gap.low,
                difference_high=gap.high, verdict=gap.verdict, favours=gap.favours,
            )
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def variants_table(quality: pd.DataFrame, against: pd.DataFrame) -> pd.DataFrame:
    """Average precision of each variant, and what it loses against the whole network.

    Returns
    -------
    pandas.DataFrame
        ``variant``, ``value``, ``low``, ``high``, ``difference``, ``difference_low``,
        ``difference_high`` (NaN for the whole).
    """
    value = judged(quality)[["model", "title", "value", "low", "high"]]
    gaps = judged(against)[["model", "difference", "low", "high"]].rename(
        columns={"low": "difference_low", "high": "difference_high"}
    )
    table = value[value.model != "constant"].merge(gaps, on="model", how="left")
    return table.drop(columns="model").rename(columns={"title": "variant"})


def judged(table: pd.DataFrame, fit: str = "pooled") -> pd.DataFrame:
    """The rows of a table of qualities or differences that judge: average precision of `fit`."""
    return table[(table.fit == fit) & (table.metric == JUDGE)]


def titled(table: pd.DataFrame, fit: str = "pooled") -> pd.DataFrame:
    """The rows of `fit` with models by their titles, as figures and tables name them."""
    mine = table[table.fit == fit] if "fit" in table else table
    named = mine.title.where(mine.model != "constant", "constant")
    return mine.assign(model=named)


def wide_table(table: pd.DataFrame, fit: str = "pooled") -> pd.DataFrame:
    """A row a model and a column a metric, by their titles; each cell with its interval."""
    if "split" in table:
        named = table.title + ", " + table.split
        table = table.assign(title=named, model=table.model + table.split)
    wide = metrics.wide(titled(table, fit), digits=3)
    wide = wide.rename(columns={name: m.title for name, m in metrics.METRICS.items()})
    return wide.rename_axis(index="model").reset_index()


def cost_table(quality: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """Average precision beside what each model cost: ``parameters``, ``fit_seconds``, ``group``."""
    costs = fits.groupby("model")[["parameters", "seconds"]].mean()
    table = judged(quality)
    table = table[table.model.isin(costs.index)]
    return pd.DataFrame(
        {
            "model": table.title, "value": table.value, "low": table.low, "high": table.high,
            "parameters": table.model.map(costs.parameters),
            "fit_seconds": table.model.map(costs.seconds), "group": table.family,
        }
    ).reset_index(drop=True)  # fmt: skip


def best_models(table: pd.DataFrame, fits: pd.DataFrame) -> list[str]:
    """The best baseline and the best network by average precision, with C-ATT-LSTM among them."""
    pooled = judged(table)
    chosen = []
    for family in ("baseline", "network"):
        mine = pooled[pooled.family == family]
        if len(mine):
            chosen.append(mine.loc[mine.value.idxmax(), "model"])
    return list(dict.fromkeys([*chosen, *({"c-att-lstm"} & set(fits.model))]))


def lift_tables(
    sequences: Sequences, compared: Comparison, names: Iterable[str], *, draws: int = 1000
) -> dict[str, pd.DataFrame]:
    """Title to :func:`precmark.metrics.lift_table` on the test part, for models `names`."""
    part = part_of(sequences, compared, "test")
    title = titles(compared.fits)
    return {
        title[name]: metrics.lift_table(part.y, part.p[name], part.users, draws=draws)
        for name in names
    }


@dataclass(frozen=True)
class Calibrated:
    """Scores before and after calibration on the validation part, judged on the test part.

    Attributes
    ----------
    curves : dict of str to pandas.DataFrame
        "title, as it is" and "title, Platt" to :func:`precmark.metrics.reliability_table`.
    table : pandas.DataFrame
        ``model``, ``calibration`` ("none", "Platt", "isotonic"), ``Brier score``,
        ``expected calibration error``.
    """

    curves: dict[str, pd.DataFrame]
    table: pd.DataFrame


def calibrated(sequences: Sequences, compared: Comparison, names: Iterable[str]) -> Calibrated:
    """Platt scaling and isotonic regression of models `names`, fitted on the validation part."""
    validation = part_of(sequences, compared, "validation")
    test = part_of(sequences, compared, "test")
    title = titles(compared.fits)
    curves, rows = {}, []
    for name in names:
        ways = {"none": test.p[name]}
        for way, said in (("platt", "Platt"), ("isotonic", "isotonic")):
            fitted = metrics.Calibrator(way).fit(validation.p[name], validation.y)
            ways[said] = fitted.transform(test.p[name])
        for way, p in ways.items():
            points = metrics.point_metrics(test.y, p, 0.5)
            rows.append((title[name], way, points.brier, points.expected_calibration_error))
        curves[f"{title[name]}\nas it is"] = metrics.reliability_table(test.y, ways["none"])
        curves[f"{title[name]}\nPlatt scaling"] = metrics.reliability_table(test.y, ways["Platt"])
    columns = ["model", "calibration", "Brier score", "expected calibration error"]
    return Calibrated(curves, pd.DataFrame(rows, columns=columns))


def with_calibrated(
    sequences: Sequences,
    compared: Comparison,
    segments: np.ndarray | None = None,
    *,
    least: int = 20,
) -> pd.DataFrame:
    """The predictions with ``p_calibrated`` and ``split``: Platt scaling, fitted on validation.

    Scores of models by segment are calibrated within each segment where its validation part holds
    at least `least` decisions of either class, else with all, so that one cut-off can serve all.
    """
    decisions = sequences.decisions
    place = pd.Series(np.arange(len(decisions)), index=decisions.decision.to_numpy())
    split = decisions.split.to_numpy()
    out = []
    for (_, fit, _), same in compared.predictions.groupby(["model", "fit", "seed"], sort=False):
        rows = place.loc[same.decision].to_numpy()
        y, p = sequences.y[rows], same.p.to_numpy(dtype="float64")
        where = split[rows]
        group = segments[rows] if fit == "segment" and segments is not None else np.zeros(len(rows))
        done = _platt(y, p, where == "validation", group, least)
        out.append(same.assign(p_calibrated=done.astype("float32"), split=where))
    return pd.concat(out, ignore_index=True)


def _platt(y, p, held_out, group, least: int) -> np.ndarray:
    """`p` calibrated on the rows `held_out`, by `group` where it is large enough."""
    everyone = metrics.Calibrator("platt").fit(p[held_out], y[held_out])
    done = everyone.transform(p)
    for code in np.unique(group):
        mine = group == code
        fit_on = mine & held_out
        if min(y[fit_on].sum(), (1 - y[fit_on]).sum()) >= least:
            done[mine] = metrics.Calibrator("platt").fit(p[fit_on], y[fit_on]).transform(p[mine])
    return done


def _kinds(compared: Comparison) -> list[tuple[str, int]]:
    """Every fit and seed of the predictions, in their order."""
    pairs = compared.predictions[["fit", "seed"]].drop_duplicates()
    return [(str(fit), int(seed)) for fit, seed in pairs.itertuples(index=False)]


def groups(fits: pd.DataFrame) -> dict[str, str]:
    """Title to family of the models in a table of fits."""
    return fits.drop_duplicates("model").set_index("title").family.to_dict()


def against_table(table: pd.DataFrame):
    """A styled table of differences in average precision, the best first."""
    rows = judged(table).sort_values("difference", ascending=False)
    shown = pd.DataFrame(
        {
            "model": rows.title,
            "difference": rows.difference, "low": rows.low, "high": rows.high,
            "draws above 0": rows.share_above, "in words": rows.verdict,
        }
    )  # fmt: skip
    return shown.style.hide().format(
        dict.fromkeys(("difference", "low", "high"), "{:+.3f}") | {"draws above 0": "{:.0%}"}
    )
