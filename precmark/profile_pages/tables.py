"""The profile as the page prints it: families of features beside the rows of the paper."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from precmark.claims import paper
from precmark.profile_pages.printed import paper_rows
from precmark.profiles import AgeRule
from precmark.profiles.dictionary import HOUR_BINS, PARTS_OF_DAY, WEEKDAYS

_PRINTED_COVERAGE = {
    "gender": "gender_coverage",
    "age, as stated": "age_coverage",
    "age, in range": "age_valid_coverage",
    "age, believed": "age_clean_coverage",
}


def families(dictionary: pd.DataFrame) -> pd.DataFrame:
    """The profile dictionary with windows, parts of the day and weekdays gathered in one row.

    Parameters
    ----------
    dictionary : pandas.DataFrame
        See :func:`precmark.profiles.dictionary`.

    Returns
    -------
    pandas.DataFrame
        One row a family, in the dictionary's order: ``family`` (names with ``{d}``, ``{part}``,
        ``{hours}`` and ``{weekday}`` for what varies), ``kind``, ``table``, ``row``, ``shop``,
        ``formula``, ``unit``, ``windows`` (text; "all": the whole history, whose name has no
        number), ``needs`` (set) and ``members`` (list of pairs of name and window).
    """
    names = set(dictionary.name)
    windows = zip(dictionary.name, dictionary.window_days, strict=True)
    frame = dictionary.assign(family=[_general(name, days, names) for name, days in windows])
    keys = ["kind", "family", "table", "row", "shop"]
    out = []
    for key, group in frame.groupby(keys, sort=False):
        days = sorted(group.window_days.dropna().unique(), key=lambda d: d or np.inf)
        out.append(
            {
                **dict(zip(keys, key, strict=True)),
                "formula": _general_formula(group.iloc[0], len(days)),
                "unit": group.unit.iloc[0],
                "windows": ", ".join("all" if d == 0 else str(d) for d in days),
                "needs": {need for needs in group.needs for need in needs.split(", ") if need},
                "members": list(zip(group.name, group.window_days, strict=True)),
            }
        )
    return pd.DataFrame(out)


_CLASSES = (
    *((name, "{part}") for name in PARTS_OF_DAY),
    *((name, "{hours}") for name in HOUR_BINS),
    *((name, "{weekday}") for name in WEEKDAYS),
)


def _general(name: str, days: int | None, names: Collection[str]) -> str:
    for one, word in _CLASSES:
        name = re.sub(rf"_{one}(?=_|$)", f"_{word}", name)
    if pd.isna(days) or (days == 0 and f"{name}_30" not in names):
        return name
    return f"{name}_{{d}}" if days == 0 else re.sub(rf"_{days}$", "_{d}", name)


def _general_formula(entry: pd.Series, windows: int) -> str:
    text = re.sub(r"\d\d:00-\d\d:00", "{hours}", entry.formula)
    for one, word in _CLASSES:
        if one in entry["name"]:
            text = text.replace(one, word)
    return re.sub(r"_(3|7|30)\b", "_{d}", text) if windows > 1 else text


def measure(
    profile: pd.DataFrame,
    lists: pd.DataFrame,
    dictionary: pd.DataFrame,
    says: Collection[str],
    *,
    currency: str = "",
    known: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """How many users have something in each family of the dictionary, and how much.

    A family is measured in its 30 days, else in its longest window; parts of the day are added up.

    Parameters
    ----------
    profile, lists, dictionary : pandas.DataFrame
        As :func:`precmark.profiles.write_profiles` writes them.
    says : collection of str
        What the source can say.
    currency : str
        ISO code that takes the place of the unit "money".
    known : mapping, optional
        Families whose column is filled from something else in this log, with the share of users
        who have the real thing (see :func:`filled_otherwise`).

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`families` and ``measured`` (the window, text), ``can_say`` (bool),
        ``users`` (share of all users with a value other than 0, of attributes with any value, 0-1;
        missing where the source cannot say it) and ``mean`` (of those users; for lists entries a
        user).
    """
    found = families(dictionary)
    found["unit"] = found.unit.replace("money", currency or "money")
    total = max(len(profile), 1)
    rows = []
    for family in found.itertuples():
        window, names = _measured(family.members)
        text = "" if window is None else "all" if window == 0 else f"{window} days"
        can = set(family.needs) <= set(says)
        users = mean = np.nan
        if can and family.kind == "list":
            here = lists[lists.list.isin(names) & (lists.window_days == window)]
            users = here.user_code.nunique() / total
            each = here.groupby(["user_code", "list"]).size()
            mean = float(each.mean()) if len(each) else np.nan
        elif can:
            has, amount = _filled(profile[names], attribute=window is None)
            users = float(has.sum() / total)
            mean = float(amount[has].mean()) if has.any() else np.nan
        if family.family in (known or {}):
            users = known[family.family]
            can, mean = users > 0, mean if users > 0 else np.nan
        rows.append({"measured": text, "can_say": can, "users": users, "mean": mean})
    return pd.concat([found, pd.DataFrame(rows)], axis=1)


def filled_otherwise(
    profile: pd.DataFrame, users: pd.DataFrame | None, *, logins_from_events: bool
) -> dict[str, float]:
    """Families that a log fills from something else than the paper asks, and how far it need not.

    Tenure falls back on the first event where no registration is known, login days on days with
    any event where the log has no log-in.

    Parameters
    ----------
    profile : pandas.DataFrame
    users : pandas.DataFrame or None
        The contract's users: ``user_code`` and ``registered_at``.
    logins_from_events : bool
        See :class:`precmark.profiles.Profiles`.

    Returns
    -------
    dict
        Family to the share of users (0-1) who have the real thing.
    """
    registered = pd.Series(dtype="int64")
    if users is not None:
        registered = users.loc[users.registered_at.notna(), "user_code"]
    out = {"tenure_days": float(profile.user_code.isin(registered).mean())}
    return out | ({"login_days_{d}": 0.0} if logins_from_events else {})


def _measured(members: list[tuple[str, int]]) -> tuple[int | None, list[str]]:
    windows = [None if pd.isna(w) else int(w) for _, w in members]
    window = 30 if 30 in windows else windows[-1]
    return window, [m[0] for m, w in zip(members, windows, strict=True) if w == window]


def _filled(columns: pd.DataFrame, *, attribute: bool) -> tuple[pd.Series, pd.Series]:
    """Which users have a value, and the value (missing where it is no number)."""
    first = columns.iloc[:, 0]
    if attribute:
        has = first.notna() & (first.astype("str") != "unknown")
        number = pd.api.types.is_numeric_dtype(first) and not pd.api.types.is_bool_dtype(first)
        return has, first.astype("float64") if number else pd.Series(np.nan, index=first.index)
    amount = columns.astype("float64").sum(axis=1, min_count=1)
    return amount.notna() & (amount != 0), amount


def attribute_rows(measured: pd.DataFrame, rule: AgeRule) -> pd.DataFrame:
    """Table 1 row by row: what the paper asks for and prints, and the coverage in this run.

    Returns
    -------
    pandas.DataFrame
        ``row``, ``the paper asks for``, ``here`` (column), ``paper`` and ``this run`` (coverage,
        0-1). Age has three lines: stated, in range, believed.
    """
    rows = paper_rows().query("table == 1").set_index("row").asks
    out = []
    for family in measured[(measured.table == 1) & ~measured.shop].itertuples():
        parts = {"": family.users}
        if family.family == "age":
            n = max(rule.users, 1)
            parts = {
                ", as stated": rule.stated / n,
                ", in range": rule.in_range / n,
                ", believed": rule.kept / n,
            }
        for part, share in parts.items():
            printed = _PRINTED_COVERAGE.get(family.family + part)
            out.append(
                (f"1.{family.row}", rows[family.row] + part, family.family,
                 paper("gu", f"table1.{printed}") if printed else np.nan, share)
            )  # fmt: skip
    return pd.DataFrame(out, columns=["row", "the paper asks for", "here", "paper", "this run"])


def rows_of(measured: pd.DataFrame, table: int, *, shop: bool = False) -> pd.DataFrame:
    """Table 2 or 3 row by row: what the paper asks for beside what is computed here.

    Parameters
    ----------
    measured : pandas.DataFrame
        See :func:`measure`.
    table : int
        0 for recency, frequency and monetary value, which stand in none.
    shop : bool
        The shop's counterparts in place of the paper's own rows.

    Returns
    -------
    pandas.DataFrame
        Text, ready to be shown: ``row``, ``the paper asks for`` (each once), ``here``, ``days``,
        ``users with any``, ``their mean``.
    """
    asks = paper_rows().query("table == @table").set_index("row").asks
    chosen = measured[(measured.table == table) & (measured.shop == shop)].sort_values(
        "row", kind="stable"
    )
    first = ~chosen.row.duplicated()
    return pd.DataFrame(
        {
            "row": (f"{table}." + chosen.row.astype(str)).where(first, ""),
            "the paper asks for": chosen.row.map(asks).where(first, "").fillna(""),
            "here": _titles(chosen),
            "days": chosen.windows,
            "users with any": [_share(r) for r in chosen.itertuples()],
            "their mean": [_mean(r) for r in chosen.itertuples()],
        }
    )


def _share(row) -> str:
    return percent(row.users) if row.can_say else "not in this source"


def _mean(row) -> str:
    if pd.isna(row.mean) or row.unit.startswith("share"):
        return ""
    if row.kind == "list":
        return f"{row.mean:,.1f} entries"
    return f"{row.mean:,.3g} {row.unit}" if row.mean < 1000 else f"{row.mean:,.0f} {row.unit}"


def number(value: float) -> str:
    """A value as it stands in prose and tables: four digits, in full from 1,000 on."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage with two significant digits, e.g. ``"0.61 %"``."""
    value = 100 * share
    if value == 0 or value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.95 else f"{value:.2g} %"


def dictionary_page(dictionary: pd.DataFrame) -> pd.DataFrame:
    """The dictionary by families, as text: where in the paper, name, unit, windows and formula."""
    found = families(dictionary)
    return pd.DataFrame(
        {
            "name": _titles(found),
            "formula": found.formula,
            "unit": found.unit,
            "days": found.windows,
            "row": [f"{t}.{r}" if t else "" for t, r in zip(found.table, found.row, strict=True)],
            "beyond the paper": np.where(found.shop, "yes", ""),
            "needs": [", ".join(sorted(needs)) for needs in found.needs],
        }
    )


def _titles(found: pd.DataFrame) -> list[str]:
    pairs = zip(found.kind, found.family, strict=True)
    return [f"list {family}" if kind == "list" else family for kind, family in pairs]
