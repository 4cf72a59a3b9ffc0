"""Accuracy at many outlets: a distribution with intervals, and what chance alone would spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from precmark.claims import paper
from precmark.errors import InputError, Problem
from precmark.simulate.draws import stream
from precmark.statistics.checks import binary


def outlets_tried() -> int:
    """At how many outlets the paper tried its marketing."""
    return int(paper("company_h", "accuracy.outlets"))


def dealt(rows: int, *, outlets: int | None = None, seed: int = 0) -> np.ndarray:
    """An outlet from 0 for each of `rows`, dealt at random so that all have as many (to one)."""
    outlets = outlets_tried() if outlets is None else outlets
    return stream(seed, "dealt to outlets").permutation(rows) % outlets


def outlet_accuracy(
    y: ArrayLike, p: ArrayLike, outlet: ArrayLike, *, base_rate: float, threshold: float = 0.5
) -> pd.DataFrame:
    """Accuracy at each outlet, and that of always giving the same answer.

    Parameters
    ----------
    y : array (n,)
        0 or 1.
    p : array (n,)
        Predicted probability.
    outlet : array (n,)
    base_rate : float
        Share of events in the training part: it decides the constant answer.
    threshold : float
        From where the event is predicted.

    Returns
    -------
    pandas.DataFrame
        Ordered by accuracy: ``outlet``, ``customers``, ``events``, ``right``, ``accuracy`` with its
        Wilson 95 % interval ``low``, ``high``, and ``constant`` (accuracy of the constant answer).

    Raises
    ------
    InputError
        An outcome that is constant or not 0 and 1; lengths that differ.
    """
    from precmark.segments.compare import wilson

    y, problems = binary(y)
    p, outlet = np.asarray(p, dtype=float), np.asarray(outlet)
    if not len(y) == len(p) == len(outlet):
        what = f"{len(y)} outcomes, {len(p)} probabilities, {len(outlet)} outlets"
        problems.append(Problem(what, "Give one of each a customer."))
    if problems:
        raise InputError(problems)
    right = (p >= threshold) == (y == 1)
    rows = pd.DataFrame({"outlet": outlet, "events": y.astype("int64"), "right": right})
    table = rows.groupby("outlet").agg(
        customers=("right", "size"), events=("events", "sum"), right=("right", "sum")
    )
    table["accuracy"] = table.right / table.customers
    low, high = wilson(table.right.to_numpy(), table.customers.to_numpy())
    table["low"], table["high"] = low, high
    share = table.events / table.customers
    table["constant"] = share if base_rate >= threshold else 1 - share
    return table.sort_values("accuracy", kind="stable").reset_index()


@dataclass(frozen=True)
class Spread:
    """How far outlets differ, and how far chance alone would part them.

    Attributes
    ----------
    outlets, customers : int
    accuracy, constant, hindsight : float
        Of all customers: the model's, that of the constant answer which the training part
        suggests, and that of the better constant answer, known only afterwards.
    least, most : float
        Over outlets.
    chance_least, chance_most : tuple of float
        95 % interval of both if every outlet had the accuracy of all.
    p : float
        Of the chi-square test that all outlets have the same accuracy.
    beyond : float
        Standard deviation of outlets' accuracies beyond chance; 0 where chance explains them.
    inside : float
        Share of outlets within the paper's range.
    beats_constant : int
        Outlets where the model is right more often than the constant answer.
    """

    outlets: int
    customers: int
    accuracy: float
    constant: float
    hindsight: float
    least: float
    most: float
    chance_least: tuple[float, float]
    chance_most: tuple[float, float]
    p: float
    beyond: float
    inside: float
    beats_constant: int


def spread_of(table: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> Spread:
    """The spread of accuracies that :func:`outlet_accuracy` found, against chance.

    Parameters
    ----------
    table : pandas.DataFrame
        Two outlets or more.
    draws : int
        Repetitions, each of one binomial count an outlet.
    seed : int
    """
    from scipy.stats import chi2

    n, right = table.customers.to_numpy(), table.right.to_numpy()
    if len(n) < 2:
        raise InputError(f"{len(n)} outlet has no spread. Give two outlets or more.")
    accuracy = right.sum() / n.sum()
    variance = accuracy * (1 - accuracy)
    luck = stream(seed, "accuracy by chance").binomial(n, accuracy, (draws, len(n))) / n
    low, high = paper("company_h", "accuracy.low"), paper("company_h", "accuracy.high")
    squares = float((n * (right / n - accuracy) ** 2).sum())
    more = squares - (len(n) - 1) * variance
    weight = n.sum() - (n**2).sum() / n.sum()
    constant = float((table.constant * n).sum() / n.sum())
    return Spread(
        outlets=len(n), customers=int(n.sum()), accuracy=float(accuracy), constant=constant,
        hindsight=max(constant, 1 - constant),
        least=float((right / n).min()), most=float((right / n).max()),
        chance_least=tuple(float(q) for q in np.quantile(luck.min(axis=1), (0.025, 0.975))),
        chance_most=tuple(float(q) for q in np.quantile(luck.max(axis=1), (0.025, 0.975))),
        p=float(chi2.sf(squares / variance, len(n) - 1)) if variance > 0 else 1.0,
        beyond=float(np.sqrt(max(0.0, more / weight))),
        inside=float(((table.accuracy >= low) & (table.accuracy <= high)).mean()),
        beats_constant=int((table.accuracy > table.constant + 1e-12).sum()),
    )  # fmt: skip


def expected_extreme(count: int) -> float:
    """The mean of the largest of `count` standard normal numbers."""
    from scipy.integrate import quad
    from scipy.stats import norm

    return float(
        quad(lambda x: x * count * norm.pdf(x) * norm.cdf(x) ** (count - 1), -10, 10, limit=200)[0]
    )


def customers_for_range(low: float, high: float, outlets: int) -> float:
    """Customers an outlet with which chance alone spreads equal outlets from `low` to `high`.

    Parameters
    ----------
    low, high : float
        Least and most accuracy, 0 < low < high < 1; all outlets are taken to have the middle.
    outlets : int
        2 or more.

    Returns
    -------
    float
        n with the middle +- E[largest of `outlets`] sqrt(m (1 - m) / n) at `low` and `high`.
    """
    if not 0 < low < high < 1 or outlets < 2:
        raise InputError(
            f"a range from {low} to {high} over {outlets} outlets: give 0 < low < high < 1 and two "
            "outlets or more."
        )
    middle, half = (low + high) / 2, (high - low) / 2
    return middle * (1 - middle) * (expected_extreme(outlets) / half) ** 2


def outlet_customers(*, outlets: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Simulated customers of outlets that do differ in how many respond.

    Parameters
    ----------
    outlets : int, optional
        By default as many as the paper tried.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``outlet`` (from 0), ``part`` ("train", "test"), three standardised columns ``recency``,
        ``visits``, ``spent``, and ``outcome`` (0, 1): logistic in the columns, with a level a
        outlet (standard deviation 0.5) that the columns do not show. 60 to 240 customers a part.
    """
    outlets = outlets_tried() if outlets is None else outlets
    rng = stream(seed, "customers of outlets")
    size = rng.integers(60, 241, outlets)
    level = rng.normal(0.0, 0.5, outlets)
    outlet = np.repeat(np.arange(outlets), 2 * size)
    part = np.concatenate([np.repeat(["train", "test"], n) for n in size])
    X = rng.normal(size=(len(outlet), 3))
    X[:, 2] = 0.6 * X[:, 1] + 0.8 * X[:, 2]
    eta = -0.4 + level[outlet] + X @ np.array([-0.9, 0.7, 0.3])
    return pd.DataFrame(
        {
            "outlet": outlet,
            "part": part,
            "recency": X[:, 0],
            "visits": X[:, 1],
            "spent": X[:, 2],
            "outcome": (rng.random(len(outlet)) < 1 / (1 + np.exp(-eta))).astype("int64"),
        }
    )
