"""What an utterance says of the product: category, price and brand, by rules over the catalogue."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from precmark.dialogue.text import clean, words

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen"""
_ROUND = "twenty thirty forty fifty sixty seventy eighty ninety"
_COMMON = """a an and any are at best big by can do for from get good have i im in is it item items
like looking me my new nice of on one or please product products set show small some something the
to under want what with you your large pack size home not no"""

UNITS = tuple(_SMALL.split())
TENS = {word: 10 * i for i, word in enumerate(_ROUND.split(), 2)}
SCALES = {"hundred": 100, "thousand": 1000}

NOT_NAMES = frozenset(_COMMON.split())
"""Words that name no product even where descriptions hold them."""

CHEAP, DEAR = 1 / 3, 2 / 3
"""Shares of the catalogue's prices that "cheap" stays below and "luxury" above."""


@dataclass(frozen=True)
class Slots:
    """What is known of the product that is wanted.

    Attributes
    ----------
    category, brand : str or None
    least, most : float or None
        Price, in the shop's money.
    without : tuple of str
        Categories and brands that are not wanted.
    words : tuple of str
        Words of the utterance that occur in descriptions, such as a kind of product.
    """

    category: str | None = None
    brand: str | None = None
    least: float | None = None
    most: float | None = None
    without: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known."""
        return self == Slots()

    def updated(self, later: Slots) -> Slots:
        """These slots after a `later` utterance: what it says counts, the rest stays.

        Another category begins anew: words, brand and price of the former one are dropped. A price
        range is replaced as a whole; what is asked for now is no longer unwanted.
        """
        if self.category is not None and later.category not in (None, self.category):
            return Slots(without=self.without).updated(later)
        priced = later.least is not None or later.most is not None
        asked = {later.category, later.brand}
        return Slots(
            category=later.category or (None if self.category in later.without else self.category),
            brand=later.brand or (None if self.brand in later.without else self.brand),
            least=later.least if priced else self.least,
            most=later.most if priced else self.most,
            without=tuple(
                dict.fromkeys(w for w in (*self.without, *later.without) if w not in asked)
            ),
            words=later.words or self.words,
        )


def number_words(found: list[str]) -> list[str]:
    """`found` with runs of number words put into digits: "twenty five" is "25".

    Examples
    --------
    >>> number_words("under one hundred and twenty yuan".split())
    ['under', '120', 'yuan']
    """
    made: list[str] = []
    i = 0
    while i < len(found):
        value, used = _number_at(found, i)
        if used:
            made.append(str(value))
            i += used
        else:
            made.append(found[i])
            i += 1
    return made


def _number_at(found: list[str], i: int) -> tuple[int, int]:
    """Value of the number in words that begins at `i`, and how many words it takes; (0, 0)."""
    total = current = used = 0
    known = False
    for j in range(i, len(found)):
        parts = found[j].split("-")
        if found[j] == "and" and known and current % 100 == 0 and _is_number(found, j + 1):
            used += 1
            continue
        if not all(p in UNITS or p in TENS or p in SCALES for p in parts):
            break
        for part in parts:
            if part in SCALES:
                current = max(current, 1) * SCALES[part]
                if part == "thousand":
                    total, current = total + current, 0
            elif part in TENS:
                if known and current % 100:
                    return total + current, used
                current += TENS[part]
            else:
                if known and (current % 10 or (current % 100 == 10)):
                    return total + current, used
                current += UNITS.index(part)
            known = True
        used += 1
    return (total + current, used) if known else (0, 0)


def _is_number(found: list[str], j: int) -> bool:
    return j < len(found) and (found[j] in UNITS or found[j] in TENS)


_MONEY = r"(?:[$€£¥]|(?:rmb|usd|eur|gbp|cny|yuan|dollars?|euros?|pounds?|bucks?|quid)\b)"
_AMOUNT = rf"(?:{_MONEY}\s*)?(\d+(?:\.\d+)?)(?:\s*{_MONEY})?"
_LESS = (
    r"under|below|less than|cheaper than|at most|up to|no more than|not more than|not over|"
    r"max(?:imum)?(?: of)?|within|lower than|<=?|until|maximal"
)
_MORE = r"over|above|more than|at least|from|min(?:imum)?(?: of)?|starting at|higher than|>=?"
_NEAR = r"around|about|roughly|circa|approximately|near|close to|~"
_RANGES = [
    re.compile(rf"between {_AMOUNT} (?:and|to|-) {_AMOUNT}"),
    re.compile(rf"from {_AMOUNT} (?:to|up to|-) {_AMOUNT}"),
    re.compile(rf"{_AMOUNT}\s*(?:-|–|to)\s*{_AMOUNT}(?=\s*{_MONEY}|\s|$)"),
]
_NOT_OVER = re.compile(rf"\b(?:{_LESS})\s*{_AMOUNT}")
_NOT_UNDER = re.compile(rf"(?:\b|(?<=\s))(?:{_MORE})\s*{_AMOUNT}")
_CLOSE = re.compile(rf"(?:\b|(?<=\s))(?:{_NEAR})\s*{_AMOUNT}")
_AFTER_MOST = re.compile(rf"{_AMOUNT}\s*(?:or (?:less|under|below|cheaper)|max(?:imum)?\b|tops)")
_AFTER_LEAST = re.compile(rf"{_AMOUNT}\s*(?:or (?:more|over|above)|and up|plus\b)")
_BARE = re.compile(rf"(?:{_MONEY}\s*(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*{_MONEY})")
_CHEAP = re.compile(r"\b(?:cheap|inexpensive|budget|affordable|low[- ]cost|low price)\b")
_DEAR = re.compile(r"\b(?:luxury|luxurious|premium|high[- ]end|exclusive)\b")
_NEGATION = re.compile(r"\b(?:no|not|without|except|but not|other than|anything but|don't want)\b")


def price_range(text: str) -> tuple[float | None, float | None]:
    """Least and most that `text` wants to pay; None where it does not say.

    A range that is written the wrong way round is turned; "around 20" is 16 to 24; an amount of
    money without more ("20 yuan") is the most.

    Examples
    --------
    >>> price_range("something under fifty dollars")
    (None, 50.0)
    >>> price_range("between 30 and 20 yuan")
    (20.0, 30.0)
    """
    plain = text.casefold().replace("twenty-", "twenty ")
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", plain)
    tokens = re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+(?:-[^\W\d_]+)?|[^\w\s]+", plain)
    plain = " ".join(number_words(tokens))
    plain = re.sub(r"\s+", " ", plain)
    for pattern in _RANGES:
        if found := pattern.search(plain):
            low, high = sorted(float(g) for g in found.groups())
            return low, high
    if found := _CLOSE.search(plain):
        middle = float(found[1])
        return 0.8 * middle, 1.2 * middle
    most = _NOT_OVER.search(plain) or _AFTER_MOST.search(plain)
    if most:
        plain = plain.replace(most[0], " ")
    least = _NOT_UNDER.search(plain) or _AFTER_LEAST.search(plain)
    if not most and not least and (found := _BARE.search(plain)):
        return None, float(found[1] or found[2])
    return (float(least[1]) if least else None), (float(most[1]) if most else None)


def singular(word: str) -> str:
    """`word` without its plural ending, as far as a few rules go.

    Examples
    --------
    >>> [singular(w) for w in ("towels", "brushes", "babies", "glass", "dishes")]
    ['towel', 'brush', 'baby', 'glass', 'dish']
    """
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@dataclass
class Lexicon:
    """The words by which a catalogue's products are asked for.

    Attributes
    ----------
    categories, brands : dict of tuple of str to str
        Words in singular, to the name in the catalogue. A category goes by its own name, by the
        words of it that no other has, and by the kinds of product that only it holds.
    described : frozenset of str
        Words in singular that occur in descriptions and tags.
    cheap, dear : float or None
        Price that a third of the products stay below, and that a third lie above.
    """

    categories: dict[tuple[str, ...], str] = field(default_factory=dict)
    brands: dict[tuple[str, ...], str] = field(default_factory=dict)
    described: frozenset[str] = frozenset()
    cheap: float | None = None
    dear: float | None = None

    @classmethod
    def of(cls, products: pd.DataFrame) -> Lexicon:
        """The lexicon of `products`, a frame of items as the contract has them."""
        text = _described(products)
        brands = {_key(name): str(name) for name in _names(products, "brand")}
        marked = {w for key in brands for w in key}
        kinds = {w for found in text for w in found if w not in marked and w not in NOT_NAMES}
        made = cls(_category_keys(products, text, marked), brands, frozenset(kinds))
        if "price" in products and products.price.notna().any():
            made.cheap, made.dear = (
                float(np.nanquantile(products.price.astype(float), q)) for q in (CHEAP, DEAR)
            )
        return made

    def slots(self, text: str) -> Slots:
        """What `text` says of the product; words that the catalogue does not have are passed over.

        Never raises: any text has slots, empty ones at worst.
        """
        found = [singular(w) for w in words(text)]
        category, unwanted_category, in_category = _wanted(found, self.categories)
        brand, unwanted_brand, in_brand = _wanted(found, self.brands)
        plain = clean(text).casefold()
        least, most = price_range(plain)
        if least is None and most is None:
            most = self.cheap if _CHEAP.search(plain) else None
            least = self.dear if _DEAR.search(plain) else None
        named = [w for w in found if w in self.described and not w.isdigit()]
        kept = [w for w in dict.fromkeys(named) if w not in in_brand and w not in NOT_NAMES]
        without = tuple(w for w in (unwanted_category, unwanted_brand) if w)
        barred = in_category if unwanted_category else set()
        return Slots(category, brand, least, most, without,
                     tuple(w for w in kept if w not in barred))  # fmt: skip


def _key(name: object) -> tuple[str, ...]:
    return tuple(singular(w) for w in words(str(name).replace("_", " ")))


def _names(products: pd.DataFrame, column: str) -> list[str]:
    if column not in products:
        return []
    return sorted(products[column].dropna().astype(str).unique())


def _described(products: pd.DataFrame) -> list[set[str]]:
    """Words in singular of each product's description and tags."""
    columns = [c for c in ("description", "tags") if c in products]
    if not columns:
        return [set() for _ in range(len(products))]
    text = products[columns].astype(object).fillna("").agg(" ".join, axis=1)
    return [{singular(w) for w in words(t.replace("_", " ")) if w[0].isalpha()} for t in text]


