"""The graph of chapters, their staleness, and what a chapter records."""

import json

import pandas as pd
import pytest

from precmark import chapters
from precmark.chapters import Chapter
from precmark.runs import Run
from tests.conftest import ROOT, notebook


def test_every_need_is_an_earlier_chapter_or_the_findings():
    cards = chapters.registry()
    order = list(cards)
    for card in cards.values():
        for need in card.needs:
            assert need in cards
            assert card.name == "00_findings" or order.index(need) < order.index(card.name)


def test_needs_are_followed_through_one_another():
    assert chapters.needed_by("02_profile_tables") == frozenset()
    assert "02_profile_tables" in chapters.needed_by("08_sales_estimate")
    assert chapters.needed_by("00_findings") == set(chapters.registry()) - {"00_findings"}


def test_what_others_wait_for_runs_first():
    first = chapters.waiting_for("04_model_architecture")
    assert first > chapters.waiting_for("05_baselines") > chapters.waiting_for("07_ablation")
    assert chapters.waiting_for("14_strategy") == 1  # the findings
    assert chapters.waiting_for("00_findings") == 0


def test_a_chapter_that_starts_is_held_to_its_needs(tiny_run, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert Chapter.start("11_interests", str(tiny_run)).run.reader == "11_interests"


def test_results_folders_have_one_maker():
    made = [folder for card in chapters.registry().values() for folder in card.makes]
    assert len(made) == len(set(made))
    assert chapters.maker_of("profiles/lists") == "02_profile_tables"
    assert chapters.maker_of("contract/events") == "data"


def test_files_that_chapters_read_are_in_the_repository():
    read = {file for card in chapters.registry().values() for file in card.reads}
    assert {"data/intents/shopping.csv", "data/crm/rules.toml"} <= read
    assert all((ROOT / file).is_file() for file in read)


def test_source_ignores_outputs_and_counts(tmp_path):
    path = notebook("x = 1", path=tmp_path / "n.ipynb")
    before = chapters.notebook_source(path)
    raw = json.loads(path.read_text())
    raw["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "hi"}]
    raw["cells"][0]["execution_count"] = 7
    path.write_text(json.dumps(raw))
    assert chapters.notebook_source(path) == before
    raw["cells"][0]["source"] = "x = 2"
    path.write_text(json.dumps(raw))
    assert chapters.notebook_source(path) != before


def test_modules_are_found_through_one_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook(
        "%matplotlib inline\nfrom precmark import findings", path=tmp_path / "notebooks/x.ipynb"
    )
    found = {str(p.resolve().relative_to(ROOT)) for p in chapters.modules_of("x")}
    assert {"precmark/findings.py", "precmark/chapters.py", "precmark/runs.py"} <= found
    assert "precmark/cli.py" not in found
    assert all((ROOT / p).exists() for p in found)


def test_a_verdict_is_written_with_its_chapter(tiny_run, capsys):
    chapter = Chapter("01_store", Run(tiny_run), {"k": 3})
    chapter.verdict(
        id="gu-a", claim="c", place="Gu, Table 4", paper="1", ours="2", verdict="undecided", why="w"
    )
    chapter.finish()
    stored = pd.read_parquet(tiny_run / "results/verdicts/01.parquet")
    assert stored.iloc[0].to_dict() == {
        "id": "gu-a", "chapter": "01_store", "claim": "c", "place": "Gu, Table 4", "paper": "1",
        "ours": "2", "verdict": "undecided", "why": "w",
    }  # fmt: skip


def test_an_unknown_verdict_is_a_mistake(tiny_run):
    chapter = Chapter("01_store", Run(tiny_run), {})
    with pytest.raises(ValueError, match="one of reproduced"):
        chapter.verdict(
            id="gu-a", claim="c", place="p", paper="1", ours="2", verdict="maybe", why="w"
        )


@pytest.mark.parametrize("id", ["", "Gu-a", "gu", "gu--a", "gu_a", "gu-b"])
def test_a_verdicts_id_is_well_formed_and_stands_once(tiny_run, id):
    chapter = Chapter("01_store", Run(tiny_run), {})
    said = {"claim": "c", "place": "p", "paper": "1", "ours": "2", "why": "w"}
    chapter.verdict(id="gu-b", verdict="undecided", **said)
    with pytest.raises(ValueError, match="verdict id"):
        chapter.verdict(id=id, verdict="undecided", **said)


def test_glue_keys_carry_the_chapters_number(tiny_run):
    with pytest.raises(ValueError, match="must start with '01_'"):
        Chapter("01_store", Run(tiny_run), {}).glue("02_x", 1.0)
