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


def features(log: pd.DataFrame) -> pd.DataFrame:
    """One row a user; every feature of the dictionary but the attributes."""
    log = log.assign(spent=_spent(log))
    of = dict(list(log.groupby("event")))
    none = log.iloc[:0]
    out = pd.DataFrame(index=pd.Index(sorted(log.user_code.unique()), name="user_code"))

    def n(rows):
        return rows.groupby("user_code").size()

    def s(rows, column):
        return rows.groupby("user_code")[column].sum()

    def days(rows):
        return rows.groupby("user_code").age.nunique()

    def event(name, d=0):
        rows = of.get(name, none)
        return rows[rows.age < d] if d else rows

    def interval(rows):
        g = rows.groupby("user_code").us
        size = g.size()
        return ((g.max() - g.min()) / (size - 1) / 3.6e9).where(size >= 2)

    for d in (3, 7, 30):
        inside = log[log.age < d]
        out[f"events_{d}"], out[f"active_days_{d}"] = n(inside), days(inside)
        for kind in ("chat", "gift", "search", "cart", "purchase", "view"):
            out[f"{kind}{'es' if kind == 'search' else 's'}_{d}"] = n(event(kind, d))
        out[f"gift_value_{d}"], out[f"spend_{d}"] = s(event("gift", d), "value"), s(inside, "spent")
    for d in (7, 30):
        watch, view = event("watch", d), event("view", d)
        out[f"watches_{d}"], out[f"watch_s_{d}"] = n(watch), s(watch, "duration_s")
        out[f"valid_watches_{d}"] = n(watch[watch.duration_s > 300])
        out[f"watch_interval_h_{d}"] = interval(watch)
        out[f"view_s_{d}"] = s(view, "duration_s")
        out[f"long_views_{d}"] = n(view[view.duration_s > 30])
        out[f"login_days_{d}"] = days(event("login", d))
        for name, rows, column in (
            ("channels_watched", watch, "category"), ("broadcasters_watched", watch, "item_id"),
            ("categories_viewed", view, "category"), ("products_viewed", view, "item_id"),
        ):  # fmt: skip
            out[f"{name}_{d}"] = rows.groupby("user_code")[column].nunique()
        for part, (low, high) in PARTS.items():
            w, v = (r[(r.hour >= low) & (r.hour < high)] for r in (watch, view))
            out[f"watch_s_{part}_{d}"], out[f"views_{part}_{d}"] = s(w, "duration_s"), n(v)
    for day, numbers in DAYS.items():
        w, v = (r[r.weekday.isin(numbers)] for r in (event("watch", 30), event("view", 30)))
        out[f"watch_s_{day}_30"], out[f"views_{day}_30"] = s(w, "duration_s"), n(v)
    month = log[log.age < 30]
    for name, part in BINS.items():
        low, high = PARTS[part]
        out[f"events_{name}_30"] = n(month[(month.hour >= low) & (month.hour < high)])
    before = log[(log.age >= 30) & (log.age < 60)]
    out["events_prev_30"], out["active_days_prev_30"] = n(before), days(before)
    out["events"], out["active_days"], out["monetary"] = n(log), days(log), s(log, "spent")
    for name, kind in (("views", "view"), ("carts", "cart"), ("purchases", "purchase")):
        out[name] = n(event(kind))
    for name, kind in (("followed_broadcasters", "follow"), ("gifted_broadcasters", "gift"),
                       ("commented_broadcasters", "comment"), ("products_carted", "cart"),
                       ("products_bought", "purchase")):  # fmt: skip
        out[name] = event(kind).groupby("user_code").item_id.nunique()
    out["frequency"] = days(event("purchase"))
    counts = [c for c in out if not c.startswith("watch_interval")]
    out[counts] = out[counts].fillna(0)
    ages = log.groupby("user_code").age
    out["days_since_first_event"], out["days_since_last_event"] = ages.max() + 1, ages.min() + 1
    out["recency_days"] = event("purchase").groupby("user_code").age.min() + 1
    for d in (3, 7, 30):
        for name in ("chats", "gifts", "searches", "purchases"):
            per_day = out[f"{name}_{d}"] / out[f"active_days_{d}"].clip(lower=1)
            out[f"{name}_per_active_day_{d}"] = per_day
    for name in BINS:
        some = out.events_30.where(out.events_30 > 0)
        out[f"share_{name}_30"] = out[f"events_{name}_30"] / some
    return out.reset_index()


