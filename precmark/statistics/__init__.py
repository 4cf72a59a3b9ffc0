"""Statistical models of precision marketing, reported as their procedures report them."""

from precmark.statistics.accuracy import (
    Spread,
    customers_for_range,
    dealt,
    outlet_accuracy,
    outlet_customers,
    spread_of,
)
from precmark.statistics.components import (
    Components,
    Factors,
    factor_analysis,
    principal_components,
    sampling_adequacy,
    settled_factors,
)
from precmark.statistics.customers import Customers, customers_of
from precmark.statistics.diagnostics import diagnose, hausman, inflation, mundlak
from precmark.statistics.groups import TwoGroups, separated_outlets, two_groups
from precmark.statistics.logistic import LogisticReport, fit_logistic
from precmark.statistics.outlets import WORLDS, OutletWorld, by_kind, outlets
from precmark.statistics.own_panel import OwnPanel, own_panel
from precmark.statistics.pairs import Pairs, count_pairs
from precmark.statistics.panel import (
    Panel,
    PanelFit,
    fixed_effects,
    panel_of,
    pooled_ols,
    random_effects,
    side_by_side,
)
from precmark.statistics.proportions import (
    TwoProportions,
    power,
    smallest_found,
    two_proportions,
    units_needed,
)
from precmark.statistics.study import (
    PanelStudy,
    Worlds,
    own_study,
    study_own,
    study_panel,
    study_worlds,
)
from precmark.statistics.tables import paper_tables
from precmark.statistics.throughput import batches_of, by_batch, measure_throughput
from precmark.statistics.variables import VariableClusters, cluster_variables

__all__ = [
    "WORLDS", "Components", "Customers", "Factors", "LogisticReport", "OutletWorld", "OwnPanel",
    "Pairs", "Panel", "PanelFit", "PanelStudy", "Spread", "TwoGroups", "TwoProportions",
    "VariableClusters", "Worlds", "batches_of", "by_batch", "by_kind", "cluster_variables",
    "count_pairs", "customers_for_range", "customers_of", "dealt", "diagnose", "factor_analysis",
    "fit_logistic", "fixed_effects", "hausman", "inflation", "measure_throughput", "mundlak",
    "outlet_accuracy", "outlet_customers", "outlets", "own_panel", "own_study", "panel_of",
    "paper_tables", "pooled_ols", "power", "principal_components", "random_effects",
    "sampling_adequacy", "separated_outlets", "settled_factors", "side_by_side", "smallest_found",
    "spread_of", "study_own", "study_panel", "study_worlds", "two_groups", "two_proportions",
    "units_needed",
]  # fmt: skip
