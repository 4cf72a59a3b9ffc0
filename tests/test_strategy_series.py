"""Interrupted series against statsmodels, planted truths and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from precmark.errors import InputError
from precmark.strategy import series, series_study, turnover
from precmark.strategy.series import interrupted


def noisy(n=60, at=36, effect=0.3, seed=0, season=0.0):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    level = 100 + 0.5 * t + season * 100 * np.sin(2 * np.pi * t / 12)
    return level * (1 + effect * (t >= at)) + rng.normal(0, 4, n)


@pytest.mark.parametrize("options", [{}, {"slope": True}, {"period": 12, "harmonics": 2}])
def test_fit_is_that_of_statsmodels(options):
    from statsmodels.regression.linear_model import OLS

    y, at = noisy(), 36
    ours = interrupted(y, at, lags=3, **options)
    t = np.arange(len(y))
    after = (t >= at).astype(float)
    x = {"one": np.ones(len(y)), "t": t.astype(float)}
    for h in range(1, options.get("harmonics", 0) + 1):
        x |= {f"s{h}": np.sin(2 * np.pi * h * t / 12), f"c{h}": np.cos(2 * np.pi * h * t / 12)}
    x["level"] = after
    if options.get("slope"):
        x["slope"] = after * (t - at)
    frame = pd.DataFrame(x)
    fit = OLS(y / y[:at].mean(), frame).fit(
        cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True}, use_t=True
    )
    weight = np.zeros(frame.shape[1])
    weight[frame.columns.get_loc("level")] = 1
    if options.get("slope"):
        weight[frame.columns.get_loc("slope")] = (t[at:] - at).mean()
    test = fit.t_test(weight)
    low, high = np.ravel(test.conf_int())
    assert ours.effect == pytest.approx(float(np.ravel(test.effect)[0]))
    assert (ours.low, ours.high) == pytest.approx((low, high))
    assert ours.p_value == pytest.approx(float(np.ravel(test.pvalue)[0]), rel=1e-6, abs=1e-12)


def test_without_trend_and_lags_it_is_a_difference_of_means():
    y = np.array([10.0, 12, 11, 9, 10, 12, 11, 13, 20, 22, 21])
    fit = interrupted(y, 8, trend=False, lags=0)
    assert fit.effect == pytest.approx((21 - 11) / 11)
    assert fit.relative == pytest.approx(21 / 11 - 1)
    assert fit.without == pytest.approx(np.ones(11))


def test_a_season_that_falls_on_the_campaign_is_told_from_it_where_seasons_are_seen():
    y = noisy(n=65, at=60, effect=0.0, season=0.4)
    plain, seasonal = interrupted(y, 60), interrupted(y, 60, period=12)
    assert abs(seasonal.effect) < 0.05 < abs(plain.effect)


def test_a_shared_shock_drops_out_with_a_control_group():
    rng = np.random.default_rng(5)
    shared = 100 * np.exp(np.cumsum(rng.normal(0, 0.1, 60)))
    control = shared + rng.normal(0, 1, 60)
    treated = 3 * shared * (1 + 0.2 * (np.arange(60) >= 40)) + rng.normal(0, 2, 60)
    fit = interrupted(treated, 40, control=control, trend=False)
    assert fit.relative == pytest.approx(0.2, abs=0.02)
    assert fit.relative_low < 0.2 < fit.relative_high + 0.02


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = [
        (f := interrupted(noisy(seed=s, effect=0.0), 36)).low <= 0 <= f.high for s in range(300)
    ]
    assert 0.88 < np.mean(held) < 0.98


def test_bad_series_are_refused_with_all_that_is_wrong():
    with pytest.raises(InputError) as error:
        interrupted(np.array([1.0, np.nan, 3]), 2, control=np.ones(5), period=2)
    for part in ("not a row of numbers", "5 periods for 3", "2 periods before", "season"):
        assert part in str(error.value)
    with pytest.raises(InputError, match="mean before the start is not above 0"):
        interrupted(-np.ones(20), 12)


def test_placebos_see_nothing_of_the_campaign():
    y = noisy(n=50, at=40)
    table = series.placebos(y, 40, after=6)
    spoilt = np.where(np.arange(50) >= 40, 1e6, y)
    again = series.placebos(spoilt, 40, after=6)
    assert table[~table.real].equals(again[~again.real])
    assert table["at"].tolist() == [*range(8, 35), 40]
    literal = interrupted(y[:26], 20).effect
    assert table.effect[table["at"] == 20].item() == pytest.approx(literal)
    far = (table.effect.abs() >= abs(table.effect.iloc[-1])).sum()
    assert series.placebo_p(table) == far / len(table) and far >= 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_two_counts_by_summing_every_split(first, last):
    p, low, high = turnover.equal_rates(first, last)
    n = first + last
    if n == 0:
        assert p == 1
        return
    chance = binom.pmf(np.arange(n + 1), n, 0.5)
    assert p == pytest.approx(min(1.0, chance[chance <= chance[last] * (1 + 1e-7)].sum()))
    assert low - 1e-9 <= (last / first - 1 if first else math.inf) <= high + 1e-9


def test_the_printed_rise_by_hand():
    rise = turnover.printed_rise()
    assert rise.growth == pytest.approx(11 / 7.41 - 1)
    assert (1 + rise.a_month) ** 4 == pytest.approx(11 / 7.41)
    assert rise.noise * 1.959964 * math.sqrt(2) == pytest.approx(math.log(11 / 7.41))
    table = turnover.homes()
    assert table["first"].tolist() == pytest.approx([7.41 / p for p in table.price])
    first, last = turnover.sales_needed()
    assert turnover.equal_rates(first, last)[0] < 0.05
    assert turnover.equal_rates(first - 1, round((first - 1) * 11 / 7.41))[0] >= 0.05


def test_windows_by_literal_loop():
    rng = np.random.default_rng(1)
    days = pd.DataFrame(
        {"sales": rng.integers(0, 9, 200).astype(float)},
        index=pd.date_range("2024-01-01", periods=200, name="day"),
    )
    found = turnover.windows(days, months=3)
    whole = days.sales.to_numpy()[1:-1]
    rows = []
    for i in range(len(whole) - 90 + 1):
        first, last = whole[i : i + 30].sum(), whole[i + 60 : i + 90].sum()
        rows.append((days.index[1 + i], last / first - 1))
    assert found.start.tolist() == [r[0] for r in rows]
    assert found.rise.tolist() == pytest.approx([r[1] for r in rows])
    assert turnover.windows(days.iloc[:80], months=3).empty


@pytest.fixture(scope="module")
def weeks():
    rng = np.random.default_rng(2)
    n, users = 40, 300
    user = rng.integers(0, users, 9000)
    week = rng.integers(0, n, 9000)
    return series_study.Weeks(
        pd.date_range("2024-01-01", periods=n, freq="7D"), user, week, rng.gamma(4, 5, 9000), 24
    )


def test_planting_adds_what_it_says_to_one_half_only(weeks):
    plain, control = series_study.plant(weeks, 0.0, 1)
    more, again = series_study.plant(weeks, 0.4, 1)
    assert (control == again).all() and more[:24] == pytest.approx(plain[:24])
    assert more[24:].sum() / plain[24:].sum() == pytest.approx(1.4, abs=0.05)
    assert plain + control == pytest.approx(weeks.series(np.ones(len(weeks.user))))
    assert not (series_study.plant(weeks, 0.0, 2)[0] == plain).all()
    with pytest.raises(InputError, match=r"effect: 1\.5"):
        series_study.plant(weeks, 1.5, 1)


def test_study_finds_what_was_planted_where_nothing_else_happens(weeks):
    table = series_study.study(weeks, replications=25)
    at = table.set_index(["planted", "way"])
    control = series_study.WAYS[-1]
    assert at.loc[(0.3, control), "effect"] == pytest.approx(0.3, abs=0.05)
    assert at.loc[(0.0, control), "effect"] == pytest.approx(0.0, abs=0.05)
    assert at.loc[(0.3, control), "says"] > 0.9 > 0.3 > at.loc[(0.0, control), "says"]
    assert np.isnan(at.loc[(0.0, series_study.WAYS[0]), "covers"])


def test_last_against_first_month_is_four_weeks_each(weeks):
    treated, control = series_study.plant(weeks, 0.3, 3)
    table = series_study.judged(treated, control, weeks.at).set_index("way")
    by_hand = treated[36:].sum() / treated[24:28].sum() - 1
    assert table.effect[series_study.WAYS[0]] == pytest.approx(by_hand)
    assert bool(table.says[series_study.WAYS[0]]) == (by_hand > 0)
