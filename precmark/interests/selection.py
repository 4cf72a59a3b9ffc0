"""Customer groups by a filter expression on profile columns, parsed and never evaluated as code.

``select(profile, "gender == 'female' and 18 <= age < 30")`` gives the group and who is unknown.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.interests.conditions import ORDER, condition_of

if TYPE_CHECKING:
    from precmark.interests.conditions import Condition

MOST_CHARACTERS = 2_000
"""Of one expression."""

MOST_PARTS = 400
"""Nodes of one expression's tree: a filter that needs more is a table, and should be joined."""

EXAMPLE = "gender == 'female' and 18 <= age < 30 and spend_30 / purchases_30 > 20"


@dataclass(frozen=True)
class Group:
    """The customers whom an expression selects.

    Attributes
    ----------
    name : str
        Empty where none was given.
    expression : str
        As given, without blanks around it.
    mask : numpy.ndarray
        (n,) bool, in the order of the table.
    unknown : int
        Customers left out because a value that the expression needs is missing.
    notes : tuple of str
        What the expression asks for and nobody has, with the nearest value there is.
    """

    name: str
    expression: str
    mask: np.ndarray
    unknown: int
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.mask.sum())


def select(frame: pd.DataFrame, expression: str, *, name: str = "") -> Group:
    """The rows of `frame` for which `expression` is true.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a customer, such as ``profiles/profile``.
    expression : str
        Comparisons (``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, chains of them, ``in`` and
        ``not in`` a list in brackets, ``'word' in column`` for a part of a text, ``is None``) of
        column names, numbers, quoted texts and true or false, with ``and``, ``or``, ``not`` and
        brackets; between numbers also ``+ - * /``. Dates are compared with quoted ISO dates (UTC).
    name : str

    Returns
    -------
    Group
        What compares with a missing value, or divides by 0, is neither true nor false: ``not``
        leaves it so, ``or`` with something true is true (Kleene's three values).

    Raises
    ------
    InputError
        Listing everything that is no filter (calls, attributes, ...), columns that the table lacks
        with the nearest that it has, and kinds that cannot be compared.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [17, 25, None], "country": ["CN", "GB", "GB"]})
    >>> found = select(table, "country == 'GB' and not age < 18")
    >>> found.mask.tolist(), found.unknown
    ([False, True, False], 1)
    """
    problems, condition = _read(frame, expression, name)
    if problems:
        raise InputError(problems)
    return _group(frame, condition, expression, name)


def select_all(frame: pd.DataFrame, groups: str | Mapping[str, str]) -> dict[str, Group]:
    """The group of each expression by name; problems of all of them are listed together.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in :func:`select`.
    groups : str or mapping of name to expression
        A text reads ``name: expression; name: expression``, see :func:`named`.

    Raises
    ------
    InputError
        As :func:`select` and :func:`named`.
    """
    given = named(groups) if isinstance(groups, str) else dict(groups)
    read = {name: _read(frame, text, name) for name, text in given.items()}
    problems = [p for found, _ in read.values() for p in found]
    if problems:
        raise InputError(problems)
    return {name: _group(frame, read[name][1], text, name) for name, text in given.items()}


def named(text: str) -> dict[str, str]:
    """Expressions by name out of one line, ``name: expression; name: expression``.

    Colons and semicolons inside quotes belong to the expression. An expression without a name gets
    ``group 1``, ``group 2``, ... by its place.

    Raises
    ------
    InputError
        A name given twice, or nothing at all.

    Examples
    --------
    >>> named("young: age < 30; country in ('GB', 'US')")
    {'young': 'age < 30', 'group 2': "country in ('GB', 'US')"}
    """
    found: dict[str, str] = {}
    problems = []
    parts = [part.strip() for part in _split(text, ";")]
    for place, part in enumerate([p for p in parts if p], 1):
        head, *rest = _split(part, ":", most=1)
        name = head.strip() if rest else f"group {place}"
        if name in found:
            problems.append(
                Problem(f"groups: the name {name!r} stands twice", "Give each its own.")
            )
        found[name] = (rest[0] if rest else head).strip()
    if not found:
        fix = f"Write name: expression; for example young: {EXAMPLE}"
        problems.append(Problem("groups: no expression is given", fix))
    if problems:
        raise InputError(problems)
    return found


def _split(text: str, mark: str, most: int = -1) -> list[str]:
    """`text` at each `mark` outside quotes, at most `most` times."""
    parts, quote, begin = [], "", 0
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == mark and len(parts) != most:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def _read(
    frame: pd.DataFrame, expression: str, name: str
) -> tuple[list[Problem], Condition | None]:
    """What is wrong with `expression` on `frame`, and what it means where nothing is."""
    where = f"group {name!r}" if name else "the expression"
    tree, why = _tree(expression)
    if tree is None:
        return [Problem(f"{where}: {why}", f"Example: {EXAMPLE}")], None
    columns = {str(c): frame[c] for c in frame.columns}
    found: list[str] = []
    condition = condition_of(tree, columns, found)
    problems = [Problem(f"{where}: {what}", fix) for what, fix in _with_fixes(found, columns)]
    return problems, condition


def _tree(expression: object) -> tuple[ast.expr | None, str]:
    """The parsed expression, or why there is none."""
    if not isinstance(expression, str) or not expression.strip():
        return None, "it is empty"
    if len(expression) > MOST_CHARACTERS:
        return None, f"{len(expression):,} characters; {MOST_CHARACTERS:,} are the most"
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        parts = sum(1 for _ in ast.walk(tree))
    except SyntaxError as error:
        hint = " (equality is ==)" if _single_equals(expression) else ""
        return None, f"it cannot be read: {error.msg}{hint}"
    except (ValueError, RecursionError, MemoryError):
        return None, "it cannot be read: null characters, or brackets too deep"
    if parts > MOST_PARTS:
        return None, f"it has {parts:,} parts; {MOST_PARTS} are the most"
    return tree, ""


def _single_equals(expression: str) -> bool:
    bare = expression
    for sign in ("==", "!=", *(s for s in ORDER if s.endswith("="))):
        bare = bare.replace(sign, "")
    return "=" in bare


def _with_fixes(found: list[str], columns: Mapping[str, pd.Series]) -> list[tuple[str, str]]:
    """Each problem once, with what to do; ``column:NAME`` stands for a column that lacks."""
    pairs = []
    for what in dict.fromkeys(found):
        if not what.startswith("column:"):
            pairs.append((what, f"Example: {EXAMPLE}"))
            continue
        lacks = what.removeprefix("column:")
        near = difflib.get_close_matches(lacks, columns, n=3, cutoff=0.5)
        fix = f"Did you mean {' or '.join(near)}?" if near else "See the profile dictionary."
        if lacks.lower() in ("true", "false", "none"):
            fix = f"Write {lacks.capitalize()}."
        pairs.append((f"there is no column {lacks!r}", fix))
    return pairs


def _group(frame: pd.DataFrame, condition: Condition, expression: str, name: str) -> Group:
    yes, no = condition.of(len(frame))
    notes = tuple(dict.fromkeys(condition.notes))
    return Group(name, expression.strip(), yes, int((~(yes | no)).sum()), notes)
