"""Exposure and its bound, forged orders, pages that sink, cold start: against literal readings."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.errors import InputError
from precmark.interests import coldstart, feedback, neutrality
from precmark.interests import exposure as ex
from precmark.interests.feedback import ClickModel, Policy
from precmark.recommend.measures import K
from precmark.recommend.occasions import Occasions
from precmark.recommend.shop import interactions, shop_of
from precmark.recommend.study import periods
from tests.recommend_cases import SAYS, START, ShopRun, shop_events, shop_items

DRAWS = 100


@pytest.fixture(scope="module")
def found():
    events = shop_events(users=150, sessions=500, n_items=60)
    return periods(ShopRun(events, shop_items(60)))


@pytest.fixture(scope="module")
def market(found):
    return neutrality.market(found)


# ---- groups of products


def items(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    base = {"item_id": [f"i{k:03d}" for k in range(n)], "kind": "product", "category": None}
    return pd.DataFrame(base | columns)


def test_groups_take_brand_then_category_then_price():
    events = pd.DataFrame(
        {"user_code": [0], "item_id": ["i000"], "event": ["view"], "timestamp": [START]}
    )
    full = items(brand=list("ab") * 20, category=list("ccdd") * 10, price=np.arange(40.0))
    assert ex.groups_of(shop_of(events, full)).by == "brand"
    assert ex.groups_of(shop_of(events, full.drop(columns="brand"))).by == "category"
    groups = ex.groups_of(shop_of(events, items(price=np.arange(1.0, 61.0))))
    assert groups.by == "band of price" and np.bincount(groups.code).tolist() == [12] * 5
    bare = shop_of(events, items(price=[None] * 21))
    halves = ex.groups_of(bare)
    assert halves.by == "popularity" and np.bincount(halves.code).tolist() == [11, 10]
    assert halves.names[halves.code[bare.index.get_loc("i000")]] == "best-sellers"
    with pytest.raises(InputError, match="can be parted by: popularity"):
        ex.groups_of(bare, "brand")
    with pytest.raises(InputError, match="parted by: nothing"):
        ex.groups_of(shop_of(events, items(price=[None] * 12)))
    with pytest.raises(InputError, match="One of brand"):
        ex.groups_of(shop_of(events, full), "colour")


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"a": 30, "b": 20, "c": 3}, {"a": 30, "others": 23}),
        ({"a": 30, "b": 9, "c": 6}, {"a": 30, "others": 15}),
        ({"a": 10, "b": 10}, {"a": 10, "b": 10}),
    ],
)
def test_small_brands_are_put_together_until_they_could_fill_a_list(sizes, expected):
    brand = [name for name, size in sizes.items() for _ in range(size)]
    events = pd.DataFrame(
        {"user_code": [0], "item_id": ["i000"], "event": ["view"], "timestamp": [START]}
    )
    groups = ex.groups_of(shop_of(events, items(brand=brand)), "brand")
    count = np.bincount(groups.code)
    assert dict(zip(groups.names, count.tolist(), strict=True)) == expected


# ---- exposure


def test_exposure_by_hand():
    shop = shop_of(
        pd.DataFrame(
            {"user_code": [0], "item_id": ["i000"], "event": ["view"], "timestamp": START}
        ),
        items(brand=["a"] * 10 + ["b"] * 10),
    )
    groups = ex.groups_of(shop)
    users = pd.DataFrame({"user_code": [0, 1], "person": [7, 8]})
    targets = pd.DataFrame({"user_code": [0, 0, 1], "item_id": ["i001", "i011", "i002"]})
    asked = Occasions(users, pd.DataFrame(), targets)
    lists = pd.DataFrame(
        {
            "user_code": [0, 0, 1, 1],
            "rank": [1, 2, 1, 2],
            "item_id": ["i000", "i010", "i012", "i013"],
        }
    )
    found = ex.exposure(lists, asked, shop, groups, draws=DRAWS).set_index("group")
    second = 1 / math.log2(3)
    share = 1 / (2 + 2 * second)
    assert found.exposure["a"] == pytest.approx(share)
    assert found.wanted.to_dict() == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}
    assert found.ratio["b"] == pytest.approx((1 - share) * 3)
    assert found.catalogue.tolist() == [0.5, 0.5]
    # two people: a draw takes both, or one of them twice
    only = [share_a / wanted_a for share_a, wanted_a in ((1 / (1 + second), 0.5), (0.0, 1.0))]
    assert only[1] <= found.low["a"] <= found.ratio["a"] <= found.high["a"] <= only[0]


def test_gini_is_half_the_mean_difference_over_the_mean():
    rng = np.random.default_rng(0)
    values = rng.exponential(size=50)
    literal = np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())
    assert ex.gini(values) == pytest.approx(literal)
    assert ex.gini(np.zeros(5)) == 0.0


# ---- the bound


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1.0, 1.1, 1.5, 3.0]),
    st.integers(2, 4),
    st.integers(1, 8),
)
def test_no_group_is_ever_shown_more_than_the_bound_allows(seed, bound, n_groups, k):
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(n_groups), 8)
    scores = rng.random((25, len(code))).astype(np.float32) + (code == 0)
    target = rng.dirichlet(np.ones(n_groups)) * 0.9 + 0.1 / n_groups
    columns = ex.bounded_lists(scores, code, target, bound, k=k)
    spent = [0.0] * n_groups
    for row in columns:
        assert len(set(row.tolist())) == k
        for place, column in enumerate(row, 1):
            spent[code[column]] += 1 / math.log2(place + 1)
            for g in range(n_groups):
                assert spent[g] <= bound * target[g] * sum(spent) + 1 + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_each_place_goes_to_the_best_product_that_may_be_shown(seed):
    rng = np.random.default_rng(seed)
    code = rng.permutation(np.repeat([0, 1], 6))
    scores = rng.permutation(12 * 10).reshape(10, 12).astype(np.float32)
    target = np.array([0.7, 0.3])
    found = ex.bounded_lists(scores, code, target, 1.2, k=5)
    spent = np.zeros(2)
    for row, columns in zip(scores, found, strict=True):
        left = set(range(12))
        for place, column in enumerate(columns, 1):
            weight = 1 / math.log2(place + 1)
            allowed = [
                g for g in (0, 1)
                if spent[g] + weight <= 1.2 * target[g] * (spent.sum() + weight) + 1
            ]  # fmt: skip
            best = max((c for c in left if code[c] in allowed), key=lambda c: row[c])
            assert column == best
            left.remove(best)
            spent[code[best]] += weight


def test_without_a_bound_the_lists_are_the_best_scores():
    rng = np.random.default_rng(1)
    scores = rng.random((20, 30)).astype(np.float32)
    code = np.arange(30) % 3
    found = ex.bounded_lists(scores, code, np.full(3, 1 / 3), np.inf, k=6)
    assert (found == np.argsort(-scores, axis=1)[:, :6]).all()


def test_a_bound_that_cannot_be_is_refused_all_at_once():
    scores, code = np.zeros((2, 8), np.float32), np.repeat([0, 1], 4)
    with pytest.raises(InputError) as error:
        ex.bounded_lists(scores, code[:6], np.array([0.5, 0.6]), 0.9, k=5)
    text = str(error.value)
    assert all(w in text for w in ("bound: 0.9", "sum to 1", "6 groups for 8", "has 2 products"))


def test_a_tighter_bound_leaves_less_to_the_favoured(market):
    table = neutrality.trade_off(market, draws=DRAWS)
    free = table[np.isinf(table.bound)].iloc[0]
    assert free.difference == 0 and free.favours == "neither"
    weight = sum(1 / math.log2(r + 1) for r in range(1, K + 1))
    slack = 1 / (len(market.asked) * weight * market.target.min())
    kept = table[~np.isinf(table.bound)]
    assert (kept.most_shown <= kept.bound + slack + 1e-9).all()
    assert (kept.difference_low <= kept.difference).all()


# ---- forged orders


def test_forged_orders_are_as_many_as_asked_and_touch_no_customer(found):
    events = found.before_test
    known = len(interactions(events))
    made = neutrality.forge(events, ["p01", "p02", "p03"], 0.1, beside=["p10", "p11"])
    fake = made.iloc[len(events) :]
    assert made.iloc[: len(events)].user_code.tolist() == events.user_code.tolist()
    assert abs(len(fake) - 0.1 * known) <= 5
    assert not set(fake.user_code) & set(events.user_code)
    assert not set(fake.session_code) & set(events.session_code)
    assert set(fake.item_id) == {"p01", "p02", "p03", "p10", "p11"}
    assert fake.groupby("user_code").item_id.nunique().eq(5).all()
    assert fake.groupby("user_code").timestamp.nunique().eq(1).all()
    assert neutrality.forge(events, ["p01"], 0.0) is events


def test_a_deal_pushes_and_the_bound_undoes_it(market):
    table = neutrality.pushed(market, forged=(0.2,), draws=DRAWS)
    assert len(table) == 4 * (1 + 2 + 1)
    clean = table[table.scenario == "clean"]
    assert (clean.change == 0).all()
    deal = table[table.scenario == "deal"].set_index("model")
    assert (deal.change > 0.1).all() and (deal.favours == "first").all()
    group = table.group.iloc[0]
    assert group == market.groups.names[int(market.target.argmin())]
    lists = len(market.asked) * sum(1 / math.log2(r + 1) for r in range(1, K + 1))
    assert (table.bounded <= 1.1 * table.wanted + 1 / lists + 1e-9).all()
    own = table[(table.scenario == "orders") & (table.model == "popular")].iloc[0]
    assert own.change > 0 and own.favours == "first"


# ---- pages that sink


def literal_pages(scores, wanted, alike, policy, clicks, luck, pages):
    """One user's pages by loops; ties in scores do not occur."""
    sunk, gone, idle, found, seen = set(), set(), {}, [], set()
    for page in range(pages):
        order = sorted(
            range(len(scores)), key=lambda i: scores[i] - 2 * (i in sunk) - 4 * (i in gone)
        )[::-1][:K]
        hits = 0
        for place, item in enumerate(order, 1):
            chance = (
                clicks.wanted if item in wanted
                else clicks.alike if alike[item] else clicks.other
            )  # fmt: skip
            seen.add(item)
            if luck(item, page) < place**-clicks.fading * chance:
                hits += 1
                gone.add(item)
                idle[item] = 0
            else:
                idle[item] = idle.get(item, 0) + 1
                if policy.patience is not None and idle[item] >= policy.patience:
                    sunk.add(item)
        found.append((hits, len(gone & wanted) / len(wanted), len(seen)))
    return found


