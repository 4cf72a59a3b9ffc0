"""What chapter 02 says about its tables and figures, from the numbers in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from precmark.profile_pages.printed import paper_rows
from precmark.profile_pages.tables import percent
from precmark.profiles import AgeRule

if TYPE_CHECKING:
    from precmark.chapters import Chapter


def on_ages(rule: AgeRule) -> str:
    """What the age rule found and what it leaves."""
    n = max(rule.users, 1)
    outside = rule.stated - rule.in_range
    text = (
        f"{rule.stated:,} of {rule.users:,} users state an age ({percent(rule.stated / n)}); "
        f"{outside:,} of these lie outside {rule.low} to {rule.high}. "
    )
    if not rule.spikes:
        return text + "No age stands out from its neighbours, so none is taken for a default value."
    counts = rule.counts.set_index("age")
    found = " and ".join(
        f"{age} ({counts.users[age]:,.0f} users where its neighbours would suggest "
        f"{counts.expected[age]:,.0f})"
        for age in rule.spikes
    )
    share = (rule.in_range - rule.kept) / max(rule.in_range, 1)
    return text + (
        f"The rule takes {found} for default values and removes {percent(share)} of the ages in "
        f"range; {rule.kept:,} are left, {percent(rule.kept / n)} of all users."
    )


def on_reach(table: pd.DataFrame) -> str:
    """What the table of :func:`reach` shows."""
    share = dict(zip(table.window, table.share, strict=True))
    long = table[table.window == "last 30 days"].iloc[0]
    return (
        f"{percent(share['last 30 days'])} of the users had any event in the last 30 days, "
        f"{percent(share['last 7 days'])} in the last 7, {percent(share['last 3 days'])} in the "
        f"last 3. Of the cells in the {long.features:,.0f} features of the last 30 days, "
        f"{percent(long.empty)} are empty."
    )


def on_hours(table: pd.DataFrame) -> str:
    """Which six hours are the busiest, and whether counting events or users matters."""
    if not table.events.sum():
        return "The last 30 days of this log hold no event."
    top, low = table.events.idxmax(), table.events.idxmin()
    text = (
        f"{percent(table.events[top])} of the events fall between {top.replace('-', ' and ')} "
        f"o'clock, {percent(table.events[low])} between {low.replace('-', ' and ')}; an even day "
        "would give each 25 %. "
    )
    gap = (table.events - table.users).abs().max()
    if gap < 0.03:
        return text + "The mean of the users' own shares is nearly the same."
    return text + f"The mean of the users' own shares differs by up to {100 * gap:.0f} points."


def on_weekdays(table: pd.DataFrame) -> str:
    """How a Saturday and a Sunday compare with a workday, a day each."""
    kinds = [c for c in table.columns if c.endswith(" a day")]
    parts = []
    for kind in kinds:
        work = table.loc["workday", kind]
        if work:
            ratios = [
                f"a {d.capitalize()} {table.loc[d, kind] / work:.2f}" for d in table.index[:2]
            ]
            parts.append(f"{kind}: {' and '.join(ratios)} times a workday")
    days = ", ".join(f"{n} {name}s" for name, n in table.days.items())
    text = f"The window holds {days}. "
    return text + (f"By day, {'; '.join(parts)}." if parts else "It saw nothing of this kind.")


def on_tails(held: pd.Series) -> str:
    """How concentrated the features are (see :func:`concentration`)."""
    most, least = held.idxmax(), held.idxmin()
    if most == least:
        return f"The top tenth of all users holds {held[most]:.0%} of {most}."
    return (
        f"The top tenth of all users holds {held[most]:.0%} of {most} and {held[least]:.0%} of "
        f"{least}."
    )


def on_rfm(profile: pd.DataFrame) -> str:
    """Buyers among the users, how often and how recently they bought."""
    bought = profile[profile.frequency > 0]
    if bought.empty:
        return "Nobody bought anything."
    once = float((bought.frequency == 1).mean())
    text = (
        f"{len(bought):,} of {len(profile):,} users bought "
        f"({percent(len(bought) / len(profile))}); {once:.0%} of them on one day only. Half of "
        f"the buyers last bought within {bought.recency_days.median():,.0f} days of the date."
    )
    negative = int((bought.monetary <= 0).sum())
    return text + (f" {negative:,} took back as much as they bought, or more." if negative else "")


def on_coverage(basic: pd.DataFrame) -> str:
    """Which attributes are known, from the table of :func:`attribute_rows`."""
    whole = basic[~basic["the paper asks for"].str.contains(", in range|, as stated")]
    share = whole.set_index("here")["this run"]
    missing = [name.replace("_", " ") for name, s in share.items() if s == 0]
    some = [f"{n.replace('_', ' ')} of {percent(s)}" for n, s in share.items() if 0 < s < 0.99]
    full = int((share >= 0.99).sum())
    text = f"{full} of {len(share)} attributes are known of nearly every user"
    text += f"; {', '.join(some)}" if some else ""
    return text + (f". Not known of anybody: {', '.join(missing)}." if missing else ".")


def coverage_verdict(chapter: Chapter, basic: pd.DataFrame) -> None:
    """Record what the coverage of this run says about the paper's: on its platform nothing."""
    simulated = chapter.run.source.simulated
    lines = basic.dropna(subset=["paper"])
    words = lines["the paper asks for"]
    chapter.verdict(
        claim="Gender and age are known of about a quarter of the users",
        place="Gu, Table 1",
        paper=", ".join(f"{w} {p:.2f}" for w, p in zip(words, lines.paper, strict=True)),
        ours=", ".join(f"{w} {o:.2f}" for w, o in zip(words, lines["this run"], strict=True)),
        verdict="not testable with public data",
        why="The simulated store was given the printed coverage, so a match proves nothing."
        if simulated
        else "Another business; nobody outside sees the platform's users.",
    )


def answer(measured: pd.DataFrame, reach: pd.DataFrame, shares: pd.DataFrame, title: str) -> str:
    """The chapter's answer in words.

    Parameters
    ----------
    measured, reach, shares : pandas.DataFrame
        See :func:`measure`, :func:`precmark.profile_pages.readings.reach` and
        :func:`precmark.profile_pages.printed.printed_shares`.
    title : str
        Of the source.
    """
    rows = len(paper_rows())
    has = measured[(measured.users > 0) & (measured.table > 0)]
    own = has[~has.shop][["table", "row"]].drop_duplicates()
    either = has[["table", "row"]].drop_duplicates()
    long = reach[reach.window == "last 30 days"].iloc[0]
    good = int((shares.verdict == "reproduced").sum())
    return (
        f"Of the {rows} rows of Tables 1 to 3, {title} fills {len(own)} as the paper asks"
        + (
            f" and {len(either) - len(own)} more by a shop's counterpart"
            if len(either) > len(own)
            else ""
        )
        + f". The profile is thin: {percent(long.share)} of the users did anything in the "
        f"last 30 days, and {percent(long.empty)} of its cells for that window are empty. "
        f"Of the paper's own shares {good} of {len(shares)} follow from its counts as printed."
    )


def on_shares(shares: pd.DataFrame) -> str:
    """What :func:`printed_shares` found."""
    good = shares[shares.verdict == "reproduced"]
    text = f"{len(good)} of {len(shares)} shares follow from the counts as printed. "
    for row in shares[shares.verdict != "reproduced"].itertuples():
        text += f"Not so *{row.share}*, printed {row.printed:.2f}. {row.why} "
        if int(100 * row.from_counts) == round(100 * row.printed):
            text += "Cutting the share off after two digits, without rounding, gives it too. "
    return text.strip()
