"""Chapter 11: words of a log by month, what is new, planted words; figures and verdicts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from precmark.churn.verdicts import verdict_of
from precmark.errors import InputError
from precmark.interests import clothing, compare, sentences, verdicts, words
from precmark.interests.interest_tree import interest_tree, interests_over_time, product_paths
from precmark.interests.tag_tree import tag_tree
from precmark.interests.tags import item_tags
from precmark.plots import interests as plots
from precmark.recommend.study import Entry
from tests.recommend_cases import shop_events, shop_items

ITEMS = shop_items()
TAGS = item_tags(ITEMS)
KINDS = sorted(product_paths(ITEMS).kind.unique())


def long_log(sessions=900, seed=0):
    """A made-up log over a good half-year, with queries from the fourth month on."""
    log = shop_events(users=60, sessions=sessions, seed=seed)
    start = log.timestamp.min()
    log = log.assign(timestamp=start + (log.timestamp - start) * 1.7)
    named = log.event == "search"
    late = log.timestamp > start + pd.Timedelta(days=100)
    typed = log.category.where(named & late).map(lambda c: f"bamboo {c} deal!", "ignore")
    return log.assign(text=typed)


LOG = long_log()


@pytest.fixture(scope="module")
def found():
    return words.documents(LOG, ITEMS)


def loop_documents(events, items):
    """A document a session and product, and one a session that searched; by loops."""
    tags = {i: list(part.tag) for i, part in item_tags(items).groupby("item_id", sort=False)}
    made = {}
    for session, part in events.groupby("session_code"):
        typed = []
        for row in part.itertuples():
            if row.event == "search" and isinstance(row.text, str):
                typed += ["bamboo", *row.text.split()[1:-1], "deal", row.category]
        # letters and digits of a category's name stay one word
        touched = part[part.event.isin(["view", "cart", "purchase"])].item_id.unique()
        made[session] = sorted(
            sorted(set(typed) | set(tags[item])) for item in touched if item in tags
        ) + ([sorted(set(typed))] if typed else [])
        made[session].sort()
    return made


def test_documents_are_those_of_loops(found):
    plain = LOG[~LOG.category.eq("oral_care") | LOG.text.isna()]
    made = words.documents(plain, ITEMS, most=10**6)
    ours = {}
    for session, text in zip(made.places.session_code, made.words, strict=True):
        ours.setdefault(session, []).append(sorted(text))
    expected = {s: docs for s, docs in loop_documents(plain, ITEMS).items() if docs}
    assert {s: sorted(d) for s, d in ours.items()} == expected
    assert {"bamboo", "deal"} <= made.from_queries and "soft" not in made.from_queries


def test_a_month_is_cut_to_the_most_and_stays_in_order(found):
    few = words.documents(LOG, ITEMS, most=30)
    assert few.places.groupby("month").size().max() == 30
    assert few.places.month.is_monotonic_increasing
    assert len(few.words) == len(few.places)
    again = words.documents(LOG, ITEMS, most=30)
    assert again.words == few.words
    assert words.documents(LOG, ITEMS, most=30, seed=1).words != few.words


def test_a_word_is_new_in_the_month_of_its_fifth_document(found):
    result = words.discover(found, KINDS, catalogue=TAGS.tag)
    months = sorted(found.places.month.unique())
    count, passed = {}, {}
    for month, text in zip(found.places.month, found.words, strict=True):
        for word in text:
            count[word] = count.get(word, 0) + 1
            if count[word] == 5:
                passed[word] = month
    expected = {w: m for w, m in passed.items() if m > months[0]}
    assert dict(zip(result.words.word, result.words.month, strict=True)) == expected
    assert "bamboo" in expected and "deal" in expected
    source = result.words.set_index("word").source
    assert source["bamboo"] == "query"
    by_month = result.months.set_index("month")
    for month in months[1:]:
        assert by_month.new[month] == sum(m == month for m in expected.values())
        assert by_month.known[month] == sum(m < month for m in passed.values())


def test_planted_words_are_found_in_time_and_under_their_kind():
    # two kinds that share no word, so that vectors have to tell them apart
    rng = np.random.default_rng(0)
    texts, months = [], []
    for month in pd.date_range("2024-01-01", periods=4, freq="MS"):
        for i in range(200):
            kind = ("bath", "snacks")[i % 2]
            texts.append((kind, *(f"{kind}-{j}" for j in rng.choice(8, 3, replace=False))))
            months.append(month)
    places = pd.DataFrame({"session_code": range(len(texts)), "month": months})
    made = words.Documents(places, tuple(texts), frozenset())
    sown, truth = words.planted(made, ["bath", "snacks"], words=6, chance=0.5)
    assert len(truth) == 6 and truth.word.is_unique
    for row in truth.itertuples():
        holds = [row.word in text for text in sown.words]
        places = sown.places[holds]
        assert (places.month >= row.month).all() and any(holds)
        assert all(row.kind in t for t, has in zip(sown.words, holds, strict=True) if has)
    result = words.recovered(truth, words.discover(sown, ["bath", "snacks"]))
    assert result.found.all() and (result.months_late == 0).all()
    assert result.by_counts.all() and result.by_vectors.all()
    assert "6 of 6" in sentences.on_planted(result)


def test_what_is_never_found_counts_as_missed():
    truth = pd.DataFrame({"word": ["x"], "kind": ["bath"], "month": [pd.Timestamp("2024-02-01")]})
    nothing = words.Discovered(
        pd.DataFrame(), pd.DataFrame({c: [] for c in ("month", "word", "kind", "beside")})
    )
    row = words.recovered(truth, nothing).iloc[0]
    assert not row.found and pd.isna(row.months_late) and not row.by_vectors and not row.by_counts
    assert "None of 1" in sentences.on_planted(words.recovered(truth, nothing))


def test_a_log_of_one_month_has_nothing_new(found):
    first = LOG[LOG.timestamp < LOG.timestamp.min() + pd.Timedelta(days=9)]
    with pytest.raises(InputError, match="1 months"):
        words.discover(words.documents(first, ITEMS), KINDS)


SCRIPT = """
import json
from tests.test_interests_words import LOG, ITEMS, KINDS
from precmark.interests import words
found = words.discover(words.documents(LOG, ITEMS, most=200), KINDS)
print(json.dumps([str(value) for value in found.words.similarity]))
"""


def test_vectors_do_not_depend_on_how_python_hashes():
    texts = []
    for seed in ("1", "2"):
        made = subprocess.run(
            [sys.executable, "-c", SCRIPT], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        texts.append(json.loads(made.stdout))
    assert texts[0] == texts[1] and len(texts[0]) > 0


# ---- figures and verdicts


def test_figures_draw_every_row_of_their_tables(found):
    nodes = interest_tree(LOG[LOG.user_code == 3], product_paths(ITEMS))
    fig, table = plots.tree(nodes, most=(2, 1, 1))
    assert len(table) <= 1 + 2 + 2 + 2 and table.node.is_unique
    assert set(table.parent[1:]) <= set(table.node)
    labels = [t.get_text() for t in fig.axes[0].texts]
    assert len(labels) == len(table)
    plt.close(fig)
    fig, table = plots.tree(tag_tree(TAGS).nodes)
    plt.close(fig)
    fig, table = plots.shares_over_time(
        interests_over_time(LOG[LOG.user_code == 3], product_paths(ITEMS)), most=2
    )
    assert table.drop(columns="month").sum(axis=1).to_numpy() == pytest.approx(1.0)
    plt.close(fig)
    fig, table = plots.confusion(clothing.stored_results().confusion)
    assert len(fig.axes[0].texts) == len(table)
    plt.close(fig)
    fig, table = plots.new_words(words.discover(found, KINDS).months)
    assert len(fig.axes[0].patches) == len(table) - 1
    plt.close(fig)


class Recorder:
    """As much of a chapter as verdicts need."""

    def __init__(self, simulated=False):
        self.run = self.source = self
        self.simulated, self.found = simulated, {}

    def verdict(self, **said):
        self.found[said["id"]] = said


def table_of(rows, columns):
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("way", ["first", "second", "neither"])
def test_verdicts_follow_the_intervals(way):
    low, high = {"first": (0.1, 0.3), "second": (-0.3, -0.1), "neither": (-0.1, 0.1)}[way]
    gap = {"difference": (low + high) / 2, "low": low, "high": high}
    models = {n: Entry(n, "part", None) for n in (*compare.COLLABORATIVE, "again", "tree")}
    duels = pd.DataFrame(
        [{"first": "tree", "second": n, "target": "all", **gap, "favours": way}
         for n in models if n != "tree"]
    )  # fmt: skip
    losses = pd.DataFrame(
        [{"model": n, "whole": 0.5, "fewest": 0.4, **gap}
         for n in (*compare.COLLABORATIVE, compare.EXTRA_LOSS)]
    )  # fmt: skip
    right = {"first": [True] * 4, "second": [False] * 4, "neither": [False] * 4}[way]
    planted = pd.DataFrame(
        {"found": [way != "second"] * 4, "by_vectors": right, "by_counts": [True] * 4}
    )
    chapter = Recorder(simulated=True)
    verdicts.verdicts(
        chapter, speed=pd.DataFrame({"microseconds": [50.0]}), photos=clothing.stored_results(),
        duels=duels, density=compare.Density(pd.DataFrame(), losses), models=models,
        planted=planted,
    )  # fmt: skip
    said = {name: v["verdict"] for name, v in chapter.found.items()}
    claimed = sentences.claims_table(list(chapter.found.values()))
    assert sorted(claimed.verdict) == sorted(said.values())
    assert claimed["in the paper"].is_monotonic_increasing
    expected = verdict_of(way, first_claimed=True, simulated=True)
    for name in ("li-interest-tree", "li-factorisation-needs-data", "li-neighbours-sparse"):
        assert said[name] == expected
    assert said["li-days-to-minutes"] == "reproduced"
    words_said = {"first": "holds if assumed", "second": "not reproduced", "neither": "not repro"}
    assert said["li-new-words"].startswith(words_said[way][:5])
