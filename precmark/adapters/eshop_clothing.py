"""E-shop clothing 2008 (UCI 553): the clicks of a Polish maternity-wear shop as views."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from precmark.adapters.base import Adapter, Card, Fingerprint, check_columns, read_card, table
from precmark.adapters.fetch import open_member
from precmark.errors import InputError
from precmark.source import Dataset


def read(path: Path) -> pd.DataFrame:
    """The publisher's clicks from its semicolon CSV, a zip of it, or a Parquet copy."""
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif path.suffix.lower() == ".zip":
        with open_member(path, ".csv") as stream:
            frame = pd.read_csv(stream, sep=";")
    elif path.suffix.lower() == ".csv":
        frame = pd.read_csv(path, sep=";")
    else:
        raise InputError(
            f"{path.name}: eshop-clothing is read from .csv (semicolons), .zip or .parquet. "
            "Give the file that the publisher's archive holds: e-shop clothing 2008.csv."
        )
    frame = frame.rename(columns={"order(sells)": "order"})
    check_columns(frame.columns, read_card("eshop-clothing"), path)
    return frame


def fingerprint(clicks: pd.DataFrame) -> Fingerprint:
    """What `clicks` counts to, for comparison with the card."""
    order = clicks.groupby("session ID")["order"]
    length = order.size()
    gapless = (order.max() == length) & (order.min() == 1) & (order.nunique() == length)
    days = _day(clicks)
    return {
        "rows": len(clicks),
        "sessions": len(length),
        "models": int(clicks["page 2 (clothing model)"].nunique()),
        "sessions_of_3_or_more_clicks": int((length >= 3).sum()),
        "sessions_with_a_gap_in_their_order": int((~gapless).sum()),
        "price_total": int(clicks["price"].sum()),
        "first": str(days.min())[:10],
        "last": str(days.max())[:10],
    }


def convert(clicks: pd.DataFrame, card: Card) -> Dataset:
    """Clicks as ``view`` events, each session its own user.

    The timestamp is the day's midnight plus the click's number in seconds: the log has no clock,
    and the order must survive.

    Returns
    -------
    Dataset
        ``events``, ``users`` (country of the visitor's address), ``items`` (the category that most
        of its clicks give, price, colour and kind of photo as tags). Nothing is set aside.
    """
    session = clicks["session ID"].astype(str)
    item = clicks["page 2 (clothing model)"].astype(str)
    category = _decoded(clicks["page 1 (main category)"], card.codes["category"])
    time = _day(clicks) + pd.to_timedelta(clicks["order"], unit="s")
    events = {
        "user_id": session,
        "timestamp": time.dt.tz_localize("UTC"),
        "event": pd.Series("view", index=clicks.index),
        "session_id": session,
        "item_id": item,
        "category": category,
    }
    country = _decoded(clicks["country"], card.codes["country"]).groupby(session).first()
    return Dataset(
        source=card.source,
        tables={
            "events": table("events", events),
            "users": table("users", {"user_id": country.index, "country": country}),
            "items": _items(clicks, item, category, card),
        },
    )


def _decoded(code: pd.Series, words: list[str]) -> pd.Series:
    """`code`, counted from 1, in `words`; None where the word is empty or there is none."""
    return code.map({n: word or None for n, word in enumerate(words, start=1)})


def _day(clicks: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(clicks[["year", "month", "day"]])


def _items(clicks: pd.DataFrame, item: pd.Series, category: pd.Series, card: Card):
    photo = _decoded(clicks["model photography"], card.codes["photo"])
    colour = _decoded(clicks["colour"], card.codes["colour"])
    rows = pd.DataFrame(
        {
            "item_id": item,
            "category": category,
            "price": clicks["price"].astype(float),
            "tags": colour + ";" + photo,
        }
    )
    by = rows.groupby("item_id")
    often = rows.groupby(["item_id", "category"]).size().rename("n").reset_index()
    often = often.sort_values(["item_id", "n", "category"], ascending=[True, False, True])
    main = often.drop_duplicates("item_id").set_index("item_id")["category"]
    price = by["price"].median()
    return table(
        "items",
        {
            "item_id": price.index,
            "kind": ["product"] * len(price),
            "category": main.reindex(price.index),
            "price": price,
            "tags": by["tags"].first(),
        },
    )


ADAPTER = Adapter("eshop-clothing", read, fingerprint, convert)
