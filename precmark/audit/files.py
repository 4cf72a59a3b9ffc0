"""Claims files: read, checked whole, every problem listed with its file and line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from precmark.audit.checks import CHECKS, Argument, arguments_of, run_check
from precmark.audit.positions import lines_of, nearest_line
from precmark.audit.quantities import Quantity
from precmark.claims import half_width_of
from precmark.errors import InputError

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CLAIM_KEYS = ("id", "place", "claim", "check", "figures")
_FIGURE_KEYS = {"value": "number", "unit": "text", "place": "text", "what": "text"}
_TEXTS = ("text", "choice", "units")
"""Kinds of arguments that may stand beside a claim's check, not only among its figures."""

_PAPER_KEYS = ("short", "title", "doi")


@dataclass(frozen=True)
class AuditClaim:
    """One claim of a paper, ready to be checked.

    Attributes
    ----------
    id : str
        Unique over all files.
    paper : str
        The paper's short name.
    place, claim : str
        Where it stands and what it says, in our own words.
    check : str
        Name in :data:`precmark.audit.CHECKS`.
    arguments : mapping
        What the check takes: quantities, lists of them, texts.
    path : str
        File that holds it.
    line : int
        Line of that file, from 1.
    """

    id: str
    paper: str
    place: str
    claim: str
    check: str
    arguments: Mapping[str, Any]
    path: str = ""
    line: int = 0


def claims_files(where: str | Path) -> list[Path]:
    """The claims files at `where`: itself, or all ``.toml`` in it where it is a folder, sorted.

    Raises
    ------
    InputError
        Nothing there, or a folder without one.
    """
    path = Path(where)
    if path.is_dir():
        found = sorted(path.glob("*.toml"))
        if not found:
            raise InputError(f"{path}: the folder holds no .toml file. Name a claims file.")
        return found
    if not path.is_file():
        raise InputError(f"{path}: there is no such file. Name a claims file or a folder of them.")
    return [path]


def load(paths: str | Path | Iterable[str | Path]) -> list[AuditClaim]:
    """Every claim in the files (or folders of files) at `paths`, in their order, each file once.

    Raises
    ------
    InputError
        Listing, each with file and line: a file that is missing or not TOML, unknown keys, checks,
        chapters and figures (the nearest is named), missing ones, values of the wrong type, an id
        that stands twice, figures that a check cannot work with; a file or folder without a claim.
    """
    places = [paths] if isinstance(paths, (str, Path)) else list(paths)
    problems: list[object] = []
    claims: list[AuditClaim] = []
    seen: dict[str, str] = {}
    read: set[Path] = set()
    for where in places:
        try:
            files = claims_files(where)
        except InputError as error:
            problems += error.problems
            continue
        readers = [_Reader(path) for path in files if path.resolve() not in read]
        read |= {path.resolve() for path in files}
        for reader in readers:
            claims += reader.read()
            problems += reader.problems + reader.twice(seen)
        if readers and not any(r.problems or r.ids for r in readers):
            problems.append(
                f"{where}: holds no claim. Write one below a line [[claims]], with id, place, "
                "claim, check and [claims.figures]."
            )
    if problems:
        raise InputError(problems)
    return claims


