"""Products for a conversation: the hybrid recommender within what the slots allow, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from precmark.dialogue.slots import Lexicon, Slots, singular
from precmark.dialogue.text import words
from precmark.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from precmark.recommend import HybridRecommender
    from precmark.runs import Run

ALPHA = 0.5
"""Weight of the collaborative rank: a conversation tells little, so no a can be tuned on it."""

NOBODY = -1
"""User code of somebody whom the log does not know."""

ORDERS = ("fitting", "popular", "newest")
"""By what offers are ordered within the slots: the hybrid's rank, popularity, first seen last."""


@dataclass(frozen=True)
class Offer:
    """A product with the reason why it is shown.

    Attributes
    ----------
    item_id, name : str
    category, brand : str or None
    price : float or None
        In the shop's money.
    place : int
        Its place among all products by the order asked for, from 1.
    reason : str
        One phrase for people.
    """

    item_id: str
    name: str
    category: str | None
    brand: str | None
    price: float | None
    place: int
    reason: str


class Found(NamedTuple):
    """What was found for some slots.

    Attributes
    ----------
    offers : list of Offer
        The best first.
    note : str
        "" where all wishes are met, else a sentence that says which are not.
    slots : Slots
        The wishes that are met.
    """

    offers: list[Offer]
    note: str
    slots: Slots


