"""The channels of a set of sequences in words, for tables and captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.sequences.channels import SESSION_CHANNELS
from precmark.sequences.customer_unit import CUSTOMER_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable


def describe_channels(channels: Iterable[str]) -> pd.DataFrame:
    """What each channel says.

    Parameters
    ----------
    channels : iterable of str
        Names, e.g. ``sequences.channels``.

    Returns
    -------
    pandas.DataFrame
        ``channel`` and ``what`` (in words, with the unit), in the order given.

    Examples
    --------
    >>> describe_channels(["is_cart"]).loc[0, "what"]
    '1 where the event is a cart; all kinds 0: any other event'
    """
    words = {c.name: c.what for c in SESSION_CHANNELS} | CUSTOMER_CHANNELS
    names = list(channels)
    what = [words.get(n) or f"1 where the category is {n.removeprefix('in_')}" for n in names]
    return pd.DataFrame({"channel": names, "what": what})