def _category_keys(
    products: pd.DataFrame, text: list[set[str]], marked: set[str]
) -> dict[tuple[str, ...], str]:
    """Keys of categories: whole names, words of one name only, and words that one alone uses."""
    names = _names(products, "category")
    if not names:
        return {}
    whole = {_key(name): name for name in names}
    parts = defaultdict(set)
    for key, name in whole.items():
        for word in key:
            parts[word].add(name)
    for found, name in zip(text, products.category.astype(object), strict=True):
        for word in found:
            if isinstance(name, str):
                parts[word].add(name)
    counts = Counter(w for found in text for w in found)
    alone = {
        (word,): next(iter(held))
        for word, held in parts.items()
        if len(held) == 1 and word not in marked and word not in NOT_NAMES
        and (counts[word] >= 3 or any(word in key for key in whole))
    }  # fmt: skip
    return alone | whole


def _wanted(
    found: list[str], keys: dict[tuple[str, ...], str]
) -> tuple[str | None, str | None, set[str]]:
    """The name asked for, one that is turned down, and the words that said so.

    The longest key that occurs wins; of equally long ones the last, since people correct
    themselves. A key within three words after a negation is turned down.
    """
    longest = max((len(k) for k in keys), default=0)
    wanted = unwanted = None
    best, used = 0, set()
    for size in range(longest, 0, -1):
        for i in range(len(found) - size + 1):
            key = tuple(found[i : i + size])
            if key not in keys:
                continue
            used.update(key)
            before = " ".join(found[max(0, i - 3) : i])
            if _NEGATION.search(before):
                unwanted = keys[key]
            elif size >= best and keys[key] != unwanted:
                wanted, best = keys[key], size
    return wanted, (unwanted if unwanted != wanted else None), used
