"""Every baseline by name, from the floors to genetic programming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from precmark.baselines.ensembles import forest_stack, leaves_into_logistic
from precmark.baselines.features import StepTable
from precmark.baselines.floors import ConstantRate, LastVisitRate
from precmark.baselines.genetic import adaboost, gp_adaboost
from precmark.baselines.models import histogram_boosting, logistic
from precmark.baselines.neural import ann, ann_naive_bayes


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Attributes
    ----------
    title : str
        As figures and tables name it.
    build : callable
        ``build(first, seed)``: the estimator behind a first step that makes a table.
    source : str
        Where it comes from.
    knob : str
        What is chosen on the validation part; empty for floors.
    candidates : int
        Settings of it that are tried.
    columns : {"all", "summary"}
        Which columns of :class:`~precmark.baselines.features.StepTable` it sees.
    floor : bool
        Whether it is a floor: what any model has to beat.
    """

    title: str
    build: Callable[[Any, int], Any]
    source: str
    knob: str = ""
    candidates: int = 1
    columns: str = "all"
    floor: bool = False

    def make(self, seed: int = 0, *, channels: Sequence[str] | None = None) -> Any:
        """An unfitted estimator: ``fit(X, y, *, validation=None)`` and ``predict_proba(X)``.

        Parameters
        ----------
        seed : int
        channels : sequence of str or None
            Names of the F channels of the (n, F, T) arrays.
        """
        return self.build(StepTable(columns=self.columns, channels=channels), seed)


def _constant(first: Any, seed: int) -> ConstantRate:
    return ConstantRate()


def _last_visit(first: StepTable, seed: int) -> LastVisitRate:
    return LastVisitRate(first.channels)


GU = "Gu, doi 10.65102/is20261254"

BASELINES: dict[str, Baseline] = {
    "constant": Baseline("Constant", _constant, "the base rate", floor=True),
    "last-visit": Baseline("Last visit", _last_visit, "time since the last visit", floor=True),
    "logistic": Baseline("Logistic regression", logistic, "usual practice", "C", 4),
    "ann": Baseline("ANN", ann, f"{GU}, Figure 3", "L2 penalty", 4),
    "ann-naive-bayes": Baseline(
        "ANN + naive Bayes", ann_naive_bayes, f"{GU}, introduction", "L2 penalty", 4
    ),
    "lr-rf-leaves": Baseline(
        "LR-RF, leaves", leaves_into_logistic, f"{GU}, Figure 3; our definition", "leaf rows", 4
    ),
    "lr-rf-stacked": Baseline(
        "LR-RF, stacked", forest_stack, f"{GU}, Figure 3; our definition", "leaf rows", 4
    ),
    "adaboost": Baseline("AdaBoost", adaboost, f"{GU}, section 5.3", "rounds", 4),
    "histogram-boosting": Baseline(
        "Gradient boosting", histogram_boosting, "usual practice", "rounds", 4
    ),
    "gp-adaboost": Baseline(
        "GP-AdaBoost", gp_adaboost, f"{GU}, Figure 3", "learners", 4, columns="summary"
    ),
}
"""Name to baseline: floors first, then simple models, ensembles, genetic programming last."""
