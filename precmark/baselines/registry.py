"""Every baseline by name, from the floors to genetic programming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from precmark.baselines.features import StepTable
from precmark.baselines.floors import ConstantRate
from precmark.baselines.models import histogram_boosting, logistic


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


BASELINES: dict[str, Baseline] = {
    "constant": Baseline("Constant", lambda first, seed: ConstantRate(), "base rate", floor=True),
    "logistic": Baseline("Logistic regression", logistic, "usual practice", "C", 4),
    "histogram-boosting": Baseline(
        "Gradient boosting", histogram_boosting, "usual practice", "rounds", 4
    ),
}
"""Name to baseline: floors first, then simple models, ensembles, genetic programming last."""
