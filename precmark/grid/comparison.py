"""Does the picture help? The network on the grid beside other models on the same features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.churn.processes import in_processes
from precmark.errors import InputError, Problem
from precmark.grid.fits import _some
from precmark.grid.igtd import Layout, by_feature, images, place_features, shuffled
from precmark.grid.months import Monthly

SHUFFLES = 2
"""Grids by lot that the placed one is compared with."""

TITLES = {
    "constant": "Constant",
    "logistic": "Logistic regression",
    "boosting": "Histogram boosting",
    "placed": "CNN, features placed",
    "as listed": "CNN, features as listed",
    **{f"shuffled {k}": f"CNN, features by lot ({k})" for k in range(1, SHUFFLES + 1)},
}
"""Models in words."""

MOST_FEATURES = 100
"""Features of the paper's input layer (100 x 1), and of our grid at most."""


@dataclass(frozen=True)
class GridStudy:
    """The network on the grid, and what it is compared with.

    Attributes
    ----------
    layout : Layout
        The placed grid.
    names : tuple of str
        The features on the grid.
    classifier : SequenceClassifier
        Fitted on the placed pictures.
    pictures : numpy.ndarray
        float32, (n test, rows, columns), in the order of ``rows["test"]``.
    p : dict of str to numpy.ndarray
        P(outcome) of the test rows by model.
    rows : dict of str to numpy.ndarray
        Positions of "train", "validation" and "test" decisions.
    seconds : dict of str to float
        Of one core, for each fit.
    """

    layout: Layout
    names: tuple[str, ...]
    classifier: Any
    pictures: np.ndarray
    p: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    seconds: dict[str, float]


def chosen_features(
    values: np.ndarray, names: tuple[str, ...], most: int = MOST_FEATURES
) -> np.ndarray:
    """Positions of the features that vary among `values`; the `most` that vary most.

    What varies is measured as the share of rows that differ from the most frequent value: a
    feature that is nearly always 0 tells little. Ties go to the earlier feature.
    """
    differ = []
    for column in np.asarray(values).T:
        _, counts = np.unique(column, return_counts=True)
        differ.append(1 - counts.max() / len(column))
    varies = np.flatnonzero(np.array(differ) > 0)
    order = varies[np.argsort(-np.array(differ)[varies], kind="stable")]
    return np.sort(order[:most])


def grid_study(
    data: Monthly,
    *,
    epochs: int = 8,
    most_rows: int = 3000,
    shuffles: int = SHUFFLES,
    seed: int = 0,
    n_jobs: int = 2,
) -> GridStudy:
    """Fit everything on all months but the last two, choose on the last but one, test on the last.

    Parameters
    ----------
    data : Monthly
    epochs : int
        Of the networks.
    most_rows : int
        Decisions that train, drawn by lot where there are more; as many validate at most.
    shuffles : int
        Grids by lot, up to :data:`SHUFFLES`.
    seed : int
    n_jobs : int
        Fits at the same time.

    Raises
    ------
    InputError
        See :func:`~precmark.grid.igtd.place_features`.
    """
    last = len(data.months) - 1
    rng = np.random.default_rng(seed)
    rows = {
        "train": _some(data.rows(0, last - 2), most_rows, rng),
        "validation": _some(data.rows(last - 1, last - 1), most_rows, rng),
        "test": data.rows(last, last),
    }
    kept = chosen_features(data.table[rows["train"]], data.features)
    names = tuple(data.features[k] for k in kept)
    values = {part: _scaled(data.table[:, kept], rows["train"], at) for part, at in rows.items()}
    y = {part: data.y[at].astype(np.int64) for part, at in rows.items()}
    layout = place_features(values["train"], names)
    layouts = {"placed": layout, "as listed": _as_listed(layout)}
    layouts |= {f"shuffled {k}": shuffled(layout, seed + k) for k in range(1, shuffles + 1)}
    tasks: list[tuple] = [(name, g, values, y, epochs, seed) for name, g in layouts.items()]
    tasks += [(name, None, values, y, epochs, seed) for name in ("logistic", "boosting")]
    done = in_processes(_fit, tasks, n_jobs)
    p = {task[0]: found[0] for task, found in zip(tasks, done, strict=True)}
    seconds = {task[0]: found[1] for task, found in zip(tasks, done, strict=True)}
    ordered = {k: p[k] for k in ("logistic", "boosting", *layouts)}
    pictures = images(values["test"], layout)
    return GridStudy(layout, names, done[0][2], pictures, ordered, rows, seconds)