def lists(log: pd.DataFrame) -> pd.DataFrame:
    """Long: every list of the dictionary."""
    log = log.assign(spent=_spent(log))
    of = dict(list(log.groupby("event")))
    none = log.iloc[:0]
    found = []

    def event(name, d=0):
        rows = of.get(name, none)
        return rows[rows.age < d] if d else rows

    def rank(name, d, rows, key, column=None, longest=10):
        groups = rows.groupby(["user_code", key])
        value = groups.size() if column is None else groups[column].sum().round(9)
        add(name, d, value[value > 0].rename("value").reset_index(), key, longest, False)

    def add(name, d, frame, key, longest, ascending):
        order = ["user_code", "value", key]
        frame = frame.sort_values(order, ascending=[True, ascending, True])
        frame["rank"] = frame.groupby("user_code").cumcount() + 1
        frame = frame[frame["rank"] <= longest] if longest else frame
        found.append(frame.rename(columns={key: "item_id"}).assign(list=name, window_days=d))

    def interval(name, d, rows):
        g = rows.groupby(["user_code", "category"]).us
        size = g.size()
        hours = ((g.max() - g.min()) / (size - 1) / 3.6e9).where(size >= 2).dropna()
        add(name, d, hours.rename("value").reset_index(), "category", 10, True)

    for name, kind in (("followed", "follow"), ("gifted", "gift"), ("commented", "comment"),
                       ("carted", "cart"), ("bought", "purchase")):  # fmt: skip
        rank(name, 0, event(kind), "item_id", longest=0)
    for d in (7, 30):
        watch, view = event("watch", d), event("view", d)
        rank("channels_by_duration", d, watch, "category", "duration_s")
        rank("channels_by_count", d, watch, "category")
        interval("channels_by_interval", d, watch)
        rank("broadcasters_by_duration", d, watch, "item_id", "duration_s")
        rank("broadcasters_by_count", d, watch, "item_id")
        valid = watch[watch.duration_s > 300]
        rank("broadcasters_by_valid_watches", d, valid, "item_id")
        rank("broadcasters_by_chats", d, event("chat", d), "item_id")
        rank("broadcasters_by_gifts", d, event("gift", d), "item_id")
        rank("broadcasters_by_gift_value", d, event("gift", d), "item_id", "value")
        rank("categories_by_duration", d, view, "category", "duration_s")
        rank("categories_by_views", d, view, "category")
        interval("categories_by_interval", d, view)
        rank("products_by_views", d, view, "item_id")
        rank("products_by_long_views", d, view[view.duration_s > 30], "item_id")
        for part, (low, high) in PARTS.items():
            w, v = (r[(r.hour >= low) & (r.hour < high)] for r in (watch, view))
            rank(f"broadcasters_{part}", d, w, "item_id", "duration_s")
            rank(f"categories_{part}", d, v, "category")
        paid = pd.concat([event("purchase", d), event("cancel", d)])
        for things, key in (("products", "item_id"), ("categories", "category")):
            rank(f"{things}_by_carts", d, event("cart", d), key)
            rank(f"{things}_by_purchases", d, event("purchase", d), key)
            rank(f"{things}_by_spend", d, paid, key, "spent")
    for day, numbers in DAYS.items():
        w, v = (r[r.weekday.isin(numbers)] for r in (event("watch", 30), event("view", 30)))
        rank(f"broadcasters_{day}", 30, w, "item_id", "duration_s")
        rank(f"categories_{day}", 30, v, "category")
    return pd.concat(found, ignore_index=True)


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
