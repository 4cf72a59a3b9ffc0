"""The findings page gathers what the chapters of this run concluded, and nothing else."""

import re
import tomllib

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precmark import findings
from precmark.audit import scored
from precmark.audit.table import SCORED
from precmark.chapters import VERDICTS
from precmark.headlines import Sentence
from precmark.plots import findings as plots
from precmark.runs import Run
from precmark.tables import write_table
from tests.conftest import ROOT


def _row(chapter, verdict, claim="c", id="", place="Gu, Table 4"):
    return {"id": id, "chapter": chapter, "claim": claim, "place": place, "paper": "1", "ours": "2",
            "verdict": verdict, "why": "w"}  # fmt: skip


def _audited(id, verdict, paper="Gu", check="sum"):
    chapter = "03_segmentation" if check == "chapter" else ""
    return {"id": id, "paper": paper, "place": "Table 1", "claim": id, "check": check,
            "printed": "3", "computed": "4", "verdict": verdict, "why": "v",
            "chapter": chapter}  # fmt: skip


@pytest.fixture
def run(tiny_run):
    opened = Run(tiny_run)
    opened.write("contract/events", pd.DataFrame({"user_code": [0]}))
    rows = [_row("01_store", "reproduced"), _row("01_store", "internally inconsistent", "d")]
    opened.write("verdicts/01", pd.DataFrame(rows))
    tried = _row("03_segmentation", "not reproduced", "e", "gu-e")
    opened.write("verdicts/03", pd.DataFrame([tried]))
    return opened


# ------------------------------------------------------------------------------ the scorecard


def test_claims_are_those_of_the_audit_and_of_the_chapters(run):
    audit = [_audited("gu-e", "", check="chapter"), _audited("gu-f", "", check="chapter"),
             _audited("liu-g", "reproduced", "Liu")]  # fmt: skip
    run.write("audit/claims", pd.DataFrame(audit))
    found = findings.claims(run)
    pd.testing.assert_frame_equal(
        found.sort_values(["id", "claim"], ignore_index=True),
        scored(run).sort_values(["id", "claim"], ignore_index=True),
    )
    assert found.set_index("id").verdict["gu-e"] == "not reproduced"
    assert list(found.verdict) == [
        "internally inconsistent", "not reproduced", "reproduced", "reproduced", "",
    ]  # fmt: skip
    card = findings.scorecard(found)
    assert list(card.columns) == list(VERDICTS)
    # gu-f waits for its chapter, so it has no verdict to count
    assert card.loc["Gu", ["reproduced", "not reproduced", "internally inconsistent"]].tolist() == [
        1, 1, 1,
    ]  # fmt: skip
    assert card.loc["Liu"].sum() == 1
    assert card.to_numpy().sum() == 4
    assert list(card.index) == ["Gu", "Liu"]


def test_the_table_of_claims_is_in_words(run):
    run.write("audit/claims", pd.DataFrame([_audited("gu-f", "", check="chapter")]))
    table = findings.claims_table(findings.claims(run))
    assert list(table.columns) == ["Claim", "Place", "Verdict", "Paper", "Here", "Why", "Chapter"]
    first, last = table.iloc[0], table.iloc[-1]
    assert first.tolist() == ["d", "Gu, Table 4", "internally inconsistent", "1", "2", "w",
                              "The store"]  # fmt: skip
    assert last.Verdict == "tried in a chapter"


def test_verdicts_of_a_chapter_that_the_data_cannot_fill_are_not_shown(run, tiny_run):
    write_table(pd.DataFrame([_row("01_store", "reproduced")]), run.table_path("verdicts/01"))
    run.table_path("contract/events").unlink()
    assert findings.claims(Run(tiny_run)).empty


def test_a_run_without_verdicts_has_an_empty_scorecard(tiny_run):
    found = findings.claims(Run(tiny_run))
    assert findings.scorecard(found).empty
    assert findings.claims_table(found).empty
    assert findings.in_short(found) == "No claim has been examined yet."


def test_the_count_in_short_by_hand():
    verdicts = ["reproduced"] * 3 + ["not reproduced", "internally inconsistent", "undecided", ""]
    found = pd.DataFrame({"verdict": verdicts})
    assert findings.in_short(found) == (
        "Of 7 claims 3 hold, 1 does not, 1 is contradicted by the papers' own figures, 1 is open "
        "and 1 waits for a chapter that this copy lacks."
    )


@given(st.lists(st.sampled_from([*VERDICTS, ""]), min_size=1, max_size=2000))
def test_the_count_in_short_leaves_no_claim_out(verdicts):
    text = findings.in_short(pd.DataFrame({"verdict": verdicts}))
    counts = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?= )", text)]
    assert counts[0] == len(verdicts) == sum(counts[1:])
    assert len(counts) == 1 + len(set(verdicts))


