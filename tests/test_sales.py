"""The sales estimate against hand computation, and Table 7 against an independent reading."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from precmark import claims, sales
from precmark.errors import InputError
from precmark.plots import sales as plots
from precmark.sales import Counts, Reading, compare, estimate, sentences

RATES = st.floats(0.001, 1)
GROWTHS = st.floats(-0.9, 20)
MARGINS = st.floats(0.05, 1)
OPTIONS = "1234"


# ------------------------------------------------------------------------------ the formula


def by_counting(rate, growth, discount, margin, applies_to):
    """Sales, discount and profit counted over baskets of 1 sold to 100 buyers without coupons."""
    holders = 100 * rate
    others = 100 - holders
    bought = holders * (1 + growth)
    anyway = min(holders, bought)
    discounted = {
        "all": bought, "anyway": anyway, "extra": max(bought - holders, 0), "none": 0.0,
    }[applies_to]  # fmt: skip
    given_away = discount * discounted
    paid = others + bought - given_away
    cost = (1 - margin) * (others + bought)
    return paid, given_away, (paid - cost) - margin * 100


@given(RATES, GROWTHS, st.floats(0, 0.99), MARGINS, st.sampled_from(list(sales.DISCOUNTED)))
def test_the_formula_counts_baskets(rate, growth, discount, margin, applies_to):
    found = estimate(rate, growth, discount, margin=margin, applies_to=applies_to)
    expected = by_counting(rate, growth, discount, margin, applies_to)
    assert (found.sales, found.given, found.profit) == pytest.approx(expected, abs=1e-8)


def test_a_campaign_by_hand():
    found = estimate(0.2, 0.5, 0.1, margin=0.4)
    # 20 of 100 buyers hold a coupon; 30 buy, each paying 0.9: 80 + 27
    assert found.sales == pytest.approx(107)
    assert found.given == pytest.approx(3)
    assert found.profit == pytest.approx(0.4 * 10 - 3)
    assert found.return_on_discount == pytest.approx(1 / 3)
    assert found.break_even_discount == pytest.approx(0.4 * 0.5 / 1.5)
    assert found.sales_break_even_discount == pytest.approx(0.5 / 1.5)
    assert found.break_even_growth == pytest.approx(1 / 3)


@given(RATES, st.floats(0.01, 20), MARGINS, st.sampled_from(["all", "anyway", "extra"]))
def test_profit_is_zero_at_the_break_even_discount(rate, growth, margin, applies_to):
    at = estimate(rate, growth, 0.1, margin=margin, applies_to=applies_to).break_even_discount
    assume(at < 0.999)
    found = estimate(rate, growth, at, margin=margin, applies_to=applies_to)
    assert found.profit == pytest.approx(0, abs=1e-8)
    more = estimate(rate, growth, at + 0.0005, margin=margin, applies_to=applies_to)
    assert more.profit < 0


@given(RATES, st.floats(0.01, 20), MARGINS)
def test_sales_are_100_at_their_break_even_discount(rate, growth, margin):
    at = estimate(rate, growth, 0.1, margin=margin).sales_break_even_discount
    assert estimate(rate, growth, at, margin=margin).sales == pytest.approx(100)
    assert at >= estimate(rate, growth, 0.1, margin=margin).break_even_discount


@given(RATES, st.floats(0.01, 0.9), MARGINS, st.sampled_from(["all", "anyway"]))
def test_profit_is_zero_at_the_break_even_growth(rate, discount, margin, applies_to):
    growth = estimate(rate, 0.0, discount, margin=margin, applies_to=applies_to).break_even_growth
    if not math.isfinite(growth):
        assert discount >= margin
        assert estimate(rate, 1e6, discount, margin=margin, applies_to=applies_to).profit < 0
        return
    assume(growth < 1e4)
    found = estimate(rate, growth, discount, margin=margin, applies_to=applies_to)
    assert found.profit == pytest.approx(0, abs=1e-6)


def test_where_nothing_is_given_there_is_no_return():
    free = estimate(0.1, 0.5, 0.0)
    assert math.isnan(free.return_on_discount)
    assert free.break_even_growth == 0
    none = estimate(0.1, 0.5, 0.15, applies_to="none")
    assert none.given == 0
    assert math.isnan(none.break_even_discount)
    assert estimate(0.1, -0.5, 0.1).break_even_discount == 0
    assert estimate(0.1, 1.0, 0.3, margin=0.3).break_even_growth == math.inf


def test_every_bad_input_is_listed():
    with pytest.raises(InputError) as caught:
        estimate(0.0, math.nan, 1.0, margin=1.5, applies_to="some")
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    for name in ("rate: 0.0", "growth: nan", "discount: 1.0", "margin: 1.5", "applies_to: 'some'"):
        assert name in text


@pytest.mark.parametrize("bad", ["0.1", True, None, math.inf, -0.01, 1.01])
def test_a_rate_must_be_a_share(bad):
    with pytest.raises(InputError, match="rate"):
        estimate(bad, 0.1, 0.1)


def test_what_is_not_asked_for_is_the_papers_option_4():
    figure = claims.paper
    assert sales.asked_or_paper(None, None, None) == (
        figure("gu", "table7.option4_rate"), figure("gu", "table7.option4_growth"),
        figure("gu", "section5.discount"),
    )  # fmt: skip
    assert sales.asked_or_paper(0.5, 0.0, 0.0) == (0.5, 0.0, 0.0)


def test_everything_wrong_with_what_is_asked_for_is_listed():
    with pytest.raises(InputError) as caught:
        sales.asked_or_paper(1.5, -2.0, 1.0, margin=0.0, draws=99)
    assert [p.what.split(":")[0] for p in caught.value.problems] == [
        "rate", "growth", "discount", "margin", "draws",
    ]  # fmt: skip


# -------------------------------------------------------------------------------- uncertainty

BIG = Counts(20_000, 0.05, 500_000, 0.025, rate=0.03)


def test_intervals_agree_with_the_delta_method():
    found = compare({"a": BIG}, 0.15, margin=0.3, draws=40_000).set_index("quantity")
    share, other = BIG.couponed_conversion, BIG.other_conversion
    # var(log(C1/C2)) = (1 - C1) / (n1 C1) + (1 - C2) / (n2 C2)
    spread = math.sqrt(
        (1 - share) / (BIG.couponed * share) + (1 - other) / (BIG.other * other)
    )  # fmt: skip
    ratio = share / other
    slopes = {
        "growth": ratio,
        "sales_per_coupon": ratio * 0.85,
        "sales": 100 * 0.03 * ratio * 0.85,
        "return_on_discount": 0.3 / 0.15 / ratio,  # back = (m / d) (1 - 1 / ratio) - 1
    }
    for quantity, slope in slopes.items():
        half = (found.high - found.low)[quantity] / 2
        assert half == pytest.approx(1.959964 * slope * spread, rel=0.04), quantity


def test_values_are_those_of_the_formula():
    found = compare({"a": BIG}, 0.15, margin=0.3, draws=200).set_index("quantity").value
    plain = estimate(0.03, 0.05 / 0.025 - 1, 0.15, margin=0.3)
    assert found["sales"] == pytest.approx(plain.sales)
    assert found["return_on_discount"] == pytest.approx(plain.return_on_discount)
    assert found["growth"] == pytest.approx(1.0)
    assert found["sales_per_coupon"] == pytest.approx((plain.sales - 100) / 3)


def test_the_share_of_holders_has_its_beta_distribution():
    from scipy.stats import beta

    counts = Counts(900, 0.04, 10**9, 0.02)
    found = compare({"a": counts}, 0.1, draws=60_000).set_index("quantity").loc["growth"]
    ends = beta(36.5, 864.5).ppf([0.025, 0.975]) / 0.02 - 1
    assert [found.low, found.high] == pytest.approx(ends, rel=0.02)


def test_a_counted_rate_is_less_sure_than_a_set_one():
    counted = Counts(200, 0.05, 2_000, 0.025)
    given_rate = Counts(200, 0.05, 2_000, 0.025, rate=200 / 2_200)
    found = compare({"counted": counted, "set": given_rate}, 0.1).set_index(
        ["quantity", "campaign"]
    )
    width = found.high - found.low
    assert width["sales", "counted"] > 1.005 * width["sales", "set"]
    assert found.value["sales", "counted"] == pytest.approx(found.value["sales", "set"])


def test_equal_campaigns_lead_equally_often_and_the_seed_decides():
    twins = {"a": BIG, "b": BIG}
    first = compare(twins, 0.15, draws=8_000, seed=3)
    best = first[first.quantity == "sales"].best
    assert best.sum() == pytest.approx(1)
    assert best.iloc[0] == pytest.approx(0.5, abs=0.03)
    assert first.equals(compare(twins, 0.15, draws=8_000, seed=3))
    assert not first.equals(compare(twins, 0.15, draws=8_000, seed=4))


def test_without_a_discount_there_is_no_return_to_compare():
    assert set(compare({"a": BIG}, 0.0, draws=200).quantity) == {
        "growth", "sales", "sales_per_coupon",
    }  # fmt: skip


def test_bad_counts_are_listed_by_campaign():
    with pytest.raises(InputError) as caught:
        compare(
            {"a": Counts(0, 1.2, 100, 0.0), "b": Counts(10, 0.1, 100, 0.1, rate=2.0)},
            1.0, draws=5, level=1.0,
        )  # fmt: skip
    text = str(caught.value)
    for part in ("discount", "a.couponed:", "a.couponed_conversion", "a.other_conversion",
                 "b.rate", "draws", "level"):  # fmt: skip
        assert part in text
    assert len(caught.value.problems) == 7
    with pytest.raises(InputError, match="none given"):
        compare({}, 0.1)


def test_the_papers_counts_are_its_table_6():
    found = sales.paper_counts()
    assert list(found) == list(OPTIONS)
    assert found["2"].couponed == claims.paper("gu", "table6.option2_couponed_sessions")
    assert found["2"].rate == claims.paper("gu", "table7.option2_rate")
    assert sales.paper_counts(printed_rate=False)["2"].rate is None


# ------------------------------------------------------------------- Table 7 under every reading


def figures_of(option):
    """The paper's figures of one option, as plain numbers."""

    def get(table, name):
        return claims.paper("gu", f"{table}.option{option}_{name}")

    return SimpleNamespace(
        n1=get("table6", "couponed_sessions"), n2=get("table6", "other_sessions"),
        c1=get("table6", "couponed_conversion"), c2=get("table6", "other_conversion"),
        r=get("table7", "rate"), g=get("table7", "growth"), s=get("table7", "sales"),
    )  # fmt: skip


