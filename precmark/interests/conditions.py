"""The few things that a filter expression may say, checked node by node and run on arrays.

Truth has three values: every condition gives the rows where it holds and those where it does not;
rows in neither are unknown.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_EQUAL = {"==": operator.eq, "!=": operator.ne}
_ARITHMETIC = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
_WORDS = {"number": "a number", "text": "text", "flag": "true or false", "time": "a time"}

Truth = tuple[np.ndarray, np.ndarray]
"""Rows where a condition holds, and rows where it does not: (n,) bool each."""


@dataclass
class Condition:
    """What an expression means for a table.

    Attributes
    ----------
    of : callable
        From the number of rows n to the :data:`Truth` of each.
    notes : list of str
        What is asked for and nobody has.
    """

    of: Callable[[int], Truth]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Value:
    """A column, a constant or arithmetic on them: its kind and, from n, (n,) values.

    Numbers, times (seconds) and flags (1 and 0) are float64, nan where missing; the values of a
    column of texts are whole numbers, places in `texts`, -1 where missing.
    """

    kind: str
    of: Callable[[int], np.ndarray]
    name: str = ""
    constant: object = None
    texts: pd.Index | None = None


def condition_of(
    node: ast.expr, columns: Mapping[str, pd.Series], problems: list[str]
) -> Condition | None:
    """The meaning of `node`; what is not allowed is added to `problems`.

    Parameters
    ----------
    node : ast.expr
    columns : mapping of name to column
        All of one length.
    problems : list of str
        Grows by a sentence a problem; ``column:NAME`` where there is no such column.

    Returns
    -------
    Condition or None
        None where something is wrong.
    """
    if isinstance(node, ast.BoolOp):
        parts = [condition_of(v, columns, problems) for v in node.values]
        return None if None in parts else _joined(isinstance(node.op, ast.And), parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = condition_of(node.operand, columns, problems)
        return inner and Condition(lambda n: inner.of(n)[::-1], inner.notes)
    if isinstance(node, ast.Compare):
        return _compared(node, columns, problems)
    value = _value(node, columns, problems)
    if value is None:
        return None
    if value.kind != "flag":
        what = value.name or repr(value.constant)
        problems.append(f"{what} is {_WORDS[value.kind]} and says neither yes nor no; compare it")
        return None
    return Condition(lambda n: _equality("==", value.of(n), 1.0))


def _joined(every: bool, parts: list[Condition]) -> Condition:
    def of(n: int) -> Truth:
        truths = [part.of(n) for part in parts]
        yes, no = (np.stack([t[i] for t in truths]) for i in (0, 1))
        return (yes.all(0), no.any(0)) if every else (yes.any(0), no.all(0))

    return Condition(of, [note for part in parts for note in part.notes])


def _compared(
    node: ast.Compare, columns: Mapping[str, pd.Series], problems: list[str]
) -> Condition | None:
    """A chain of comparisons: each pair has to hold."""
    sides = [node.left, *node.comparators]
    found = [
        _pair(left, op, right, columns, problems)
        for left, op, right in zip(sides[:-1], node.ops, sides[1:], strict=True)
    ]
    return None if None in found else _joined(True, found)


def _pair(
    left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Mapping, problems: list[str]
) -> Condition | None:
    if isinstance(op, (ast.Is, ast.IsNot)):
        return _missing(left, op, right, columns, problems)
    if isinstance(op, (ast.In, ast.NotIn)):
        return _member(left, op, right, columns, problems)
    a, b = (_value(side, columns, problems) for side in (left, right))
    if a is None or b is None:
        return None
    a, b = _as_times(a, b, problems), _as_times(b, a, problems)
    sign = _SIGNS[type(op)]
    if a.kind != b.kind:
        problems.append(
            f"{_called(a)} is {_WORDS[a.kind]} and {_called(b)} is {_WORDS[b.kind]}; "
            "they cannot be compared"
        )
        return None
    if sign in _EQUAL and a.kind == "text":
        found = _same_text(a, b)
        return found if sign == "==" else _turned(found)
    if sign in _EQUAL:
        return Condition(lambda n: _equality(sign, a.of(n), b.of(n)))
    if a.kind not in ("number", "time"):
        problems.append(f"{_called(a)} is {_WORDS[a.kind]} and has no order; use == or in")
        return None
    return Condition(lambda n: _ordered(sign, a.of(n), b.of(n)))


def _ordered(sign: str, a: np.ndarray, b: np.ndarray) -> Truth:
    known = ~(np.isnan(a) | np.isnan(b))
    holds = ORDER[sign](a, b)
    return holds & known, ~holds & known


def _equality(sign: str, a: np.ndarray, b: np.ndarray | float) -> Truth:
    known = ~(np.isnan(a) | np.isnan(b))
    holds = _EQUAL[sign](a, b)
    return holds & known, ~holds & known


def _turned(found: Condition) -> Condition:
    """What does not hold where `found` holds, and the other way round; unknown stays unknown."""
    return Condition(lambda n: found.of(n)[::-1], found.notes)


def _same_text(a: _Value, b: _Value) -> Condition:
    """Two texts are the same: columns or constants."""
    if a.name and b.name:
        # places of the second column in the texts of the first; what is not there is -2
        place = np.append(np.where((at := a.texts.get_indexer(b.texts)) < 0, -2, at), -1)
        return Condition(lambda n: _same_code(a.of(n), place[b.of(n)]))
    if a.name or b.name:
        column, value = (a, b) if a.name else (b, a)
        return _one_of(column, [value])
    same = a.constant == b.constant
    return Condition(lambda n: (np.full(n, same), np.full(n, not same)))


def _same_code(a: np.ndarray, b: np.ndarray) -> Truth:
    known = (a != -1) & (b != -1)
    return (a == b) & known, (a != b) & known


def _one_of(column: _Value, choices: list[_Value]) -> Condition:
    """The text of `column` is one of `choices`, constants."""
    wanted = column.texts.isin([c.constant for c in choices])
    return Condition(lambda n: _by_text(column.of(n), wanted), _unseen(column, choices))


def _by_text(code: np.ndarray, holds: np.ndarray) -> Truth:
    """The truth of each row from that of its text, (texts,) bool."""
    yes, no = np.append(holds, False), np.append(~holds, False)
    return yes[code], no[code]


def _missing(
    left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Mapping, problems: list[str]
) -> Condition | None:
    """``column is None``: never unknown."""
    value = _value(left, columns, problems)
    if not (isinstance(right, ast.Constant) and right.value is None):
        problems.append("is and is not stand before None only; use == for values")
        return None
    if value is None:
        return None
    if value.kind == "text" and not value.name:
        problems.append(f"{value.constant!r} is None never holds; name a column")
        return None
    asked = isinstance(op, ast.Is)

    def of(n: int) -> Truth:
        mine = value.of(n)
        lacks = mine == -1 if value.texts is not None else np.isnan(mine)
        return (lacks, ~lacks) if asked else (~lacks, lacks)

    return Condition(of)


def _member(
    left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Mapping, problems: list[str]
) -> Condition | None:
    """``column in ('a', 'b')``, and ``'a' in column`` for a part of a text."""
    value = _value(left, columns, problems)
    if isinstance(right, (ast.Tuple, ast.List, ast.Set)):
        choices = [_value(e, columns, problems) for e in right.elts]
        found = _among(value, choices, problems)
    else:
        found = _within(value, _value(right, columns, problems), problems)
    if found is None or isinstance(op, ast.In):
        return found
    return _turned(found)


def _among(
    value: _Value | None, choices: list[_Value | None], problems: list[str]
) -> Condition | None:
    if value is None or None in choices:
        return None
    choices = [_as_times(c, value, problems) for c in choices]
    if not choices or any(c.name or c.kind != value.kind for c in choices):
        problems.append(
            f"after in stands a list of values of the same kind as {_called(value)}, "
            f"which is {_WORDS[value.kind]}"
        )
        return None
    if value.kind == "text":
        return _one_of(value, choices) if value.name else _constant_among(value, choices)

    def of(n: int) -> Truth:
        mine = value.of(n)
        truths = [_equality("==", mine, c.of(n)) for c in choices]
        return np.any([t[0] for t in truths], axis=0), np.all([t[1] for t in truths], axis=0)

    return Condition(of)


def _constant_among(value: _Value, choices: list[_Value]) -> Condition:
    among = value.constant in [c.constant for c in choices]
    return Condition(lambda n: (np.full(n, among), np.full(n, not among)))


def _within(part: _Value | None, whole: _Value | None, problems: list[str]) -> Condition | None:
    if part is None or whole is None:
        return None
    if part.name or part.kind != "text" or not whole.name or whole.kind != "text":
        problems.append(
            "in stands before a list in brackets, or between a quoted text and a column"
        )
        return None
    holds = np.array([part.constant in text for text in whole.texts], dtype=bool)
    return Condition(lambda n: _by_text(whole.of(n), holds))


def _value(node: ast.expr, columns: Mapping, problems: list[str]) -> _Value | None:
    """A column, a constant, or arithmetic on numbers."""
    if isinstance(node, ast.Name):
        if node.id in columns:
            return _column(node.id, columns[node.id])
        problems.append(f"column:{node.id}")
        return None
    if isinstance(node, ast.Constant):
        return _constant(node.value, problems)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _number(_value(node.operand, columns, problems), problems)
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        return inner and _Value("number", lambda n: sign * inner.of(n), inner.name)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        sides = [
            _number(_value(side, columns, problems), problems) for side in (node.left, node.right)
        ]
        return None if None in sides else _computed(_ARITHMETIC[type(node.op)], *sides)
    problems.append(_refusal(node))
    return None


def _refusal(node: ast.expr) -> str:
    """Why `node` may not stand in a filter."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
        return "& and | are written and, or"
    if isinstance(node, (ast.BoolOp, ast.Compare)) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    ):
        return "a condition stands where a value belongs; put brackets around the conditions"
    names = {
        ast.Call: "functions are not called",
        ast.Attribute: "names with a dot are not read",
        ast.Subscript: "square brackets after a name are not read",
        ast.BinOp: "between numbers stand + - * / only",
        ast.JoinedStr: "texts are plain, without f",
    }
    why = names.get(type(node), f"{type(node).__name__} is no part of a filter")
    return f"{why} ({ast.unparse(node)[:60]})"


