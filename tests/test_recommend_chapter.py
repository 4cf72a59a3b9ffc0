"""The recommendation chapter: its comparison, tables, sentences, verdicts and figures."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from precmark.plots import recommend as plots
from precmark.recommend import example, quality, sentences, study, tables, verdicts
from precmark.recommend.alpha import alpha_curve
from precmark.recommend.content import Content
from precmark.recommend.enough import too_little
from precmark.recommend.measures import judge
from precmark.recommend.study import Chosen, Entry
from tests.recommend_cases import KINDS, SAYS, ShopRun, shop_events, shop_items, shop_periods

DRAWS = 100


@pytest.fixture(scope="module")
def found():
    return shop_periods()


@pytest.fixture(scope="module")
def chosen():
    alpha = {"item-item": 0.5, "als": 1.0, "svd": 0.2, "nmf": 0.0}
    return Chosen("item-item", alpha, pd.DataFrame())


@pytest.fixture(scope="module")
def models(chosen):
    return study.entries(chosen)


@pytest.fixture(scope="module")
def fitted(found, models):
    return study.fit_all(models, found.before_test, found.items)


@pytest.fixture(scope="module")
def judged(fitted, found):
    return quality.quality(fitted, found, draws=DRAWS)


def value(table, model, metric, target="all", users="all"):
    rows = table[
        (table.model == model) & (table.metric == metric)
        & (table.target == target) & (table.users == users)
    ]  # fmt: skip
    assert len(rows) == 1
    return rows.iloc[0]


# ---- the study


def test_models_are_judged_on_what_they_did_not_learn_from(found):
    assert found.training.timestamp.max() < found.split.validation
    assert found.before_test.timestamp.max() < found.split.test
    assert found.validation.users.timestamp.min() >= found.split.validation
    assert found.test.users.timestamp.min() >= found.split.test
    # nothing wanted in validation lies in the test part
    log = found.events[found.events.timestamp >= found.split.test]
    early = found.events[found.events.timestamp < found.split.test]
    bought = early[(early.event == "purchase") & (early.timestamp >= found.split.validation)]
    assert set(found.validation.targets.item_id) <= set(bought.item_id) and len(log)


def test_a_source_without_a_clock_is_split_between_days():
    found = shop_periods(says=[s for s in SAYS if s != "clock"])
    for border in (found.split.validation, found.split.test):
        assert border == border.normalize()


def test_a_source_without_clicks_asks_at_the_start_of_a_period():
    says = [s for s in SAYS if s != "views"]
    found = shop_periods(says=says)
    assert not found.clicks and (found.test.users.timestamp == found.split.test).all()
    no_sales = shop_periods(says=[s for s in SAYS if s != "purchases"])
    assert no_sales.wanted == "view"


def test_validation_chooses_the_best_of_all_curves(found, monkeypatch):
    monkeypatch.setattr(study, "MODELS", {"item-item": None, "nmf": None})
    got = study.choose(found, draws=DRAWS)
    ndcg = got.curves[got.curves.metric == "nDCG"].set_index(["collaborative", "alpha"]).value
    assert len(ndcg) == 22
    assert ndcg[got.collaborative, got.alpha[got.collaborative]] == ndcg.max()
    for name, alpha in got.alpha.items():
        assert ndcg[name, alpha] == ndcg[name].max()


def test_the_curve_is_the_mean_of_lists_of_warm_users(fitted, found):
    model = fitted["hybrid"]
    curve = alpha_curve(model, found.validation, (0.0, 0.7), draws=DRAWS)
    asked = found.validation
    for alpha in (0.0, 0.7):
        lists = model.with_alpha(alpha).recommend(asked.users[["user_code"]], history=asked.history)
        warm = set(lists.user_code[~lists.cold])
        targets = asked.targets[asked.targets.user_code.isin(warm)]
        each = judge(lists, targets, asked.users, model.shop_).each
        for metric in ("nDCG", "hit rate"):
            row = curve[(curve.alpha == alpha) & (curve.metric == metric)].iloc[0]
            assert row.value == pytest.approx(each[metric].mean())
            assert row.low <= row.value <= row.high and row.occasions == len(each)


# ---- the comparison


def test_quality_is_the_mean_over_occasions(judged, fitted, found):
    asked = found.test
    for name in ("popular", "rules", "hybrid"):
        lists = fitted[name].recommend(asked.users[["user_code"]], history=asked.history)
        each = judge(lists, asked.targets, asked.users, fitted[name].shop_).each
        row = value(judged, name, "nDCG")
        assert row.value == pytest.approx(each.nDCG.mean()) and row.occasions == len(each)
        assert row.low <= row.value <= row.high
        warm = asked.users.user_code[asked.users.before > 0]
        mine = each[each.user_code.isin(warm)]
        assert value(judged, name, "nDCG", users="warm").value == pytest.approx(mine.nDCG.mean())


def test_new_items_are_judged_among_new_items(judged, fitted, found):
    model, asked = fitted["content"], found.test
    hits = []
    for row in asked.users.itertuples():
        history = asked.history[asked.history.user_code == row.user_code]
        seen = set(history[history.event.isin(["view", "cart", "purchase"])].item_id)
        mine = asked.targets[asked.targets.user_code == row.user_code].item_id
        wanted = set(mine) - seen
        if wanted:
            whole = model.recommend(
                pd.DataFrame({"user_code": [row.user_code]}), 24, history=history
            )
            listed = [i for i in whole.item_id if i not in seen][:10]
            hits.append(bool(wanted & set(listed)))
    found_ = value(judged, "content", "hit rate", "new")
    assert found_.value == pytest.approx(np.mean(hits)) and found_.occasions == len(hits)


def test_recall_is_a_share_and_coverage_has_no_interval(judged):
    repeat = judged[(judged.target == "repeat") & (judged.metric == "recall")]
    assert repeat.value.between(0, 1).all() and len(repeat)
    covered = judged[judged.metric == "coverage"]
    assert covered.low.isna().all() and covered.value.between(0, 1).all()


def test_cold_users_are_asked_on_arrival(found):
    cold = found.cold
    before = found.before_test
    assert len(cold) and cold.history.empty
    first = found.events.groupby("user_code").timestamp.min()
    assert (first[cold.users.person] >= found.split.test).all() and len(before)


@pytest.mark.parametrize("target", ["all", "new", "repeat"])
def test_differences_are_of_the_values_in_the_table(judged, fitted, found, target):
    apart = quality.against(fitted, found, target=target, draws=DRAWS)
    assert apart.model.tolist() == [m for m in fitted if m != "hybrid"]
    mine = value(judged, "hybrid", "nDCG", target).value
    for row in apart.itertuples():
        other = value(judged, row.model, "nDCG", target).value
        assert row.difference == pytest.approx(mine - other)
        wanted = "first" if row.low > 0 else "second" if row.high < 0 else "neither"
        assert row.favours == wanted and row.target == target


def test_a_category_hits_where_the_next_item_is_of_it(fitted, found):
    table, apart = quality.category_hits(fitted, found.test, found.items, draws=DRAWS)
    kind = found.items.set_index("item_id").category
    for name in ("random", "same-category", "hybrid"):
        given = fitted[name].category(found.test.users[["user_code"]], history=found.test.history)
        hits = []
        for row in given.itertuples():
            mine = found.test.targets[found.test.targets.user_code == row.user_code]
            hits.append(kind[mine.sort_values("place").item_id.iloc[0]] == row.category)
        got = table.set_index("model").loc[name]
        assert got.hit_rate == pytest.approx(np.mean(hits)) and got.occasions == len(hits)
    assert apart.model.tolist() == [m for m in fitted if m != "hybrid"]


def test_clicks_change_what_is_known_and_not_what_is_wanted(fitted, found):
    table = quality.by_clicks({"popular": fitted["popular"]}, found, draws=DRAWS)
    assert table.clicks.tolist() == [0, 1, 2, 3]
    assert table.value.nunique() == 1 and table.occasions.nunique() == 1


def test_products_made_cold_are_known_to_no_model_and_alone_are_wanted(models, found, monkeypatch):
    given = []

    def fit_all(entries, events, items):
        given.append((events, items))
        return study.fit_all(entries, events, items)

    monkeypatch.setattr(quality, "fit_all", fit_all)
    few = {name: models[name] for name in ("popular", "content")}
    table = quality.cold_items(few, found, draws=DRAWS)
    ((events, items),) = given
    before = found.before_test
    hidden = set(before.item_id.dropna()) - set(events.item_id.dropna())
    assert len(hidden) == 2 and len(items) == len(found.items)
    assert len(events) == (~before.item_id.isin(hidden)).sum()
    asked = found.asked(wanted="view")
    wanted = asked.targets[asked.targets.item_id.isin(hidden)]
    assert (table.occasions == wanted.user_code.nunique()).all()


# ---- one list


def test_the_explained_list_is_the_list(fitted, found):
    model = fitted["hybrid"]
    code = example.typical(model, found.test)
    ranks = example.explained(model, found.test, code)
    asked = pd.DataFrame({"user_code": [code]})
    listed = model.recommend(asked, history=found.test.history)
    ten = ranks[ranks.listed > 0].sort_values("listed")
    assert ten.item_id.tolist() == listed.item_id.tolist()
    np.testing.assert_allclose(ten.r, listed.score, atol=1e-6)
    np.testing.assert_allclose(ranks.r, 0.5 * ranks.r_cf + 0.5 * ranks.r_cb, atol=1e-6)
    for part in ("cf", "cb"):
        expected = rankdata(-ranks[f"r_{part}"], method="min")
        assert ranks[f"place_{part}"].tolist() == expected.astype(int).tolist()
    history = found.test.history[found.test.history.user_code == code]
    seen = set(history[history.event.isin(["view", "cart", "purchase"])].item_id)
    assert set(ranks.item_id[ranks.touched]) == seen
    wanted = found.test.targets[found.test.targets.user_code == code]
    assert set(ranks.item_id[ranks.wanted]) == set(wanted.item_id)
    assert len(ranks) == len(model.shop_)


def test_the_typical_occasion_is_nearest_the_mean(fitted, found):
    model, asked = fitted["hybrid"], found.test
    lists = model.recommend(asked.users[["user_code"]], history=asked.history)
    each = judge(lists, asked.targets, asked.users, model.shop_).each.set_index("user_code").nDCG
    apart = (each - each.mean()).abs()
    assert apart[example.typical(model, asked)] == pytest.approx(apart.min())


# ---- tables, sentences, verdicts


def difference(models, **favours) -> pd.DataFrame:
    """Differences of the hybrid from every other model, neither better unless named."""
    reach = {"first": (0.1, 0.05, 0.15), "second": (-0.1, -0.15, -0.05), "neither": (0, -0.1, 0.1)}
    rows = [
        (name, "all", "nDCG", *reach[favours.get(name.replace("-", "_"), "neither")])
        for name in models
        if name != "hybrid"
    ]
    columns = ["model", "target", "metric", "difference", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(favours=quality.favours(table))


class Chapter:
    """Keeps the verdicts that it is told."""

    def __init__(self, simulated=False):
        self.run = ShopRun(None, None)
        self.run.simulated = simulated
        self.found = {}

    def verdict(self, **kwargs):
        self.found[kwargs["id"]] = kwargs


def concluded(models, against, fresh=None, hits=None, simulated=False) -> dict:
    chapter = Chapter(simulated)
    verdicts.verdicts(chapter, against, against if fresh is None else fresh, models, hits)
    return {id: row["verdict"] for id, row in chapter.found.items()}


@pytest.mark.parametrize(
    "favours,verdict",
    [
        ({"content": "first", "item_item": "first"}, "reproduced"),
        ({"content": "first"}, "undecided"),
        ({"content": "first", "item_item": "second"}, "not reproduced"),
        ({"content": "first", "als": "first"}, "undecided"),
    ],
)
def test_the_hybrid_has_to_beat_both_of_its_own_parts(models, favours, verdict):
    found = concluded(models, difference(models, **favours))
    assert found["gu-hybrid-beats-parts"] == verdict


def test_a_claim_that_holds_in_a_simulated_store_holds_if_assumed(models):
    won = difference(models, content="first", item_item="first", rules="first", popular="first")
    found = concluded(models, won, simulated=True)
    assert set(found.values()) == {"holds if assumed"}


@pytest.mark.parametrize(
    "fresh,verdict",
    [
        ({"rules": "first", "popular": "first"}, "reproduced"),
        ({"popular": "first"}, "undecided"),
        ({"rules": "second", "popular": "first"}, "not reproduced"),
    ],
)
def test_traditional_lists_have_to_be_beaten_among_new_products_too(models, fresh, verdict):
    whole = difference(models, rules="first", popular="first")
    found = concluded(models, whole, difference(models, **fresh))
    assert found["gu-hybrid-beats-traditional"] == verdict


def test_the_category_has_to_beat_those_that_know_nothing_of_the_user(models):
    rates = pd.DataFrame(
        {"model": list(models), "hit_rate": 0.4, "low": 0.3, "high": 0.5, "occasions": 50}
    )
    id = "gu-recommendation-finds-category"
    for random, popular, verdict in (
        ("first", "first", "reproduced"), ("first", "neither", "undecided"),
        ("first", "second", "not reproduced"),
    ):  # fmt: skip
        apart = difference(models, random=random, popular=popular)
        assert concluded(models, apart, hits=(rates, apart))[id] == verdict


def test_the_answer_says_whom_the_hybrid_beats(models, judged):
    against = difference(models, content="first", item_item="second", rules="first")
    text = sentences.answer(judged, against, difference(models, again="second"), models, None)
    assert "beats content alone" in text and "loses to Item-item alone" in text
    assert "beats association rules over all products" in text
    assert "cannot be told from association rules among products new to the user" in text
    against = difference(models, content="first", item_item="first")
    text = sentences.answer(judged, against, difference(models), models, None)
    assert "beats content alone" in text and text.count("beats") == 1
    assert "association rules (over all products and among new ones)" in text


def test_a_hybrid_of_one_part_says_so(judged):
    for alpha, part in ((0.0, "content"), (1.0, "Item-item")):
        models = study.entries(Chosen("item-item", {**dict.fromkeys(study.MODELS, alpha)}, None))
        against = difference(models)
        text = sentences.answer(judged, against, against, models, None)
        assert f"validation leaves {part} alone" in text
        assert sentences.lone_part(models) == part
    assert sentences.lone_part(study.entries(Chosen("als", {**dict.fromkeys(study.MODELS, 0.1)},
                                                    None))) is None  # fmt: skip


def curves(best: float) -> pd.DataFrame:
    grid = [0.0, 0.5, 1.0]
    level = [0.3 - 0.1 * abs(a - best) for a in grid]
    return pd.DataFrame(
        {"alpha": grid, "metric": "nDCG", "value": level, "low": np.array(level) - 0.06,
         "high": np.array(level) + 0.06, "occasions": 40, "collaborative": "svd"}
    )  # fmt: skip


@pytest.mark.parametrize(
    "best,said", [(0.5, "0 to 1 all lie within"), (1.0, "leaves content out"), (0.0, "part out")]
)
def test_the_curve_is_read(best, said):
    text = sentences.on_curves(Chosen("svd", {"svd": best}, curves(best)), {"svd": "SVD"})
    assert said in text and "0.300 [0.240, 0.360]" in text


def test_tables_in_words_hold_every_value(judged, models, fitted, found):
    wide = tables.quality_words(judged, models)
    row = value(judged, "hybrid", "nDCG")
    mine = wide[(wide["items wanted"] == "all") & (wide.users == "all")].set_index("model")
    title = models["hybrid"].title
    assert mine.nDCG[title] == f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"
    assert len(wide) == len(judged) / 7
    ranks = example.explained(fitted["hybrid"], found.test, 0)
    ten = tables.example_table(ranks, found.items)
    assert len(ten) == 10 and set(ten.category) <= set(KINDS)
    features = tables.features_table(Content().fit(fitted["hybrid"].shop_))
    assert features.set_index("feature").loc["category", "values"] == 4
    assert set(tables.groups(models).values()) == set(tables.FAMILIES.values())


def test_the_papers_options_stand_beside_ours():
    rates = pd.DataFrame({"model": ["random", "hybrid"], "hit_rate": [0.1, 0.8]})
    shown = tables.beside_paper(rates)
    assert shown.iloc[:, 2].tolist() == ["5.68%", "13.69%"]
    assert shown.iloc[:, 3].tolist() == ["10.0%", "80.0%"]
    text = sentences.on_paper(rates)
    assert "2.4 times its conversion" in text and "8.0 times as often" in text


def test_sentences_speak_of_the_numbers_given(judged, models, found):
    assert f"**{len(found.test):,}**" in sentences.on_periods(found)
    text = sentences.on_quality(judged, models)
    ndcg = judged[(judged.metric == "nDCG") & (judged.target == "all") & (judged.users == "all")]
    best = ndcg.loc[ndcg.value.idxmax()]
    assert f"**{models[best.model].title}** has the highest nDCG, {best.value:.3f}" in text
    assert f"{value(judged, 'hybrid', 'nDCG', users='warm').value:.3f}" in sentences.on_users(
        judged
    )
    against = difference(models, popular="first", rules="second")
    text = sentences.on_against(against, models)
    assert "better than Popular;" in text and "worse than Association rules;" in text
    cold = pd.DataFrame({"model": ["rules", "content"], "value": [0.0, 0.2]})
    text = sentences.on_cold_items(cold, models)
    assert "Content 20.0%" in text and "Association rules cannot list any" in text
    assert "collaborative model" not in text


# ---- figures


def test_figures_draw_what_they_return(fitted, found):
    ranks = example.explained(fitted["hybrid"], found.test, 0)
    for alpha in (0.0, 0.5, 1.0):
        fig, table = plots.one_user(ranks, alpha)
        assert len(fig.axes) == 2 and len(table) == 24
        assert {t.get_text() for t in fig.axes[1].texts} == {str(i) for i in range(1, 11)}
    fig, table = plots.alpha_curves(curves(0.5), {"svd": "SVD"})
    line = fig.axes[0].lines[0]
    assert line.get_ydata().tolist() == table.value.tolist()
    clicks = quality.by_clicks({"popular": fitted["popular"]}, found, draws=DRAWS)
    fig, table = plots.by_clicks(clicks, {"popular": "Popular"}, ylabel="nDCG")
    assert len(table) == 4 and fig.axes[0].get_ylabel() == "nDCG"


# ---- what is too little


def test_a_shop_with_enough_is_recommended_from():
    assert too_little(ShopRun(shop_events(sessions=1_200), shop_items())) == ""


def test_a_shop_with_too_little_says_what_is_missing():
    few = ShopRun(shop_events(sessions=120), shop_items())
    assert "too few occasions" in too_little(few) and "in the test part" in too_little(few)
    small = ShopRun(shop_events(), shop_items(8))
    text = too_little(small)
    assert "8 products" in text and "not among the items" in text
    short = ShopRun(shop_events(sessions=1), shop_items())
    assert "cannot be split" in too_little(short)
    nothing = ShopRun(shop_events(), shop_items())
    del nothing.tables["contract/items"]
    assert "no list of items" in too_little(nothing)


# ---- real data


@pytest.fixture(scope="module")
def clothing(real_data, tmp_path_factory):
    from tests.test_sequences_real import as_run

    return as_run("eshop-clothing", tmp_path_factory.mktemp("runs") / "clothing")


def test_the_clothing_shop_has_one_session_a_user_and_no_purchases(clothing, real_data):
    found = study.periods(clothing)
    assert found.wanted == "view" and (found.test.users.before == 0).all()
    raw = pd.read_parquet(real_data / "eshop_clothing_2008.parquet")
    days = pd.to_datetime(raw[["year", "month", "day"]]).dt.tz_localize("UTC")
    late = raw[days >= found.split.test]
    clicks = late.groupby("session ID").size()
    assert len(found.test) <= (clicks > 3).sum() and len(found.test) > 0.95 * (clicks > 3).sum()
    few = dataclasses.replace(
        found, test=study.subset(found.test, np.arange(len(found.test)) % 10 == 0)
    )
    chosen = Chosen("item-item", {**dict.fromkeys(study.MODELS, 1.0)}, None)
    models: dict[str, Entry] = {
        name: entry for name, entry in study.entries(chosen).items()
        if name in ("random", "popular", "rules", "content", "item-item", "hybrid")
    }  # fmt: skip
    fitted = study.fit_all(models, few.before_test, few.items)
    table = quality.against(fitted, few, draws=DRAWS).set_index("model")
    assert table.favours["random"] == table.favours["popular"] == "first"
    # the random list holds as much of what is wanted as its share of the catalogue
    asked = few.test
    lists = fitted["random"].recommend(asked.users[["user_code"]], history=asked.history)
    each = judge(lists, asked.targets, asked.users, fitted["random"].shop_).each
    expected = 10 / len(fitted["random"].shop_)
    spread = 3 * math.sqrt(expected / len(asked))
    assert each.recall.mean() == pytest.approx(expected, abs=spread)
