"""Tables are written whole or not at all, with their units."""

import errno

import pandas as pd
import pyarrow.parquet as pq
import pytest

from precmark import tables
from precmark.errors import InputError


def test_units_come_back_by_column(tmp_path):
    path = tables.write_table(
        pd.DataFrame({"duration_s": [1.5], "user_id": ["a"]}), tmp_path / "t.parquet",
        {"duration_s": "s"},
    )  # fmt: skip
    assert tables.read_units(path) == {"duration_s": "s"}
    assert pq.read_table(path).to_pydict() == {"duration_s": [1.5], "user_id": ["a"]}


def test_a_unit_for_a_missing_column_is_a_mistake(tmp_path):
    with pytest.raises(KeyError, match="price"):
        tables.write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.parquet", {"price": "GBP"})


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tables.write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.parquet")

    def full(table, where, **kwargs):
        where.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tables.pq, "write_table", full)
    with pytest.raises(InputError, match=r"No space left.*nothing was left half written"):
        tables.write_table(pd.DataFrame({"a": [2]}), path)
    assert tables.read_table(path)["a"].tolist() == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]
