"""Tables, sentences, verdicts and figures of the ablation, from policies on a small future."""

from __future__ import annotations

from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from precmark.ablation import (
    WORLDS_IN_ORDER,
    World,
    expected,
    future_of,
    needed_response,
    oracle,
    primary_comparisons,
    profit_column,
    random_holdout,
    readings,
    replicate,
    sentences,
    tables,
    verdicts,
)
from precmark.ablation.options import FACTORIAL, OPTIONS
from precmark.claims import paper
from precmark.errors import InputError
from precmark.plots import ablation as plots
from precmark.simulate import Config, simulate, world_summary
from precmark.uplift import randomised_effect


@dataclass(frozen=True)
class Tables:
    options: pd.DataFrame
    replications: pd.DataFrame
    holdout: pd.DataFrame
    needed: pd.DataFrame
    worlds: pd.DataFrame
    cutoffs: pd.DataFrame
    sweeps: pd.DataFrame


def best(future, score, count):
    """The `count` decisions with the highest score, one a user, so that the 7-day rule holds."""
    order = pd.Series(np.argsort(-score, kind="stable"))
    first = order[~pd.Series(future.user).iloc[order].duplicated().to_numpy()]
    return first.to_numpy()[:count]


def policies_of(future, world, count):
    """Every option and cell, from scores that are easy to write down."""
    rng = np.random.default_rng(0)
    lot, noise = rng.integers(0, 18, len(future)), rng.random(len(future))
    taste = future.pi.argmax(axis=1)
    out = {}
    for name, o in {**OPTIONS, **FACTORIAL}.items():
        if o.kind == "oracle":
            out[name] = oracle(future, world, o.objective, budget=count)
            continue
        score = noise
        if o.segments:
            score = np.round(1 - future.p0, 1) + 1e-6 * noise
        if o.risk:
            score = 1 - future.p0 + 0.1 * noise * o.segments
        if o.kind == "uplift":
            score = world.tau(future).max(axis=1) + 0.01 * noise
        coupon = np.full(len(future), -1, dtype=np.int8)
        at = best(future, score, count)
        coupon[at] = (taste if o.recommendation else lot)[at]
        out[name] = coupon
    return out


@pytest.fixture(scope="module")
def study() -> Tables:
    config = Config(scale="classroom", seed=4, coupon_share=0)
    future = future_of(simulate("classroom", seed=4, coupon_share=0), config)
    rows, drawn, held, swept = [], [], [], []
    for world in map(World, WORLDS_IN_ORDER):
        for budget, count in zip(tables.BUDGETS, (120, 100, 90), strict=True):
            policies = policies_of(future, world, count)
            for name, coupon in policies.items():
                o = {**OPTIONS, **FACTORIAL}[name]
                row = expected(future, coupon, world)
                spread = {"incremental_per_coupon": 0.01, "profit_30": 5.0, "revenue": 9.0}
                rows.append(
                    {
                        "world": world.name, "budget": budget, "policy": name, "title": o.title,
                        "segments": o.segments, "risk": o.risk,
                        "recommendation": o.recommendation, **row.as_dict(),
                        **{f"{k}_low": getattr(row, k) - v for k, v in spread.items()},
                        **{f"{k}_high": getattr(row, k) + v for k, v in spread.items()},
                        "exploration_cost_30": 7.0 if o.kind == "uplift" else 0.0,
                    }
                )  # fmt: skip
            if budget == tables.EQUAL_COUPONS:
                main = {k: policies[k] for k in tables.MAIN}
                drawn.append(replicate(future, main, world, replications=40))
                one = random_holdout(future, policies["4"], world, replications=20)
                held.append(one.assign(policy="4", budget=budget))
                four = policies["4"]
        for effect in (0.003, 0.009):
            for name in ("1", "4"):
                there = expected(future, policies[name], World(world.name, effect=effect))
                keys = {"sweep": "effect", "value": effect, "policy": name, "world": world.name}
                swept.append(keys | there.as_dict())
    options = pd.DataFrame(rows)
    cutoffs = options[["budget", "policy"]].assign(
        wanted_rate=0.02, realised_rate=options["rate_sessions"], cutoff=0.9
    )
    return Tables(
        options=options,
        replications=pd.concat(drawn, ignore_index=True),
        holdout=pd.concat(held, ignore_index=True),
        needed=needed_response(future, four),
        worlds=world_summary(future.decisions, future.users, coupon_shares={"some": 0.05}),
        cutoffs=cutoffs.drop_duplicates(["budget", "policy"]),
        sweeps=pd.DataFrame(swept),
    )


