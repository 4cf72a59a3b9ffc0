"""Public data sets as tables of the contract: found or downloaded, checked, converted."""

from __future__ import annotations

import difflib
from pathlib import Path

import pandas as pd

from precmark.adapters import eshop_clothing, online_retail, online_shoppers, open_bandit
from precmark.adapters.base import Adapter, Card, check_fingerprint, read_card
from precmark.adapters.fetch import cache_folder, download, forget, locate
from precmark.errors import InputError
from precmark.source import Dataset

ADAPTERS: dict[str, Adapter] = {
    module.ADAPTER.name: module.ADAPTER
    for module in (online_retail, eshop_clothing, online_shoppers, open_bandit)
}
"""The adapters by name."""

__all__ = ["ADAPTERS", "Adapter", "Card", "cache_folder", "card", "find", "get", "load", "names"]


def names() -> tuple[str, ...]:
    """The names of the data sets."""
    return tuple(ADAPTERS)


def card(name: str) -> Card:
    """The card of data set `name`: source, licence, columns, fingerprint, where to get it."""
    return read_card(_known(name).name)


def find(name: str) -> Path | None:
    """Where data set `name` lies on this machine (``$PRECMARK_DATA``, then the cache), or None."""
    return locate(card(name))


def get(name: str, file: Path | str | None = None) -> Path:
    """The checked file of data set `name`; downloaded into the cache where it is not at hand.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    file : path, optional
        Read this file (or, for ``open-bandit``, folder) and look nowhere else.

    Returns
    -------
    Path
        A file or folder whose content has the card's fingerprint.

    Raises
    ------
    InputError
        An unknown name, another file's content, or no file and no network.
    """
    return _checked(name, file)[0]


def load(name: str, file: Path | str | None = None) -> Dataset:
    """Data set `name` as tables of the contract, with the lines set aside and why.

    Parameters and errors as for :func:`get`.
    """
    _, raw = _checked(name, file)
    return ADAPTERS[name].convert(raw, card(name))


def _checked(name: str, file: Path | str | None) -> tuple[Path, pd.DataFrame]:
    this = card(name)
    path = locate(this, file)
    if path is not None:
        return path, _read(this, path)
    path = download(this)
    try:
        return path, _read(this, path)
    except InputError:
        forget(this)  # else the next call would find the wrong file in the cache
        raise


def _read(this: Card, path: Path) -> pd.DataFrame:
    adapter = ADAPTERS[this.source.name]
    try:
        raw = adapter.read(path)
        found = adapter.fingerprint(raw)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        # Whatever another file's content makes the parsers say, it is not the published file.
        raise InputError(
            f"{path} could not be read as {this.source.name} ({type(error).__name__}: {error}). "
            f"Take the file that {this.publisher} publishes: {this.homepage}."
        ) from error
    check_fingerprint(found, this, path)
    return raw


def _known(name: str) -> Adapter:
    if name not in ADAPTERS:
        near = difflib.get_close_matches(name, ADAPTERS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InputError(f"no data set is called {name!r}.{hint} There are: {', '.join(ADAPTERS)}.")
    return ADAPTERS[name]
