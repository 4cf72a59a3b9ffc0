"""Three sheets out of one log, as three departments would keep them, with their mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.simulate.draws import stream
from precmark.strategy.people import FIELDS, identities

if TYPE_CHECKING:
    from precmark.runs import Run

SOURCES = ("web", "orders", "calls")
"""Web accounts, order book, call-centre sheet."""

TITLES = {"web": "web accounts", "orders": "order book", "calls": "call-centre sheet"}

KNOWN = {
    "web": {"name": 0.7, "email": 1.0, "phone": 0.35, "birth_year": 0.5, "gender": 0.5,
            "town": 0.3},
    "orders": {"name": 1.0, "email": 0.6, "phone": 0.9, "birth_year": 0.0, "gender": 0.0,
               "town": 1.0},
    "calls": {"name": 0.95, "email": 0.2, "phone": 0.85, "birth_year": 0.4, "gender": 0.9,
              "town": 0.6},
}  # fmt: skip
"""Share of a sheet's rows on which a field is filled in."""

SLIPS = {
    "name typo": 0.12, "names swapped": 0.08, "letter case": 0.15, "phone format": 0.30,
    "phone digit": 0.04, "household phone": 0.03, "email typo": 0.03, "email changed": 0.06,
    "birth year wrong": 0.05, "gender wrong": 0.02, "town moved": 0.05, "entered twice": 0.05,
    "row copied": 0.03,
}  # fmt: skip
"""Share of the rows (of the filled fields) that each mistake befalls, in every sheet alike."""

CALLERS = 0.12
"""Share of the users who once called."""

ACCOUNTS = 0.7
"""Share of the users with a web account where a log holds no page views to tell."""

MONEY_SLIP, MONEY_GONE = 0.015, 0.02
"""Share of the order book's rows with the decimal point two places off, and without an amount."""

MOST_USERS = 12_000
"""Most users whose sheets are made: a sample of them where the log has more."""


@dataclass(frozen=True)
class Sheets:
    """The three sources, stacked.

    Attributes
    ----------
    records : pandas.DataFrame
        ``record`` (e.g. ``w00012``), ``source``, :data:`~precmark.strategy.people.FIELDS` (text,
        missing where not filled in), ``day`` (of the row's last change, UTC), ``visits``,
        ``orders``, ``spend`` (money as written, missing where not), ``calls``.
    truth : pandas.DataFrame
        Same order: ``record``, ``user_code``, ``spend`` (as it was), ``slip`` (whether the amount
        was misplaced). No matching or cleaning reads it; only what judges them does.
    people : pandas.DataFrame
        The identities behind, a row a ``user_code``.
    """

    records: pd.DataFrame
    truth: pd.DataFrame
    people: pd.DataFrame


def split_sources(run: Run, *, seed: int = 0, most_users: int = MOST_USERS) -> Sheets:
    """The log of `run` as a web-account list, an order book and a call-centre sheet.

    What people did is the log's own; who they are is made up
    (:func:`~precmark.strategy.people.identities`), because no log of this book names anybody. A
    user with page views has a web account (a drawn share of users where the source has no
    views), a buyer stands in the order book, and a drawn share called once. Rows are then spoilt
    by :data:`SLIPS`, each at random and independently.

    Parameters
    ----------
    run : Run
        With sessions.
    seed : int
    most_users : int
        A log with more users is sampled.

    Returns
    -------
    Sheets

    Raises
    ------
    InputError
        Where fewer than 1 user is asked for.
    """
    if most_users < 1:
        raise InputError(f"most_users: {most_users}. Give 1 or more; 12,000 take a few seconds.")
    rng = stream(seed, "strategy sources")
    facts = _facts(run.table("sessions/sessions"))
    if len(facts) > most_users:
        facts = facts.iloc[np.sort(rng.choice(len(facts), most_users, replace=False))]
    facts = facts.reset_index()
    people = identities(facts.user_code.to_numpy(), seed=seed, year=int(facts["last"].max().year))
    with_views = "views" in run.source.says
    parts = []
    for source in SOURCES:
        if source == "orders":
            inside = facts.orders.to_numpy() > 0
        elif source == "web" and with_views:
            inside = facts.visits.to_numpy() > 0
        else:
            inside = rng.random(len(facts)) < (CALLERS if source == "calls" else ACCOUNTS)
        parts.append(_sheet(source, facts[inside], people[inside], rng))
    stacked = pd.concat(parts, ignore_index=True)
    truth = stacked[["record", "user_code", "true_spend", "slip"]]
    truth = truth.rename(columns={"true_spend": "spend"})
    records = stacked.drop(columns=["user_code", "true_spend", "slip"])
    return Sheets(records, truth, people.reset_index(drop=True))


