"""Crowds, bits and coarse tables against counting by hand and other libraries."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import mutual_info_score

from precmark.errors import InputError
from precmark.interests.anonymise import protect
from precmark.interests.privacy import (
    anonymity,
    by_subset,
    combined,
    entropy,
    facts,
    facts_known,
    group_codes,
    money_bands,
    reveals,
)

PEOPLE = pd.DataFrame(
    {
        "sex": ["f", "f", "m", "m", None, None, "f"],
        "age": [20, 20, 30, 30, 40, 40, 50],
        "spent": ["low", "high", "low", "low", "low", "low", "high"],
    }
)


def tables():
    row = st.tuples(
        st.sampled_from(["a", "b", None]), st.integers(0, 3), st.sampled_from(["x", "y"])
    )
    return st.lists(row, min_size=1, max_size=40).map(
        lambda rows: pd.DataFrame(rows, columns=["one", "two", "secret"])
    )


@settings(max_examples=80, deadline=None)
@given(tables())
def test_crowds_are_those_of_counting(table):
    pairs = list(zip(table.one.map(str), table.two, strict=True))
    count = Counter(pairs)
    secrets = defaultdict(set)
    for pair, secret in zip(pairs, table.secret, strict=True):
        secrets[pair].add(secret)
    found = anonymity(table, ["one", "two"], sensitive=table.secret, levels=(2, 3))
    assert (found.rows, found.groups) == (len(table), len(count))
    assert found.smallest == min(count.values())
    for k in (2, 3):
        assert found.below[k] == pytest.approx(np.mean([count[p] < k for p in pairs]))
    assert found.diversity == min(len(s) for s in secrets.values())
    assert found.told == pytest.approx(np.mean([len(secrets[p]) == 1 for p in pairs]))


def test_one_table_by_hand():
    found = anonymity(PEOPLE, ["sex", "age"], sensitive=PEOPLE.spent)
    assert found.smallest == 1 and found.groups == 4
    assert found.below == {2: pytest.approx(1 / 7), 5: 1.0, 10: 1.0}
    assert found.diversity == 1 and found.told == pytest.approx(5 / 7)
    assert anonymity(PEOPLE, []).smallest == 7
    assert anonymity(PEOPLE.iloc[:0], ["sex"]).smallest == 0


def test_codes_tell_rows_apart_even_where_their_product_would_overflow():
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 5000, 300) for _ in range(8)]
    seen = {}
    expected = [
        seen.setdefault(key, len(seen)) for key in zip(*(c.tolist() for c in codes), strict=True)
    ]
    found = combined(codes, 300)
    assert len(np.unique(found)) == len(seen)
    assert len(set(zip(found.tolist(), expected, strict=True))) == len(seen)


def test_bits_are_those_of_other_libraries():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"a": rng.integers(0, 5, 400), "b": rng.integers(0, 3, 400)})
    secret = pd.Series((table.a + rng.integers(0, 2, 400)).to_numpy())
    found = reveals(table, ["a", "b"], secret, draws=50).set_index("column")
    counts = table.a.value_counts()
    assert found.bits["a"] == pytest.approx(scipy_entropy(counts, base=2))
    total = scipy_entropy(secret.value_counts())
    for column in ("a", "b"):
        told = mutual_info_score(table[column], secret) / total
        assert found.tells[column] == pytest.approx(told, abs=1e-9)
    joint = table.a.astype(str) + "/" + table.b.astype(str)
    alone = scipy_entropy(table.b.value_counts(), base=2)
    both = scipy_entropy(joint.value_counts(), base=2)
    assert found.adds["a"] == pytest.approx(both - alone)
    assert found.tells["a"] > found.chance["a"] > 0
    assert found.tells["b"] < 0.05
    assert entropy(np.array([], dtype=int)) == 0.0


def test_every_subset_once_and_the_most_telling_first():
    found = by_subset(PEOPLE, ["sex", "age", "spent"], most=2)
    assert len(found) == 6
    assert found.alone.is_monotonic_decreasing
    row = found[found["columns"] == "sex, age"]
    assert row.alone.iloc[0] == pytest.approx(1 / 7) and row.groups.iloc[0] == 4


def test_more_facts_never_hide_anybody_and_all_columns_are_the_whole_table():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.integers(0, 4, (200, 5)), columns=list("abcde"))
    found = facts_known(table, list("abcde"), most=9, draws=7, seed=3)
    assert found.known.tolist() == [1, 2, 3, 4, 5]
    assert found.alone.is_monotonic_increasing
    whole = anonymity(table, list("abcde")).below[2]
    assert found.alone.iloc[-1] == pytest.approx(whole)
    assert (found.low <= found.alone + 1e-12).all() and (found.alone <= found.high + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 8))
def test_a_protected_table_holds_its_k(seed, k):
    rng = np.random.default_rng(seed)
    n = 80
    table = pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(8, 60, n)),
            "country": rng.choice(list("ABCDEFGH"), n),
            "money": rng.exponential(30.0, n),
        }
    )
    found = protect(table, ["age", "country", "money"], k=k, most_held_back=0.05)
    kept = found.table
    crowds = Counter(map(tuple, kept.astype(str).to_numpy().tolist()))
    assert not len(kept) or min(crowds.values()) >= k
    assert found.held_back == n - len(kept) and found.held_back <= 0.05 * n
    assert found.steps.below.iloc[-1] <= 0.05
    # each coarse age holds the ages that it says
    for text, age in zip(kept.age, table.age.loc[kept.index], strict=True):
        if "to under" in text:
            low, high = (float(part) for part in text.split(" to under "))
            assert low <= age < high


def test_nothing_is_coarser_than_it_has_to_be_on_its_own():
    table = pd.DataFrame({"a": list("xxxxyyyy"), "b": range(8)})
    found = protect(table, ["a", "b"], k=4, most_held_back=0.0)
    assert found.table.a.tolist() == list("xxxxyyyy")
    assert found.held_back == 0
    same = protect(pd.DataFrame({"a": ["x"] * 6}), ["a"], k=3)
    assert len(same.steps) == 1 and same.held_back == 0


def test_bad_questions_are_refused_all_at_once():
    with pytest.raises(InputError) as error:
        protect(PEOPLE, ["sex", "shoe"], k=99, most_held_back=2.0)
    assert all(word in str(error.value) for word in ("shoe", "k: 99", "most_held_back"))
    with pytest.raises(InputError, match="none given"):
        protect(PEOPLE, [])
    with pytest.raises(InputError) as error:
        anonymity(PEOPLE, ["hat", "shoe"], sensitive=pd.Series([1]))
    assert all(word in str(error.value) for word in ("hat", "shoe", "1 values for 7 rows"))


def test_facts_and_money_bands():
    profile = pd.DataFrame({"gender": ["f", "m"], "age": [3, 3], "country": [None, None]})
    assert facts(profile) == ["gender"]
    bands = money_bands(pd.Series([0.0, 1, 2, 3, 4, 5, 6, np.nan]))
    assert bands.tolist() == [
        "nothing", "lower third", "lower third", "middle", "middle", "upper third",
        "upper third", "nothing",
    ]  # fmt: skip
    assert group_codes(profile, ["age"]).tolist() == [0, 0]
