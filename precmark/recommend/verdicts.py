"""What the recommendation chapter concludes about the paper's claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.churn.verdicts import verdict_of
from precmark.recommend.alpha import JUDGE
from precmark.recommend.sentences import lone_part, own_part, parts_verdict

if TYPE_CHECKING:
    from precmark.chapters import Chapter
    from precmark.recommend.study import Entry

TRADITIONAL = ("rules", "popular")
"""What the paper's introduction calls traditional: rules, and each item's own probability."""


def verdicts(
    chapter: Chapter,
    against: pd.DataFrame,
    fresh: pd.DataFrame,
    models: Mapping[str, Entry],
    categories: tuple[pd.DataFrame, pd.DataFrame] | None,
) -> None:
    """Record what chapter 06 concludes: hybrid and parts, traditional lists, categories.

    Parameters
    ----------
    chapter : Chapter
    against, fresh : pandas.DataFrame
        See :func:`~precmark.recommend.quality.against`; for all products, and for new ones.
    models : mapping of str to Entry
    categories : two frames, optional
        See :func:`~precmark.recommend.quality.category_hits`.
    """
    simulated = chapter.run.source.simulated
    rows = against.set_index("model")
    own, alone = ["content", own_part(models)], lone_part(models)
    chapter.verdict(
        id="gu-hybrid-beats-parts",
        claim="Collaborative and content scores together recommend better than either alone",
        place="Gu, section 4.3", paper="claimed, no figure",
        ours="; ".join(f"hybrid minus {models[m].title}: {gap(rows.loc[m])}" for m in own),
        verdict=verdict_of(parts_verdict(against, models), first_claimed=True, simulated=simulated),
        why=_why_parts(models["hybrid"].title, alone),
    )  # fmt: skip
    _traditional(chapter, against, fresh, models)
    if categories is not None:
        _category(chapter, *categories, models, simulated)


def _traditional(
    chapter: Chapter, against: pd.DataFrame, fresh: pd.DataFrame, models: Mapping[str, Entry]
) -> None:
    """The hybrid has to win over all products and where nothing can be repeated."""
    found, new = (table.set_index("model").loc[list(TRADITIONAL)] for table in (against, fresh))
    favours = pd.concat([found, new]).favours
    worst = (
        "second" if (favours == "second").any()
        else "first" if (favours == "first").all() else "neither"
    )  # fmt: skip
    among = "; ".join(f"minus {models[m].title}: {gap(new.loc[m])}" for m in TRADITIONAL)
    chapter.verdict(
        id="gu-hybrid-beats-traditional",
        claim="The hybrid beats association rules and the items' own purchase probabilities",
        place="Gu, section 1", paper="claimed, no figure",
        ours="; ".join(f"hybrid minus {models[m].title}: {gap(found.loc[m])}" for m in TRADITIONAL),
        verdict=verdict_of(
            worst, first_claimed=True, simulated=chapter.run.source.simulated
        ),
        why=f"{JUDGE} at 10; a rule never leads to the product itself, so new products "
        f"count too: hybrid {among}.",
    )  # fmt: skip


def _why_parts(title: str, alone: str | None) -> str:
    if alone is None:
        return f"{JUDGE} at 10 on the same occasions; {title} was chosen on validation data."
    return f"On validation data no mixture tried did better than {alone} alone, which a then keeps."


def _category(
    chapter: Chapter,
    table: pd.DataFrame,
    apart: pd.DataFrame,
    models: Mapping[str, Entry],
    simulated: bool,
) -> None:
    rate, rows = table.set_index("model"), apart.set_index("model")
    floors = [m for m in rows.index if models[m].family == "floor"]
    beaten = [m for m in floors if rows.favours[m] == "first"]
    blind = rows.favours[["random", "popular"]]
    favours = "first" if (blind == "first").all() else "neither"
    if (blind == "second").any():
        favours = "second"
    mine = rate.loc["hybrid"]
    those = listed(models[m].title for m in beaten) if beaten else "none"
    chapter.verdict(
        id="gu-recommendation-finds-category",
        claim="The hybrid finds the category that a user likes", place="Gu, section 4.3",
        paper="claimed, no figure",
        ours=f"right in {mine.hit_rate:.0%} [{mine.low:.0%}, {mine.high:.0%}], at random "
        f"{rate.hit_rate['random']:.0%}",
        verdict=verdict_of(favours, first_claimed=True, simulated=simulated),
        why="Judged against a random and the most popular category, which know nothing of "
        f"the user; of all floors it beats {those}.",
    )  # fmt: skip
