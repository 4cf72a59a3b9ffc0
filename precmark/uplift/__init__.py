"""Uplift: what a treatment changes, for whom, learnt from assignments at random."""

from precmark.uplift.learners import DoublyRobustLearner, TLearner
from precmark.uplift.randomised import check_assignments, randomised_effect, treated_share

__all__ = [
    "DoublyRobustLearner",
    "TLearner",
    "check_assignments",
    "randomised_effect",
    "treated_share",
]
