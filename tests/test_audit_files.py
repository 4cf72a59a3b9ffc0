"""Claims files: what is wrong with one is listed by line; a changed figure changes its verdict."""

import json
import os
import shutil
import time

import pandas as pd
import pytest

from precmark.audit import audit, claims_files, load, scorecard, scored
from precmark.audit.positions import lines_of, nearest_line
from precmark.audit.report import count
from precmark.chapters import VERDICTS
from precmark.errors import InputError
from precmark.runs import Run
from precmark.workflow import claims_inputs, execute
from tests.conftest import ROOT, cli, notebook

PAPER = """\
[paper]
short = "Doe"
title = "A paper"

[figures.table1]
share = { value = 0.0378, unit = "share of sessions", place = "Table 1", what = "conversion" }
cases = { value = 1031, unit = "sessions", place = "Table 1", what = "sessions" }
other = { value = 0.0286, unit = "share of sessions", place = "Table 1", what = "the others" }

[[claims]]
id = "doe-grim"
place = "Table 1"
claim = "The conversion can come from a count."
check = "grim"
[claims.figures]
share = "table1.share"
total = "table1.cases"

[[claims]]
id = "doe-best"
place = "Table 1"
claim = "It is the highest."
check = "ranking"
[claims.figures]
best = "table1.share"
others = [
  "table1.other",  # a comment with ] and "
]

[[claims]]
id = "doe-tried"
place = "Section 4"
claim = "The network is best."
check = "chapter"
chapter = "05_baselines"

[[claims]]
id = "doe-private"
place = "Section 4"
claim = "Customers were happier."
check = "not_testable"
[claims.figures]
reason = "The survey is private."
"""


@pytest.fixture
def claims_file(tmp_path):
    path = tmp_path / "doe.toml"
    path.write_text(PAPER)
    return path


def test_every_claim_gets_a_row(claims_file):
    table = audit(load(claims_file)).set_index("id")
    assert list(table.index) == ["doe-grim", "doe-best", "doe-tried", "doe-private"]
    assert list(table.verdict) == [
        "reproduced", "reproduced", "", "not testable with public data",
    ]  # fmt: skip
    grim = table.loc["doe-grim"]
    assert (grim.paper, grim.place, grim.printed) == ("Doe", "Table 1", "3.78%")
    assert grim.computed == "39 of 1,031" and "39 of 1,031" in grim.why
    assert table.loc["doe-tried", "chapter"] == "05_baselines"
    assert set(table.verdict) - {""} <= set(VERDICTS)
    assert count(table.reset_index()) == (
        "4 claims: 2 reproduced, 1 not testable with public data, 1 tried in a chapter."
    )


def test_changing_one_figure_changes_its_verdict_and_no_other(claims_file):
    before = audit(load(claims_file)).set_index("id")
    claims_file.write_text(PAPER.replace("0.0378", "0.0376"))
    after = audit(load(claims_file)).set_index("id")
    changed = before.index[before.verdict != after.verdict]
    assert list(changed) == ["doe-grim"]
    assert after.loc["doe-grim", "verdict"] == "internally inconsistent"
    claims_file.write_text(PAPER.replace("0.0286", "0.0386"))
    assert audit(load(claims_file)).set_index("id").verdict["doe-best"] == "internally inconsistent"


def test_the_digits_typed_decide(claims_file):
    """0.038 can be 39 of 1,031 or 0.0376 cut short; 0.0380 is known better and cannot."""
    found = {}
    for digits in ("0.038", "0.0380"):
        claims_file.write_text(PAPER.replace("0.0378", digits))
        found[digits] = audit(load(claims_file)).set_index("id").verdict["doe-grim"]
    assert found == {"0.038": "undecided", "0.0380": "internally inconsistent"}


