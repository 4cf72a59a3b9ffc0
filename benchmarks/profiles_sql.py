"""The profile's features and lists as one would write them by hand in SQL, for comparison.

Two stages: by user and day, then by user; pairs of user and item for the lists. Times are the
store's clock, here UTC+8 without daylight saving, by arithmetic.
"""

from __future__ import annotations

from pathlib import Path

HOURS_AHEAD = 8
PARTS = {"night": "h < 6", "morning": "h >= 6 AND h < 12",
         "afternoon": "h >= 12 AND h < 18", "evening": "h >= 18"}  # fmt: skip
BINS = {"00_06": "night", "06_12": "morning", "12_18": "afternoon", "18_24": "evening"}
DAYS = {"saturday": "age % 7 = {sat}", "sunday": "age % 7 = {sun}",
        "workday": "age % 7 NOT IN ({sat}, {sun})"}  # fmt: skip


def _local(path: Path, today: int) -> str:
    local = f"(epoch_us(timestamp) + {HOURS_AHEAD} * 3600000000)"
    return f"""CREATE TEMP VIEW log AS SELECT user_code, user_id, event, item_id, category, value,
        duration_s, epoch_us(timestamp) AS us, {today} - 1 - {local} // 86400000000 AS age,
        {local} // 3600000000 % 24 AS h FROM '{path}'"""


def _user_day() -> str:
    def n(name: str, where: str) -> str:
        return f"count(*) FILTER (WHERE {where}) AS {name}"

    def s(name: str, column: str, where: str) -> str:
        return f"coalesce(sum({column}) FILTER (WHERE {where}), 0) AS {name}"

    columns = ["count(*) AS events"]
    for name, event in (("views", "view"), ("searches", "search"), ("carts", "cart"),
                        ("purchases", "purchase"), ("chats", "chat"), ("gifts", "gift"),
                        ("logins", "login"), ("watches", "watch")):  # fmt: skip
        columns.append(n(name, f"event = '{event}'"))
    columns.append(n("long_views", "event = 'view' AND duration_s > 30"))
    columns.append(n("valid_watches", "event = 'watch' AND duration_s > 300"))
    columns.append(s("view_s", "duration_s", "event = 'view'"))
    columns.append(s("watch_s", "duration_s", "event = 'watch'"))
    columns.append(s("gift_value", "value", "event = 'gift'"))
    columns.append(s("paid", "value", "event = 'purchase'"))
    columns.append(s("back", "value", "event = 'cancel'"))
    columns.append("min(us) FILTER (WHERE event = 'watch') AS first_watch")
    columns.append("max(us) FILTER (WHERE event = 'watch') AS last_watch")
    for part, where in PARTS.items():
        columns.append(n(f"events_{part}", where))
        columns.append(n(f"views_{part}", f"event = 'view' AND {where}"))
        columns.append(s(f"watch_s_{part}", "duration_s", f"event = 'watch' AND {where}"))
    return f"""CREATE TEMP TABLE user_day AS SELECT user_code, age, any_value(user_id) AS user_id,
        {", ".join(columns)} FROM log GROUP BY user_code, age"""


def _days(day: str, today: int) -> str:
    """The condition on `age` for a class of day; 1970-01-01 was a Thursday."""
    sat, sun = (today - 1 - 2) % 7, (today - 1 - 3) % 7
    return DAYS[day].format(sat=sat, sun=sun)


def _by_user(today: int) -> str:
    """Stage two: the windows."""

    def within(d: int) -> str:
        return f"FILTER (WHERE age < {d})" if d else ""

    def total(name: str, d: int, expression: str = "") -> str:
        what = f"{name}_{d}" if d else name
        return f"coalesce(sum({expression or name}) {within(d)}, 0) AS {what}"

    c = ["any_value(user_id) AS user_id"]
    for d in (3, 7, 30):
        names = ["events", "views", "searches", "carts", "purchases", "chats", "gifts"]
        c += [total(name, d) for name in names]
        c += [total("gift_value", d), total("spend", d, "paid - back")]
        c.append(f"count(*) {within(d)} AS active_days_{d}")
    for d in (7, 30):
        c += [total(name, d) for name in
              ("long_views", "view_s", "watches", "valid_watches", "watch_s")]  # fmt: skip
        c += [total(f"views_{part}", d) for part in PARTS]
        c += [total(f"watch_s_{part}", d) for part in PARTS]
        c.append(f"count(*) FILTER (WHERE age < {d} AND logins > 0) AS login_days_{d}")
        span = f"max(last_watch) {within(d)} - min(first_watch) {within(d)}"
        watches = f"sum(watches) {within(d)}"
        c.append(
            f"CASE WHEN {watches} >= 2 THEN ({span}) / ({watches} - 1) / 3.6e9 END"
            f" AS watch_interval_h_{d}"
        )
    for day in DAYS:
        where = f"FILTER (WHERE age < 30 AND {_days(day, today)})"
        c.append(f"coalesce(sum(views) {where}, 0) AS views_{day}_30")
        c.append(f"coalesce(sum(watch_s) {where}, 0) AS watch_s_{day}_30")
    c += [total(f"events_{name}", 30, f"events_{part}") for name, part in BINS.items()]
    c += [total(name, 0) for name in ("events", "views", "carts", "purchases")]
    c += [total("monetary", 0, "paid - back"), "count(*) AS active_days"]
    before = "FILTER (WHERE age >= 30 AND age < 60)"
    c.append(f"coalesce(sum(events) {before}, 0) AS events_prev_30")
    c.append(f"count(*) {before} AS active_days_prev_30")
    c.append("count(*) FILTER (WHERE purchases > 0) AS frequency")
    c.append("min(age) FILTER (WHERE purchases > 0) + 1 AS recency_days")
    c.append("max(age) + 1 AS days_since_first_event, min(age) + 1 AS days_since_last_event")
    return f"""CREATE TEMP TABLE by_user AS SELECT user_code, {", ".join(c)}
        FROM user_day GROUP BY user_code"""


