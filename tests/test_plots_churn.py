"""Figures of chapters 04 and 05: what stands on the axes is what the tables say, and it fits."""

from collections import namedtuple
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from precmark.metrics import lift_table, metrics_table, reliability_table
from precmark.plots import churn, learning, networks

LayerCost = namedtuple("LayerCost", "layer equation output_shape parameters multiply_adds")
COSTS = [
    LayerCost("convolution 1", "1", (32, 20), 1568, 30720),
    LayerCost("channel attention 1", "3, 5", (32, 20), 256, 512),
    LayerCost("spatial attention 1", "4, 6", (32, 20), 14, 280),
    LayerCost("convolution 2", "2", (32, 20), 3104, 61440),
    LayerCost("channel attention 2", "3, 5", (32, 20), 256, 512),
    LayerCost("spatial attention 2", "4, 6", (32, 20), 14, 280),
    LayerCost("LSTM", "7-9", (32,), 8448, 163840),
    LayerCost("logit", "10", (1,), 33, 32),
]
MODELS = ("histogram gradient boosting", "CNN + LSTM with attention", "C-ATT-LSTM", "last visit")
NOISE = (0.5, 0.8, 1.2, 4.0)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def predicted():
    rng = np.random.default_rng(0)
    z = rng.normal(-2, 1.2, 800)
    y = (rng.random(800) < 1 / (1 + np.exp(-z))).astype(int)
    noisy = {
        m: 1 / (1 + np.exp(-z - rng.normal(0, s, 800))) for m, s in zip(MODELS, NOISE, strict=True)
    }
    return y, noisy


@pytest.fixture(scope="module")
def table(predicted):
    y, p = predicted
    return metrics_table(y, p, dict.fromkeys(p, 0.3), base_rate=0.16, draws=60)


def bars_of(ax):
    """Marks and interval ends of every error bar of `ax`: (x, y, ends) each."""
    found = []
    for container in ax.containers:
        if not hasattr(container, "has_xerr"):
            continue
        line, _, stems = container.lines
        found.append((line.get_xdata(), line.get_ydata(), stems[0].get_segments()))
    return found


def assert_fits(fig):
    """Nothing leaves the figure, and neighbouring labels of the x axis do not touch."""
    fig.canvas.draw()
    renderer = fig.canvas.get_renderer()
    drawn, (width, height) = fig.get_tightbbox(renderer), fig.get_size_inches()
    assert drawn.x0 > -0.03 and drawn.y0 > -0.03, drawn
    assert drawn.x1 < width + 0.03 and drawn.y1 < height + 0.03, drawn
    for ax in fig.axes:
        if not ax.axison:
            continue
        low, high = sorted(ax.get_xlim())
        ticks = [t for t in ax.xaxis.get_major_ticks() if low <= t.get_loc() <= high]
        labels = [t.label1 for t in ticks if not t.label1.get_rotation()]
        boxes = [t.get_window_extent(renderer) for t in labels if t.get_text() and t.get_visible()]
        for left, right in pairwise(sorted(boxes, key=lambda box: box.x0)):
            assert left.x1 <= right.x0 + 1, "labels touch"


# ---- chapter 05


def test_models_stand_by_the_first_metric_with_the_constant_as_a_line(table):
    groups = dict(zip(MODELS, ("other", "network", "network", "floor"), strict=True))
    metrics = ("average_precision", "auroc", "expected_calibration_error")
    fig, shown = churn.metric_dots(table, metrics, groups=groups)
    value = table.set_index(["metric", "model"]).value
    best_first = value["average_precision"].drop("constant").sort_values(ascending=False).index
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == list(best_first)
    assert fig.axes[0].get_ylim()[0] > fig.axes[0].get_ylim()[1], "the best is on top"
    for ax, metric in zip(fig.axes, metrics, strict=True):
        (line,) = [ln for ln in ax.lines if ln.get_label() == "constant"]
        assert line.get_xdata()[0] == value[metric, "constant"]
        for x, y, ends in bars_of(ax):
            for one_x, one_y, end in zip(x, y, ends, strict=True):
                row = table[(table.metric == metric) & (table.model == best_first[int(one_y)])]
                assert one_x == row.value.item()
                expected = row[["low", "high"]].to_numpy()[0]
                np.testing.assert_allclose(sorted(end[:, 0]), expected, atol=1e-12)
    marks = {c.lines[0].get_marker() for c in fig.axes[0].containers}
    assert len(marks) == 3, "groups are told apart by mark, not only by colour"
    assert "lower is better" in fig.axes[2].get_title()
    assert len(shown) == 5 * 3 and shown.model.iloc[-1] == "constant"
    assert_fits(fig)


