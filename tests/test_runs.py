"""A run's folder: names, what is missing, what the source can say, one process at a time."""

import subprocess
import sys

import pandas as pd
import pytest

from precmark import runs
from precmark.errors import InputError
from precmark.runs import Run


@pytest.mark.parametrize("name", ["a/b", "../x", "", ".hidden", "a b", "a\\b", "x" * 65])
def test_names_that_cannot_be_folders_are_refused(name):
    with pytest.raises(InputError, match="run name"):
        runs.check_name(name)


def test_good_names_pass():
    assert runs.check_name("uk-giftware_2.1") == "uk-giftware_2.1"


def test_a_missing_run_says_the_command_that_makes_it(tmp_path):
    with pytest.raises(InputError, match="precmark run --name nowhere"):
        Run(tmp_path / "nowhere")


def test_a_missing_table_says_which_chapter_makes_it(tiny_run):
    with pytest.raises(InputError, match=r"02_profile_tables makes it.*--only 02_profile_tables"):
        Run(tiny_run).table("profiles/profile")


def test_a_chapter_reads_only_what_it_needs(tiny_run):
    run = Run(tiny_run)
    run.reader = "11_interests"
    run.has("contract/items")
    run.has("interests/words")
    run.has("profiles/profile")
    with pytest.raises(ValueError, match=r"11_interests reads churn/quality.* 05_baselines"):
        run.has("churn/quality")
    run.reader = "07_ablation"  # through 05 and 03
    run.has("profiles/profile")


def test_tables_round_trip_through_the_results(tiny_run):
    run = Run(tiny_run)
    run.write("segments/segments", pd.DataFrame({"user_code": [3]}), {"user_code": "code"})
    assert run.has("segments/segments")
    assert run.table("segments/segments")["user_code"].tolist() == [3]


def test_what_the_source_lacks_is_printed(tiny_run, capsys):
    run = Run(tiny_run)
    assert run.says("purchases")
    assert not run.says("prices", "purchases", part="revenue by month")
    printed = capsys.readouterr().out
    assert "revenue by month" in printed and "the money of each purchase" in printed
    assert "Tiny shop" in printed


def test_as_of_is_midnight_in_the_shops_zone(tiny_run):
    assert Run(tiny_run).as_of == pd.Timestamp("2021-01-08 00:00", tz="UTC")


def test_outside_a_checkout_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not inside a precmark checkout"):
        runs.root()


def test_a_second_process_on_the_same_run_is_refused(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom precmark import runs\n"
        "from precmark.errors import InputError\n"
        "try:\n    with runs.lock(Path(sys.argv[1])): print('got it')\n"
        "except InputError as e: print(e)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "shared")]
    with runs.lock(tmp_path / "shared"):
        refused = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    taken = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "being worked on by process" in refused
    assert taken.strip() == "got it"