@pytest.mark.parametrize("patience", [None, 1, 3])
def test_pages_are_those_of_a_reading_user_by_user(market, patience):
    from precmark.simulate import uniform

    asked = feedback.fewer(market.asked, 12)
    policy, clicks, pages, m = Policy(patience), ClickModel(), 6, len(market.model.shop_)
    found = feedback.shown(
        market.model, asked, policy, clicks=clicks, groups=market.groups, pages=pages, seed=3
    )
    scores = ex.all_scores(market.model, asked)[market.model.alpha_]
    shop, per_user = market.model.shop_, []
    for row, user in enumerate(asked.users.user_code):
        mine = asked.targets[asked.targets.user_code == user].item_id
        wanted = set(shop.index.get_indexer(mine))
        kinds = {market.groups.code[c] for c in wanted}

        def luck(item, page, row=row):
            key = np.array([(row * m + item) * pages + page], dtype=np.uint64)
            return uniform(3, 0, key, "offer clicked")[0]

        alike = [market.groups.code[i] in kinds for i in range(m)]
        per_user.append(
            literal_pages(scores[row].astype(float), wanted, alike, policy, clicks, luck, pages)
        )
    expected = np.array(per_user).mean(axis=0)
    got = found.pages[["clicks", "found", "seen"]].to_numpy()
    assert got == pytest.approx(expected)
    last = np.array([user[-1][1] for user in per_user])
    assert found.found == pytest.approx(last)


