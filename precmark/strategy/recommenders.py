"""The four kinds of recommender that the paper lists, on the protocol of chapter 06."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pandas as pd

from precmark.recommend import HybridRecommender
from precmark.recommend.floors import Again, Chance, Popular
from precmark.recommend.quality import against, quality
from precmark.recommend.study import Entry, Periods, fit_all
from precmark.strategy.two_tower import TwoTower

NETWORK = "two-tower"

FAMILIES = {
    "floor": "floors",
    "content": "content",
    "collaborative": "collaborative filtering",
    "factorisation": "matrix factorisation",
    "network": "neural network",
}
"""What the paper's section 5.1 lists, and the floors, in words."""


@dataclass(frozen=True)
class Compared:
    """Every kind of recommender on the same occasions.

    Attributes
    ----------
    models : dict of str to Entry
    quality : pandas.DataFrame
        See :func:`precmark.recommend.quality.quality`.
    against : pandas.DataFrame
        The network less every other list, by nDCG, for all products (``target`` "all") and for
        those new to the user ("new").
    training : pandas.DataFrame
        ``epoch``, ``loss``, ``nDCG`` of the network while its epochs were chosen.
    epochs, pairs : int
        What validation chose, and the pairs that the final network learnt from.
    """

    models: dict[str, Entry]
    quality: pd.DataFrame
    against: pd.DataFrame
    training: pd.DataFrame
    epochs: int
    pairs: int


def entries(epochs: int, *, seed: int = 0) -> dict[str, Entry]:
    """The recommenders of the comparison; ``family`` as in :data:`FAMILIES`."""
    return {
        "random": Entry("Random", "floor", partial(Chance, seed)),
        "popular": Entry("Popular", "floor", Popular),
        "again": Entry("Again (touched before)", "floor", Again),
        "content": Entry(
            "Content", "content", partial(HybridRecommender, "item-item", alpha=0.0, seed=seed)
        ),
        "item-item": Entry(
            "Item-item", "collaborative",
            partial(HybridRecommender, "item-item", alpha=1.0, seed=seed),
        ),
        "als": Entry(
            "ALS", "factorisation", partial(HybridRecommender, "als", alpha=1.0, seed=seed)
        ),
        NETWORK: Entry("Two-tower", "network", partial(TwoTower, epochs=epochs, seed=seed)),
    }  # fmt: skip


def compare(found: Periods, *, epochs: int = 8, draws: int = 500, seed: int = 0) -> Compared:
    """Fit every kind of recommender before the test part and judge it there.

    The network's epochs are chosen on the validation occasions by a first training on what came
    before them; it is then trained anew, as all others are, on everything before the test part.

    Parameters
    ----------
    found : Periods
        See :func:`precmark.recommend.study.periods`.
    epochs : int
        Most epochs of the network.
    draws : int
        Bootstrap draws of people, 100 or more.
    seed : int
    """
    first = TwoTower(epochs=epochs, seed=seed)
    first.fit(found.training, found.items, validation=found.validation)
    models = entries(first.epochs_, seed=seed)
    fitted = fit_all(models, found.before_test, found.items)
    table = quality(fitted, found, draws=draws, seed=seed)
    gaps = [
        against(fitted, found, NETWORK, target=target, draws=draws, seed=seed)
        for target in ("all", "new")
        if (table.target == target).any()
    ]
    return Compared(
        models, table, pd.concat(gaps, ignore_index=True), first.history_, first.epochs_,
        fitted[NETWORK].pairs_,
    )  # fmt: skip


def dots(compared: Compared, *, users: str = "all") -> pd.DataFrame:
    """nDCG, hit rate and novelty for a figure: ``model`` in words, ``target``, ``metric``, ..."""
    table = compared.quality
    kept = table.users.eq(users) & table.target.isin(["all", "new"])
    made = table[kept & table.metric.isin(["nDCG", "hit rate", "novelty"])]
    titles = {name: entry.title for name, entry in compared.models.items()}
    return made.assign(model=made.model.map(titles)).reset_index(drop=True)


def groups(compared: Compared) -> dict[str, str]:
    """The family of each model, both in words."""
    return {entry.title: FAMILIES[entry.family] for entry in compared.models.values()}


def kinds_table(compared: Compared) -> pd.DataFrame:
    """The paper's kinds beside what was built: ``kind`` (section 5.1), ``ours``, nDCG in words."""
    value = compared.quality.query("users == 'all' and metric == 'nDCG'")
    rows = []
    for name, entry in compared.models.items():
        if entry.family == "floor":
            continue
        row = {"kind (section 5.1)": FAMILIES[entry.family], "printed": "no figure",
               "ours": entry.title}  # fmt: skip
        for target, words in (("all", "nDCG, all products"), ("new", "nDCG, new to the user")):
            mine = value[(value.model == name) & (value.target == target)]
            row[words] = (
                f"{mine.value.iloc[0]:.3f} [{mine.low.iloc[0]:.3f}, {mine.high.iloc[0]:.3f}]"
                if len(mine) else "none wanted"
            )  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)
