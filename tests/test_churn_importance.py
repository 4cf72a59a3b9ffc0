"""What models look at: shuffles, gradients and steps in words, against loops over rows."""

from __future__ import annotations

import types

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score

from precmark import churn
from precmark.churn.importance import (
    gradient_importance,
    permutation_importance,
    places,
    shuffled,
)
from precmark.churn.readings import before, step_words
from tests.churn_cases import decisions

# ---- importance


@pytest.fixture(scope="module")
def shop():
    return decisions(300, seed=5)


def test_places_count_back_from_the_decision(shop):
    empty = np.full((1, 3, 5), np.nan, np.float32)
    X = np.concatenate([shop.X, empty])
    found = places(X)
    for i in range(len(X)):
        real = [t for t in range(5) if np.isfinite(X[i, :, t]).any()]
        for lag in range(5):
            expected = real[-1 - lag] if lag < len(real) else -1
            assert found[i, lag] == expected
    assert (found[-1] == -1).all()


def at_lag(X, row, lag):
    """The step of `row` that lies `lag` before its last; None where there is none."""
    real = [t for t in range(X.shape[2]) if np.isfinite(X[row, :, t]).any()]
    return X[row, :, real[-1 - lag]] if lag < len(real) else None


def sorted_values(values):
    """The values with NaN last, as plain numbers."""
    return np.sort(np.array(values, dtype=np.float64))


@pytest.mark.parametrize(("channel", "lag"), [(0, None), (2, None), (None, 0), (None, 2), (0, 1)])
def test_shuffling_moves_one_channel_or_lag_and_nothing_else(shop, channel, lag):
    X = shop.X.copy()
    out = shuffled(X, channel, lag, np.random.default_rng(1))
    np.testing.assert_array_equal(X, shop.X)
    np.testing.assert_array_equal(np.isnan(out).all(axis=1), np.isnan(X).all(axis=1))
    moved = 0
    for at in range(5):
        rows = [row for row in range(len(X)) if at_lag(X, row, at) is not None]
        old = np.array([at_lag(X, row, at) for row in rows])
        new = np.array([at_lag(out, row, at) for row in rows])
        for c in range(3):
            mine = (channel is None or c == channel) and (lag is None or at == lag)
            if mine:
                np.testing.assert_array_equal(sorted_values(new[:, c]), sorted_values(old[:, c]))
                moved += np.mean(new[:, c] != old[:, c]) > 0.5
            else:
                np.testing.assert_array_equal(new[:, c], old[:, c])
        if channel is None and at == lag:
            # A whole step moves as one: the row's number still tells which it was.
            for step in new:
                source = at_lag(X, int(step[1]), at)
                np.testing.assert_array_equal(step, source)
    assert moved == (5 if lag is None else 3 if channel is None else 1)


def test_permutation_finds_the_channel_and_the_step_that_a_model_reads(shop):
    where = places(shop.X)[:, 0]
    rows = np.arange(len(shop))

    def predict(X):
        return 1 / (1 + np.exp(-3 * X[rows, 0, where]))

    y = (shop.X[rows, 0, where] > 0.3).astype(np.int8)
    found = permutation_importance(predict, shop.X, y, shop.channels, repeats=4, seed=2)
    table = found.set_index(["kind", "name"])
    assert list(table.index) == [("channel", c) for c in shop.channels] + [
        ("step", str(lag)) for lag in range(5)
    ]
    used = [("channel", "signal"), ("step", "0")]
    for name, row in table.iterrows():
        if name not in used:
            assert (row["drop"], row.low, row.high) == (0, 0, 0)
    # The model knows y; shuffled, it knows nothing.
    for name in used:
        row = table.loc[name]
        assert row["drop"] == pytest.approx(1 - y.mean(), abs=0.12)
        assert row.low <= row["drop"] <= row.high
    again = permutation_importance(predict, shop.X, y, shop.channels, repeats=4, seed=2)
    pd.testing.assert_frame_equal(again, found)


