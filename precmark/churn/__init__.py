"""The churn chapters: every model on the same decisions, and what its scores are good for."""

from precmark.churn.customers import Customers, customer_models
from precmark.churn.describe import (
    best_epochs,
    channels_table,
    layers_table,
    models_table,
    one_decision,
    parts_table,
    segment_table,
    titles,
)
from precmark.churn.enough import default_steps
from precmark.churn.fits import (
    Comparison,
    Model,
    compare,
    models,
    network_variants,
    pooled_estimator,
)
from precmark.churn.places import Places, segments_of
from precmark.churn.probes import (
    channel_importance,
    importance,
    risk_by_clicks,
    split_leak,
    step_importance,
)
from precmark.churn.published import published_rates, words_for_flags
from precmark.churn.quality import (
    against,
    against_table,
    best_models,
    calibrated,
    cost_table,
    groups,
    lift_tables,
    pooled_against_segment,
    quality,
    thresholds,
    titled,
    variants_table,
    wide_table,
    with_calibrated,
)
from precmark.churn.readings import attention_readings
from precmark.churn.segments_at import NO_PROFILE
from precmark.churn.verdicts import (
    architecture_figures,
    architecture_verdicts,
    comparison_verdicts,
)
from precmark.churn.visits import Visits, visit_models

__all__ = [
    "NO_PROFILE",
    "Comparison",
    "Customers",
    "Model",
    "Places",
    "Visits",
    "against",
    "against_table",
    "architecture_figures",
    "architecture_verdicts",
    "attention_readings",
    "best_epochs",
    "best_models",
    "calibrated",
    "channel_importance",
    "channels_table",
    "compare",
    "comparison_verdicts",
    "cost_table",
    "customer_models",
    "default_steps",
    "groups",
    "importance",
    "layers_table",
    "lift_tables",
    "models",
    "models_table",
    "network_variants",
    "one_decision",
    "parts_table",
    "pooled_against_segment",
    "pooled_estimator",
    "published_rates",
    "quality",
    "risk_by_clicks",
    "segment_table",
    "segments_of",
    "split_leak",
    "step_importance",
    "thresholds",
    "titled",
    "titles",
    "variants_table",
    "visit_models",
    "wide_table",
    "with_calibrated",
    "words_for_flags",
]
