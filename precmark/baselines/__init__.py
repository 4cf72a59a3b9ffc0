"""What the networks must beat: floors, the papers' rivals, what a practitioner would pick."""

from precmark.baselines.chosen import ChosenOnValidation, ChosenRounds
from precmark.baselines.features import StepTable
from precmark.baselines.floors import BinnedRate, ConstantRate, LastVisitRate
from precmark.baselines.registry import BASELINES, Baseline

__all__ = [
    "BASELINES",
    "Baseline",
    "BinnedRate",
    "ChosenOnValidation",
    "ChosenRounds",
    "ConstantRate",
    "LastVisitRate",
    "StepTable",
]
