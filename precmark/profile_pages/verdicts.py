"""The verdicts of chapter 02 on what the paper prints of its profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.profile_pages.printed import PrintedAges, numbering

if TYPE_CHECKING:
    from precmark.chapters import Chapter


def on_print(chapter: Chapter, shares: pd.DataFrame, ages: PrintedAges) -> None:
    """Record what arithmetic and reading alone decide: no data is needed.

    Parameters
    ----------
    chapter : Chapter
    shares : pandas.DataFrame
        See :func:`precmark.profile_pages.printed.printed_shares`.
    ages : PrintedAges
    """
    chapter.verdict(
        id="gu-profiles-are-of-the-shop",
        claim="The profiles of Tables 1 to 3 are those of the experiments' users",
        place="Gu, sections 3 and 5.1",
        paper="implied, no figure",
        ours="two kinds of business",
        verdict="internally inconsistent",
        why="The tables count broadcasters, chats and gifts of a streaming platform; the log of "
        "the experiments holds pages, carts, orders and searches of a shop.",
    )
    chapter.verdict(
        id="gu-table1-numbering",
        claim="The rows of Table 1 are numbered in order",
        place="Gu, Table 1",
        paper=numbering(1),
        ours="1 to 9",
        verdict="internally inconsistent",
        why="One number stands twice and one is missing; no figure depends on it.",
    )
    for share in shares.itertuples():
        chapter.verdict(
            id=share.id,
            claim=f"Share of users: {share.share}",
            place="Gu, Table 1",
            paper=f"{share.printed:.2f}",
            ours=f"{share.from_counts:.4f} from its counts",
            verdict=share.verdict,
            why=share.why,
        )
    found = " and ".join(map(str, ages.rule.spikes)) or "none"
    chapter.verdict(
        id="gu-table1-abnormal-ages",
        claim="Ages 51 and 52 are abnormal, 21 is not",
        place="Gu, Table 1",
        paper="51 and 52 removed, 21 kept",
        ours=f"the rule removes {found}",
        verdict="reproduced" if ages.rule.spikes == (51, 52) else "not reproduced",
        why="On the histogram rebuilt from the printed counts, a rule that is told no age finds "
        "which ages stand out from their neighbours.",
    )


def on_coverage(chapter: Chapter, basic: pd.DataFrame) -> None:
    """Record what the coverage of this run says about the platform's: nothing.

    Parameters
    ----------
    chapter : Chapter
    basic : pandas.DataFrame
        See :func:`precmark.profile_pages.tables.attribute_rows`.
    """
    lines = basic.dropna(subset=["paper"])
    words = lines["the paper asks for"]
    why = "Another business; nobody outside sees the platform's users."
    if chapter.run.source.simulated:
        why = "The simulated store was given the printed coverage, so a match proves nothing."
    chapter.verdict(
        id="gu-table1-attributes-known",
        claim="Gender and age are known of about a quarter of the users",
        place="Gu, Table 1",
        paper="; ".join(f"{w} {p:.2f}" for w, p in zip(words, lines.paper, strict=True)),
        ours="; ".join(f"{w} {o:.2f}" for w, o in zip(words, lines["this run"], strict=True)),
        verdict="not testable with public data",
        why=why,
    )
