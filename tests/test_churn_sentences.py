"""What the churn chapters say and conclude, from hand-made numbers."""

from __future__ import annotations

import types

import numpy as np
import pandas as pd
import pytest

from precmark import churn
from precmark.baselines import BASELINES
from precmark.chapters import VERDICTS
from precmark.churn import sentences, verdicts
from precmark.churn.readings import AttentionReading
from precmark.churn.verdicts import verdict_of
from precmark.metrics.resampling import SAME
from tests.churn_cases import decisions

# ---- published rates


def test_published_rates_by_hand():
    found = churn.published_rates().set_index("model")
    assert len(found) == 4
    row = found.loc["LSTM"]
    # 0.8416 = 0.6357 s + 0.9446 (1 - s); a store of 10,000 cases with that share s.
    share = (0.9446 - 0.8416) / (0.9446 - 0.6357)
    positives, negatives = 10_000 * share, 10_000 * (1 - share)
    tp, tn = 0.6357 * positives, 0.9446 * negatives
    fn, fp = positives - tp, negatives - tn
    mcc = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert row["share of positives"] == pytest.approx(share)
    assert row["implied MCC"] == pytest.approx(mcc)
    assert row["printed MCC"] == 0.708
    assert row["agree"] == (abs(mcc - 0.708) < 0.001)
    assert sentences.on_published_rates(found.reset_index()) != ""


def test_words_on_published_rates():
    table = pd.DataFrame({"agree": [True, False], "share of positives": [0.3, 0.4]})
    text = sentences.on_published_rates(table)
    assert "1 of 2 rows" in text and "35.0%" in text
    agreeing = sentences.on_published_rates(table.assign(agree=True))
    assert "follow" in agreeing and "not" not in agreeing


# ---- verdicts


@pytest.mark.parametrize(
    ("favours", "first_claimed", "simulated", "verdict"),
    [
        ("neither", True, True, "undecided"), ("neither", True, False, "undecided"),
        ("neither", False, True, "undecided"), ("neither", False, False, "undecided"),
        ("first", True, False, "reproduced"), ("first", True, True, "holds if assumed"),
        ("first", False, False, "not reproduced"), ("first", False, True, "not reproduced"),
        ("second", False, False, "reproduced"), ("second", False, True, "holds if assumed"),
        ("second", True, False, "not reproduced"), ("second", True, True, "not reproduced"),
    ],
)  # fmt: skip
def test_verdict(favours, first_claimed, simulated, verdict):
    assert verdict_of(favours, first_claimed=first_claimed, simulated=simulated) == verdict


class Pad:
    """A chapter that only notes its verdicts."""

    def __init__(self, simulated):
        self.run = types.SimpleNamespace(source=types.SimpleNamespace(simulated=simulated))
        self.noted = {}

    def verdict(self, *, id, claim, place, paper, ours, verdict, why):
        assert verdict in VERDICTS
        self.noted[claim] = (verdict, ours, why)


