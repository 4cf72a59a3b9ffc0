"""What chapter 02 says about its tables and figures, from the numbers in them."""

from __future__ import annotations

import pandas as pd

from precmark.profile_pages.printed import paper_rows
from precmark.profile_pages.tables import percent
from precmark.profiles import AgeRule


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
        f"{percent(long.empty_cells)} are empty. {_thin(long.share, long.empty_cells)}"
    )


def _thin(active: float, empty: float) -> str:
    if empty < 0.5:
        return "Most users are described by these windows."
    if active >= 0.5:
        return "Most users came, but each of them did few of the things that are counted."
    return (
        "Such a profile knows something about a few and nothing about most: a model trained on it "
        "learns first of all whether somebody was there, and a mean over all users describes "
        "nobody."
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
    parts = []
    for kind in (c.removesuffix(" a day") for c in table.columns if c.endswith(" a day")):
        rate = table[f"{kind} a day"]
        if rate["workday"]:
            free = [
                f"a {d.capitalize()} has {rate[d] / rate['workday']:.2f}" for d in rate.index[:2]
            ]
            parts.append(f"{kind}: {' and '.join(free)} times that of a workday")
    days = ", ".join(f"{n} {name.capitalize()}s" for name, n in table["days"].items())
    text = f"The window holds {days.replace('Workdays', 'workdays')}. "
    if not parts:
        return text + "The source holds neither watching nor page views to divide by them."
    return text + f"By day, {'; '.join(parts)}."


def on_tails(held: pd.DataFrame) -> str:
    """How concentrated the features are (see :func:`readings.concentration`)."""
    most, least = held.top.idxmax(), held.top.idxmin()
    text = f"The top tenth of those who have any holds {held.top[most]:.0%} of `{most}`"
    if most != least:
        text += f" and {held.top[least]:.0%} of `{least}`"
    return f"{text}; the other features lie between." if len(held) > 2 else f"{text}."


def on_number_and_value(number: pd.Series, value: pd.Series, what: str) -> str:
    """How far the number of gifts or purchases tells their value, among those who made any."""
    some = (number > 0) & (value > 0)
    if some.sum() < 30:
        return f"Too few users have {what} to compare their number with their value."
    number, value = number[some], value[some]
    rank = number.rank().corr(value.rank())
    often, much = number > number.median(), value > value.median()
    return (
        f"Among the {some.sum():,} users with {what}, number and value have a rank correlation of "
        f"{rank:.2f}: {percent((often & ~much).mean())} have more than the median number and no "
        f"more than the median value, {percent((much & ~often).mean())} the other way round."
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
    text = f"Known of nearly every user: {full} of {len(share)} attributes"
    text += f"; {', '.join(some)} of the users" if some else ""
    return text + (f". Known of nobody: {', '.join(missing)}." if missing else ".")


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
    has = measured[(measured.users > 0) & (measured.table > 0)]
    own = len(has[~has.shop][["table", "row"]].drop_duplicates())
    more = len(has[["table", "row"]].drop_duplicates()) - own
    long = reach[reach.window == "last 30 days"].iloc[0]
    good = int((shares.verdict == "reproduced").sum())
    return (
        f"Of the {len(paper_rows())} rows of Tables 1 to 3, {title} fills {own} as the paper asks"
        + (f" and {more} more with a shop's counterpart" if more else "")
        + f". {percent(long.share)} of the users did anything in the last 30 days, and "
        f"{percent(long.empty_cells)} of the profile's cells for those days are empty. Of the "
        f"{len(shares)} shares that Table 1 prints, {good} follow from its counts as they stand."
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
