"""Where to place adverts: a budget over channel, time slot and kind of visitor (chapter 14).

Maximise sum_ks r_k f_s x_ks / c_k over the money x_ks in cell k and step s, with 0 <= x_ks <= c_k
n_k t_s, sum x <= budget, and the limits of :class:`Limits`: a linear programme, solved by HiGHS.
Steps say how response falls as a cell is bought out (f_1 >= f_2 >= ...), so the best plan fills
them in order.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem

PRICES = Path(__file__).resolve().parents[2] / "data" / "crm" / "prices.toml"

_TIGHT = 1e-7


@dataclass(frozen=True)
class Market:
    """What can be bought.

    Attributes
    ----------
    cells : pandas.DataFrame
        ``channel``, ``slot``, ``segment``, ``contacts`` (as many as the log shows), ``price`` (of
        a contact, above 0).
    steps : tuple of (times, response)
        See ``data/crm/prices.toml``: times above 0, responses in (0, 1] and falling.
    """

    cells: pd.DataFrame
    steps: tuple[tuple[float, float], ...] = ((1.0, 1.0),)

    def __post_init__(self) -> None:
        times, response = zip(*self.steps, strict=True) if self.steps else ((), ())
        problems = [
            Problem(f"cells: no column {name}", "Count them with cells_of, price them with priced.")
            for name in ("channel", "slot", "segment", "contacts", "price")
            if name not in self.cells
        ]
        if not problems and not (self.cells.price > 0).all():
            problems.append(Problem("price: not above 0", "Give every contact a price."))
        falling = all(a >= b for a, b in pairwise(response))
        if not times or min(times) <= 0 or min(response) <= 0 or max(response) > 1 or not falling:
            fix = "Give times above 0 and responses in (0, 1] that never rise."
            problems.append(Problem(f"steps: {self.steps}", fix))
        if problems:
            raise InputError(problems)

    @cached_property
    def room(self) -> np.ndarray:
        """Money that each cell takes at each step, shape (cells, steps)."""
        times = np.array([t for t, _ in self.steps])
        full = (self.cells.contacts * self.cells.price).to_numpy(dtype=float)
        return full[:, None] * times

    @cached_property
    def per_money(self) -> np.ndarray:
        """Contacts of full response that a unit of money buys, shape (cells, steps)."""
        response = np.array([r for _, r in self.steps])
        return response / self.cells.price.to_numpy(dtype=float)[:, None]

    def reached(self, spent: np.ndarray) -> np.ndarray:
        """Contacts of full response that `spent`, shape (cells,), buys in each cell."""
        ends = np.cumsum(self.room, axis=1)
        into = np.clip(np.asarray(spent)[:, None] - (ends - self.room), 0, self.room)
        return (into * self.per_money).sum(axis=1)


@dataclass(frozen=True)
class Limits:
    """What a plan must keep to.

    Attributes
    ----------
    most : dict of channel to share
        At most this share of the budget, 0 to 1.
    least : dict of channel to money
        At least so much, e.g. a contract already signed.
    reach : dict of segment to contacts
        At least so many contacts bought, at whatever response.
    """

    most: Mapping[str, float] = field(default_factory=dict)
    least: Mapping[str, float] = field(default_factory=dict)
    reach: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Where the money goes.

    Attributes
    ----------
    name : str
    spent : numpy.ndarray
        Money by cell, shape (cells,).
    reached : numpy.ndarray
        Contacts of full response by cell, shape (cells,).
    next_unit : float
        Buyers that one more unit of budget would bring by the rates planned with (the budget's
        dual); not a number for plans that look at no rates.
    """

    name: str
    spent: np.ndarray
    reached: np.ndarray
    next_unit: float = float("nan")

    def buyers(self, rate: np.ndarray) -> np.ndarray:
        """Expected buyers at `rate` of shape (cells,), or of each draw at (cells, draws)."""
        return self.reached @ np.asarray(rate)


def priced(cells: pd.DataFrame, path: Path | str = PRICES) -> Market:
    """`cells` with the prices and steps of the file at `path`.

    Raises
    ------
    InputError
        A file that is no TOML or lacks a part; a price that is not above 0.
    """
    try:
        kept = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        steps = tuple((float(s["times"]), float(s["response"])) for s in kept["steps"])
        channel = cells.channel.map(kept["channel"]).fillna(kept["other"])
        price = channel * cells.slot.map(kept["slot"]).fillna(1.0)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as prices ({error}). Write it as {PRICES.name} in data/crm: "
            "other, [channel], [slot], [[steps]] with times and response."
        ) from error
    return Market(cells.assign(price=price.astype(float)), steps)


def allocate(
    market: Market,
    rate: np.ndarray,
    budget: float,
    limits: Limits | None = None,
    *,
    name: str = "linear programme",
) -> Plan:
    """The plan that brings most buyers at `rate` for `budget` and keeps to `limits`.

    Parameters
    ----------
    market : Market
    rate : array of float, shape (cells,)
        Buyers a contact, 0 to 1.
    budget : float
        Money, above 0; what is not worth spending (nothing left to buy) stays.
    limits : Limits, optional
    name : str

    Raises
    ------
    InputError
        A wrong rate or budget, limits on channels or segments that the market lacks; or limits
        that no plan can keep, each with what it lacks, and the least budget that would do.
    """
    limits = limits or Limits()
    rate = np.asarray(rate, dtype=float)
    _refuse(market, rate, budget, limits)
    rows, bounds, names = _rows(market, budget, limits)
    gain = (market.per_money * rate[:, None]).ravel()
    found = _solve(-gain, rows, bounds, market.room.ravel())
    if found.status == 2:
        raise InputError(_why_not(market, rows, bounds, names, budget))
    if found.status != 0:
        raise InputError(f"the budget could not be allocated: {found.message}")
    spent = found.x.reshape(market.room.shape).sum(axis=1)
    return Plan(name, spent, market.reached(spent), -float(found.ineqlin.marginals[0]))


