"""Recommenders: their scores, ranks, histories, cold paths and what they refuse."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from precmark.errors import InputError
from precmark.recommend import HybridRecommender, floors
from precmark.recommend.collaborative import MODELS
from precmark.recommend.content import item_features
from precmark.recommend.ranks import top, within_user_ranks
from precmark.recommend.shop import histories_of, shop_of
from tests.recommend_cases import KINDS, codes, shop_events, shop_items

USERS = codes(*range(40))


@pytest.fixture(scope="module")
def events():
    return shop_events()


@pytest.fixture(scope="module")
def items():
    return shop_items()


@pytest.fixture(scope="module")
def hybrids(events, items):
    return {name: HybridRecommender(name, alpha=0.6).fit(events, items) for name in MODELS}


@pytest.fixture(scope="module")
def hybrid(hybrids):
    return hybrids["item-item"]


def liking_by_hand(events, user, shop, half_life=None) -> np.ndarray:
    """log(1 + weights), events of earlier moments halved `1 / half_life` times each."""
    mine = events[events.user_code == user]
    known = mine[mine.item_id.notna() & mine.event.isin(["view", "cart", "purchase"])]
    searched = mine[(mine.event == "search") & mine.category.notna() & mine.item_id.isna()]
    moments = sorted({*known.timestamp, *searched.timestamp})
    total = dict.fromkeys(shop.index, 0.0)
    for row in known.itertuples():
        if row.item_id in total:
            later = sum(m > row.timestamp for m in moments)
            age = 1.0 if half_life is None else 0.5 ** (later / half_life)
            total[row.item_id] += age * {"view": 1, "cart": 3, "purchase": 5}[row.event]
    return np.array([math.log1p(total[item]) for item in shop.index])


def dense_liking(events, model) -> np.ndarray:
    return np.array([liking_by_hand(events, u, model.shop_) for u in sorted(set(events.user_code))])


# ---- shop and histories


def test_only_products_are_sold_the_least_touched_first(events, items):
    shop = shop_of(events, items)
    weight = {"view": 1, "cart": 3, "purchase": 5}
    expected = dict.fromkeys(items.item_id[items.kind == "product"], 0)
    for row in events.itertuples():
        if row.event in weight and row.item_id in expected:
            expected[row.item_id] += weight[row.event]
    assert dict(zip(shop.index, shop.popularity, strict=True)) == expected
    assert list(shop.index) == sorted(expected, key=lambda i: (expected[i], i))
    assert shop.categories == KINDS
    assert [shop.categories[c] for c in shop.category] == list(shop.items.category)


@pytest.mark.parametrize("half_life", [None, 1.0, 2.5])
def test_a_history_is_the_logarithm_of_its_aged_weights(events, items, half_life):
    shop = shop_of(events, items)
    found = histories_of(events, shop, range(40), half_life=half_life)
    for user in range(40):
        by_hand = liking_by_hand(events, user, shop, half_life)
        np.testing.assert_allclose(found.items[user].toarray()[0], by_hand, rtol=1e-5)
    assert found.cold.tolist() == [not row.any() for row in found.items.toarray()]


def test_searches_count_by_category(events, items):
    shop = shop_of(events, items)
    found = histories_of(events, shop, range(40), half_life=None).searches.toarray()
    for user in range(40):
        mine = events[(events.user_code == user) & (events.event == "search")]
        counts = [math.log1p((mine.category == c).sum()) for c in shop.categories]
        np.testing.assert_allclose(found[user], counts, rtol=1e-5)


# ---- ranks


@pytest.mark.parametrize("levels", [30, 20_000])
@pytest.mark.parametrize("m", [2, 10, 743, 1500])
def test_ranks_are_those_of_a_loop_with_scipy(m, levels):
    rng = np.random.default_rng(m)
    scores = rng.integers(-4, levels, size=(7, m)).astype(np.float32)
    # all alike, half of them unknown, and ties that reach both ends
    scores[3], scores[4, ::2], scores[5, -1] = 5, -9, scores[5, 0]
    scores[6] = np.sort(scores[6])
    scores[6, -2:] = scores[6].max()
    got = within_user_ranks(scores)
    for i in range(len(scores)):
        np.testing.assert_allclose(
            got[i], (rankdata(scores[i], method="min") - 1) / (m - 1), atol=1e-6
        )


@pytest.mark.parametrize("m,k", [(10, 10), (743, 10), (1500, 3)])
def test_the_best_are_those_of_a_sort_with_ties_to_the_later_column(m, k):
    rng = np.random.default_rng(k)
    scores = rng.integers(0, 20, size=(9, m)).astype(np.float32)
    for row, found in zip(scores, top(scores, k), strict=True):
        assert found.tolist() == sorted(range(m), key=lambda j: (-row[j], -j))[:k]


# ---- collaborative scores against the libraries called by hand


def scores_of(model, events):
    known = histories_of(events, model.shop_, sorted(set(events.user_code)), half_life=None)
    return model.model_.scores(model.model_.prepare(known.items))


def test_item_item_scores_are_sums_of_cosines(hybrids, events):
    model, liking = hybrids["item-item"], dense_liking(events, hybrids["item-item"])
    length = np.sqrt((liking**2).sum(axis=0))
    cosine = np.array(
        [
            [
                liking[:, a] @ liking[:, b] / (length[a] * length[b])
                if length[a] and length[b]
                else 0.0
                for b in range(liking.shape[1])
            ]
            for a in range(liking.shape[1])
        ]
    )
    np.testing.assert_allclose(scores_of(model, events), liking @ cosine, atol=1e-4)


def test_item_item_keeps_the_strongest_neighbours_as_the_library_does(events, items):
    from implicit.nearest_neighbours import CosineRecommender

    from precmark.recommend.collaborative import ItemItem

    shop = shop_of(events, items)
    liking = histories_of(events, shop, half_life=None).items
    ours = ItemItem(neighbours=4).fit(liking)
    theirs = CosineRecommender(K=4, num_threads=1)
    with pytest.warns(Warning, match="expects CSR"):
        theirs.fit(liking.astype(np.float64), show_progress=False)
    got = ours.scores(ours.prepare(liking))
    for user in range(0, liking.shape[0], 7):
        ids, scores = theirs.recommend(
            user, liking[user].astype(np.float64), N=24, filter_already_liked_items=False
        )
        found = dict(zip(ids.tolist(), scores.tolist(), strict=True))
        np.testing.assert_allclose(got[user], [found.get(j, 0.0) for j in range(24)], atol=1e-4)


def test_als_scores_solve_the_least_squares_of_each_user(hybrids, events):
    model = hybrids["als"]
    liking = dense_liking(events, model)
    factors = np.asarray(model.model_.model_.item_factors, dtype=float)
    got = scores_of(model, events)
    for user in range(len(liking)):
        left = factors.T @ factors + 0.1 * np.eye(factors.shape[1])
        right = np.zeros(factors.shape[1])
        for item, value in enumerate(liking[user]):
            if value:
                # a preference of 1 with confidence 10 times the liking (Hu, Koren, Volinsky)
                left += (10 * value - 1) * np.outer(factors[item], factors[item])
                right += 10 * value * factors[item]
        by_hand = factors @ np.linalg.solve(left, right)
        np.testing.assert_allclose(got[user], by_hand, atol=2e-3)


def test_als_factors_are_those_of_the_library(hybrids, events):
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    model = hybrids["als"]
    theirs = AlternatingLeastSquares(
        factors=32, regularization=0.1, alpha=10.0, iterations=15, random_state=0
    )
    # its conjugate gradients stop early, so the last digits of what it is given matter
    liking = np.log1p(np.expm1(dense_liking(events, model)).round().astype(np.float32))
    theirs.fit(csr_matrix(liking[liking.any(axis=1)]), show_progress=False)
    expected = theirs.item_factors @ theirs.item_factors.T
    ours = model.model_.item_factors_ @ model.model_.item_factors_.T
    np.testing.assert_allclose(ours, expected, atol=1e-3)


def test_svd_scores_are_the_history_rebuilt_from_the_largest_singular_values(hybrids, events):
    model, liking = hybrids["svd"], dense_liking(events, hybrids["svd"])
    _, _, right = np.linalg.svd(liking[liking.any(axis=1)], full_matrices=False)
    kept = right[:23]
    np.testing.assert_allclose(scores_of(model, events), liking @ kept.T @ kept, atol=2e-3)


def test_nmf_scores_are_parts_times_weights(hybrids, events):
    from sklearn.decomposition import NMF

    model, liking = hybrids["nmf"], dense_liking(events, hybrids["nmf"]).astype(np.float32)
    theirs = NMF(23, init="nndsvda", random_state=0, max_iter=200, tol=1e-3)
    theirs.fit(liking[liking.any(axis=1)])
    expected = theirs.transform(liking) @ theirs.components_
    np.testing.assert_allclose(scores_of(model, events), expected, atol=2e-2)


# ---- content


def test_content_vectors_hold_each_known_block_with_length_one(items):
    products = items[items.kind == "product"].reset_index(drop=True)
    features, names = item_features(products)
    table = pd.DataFrame(features.toarray(), columns=names)
    for i, row in products.iterrows():
        assert table.loc[i, f"category: {row.category}"] == 1
        assert table.loc[i, f"brand: {row.brand}"] == 1
        band = sorted(products.price).index(row.price)
        assert table.loc[i, [n for n in names if n.startswith("price")]].sum() == 1
        assert 0 <= band < len(products)
    words = table[[n for n in names if n.startswith("text")]]
    np.testing.assert_allclose((words**2).sum(axis=1), 1, rtol=1e-5)
    assert {n for n in names if n.startswith("text")} >= {"text: soft", "text: blue"}


def test_price_bands_are_fifths_of_the_catalogue(items):
    products = items[items.kind == "product"]
    features, names = item_features(products)
    bands = features.toarray()[:, [i for i, n in enumerate(names) if n.startswith("price")]]
    assert bands.sum(axis=0).tolist() == [5, 5, 4, 5, 5]
    mean = [products.price.to_numpy()[bands[:, b] == 1].mean() for b in range(5)]
    assert mean == sorted(mean)


def test_content_scores_are_dot_products_with_normed_items(hybrid, events):
    features, names = item_features(hybrid.shop_.items)
    unit = features.toarray() / np.linalg.norm(features.toarray(), axis=1, keepdims=True)
    known = histories_of(events, hybrid.shop_, range(40))
    searched = np.zeros((4, len(names)))
    for i, category in enumerate(hybrid.categories_):
        searched[i, names.index(f"category: {category}")] = 1
    user = known.items.toarray() @ unit + known.searches.toarray() @ searched
    np.testing.assert_allclose(hybrid.content_.scores(known), user @ unit.T, atol=1e-4)


def test_a_catalogue_without_descriptions_uses_what_there_is(items):
    bare = items[items.kind == "product"][["item_id", "category"]]
    assert item_features(bare)[1] == tuple(f"category: {k}" for k in KINDS)
    assert item_features(bare.assign(category=None))[1] == ("nothing",)


# ---- equation 11


class Fixed:
    """Scores by user number that a test has chosen."""

    def __init__(self, scores):
        self.table = np.asarray(scores, dtype=np.float32)

    def prepare(self, liking):
        return np.arange(liking.shape[0])

    def scores(self, given):
        rows = given if isinstance(given, np.ndarray) else np.arange(len(given))
        return self.table[rows].copy()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_hybrid_adds_ranks_within_each_user(hybrid, alpha):
    rng = np.random.default_rng(4)
    m = len(hybrid.shop_)
    others, content = rng.integers(0, 12, (2, 40, m))
    model = copy.copy(hybrid).with_alpha(alpha)
    model.model_, model.content_ = Fixed(others), Fixed(content)
    cold = model.histories_.cold
    got = model._scores(model.histories_, model._prepared(model.histories_))
    for user in range(len(model.histories_)):
        by_content = (rankdata(content[user], method="min") - 1) / (m - 1)
        by_others = (rankdata(others[user], method="min") - 1) / (m - 1)
        for item in range(m):
            if cold[user] or hybrid.shop_.popularity[item] == 0:
                by_others[item] = by_content[item]
            expected = alpha * by_others[item] + (1 - alpha) * by_content[item]
            assert got[user, item] == pytest.approx(expected, abs=1e-6)


def test_items_that_nobody_touched_are_ranked_by_content_alone(events, items):
    hidden = ["p03", "p08"]
    seen = events[~events.item_id.isin(hidden)]
    models = [HybridRecommender("als", alpha=a).fit(seen, items) for a in (0.0, 1.0)]
    at = models[0].shop_.index.get_indexer(hidden)
    scores = [m._scores(m.histories_, m._prepared(m.histories_))[:, at] for m in models]
    np.testing.assert_array_equal(*scores)


def test_lists_come_in_the_order_asked_with_falling_scores(hybrid):
    asked = codes(7, 3, 30, 0)
    found = hybrid.recommend(asked, 5)
    assert found.columns.tolist() == ["user_code", "rank", "item_id", "category", "score", "cold"]
    assert found.user_code.tolist() == np.repeat([7, 3, 30, 0], 5).tolist()
    assert found["rank"].tolist() == [1, 2, 3, 4, 5] * 4
    for _, mine in found.groupby("user_code"):
        assert mine.score.diff().max() < 1e-6 and mine.item_id.is_unique
    kind = shop_items().set_index("item_id")
    assert (kind.kind[found.item_id] == "product").all()
    assert found.category.astype(str).tolist() == kind.category[found.item_id].tolist()


def test_every_alpha_at_once_is_each_alpha_by_itself(hybrid):
    known = hybrid.histories_
    for alpha, lists in hybrid.lists_by_alpha(known, (0.0, 0.4, 1.0), 10):
        alone = hybrid.with_alpha(alpha).recommend(codes(*known.users), 10)
        pd.testing.assert_frame_equal(lists, alone)


def test_results_do_not_depend_on_how_users_are_cut_into_pieces(hybrids, monkeypatch):
    whole = {name: m.recommend(USERS) for name, m in hybrids.items()}
    monkeypatch.setattr("precmark.recommend.ranks.CHUNK_ROWS", 7)
    for name, model in hybrids.items():
        pd.testing.assert_frame_equal(model.recommend(USERS), whole[name], rtol=1e-5)


@pytest.mark.parametrize("candidates", ["new", "repeat"])
def test_candidates_can_be_new_or_touched_before(hybrid, events, candidates):
    found = hybrid.recommend(USERS, 10, candidates=candidates)
    given = events[events.event.isin(["view", "cart", "purchase"])]
    seen = given.groupby("user_code").item_id.agg(set).to_dict()
    for user in range(40):
        mine = found[found.user_code == user].item_id
        touched = seen.get(user, set()) - {"b1"}
        if candidates == "new":
            assert not touched & set(mine) and len(mine) == min(10, 24 - len(touched))
        else:
            assert set(mine) <= touched and len(mine) == min(10, len(touched))


# ---- histories handed in


@pytest.mark.parametrize("name", list(MODELS))
def test_a_history_handed_in_serves_as_the_one_learnt_from(hybrids, events, name):
    asked = codes(5, 1, 39, 12)
    shuffled = events[events.user_code.isin(asked.user_code)].sample(frac=1, random_state=0)
    stored = hybrids[name].recommend(asked)
    given = hybrids[name].recommend(asked, history=shuffled)
    pd.testing.assert_frame_equal(given, stored, rtol=1e-4)


def test_a_new_number_with_an_old_history_gets_the_old_list(hybrid, events):
    history = events[events.user_code == 5].assign(user_code=9_000)
    old, new = hybrid.recommend(codes(5)), hybrid.recommend(codes(9_000), history=history)
    assert new.item_id.tolist() == old.item_id.tolist() and not new.cold.any()
    category = hybrid.category(codes(9_000), history=history)
    assert category.category[0] == hybrid.category(codes(5)).category[0]


def test_unknown_users_get_what_is_popular_and_are_marked(hybrid):
    found = hybrid.recommend(codes(5, 777), 10)
    mine = found[found.user_code == 777]
    assert mine.cold.all() and not found[found.user_code == 5].cold.any()
    assert mine.item_id.tolist() == list(hybrid.shop_.index[::-1][:10])
    assert hybrid.recommend(codes(), 10).empty


@pytest.mark.parametrize("name", list(MODELS))
def test_cold_users_get_the_same_list_whatever_alpha_is(hybrids, events, name):
    searched = events[events.event == "search"].assign(user_code=1_000).head(1)
    lists = [
        hybrids[name].with_alpha(a).recommend(codes(1_000, 1_001), history=searched)
        for a in (0.0, 0.5, 1.0)
    ]
    assert lists[0].cold.all()
    for other in lists[1:]:
        assert other.item_id.tolist() == lists[0].item_id.tolist()
    first = lists[0][lists[0].user_code == 1_000].category.iloc[:5]
    assert set(first) == set(searched.category)


# ---- categories


def test_affinities_are_votes_of_the_first_twenty(hybrid):
    scores = hybrid.category_scores(USERS)
    lists = hybrid.recommend(USERS, 20)
    for user in range(40):
        votes = dict.fromkeys(KINDS, 0.0)
        for row in lists[lists.user_code == user].itertuples():
            votes[row.category] += 1 / math.log2(row.rank + 1)
        total = sum(votes.values())
        for kind in KINDS:
            assert scores.loc[user, kind] == pytest.approx(votes[kind] / total)
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert scores.index.name == "user_code" and hybrid.categories_ == KINDS


def test_the_category_is_the_one_with_the_highest_affinity(hybrid):
    asked = codes(9, 2, 31)
    found, scores = hybrid.category(asked), hybrid.category_scores(asked)
    assert found.user_code.tolist() == [9, 2, 31]
    assert found.category.tolist() == scores.idxmax(axis=1).tolist()
    np.testing.assert_allclose(found.score, scores.max(axis=1))


def test_only_the_categories_asked_for_are_chosen(hybrid):
    found = hybrid.category_scores(USERS, among=["towels", "bath"])
    whole = hybrid.category_scores(USERS)[["towels", "bath"]]
    np.testing.assert_allclose(found.sum(axis=1), 1)
    share = whole.div(whole.sum(axis=1), axis=0)
    np.testing.assert_allclose(found, share, atol=1e-4)


# ---- floors


def test_popular_is_the_same_list_for_all(events, items):
    model = floors.Popular().fit(events, items)
    found = model.recommend(USERS, 4).item_id.to_numpy().reshape(40, 4)
    assert (found == model.shop_.index[::-1][:4].to_numpy()).all()


def test_chance_is_even_and_repeatable(events, items):
    models = [floors.Chance(seed).fit(events, items) for seed in (1, 1, 2)]
    many = codes(*range(3_000))
    a, b, c = (m.recommend(many, 5).item_id.to_numpy() for m in models)
    assert (a == b).all() and (a != c).any()
    counts = pd.Series(a).value_counts().reindex(items.item_id[:24])
    assert counts.between(625 - 5 * 25, 625 + 5 * 25).all()


def test_again_lists_what_was_touched_the_most_liked_first(events, items):
    model = floors.Again().fit(events, items)
    for user in range(0, 40, 5):
        mine = model.recommend(codes(user), 24).item_id.tolist()
        liking = liking_by_hand(events, user, model.shop_, 1.0)
        value = dict(zip(model.shop_.index, liking, strict=True))
        touched = [i for i in mine if value[i] > 1e-3]
        assert mine[: len(touched)] == touched
        assert all(value[a] > value[b] - 2e-4 for a, b in itertools.pairwise(touched))


def test_rules_are_confidences_of_pairs_in_sessions(events, items):
    model = floors.Rules(least_baskets=3).fit(events, items)
    given = events[events.event.isin(["view", "cart", "purchase"])]
    baskets = [set(mine.item_id) for _, mine in given.groupby("session_code")]
    rules = model.confidence_.toarray()
    for i, a in enumerate(model.shop_.index):
        for j, b in enumerate(model.shop_.index):
            both = sum(a in x and b in x for x in baskets)
            has_a, has_b = (sum(x in y for y in baskets) for x in (a, b))
            counts = a != b and both >= 3 and both * len(baskets) > has_a * has_b
            assert rules[i, j] == pytest.approx(both / has_a if counts else 0.0)


def test_the_favourite_category_fills_the_list(events, items):
    model = floors.SameCategory().fit(events, items)
    history = events[events.event == "cart"].head(1).assign(user_code=5_000)
    kind = items.set_index("item_id").category[history.item_id.iloc[0]]
    assert set(model.recommend(codes(5_000), 6, history=history).category) == {kind}


# ---- the choice of a


def test_alpha_is_the_best_of_the_curve_on_what_came_later(events, items):
    border = events.timestamp.quantile(0.7)
    early, late = events[events.timestamp < border], events[events.timestamp >= border]
    model = HybridRecommender("item-item").fit(early, items, validation=late)
    judged = model.curve_[model.curve_.metric == "nDCG"].set_index("alpha").value
    assert len(judged) == 11 and model.alpha_ == judged.idxmax()
    untuned = HybridRecommender("item-item", alpha=model.alpha_).fit(early, items)
    pd.testing.assert_frame_equal(model.recommend(USERS), untuned.recommend(USERS))


def test_without_validation_data_the_latest_part_chooses_and_all_of_it_is_learnt(events, items):
    model = HybridRecommender("svd").fit(events, items)
    assert model.curve_ is not None and 0 <= model.alpha_ <= 1
    given = HybridRecommender("svd", alpha=model.alpha_).fit(events, items)
    pd.testing.assert_frame_equal(model.recommend(USERS), given.recommend(USERS))


def test_nothing_to_choose_by_leaves_the_middle(events, items):
    late = events.timestamp >= events.timestamp.quantile(0.7)
    unsold = events[late & (events.event != "purchase")]
    model = HybridRecommender("item-item").fit(events[~late], items, validation=unsold)
    assert model.alpha_ == 0.5 and model.curve_ is None


# ---- bad input


def problems_of(call) -> str:
    with pytest.raises(InputError) as error:
        call()
    return str(error.value)


def test_everything_wrong_with_the_tables_is_said_at_once(events, items):
    few = items.head(8).copy()
    few["category"] = pd.Categorical(few.category, [*KINDS, "garden"])
    few.loc[0, "category"] = None
    twice = pd.concat([few, few.tail(2)], ignore_index=True)
    swapped = events.drop(columns="timestamp")
    model = HybridRecommender("cosine", alpha=1.5, half_life=0)
    text = problems_of(lambda: model.fit(swapped, twice))
    for part in (
        "collaborative: 'cosine'", "alpha: 1.5", "half_life: 0", "events.timestamp",
        "items.item_id: listed twice", "8 products", "'garden' has no items",
        "items.category: empty for some products", "events.item_id: not among the items",
    ):  # fmt: skip
        assert part in text


def test_swapped_tables_are_refused_by_their_columns(events, items):
    text = problems_of(lambda: HybridRecommender().fit(items, events))
    for part in ("events.user_code", "events.event", "events.timestamp", "check that none was"):
        assert part in text


def test_users_and_items_cannot_be_swapped(hybrid, items):
    text = problems_of(lambda: hybrid.recommend(items, 99, history=items, candidates="some"))
    for part in (
        "users: no column user_code", "k: 99", "history.user_code", "history.timestamp",
        "candidates: 'some'",
    ):  # fmt: skip
        assert part in text
    assert "given twice" in problems_of(lambda: hybrid.recommend(codes(3, 3)))
    assert "k: 0" in problems_of(lambda: hybrid.recommend(USERS, 0))


def test_a_category_without_items_cannot_be_asked_for(hybrid, events, items):
    text = problems_of(lambda: hybrid.category(USERS, among=["garden", "bath", "toys"]))
    assert "'garden'" in text and "'toys'" in text and "'bath'" not in text
    nameless = HybridRecommender(alpha=0.5).fit(events, items.assign(category=None))
    assert nameless.categories_ == () and len(nameless.recommend(USERS)) == 400
    assert "names none" in problems_of(lambda: nameless.category(USERS))


def test_a_log_in_which_nobody_touched_anything_is_refused(events, items):
    only = events[events.event == "search"]
    assert "nobody viewed" in problems_of(lambda: HybridRecommender(alpha=0.5).fit(only, items))


def test_an_alpha_that_is_no_share_is_refused_later_too(hybrid):
    assert "alpha: 2" in problems_of(lambda: hybrid.with_alpha(2))