def test_a_lower_error_stands_on_top_and_undefined_values_leave_a_gap(table):
    fig, _ = churn.metric_dots(table, ("brier", "precision"))
    order = table[(table.metric == "brier") & (table.model != "constant")].sort_values("value")
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == order.model.tolist()
    labels = [ln.get_label() for ln in fig.axes[1].lines]
    assert "constant" not in labels, "the constant's precision is undefined"
    blank = table.assign(low=np.nan, high=np.nan)
    fig, _ = churn.metric_dots(blank, ("auroc",))
    ((x, _, ends),) = bars_of(fig.axes[0])
    for value, end in zip(x, ends, strict=True):
        assert (end[:, 0] == value).all(), "no interval, no whisker"


def test_six_metrics_take_two_lines_of_panels(table):
    metrics = ("average_precision", "auroc", "f1", "matthews", "brier", "log_loss")
    fig, shown = churn.metric_dots(table, metrics)
    assert len(fig.axes) == 6 and set(shown.metric) == set(metrics)
    assert_fits(fig)
    fig, _ = churn.metric_dots(table, metrics[:4])
    assert [ax.axison for ax in fig.axes] == [True] * 4 + [False] * 2


def test_pooled_and_segment_models_stand_side_by_side():
    rows = pd.DataFrame(
        {
            "model": ["CNN", "LSTM"] * 2, "trained": ["one pooled model"] * 2 + ["a segment"] * 2,
            "value": [0.3, 0.4, 0.25, 0.45], "low": 0.2, "high": [0.5, 0.5, 0.5, np.nan],
        }
    )  # fmt: skip
    fig, shown = churn.pooled_against_segment(rows, xlabel="average precision")
    ax = fig.axes[0]
    (x_pooled, y_pooled, _), (x_own, y_own, _) = bars_of(ax)
    assert list(x_pooled) == [0.3, 0.4] and list(x_own) == [0.25, 0.45]
    assert np.round(y_pooled).tolist() == np.round(y_own).tolist() == [0, 1]
    joined = [sorted(ln.get_xdata()) for ln in ax.lines if ln.get_color() == "#9a9a9a"]
    assert joined == [[0.25, 0.3], [0.4, 0.45]]
    assert shown is rows
    assert_fits(fig)


def test_clicks_show_quality_and_risk_with_the_number_of_decisions():
    clicks = np.repeat(np.arange(1, 11), 2)
    quality = pd.DataFrame(
        {
            "clicks": clicks, "series": ["auROC", "average precision"] * 10,
            "value": np.linspace(0.2, 0.8, 20), "low": 0.1, "high": 0.9,
            "decisions": 20_000 // clicks,
        }
    )  # fmt: skip
    risk = pd.DataFrame(
        {
            "clicks": clicks, "outcome": ["a purchase came", "no purchase came"] * 10,
            "risk": 0.8, "low": 0.7, "high": 0.9,
        }
    )  # fmt: skip
    fig, shown = churn.risk_by_clicks(quality, risk)
    labels = [t.get_text() for t in fig.axes[0].get_xticklabels()]
    assert labels[0] == "1\n20k" and labels[9] == "10\n2.0k"
    assert set(shown.series) == {
        "auROC",
        "average precision",
        "a purchase came",
        "no purchase came",
    }
    assert_fits(fig)
    fig, alone = churn.risk_by_clicks(quality.drop(columns="decisions"))
    assert len(fig.axes) == 1 and len(alone) == 20
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()][:2] == ["1", "2"]