def _column(name: str, values: pd.Series) -> _Value:
    kind = values.dtype
    if pd.api.types.is_datetime64_any_dtype(kind):
        seconds = _seconds(values)
        return _Value("time", lambda n: seconds, name)
    if pd.api.types.is_bool_dtype(kind) or _all_flags(values):
        flags = values.astype("boolean").to_numpy(dtype=float, na_value=np.nan)
        return _Value("flag", lambda n: flags, name)
    if pd.api.types.is_numeric_dtype(kind):
        numbers = values.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        return _Value("number", lambda n: numbers, name)
    if pd.api.types.is_object_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        values = values.astype(object).map(str, na_action="ignore")
    codes, texts = pd.factorize(values)
    return _Value("text", lambda n: codes, name, texts=pd.Index(texts, dtype=object))


def _all_flags(values: pd.Series) -> bool:
    """Whether a column of objects holds true, false and nothing else, and not only missing ones."""
    if values.dtype != object:
        return False
    kinds = set(values.dropna().map(type))
    return bool(kinds) and kinds <= {bool, np.bool_}


def _seconds(values: pd.Series) -> np.ndarray:
    """Seconds since 1970, UTC; zone-less times count as UTC."""
    moments = pd.to_datetime(values, utc=True)
    whole = pd.DatetimeIndex(moments).as_unit("us").asi8 / 1e6
    return np.where(moments.isna(), np.nan, whole)


