"""The findings page gathers what the chapters of this run concluded, and nothing else."""

import pandas as pd
import pytest

from precmark import findings
from precmark.chapters import VERDICTS
from precmark.runs import Run
from precmark.tables import write_table


def _row(chapter, verdict, claim="c"):
    return {"chapter": chapter, "claim": claim, "place": "Gu, Table 4", "paper": "1", "ours": "2",
            "verdict": verdict, "why": "w"}  # fmt: skip


@pytest.fixture
def run(tiny_run):
    opened = Run(tiny_run)
    opened.write("contract/events", pd.DataFrame({"user_code": [0]}))
    rows = [_row("01_store", "reproduced"), _row("01_store", "internally inconsistent", "d")]
    opened.write("verdicts/01", pd.DataFrame(rows))
    opened.write("verdicts/03", pd.DataFrame([_row("03_segmentation", "not reproduced", "e")]))
    return opened


def test_counts_by_chapter_and_verdict(run):
    counts = findings.scorecard(findings.verdicts(run))
    assert list(counts.columns) == list(VERDICTS)
    assert counts.loc["The store"].to_dict() == {
        v: int(v in ("reproduced", "internally inconsistent")) for v in VERDICTS
    }
    assert counts.loc["Segmentation", "not reproduced"] == 1
    assert counts.to_numpy().sum() == 3


def test_what_contradicts_a_paper_comes_first(run):
    lines = findings.sentences(findings.verdicts(run))
    assert [line.split(" ", 1)[0] for line in lines] == ["e", "d", "c"]
    assert lines[0] == "e (Gu, Table 4): **not reproduced**. w"


def test_verdicts_of_a_chapter_that_the_data_cannot_fill_are_not_shown(run, tiny_run):
    write_table(pd.DataFrame([_row("01_store", "reproduced")]), run.table_path("verdicts/01"))
    run.table_path("contract/events").unlink()
    assert findings.verdicts(Run(tiny_run)).empty


def test_a_run_without_verdicts_has_an_empty_scorecard(tiny_run):
    found = findings.verdicts(Run(tiny_run))
    assert findings.scorecard(found).empty
    assert findings.sentences(found) == []
    assert findings.claims_table(found).empty
