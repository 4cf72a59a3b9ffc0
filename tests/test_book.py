"""Which pages and cells a run's book has."""

from precmark import book
from precmark.source import Source

SHOP = Source("shop", "A shop", frozenset({"purchases"}))
SAMPLE = Source("simulated-sample", "Simulated store", frozenset({"purchases", "prices"}), True)


def test_cells_that_the_source_cannot_fill_are_left_out():
    assert book.keep_cell(["needs-purchases"], SHOP)
    assert not book.keep_cell(["needs-purchases", "needs-prices"], SHOP)
    assert book.keep_cell(["lacks-prices", "needs-purchases"], SHOP)
    assert not book.keep_cell(["lacks-purchases"], SHOP)
    assert book.keep_cell([], SHOP)


def test_prose_of_the_sample_stays_with_the_sample():
    assert book.keep_cell(["sample-only"], SAMPLE)
    assert not book.keep_cell(["sample-only"], SHOP)


def test_contents_keep_what_is_there_and_drop_empty_parts():
    toc = {
        "format": "jb-book", "root": "00_findings",
        "parts": [
            {"caption": "A", "chapters": [{"file": "preface"}, {"file": "01_store"}]},
            {"caption": "B", "chapters": [{"file": "02_profile_tables"}]},
        ],
    }  # fmt: skip
    pruned = book.prune(toc, {"00_findings", "preface", "01_store"})
    assert pruned["root"] == "00_findings"
    assert pruned["parts"] == [toc["parts"][0]]


def test_without_findings_the_first_page_becomes_the_root():
    parts = [{"caption": "A", "chapters": [{"file": "preface"}, {"file": "01_store"}]}]
    toc = {"format": "jb-book", "root": "00_findings", "parts": parts}
    pruned = book.prune(toc, {"preface", "01_store"})
    assert pruned["root"] == "preface"
    assert pruned["parts"] == [{"caption": "A", "chapters": [{"file": "01_store"}]}]


def test_injected_parameters_are_hidden_from_readers():
    made = book.page(
        {"cells": [{"metadata": {"tags": ["injected-parameters"]}, "source": "x"},
                   {"metadata": {"tags": ["needs-prices"]}, "source": "y"}]},
        SHOP,
    )  # fmt: skip
    assert [c["metadata"]["tags"] for c in made["cells"]] == [
        ["injected-parameters", "remove-cell"]
    ]


def test_remarks_for_tools_are_not_shown_to_readers():
    source = "# NBVAL_CHECK_OUTPUT\nshow(\n    1, 2,\n)  # fmt: skip"
    made = book.page({"cells": [{"metadata": {}, "source": source}]}, SHOP)
    assert made["cells"][0]["source"] == "show(\n    1, 2,\n)"