def test_kinds_on_a_page_are_the_exponential_of_its_entropy():
    groups = ex.Groups("brand", ("a", "b"), np.array([0] * 10 + [1] * 10))
    even = np.array([[0, 1, 2, 3, 4, 10, 11, 12, 13, 14]])
    assert feedback._kinds(even, groups)[0] == pytest.approx(2.0)
    assert feedback._kinds(np.arange(10)[None, :], groups)[0] == pytest.approx(1.0)


def test_learning_narrows_and_sinking_shows_more(market):
    asked = feedback.fewer(market.asked, 60)
    results = {
        p.title: feedback.shown(market.model, asked, p, groups=market.groups, pages=8)
        for p in feedback.usual_policies()
    }
    table = feedback.compared(results, asked, draws=DRAWS)
    seen = {name: r.pages.seen.iloc[-1] for name, r in results.items()}
    assert seen["sinks after 1"] > seen["sinks after 2"] > seen["nothing sinks"]
    assert seen["nothing sinks, learns"] >= seen["nothing sinks"]
    assert set(table.measure) == {"found", "clicks", "kinds"}
    first = table[table.policy == "nothing sinks"]
    assert (first.difference == 0).all()
    bare = feedback.shown(market.model, asked, Policy(), pages=2)
    assert np.isnan(bare.kinds).all()
    assert "kinds" not in set(feedback.compared({"a": bare}, asked, draws=DRAWS).measure)


def test_as_many_sink_by_lot_as_by_missing_clicks(market):
    asked = feedback.fewer(market.asked, 40)
    nobody = ClickModel(wanted=0.002, alike=0.001, other=0.001)
    by_click, by_lot = (
        feedback.shown(market.model, asked, Policy(2, by_lot=lot), clicks=nobody, pages=2)
        for lot in (False, True)
    )
    assert by_click.pages.seen.tolist() == by_lot.pages.seen.tolist()