def differences(**favours) -> pd.DataFrame:
    """A table of differences against C-ATT-LSTM: model to "first", "second" or "neither"."""
    value = {"first": (0.05, 0.01, 0.09, "higher"), "second": (-0.05, -0.09, -0.01, "lower"),
             "neither": (0.01, -0.02, 0.04, SAME)}  # fmt: skip
    rows = []
    for name, who in favours.items():
        difference, low, high, verdict = value[who]
        name = name.replace("_", "-")
        rows.append(
            {"model": name, "title": name.upper(), "than": "c-att-lstm", "fit": "pooled",
             "metric": "average_precision", "difference": difference, "low": low, "high": high,
             "verdict": verdict, "favours": who}
        )  # fmt: skip
    columns = ["model", "title", "than", "fit", "metric", "difference", "low", "high", "verdict",
               "favours"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    other = table.assign(metric="auroc", favours="first", verdict="higher", difference=0.9)
    return pd.concat([table, other, table.assign(fit="segment", favours="first")])


@pytest.mark.parametrize("simulated", [False, True])
def test_parts_of_the_network(simulated):
    pad = Pad(simulated)
    verdicts.architecture_verdicts(pad, differences(no_attention="second", no_lstm="neither"))
    found = [pad.noted[claim][0] for claim in pad.noted]
    assert found == [
        "internally inconsistent", "holds if assumed" if simulated else "reproduced", "undecided",
    ]  # fmt: skip
    alone = Pad(simulated)
    verdicts.architecture_verdicts(alone, differences(no_lstm="first"))
    assert [v[0] for v in alone.noted.values()] == ["internally inconsistent", "not reproduced"]


PUBLISHED = pd.DataFrame(
    {"printed MCC": [0.7, 0.4], "implied MCC": [0.6, 0.4], "agree": [False, True]}
)


def compared(against, by_segment=None, published=PUBLISHED, simulated=False) -> dict:
    pad = Pad(simulated)
    quality = None if against is None else pd.DataFrame()
    verdicts.comparison_verdicts(pad, quality, against, by_segment, published)
    return {claim: found[0] for claim, found in pad.noted.items()}


FIGURE_3 = "C-ATT-LSTM beats LR-RF, ANN and AdaBoost"


def test_conclusions_of_the_comparison():
    rates = "Four networks' sensitivity, specificity, accuracy and Matthews correlation"
    assert compared(None) == {rates: "internally inconsistent"}
    agreeing = PUBLISHED.assign(agree=True)
    assert compared(None, published=agreeing) == {rates: "reproduced"}
    beaten = {"lr_rf_stacked": "second", "ann": "second", "adaboost": "second"}
    assert compared(differences(**beaten))[FIGURE_3] == "reproduced"
    assert compared(differences(**beaten), simulated=True)[FIGURE_3] == "holds if assumed"
    assert compared(differences(**beaten, gp_adaboost="neither"))[FIGURE_3] == "undecided"
    assert compared(differences(**beaten, gp_adaboost="first"))[FIGURE_3] == "not reproduced"
    assert FIGURE_3 not in compared(differences(cnn="second"))
    assert set(verdicts.RIVALS) <= set(BASELINES)
    boosting = compared(differences(histogram_boosting="first"))
    assert boosting["The network is the model to use"] == "not reproduced"
    assert "The network is the model to use" not in compared(differences(ann="first"))


def segment_rows(**verdict_of_model) -> pd.DataFrame:
    """Pooled against segment by model: "higher", "lower" or neither."""
    rows = []
    for name, verdict in verdict_of_model.items():
        sign = {"higher": 1, "lower": -1}.get(verdict, 0)
        name = name.replace("_", "-")
        favours = {"higher": "first", "lower": "second"}.get(verdict, "neither")
        for trained in ("pooled", "one a segment"):
            rows.append(
                {"model": name, "title": name.upper(), "trained": trained, "value": 0.3,
                 "difference": 0.03 * sign, "difference_low": 0.03 * sign - 0.01,
                 "difference_high": 0.03 * sign + 0.01, "verdict": verdict, "favours": favours}
            )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("verdict", "concluded"),
    [("higher", "reproduced"), ("lower", "not reproduced"), (SAME, "undecided")],
)
def test_conclusion_on_segments(verdict, concluded):
    claim = "One model a segment predicts better than one for all"
    found = compared(differences(ann="second"), segment_rows(c_att_lstm=verdict, ann="higher"))
    assert found[claim] == concluded
    assert claim not in compared(differences(ann="second"), segment_rows(ann="higher"))


# ---- sentences


