"""Groups judged by what came later, and the second half's sentences, tables, verdicts, figures."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from precmark.chapters import VERDICTS
from precmark.interests import (
    anonymise,
    coldstart,
    feedback,
    neutrality,
    privacy,
    sentences_offers,
    sentences_privacy,
    tables_offers,
    verdicts_offers,
)
from precmark.interests import exposure as ex
from precmark.interests import groups as customers
from precmark.interests.selection import select_all
from precmark.plots import interests_offers as plots
from precmark.recommend.study import periods
from tests.recommend_cases import ShopRun, shop_events, shop_items

DRAWS = 100


def customers_as_of(n: int = 400, seed: int = 0) -> customers.Later:
    rng = np.random.default_rng(seed)
    money = np.where(rng.random(n) < 0.5, rng.exponential(50, n), 0.0)
    profile = pd.DataFrame(
        {
            "user_code": np.arange(n),
            "gender": rng.choice(["female", "male", "unknown"], n),
            "age": np.where(rng.random(n) < 0.3, np.nan, rng.integers(15, 60, n)),
            "country": rng.choice(["CN", "GB", "US"], n),
            "tenure_days": rng.integers(0, 300, n),
            "monetary": money,
            "frequency": np.where(money > 0, rng.integers(1, 5, n), 0),
            "recency_days": np.where(money > 0, rng.integers(1, 200, n), np.nan),
            "views_30": rng.integers(0, 30, n),
            "purchases": (money > 0).astype(int),
            "carts_30": rng.integers(0, 3, n),
            "purchases_30": rng.integers(0, 2, n),
        }
    )
    bought = rng.random(n) < np.where(money > 60, 0.5, 0.1)
    spent = np.where(bought, 20.0, 0.0)
    return customers.Later(profile, bought, spent, "2025-01-01", 30)


@pytest.fixture(scope="module")
def after():
    return customers_as_of()


@pytest.fixture(scope="module")
def judged(after):
    usual = customers.usual_groups(after.profile)
    selected = select_all(after.profile, usual)
    return customers.outcomes(selected, after)


# ---- groups and what came later


def test_usual_groups_take_their_numbers_from_the_profile(after):
    usual = customers.usual_groups(after.profile)
    assert list(usual) == list(customers.USUAL)
    money = after.profile.monetary
    threshold = float(usual["high end"].split(">= ")[1])
    assert threshold == pytest.approx(np.quantile(money[money > 0], 0.9), abs=0.01)
    poor = after.profile.assign(
        monetary=0.0, frequency=0, purchases=0, gender="unknown", tenure_days=90, carts_30=0
    )
    assert list(customers.usual_groups(poor)) == ["lookers"]


def test_rates_and_differences_are_those_of_statsmodels(after, judged):
    for row in judged.itertuples():
        mine = select_all(after.profile, {row.group: row.expression})[row.group].mask
        hits = [int(after.bought[m].sum()) for m in (mine, ~mine)]
        n = [int(m.sum()) for m in (mine, ~mine)]
        assert row.customers == n[0] and row.rate == pytest.approx(hits[0] / n[0])
        low, high = proportion_confint(hits[0], n[0], method="wilson")
        assert (row.low, row.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
        low, high = confint_proportions_2indep(
            hits[0], n[0], hits[1], n[1], method="newcomb", compare="diff"
        )
        assert row.difference_low == pytest.approx(low, abs=1e-9)
        assert row.difference_high == pytest.approx(high, abs=1e-9)
        assert row.spent == pytest.approx(after.spent[mine].mean())
    high = judged.set_index("group").loc["high end"]
    assert high.favours == "first" and high.share_of_sales > high.share


def test_an_empty_group_has_no_rate_and_is_said_to_be_empty(after):
    chosen = select_all(after.profile, "nobody: age > 500; all: age > 0 or age is None")
    table = customers.outcomes(chosen, after).set_index("group")
    assert table.customers.tolist() == [0, len(after.profile)]
    assert np.isnan(table.rate["nobody"]) and table.favours["nobody"] == "neither"
    assert np.isnan(table.others["all"])
    assert "Nobody is in nobody" in sentences_offers.on_notes(chosen)
    words = tables_offers.groups_words(table.reset_index())
    assert words["bought later"].iloc[0] == "nobody"
    assert sentences_offers.on_groups(table.reset_index().iloc[:1]).startswith("No group")


def test_later_reads_nothing_before_its_midnight(monkeypatch):
    noon = pd.Timestamp("2025-01-10 12:00", tz="UTC")
    rows = [
        (1, "2025-01-09T23:00Z", "purchase", 5.0),
        (1, "2025-01-10T01:00Z", "purchase", 7.0),
        (2, "2025-01-12T00:00Z", "purchase", 9.0),
        (2, "2025-01-13T00:00Z", "cancel", 4.0),
        (3, "2025-01-20T00:00Z", "view", np.nan),
        (9, "2025-01-15T00:00Z", "purchase", 3.0),
    ]
    events = pd.DataFrame(rows, columns=["user_code", "timestamp", "event", "value"])
    events["timestamp"] = pd.to_datetime(events.timestamp, utc=True)
    run = ShopRun(events, None, says=["prices"])
    run.timezone = "UTC"
    asked = []

    def profile(run, day):
        asked.append(day)
        return pd.DataFrame({"user_code": [1, 2, 3]})

    monkeypatch.setattr("precmark.segments.past.past_profile", profile)
    found = customers.later(run, noon)
    assert asked == ["2025-01-10"] and found.days == 10
    assert found.bought.tolist() == [True, True, False]
    assert found.spent.tolist() == [7.0, 5.0, 0.0]
    run.says = frozenset()
    assert np.isnan(customers.later(run, noon).spent).all()


# ---- sentences, tables, figures, verdicts


@pytest.fixture(scope="module")
def half(after):
    """Everything that the second half of the chapter draws, on a made-up shop."""
    events = shop_events(users=150, sessions=500, n_items=60)
    found = periods(ShopRun(events, shop_items(60)))
    market = neutrality.market(found)
    asked = feedback.fewer(market.asked, 40)
    results = {
        p.title: feedback.shown(market.model, asked, p, groups=market.groups, pages=6)
        for p in feedback.usual_policies()
    }
    shop = market.model.shop_
    scores = ex.all_scores(market.model, market.asked)[market.model.alpha_]
    lists = ex.lists_from(neutrality.top(scores, 10), market.asked, shop)
    profile = after.profile
    facts = privacy.facts(profile)
    spending = privacy.money_bands(profile.monetary)
    return SimpleNamespace(
        found=found, market=market, asked=asked, results=results,
        compared=feedback.compared(results, asked, draws=DRAWS),
        arrived=coldstart.newcomers(
            found, pd.DataFrame({"user_code": range(150), "country": ["GB", "CN"] * 75}),
            draws=DRAWS,
        ),
        fresh=coldstart.new_products(found, draws=DRAWS),
        watch=ex.exposure(lists, market.asked, shop, market.groups, draws=DRAWS),
        traded={market.groups.by: neutrality.trade_off(market, draws=DRAWS)},
        pushed=neutrality.pushed(market, forged=(0.1,), draws=DRAWS),
        anonymity=privacy.anonymity(profile, facts, sensitive=spending),
        known={"facts": privacy.facts_known(profile, facts, draws=5)},
        told=privacy.reveals(profile, facts, spending, draws=20),
        hidden=anonymise.protect(profile, facts, k=5, most_held_back=0.05),
    )  # fmt: skip


def test_every_figure_is_drawn_with_its_table(half, judged):
    drawn = [
        plots.groups_later(judged, xlabel="bought"),
        plots.pages(half.results),
        plots.arrivals(half.arrived),
        plots.new_products(half.fresh),
        plots.exposures(half.watch, half.market.groups.by),
        plots.bounds(half.traded),
        plots.attacks(half.pushed),
        plots.alone(half.known),
        plots.protection(half.hidden),
    ]
    for fig, table in drawn:
        fig.canvas.draw()
        assert fig.axes and len(table)
        plt.close(fig)
    pages = drawn[1][1]
    assert len(pages) == 6 * len(half.results)
    bare = {
        "a": feedback.Shown(half.results["nothing sinks"].pages.assign(kinds=np.nan), *[None] * 3)
    }
    fig, _ = plots.pages(bare)
    assert len(fig.axes) == 2
    plt.close(fig)


def test_sentences_quote_the_numbers_of_their_tables(half, judged, after):
    said = sentences_offers.on_groups(judged)
    row = judged.set_index("group").loc["high end"]
    assert f"*high end* ({row.rate:.1%}" in said and f"against {row.others:.1%}" in said
    assert f"**{len(after.profile):,}**" in sentences_offers.on_later(after)
    rows = half.compared[half.compared.measure == "found"].set_index("policy")
    text = sentences_offers.on_feedback(half.compared)
    assert all(f"{v:.1%}" in text for n, v in rows.value.items() if n.startswith("sinks after")
               and "lot" not in n and "," not in n)  # fmt: skip
    lots = feedback.by_lot(half.results, half.asked, draws=DRAWS).iloc[:2]
    assert lots.policy.tolist() == ["sinks after 2 by lot", "sinks after 2"]
    apart = half.results["sinks after 2"].found - half.results["sinks after 2 by lot"].found
    assert lots.difference.iloc[1] == pytest.approx(apart.mean())
    assert f"{lots.value.iloc[0]:.1%}" in sentences_offers.on_lot(lots)
    assert feedback.by_lot({"a": half.results["nothing sinks"]}, half.asked).empty
    assert sentences_offers.on_lot(pd.DataFrame()) == ""
    assert "kinds" in sentences_offers.on_narrowing(half.compared)
    bare = half.compared[half.compared.measure == "found"]
    assert "nothing can be said of variety" in sentences_offers.on_narrowing(bare)
    new = half.arrived.known.set_index("who").value["new"]
    assert f"newcomers {new:.3f}" in sentences_offers.on_newcomers(half.arrived)
    wanted = half.fresh.wanted.iloc[0]
    assert sentences_offers.on_new_products(half.fresh).startswith(f"{wanted:.0%} of what users")
    by = half.market.groups.by
    assert f"By {by}" in sentences_offers.on_exposure(half.watch, by)
    assert f"By {by}" in sentences_offers.on_bounds(half.traded)
    assert half.pushed.group.iloc[0] in sentences_offers.on_attacks(half.pushed, by)
    alone = sentences_privacy.on_alone(half.anonymity, half.known)
    assert f"{half.anonymity.below[2]:.1%} of {half.anonymity.rows:,} customers" in alone
    assert f"{half.told.bits.iloc[0]:.1f} bits" in sentences_privacy.on_reveals(half.told)
    assert f"among {half.hidden.k}" in sentences_privacy.on_protection(half.hidden)
    clicks = sentences_offers.on_clicks(feedback.ClickModel(), 40)
    assert "40 users" in clicks and "chance 0.5 if" in clicks


@pytest.mark.parametrize(
    ("low", "high", "word"), [(1.2, 1.4, "more than their share"), (0.2, 0.9, "less than")]
)
def test_exposure_is_called_by_its_interval(low, high, word):
    table = pd.DataFrame(
        {"group": ["x", "y"], "ratio": [(low + high) / 2, 1.0], "low": [low, 0.9],
         "high": [high, 1.1], "says": ["pushed" if low > 1 else "held back", "neutral"]}
    )  # fmt: skip
    said = sentences_offers.on_exposure(table, "brand")
    assert word in said and "Nobody was paid" in said
    many = pd.concat([table.iloc[:1], *[table.iloc[1:]] * 19])
    assert "about 1 would miss 1 by chance" in sentences_offers.on_exposure(many, "brand")
    quiet = sentences_offers.on_exposure(table.iloc[1:], "brand")
    assert "within what chance allows" in quiet


def test_the_answer_reads_with_and_without_customers(half, judged):
    full = sentences_offers.answer(judged, half.compared, half.market, half.traded, half.anonymity)
    assert "high end" in full and f"{half.anonymity.below[2]:.1%}" in full
    bare = sentences_offers.answer(None, half.compared, half.market, half.traded, None)
    assert full.startswith(bare)


def test_tables_in_words(half):
    shown = tables_offers.shown_words(half.results)
    assert shown["the shop"].tolist() == list(half.results)
    assert "kinds a page" in shown
    assert len(tables_offers.reveals_words(half.told)) == len(half.told)


class Collected:
    """As much of a chapter as verdicts need."""

    def __init__(self, simulated: bool):
        self.run = SimpleNamespace(source=SimpleNamespace(simulated=simulated))
        self.said = {}

    def verdict(self, *, id, **rest):
        assert id not in self.said and rest["verdict"] in VERDICTS
        assert all(rest[k] for k in ("claim", "place", "paper", "ours", "why"))
        self.said[id] = rest


@pytest.mark.parametrize("simulated", [False, True])
def test_verdicts_stand_in_the_papers_claims(half, judged, simulated):
    chapter = Collected(simulated)
    verdicts_offers.verdicts(
        chapter, groups=judged, feedback=half.compared, newcomers=half.arrived, fresh=half.fresh,
        pushed=half.pushed, anonymity=half.anonymity,
    )  # fmt: skip
    claims = tomllib.loads(Path("data/claims/li.toml").read_text("utf-8"))["claims"]
    known = {c["id"]: c["figures"].get("chapter") for c in claims}
    assert all(known[ident] == "11_interests" for ident in chapter.said)
    assert len(chapter.said) == 7
    made = "holds if assumed" if simulated else "reproduced"
    assert chapter.said["li-customer-groups"]["verdict"] == made
    assert chapter.said["li-cold-start-products"]["verdict"] == made
    # clicks, forgeries and deals are made up even where the shop is real
    for ident in ("li-neutral-push", "li-unclicked-sink", "li-ask-satisfaction"):
        assert chapter.said[ident]["verdict"] != "reproduced"


def test_without_customers_or_newcomers_fewer_verdicts_are_said(half):
    chapter = Collected(False)
    bare = half.compared[half.compared.measure == "found"]
    verdicts_offers.verdicts(
        chapter, groups=None, feedback=bare, newcomers=None, fresh=pd.DataFrame(),
        pushed=half.pushed, anonymity=None,
    )  # fmt: skip
    assert set(chapter.said) == {"li-unclicked-sink", "li-neutral-push"}
