"""The profile's features and lists as one would write them in pandas, for comparison."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.profiles_sql import BINS, HOURS_AHEAD

PARTS = {"night": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
DAYS = {"saturday": (5,), "sunday": (6,), "workday": (0, 1, 2, 3, 4)}


def read(events: Path, today: int) -> pd.DataFrame:
    log = pd.read_parquet(events)
    local = log.timestamp + pd.Timedelta(hours=HOURS_AHEAD)
    log["age"] = today - 1 - (local.dt.normalize().astype("int64") // 86_400_000_000)
    log["hour"], log["weekday"] = local.dt.hour, local.dt.weekday
    log["us"] = log.timestamp.astype("int64")
    return log


def _spent(rows: pd.DataFrame) -> pd.Series:
    return rows.value.where(rows.event == "purchase", -rows.value).where(
        rows.event.isin(["purchase", "cancel"]), 0.0
    )


class Log:
    """The events by kind and window, and the sums that every feature is made of."""

    def __init__(self, log: pd.DataFrame):
        self.all = log.assign(spent=_spent(log))
        self.kinds = dict(list(self.all.groupby("event")))

    def of(self, kind: str, d: int = 0) -> pd.DataFrame:
        rows = self.kinds.get(kind, self.all.iloc[:0])
        return rows[rows.age < d] if d else rows


def n(rows):
    return rows.groupby("user_code").size()


def s(rows, column):
    return rows.groupby("user_code")[column].sum()


def days(rows):
    return rows.groupby("user_code").age.nunique()


def different(rows, column):
    return rows.groupby("user_code")[column].nunique()


def interval_h(groups):
    size = groups.size()
    return ((groups.max() - groups.min()) / (size - 1) / 3.6e9).where(size >= 2)


def in_part(rows, part):
    low, high = PARTS[part]
    return rows[(rows.hour >= low) & (rows.hour < high)]


def features(events: pd.DataFrame) -> pd.DataFrame:
    """One row a user; every feature of the dictionary but the attributes."""
    log = Log(events)
    columns = {**_windows(log), **_visits(log), **_whole(log)}
    out = pd.DataFrame(columns, index=pd.Index(sorted(events.user_code.unique())))
    counts = [c for c in out if not c.startswith(("watch_interval", "recency", "days_since"))]
    out[counts] = out[counts].fillna(0)
    some = out.events_30.where(out.events_30 > 0)
    ratios = {f"share_{name}_30": out[f"events_{name}_30"] / some for name in BINS}
    for d in (3, 7, 30):
        active = out[f"active_days_{d}"].clip(lower=1)
        for name in ("chats", "gifts", "searches", "purchases"):
            ratios[f"{name}_per_active_day_{d}"] = out[f"{name}_{d}"] / active
    return pd.concat([out, pd.DataFrame(ratios)], axis=1).rename_axis("user_code").reset_index()


def _windows(log: Log) -> dict[str, pd.Series]:
    out = {}
    for d in (3, 7, 30):
        inside = log.all[log.all.age < d]
        out[f"events_{d}"], out[f"active_days_{d}"] = n(inside), days(inside)
        for kind in ("chat", "gift", "search", "cart", "purchase", "view"):
            out[f"{kind}{'es' if kind == 'search' else 's'}_{d}"] = n(log.of(kind, d))
        out[f"gift_value_{d}"] = s(log.of("gift", d), "value")
        out[f"spend_{d}"] = s(inside, "spent")
    month = log.all[log.all.age < 30]
    for name, part in BINS.items():
        out[f"events_{name}_30"] = n(in_part(month, part))
    return out


def _visits(log: Log) -> dict[str, pd.Series]:
    out = {}
    for d in (7, 30):
        watch, view = log.of("watch", d), log.of("view", d)
        out[f"watches_{d}"], out[f"watch_s_{d}"] = n(watch), s(watch, "duration_s")
        out[f"valid_watches_{d}"] = n(watch[watch.duration_s > 300])
        out[f"watch_interval_h_{d}"] = interval_h(watch.groupby("user_code").us)
        out[f"view_s_{d}"] = s(view, "duration_s")
        out[f"long_views_{d}"] = n(view[view.duration_s > 30])
        out[f"login_days_{d}"] = days(log.of("login", d))
        out[f"channels_watched_{d}"] = different(watch, "category")
        out[f"broadcasters_watched_{d}"] = different(watch, "item_id")
        out[f"categories_viewed_{d}"] = different(view, "category")
        out[f"products_viewed_{d}"] = different(view, "item_id")
        for part in PARTS:
            out[f"watch_s_{part}_{d}"] = s(in_part(watch, part), "duration_s")
            out[f"views_{part}_{d}"] = n(in_part(view, part))
    for day, numbers in DAYS.items():
        watch, view = (
            r[r.weekday.isin(numbers)] for r in (log.of("watch", 30), log.of("view", 30))
        )
        out[f"watch_s_{day}_30"], out[f"views_{day}_30"] = s(watch, "duration_s"), n(view)
    return out


def _whole(log: Log) -> dict[str, pd.Series]:
    before = log.all[(log.all.age >= 30) & (log.all.age < 60)]
    out = {"events_prev_30": n(before), "active_days_prev_30": days(before)}
    out |= {"events": n(log.all), "active_days": days(log.all), "monetary": s(log.all, "spent")}
    for kind in ("view", "cart", "purchase"):
        out[f"{kind}s"] = n(log.of(kind))
    for name, kind in (("followed_broadcasters", "follow"), ("gifted_broadcasters", "gift"),
                       ("commented_broadcasters", "comment"), ("products_carted", "cart"),
                       ("products_bought", "purchase")):  # fmt: skip
        out[name] = different(log.of(kind), "item_id")
    ages = log.all.groupby("user_code").age
    out["days_since_first_event"], out["days_since_last_event"] = ages.max() + 1, ages.min() + 1
    out["frequency"] = days(log.of("purchase"))
    out["recency_days"] = log.of("purchase").groupby("user_code").age.min() + 1
    return out


def lists(events: pd.DataFrame) -> pd.DataFrame:
    """Long: every list of the dictionary."""
    log = Log(events)
    found = [
        _rank(name, 0, log.of(kind), "item_id", longest=0)
        for name, kind in (("followed", "follow"), ("gifted", "gift"), ("commented", "comment"),
                           ("carted", "cart"), ("bought", "purchase"))
    ]  # fmt: skip
    for d in (7, 30):
        found += _of_watches(log.of("watch", d), d) + _of_views(log.of("view", d), d)
        for name, kind, column in (("chats", "chat", None), ("gifts", "gift", None),
                                   ("gift_value", "gift", "value")):  # fmt: skip
            found.append(_rank(f"broadcasters_by_{name}", d, log.of(kind, d), "item_id", column))
        paid = pd.concat([log.of("purchase", d), log.of("cancel", d)])
        for things, key in (("products", "item_id"), ("categories", "category")):
            found.append(_rank(f"{things}_by_carts", d, log.of("cart", d), key))
            found.append(_rank(f"{things}_by_purchases", d, log.of("purchase", d), key))
            found.append(_rank(f"{things}_by_spend", d, paid, key, "spent"))
    for day, numbers in DAYS.items():
        watch, view = (
            r[r.weekday.isin(numbers)] for r in (log.of("watch", 30), log.of("view", 30))
        )
        found.append(_rank(f"broadcasters_{day}", 30, watch, "item_id", "duration_s"))
        found.append(_rank(f"categories_{day}", 30, view, "category"))
    return pd.concat(found, ignore_index=True)


def _of_watches(rows: pd.DataFrame, d: int) -> list[pd.DataFrame]:
    valid = rows[rows.duration_s > 300]
    return [
        _rank("channels_by_duration", d, rows, "category", "duration_s"),
        _rank("channels_by_count", d, rows, "category"),
        _by_interval("channels_by_interval", d, rows),
        _rank("broadcasters_by_duration", d, rows, "item_id", "duration_s"),
        _rank("broadcasters_by_count", d, rows, "item_id"),
        _rank("broadcasters_by_valid_watches", d, valid, "item_id"),
        *(_rank(f"broadcasters_{p}", d, in_part(rows, p), "item_id", "duration_s") for p in PARTS),
    ]


def _of_views(rows: pd.DataFrame, d: int) -> list[pd.DataFrame]:
    return [
        _rank("categories_by_duration", d, rows, "category", "duration_s"),
        _rank("categories_by_views", d, rows, "category"),
        _by_interval("categories_by_interval", d, rows),
        _rank("products_by_views", d, rows, "item_id"),
        _rank("products_by_long_views", d, rows[rows.duration_s > 30], "item_id"),
        *(_rank(f"categories_{part}", d, in_part(rows, part), "category") for part in PARTS),
    ]


def _rank(name, d, rows, key, column=None, longest=10) -> pd.DataFrame:
    groups = rows.groupby(["user_code", key])
    value = groups.size() if column is None else groups[column].sum().round(9)
    return _ordered(name, d, value[value > 0], key, longest, False)


def _by_interval(name, d, rows) -> pd.DataFrame:
    hours = interval_h(rows.groupby(["user_code", "category"]).us).dropna()
    return _ordered(name, d, hours, "category", 10, True)


def _ordered(name, d, value, key, longest, ascending) -> pd.DataFrame:
    frame = value.rename("value").reset_index()
    frame = frame.sort_values(["user_code", "value", key], ascending=[True, ascending, True])
    frame["rank"] = frame.groupby("user_code").cumcount() + 1
    frame = frame[frame["rank"] <= longest] if longest else frame
    return frame.rename(columns={key: "item_id"}).assign(list=name, window_days=d)


def build(events: Path, profile: Path, lists_path: Path, today: int, threads: int) -> None:
    """Write the features and the lists of `events` as of day `today` (days since 1970)."""
    log = read(events, today)
    ids = log.drop_duplicates("user_code").set_index("user_code").user_id
    made = features(log)
    made.insert(0, "user_id", made.user_code.map(ids))
    made.to_parquet(profile, compression="zstd")
    long = lists(log).sort_values(["user_code", "list", "window_days", "rank"])
    long["user_id"] = long.user_code.map(ids)
    long.to_parquet(lists_path, compression="zstd")