def test_permutation_is_the_mean_fall_over_its_shuffles(shop):
    def predict(X):
        return 1 / (1 + np.exp(-np.nan_to_num(X[:, 0]).sum(axis=1)))

    found = permutation_importance(predict, shop.X, shop.y, shop.channels, repeats=3, seed=7)
    rng = np.random.default_rng(7)
    base = average_precision_score(shop.y, predict(shop.X))
    falls = []
    for _ in range(3):
        out = shop.X.copy()
        for lag in range(5):
            place = places(shop.X)[:, lag]
            rows = np.array([row for row in range(len(shop)) if place[row] >= 0])
            dealt = rng.permutation(rows)
            for row, other in zip(rows, dealt, strict=True):
                out[row, 0, place[row]] = shop.X[other, 0, place[other]]
        falls.append(base - average_precision_score(shop.y, predict(out)))
    assert found["drop"].iloc[0] == pytest.approx(np.mean(falls))
    assert found.low.iloc[0] == pytest.approx(np.percentile(falls, 2.5))


class Weighs(torch.nn.Module):
    """A fixed weight on each channel and step, counted from the left."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight, dtype=torch.float32))

    def forward(self, x, mask=None):
        return (x * self.weight).sum(dim=(1, 2))


def test_gradients_of_a_line_are_its_weights(shop):
    weight = np.arange(15, dtype=np.float64).reshape(3, 5) - 7
    x = torch.tensor(np.nan_to_num(shop.X))
    found = gradient_importance(Weighs(weight), x, shop.mask, shop.channels)
    length = shop.mask.sum(axis=1)
    for row in found.itertuples():
        have = [n for n in length if n > row.lag]
        c = shop.channels.index(row.channel)
        mean = np.mean([abs(weight[c, n - 1 - row.lag]) for n in have])
        assert row.gradient == pytest.approx(mean) and row.rows == len(have)
    assert len(found) == 15 and not x.requires_grad
    short = gradient_importance(Weighs(weight), x[:2], np.eye(2, 5, dtype=bool)[[0, 0]],
                                shop.channels)  # fmt: skip
    assert (short[short.lag > 0].gradient == 0).all() and (short[short.lag > 0].rows == 0).all()


def test_channels_of_a_permutation_table_are_laid_out_for_bars():
    table = pd.DataFrame(
        {"kind": ["channel", "step"], "name": ["a", "0"], "drop": [0.2, 0.1], "low": [0.1, 0.0],
         "high": [0.3, 0.2], "model": ["M", "M"]}
    )  # fmt: skip
    found = churn.channel_importance(types.SimpleNamespace(permutation=table))
    assert found.to_dict("records") == [
        {"feature": "a", "importance": 0.2, "low": 0.1, "high": 0.3, "model": "M"}
    ]


# ---- steps in words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "now"), (0.4, "now"), (1, "1 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"),
     (7_200, "2 h"), (172_799, "48 h"), (172_800, "2 days"), (86_400 * 30, "30 days")],
)  # fmt: skip
def test_times_in_words(seconds, words):
    assert before(seconds) == words


def test_steps_in_words():
    names = ("is_view", "is_cart", "visit_start", "seen_item", "log_age_s")
    x = np.array(
        [
            [1, 0, 1, 0, np.nan],
            [0, 1, 0, 0, np.nan],
            [1, 0, 1, 0, np.nan],
            [0, 0, 1, 0, np.nan],
            [np.log1p(600), np.log1p(90), np.log1p(30), 0, np.nan],
        ]
    )
    found = step_words(x, names)
    assert found.to_dict("list") == {
        "step": ["view (new visit)", "cart", "view (new visit, item again)", "other"],
        "when": ["10 min", "90 s", "30 s", "now"],
    }
    without = step_words(x[:2], names[:2])
    assert without.when.tolist() == [""] * 4 and without.step[0] == "view"


def test_weeks_of_a_customer_in_words():
    x = np.array([[1, 0, np.nan], [np.log1p(3), 0, np.nan]])
    assert step_words(x, ("has_order", "log_orders")).step.tolist() == ["3 orders", "no order"]
