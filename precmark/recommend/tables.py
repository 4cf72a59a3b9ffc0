"""The recommendation chapter's tables as a reader sees them: words, and intervals in brackets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import signed
from precmark.claims import paper
from precmark.recommend.measures import METRICS
from precmark.recommend.shop import products_of

if TYPE_CHECKING:
    from precmark.recommend.content import Content
    from precmark.recommend.study import Entry

FAMILIES = {
    "floor": "floors",
    "traditional": "traditional",
    "part": "one part alone",
    "hybrid": "hybrid",
}
"""Families of recommenders in words."""

WHOM = {"all": "all", "new": "new to the user", "repeat": "touched before"}
USERS = {"all": "all", "warm": "known before", "cold": "cold, on arrival"}
FEATURES = {
    "category": "category",
    "price": "band of price",
    "brand": "brand",
    "text": "word of tags and description",
}


def titled(table: pd.DataFrame, models: Mapping[str, Entry]) -> pd.DataFrame:
    """`table` with models named in words."""
    return table.assign(model=table.model.map(lambda name: models[name].title))


def groups(models: Mapping[str, Entry]) -> dict[str, str]:
    """The family of each model, both in words; families in the order of :data:`FAMILIES`."""
    return {
        entry.title: words
        for family, words in FAMILIES.items()
        for entry in models.values()
        if entry.family == family
    }


def features_table(content: Content) -> pd.DataFrame:
    """How many features of each kind describe the products: ``feature``, ``values``, ``e.g.``"""
    kinds = pd.Series(content.names_, dtype=object).str.split(": ", n=1, expand=True)
    kinds = kinds[kinds[0].isin(list(FEATURES))]
    if kinds.empty:
        return pd.DataFrame(columns=["feature", "values", "e.g."])
    rows = [
        (FEATURES[kind], len(values), ", ".join(values[1].iloc[:3]))
        for kind, values in kinds.groupby(0, sort=False)
    ]
    return pd.DataFrame(rows, columns=["feature", "values", "e.g."])


def example_table(ranks: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """The ten of :func:`~precmark.recommend.example.explained` with what they are, in words."""
    ten = ranks[ranks.listed > 0].sort_values("listed")
    products = products_of(items).set_index("item_id").reindex(ten.item_id)
    known = [c for c in ("description", "tags") if products[c].notna().any()]
    what = products[known[0]].astype(object) if known else pd.Series(products.index)
    made = pd.DataFrame(
        {
            "": ten.listed.to_numpy(),
            "item": ten.item_id.to_numpy(),
            "category": products.category.astype(object).to_numpy(),
            "what": what.fillna("").str.slice(0, 40).to_numpy(),
            "place by others": ten.place_cf.to_numpy(),
            "place by content": ten.place_cb.to_numpy(),
            "r'": ten.r.map("{:.3f}".format).to_numpy(),
            "touched before": ten.touched.map({True: "yes", False: ""}).to_numpy(),
            "wanted": ten.wanted.map({True: "yes", False: ""}).to_numpy(),
        }
    )
    return made if made.category.notna().any() else made.drop(columns="category")


def quality_words(quality: pd.DataFrame, models: Mapping[str, Entry]) -> pd.DataFrame:
    """Every model by target and users: a column a metric with its interval."""
    digits = {"novelty": "{:.1f}"}
    made = titled(quality, models)
    text = [
        _with_interval(row.value, row.low, row.high, digits.get(row.metric, "{:.3f}"))
        for row in made.itertuples()
    ]
    made = made.assign(text=text, target=made.target.map(WHOM), users=made.users.map(USERS))
    keys = ["target", "users", "model"]
    order = made[keys].drop_duplicates()
    wide = made.pivot(index=keys, columns="metric", values="text")[list(METRICS)]
    return order.merge(wide.reset_index(), on=keys).rename(columns={"target": "items wanted"})


def against_words(against: pd.DataFrame, models: Mapping[str, Entry]) -> pd.DataFrame:
    """The hybrid less every other model: ``hybrid minus``, ``difference``, ``95 % interval``."""
    made = titled(against, models)
    better = {"first": "hybrid", "second": "the other", "neither": "cannot be told"}
    return pd.DataFrame(
        {
            "hybrid minus": made.model,
            "difference": made.difference.map(signed),
            "95 % interval": [f"{signed(r.low)} to {signed(r.high)}" for r in made.itertuples()],
            "better": made.favours.map(better),
        }
    )


def beside_paper(categories: pd.DataFrame) -> pd.DataFrame:
    """Options 3 and 4 of the paper beside our rates of right categories, row by row."""
    rate = categories.set_index("model").hit_rate
    rows = [("3", "by lot", "random"), ("4", "recommended", "hybrid")]
    return pd.DataFrame(
        [
            (
                option,
                category,
                f"{paper('gu', f'table6.option{option}_couponed_conversion'):.2%}",
                f"{rate[name]:.1%}",
            )
            for option, category, name in rows
        ],
        columns=[
            "option", "category of the coupon", "conversion with a coupon (printed)",
            "category is that of the next item wanted (ours)",
        ],
    )  # fmt: skip


def _with_interval(value: float, low: float, high: float, digits: str) -> str:
    text = digits.format(value)
    if pd.isna(low):
        return text
    return f"{text} [{digits.format(low)}, {digits.format(high)}]"
