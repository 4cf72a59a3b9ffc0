"""One row a user and broadcaster, product, channel or category: the source of every list."""

from __future__ import annotations

from dataclasses import dataclass, field

import ibis

from precmark.engine import keep
from precmark.profiles.behaviour import (
    ORDERS,
    SOCIAL,
    ordered,
    social,
    viewed,
    viewed_product,
    watched,
)
from precmark.profiles.counts import named, of_kind
from precmark.profiles.dictionary import PARTS_OF_DAY, WEEKDAYS
from precmark.profiles.rows import Rows

_D = (7, 30)


@dataclass(frozen=True)
class Pairs:
    """One table of pairs, and what is read from it.

    Attributes
    ----------
    key : {"item", "category"}
    log : {"watches", "views", "deeds"}
        Which rows are read (:class:`precmark.profiles.rows.Rows`).
    events : tuple of str
        Which events of these; empty for all.
    measures : function
        From coded rows to named expressions (:mod:`precmark.profiles.behaviour`).
    lists : dict
        (list, window) to the measure that ranks it; a leading ``-`` ranks the smallest first.
    variety : dict
        Column of the profile to the measure that must be above 0 for a pair to count.
    """

    key: str
    log: str
    events: tuple[str, ...]
    measures: object
    lists: dict[tuple[str, int], str] = field(default_factory=dict)
    variety: dict[str, str] = field(default_factory=dict)

    def table(self, rows: Rows) -> ibis.Table:
        """The pairs of `rows`, kept: ``user``, the key and the measures."""
        table = getattr(rows, self.log)
        table = table.filter(table[self.key].notnull())
        if self.events:
            table = table.filter(of_kind(table, *self.events))
        pairs = table.group_by("user", self.key).aggregate(**self.measures(table))
        return keep(rows.con, pairs.rename(thing=self.key))


def _lists(measure_of: dict[str, str], windows=_D) -> dict[tuple[str, int], str]:
    return {(name, d): named(measure, d) for name, measure in measure_of.items() for d in windows}


def _by_time(things: str) -> dict[tuple[str, int], str]:
    parts = _lists({f"{things}_{part}": part for part in PARTS_OF_DAY})
    return parts | _lists({f"{things}_{day}": day for day in WEEKDAYS}, (30,))


def _orders(things: str) -> dict[tuple[str, int], str]:
    return _lists({f"{things}_by_{m}": m for m in ("carts", "purchases", "spend")})


ALL = (
    Pairs(
        "item", "watches", (), watched,
        _lists({
            "broadcasters_by_duration": "s",
            "broadcasters_by_count": "n",
            "broadcasters_by_valid_watches": "long",
        }) | _by_time("broadcasters"),
        {f"broadcasters_watched_{d}": f"n_{d}" for d in _D},
    ),
    Pairs(
        "category", "watches", (), watched,
        _lists({
            "channels_by_duration": "s",
            "channels_by_count": "n",
            "channels_by_interval": "-interval_h",
        }),
        {f"channels_watched_{d}": f"n_{d}" for d in _D},
    ),
    Pairs(
        "item", "deeds", SOCIAL, social,
        {("followed", 0): "follows", ("gifted", 0): "gifts", ("commented", 0): "comments"}
        | _lists({
            "broadcasters_by_chats": "chats",
            "broadcasters_by_gifts": "gifts",
            "broadcasters_by_gift_value": "gift_value",
        }),
        {
            "followed_broadcasters": "follows",
            "gifted_broadcasters": "gifts",
            "commented_broadcasters": "comments",
        },
    ),
    Pairs(
        "item", "views", (), viewed_product,
        _lists({"products_by_views": "n", "products_by_long_views": "long"}),
        {f"products_viewed_{d}": f"n_{d}" for d in _D},
    ),
    Pairs(
        "category", "views", (), viewed,
        _lists({
            "categories_by_duration": "s",
            "categories_by_views": "n",
            "categories_by_interval": "-interval_h",
        }) | _by_time("categories"),
        {f"categories_viewed_{d}": f"n_{d}" for d in _D},
    ),
    Pairs(
        "item", "deeds", ORDERS, ordered,
        {("carted", 0): "carts", ("bought", 0): "purchases"} | _orders("products"),
        {"products_carted": "carts", "products_bought": "purchases"},
    ),
    Pairs("category", "deeds", ORDERS, ordered, _orders("categories")),
)  # fmt: skip
"""Every table of pairs that the profile needs."""
