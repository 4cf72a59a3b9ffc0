"""Features on a grid: against loops, all arrangements of small grids, and planted neighbours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from precmark.errors import InputError
from precmark.grid.distances import (
    feature_distances,
    grid_shape,
    normalised_ranks,
    pixel_distances,
)
from precmark.grid.igtd import (
    COSTS,
    MATCHES,
    _Search,
    by_feature,
    images,
    mismatch,
    place_features,
    shuffled,
)


def table(n: int, p: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, p)) + rng.normal(size=(n, p))


def smooth(rows: int, columns: int, n: int = 4000, seed: int = 0) -> np.ndarray:
    """Features drawn on a grid: the correlation falls with the distance of their pixels."""
    at = np.array([(r, c) for r in range(rows) for c in range(columns)], float)
    apart = squareform(pdist(at))
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal(np.zeros(len(at)), np.exp(-apart), size=n)


def literal_error(D: np.ndarray, order: list[int], shape: tuple[int, int], cost: str) -> float:
    """The mean mismatch of all pairs by double loops and sorted ranks."""
    p = len(order)
    pairs = [(i, j) for i in range(p) for j in range(i)]

    def rank_of(value: dict) -> dict:
        listed = sorted(value.values())
        ranks = {}
        for pair, v in value.items():
            places = [k + 1 for k, w in enumerate(listed) if abs(w - v) < 1e-11]
            ranks[pair] = sum(places) / len(places)
        most = max(ranks.values())
        return {pair: r / most for pair, r in ranks.items()}

    feature = rank_of({(i, j): D[i, j] for i, j in pairs})
    pixel = rank_of(
        {
            (i, j): np.hypot(i // shape[1] - j // shape[1], i % shape[1] - j % shape[1])
            for i, j in pairs
        }
    )
    total = 0.0
    for i, j in pairs:
        a, b = order[i], order[j]
        gap = feature[max(a, b), min(a, b)] - pixel[i, j]
        total += abs(gap) if cost == "absolute" else gap**2
    return total / len(pairs)


def test_pearson_distances_are_those_of_the_correlation_matrix():
    X = table(50, 7)
    assert feature_distances(X) == pytest.approx(1 - np.abs(np.corrcoef(X.T)), abs=1e-12)


def test_euclidean_distances_are_those_of_standardised_columns():
    X = table(50, 7) * 10.0 ** np.arange(7)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = squareform(pdist(Z.T))
    assert feature_distances(X, "euclidean") == pytest.approx(expected, abs=1e-6)


def test_huge_values_do_not_overflow():
    X = table(50, 5)
    assert feature_distances(X * 1e300) == pytest.approx(feature_distances(X))


def test_pixel_distances_by_hand():
    D = pixel_distances(5, (2, 3))
    assert D[0].tolist() == pytest.approx([0, 1, 2, 1, np.sqrt(2)])


@pytest.mark.parametrize(
    ("features", "shape"), [(4, (2, 2)), (5, (2, 3)), (36, (6, 6)), (41, (6, 7)), (100, (10, 10))]
)
def test_the_grid_is_nearly_square_and_no_row_is_empty(features, shape):
    assert grid_shape(features) == shape


@pytest.mark.parametrize("cost", ["absolute", "squared"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 5)])
def test_the_error_is_that_of_literal_loops(cost, shape):
    X = table(60, 9)
    layout = place_features(X, cost=cost, shape=shape)
    D = feature_distances(X)
    assert layout.error == pytest.approx(literal_error(D, list(layout.order), shape, cost))
    assert layout.errors[0] == pytest.approx(literal_error(D, list(range(9)), shape, cost))


@pytest.mark.parametrize("cost", sorted(COSTS))
@pytest.mark.parametrize("match", sorted(MATCHES))
def test_what_a_swap_gains_is_what_a_recount_says(cost, match):
    D = feature_distances(table(40, 8))
    R, Q = (MATCHES[match](d) for d in (D, pixel_distances(8, (3, 3))))
    order = np.random.default_rng(3).permutation(8)
    pairs = 8 * 7 / 2
    for a, b in itertools.permutations(range(8), 2):
        search = _Search.start(R, Q, COSTS[cost], order)
        said = search.gains(a)[b] / pairs
        swapped = order.copy()
        swapped[[a, b]] = swapped[[b, a]]
        counted = mismatch(R, Q, swapped, cost) - mismatch(R, Q, order, cost)
        assert said == pytest.approx(counted, abs=1e-12)
        search.swap(a, b)
        assert search.order.tolist() == swapped.tolist()
        assert search.row == pytest.approx(COSTS[cost](search.R - Q).sum(axis=1))


@pytest.mark.parametrize(("p", "shape"), [(4, (2, 2)), (6, (2, 3))])
@pytest.mark.parametrize("seed", range(4))
def test_no_arrangement_of_a_small_grid_is_better(p, shape, seed):
    X = table(30, p, seed)
    D = feature_distances(X)
    best = min(
        literal_error(D, list(order), shape, "absolute")
        for order in itertools.permutations(range(p))
    )
    assert place_features(X, shape=shape).error >= best - 1e-12
    assert place_features(X, shape=shape, starts=12).error == pytest.approx(best)


def test_features_drawn_on_a_grid_find_their_neighbours_again():
    rows, columns = 4, 4
    X = smooth(rows, columns)
    mixed = np.random.default_rng(5).permutation(rows * columns)
    layout = place_features(X[:, mixed], starts=4)
    true = np.array([divmod(k, columns) for k in mixed], float)
    found = squareform(pdist(layout.places().astype(float)))
    neighbours = squareform(pdist(true)) == 1
    # a random grid puts true neighbours at the mean distance of all pairs
    at_random = squareform(pdist(true))[np.triu_indices(16, 1)].mean()
    assert found[neighbours].mean() < 0.65 * at_random


@given(st.integers(4, 12), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_every_feature_has_one_pixel_and_the_error_never_rises(p, seed):
    layout = place_features(table(20, p, seed), max_swaps=60)
    assert sorted(layout.order.tolist()) == list(range(p))
    assert (np.diff(layout.errors) <= 1e-12).all()
    assert len({tuple(x) for x in layout.places().tolist()}) == p


@given(st.integers(0, 30))
@settings(max_examples=15, deadline=None)
def test_a_picture_holds_the_rows_values_at_their_features_pixels(seed):
    X = table(12, 7, seed)
    layout = place_features(X)
    pictures = images(X, layout)
    assert pictures.shape == (12, *layout.shape)
    assert by_feature(pictures, layout) == pytest.approx(X.astype(np.float32))
    for k, (r, c) in enumerate(layout.places()):
        assert pictures[:, r, c] == pytest.approx(X[:, k].astype(np.float32))
    assert np.count_nonzero(pictures[0]) == 7


def test_same_data_same_grid_and_a_shuffled_one_keeps_its_features():
    X = table(80, 20)
    first, second = place_features(X, starts=2, seed=4), place_features(X, starts=2, seed=4)
    assert first.order.tolist() == second.order.tolist()
    mixed = shuffled(first, 1)
    assert sorted(mixed.order.tolist()) == list(range(20))
    assert mixed.order.tolist() != first.order.tolist()


def test_ranks_share_ties_and_reach_one():
    D = np.array([[0, 1, 1], [1, 0, 2], [1, 2, 0]], float)
    assert normalised_ranks(D) == pytest.approx(np.array([[0, 0.5, 0.5], [0.5, 0, 1], [0.5, 1, 0]]))


def test_every_problem_is_told_at_once():
    X = np.ones((5, 3))
    X[1, 2] = np.nan
    with pytest.raises(InputError) as error:
        place_features(X, ["a", "b", "c"], match="both", max_swaps=0)
    text = str(error.value)
    for part in ("3 features", "feature c", "1 row, first 2", "a, b", "'both'", "max_swaps: 0"):
        assert part in text, part


def test_a_grid_that_does_not_fit_and_doubled_names_are_refused():
    with pytest.raises(InputError, match="2 x 2 for 5"):
        place_features(table(9, 5), shape=(2, 2))
    with pytest.raises(InputError, match="twice: a"):
        place_features(table(9, 5), ["a", "a", "b", "c", "d"])
    with pytest.raises(InputError, match="infinite"):
        X = table(9, 5)
        X[0, 0] = np.inf
        place_features(X)
    with pytest.raises(InputError, match="not known"):
        feature_distances(table(9, 5), "cosine")


def test_pictures_of_other_columns_are_refused():
    with pytest.raises(InputError, match="grid of 6 features"):
        images(np.zeros((2, 5)), place_features(table(9, 6)))