def test_bars_hold_the_counts_of_the_scorecard():
    card = pd.DataFrame(
        {"reproduced": [3, 0], "undecided": [0, 0], "not reproduced": [2, 5]}, index=["Gu", "Li"]
    )
    ax = plots.scorecard_bars(card).axes[0]
    widths = sorted(int(bar.get_width()) for bar in ax.patches)
    assert widths == [0, 2, 3, 5]
    starts = {int(b.get_width()): int(b.get_x()) for b in ax.patches if b.get_width()}
    assert starts == {3: 0, 2: 3, 5: 0}
    assert [t.get_text() for t in ax.texts] == ["3", "2", "5"]


# ---------------------------------------------------------------------- sentences and the chart


def test_sentences_link_to_the_chapters_that_have_a_page(run):
    run.chapters.mkdir(parents=True, exist_ok=True)
    (run.chapters / "01_store.ipynb").write_text("{}")
    said = [Sentence("Holds", "So.", "01_store"), Sentence("Open", "Or.", "03_segmentation")]
    assert findings.as_list(said, run).splitlines() == [
        "1. **Holds.** So. ([The store](01_store.html))",
        "2. **Open.** Or. (Segmentation)",
    ]
    assert findings.as_list([], run) == ""


def _options():
    # C-1, C-2 and what a coupon truly does, by world and policy
    rows = [("no_effect", "1", 0.12, 0.02, 0.0), ("no_effect", "4", 0.01, 0.03, 0.0),
            ("sure_things", "1", 0.13, 0.02, 0.01), ("sure_things", "4", 0.05, 0.02, 0.02),
            ("lost_causes", "1", 0.12, 0.02, 0.03), ("lost_causes", "4", 0.05, 0.02, 0.02),
            ("lost_causes", "6 profit", 0.99, 0.0, 0.9)]  # fmt: skip
    columns = ["world", "policy", "c1", "c2_all", "incremental_per_coupon"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(title="option " + table.policy)


def test_the_chart_draws_what_is_said_and_what_is_done():
    fig, table = plots.said_and_done(_options())
    assert table.said.tolist() == pytest.approx([10, -2, 11, 3, 10, 3])
    assert table.done.tolist() == pytest.approx([0, 0, 1, 2, 3, 2])
    first = fig.axes[0]
    assert first.get_title().startswith("no effect")
    marks = {line.get_marker(): line.get_xdata().tolist() for line in first.lines[:2]}
    assert marks["s"] == pytest.approx([10, -2])
    assert marks["o"] == pytest.approx([0, 0])
    assert [t.get_text() for t in first.get_yticklabels()] == ["option 1", "option 4"]


def test_what_the_chart_says_by_hand():
    text = findings.on_chart(plots.said_and_done(_options())[1])
    assert text.startswith("Where coupons do nothing the comparison says -2.0 to +10.0 points. ")
    # gaps 10, 2, 10, 1, 7, 1; the best by both is option 1 in one world of two
    assert "4.5 points apart in the middle and 10.0 at most" in text
    assert "the same best option in 1 of 2 worlds" in text


def test_the_chart_copes_with_an_option_that_gave_no_coupon():
    options = _options()
    options.loc[options.policy == "4", ["c1", "incremental_per_coupon"]] = float("nan")
    fig, table = plots.said_and_done(options)
    fig.canvas.draw()
    text = findings.on_chart(table)
    assert "nan" not in text
    assert "in 2 of 2 worlds" in text
    only = findings.on_chart(table[table.world == "no_effect"])
    assert "same best option" not in only


def test_a_chart_of_one_world_is_one_panel():
    options = _options()
    fig, _ = plots.said_and_done(options[options.world == "sure_things"])
    assert len(fig.axes) == 1


def test_the_main_budget_is_the_papers_own():
    table = pd.DataFrame({"budget": ["equal coupons", "paper rates"], "x": [1, 2]})
    assert findings.main_budget(table).x.tolist() == [2]


def test_scored_claims_have_the_columns_that_the_page_reads(run):
    assert list(findings.claims(run).columns) == list(SCORED)


def test_neighbours_quote_the_verdicts_of_part_ii_in_order():
    row = {"paper": "You", "claim": "A rise shows it", "ours": "97%", "why": "It would rise.",
           "chapter": "14_strategy"}  # fmt: skip
    rows = [
        {**row, "id": "you-rise-shows-effect", "verdict": "not reproduced"},
        {**row, "id": "you-something-else", "verdict": "reproduced"},
        {**row, "id": "li-interest-tree", "verdict": "undecided", "chapter": "11_interests"},
        {**row, "id": "you-deep-recommender", "verdict": ""},
    ]
    said = findings.neighbours(pd.DataFrame(rows))
    assert [s.standing for s in said] == ["Open", "Does not hold"]
    assert said[1].text == "A rise shows it (You). Here: **97%**. It would rise."
    assert [s.chapter for s in said] == ["11_interests", "14_strategy"]
    assert findings.neighbours(pd.DataFrame(rows)[:0]) == []
    tried = {
        claim["id"]
        for file in (ROOT / "data/claims").glob("*.toml")
        for claim in tomllib.loads(file.read_text("utf-8")).get("claims", [])
        if claim["check"] == "chapter"
    }
    assert set(findings._NEIGHBOURS) <= tried, "each is tried in a chapter"