def _as_listed(layout: Layout) -> Layout:
    order = np.arange(len(layout.names))
    return Layout(layout.names, layout.shape, order, layout.errors[:1], 0)


def _scaled(table: np.ndarray, train: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows `at` in standard deviations from the mean of the training rows."""
    from precmark.baselines.models import Scaled

    # beyond eight standard deviations one customer would fill the picture
    return np.clip(Scaled().fit(table[train]).transform(table[at]), -8, 8)


def _fit(name: str, layout: Layout | None, values: dict, y: dict, epochs: int, seed: int):
    """P(outcome) of the test rows, seconds, and the classifier of a network."""
    import time

    started = time.perf_counter()
    if layout is None:
        x, model = values, _table_model(name, seed)
    else:
        from precmark.grid.network import grid_classifier

        x = {part: images(v, layout) for part, v in values.items()}
        model = grid_classifier(epochs=epochs, seed=seed, learning_rate=3e-3, batch_size=128)
    model.fit(x["train"], y["train"], validation=(x["validation"], y["validation"]))
    seconds = time.perf_counter() - started
    return model.predict_proba(x["test"])[:, 1], seconds, model if name == "placed" else None


def _table_model(name: str, seed: int):
    from sklearn.preprocessing import FunctionTransformer

    from precmark.baselines.models import histogram_boosting, logistic

    make = {"logistic": logistic, "boosting": histogram_boosting}[name]
    return make(FunctionTransformer(), seed)


def quality(data: Monthly, study: GridStudy, *, draws: int = 300, seed: int = 0) -> pd.DataFrame:
    """Average precision, AUROC and Brier score of every model and of the constant.

    See :func:`precmark.metrics.metrics_table`; ``title`` names the models in words.
    """
    test = study.rows["test"]
    found = metrics.metrics_table(
        data.y[test], study.p, dict.fromkeys(study.p, 0.5),
        data.decisions["user_code"].to_numpy()[test],
        base_rate=float(data.y[study.rows["train"]].mean()),
        metrics=["average_precision", "auroc", "brier"], draws=draws, seed=seed,
    )  # fmt: skip
    return found.assign(title=found["model"].map(TITLES))


def gaps(data: Monthly, study: GridStudy, *, draws: int = 300, seed: int = 0) -> pd.DataFrame:
    """Average precision of the placed grid less that of each other model, and of the grids by lot.

    Returns
    -------
    pandas.DataFrame
        ``than``, ``difference``, ``low``, ``high``, ``favours``; the row "by lot" is the mean over
        the grids by lot, from the same draws of users. It does not carry the luck of another
        placement or of another first seed.
    """
    test = study.rows["test"]
    drawn = metrics.bootstrap(
        data.y[test], study.p, data.decisions["user_code"].to_numpy()[test],
        metrics=["average_precision"], draws=draws, seed=seed,
    )  # fmt: skip
    rows = []
    for name in study.p:
        if name != "placed":
            found = drawn.difference("placed", name, "average_precision")
            rows.append({"than": name, **{k: getattr(found, k) for k in _GAP}})
    lots = [k for k, name in enumerate(drawn.models) if name.startswith("shuffled")]
    if lots:
        mine = drawn.models.index("placed")
        value = drawn.values[mine, 0] - drawn.values[lots, 0].mean()
        low, high = np.nanpercentile(
            drawn.draws[mine, 0] - drawn.draws[lots, 0].mean(axis=0), (2.5, 97.5)
        )
        favours = "first" if low > 0 else "second" if high < 0 else "neither"
        rows.append(
            {"than": "by lot", "difference": float(value), "low": float(low), "high": float(high),
             "favours": favours}
        )  # fmt: skip
    return pd.DataFrame(rows)


_GAP = ("difference", "low", "high", "favours")


@dataclass(frozen=True)
class MapReading:
    """What the class activation maps point at, and whether it is what the network needs.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a feature: ``feature``, ``row``, ``column``, ``came`` and ``stayed`` (mean map of
        the test decisions with and without the outcome), ``apart`` (their difference, in log odds
        times pixels) and ``lost`` (fall of average precision when the feature is shuffled).
    agreement : float
        Rank correlation of ``|apart|`` and ``lost``, -1 to 1; not a number where one is constant.
    maps : numpy.ndarray
        (2, rows, columns): the mean maps with and without the outcome; NaN on empty pixels.
    identity : float
        Largest gap between a logit and the mean of its map plus the bias.
    """

    table: pd.DataFrame
    agreement: float
    maps: np.ndarray
    identity: float


def read_maps(
    data: Monthly, study: GridStudy, *, most: int = 1000, repeats: int = 2, seed: int = 0
) -> MapReading:
    """Class activation maps of the test decisions read back as features, beside a shuffle test.

    Parameters
    ----------
    data : Monthly
    study : GridStudy
    most : int
        Test decisions that are looked at, drawn by lot where there are more.
    repeats : int
        Shuffles a feature.
    seed : int

    Raises
    ------
    InputError
        When the test month holds one outcome only.
    """
    from scipy.stats import spearmanr

    from precmark.grid.network import activation_maps, bias_of

    rng = np.random.default_rng(seed)
    at = _some(np.arange(len(study.pictures)), most, rng)
    x, y = study.pictures[at], data.y[study.rows["test"]][at].astype(bool)
    if y.all() or not y.any():
        raise InputError(Problem("the test month holds one outcome only", "Take another month."))
    maps = activation_maps(study.classifier, x)
    logit = study.classifier.decision_function(x)
    identity = np.abs(maps.mean(axis=(1, 2)) + bias_of(study.classifier) - logit).max()
    mean = np.stack([maps[y].mean(axis=0), maps[~y].mean(axis=0)])
    came, stayed = by_feature(mean, study.layout)
    places = study.layout.places()
    table = pd.DataFrame(
        {"feature": study.names, "row": places[:, 0], "column": places[:, 1], "came": came,
         "stayed": stayed, "apart": came - stayed,
         "lost": _lost(study, x, y, repeats, rng)}
    )  # fmt: skip
    size = table["apart"].abs()
    varies = size.nunique() > 1 and table["lost"].nunique() > 1
    agreement = float(spearmanr(size, table["lost"]).statistic) if varies else float("nan")
    empty = np.ones(study.layout.shape, bool)
    empty[places[:, 0], places[:, 1]] = False
    mean[:, empty] = np.nan
    return MapReading(table, agreement, mean, float(identity))


def _lost(study: GridStudy, x: np.ndarray, y: np.ndarray, repeats: int, rng) -> np.ndarray:
    """Average precision lost when each feature is dealt out at random among the decisions."""
    from sklearn.metrics import average_precision_score

    whole = average_precision_score(y, study.classifier.decision_function(x))
    lost = []
    for row, column in study.layout.places():
        scores = []
        for _ in range(repeats):
            mixed = x.copy()
            mixed[:, row, column] = rng.permutation(x[:, row, column])
            scores.append(average_precision_score(y, study.classifier.decision_function(mixed)))
        lost.append(whole - np.mean(scores))
    return np.array(lost)