def by_hand(every, option, reading, d):
    """Sales of `option` under `reading`, from the figures `every` by option, written out again."""
    x, one = every[option], every["1"]
    rate = {
        "printed": x.r,
        "sessions": x.n1 / (x.n1 + x.n2),
        "conversions": (x.n1 / x.c1) / (x.n1 / x.c1 + x.n2 / x.c2),
    }[reading.rate]
    base = {
        "C-2": x.c2,
        "all sessions": (x.n1 * x.c1 + x.n2 * x.c2) / (x.n1 + x.n2),
        "pooled C-2": sum(e.n2 * e.c2 for e in every.values()) / sum(e.n2 for e in every.values()),
        "plain C-2": sum(e.c2 for e in every.values()) / 4,
        "option 1, C-1": one.c1,
        "option 1, C-2": one.c2,
        "market, low": 0.02,
        "market, middle": 0.025,
        "market, high": 0.03,
    }
    growth = x.g if reading.growth == "printed" else x.c1 / base[reading.growth] - 1
    lift = {
        "all": (1 + growth) * (1 - d) - 1,
        "anyway": growth - d * min(1, 1 + growth),
        "extra": growth - d * max(growth, 0),
        "none": growth,
    }[reading.discount]
    return {
        "share of sessions": 100 + 100 * rate * lift,
        "per other session": 100 + 100 * rate * lift / (1 - rate),
        "share of sales": 100 / (1 - rate + rate / (1 + lift)),
        "on top": 100 + 100 * rate * (1 + lift),
    }[reading.form]


