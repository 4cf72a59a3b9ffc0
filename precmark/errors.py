"""What a user is told when the input is wrong: every problem at once, and how to mend each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


def rows_text(count: int) -> str:
    """`count` rows in words: ``"1 row"``, ``"1,234 rows"``."""
    return f"{count:,} row" + ("s" if count != 1 else "")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the input.

    Attributes
    ----------
    what : str
        The thing and what is wrong with it, e.g. ``"events.timestamp: not a date"``.
    fix : str
        What the user can do about it, in the imperative.
    rows : int
        How many rows it touches; 0 where it is not about rows.
    first_rows : tuple of int
        Up to five row numbers, counted from 1 below the header, in file order.
    sample : str
        One offending value as it stands in the file (never of a personal-data column).
    """

    what: str
    fix: str
    rows: int = 0
    first_rows: Sequence[int] = field(default_factory=tuple)
    sample: str | None = None

    def __str__(self) -> str:
        where = ""
        if self.rows:
            where = f" ({rows_text(self.rows)}"
            if self.first_rows:
                where += ", first " + ", ".join(str(r) for r in self.first_rows)
            where += ")"
        sample = f", e.g. {self.sample!r}" if self.sample is not None else ""
        return f"{self.what}{where}{sample}. {self.fix}"


class InputError(Exception):
    """The input is refused; carries every :class:`Problem` found. The command line exits with 2.

    Parameters
    ----------
    problems : Problem, str or iterable of them
        A bare string counts as a problem whose text already holds the fix.
    """

    def __init__(self, problems: Problem | str | Iterable[Problem | str]):
        if isinstance(problems, (Problem, str)):
            problems = [problems]
        self.problems: tuple[Problem | str, ...] = tuple(problems)
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        lines = [f"{len(self.problems)} problems:"]
        lines += [f"  {i}. {p}" for i, p in enumerate(self.problems, 1)]
        return "\n".join(lines)