class Shelf:
    """A shop's products, ready to be asked for.

    Parameters
    ----------
    events, items : pandas.DataFrame
        As a recommender takes them.
    currency : str
        ISO code for replies, or "".

    Attributes
    ----------
    lexicon : Lexicon
    model : HybridRecommender
        Item-item and content with a = :data:`ALPHA`.
    products : pandas.DataFrame
        In the model's order.

    Raises
    ------
    InputError
        See :func:`~precmark.recommend.shop.table_problems`.
    """

    def __init__(self, events: pd.DataFrame, items: pd.DataFrame, *, currency: str = ""):
        from precmark.recommend import HybridRecommender

        self.currency = currency
        self.model: HybridRecommender = HybridRecommender("item-item", alpha=ALPHA)
        self.model.fit(events, items)
        shop = self.model.shop_
        self.products = shop.items.reset_index(drop=True)
        self.lexicon = Lexicon.of(self.products)
        self._names = [_name(row) for row in self.products.itertuples()]
        self._words = [{singular(w) for w in words(name)} for name in self._names]
        self._price = _prices(self.products)
        self._popular = _places(shop.popularity)
        first = events.groupby("item_id").timestamp.min().reindex(shop.index)
        self._first_seen = first.rank(method="first").fillna(0).to_numpy()
        self._columns = {
            column: self.products[column].astype(object).to_numpy()
            for column in ("category", "brand")
            if column in self.products
        }
        self._ids = self.products.item_id.to_numpy(dtype=object)
        self._log = events
        self._now = events.timestamp.max()

    @classmethod
    def of(cls, run: Run) -> Shelf:
        """The shelf of `run`.

        Raises
        ------
        InputError
            Where the run has no list of products, or nothing that a recommender can learn from.
        """
        if not run.has("contract/items"):
            raise InputError(
                f"run {run.name!r} has no list of items, so a conversation cannot end in products. "
                "Give it one with `precmark run --items FILE`, or use another run."
            )
        if not run.has("sessions/events"):
            raise InputError(
                f"run {run.name!r} holds no events of users, so nothing can be learnt of its "
                "products. Use a run with views or purchases."
            )
        columns = ["user_id", "user_code", "item_id", "event", "timestamp", "category"]
        events = run.table("sessions/events", columns)
        return cls(events, run.table("contract/items"), currency=run.source.currency)

    def __len__(self) -> int:
        return len(self.products)

    def user_code(self, user_id: str) -> int:
        """The code of `user_id` in the log.

        Raises
        ------
        InputError
            When the log does not know the user.
        """
        found = self._log.user_code[self._log.user_id == user_id]
        if not len(found):
            raise InputError(
                f"user {user_id!r} does not occur in this run. Use an id of its table "
                "sessions/events, or leave the user out."
            )
        return int(found.iloc[0])

    def categories(self, k: int = 5) -> list[str]:
        """The k categories that are popular in this shop, the most popular first, as words."""
        shop = self.model.shop_
        if not shop.categories:
            return []
        total = np.bincount(shop.category, shop.popularity, minlength=len(shop.categories))
        best = np.argsort(-total, kind="stable")[:k]
        return [plain(shop.categories[i]) for i in best]

    def commonest_words(self, k: int) -> list[str]:
        """The k words that most products' names hold, in singular."""
        counts = Counter(w for held in self._words for w in held & self.lexicon.described)
        return [w for w, _ in counts.most_common(k)]

    def about(self, user: int) -> pd.DataFrame:
        """Events of the user with this code; none for :data:`NOBODY`."""
        return self._log[self._log.user_code == user]

    def history(self, user: pd.DataFrame, liked: Sequence[str], searched: Sequence[str]):
        """The events `user` with the conversation's own after them.

        Parameters
        ----------
        user : pandas.DataFrame
            From :meth:`about`.
        liked : sequence of str
            Items chosen in the conversation: views.
        searched : sequence of str
            Categories asked for: searches.
        """
        rows = [("search", None, category) for category in searched]
        rows += [("view", item, None) for item in liked]
        spoken = pd.DataFrame(rows, columns=["event", "item_id", "category"])
        spoken["timestamp"] = self._now + pd.to_timedelta(np.arange(1, len(rows) + 1), unit="s")
        parts = [user[["event", "item_id", "category", "timestamp"]]] if len(user) else []
        whole = pd.concat([*parts, spoken.astype({"item_id": object, "category": object})])
        return whole.assign(user_code=NOBODY)

    def offers(
        self,
        slots: Slots,
        *,
        history: pd.DataFrame | None = None,
        seen: Collection[str] = (),
        order: str = "fitting",
        k: int = 3,
    ) -> Found:
        """Up to k products that fit `slots`, the best first, and what had to be given up.

        Parameters
        ----------
        slots : Slots
        history : pandas.DataFrame, optional
            From :meth:`history`; nothing is known where left out.
        seen : collection of str
            Items that are not offered again.
        order : str
            One of :data:`ORDERS`.
        k : int
            At least 1.

        Returns
        -------
        Found
        """
        place, why = self._placed(history, order)
        unseen = ~pd.Index(self._ids).isin(list(seen))
        slots, fits, note = self._fitting(slots, unseen)
        hits = self._word_hits(slots)
        best = np.flatnonzero(fits)
        best = best[np.lexsort((place[best], -hits[best]))][:k]
        found = [self._offer(i, slots, int(place[i]), why(int(i)), hits[i]) for i in best]
        return Found(found, note, slots)

    def _placed(
        self, history: pd.DataFrame | None, order: str
    ) -> tuple[np.ndarray, Callable[[int], str]]:
        """Place of each product from 1, and a function that says what put one there."""
        m, popular = len(self), self._popular
        if order == "newest":
            place = _places(self._first_seen)
            return place, lambda i: f"number {place[i]:,} by when the log first saw it"
        if order == "popular" or history is None or not len(history):
            return popular, lambda i: f"number {popular[i]:,} of {m:,} by what people touch"
        return self._fitted(history)

    def _fitted(self, history: pd.DataFrame) -> tuple[np.ndarray, Callable[[int], str]]:
        from precmark.recommend.shop import histories_of

        model, m, popular = self.model, len(self), self._popular
        known = histories_of(history, model.shop_, [NOBODY], half_life=model.half_life)
        others, content = (r[0] for r in model.parts(known, model.model_.prepare(known.items)))
        rank = model.alpha_ * others + (1 - model.alpha_) * content
        # equal ranks by popularity, as the recommender's own lists
        place = np.empty(m, np.int64)
        place[np.lexsort((popular, -rank))] = np.arange(1, m + 1)
        if known.cold[0]:
            return place, lambda i: f"number {popular[i]:,} of {m:,} by what people touch"
        by_others, by_content = _places(others), _places(content)

        def why(i: int) -> str:
            if by_others[i] <= by_content[i]:
                start = "people who touched what you did touched it too"
                return f"{start} (number {by_others[i]:,} of {m:,})"
            return f"most like what you touched (number {by_content[i]:,} of {m:,})"

        return place, why

    def _mask(self, slots: Slots, unseen: np.ndarray) -> np.ndarray:
        kept = unseen.copy()
        for column, wanted in (("category", slots.category), ("brand", slots.brand)):
            values = self._columns.get(column)
            if values is not None:
                if wanted is not None:
                    kept &= values == wanted
                for name in slots.without:
                    kept &= values != name
        if slots.least is not None:
            kept &= self._price >= slots.least
        if slots.most is not None:
            kept &= self._price <= slots.most
        return kept

    def _fitting(self, slots: Slots, unseen: np.ndarray) -> tuple[Slots, np.ndarray, str]:
        """The slots that can be met, what meets them, and a sentence on those given up."""
        wishes = [("", {})]
        if slots.least is not None or slots.most is not None:
            wishes.append((f"at that price ({price_words(slots, self.currency)})",
                           {"least": None, "most": None}))  # fmt: skip
        if slots.brand is not None:
            wishes.append((f"by {slots.brand}", {"brand": None}))
        for what, change in wishes:
            tried = replace(slots, **change)
            kept = self._mask(tried, unseen)
            if kept.any():
                note = f"I have nothing more {what}, so here is the rest that fits." if what else ""
                return tried, kept, note
        dropped = replace(slots, least=None, most=None, brand=None)
        return (
            dropped,
            self._mask(dropped, unseen),
            "I have nothing more of all that together, so here is part of it.",
        )

    def _word_hits(self, slots: Slots) -> np.ndarray:
        wanted = set(slots.words)
        if not wanted:
            return np.zeros(len(self), np.int64)
        return np.array([len(wanted & have) for have in self._words])

    def _offer(self, i: int, slots: Slots, place: int, why: str, hits: int) -> Offer:
        row = self.products.iloc[i]
        price = None if np.isnan(self._price[i]) else float(self._price[i])
        kind = {singular(w) for w in words(plain(slots.category or ""))}
        named = [w for w in slots.words if w in self._words[i] and w not in kind]
        parts = []
        if slots.category is not None:
            parts.append(f"{plain(slots.category)}, as you asked")
        if hits and named:
            parts.append(f'named "{" ".join(named)}"')
        if slots.brand is not None:
            parts.append(f"by {slots.brand}")
        if slots.least is not None or slots.most is not None:
            parts.append(price_words(slots, self.currency))
        return Offer(
            str(row.item_id), self._names[i], _text(row, "category"), _text(row, "brand"),
            price, place, "; ".join([*parts, why]),
        )  # fmt: skip


