"""Tables of chapter 11's second half as a reader sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.interests.sentences_offers import plain

if TYPE_CHECKING:
    from precmark.interests.feedback import Shown


def shown_words(results: Mapping[str, Shown]) -> pd.DataFrame:
    """A row a policy in words, as the page prints it."""
    rows = [
        (name, f"{r.found.mean():.1%}", f"{r.clicks.mean():.2f}",
         f"{r.pages.seen.iloc[-1]:.0f}",
         f"{r.kinds.mean():.2f}" if not np.isnan(r.kinds).any() else "")
        for name, r in results.items()
    ]  # fmt: skip
    names = ["the shop", "wanted products found", "clicks a user", "products shown", "kinds a page"]
    made = pd.DataFrame(rows, columns=names)
    return made if (made["kinds a page"] != "").any() else made.drop(columns="kinds a page")


def groups_words(table: pd.DataFrame) -> pd.DataFrame:
    """The groups as the page prints them."""
    rows = [
        (r.group, r.expression, f"{r.customers:,}", f"{r.share:.1%}",
         _rate_text(r), f"{r.others:.1%}", "" if np.isnan(r.spent) else f"{r.spent:,.2f}")
        for r in table.itertuples()
    ]  # fmt: skip
    names = ["group", "expression", "customers", "share", "bought later", "others", "spent a head"]
    return pd.DataFrame(rows, columns=names)


def _rate_text(r) -> str:
    return f"{r.rate:.1%} [{r.low:.1%}, {r.high:.1%}]" if r.customers else "nobody"


def reveals_words(table: pd.DataFrame) -> pd.DataFrame:
    """What each column gives away, as the page prints it."""
    return pd.DataFrame(
        {
            "column": table.column.map(plain),
            "values": table["values"].map("{:,}".format),
            "bits": table.bits.map("{:.2f}".format),
            "beyond the others": table.adds.map("{:.2f}".format),
            "alone with it": table.alone.map("{:.1%}".format),
            "tells of spending": table.tells.map("{:.1%}".format),
            "by chance up to": table.chance.map("{:.1%}".format),
        }
    )
