"""The checks by name, what each takes, and how one is run on a claim's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from precmark.audit import arithmetic, counts, order, rates
from precmark.audit.dimensions import dimensions
from precmark.audit.finding import ASSUMED, CONSISTENT, CONTRADICTED, NOT_TESTABLE, Finding
from precmark.audit.quantities import Quantity, cut_off
from precmark.errors import InputError


def chapter(*, chapter: str) -> Finding:
    """No verdict of its own: the chapter named tries the claim on data, under the claim's id."""
    return Finding("", f"Tried in chapter {chapter[:2]}.")


def not_testable(*, reason: str) -> Finding:
    """The verdict on what rests on data that nobody outside can see, with the reason."""
    return Finding(NOT_TESTABLE, reason if reason.endswith(".") else reason + ".")


CHECKS: dict[str, Callable[..., Finding]] = {
    check.__name__: check
    for check in (
        arithmetic.total, arithmetic.shares, arithmetic.ratio, arithmetic.growth,
        arithmetic.product, arithmetic.difference, arithmetic.mean, arithmetic.weighted_mean,
        arithmetic.f1, arithmetic.formula, arithmetic.same, order.ranking, order.monotone,
        order.at_most, order.within, order.inequality, order.correlation, counts.grim,
        counts.two_proportions, counts.proportion_interval, rates.implied_matthews,
        rates.accuracy_between, rates.confusion, rates.p_value_from, dimensions, chapter,
        not_testable,
    )
}  # fmt: skip
"""Every check that a claims file may name."""

_CUTTABLE = frozenset(
    check.__name__
    for check in (
        arithmetic.total, arithmetic.shares, arithmetic.ratio, arithmetic.growth,
        arithmetic.product, arithmetic.difference, arithmetic.mean, arithmetic.weighted_mean,
        arithmetic.f1, arithmetic.formula, arithmetic.same, order.inequality, counts.grim,
        rates.confusion,
    )
)  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """What a check takes under one name.

    Attributes
    ----------
    name : str
    kind : {"figure", "figures", "text", "choice", "units"}
        A figure's key or a number; a list of them; a text; one of `choices`; a table of units.
    needed : bool
    choices : tuple of str
    """

    name: str
    kind: str
    needed: bool
    choices: tuple[str, ...] = ()


@cache
def arguments_of(check: str) -> tuple[dict[str, Argument], bool]:
    """The arguments of `check` by name, and whether it takes figures under any other name too."""
    function = inspect.unwrap(CHECKS[check])
    hints = get_type_hints(function)
    found, more = {}, False
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            more = True
            continue
        kind, choices = _kind(hints[name])
        found[name] = Argument(name, kind, parameter.default is parameter.empty, choices)
    return found, more


def _kind(hint: Any) -> tuple[str, tuple[str, ...]]:
    if get_origin(hint) is Literal:
        return "choice", get_args(hint)
    if get_origin(hint) is Sequence:
        return "figures", ()
    if get_origin(hint) is Mapping:
        return "units", ()
    return ("text", ()) if hint is str else ("figure", ())


def run_check(check: str, arguments: Mapping[str, Any]) -> Finding:
    """What `check` finds for `arguments`.

    A contradiction that is gone when all digits are read as cut off instead of rounded is weaker:
    its verdict is "holds if assumed", and the sentence says so.

    Raises
    ------
    InputError
        Figures that the check cannot work with.
    """
    finding = CHECKS[check](**arguments)
    if finding.verdict != CONTRADICTED or check not in _CUTTABLE:
        return finding
    try:
        again = CHECKS[check](**{name: cut_off(value) for name, value in arguments.items()})
    except InputError:  # A share that was printed as 100 % cannot be one that was cut off.
        return finding
    if again.verdict != CONSISTENT:
        return finding
    why = f"{finding.why} It agrees if digits were cut off instead of rounded."
    return Finding(ASSUMED, why, finding.computed, finding.interval)


def printed_text(arguments: Mapping[str, Any]) -> str:
    """The figures of a claim as they are printed: the one that is checked, where one is named."""
    for name in ("printed", "matthews", "share", "best", "total", "value", "accuracy", "below"):
        if isinstance(arguments.get(name), Quantity):
            return arguments[name].text
    found: list[str] = []
    for value in arguments.values():
        values = value if isinstance(value, (list, tuple)) else [value]
        found += [v.text for v in values if isinstance(v, Quantity)]
    return ", ".join(found)