def shelf_or_reason(run: Run) -> tuple[Shelf | None, str]:
    """The shelf of `run`, or None and why there is none."""
    try:
        return Shelf.of(run), ""
    except InputError as error:
        return None, str(error)


def plain(name: str) -> str:
    """A category's name as words: ``oral_care`` is "oral care"."""
    return str(name).replace("_", " ")


def money(value: float | None, currency: str) -> str:
    """``"8.90 CNY"``; "" where the price is not known."""
    return "" if value is None else f"{value:,.2f} {currency}".strip()


def price_words(slots: Slots, currency: str) -> str:
    """The price range of `slots` in words."""
    least, most = (None if v is None else f"{v:,.2f}".removesuffix(".00")
                   for v in (slots.least, slots.most))  # fmt: skip
    if least is not None and most is not None:
        return f"{least} to {most} {currency}".strip()
    return (
        f"at most {most} {currency}" if most is not None else f"{least} {currency} or more"
    ).strip()


def _places(score: np.ndarray) -> np.ndarray:
    """Place of each score from 1, the highest first; equal ones share the best place."""
    from scipy.stats import rankdata

    return rankdata(-np.asarray(score, dtype=float), method="min").astype(np.int64)


def _prices(products: pd.DataFrame) -> np.ndarray:
    if "price" not in products:
        return np.full(len(products), np.nan)
    return products.price.astype(float).to_numpy()


def _text(row: pd.Series, column: str) -> str | None:
    value = row.get(column)
    return None if value is None or value != value else str(value)


def _name(row: object) -> str:
    """What a product is called: its description, or its category, number and tags."""
    description = getattr(row, "description", None)
    if isinstance(description, str) and description.strip():
        return " ".join(description.split())
    category = getattr(row, "category", None)
    tags = getattr(row, "tags", None)
    first = f"{plain(category)} {row.item_id}" if isinstance(category, str) else str(row.item_id)
    return f"{first} ({tags.replace(';', ', ')})" if isinstance(tags, str) and tags else first