@pytest.fixture(scope="module")
def table():
    return sales.table7()


def test_every_reading_is_computed_as_written_out(table):
    every = {o: figures_of(o) for o in OPTIONS}
    readings = sales.every_reading()
    assert len(readings) == len(set(readings)) == table.reading.nunique()
    assert len(table) == 4 * len(readings)
    for row in table.itertuples():
        reading = Reading(row.rate, row.growth, row.discount, row.form)
        expected = by_hand(every, row.option, reading, 0.15)
        assert row.computed == pytest.approx(expected, abs=1e-9), reading
        assert row.printed == every[row.option].s


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sales.every_reading()), st.sampled_from(list(OPTIONS)),
    st.lists(st.floats(-1, 1), min_size=12, max_size=12),
)  # fmt: skip
def test_no_true_values_behind_the_digits_fall_outside_the_range(reading, option, moves):
    every = {o: figures_of(o) for o in OPTIONS}
    shifts = iter(moves)
    for o in OPTIONS:
        every[o].c1 += 0.00005 * next(shifts)
        every[o].c2 += 0.00005 * next(shifts)
    every[option].r += 0.00005 * next(shifts)
    every[option].g += 0.00005 * next(shifts)
    found = sales.sales_of(option, reading)
    assert found.low - 1e-9 <= by_hand(every, option, reading, 0.15) <= found.high + 1e-9


