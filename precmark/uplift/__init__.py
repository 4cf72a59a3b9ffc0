"""Uplift: what a treatment changes, for whom, learnt from assignments at random."""

from precmark.uplift.learners import DoublyRobustLearner, TLearner, doubly_robust_scores, fold_of
from precmark.uplift.randomised import check_assignments, randomised_effect, treated_share

__all__ = [
    "DoublyRobustLearner",
    "TLearner",
    "check_assignments",
    "doubly_robust_scores",
    "fold_of",
    "randomised_effect",
    "treated_share",
]