def test_reliability_draws_each_model_on_the_same_square(predicted):
    y, p = predicted
    tables = {m: reliability_table(y, v) for m, v in p.items()}
    fig, shown = churn.reliability(tables)
    assert len(fig.axes) == 4 and len({ax.get_xlim() for ax in fig.axes}) == 1
    for ax, (model, t) in zip(fig.axes, tables.items(), strict=True):
        assert ax.get_title().replace("\n", " ") == model
        ((x, came, ends),) = bars_of(ax)
        np.testing.assert_array_equal(x, t.predicted)
        np.testing.assert_array_equal(came, t.observed)
        np.testing.assert_allclose([max(e[:, 1]) for e in ends], t.observed_high)
    assert shown.columns[0] == "model" and len(shown) == sum(map(len, tables.values()))
    assert_fits(fig)
    fig, _ = churn.reliability({**tables, "another": tables["C-ATT-LSTM"]})
    assert sum(ax.axison for ax in fig.axes) == 5
    assert_fits(fig)


def test_lift_and_gain_are_the_tables(predicted):
    y, p = predicted
    tables = {m: lift_table(y, v, draws=30) for m, v in p.items()}
    fig, shown = churn.lift_by_decile(tables, outcomes="repurchases")
    left, right = fig.axes
    for (_, lift, _), t in zip(bars_of(left), tables.values(), strict=True):
        np.testing.assert_array_equal(lift, t.lift)
    drawn = {ln.get_label(): ln for ln in right.lines}
    assert set(drawn) == {"at random", *MODELS}
    for model, t in tables.items():
        np.testing.assert_array_equal(drawn[model].get_ydata(), [0, *t.gain])
    assert right.get_ylabel() == "share of all repurchases"
    assert len(shown) == 40
    assert_fits(fig)


def costs_of_models(n=15):
    rng = np.random.default_rng(1)
    value = rng.uniform(0.2, 0.35, n)
    return pd.DataFrame(
        {
            "model": [f"a model with a long name {i}" for i in range(n)], "value": value,
            "low": value - 0.03, "high": value + 0.03, "group": ["network", "other", "floor"] * 5,
            "fit_seconds": 10 ** rng.uniform(-2, 2, n),
            "parameters": np.where(np.arange(n) % 3 == 0, rng.uniform(5e3, 2e4, n), np.nan),
        }
    )  # fmt: skip


def test_cost_against_quality_numbers_the_models_from_the_best_down():
    given = costs_of_models()
    fig, shown = churn.cost_against_quality(given)
    assert shown.number.tolist() == list(range(1, 16)) and shown.value.is_monotonic_decreasing
    parameters, seconds = fig.axes
    for ax, cost in ((parameters, "parameters"), (seconds, "fit_seconds")):
        spread = given[cost].max() > 3 * given[cost].min()
        assert ax.get_xscale() == ("log" if spread else "linear"), cost
    at = shown.set_index(shown.number.astype(str))
    for ax, cost in ((parameters, "parameters"), (seconds, "fit_seconds")):
        for note in ax.texts:
            row = at.loc[note.get_text()]
            assert note.xy == (row[cost], row["value"])
    assert len(seconds.texts) == 15 and len(parameters.texts) == 5, "no parameters, no point"
    key = [t.get_text() for legend in fig.legends for t in legend.get_texts()]
    assert f"1  {shown.model[0]}" in key and "network" in key
    assert_fits(fig)


def test_cost_without_any_parameters_is_an_empty_panel():
    bare = costs_of_models().drop(columns="group").assign(parameters=np.nan).head(3)
    fig, _ = churn.cost_against_quality(bare)
    assert len(fig.axes[0].texts) == 0 and len(fig.axes[1].texts) == 3


