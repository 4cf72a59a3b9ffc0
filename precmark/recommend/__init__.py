"""Recommendation: which product, and which category's coupon, for whom (Gu, section 4.3)."""

from precmark.recommend.alpha import alpha_curve
from precmark.recommend.hybrid import HybridRecommender
from precmark.recommend.measures import judge
from precmark.recommend.occasions import Occasions, at_click, in_period, split_times

__all__ = [
    "HybridRecommender",
    "Occasions",
    "alpha_curve",
    "at_click",
    "in_period",
    "judge",
    "split_times",
]
