"""What the campaigns' part of chapter 14 says, draws and concludes, on tables made by hand."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from precmark.plots import strategy_campaigns as plots
from precmark.strategy import placement, placement_study, response, series, turnover
from precmark.strategy import sentences_campaigns as sentences
from precmark.strategy.series_study import WAYS, Weeks, plant
from precmark.strategy.verdicts_campaigns import campaign_verdicts


class Book:
    """Stands for a chapter; keeps its verdicts."""

    def __init__(self):
        self.said = {}

    def verdict(self, **parts):
        from precmark.chapters import VERDICTS

        assert parts["verdict"] in VERDICTS
        self.said[parts["id"]] = parts


def plans_table(low: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "plan": ["linear programme", "equal", "proportional"], "buyers": [30.0, 20.0, 15.0],
            "low": [25.0, 15, 10], "high": [35.0, 25, 20], "gain": [0.0, 10, 15],
            "gain_low": [0.0, low, 5], "gain_high": [0.0, 20, 25],
        }
    )  # fmt: skip


def rules_table(profit: float) -> pd.DataFrame:
    rows = []
    for world, lift in (("orthogonal", 10.0), ("no_effect", 0.0)):
        for rule, scale in (("points", 1.0), ("all rules", 2.0), ("everybody", 0.5)):
            gain = profit * scale if lift else -5.0
            rows.append((world, rule, 100, 0.1, lift / 100, lift, lift, 1.0, gain, gain))
    columns = ["world", "rule", "offers", "base", "effect", "extra", "extra_30d", "discount",
               "profit", "profit_100"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def ways_table(alarms: float, found: float = 0.31) -> pd.DataFrame:
    rows = []
    for planted in (0.0, 0.3):
        for way in WAYS:
            effect = {WAYS[-1]: found if planted else 0.0}.get(way, planted + 0.4)
            says = alarms if not planted and way == WAYS[0] else 0.9 * bool(planted)
            rows.append((planted, way, effect, effect - 0.1, effect + 0.1, says, 0.95, 20))
    columns = ["planted", "way", "effect", "least", "most", "says", "covers", "replications"]
    return pd.DataFrame(rows, columns=columns)


def test_verdicts_follow_the_numbers():
    free = pd.DataFrame({"rise": [0.1, 0.6, 0.7, -0.2]})
    book = Book()
    campaign_verdicts(book, later=plans_table(2.0), rules=rules_table(3.0), windows=free,
                      ways=ways_table(0.6))  # fmt: skip
    said = {i: v["verdict"] for i, v in book.said.items()}
    assert said == {
        "you-adverts-save": "holds if assumed",
        "you-promotions-raise-sales": "holds if assumed",
        "you-turnover-effect": "undecided",
        "you-rise-shows-effect": "not reproduced",
    }
    assert "50%" in book.said["you-turnover-effect"]["ours"]
    book = Book()
    campaign_verdicts(book, later=plans_table(-2.0), ways=ways_table(0.02))
    assert {i: v["verdict"] for i, v in book.said.items()} == {
        "you-adverts-save": "undecided", "you-rise-shows-effect": "undecided",
    }  # fmt: skip


def test_sentences_change_with_the_data():
    best = placement.Plan("linear programme", np.zeros(1), np.zeros(1), 0.5)
    sure = sentences.on_plans(plans_table(2.0), plans_table(2.0), best, 100.0)
    unsure = sentences.on_plans(plans_table(2.0), plans_table(-2.0), best, 100.0)
    assert "Both differences are beyond chance" in sure and "+10.0 buyers" in sure
    assert "Not every difference" in unsure
    assert "pay in orthogonal, a coupon for everybody in orthogonal" in sentences.on_rules(
        rules_table(3.0)
    )
    assert "No rule pays" in sentences.on_rules(rules_table(-3.0))
    assert "finds what was planted: whatever" in sentences.on_ways(ways_table(0.6))
    assert "too few" in sentences.on_ways(ways_table(0.6, found=0.6))
    assert "shorter than 5 months" in sentences.on_windows(pd.DataFrame({"rise": []}), "Shop")
    rare = sentences.on_windows(pd.DataFrame({"rise": [0.0] * 99 + [0.9]}), "Shop")
    assert "rare" in rare and "1%" in rare
    assert sentences.percent(-0.004) == "0%" and sentences.percent(0.126) == "+13%"
    assert sentences.worlds_text([]) == "no world"


def test_answer_names_what_there_is():
    homes = turnover.homes()
    bare = sentences.campaign_answer(homes)
    assert bare == " The paper's rise in turnover is 5 homes against 7 or fewer."
    full = sentences.campaign_answer(
        homes, later=plans_table(1), rules=rules_table(1.0), ways=ways_table(0.6),
        windows=pd.DataFrame({"rise": [0.9, 0.0]}),
    )  # fmt: skip
    for part in ("+50% buyers", "pay in orthogonal", "50% of five-month windows", "60%"):
        assert part in full


def test_reach_and_holdout_sentences():
    reach = pd.DataFrame(
        {
            "rule": ["a", "b"], "offers": [10, 0], "held_out": [2, 0], "base": [0.1, np.nan],
            "break_even": [0.1, np.nan],
        }
    )  # fmt: skip
    text = sentences.on_reach(reach, 0.3)
    assert "*b* finds nobody" in text and "by 10.0 percentage points." in text
    trial = pd.DataFrame(
        {
            "rule": ["a", "all rules"], "truth": [0.02, 0.02], "measured": [0.01, 0.03],
            "low": [-0.1, 0.025], "high": [0.1, 0.05], "found": [0.1, 0.9], "needed": [900, 800],
        }
    )  # fmt: skip
    text = sentences.on_holdouts(trial, "orthogonal")
    assert "1 of the 2 intervals hold the truth" in text and "is enough here" in text


def cells() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": ["search", "direct", "search"], "slot": ["0-6 h", "6-12 h", "18-24 h"],
            "segment": ["first visit", "came before", "bought before"],
            "contacts": [50, 60, 20], "buyers": [1, 3, 2],
        }
    )  # fmt: skip


def test_figures_draw_their_tables():
    found = response.shrunk(cells(), draws=50)
    market = placement.priced(found.cells)
    made = placement_study.plans(market, found.cells.rate.to_numpy(), 40.0)
    early = placement_study.expected(made, found.cells.rate, found.draws)
    study = placement_study.planted(market, found.cells.prior.to_numpy(), 40.0, spreads=(0, 0.5),
                                    replications=2)  # fmt: skip
    rng = np.random.default_rng(0)
    weeks = Weeks(pd.date_range("2024-01-01", periods=30, freq="7D"), rng.integers(0, 40, 900),
                  rng.integers(0, 30, 900), np.ones(900), 18)  # fmt: skip
    treated, control = plant(weeks, 0.3, 1)
    fit = series.interrupted(treated, 18, control=control, trend=False)
    trial = pd.DataFrame(
        {
            "rule": ["a"], "offered": [9], "held_out": [3], "truth": [0.02], "measured": [0.01],
            "low": [-0.1], "high": [0.1],
        }
    )  # fmt: skip
    drawn = [
        plots.shrinkage(found.cells),
        plots.money(market, made),
        plots.plans(early, early),
        plots.planted_rates(placement_study.against_truth(study)),
        plots.rule_profit(rules_table(1.0)),
        plots.holdout(trial),
        plots.free_rises(pd.DataFrame({"rise": [0.1, 3.0, -0.4]}), 0.48),
        plots.campaign(weeks, treated, control, fit),
        plots.ways(ways_table(0.5)),
        plots.placebo_dates(series.placebos(treated, 18, after=5), weeks),
    ]
    for fig, table in drawn:
        assert len(table) and all(ax.get_xlabel() or ax.get_ylabel() or ax.get_title()
                                  for ax in fig.axes)  # fmt: skip
        plt.close(fig)
    shares = drawn[1][1].groupby(["plan", "by"]).share_of_money.sum()
    assert shares.to_numpy() == pytest.approx(np.ones(len(shares)))
    steps = drawn[7][1]
    assert steps.fitted.nunique() == 2 and steps.fitted[17] != steps.fitted[18]
