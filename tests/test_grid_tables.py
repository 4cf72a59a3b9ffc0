"""Tables 1 to 6, gaps and verdicts from made-up answers, each counted again by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from precmark.churn.verdicts import verdict_of
from precmark.claims import paper
from precmark.grid.audience import (
    age_band,
    anybody_known,
    distance_of_shares,
    table4,
    table5,
    table5_text,
)
from precmark.grid.comparison import chosen_features, gaps, grid_study, quality, read_maps
from precmark.grid.fits import NETWORKS, PLAIN, Answer, growing_asks, table1_asks
from precmark.grid.monthly_tables import (
    ATTENTION,
    HYBRID,
    mean_gaps,
    table1,
    table1_text,
    table2,
    table2_text,
    table6,
    table6_text,
)
from precmark.grid.months import Monthly
from precmark.grid.verdicts import hybrid_against, joint

MONTHS = tuple(str(m) for m in pd.period_range("2023-10", periods=8, freq="M"))
USERS = 150


def made_up(seed: int = 0) -> Monthly:
    """Every user in every month; the first feature tells the outcome with noise."""
    rng = np.random.default_rng(seed)
    n = USERS * len(MONTHS)
    known = rng.normal(size=n)
    y = (known + rng.normal(size=n) > 0.8).astype(np.int8)
    table = np.column_stack([known, rng.normal(size=(n, 8))]).astype(np.float32)
    table[:, 5] = table[:, 0] + 0.1 * table[:, 5]
    return Monthly(
        X=rng.normal(size=(n, 2, 4)).astype(np.float32), channels=("a", "b"), table=table,
        features=tuple(f"f_{k}w" for k in range(9)), y=y, spent=10.0 * y,
        decisions=pd.DataFrame(
            {"user_code": np.tile(np.arange(USERS), len(MONTHS)),
             "month": np.repeat(np.arange(len(MONTHS)), USERS)}
        ),
        months=MONTHS, outcome="visit",
    )  # fmt: skip


def answers_to(data: Monthly, asks, seed: int = 1) -> list[Answer]:
    """Scores whose noise grows in the order of the models; the hybrid has least."""
    noise = dict(zip((HYBRID, ATTENTION, "lstm", "cnn", PLAIN), (0.3, 1, 2, 4, 8), strict=True))
    rng = np.random.default_rng(seed)
    found = []
    for ask in asks:
        known = data.rows(ask.first, ask.last)
        held = data.decisions.user_code.to_numpy()[known] % 4 == 0
        rows = {"train": known[~held], "validation": known[held],
                "test": data.rows(ask.test, ask.test)}  # fmt: skip
        p = {
            part: 1
            / (1 + np.exp(0.8 - data.table[at, 0] - noise[ask.model] * rng.normal(size=len(at))))
            for part, at in rows.items()
        }
        found.append(Answer(ask, rows, p, 1.0))
    return found


@pytest.fixture(scope="module")
def case() -> tuple[Monthly, list[Answer]]:
    data = made_up()
    return data, answers_to(data, table1_asks(data))


def test_table_1_holds_scikit_learns_figures_and_the_papers(case):
    data, answers = case
    found = table1(data, answers, draws=20).set_index(["row", "model"])
    assert len(found) == 12 * 6
    for a in answers:
        row = found.loc[f"{a.ask.first - 2 + 7}-{a.ask.last - 2 + 7}", a.ask.model]
        y, p = data.y[a.rows["test"]], a.p["test"]
        assert row.accuracy == pytest.approx(accuracy_score(y, p >= 0.5))
        assert row.average_precision == pytest.approx(average_precision_score(y, p))
        assert row.train_accuracy == pytest.approx(
            accuracy_score(data.y[a.rows["train"]], a.p["train"] >= 0.5)
        )
        assert row.test == MONTHS[a.ask.last + 1]
        assert row.accuracy_low <= row.accuracy <= row.accuracy_high
    assert found.paper_test["8-10", "cnn"] == paper("liu", "table1.cnn_test_8_10")
    assert found.paper_train["9-9", HYBRID] == paper("liu", "table1.cnn_lstm_attention_train_9_9")
    assert found.paper_test.xs("constant", level="model").isna().all()
    y = data.y[data.rows(3, 3)]
    trained = data.y[answers[0].rows["train"]].mean()
    assert found.accuracy["7-7", "constant"] == pytest.approx((y == (trained >= 0.5)).mean())
    text = table1_text(found.reset_index())
    assert text.shape == (12, 9) and text["CNN"].str.contains(" / ").all()


def test_mean_gaps_are_the_mean_of_the_rows_differences(case):
    data, answers = case
    found = mean_gaps(data, answers, HYBRID, draws=60).set_index(["than", "metric"])
    for model in ("lstm", PLAIN):
        each = []
        for a in answers:
            if a.ask.model != HYBRID:
                continue
            other = next(
                b for b in answers
                if (b.ask.model, b.ask.first, b.ask.last) == (model, a.ask.first, a.ask.last)
            )  # fmt: skip
            y = data.y[a.rows["test"]]
            each.append(
                average_precision_score(y, a.p["test"])
                - average_precision_score(y, other.p["test"])
            )
        row = found.loc[model, "average_precision"]
        assert row.difference == pytest.approx(np.mean(each))
        assert row.rows_ahead == sum(e > 0 for e in each)
        assert row.low <= row.difference <= row.high
    assert found.favours[PLAIN, "average_precision"] == "first"


def test_a_model_against_itself_is_no_different():
    data = made_up()
    asks = table1_asks(data, ["cnn"])
    twice = answers_to(data, asks)
    again = [Answer(a.ask.__class__("lstm", a.ask.first, a.ask.last, a.ask.test), a.rows, a.p, 1.0)
             for a in twice]  # fmt: skip
    found = mean_gaps(data, [*twice, *again], "cnn", draws=30)
    assert (found[["difference", "low", "high"]] == 0).all(axis=None)
    assert set(found["favours"]) == {"neither"}


def test_table_2_takes_the_longest_row_and_thresholds_of_held_out_users(case):
    data, answers = case
    found = table2(data, answers, draws=20)
    a = next(a for a in answers if a.ask.model == "lstm" and a.ask.last - a.ask.first == 4)
    mine = found[found.model == "lstm"].set_index("metric")
    limit = mine.threshold.iloc[0]
    y, said = data.y[a.rows["test"]], a.p["test"] >= limit
    assert mine.value["matthews"] == pytest.approx(matthews_corrcoef(y, said))
    assert mine.value["sensitivity"] == pytest.approx(recall_score(y, said))
    assert mine.value["specificity"] == pytest.approx(recall_score(1 - y, ~said))
    assert mine.paper["matthews"] == paper("liu", "table2.lstm_mcc")
    v, pv = data.y[a.rows["validation"]], a.p["validation"]
    best = max(matthews_corrcoef(v, pv >= t) for t in np.unique(pv))
    assert matthews_corrcoef(v, pv >= limit) == pytest.approx(best)
    assert table2_text(found).shape == (6, 5)
    apart = hybrid_against(data, answers, found, draws=40, seed=0)
    assert set(apart.model) == set(NETWORKS) - {HYBRID}
    hybrid = found[(found.model == HYBRID) & (found.metric == "matthews")].value.iloc[0]
    row = apart.set_index("model").loc["lstm"]
    assert row.difference == pytest.approx(hybrid - mine.value["matthews"])


def test_table_6_means_are_those_of_the_months_and_pooled_is_one_list():
    data = made_up()
    answers = answers_to(data, growing_asks(data, [ATTENTION, HYBRID]))
    found = table6(data, answers, ATTENTION, draws=20).set_index(["month", "metric"])
    ys, said = [], []
    for number in range(2, 7):
        a = next(a for a in answers if a.ask.model == ATTENTION and a.ask.test == number)
        y, v, pv = data.y[a.rows["test"]], data.y[a.rows["validation"]], a.p["validation"]
        limits = np.unique(pv)
        limit = limits[np.argmax([f1_score(v, pv >= t) for t in limits])]
        here = a.p["test"] >= limit - 1e-12
        month = str(number - 2 + 7)
        # the threshold lies halfway to the next score: few test rows can fall between
        assert found.value[month, "f1"] == pytest.approx(f1_score(y, here), abs=0.03)
        ys.append(y)
        said.append(here)
    rows = found.value.unstack()
    assert rows.loc["mean", "f1"] == pytest.approx(
        rows.loc[["7", "8", "9", "10", "11"], "f1"].mean()
    )
    whole = np.concatenate(ys), np.concatenate(said)
    assert rows.loc["pooled", "precision"] == pytest.approx(precision_score(*whole), abs=0.02)
    assert found.paper["mean", "recall"] == paper("liu", "table6.recall_mean")
    assert len(table6_text(found.reset_index())) == 7


def test_table_5_counts_who_would_have_been_written_to():
    data = made_up()
    answers = answers_to(data, growing_asks(data, [HYBRID]))
    found = table5(data, answers, HYBRID, share=0.2, draws=40)
    assert found.month.tolist() == list(MONTHS[1:])
    for row, a in zip(found.itertuples(), answers, strict=True):
        y = data.y[a.rows["test"]]
        order = sorted(range(len(y)), key=lambda i: -a.p["test"][i])[:30]
        assert row.contacted == 30
        assert row.precision == pytest.approx(np.mean([y[i] for i in order]))
        assert row.general == pytest.approx(y.mean())
        assert row.precision_money == pytest.approx(10 * row.precision)
        assert row.paper_precision == paper("liu", f"table5.precision_{int(row.month[-2:])}")
    text = table5_text(found)
    assert len(text) == 12
    missing = text[text["our month"].str.startswith("not")]["paper's month"].tolist()
    assert missing == [6, 7, 8, 9, 10]


def test_table_4_shares_by_hand():
    data = made_up()
    answer = answers_to(data, [a for a in table1_asks(data, [HYBRID]) if a.last - a.first == 4])[0]
    known = pd.DataFrame(
        {"gender": ["male", "female", "others"] * 40, "age": ["0-24", ">50"] * 60},
        index=range(120),
    )
    found = table4(data, answer, known, draws=30).set_index(["trait", "value"])
    # thirty of the 150 are in no list of users
    assert found.candidates["gender", "others"] == 40 + 30
    assert found.candidates["age", ">50"] == 60 and found.candidates["age", "41-50"] == 0
    for trait in ("gender", "age"):
        rows = found.loc[trait]
        assert rows.share_predicted.sum() == pytest.approx(1)
        assert rows.share_candidates.sum() == pytest.approx(1)
        assert rows.predicted.sum() == found.loc["gender"].predicted.sum()
    assert found.paper_original["gender", "female"] == paper("liu", "table4.woman_original")
    printed, ours = distance_of_shares(found.reset_index(), "gender")
    assert printed == pytest.approx(0.001, abs=1e-9)
    rows = found.loc["gender"]
    assert ours == pytest.approx(np.abs(rows.share_predicted - rows.share_candidates).sum() / 2)


def test_bands_of_age_have_both_ends():
    ages = pd.Series([0, 24, 24.9, 25, 30, 31, 36, 40, 41, 50, 51, 60, np.nan])
    assert age_band(ages).tolist() == [
        "0-24", "0-24", "0-24", "25-30", "25-30", "31-35", "36-40", "36-40", "41-50", "41-50",
        ">50", ">50", "others",
    ]  # fmt: skip
    nobody = pd.DataFrame({"gender": ["others"], "age": ["others"]})
    assert not anybody_known(nobody) and anybody_known(nobody.assign(age="0-24"))


@pytest.fixture(scope="module")
def studied():
    data = made_up()
    return data, grid_study(data, epochs=6, most_rows=600, shuffles=1, n_jobs=1)


def test_the_grid_study_tests_on_the_last_month_only(studied):
    data, study = studied
    month = {part: set(data.decisions.month.to_numpy()[at]) for part, at in study.rows.items()}
    assert month["test"] == {7} and month["validation"] == {6} and max(month["train"]) <= 5
    assert list(study.p) == ["logistic", "boosting", "placed", "as listed", "shuffled 1"]
    ap = average_precision_score(data.y[study.rows["test"]], study.p["placed"])
    table = quality(data, study, draws=20).set_index(["model", "metric"])
    assert table.value["placed", "average_precision"] == pytest.approx(ap)
    rows = gaps(data, study, draws=50).set_index("than")
    # one grid by lot: the mean over the grids is that grid
    assert rows.difference["by lot"] == pytest.approx(rows.difference["shuffled 1"])
    assert rows.low["by lot"] == pytest.approx(rows.low["shuffled 1"])


def test_maps_are_read_at_their_features_and_the_planted_one_is_needed(studied):
    data, study = studied
    reading = read_maps(data, study, most=150, repeats=4)
    assert reading.identity < 1e-4
    table = reading.table.set_index("feature")
    need = table.lost.sort_values(ascending=False)
    # the sixth feature is nearly the first
    assert set(need.index[:2]) & {"f_0w", "f_5w"}
    for name, row in table.iterrows():
        came, stayed = reading.maps[:, int(row.row), int(row.column)]
        assert (row.came, row.stayed) == pytest.approx((came, stayed)), name
    assert np.isfinite(reading.maps).sum() == 2 * len(table)


def test_features_that_never_vary_are_left_out_and_the_dullest_go_first():
    X = np.zeros((100, 4))
    X[:50, 1] = 1
    X[:3, 2] = 1
    X[:, 3] = np.arange(100)
    assert chosen_features(X, tuple("abcd")).tolist() == [1, 2, 3]
    assert chosen_features(X, tuple("abcd"), most=2).tolist() == [1, 3]


def test_all_comparisons_have_to_hold():
    assert joint(["first", "first"]) == "first"
    assert joint(["first", "neither"]) == "neither"
    assert joint(["first", "second", "neither"]) == "second"
    assert verdict_of(joint(["first"]), first_claimed=True, simulated=True) == "holds if assumed"
