"""Regressions on panels against linearmodels, statsmodels and what the outlets were made with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linearmodels.panel import PanelOLS, PooledOLS, RandomEffects
from scipy.stats import chi2
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import variance_inflation_factor

from precmark.claims import paper
from precmark.errors import InputError
from precmark.statistics import (
    WORLDS,
    by_kind,
    diagnose,
    fixed_effects,
    hausman,
    inflation,
    mundlak,
    outlets,
    own_panel,
    panel_of,
    pooled_ols,
    random_effects,
)
from precmark.statistics.diagnostics import serial_correlation
from precmark.statistics.own_panel import _countries

COLUMNS = ["display", "price", "stars"]
CLUSTERED = {"cov_type": "clustered", "cluster_entity": True, "group_debias": True}


def made(units=35, periods=11, seed=4, share=1.0) -> pd.DataFrame:
    """Units whose levels go with their display; stars never change; a share of the rows."""
    rng = np.random.default_rng(seed)
    n = units * periods
    level = np.repeat(rng.normal(size=units), periods)
    frame = pd.DataFrame(
        {
            "outlet": np.repeat([f"outlet {i}" for i in range(units)], periods),
            "month": np.tile(pd.period_range("2024-01", periods=periods, freq="M"), units),
            "display": rng.normal(size=n) + level,
            "price": 6_000 + 50 * rng.normal(size=n),
            "stars": np.repeat(rng.integers(1, 6, units), periods).astype(float),
        }
    )
    noise = rng.normal(size=n) * (1 + np.abs(frame.display))
    frame["sales"] = 2 * frame.display - 0.01 * frame.price + 3 * level + frame.stars + noise
    return frame.sample(frac=share, random_state=seed)


def panel(frame: pd.DataFrame, columns=COLUMNS):
    return panel_of(frame, unit="outlet", period="month", outcome="sales", columns=columns)


def indexed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(constant=1.0, month=frame.month.dt.to_timestamp()).set_index(
        ["outlet", "month"]
    )


@pytest.fixture(scope="module", params=[1.0, 0.8], ids=["balanced", "unbalanced"])
def frame(request) -> pd.DataFrame:
    return made(share=request.param)


def same(ours, theirs, terms):
    found = ours.coefficients.set_index("term").loc[terms]
    np.testing.assert_allclose(found.estimate, theirs.params[terms], rtol=1e-7)
    np.testing.assert_allclose(found.error, theirs.std_errors[terms], rtol=1e-7)


# ---- the estimators


def test_pooled_least_squares_is_linearmodels_and_statsmodels(frame):
    found, table = pooled_ols(panel(frame)), indexed(frame)
    terms = ["constant", *COLUMNS]
    same(found, PooledOLS(table.sales, table[terms]).fit(**CLUSTERED), terms)
    groups = pd.factorize(table.index.get_level_values(0))[0]
    theirs = sm.OLS(table.sales, table[terms]).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    interval = theirs.conf_int().to_numpy()
    rows = found.coefficients
    np.testing.assert_allclose(rows[["low", "high"]], interval, rtol=1e-6)
    np.testing.assert_allclose(rows.p, theirs.pvalues, atol=1e-9)
    assert found.r2 == pytest.approx(theirs.rsquared)


def test_fixed_effects_are_linearmodels_and_hold_what_does_not_change(frame):
    found, table = fixed_effects(panel(frame)), indexed(frame)
    terms = ["display", "price"]
    assert found.absorbed == ("stars",)
    model = PanelOLS(table.sales, table[["constant", *terms]], entity_effects=True)
    same(found, model.fit(**CLUSTERED), terms)
    plain = model.fit()
    np.testing.assert_allclose(found.plain_covariance, plain.cov.loc[terms, terms], rtol=1e-6)
    assert found.r2 == pytest.approx(plain.rsquared_within)


def test_two_way_effects_are_least_squares_with_a_column_a_unit_and_period(frame):
    found = fixed_effects(panel(frame), periods=True)
    units = pd.get_dummies(frame.outlet, dtype=float)
    months = pd.get_dummies(frame.month.astype(str), dtype=float).iloc[:, 1:]
    wide = pd.concat([frame[["display", "price"]], units, months], axis=1)
    groups = pd.factorize(frame.outlet)[0]
    theirs = sm.OLS(frame.sales, wide).fit(cov_type="cluster", cov_kwds={"groups": groups})
    rows = found.coefficients.set_index("term")
    np.testing.assert_allclose(rows.estimate, theirs.params[rows.index], rtol=1e-6)
    # Units' levels are nested in the clusters, so that they cost no degrees of freedom here.
    n, periods = len(frame), frame.month.nunique()
    cost = (n - wide.shape[1]) / (n - 2 - periods)
    np.testing.assert_allclose(rows.error**2, theirs.bse[rows.index] ** 2 * cost, rtol=1e-6)


def test_random_effects_are_linearmodels(frame):
    found, table = random_effects(panel(frame)), indexed(frame)
    terms = ["constant", *COLUMNS]
    theirs = RandomEffects(table.sales, table[terms]).fit(**CLUSTERED)
    same(found, theirs, terms)
    shares = theirs.variance_decomposition
    assert found.sigma2_unit == pytest.approx(shares["Effects"])
    assert found.sigma2_error == pytest.approx(shares["Residual"])


def test_the_order_of_the_rows_does_not_matter(frame):
    shuffled = frame.sample(frac=1, random_state=9)
    for fit in (pooled_ols, fixed_effects, random_effects):
        pd.testing.assert_frame_equal(
            fit(panel(frame)).coefficients, fit(panel(shuffled)).coefficients, rtol=1e-9
        )


# ---- the tests


def test_hausman_from_linearmodels_results():
    frame = made()
    table = indexed(frame)
    terms = ["display", "price"]
    fixed = PanelOLS(table.sales, table[["constant", *terms]], entity_effects=True).fit()
    random = RandomEffects(table.sales, table[["constant", *COLUMNS]]).fit()
    # Both with the fixed effects' error variance; linearmodels scales each by its own.
    gap = fixed.cov.loc[terms, terms] - random.cov.loc[terms, terms] * fixed.s2 / random.s2
    apart = (fixed.params - random.params)[terms]
    statistic = float(apart @ np.linalg.inv(gap) @ apart)
    found = hausman(fixed_effects(panel(frame)), random_effects(panel(frame)))
    assert found.statistic == pytest.approx(statistic, rel=1e-6)
    assert found.p == pytest.approx(chi2.sf(statistic, 2), abs=1e-9)


def test_hausman_wants_the_two_it_compares():
    fits = pooled_ols(panel(made())), random_effects(panel(made()))
    with pytest.raises(InputError, match="not pooled OLS with random effects"):
        hausman(*fits)


def unrelated(seed: int) -> pd.DataFrame:
    """A panel whose levels have nothing to do with its columns, errors independent and alike."""
    rng = np.random.default_rng(seed)
    n, t = 40, 6
    frame = pd.DataFrame({"outlet": np.repeat(range(n), t), "month": np.tile(range(t), n)})
    frame["display"], frame["price"] = rng.normal(size=(2, n * t))
    level = np.repeat(rng.normal(size=n), t)
    return frame.assign(sales=frame.display - frame.price + level + rng.normal(size=n * t))


def test_where_the_null_hypotheses_hold_about_one_in_twenty_is_rejected():
    rejected = {name: [] for name in ("Hausman", "Mundlak, clustered", "Breusch-Pagan",
                                      "Wooldridge")}  # fmt: skip
    for seed in range(150):
        found = panel(unrelated(seed), ["display", "price"])
        tests = diagnose(found, pooled_ols(found), fixed_effects(found), random_effects(found))
        for name, hits in rejected.items():
            hits.append(float(tests.set_index("test").p[name]) < 0.05)
    for name, hits in rejected.items():
        assert 0.005 < np.mean(hits) < 0.13, name


def test_where_levels_go_with_display_hausman_and_mundlak_see_it():
    found = panel(made())
    assert hausman(fixed_effects(found), random_effects(found)).p < 1e-6
    assert mundlak(found).p < 1e-6


def test_the_effects_f_test_and_breusch_pagan_are_those_of_other_libraries(frame):
    found, table = panel(frame, ["display", "price"]), indexed(frame)
    fixed = fixed_effects(found)
    tests = diagnose(found, pooled_ols(found), fixed, random_effects(found)).set_index("test")
    theirs = PanelOLS(table.sales, table[["constant", "display", "price"]], entity_effects=True)
    pooled = theirs.fit().f_pooled
    assert tests.statistic["F of the units' levels"] == pytest.approx(pooled.stat)
    assert tests.p["F of the units' levels"] == pytest.approx(pooled.pval, abs=1e-12)
    ordered = table.sort_index()
    left = PanelOLS(ordered.sales, ordered[["constant", "display", "price"]], entity_effects=True)
    regressors = sm.add_constant(ordered[["display", "price"]].to_numpy())
    statistic, p, _, _ = het_breuschpagan(left.fit().resids.to_numpy(), regressors)
    assert tests.statistic["Breusch-Pagan"] == pytest.approx(statistic)
    assert tests.p["Breusch-Pagan"] == pytest.approx(p, abs=1e-12)


def test_serial_correlation_is_seen_where_errors_follow_one_another():
    rng = np.random.default_rng(8)
    frame = unrelated(8)
    error = rng.normal(size=(40, 6))
    for t in range(1, 6):
        error[:, t] += 0.8 * error[:, t - 1]
    sticky = frame.assign(sales=frame.display + error.ravel())
    assert serial_correlation(panel(sticky, ["display", "price"])).p < 0.001


def test_inflation_within_units_is_statsmodels_on_demeaned_columns():
    frame = made()
    frame["copy"] = frame.display + 0.3 * np.random.default_rng(0).normal(size=len(frame))
    columns = ["display", "price", "copy"]
    within = frame[columns] - frame.groupby("outlet")[columns].transform("mean")
    found = inflation(panel(frame, [*columns, "stars"])).set_index("column").vif
    for i, column in enumerate(columns):
        assert found[column] == pytest.approx(variance_inflation_factor(within.to_numpy(), i))
    assert found["stars"] == np.inf


# ---- what is refused


def test_a_panel_with_one_period_is_refused_with_all_that_is_wrong():
    one = made(periods=1).assign(sales=4.0)
    one["double"] = 2 * one.price
    with pytest.raises(InputError) as caught:
        panel(one, [*COLUMNS, "double"])
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    for part in ("month: 1 period", "sales: constant, always 4", "double: collinear, it equals 2"):
        assert part in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: pd.concat([f, f.iloc[:3]]), "twice, e.g. "),
        (lambda f: f[f.outlet == "outlet 1"], "outlet: 1 unit"),
        (lambda f: f.drop(columns="month"), "month: not in the table"),
        (lambda f: f.assign(price=np.inf), "price: empty or infinite"),
        (lambda f: f.assign(outlet=f.outlet.where(f.stars > 2)), "outlet: empty cells"),
        (lambda f: f.iloc[:4], "4 rows for 3 columns"),
    ],
)
def test_what_makes_no_panel_is_refused(change, said):
    with pytest.raises(InputError) as caught:
        panel(change(made()))
    assert said in str(caught.value)


def test_fixed_effects_of_what_never_changes_are_refused():
    with pytest.raises(InputError, match="stars: none changes within units"):
        fixed_effects(panel(made(), ["stars"]))


# ---- outlets


@pytest.fixture(scope="module")
def chains() -> dict[str, pd.DataFrame]:
    return {name: outlets(name, stores=3_000, seed=1) for name in WORLDS}


def test_the_outlets_have_the_averages_that_the_text_prints(chains):
    for frame in chains.values():
        stars = frame.drop_duplicates("outlet").stars
        assert (stars <= 2).mean() == pytest.approx(
            paper("company_h", "stores.low_stars"), abs=1e-3
        )
        for column, key in (("display", "stores_per_display"), ("sales", "stores_per_sale")):
            assert 1 / frame[column].mean() == pytest.approx(
                paper("company_h", f"stores.{key}"), rel=0.04
            )
        high = frame[frame.stars >= 4].display.mean()
        assert high == pytest.approx(paper("company_h", "stores.high_star_displays"), rel=0.05)
        areas = by_kind(frame, "area").set_index("kind").share
        assert areas.drop("elsewhere").sum() > paper("company_h", "stores.four_areas")


def test_fixed_effects_recover_what_is_true_where_displays_move_by_chance(chains):
    for name in ("display_sells", "display_idle"):
        found = fixed_effects(panel(chains[name], ["display", "price", "marketing"]))
        for row in found.coefficients.itertuples():
            gap = abs(row.estimate - WORLDS[name].effects[row.term])
            assert gap < 3.5 * row.error, (name, row.term)


def test_pooled_least_squares_finds_effects_where_there_are_none(chains):
    for name in ("display_idle", "display_follows"):
        row = pooled_ols(panel(chains[name], ["display", "price", "marketing"])).row("display")
        assert row.low > 0.05
    misled = fixed_effects(panel(chains["display_follows"], ["display", "price", "marketing"]))
    assert misled.row("display").low > 0.05


def test_tables_by_kind_are_plain_means(chains):
    frame = chains["display_sells"]
    table = by_kind(frame, "type").set_index("kind")
    for kind in ("street", "shopping mall"):
        rows = frame[frame.type == kind]
        assert table.loc[kind, "display"] == pytest.approx(rows.display.sum() / len(rows))
        assert table.loc[kind, "stores"] == len(set(rows.outlet))
    assert table.share.sum() == pytest.approx(1)


def test_the_same_seed_makes_the_same_outlets_and_worlds_are_named():
    pd.testing.assert_frame_equal(outlets(stores=150, seed=3), outlets(stores=150, seed=3))
    with pytest.raises(InputError, match="world 'x'") as caught:
        outlets("x", stores=5)
    assert len(caught.value.problems) == 2


# ---- the run's own panel


def test_countries_by_week_count_the_range_of_the_weeks_before():
    day = pd.Timestamp("2024-01-01", tz="UTC")
    rows = [
        ("de", 0, "a", 10.0, 1), ("de", 1, "b", 4.0, 2), ("de", 5, "a", 12.0, 1),
        ("de", 6, "a", 8.0, 1), ("fr", 4, "b", 2.0, 1), ("fr", 6, "b", 3.0, 1),
    ]  # fmt: skip
    events = pd.DataFrame(
        [
            {"user_code": 0 if c == "de" else 1, "event": "purchase", "item_id": item, "week": w,
             "value": v, "quantity": q, "timestamp": day}
            for c, w, item, v, q in rows
        ]
    )  # fmt: skip
    users = pd.DataFrame({"user_code": [0, 1], "country": ["de", "fr"]})
    found = _countries(events, users).frame.set_index(["unit", "week"])
    # Product a sells at 10, 12, 8 (median 10), b at 2, 2, 3 (median 2).
    assert found.loc[("de", 5), "display"] == pytest.approx(np.log1p(1))  # b, in week 1
    assert found.loc[("de", 6), "display"] == pytest.approx(np.log1p(1))  # a, in week 5
    assert found.loc[("de", 5), "price"] == pytest.approx(np.log(1.2))
    assert found.loc[("fr", 6), "sales"] == pytest.approx(np.log(3.0))
    assert found.loc[("fr", 4), "display"] == 0.0


def test_a_source_without_sales_has_no_panel(tiny_run):
    from precmark.runs import Run

    assert "no sales by time and product" in own_panel(Run(tiny_run))


def test_what_is_stored_of_online_retail_is_what_linearmodels_finds(real_data, tmp_path):
    """The panel made again by plain pandas from the normalised log, and fitted elsewhere."""
    from precmark import adapters
    from precmark.contract import ingest
    from precmark.runs import Run, write_card
    from precmark.sessions import write_sessions
    from precmark.statistics import reference

    made = ingest(tmp_path, adapters.load("online-retail"))
    write_card(tmp_path, {"source": made.source, "parameters": {}, "fingerprint": ""})
    write_sessions(Run(tmp_path))
    events = Run(tmp_path).table("sessions/events")
    country = Run(tmp_path).table("contract/users").set_index("user_code").country
    day = (events.timestamp - events.timestamp.min().normalize()).dt.days
    events = events.assign(week=day // 7, country=events.user_code.map(country))
    sold = events[(events.event == "purchase") & (events.value > 0) & events.item_id.notna()]
    sold = sold[sold.week < (day.max() + 1) // 7].assign(each=np.log(sold.value / sold.quantity))
    sold["relative"] = sold.each - sold.item_id.map(sold.groupby("item_id").each.median())
    rows = []
    for (where, week), part in sold.groupby(["country", "week"]):
        if week >= 4:
            before = sold[(sold.country == where) & sold.week.between(week - 4, week - 1)]
            price = np.average(part.relative, weights=part.value)
            reach = np.log1p(before.item_id.nunique())
            rows.append((where, week, np.log(part.value.sum()), reach, price))
    table = pd.DataFrame(rows, columns=["unit", "week", "sales", "display", "price"])
    table = table[table.groupby("unit").week.transform("size") >= 2].assign(constant=1.0)
    table = table.set_index(["unit", "week"])
    stored = reference.stored()
    found = stored.panel.coefficients.set_index(["method", "term"])
    columns = ["constant", "display", "price"]
    for method, theirs in (
        ("pooled OLS", PooledOLS(table.sales, table[columns])),
        ("fixed effects", PanelOLS(table.sales, table[columns], entity_effects=True)),
        ("random effects", RandomEffects(table.sales, table[columns])),
    ):
        fit = theirs.fit(**CLUSTERED)
        for term in ("display", "price"):
            row = found.loc[(method, term)]
            assert row.estimate == pytest.approx(fit.params[term], rel=1e-6)
            assert row.error == pytest.approx(fit.std_errors[term], rel=1e-6)
    assert stored.panel.rows == len(table)
    assert stored.fingerprint == made.checked.fingerprint


def test_the_stored_aggregates_are_read_back_as_they_were(tmp_path):
    from precmark.statistics import reference

    found = reference.stored()
    again = reference.stored(reference.store(found, tmp_path / "a.json"))
    pd.testing.assert_frame_equal(again.panel.coefficients, found.panel.coefficients)
    assert again.spread == found.spread and again.own.columns == ("display", "price")
    with pytest.raises(InputError, match=r"precmark\.statistics\.reference"):
        reference.stored(tmp_path / "none.json")