def _pairs(name: str, key: str, where: str, columns: dict[str, str]) -> str:
    made = ", ".join(f"{expression} AS {column}" for column, expression in columns.items())
    return f"""CREATE TEMP TABLE {name} AS SELECT user_code, {key} AS thing, {made} FROM log
        WHERE {where} AND {key} IS NOT NULL GROUP BY user_code, {key}"""


def _visited(long_s: int, measure: str, today: int) -> dict[str, str]:
    out = {}
    for d in (7, 30):
        inside = f"FILTER (WHERE age < {d})"
        out[f"n_{d}"] = f"count(*) {inside}"
        out[f"long_{d}"] = f"count(*) FILTER (WHERE age < {d} AND duration_s > {long_s})"
        out[f"s_{d}"] = f"sum(duration_s) {inside}"
        out[f"interval_{d}"] = (
            f"CASE WHEN count(*) {inside} >= 2 THEN (max(us) {inside} - min(us) {inside})"
            f" / (count(*) {inside} - 1) / 3.6e9 END"
        )
        for part, where in PARTS.items():
            out[f"{part}_{d}"] = f"{measure} FILTER (WHERE age < {d} AND {where})"
    for day in DAYS:
        out[f"{day}_30"] = f"{measure} FILTER (WHERE age < 30 AND {_days(day, today)})"
    return out


def _kinds(counts: dict[str, str], whole: tuple[str, ...]) -> dict[str, str]:
    out = {}
    for name, event in counts.items():
        for d in (7, 30):
            out[f"{name}_{d}"] = f"count(*) FILTER (WHERE event = '{event}' AND age < {d})"
        if name in whole:
            out[name] = f"count(*) FILTER (WHERE event = '{event}')"
    return out


def _money(name: str, plus: str, minus: str = "") -> dict[str, str]:
    def total(event: str, d: int) -> str:
        return f"coalesce(sum(value) FILTER (WHERE event = '{event}' AND age < {d}), 0)"

    return {
        f"{name}_{d}": total(plus, d) + (f" - {total(minus, d)}" if minus else "") for d in (7, 30)
    }


def _all_pairs(today: int) -> list[str]:
    social = _kinds({"chats": "chat", "gifts": "gift"}, ("gifts",))
    social |= {"follows": "count(*) FILTER (WHERE event = 'follow')",
               "comments": "count(*) FILTER (WHERE event = 'comment')"}  # fmt: skip
    social |= _money("gift_value", "gift")
    orders = _kinds({"carts": "cart", "purchases": "purchase"}, ("carts", "purchases"))
    orders |= _money("spend", "purchase", "cancel")
    watch, view = ("event = 'watch' AND age < 30", "event = 'view' AND age < 30")
    watched, viewed = _visited(300, "sum(duration_s)", today), _visited(30, "count(*)", today)
    product = {k: v for k, v in viewed.items() if k.startswith(("n_", "long_"))}
    bought = "event IN ('cart', 'purchase', 'cancel')"
    return [
        _pairs("watched_item", "item_id", watch, watched),
        _pairs("watched_category", "category", watch, watched),
        _pairs("viewed_item", "item_id", view, product),
        _pairs("viewed_category", "category", view, viewed),
        _pairs("social", "item_id", "event IN ('chat', 'comment', 'gift', 'follow')", social),
        _pairs("orders_item", "item_id", bought, orders),
        _pairs("orders_category", "category", bought, orders),
    ]