def _constant(given: object, problems: list[str]) -> _Value | None:
    if isinstance(given, bool):
        return _Value("flag", lambda n: np.full(n, float(given)), constant=given)
    if isinstance(given, (int, float)):
        try:
            number = float(given)
        except OverflowError:
            problems.append("a number is too large")
            return None
        return _Value("number", lambda n: np.full(n, number), constant=given)
    if isinstance(given, str):
        return _Value("text", lambda n: np.full(n, -1), constant=given)
    problems.append(f"{given!r} is no number, text, True or False")
    return None


def _number(value: _Value | None, problems: list[str]) -> _Value | None:
    if value is not None and value.kind != "number":
        problems.append(f"{_called(value)} is {_WORDS[value.kind]}; arithmetic is for numbers")
        return None
    return value


def _computed(how: Callable, a: _Value, b: _Value) -> _Value:
    def of(n: int) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = how(a.of(n), b.of(n))
        return np.where(np.isfinite(found), found, np.nan)

    return _Value("number", of, f"{a.name or a.constant} ... {b.name or b.constant}")


def _as_times(value: _Value, other: _Value, problems: list[str]) -> _Value:
    """A quoted date beside a column of times, as a time."""
    if other.kind != "time" or value.kind != "text" or value.name:
        return value
    moment = pd.to_datetime(value.constant, utc=True, errors="coerce", format="ISO8601")
    if pd.isna(moment):
        problems.append(f"{value.constant!r} is no date; write '2025-01-31'")
        moment = pd.Timestamp(0, tz="UTC")
    return _Value("time", lambda n: np.full(n, moment.timestamp()), constant=value.constant)


def _called(value: _Value) -> str:
    return value.name or repr(value.constant)


def _unseen(column: _Value, constants: list[_Value]) -> list[str]:
    """Texts that are asked for and that no row of `column` has."""
    notes = []
    for value in constants:
        if value.name or value.constant in column.texts:
            continue
        near = difflib.get_close_matches(value.constant, column.texts, n=1, cutoff=0.5)
        meant = f"; there is {near[0]!r}" if near else ""
        notes.append(f"no row has {column.name} {value.constant!r}{meant}")
    return notes
