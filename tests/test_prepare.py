"""The data step: made once, made anew when the input changes, never half made."""

import json
from pathlib import Path

import pandas as pd
import pytest

from precmark.errors import InputError
from precmark.prepare import Wanted, prepare, request_for

HEADER = "user_id,timestamp,event,value\n"
GOOD = HEADER + "".join(
    f"u{i % 5},2024-03-{1 + i % 28:02d}T10:{i % 60:02d}:00Z,{'purchase' if i % 4 == 0 else 'view'},"
    f"{i if i % 4 == 0 else ''}\n"
    for i in range(60)
)


@pytest.fixture
def log(tmp_path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(GOOD)
    return path


def _prepare(folder, parameters=None, said=None, **wanted):
    asked = Wanted(**wanted)
    say = (said if said is not None else []).append
    return prepare(folder, request_for(folder, asked), asked, parameters or {}, say=say)


def test_a_log_becomes_tables_and_sessions(log, tmp_path):
    run = _prepare(tmp_path / "shop", files={"events": [str(log)]})
    assert len(run.table("contract/events")) == 60
    assert run.table("sessions/sessions")["events"].sum() == 60
    assert run.card["parameters"] == {
        "data": "log.csv", "as_of": "2024-03-29", "engine": "duckdb"
    }  # fmt: skip
    assert (run.private / "key").stat().st_mode & 0o077 == 0


def test_unchanged_input_is_not_read_again(log, tmp_path):
    said: list[str] = []
    files = {"events": [str(log)]}
    _prepare(tmp_path / "shop", files=files, said=said)
    assert said
    said.clear()
    _prepare(tmp_path / "shop", files=files, said=said)
    _prepare(tmp_path / "shop", said=said)
    assert said == []


def test_changed_input_is_read_again_with_the_same_key(log, tmp_path):
    files = {"events": [str(log)]}
    first = _prepare(tmp_path / "shop", files=files)
    ids = set(first.table("contract/events")["user_id"])
    log.write_text(GOOD + "u9,2024-03-05T10:00:00Z,view,\n")
    second = _prepare(tmp_path / "shop", files=files)
    assert ids < set(second.table("contract/events")["user_id"])
    assert first.card["fingerprint"] != second.card["fingerprint"]


def test_refused_input_leaves_the_run_as_it_was(log, tmp_path):
    files = {"events": [str(log)]}
    run = _prepare(tmp_path / "shop", files=files)
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    log.write_text(GOOD.replace("view", "vieww"))
    with pytest.raises(InputError, match="vieww"):
        _prepare(tmp_path / "shop", files=files)
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before


def test_refused_input_makes_no_run(log, tmp_path):
    log.write_text(GOOD.replace("view", "vieww"))
    with pytest.raises(InputError):
        _prepare(tmp_path / "shop", files={"events": [str(log)]})
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize("day", ["2024-02-01", "2024-03-01", "2024-03-30"])
def test_an_as_of_day_outside_the_log_is_refused_before_anything_moves(log, tmp_path, day):
    with pytest.raises(InputError, match="from 2024-03-01 to 2024-03-28"):
        _prepare(tmp_path / "shop", files={"events": [str(log)]}, as_of=day)
    assert not (tmp_path / "shop").exists()


def test_an_as_of_day_can_change_later(log, tmp_path):
    _prepare(tmp_path / "shop", files={"events": [str(log)]})
    assert _prepare(tmp_path / "shop", as_of="2024-03-10").as_of == pd.Timestamp(
        "2024-03-10", tz="UTC"
    )
    kept = _prepare(tmp_path / "shop", {"01_store": {"x": 1}})
    assert kept.card["parameters"]["as_of"] == "2024-03-10"
    assert kept.card["chapter_parameters"] == {"01_store": {"x": 1}}


def test_a_full_disk_is_one_message_and_leaves_the_run(log, tmp_path, monkeypatch):
    from precmark import prepare as module

    files = {"events": [str(log)]}
    run = _prepare(tmp_path / "shop", files=files)
    card = (run.path / "run.json").read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    log.write_text(GOOD + "u9,2024-03-05T10:00:00Z,view,\n")
    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        _prepare(tmp_path / "shop", files=files)
    monkeypatch.undo()
    assert (run.path / "run.json").read_bytes() == card
    assert not list(run.path.glob(".incoming*"))


def test_every_wrong_wish_is_listed_at_once(tmp_path):
    wanted = Wanted(
        data="onlin-retail", simulate="smaple", world="flat", as_of="soon", engine="dask"
    )
    with pytest.raises(InputError) as error:
        request_for(tmp_path / "x", wanted)
    text = str(error.value)
    for part in ("one source of data", "smaple", "flat", "soon", "dask", "onlin-retail"):
        assert part in text


def test_a_run_without_data_says_how_to_give_some(tmp_path):
    with pytest.raises(InputError, match="has no data yet"):
        request_for(tmp_path / "x", Wanted())


def test_a_simulated_store_has_the_same_ids_in_every_run(tmp_path):
    ids = [
        set(_prepare(tmp_path / name, simulate="classroom").table("contract/users")["user_id"])
        for name in ("a", "b")
    ]
    assert ids[0] == ids[1]
    assert json.loads((tmp_path / "a" / "run.json").read_text())["source"]["simulated"]
