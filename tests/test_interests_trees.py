"""Chapter 11: tags as people write them, the tag tree, and interest trees."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.errors import InputError
from precmark.interests import interest_tree as trees
from precmark.interests.tag_tree import ROOT, links_by_chance, tag_tree
from precmark.interests.tags import clean_tag, item_tags, split_tags, words_of
from precmark.recommend.content import price_bands
from tests.recommend_cases import START, shop_events, shop_items

# ---- tags


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("navy blue;en face", ("navy blue", "en face")),
        ('"red, dark";back', ("red, dark", "back")),
        ("<b>EN FACE</b>, Tom &amp; Co", ("en face", "tom & co")),
        ("\U0001f384 gift | 'Big'", ("\U0001f384 gift", "big")),
        ("\u0642\u0637\u0646\u060c \u200f\u0643\u062a\u0627\u0646",
         ("\u0642\u0637\u0646", "\u0643\u062a\u0627\u0646")),
        ("a\nb;a", ("a", "b")),
        (";;, ,", ()),
        ('un"closed; quote', ('un"closed', "quote")),
        (None, ()),
        (float("nan"), ()),
    ],
)  # fmt: skip
def test_tags_are_read_as_they_were_meant(written, read):
    assert split_tags([written, "x;y"])[0] == read


def test_spaces_separate_only_where_nothing_else_does():
    assert split_tags(["soft blue", "red"]) == [("soft", "blue"), ("red",)]
    assert split_tags(["soft blue", "red;green"]) == [("soft blue",), ("red", "green")]


def test_a_family_of_people_stays_one_sign_and_direction_marks_go():
    family = "\U0001f469\u200d\U0001f467"
    assert clean_tag(f"\u202e{family}\u202c ") == family


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_cleaning_twice_changes_nothing_and_never_fails(text):
    once = clean_tag(text)
    assert len(once) <= 60 and once == once.strip()
    assert all(len(tag) <= 60 and tag for tag in split_tags([text])[0])


def test_ten_thousand_letters_are_cut():
    assert len(clean_tag("a" * 10_000)) == 60
    assert words_of("x" * 10_000) == ("x" * 60,)


def test_words_are_letters_of_any_script():
    assert words_of("SET/6 RED <i>Spotty</i> \u05de\u05ea\u05e0\u05d4 3D") == (
        "set", "red", "spotty", "\u05de\u05ea\u05e0\u05d4",
    )  # fmt: skip


def test_descriptions_serve_where_nobody_gave_tags_and_small_words_go():
    items = pd.DataFrame(
        {"item_id": ["a", "b"], "kind": "product", "category": [None, None],
         "description": ["SET OF 6 CUPS", "red cups"]}
    )  # fmt: skip
    found = item_tags(items)
    assert set(zip(found.item_id, found.tag, strict=True)) == {
        ("a", "set"), ("a", "cups"), ("b", "red"), ("b", "cups"),
    }  # fmt: skip
    assert set(found.source) == {"description"}
    assert len(item_tags(items.drop(columns="description"))) == 0


# ---- the tag tree


def frame_of(tags_by_item):
    rows = [(item, tag) for item, tags in tags_by_item.items() for tag in tags]
    return pd.DataFrame(rows, columns=["item_id", "tag"])


PLANTED = frame_of(
    {f"i{n}": tags for n, tags in enumerate(
        [["animal", "dog", "poodle"]] * 4 + [["animal", "dog"]] * 5 + [["animal", "cat"]] * 6
        + [["plant"]] * 5 + [["plant", "red"]] * 3 + [["animal", "dog", "red"]] * 3
    )}
)  # fmt: skip


def test_a_planted_hierarchy_is_found_again():
    nodes = tag_tree(PLANTED).nodes.set_index("node")
    assert nodes.parent[["dog", "cat", "poodle"]].tolist() == ["animal", "animal", "dog"]
    assert nodes.parent[["animal", "plant", "red"]].tolist() == [ROOT] * 3
    assert nodes.level[["animal", "dog", "poodle"]].tolist() == [1, 2, 3]
    top = tag_tree(PLANTED).top()
    assert top["poodle"] == "animal" and top["red"] == "red"


def loop_parents(tags, threshold, least):
    """Subsumption by nested loops over sets."""
    items = {tag: set(part.item_id) for tag, part in tags.groupby("tag")}
    items = {tag: have for tag, have in items.items() if len(have) >= least}
    parents = {}
    for tag, have in items.items():
        above = []
        for other, wide in items.items():
            if other != tag and len(wide) > len(have):
                share = len(have & wide) / len(have)
                if share >= threshold:
                    above.append((len(wide), -share, other))
        parents[tag] = min(above)[2] if above else ROOT
    return parents


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcdef")), min_size=12, max_size=60),
    st.sampled_from([0.6, 0.8, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_parents_are_those_of_a_literal_loop_and_make_no_circle(pairs, threshold):
    tags = pd.DataFrame(sorted(set(pairs)), columns=["item_id", "tag"])
    if tags.tag.value_counts().max() < 2:
        return
    nodes = tag_tree(tags, threshold=threshold, least=2).nodes.iloc[1:].set_index("node")
    assert nodes.parent.to_dict() == loop_parents(tags, threshold, 2)
    for tag in nodes.index:
        steps = 0
        while tag != ROOT:
            tag, steps = nodes.parent[tag], steps + 1
            assert steps <= len(nodes)


def test_tags_dealt_at_random_make_few_links():
    found = links_by_chance(PLANTED, times=5, seed=1)
    assert found.shape == (5,) and found.mean() < len(tag_tree(PLANTED).links)
    assert (found == links_by_chance(PLANTED, times=5, seed=1)).all()


def test_all_that_is_wrong_with_tags_is_said():
    with pytest.raises(InputError) as error:
        tag_tree(PLANTED.rename(columns={"tag": "word"}), threshold=0.2)
    assert "tags.tag" in str(error.value) and "threshold: 0.2" in str(error.value)
    with pytest.raises(InputError, match="none on 99"):
        tag_tree(PLANTED, least=99)


# ---- interest trees


ITEMS = shop_items()
PATHS = trees.product_paths(ITEMS)
KIND = PATHS.kind.to_dict()
PART = PATHS.part.to_dict()
LOG = shop_events(users=6, sessions=40, seed=3).sort_values("timestamp", kind="stable")
WEIGHT = {"view": 1, "cart": 3, "purchase": 5}


def loop_tree(events, as_of, half_life):
    """Weights by path, event by event, each faded by its own age."""
    total = {}
    for row in events.itertuples():
        if row.timestamp >= as_of:
            continue
        fade = 0.5 ** ((as_of - row.timestamp).total_seconds() / 86400 / half_life)
        if row.event in WEIGHT and row.item_id in KIND:
            path, weight = (KIND[row.item_id], PART[row.item_id], row.item_id), WEIGHT[row.event]
        elif row.event == "search" and row.category in set(KIND.values()):
            path, weight = (row.category,), 1
        else:
            continue
        for depth in range(len(path) + 1):
            total[path[:depth]] = total.get(path[:depth], 0) + weight * fade
    return total


@pytest.mark.parametrize("half_life", [0.5, 3.0, 400.0])
def test_the_tree_is_the_sum_of_faded_events(half_life):
    as_of = START + pd.Timedelta(days=4)
    for _, mine in LOG.groupby("user_code"):
        made = trees.interest_tree(mine, PATHS, as_of=as_of, half_life_days=half_life)
        expected = loop_tree(mine, as_of, half_life)
        names = {trees.BETWEEN.join(p) or trees.ROOT: w for p, w in expected.items()}
        assert dict(zip(made.node, made.weight, strict=True)) == pytest.approx(names)
        assert made.share.head(1).tolist() == pytest.approx([1.0] * bool(expected))


def test_a_tree_kept_for_centuries_stays_finite():
    live = trees.LiveInterests(PATHS, half_life_days=1.0)
    day = 86400.0
    live.see("view", 0.0, "p00")
    live.see("purchase", 3000 * day, "p01")
    live.see("view", 3001 * day, "p01")
    weights = live.weights
    assert weights[("oral_care", PART["p01"], "p01")] == pytest.approx(5 / 2 + 1)
    assert weights[()] == pytest.approx(3.5) and math.isfinite(live._from)


def test_events_out_of_order_and_half_lives_that_cannot_be_are_refused():
    live = trees.LiveInterests(PATHS)
    live.see("view", 10.0, "p00")
    with pytest.raises(InputError, match="older"):
        live.see("view", 9.0, "p00")
    with pytest.raises(InputError, match="half_life_days: 0"):
        trees.LiveInterests(PATHS, half_life_days=0)


def test_a_fresh_tree_shares_nothing():
    live = trees.LiveInterests(PATHS)
    live.see("view", 10.0, "p00")
    other = live.fresh()
    other.see("cart", 5.0, "p01")
    assert live.weights[()] == pytest.approx(1.0) and other.weights[()] == pytest.approx(3.0)


def test_who_did_nothing_has_an_empty_tree():
    assert trees.interest_tree(LOG.iloc[:0], PATHS).empty


def test_products_are_named_by_what_they_are():
    nodes = trees.interest_tree(LOG[LOG.user_code == LOG.user_code.mode()[0]], PATHS)
    named = trees.with_descriptions(nodes, ITEMS)
    text = ITEMS.set_index("item_id").description
    for before, after in zip(nodes.itertuples(), named.itertuples(), strict=True):
        assert after.name == (text[before.name] if before.level == 3 else before.name)
    assert trees.with_descriptions(nodes, ITEMS[["item_id"]]).equals(nodes)


def test_shares_of_a_month_sum_to_one():
    mine = LOG[LOG.user_code == LOG.user_code.mode()[0]]
    shares = trees.interests_over_time(mine, PATHS)
    assert shares.groupby("month").share.sum().to_numpy() == pytest.approx(1.0)


def test_products_without_categories_hang_below_their_top_tags():
    items = pd.DataFrame(
        {"item_id": [f"i{n}" for n in range(8)], "kind": "product", "category": None,
         "price": np.arange(8.0), "description": ["red cup"] * 3 + ["cup"] * 3 + ["saw", "nail"]}
    )  # fmt: skip
    tags = item_tags(items)
    paths = trees.product_paths(items, tags, tag_tree(tags))
    assert paths.kind.tolist() == ["cup"] * 6 + [trees.OTHER] * 2
    assert paths.part.tolist() == price_bands(items.price).tolist()
    assert trees.product_paths(items).kind.unique().tolist() == [trees.OTHER]


def test_every_event_of_a_user_is_timed():
    speed = trees.update_speed(LOG, PATHS, most=50).iloc[0]
    assert speed.events == 50 and speed.users == LOG.head(50).user_code.nunique()
    assert speed.microseconds == pytest.approx(1e6 * speed.seconds / 50)


def test_price_bands_hold_equally_many_and_pass_over_the_unknown():
    price = pd.Series([5.0, 1.0, np.nan, 3.0, 2.0, 4.0])
    bands = price_bands(price)
    assert bands.dropna().tolist() == ["band 5", "band 1", "band 3", "band 2", "band 4"]
    assert bands.isna().tolist() == price.isna().tolist()
    counts = price_bands(pd.Series(list(itertools.chain([1.0] * 10, range(2, 12))))).value_counts()
    assert set(counts) == {4}
