"""Stickiness, the map, RFM, the number of segments, lifecycle, personas, comparison."""

import minisom
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, roc_auc_score, silhouette_score

from precmark.errors import InputError
from precmark.segments import (
    LifecycleRules,
    RfmSegments,
    SomSegments,
    StickinessSegments,
    agreement,
    comparison,
    fit_space,
    lifecycle,
    number_of_segments,
    personas,
    separation,
    separation_gap,
    telling_features,
    u_matrix,
    usual_gap,
    will_return,
)
from precmark.segments.choose import pick, silhouette, stability
from precmark.segments.compare import wilson
from precmark.segments.personas import EVERYONE, ORDINARY, mean_differences, words_for
from precmark.segments.rfm import NO_PURCHASE, quintiles, score
from precmark.segments.som import map_shape, topographic_error, train_codebook
from precmark.segments.stickiness import QuantileScale

NOW = pd.Timestamp("2025-07-01", tz="UTC")


def groups(sizes=(80, 60, 40), seed=0, spread=0.3):
    """A profile of users in clear groups, and the group of each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    days = np.clip(rng.poisson(1 + 6 * group), 1, 30)
    profile = pd.DataFrame(
        {
            "user_code": np.arange(len(group)),
            "active_days_30": days,
            "views_30": days * np.array([2, 30, 8])[group],
            "spend_30": np.exp(rng.normal(np.array([1, 3, 6])[group], spread)),
            "tenure_days": rng.normal(np.array([300, 60, 180])[group], 8),
        }
    )
    return profile, group


# ---- stickiness


def test_quantile_scale_is_the_stretched_mid_rank():
    values = np.array([1.0, 1.0, 2.0, 4.0])
    # mid-ranks 1, 1, 2.5, 3.5 -> (r - 1) / 2.5
    scale = QuantileScale.fit(values)
    np.testing.assert_allclose(scale.transform(values), [0, 0, 0.6, 1])
    np.testing.assert_allclose(scale.transform(np.array([0.0, 3.0, 99.0])), [0, 0.8, 1])
    assert QuantileScale.fit(np.ones(3)).transform(np.array([1.0]))[0] == 0.5


def test_quantile_scale_of_many_values_keeps_within_a_grid_step():
    values = np.random.default_rng(0).gamma(0.5, 10, 20_000)
    scale = QuantileScale.fit(values)
    assert len(scale.values) <= 200
    exact = (np.argsort(np.argsort(values)) / (len(values) - 1)).astype(float)
    assert np.abs(scale.transform(values) - exact).max() < 1 / 190


def test_plane_by_hand_and_dormant_by_rule():
    profile = pd.DataFrame(
        {
            "active_days_30": [0, 1, 2, 10],
            "views_30": [0, 4, 2, 50],
            "purchases_30": [0, 0, 2, 10],
        }
    )
    summed = profile.drop(columns=["views_30", "purchases_30"]).assign(events_30=[0, 4, 4, 60])
    pd.testing.assert_frame_equal(
        StickinessSegments(n_segments=2).fit(profile).plane(profile),
        StickinessSegments(n_segments=2).fit(summed).plane(summed),
    )
    plane = StickinessSegments(n_segments=2).fit(profile).plane(profile)
    assert plane.active_days.tolist() == [0, 1, 2, 10]
    assert plane.activity_per_day.tolist() == [0, 4, 2, 6]
    assert plane.regularity.tolist()[1:] == [0, 0.5, 1]
    assert plane.depth.tolist()[1:] == [0.5, 0, 1]
    assert np.isnan(plane.regularity[0])
    assert plane.segment[0] == 0
    assert plane.segment[3] == 1, "1 is the stickiest"


def test_whole_history_divides_by_the_days_since_the_first_event():
    profile = pd.DataFrame(
        {
            "active_days": [3, 3, 3],
            "views": [3, 6, 9],
            "days_since_first_event": [10.0, 60.0, 300.0],
        }
    )
    segmenter = StickinessSegments(window_days=None).fit(profile)
    # the first user's history counts as 30 days, so 0.1, 0.05, 0.01
    np.testing.assert_allclose(segmenter.state_.regularity.values, [0.01, 0.05, 0.1])


def test_stickiness_centres_are_ward_centroids_of_scipy():
    from scipy.cluster.hierarchy import fcluster, linkage

    profile, _ = groups()
    segmenter = StickinessSegments(n_segments=3).fit(profile)
    plane = segmenter.plane(profile)
    points = plane[["regularity", "depth"]].to_numpy()
    labels = fcluster(linkage(points, "ward"), 3, "maxclust")
    expected = {tuple(points[labels == k].mean(axis=0).round(9)) for k in (1, 2, 3)}
    assert {tuple(c.round(9)) for c in segmenter.state_.centres} == expected
    tree = pd.Series(labels)
    agree = sum(plane.segment[tree == k].value_counts().max() for k in (1, 2, 3)) / len(plane)
    assert segmenter.state_.agreement == pytest.approx(agree)


def test_stickiness_order_is_stickiest_first():
    profile, _ = groups()
    centres = StickinessSegments(n_segments=5).fit(profile).state_.centres
    assert (np.diff(centres.sum(axis=1)) <= 0).all()


def test_users_outside_the_tree_go_to_the_nearest_centre():
    profile, _ = groups(sizes=(300, 300, 300))
    segmenter = StickinessSegments(n_segments=3, max_tree=100).fit(profile)
    assert len(segmenter.tree_points_) == 100
    plane = segmenter.plane(profile)
    points = plane[["regularity", "depth"]].to_numpy()
    for i in range(0, 900, 37):
        gaps = ((points[i] - segmenter.state_.centres) ** 2).sum(axis=1)
        assert plane.segment[i] == 1 + gaps.argmin()


def test_cut_again_equals_a_fit_with_that_number():
    profile, _ = groups()
    for kind in (StickinessSegments, SomSegments):
        again = kind(n_segments=3).fit(profile).cut(5)
        assert again.n_segments == 5
        np.testing.assert_array_equal(
            again.predict(profile), kind(n_segments=5).fit_predict(profile)
        )


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"views_30": [1]}, "active_days_30 or login_days_30"),
        ({"active_days_30": [1]}, r"events_30 \(or views_30"),
    ],
)
def test_stickiness_says_which_columns_it_wants(frame, message):
    with pytest.raises(InputError, match=message):
        StickinessSegments().fit(pd.DataFrame(frame))


def test_stickiness_names_columns_missing_at_predict_and_a_lost_tree(tmp_path):
    profile, _ = groups()
    segmenter = StickinessSegments().fit(profile)
    with pytest.raises(InputError, match="lacks views_30"):
        segmenter.predict(profile.drop(columns="views_30"))
    loaded = StickinessSegments.load(segmenter.save(tmp_path / "s.json"))
    with pytest.raises(InputError, match="tree is not saved"):
        loaded.cut(2)


def test_nobody_active_is_all_dormant():
    profile = pd.DataFrame({"active_days_30": [0, 0], "views_30": [0, 0]})
    assert StickinessSegments().fit_predict(profile).tolist() == [0, 0]


# ---- small and degenerate data


@pytest.mark.parametrize("kind", [StickinessSegments, SomSegments])
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_a_handful_of_users_works(kind, n):
    profile = groups(sizes=(4, 3, 3))[0].iloc[:n]
    labels = kind().fit_predict(profile)
    assert len(labels) == n
    assert labels.min() >= 1


@pytest.mark.parametrize("kind", [StickinessSegments, SomSegments])
def test_identical_users_are_one_segment(kind):
    profile = pd.concat([groups()[0].iloc[[0]].assign(user_code=i) for i in range(30)])
    assert kind().fit_predict(profile).tolist() == [1] * 30
    choice = number_of_segments(kind().fit(profile), profile)
    assert choice.chosen == 1
    assert choice.table.empty


def test_one_feature_works():
    profile = pd.DataFrame({"views_30": np.r_[np.zeros(20), np.full(20, 9.0), np.full(20, 500.0)]})
    labels = SomSegments(n_segments=3).fit_predict(profile)
    assert adjusted_rand_score(np.repeat([0, 1, 2], 20), labels) == 1


def test_number_of_segments_must_be_positive():
    profile, _ = groups()
    for kind in (StickinessSegments, SomSegments):
        with pytest.raises(InputError, match="at least 1"):
            kind(n_segments=0).fit(profile)


# ---- the map


def test_topographic_error_by_hand():
    # a 3 by 3 map: 0-1 touch, 0-4 touch over the corner, 0-2 and 0-8 do not
    first = np.array([0, 0, 0, 0])
    second = np.array([1, 4, 2, 8])
    assert topographic_error(first, second, (3, 3)) == 0.5
    assert np.isnan(topographic_error(np.zeros(2, int), np.zeros(2, int), (1, 1)))


def test_errors_and_u_matrix_agree_with_minisom():
    profile, _ = groups(spread=1.0)
    segmenter = SomSegments(shape=(5, 7)).fit(profile)
    state = segmenter.state_
    points = segmenter.space(profile)
    theirs = minisom.MiniSom(5, 7, points.shape[1])
    theirs._weights = state.codebook.reshape(5, 7, -1).copy()
    assert state.quantisation_error == pytest.approx(theirs.quantization_error(points))
    assert state.topographic_error == pytest.approx(theirs.topographic_error(points))
    np.testing.assert_array_equal(state.hits.reshape(5, 7), theirs.activation_response(points))
    ours = u_matrix(state.codebook, (5, 7))
    np.testing.assert_allclose(ours / ours.max(), theirs.distance_map(scaling="mean"))


def test_quantisation_error_and_u_matrix_by_hand():
    codebook = np.array([[0.0], [1.0], [3.0], [7.0]])
    # rows (0 1) (3 7): every unit touches the three others
    expected = [[(1 + 3 + 7) / 3, (1 + 2 + 6) / 3], [(3 + 2 + 4) / 3, (7 + 6 + 4) / 3]]
    np.testing.assert_allclose(u_matrix(codebook, (2, 2)), expected)
    line = u_matrix(codebook, (1, 4))
    np.testing.assert_allclose(line, [[1, 1.5, 3, 4]])


def test_the_map_finds_clear_groups_and_numbers_them_by_size():
    profile, group = groups()
    segmenter = SomSegments(n_segments=3).fit(profile)
    labels = segmenter.predict(profile)
    assert adjusted_rand_score(group, labels) > 0.9
    assert (np.diff(np.bincount(labels)[1:]) <= 0).all()


def test_predict_on_the_fitted_rows_follows_the_hits():
    profile, _ = groups()
    segmenter = SomSegments().fit(profile)
    units = segmenter.units(profile)
    np.testing.assert_array_equal(np.bincount(units, minlength=256)[: len(segmenter.state_.hits)],
                                  segmenter.state_.hits)  # fmt: skip
    np.testing.assert_array_equal(segmenter.predict(profile), segmenter.state_.unit_segment[units])


def test_units_without_users_join_the_nearest_with():
    profile, _ = groups()
    state = SomSegments(n_segments=3).fit(profile).state_
    used = np.flatnonzero(state.hits > 0)
    for unit in np.flatnonzero(state.hits == 0)[:20]:
        gaps = ((state.codebook[used] - state.codebook[unit]) ** 2).sum(axis=1)
        assert state.unit_segment[unit] == state.unit_segment[used[gaps.argmin()]]


def test_map_grows_with_users_within_bounds():
    assert map_shape(1) == (2, 2)
    assert map_shape(100) == (7, 7)
    assert map_shape(10**7) == (16, 16)


def test_training_brings_the_map_nearer_to_the_users():
    points = np.random.default_rng(0).normal(size=(400, 4))
    short = train_codebook(points, (6, 6), 0.01, 0)
    long = train_codebook(points, (6, 6), 5, 0)

    def error(codebook):
        return np.mean([np.linalg.norm(codebook - p, axis=1).min() for p in points])

    assert error(long) < 0.9 * error(short)


def test_codebook_table_shows_planes_in_standard_deviations():
    profile, _ = groups()
    segmenter = SomSegments(shape=(3, 4)).fit(profile)
    table = segmenter.codebook_table()
    assert table[["row", "column"]].to_numpy()[5].tolist() == [1, 1]
    assert table.hits.sum() == len(profile)
    planes = table[list(segmenter.state_.space.names)].to_numpy()
    np.testing.assert_allclose(planes * segmenter.state_.space.weight, segmenter.state_.codebook)


# ---- RFM


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(-1, 8))
def test_quintile_score_against_a_literal_reading(values, new):
    ordered = sorted(values)
    # the smallest value with at least that share of users at or below it
    cuts = [
        next(v for v in ordered if sum(w <= v for w in values) * 5 >= k * len(values))
        for k in (1, 2, 3, 4)
    ]
    expected = 1 + sum(new > c for c in cuts)
    assert score(np.array([float(new)]), quintiles(np.array(values, float)))[0] == expected


def test_rfm_by_hand():
    profile = pd.DataFrame(
        {
            "recency_days": [1.0, 2, 3, 4, 5, np.nan],
            "frequency": [10, 1, 6, 1, 8, 0],
            "monetary": [500.0, 5, 300, 10, 400, 0],
        }
    )
    scores = RfmSegments().fit(profile).scores(profile)
    assert scores.r.tolist() == [5, 4, 3, 2, 1, 0]
    assert scores.f.tolist() == [5, 1, 3, 1, 4, 0]
    assert scores.m.tolist() == [5, 1, 3, 2, 4, 0]
    assert scores.segment.tolist() == [
        "champions", "recent", "loyal", "hibernating", "at risk", NO_PURCHASE,
    ]  # fmt: skip


def test_every_combination_of_scores_has_a_name():
    rng = np.random.default_rng(0)
    profile = pd.DataFrame(
        {
            "recency_days": rng.random(3000) * 300,
            "frequency": rng.integers(1, 50, 3000),
            "monetary": rng.random(3000) * 900,
        }
    )
    scores = RfmSegments().fit(profile).scores(profile)
    assert scores.groupby(["r", "f", "m"]).ngroups == 125
    assert NO_PURCHASE not in set(scores.segment)
    assert scores.groupby(["r", "f", "m"]).segment.nunique().max() == 1


def test_rfm_without_prices_repeats_frequency_and_without_buyers_is_refused():
    profile = pd.DataFrame({"recency_days": [1.0, 9.0], "frequency": [3, 1]})
    scores = RfmSegments().fit(profile).scores(profile)
    assert (scores.f == scores.m).all()
    with pytest.raises(InputError, match="nobody in the profile has bought"):
        RfmSegments().fit(profile.assign(frequency=0))
    with pytest.raises(InputError, match="needs recency_days and frequency"):
        RfmSegments().fit(pd.DataFrame({"views_30": [1]}))


# ---- how many


def test_silhouette_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    points = np.r_[rng.normal(size=(50, 2)), rng.normal(5, 1, (50, 2))]
    labels = np.repeat([0, 1], 50)
    mean, low, high = silhouette(points, labels)
    assert mean == pytest.approx(silhouette_score(points, labels))
    assert low < mean < high
    assert np.isnan(silhouette(points, np.zeros(100, int))).all()


def test_stability_is_one_for_clear_groups_and_agrees_with_a_refit_by_hand():
    profile, _ = groups(sizes=(80, 80, 80), spread=0.01)
    segmenter = SomSegments(n_segments=3, shape=(4, 4)).fit(profile)
    points = segmenter.space(profile)
    rand = stability(segmenter, points, [3, 6], refits=3, seed=1)
    assert rand.shape == (3, 2)
    rows = np.sort(np.random.default_rng(1).choice(len(points), 120, replace=False))
    refit = segmenter.labels_by_number(points, rows, [3, 6], seed=2)
    expected = adjusted_rand_score(segmenter.cut(6).predict(profile), refit[1])
    assert rand[0, 1] == pytest.approx(expected)
    assert rand[:, 0].min() > 0.85


def test_clear_groups_are_counted():
    profile, _ = groups(sizes=(150, 150, 150), spread=0.05)
    profile = profile.drop(columns=["active_days_30", "views_30"])
    choice = number_of_segments(SomSegments().fit(profile), profile, refits=5, numbers=range(2, 7))
    assert choice.chosen == 3
    assert choice.table.segments.tolist() == [2, 3, 4, 5, 6]
    assert choice.table.chosen.sum() == 1


def rule_table(stability_mean, silhouettes, smallest, sd=0.05):
    table = pd.DataFrame({"stability": stability_mean, "silhouette": silhouettes})
    table["stability_sd"] = sd
    table["eligible"] = np.array(smallest) >= 0.02
    return table


@pytest.mark.parametrize(
    ("stable", "silhouettes", "smallest", "row"),
    [
        ([0.90, 0.86, 0.50], [0.3, 0.4, 0.9], [0.1] * 3, 1),  # within one sd, better silhouette
        ([0.90, 0.84, 0.50], [0.3, 0.4, 0.9], [0.1] * 3, 0),  # outside one sd
        ([0.90, 0.88, 0.50], [0.4, 0.4, 0.9], [0.1] * 3, 0),  # tie: the smaller number
        ([0.90, 0.50, 0.52], [0.3, 0.4, 0.2], [0.01, 0.1, 0.1], 1),  # the most stable is too small
        ([0.90, 0.50, 0.52], [0.3, 0.4, 0.2], [0.01] * 3, 0),  # none eligible: all are
    ],
)
def test_the_rule_that_picks(stable, silhouettes, smallest, row):
    assert pick(rule_table(stable, silhouettes, smallest)) == row


# ---- lifecycle


def visits(*rows):
    frame = pd.DataFrame(rows, columns=["user_code", "days_ago"])
    start = NOW - pd.to_timedelta(frame.days_ago, unit="D")
    return pd.DataFrame({"user_code": frame.user_code, "start": start})


def labels_of(frame, users, **kwargs):
    out = lifecycle(frame, users, as_of=NOW, **kwargs)
    return dict(zip(out.user_code, out.lifecycle, strict=True))


def test_lifecycle_by_hand():
    rows = [(1, 5.0)]  # came first five days ago
    rows += [(2, 200.0), (2, 10.0), (2, 40.0)]  # one day of 30, one of the 60 before: active
    rows += [(3, 200.0), (3, 50.0)]  # nothing in the last 30
    rows += [(4, 200.0), (4, 91.0)]  # nothing in the last 90
    rows += [(5, 300.0)] + [(5, 31.0 + d) for d in range(20)] + [(5, 3.0)]  # 20 in 60, then 1
    rows += [(6, 300.0), (6, 2.0)]  # back after a long time
    users = [1, 2, 3, 4, 5, 6, 7]
    assert labels_of(visits(*rows), users) == {
        1: "new", 2: "active", 3: "declining", 4: "lapsed", 5: "declining", 6: "active",
        7: "lapsed",
    }  # fmt: skip


def test_lifecycle_window_edges():
    rows = [(1, 30.0), (2, 30.001), (3, 90.0), (4, 90.001), (5, 0.0), (6, -3.0)]
    got = labels_of(visits(*rows), [1, 2, 3, 4, 5, 6])
    # a visit at as_of - d lies inside the last d days; one at or after as_of is not read
    assert got == {1: "new", 2: "declining", 3: "declining", 4: "lapsed", 5: "lapsed", 6: "lapsed"}


def test_visits_of_one_day_count_once():
    rows = [(1, 200.0)] + [(1, 40.0 + d) for d in range(6)] + [(1, 2.1), (1, 2.2), (1, 2.3)]
    out = lifecycle(visits(*rows), [1], as_of=NOW)
    assert (out.recent[0], out.earlier[0]) == (1, 6)
    assert out.lifecycle[0] == "declining"  # 1 below half of 6 * 30 / 60


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(-10, 200)), max_size=60),
    st.floats(5, 40),
    st.floats(41, 120),
    st.floats(0.1, 1),
)
def test_lifecycle_against_a_literal_reading(rows, recent, lapse, decline):
    rules = LifecycleRules(recent, lapse, decline)
    frame = visits(*rows) if rows else visits((0, 1.0)).iloc[:0]
    got = labels_of(frame, range(6), rules=rules)
    ago_of = {
        user: [
            (NOW - t).total_seconds() / 86_400
            for u, t in zip(frame.user_code, frame.start, strict=True)
            if u == user and t < NOW
        ]
        for user in range(6)
    }
    for user, ago in ago_of.items():
        last = {int(np.ceil(a)) for a in ago if a <= recent}
        before = {int(np.ceil(a)) for a in ago if recent < a <= lapse}
        if ago and max(ago) <= recent:
            expected = "new"
        elif not ago or min(ago) > lapse:
            expected = "lapsed"
        elif len(last) < decline * (len(before) * recent / (lapse - recent)):
            expected = "declining"
        else:
            expected = "active"
        assert got[user] == expected


def test_lifecycle_refuses_bad_rules_and_zoneless_dates():
    with pytest.raises(InputError, match="recent_days < lapse_days"):
        LifecycleRules(recent_days=90, lapse_days=30)
    with pytest.raises(InputError, match="no zone"):
        lifecycle(visits((1, 2.0)), [1], as_of=pd.Timestamp("2025-07-01"))


def test_lifecycle_sentences_name_every_label():
    assert set(LifecycleRules().sentences()) == {"new", "active", "declining", "lapsed"}


def test_usual_gap():
    frame = visits((1, 50.5), (1, 40.5), (1, 40.4), (1, 10.5), (2, 3.5))
    assert usual_gap(frame, as_of=NOW, quantile=0.5) == 20  # gaps of 10 and 30 days
    assert np.isnan(usual_gap(frame[frame.user_code == 2], as_of=NOW))


# ---- personas


def test_mean_differences_by_hand():
    points = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0], [6.0, 5.0]])
    table = mean_differences(points, np.array([1, 1, 2, 2]))
    sd = np.sqrt(5)  # of 0, 2, 4, 6
    np.testing.assert_allclose(table.to_numpy(), [[-4 / sd, 0], [4 / sd, 0]])


def test_personas_are_unique_deterministic_and_told_by_the_features():
    profile, group = groups()
    space = fit_space(profile)
    named = personas(profile, group, space)
    again = personas(profile, group, space)
    pd.testing.assert_frame_equal(named.table, again.table)
    pd.testing.assert_frame_equal(named.traits, again.traits)
    assert named.table.persona.is_unique
    assert named.table.users.tolist() == [80, 60, 40]
    top = named.traits[(named.traits.segment == 2) & (named.traits["rank"] == 1)].iloc[0]
    noun = words_for(top.feature, top.difference > 0)[1]
    assert named.table.persona[2].lower().endswith(noun)
    row = named.traits[(named.traits.segment == 1) & (named.traits.feature == "spend_30")].iloc[0]
    assert row.mean_in == pytest.approx(profile.spend_30[group == 1].mean())
    assert row.mean_rest == pytest.approx(profile.spend_30[group != 1].mean())


def test_many_alike_segments_still_get_their_own_names():
    rng = np.random.default_rng(0)
    profile = pd.DataFrame({"views_30": rng.integers(0, 100, 400), "spend_30": rng.random(400)})
    labels = np.argsort(np.argsort(profile.views_30 + rng.random(400))) * 12 // 400
    table = personas(profile, labels, fit_space(profile)).table
    assert table.persona.is_unique
    assert len(table) == 12


def test_one_segment_and_no_difference_have_plain_names():
    profile, _ = groups()
    space = fit_space(profile)
    assert personas(profile, np.ones(len(profile)), space).table.persona.tolist() == [EVERYONE]
    doubled = pd.concat([profile, profile], ignore_index=True)
    names = personas(doubled, np.repeat([1, 2], len(profile)), space).table.persona.tolist()
    assert names == [ORDINARY, f"{ORDINARY} 2"]


def test_features_without_a_word_are_named_plainly():
    assert words_for("shoe_size", True) == (
        "shoe size",
        "users with much shoe size",
        "high-shoe size",
    )


def test_telling_features_come_once_a_count():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 100)
    profile = pd.DataFrame(
        {
            "noise": rng.normal(size=200),
            "spend_7": 3 * group + rng.normal(size=200),
            "spend_30": 5 * group + rng.normal(size=200),
            "age": group + rng.normal(size=200),
        }
    )
    found = personas(profile, group, fit_space(profile))
    assert telling_features(found) == ["spend_30", "age", "noise"]


# ---- comparison


def test_agreement_is_scikit_learns_index():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, 50), rng.choice(["x", "y"], 50)
    table = agreement({"a": a, "b": b})
    assert table.loc["a", "b"] == pytest.approx(adjusted_rand_score(a, b))
    assert table.loc["a", "a"] == 1


def test_separation_agrees_with_a_reading_user_by_user():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 400)
    outcome = rng.random(400) < np.array([0.1, 0.2, 0.4, 0.4])[labels]
    parted = separation(labels, outcome, seed=7)
    half = np.random.default_rng(7).permutation(400) % 2
    areas = []
    for learn, judge in ((0, 1), (1, 0)):
        rate = [outcome[(half == learn) & (labels == s)].mean() for s in range(4)]
        judged = half == judge
        areas.append(roc_auc_score(outcome[judged], np.array(rate)[labels[judged]]))
    assert parted.auroc == pytest.approx(np.mean(areas))
    assert parted.low < parted.auroc < parted.high
    assert parted.rates.users.tolist() == np.bincount(labels).tolist()
    assert parted.rates.rate[2] == pytest.approx(outcome[labels == 2].mean())


def test_separation_of_nothing_is_a_half_and_of_no_outcome_unknown():
    rng = np.random.default_rng(0)
    labels, outcome = rng.integers(0, 3, 2000), rng.random(2000) < 0.3
    parted = separation(labels, outcome)
    assert parted.low < 0.5 < parted.high
    assert np.isnan(separation(labels, np.zeros(2000, bool)).auroc)


def test_gap_is_the_difference_of_separations():
    rng = np.random.default_rng(1)
    told, noise = rng.integers(0, 3, 900), rng.integers(0, 2, 900)
    outcome = rng.random(900) < np.array([0.1, 0.3, 0.6])[told]
    gap = separation_gap(told, noise, outcome, seed=5)
    both = [separation(labels, outcome, seed=5).auroc for labels in (told, noise)]
    assert gap.difference == pytest.approx(both[0] - both[1])
    assert 0 < gap.low < gap.difference < gap.high
    same = separation_gap(told, told, outcome)
    assert (same.difference, same.low, same.high) == (0, 0, 0)


@given(st.integers(0, 50), st.integers(0, 50))
def test_wilson_agrees_with_statsmodels_formula(successes, failures):
    n = successes + failures
    low, high = wilson(np.array([successes]), np.array([n]))
    if n == 0:
        assert (low[0], high[0]) == (0, 1)
        return
    from scipy.stats import binomtest

    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert low[0] == pytest.approx(expected.low, abs=1e-9)
    assert high[0] == pytest.approx(expected.high, abs=1e-9)


def test_will_return_counts_the_period_and_refuses_a_log_that_ends_before():
    frame = visits((1, 0.0), (2, -29.9), (3, -30.0), (4, 1.0), (5, -40.0))
    assert will_return(frame, [1, 2, 3, 4], as_of=NOW).tolist() == [True, True, False, False]
    with pytest.raises(InputError, match="log ends"):
        will_return(frame, [1], as_of=NOW, days=60)
    end = NOW + pd.Timedelta(days=60)
    assert will_return(frame, [5], as_of=NOW, days=60, log_end=end).tolist() == [True]


def test_comparison_holds_one_row_a_segmentation():
    profile, group = groups()
    points = fit_space(profile).transform(profile)
    labels = {"groups": group, "halves": np.arange(len(group)) % 2}
    outcome = group == 2
    table = comparison(labels, points, outcome=outcome)
    assert table.segmentation.tolist() == ["groups", "halves"]
    assert table.segments.tolist() == [3, 2]
    assert table.silhouette[0] == pytest.approx(silhouette_score(points, group))
    assert table.auroc[0] == 1
    assert table.smallest_share.round(3).tolist() == [0.222, 0.5]
