"""What the networks must beat: floors, the papers' rivals, what a practitioner would pick."""

from precmark.baselines.bgnbd import BgNbd, fit_bgnbd
from precmark.baselines.chosen import ChosenOnValidation, ChosenRounds
from precmark.baselines.customer import CUSTOMER_FLOORS, BgNbdRate, CustomerFloor, RecencyRate
from precmark.baselines.features import StepTable
from precmark.baselines.floors import BinnedRate, ConstantRate, LastVisitRate
from precmark.baselines.genetic import GpAdaBoost, GpLearner
from precmark.baselines.plain import VISIT_CODES, VISIT_KEYS, PlainTable, table_pipelines
from precmark.baselines.registry import BASELINES, Baseline

__all__ = [
    "BASELINES",
    "CUSTOMER_FLOORS",
    "VISIT_CODES",
    "VISIT_KEYS",
    "Baseline",
    "BgNbd",
    "BgNbdRate",
    "BinnedRate",
    "ChosenOnValidation",
    "ChosenRounds",
    "ConstantRate",
    "CustomerFloor",
    "GpAdaBoost",
    "GpLearner",
    "LastVisitRate",
    "PlainTable",
    "RecencyRate",
    "StepTable",
    "fit_bgnbd",
    "table_pipelines",
]