class _Reader:
    """Reads one file; `problems` collects what is wrong with it."""

    def __init__(self, path: Path):
        self.path = path
        self.problems: list[str] = []
        self.figures: dict[str, Quantity] = {}
        self.broken: set[str] = set()
        self.lines: dict[tuple[str | int, ...], int] = {}
        self.ids: list[tuple[str, str]] = []

    def twice(self, seen: dict[str, str]) -> list[str]:
        """A problem for each id of this file that is in `seen`; adds the others, with places."""
        return [
            f"{at}: id {ident!r} stands already in {seen[ident]}. Give each claim an id of its own."
            for ident, at in self.ids
            if seen.setdefault(ident, at) != at
        ]

    def say(self, where: tuple[str | int, ...], text: str) -> None:
        """Note a problem at the line of the key `where`."""
        self.problems.append(f"{self.path}, line {nearest_line(self.lines, where)}: {text}")

    def read(self) -> list[AuditClaim]:
        try:
            text = self.path.read_text(encoding="utf-8")
            whole = tomllib.loads(text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            at = line[1] if line else len(text.splitlines())
            self.problems.append(
                f"{self.path}, line {at}: not TOML ({error}). Mend the line; texts need quotes."
            )
            return []
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{self.path}: cannot be read ({error}). Save it as UTF-8 text.")
            return []
        self.lines = lines_of(text)
        self.known((), whole, ("paper", "figures", "claims"))
        figures_only = not whole.get("claims") and "paper" not in whole
        short = "" if figures_only else self.paper(whole.get("paper"))
        self.read_figures(whole.get("figures", {}))
        entries = whole.get("claims", [])
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            self.say(("claims",), "claims: write each claim below a line [[claims]].")
            return []
        return [c for i, e in enumerate(entries) if (c := self.claim(i, e, short)) is not None]

    def known(self, where: tuple, given: Collection[str], names: Collection[str]) -> None:
        """Note each key of `given` that is not among `names`, with the nearest of them."""
        for key in given:
            if key not in names:
                self.say((*where, key), f"unknown key {key!r}.{nearest(key, names)}")

    def text(self, where: tuple, entry: Mapping[str, Any], key: str, example: str) -> str:
        """The text `key` of `entry`; a problem where it is missing or none."""
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            fault = "is missing" if value is None else f"is {value!r}, not a text"
            self.say((*where, key), f'{key!r} {fault}. Add {key} = "{example}".')
            return ""
        return value

    def paper(self, entry: object) -> str:
        if not isinstance(entry, dict):
            self.say(("paper",), 'the table [paper] is missing. Add [paper] and short = "Gu".')
            return ""
        self.known(("paper",), entry, _PAPER_KEYS)
        for key in ("title", "doi"):
            if key in entry:
                self.text(("paper",), entry, key, "...")
        return self.text(("paper",), entry, "short", "Gu")

    def read_figures(self, groups: object) -> None:
        if not isinstance(groups, dict):
            self.say(("figures",), "figures: write them below lines like [figures.table6].")
            return
        for group, entries in groups.items():
            if not isinstance(entries, dict):
                self.say(
                    ("figures", group),
                    f"figure {group!r} is in no group. Write it below a line like [figures.text].",
                )
                continue
            for name, entry in entries.items():
                self.figure(group, name, entry)

    def figure(self, group: str, name: str, entry: object) -> None:
        key, where = f"{group}.{name}", ("figures", group, name)
        before = len(self.problems)
        if not isinstance(entry, dict):
            self.say(
                where,
                f'figure {key}: write {{ value = 1.5, unit = "share", place = "Table 1", '
                'what = "..." }.',
            )
            self.broken.add(key)
            return
        self.known(where, entry, (*_FIGURE_KEYS, "rounding"))
        for text in ("unit", "place", "what"):
            self.text(where, entry, text, "...")
        value, rounding = entry.get("value"), entry.get("rounding")
        if not _is_number(value):
            fault = "has no value" if value is None else f"has the value {value!r}, not a number"
            self.say(where, f"figure {key} {fault}. Add value = 0.0120, digits as printed.")
        if rounding is not None and (not _is_number(rounding) or rounding < 0):
            self.say(where, f"figure {key}: rounding is {rounding!r}. Give 0 or a number above.")
        if len(self.problems) > before:
            self.broken.add(key)
            return
        self.figures[key] = Quantity(
            value, half_width_of(value, rounding), entry["unit"], entry["what"], entry["place"]
        )

    def claim(self, index: int, entry: dict[str, Any], short: str) -> AuditClaim | None:
        where = ("claims", index)
        before = len(self.problems)
        ident = self.text(where, entry, "id", "gu-table6-grim-option1")
        if ident and not _ID.fullmatch(ident):
            self.say((*where, "id"), f"id {ident!r}: use small letters, digits and single dashes.")
        if ident:
            self.ids.append((ident, f"{self.path}, line {nearest_line(self.lines, where)}"))
        self.starts(where, ident, short)
        place = self.text(where, entry, "place", "Table 6")
        said = self.text(where, entry, "claim", "what it says, in your own words")
        check = self.text(where, entry, "check", "grim")
        if check and check not in CHECKS:
            self.say((*where, "check"), f"there is no check {check!r}.{nearest(check, CHECKS)}")
            check = ""
        arguments = self.arguments(where, entry, check) if check else {}
        if len(self.problems) > before or _lacks(arguments):
            return None
        made = AuditClaim(
            ident, short, place, said, check, arguments, str(self.path),
            nearest_line(self.lines, where),
        )  # fmt: skip
        try:
            run_check(made.check, made.arguments)
        except InputError as error:
            for problem in map(str, error.problems):
                self.say(self.spot(where, problem), f"claim {ident}: {problem}")
        return made

    def spot(self, where: tuple, problem: str) -> tuple:
        """Where what a check refuses stands: its expression, else the claim's figures."""
        texts = ((*where, "expression"), (*where, "figures", "expression"))
        known = [key for key in texts if key in self.lines and problem.startswith("expression")]
        return known[0] if known else (*where, "figures")

    def starts(self, where: tuple, ident: str, short: str) -> None:
        """Note an id that does not start with its paper, so that no two papers' ids can meet."""
        prefixes = [slug(name) for name in (short, self.path.stem) if name]
        if ident and prefixes and not any(ident.startswith(f"{p}-") for p in prefixes):
            self.say(
                (*where, "id"),
                f"id {ident!r} does not start with its paper. Call it {prefixes[0]}-{ident}.",
            )

    def arguments(self, where: tuple, entry: dict[str, Any], check: str) -> dict[str, Any]:
        taken, more = arguments_of(check)
        figures = entry.get("figures", {})
        if not isinstance(figures, dict):
            self.say((*where, "figures"), "figures: write them below a line [claims.figures].")
            return {}
        beside = [name for name, a in taken.items() if a.kind in _TEXTS and name not in _CLAIM_KEYS]
        self.known(where, entry, (*_CLAIM_KEYS, *beside))
        if not more:
            self.known((*where, "figures"), figures, taken)
        given = {n: ((*where, n), entry[n]) for n in beside if n in entry and n not in figures}
        given |= {n: ((*where, "figures", n), v) for n, v in figures.items()}
        found = {}
        for name, (at, value) in given.items():
            argument = taken.get(name) or (Argument(name, "figure", True) if more else None)
            if argument is not None:
                found[name] = self.argument(at, argument, value)
        for name, argument in taken.items():
            if argument.needed and name not in given:
                self.say((*where, "figures"), f"check {check} lacks {name!r}. Add {name} = ...")
        return found

    def argument(self, where: tuple, argument: Argument, value: object) -> Any:
        """`value` as `argument` wants it; a problem where it is something else."""
        name = argument.name
        if argument.kind == "figures":
            if not isinstance(value, list) or not value:
                self.say(where, f'{name}: give a list of figures, e.g. ["table1.a", "table1.b"].')
                return ()
            return tuple(self.quantity(where, name, v) for v in value)
        if argument.kind == "figure":
            return self.quantity(where, name, value)
        if argument.kind == "units":
            if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
                return value
            self.say(where, f'{name}: give a table of units, e.g. {{ p = "1", t = "s" }}.')
            return {}
        if not isinstance(value, str) or not value.strip():
            self.say(where, f"{name}: {value!r} is no text. Put it in quotes.")
        elif argument.choices and value not in argument.choices:
            self.say(
                where,
                f"{name}: {value!r} is none of {', '.join(argument.choices)}."
                + nearest(value, argument.choices),
            )
        elif name == "chapter":
            self.chapter(where, value)
        return value

    def chapter(self, where: tuple, name: str) -> None:
        from precmark.chapters import registry

        if name not in registry():
            self.say(where, f"there is no chapter {name!r}.{nearest(name, registry())}")

    def quantity(self, where: tuple, name: str, value: object) -> Quantity | None:
        """The figure that `value` names, or the exact number that it is."""
        if _is_number(value):
            return Quantity(value)
        if not isinstance(value, str):
            self.say(where, f"{name}: {value!r} is neither a figure's key nor a number.")
        elif value in self.figures:
            return self.figures[value]
        elif value not in self.broken:  # A broken figure has been named at its own line.
            self.say(where, f"{name}: there is no figure {value!r}.{nearest(value, self.figures)}")
        return None


def _lacks(arguments: Mapping[str, Any]) -> bool:
    """Whether a figure among `arguments` could not be read; it has been named at its own line."""
    return any(
        value is None or (isinstance(value, tuple) and None in value)
        for value in arguments.values()
    )


def _is_number(value: object) -> bool:
    finite = not isinstance(value, Decimal) or value.is_finite()
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool) and finite


def nearest(name: str, names: Iterable[str]) -> str:
    """A sentence that names the nearest of `names`, and all of them where none is near."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {close[0]!r}?"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f" There are: {shown}." if known else " There are none."


def slug(name: str) -> str:
    """`name` as the start of an id: small letters, dashes for all else."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
