"""Ingesting: the normalised tables, hashed users, and all or nothing."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from precmark.contract import Options, check, infer_source, ingest, normalise, read_dataset
from precmark.contract.schema import TABLES
from precmark.errors import InputError
from precmark.source import Dataset, Source
from precmark.tables import read_units

START = datetime(2024, 7, 1, tzinfo=UTC)


def log(n: int = 200, users: int = 17, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": [f"user-{i}" for i in random.integers(0, users, n)],
            "timestamp": [START + timedelta(minutes=int(m)) for m in random.integers(0, 300, n)],
            "event": random.choice(["view", "cart", "purchase"], n),
            "item_id": [f"i{i}" for i in range(n)],
            "value": random.random(n).round(2),
        }
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_events_have_every_column_typed_sorted_and_with_units(tmp_path):
    table = log()
    done = ingest(tmp_path, table)
    schema = pq.read_schema(done.tables["events"])
    assert schema.names == [c.name for c in TABLES["events"]] + ["user_code", "row"]
    assert schema.field("timestamp").type == pa.timestamp("us", "UTC")
    assert schema.field("text").type == pa.string()
    assert schema.field("quantity").type == pa.float64()
    assert schema.field("user_code").type == pa.int64()
    assert read_units(done.tables["events"])["duration_s"] == "s"
    events = pd.read_parquet(done.tables["events"])
    order = events.sort_values(["user_code", "timestamp", "row"])
    pd.testing.assert_frame_equal(events, order)
    ids = sorted(table["user_id"].unique())
    back = events.sort_values("row")
    assert [ids[c] for c in back["user_code"]] == table["user_id"].tolist()
    assert back["row"].tolist() == list(range(1, len(table) + 1))
    assert back["value"].tolist() == table["value"].tolist()
    assert events.groupby("user_code")["user_id"].nunique().eq(1).all()
    assert not events["user_id"].isin(ids).any()
    assert done.users == len(ids)


def test_codes_are_shared_by_all_tables_and_ranked_by_original_id(tmp_path):
    events = log(50, 5)
    users = pd.DataFrame({"user_id": ["user-3", "aaa", "zzz"], "age": [30, None, 40]})
    offers = pd.DataFrame(
        {"decision_id": ["d1", "d2"], "user_id": ["user-1", "user-9"], "timestamp": [START] * 2,
         "arm": ["none", "c1"], "propensity": [0.9, 0.1], "outcome": [0, 1]}
    )  # fmt: skip
    done = ingest(tmp_path, {"events": events, "users": users, "assignments": offers})
    ids = sorted({*events["user_id"], *users["user_id"], *offers["user_id"]})
    assert done.users == len(ids)
    for table, original in (("users", sorted(users["user_id"])), ("assignments", None)):
        written = pd.read_parquet(done.tables[table])
        original = original or offers["user_id"].tolist()
        assert written["user_code"].tolist() == [ids.index(i) for i in original]
    private = pd.read_parquet(tmp_path / "private" / "users.parquet")
    assert private.set_index("user_code")["original"].sort_index().tolist() == ids
    assert private["user_id"].is_unique


def test_the_key_changes_ids_and_no_number(tmp_path):
    first, second = ingest(tmp_path / "a", log()), ingest(tmp_path / "b", log())
    one, two = (pd.read_parquet(d.tables["events"]) for d in (first, second))
    assert (one["user_id"] != two["user_id"]).all()
    pd.testing.assert_frame_equal(one.drop(columns="user_id"), two.drop(columns="user_id"))
    assert first.checked.fingerprint == second.checked.fingerprint
    assert normalise.hashed("user-1", b"k" * 32) == normalise.hashed("user-1", b"k" * 32)


def test_the_key_is_kept_and_private_to_the_owner(tmp_path):
    ingest(tmp_path, log())
    key = (tmp_path / "private" / "key").read_text()
    ids = set(pd.read_parquet(tmp_path / "results/contract/events.parquet")["user_id"])
    ingest(tmp_path, log())
    assert (tmp_path / "private" / "key").read_text() == key
    assert set(pd.read_parquet(tmp_path / "results/contract/events.parquet")["user_id"]) == ids
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "private").iterdir()}
    assert modes == {"key": 0o600, "users.parquet": 0o600}
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700


def test_tables_as_path_arrow_and_frame_give_the_same(tmp_path):
    table = log()
    path = tmp_path / "e.parquet"
    table.to_parquet(path)
    card = Source("shop", "A shop", frozenset({"views"}))
    forms = [path, str(path), pa.Table.from_pandas(table), table]
    prints = {
        ingest(tmp_path / str(i), Dataset(card, {"events": form})).checked.fingerprint
        for i, form in enumerate(forms)
    }
    assert len(prints) == 1
    assert ingest(tmp_path / "x", Dataset(card, {"events": path})).source is card


def test_a_dataset_brings_rows_set_aside_and_truth(tmp_path):
    aside = pd.DataFrame(
        {
            "reason": ["no customer", "zero price"],
            "user_id": [None, "user-0"],
            "item_id": ["a", "b"],
        }
    )
    truth = {
        "decisions": pa.table({"decision_id": ["d2", "d1"], "user_id": ["user-2", "nobody"],
                               "p0": [0.1, 0.2]}),
        "users": pa.table({"user_id": ["user-1"], "z": [1.0]}),
    }  # fmt: skip
    events = log(100, 3).query("user_id != 'user-0'")
    card = Source("sim", "Simulated", frozenset({"views", "truth"}), simulated=True)
    done = ingest(tmp_path, Dataset(card, {"events": events}, aside, truth))
    rejected = pd.read_parquet(done.tables["rejected"])
    assert rejected["reason"].tolist() == ["no customer", "zero price"]
    assert rejected["user_id"].isna().tolist() == [True, False]
    assert "user-0" not in rejected.to_csv()
    private = pd.read_parquet(tmp_path / "private" / "users.parquet").set_index("original")
    assert pd.isna(private.loc["user-0", "user_code"])
    assert rejected["user_id"][1] == private.loc["user-0", "user_id"]
    decisions = pd.read_parquet(tmp_path / "truth" / "decisions.parquet")
    assert decisions["decision_id"].tolist() == ["d2", "d1"]
    assert decisions["user_id"][0] == private.loc["user-2", "user_id"]
    assert pd.isna(decisions["user_id"][1])
    assert decisions["user_code"][0] == 1
    report = pd.read_parquet(done.tables["report"])
    assert report.query("table == 'source'")["rows"].tolist() == [1, 1]


def test_a_second_ingest_replaces_the_first_and_leaves_no_table_of_it(tmp_path):
    users = pd.DataFrame({"user_id": ["user-1"], "age": [30]})
    ingest(tmp_path, {"events": log(), "users": users})
    done = ingest(tmp_path, log(80))
    assert sorted(done.tables) == ["events", "rejected", "report"]
    assert len(pd.read_parquet(done.tables["events"])) == 80


def test_refused_data_leaves_earlier_results_as_they_were(tmp_path):
    ingest(tmp_path, log())
    before = files(tmp_path)
    with pytest.raises(InputError):
        ingest(tmp_path, log().assign(event="unheard"))
    assert files(tmp_path) == before


@pytest.mark.parametrize("at", ["_write_table", "_write_rejected", "_write_report"])
def test_a_full_disk_is_one_message_and_nothing_half_written(tmp_path, monkeypatch, at):
    ingest(tmp_path, log())
    before = files(tmp_path)

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(normalise, at, full)
    with pytest.raises(InputError, match="No space left on device"):
        ingest(tmp_path, log(30))
    assert files(tmp_path) == before


def test_a_disk_that_fills_while_duckdb_writes(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    import duckdb

    connection = duckdb.connect()
    schema = pa.schema([("a", pa.int64())])
    with pytest.raises(InputError, match=r"disk is full|No space"), normalise._disk(tmp_path):
        normalise.copy(connection, "SELECT range AS a FROM range(1000)", Path("/dev/full"), schema)


def test_what_a_killed_process_left_is_swept(tmp_path):
    left = tmp_path / ".ingest-999999999-abc"
    left.mkdir()
    (left / "part").write_text("x")
    ingest(tmp_path, log())
    assert not left.exists()
    assert not list(tmp_path.glob(".ingest-*"))


def test_a_card_is_inferred_from_the_log(tmp_path):
    done = ingest(tmp_path / "mystore", log(), Options(timezone="Asia/Tokyo"))
    assert done.source.name == "mystore"
    assert done.source.timezone == "Asia/Tokyo"
    assert done.source.says == {
        "events",
        "views",
        "clock",
        "sessions",
        "purchases",
        "prices",
        "items",
    }
    assert infer_source(check(log()), "x", title="My shop").title == "My shop"
    dataset, checked = read_dataset("x", log())
    assert dataset.source.says == checked.says
    assert ingest(tmp_path / "y", dataset).checked.fingerprint == checked.fingerprint


def test_no_original_id_is_in_any_result(tmp_path):
    table = log().assign(user_id=lambda t: "secret-" + t["user_id"])
    bad = table.iloc[:20].assign(value=-1.0)
    ingest(tmp_path, pd.concat([table, bad, table.iloc[:5]]))
    for path in (tmp_path / "results").rglob("*.parquet"):
        assert "secret-" not in pq.read_table(path).to_pandas().to_csv()
