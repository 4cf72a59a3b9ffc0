"""What the papers print, read from ``data/claims/`` so that no figure is typed twice."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from precmark.errors import InputError

_FOLDER = Path(__file__).resolve().parents[1] / "data" / "claims"


@dataclass(frozen=True)
class Claim:
    """One figure as a paper prints it.

    Attributes
    ----------
    key : str
        E.g. ``"table4.sessions_per_day"``.
    value : float
        In `unit`; shares as numbers from 0 to 1.
    unit : str
    place : str
        Table or section of the paper.
    what : str
        The figure in words.
    half_width : float
        In `unit`: how far the true number may lie from `value`, see :func:`half_width_of`.
    """

    key: str
    value: float
    unit: str
    place: str
    what: str
    half_width: float = 0.0


def half_width_of(value: int | Decimal, rounding: int | Decimal | None = None) -> Fraction:
    """How far the true number may lie from a figure typed as `value`.

    Parameters
    ----------
    value : int or Decimal
        A Decimal keeps the zeros that were typed at its end: 0.0120 is known to half of 0.0001.
        A whole number is known to half of 1.
    rounding : int or Decimal, optional
        What the file says instead: 5000 for "2.67 million", 0 for an exact count.
    """
    if rounding is not None:
        return Fraction(rounding)
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return Fraction(10) ** exponent / 2


@lru_cache(maxsize=16)
def claims(paper: str) -> dict[str, Claim]:
    """Every figure kept of `paper`, by key.

    Raises
    ------
    InputError
        When no such paper is kept; names those that are.
    """
    path = _FOLDER / f"{paper}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in _FOLDER.glob("*.toml"))
        raise InputError(f"no paper {paper!r} in data/claims. There are: {', '.join(known)}.")
    kept = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return {
        f"{group}.{name}": Claim(
            key=f"{group}.{name}",
            value=float(entry["value"]),
            unit=entry["unit"],
            place=entry["place"],
            what=entry["what"],
            half_width=float(half_width_of(entry["value"], entry.get("rounding"))),
        )
        for group, entries in kept.get("figures", {}).items()
        for name, entry in entries.items()
    }


def claim(paper: str, key: str) -> Claim:
    """The figure `key` of `paper`, e.g. ``claim("gu", "table4.sessions_per_day")``.

    Raises
    ------
    InputError
        When the paper or the key is not kept; names the nearest.
    """
    known = claims(paper)
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
        raise InputError(f"no figure {key!r} kept of {paper!r}. Did you mean {near[0]!r}?")
    return known[key]


def paper(paper: str, key: str) -> float:
    """The value of figure `key` of `paper` (see :func:`claim`)."""
    return claim(paper, key).value
