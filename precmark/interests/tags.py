"""Tags as people write them (commas, quotes, HTML, emoji, right to left), made comparable."""

from __future__ import annotations

import csv
import html
import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import pandas as pd

SEPARATORS = re.compile(r"[;,|\n\u060c\u061b\u3001\uff0c\uff1b]")
"""What stands between tags: also the Arabic and the ideographic ones."""

LONGEST = 60
"""Letters of a tag that are kept; a longer one is cut."""

_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|</?[a-zA-Z][^<>]*>", re.S | re.I)
_WORD = re.compile(r"[^\W\d_][\w'-]*[^\W_]")
_QUOTES = "\"'\u201c\u201d\u2018\u2019\u00ab\u00bb`"
_JOINERS = {"\u200d", "\u200c", "\ufe0f"}
"""Invisible marks that change what is read: parts of an emoji, letters that must not join."""


def clean_tag(text: object) -> str:
    """One tag without mark-up, invisible marks and outer quotes, in small letters.

    Parameters
    ----------
    text : object
        Anything; what is missing gives ``""``.

    Returns
    -------
    str
        At most 60 letters; compatible forms of a letter become one (NFKC), spaces single. Emoji and
        letters of every script stay; marks that only set the direction of writing go.

    Examples
    --------
    >>> clean_tag(' <b>Navy&nbsp;Blue</b> ')
    'navy blue'
    """
    if text is None or (isinstance(text, float) and np.isnan(text)) or text is pd.NA:
        return ""
    # entities after mark-up, so that an escaped "<" stays a sign and makes no mark-up of its own
    made = html.unescape(_MARKUP.sub(" ", str(text)))
    made = unicodedata.normalize("NFKC", made).casefold()
    made = "".join(c for c in made if c in _JOINERS or unicodedata.category(c) not in _INVISIBLE)
    made = " ".join(made.split()).strip(_QUOTES + " ")
    return made[:LONGEST].rstrip()


_INVISIBLE = {"Cf", "Cs", "Co", "Cn"}


def split_tags(texts: Iterable[object]) -> list[tuple[str, ...]]:
    """The tags of each row of a column, each once, in the order in which they stand.

    Parameters
    ----------
    texts : iterable of str or missing
        A column of tags. Where any row has a comma, semicolon, bar or line break, these separate
        the tags of all rows (and a quoted part may hold them); otherwise spaces do.

    Returns
    -------
    list of tuple of str
        As :func:`clean_tag` gives them; empty where a row has none.

    Examples
    --------
    >>> split_tags(['navy blue;en face', '"red, dark";back'])
    [('navy blue', 'en face'), ('red, dark', 'back')]
    """
    rows = ["" if pd.isna(text) else _MARKUP.sub(" ", str(text)) for text in texts]
    rows = [html.unescape(row) for row in rows]
    separated = any(SEPARATORS.search(row) for row in rows)
    cut = _separated if separated else str.split
    return [tuple(dict.fromkeys(filter(None, map(clean_tag, cut(row))))) for row in rows]


def _separated(row: str) -> list[str]:
    """Parts between separators; separators inside double quotes do not count."""
    if '"' not in row:
        return SEPARATORS.split(row)
    line = " ".join(row.split("\n")) if row.count('"') % 2 else row.replace("\n", ";")
    # quotes that never close are letters like others
    if line.count('"') % 2:
        return SEPARATORS.split(line)
    parts = re.split(r'("[^"]*")', line)
    plain = "".join(p if p.startswith('"') else SEPARATORS.sub(";", p) for p in parts)
    return next(csv.reader([plain], delimiter=";", skipinitialspace=True), [])


def words_of(text: object) -> tuple[str, ...]:
    """The words of a text, as tags: letters of any script, two or more, in order.

    Examples
    --------
    >>> words_of("SET/6 RED SPOTTY paper cups")
    ('set', 'red', 'spotty', 'paper', 'cups')
    """
    if pd.isna(text):
        return ()
    plain = html.unescape(_MARKUP.sub(" ", str(text)))
    plain = unicodedata.normalize("NFKC", plain).casefold()
    return tuple(word[:LONGEST] for word in _WORD.findall(plain))


def item_tags(items: pd.DataFrame) -> pd.DataFrame:
    """The tags of each product: of its tags, or of its description where nobody gave tags.

    Parameters
    ----------
    items : pandas.DataFrame
        As in the contract; broadcasters are left out.

    Returns
    -------
    pandas.DataFrame
        ``item_id``, ``tag``; each pair once, ``source`` (``"tags"``, ``"description"`` or
        ``"category"``), products in their order. The category is a tag as well.
    """
    from precmark.recommend.shop import products_of

    products = products_of(items)
    frames = []
    if products.category.notna().any():
        frames.append(_long(products.item_id, [(clean_tag(c),) for c in products.category]))
        frames[-1]["source"] = "category"
    for column, reader in (("tags", split_tags), ("description", _described)):
        if column in products and products[column].notna().any():
            frames.append(_long(products.item_id, reader(products[column])).assign(source=column))
            break
    if not frames:
        return pd.DataFrame(columns=["item_id", "tag", "source"])
    found = pd.concat(frames, ignore_index=True)
    found = found[found.tag != ""].drop_duplicates(["item_id", "tag"])
    return found.reset_index(drop=True)


_SMALL_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or", "the", "to",
     "with")
)  # fmt: skip
"""Words of a description that name nothing."""


def _described(texts: Iterable[object]) -> list[tuple[str, ...]]:
    kept = ([w for w in words_of(text) if w not in _SMALL_WORDS] for text in texts)
    return [tuple(dict.fromkeys(words)) for words in kept]


def _long(item_id: pd.Series, tags: list[tuple[str, ...]]) -> pd.DataFrame:
    count = [len(t) for t in tags]
    return pd.DataFrame(
        {
            "item_id": np.repeat(item_id.to_numpy(object), count),
            "tag": [tag for row in tags for tag in row],
        }
    )
