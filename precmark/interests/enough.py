"""Whether a run holds enough for the chapter on interests and offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from precmark.interests.exposure import LEAST_GROUP
from precmark.recommend import enough
from precmark.recommend.shop import products_of

if TYPE_CHECKING:
    from precmark.runs import Run

LEAST_PRODUCTS = 2 * LEAST_GROUP
"""Fewer cannot be parted into two groups that could each fill a list."""


def too_little(run: Run) -> str:
    """Why `run` cannot fill the chapter, in words; empty where it can."""
    why = enough.too_little(run)
    if why:
        return why
    products = products_of(run.table("contract/items")).item_id.nunique()
    if products >= LEAST_PRODUCTS:
        return ""
    return (
        f"{run.source.title} has {products} products; {LEAST_PRODUCTS} are needed for two groups "
        "that could each fill a list of ten"
    )
