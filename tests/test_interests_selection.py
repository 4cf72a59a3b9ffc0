"""Filter expressions against a reading row by row, and everything that they must refuse."""

from __future__ import annotations

import builtins
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.errors import InputError
from precmark.interests.selection import MOST_CHARACTERS, named, select, select_all

ROWS = [
    {"age": 17.0, "spend": 0.0, "country": "CN", "avatar": True},
    {"age": 30.0, "spend": 12.5, "country": "GB", "avatar": False},
    {"age": None, "spend": 3.0, "country": None, "avatar": None},
    {"age": -4.0, "spend": None, "country": "مرحبا", "avatar": True},
    {"age": 65.0, "spend": 12.5, "country": "a,b;'c'", "avatar": False},
]
TABLE = pd.DataFrame(ROWS)


def both(a, b):
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def turned(a):
    return None if a is None else not a


def compared(sign, a, b):
    if a is None or b is None:
        return None
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[sign]


def comparisons():
    """A pair of text and a function from a row to True, False or None (unknown)."""
    signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    numbers = st.tuples(
        st.sampled_from(["age", "spend"]), signs, st.sampled_from([-4, 0, 12.5, 30])
    ).map(lambda c: (f"{c[0]} {c[1]} {c[2]}", lambda row: compared(c[1], row[c[0]], c[2])))
    chains = st.tuples(st.integers(-5, 40), st.integers(-5, 70)).map(
        lambda c: (
            f"{c[0]} < age <= {c[1]}",
            lambda row: both(compared("<", c[0], row["age"]), compared("<=", row["age"], c[1])),
        )
    )
    texts = st.sampled_from(["CN", "GB", "nowhere"]).map(
        lambda v: (f"country == '{v}'", lambda row: compared("==", row["country"], v))
    )
    lists = st.lists(st.sampled_from(["CN", "GB", "US"]), min_size=1, max_size=3).map(
        lambda vs: (
            f"country in {vs!r}",
            lambda row: None if row["country"] is None else row["country"] in vs,
        )
    )
    flags = st.just(("avatar", lambda row: row["avatar"]))
    lacks = st.sampled_from(["age", "country"]).map(
        lambda c: (f"{c} is None", lambda row: row[c] is None)
    )
    return st.one_of(numbers, chains, texts, lists, flags, lacks)


def joined(children):
    nots = children.map(lambda c: (f"not ({c[0]})", lambda row: turned(c[1](row))))
    ands = st.tuples(children, children).map(
        lambda p: (f"({p[0][0]}) and ({p[1][0]})", lambda row: both(p[0][1](row), p[1][1](row)))
    )
    # De Morgan: or is not (not a and not b)
    ors = st.tuples(children, children).map(
        lambda p: (
            f"({p[0][0]}) or ({p[1][0]})",
            lambda row: turned(both(turned(p[0][1](row)), turned(p[1][1](row)))),
        )
    )
    return st.one_of(nots, ands, ors)


@settings(max_examples=200, deadline=None)
@given(st.recursive(comparisons(), joined, max_leaves=6))
def test_a_group_is_what_reading_row_by_row_with_three_values_gives(case):
    text, truth = case
    found = select(TABLE, text)
    expected = [truth(row) for row in ROWS]
    assert found.mask.tolist() == [value is True for value in expected]
    assert found.unknown == expected.count(None)


def test_arithmetic_and_a_division_by_zero_is_unknown():
    found = select(TABLE, "(age + 3) / spend > 2 - 1 * 1")
    assert found.mask.tolist() == [False, True, False, False, True]
    assert found.unknown == 3  # 20 / 0, and two missing values


def test_times_are_compared_with_iso_dates():
    seen = pd.to_datetime(["2025-01-01T10:00Z", None, "2025-03-01T00:00Z"], utc=True)
    table = pd.DataFrame({"seen": seen})
    assert select(table, "seen >= '2025-03-01'").mask.tolist() == [False, False, True]
    assert select(table, "'2024-12-31' < seen < '2025-02-01'").unknown == 1
    with pytest.raises(InputError, match="no date"):
        select(table, "seen > 'yesterday'")


