"""What the segmentation chapter draws and says."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from precmark.plots import segments as plots
from precmark.segments import (
    RfmSegments,
    SomSegments,
    StickinessSegments,
    number_of_segments,
    personas,
    sentences,
    separation,
    telling_features,
)
from precmark.segments.choose import NumberChoice
from precmark.segments.compare import Gap
from tests.test_segments import groups


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted():
    profile, group = groups()
    profile = profile.assign(recency_days=5.0, frequency=1 + group, monetary=profile.spend_30)
    return profile, SomSegments(n_segments=3, shape=(5, 6)).fit(profile), group


def test_flow_marks_this_chapter_and_lists_every_step():
    _, table = plots.flow()
    assert table.chapter.tolist()[:3] == ["01", "02", "03"]
    assert table["place in the paper"].str.len().min() > 0


def test_plane_table_counts_every_user_once(fitted):
    profile = pd.concat([fitted[0], fitted[0].head(5).assign(active_days_30=0)])
    segmenter = StickinessSegments(n_segments=3).fit(profile)
    plane = segmenter.plane(profile)
    fig, table = plots.stickiness_plane(plane, segmenter.state_.centres, most=50)
    assert table.users.sum() == len(profile)
    assert table.set_index("segment").users[0] == 5
    assert table.share.sum() == pytest.approx(1)
    drawn = sum(len(c.get_offsets()) for c in fig.axes[0].collections)
    assert drawn == 50


def test_planes_of_dormant_users_only_are_drawn():
    profile = pd.DataFrame({"active_days_30": [0, 0], "events_30": [0, 0]})
    segmenter = StickinessSegments().fit(profile)
    _, table = plots.stickiness_plane(segmenter.plane(profile), segmenter.state_.centres)
    assert table.segment.tolist() == [0]


def test_curves_of_a_choice_without_numbers_are_drawn(fitted):
    alike = fitted[0].iloc[[0, 0]]
    choice = number_of_segments(SomSegments().fit(alike), alike)
    _, table = plots.choice_curves({"map": choice})
    assert table.empty


def test_dendrogram_table_holds_the_heights_and_the_line_lies_between(fitted):
    segmenter = StickinessSegments(n_segments=3).fit(fitted[0])
    fig, table = plots.dendrogram(segmenter.tree_, 3)
    heights = np.sort(segmenter.tree_[:, 2])[::-1]
    np.testing.assert_allclose(table.height, heights[:24])
    line = fig.axes[0].get_lines()[-1].get_ydata()[0]
    assert heights[2] < line < heights[1]
    plots.dendrogram(np.empty((0, 4)), 1)


def test_map_figures_draw_every_unit(fitted):
    profile, som, _ = fitted
    codebook = som.codebook_table()
    fig, table = plots.map_overview(codebook)
    assert len(table) == 30
    image = fig.axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(image.ravel(), codebook.u_distance)
    found = personas(profile, som.predict(profile), som.state_.space)
    chosen = telling_features(found, 3)
    _, table = plots.component_planes(codebook, chosen)
    assert table.columns.tolist() == ["row", "column", "segment", *chosen]


def test_borders_run_between_units_of_different_segments():
    codebook = pd.DataFrame(
        {"row": [0, 0, 1, 1], "column": [0, 1, 0, 1], "segment": [1, 2, 1, 1], "hits": 1,
         "u_distance": 0.5}
    )  # fmt: skip
    fig, _ = plots.map_overview(codebook)
    lines = {tuple(map(tuple, line.get_xydata().tolist())) for line in fig.axes[0].get_lines()}
    assert lines == {((0.5, -0.5), (0.5, 0.5)), ((0.5, 0.5), (1.5, 0.5))}


def test_cards_shares_rates_and_curves(fitted):
    profile, som, group = fitted
    found = personas(profile, som.predict(profile), som.state_.space)
    _, table = plots.persona_cards(found, traits=2)
    assert len(table) == 6
    assert set(table.persona) == set(found.table.persona)
    counts = pd.crosstab(group, RfmSegments().fit_predict(profile))
    fig, table = plots.shares(counts, xlabel="share")
    widths = sum(p.get_width() for p in fig.axes[0].patches)
    assert widths == pytest.approx(len(counts))
    parted = {"map": separation(group, group == 1), "other": separation(group % 2, group == 1)}
    _, table = plots.future_rates(parted, ylabel="share")
    assert table.segmentation.value_counts().to_dict() == {"map": 3, "other": 2}
    choice = number_of_segments(som, profile, refits=2, numbers=[3, 4])
    _, table = plots.choice_curves({"map": choice})
    assert table.segments.tolist() == [3, 4]


def test_strength_in_words():
    said = [sentences.strength(x) for x in (0.95, 0.7, 0.4, 0.1)]
    assert said == ["almost the same", "much the same", "partly the same", "largely different"]
    assert sentences.way(0.7) == "in much the same way"
    assert sentences.way(0.1) == "in largely different ways"


def test_choice_is_said_with_its_figures():
    row = {"silhouette": 0.41, "stability": 0.7, "stability_low": 0.5, "stability_high": 0.9}
    table = pd.DataFrame([{"segments": 4, **row, "chosen": True}])
    said = sentences.on_choice({"map": NumberChoice(4, "", table)})
    assert "**4**" in said
    assert "0.70" in said
    assert "much the same" in said
    empty = NumberChoice(1, "", table.iloc[:0])
    assert "one segment" in sentences.on_choice({"map": empty})


def plane_table(**columns):
    return pd.DataFrame(columns)


def test_stickiness_is_said_as_the_data_has_it():
    table = plane_table(
        segment=[0, 1, 2], users=[80, 5, 15], share=[0.8, 0.05, 0.15],
        active_days=[0, 4.0, 1.0], activity_per_day=[0, 3.0, 2.0],
        regularity=[np.nan, 0.9, 0.1], depth=[np.nan, 0.8, 0.4],
    )  # fmt: skip
    said = sentences.on_stickiness(table)
    assert "80% of the users did nothing" in said
    assert "75% of the active users" in said
    assert "depth alone" in sentences.on_stickiness(table.assign(regularity=0.2))
    assert "Nobody else" in sentences.on_stickiness(table.head(1))


@pytest.mark.parametrize(
    ("gap", "verdict", "word"),
    [
        (Gap(0.05, 0.01, 0.09), "reproduced", "better"),
        (Gap(-0.05, -0.09, -0.01), "not reproduced", "worse"),
        (Gap(0.01, -0.02, 0.04), "undecided", "no difference that the data can settle"),
        (Gap(np.nan, np.nan, np.nan), "undecided", "cannot be compared"),
    ],
)
def test_a_gap_is_judged_by_its_interval(gap, verdict, word):
    assert sentences.verdict_on_gap(gap) == verdict
    assert word in sentences.on_gap(gap, "The map", "RFM")


def test_what_only_a_simulation_shows_is_assumed():
    better, worse = Gap(0.05, 0.01, 0.09), Gap(-0.05, -0.09, -0.01)
    assert sentences.verdict_on_gap(better, simulated=True) == "holds if assumed"
    assert sentences.verdict_on_gap(worse, simulated=True) == "not reproduced"


def test_returns_are_said():
    assert sentences.on_returns(41.2).endswith("within 41 days")
    assert sentences.on_returns(float("nan")).startswith("Nobody")


def test_future_and_personas_are_said(fitted):
    profile, som, group = fitted
    told = separation(group, group == 1)
    nothing = separation(group, np.zeros(len(group), bool))
    said = sentences.on_future({"map": told, "RFM": nothing}, "bought")
    assert "33.3% of the users bought" in said
    assert "says more than chance" in said
    assert "RFM: too few did, or all" in said
    found = personas(profile, som.predict(profile), som.state_.space)
    lines = sentences.on_personas(found).splitlines()
    assert len(lines) == 3
    assert found.table.persona[0] in lines[0]
    lives = pd.DataFrame({"lifecycle": ["new", "new", "lapsed", "active"]})
    assert sentences.on_lifecycle(lives).startswith("50% new")


def test_the_past_knows_nothing_later(tiny_run):
    from precmark.runs import Run
    from precmark.segments.past import past_profile

    # London, winter: the store's midnight is UTC's
    times = ["2020-12-01 10:00", "2020-12-09 23:59", "2020-12-10 00:00", "2020-12-20 08:00"]
    events = pd.DataFrame(
        {
            "user_id": ["a", "b", "b", "c"],
            "timestamp": pd.to_datetime(times, utc=True).as_unit("us"),
            "event": ["view", "purchase", "view", "view"],
            "session_id": ["s1", "s2", "s3", "s4"],
            "item_id": "p",
            "category": "x",
            "value": [np.nan, 5.0, np.nan, np.nan],
            "quantity": [np.nan, 1.0, np.nan, np.nan],
            "duration_s": np.nan,
            "platform": "web",
            "text": pd.array([None] * 4, dtype="str"),
            "user_code": np.arange(4) - np.array([0, 0, 1, 1]),
            "row": np.arange(1, 5),
            "session_code": np.arange(4),
            "position": 1,
        }
    )
    run = Run(tiny_run)
    run.write("sessions/events", events)
    past = past_profile(run, "2020-12-10")
    assert past.user_id.tolist() == ["a", "b"]
    assert past.events.tolist() == [1, 1]
    assert past.frequency.tolist() == [0, 1]
