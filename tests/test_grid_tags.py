"""Tags of users against sets, odd characters kept, and planted tags found again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from precmark.errors import InputError
from precmark.grid.tag_study import potential, printed_table3, table3_text
from precmark.grid.tags import (
    by_size,
    coded,
    exponent,
    filter_tags,
    having,
    tags_in,
    user_tags,
    words_of,
)

ODD = 'gift,"set";<b>new</b> 🎁 مرحبا été|x'


def items() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "d", "e"],
            "category": ["mugs", None, "mugs", "hats", ""],
            "brand": [None, "Beiyu", None, None, None],
            "price": [1.0, 2.0, 3.0, np.nan, 5.0],
            "tags": [ODD, None, "", "warm warm", None],
            "description": ["RED mug, red", None, "mug", "hat & scarf", "..."],
        }
    )


def log(n: int = 900, users: int = 90, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    hours = pd.to_timedelta(np.sort(rng.integers(0, 24 * 60, n)), unit="h")
    return pd.DataFrame(
        {
            "user_code": rng.integers(0, users, n),
            "timestamp": pd.Timestamp("2024-01-01", tz="UTC").as_unit("us") + hours,
            "event": rng.choice(["view", "search", "coupon_shown"], n, p=[0.8, 0.15, 0.05]),
            "item_id": rng.choice(["a", "b", "c", "d", "e", None], n),
            "platform": rng.choice(["web", None], n),
            "text": rng.choice(["red mug", "HAT", None], n),
        }
    )


def by_sets(events: pd.DataFrame, table: pd.DataFrame) -> dict[int, set[str]]:
    """The tags of each user by reading row for row."""
    told = {}
    bands = dict(zip("abce", ("band 1", "band 2", "band 3", "band 5"), strict=True))
    for r in table.itertuples():
        mine = set()
        if isinstance(r.category, str) and r.category:
            mine.add(f"category: {r.category}")
        if isinstance(r.brand, str):
            mine.add(f"brand: {r.brand}")
        for text in (r.tags, r.description):
            found = tags_in(text) if text is r.tags and isinstance(text, str) else []
            found += words_of(text) if text is r.description and isinstance(text, str) else []
            mine |= {f"word: {t}" for t in found}
        told[r.item_id] = mine
    found: dict[int, set[str]] = {}
    for r in events.itertuples():
        mine = found.setdefault(r.user_code, set())
        if r.event != "coupon_shown":
            mine.add(f"did: {r.event}")
        if isinstance(r.platform, str):
            mine.add(f"platform: {r.platform}")
        mine.add("time: " + ["night", "morning", "afternoon", "evening"][r.timestamp.hour // 6])
        if r.event == "search" and isinstance(r.text, str):
            mine |= {f"searched: {w}" for w in r.text.lower().split()}
        if isinstance(r.item_id, str):
            mine |= told[r.item_id]
    del bands
    return found


def without_prices(tags: set[str]) -> set[str]:
    return {t for t in tags if not t.startswith("price: ")}


def test_odd_characters_stay_what_they_are():
    assert tags_in(ODD) == ["gift", "set", "<b>new</b>", "🎁", "مرحبا", "été", "x"]
    assert tags_in("") == [] and tags_in(' ,;" ') == []
    assert words_of("L'été à Паris 🎁 x") == ["été", "паris"]


def test_every_user_has_the_tags_of_a_reading_row_by_row():
    events = log()
    coded_log = coded(events, items())
    users, tags = user_tags(coded_log)
    found: dict[int, set[str]] = {}
    for user, tag in zip(users, coded_log.names[tags], strict=True):
        assert tag not in found.setdefault(int(user), set())
        found[int(user)].add(tag)
    assert {u: without_prices(t) for u, t in found.items()} == by_sets(events, items())
    assert any(t.startswith("price: ") for tags in found.values() for t in tags)


def test_a_log_without_items_or_platforms_has_fewer_tags():
    events = log().assign(platform=None, text=None)
    coded_log = coded(events, None)
    assert set(coded_log.names) <= {"did: view", "did: search"} | {
        f"time: {p}" for p in ("night", "morning", "afternoon", "evening")
    }


def test_a_planted_tag_is_kept_and_others_are_not():
    events = log(12_000, 800)
    buyers = np.arange(0, 800, 4)
    is_buyer = events.user_code.isin(buyers)
    rng = np.random.default_rng(1)
    events["item_id"] = np.where(
        is_buyer & (rng.random(len(events)) < 0.15), "d", rng.choice(["a", "b"], len(events))
    )
    coded_log = coded(events, items())
    found = filter_tags(coded_log, buyers)
    planted = {"word: warm", "word: hat", "word: scarf", "category: hats"}
    assert planted <= set(found.buyers) and set(found.buyers) <= set(found.kept)
    assert len(found.kept) <= len(planted) + 3
    assert found.pairs == len(user_tags(coded_log)[0])
    held = having(coded_log, found.buyers)
    assert int((held > 0).sum()) == found.kept_users
    tried = potential(coded_log, buyers, found.buyers, draws=200, seed=0)
    left = set(held.index[held > 0])
    assert tried.rate_left == pytest.approx(len(left & set(buyers.tolist())) / len(left))
    assert tried.rate == pytest.approx(0.25, abs=0.01)
    assert tried.low > 0 and tried.over_most_low > 0


def test_no_tag_left_leaves_no_users():
    coded_log = coded(log(), items())
    assert potential(coded_log, [1, 2], [], draws=50, seed=0) is None


def test_sizes_grow_and_the_last_is_the_whole():
    coded_log = coded(log(3000, 300), items())
    sizes = by_size(coded_log, range(0, 300, 3), repeats=1)
    whole = filter_tags(coded_log, range(0, 300, 3))
    assert sizes["size"].tolist() == list(range(1, 8))
    assert (sizes[["rows", "tags", "users"]].diff().dropna() > 0).all().all()
    last = sizes.iloc[-1]
    assert (last["rows"], last.tags, last.users) == (3000, whole.pairs, whole.users)
    assert (sizes["seconds"] > 0).all() and (sizes["peak_mb"] > 0).all()
    text = table3_text(sizes)
    assert len(text) == 7 and "19.82 GB" in text["log, paper"].iloc[0]


def test_the_exponent_of_a_power_is_the_power():
    x = np.array([1.0, 2, 3, 4, 5, 6, 7])
    slope, low, high = exponent(x, 5 * x**1.7)
    assert slope == pytest.approx(1.7) and low <= slope <= high
    printed = printed_table3()
    assert exponent(printed["gigabytes"], printed["tags"])[0] == pytest.approx(1, abs=0.05)


def test_an_empty_log_is_refused():
    with pytest.raises(InputError, match="no tag"):
        filter_tags(coded(log().iloc[:0], items()), [1])
