"""Customers at rolling origins and finished visits: models beside their floors."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from precmark import churn
from precmark.baselines import BgNbdRate, RecencyRate, table_pipelines
from precmark.churn import customers, sentences
from precmark.churn.quality import part_of
from precmark.runs import Run
from precmark.sequences import Task, random_split
from tests.churn_cases import decisions, said

DRAWS = 100
TASK = Task(
    "customer", "repurchase", 0, 5, dt.timedelta(days=90), "a purchase", "no purchase",
    origins=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def shop():
    """Customers at three origins with their histories, and scores of two models."""
    whole = decisions(600)
    frame = whole.decisions.copy()
    origin = pd.to_datetime(["2011-03-15", "2011-06-13", "2011-09-11"], utc=True)
    frame["timestamp"] = origin[np.repeat([0, 1, 2], 200)]
    frame["split"] = np.repeat(["train", "validation", "test"], 200)
    frame["user_code"] = np.tile(np.arange(200), 3)
    frame["coupon"] = False
    whole = dataclasses.replace(whole, decisions=frame, task=TASK)
    rng = np.random.default_rng(3)
    age = rng.integers(100, 300, 600)
    recency = np.minimum(rng.integers(0, 300, 600), age)
    summary = frame[["user_code", "timestamp"]].assign(
        frequency=np.where(recency > 0, rng.integers(1, 9, 600), 0), recency_days=recency,
        T_days=age, revenue=rng.exponential(100, 600),
    )  # fmt: skip
    summary.loc[405, "revenue"] = 1e5
    return whole, summary, said(whole, fits=("pooled",))


@pytest.fixture
def found(shop, tiny_run, monkeypatch):
    sequences, summary, fitted = shop
    run = Run(tiny_run)
    run.write("sessions/events", pd.DataFrame({"user_code": [0]}))
    shuffled = summary.sample(frac=1, random_state=0)
    monkeypatch.setattr(customers, "customer_summary", lambda *a, **k: shuffled)
    return churn.customer_models(run, sequences, fitted, draws=DRAWS)


def value(table, model, split="all customers", metric="average_precision"):
    rows = table[(table.model == model) & (table.split == split) & (table.metric == metric)]
    return float(rows.value.iloc[0])


def test_floors_of_customers_are_fitted_on_what_was_known(shop, found):
    sequences, summary, _ = shop
    y = sequences.y.astype(int)
    recency = RecencyRate().fit(summary[:200], y[:200]).predict_proba(summary[400:])[:, 1]
    # BG/NBD sees no label: the histories before the last origin are all that it is fitted to.
    nbd = BgNbdRate(90).fit(summary[400:]).predict_proba(summary[400:])[:, 1]
    for name, p in (("recency", recency), ("bg-nbd", nbd)):
        assert value(found.quality, name) == pytest.approx(average_precision_score(y[400:], p))


def test_without_the_top_hundredth(shop, found):
    sequences, summary, fitted = shop
    revenue = summary.revenue.to_numpy()[400:]
    order = np.argsort(-revenue)
    top = order[:2]
    assert (found.customers, found.top) == (200, 2)
    assert found.top_revenue == pytest.approx(revenue[top].sum() / revenue.sum())
    test = part_of(sequences, fitted, "test")
    keep = np.setdiff1d(np.arange(200), top)
    assert value(found.quality, "good", "without the top 1 %") == pytest.approx(
        average_precision_score(test.y[keep], test.p["good"][keep])
    )


def test_customers_in_words(found):
    text = sentences.on_customers(found)
    assert "200 customers" in text and "BG/NBD" in text and "recency alone" in text
    gaps = found.gaps
    assert set(gaps.than) == {"recency", "bg-nbd"} and set(gaps.model) == {"good", "poor"}
    better = gaps[(gaps.than == "recency") & (gaps.favours == "first")]
    assert f"{len(better)} of 2 models beat recency alone" in text


@pytest.fixture(scope="module")
def visits():
    rng = np.random.default_rng(5)
    n = 900
    late = rng.exponential(1, n)
    frame = pd.DataFrame(
        {
            "session_id": [str(i) for i in range(n)],
            "purchased": late + rng.normal(0, 0.5, n) > 1.8,
            "product_pages": rng.poisson(5, n),
            "page_value": late,
            "month": rng.integers(1, 13, n),
            "visitor_type": rng.choice(["new", "returning"], n),
            "row": np.arange(n),
        }
    )
    return frame


def test_visits_equal_models_fitted_by_hand(visits, tiny_run):
    run = Run(tiny_run)
    assert churn.visit_models(run) is None
    run.write("contract/visits", visits)
    others = "ann,ann-naive-bayes,lr-rf-leaves,lr-rf-stacked,adaboost,gp-adaboost"
    found = churn.visit_models(run, leave_out=others, draws=DRAWS, seed=1, n_jobs=1)
    part, y = random_split(len(visits), seed=1), visits.purchased.to_numpy().astype(int)
    assert (found.visits, found.purchases) == ((part == "test").sum(), y[part == "test"].sum())
    for split, frame in (
        ("all columns", visits),
        ("without the page value", visits.drop(columns="page_value")),
    ):
        model = table_pipelines(
            frame, "purchased", categorical=["month"], leave_out=["session_id", "row"], seed=1
        )["logistic"]
        X = frame.drop(columns="purchased")
        rows = {p: np.flatnonzero(part == p) for p in ("train", "validation", "test")}
        model.fit(
            X.iloc[rows["train"]], y[rows["train"]],
            validation=(X.iloc[rows["validation"]], y[rows["validation"]]),
        )  # fmt: skip
        p = model.predict_proba(X.iloc[rows["test"]])[:, 1]
        ours = value(found.quality, "logistic", split, "auroc")
        assert ours == pytest.approx(roc_auc_score(y[rows["test"]], p))
    assert {"constant", "logistic", "histogram-boosting"} == set(found.quality.model)
    text = sentences.on_visits(found)
    assert "0.937" in text and "Without the page value" in text and "falls to" in text


def test_differences_that_the_data_cannot_show(shop):
    sequences, _, _ = shop
    row = {"model": "x", "fit": "pooled", "metric": "average_precision", "low": -0.03, "high": 0.01}
    none = pd.DataFrame([{**row, "favours": "neither"}])
    text = sentences.on_resolution(none, sequences)
    good = int(sequences.part("test").y.sum())
    assert f"{good:,} good outcomes" in text and "0.020" in text and "No interval" in text
    some = sentences.on_resolution(none.assign(favours="second"), sequences)
    assert "No interval" not in some and "leaves it out" in some


def test_accuracy_beside_the_constant():
    rows = [("constant", "Constant", 0.88), ("a", "Model A", 0.87)]
    table = pd.DataFrame(rows, columns=["model", "title", "value"])
    table = table.assign(fit="pooled", metric="accuracy")
    assert "finds nobody" in sentences.on_accuracy(table)
    table.loc[1, "value"] = 0.95
    assert "can tell models apart" in sentences.on_accuracy(table)