def test_agreement_is_overlap_of_rounded_figures(table):
    for row in table.itertuples():
        overlap = row.low <= row.printed + 0.005 and row.high >= row.printed - 0.005
        assert row.agrees == overlap or min(
            abs(row.low - row.printed - 0.005), abs(row.high - row.printed + 0.005)
        ) < 1e-8  # fmt: skip
        assert (row.miss < 1e-9) == row.agrees


def test_readings_are_ordered_by_their_worst_row(table):
    order = sales.ranked(table)
    assert order["largest miss"].is_monotonic_increasing
    for number in (order.index[0], order.index[-1], 7):
        rows = table[table.reading == number]
        assert order.loc[number, "largest miss"] == rows.miss.max()
        assert order.loc[number, "rows"] == rows.agrees.sum()
        assert order.loc[number, "option 3"] == rows.computed[rows.option == "3"].item()


def test_rows_whose_sales_no_discount_explains_by_hand():
    expected = []
    for option in OPTIONS:
        x = figures_of(option)
        most = 100 + 100 * (x.r + 0.00005) * (x.g + 0.00005)
        if x.s - 0.005 > most:
            expected.append(option)
    assert sales.above_free() == expected


def test_only_holders_counted_twice_lift_those_rows_above_their_sales():
    every = {o: figures_of(o) for o in OPTIONS}
    for form in sales.FORMS:
        reading = Reading("printed", "printed", "none", form)
        most = {o: by_hand(every, o, reading, 0.15) for o in sales.above_free()}
        above = [value > every[o].s for o, value in most.items()]
        assert all(above) if form == "on top" else not any(above)


def test_no_meaning_of_growth_gives_the_printed_growths():
    every = {o: figures_of(o) for o in OPTIONS}
    found = sales.growth_readings()
    assert set(found.index) == set(sales.GROWTHS) - {"printed"}
    for meaning, row in found.iterrows():
        # the sales of a rate of 1 without discount are 1 + growth
        reading = Reading("printed", meaning, "none", "share of sessions")
        growth = {
            o: (by_hand(every, o, reading, 0) / 100 - 1) / every[o].r for o in OPTIONS
        }  # fmt: skip
        miss = [abs(growth[o] - every[o].g) for o in OPTIONS]
        assert row["largest miss"] == pytest.approx(max(miss), abs=0.03)
        assert row["largest miss"] < max(miss)
        assert row.rows <= sum(m < 0.03 for m in miss)
    assert found.rows.max() < 4
    assert found.rows.is_monotonic_decreasing


@given(*[st.floats(-5, 5)] * 4)
def test_the_gap_of_two_intervals_is_the_way_between_their_ends(a, b, c, d):
    one, other = (
        sales.readings.Interval(min(p), min(p), max(p)) for p in ((a, b), (c, d))
    )  # fmt: skip
    inside = max(one.low, other.low) <= min(one.high, other.high)
    ends = [abs(x - y) for x in (a, b) for y in (c, d)]
    assert sales.readings.gap_of(one, other) == (0 if inside else min(ends))


def test_the_implied_base_gives_the_printed_growth_back():
    rows = sales.row_by_row().set_index("option")
    for option in OPTIONS:
        x = figures_of(option)
        base = sales.implied_base(option)
        assert x.c1 / base.value - 1 == pytest.approx(x.g)
        assert base.low < base.value < base.high
        implied = rows["discount implied"][option]
        # the printed sales come back from the printed rate and growth at the implied discount
        back = 100 * (1 + x.r * ((1 + x.g) * (1 - implied) - 1))
        assert back == pytest.approx(x.s)


