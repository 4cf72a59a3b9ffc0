"""What models see, and the questions put to a few of them, against loops and fits by hand."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from precmark import churn
from precmark.churn import Model
from precmark.churn.importance import gradient_importance
from precmark.churn.readings import LEAST_STEPS
from precmark.networks import build, layer_costs
from precmark.sequences import make_sequences, task_for
from precmark.training import SequenceClassifier
from tests.churn_cases import Line, chosen, decisions, rows_of
from tests.test_churn_segments import EVERYTHING, run_of

DRAWS = 40


def network(seed: int) -> SequenceClassifier:
    return SequenceClassifier(
        "c-att-lstm", epochs=2, batch_size=16, seed=seed, progress=False,
        network_parameters={"filters": 8, "hidden": 4},
    )  # fmt: skip


@pytest.fixture(scope="module")
def shop():
    """Decisions with channels that have names of the store's."""
    return dataclasses.replace(decisions(240), channels=("log_price", "is_view", "log_age_s"))


@pytest.fixture(scope="module")
def fitted(shop):
    train, held_out = rows_of(shop, "train"), rows_of(shop, "validation")
    validation = (shop.X[held_out], shop.y[held_out])
    return network(0).fit(shop.X[train], shop.y[train], validation=validation)


# ---- what models see


def test_parts_are_counted_without_and_with_coupons(shop):
    found = churn.parts_table(shop).set_index("part")
    assert list(found.index) == ["train", "validation", "test", "purged"]
    frame = shop.decisions
    for part, row in found.iterrows():
        free = rows_of(shop, part)
        every = [i for i in range(len(frame)) if frame.split[i] == part]
        assert (row.decisions, row["with a coupon"]) == (len(free), len(every) - len(free))
        assert row["good outcomes"] == sum(int(shop.y[i]) for i in free)
        assert row.share == pytest.approx(row["good outcomes"] / len(free))
        assert row["from"] == str(frame.timestamp[every[0]].date())
        assert row["to"] == str(frame.timestamp[every[-1]].date())
    left = shop.take(frame.split.to_numpy() != "purged")
    assert churn.parts_table(left).part.tolist() == ["train", "validation", "test"]


def test_channels_are_described_over_the_real_steps_of_training(shop):
    found = churn.channels_table(shop).set_index("channel")
    assert list(found.index) == list(shop.channels)
    for c, row in enumerate(found.itertuples()):
        values, gaps = [], 0
        for i in rows_of(shop, "train"):
            for t in range(shop.decisions.steps[i]):
                value = float(shop.X[i, c, t])
                gaps += np.isnan(value)
                values += [] if np.isnan(value) else [value]
        assert row.mean == pytest.approx(np.mean(values), rel=1e-4)
        assert row.sd == pytest.approx(np.std(values), rel=1e-4)
        assert row.missing == pytest.approx(gaps / (gaps + len(values)))
        assert len(row.meaning) > 10


def test_one_decision_ends_with_its_own_step(shop):
    found = churn.one_decision(shop, last=3, seed=2)
    assert found.columns.tolist() == ["2 before", "1 before", "the decision"]
    assert found.index.tolist() == list(shop.channels)
    row = int(found.loc["is_view", "the decision"])
    assert row in rows_of(shop, "test")
    end = shop.decisions.steps[row]
    np.testing.assert_array_equal(found.to_numpy(), shop.X[row, :, end - 3 : end])
    # More than there are: as many as the longest has.
    assert churn.one_decision(shop, last=99).shape[1] == 5


def test_segments_are_counted_in_each_part(shop):
    segments = np.arange(len(shop)) % 3
    segments[rows_of(shop, "test")] = 1
    found = churn.segment_table(shop, segments).set_index("segment")
    assert list(found.index) == [0, 1, 2]
    for part in ("train", "validation", "test"):
        for s in (0, 1, 2):
            mine = [i for i in rows_of(shop, part) if segments[i] == s]
            assert found.loc[s, f"{part}: decisions"] == len(mine)
            share = found.loc[s, f"{part}: share"]
            assert share == pytest.approx(shop.y[mine].mean()) if mine else np.isnan(share)


