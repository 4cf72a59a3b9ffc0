"""Online Shoppers Purchasing Intention (UCI 468): one row a session, as ``visits``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from precmark.adapters.base import Adapter, Card, Fingerprint, check_columns, read_card, table
from precmark.adapters.fetch import open_member
from precmark.errors import InputError
from precmark.source import Dataset

NAMES = {
    "Administrative": "administrative_pages",
    "Administrative_Duration": "administrative_duration_s",
    "Informational": "informational_pages",
    "Informational_Duration": "informational_duration_s",
    "ProductRelated": "product_pages",
    "ProductRelated_Duration": "product_duration_s",
    "BounceRates": "bounce_rate",
    "ExitRates": "exit_rate",
    "PageValues": "page_value",
    "SpecialDay": "special_day",
    "Month": "month",
    "OperatingSystems": "operating_system",
    "Browser": "browser",
    "Region": "region",
    "TrafficType": "traffic_type",
    "VisitorType": "visitor_type",
    "Weekend": "weekend",
}
"""Publisher's column to the column of ``visits``."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
    for name in names.split()
}


def read(path: Path) -> pd.DataFrame:
    """The publisher's sessions from its CSV, a zip of it, or a Parquet copy."""
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif path.suffix.lower() == ".zip":
        with open_member(path, ".csv") as stream:
            frame = pd.read_csv(stream)
    elif path.suffix.lower() == ".csv":
        frame = pd.read_csv(path)
    else:
        raise InputError(
            f"{path.name}: online-shoppers is read from .csv, .zip or .parquet. "
            "Give the file that the publisher's archive holds: online_shoppers_intention.csv."
        )
    check_columns(frame.columns, read_card("online-shoppers"), path)
    return frame


def fingerprint(sessions: pd.DataFrame) -> Fingerprint:
    """What `sessions` counts to, for comparison with the card."""
    return {
        "rows": len(sessions),
        "sessions_with_a_purchase": int(sessions["Revenue"].sum()),
        "exact_duplicate_rows": int(sessions.duplicated().sum()),
        "product_pages": int(sessions["ProductRelated"].sum()),
    }


def convert(sessions: pd.DataFrame, card: Card) -> Dataset:
    """Sessions as ``visits``, in the publisher's order, the row number (from 1) as id.

    Returns
    -------
    Dataset
        ``visits``: session_id, purchased and the columns of :data:`NAMES`; durations in seconds,
        ``month`` 1 to 12, ``visitor_type`` returning, new or other. Nothing is set aside: without
        ids, equal rows cannot be told from sessions that happen to be alike.
    """
    visits = sessions.rename(columns=NAMES)[list(NAMES.values())]
    visits["month"] = sessions["Month"].map(_MONTHS).astype("int64")
    visits["visitor_type"] = (
        sessions["VisitorType"].str.removesuffix("_Visitor").str.lower().astype("str")
    )
    visits.insert(0, "session_id", [str(n) for n in range(1, len(visits) + 1)])
    visits.insert(1, "purchased", sessions["Revenue"].astype(bool))
    return Dataset(source=card.source, tables={"visits": table("visits", visits)})


ADAPTER = Adapter("online-shoppers", read, fingerprint, convert)