def consistent(monkeypatch, discount_off=1.0):
    """Replace the printed rates, growths and sales by ones that follow from Table 6."""
    from dataclasses import replace

    real = claims.claims("gu")
    changed = dict(real)
    for o in OPTIONS:
        x = figures_of(o)
        rate, growth = round(x.n1 / (x.n1 + x.n2), 4), round(x.c1 / x.c2 - 1, 4)
        value = round(100 * (1 + rate * ((1 + growth) * (1 - 0.15 * discount_off) - 1)), 2)
        for name, new in (("rate", rate), ("growth", growth), ("sales", value)):
            key = f"table7.option{o}_{name}"
            changed[key] = replace(real[key], value=new)
    monkeypatch.setattr(claims, "claims", lambda paper: changed)
    for cached in (sales.readings.rate_of, sales.readings.growth_of, sales.readings.base_of):
        cached.cache_clear()


@pytest.fixture
def forget():
    yield
    for cached in (sales.readings.rate_of, sales.readings.growth_of, sales.readings.base_of):
        cached.cache_clear()


def test_a_table_that_follows_is_found_to_follow(monkeypatch, forget):
    consistent(monkeypatch)
    table = sales.table7()
    best = sales.ranked(table).iloc[0]
    assert best.rows == 4
    assert best["largest miss"] == 0
    agreeing = table[table.agrees].groupby("reading").filter(lambda rows: len(rows) == 4)
    keys = set(agreeing[["rate", "growth", "discount", "form"]].itertuples(index=False, name=None))
    assert ("printed", "printed", "all", "share of sessions") in keys
    assert sales.above_free() == []
    said = sentences.on_readings(table, sales.ranked(table))
    assert "agrees with every row" in said
    assert "0 of" not in said


# ------------------------------------------------------------------------------- the truth


def option_row(policy, world="w", budget="b", **values):
    base = {"world": world, "budget": budget, "policy": policy, "title": f"option {policy}",
            "c1": 0.05, "c1_n": 100.0, "c2_all": 0.02, "c2_all_n": 900.0, "incremental": 0.0,
            "order_value": 0.0, "discount": 0.0, "net_30d": 0.0, "profit_30": 0.0}  # fmt: skip
    return base | values


def test_formula_and_truth_of_a_store_by_hand():
    options = pd.DataFrame([
        option_row("1", incremental=2.0, order_value=40.0, discount=10.0, net_30d=1.0,
                   profit_30=2.0),
        option_row("2", world="no_effect", discount=5.0, profit_30=-5.0),
        option_row("3", c1_n=0.0, c1=np.nan),
    ])  # fmt: skip
    found = sales.formula_against_truth(options, 0.15).set_index("policy")
    assert list(found.index) == ["1", "2"]  # option 3 gave no coupon
    # 5 + 18 purchases, of which 2 were caused: 21 without, worth 20 each (40 / 2)
    assert found.true["1"] == pytest.approx(100 * (1 + (40 - 10) / (21 * 20)))
    assert found.true_30d["1"] == pytest.approx(100 * (1 + (20 - 10) / (21 * 20)))
    assert found.true["2"] == pytest.approx(100 * (1 - 5 / (23 * 20)))
    assert found.rate["1"] == pytest.approx(0.1)
    assert found.growth["1"] == pytest.approx(1.5)
    assert found.estimated["1"] == pytest.approx(100 * (1 + 0.1 * (2.5 * 0.85 - 1)))
    assert found.estimated_free["1"] == pytest.approx(115)
    assert found.gap["2"] == pytest.approx(found.estimated["2"] - found.true["2"])
    assert found.true_return["1"] == pytest.approx(0.2)


def test_in_a_randomised_store_the_formula_is_right():
    # holders convert at 3 %, would have at 2 %, like the others; every purchase discounted
    options = pd.DataFrame([
        option_row("1", c1=0.03, c1_n=1000.0, c2_all=0.02, c2_all_n=9000.0, incremental=10.0,
                   order_value=200.0, discount=0.15 * 30 * 20, net_30d=10.0)
    ])  # fmt: skip
    found = sales.formula_against_truth(options, 0.15).iloc[0]
    assert found.gap == pytest.approx(0, abs=1e-9)


