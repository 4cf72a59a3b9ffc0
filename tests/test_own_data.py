"""The page "Your own data": its commands, its sample output and its columns are true."""

import re
import shlex

import pytest

from precmark.contract.schema import EVENT_NAMES, TABLES
from tests.conftest import ROOT, SHORT, cli

PAGE = (ROOT / "book" / "your-own-data.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)


def commands(block=0):
    lines = blocks("sh")[block].replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


def test_there_are_five_commands_and_the_makefile_knows_the_first():
    five = commands()
    assert len(five) == 5
    assert five[0] == ["make", ".venv/.ready"]
    makefile = (ROOT / "Makefile").read_text()
    assert "VENV := .venv" in makefile and "READY := $(VENV)/.ready" in makefile
    assert [c[:2] for c in five[2:]] == [["precmark", w] for w in ("check", "run", "book")]


def test_the_check_of_the_example_passes_as_printed():
    (check,) = [c for c in commands() if c[:2] == ["precmark", "check"]]
    done = cli(*check[1:])
    assert done.returncode == 0, done.stderr
    assert "No problems" in done.stdout


def test_run_takes_the_same_options_as_check():
    check, run = (c for c in commands() if c[0] == "precmark" and c[1] in ("check", "run"))
    assert run[run.index("--events") + 1] == check[2]
    assert check[3:] == run[4:-2]


def test_the_sample_output_is_what_the_command_prints():
    (printed,), shown = commands(1), blocks("text")[0]
    done = cli(*printed[1:])
    assert done.returncode == 2
    assert done.stderr == shown


def test_every_column_and_event_is_on_the_page():
    events, coupons = PAGE.split("If you gave coupons at random")
    assert all(f"`{c.name}`" in coupons for c in TABLES["assignments"])
    rows = re.findall(r"^\| `(\w+)` \|", events, flags=re.M)
    assert rows == [c.name for c in TABLES["events"]]
    required = re.findall(r"^\| `(\w+)` \|.*\| required \|$", PAGE, flags=re.M)
    assert required == [c.name for c in TABLES["events"] if c.required]
    for word in (*EVENT_NAMES, *(c.name for t in ("users", "items") for c in TABLES[t])):
        assert f"`{word}`" in PAGE or word in ("user_id", "item_id"), word


@pytest.mark.sample
def test_the_five_commands_make_a_book():
    run, book = (c[1:] for c in commands()[3:])
    renamed = [w if w != "mystore" else "test-mystore" for w in run]
    done = cli(*renamed, *SHORT)
    assert done.returncode == 0, done.stderr[-3000:]
    done = cli(book[0], "test-mystore")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (ROOT / done.stdout.strip()).exists()
