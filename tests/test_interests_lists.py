"""Chapter 11: user-based lists, lists by the interest tree, the protocol, thinning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from precmark.errors import InputError
from precmark.interests import compare, sentences
from precmark.interests.interest_tree import product_paths
from precmark.interests.lists import (
    CollaborativeLists,
    TreeLists,
    UserUser,
    VectorLists,
    with_popularity,
)
from precmark.recommend import quality
from precmark.recommend.measures import judge
from precmark.recommend.shop import histories_of, interactions
from precmark.recommend.study import fit_all
from tests.recommend_cases import ShopRun, codes, shop_events, shop_items

EVENTS = shop_events(users=30, sessions=150, seed=2)
ITEMS = shop_items()
PATHS = product_paths(ITEMS)


def loop_user_scores(train, asked, k):
    """Cosine with every user, the k nearest, cosine times liking, by loops."""
    found = np.zeros((len(asked), train.shape[1]))
    for row, mine in enumerate(asked):
        near = []
        for user, theirs in enumerate(train):
            length = np.linalg.norm(mine) * np.linalg.norm(theirs)
            near.append((-(mine @ theirs) / length if length else 0.0, user))
        for cosine, user in sorted(near)[:k]:
            found[row] += -cosine * train[user]
    return found


@pytest.mark.parametrize("k", [1, 3, 50])
def test_user_based_scores_are_those_of_loops(k):
    rng = np.random.default_rng(k)
    train = rng.random((12, 7)) * (rng.random((12, 7)) < 0.5)
    asked = rng.random((5, 7)) * (rng.random((5, 7)) < 0.6)
    asked[3] = 0
    model = UserUser(k).fit(csr_matrix(train))
    found = model.scores(model.prepare(csr_matrix(asked)))
    assert found == pytest.approx(loop_user_scores(train, asked, k), rel=1e-5, abs=1e-6)


def test_who_is_unknown_gets_what_is_popular():
    model = CollaborativeLists(UserUser).fit(EVENTS, ITEMS)
    lists = model.recommend(codes(999), 5, history=EVENTS.iloc[:0])
    assert lists.item_id.tolist() == model.shop_.index[::-1][:5].tolist() and lists.cold.all()


def test_popularity_decides_between_equals_only():
    scores = np.array([[1.0, 1.0, 2.0], [0.0, 0.0, 0.0], [1e-30, -1e-30, 0.0]], np.float32)
    made = with_popularity(scores, np.array([5.0, 1.0, 0.0]))
    assert made.argsort(axis=1)[:, ::-1].tolist() == [[2, 0, 1], [0, 1, 2], [0, 1, 2]]


def loop_tree_scores(model, events, user):
    """Shares of product, part and kind, by dictionaries."""
    shop = model.shop_
    known = histories_of(events, shop, [user], half_life=model.half_life)
    liked = dict(zip(shop.index, known.items.toarray()[0], strict=True))
    searched = dict(zip(shop.categories, known.searches.toarray()[0], strict=True))
    whole = sum(liked.values()) + sum(searched.values())
    weight = dict(zip(shop.index, shop.popularity + 1, strict=True))
    scores = {}
    for item in shop.index:
        kind, part = PATHS.loc[item]
        same_kind = [i for i in shop.index if PATHS.kind[i] == kind]
        same_part = [i for i in same_kind if PATHS.part[i] == part]
        by_kind = sum(liked[i] for i in same_kind) + searched.get(kind, 0)
        by_part = sum(liked[i] for i in same_part)
        scores[item] = (
            liked[item]
            + by_kind * weight[item] / sum(weight[i] for i in same_kind)
            + by_part * weight[item] / sum(weight[i] for i in same_part)
        ) / whole
    return scores


def test_tree_scores_are_shares_of_product_part_and_kind():
    model = TreeLists(PATHS).fit(EVENTS, ITEMS)
    for user in EVENTS.user_code.value_counts().index[:4]:
        known = histories_of(EVENTS, model.shop_, [user], half_life=model.half_life)
        made = model._scores(known, None)[0]
        expected = loop_tree_scores(model, EVENTS, user)
        # popularity, which decides between equals, adds at most a hundred-thousandth
        assert made == pytest.approx([expected[i] for i in model.shop_.index], abs=1e-4)


def test_a_tree_needs_the_paths_of_all_products():
    with pytest.raises(InputError, match="lack products"):
        TreeLists(PATHS.iloc[:5]).fit(EVENTS, ITEMS)


def test_vector_lists_follow_the_cosine_of_centred_vectors():
    rng = np.random.default_rng(0)
    vectors = pd.DataFrame(rng.random((len(PATHS), 4)) + 10, index=PATHS.index)
    model = VectorLists(vectors).fit(EVENTS, ITEMS)
    user = int(EVENTS.user_code.value_counts().index[0])
    known = histories_of(EVENTS, model.shop_, [user], half_life=model.half_life).items.toarray()[0]
    x = (vectors - vectors.mean()).loc[list(model.shop_.index)].to_numpy()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = x @ (known @ x)
    listed = model.recommend(codes(user), 3).item_id.tolist()
    assert listed == [model.shop_.index[i] for i in np.argsort(-expected)[:3]]


@pytest.fixture(scope="module")
def found():
    events = shop_events(users=150, sessions=400, seed=0)
    return compare.asked_of(ShopRun(events, shop_items()))


@pytest.fixture(scope="module")
def fitted(found):
    models = compare.entries(PATHS)
    return models, fit_all(models, found.before_test, found.items)


def test_all_models_are_asked_after_what_they_learnt_from(found):
    assert found.wanted == "view" and len(found.test) > 30
    assert found.before_test.timestamp.max() < found.test.users.timestamp.min()
    few = compare.asked_of(ShopRun(found.events, found.items), most=20)
    assert len(few.test) == 20
    assert set(few.test.users.user_code) <= set(found.test.users.user_code)
    assert set(few.test.targets.user_code) <= set(few.test.users.user_code)


def test_duels_are_differences_of_means(found, fitted):
    _, models = fitted
    table = compare.duels(models, found, draws=100)
    assert len(table) == 2 * 2 + len(models) - 1
    lists = quality.lists_of(models, found.test)
    mean = {
        name: judge(lists[name], found.test.targets, found.test.users, m.shop_).each.nDCG.mean()
        for name, m in models.items()
    }
    for row in table.itertuples():
        assert row.difference == pytest.approx(mean[row.first] - mean[row.second], abs=1e-9)
        assert row.low <= row.difference <= row.high


def test_thinning_keeps_whole_users_and_smaller_samples_lie_within(found):
    models = {n: e for n, e in compare.entries(PATHS).items() if n in compare.COLLABORATIVE}
    density = compare.by_density(models, found, shares=(1.0, 0.3), draws=100)
    table = density.table
    people = interactions(found.before_test).user_code.nunique()
    assert sorted(table.users.unique()) == [round(0.3 * people), people]
    whole = table[table.share == 1.0].set_index("model")
    fitted = fit_all(models, found.before_test, found.items)
    lists = quality.lists_of(fitted, found.test)
    for name, model in fitted.items():
        each = judge(lists[name], found.test.targets, found.test.users, model.shop_).each
        assert whole.value[name] == pytest.approx(each.nDCG.mean())
    lost = density.losses.set_index("model")
    for name in models:
        assert lost.difference[name] == pytest.approx(lost.whole[name] - lost.fewest[name])
    by_hand = lost.difference[["svd", "nmf"]].mean() - (
        lost.difference[["user-user", "item-item"]].mean()
    )
    assert lost.difference[compare.EXTRA_LOSS] == pytest.approx(by_hand)


def test_without_clicks_what_was_bought_is_wanted(found):
    says = ["events", "purchases", "clock", "users", "sessions", "items"]
    bought = compare.asked_of(ShopRun(found.events, found.items, says=says))
    assert bought.wanted == "purchase"


def test_sentences_name_the_leader_and_the_losses(found, fitted):
    entries, models = fitted
    judged = quality.quality(models, found, draws=100)
    part = judged[(judged.metric == "nDCG") & (judged.users == "all") & (judged.target == "all")]
    best = part.set_index("model").value.idxmax()
    assert entries[best].title in sentences.on_lists(judged, entries)
    duels = compare.duels(models, found, draws=100)
    said = sentences.on_duels(duels, entries)
    assert all(entries[m].title in said for m in models if m != "tree")
    flipped = duels.assign(favours="second")
    assert "loses to" in sentences.on_duels(flipped, entries)
    assert "better" not in sentences.on_forgetting(flipped)
    assert str(len(found.test)) in sentences.on_asked(replace(found)).replace(",", "")