def test_short_counts():
    counts = (0, 950, 999, 1000, 1284, 9949, 9950, 24_400, 1_200_000)
    texts = ["0", "950", "999", "1.0k", "1.3k", "9.9k", "10k", "24k", "1,200k"]
    assert [churn.short(c) for c in counts] == texts


# ---- learning


def history(seed, epochs=30):
    rng = np.random.default_rng(seed)
    e = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": e, "train_loss": np.exp(-e / 9), "valid_loss": np.exp(-e / 9) + 0.1,
            "valid_average_precision": 0.4 - np.exp(-e / 4) / 4 + rng.normal(0, 0.01, epochs),
            "seconds": 1.0,
        }
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_training_curves_ring_the_kept_epoch(count):
    given = {f"network {i}": history(i) for i in range(count)}
    fig, shown = learning.training_curves(given, {m: 10 + i for i, m in enumerate(given)})
    panels = {ax.get_title(): ax for ax in fig.axes if ax.get_title()}
    assert list(panels) == list(given)
    for i, (model, h) in enumerate(given.items()):
        lines = {ln.get_label(): ln for ln in panels[model].lines}
        np.testing.assert_array_equal(lines["training"].get_ydata(), h.train_loss)
        np.testing.assert_array_equal(lines["validation"].get_ydata(), h.valid_loss)
        assert lines["kept"].get_xdata().tolist() == [10 + i]
        assert lines["training"].get_linestyle() != lines["validation"].get_linestyle()
    assert len({ax.get_ylim() for ax in panels.values()}) == 1, "one scale for all losses"
    assert len(shown) == 30 * count
    assert_fits(fig)


def test_training_without_validation_draws_the_training_loss():
    h = history(0).assign(valid_loss=np.nan, valid_average_precision=np.nan)
    fig, _ = learning.training_curves({"CNN": h})
    assert [ln.get_label() for ln in fig.axes[0].lines] == ["training"]
    assert not fig.axes[1].lines
    fig, _ = learning.training_curves({"CNN": h[["epoch", "train_loss"]].head(1)})
    assert len(fig.axes[0].lines) == 1


def test_importances_stand_by_their_mean_with_the_table_whole():
    features = [f"a_long_feature_name_{i}" for i in range(16)]
    rng = np.random.default_rng(0)
    given = pd.DataFrame(
        {"feature": features * 2, "model": np.repeat(["C-ATT-LSTM", "boosting"], 16)}
    ).assign(importance=rng.normal(0.01, 0.02, 32))
    given = given.assign(low=given.importance - 0.01, high=given.importance + 0.01)
    fig, shown = learning.importance_bars(given, most=12, xlabel="average precision lost")
    order = given.groupby("feature").importance.mean().sort_values(ascending=False).index
    drawn = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert drawn == [f.replace("_", " ") for f in order[:12]]
    widths = [patch.get_width() for patch in fig.axes[1].patches]
    second = given[given.model == "boosting"].set_index("feature").importance
    np.testing.assert_allclose(widths, second[order[:12]])
    assert len(shown) == 32 and shown.feature.iloc[0] == order[0]
    assert_fits(fig)
    single = given[given.model == "boosting"].drop(columns="model")
    fig, _ = learning.importance_bars(single, xlabel="average precision lost")
    assert len(fig.axes) == 1


def test_step_importance_puts_the_decision_on_the_right():
    matrix = pd.DataFrame(np.arange(40.0).reshape(2, 20), index=["gap_s", "new_visit"])
    matrix.iloc[0, 19] = np.nan
    fig, shown = learning.step_importance(matrix)
    drawn = fig.axes[0].images[0].get_array()
    assert drawn[0, -1] == 0 and drawn[1, 0] == 39
    labels = [t.get_text() for t in fig.axes[0].get_xticklabels()]
    assert labels[0] == "0" and fig.axes[0].get_xticks()[0] == 19
    at = shown.set_index(["feature", "steps_before"]).importance
    assert at["gap_s", 3] == 3 and at["new_visit", 0] == 20
    assert_fits(fig)


