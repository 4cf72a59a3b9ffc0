"""One occasion in full: where each product stands in both rankings, and the list that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.recommend.measures import K, judge
from precmark.recommend.shop import histories_of

if TYPE_CHECKING:
    from precmark.recommend.hybrid import HybridRecommender
    from precmark.recommend.occasions import Occasions


def typical(model: HybridRecommender, occasions: Occasions) -> int:
    """The occasion whose nDCG is nearest the mean, the first of several: no lucky one.

    Returns
    -------
    int
        Its ``user_code``, of a user of whom an item is known (of any where there is none).
    """
    lists = model.recommend(occasions.users[["user_code"]], K, history=occasions.history)
    each = judge(lists, occasions.targets, occasions.users, model.shop_).each
    warm = lists.loc[~lists.cold, "user_code"]
    asked = each[each.user_code.isin(warm)] if len(warm) else each
    return int(asked.user_code.loc[(asked.nDCG - each.nDCG.mean()).abs().idxmin()])


def explained(model: HybridRecommender, occasions: Occasions, user_code: int) -> pd.DataFrame:
    """Both ranks of every product for one occasion.

    Returns
    -------
    pandas.DataFrame
        A row a product, the best r' first: ``item_id``, ``category``, ``r_cf`` and ``r_cb`` (0 to
        1), ``place_cf`` and ``place_cb`` (1 is the highest rank; equal ranks share the best place),
        ``r`` (r' of equation 11), ``listed`` (place in the list of ten, 0 outside), ``touched``
        (in the history), ``wanted`` (a target of the occasion).
    """
    shop = model.shop_
    history = occasions.history[occasions.history.user_code == user_code]
    known = histories_of(history, shop, [user_code], half_life=model.half_life)
    by_others, by_content = (r[0] for r in model.parts(known, model.model_.prepare(known.items)))
    asked = pd.DataFrame({"user_code": [user_code]})
    mine = model.recommend(asked, min(K, len(shop)), history=history).set_index("item_id")
    wanted = occasions.targets.loc[occasions.targets.user_code == user_code, "item_id"]
    table = pd.DataFrame(
        {
            "item_id": shop.index,
            "category": shop.items.category.to_numpy(),
            "r_cf": by_others,
            "r_cb": by_content,
            "r": model.alpha_ * by_others + (1 - model.alpha_) * by_content,
            "listed": mine["rank"].reindex(shop.index).fillna(0).astype(int).to_numpy(),
            "touched": known.items.toarray()[0] > 0,
            "wanted": shop.index.isin(wanted),
        }
    )
    for part in ("cf", "cb"):
        places = table[f"r_{part}"].rank(ascending=False, method="min")
        table[f"place_{part}"] = places.astype(int)
    outside = np.where(table.listed > 0, table.listed, K + 1)
    return table.iloc[np.lexsort((-table.r, outside))].reset_index(drop=True)
