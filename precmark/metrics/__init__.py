"""How good a prediction is and how sure we are: metrics, intervals, thresholds, calibration."""

from precmark.metrics.calibration import Calibrator
from precmark.metrics.measures import METRICS, Metric, equal_count_bins
from precmark.metrics.points import PointMetrics, point_metrics
from precmark.metrics.rates import ImpliedRates, confusion_from_rates
from precmark.metrics.resampling import (
    Bootstrap,
    PairedDifference,
    SeedInterval,
    across_seeds,
    bootstrap,
    paired,
)
from precmark.metrics.tables import lift_table, metrics_table, reliability_table, wide
from precmark.metrics.thresholds import (
    CRITERIA,
    Threshold,
    choose_threshold,
)

__all__ = [
    "CRITERIA",
    "METRICS",
    "Bootstrap",
    "Calibrator",
    "ImpliedRates",
    "Metric",
    "PairedDifference",
    "PointMetrics",
    "SeedInterval",
    "Threshold",
    "across_seeds",
    "bootstrap",
    "choose_threshold",
    "confusion_from_rates",
    "equal_count_bins",
    "lift_table",
    "metrics_table",
    "paired",
    "point_metrics",
    "reliability_table",
    "wide",
]
