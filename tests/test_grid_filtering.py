"""Feature and tag filters against SciPy, scikit-learn and counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest, pearsonr

from precmark.errors import InputError
from precmark.grid.filtering import (
    binomial_tail,
    euclidean,
    f_score,
    kept_tags,
    maximum_distance,
    pearson,
    tag_scores,
    turnover_score,
)


def literal_f(x: list[float], y: list[int]) -> float:
    one = [a for a, b in zip(x, y, strict=True) if b]
    other = [a for a, b in zip(x, y, strict=True) if not b]
    mean, m1, m0 = sum(x) / len(x), sum(one) / len(one), sum(other) / len(other)
    spread = sum((a - m1) ** 2 for a in one) / (len(one) - 1)
    spread += sum((a - m0) ** 2 for a in other) / (len(other) - 1)
    return ((m1 - mean) ** 2 + (m0 - mean) ** 2) / spread


def test_f_score_is_the_equation_in_loops():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), rng.integers(0, 2, 40)
    found = f_score(X, y)
    assert found == pytest.approx([literal_f(list(X[:, j]), list(y)) for j in range(5)])


def test_f_score_of_equal_groups_is_half_scikit_learns_f_over_their_size():
    from sklearn.feature_selection import f_classif

    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 4)), np.repeat([0, 1], 30)
    X[y == 1] += [0, 0.3, 1, 2]
    # with m rows in each group: F = m (difference / 2)^2 * 2 / mean variance
    assert f_score(X, y) == pytest.approx(f_classif(X, y)[0] / (2 * 30))


def test_f_score_where_nothing_varies_and_where_groups_do_not():
    X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    found = f_score(X, [0, 0, 1, 1])
    assert np.isnan(found[0]) and np.isinf(found[1])


def test_pearson_and_euclid_are_those_of_other_libraries():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 30))
    assert pearson(x, y) == pytest.approx(pearsonr(x, y).statistic)
    assert euclidean(x, y) == pytest.approx(math.dist(x, y))
    assert np.isnan(pearson(np.ones(4), np.arange(4)))
    assert maximum_distance([0, 0], [[3, 4], [1, 1]]) == pytest.approx(5)


def test_the_tail_is_scipys_and_a_sum_over_counts():
    n, N, q = np.array([0, 1, 3, 7]), np.array([7, 7, 7, 7]), 0.3
    literal = [
        sum(math.comb(7, m) * q**m * (1 - q) ** (7 - m) for m in range(k, 8)) for k in n.tolist()
    ]
    assert binomial_tail(n, N, q) == pytest.approx(literal)
    big = np.array([500, 600])
    expected = [binomtest(int(k), 1000, 0.5, alternative="greater").pvalue for k in big]
    assert binomial_tail(big, 1000, 0.5) == pytest.approx(expected)


def test_the_printed_tail_is_no_probability():
    # N = 2, from 1: 2!/(1! 1) q (1-q) and then a division by zero
    assert np.isinf(binomial_tail([1], [2], 0.5, printed=True))
    with pytest.raises(InputError, match="170"):
        binomial_tail([1], [200], 0.5, printed=True)


def test_tags_of_one_group_come_first():
    counts = pd.DataFrame(
        {"one": [40, 20, 5], "other": [5, 20, 40]}, index=pd.Index(["a", "b", "c"], name="tag")
    )
    found = tag_scores(counts)
    q = 65 / 130
    for tag, row in counts.iterrows():
        N = row.one + row.other
        assert found.p_one[tag] == pytest.approx(binom.sf(row.one - 1, N, q))
        assert found.p_other[tag] == pytest.approx(binom.sf(row.other - 1, N, 1 - q))
        assert found.score[tag] == min(found.p_one[tag], found.p_other[tag])
    assert set(kept_tags(found)) == {"a", "c"}
    assert list(found.index)[-1] == "b"
    assert turnover_score(np.array([0.1, 0.9]), np.array([0.2, 0.3])).tolist() == [0.1, 0.3]


def test_tags_strewn_at_random_are_rarely_kept():
    rng = np.random.default_rng(7)
    kept = 0
    for _ in range(40):
        one = rng.binomial(200, 0.1, 50)
        other = rng.binomial(200, 0.1, 50)
        counts = pd.DataFrame({"one": one, "other": other}, index=[f"t{k}" for k in range(50)])
        kept += len(kept_tags(tag_scores(counts))) > 0
    assert kept <= 6


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (np.ones((4, 2)), [0, 1, 2, 1], "other labels"),
        (np.ones((4, 2)), [0, 1, 1, 1], "1 of group 0"),
        (np.ones(4), [0, 1, 0, 1], "shape"),
        (np.array([[np.nan], [1], [1], [1]]), [0, 1, 0, 1], "first 1"),
    ],
)
def test_wrong_groups_are_refused(X, y, says):
    with pytest.raises(InputError, match=says):
        f_score(X, y)


def test_wrong_counts_and_vectors_are_refused():
    with pytest.raises(InputError, match="2 problems"):
        binomial_tail([3], [2], 1.5)
    with pytest.raises(InputError, match="one length"):
        pearson([1, 2], [1])
    with pytest.raises(InputError, match="missing"):
        euclidean([np.nan], [1])
    with pytest.raises(InputError, match="one row or more"):
        maximum_distance([1.0], np.empty((0, 1)))
    empty = pd.DataFrame({"one": [0], "other": [0]}, index=["a"])
    with pytest.raises(InputError, match="no tag"):
        tag_scores(empty)
