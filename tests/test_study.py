"""The whole study: a run at classroom scale in every test run, the sample where CI asks for it."""

import json
import os
import re
import subprocess
import sys

import pytest

from precmark import chapters, reference
from precmark.runs import Run
from tests.conftest import ROOT, SHORT, cli

CLASSROOM = "test-classroom"
CHECKED = "NBVAL_CHECK_OUTPUT"

IN_CLASS = ["run", "--simulate", "classroom", "--name", CLASSROOM, *SHORT,
            "-p", "07_ablation.replications=40", "-p", "10_data_grid.most_rows=500",
            "-p", "12_dialogue.spoken=60", "-p", "13_statistics.batches=9",
            "-p", "14_strategy.epochs=3", "-p", "14_strategy.trials=3"]  # fmt: skip


def _made(*arguments):
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="session")
def classroom() -> Run:
    """A finished run at classroom scale, rendered."""
    _made(*IN_CLASS)
    _made("book", CLASSROOM)
    return Run(ROOT / "runs" / CLASSROOM)


def _chapters() -> list[str]:
    return [n for n in chapters.registry() if (ROOT / chapters.notebook_path(n)).exists()]


def test_every_chapter_runs_and_has_a_page(classroom):
    html = classroom.book / "html"
    for name in _chapters():
        assert (classroom.chapters / f"{name}.ipynb").exists()
        page = (html / f"{name}.html").read_text()
        assert "How this page was made" in page, "each page ends with its stamp"
        assert "PosixPath(" not in page, "a cell shows a value that is not for readers"
        assert classroom.card["fingerprint"] in page
    assert (html / "index.html").exists()


def test_a_second_run_has_nothing_to_do(classroom):
    before = {p: p.stat().st_mtime_ns for p in classroom.chapters.glob("*.ipynb")}
    _made(*IN_CLASS)
    assert {p: p.stat().st_mtime_ns for p in classroom.chapters.glob("*.ipynb")} == before


def test_no_page_holds_the_private_key_or_the_way_back(classroom):
    private = list(classroom.private.rglob("*"))
    assert private, "the key of the user ids is kept for the owner of the data"
    assert not list(classroom.book.rglob("private*"))
    for page in (classroom.book / "html").glob("*.html"):
        assert str(classroom.path.resolve()) not in page.read_text()


def test_every_figure_has_alt_text_a_caption_and_its_table(classroom):
    figures = 0
    for name in _chapters():
        page = (classroom.book / "html" / f"{name}.html").read_text()
        for figure in re.findall(r'<figure class="precmark-figure".*?</figure>', page, re.S):
            figures += 1
            assert len(re.search(r'alt="([^"]*)"', figure)[1].split()) >= 8
            assert len(re.search(r"<figcaption>([^<]*)", figure)[1].split()) >= 5
            assert 'href="data:text/csv;base64,' in figure
        assert "<img" not in re.sub(r"<figure.*?</figure>", "", page, flags=re.S).replace(
            'class="logo', ""
        ) or name.startswith("00")
    assert figures >= 15


def _checked() -> list[str]:
    """The chapters with outputs that every run must print; the run has executed the others."""
    return [n for n in _chapters() if CHECKED in (ROOT / chapters.notebook_path(n)).read_text()]


def test_some_outputs_are_checked():
    assert len(_checked()) >= 5


@pytest.mark.parametrize("chapter", _checked())
def test_checked_outputs_are_as_stored(classroom, chapter):
    environment = {**os.environ, "PRECMARK_RUN": f"runs/{CLASSROOM}"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "-p", "no:cacheprovider",
         "-o", "addopts=", f"notebooks/{chapter}.ipynb"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def test_one_chapter_reruns_with_plain_papermill(classroom, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "notebooks/03_segmentation.ipynb",
         str(tmp_path / "out.ipynb"), "-p", "run", f"runs/{CLASSROOM}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.sample
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("sample", None),
        ("online-shoppers", "online-shoppers"),
        pytest.param("uk-giftware", "online-retail", marks=pytest.mark.shops),
        pytest.param("eshop-clothing", "eshop-clothing", marks=pytest.mark.shops),
    ],
)
def test_results_equal_the_stored_reference(name, data, request):
    """The tables equal the stored aggregates: within one in a million, trained ones roughly."""
    if data is None:
        _made("run", "--simulate", "sample", "--name", name)
    else:
        request.getfixturevalue("real_data")
        _made("run", "--data", data, "--name", name, *SHORT)
    _made("book", name)
    stored = json.loads((ROOT / "data" / "reference" / f"{name}.json").read_text())
    run = Run(ROOT / "runs" / name)
    assert run.card["fingerprint"] == stored["fingerprint"]
    assert reference.compare(reference.summarise(run), stored["tables"], rtol=1e-6) == []