def test_rounding_given_in_the_file_is_used(claims_file):
    claims_file.write_text(
        PAPER.replace("0.0378,", "0.0376,").replace("value = 1031,", "value = 1031, rounding = 40,")
    )
    assert audit(load(claims_file)).set_index("id").verdict["doe-grim"] == "reproduced"


def test_numbers_in_a_claim_are_exact(claims_file):
    claims_file.write_text(PAPER.replace('others = [\n  "table1.other",', "others = [\n  0.0378,"))
    assert audit(load(claims_file)).set_index("id").verdict["doe-best"] == "undecided"


def test_an_inequality_in_a_file_is_checked(claims_file):
    claims_file.write_text(PAPER.replace(RANKING, INEQUALITY))
    found = audit(load(claims_file)).set_index("id").loc["doe-best"]
    assert (found.check, found.verdict) == ("inequality", "reproduced")
    assert found.why == "3.78% is above 2.86%."


# ---- what is wrong with a file


def line_of(text: str, part: str) -> int:
    """The line of `text` that holds `part`: what a reader would count."""
    hits = [i for i, line in enumerate(text.splitlines(), 1) if part in line]
    assert len(hits) == 1, part
    return hits[0]


RANKING = """check = "ranking"
[claims.figures]
best = "table1.share"
others = [
  "table1.other",  # a comment with ] and "
]
"""
INEQUALITY = """check = "inequality"
expression = "a > b"
[claims.figures]
a = "table1.share"
b = "table1.other"
"""
FAULTS = [
    ('check = "grim"', 'check = "grimm"', 'check = "grimm"', "Did you mean 'grim'"),
    ('share = "table1.share"', 'shar = "table1.share"', 'shar = "table1', "Did you mean 'share'"),
    ('total = "table1.cases"', "", "[claims.figures]", "lacks 'total'"),
    ('total = "table1.cases"', 'total = "table1.case"', "table1.case\"",
     "Did you mean 'table1.cases'"),
    ('total = "table1.cases"', "total = true", "total = true", "neither a figure's key"),
    ('id = "doe-best"', 'id = "doe-grim"', None, "stands already in"),
    ('id = "doe-best"', 'id = "Doe best"', 'id = "Doe best"', "small letters"),
    ('id = "doe-best"', 'id = "gu-best"', 'id = "gu-best"', "does not start with its paper"),
    ('id = "doe-best"', "", None, "'id' is missing"),
    ('claim = "It is the highest."', 'claim = ""', 'claim = ""', "not a text"),
    ('claim = "It is the highest."', 'clam = "x"\nclaim = "y"', 'clam = "x"',
     "Did you mean 'claim'"),
    ('best = "table1.share"', 'best = "table1.share"\norder = "higest"', 'order = "higest"',
     "Did you mean 'highest'"),
    ('chapter = "05_baselines"', 'chapter = "05_baseline"', 'chapter = "05_baseline"',
     "Did you mean '05_baselines'"),
    ('chapter = "05_baselines"', "chapter = 5", "chapter = 5", "is no text"),
    ('reason = "The survey is private."', "", None, "lacks 'reason'"),
    ("value = 1031,", 'value = "1031",', "cases = {", "not a number"),
    ("value = 1031,", "vale = 1031,", "cases = {", "Did you mean 'value'"),
    ("value = 1031,", "", "cases = {", "has no value"),
    ("value = 1031,", "value = 1031, rounding = -1,", "cases = {", "rounding is -1"),
    (', what = "sessions" }', " }", "cases = {", "'what' is missing"),
    ("value = 0.0378,", "value = 3.78,", None, "from 0 to 1"),
    ('short = "Doe"', 'shorrt = "Doe"', 'shorrt = "Doe"', "Did you mean 'short'"),
    ("[figures.table1]", "[figure.table1]", "[figure.table1]", "Did you mean 'figures'"),
    (RANKING, INEQUALITY.replace(">", "=="), "expression =", "write two sides"),
    (RANKING, INEQUALITY.replace("b = ", "c = "), "expression =", "name 'b' stands"),
    (RANKING, INEQUALITY.replace("table1.other", "table1.others"), "table1.others",
     "Did you mean 'table1.other'"),
    (RANKING, INEQUALITY.replace('"a > b"', "3"), "expression = 3", "is no text"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "where", "words"), FAULTS)