def _lists() -> list[tuple[str, int, str, str, int]]:
    """(list, window, table, measure, limit) of every list."""
    out = [("followed", 0, "social", "follows", 0), ("gifted", 0, "social", "gifts", 0),
           ("commented", 0, "social", "comments", 0), ("carted", 0, "orders_item", "carts", 0),
           ("bought", 0, "orders_item", "purchases", 0)]  # fmt: skip
    for d in (7, 30):
        for name, table, measure in (
            ("channels_by_duration", "watched_category", "s"),
            ("channels_by_count", "watched_category", "n"),
            ("channels_by_interval", "watched_category", "-interval"),
            ("broadcasters_by_duration", "watched_item", "s"),
            ("broadcasters_by_count", "watched_item", "n"),
            ("broadcasters_by_valid_watches", "watched_item", "long"),
            ("broadcasters_by_chats", "social", "chats"),
            ("broadcasters_by_gifts", "social", "gifts"),
            ("broadcasters_by_gift_value", "social", "gift_value"),
            ("categories_by_duration", "viewed_category", "s"),
            ("categories_by_views", "viewed_category", "n"),
            ("categories_by_interval", "viewed_category", "-interval"),
            ("products_by_views", "viewed_item", "n"),
            ("products_by_long_views", "viewed_item", "long"),
            *((f"broadcasters_{part}", "watched_item", part) for part in PARTS),
            *((f"categories_{part}", "viewed_category", part) for part in PARTS),
            *((f"products_by_{m}", "orders_item", m) for m in ("carts", "purchases", "spend")),
            *((f"categories_by_{m}", "orders_category", m)
              for m in ("carts", "purchases", "spend")),
        ):  # fmt: skip
            out.append((name, d, table, f"{measure}_{d}", 10))
    for day in DAYS:
        out.append((f"broadcasters_{day}", 30, "watched_item", f"{day}_30", 10))
        out.append((f"categories_{day}", 30, "viewed_category", f"{day}_30", 10))
    return out


def _ranked() -> str:
    parts = []
    for name, d, table, measure, limit in _lists():
        column = measure.removeprefix("-")
        order, keep = ("ASC", "IS NOT NULL") if measure[0] == "-" else ("DESC", "> 0")
        top = f"QUALIFY rank <= {limit}" if limit else ""
        parts.append(
            f"""SELECT user_code, '{name}' AS list, {d} AS window_days, row_number() OVER
            (PARTITION BY user_code ORDER BY {column} {order}, thing) AS rank, thing AS item_id,
            {column}::DOUBLE AS value FROM {table} WHERE {column} {keep} {top}"""
        )
    return " UNION ALL ".join(parts)


def _variety() -> dict[str, tuple[str, str]]:
    out = {"followed_broadcasters": ("social", "follows"), "gifted_broadcasters":
           ("social", "gifts"), "commented_broadcasters": ("social", "comments"),
           "products_carted": ("orders_item", "carts"),
           "products_bought": ("orders_item", "purchases")}  # fmt: skip
    for d in (7, 30):
        out[f"channels_watched_{d}"] = ("watched_category", f"n_{d}")
        out[f"broadcasters_watched_{d}"] = ("watched_item", f"n_{d}")
        out[f"categories_viewed_{d}"] = ("viewed_category", f"n_{d}")
        out[f"products_viewed_{d}"] = ("viewed_item", f"n_{d}")
    return out


def _profile() -> str:
    tables: dict[str, list[str]] = {}
    for name, (table, measure) in _variety().items():
        tables.setdefault(table, []).append(f"count(*) FILTER (WHERE {measure} > 0) AS {name}")
    joins = " ".join(
        f"LEFT JOIN (SELECT user_code, {', '.join(c)} FROM {t} GROUP BY user_code) AS {t}"
        " USING (user_code)"
        for t, c in tables.items()
    )
    c = [f"coalesce({name}, 0) AS {name}" for name in _variety()]
    for d in (3, 7, 30):
        c += [f"{name}_{d} / greatest(active_days_{d}, 1) AS {name}_per_active_day_{d}"
              for name in ("chats", "gifts", "searches", "purchases")]  # fmt: skip
    c += [f"CASE WHEN events_30 > 0 THEN events_{b}_30 / events_30 END AS share_{b}_30"
          for b in BINS]  # fmt: skip
    names = ", ".join(_variety())
    return f"SELECT * EXCLUDE ({names}), {', '.join(c)} FROM by_user {joins} ORDER BY user_code"


def build(events: Path, profile: Path, lists: Path, today: int, threads: int) -> None:
    """Write the features and the lists of `events` as of day `today` (days since 1970)."""
    import duckdb

    con = duckdb.connect(config={"threads": threads, "preserve_insertion_order": False})
    con.execute("SET enable_progress_bar = false")
    con.execute(_local(events, today))
    con.execute(_user_day())
    con.execute(_by_user(today))
    con.execute("CREATE TEMP TABLE ids AS SELECT user_code, user_id FROM by_user")
    for statement in _all_pairs(today):
        con.execute(statement)
    con.execute(f"COPY ({_profile()}) TO '{profile}' (FORMAT parquet, COMPRESSION zstd)")
    ordered = f"""SELECT user_id, lists.* FROM ({_ranked()}) AS lists JOIN ids USING (user_code)
        ORDER BY user_code, list, window_days, rank"""
    con.execute(f"COPY ({ordered}) TO '{lists}' (FORMAT parquet, COMPRESSION zstd)")
