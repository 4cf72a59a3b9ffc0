"""Lines for a trial conversation: a customer of this shop, and what no sentence is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from precmark.dialogue.shelf import Shelf


def script(shelf: Shelf) -> list[str]:
    """Lines of a customer who wants something of this shop: its kinds, prices and brands."""
    kinds = shelf.categories(2)
    if not kinds:
        kinds = shelf.commonest_words(2)
    first, second = (*kinds, "something", "something")[:2]
    prices = shelf.products.price.astype(float) if "price" in shelf.products else pd.Series([])
    budget = f" under {np.ceil(prices.median()):.0f}" if prices.notna().any() else ""
    lines = ["hello", "I am looking for a present", f"do you have {first}{budget}?",
             "I like the second one"]  # fmt: skip
    lines += ["that is too expensive, do you have a cheaper one?"] if budget else ["show me more"]
    brands = sorted(shelf.lexicon.brands.values())
    lines += [f"from {brands[0]}?"] if brands else []
    lines += [
        f"and what {second} do people buy most?", "where is my parcel",
        "i want my money back", "what is the capital of france",
        "who won the match last night", "thanks, goodbye",
    ]  # fmt: skip
    return lines


BAD_LINES = ("", "   \t  ", "\x00\x07\x1b[31m", "🧻🧻🧻", "أريد منشفة رخيصة", "\u202etxet desrever",
             "towels " * 1_500, "'; DROP TABLE items; --", "<b>*bold*</b> [x](y)")  # fmt: skip
"""What no sentence is: nothing, blanks, control codes, emoji, right-to-left, 10,500 characters,
code."""
