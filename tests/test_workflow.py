"""Running chapters: parameters checked first, stale ones only, failures kept, kills survived."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from precmark.chapters import registry
from precmark.errors import InputError
from precmark.runs import Run
from precmark.workflow import ChapterFailed, check_parameters, execute, with_needs
from tests.conftest import notebook


@pytest.fixture
def project(tiny_project, monkeypatch):
    monkeypatch.chdir(tiny_project)
    return tiny_project


def _run() -> Run:
    return Run("runs/tiny")


def _times() -> dict[str, int]:
    return {p.stem: p.stat().st_mtime_ns for p in _run().chapters.glob("*.ipynb")}


def test_all_wrong_parameters_are_listed_at_once(project):
    with pytest.raises(InputError) as error:
        check_parameters(
            [
                "01_store.answr=2",
                "01_store.answer=two",
                "02_nothing.x=1",
                "answer",
                "01_store.run=x",
            ]
        )
    text = str(error.value)
    assert "5 problems" in text
    assert "Did you mean 'answer'?" in text
    assert "'two' is not of type int" in text
    assert "no chapter '02_nothing'" in text
    assert "CHAPTER.NAME=VALUE" in text
    assert "no parameter 'run'" in text


def test_right_parameters_are_typed(project):
    assert check_parameters(["01_store.answer=42"]) == {"01_store": {"answer": 42}}


def test_chapters_run_and_only_stale_ones_run_again(project):
    execute(_run())
    first = _times()
    assert set(first) == {"01_store", "03_segmentation"}
    assert _run().table("store/answer")["a"].tolist() == [1]

    execute(_run())
    assert _times() == first, "nothing changed, so nothing runs"

    stored = project / "notebooks/01_store.ipynb"
    raw = json.loads(stored.read_text())
    raw["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    stored.write_text(json.dumps(raw))
    execute(_run())
    assert _times() == first, "stored outputs are not source"

    card = json.loads((project / "runs/tiny/run.json").read_text())
    card["chapter_parameters"] = {"01_store": {"answer": 7}}
    (project / "runs/tiny/run.json").write_text(json.dumps(card))
    execute(_run())
    second = _times()
    assert second["01_store"] > first["01_store"]
    assert second["03_segmentation"] == first["03_segmentation"]


def test_the_progress_names_what_was_asked_for_and_what_it_needs():
    chapters = list(registry())
    assert with_needs(["03_segmentation"], chapters) == ["02_profile_tables", "03_segmentation"]
    assert with_needs(["03_segmentation"], ["01_store", "03_segmentation"]) == ["03_segmentation"]
    assert with_needs(["00_findings"], chapters) == chapters


def test_a_failed_chapter_keeps_its_notebook_and_says_where(project):
    notebook(
        ("run = None  # type: str", ["parameters"]), "good = 1", "raise ValueError('no luck')",
        path=project / "notebooks/01_store.ipynb",
    )  # fmt: skip
    with pytest.raises(ChapterFailed) as error:
        execute(_run())
    text = str(error.value)
    assert "01_store failed in cell 3" in text and "ValueError: no luck" in text
    kept = project / "runs/tiny/logs/01_store.ipynb"
    assert "no luck" in kept.read_text() and str(kept.relative_to(project)) in text
    assert (project / "runs/tiny/chapters/03_segmentation.ipynb").exists(), "others still finish"
    assert not error.value.bad_input


def test_a_chapter_that_refuses_its_input_is_told_from_a_broken_one(project):
    notebook(
        ("run = None  # type: str", ["parameters"]),
        "from precmark.errors import InputError\nraise InputError('k = 0: no click is that one')",
        path=project / "notebooks/01_store.ipynb",
    )
    with pytest.raises(ChapterFailed, match="k = 0: no click") as error:
        execute(_run())
    assert error.value.bad_input


def test_an_unknown_chapter_is_refused(project):
    with pytest.raises(InputError, match=r"no chapter '03_segmentatin'.*'03_segmentation'"):
        execute(_run(), only=["03_segmentatin"])


def test_a_chapter_that_is_left_out_says_why(project):
    with pytest.raises(InputError, match=r"07_ablation is left out of this run: .+") as error:
        execute(_run(), only=["07_ablation"])
    assert "Did you mean" not in str(error.value)


def test_a_killed_run_keeps_what_was_finished_and_goes_on(project):
    notebook(
        ("run = None  # type: str", ["parameters"]),
        "import time, pathlib\nif not pathlib.Path('fast').exists(): time.sleep(120)",
        path=project / "notebooks/03_segmentation.ipynb",
    )
    code = (
        "import signal\n"
        "from precmark.runs import Run\n"
        "from precmark.workflow import execute\n"
        "signal.signal(signal.SIGTERM, lambda *a: exit(130))\n"
        "execute(Run('runs/tiny'))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    done = project / "runs/tiny/chapters/01_store.ipynb"
    deadline = time.time() + 240
    while not done.exists() and time.time() < deadline:
        time.sleep(0.3)
    time.sleep(1)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 130
    finished = done.stat().st_mtime_ns
    (project / "fast").touch()
    execute(_run())
    assert done.stat().st_mtime_ns == finished, "the finished chapter is kept"
    assert (project / "runs/tiny/chapters/03_segmentation.ipynb").exists()
    assert pd.read_parquet("runs/tiny/results/store/answer.parquet")["a"].tolist() == [1]