@pytest.fixture(scope="module")
def primary(study) -> pd.DataFrame:
    return primary_comparisons(study.replications)


def test_table_5_is_the_papers_for_the_first_four():
    table = tables.table5().set_index("option")
    printed = {"1": "No No No", "2": "No Yes Yes", "3": "Yes Yes No", "4": "Yes Yes Yes"}
    columns = ["segments", "C-ATT-LSTM", "hybrid recommendation"]
    for number, wanted in printed.items():
        row = table[table.index.str.startswith(f"{number}:")].iloc[0]
        assert " ".join(row[columns]) == wanted and row["in the paper"] == "yes"
    assert (table["in the paper"] == "yes").sum() == 4
    assert table["who gets a coupon"].iloc[0] == "by lot"


def test_table_6_stands_row_by_row_beside_the_papers(study):
    table = tables.table6(study.options, world="lost_causes", budget=tables.PAPER_RATES)
    assert list(table["policy"]) == ["1", "2", "3", "4"]
    for row in table.itertuples():
        for column, key in (("paper_c1", "couponed_conversion"), ("paper_c2_n", "other_sessions")):
            assert getattr(row, column) == paper("gu", f"table6.option{row.policy}_{key}")
        mine = study.options[
            (study.options.world == "lost_causes")
            & (study.options.budget == "paper rates")
            & (study.options.policy == row.policy)
        ].iloc[0]
        assert (row.c1, row.c2_all, row.true) == (
            mine.c1, mine.c2_all, mine.incremental_per_coupon,
        )  # fmt: skip
    shown = tables.table6_words(table)
    assert shown.loc[3, "C-1 printed"] == "13.69%" and shown.loc[0, "C-2-N printed"] == "99,643"
    assert shown.loc[3, "C-1 ours"] == f"{table.c1[3]:.2%}"


def test_the_factorial_and_its_main_effects_against_a_loop(study):
    cells = tables.factorial(study.options)
    assert (
        len(cells) == 8
        and cells.drop_duplicates(["segments", "risk", "recommendation"]).shape[0] == 8
    )
    assert [c for c in cells.cell if "option 4" in c] == [
        "segments + risk + recommender (option 4)"
    ]
    found = tables.main_effects(cells).set_index("part")
    options = study.options[study.options.budget == "equal coupons"]
    for part in ("segments", "risk", "recommendation"):
        gaps = []
        for name, o in FACTORIAL.items():
            if getattr(o, part):
                continue
            bit = {"segments": 3, "risk": 9, "recommendation": 14}[part]
            other = name[:bit] + "1" + name[bit + 1 :]
            value = options[options.world == "persuadable_risk"].set_index("policy")
            gaps.append(value.incremental_per_coupon[other] - value.incremental_per_coupon[name])
        assert len(gaps) == 4
        assert found.loc[part, "persuadable_risk"] == pytest.approx(np.mean(gaps))
    assert (found["no_effect"] == 0).all()


def test_profit_by_margin_and_where_it_breaks_even(study):
    found = tables.profit_by_margin(study.options)
    row = found[(found.world == "orthogonal") & (found.policy == "4") & (found.margin == 20)].iloc[
        0
    ]
    mine = study.options[
        (study.options.world == "orthogonal") & (study.options.policy == "4")
        & (study.options.budget == "equal coupons")
    ].iloc[0]  # fmt: skip
    sessions = mine.coupons / mine.rate_sessions
    assert row.profit == pytest.approx(1000 * (0.2 * mine.order_value - mine.discount) / sessions)
    at = row.break_even / 100
    assert at * mine.order_value == pytest.approx(mine.discount)
    assert found[found.world == "no_effect"].break_even.isna().all()


def test_the_profit_of_a_margin_has_a_column(study):
    for margin in (10, 20, 30, 40, 50):
        assert profit_column(margin) in study.options
    with pytest.raises(InputError, match=r"margin: 25\. Use one of 10, 20, 30, 40, 50"):
        profit_column(25)


def test_uplift_pays_for_its_exploration(study):
    found = tables.learners(study.options).set_index(["world", "policy"])
    five = found.loc[("orthogonal", OPTIONS["5"].title)]
    sessions = study.options.c1_n.iloc[0] + study.options.c2_all_n.iloc[0]
    assert five.exploration == pytest.approx(7_000 / sessions)
    assert five.net == pytest.approx(five.profit - five.exploration)
    assert (found.xs(OPTIONS["6 profit"].title, level=1).exploration == 0).all()


