"""What chapter 10 says and concludes follows the numbers it is given."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from precmark.grid import sentences, verdicts
from precmark.grid.tag_study import Potential, TagStudy


class Book:
    """A chapter that keeps what is recorded."""

    def __init__(self, *, simulated: bool):
        self.run = SimpleNamespace(source=SimpleNamespace(simulated=simulated))
        self.found: dict[str, dict] = {}

    def verdict(self, **given: str) -> None:
        assert given["id"] not in self.found
        self.found[given["id"]] = given


def grid_gaps(lot: str, boosting: str) -> pd.DataFrame:
    size = {"first": 0.1, "neither": 0.0, "second": -0.1}
    rows = [
        {"than": than, "difference": size[f], "low": size[f] - 0.05, "high": size[f] + 0.05,
         "favours": f}
        for than, f in (("by lot", lot), ("logistic", "neither"), ("boosting", boosting))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def month_gaps(favours: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"than": m, "metric": k, "difference": 0.1, "low": 0.0, "high": 0.2,
             "favours": favours, "rows_ahead": 3}
            for m in ("cnn", "lstm") for k in ("accuracy", "average_precision")
        ]
    )  # fmt: skip


def potential(low: float, over_low: float) -> Potential:
    return Potential(1000, 80, 0.2, 0.3, 0.25, 0.1, low, 0.2, 0.05, over_low, 0.1)


def tag_study(found: Potential | None) -> TagStudy:
    rows = np.arange(1, 8) * 1000
    sizes = pd.DataFrame(
        {"size": range(1, 8), "rows": rows, "tags": 5 * rows, "filtered": rows, "kept": 3,
         "different": 40, "seconds": rows / 1e5, "peak_mb": 1.0}
    )  # fmt: skip
    return TagStudy(sizes, None, found)


def table5(low: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"precision": [0.4, 0.5], "low": [low, 0.45], "high": [0.5, 0.6], "general": [0.2, 0.25],
         "lift": [2.0, 2.0], "precision_money": [4.0, 6.0], "general_money": [1.0, 3.0]}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lot", "boosting", "expected"),
    [
        ("first", "second", ("reproduced", "not reproduced")),
        ("neither", "first", ("undecided", "reproduced")),
        ("second", "neither", ("not reproduced", "undecided")),
    ],
)
def test_verdicts_on_the_grid(lot, boosting, expected):
    book = Book(simulated=False)
    verdicts.grid_verdicts(book, grid_gaps(lot, boosting))
    assert tuple(v["verdict"] for v in book.found.values()) == expected


def test_what_holds_in_a_simulated_store_holds_if_assumed():
    book = Book(simulated=True)
    verdicts.tag_verdicts(book, tag_study(potential(0.02, -0.1)))
    verdicts.audience_verdicts(book, None, table5(0.3))
    assert {v["verdict"] for v in book.found.values()} == {"holds if assumed"}


def test_one_month_that_chance_explains_leaves_the_claim_undecided():
    book = Book(simulated=False)
    verdicts.audience_verdicts(book, None, table5(0.1))
    assert book.found["liu-targeting-finds-more"]["verdict"] == "undecided"
    assert "1 of 2 months" in book.found["liu-targeting-finds-more"]["ours"]


def test_no_tag_kept_is_undecided_and_said():
    book = Book(simulated=False)
    verdicts.tag_verdicts(book, tag_study(None))
    assert book.found["liu-tags-buying-potential"]["verdict"] == "undecided"
    assert "no users" in sentences.on_potential(None)


def test_every_id_is_a_claim_of_this_chapter():
    claims = tomllib.loads(Path("data/claims/liu.toml").read_text("utf-8"))["claims"]
    mine = {c["id"] for c in claims if c["figures"].get("chapter") == "10_data_grid"}
    text = Path("precmark/grid/verdicts.py").read_text("utf-8")
    assert mine == {line.split('"')[1] for line in text.splitlines() if 'id="liu-' in line}


def test_sentences_on_tags_say_which_side_the_interval_is_on():
    assert "more often" in sentences.on_potential(potential(0.01, 0.01))
    assert "filter finds more than activity" in sentences.on_potential(potential(0.01, 0.01))
    unsure = sentences.on_potential(potential(-0.01, -0.01))
    assert unsure.count("no difference that the data can show") == 2
    text = sentences.on_table3(tag_study(None))
    assert "1.00 [1.00, 1.00] here" in text and "keeps 20% here" in text


def test_the_answer_follows_the_gaps():
    table1 = pd.DataFrame(
        {"row": ["7-7"] * 3, "model": ["constant", "cnn", "logistic"], "accuracy": [0.7, 0.75, 0.9]}
    )
    said = sentences.answer(grid_gaps("neither", "second"), month_gaps("first"), table1)
    assert said.startswith("It makes no difference that the data can show")
    assert "histogram boosting on the same features beats it" in said
    assert "ahead of CNN and LSTM" in said and "+0.050 from a constant" in said
    other = sentences.answer(grid_gaps("first", "first"), month_gaps("neither"), table1)
    assert "helps the network" in other and "told apart from none" in other


def test_targeting_is_no_income():
    text = sentences.on_table5(table5(0.3), "GBP")
    assert "2 of 2 months beyond chance" in text and "5.00 GBP" in text
    assert "no income from marketing" in text