def _facts(sessions: pd.DataFrame) -> pd.DataFrame:
    """By ``user_code``: visits, orders, spend (money of orders, cancellations apart), last."""
    bought = sessions.purchased & (sessions.revenue > 0)
    by = sessions.assign(
        order=bought.astype(int), money=sessions.revenue.where(bought, 0.0)
    ).groupby("user_code")
    return pd.DataFrame(
        {"visits": by.size(), "orders": by.order.sum(), "spend": by.money.sum(),
         "last": by.start.max()}
    )  # fmt: skip


def _sheet(
    source: str, facts: pd.DataFrame, people: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """One department's rows, spoilt, with the columns that only a judge may read."""
    n = len(facts)
    twice = np.flatnonzero(rng.random(n) < SLIPS["entered twice"])
    row = np.sort(np.concatenate([np.arange(n), twice]))
    made = people[list(FIELDS)].iloc[row].reset_index(drop=True)
    for field in FIELDS:
        made.loc[rng.random(len(row)) >= KNOWN[source][field], field] = np.nan
    made = _spoilt(made, people, rng)
    mine = facts.iloc[row].reset_index(drop=True)
    late = pd.to_timedelta(rng.integers(0, 30, len(row)), unit="D")
    made["day"] = (mine["last"] - late).dt.floor("D")
    made["visits"] = mine.visits if source == "web" else 0
    made["orders"] = mine.orders if source == "orders" else 0
    made["calls"] = rng.integers(1, 4, len(row)) if source == "calls" else 0
    made["true_spend"] = mine.spend.round(2) if source == "orders" else np.nan
    slip = (rng.random(len(row)) < MONEY_SLIP) & (source == "orders")
    written = made.true_spend * np.where(slip, 100.0, 1.0)
    made["spend"] = written.mask(rng.random(len(row)) < MONEY_GONE)
    made["slip"] = slip & made.spend.notna()
    made["user_code"] = mine.user_code
    made = pd.concat([made, made[rng.random(len(made)) < SLIPS["row copied"]]], ignore_index=True)
    made.insert(0, "source", source)
    made.insert(0, "record", [f"{source[0]}{i:05d}" for i in range(len(made))])
    return made


def _spoilt(made: pd.DataFrame, people: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """`made` with every mistake of :data:`SLIPS` that touches a field."""

    def hit(mistake: str, field: str) -> np.ndarray:
        drawn = rng.random(len(made)) < SLIPS[mistake]
        return np.flatnonzero(drawn & made[field].notna().to_numpy())

    def change(field: str, rows: np.ndarray, how) -> None:
        column = made.columns.get_loc(field)
        for i in rows:
            made.iat[i, column] = how(made.iat[i, column])

    def other(field: str):
        values = people[field].to_numpy(dtype=object)
        return lambda text: values[rng.integers(len(values))]

    change("name", hit("name typo", "name"), lambda t: _typo(t, rng))
    change("name", hit("names swapped", "name"), lambda t: ", ".join(t.split(" ")[::-1]))
    change("name", hit("letter case", "name"), lambda t: f" {t.upper()}")
    change("phone", hit("household phone", "phone"), other("phone"))
    change("phone", hit("phone digit", "phone"), lambda t: _digit(t, rng))
    change("phone", hit("phone format", "phone"), lambda t: f"+86 {t[:3]}-{t[3:7]} {t[7:]}")
    change("email", hit("email changed", "email"), lambda t: f"new{t}")
    change("email", hit("email typo", "email"), lambda t: _typo(t, rng))
    change(
        "birth_year", hit("birth year wrong", "birth_year"),
        lambda t: "1900" if rng.random() < 0.4 else str(int(t) + int(rng.integers(-9, 10))),
    )  # fmt: skip
    swap = {"female": "male", "male": "female"}
    change("gender", hit("gender wrong", "gender"), swap.__getitem__)
    change("town", hit("town moved", "town"), other("town"))
    return made


def _typo(text: str, rng: np.random.Generator) -> str:
    """`text` with two neighbours exchanged, or a letter lost, doubled or replaced."""
    at = int(rng.integers(1, max(len(text) - 1, 2)))
    kind = int(rng.integers(4))
    if kind == 0 and at + 1 < len(text):
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at - 1] + text[at:]
    return text[:at] + "aeiours"[int(rng.integers(7))] + text[at + 1 :]


def _digit(text: str, rng: np.random.Generator) -> str:
    """`text` with one digit replaced by another."""
    at = int(rng.integers(len(text)))
    digit = (int(text[at]) + int(rng.integers(1, 10))) % 10
    return f"{text[:at]}{digit}{text[at + 1 :]}"


def sheet_table(sheets: Sheets) -> pd.DataFrame:
    """Each sheet's size and how many of its rows fill in each field: shares from 0 to 1."""
    records = sheets.records
    there = [s for s in SOURCES if (records.source == s).any()]
    filled = records[list(FIELDS)].notna().groupby(records.source).mean().loc[there]
    rows = records.source.value_counts().loc[there]
    made = filled.rename(columns=lambda c: c.replace("_", " ")).reset_index(drop=True)
    made.insert(0, "rows", rows.to_numpy())
    made.insert(0, "sheet", [TITLES[s] for s in there])
    return made
