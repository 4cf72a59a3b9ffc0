"""Feature space, trees, and the memory of the segmentations."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.errors import InputError
from precmark.segments import RfmSegments, SomSegments, StickinessSegments, fit_space
from precmark.segments.features import family, signed_log
from precmark.segments.trees import centroids, cut, nearest, ward_tree


def small_profile(n=60, seed=0):
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 9, n)
    return pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(n)],
            "user_code": np.arange(n),
            "active_days_30": days,
            "views_30": days * rng.integers(1, 20, n),
            "purchases_30": rng.poisson(days / 4),
            "spend_30": np.round(rng.gamma(2, 30, n) * (days > 3), 2),
            "recency_days": np.where(days > 0, rng.random(n) * 30, np.nan),
            "frequency": rng.poisson(days / 2),
            "monetary": np.round(rng.gamma(2, 50, n), 2),
            "tenure_days": rng.random(n) * 300,
            "country": rng.choice(["UK", "FR"], n),
        }
    )


def test_space_standardises_logs_and_leaves_out():
    n = 200
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.gamma(0.5, 10, n)).astype(float)
    frame = pd.DataFrame(
        {
            "user_code": np.arange(n),
            "views_30": counts,
            "views_all": counts,  # the same again
            "constant": 3.0,
            "rare": np.r_[1.0, np.zeros(n - 1)],
            "mostly_missing": np.r_[np.arange(50.0), np.full(n - 50, np.nan)],
            "age": rng.normal(40, 8, n),
            "name": "text",
        }
    )
    space = fit_space(frame)
    assert space.names == ("views_30", "age")
    assert dict(space.dropped) == {
        "views_all": "moves with views_30 (correlation 1.000)",
        "constant": "the same for all",
        "rare": "the same for all but 0.5% of users",
        "mostly_missing": "known for 25% of users",
    }
    assert space.logged[0]
    logged = np.log(1 + counts)
    expected = np.clip((logged - logged.mean()) / logged.std(), -4, 4)
    np.testing.assert_allclose(space.transform(frame)[:, 0], expected)


def test_missing_values_are_the_median_and_recency_the_longest():
    frame = pd.DataFrame({"recency_days": [1.0, 5.0, np.nan, 9.0], "age": [20, 40, 30, np.nan]})
    space = fit_space(frame)
    assert dict(zip(space.names, space.fill, strict=True)) == {"recency_days": 9.0, "age": 30.0}
    points = space.transform(frame)
    assert points[2, 0] == points[3, 0]
    assert points[3, 1] == points[2, 1]


def test_windows_of_one_count_share_one_weight():
    assert family("views_30") == family("views_7") == "views"
    assert family("views_morning_7") == family("views_saturday_30") == "views"
    assert family("events_00_06_30") == family("events_prev_30") == "events"
    assert family("level") == "level"
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 3)), columns=["spend_7", "spend_30", "age"])
    np.testing.assert_allclose(fit_space(frame).weight, [2**-0.5, 2**-0.5, 1])


def test_signed_log_is_odd_and_log1p_above_zero():
    values = np.array([-10.0, 0.0, 10.0])
    np.testing.assert_allclose(signed_log(values), [-np.log(11), 0, np.log(11)])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"views_30": pd.Series([], dtype=float)}), "no users"),
        (pd.DataFrame({"user_id": ["a", "b"], "country": ["x", "y"]}), "no numeric column"),
    ],
)
def test_space_refuses_what_it_cannot_use(frame, message):
    with pytest.raises(InputError, match=message):
        fit_space(frame)


def test_space_names_the_columns_a_new_profile_lacks():
    profile = small_profile()
    space = fit_space(profile)
    with pytest.raises(InputError, match="lacks spend_30"):
        space.transform(profile.drop(columns="spend_30"))


points_and_centres = st.tuples(
    st.integers(1, 40), st.integers(1, 12), st.integers(1, 5), st.integers(0, 10_000)
)


@settings(max_examples=40, deadline=None)
@given(points_and_centres)
def test_nearest_agrees_with_a_loop(case):
    n, m, f, seed = case
    rng = np.random.default_rng(seed)
    points, centres = rng.normal(size=(n, f)), rng.normal(size=(m, f))
    found = nearest(points, centres, chunk=7)
    for i in range(n):
        distances = [float(np.sqrt(((points[i] - c) ** 2).sum())) for c in centres]
        order = sorted(range(m), key=distances.__getitem__)
        assert found.first[i] == order[0]
        assert found.second[i] == order[min(1, m - 1)]
        assert found.distance[i] == pytest.approx(distances[order[0]], rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 10), st.integers(0, 1000))
def test_cut_agrees_with_scipy(n, k, seed):
    from scipy.cluster.hierarchy import cut_tree

    points = np.random.default_rng(seed).normal(size=(n, 3))
    tree = ward_tree(points)
    expected = cut_tree(tree, n_clusters=min(k, n)).ravel()
    np.testing.assert_array_equal(cut(tree, k), expected)


def test_ward_minimises_the_growth_of_the_sum_of_squares():
    """The first merges of a hand-made case: 0 and 1, then 10 and 12, then the pairs."""
    tree = ward_tree(np.array([[0.0], [1.0], [10.0], [12.0]]))
    assert tree[:, :2].astype(int).tolist() == [[0, 1], [2, 3], [4, 5]]
    # Ward's height is sqrt(2 * growth): pairs 0.5 and 2; means 0.5 and 11, growth 10.5^2
    np.testing.assert_allclose(tree[:, 2], [1.0, 2.0, np.sqrt(2 * 10.5**2)])


def test_cut_never_parts_identical_points():
    points = np.array([[0.0], [0.0], [1.0], [1.0], [1.0]])
    assert cut(ward_tree(points), 4).tolist() == [0, 0, 1, 1, 1]
    assert cut(ward_tree(points[:1]), 4).tolist() == [0]


def test_centroids_are_means():
    points = np.array([[0.0, 1.0], [2.0, 3.0], [5.0, 5.0]])
    np.testing.assert_allclose(centroids(points, np.array([0, 0, 1])), [[1, 2], [5, 5]])


ALL = [StickinessSegments, SomSegments, RfmSegments]


@pytest.mark.parametrize("kind", ALL)
def test_saved_segments_come_back_the_same(kind, tmp_path):
    profile = small_profile()
    fitted = kind().fit(profile)
    fitted.save(tmp_path / "segments.json")
    back = kind.load(tmp_path / "segments.json")
    assert back.get_params() == fitted.get_params()
    np.testing.assert_array_equal(back.predict(profile), fitted.predict(profile))
    fresh = small_profile(seed=5)
    np.testing.assert_array_equal(back.predict(fresh), fitted.predict(fresh))
    json.loads((tmp_path / "segments.json").read_text())


@pytest.mark.parametrize("kind", ALL)
def test_what_was_not_saved_here_is_refused(kind, tmp_path):
    path = tmp_path / "other.json"
    for text in ("", "{}", '{"kind": "Other", "format": 1}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"other\.json"):
            kind.load(path)
    with pytest.raises(InputError, match="not fitted"):
        kind().save(path)


@pytest.mark.parametrize("kind", ALL)
def test_scikit_learn_can_clone_it(kind):
    from sklearn.base import clone

    original = kind()
    params = original.get_params()
    assert clone(original).get_params() == params
    with pytest.raises(ValueError, match="no parameters"):
        original.set_params(nonsense=1)


@pytest.mark.parametrize("kind", ALL)
def test_same_seed_same_segments_and_users_one_by_one(kind):
    profile = small_profile(n=200)
    a, b = kind().fit(profile), kind().fit(profile)
    labels = a.predict(profile)
    np.testing.assert_array_equal(labels, b.predict(profile))
    np.testing.assert_array_equal(labels, kind().fit_predict(profile))
    alone = [a.predict(profile.iloc[[i]])[0] for i in range(len(profile))]
    np.testing.assert_array_equal(labels, alone)


@pytest.mark.parametrize("kind", ALL)
def test_empty_profiles_are_refused(kind):
    with pytest.raises(InputError, match="no users"):
        kind().fit(small_profile().iloc[:0])


def test_state_is_frozen():
    state = SomSegments().fit(small_profile()).state_
    with pytest.raises(AttributeError):
        state.shape = (1, 1)
    assert replace(state, shape=(1, 1)).shape == (1, 1)
