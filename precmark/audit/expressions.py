"""Arithmetic in a claims file: parsed with a short list of what is allowed, run on intervals."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from fractions import Fraction
from itertools import product

from precmark.audit.quantities import Interval, exact
from precmark.errors import InputError

_RISING = {"sqrt": math.sqrt, "log": math.log, "exp": math.exp}
_CALLS = (*_RISING, "abs", "min", "max")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_RELATIONS = {ast.LtE: "<=", ast.Lt: "<", ast.GtE: ">=", ast.Gt: ">"}
_PIECES = {1: 64, 2: 12, 3: 5}
"""Into how many pieces the range of each figure that stands more than once is cut, by how many such
figures there are; each piece is computed apart, which makes the result tighter and never wrong."""

_MOST_POWER = 64


def parse(expression: str, symbols: Collection[str]) -> ast.expr:
    """The tree of `expression` where it is arithmetic on exactly the names `symbols`.

    Raises
    ------
    InputError
        Listing everything that is not arithmetic, names without a figure and the other way round.
    """
    tree = _tree(expression, "a / b - 1")
    _refuse(expression, [tree], symbols)
    return tree


def comparison(expression: str, symbols: Collection[str]) -> tuple[ast.expr, str, ast.expr]:
    """The two sides of `expression` and what stands between them, ``<=``, ``<``, ``>=`` or ``>``.

    Raises
    ------
    InputError
        No comparison or more than one, and all that :func:`parse` raises for a side.
    """
    tree = _tree(expression, "a <= b + c")
    if (
        not isinstance(tree, ast.Compare)
        or len(tree.ops) != 1
        or type(tree.ops[0]) not in _RELATIONS
    ):
        raise InputError(
            f"expression {expression!r}: write two sides with one of "
            f"{' '.join(_RELATIONS.values())} between them. Example: a <= b + c"
        )
    left, right = tree.left, tree.comparators[0]
    _refuse(expression, [left, right], symbols)
    return left, _RELATIONS[type(tree.ops[0])], right


def _tree(expression: str, example: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        raise InputError(
            f"expression {expression!r} is not arithmetic ({error.msg}). Example: {example}"
        ) from None


def _refuse(expression: str, trees: list[ast.expr], symbols: Collection[str]) -> None:
    """Raise for whatever in `trees` is not arithmetic on exactly the names `symbols`."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    problems = [p for node in nodes if (p := _problem(node))]
    functions = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
    used = {n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in functions}
    problems += [
        f"name {n!r} stands for no figure; add it to the figures"
        for n in sorted(used - set(symbols))
    ]
    problems += [
        f"figure {n!r} is not used; remove it or mend the expression"
        for n in sorted(set(symbols) - used)
    ]
    if problems:
        raise InputError(f"expression {expression!r}: {problem}." for problem in problems)


def _problem(node: ast.AST) -> str:
    """Why `node` is not allowed in an expression; empty where it is."""
    if isinstance(node, ast.BinOp):
        if type(node.op) not in _OPERATORS:
            return f"only {' '.join(_OPERATORS.values())} are allowed between numbers"
        if isinstance(node.op, ast.Pow) and power_of(node.right) is None:
            return f"a power is a whole number from {-_MOST_POWER} to {_MOST_POWER}"
        return ""
    if isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in _CALLS
        if not known or node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            return f"only the functions {', '.join(_CALLS)} are allowed"
        most = node.func.id in ("min", "max")
        return "" if node.args and (most or len(node.args) == 1) else "a function lacks its number"
    if isinstance(node, ast.Constant):
        return "" if type(node.value) in (int, float) else f"{node.value!r} is no number"
    allowed = (ast.UnaryOp, ast.USub, ast.UAdd, ast.Name, ast.Load, *_OPERATORS)
    return "" if isinstance(node, allowed) else f"{type(node).__name__} is not arithmetic"


def power_of(node: ast.expr) -> int | None:
    """The whole number that `node` is, or None."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    whole = isinstance(node, ast.Constant) and type(node.value) is int
    return sign * node.value if whole and abs(node.value) <= _MOST_POWER else None


def evaluate(tree: ast.expr, values: Mapping[str, Interval]) -> Interval:
    """Every number that `tree` gives for names anywhere in `values`; may be slightly wider.

    Raises
    ------
    Unbounded
        A division by what may be 0, a root or logarithm of what may be negative.
    """
    counts = Counter(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
    again = [n for n in values if counts[n] > 1 and values[n].low != values[n].high]
    pieces = _PIECES.get(len(again), 1)
    cuts = [[(name, piece) for piece in _cut(values[name], pieces)] for name in again]
    found = [_value(tree, {**values, **dict(chosen)}) for chosen in product(*cuts)]
    return Interval(min(f.low for f in found), max(f.high for f in found))


def written(tree: ast.expr, texts: Mapping[str, str]) -> str:
    """`tree` as a reader writes it, with `texts` in the place of names."""
    names = "|".join(map(re.escape, texts)) or "(?!)"
    shown = re.sub(rf"\b({names})\b", lambda found: texts[found[1]], ast.unparse(tree))
    return shown.replace(" * ", " × ")


def _cut(interval: Interval, pieces: int) -> list[Interval]:
    width = (interval.high - interval.low) / pieces
    return [
        Interval(interval.low + i * width, interval.low + (i + 1) * width) for i in range(pieces)
    ]


def _value(node: ast.expr, values: Mapping[str, Interval]) -> Interval:
    if isinstance(node, ast.Constant):
        return Interval(exact(node.value), exact(node.value))
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, values)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Call):
        return _called(node.func.id, [_value(a, values) for a in node.args])
    left = _value(node.left, values)
    if isinstance(node.op, ast.Pow):
        return left ** power_of(node.right)
    right = _value(node.right, values)
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    return left * right if isinstance(node.op, ast.Mult) else left / right


def _called(name: str, arguments: list[Interval]) -> Interval:
    first = arguments[0]
    if name in _RISING:
        return first.rising(_RISING[name])
    if name == "abs":
        far = max(abs(first.low), abs(first.high))
        near = min(abs(first.low), abs(first.high))
        return Interval(Fraction(0) if first.low <= 0 <= first.high else near, far)
    chosen = min if name == "min" else max
    return Interval(chosen(a.low for a in arguments), chosen(a.high for a in arguments))