def test_models_and_layers_are_listed():
    models = churn.models(("a", "b"), epochs=9)
    found = churn.models_table(models)
    assert found.model.tolist() == [m.title for m in models.values()]
    assert found.family.tolist() == [m.family for m in models.values()]
    assert found.source.str.len().min() > 3
    knobs = found.set_index("model")["chosen on validation"]
    assert knobs["C-ATT-LSTM"] == "epoch, 1 to 9"
    layers = layer_costs(build("c-att-lstm", channels=4, steps=6))
    table = churn.layers_table(layers)
    assert table.parameters.sum() == sum(
        p.numel() for p in build("c-att-lstm", channels=4, steps=6).parameters()
    )
    assert table["shape"].str.contains(r"^\d+(?: x \d+)*$").all()


# ---- attention


def test_readings_are_the_extremes_and_the_middle(shop, fitted):
    found = churn.attention_readings(shop, fitted)
    assert [r.name for r in found] == ["likeliest", "middle", "least-likely"]
    rows = [i for i in rows_of(shop, "test") if shop.decisions.steps[i] >= LEAST_STEPS]
    p = np.sort(fitted.predict_proba(shop.X[rows])[:, 1])
    expected = [p[-1], p[len(p) // 2], p[0]]
    assert [r.p for r in found] == pytest.approx(expected, abs=1e-6)
    by_score = {
        round(float(s), 6): i
        for s, i in zip(fitted.predict_proba(shop.X[rows])[:, 1], rows, strict=True)
    }
    for read in found:
        row = by_score[round(read.p, 6)]
        assert read.came == bool(shop.y[row])
        assert len(read.steps) == shop.decisions.steps[row]
        for gates in read.spatial:
            assert gates.shape == (len(read.steps),) and ((gates >= 0) & (gates <= 1)).all()
        for gates in read.channel:
            assert gates.shape == (8,) and ((gates >= 0) & (gates <= 1)).all()
        outcome = "a purchase in time" if read.came else "no purchase in time"
        assert read.caption.endswith(f"score {read.p:.2f}, and what came was {outcome}.")


def test_short_decisions_are_read_where_there_are_no_longer_ones(shop, fitted):
    X = shop.X.copy()
    X[:, :, 2:] = np.nan
    found = churn.attention_readings(dataclasses.replace(shop, X=X), fitted)
    assert {len(r.steps) for r in found} == {2}


# ---- probes


PROBED = {
    "constant": chosen()["constant"],
    "histogram-boosting": Model("histogram-boosting", "Boosting", "baseline", Line, 4),
    "c-att-lstm": Model("c-att-lstm", "C-ATT-LSTM", "network", Line, 2),
    "cnn": Model("cnn", "CNN", "network", Line, 2),
}


def test_importance_asks_the_probed_models_on_the_test_part(shop, fitted):
    asked = {**PROBED, "c-att-lstm": Model("c-att-lstm", "C-ATT-LSTM", "network", network, 2)}
    found = churn.importance(shop, asked, repeats=2)
    names = found.permutation.groupby("model", sort=False).name.apply(list).to_dict()
    assert names == {m: [*shop.channels, *"01234"] for m in ("Boosting", "C-ATT-LSTM")}
    # The line reads the first channel only.
    line = found.permutation[found.permutation.model == "Boosting"].set_index("name")["drop"]
    assert (line[["is_view", "log_age_s"]] == 0).all() and line["log_price"] > 0
    rows = rows_of(shop, "test")
    x = fitted.tensors(shop.X[rows])
    alone = gradient_importance(fitted.module(), x.x, shop.mask[rows], shop.channels)
    assert found.gradients.index.tolist() == list(shop.channels)
    assert found.gradients.columns.tolist() == [0, 1, 2, 3, 4]
    for row in alone.itertuples():
        assert found.gradients.loc[row.channel, row.lag] == pytest.approx(row.gradient, rel=1e-4)


def test_the_random_split_is_fitted_and_judged_on_its_own(shop):
    timed = churn.compare(shop, PROBED, n_jobs=1)
    found = churn.split_leak(shop, PROBED, timed, draws=DRAWS, n_jobs=1)
    assert set(found.model) == {"constant", "histogram-boosting", "c-att-lstm"}
    assert set(found.fit) == {"pooled"}
    value = found.set_index(["model", "split", "metric"]).value
    for words, by in (("by time", "split"), ("at random", "random_split")):
        train, test = rows_of(shop, "train", by), rows_of(shop, "test", by)
        p = Line().fit(shop.X[train], shop.y[train]).predict_proba(shop.X[test])[:, 1]
        score = average_precision_score(shop.y[test], p)
        for name in ("histogram-boosting", "c-att-lstm"):
            assert value[name, words, "average_precision"] == pytest.approx(score)
        rate = shop.y[test].mean()
        assert value["constant", words, "average_precision"] == pytest.approx(rate)


def browsing(n: int = 260, seed: int = 0) -> list[dict]:
    """Visits of 1 to 7 clicks, some with a purchase after them; carts make one likelier."""
    rng = np.random.default_rng(seed)
    rows = []
    for visit in range(n):
        start = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(hours=5 * visit)
        events = [str(e) for e in rng.choice(["view", "cart"], int(rng.integers(1, 8)))]
        if rng.random() < 0.2 + 0.1 * events.count("cart"):
            events.insert(int(rng.integers(1, len(events) + 1)), "purchase")
        for minute, event in enumerate(events):
            rows.append({"user_id": f"u{visit % 13}", "event": event, "item_id": "p1",
                         "session_id": f"s{visit}", "value": 5.0 if event == "purchase" else None,
                         "timestamp": start + pd.Timedelta(minutes=minute)})  # fmt: skip
    return rows


class LastStep(Line):
    """A logistic regression on the first channel of the latest step."""

    def last(self, X):
        end = np.isfinite(X[:, 0]).sum(axis=1) - 1
        return np.repeat(X[np.arange(len(X)), 0, end][:, None, None], 2, axis=1)

    def fit(self, X, y, *, validation=None):
        return super().fit(self.last(X), y)

    def predict_proba(self, X, epoch="best"):
        return super().predict_proba(self.last(X), epoch)


def test_every_number_of_clicks_is_judged_on_the_same_sessions(tmp_path):
    run = run_of(tmp_path / "shop", browsing())
    task = task_for(run.source, k=2, steps=6)
    shop = make_sequences(run, task)
    asked = {"histogram-boosting": Model("histogram-boosting", "Boosting", "baseline",
                                         partial(LastStep), 1)}  # fmt: skip
    found = churn.risk_by_clicks(run, shop, asked, most=3, draws=DRAWS, n_jobs=1)
    assert found.clicks.tolist() == [1, 1, 2, 2, 3, 3]
    assert found.series.tolist() == ["Boosting", "constant"] * 3
    made = {k: make_sequences(run, dataclasses.replace(task, k=k)) for k in (1, 2, 3)}
    sessions = {
        k: {after.decisions.session_code[i] for i in rows_of(after, "test")}
        for k, after in made.items()
    }
    shared = sessions[1] & sessions[2] & sessions[3]
    assert 5 < len(shared) < len(sessions[1])
    for k, after in made.items():
        train = rows_of(after, "train")
        rows = [i for i in rows_of(after, "test") if after.decisions.session_code[i] in shared]
        model = LastStep().fit(after.X[train], after.y[train])
        p = model.predict_proba(after.X[rows])[:, 1].astype("float32")
        mine = found[found.clicks == k].set_index("series")
        expected = average_precision_score(after.y[rows], p)
        assert mine.value["Boosting"] == pytest.approx(expected)
        assert mine.value["constant"] == pytest.approx(after.y[rows].mean())
        assert (mine.judged == len(shared)).all()
        assert mine.low["Boosting"] <= expected <= mine.high["Boosting"]


def test_the_next_click_is_judged_where_it_can_still_fail_to_come(tmp_path):
    rows = [row for row in browsing() if row["event"] != "purchase"]
    run = run_of(tmp_path / "clicks", rows, says=EVERYTHING - {"purchases"})
    shop = make_sequences(run, task_for(run.source, k=2, steps=6))
    asked = {"histogram-boosting": Model("histogram-boosting", "Boosting", "baseline",
                                         partial(LastStep), 1)}  # fmt: skip
    found = churn.risk_by_clicks(run, shop, asked, most=3, draws=DRAWS, n_jobs=1)
    constant = found[found.series == "constant"].set_index("clicks")
    for k in (1, 2, 3):
        after = make_sequences(run, dataclasses.replace(shop.task, k=k))
        test = rows_of(after, "test")
        assert constant.judged[k] == len(test)
        assert constant.value[k] == pytest.approx(after.y[test].mean())
        assert 0 < after.y[test].mean() < 1
