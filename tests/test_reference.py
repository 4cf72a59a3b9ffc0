"""A run's stored aggregates tell a changed result from an unchanged one."""

import pandas as pd

from precmark import reference
from precmark.runs import Run


def _frame(spend):
    return pd.DataFrame({"user_id": ["x", "y"], "spend": [1.0, spend], "kind": ["a", "b"]})


def test_figures_are_the_columns_own(tiny_run):
    run = Run(tiny_run)
    run.write("profiles/profile", _frame(3.0))
    summary = reference.summarise(run)["profiles/profile"]
    assert summary == {"rows": 2, "columns": {"spend": [2, 2.0], "kind": [2, 2.0]}}


def test_differences_are_named_and_small_ones_tolerated(tiny_run):
    run = Run(tiny_run)
    run.write("profiles/profile", _frame(3.0))
    before = reference.summarise(run)
    run.write("profiles/profile", _frame(3.0 + 1e-9))
    assert reference.compare(reference.summarise(run), before, rtol=1e-6) == []
    run.write("profiles/profile", _frame(4.0))
    run.write("profiles/more", _frame(4.0))
    assert reference.compare(reference.summarise(run), before, rtol=1e-6) == [
        "profiles/more: only in one of the two",
        "profiles/profile.spend: [2, 2.5], stored [2, 2.0]",
    ]


def test_trained_tables_may_differ_a_little_and_clocks_are_left_out(tiny_run):
    run = Run(tiny_run)
    made = pd.DataFrame({"p": [0.2, 0.4], "seconds": [1.0, 2.0], "model": ["a", "b"]})
    run.write("churn/predictions", made)
    before = reference.summarise(run)
    assert set(before["churn/predictions"]["columns"]) == {"p"}
    run.write("churn/predictions", made.assign(p=made.p + 0.04, seconds=9.0, model="c"))
    assert reference.compare(reference.summarise(run), before, rtol=1e-6) == []
    wide = made.assign(p=[-100.0, 100.0])  # standard deviation 141
    run.write("churn/predictions", wide)
    spread = reference.summarise(run)
    run.write("churn/predictions", wide.assign(p=wide.p + 25))
    assert reference.compare(reference.summarise(run), spread, rtol=1e-6) == []
    run.write("churn/predictions", wide.assign(p=wide.p + 30))
    assert len(reference.compare(reference.summarise(run), spread, rtol=1e-6)) == 1
    run.write("churn/predictions", made.assign(p=made.p + 0.1))
    assert len(reference.compare(reference.summarise(run), before, rtol=1e-6)) == 1
    run.write("churn/predictions", made.iloc[:1])
    assert "1 rows, stored 2" in reference.compare(reference.summarise(run), before, rtol=1e-6)[0]