def test_click_models_that_cannot_be_are_refused_all_at_once(market):
    with pytest.raises(InputError) as error:
        feedback.shown(
            market.model, market.asked, Policy(0), pages=0,
            clicks=ClickModel(wanted=1.5, alike=-0.1, other=2.0, fading=-1),
        )  # fmt: skip
    text = str(error.value)
    names = ("clicks.wanted", "clicks.alike", "clicks.other", "fading", "patience", "pages: 0")
    assert all(word in text for word in names)


# ---- cold start


def test_places_are_kept_for_new_products():
    columns = np.array([[1, 2, 3, 4, 5], [9, 2, 3, 4, 5]])
    best = np.array([[9, 8, 7], [9, 8, 7]])
    assert coldstart.keep_places(columns, best, 0).tolist() == columns.tolist()
    assert coldstart.keep_places(columns, best, 2).tolist() == [[1, 2, 3, 9, 8], [9, 2, 3, 8, 7]]


def test_people_like_a_newcomer_tilt_the_popular_list():
    users = pd.DataFrame({"user_code": range(200), "country": ["GB", "CN"] * 100, "age": 30.0})
    log = pd.DataFrame(
        {
            "user_code": np.repeat(np.arange(200), 20),
            "item_id": np.where(np.repeat(np.arange(200) % 2, 20) == 0, "i000", "i010"),
            "event": "view",
            "timestamp": START,
        }
    )
    shop = shop_of(log, items(category=["a"] * 10 + ["b"] * 10))
    groups = ex.groups_of(shop, "category")
    like = coldstart.PeopleLike().fit(log, users, shop, groups)
    assert like.columns_ == ("country",)
    scores = like.scores([0, 1, 999])
    first, second = shop.index.get_loc("i000"), shop.index.get_loc("i010")
    assert scores[0, first] > scores[0, second] and scores[1, second] > scores[1, first]
    # by hand: 2,000 views of "a" by GB, none of "b"; one is added to each of 4,000 in all
    pull = coldstart.STRENGTH
    tilt = math.log((2000 + pull / 2) / (2000 + pull) / 0.5)
    base = math.log((2000 + 1) / (4000 + 20))
    assert scores[0, first] == pytest.approx(base + tilt, rel=1e-5)
    assert scores[2, first] == pytest.approx(base, rel=1e-5)


def test_newcomers_beside_known_users(found):
    people = pd.DataFrame({"user_code": range(150), "country": ["GB", "CN", "US"] * 50})
    got = coldstart.newcomers(found, people, draws=DRAWS)
    asked = found.asked(known=0, wanted="view")
    new = int((asked.users.before == 0).sum())
    counts = got.known.set_index("who").occasions
    assert counts["new"] == new and counts["known before"] == len(asked) - new
    assert got.lists.name.iloc[0] == "what is popular" and got.lists.difference.iloc[0] == 0
    assert len(got.lists) == 3 and got.attributes == ("country",)
    assert got.gap[1] <= got.gap[0] <= got.gap[2]
    assert coldstart.newcomers(found, None, draws=DRAWS).attributes == ()


def test_new_products_are_shown_by_content_and_by_places_kept(found):
    table = coldstart.new_products(found, draws=DRAWS).set_index(["list", "kept"])
    assert table.exposure["popular", 0] == 0 and table.exposure["item-item", 0] == 0
    place = 1 / math.log2(K + 1) / sum(1 / math.log2(r + 1) for r in range(1, K + 1))
    assert table.exposure["item-item", 1] == pytest.approx(place)
    assert table.exposure["content", 0] > 0
    assert table.wanted.nunique() == 1
    assert table.difference["item-item", 0] == 0
    with pytest.raises(InputError) as error:
        coldstart.new_products(found, places=(-1, 10), share=1.0)
    assert len(error.value.problems) == 3


def test_a_shop_without_clicks_is_served_too():
    events = shop_events(users=150, sessions=500, n_items=60)
    says = [s for s in SAYS if s != "views"]
    found = periods(ShopRun(events[events.event == "purchase"], shop_items(60), says=says))
    market = neutrality.market(found)
    assert not found.clicks and len(market.asked) == len(found.test)
    assert len(coldstart.new_products(found, draws=DRAWS)) >= 6
    names = coldstart.newcomers(found, None, draws=DRAWS)
    assert names is None or "the hybrid, one click later" not in set(names.lists.name)


# ---- whether a run holds enough


def test_a_run_without_a_list_of_products_or_with_too_few_is_left_out():
    from precmark.interests.enough import too_little

    events = shop_events(users=150, sessions=1500, n_items=60)
    whole = ShopRun(events, shop_items(60))
    assert too_little(whole) == ""
    del whole.tables["contract/items"]
    assert "has no list of items" in too_little(whole)
    small = shop_events(users=150, sessions=1500, n_items=16)
    assert "has 16 products; 20 are needed" in too_little(ShopRun(small, shop_items(16)))