def qualities(**value) -> pd.DataFrame:
    """A table of qualities: model to its average precision."""
    rows = [
        {"model": name.replace("_", "-"), "title": name.replace("_", "-").upper(),
         "family": "network", "fit": fit, "metric": metric, "value": v if fit == "pooled" else 0.99,
         "low": v - 0.05, "high": v + 0.05}
        for name, v in value.items()
        for fit in ("pooled", "segment")
        for metric in ("average_precision", "auroc")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_small_words():
    assert sentences.listed(["a"]) == "a" and sentences.listed(["a", "b"]) == "a and b"
    assert sentences.listed(["a", "b", "c"]) == "a, b and c"
    assert sentences.signed(0.0123) == "+0.012" and sentences.signed(-0.0123) == "-0.012"
    assert sentences.signed(-0.0001) == "0.000" == sentences.signed(0.0)
    row = differences(ann="second").iloc[0]
    assert sentences.gap(row) == "-0.050 [-0.090, -0.010]"
    assert sentences.told(SAME) == SAME
    assert sentences.told("lower").startswith("lower, and by more than chance")
    assert sentences.plain("log_age_s") == "*log age s*"


@pytest.mark.parametrize(
    ("favours", "words"),
    [("first", "Gradient boosting beats C-ATT-LSTM ("),
     ("second", "C-ATT-LSTM beats gradient boosting ("),
     ("neither", "does not beat gradient boosting, nor the other way round")],
)  # fmt: skip
def test_boosting_against_the_network_in_words(favours, words):
    assert words in sentences.versus_boosting(differences(histogram_boosting=favours, cnn="first"))
    assert sentences.versus_boosting(differences(cnn="first")) == ""


def test_the_leader_and_the_count_of_better_and_worse_models():
    quality = qualities(constant=0.1, c_att_lstm=0.3, ann=0.2, cnn=0.4)
    gaps = differences(constant="second", ann="second", cnn="first", histogram_boosting="neither")
    text = sentences.on_models(quality, gaps, decisions())
    assert text.startswith("**CNN** has the highest average precision, 0.400 [0.350, 0.450]; ")
    assert "the constant has 0.100" in text
    assert "4 other models, 2 are worse" in text and "1 better" in text and "for 1 the" in text
    assert text.endswith("Better: CNN.")
    none = sentences.on_models(quality, differences(ann="second"), decisions())
    assert "0 better" in none and "Better:" not in none


def test_answers_with_and_without_segments():
    quality = qualities(constant=0.1, c_att_lstm=0.3)
    assert sentences.answer(quality, None, None) == (
        "C-ATT-LSTM leads with an average precision of 0.30 (the constant: 0.10)."
    )
    gaps = differences(histogram_boosting="first")
    words = {"higher": "raises its", "lower": "lowers its", SAME: "makes no difference"}
    for verdict, said in words.items():
        text = sentences.answer(quality, gaps, segment_rows(c_att_lstm=verdict))
        assert said in text and "Gradient boosting beats C-ATT-LSTM" in text
    without = sentences.answer(quality, gaps, segment_rows(ann="higher"))
    assert "segment" not in without


def test_segments_in_words():
    fits = pd.DataFrame({"model": ["c-att-lstm"], "fallbacks": ["3: 12 training decisions"]})
    table = segment_rows(c_att_lstm="lower", ann="higher", cnn="lower")
    text = sentences.on_segments(table, fits)
    assert "worse than the pooled one for 2 of 3 models" in text
    assert "better for 1 (ANN). " in text and "-0.030 [-0.040, -0.020]" in text
    assert text.endswith("Served by the pooled model: 3: 12 training decisions.")
    plain = sentences.on_segments(segment_rows(ann=SAME), fits)
    assert "0 of 1 models" in plain and "C-ATT-LSTM" not in plain and "Served" not in plain
    served = sentences.on_segments(table, fits.assign(fallbacks=""))
    assert "Served" not in served


def history(valid, train) -> pd.DataFrame:
    """Losses of the whole network for two seeds, and of a part that is better."""
    n = len(valid)
    one = pd.DataFrame(
        {"model": "c-att-lstm", "seed": 0, "epoch": range(1, n + 1), "train_loss": train,
         "valid_loss": valid}
    )  # fmt: skip
    return pd.concat(
        [one, one.assign(seed=1, valid_loss=0.01), one.assign(model="no-lstm", valid_loss=0.001)]
    )


def test_training_in_words():
    text = sentences.on_training(history([0.5, 0.4, 0.45], [0.5, 0.3, 0.2]))
    assert "(0.4000) after epoch 2 of 3" in text and "0.0500 higher" in text
    assert "falling to 0.2000" in text and "more epochs" not in text
    last = sentences.on_training(history([0.5, 0.4, 0.3], [0.5, 0.3, 0.2]))
    assert "(0.3000) after epoch 3 of 3, the last: more epochs might still help." in last
    # A training loss that rises is not said to fall.
    rising = sentences.on_training(history([0.5, 0.4, 0.45], [0.5, 0.3, 0.35]))
    assert "falling" not in rising
    best = churn.best_epochs(history([0.5, 0.4, 0.45], [0.5, 0.3, 0.2]))
    assert best == {"c-att-lstm": 2, "no-lstm": 1}


def test_parts_in_words_take_the_metric_that_judges():
    lines = sentences.on_parts(differences(no_lstm="second", no_attention="neither")).splitlines()
    assert lines[2:] == [
        "- NO-LSTM: -0.050 [-0.090, -0.010], lower, and by more than chance.",
        f"- NO-ATTENTION: +0.010 [-0.020, +0.040], {SAME}.",
    ]


def reading(spatial, when, channel=(0.2, 0.9)) -> AttentionReading:
    steps = pd.DataFrame({"step": [f"step {i}" for i in range(len(when))], "when": when})
    gates = [np.array(spatial), np.array(spatial)]
    return AttentionReading(
        "likeliest", 0.25, True, steps, [gates[0][::-1], gates[1]],
        [np.array(channel)] * 2, "caption",
    )  # fmt: skip


def test_attention_in_words():
    text = sentences.on_attention(reading([0.2, 0.9, 0.5], ["3 h", "5 min", "now"]))
    assert "Of 3 steps" in text and "widest (0.90) at *step 1* 5 min before the decision" in text
    assert "narrowest (0.20) at *step 0*" in text and "hardly differ" not in text
    assert "The score is 0.25." in text
    now = sentences.on_attention(reading([0.5, 0.52], ["3 h", "now"]))
    assert "*step 1* at the decision itself" in now and "hardly differ" in now
    unclocked = sentences.on_attention(reading([0.5, 0.9], ["", ""]))
    assert "*step 1* and narrowest" in unclocked
    shown = reading([0.5, 0.9], ["3 h", ""])
    assert shown.labels == ["step 0\n3 h", "step 1"]


def test_the_leak_in_words():
    areas = {"A": (0.7, 0.8), "B": (0.6, 0.62), "Constant": (0.5, 0.5)}
    splits = ("by time", "at random")
    rows = [
        (title, split, v) for title in areas for split, v in zip(splits, areas[title], strict=True)
    ]
    table = pd.DataFrame(rows, columns=["title", "split", "value"]).assign(metric="auroc")
    other = table.assign(metric="brier", value=0.9)
    text = sentences.on_leak(pd.concat([table, other]))
    assert "A 0.700 by time and 0.800 at random and B 0.600" in text and "Constant" not in text
    assert "look better, by 0.060 on average" in text
    same = table.assign(value=table.value.where(table.split == "by time", 0.6))
    assert "does not flatter" in sentences.on_leak(same)


def test_later_clicks_in_words():
    rows = [(k, s, 0.1 * k + add, 0.0, 1.0, 120) for k in (1, 2, 3)
            for s, add in (("A", 0.0), ("constant", -0.05))]  # fmt: skip
    names = ["clicks", "series", "value", "low", "high", "judged"]
    text = sentences.on_clicks(pd.DataFrame(rows, columns=names))
    assert "120 test sessions" in text and "25.0%" in text
    assert "A 0.100 [0.000, 1.000] after 1 and 0.300 [0.000, 1.000] after 3 clicks" in text
    others = pd.DataFrame(rows, columns=names)
    others["judged"] = [120, 120, 90, 90, 60, 60]
    assert "others for each number of clicks" in sentences.on_clicks(others)


def test_lift_calibration_and_cost_in_words():
    lift = pd.DataFrame({"lift": [3.14, 1], "lift_low": [2.0, 1], "lift_high": [4.0, 1],
                         "gain": [0.314, 1]})  # fmt: skip
    assert "A 3.1 [2.0, 4.0] (31%)" in sentences.on_lift({"A": lift})
    table = pd.DataFrame(
        {"model": ["A"] * 3, "calibration": ["none", "Platt", "isotonic"],
         "expected calibration error": [0.2, 0.05, 0.9]}
    )  # fmt: skip
    assert "A from 0.200 to 0.050" in sentences.on_calibration(table)
    fits = pd.DataFrame(
        {"model": ["c-att-lstm", "c-att-lstm", "x"], "title": ["C-ATT-LSTM", "C-ATT-LSTM", "X"],
         "seconds": [2_000.0, 4_000.0, 9_000.0], "parameters": [12_345.0, 12_345.0, np.nan]}
    )  # fmt: skip
    text = sentences.on_cost(pd.DataFrame(), fits)
    assert "dearest model is X (9,000 s)" in text and "C-ATT-LSTM takes 3,000 s" in text
    assert "C-ATT-LSTM has 12,345 parameters" in text
    dearest = sentences.on_cost(pd.DataFrame(), fits[:2])
    assert "dearest model is C-ATT-LSTM (3,000 s)" in dearest and "takes" not in dearest


def test_importance_in_words():
    table = pd.DataFrame(
        [("A", "channel", n, d) for n, d in zip("abcd", (0.1, 0.4, 0.3, 0.2), strict=True)]
        + [("A", "step", "0", 0.25), ("A", "step", "1", 0.9)],
        columns=["model", "kind", "name", "drop"],
    )
    gradients = pd.DataFrame([[1, 2], [5, 5], [0, 0], [3, 3]], index=["a", "log_b", "c", "d"])
    found = types.SimpleNamespace(permutation=table, gradients=gradients)
    text = sentences.on_importance(found)
    assert "A leans most on *b*, *c* and *d*; " in text and "costs 0.250 of" in text
    assert text.endswith("reacts most to *log b*, *d* and *a*.")
    found.gradients = pd.DataFrame()
    assert "gradient" not in sentences.on_importance(found)


def test_the_task_in_words():
    shop = decisions()
    text = sentences.on_task(shop)
    assert "click number 3 of a visit without a purchase so far" in text
    assert "**200** decisions" in text and f"{shop.y.mean():.1%} end well" in text
    assert "a purchase in time" in text and "3 channels by at most 5 steps" in text
