"""Online Retail (UCI 352): the invoices of a UK giftware shop as purchases and cancellations."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from precmark.adapters.base import Adapter, Card, Fingerprint, check_columns, read_card, table
from precmark.adapters.fetch import open_member, parsed_once
from precmark.errors import InputError
from precmark.source import Dataset

NOT_PRODUCTS = frozenset(
    ["POST", "DOT", "C2", "M", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK"]
)
"""Stock codes of postage, fees, discounts, samples and adjustments, in upper case."""


def read(path: Path) -> pd.DataFrame:
    """The publisher's lines from the workbook, a zip or CSV of it, or a Parquet copy.

    Parsing the workbook takes a minute or two, so the result is kept in the cache.
    """
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif path.suffix.lower() in (".xlsx", ".zip", ".csv"):
        frame = parsed_once(path, _parse)
    else:
        raise InputError(
            f"{path.name}: online-retail is read from .xlsx, .zip, .csv or .parquet. "
            "Give the file that the publisher's archive holds: Online Retail.xlsx."
        )
    check_columns(frame.columns, read_card("online-retail"), path)
    return _typed(frame)


def fingerprint(lines: pd.DataFrame) -> Fingerprint:
    """What `lines` counts to, for comparison with the card."""
    cancelled = lines["InvoiceNo"].str.startswith("C")
    return {
        "rows": len(lines),
        "customers": int(lines["CustomerID"].nunique()),
        "invoices": int(lines["InvoiceNo"].nunique()),
        "net_value": float((lines["Quantity"] * lines["UnitPrice"]).sum()),
        "cancelled_lines": int(cancelled.sum()),
        "other_negative_quantities": int(((lines["Quantity"] < 0) & ~cancelled).sum()),
        "lines_without_customer": int(lines["CustomerID"].isna().sum()),
        "exact_duplicate_rows": int(lines.duplicated().sum()),
        "first": str(lines["InvoiceDate"].min()),
        "last": str(lines["InvoiceDate"].max()),
    }


def convert(lines: pd.DataFrame, card: Card) -> Dataset:
    """Lines as events; those without a customer or with a price of zero or less set aside.

    A line is a ``cancel`` where its invoice number starts with C or its quantity is negative, and
    a ``purchase`` otherwise; value and quantity are positive in both. Stock codes that differ in
    case only are one product; codes of postage, fees and adjustments keep their money and get no
    item.

    Returns
    -------
    Dataset
        ``events``, ``users`` (country), ``items`` (most frequent description, median price), and
        the lines set aside with ``row`` (from 1) and ``reason``.
    """
    code = lines["StockCode"].str.strip().str.upper()
    cancel = lines["InvoiceNo"].str.startswith("C") | (lines["Quantity"] < 0)
    frame = pd.DataFrame(
        {
            "user_id": lines["CustomerID"],
            "timestamp": _utc(lines["InvoiceDate"], card.source.timezone),
            "event": np.where(cancel, "cancel", "purchase"),
            "session_id": lines["InvoiceNo"],
            "item_id": code.mask(code.isin(NOT_PRODUCTS)),
            # Rounding takes off what binary floating point adds to pounds and pence.
            "value": (lines["Quantity"].abs() * lines["UnitPrice"]).round(6),
            "quantity": lines["Quantity"].abs().astype(float),
        }
    )
    reason = _reason(lines)
    kept = frame[reason == ""]
    return Dataset(
        source=dataclasses.replace(
            card.source, notes=card.source.notes + _counts(lines, frame, reason)
        ),
        tables={
            "events": table("events", kept),
            "users": _users(kept, lines["Country"]),
            "items": _items(kept, lines),
        },
        set_aside=_set_aside(frame, reason),
    )


def _parse(path: Path) -> pd.DataFrame:
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    if path.suffix.lower() == ".zip":
        with open_member(path, ".xlsx") as stream:
            return _typed(_read_workbook(stream, path))
    return _typed(_read_workbook(path, path))


def _read_workbook(stream: Path | IO[bytes], path: Path) -> pd.DataFrame:
    try:
        raw = pd.read_excel(stream, engine="openpyxl", engine_kwargs={"read_only": True})
    except Exception as error:  # openpyxl raises what zip, XML and cell parsing raise
        raise InputError(f"{path} is not a readable workbook ({error}). Fetch it again.") from error
    check_columns(raw.columns, read_card("online-retail"), path)
    return raw


def _read_csv(path: Path) -> pd.DataFrame:
    text = {"InvoiceNo": str, "StockCode": str, "Description": str, "CustomerID": str}
    try:
        raw = pd.read_csv(path, dtype=text, encoding="utf-8")
    except UnicodeDecodeError:
        raw = pd.read_csv(path, dtype=text, encoding="cp1252")  # the pound sign of older exports
    check_columns(raw.columns, read_card("online-retail"), path)
    if not pd.api.types.is_datetime64_any_dtype(raw["InvoiceDate"]):
        us_style = raw["InvoiceDate"].astype(str).str.contains("/").any()
        how = "%m/%d/%Y %H:%M" if us_style else "ISO8601"
        raw["InvoiceDate"] = pd.to_datetime(raw["InvoiceDate"], format=how)
    return _typed(raw)


def _typed(raw: pd.DataFrame) -> pd.DataFrame:
    """`raw` with the same types whatever the container was."""
    customer = raw["CustomerID"]
    if pd.api.types.is_numeric_dtype(customer):
        customer = customer.astype("Int64")
    return pd.DataFrame(
        {
            "InvoiceNo": raw["InvoiceNo"].astype(str),
            "StockCode": raw["StockCode"].astype(str),
            "Description": raw["Description"].astype("str"),
            "Quantity": raw["Quantity"].astype("int64"),
            "InvoiceDate": raw["InvoiceDate"].astype("datetime64[us]"),
            "UnitPrice": raw["UnitPrice"].astype(float),
            "CustomerID": customer.astype("str").str.removesuffix(".0"),
            "Country": raw["Country"].astype("str"),
        }
    )


def _utc(local: pd.Series, timezone: str) -> pd.Series:
    zoned = local.dt.tz_localize(timezone, ambiguous=False, nonexistent="shift_forward")
    return zoned.dt.tz_convert("UTC")


def _reason(lines: pd.DataFrame) -> pd.Series:
    no_customer, no_price = lines["CustomerID"].isna(), lines["UnitPrice"] <= 0
    both = "no customer; price not above zero"
    reasons = np.select(
        [no_customer & no_price, no_customer, no_price],
        [both, *both.split("; ")],
        default="",
    )
    return pd.Series(reasons, index=lines.index)


def _set_aside(frame: pd.DataFrame, reason: pd.Series) -> pd.DataFrame:
    out = frame[reason != ""]
    rows = pd.DataFrame({"row": out.index + 1}, index=out.index)
    rows = rows.join(out).assign(reason=reason[out.index])
    rows["timestamp"] = rows["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return rows.astype("str").reset_index(drop=True)


def _counts(lines: pd.DataFrame, frame: pd.DataFrame, reason: pd.Series) -> tuple[str, ...]:
    """What the adapter set aside or reinterpreted, counted in this file."""
    counts = reason[reason != ""].value_counts()
    parts = ", ".join(f"{n:,} for {why.replace('; ', ' and ')}" for why, n in counts.items())
    other = (lines["Quantity"] < 0) & ~lines["InvoiceNo"].str.startswith("C")
    lost = int((other & (reason != "")).sum())
    charges = frame["item_id"].isna() & (reason == "")
    return (
        f"Set aside: {int(counts.sum()):,} of {len(lines):,} lines ({parts}).",
        f"Quantities are negative on {int(other.sum()):,} lines outside cancelled invoices; they "
        f"count as cancellations, and {lost:,} of them are among the lines set aside.",
        f"{int(charges.sum()):,} lines of postage, fees and adjustments keep their money and name "
        "no product.",
    )


def _users(kept: pd.DataFrame, country: pd.Series):
    latest = kept.assign(country=country).sort_values("timestamp", kind="stable")
    latest = latest.groupby("user_id", sort=True)["country"].last()
    return table("users", {"user_id": latest.index, "country": latest})


def _items(kept: pd.DataFrame, lines: pd.DataFrame):
    rows = pd.DataFrame(
        {
            "item_id": kept["item_id"],
            "description": lines["Description"].str.strip(),
            "price": lines["UnitPrice"],
        }
    ).loc[kept.index]
    rows = rows.dropna(subset=["item_id"])
    price = rows.groupby("item_id")["price"].median().round(6)
    often = rows.groupby(["item_id", "description"]).size().rename("n").reset_index()
    often = often.sort_values(["item_id", "n", "description"], ascending=[True, False, True])
    description = often.drop_duplicates("item_id").set_index("item_id")["description"]
    return table(
        "items",
        {
            "item_id": price.index,
            "kind": ["product"] * len(price),
            "price": price,
            "description": description.reindex(price.index),
        },
    )


ADAPTER = Adapter("online-retail", read, fingerprint, convert)
