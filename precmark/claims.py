"""What the papers print, read from ``data/claims/`` so that no figure is typed twice."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
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
    """

    key: str
    value: float
    unit: str
    place: str
    what: str


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
    found = tomllib.loads(path.read_text(encoding="utf-8"))["figures"]
    return {
        f"{group}.{name}": Claim(
            key=f"{group}.{name}",
            value=float(entry["value"]),
            unit=entry["unit"],
            place=entry["place"],
            what=entry["what"],
        )
        for group, entries in found.items()
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
