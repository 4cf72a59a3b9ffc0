"""Customers, accuracy at outlets, throughput, the paper's tables, sentences and verdicts."""

from __future__ import annotations

import math
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from precmark.claims import paper
from precmark.contract import ingest
from precmark.errors import InputError
from precmark.plots import statistics as plots
from precmark.runs import Run, write_card
from precmark.sessions import write_sessions
from precmark.simulate import simulate
from precmark.statistics import (
    Components,
    by_batch,
    customers_for_range,
    customers_of,
    dealt,
    fit_logistic,
    measure_throughput,
    outlet_accuracy,
    outlet_customers,
    own_panel,
    panel_sentences,
    paper_tables,
    sentences,
    spread_of,
    study_own,
    study_worlds,
    two_groups,
    two_proportions,
)
from precmark.statistics.customers import TITLES, customer_features, visit_features
from precmark.statistics.tables import table_of
from precmark.statistics.verdicts import statistics_verdicts


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A small simulated store with its sessions."""
    folder = tmp_path_factory.mktemp("runs") / "store"
    made = ingest(folder, simulate("classroom", seed=3))
    card = {"source": made.source, "fingerprint": "x", "parameters": {"as_of": None}}
    write_card(folder, card)
    write_sessions(Run(folder))
    return Run(folder)


@pytest.fixture(scope="module")
def customers(run):
    return customers_of(run)


@pytest.fixture(scope="module")
def report(customers):
    return fit_logistic(customers.train, "outcome", customers.columns)


@pytest.fixture(scope="module")
def worlds():
    return study_worlds(stores=600, seed=2)


# ---- customers


def test_columns_know_nothing_after_the_origin_and_outcomes_nothing_before(run, customers):
    sessions = run.table("sessions/sessions")
    end = sessions.start.max()
    for frame, back in ((customers.train, 2), (customers.test, 1)):
        origin = end - back * pd.Timedelta(days=90)
        for row in frame.sample(40, random_state=1).itertuples():
            mine = sessions[sessions.user_code == row.row]
            before = mine[mine.start < origin]
            after = mine[(mine.start >= origin) & (mine.start < origin + pd.Timedelta(days=90))]
            assert row.outcome == (len(after) > 0)
            assert row.visits == pytest.approx(math.log(len(before)))
            assert row.views == pytest.approx(math.log1p(before.views.sum()))
            assert row.revenue == pytest.approx(math.log1p(max(before.revenue.sum(), 0)))
            days = (origin - before.start.max()) / pd.Timedelta(days=1)
            assert row.recency == pytest.approx(math.log1p(days))
    changed = sessions.copy()
    later = changed.start >= customers.origin
    changed.loc[later, ["views", "events", "revenue"]] = 999
    pd.testing.assert_frame_equal(
        customer_features(changed, customers.origin), customer_features(sessions, customers.origin)
    )


def test_everybody_seen_before_the_origin_is_a_customer_once(run, customers):
    sessions = run.table("sessions/sessions")
    seen = sessions.user_code[sessions.start < customers.origin].unique()
    assert sorted(customers.test.row) == sorted(seen)
    assert set(customers.columns) <= set(TITLES)


def test_visits_are_read_from_their_first_three_clicks_only():
    day = pd.Timestamp("2024-03-02", tz="UTC")  # a Saturday
    rows = [
        (0, 1, "a", "x"), (0, 2, "b", "x"), (0, 3, "a", "y"), (0, 4, "d", "z"), (1, 1, "a", "x"),
        (1, 2, "d", "z"), (2, 1, "d", "z"), (2, 2, "a", "x"), (2, 3, "d", "z"),
    ]  # fmt: skip
    events = pd.DataFrame(rows, columns=["session_code", "position", "item_id", "category"])
    events["timestamp"] = day + pd.to_timedelta(events.session_code, unit="D")
    items = pd.DataFrame({"item_id": ["a", "b", "d"], "price": [10.0, 20.0, 60.0]})
    found = visit_features(events, items, start=day).set_index("row")
    assert list(found.index) == [0, 2]  # the second visit has two clicks
    assert found.loc[0, "mean_price"] == pytest.approx(40 / 3)
    assert found.loc[0, "price_range"] == 10 and found.loc[0, "first_price"] == 10
    assert found.loc[0, ["categories", "products", "stays", "weekend", "day"]].tolist() == [
        2, 2, 1, 1, 0,
    ]  # fmt: skip
    assert found.loc[2, ["products", "stays", "weekend", "day"]].tolist() == [2, 0, 0, 2]


def test_a_source_without_users_and_views_has_no_customers(tiny_run):
    card = Run(tiny_run)
    object.__setattr__(card.source, "says", frozenset({"purchases"}))
    assert "recognises no users" in customers_of(card)


def one_visit_each(folder: Path, run: Run, visits: int) -> Run:
    """Users who come once: visit i on day i // 4, of 3 to 14 clicks."""
    folder.mkdir()
    write_card(folder, {"source": run.source, "fingerprint": "y", "parameters": {}})
    made = Run(folder)
    start = pd.Timestamp("2024-01-01", tz="UTC")
    length = 3 + np.arange(visits) % 12
    code = np.repeat(np.arange(visits), length)
    position = np.concatenate([np.arange(1, n + 1) for n in length])
    items = run.table("contract/items").query("kind == 'product'").head(20)
    picked = items.iloc[(code + position * position) % 20]
    made.write("contract/items", items)
    made.write(
        "sessions/events",
        pd.DataFrame(
            {"session_code": code, "position": position, "item_id": picked.item_id.to_numpy(),
             "timestamp": start + pd.to_timedelta(code // 4, unit="D"),
             "category": picked.category.to_numpy()}
        ),
    )  # fmt: skip
    like = run.table("sessions/sessions").iloc[np.zeros(visits, dtype=int)].reset_index(drop=True)
    when = start + pd.to_timedelta(np.arange(visits) // 4, unit="D")
    whole = like.assign(session_code=range(visits), user_code=range(visits), start=when)
    made.write("sessions/sessions", whole)
    return made


def test_where_nobody_comes_back_visits_are_taken_and_where_those_are_few_it_is_said(run, tmp_path):
    made = one_visit_each(tmp_path / "many", run, 900)
    found = customers_of(made)
    assert found.rows == "visits" and found.outcome == "get to 10 clicks"
    lengths = made.table("sessions/events").groupby("session_code").size()
    assert (found.test.outcome == (lengths[found.test.row] >= 10).to_numpy()).all()
    assert found.train.day.max() < found.test.day.min()
    said = customers_of(one_visit_each(tmp_path / "few", run, 60))
    assert "come back within 90 days; and" in said and "50 of either kind are needed" in said


# ---- accuracy at outlets


def test_accuracy_of_each_outlet_counted_one_by_one():
    rng = np.random.default_rng(0)
    y, p, outlet = rng.integers(0, 2, 500), rng.random(500), rng.integers(0, 9, 500)
    table = outlet_accuracy(y, p, outlet, base_rate=0.4).set_index("outlet")
    assert table.accuracy.is_monotonic_increasing
    for o in range(9):
        mine = outlet == o
        right = sum((pi >= 0.5) == yi for yi, pi in zip(y[mine], p[mine], strict=True))
        assert table.loc[o, "accuracy"] == pytest.approx(right / mine.sum())
        assert table.loc[o, "constant"] == pytest.approx(1 - y[mine].mean())
        assert table.loc[o, "low"] < table.loc[o, "accuracy"] < table.loc[o, "high"]


def test_equal_outlets_spread_as_far_as_chance_says():
    """Outlets dealt by chance: in about 95 of 100 cases the extremes lie in their intervals."""
    rng = np.random.default_rng(1)
    held, alike = [], []
    for seed in range(40):
        y = rng.integers(0, 2, 7_200)
        p = np.where(rng.random(7_200) < 0.75, y, 1 - y) * 0.8 + 0.1
        table = outlet_accuracy(y, p, dealt(7_200, outlets=72, seed=seed), base_rate=0.4)
        found = spread_of(table, draws=300, seed=seed)
        held.append(found.chance_least[0] <= found.least <= found.chance_least[1])
        alike.append(found.p)
    assert np.mean(held) > 0.85
    assert 0.25 < np.mean(alike) < 0.75 and np.mean(np.array(alike) < 0.05) < 0.15


def test_outlets_that_differ_are_told_from_chance_and_by_how_much():
    rng = np.random.default_rng(2)
    true = rng.normal(0.75, 0.06, 72)
    right = rng.binomial(400, true)
    table = pd.DataFrame({"outlet": range(72), "customers": 400, "right": right})
    table = table.assign(accuracy=right / 400, constant=0.5)
    found = spread_of(table)
    assert found.p < 1e-6 and found.beyond == pytest.approx(0.06, abs=0.015)
    assert found.least == right.min() / 400 and found.most == right.max() / 400


def test_the_papers_range_is_what_equal_outlets_show_with_so_many_customers():
    low, high = paper("company_h", "accuracy.low"), paper("company_h", "accuracy.high")
    n = round(customers_for_range(low, high, 72))
    drawn = np.random.default_rng(5).binomial(n, (low + high) / 2, (20_000, 72)) / n
    assert drawn.min(axis=1).mean() == pytest.approx(low, abs=0.008)
    assert drawn.max(axis=1).mean() == pytest.approx(high, abs=0.008)
    with pytest.raises(InputError, match=r"0 < low < high < 1"):
        customers_for_range(0.9, 0.8, 72)


def test_outlets_are_dealt_evenly_and_constant_outcomes_refused():
    assert set(np.bincount(dealt(1_000, outlets=72))) == {13, 14}
    with pytest.raises(InputError) as caught:
        outlet_accuracy([1, 1], [0.2], [0, 1], base_rate=0.5)
    assert len(caught.value.problems) == 2


def test_simulated_customers_are_logistic_in_their_columns():
    frame = outlet_customers(outlets=40, seed=1)
    levels = pd.get_dummies(frame.outlet, dtype=float).iloc[:, 1:]
    levels.columns = [f"o{c}" for c in levels]
    wide = pd.concat([frame, levels], axis=1)
    found = fit_logistic(wide, "outcome", ["recency", "visits", "spent", *levels.columns])
    rows = found.coefficients.set_index("term")
    for name, true in (("recency", -0.9), ("visits", 0.7), ("spent", 0.3)):
        assert abs(rows.estimate[name] - true) < 4 * rows.error[name]


# ---- throughput


def test_every_event_goes_through_once_and_every_customer_is_scored(run, customers, report):
    table = measure_throughput(run, customers, report, batches=3)
    assert (
        table.groupby("batch").stage.agg(list).tolist()
        == [["check", "sessions", "columns", "score"]] * 3
    )
    first = table.drop_duplicates("batch")
    assert first["rows"].sum() == len(run.table("contract/events"))
    assert first.kept.sum() == len(run.table("sessions/events"))
    assert first.scored.sum() == len(customers.test)
    assert (table.seconds > 0).all()
    speed = by_batch(table)
    one = table[table.batch == 2]
    assert speed.rows_a_second[1] == pytest.approx(one["rows"].iloc[0] / one.seconds.sum())
    assert ((speed.efficiency > 0.5) & (speed.efficiency <= 1)).all()


def test_a_log_without_products_goes_through_as_well(run, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(run.path, folder)
    (folder / "results" / "contract" / "items.parquet").unlink()
    says = [c for c in Run(folder).card["source"]["says"] if c != "users"]
    card = {**Run(folder).card, "source": {**Run(folder).card["source"], "says": says}}
    write_card(folder, card)
    bare = Run(folder)
    customers = customers_of(bare)
    assert customers.rows == "visits"
    report = fit_logistic(customers.train, "outcome", list(customers.columns))
    table = measure_throughput(bare, customers, report, batches=2)
    long_enough = bare.table("sessions/events").groupby("session_code").size() >= 3
    assert table.drop_duplicates("batch").scored.sum() == long_enough.sum()


def test_more_batches_than_users_are_refused(run):
    with pytest.raises(InputError, match="cannot be cut into 1000000 batches"):
        measure_throughput(run, None, None, batches=1_000_000)


# ---- the run's own panel and groups


def test_the_panel_of_categories_counts_units_views_and_coupons(run):
    own = own_panel(run)
    assert own.units == "categories"
    events = run.table("sessions/events")
    week = (events.timestamp - events.timestamp.min().normalize()).dt.days // 7
    for row in own.frame.sample(25, random_state=0).itertuples():
        mine = events[(events.category == row.unit) & (week == row.week)]
        assert row.sales == mine.quantity[mine.event == "purchase"].fillna(1).sum()
        assert row.display == mine.item_id[mine.event == "view"].nunique()
        assert row.marketing == (mine.event == "coupon_shown").sum()
    assert set(study_own(own).coefficients.term) >= set(own.columns)


def test_groups_are_those_that_chance_dealt(run, customers):
    found = two_groups(run, customers)
    table = run.table("contract/assignments")
    coupon = table[table.arm == "coupon"]
    assert found.randomised
    assert (found.x1, found.n1) == (coupon.outcome.sum(), len(coupon))
    assert found.n1 + found.n2 == len(table)


# ---- the paper's tables, sentences, verdicts, figures


@pytest.fixture(scope="module")
def spreads(customers, report):
    p = report.predict_proba(customers.test)
    outlet = dealt(len(p))
    table = outlet_accuracy(customers.test.outcome, p, outlet, base_rate=0.1)
    return {"customers of the data": spread_of(table)}


def batches(n=45) -> pd.DataFrame:
    rows = [
        {"batch": i, "stage": s, "rows": 100, "megabytes": 0.5, "kept": 98, "scored": 7,
         "seconds": 0.1 * i}
        for i in range(1, n + 1) for s in ("check", "sessions")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_every_table_and_figure_of_the_paper_has_a_row_with_ours_or_a_reason(worlds, spreads):
    rows = paper_tables(worlds, spreads, by_batch(batches())).set_index("place")
    assert list(rows.index[:12]) == [f"{k} {n}" for n in range(1, 7) for k in ("Table", "Figure")]
    assert (rows[["shows", "printed", "ours", "why"]].map(len) > 5).all(axis=None)
    least, most = spreads["customers of the data"].least, spreads["customers of the data"].most
    assert f"{least:.0%} to {most:.0%}" in rows.ours["Table 5"]
    assert "45 batches" in rows.ours["Table 6"]
    for key in ("stores.low_stars", "accuracy.low", "accuracy.high"):
        assert any(f"{paper('company_h', key):.0%}" in text for text in rows.printed)


def test_what_is_said_of_worlds_follows_from_the_intervals(worlds):
    said = panel_sentences.on_worlds(worlds).split("\n")
    rows = worlds.coefficients[worlds.coefficients.term == "display"]
    for line, (_, r) in zip(said, rows.groupby("world", sort=False), strict=True):
        holds = r.method[(r.low <= r.truth) & (r.truth <= r.high)]
        before = line.split("hold it")[0] if "hold it" in line else ""
        for method in ("pooled OLS", "random effects"):
            assert (method in before) == (method in set(holds))


def test_sentences_change_with_the_numbers(spreads, report):
    spread = spreads["customers of the data"]
    alike = sentences.on_accuracy("x", spread)
    assert ("chance explains the whole spread" in alike) == (spread.p >= 0.05)
    assert f"C is **{report.pairs.c:.3f}**" in sentences.on_logistic(report)
    same = two_proportions(10, 100, 10, 100)
    from precmark.statistics import TwoGroups

    groups = TwoGroups(10, 100, 10, 100, "a", "b", "bought", randomised=False)
    text = sentences.on_two(groups, same, 0.05, 0.1)
    assert "cannot be told apart" in text and "not dealt by chance" in text
    far = two_proportions(10, 100, 60, 100)
    assert "the shares differ" in sentences.on_two(groups, far, 0.9, 0.1)
    assert sentences.p_text(0.0004) == "p < 0.001" and sentences.p_text(0.0312) == "p = 0.031"


def test_what_was_never_found_does_not_hold_later(customers):
    names = list(customers.columns)
    real = fit_logistic(customers.train, "outcome", names)
    assert "what the fit found holds later" in sentences.on_later(real, real.pairs)
    rng = np.random.default_rng(0)
    noise = pd.DataFrame({"y": rng.integers(0, 2, 400), "x": rng.normal(size=400)})
    nothing = fit_logistic(noise, "y", ["x"])
    assert nothing.tests.p.min() > 0.05
    assert "There was nothing to hold" in sentences.on_later(nothing, nothing.pairs)


def test_tables_round_every_column_and_keep_small_p_values_valid_html():
    table = pd.DataFrame({"estimate": [-2.1301987, 3.25], "p": [0.0004, 0.0312]})
    html = table_of(table).to_html()
    assert "-2.130<" in html and "&lt;&nbsp;0.001" in html and "0.031" in html


@pytest.mark.parametrize("k", [0, 1, 2])
def test_components_beyond_chance_are_counted_in_words(k):
    table = pd.DataFrame(
        {"eigenvalue": [1.6, 1.2, 0.2], "chance": [1.4 if k else 1.7, 1.1 if k == 2 else 1.3, 1.0],
         "contribution": [0.53, 0.4, 0.07], "cumulative": [0.53, 0.93, 1.0]}
    )  # fmt: skip
    text = sentences.on_components(Components(("a", "b", "c"), table, np.eye(3), np.eye(3)))
    assert ("not even its eigenvalue" in text) == (k == 0)
    assert ("beyond it an eigenvalue" in text) == (k == 1)
    assert ("the first 2 93%; beyond 2" in text) == (k == 2)


def test_groups_without_coupons_or_countries_go_by_a_column_that_is_named(run):
    says = [c for c in run.card["source"]["says"] if c not in ("coupons", "users", "attributes")]
    bare = Run(run.path)
    bare.source = replace(bare.source, says=frozenset(says))
    bare.has = lambda table: table not in ("contract/users", "contract/assignments")
    customers = customers_of(bare)
    found = two_groups(bare, customers)
    assert found.first == 'visits with "second click in the category of the first"'
    assert found.n1 == (customers.test.stays == 1).sum() and not found.randomised


class Recorder:
    """Takes verdicts as a chapter does."""

    def __init__(self):
        self.found = {}

    def verdict(self, **given):
        assert given["id"] not in self.found
        self.found[given["id"]] = given


def test_the_chapter_concludes_on_every_claim_that_names_it(worlds, spreads):
    chapter = Recorder()
    statistics_verdicts(chapter, worlds, spreads, by_batch(batches()))
    kept = tomllib.loads(Path("data/claims/company_h.toml").read_text("utf-8"))["claims"]
    named = {c["id"] for c in kept if c["figures"].get("chapter") == "13_statistics"}
    assert named == set(chapter.found)
    # In these worlds the averages by stars rise alike, and pooled OLS finds what is not there.
    assert chapter.found["company-h-displays-drive-sales"]["verdict"] == "not reproduced"
    assert chapter.found["company-h-ols-measures-effects"]["verdict"] == "not reproduced"


def test_verdicts_follow_the_intervals(worlds, spreads):
    honest = worlds.coefficients.copy()
    at = honest.term.isin(["display", "marketing", "price"])
    honest.loc[at, "estimate"] = honest.loc[at, "truth"]
    honest["low"], honest["high"] = honest.estimate - 1, honest.estimate + 1
    chapter = Recorder()
    given = type(worlds)(worlds.kinds, honest, worlds.tests, 1, 1, 1)
    statistics_verdicts(chapter, given, spreads, by_batch(batches()))
    assert chapter.found["company-h-ols-measures-effects"]["verdict"] == "undecided"


def test_figures_draw_what_their_tables_hold(worlds, report, customers):
    import matplotlib.pyplot as plt

    spread = customers.train[list(customers.columns)].std()
    fig, table = plots.odds_ratios(report, TITLES, spread)
    assert len(table) == len(customers.columns)
    assert table.odds_ratio_per_sd.is_monotonic_increasing
    row = table.iloc[0]
    assert row.odds_ratio_per_sd == pytest.approx(math.exp(row.estimate * spread[row.term]))
    plt.close(fig)
    fig, table = plots.coefficients(
        worlds.coefficients, {"display_idle": "a", "display_sells": "b"}
    )
    assert len(fig.axes) == 6 and "constant" not in set(table.term)
    plt.close(fig)
    fig, table = plots.throughput(batches(), by_batch(batches()))
    assert len(table) == 45
    plt.close(fig)
