"""On which line of a TOML file each key stands, so that a problem can name it."""

from __future__ import annotations

import re
from collections import Counter

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = re.compile(rf"^\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*=")
_PART = re.compile(_NAME)


def lines_of(text: str) -> dict[Path, int]:
    """Line (from 1) of every table and key of `text`, by its path from the top.

    An element of an array of tables is in the path as its number from 0, as in
    ``("claims", 0, "figures", "share")``. Keys inside an inline table stand on their table's line
    and have no entry of their own.
    """
    found: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    table: Path = ()
    state = _Open()
    for number, line in enumerate(text.splitlines(), 1):
        if not state.inside:
            if header := _HEADER.match(line):
                table = _table(header, counts)
                found.setdefault(table, number)
                continue
            if key := _KEY.match(line):
                found.setdefault((*table, *_parts(key[1])), number)
        state.read(line)
    return found


def nearest_line(lines: dict[Path, int], path: Path) -> int:
    """The line of `path`, of the first thing in it, or of the nearest around it; 1 if none has."""
    while path:
        within = [line for other, line in lines.items() if other[: len(path)] == path]
        if within:
            return lines.get(path, min(within))
        path = path[:-1]
    return 1


def _parts(key: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(key))


def _table(header: re.Match[str], counts: Counter[Path]) -> Path:
    """The path of the table that `header` opens; `counts` holds the arrays of tables so far."""
    parts = _parts(header[2])
    path: Path = ()
    for i, part in enumerate(parts):
        path = (*path, part)
        if i == len(parts) - 1 and header[1] == "[[":
            counts[path] += 1
        if counts[path]:
            path = (*path, counts[path] - 1)
    return path


class _Open:
    """Whether the next line goes on with a value: inside brackets or a text of several lines."""

    def __init__(self):
        self.depth = 0
        self.quotes = ""

    @property
    def inside(self) -> bool:
        return self.depth > 0 or bool(self.quotes)

    def read(self, line: str) -> None:
        """Take in one line, character by character."""
        i = 0
        while i < len(line):
            if self.quotes:
                if line[i] == "\\" and self.quotes[0] == '"':
                    i += 2
                    continue
                if line.startswith(self.quotes, i):
                    i += len(self.quotes)
                    self.quotes = ""
                    continue
            elif line[i] in "\"'":
                self.quotes = line[i] * 3 if line.startswith(line[i] * 3, i) else line[i]
                i += len(self.quotes)
                continue
            elif line[i] == "#":
                break
            else:
                self.depth += (line[i] in "[{") - (line[i] in "]}")
            i += 1
        if len(self.quotes) == 1:  # A text of one line ends with its line.
            self.quotes = ""
