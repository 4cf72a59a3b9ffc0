"""The benchmark page: one table a topic, with what was reached."""

import json

import pytest

from precmark.benchmarks_page import benchmarks_markdown, reached
from precmark.errors import InputError

RECORD = {
    "machine": {"cores": 2, "memory_gib": 8},
    "versions": {"python": "3.11.2", "duckdb": "1.5.0"},
    "commit": "abc1234",
    "date": "2026-01-02",
    "figures": [
        {"name": "events a second", "value": 812345.6, "unit": "events/s", "target": 700000,
         "better": "higher"},
        {"name": "growth | exponent", "value": 1.0712, "unit": "", "target": 1.05,
         "better": "lower"},
        {"name": "memory", "value": 0.0123, "unit": "GiB", "target": None, "better": "lower"},
    ],
}  # fmt: skip


def test_each_topic_is_a_section_with_its_figures(tmp_path):
    (tmp_path / "profiles_engine.json").write_text(json.dumps(RECORD))
    (tmp_path / "contract.json").write_text(json.dumps({**RECORD, "machine": "a laptop"}))
    page = benchmarks_markdown(tmp_path)
    assert page.index("## Contract") < page.index("## Profiles engine")
    assert "| events a second | 812,346 events/s | at least 700,000 events/s | yes |" in page
    assert "| growth \\| exponent | 1.07 | at most 1.05 | no |" in page
    assert "| memory | 0.0123 GiB |  |  |" in page
    assert "Machine: cores 2, memory 8 GiB. Versions: python 3.11.2, duckdb 1.5.0." in page
    assert "Machine: a laptop." in page and "2026-01-02 at commit abc1234" in page
    assert page.endswith("\n")


def test_without_records_the_page_says_how_to_get_them(tmp_path):
    assert "make bench" in benchmarks_markdown(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("better", "value", "expected"),
    [("higher", 2, True), ("higher", 1, True), ("higher", 0, False),
     ("lower", 0, True), ("lower", 1, True), ("lower", 2, False)],
)  # fmt: skip
def test_reached_takes_the_target_itself_as_good_enough(better, value, expected):
    assert reached({"value": value, "target": 1, "better": better}) is expected


def test_every_record_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{half")
    (tmp_path / "b.json").write_text(json.dumps({**RECORD, "figures": [{"name": "x"}]}))
    wrong = [{**RECORD["figures"][0], "better": "bigger"}]
    (tmp_path / "c.json").write_text(json.dumps({**RECORD, "figures": wrong}))
    nan = [{**RECORD["figures"][0], "value": float("nan")}]
    (tmp_path / "d.json").write_text(json.dumps({**RECORD, "figures": nan}))
    with pytest.raises(InputError) as error:
        benchmarks_markdown(tmp_path)
    assert len(error.value.problems) == 4
    assert all(f"{name}.json" in str(error.value) for name in "abcd")
