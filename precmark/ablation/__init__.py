"""The coupon ablation: options 1 to 6 and the full factorial in every world (chapter 07).

``truth`` and ``worlds`` hold what only the scoring may read; ``expected`` and ``replicate`` score a
policy, ``oracle`` is the ceiling; ``primary_comparisons`` and ``random_holdout`` judge them.
"""

from precmark.ablation.holdout import needed_response, random_holdout
from precmark.ablation.oracle import OBJECTIVES, oracle
from precmark.ablation.outcomes import MARGINS, Row, expected, profit_column, replicate
from precmark.ablation.primary import COMPARISONS, SMALLEST, primary_comparisons
from precmark.ablation.truth import Future, future_of
from precmark.ablation.worlds import WORLDS_IN_ORDER, World

__all__ = [
    "COMPARISONS",
    "MARGINS",
    "OBJECTIVES",
    "SMALLEST",
    "WORLDS_IN_ORDER",
    "Future",
    "Row",
    "World",
    "expected",
    "future_of",
    "needed_response",
    "oracle",
    "primary_comparisons",
    "profit_column",
    "random_holdout",
    "replicate",
]
