"""Segments of users: stickiness with Ward, a self-organising map, RFM, lifecycle, personas."""

from precmark.segments.choose import NumberChoice, number_of_segments
from precmark.segments.compare import (
    Separation,
    agreement,
    comparison,
    separation,
    separation_gap,
    will_return,
)
from precmark.segments.features import FeatureSpace, fit_space
from precmark.segments.lifecycle import LifecycleRules, lifecycle, usual_gap
from precmark.segments.personas import Personas, personas, telling_features
from precmark.segments.rfm import RfmSegments
from precmark.segments.som import SomSegments, u_matrix
from precmark.segments.stickiness import StickinessSegments

__all__ = [
    "FeatureSpace",
    "LifecycleRules",
    "NumberChoice",
    "Personas",
    "RfmSegments",
    "Separation",
    "SomSegments",
    "StickinessSegments",
    "agreement",
    "comparison",
    "fit_space",
    "lifecycle",
    "number_of_segments",
    "personas",
    "separation",
    "separation_gap",
    "telling_features",
    "u_matrix",
    "usual_gap",
    "will_return",
]