def test_a_fault_is_named_with_its_line(claims_file, old, new, where, words):
    text = PAPER.replace(old, new)
    assert text != PAPER
    claims_file.write_text(text)
    with pytest.raises(InputError) as error:
        load(claims_file)
    problems = [str(p) for p in error.value.problems]
    hit = next(p for p in problems if words in p)
    assert hit.startswith(f"{claims_file}, line ")
    if where == "[claims.figures]":
        lines = [i for i, line in enumerate(text.splitlines(), 1) if line == where]
        assert hit.startswith(f"{claims_file}, line {lines[0]}:")
    elif where:
        assert hit.startswith(f"{claims_file}, line {line_of(text, where)}:")


def test_all_faults_are_listed_at_once(claims_file):
    text = PAPER
    for old, new in (
        ('check = "grim"', 'check = "grimm"'),
        ('best = "table1.share"', 'best = "table9.share"'),
        ("05_baselines", "99_nothing"),
        ("value = 0.0286,", 'value = "a lot",'),
    ):
        text = text.replace(old, new)
    claims_file.write_text(text)
    other = claims_file.with_name("other.toml")
    other.write_text("[paper\nshort = 1")
    with pytest.raises(InputError) as error:
        load([claims_file, other, claims_file.with_name("absent.toml")])
    said = str(error.value)
    assert len(error.value.problems) == 6
    for words in ("grimm", "table9.share", "99_nothing", "'a lot'", "not TOML", "no such file"):
        assert words in said
    assert said.count("table1.other") == 1, "a broken figure is named once, at its own line"


@pytest.mark.parametrize(
    ("text", "line"), [("[paper]\nshort = Doe\n", 2), ('a = "x\n', 1), ("a = 1\na = 2\n", 2)]
)
def test_what_is_not_toml_is_named_with_its_line(tmp_path, text, line):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"line {line}: not TOML"):
        load(path)


