"""Chapter 09 as its reader sees it: a changed figure changes the page, any file can be audited."""

import re
import shutil

import nbformat
import pandas as pd
import papermill
from bs4 import BeautifulSoup

from precmark.runs import Run
from precmark.workflow import claims_inputs
from tests.conftest import ROOT
from tests.test_audit_files import PAPER

CHAPTER = ROOT / "notebooks/09_claims_audit.ipynb"


class Page:
    """The executed chapter: what its cells show, and the table that it leaves in the run."""

    def __init__(self, run, claims):
        out = run / "09.ipynb"
        papermill.execute_notebook(
            CHAPTER, out, {"run": str(run), "claims": str(claims)}, kernel_name="python3",
            cwd=ROOT, progress_bar=False,
        )  # fmt: skip
        self.cells = {c["id"]: c for c in nbformat.read(out, 4).cells if c.cell_type == "code"}
        self.table = Run(run).table("audit/claims").set_index("id")

    def shown(self, cell: str, kind: str) -> str:
        """All that `cell` shows of MIME type `kind`."""
        outputs = self.cells[cell].get("outputs", [])
        return "\n".join(o["data"][kind] for o in outputs if kind in o.get("data", {}))

    def claims(self) -> pd.DataFrame:
        """The table of every claim as the page prints it, by id."""
        table = BeautifulSoup(self.shown("all", "text/html"), "html.parser").find("table")
        head, *rows = ([c.get_text() for c in r(["th", "td"])] for r in table("tr"))
        return pd.DataFrame(rows, columns=head).set_index("Id")


def test_changing_one_figure_changes_its_verdict_in_the_rendered_page(tiny_run, tmp_path):
    folder = tmp_path / "claims"
    shutil.copytree(ROOT / "data/claims", folder)
    gu = folder / "gu.toml"
    text, line = gu.read_text("utf-8"), "option4_couponed_conversion = { value = 0.1369,"
    assert text.count(line) == 2, "Table 6, then the text of section 5.3"
    gu.write_text(text.replace(line, line.replace("0.1369", "0.1370"), 1), "utf-8")
    page = Page(tiny_run, folder)
    shown = page.claims()
    # 134 of 978 is 13.70 %, which now stands; abstract and text still have 13.69 %.
    assert shown.loc["gu-table6-grim-option4", "Verdict"] == "reproduced"
    assert shown.loc["gu-table6-grim-option3", "Verdict"] == "internally inconsistent"
    assert shown.loc["gu-abstract-conversion", "Verdict"] == "internally inconsistent"
    bad = page.shown("bad", "text/markdown")
    assert "13.70% (" in bad and "13.69% (" in bad
    assert "No count gives 5.68%" in bad and "No count gives 13.7" not in bad
    assert (
        shown["Verdict"].replace("tried in a chapter", "").to_dict()
        == page.table["verdict"].to_dict()
    )
    verdicts = shown["Verdict"].tolist()
    worst = verdicts.count("internally inconsistent")
    assert worst > 20 and verdicts[:worst] == ["internally inconsistent"] * worst
    found = [int(n) for n in re.findall(r"\((\d+) claims?\)", bad)]
    assert sum(found) == worst, "each contradiction is listed once"


def test_the_chapter_takes_a_file_of_ones_own(tiny_run, tmp_path):
    """Nothing to draw for some checks, no contradiction: the page says so instead of failing."""
    mine = tmp_path / "doe.toml"
    mine.write_text(PAPER)
    page = Page(tiny_run, mine)
    assert set(page.claims().index) == {"doe-grim", "doe-best", "doe-tried", "doe-private"}
    assert "No claim is contradicted" in page.shown("bad", "text/markdown")
    assert "No claim compares two shares" in page.shown("differences", "text/markdown")
    assert "Doe" in page.shown("scorecard", "text/html")


def test_every_claims_file_is_an_input_of_the_chapter(tiny_run, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = claims_inputs(str(tiny_run), "09_claims_audit")
    wanted = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "data/claims").glob("*.toml"))
    assert set(wanted) <= set(found)
