"""A simulated live-commerce store whose truth is known (chapter 01, design of the study).

``simulate`` makes it; ``treatment_effect`` and ``world_summary`` read its truth; ``calibration``
sets it beside what the main paper prints of its shop; ``uniform`` gives policies the same luck.
"""

from precmark.simulate.calibration import calibration, contradictions
from precmark.simulate.config import CATEGORIES, SCALES, WINDOW_S, WORLDS, Config
from precmark.simulate.draws import uniform
from precmark.simulate.effects import (
    pulled_forward_share,
    response,
    treatment_effect,
    world_summary,
)
from precmark.simulate.people import taste
from precmark.simulate.risk import fit
from precmark.simulate.store import simulate

__all__ = [
    "CATEGORIES",
    "SCALES",
    "WINDOW_S",
    "WORLDS",
    "Config",
    "calibration",
    "contradictions",
    "fit",
    "pulled_forward_share",
    "response",
    "simulate",
    "taste",
    "treatment_effect",
    "uniform",
    "world_summary",
]