def test_without_any_caused_order_purchases_are_counted():
    found = sales.formula_against_truth(pd.DataFrame([option_row("1")]), 0.15).iloc[0]
    assert found.true == 100


def test_the_spread_of_the_truth_is_that_of_the_revenue():
    rows = [
        option_row("1", incremental=2.0, order_value=40.0, discount=10.0),
        option_row("2", discount=4.0),
    ]
    plain = sales.formula_against_truth(pd.DataFrame(rows), 0.15)
    assert plain[["true_low", "true_high"]].isna().all(axis=None)
    options = pd.DataFrame(rows).assign(revenue_low=[-12.0, -6.0], revenue_high=[90.0, -2.0])
    found = sales.formula_against_truth(options, 0.15)
    # 21 purchases without coupons, 23 where the coupons caused none, worth 20 each
    assert found.true_low.tolist() == pytest.approx([100 - 1200 / 420, 100 - 600 / 460])
    assert found.true_high.tolist() == pytest.approx([100 + 9000 / 420, 100 - 200 / 460])
    assert found.true.tolist() == plain.true.tolist()


def test_the_papers_own_rates_are_the_main_budget():
    table = pd.DataFrame({"budget": ["equal coupons", "paper rates", "equal coupons"]})
    assert list(sales.main_budget(table).index) == [1]
    assert list(sales.main_budget(table.drop(index=1)).index) == [0, 2]
    assert sales.main_budget(table.iloc[:0]).empty


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(InputError, match="lacks c1_n, discount"):
        sales.formula_against_truth(
            pd.DataFrame([option_row("1")]).drop(columns=["c1_n", "discount"]), 0.15
        )
    with pytest.raises(InputError, match="discount"):
        sales.formula_against_truth(pd.DataFrame([option_row("1")]), 1.0)


def test_the_best_return_by_world():
    options = pd.DataFrame([
        option_row("1", discount=10.0, profit_30=5.0),
        option_row("2", discount=10.0, profit_30=-5.0),
        option_row("4", discount=20.0, profit_30=14.0),
        option_row("6", discount=1.0, profit_30=99.0),
        option_row("1", world="v", discount=10.0, profit_30=1.0),
        option_row("4", world="v", discount=10.0, profit_30=-1.0),
        option_row("4", world="u", discount=0.0),
    ])  # fmt: skip
    found = sales.returns(options).set_index("world")
    assert list(found.best) == ["4", "1"]
    assert list(found.option4) == pytest.approx([0.7, -0.1])
    assert list(found.next) == pytest.approx([0.5, 0.1])


# --------------------------------------------------------------- sentences, verdicts, figures


class Notes:
    """Stands for a chapter and keeps its verdicts."""

    def __init__(self):
        self.kept = {}

    def verdict(self, *, id, **values):
        self.kept[id] = values


def verdicts_of(best=None):
    notes = Notes()
    table = sales.table7()
    counted = compare(sales.paper_counts(), 0.15, draws=2_000)
    sales.sales_verdicts(notes, sales.row_by_row(), sales.ranked(table), counted, best)
    return notes.kept


def test_verdicts_on_the_paper_as_printed():
    found = verdicts_of()
    assert set(found) == {
        "gu-table7-sales-follow", "gu-table7-growth-from-table6", "gu-abstract-growth",
        "gu-option4-best-return",
    }  # fmt: skip
    # none of the four growths is C-1 / C-2 - 1, to four digits
    assert all(
        abs(figures_of(o).c1 / figures_of(o).c2 - 1 - figures_of(o).g) > 0.01 for o in OPTIONS
    )
    for id in ("gu-table7-sales-follow", "gu-table7-growth-from-table6", "gu-abstract-growth"):
        assert found[id]["verdict"] == "internally inconsistent"
    assert found["gu-option4-best-return"]["verdict"] == "holds if assumed"


def test_a_consistent_table_gets_another_verdict(monkeypatch, forget):
    consistent(monkeypatch)
    found = verdicts_of()
    assert found["gu-table7-sales-follow"]["verdict"] == "reproduced"
    assert found["gu-table7-growth-from-table6"]["verdict"] == "reproduced"


