"""Whether the two sides of a printed equation can be the same kind of thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from fractions import Fraction

from precmark.audit.expressions import power_of
from precmark.audit.finding import CONSISTENT, CONTRADICTED, Finding
from precmark.errors import InputError

Units = dict[str, Fraction]
"""Base unit to power; empty where there is no unit."""

_DERIVED = {
    "N": "kg m s^-2", "J": "kg m^2 s^-2", "W": "kg m^2 s^-3", "Hz": "s^-1", "min": "s", "h": "s",
    "day": "s", "days": "s", "torque": "kg m^2 s^-2", "share": "1", "%": "1", "score": "1",
    "probability": "1",
}  # fmt: skip
_FACTOR = re.compile(r"([^\s*/^]+?)(?:\^|\*\*)?(-?\d+)?$")


class _Clash(Exception):
    """Unlike things are added, or a function gets something with a unit."""


def units_of(text: str) -> Units:
    """The powers of base units in `text`: ``"kg m^2 / s^2"``, ``"yuan/day"``, ``"1"`` for none.

    Any word is a unit of its own; newton, joule, watt, hertz and torque are spelled out, times are
    all seconds, shares and scores have none.

    Raises
    ------
    InputError
        Text that is not a product of units.
    """
    found: Units = {}
    above, *below = text.split("/")
    for sign, part in [(1, above), *((-1, b) for b in below)]:
        for word in part.replace("*", " ").split():
            match = _FACTOR.match(word)
            name, power = (match[1], int(match[2] or 1)) if match else ("", 0)
            if word == "1":
                continue
            if not re.fullmatch(r"[^\W\d]\w*|%", name):
                raise InputError(f"unit {text!r}: {word!r} is no unit. Example: kg m^2 / s^2")
            inner = units_of(_DERIVED[name]) if name in _DERIVED else {name: Fraction(1)}
            for base, exponent in inner.items():
                found[base] = found.get(base, Fraction(0)) + sign * power * exponent
    return {base: power for base, power in found.items() if power}


def dimensions(*, left: str, right: str, symbols: Mapping[str, str]) -> Finding:
    """Whether both sides of an equation have the same unit.

    Parameters
    ----------
    left, right : str
        Products, quotients, powers, sums and functions of `symbols`, e.g. ``"W * h + b"``. What is
        added must have one unit; a function takes and gives a number without one.
    symbols : mapping of str to str
        Name to unit, e.g. ``{tau = "torque", p = "1"}``.

    Raises
    ------
    InputError
        A side that is not arithmetic, a symbol without a unit or without a place, an unknown unit.
    """
    problems, given = [], {}
    for name, text in symbols.items():
        try:
            given[name] = units_of(text)
        except InputError as error:
            problems += error.problems
    trees = {}
    for side, text in (("left", left), ("right", right)):
        try:
            trees[side] = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            problems.append(f"dimensions: {side} {text!r} is not arithmetic ({error.msg}).")
    functions = {id(n.func) for t in trees.values() for n in ast.walk(t) if isinstance(n, ast.Call)}
    names = {
        n.id for t in trees.values() for n in ast.walk(t)
        if isinstance(n, ast.Name) and id(n) not in functions
    }  # fmt: skip
    problems += [f"dimensions: symbol {n!r} has no unit." for n in sorted(names - set(symbols))]
    if len(trees) == 2:
        unused = sorted(set(symbols) - names)
        problems += [f"dimensions: symbol {n!r} stands on neither side." for n in unused]
    if problems:
        raise InputError(problems)
    try:
        one, other = (_units(trees[side], given) for side in ("left", "right"))
    except _Clash as clash:
        return Finding(CONTRADICTED, f"In {left} = {right}, {clash}.", "no unit fits")
    agree = one == other
    why = f"The left of {left} = {right} has {_text(one)}, the right has {_text(other)}."
    if agree:
        why = f"Both sides of {left} = {right} have {_text(one)}."
    return Finding(CONSISTENT if agree else CONTRADICTED, why, _text(other))


def _units(node: ast.expr, given: Mapping[str, Units]) -> Units:
    if isinstance(node, ast.Name):
        return given[node.id]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return {}
    if isinstance(node, ast.UnaryOp):
        return _units(node.operand, given)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for argument in node.args:
            if units := _units(argument, given):
                raise _Clash(f"{node.func.id} takes a number, but gets {_text(units)}")
        return {}
    if isinstance(node, ast.BinOp):
        return _joined(node, given)
    raise InputError(f"dimensions: {ast.unparse(node)!r} is not a product, sum, power or function.")


def _joined(node: ast.BinOp, given: Mapping[str, Units]) -> Units:
    one = _units(node.left, given)
    if isinstance(node.op, ast.Pow):
        raised = power_of(node.right)
        if raised is None:
            raise InputError(f"dimensions: the power in {ast.unparse(node)!r} is no whole number.")
        return {base: power * raised for base, power in one.items() if raised}
    other = _units(node.right, given)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        if one != other:
            raise _Clash(f"{_text(one)} and {_text(other)} are added")
        return one
    if not isinstance(node.op, (ast.Mult, ast.Div)):
        raise InputError(f"dimensions: {ast.unparse(node)!r} is not a product, sum or power.")
    sign = 1 if isinstance(node.op, ast.Mult) else -1
    bases = dict.fromkeys((*one, *other))
    joined = {b: one.get(b, Fraction(0)) + sign * other.get(b, Fraction(0)) for b in bases}
    return {base: power for base, power in joined.items() if power}


def _text(units: Units) -> str:
    """Units in words: ``"kg m^2 s^-2"``; ``"no unit"``."""
    shown = [base if power == 1 else f"{base}^{power}" for base, power in units.items()]
    return "the unit " + " ".join(shown) if shown else "no unit"
