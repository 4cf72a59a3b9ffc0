"""What a data source is, and what it can say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

CAPABILITIES: dict[str, str] = {
    "events": "single events, not only a row a visit",
    "visits": "visits with features of their own",
    "clock": "a time of day for every event",
    "users": "the same user recognised across sessions",
    "sessions": "sessions, given or found from gaps in time",
    "views": "page views or clicks, not only orders",
    "purchases": "purchases",
    "prices": "the money of each purchase",
    "items": "which product each event is about",
    "categories": "the category of each product",
    "attributes": "attributes of the users (gender, age, ...)",
    "live": "live-stream events (watch, chat, gift, follow, comment)",
    "coupons": "randomised coupons with their outcomes",
    "truth": "the true effects (simulated stores only)",
}
"""Each capability that a chapter may need, in words that finish "this source does not hold ..."."""


@dataclass(frozen=True)
class Source:
    """A data source's card.

    Attributes
    ----------
    name : str
        Short name used on the command line, e.g. ``"online-retail"``.
    title : str
        As it stands in captions.
    says : frozenset of str
        Keys of :data:`CAPABILITIES`.
    simulated : bool
        Whether captions must say so.
    timezone : str
        IANA name of the store's own clock, for hours and weekdays.
    currency : str
        ISO code, or "" where unknown.
    licence, reference : str
        Licence as its publisher states it; citation or DOI.
    notes : tuple of str
        Facts that a reader must know (what was left out and why).
    """

    name: str
    title: str
    says: frozenset[str]
    simulated: bool = False
    timezone: str = "UTC"
    currency: str = ""
    licence: str = ""
    reference: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = self.says - set(CAPABILITIES)
        if unknown:
            raise ValueError(f"unknown capabilities {sorted(unknown)}")


@dataclass(frozen=True)
class Dataset:
    """A source with its tables, on the way into a run.

    Attributes
    ----------
    source : Source
    tables : dict
        Contract table name (``events``, ``users``, ``items``, ``visits``, ``assignments``) to a
        pyarrow Table, a frame, or the path of a Parquet file.
    set_aside : pandas.DataFrame
        Rows the adapter set aside, with a ``reason`` column, all text; may be empty.
    truth : dict
        Tables that no model may read (simulated stores only).
    """

    source: Source
    tables: dict[str, pa.Table | pd.DataFrame | Path]
    set_aside: pd.DataFrame = field(default_factory=pd.DataFrame)
    truth: dict[str, pa.Table] = field(default_factory=dict)
