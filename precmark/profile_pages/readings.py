"""What a run's profile holds: reach of the windows, hours and days, tails, one user."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from precmark.profile_pages.tables import number
from precmark.profiles import Profiles, features, list_entries
from precmark.profiles.dictionary import HOUR_BINS, WEEKDAYS

WINDOWS = {3: "last 3 days", 7: "last 7 days", 30: "last 30 days", 0: "whole history"}

_TAILS = (
    "watch_s_30", "chats_30", "gift_value_30", "views_30", "carts", "purchases", "monetary",
    "products_bought", "purchases_30", "spend_30", "active_days", "events_30",
)  # fmt: skip
_CARD = (
    "watch_s_30", "watches_30", "valid_watches_30", "broadcasters_watched_30", "chats_30",
    "gifts_30", "views_30", "searches_30", "carts", "purchases", "monetary", "products_bought",
    "active_days_30", "active_days", "tenure_days",
)  # fmt: skip


def summary(made: Profiles, profile: pd.DataFrame, lists: pd.DataFrame) -> pd.DataFrame:
    """What was made: as-of date, users, features, lists, and where login days come from; text."""
    facts = {
        "as of": str(made.as_of),
        "users": f"{len(profile):,}",
        "features of each": f"{len(features()):,}",
        "lists of each, at most": f"{len(list_entries()):,}",
        "entries in all lists": f"{len(lists):,}",
        "login days counted from": "any event" if made.logins_from_events else "log-ins",
    }
    return pd.Series(facts, name="profile").to_frame()


def reach(profile: pd.DataFrame, dictionary: pd.DataFrame, says: Collection[str]) -> pd.DataFrame:
    """What each window sees of the users.

    Returns
    -------
    pandas.DataFrame
        A row a window of :data:`WINDOWS`: ``window``, ``users`` (with an event in it), ``share``
        (of all users, 0-1), ``features`` (columns of that window that the source can fill) and
        ``empty_cells`` (share of these that are 0 or missing, 0-1).
    """
    total = max(len(profile), 1)
    can = dictionary.needs.map(lambda needs: set(filter(None, needs.split(", "))) <= set(says))
    columns = dictionary[can & (dictionary.kind == "feature")]
    out = []
    for days, words in WINDOWS.items():
        active = profile["active_days" if days == 0 else f"active_days_{days}"] > 0
        names = columns.loc[columns.window_days == days, "name"]
        cells = profile[names].fillna(0) == 0
        empty = float(cells.to_numpy().mean()) if cells.size else np.nan
        out.append((words, int(active.sum()), active.sum() / total, len(names), empty))
    return pd.DataFrame(out, columns=["window", "users", "share", "features", "empty_cells"])


def hours(profile: pd.DataFrame, says: Collection[str]) -> pd.DataFrame:
    """Activity of the last 30 days by six hours of the day (Table 2, rows 6 and 8).

    Returns
    -------
    pandas.DataFrame
        Indexed by the hours (``"00-06"``, ...): ``events`` (share of all events, 0-1), ``users``
        (mean over active users of their own share) and, where the source has live streams,
        ``watching`` (share of the seconds watched).
    """
    names = list(HOUR_BINS)
    events = np.array([profile[f"events_{n}_30"].sum() for n in names], dtype=float)
    table = pd.DataFrame(
        {
            "events": events / max(events.sum(), 1),
            "users": [profile[f"share_{n}_30"].mean() for n in names],
        },
        index=pd.Index([n.replace("_", "-") for n in names], name="hours"),
    )
    if "live" in says:
        parts = ("night", "morning", "afternoon", "evening")
        seconds = np.array([profile[f"watch_s_{p}_30"].sum() for p in parts])
        table["watching"] = seconds / max(seconds.sum(), 1)
    return table.fillna(0.0)


def class_days(as_of: dt.date, span: int = 30) -> dict[str, int]:
    """How many Saturdays, Sundays and workdays the last 30 days before `as_of` hold.

    `span` is how many days the log reaches back, where that is less.
    """
    days = range(1, min(30, span) + 1)
    found = [(as_of - dt.timedelta(days=back)).weekday() for back in days]
    return {name: sum(low <= d <= high for d in found) for name, (low, high) in WEEKDAYS.items()}


def weekdays(profile: pd.DataFrame, says: Collection[str], as_of: dt.date) -> pd.DataFrame:
    """Activity of the last 30 days by class of day, a day (Table 2, row 7).

    Returns
    -------
    pandas.DataFrame
        Indexed by class of day: ``days`` (how many the window holds) and for each of ``watching``
        and ``page views`` that the source has the total and ``... a day`` (1: the mean day of the
        window).
    """
    days = class_days(as_of, int(profile.days_since_first_event.fillna(0).max()))
    table = pd.DataFrame({"days": days}).rename_axis("day")
    kinds = {"watching": ("watch_s", "live"), "page views": ("views", "views")}
    for kind, (column, need) in kinds.items():
        if need in says:
            total = np.array([profile[f"{column}_{name}_30"].sum() for name in days], dtype=float)
            table[kind] = total
            rate = total / table["days"].clip(lower=1)
            table[f"{kind} a day"] = rate / max(total.sum() / max(sum(days.values()), 1), 1e-12)
    return table


def times_table(hours: pd.DataFrame, weekdays: pd.DataFrame) -> pd.DataFrame:
    """:func:`hours` and :func:`weekdays` in one long table: ``class``, ``measure``, ``value``."""
    parts = [t.rename_axis("class").reset_index() for t in (hours, weekdays)]
    long = [part.melt("class", var_name="measure", value_name="value") for part in parts]
    return pd.concat(long, ignore_index=True)


def number_and_value(says: Collection[str]) -> list[tuple[str, str, str]]:
    """Columns of number and value that a source can fill, and in words of what."""
    pairs = []
    if "live" in says:
        pairs.append(("gifts_30", "gift_value_30", "gifts in the last 30 days"))
    if {"purchases", "prices"} <= set(says):
        pairs.append(("purchases", "monetary", "purchases"))
    return pairs


def tail_columns(profile: pd.DataFrame, most: int = 6) -> list[str]:
    """Up to `most` features that say something in this profile: money and time before counts."""
    return [c for c in _TAILS if (profile[c].fillna(0) > 0).sum() > 1][:most]


def tails(profile: pd.DataFrame, columns: Collection[str]) -> pd.DataFrame:
    """For each feature, which share of all users has at least each value that occurs.

    Returns
    -------
    pandas.DataFrame
        ``feature``, ``at_least`` (above 0) and ``share`` (of all users, 0-1); at most some 200 rows
        a feature.
    """
    total = max(len(profile), 1)
    out = []
    for column in columns:
        values = np.sort(profile[column].fillna(0).to_numpy(dtype=float))
        steps = np.unique(values[values > 0])
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 200)).astype(int))]
        share = (total - np.searchsorted(values, steps, side="left")) / total
        out.append(pd.DataFrame({"feature": column, "at_least": steps, "share": share}))
    return pd.concat(out, ignore_index=True)


def concentration(
    profile: pd.DataFrame, columns: Collection[str], top: float = 0.1
) -> pd.DataFrame:
    """How much of each feature the busiest hold, among the users who have any of it.

    Returns
    -------
    pandas.DataFrame
        Indexed by feature: ``users`` (with a value above 0) and ``top`` (share of the feature's
        total, 0-1, held by the `top` share of these users, at least one).
    """
    rows = {}
    for column in columns:
        values = profile.loc[profile[column].fillna(0) > 0, column].astype("float64")
        first = values.nlargest(int(np.ceil(top * len(values))))
        rows[column] = (len(values), first.sum() / values.sum())
    return pd.DataFrame.from_dict(rows, orient="index", columns=["users", "top"])


# ---------------------------------------------------------------- one user


def example_user(profile: pd.DataFrame, lists: pd.DataFrame, dictionary: pd.DataFrame) -> int:
    """The user_code of the user with the fullest profile.

    Most of the paper's lists of Table 3, then most lists of any kind, then most entries in them,
    then the first code.
    """
    printed = dictionary[(dictionary.kind == "list") & (dictionary.table == 3) & ~dictionary.shop]
    names = lists[["user_code", "list"]].drop_duplicates()
    frame = profile[["user_code"]].copy()
    for key, rows in (
        ("printed", names[names.list.isin(set(printed.name))]),
        ("any", names),
        ("entries", lists),
    ):
        frame[key] = frame.user_code.map(rows.user_code.value_counts()).fillna(0)
    keys = ["printed", "any", "entries", "user_code"]
    return int(frame.sort_values(keys, ascending=[False, False, False, True]).user_code.iloc[0])


def card(profile: pd.DataFrame, user_code: int, units: Mapping[str, str]) -> pd.DataFrame:
    """What a user did, and which share of all users did less.

    Returns
    -------
    pandas.DataFrame
        ``feature``, ``value``, ``unit`` and ``below`` (share of all users with less, 0-1); features
        in which the user has something.
    """
    user = profile[profile.user_code == user_code].iloc[0]
    rows = []
    for name in _CARD:
        value = user[name]
        if pd.notna(value) and value > 0:
            below = float((profile[name].fillna(0) < value).mean())
            rows.append((name, float(value), units.get(name, ""), below))
    return pd.DataFrame(rows, columns=["feature", "value", "unit", "below"])


def card_attributes(profile: pd.DataFrame, user_code: int, names: Collection[str]) -> str:
    """The attributes of a user in words; those that are missing are named last."""
    user = profile[profile.user_code == user_code].iloc[0]
    known = {n: user[n] for n in names if pd.notna(user[n]) and user[n] != "unknown"}
    words = [
        f"{n.replace('_', ' ')} {v:,.0f}" if isinstance(v, (int, float, np.number)) and not
        isinstance(v, (bool, np.bool_)) else f"{n.replace('_', ' ')} {_word(v)}"
        for n, v in known.items()
    ]  # fmt: skip
    missing = [n.replace("_", " ") for n in names if n not in known]
    text = ", ".join(words) or "no attribute"
    return text + (f"; not known: {', '.join(missing)}" if missing else "") + "."


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, (bool, np.bool_)) else str(value)


def user_lists(
    lists: pd.DataFrame, user_code: int, dictionary: pd.DataFrame, table: int = 3
) -> pd.DataFrame:
    """The lists of a user that belong to the paper's `table`, each in its longest window.

    Returns
    -------
    pandas.DataFrame
        Text: ``list``, ``days``, ``unit`` and ``entries`` (at most ten, each with its value).
    """
    wanted = dictionary[(dictionary.kind == "list") & (dictionary.table == table)]
    wanted = wanted.sort_values(["shop", "row"], kind="stable").drop_duplicates("name", keep="last")
    mine = lists[lists.user_code == user_code].sort_values("rank")
    rows = []
    for entry in wanted.itertuples():
        found = mine[(mine.list == entry.name) & (mine.window_days == entry.window_days)].head(10)
        if len(found):
            entries = ", ".join(f"{r.item_id} ({number(r.value)})" for r in found.itertuples())
            rows.append((entry.name, str(entry.window_days), entry.unit, entries))
    return pd.DataFrame(rows, columns=["list", "days", "unit", "entries"])
