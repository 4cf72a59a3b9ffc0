"""Bad input on the real command line: exit code 2, one clear message, and nothing half written."""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from precmark import cli as command_line
from precmark import runs
from tests.conftest import cli

START = datetime(2024, 3, 1, 10, tzinfo=UTC)


def log(rows: int = 40, **columns) -> pd.DataFrame:
    """A log that can be used, of five users over ten days; `columns` replace or add some."""
    good = {
        "user_id": [f"u{i % 5}" for i in range(rows)],
        "timestamp": [(START + timedelta(hours=6 * i)).isoformat() for i in range(rows)],
        "event": ["purchase" if i % 4 == 0 else "view" for i in range(rows)],
        "value": [float(i) if i % 4 == 0 else None for i in range(rows)],
    }
    return pd.DataFrame(good | columns)


def with_cell(column: str, value: object, row: int = 3) -> pd.DataFrame:
    """The good log with one cell changed, in row `row` counted from 1."""
    table = log()
    table[column] = table[column].astype(object)
    table.loc[row - 1, column] = value
    return table


def csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def parquet(table: pd.DataFrame, folder: Path) -> bytes:
    table.to_parquet(folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


@pytest.fixture
def precmark(tiny_project, monkeypatch, capsys):
    """Run the command line in a small checkout; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tiny_project)
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["precmark", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        out = capsys.readouterr()
        return ended.value.code or 0, out.out, out.err

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def one_message(err: str) -> str:
    """The message in `err`, which holds one and no traceback."""
    assert "Traceback" not in err
    assert err.count("precmark: ") == 1, err
    return err[err.index("precmark: ") :]


BAD = {
    "missing column": (
        "e.csv", lambda _: csv(log().rename(columns={"user_id": "visitorid"})),
        ["no column 'user_id'", "'visitorid'", "--map user_id=visitorid"],
    ),
    "zone-less": (
        "e.csv", lambda _: csv(with_cell("timestamp", "2024-03-02 10:00:00")),
        ["no time zone (1 row, first 3), e.g. '2024-03-02 10:00:00'", "--timezone"],
    ),
    "unparsable": (
        "e.csv", lambda _: csv(with_cell("timestamp", "yesterday")),
        ["not a date and time (1 row, first 3), e.g. 'yesterday'"],
    ),
    "future": (
        "e.csv", lambda _: csv(with_cell("timestamp", "2999-01-01T00:00:00Z")),
        ["in the future (1 row, first 3)"],
    ),
    "before 1990": (
        "e.csv", lambda _: csv(with_cell("timestamp", "1970-01-01T00:00:00Z")),
        ["before 1990 (1 row, first 3)"],
    ),
    "unknown event": (
        "e.csv", lambda _: csv(with_cell("event", "addtocart")),
        ["unknown value 'addtocart' (1 row, first 3)", "--event-names addtocart=cart"],
    ),
    "ids all null or blank": (
        "e.csv", lambda _: csv(log(user_id=[" ", None] * 20)),
        ["every row was set aside (no user_id: 40 rows)"],
    ),
    "values all negative or infinite": (
        "e.parquet", lambda folder: parquet(log(value=[-1.0, float("inf")] * 20), folder),
        ["every row was set aside", "value below 0: 20 rows", "value not finite: 20 rows"],
    ),
    "empty file": ("e.csv", lambda _: b"", ["e.csv: the file is empty"]),
    "header only": ("e.csv", lambda _: csv(log(0)), ["e.csv: a header and no rows"]),
    "not UTF-8": (
        "e.csv", lambda _: csv(log(text="Grüße")).decode().encode("latin-1"),
        ["e.csv: not UTF-8 text (line 2, byte 0xfc)"],
    ),
    "truncated gz": (
        "e.csv.gz", lambda _: gzip.compress(csv(log()))[:-30], ["e.csv.gz", "cut short"]
    ),
    "wrong extension": (
        "e.parquet", lambda _: csv(log()), ["named as Parquet, but its content is"]
    ),
    "nested column": (
        "e.parquet", lambda folder: parquet(log(lines=[[1, 2]] * 40), folder),
        ["column 'lines' is nested"],
    ),
    "personal data by name": (
        "e.csv", lambda _: csv(log(customer_email="x")),
        ["'customer_email' looks like personal data", "--drop-personal"],
    ),
    "personal data by content": (
        "e.csv", lambda _: csv(log(note="call jo@doe.org")), ["'note' looks like personal data"],
    ),
    "one user": ("e.csv", lambda _: csv(log(user_id="u1")), ["only one user"]),
    "one event": ("e.csv", lambda _: csv(log(1)), ["only one event"]),
    "only bots": (
        "e.csv",
        lambda _: csv(log(400, event="view", timestamp=[
            (START + timedelta(seconds=i)).isoformat() for i in range(400)],
            user_id=[f"u{i % 2}" for i in range(400)])),
        ["more than 100 page views"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_log_is_refused_and_makes_no_run(precmark, tiny_project, tmp_path, case):
    name, content, parts = BAD[case]
    folder = tmp_path / "input"
    folder.mkdir()
    path = folder / name
    path.write_bytes(content(folder))
    before = files(tiny_project)
    if case != "only bots":
        code, out, err = precmark("check", path)
        assert (code, out) == (2, "")
        assert all(part in one_message(err) for part in parts), err
    code, _, err = precmark("run", "--events", path, "--name", "shop")
    assert code == 2
    assert all(part in one_message(err) for part in parts), err
    assert files(tiny_project) == before
    assert [p.name for p in (tiny_project / "runs").iterdir()] == ["tiny"]


def test_all_problems_of_all_tables_come_in_one_message(precmark, tmp_path):
    events = with_cell("event", "bought", 1)
    events.loc[1, "timestamp"] = "soon"
    events.to_csv(tmp_path / "e.csv", index=False)
    users = pd.DataFrame({"user_id": ["u1", "u1"], "age": ["old", "3"], "phone": ["1", "2"]})
    users.to_csv(tmp_path / "u.csv", index=False)
    code, _, err = precmark(
        "run", "--events", tmp_path / "e.csv", "--users", tmp_path / "u.csv", "--name", "shop"
    )
    message = one_message(err)
    assert code == 2
    assert "4 problems" in message
    for part in ("'bought'", "'soon'", "'phone'", "users.age: not a number"):
        assert part in message


def test_a_bad_log_leaves_an_earlier_run_as_it_was(precmark, tiny_project, tmp_path):
    before = files(tiny_project / "runs" / "tiny")
    (tmp_path / "e.csv").write_bytes(csv(with_cell("event", "bought")))
    code, _, _ = precmark("run", "--events", tmp_path / "e.csv", "--name", "tiny")
    assert code == 2
    left = files(tiny_project / "runs" / "tiny")
    assert {k: v for k, v in left.items() if k != ".lock"} == before


ASIDE = {
    "null and blank ids": (
        lambda: log(user_id=[None, " ", *(f"u{i % 5}" for i in range(38))]),
        "2 rows, no user_id",
    ),
    "negative values": (lambda: with_cell("value", -3), "1 row, value below 0"),
    "not finite": (lambda: with_cell("value", float("inf")), "1 row, value not finite"),
    "exact duplicates": (
        lambda: pd.concat([log(), log().iloc[:7]]), "7 rows, exact duplicate"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ASIDE)
def test_what_is_set_aside_is_counted_and_does_not_stop(precmark, tmp_path, case):
    make, counted = ASIDE[case]
    path = tmp_path / "e.parquet"
    table = make()
    table.assign(timestamp=pd.to_datetime(table["timestamp"])).to_parquet(path)
    if "finite" in case:  # Parquet keeps what pandas would write as empty.
        assert "inf" in table["value"].astype(str).tolist()
    code, out, err = precmark("check", path)
    assert (code, err) == (0, "")
    assert counted in out


def test_no_purchase_at_all_is_allowed_and_said(precmark, tmp_path):
    (tmp_path / "e.csv").write_bytes(csv(log(event="view")))
    code, out, _ = precmark("check", tmp_path / "e.csv")
    assert code == 0
    assert "does not hold purchases" in out


@pytest.mark.parametrize("name", ["a/b", "../shop", "/shop", ".hidden", "", "a b"])
def test_a_run_name_that_is_no_folder_name(precmark, tiny_project, tmp_path, name):
    (tmp_path / "e.csv").write_bytes(csv(log()))
    before = sorted(tiny_project.rglob("*"))
    code, _, err = precmark("run", "--events", tmp_path / "e.csv", "--name", name)
    assert code == 2
    assert "no slashes" in one_message(err)
    assert sorted(tiny_project.rglob("*")) == before


@pytest.mark.parametrize("day", ["2024-02-28", "2024-03-01", "2030-01-01", "March"])
def test_an_as_of_day_outside_the_log(precmark, tiny_project, tmp_path, day):
    (tmp_path / "e.csv").write_bytes(csv(log()))
    code, _, err = precmark("run", "--events", tmp_path / "e.csv", "--name", "shop", "--as-of", day)
    assert code == 2
    message = one_message(err)
    assert f"--as-of {day}" in message.replace("'", "")
    assert "2024-03-01 to 2024-03-11" in message or "Write it as" in message
    assert not (tiny_project / "runs" / "shop").exists()


def test_a_second_run_on_the_same_name_is_refused(tiny_project, tmp_path):
    """The lock is the other process's: this one holds it while the command line starts."""
    (tmp_path / "e.csv").write_bytes(csv(log()))
    before = json.loads((tiny_project / "runs" / "tiny" / "run.json").read_text())
    with runs.lock(tiny_project / "runs" / "tiny"):
        done = cli("run", "--events", tmp_path / "e.csv", "--name", "tiny", cwd=tiny_project)
    assert done.returncode == 2
    message = one_message(done.stderr)
    assert f"being worked on by process {os.getpid()}" in message
    assert json.loads((tiny_project / "runs" / "tiny" / "run.json").read_text()) == before


def long_log(path: Path) -> Path:
    table = log(60_000, user_id=[f"visitor-{i * 7919 % 20_000}" for i in range(60_000)])
    table["timestamp"] = pd.date_range(START, periods=60_000, freq="min")
    table.to_parquet(path)
    return path


def test_a_disk_that_takes_no_more_is_one_message(tiny_project, tmp_path):
    """Files may not grow beyond 64 KiB: what a full disk does, wherever the tests run."""
    path = long_log(tmp_path / "e.parquet")
    before = files(tiny_project)
    done = cli(
        "run", "--events", path, "--name", "shop", cwd=tiny_project,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "could not be written (File too large)" in one_message(done.stderr)
    assert files(tiny_project) == before


@pytest.mark.parametrize("size_kib", [256, 1024])
def test_a_full_disk_is_one_message(tiny_project, tmp_path, size_kib):
    """A small disk, full in the middle of the tables or just after, where one can be mounted."""
    runs_folder = tiny_project / "runs"
    mount = f"mount -t tmpfs -o size={size_kib}k tmpfs '{runs_folder}'"
    probe = ["unshare", "-rm", "sh", "-c", mount]
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("this system lets no user mount a small disk")
    path = long_log(tmp_path / "e.parquet")
    command = (
        f"{mount} && cd '{tiny_project}' && '{sys.executable}' -c "
        f"'from precmark.cli import main; main()' run --events '{path}' --name shop; "
        "code=$?; find runs -type f; exit $code"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2
    message = one_message(done.stderr)
    assert "Free some space" in message
    assert done.stdout.strip() in ("", "runs/shop/.lock")