# ---- chapter 04


def test_architecture_draws_every_layer_with_its_shape_in_order():
    fig, shown = networks.architecture(COSTS, (16, 20))
    texts = [t.get_text() for t in fig.axes[0].texts]
    names = [t for t in texts if t in {"input X", *[c.layer for c in COSTS]}]
    assert names == ["input X", *[c.layer for c in COSTS]]
    assert "16 × 20" in texts and texts.count("32 × 20") == 6
    assert "eq. 7-9, 8,448 weights" in texts
    assert shown.parameters.tolist() == [c.parameters for c in COSTS]
    arrows = [t for t in fig.axes[0].texts if getattr(t, "arrow_patch", None)]
    assert len(arrows) == len(COSTS)
    assert_fits(fig)
    # a network without equations in the paper
    plain = [LayerCost("input projection", None, (20, 24), 408, 7680), COSTS[-1]]
    fig, shown = networks.architecture(plain, (16, 20), columns=3)
    assert "408 weights" in [t.get_text() for t in fig.axes[0].texts]
    assert shown.equation.tolist() == ["", "10"]


def test_receptive_field_counts_the_steps_seen():
    fig, shown = networks.receptive_field({"one": 1, "conv": 3, "wide": 17, "all": 99}, 20)
    assert shown.steps_seen.tolist() == [1, 3, 17, 20]
    assert shown[["first_step", "last_step"]].to_numpy().tolist() == [
        [10, 10], [9, 11], [2, 18], [1, 20],
    ]  # fmt: skip
    white = sum(p.get_facecolor() == (1, 1, 1, 1) for p in fig.axes[0].patches)
    assert white == 4 * 20 - (1 + 3 + 17 + 20)
    assert_fits(fig)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_attention_map_shows_real_steps_only(count):
    rng = np.random.default_rng(0)
    spatial, channel = rng.random((2, 20)), rng.random((2, 32))
    events = ["view", *[f"search\n{i} min" for i in range(1, count)]]
    fig, shown = networks.attention_map(events, list(spatial), list(channel))
    steps = fig.axes[0]
    heights = np.array([p.get_height() for p in steps.patches]).reshape(2, count)
    np.testing.assert_array_equal(heights, spatial[:, :count])
    assert len(shown) == 2 * count + 64
    last = shown[(shown.attention == "spatial") & (shown.convolution == 2)]
    np.testing.assert_array_equal(last["weight"], spatial[1, :count])
    third = shown[(shown["at"] == "filter 3") & (shown.convolution == 1)]
    assert third["weight"].item() == channel[0, 2]
    assert_fits(fig)


def test_parts_are_compared_with_the_whole_network():
    given = pd.DataFrame(
        {
            "variant": ["without spatial attention", "whole network", "without the LSTM"],
            "value": [0.30, 0.31, 0.28], "low": 0.25, "high": 0.35,
            "difference": [-0.01, np.nan, -0.03], "difference_low": [-0.02, np.nan, -0.05],
            "difference_high": [0.001, np.nan, -0.01],
        }
    )  # fmt: skip
    fig, shown = networks.parts_comparison(given, whole="whole network")
    assert shown.variant.tolist()[0] == "whole network" and len(shown) == 3
    left, right = fig.axes
    assert [t.get_text() for t in left.get_yticklabels()] == shown.variant.tolist()
    ((x, y, ends),) = bars_of(right)
    assert (list(x), list(y)) == ([-0.01, -0.03], [1, 2])
    np.testing.assert_allclose([sorted(e[:, 0]) for e in ends], [[-0.02, 0.001], [-0.05, -0.01]])
    assert bars_of(left)[0][0].tolist() == [0.31]
    assert_fits(fig)