@pytest.mark.parametrize(
    ("bests", "verdict"),
    [(["4", "1"], "holds if assumed"), (["1", "2"], "not reproduced")],
)
def test_where_the_truth_is_known_it_decides_on_the_return(bests, verdict):
    best = pd.DataFrame(
        {"world": ["persuadable_risk", "orthogonal"], "budget": "paper rates", "best": bests,
         "option4": 0.1, "next": 0.2}
    )  # fmt: skip
    none = pd.DataFrame(
        {"world": ["no_effect"], "budget": "paper rates", "best": "4", "option4": -1.0,
         "next": -1.0}
    )  # fmt: skip
    found = verdicts_of(pd.concat([none, best]))["gu-option4-best-return"]
    assert found["verdict"] == verdict
    assert found["ours"].startswith(f"best in {bests.count('4')} of 2")


def test_without_a_discount_or_a_truth_the_return_is_open():
    notes = Notes()
    table = sales.table7()
    counted = compare(sales.paper_counts(), 0.0, draws=200)
    none = sales.returns(pd.DataFrame([option_row("4", world="no_effect", discount=1.0)]))
    for best in (None, none):
        sales.sales_verdicts(notes, sales.row_by_row(), sales.ranked(table), counted, best)
        assert notes.kept["gu-option4-best-return"]["verdict"] == "undecided"


def test_sentences_on_rows_name_the_rows_that_cannot_be():
    text = sentences.on_rows(sales.row_by_row())
    assert "For options 2, 3 and 4" in text
    assert text.startswith("In 4 of 4 rows")
    assert "Of 9 conversions that the text lets it grow from, none gives all rows." in text


def test_the_calculator_says_when_no_growth_pays():
    assert "no growth whatever" in sentences.on_calculator(estimate(0.1, 0.5, 0.4, margin=0.3))
    assert "with a growth of +100%" in sentences.on_calculator(estimate(0.1, 0.5, 0.15))


def test_the_answer_with_and_without_an_ablation():
    order = sales.ranked(sales.table7())
    plain = sentences.answer(order, None)
    assert "simulated" not in plain
    options = pd.DataFrame([option_row("4", world="no_effect", discount=5.0),
                            option_row("4", incremental=2.0, order_value=40.0)])  # fmt: skip
    with_truth = sentences.answer(order, sales.formula_against_truth(options, 0.15))
    assert with_truth.startswith(plain)
    assert "the formula reports sales from 111.25 to 111.25" in with_truth


def test_how_often_formula_and_truth_name_the_same_best():
    rows = [
        {"world": w, "budget": "b", "policy": p, "estimated": e, "true": t}
        for w, p, e, t in [("v", "1", 101, 103), ("v", "4", 105, 102),
                           ("w", "1", 101, 100), ("w", "4", 105, 104)]
    ]  # fmt: skip
    text = sentences.on_order(pd.DataFrame(rows))
    assert "belong to option 4" in text
    assert "in 1 of 2 combinations" in text


def test_figures_draw_the_tables_that_they_return(table):
    order = sales.ranked(table)
    fig, drawn = plots.readings(table, order)
    ax = fig.axes[0]
    printed = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "|"]
    assert printed == [figures_of(o).s for o in OPTIONS]
    assert drawn is table
    counted = compare(sales.paper_counts(), 0.15, draws=500)
    fig, drawn = plots.uncertainty(counted, sales.row_by_row())
    assert fig.axes[0].get_title() == "growth of the conversion"
    fig, drawn = plots.break_even(estimate(0.1, 1.0, 0.2, margin=0.5))
    zero = drawn.loc[drawn.profit.abs().idxmin(), "discount"]
    assert zero == pytest.approx(0.25, abs=0.01)


def test_the_truth_is_drawn_by_world():
    worlds = ["no_effect", "orthogonal", "sure_things", "lost_causes"]
    rows = [option_row(p, world=w, incremental=1.0, order_value=20.0, discount=1.0)
            for w, p in itertools.product(worlds, "146")]  # fmt: skip
    truth = sales.formula_against_truth(pd.DataFrame(rows), 0.15)
    fig, drawn = plots.against_truth(truth)
    titles = [ax.get_title() for ax in fig.axes if ax.get_title()]
    assert titles == [sentences.world_title(w) for w in worlds]
    assert len(drawn) == 8  # nobody can follow the oracle