@pytest.mark.parametrize(
    "text",
    ["claims = 3\n[paper]\nshort = 'X'", "figures = 1", "[figures]\na = 1",
     "[figures.t]\na = 1", "paper = 1\n[[claims]]\nid = 'x'"],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused_not_crashed_on(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.toml, line \d"):
        load(path)


@pytest.mark.parametrize("text", ["", "\n# nothing yet\n", "[figures.t]\n", "claims = []\n"])
def test_a_file_without_a_claim_is_refused(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.toml.*\[\[claims\]\]|\[paper\] is missing"):
        load(path)


def test_an_id_that_stands_twice_is_named_even_where_a_claim_has_other_faults(claims_file):
    text = PAPER.replace('id = "doe-best"', 'id = "doe-grim"').replace('"ranking"', '"rankin"')
    claims_file.write_text(text)
    with pytest.raises(InputError) as error:
        load(claims_file)
    first, again = (i for i, line in enumerate(text.splitlines(), 1) if line == 'id = "doe-grim"')
    assert len(error.value.problems) == 2
    said = str(error.value)
    assert "Did you mean 'ranking'" in said and "'doe-grim' stands already" in said
    assert f"line {again - 1}: id" in said and f"line {first - 1}." in said


def test_a_file_named_twice_is_read_once(claims_file):
    assert len(load([claims_file, claims_file.parent, claims_file])) == 4


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        load(path)


def test_a_folder_is_read_in_order_and_an_empty_one_refused(tmp_path, claims_file):
    (tmp_path / "alone.toml").write_text("[figures.t]\n")
    assert [p.name for p in claims_files(tmp_path)] == ["alone.toml", "doe.toml"]
    assert len(load(tmp_path)) == 4, "a file of figures alone has no claims"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no"):
        load(tmp_path / "empty")


def test_lines_against_a_file_with_every_kind_of_value():
    text = (
        "# a comment [x]\n"
        "a = [\n"  # 2
        "  'b = 1', # not a key ]\n"
        "]\n"
        't = """\n'  # 5
        "c = 2\n"
        '"""\n'
        "[d.'e f']\n"  # 8
        "g = { h = 1 }\n"  # 9
        "[[i]]\n"  # 10
        "j = 1\n"
        "[[i]]\n"  # 12
        "[i.k]\n"  # 13
        'l.m = "[[i]]"\n'  # 14
    )
    lines = lines_of(text)
    assert lines == {
        ("a",): 2, ("t",): 5, ("d", "e f"): 8, ("d", "e f", "g"): 9, ("i", 0): 10,
        ("i", 0, "j"): 11, ("i", 1): 12, ("i", 1, "k"): 13, ("i", 1, "k", "l", "m"): 14,
    }  # fmt: skip
    assert nearest_line(lines, ("d", "e f", "g", "h")) == 9
    assert nearest_line(lines, ("z",)) == 1


# ---- the command


def test_the_command_prints_counts_and_json(claims_file, tmp_path):
    done = cli("audit", claims_file, "--json", tmp_path / "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "doe-grim" in done.stdout and "2 reproduced" in done.stdout.replace("\n", " ")
    stored = json.loads((tmp_path / "out.json").read_text())
    assert [row["id"] for row in stored] == ["doe-grim", "doe-best", "doe-tried", "doe-private"]
    assert stored[0]["verdict"] == "reproduced"


def test_the_command_refuses_with_2_and_writes_nothing(claims_file, tmp_path):
    claims_file.write_text(PAPER.replace('"grim"', '"grimm"'))
    done = cli("audit", claims_file, "--json", tmp_path / "out.json", cwd=tmp_path)
    assert done.returncode == 2 and "Did you mean 'grim'" in done.stderr
    assert f"line {line_of(claims_file.read_text(), 'grimm')}" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "out.json").exists() and "Traceback" not in done.stderr


def test_the_command_shows_examples():
    done = cli("audit", "--help")
    assert done.returncode == 0 and "precmark audit data/claims/gu.toml" in done.stdout


# ---- with the chapters' verdicts


def verdict_row(**kwargs):
    return {
        "id": "", "chapter": "05_baselines", "claim": "c", "place": "Doe, Table 2", "paper": "1",
        "ours": "2", "verdict": "not reproduced", "why": "w.", **kwargs,
    }  # fmt: skip


def test_scored_takes_the_chapters_verdict_where_a_chapter_tries(claims_file, tiny_run):
    run = Run(tiny_run)
    run.write("audit/claims", audit(load(claims_file)))
    run.write("contract/events", pd.DataFrame({"user_code": [0]}))
    without = scored(run).set_index("id")
    assert without.loc["doe-tried", "verdict"] == ""
    assert without.loc["doe-tried", "chapter"] == "05_baselines"
    assert without.loc["doe-grim", "chapter"] == "09_claims_audit"
    rows = [
        verdict_row(id="doe-tried"),
        verdict_row(id="doe-grim", chapter="01_store", verdict="undecided"),
        verdict_row(id="doe-more"),
        verdict_row(place="Liu, Table 2"),
    ]
    run.write("verdicts/01", pd.DataFrame(rows))
    table = scored(run)
    assert list(table.columns) == [
        "id", "paper", "place", "claim", "printed", "ours", "verdict", "why", "chapter",
    ]  # fmt: skip
    by_id = table.set_index("id")
    tried = by_id.loc["doe-tried"]
    assert (tried.verdict, tried.ours, tried.printed) == ("not reproduced", "2", "1")
    assert tried.claim == "The network is best."
    assert by_id.loc["doe-grim", "verdict"] == "reproduced", "its figures decide"
    assert by_id.loc["doe-grim", "chapter"] == "01_store", "but that page shows it"
    assert (by_id.loc["doe-more", ["paper", "place"]] == ["Doe", "Table 2"]).all()
    assert len(table) == 6 and (table.paper == "Liu").sum() == 1


def test_scored_works_with_either_part_alone(claims_file, tiny_run):
    run = Run(tiny_run)
    assert scored(run).empty
    run.write("contract/events", pd.DataFrame({"user_code": [0]}))
    run.write("verdicts/01", pd.DataFrame([verdict_row(id="doe-x")]))
    assert list(scored(run).id) == ["doe-x"]
    old = pd.DataFrame([verdict_row()]).drop(columns="id")
    run.write("verdicts/01", old)
    assert list(scored(run).id) == [""], "tables from before ids are read too"


def test_the_scorecard_counts_by_paper(claims_file):
    card = scorecard(audit(load(claims_file)))
    assert card.loc["Doe"].to_dict() == {
        **dict.fromkeys(VERDICTS, 0), "reproduced": 2, "not testable with public data": 1,
        "tried in a chapter": 1, "all": 4,
    }  # fmt: skip


# ---- a changed claims file makes chapters stale


def test_chapters_that_quote_a_paper_depend_on_the_claims_files():
    run = "runs/sample"
    if not (ROOT / run / "run.json").exists():
        pytest.skip("the sample run has not been made")
    found = claims_inputs(run, "05_baselines")
    assert "data/claims/gu.toml" in found and "data/claims/liu.toml" in found


def test_a_changed_claims_file_reruns_the_chapter_that_reads_it(tiny_project, monkeypatch):
    monkeypatch.chdir(tiny_project)
    (tiny_project / "data/claims").mkdir(parents=True)
    kept = tiny_project / "data/claims/doe.toml"
    kept.write_text(PAPER)
    notebook(
        ("run = None  # type: str", ["parameters"]),
        "from precmark.audit import audit, load\n"
        "from precmark.chapters import Chapter\n"
        "chapter = Chapter.start('01_store', run)\n"
        "chapter.run.write('store/claims', audit(load('data/claims')))",
        path=tiny_project / "notebooks/01_store.ipynb",
    )
    execute(Run("runs/tiny"))
    read = pd.read_parquet("runs/tiny/results/store/claims.parquet").set_index("id")
    assert read.verdict["doe-grim"] == "reproduced"
    quiet = (tiny_project / "runs/tiny/chapters/03_segmentation.ipynb").stat().st_mtime_ns

    kept.write_text(PAPER.replace("0.0378", "0.0376"))
    later = time.time() + 2
    os.utime(kept, (later, later))
    execute(Run("runs/tiny"))
    read = pd.read_parquet("runs/tiny/results/store/claims.parquet").set_index("id")
    assert read.verdict["doe-grim"] == "internally inconsistent"
    again = (tiny_project / "runs/tiny/chapters/03_segmentation.ipynb").stat().st_mtime_ns
    assert again == quiet, "a chapter that quotes no paper is not run again"


def test_a_file_named_as_parameter_is_an_input_too(tiny_project, monkeypatch, claims_file):
    monkeypatch.chdir(tiny_project)
    shutil.copy(claims_file, tiny_project / "mine.toml")
    card = json.loads((tiny_project / "runs/tiny/run.json").read_text())
    card["chapter_parameters"] = {"01_store": {"claims": "mine.toml"}}
    (tiny_project / "runs/tiny/run.json").write_text(json.dumps(card))
    assert claims_inputs("runs/tiny", "01_store") == ["mine.toml"]
    card["chapter_parameters"] = {"01_store": {"claims": "absent.toml"}}
    (tiny_project / "runs/tiny/run.json").write_text(json.dumps(card))
    assert claims_inputs("runs/tiny", "01_store") == []
