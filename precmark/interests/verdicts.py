"""What the first half of chapter 11 concludes about the paper's claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from precmark.churn.sentences import gap, listed
from precmark.churn.verdicts import verdict_of
from precmark.interests.clothing import NETWORK
from precmark.interests.compare import EXTRA_LOSS, NEIGHBOURHOODS

if TYPE_CHECKING:
    from precmark.chapters import Chapter
    from precmark.interests.clothing import ClothingResults
    from precmark.interests.compare import Density
    from precmark.recommend.study import Entry

CLAIMED = "claimed, no figure"
MINUTE_US = 60e6


def verdicts(
    chapter: Chapter,
    *,
    speed: pd.DataFrame,
    photos: ClothingResults,
    duels: pd.DataFrame,
    density: Density,
    models: Mapping[str, Entry],
    planted: pd.DataFrame | None,
) -> None:
    """Record what chapter 11 concludes of updates, pictures, the tree, factorisation and words.

    Parameters
    ----------
    chapter : Chapter
    speed : pandas.DataFrame
        See :func:`~precmark.interests.interest_tree.update_speed`.
    photos : ClothingResults
    duels : pandas.DataFrame
        See :func:`~precmark.interests.compare.duels`.
    density : Density
    models : mapping of str to Entry
    planted : pandas.DataFrame, optional
        See :func:`~precmark.interests.words.recovered`; None where words could not be planted.
    """
    simulated = chapter.run.source.simulated
    cost = float(speed.microseconds.iloc[0])
    chapter.verdict(
        id="li-days-to-minutes",
        claim="Stream processing shortens the updating of user profiles from days to minutes",
        place="Li, section 3.1", paper=CLAIMED, ours="an event is in the tree in under a second"
        if cost < 1e6 else f"an event takes {cost / 1e6:.0f} s",
        verdict="reproduced" if cost < MINUTE_US else "not reproduced",
        why="One process, events in order, the tree in memory; the paper's platform, which also "
        "gathers the events, is not public.",
    )  # fmt: skip
    _features(chapter, photos)
    _tree(chapter, duels, models, simulated)
    _need(chapter, density.losses, models, simulated)
    if planted is not None and len(planted):
        _words(chapter, planted)


def _features(chapter: Chapter, photos: ClothingResults) -> None:
    hand = photos.accuracy[photos.accuracy.model != NETWORK].set_index("model").value
    best = hand.idxmax()
    lead = photos.differences[photos.differences.model == best]
    first, second = (lead.low > 0).all(), (lead.high < 0).all()
    favours = "first" if first else "second" if second else "neither"
    mine = photos.accuracy[photos.accuracy.model == NETWORK].value
    chapter.verdict(
        id="li-deep-features",
        claim="A convolutional network learns features of pictures that beat hand-made ones",
        place="Li, section 3.2", paper=CLAIMED,
        ours=f"named rightly: network {mine.mean():.1%} (mean of {len(mine)} seeds), "
        f"{best} {hand[best]:.1%}",
        verdict=verdict_of(favours, first_claimed=True, simulated=False),
        why=f"{photos.card['photos']:,} real photos of clothes; the network less {best}: "
        f"{listed(gap(row) for row in lead.itertuples())}, by seed.",
    )  # fmt: skip


def _tree(
    chapter: Chapter, duels: pd.DataFrame, models: Mapping[str, Entry], simulated: bool
) -> None:
    """The tree has to beat direct interests, neighbours and factorisations alike."""
    rivals = ("again", *NEIGHBOURHOODS, "svd", "nmf")
    rows = duels[(duels["first"] == "tree") & duels.second.isin(rivals)].set_index("second")
    favours = set(rows.favours)
    worst = "second" if "second" in favours else "first" if favours == {"first"} else "neither"
    closest = rows.difference.idxmin()
    chapter.verdict(
        id="li-interest-tree",
        claim="Interests arranged as a tree recommend better than direct interests or other ways",
        place="Li, section 3.2", paper=CLAIMED,
        ours=f"nDCG, tree minus {models['again'].title}: {gap(rows.loc['again'])}; minus "
        f"{models[closest].title}, its strongest rival: {gap(rows.loc[closest])}",
        verdict=verdict_of(worst, first_claimed=True, simulated=simulated),
        why="It has to beat what was touched before, both neighbourhoods and both factorisations "
        "on the same occasions.",
    )  # fmt: skip


def _need(
    chapter: Chapter, losses: pd.DataFrame, models: Mapping[str, Entry], simulated: bool
) -> None:
    rows = losses.set_index("model")
    extra = rows.loc[EXTRA_LOSS]
    favours = "first" if extra.low > 0 else "second" if extra.high < 0 else "neither"
    kept = [m for m in rows.index if m != EXTRA_LOSS]
    chapter.verdict(
        id="li-factorisation-needs-data",
        claim="Matrix decomposition relies on more data than collaborative filtering",
        place="Li, section 3.3", paper=CLAIMED,
        ours="nDCG lost with the fewest users: "
        + "; ".join(f"{models[m].title} {gap(rows.loc[m])}" for m in kept),
        verdict=verdict_of(favours, first_claimed=True, simulated=simulated),
        why=f"The factorisations' loss less the neighbourhoods': {gap(extra)}.",
    )  # fmt: skip
    lost = rows.loc[list(NEIGHBOURHOODS)]
    worse = "first" if (lost.low > 0).all() else "second" if (lost.high < 0).any() else "neither"
    chapter.verdict(
        id="li-neighbours-sparse",
        claim="Collaborative filtering suffers where data is sparse",
        place="Li, section 3.3", paper=CLAIMED,
        ours="; ".join(
            f"{models[m].title}: nDCG {rows.whole[m]:.3f}, learnt from few {rows.fewest[m]:.3f}"
            for m in NEIGHBOURHOODS
        ),
        verdict=verdict_of(worse, first_claimed=True, simulated=simulated),
        why="The same occasions and histories; only the users learnt from are fewer.",
    )  # fmt: skip


def _words(chapter: Chapter, planted: pd.DataFrame) -> None:
    n, found, right = len(planted), int(planted.found.sum()), int(planted.by_vectors.sum())
    verdict = "holds if assumed" if right > 0.5 * n else "not reproduced"
    if found < n and right <= 0.5 * n < found:
        verdict = "undecided"
    chapter.verdict(
        id="li-new-words",
        claim="A vector model of the vocabulary masters new words and keeps the labels up to date",
        place="Li, section 3.1", paper=CLAIMED,
        ours=f"of {n} planted words {found} found, {right} under the right label "
        f"({int(planted.by_counts.sum())} by counting)",
        verdict=verdict,
        why="The words are planted, each beside one kind of product, since nobody knows the truth "
        "of the others; holds where more than half are labelled rightly.",
    )  # fmt: skip