def test_units_name_only_columns_that_are_there(study, primary):
    for name, table in tables.stored(study, primary).items():
        units = tables.units_of(name, table)
        assert set(units) <= set(table.columns)
    assert tables.units_of("holdout", study.holdout)["difference"] == "share"
    assert tables.units_of("primary", primary)["difference"] == "yuan/1000 sessions"
    quoted = tables.quoted(study)
    store = simulate("classroom", seed=4, coupon_share=0)
    assert quoted["decisions"] == f"{store.truth['decisions'].num_rows:,}"
    assert set(tables.quoted(None)) < set(quoted)
    assert tables.quoted(None)["times"] == f"{13.69 / 2.41:.1f}"


def test_what_is_said_of_a_world_without_effect(study):
    table = tables.table6(study.options, world="no_effect", budget=tables.PAPER_RATES)
    text = sentences.on_selection(table)
    lot = table.iloc[0]
    assert f"{lot.c1:.1%}" in text and f"{lot.c1 / lot.c2_all:.1f}" in text
    assert "below" in text and "lowers C-1" in text  # risk is what these policies rank by
    turned = table.assign(c1=0.9)
    assert "above" in sentences.on_selection(turned)
    assert "lowers C-1" not in sentences.on_selection(turned)
    assert "No option causes a purchase" in sentences.on_table6(table, "no_effect")


def test_sentences_follow_the_numbers(study, primary):
    assert "coupons by lot in no world" in sentences.on_primary(
        primary.assign(favours="neither", matters="open")
    )
    text = sentences.on_primary(primary.assign(favours="first", matters="larger"))
    assert "the first option is favoured in 20" in text and "*no effect*" in text
    needed = study.needed.assign(needed_tau=0.0)
    assert "no effect at all" in readings.on_needed(needed)
    text = readings.on_needed(study.needed)
    assert f"{study.needed.target.iloc[0]:.2%}" in text and "no size of it is enough" in text
    held = readings.on_holdout(study.holdout)
    assert held.count("\n- ") == 5 and "no size would find" in held
    assert sentences.many(1234) == "1,200" and sentences.many(98) == "98"
    assert "billion" in sentences.many(3e12)
    profits = tables.profit_by_margin(study.options)
    assert "at no margin in *no effect*" in readings.on_margins(profits)
    assert "by lot" in sentences.answer(study, None)


def test_without_the_truth_the_randomised_part_still_speaks():
    frame = simulate("classroom", seed=4).tables["assignments"].to_pandas()
    text = sentences.answer(None, randomised_effect(frame))
    shown = frame[frame.arm == "coupon"]
    assert f"{len(shown):,}" in text and f"{shown.outcome.mean():.1%}" in text
    assert "cannot tell" in text or "leaves out zero" in text


def test_what_an_equal_discount_does(study):
    text = sentences.on_budgets(study.options)
    rows = study.options[study.options.world == "persuadable_risk"].set_index(["budget", "policy"])
    three, four = rows.loc[("equal discount", "3")], rows.loc[("equal discount", "4")]
    assert f"gives {three.coupons / four.coupons:.1f} times as many" in text
    earned = 1_000 * three.profit_30 / (three.c1_n + three.c2_all_n)
    assert f"then earns {earned:+.2f} yuan" in text
    turned = study.options.copy()
    at = (turned.budget == "equal discount") & (turned.policy == "3")
    for sign in (1e6, -1e6):
        turned.loc[at, "profit_30"] = sign
        count = rows.loc["equal coupons"].profit_30
        same = (count["3"] > count["4"]) == (sign > 0)
        assert ("hangs on what is held equal" in sentences.on_budgets(turned)) != same


def test_tables_in_words_keep_their_figures(study):
    words = tables.needed_words(study.needed).set_index("world")
    row = study.needed.set_index("world").loc["lost_causes"]
    assert words.loc["lost causes", "C-1"] == f"{row.c1:.2%}"
    assert words.loc["lost causes", "A needed"] == f"{row.needed_effect:.3f}"
    assert words.loc["no effect", "A needed"] == "none is enough"
    words = tables.worlds_words(study.worlds).set_index("world")
    row = study.worlds.set_index("world").loc["sure_things"]
    assert words.loc["sure things", "mean effect, points"] == f"{100 * row.average_effect:.2f}"
    assert words.loc["sure things", "pulled forward"] == "75%"
    assert words.loc["no effect", "correlation with risk"] == "none"
    assert sum("oracle" in column for column in words) == 1


def test_worlds_alike_on_average_are_said_to_be(study):
    assert "about 0.90" in sentences.on_worlds(study.worlds.assign(average_effect=0.009))
    apart = study.worlds.assign(average_effect=np.linspace(0.008, 0.01, 5))
    assert "0.80 to 0.95 purchases" in sentences.on_worlds(apart)  # no_effect stands last


