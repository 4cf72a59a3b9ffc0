"""How the user's own names map onto the contract."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from precmark.contract.schema import EVENT_NAMES, TABLES
from precmark.errors import InputError, Problem

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Options:
    """What the user says about files that use names of their own.

    Attributes
    ----------
    map : mapping of str to str
        Contract column to the file's column, ``{"user_id": "visitorid"}``; an empty file column
        (``{"platform": ""}``) leaves the contract's column out.
    event_names : mapping of str to str
        The file's event name to the contract's, ``{"addtocart": "cart"}``.
    timezone : str
        IANA zone of timestamps that carry none, ``"Europe/London"``; empty refuses such stamps.
    drop_personal : bool
        Leave columns with personal data out instead of refusing the file.
    """

    map: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    event_names: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    timezone: str = ""
    drop_personal: bool = False

    def problems(self) -> list[Problem]:
        """What is wrong with the options themselves, before any file is read."""
        columns = {c.name for table in TABLES.values() for c in table}
        found = [
            Problem(
                f"--map {key}={value}: the contract has no column {key!r}",
                f"Write --map CONTRACT=YOURS.{did_you_mean(key, columns)}",
            )
            for key, value in self.map.items()
            if key not in columns
        ]
        found += [
            Problem(
                f"--event-names {theirs}={ours}: the contract has no event {ours!r}",
                f"Write --event-names YOURS=CONTRACT.{did_you_mean(ours, EVENT_NAMES)}",
            )
            for theirs, ours in self.event_names.items()
            if ours not in EVENT_NAMES
        ]
        if self.timezone:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                found.append(
                    Problem(
                        f"--timezone {self.timezone!r} is not a time zone",
                        "Use an IANA name such as Europe/London or UTC."
                        + did_you_mean(self.timezone, available_timezones()),
                    )
                )
        return found


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that looks most like `word`, or None where none comes near."""
    by_lower = {w.lower(): w for w in sorted(words)}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.55)
    return by_lower[close[0]] if close else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """``" Did you mean 'cart'?"`` for the nearest of `words`, or an empty string."""
    close = nearest(word, words)
    return f" Did you mean {close!r}?" if close else ""


def parse_pairs(text: str | None, option_name: str) -> dict[str, str]:
    """The pairs of an option such as ``--map user_id=visitorid,event=action``.

    Parameters
    ----------
    text : str or None
        ``a=b,c=d``; blanks around names are dropped; a side may be quoted by nothing else.
    option_name : str
        As typed, for the message (``"--map"``).

    Returns
    -------
    dict
        Left side to right side; the right side may be empty.

    Raises
    ------
    InputError
        Lists every part without ``=``, without a left side, or whose left side came before.

    Examples
    --------
    >>> parse_pairs("user_id=visitorid, event=action", "--map")
    {'user_id': 'visitorid', 'event': 'action'}
    """
    pairs: dict[str, str] = {}
    problems = []
    for part in (text or "").split(","):
        left, sign, right = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not sign or not left:
            problems.append(
                Problem(f"{option_name}: {part.strip()!r} is not NAME=NAME", "Write it as a=b,c=d.")
            )
        elif left in pairs:
            problems.append(
                Problem(f"{option_name}: {left!r} is given twice", "Keep one of the two.")
            )
        else:
            pairs[left] = right
    if problems:
        raise InputError(problems)
    return pairs