def equal(market: Market, budget: float) -> Plan:
    """As much money for every cell; what a full cell cannot take goes to the others alike."""
    return _filled("equal", market, budget, np.ones(len(market.cells)))


def proportional(market: Market, budget: float) -> Plan:
    """Money by the contacts that the log shows; what a full cell cannot take goes to the others."""
    weight = (market.cells.contacts * market.cells.price).to_numpy(dtype=float)
    return _filled("proportional", market, budget, weight)


def _filled(name: str, market: Market, budget: float, weight: np.ndarray) -> Plan:
    room = market.room.sum(axis=1)
    spent, left = np.zeros(len(room)), min(budget, room.sum())
    while left > _TIGHT * budget:
        open_cells = room - spent > _TIGHT * room
        share = np.where(open_cells, weight, 0.0)
        add = np.minimum(left * share / share.sum(), room - spent)
        spent, left = spent + add, left - add.sum()
    return Plan(name, spent, market.reached(spent))


def _refuse(market: Market, rate: np.ndarray, budget: float, limits: Limits) -> None:
    problems = []
    if rate.shape != (len(market.cells),) or not ((rate >= 0) & (rate <= 1)).all():
        problems.append(Problem("rate: not one of 0 to 1 for each cell", "Estimate with shrunk."))
    if not 0 < budget < np.inf:
        problems.append(Problem(f"budget: {budget}", "Give an amount above 0."))
    for kind, values, top in (
        ("channel", limits.most, 1.0), ("channel", limits.least, np.inf),
        ("segment", limits.reach, np.inf),
    ):  # fmt: skip
        known = sorted(set(market.cells[kind]))
        for name, value in values.items():
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1, 0.0)
                fix = f"Did you mean {near[0]!r}? There are: {', '.join(known)}."
                problems.append(Problem(f"limits: no {kind} {name!r}", fix))
            if not 0 <= value <= top:
                problems.append(Problem(f"limits: {name} {value}", f"Give 0 to {top:g}."))
    if problems:
        raise InputError(problems)


def _rows(
    market: Market, budget: float, limits: Limits
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The limits as rows A x <= b over (cell, step), the budget first, and each in words."""
    steps = market.room.shape[1]
    contacts = np.repeat(1 / market.cells.price.to_numpy(dtype=float), steps)
    of = {kind: np.repeat(market.cells[kind].to_numpy(), steps) for kind in ("channel", "segment")}
    rows, bounds, names = [np.ones(market.room.size)], [budget], [f"the budget of {budget:,.0f}"]
    for name, share in limits.most.items():
        rows.append((of["channel"] == name).astype(float))
        bounds.append(share * budget)
        names.append(f"at most {share:.0%} of the budget for channel {name}")
    for name, money in limits.least.items():
        rows.append(-(of["channel"] == name).astype(float))
        bounds.append(-money)
        names.append(f"at least {money:,.0f} for channel {name}")
    for name, count in limits.reach.items():
        rows.append(-(of["segment"] == name).astype(float) * contacts)
        bounds.append(-count)
        names.append(f"at least {count:,.0f} contacts with segment {name}")
    return np.array(rows), np.array(bounds), names


def _solve(cost: np.ndarray, rows: np.ndarray, bounds: Sequence[float], room: np.ndarray):
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    limits = np.column_stack([np.zeros(len(cost)), room])
    return linprog(
        cost, A_ub=csr_array(rows), b_ub=bounds, bounds=limits, method="highs",
        # looking for columns to drop grows with their square and finds none: a minute at 30,000
        options={"presolve": False},
    )  # fmt: skip


def _why_not(
    market: Market, rows: np.ndarray, bounds: np.ndarray, names: list[str], budget: float
) -> list[Problem]:
    """The limits that stand in the way: the least by which they would have to give, and a budget.

    Each limit may be broken at a cost; a limit that is broken in the cheapest way out is named.
    """
    room = market.room.ravel()
    # each limit counts by its own size, so that contacts and money can be compared
    size = np.maximum(np.abs(bounds), 1.0)
    slack = _solve(
        np.concatenate([np.zeros(len(room)), 1 / size]),
        np.hstack([rows, -np.eye(len(rows))]), bounds,
        np.concatenate([room, np.full(len(rows), np.inf)]),
    ).x[len(room) :]  # fmt: skip
    problems = [
        Problem(
            f"no plan can keep {names[i]} together with the other limits: it lacks {slack[i]:,.1f}",
            "Loosen this limit, or those against it.",
        )
        for i in np.flatnonzero(slack > _TIGHT * size)
    ]
    # the least budget: minimise money under the limits that do not speak of the budget
    fixed = [i for i, name in enumerate(names) if name.startswith("at least")]
    least = _solve(np.ones(len(room)), rows[fixed], bounds[fixed], room) if fixed else None
    if least is not None and least.status == 0 and least.fun > budget:
        text = f"the least amounts together need a budget of {least.fun:,.1f}"
        problems.append(Problem(text, f"{budget:,.1f} is given; raise it or lower them."))
    return problems