class Recorder:
    """Keeps what a chapter would record."""

    def __init__(self):
        self.rows: dict[str, dict] = {}

    def verdict(self, *, id: str, **row: str) -> None:
        self.rows[id] = row


def test_verdicts_follow_the_comparisons(study, primary):
    def of(frame):
        recorder = Recorder()
        verdicts.ablation_verdicts(recorder, study, frame)
        return {name: row["verdict"] for name, row in recorder.rows.items()}

    first = of(primary.assign(favours="first", matters="larger"))
    assert set(first) == {
        "gu-option4-best", "gu-c1-above-c2-is-effect", "gu-option4-conversion-1369",
        "gu-segments-help", "gu-recommendation-helps", "gu-lower-cost-higher-gain",
    }  # fmt: skip
    assert first["gu-option4-best"] == first["gu-segments-help"] == "holds if assumed"
    second = of(primary.assign(favours="second", matters="larger"))
    assert second["gu-option4-best"] == second["gu-recommendation-helps"] == "not reproduced"
    open_ = of(primary.assign(favours="neither", matters="open"))
    assert open_["gu-option4-best"] == open_["gu-segments-help"] == "undecided"
    small = of(primary.assign(favours="neither", matters="smaller"))
    assert small["gu-segments-help"] == "not reproduced"
    nothing = primary.assign(favours="neither", matters="open")
    nothing.loc[nothing.world == "no_effect", "favours"] = "second"
    assert {of(nothing)[k] for k in ("gu-option4-best", "gu-segments-help")} == {"undecided"}
    # Better than one rival in one world and than another in another is not best of all.
    mixed = primary.assign(favours="neither", matters="open")
    mixed.loc[(mixed.world == "orthogonal") & (mixed.comparison == "4-1"), "favours"] = "first"
    assert of(mixed)["gu-option4-best"] == "undecided"
    assert of(mixed)["gu-c1-above-c2-is-effect"] == "not reproduced"
    # More for less: cheaper, more sales for each yuan, and paid for by them, in one world at least.
    options = study.options.copy()
    at = (options.budget == "paper rates") & options.policy.isin(["2", "4"])
    four = at & (options.policy == "4")
    options.loc[at, ["discount", "order_value", "profit_30"]] = (10.0, 100.0, 5.0)
    options.loc[four & (options.world == "orthogonal"), ["discount", "order_value"]] = (5.0, 60.0)
    gains = "gu-lower-cost-higher-gain"

    def cost(frame):
        recorder = Recorder()
        verdicts.ablation_verdicts(recorder, replace(study, options=frame), primary)
        return recorder.rows[gains]

    assert cost(options)["verdict"] == "holds if assumed"
    assert "orthogonal 12.00 and 10.00" in cost(options)["ours"]
    assert "all three in *orthogonal*" in cost(options)["why"]
    for spoilt in ({"discount": 11.0, "order_value": 200.0}, {"order_value": 40.0},
                   {"profit_30": -1.0}):  # fmt: skip
        worse = options.copy()
        worse.loc[four & (options.world == "orthogonal"), list(spoilt)] = list(spoilt.values())
        assert cost(worse)["verdict"] == "not reproduced"
    recorder = Recorder()
    verdicts.ablation_verdicts(recorder, None, None)
    assert not recorder.rows


def test_every_figure_draws_what_its_table_says(study, primary):
    drawn = {
        "selection": plots.selection(
            tables.table6(study.options, world="no_effect", budget=tables.PAPER_RATES)
        ),
        "effects": plots.by_world(study.options),
        "factorial": plots.factorial_map(tables.factorial(study.options)),
        "primary": plots.comparisons(primary),
        "budgets": plots.budgets(study.options),
        "holdout": plots.holdout_readings(study.holdout),
        "margins": plots.margins(tables.profit_by_margin(study.options)),
        "sweeps": plots.sweeps(study.sweeps),
    }
    rows = {
        "selection": 4,
        "effects": 24,
        "factorial": 8,
        "primary": 20,
        "budgets": 90,
        "holdout": 5,
    }
    for name, (fig, table) in drawn.items():
        fig.canvas.draw()
        assert len(table) == rows.get(name, len(table)) > 0
        plt.close(fig)
    fig, table = drawn["selection"]
    dots = fig.axes[0].lines[0]
    np.testing.assert_allclose(dots.get_xdata(), 100 * table.c1)
    assert dots.get_xdata().max() < fig.axes[0].get_xlim()[1]
    fig, cells = drawn["factorial"]
    assert [t.get_text() for t in fig.axes[0].texts][1] == f"{100 * cells.persuadable_risk[0]:.2f}"
