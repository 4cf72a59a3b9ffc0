"""What chapter 11 says of what profiles give away, from the numbers drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import listed
from precmark.interests.sentences_offers import plain, sentence

if TYPE_CHECKING:
    from precmark.interests.anonymise import Protected
    from precmark.interests.privacy import Anonymity


def on_alone(found: Anonymity, known: Mapping[str, pd.DataFrame]) -> str:
    """How few facts single a customer out."""
    text = (
        f"Without names and ids, {found.below[2]:.1%} of {found.rows:,} customers are the only one "
        f"with their values of {listed(plain(c) for c in found.columns)}; "
        f"{found.below[5]:.1%} stand in crowds below 5. Spending can be read off for "
        f"{found.told:.1%}: all in the crowd share it. "
    )
    parts = [
        f"{int(r.known.iloc[-1])} columns of {kind}, drawn at random, leave "
        f"{r.alone.iloc[-1]:.0%} alone on average"
        for kind, r in known.items()
        if len(r)
    ]
    return text + (sentence(listed(parts)) if parts else "")


def on_reveals(table: pd.DataFrame) -> str:
    """Which column gives away most, and which tells of the spending."""
    top = table.iloc[0]
    text = (
        f"*{plain(top.column)}* says most about who somebody is: {top.bits:.1f} bits, a crowd "
        f"2^{top.bits:.1f} = {2**top.bits:,.0f} times smaller. "
    )
    telling = table[table.tells > table.chance]
    if telling.empty:
        return text + "No column by itself tells more of the spending than chance would."
    parts = [f"{plain(r.column)} {r.tells:.1%}" for r in telling.itertuples()]
    return text + (
        f"Of what there is to know about spending, more than by chance is told by {listed(parts)}."
    )


def on_protection(found: Protected) -> str:
    """What k takes."""
    steps = found.steps
    first, last = steps.iloc[0], steps.iloc[-1]
    gone = [
        plain(c)
        for c in dict.fromkeys(steps.column)
        if c and (found.table[c].astype(str) == "any").all()
    ]
    text = (
        f"To hide everybody among {found.k}, the columns shrink from {first.bits:.1f} bits to "
        f"{last.bits:.1f}, and {found.held_back:,} customers are held back. "
    )
    if gone:
        text += f"Given up altogether: {listed(gone)}. "
    return text + (
        "What is left is enough for counts by a few broad kinds, and not for a profile of a person."
        if last.bits < first.bits / 1.5
        else "Most of the table survives."
    )
