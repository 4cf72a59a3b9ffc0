"""Sequences of two public logs against plain pandas on the publisher's files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from precmark.adapters import load
from precmark.contract import ingest
from precmark.engine import connect, read
from precmark.runs import Run, write_card
from precmark.sequences import customer_summary, make_sequences, task_for
from precmark.sessions import write_sessions


def as_run(name: str, folder) -> Run:
    made = ingest(folder, load(name))
    write_card(folder, {"source": made.source, "parameters": {"engine": "duckdb", "as_of": None}})
    write_sessions(Run(folder), threads=1)
    return Run(folder)


def test_next_click_in_the_clothing_shop(real_data, tmp_path):
    run = as_run("eshop-clothing", tmp_path / "clothing")
    raw = pd.read_parquet(real_data / "eshop_clothing_2008.parquet")
    raw = raw.rename(columns={"order(sells)": "order"}).sort_values(["session ID", "order"])
    clicks = raw.groupby("session ID")["order"].size()
    assert (clicks >= 3).sum() == 15_664
    clicks = clicks[(clicks >= 3) & (clicks <= 100)]
    got = make_sequences(run)
    sessions = run.table("sessions/sessions").set_index("session_code")["session_id"]
    ids = sessions.loc[got.decisions["session_code"]].astype(int).to_numpy()
    assert sorted(ids) == sorted(clicks.index) and len(got) == 15_664 - 17
    np.testing.assert_array_equal(got.y, clicks.loc[ids] > 3)
    assert got.mask.all() and got.X.shape[1:] == (10, 3)
    first = raw[raw["order"] <= 3].set_index(["session ID", "order"])
    price = first["price"].unstack().loc[ids].to_numpy()
    seen = got.X[:, got.channels.index("log_price")]
    # The catalogue's price is the item's median; the log gives nearly all items one price.
    assert np.isclose(seen, np.log1p(price), rtol=1e-6).mean() > 0.99
    model = first["page 2 (clothing model)"].unstack().loc[ids].to_numpy()
    again = np.stack([model[:, j] == model[:, 0] for j in (1, 2)], axis=1)
    again[:, 1] |= model[:, 2] == model[:, 1]
    np.testing.assert_array_equal(got.X[:, got.channels.index("seen_item"), 1:], again)
    # Borders lie between days, so that no day is on two sides.
    days = got.decisions["timestamp"].dt.date
    by_part = days.groupby(got.decisions["split"]).agg(["min", "max"])
    assert by_part.loc["train", "max"] < by_part.loc["validation", "min"]
    assert by_part.loc["validation", "max"] < by_part.loc["test", "min"]


@pytest.fixture(scope="module")
def lines(real_data) -> pd.DataFrame:
    raw = pd.read_parquet(real_data / "online_retail.parquet")
    raw = raw[raw["CustomerID"].notna() & (raw["UnitPrice"] > 0)]
    raw = raw.assign(StockCode=raw["StockCode"].astype(str).str.strip().str.upper())
    raw = raw.drop_duplicates([c for c in raw if c not in ("Description", "Country")])
    cancelled = raw["InvoiceNo"].astype(str).str.startswith("C") | (raw["Quantity"] < 0)
    return raw.assign(date=raw["InvoiceDate"].dt.normalize(), cancelled=cancelled)


def test_customers_of_the_giftware_shop(lines, tmp_path):
    run = as_run("online-retail", tmp_path / "giftware")
    got = make_sequences(run, task_for(run.source))
    events = read(connect(threads=1), run.need("sessions/events"))
    summary = customer_summary(events, got.decisions["timestamp"].unique(),
                               timezone=run.source.timezone)  # fmt: skip
    orders = lines[~lines["cancelled"]]
    origins = pd.to_datetime(["2011-03-15", "2011-06-13", "2011-09-11"])
    local = got.decisions["timestamp"].dt.tz_convert("Europe/London").dt.tz_localize(None)
    assert [*local.unique()] == [*origins]
    for origin in origins:
        here = (local == origin).to_numpy()
        known = orders[orders["date"] < origin]
        window = orders[(orders["date"] >= origin)
                        & (orders["date"] < origin + pd.Timedelta(days=90))]  # fmt: skip
        customers = known["CustomerID"].unique()
        assert here.sum() == len(customers)
        assert got.y[here].sum() == np.isin(customers, window["CustomerID"].unique()).sum()
        days = known.groupby("CustomerID")["date"].agg(["min", "max", "nunique"])
        mine = summary[here]
        assert sorted(mine["frequency"]) == sorted(days["nunique"] - 1)
        assert sorted(mine["recency_days"]) == sorted((days["max"] - days["min"]).dt.days)
        assert sorted(mine["T_days"]) == sorted((origin - days["min"]).dt.days)
        before = lines[lines["date"] < origin]
        money = before["Quantity"] * before["UnitPrice"]
        money = money.groupby(before["CustomerID"]).sum().loc[customers]
        np.testing.assert_allclose(
            np.sort(mine["revenue"]), np.sort(money.to_numpy()), rtol=1e-9, atol=0.01
        )
        last = got.X[here, got.channels.index("log_days_since_order")]
        steps = got.decisions["steps"][here].to_numpy()
        ends = last[np.arange(len(steps)), steps - 1]
        quiet = (origin - days["max"]).dt.days - 1
        np.testing.assert_allclose(np.sort(ends), np.sort(np.log1p(quiet)), rtol=1e-5)