@pytest.mark.parametrize(
    "text", ['quote " inside', "<b>bold</b>", "🎁", "שלום", "a;b", "a:b", "x,y", "back\\slash"]
)
def test_any_text_is_matched_as_it_stands(text):
    table = pd.DataFrame({"tags": [text, "other", None]})
    assert select(table, f"tags == {text!r}").mask.tolist() == [True, False, False]
    assert select(table, f"{text!r} in tags").mask.tolist() == [True, False, False]
    assert named(f"first: tags == {text!r}; tags == 'z'") == {
        "first": f"tags == {text!r}",
        "group 2": "tags == 'z'",
    }


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("__import__('os').system('true')", "functions are not called"),
        ("age.__class__ == 3", "names with a dot"),
        ("age[0] > 3", "square brackets"),
        ("(lambda: 3)() > 2", "functions are not called"),
        ("[a for a in age] == 3", "ListComp"),
        ("(age := 3) > 2", "NamedExpr"),
        ("f'{age}' == 'a'", "without f"),
        ("age ** 2 > 3", "between numbers stand"),
        ("age > 3 & spend > 2", "and | are written and, or"),
        ("country > 'A'", "has no order"),
        ("country > 3", "cannot be compared"),
        ("country + 1 > 3", "arithmetic is for numbers"),
        ("age", "neither yes nor no"),
        ("age = 3", "equality is =="),
        ("age == None", "None is no number"),
        ("age is 3", "before None only"),
        ("age in spend", "in stands before a list"),
        ("age in ('a', 'b')", "same kind as age"),
        ("age > 1j", "no number"),
        ("age > " + "9" * 400, "too large"),
        ("", "empty"),
        ("   ", "empty"),
        ("age > 3 # " + "x" * MOST_CHARACTERS, "characters"),
        ("not " * 450 + "avatar", "parts"),
        ("(" * 300 + "age" + ")" * 300 + " > 3", "cannot be read"),
        ("age > \x003", "cannot be read"),
        ("(age > 3) + 1 > 2", "a condition stands where a value belongs"),
        ("import os", "cannot be read"),
        ("age > true", "Write True"),
    ],
)
def test_what_is_no_filter_is_refused_before_anything_runs(expression, says, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("an expression was run as code")

    monkeypatch.setattr(builtins, "eval", never)
    monkeypatch.setattr(builtins, "exec", never)
    with pytest.raises(InputError, match=says):
        select(TABLE, expression)


def test_a_column_that_lacks_names_the_nearest_and_all_problems_come_at_once():
    with pytest.raises(InputError) as error:
        select_all(TABLE, {"one": "agee > 3 and len(country) > 2", "two": "spent < 4"})
    text = str(error.value)
    assert "3 problems" in text
    assert "Did you mean age" in text and "Did you mean spend" in text
    assert "group 'one'" in text and "group 'two'" in text


def test_a_value_that_nobody_has_is_noted_and_a_group_may_be_empty():
    found = select(TABLE, "country == 'GBR' or country in ('CN', 'XX')")
    assert len(found) == 1
    assert found.notes == ("no row has country 'GBR'; there is 'GB'", "no row has country 'XX'")
    assert len(select(TABLE, "age > 1000")) == 0
    assert len(select(TABLE.iloc[:0], "age > 3")) == 0


def test_names_of_groups():
    assert named("a: age > 3 ;; b : country == 'x:y;z'") == {
        "a": "age > 3",
        "b": "country == 'x:y;z'",
    }
    with pytest.raises(InputError, match="stands twice"):
        named("a: age > 3; a: age > 4")
    with pytest.raises(InputError, match="no expression"):
        named(" ; ")


def test_columns_of_every_type_that_a_profile_has():
    table = pd.DataFrame(
        {
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "kind": pd.Categorical(["x", None, "y"]),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "plain": np.array([True, False, True]),
            "day": [dt.datetime(2025, 1, 1), dt.datetime(2025, 1, 2), pd.NaT],
            "nothing": [None, None, None],
        }
    )
    assert select(table, "whole >= 1").mask.tolist() == [True, False, True]
    assert select(table, "kind != 'x'").mask.tolist() == [False, False, True]
    assert select(table, "not flag and plain").mask.tolist() == [False, False, True]
    assert select(table, "day > '2025-01-01'").mask.tolist() == [False, True, False]
    assert select(table, "nothing is None").mask.all()
    mixed = pd.DataFrame({"code": [1, "1", 2.5, None], "tags": [["a"], ["b", "c"], [], None]})
    assert select(mixed, "code == '1'").mask.tolist() == [True, True, False, False]
    assert select(mixed, "'b' in tags").mask.tolist() == [False, True, False, False]
    assert select(table, "flag == True").unknown == 1


def test_texts_of_two_columns_and_of_constants():
    table = pd.DataFrame({"a": ["x", "y", None, "z"], "b": ["x", "z", "x", None]})
    assert select(table, "a == b").mask.tolist() == [True, False, False, False]
    found = select(table, "a != b")
    assert found.mask.tolist() == [False, True, False, False] and found.unknown == 2
    assert select(table, "'x' == 'x' and a not in ('y', 'q')").mask.tolist() == [
        True, False, False, True,
    ]  # fmt: skip
    assert select(table, "'x' in ('x', 'y')").mask.all()
    assert len(select(table, "'x' != 'x'")) == 0
    assert select(table, "'x' not in a").mask.tolist() == [False, True, False, True]
    with pytest.raises(InputError, match="name a column"):
        select(table, "'x' is None")
