"""Rules played over a run's moments: whom they speak to, and what makes them pay (chapter 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.simulate import uniform
from precmark.strategy.rules import Rulebook, met

if TYPE_CHECKING:
    from precmark.runs import Run

MARGIN = 0.3
"""Profit on an order's value before the offer; an assumption, as in chapters 07 and 08."""

RETURN_DAYS = 30
"""Days within which a purchase answers a moment of a real log."""

STATUSES = ("offered", "held out", "capped", "not triggered", "no rule")
"""What becomes of a moment."""

_US_A_DAY = 86_400e6


def moments_of(run: Run) -> pd.DataFrame:
    """The moments at which a rule may act, each with what was known of the user before it.

    On a simulated store with its truth kept: the decisions (the third click of a visit without
    a purchase so far). Elsewhere: every :data:`RETURN_DAYS` days, for every user seen before, as
    long as the log sees the days after.

    Parameters
    ----------
    run : Run

    Returns
    -------
    pandas.DataFrame
        In time order: ``user_code``, ``timestamp`` (UTC), the fields of
        :data:`precmark.strategy.rules.FIELDS`, ``bought`` (0 or 1: the outcome), and
        ``decision_id`` where the moments are decisions.
    """
    column = "revenue" if "prices" in run.source.says else "purchases"
    visits = run.table("sessions/sessions", ["user_code", "start", "end", "purchases", column])
    visits = visits.loc[:, ~visits.columns.duplicated()].sort_values(["start", "user_code"])
    visits = visits.assign(money=visits[column].astype(float)).reset_index(drop=True)
    path = run.truth / "decisions.parquet"
    if path.exists():
        moments = pd.read_parquet(path)[["user_code", "timestamp", "decision_id", "y0"]]
        moments = moments.rename(columns={"y0": "bought"}).astype({"bought": int})
    else:
        moments = _every_month(visits)
    moments = moments.sort_values(["timestamp", "user_code"], ignore_index=True)
    known = _known(moments, visits)
    local = moments.timestamp.dt.tz_convert(run.source.timezone)
    return pd.concat([moments, known.assign(hour=local.dt.hour)], axis=1)


def _every_month(visits: pd.DataFrame) -> pd.DataFrame:
    """Everyone seen so far at instants 30 days apart, and whether they buy in the 30 days after."""
    step = pd.Timedelta(days=RETURN_DAYS)
    first_end = visits.groupby("user_code").end.min().rename("first").reset_index()
    rows = []
    for at in pd.date_range(visits.end.min() + step, visits.end.max() - step, freq=step):
        after = (visits.purchases > 0) & (visits.start > at) & (visits.start <= at + step)
        seen = first_end.loc[first_end["first"] <= at, ["user_code"]]
        buying = seen.user_code.isin(visits.user_code[after]).astype(int)
        rows.append(seen.assign(timestamp=at, bought=buying))
    empty = visits[["user_code"]].iloc[:0].assign(timestamp=visits.end.iloc[:0], bought=0)
    return pd.concat([empty, *rows], ignore_index=True)


def _known(moments: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """What the visits that ended before each moment tell; the moment's own visit is not among them.

    A visit counts from its end on, so the one under way at a decision tells nothing yet.
    """
    done = visits.sort_values("end")
    by = done.groupby("user_code")
    bought = done.purchases > 0
    state = pd.DataFrame(
        {
            "user_code": done.user_code,
            "end": done.end,
            "visits_before": by.cumcount() + 1,
            "purchases_before": bought.groupby(done.user_code).cumsum().astype(int),
            "spent": by.money.cumsum(),
            "last_visit": done.end,
            "last_purchase": done.end.where(bought).groupby(done.user_code).ffill(),
        }
    )
    joined = pd.merge_asof(
        moments[["user_code", "timestamp"]], state, by="user_code",
        left_on="timestamp", right_on="end", direction="backward",
    )  # fmt: skip
    basket = visits.loc[visits.purchases > 0, "money"].mean()
    out = pd.DataFrame(
        {
            "visits_before": joined.visits_before.fillna(0),
            "purchases_before": joined.purchases_before.fillna(0),
            "baskets_before": joined.spent.fillna(0) / basket,
        }
    )
    for name in ("visit", "purchase"):
        gap = joined.timestamp - joined[f"last_{name}"]
        out[f"days_since_{name}"] = gap.dt.total_seconds() / 86_400
    return out


def play(moments: pd.DataFrame, book: Rulebook, *, seed: int = 0) -> pd.DataFrame:
    """What the rules do at every moment, in time order.

    Parameters
    ----------
    moments : pandas.DataFrame
        From :func:`moments_of`: sorted by ``timestamp``.
    book : Rulebook
    seed : int
        Of the holdout, which is drawn by user and rule and so stays the same.

    Returns
    -------
    pandas.DataFrame
        The moments with ``segment``; ``rule`` (the first rule of the segment whose trigger holds;
        "" where none); ``status``, one of :data:`STATUSES`. A user whom any rule has made an offer
        is capped until the asking rule's cap has passed; held-out users are capped alike, as if
        they had been given the offer, so that both groups hold the same kind of moments.
    """
    segment = book.segment(moments)
    rule, status = np.full(len(moments), -1), np.full(len(moments), "no rule", dtype=object)
    for i, r in reversed(list(enumerate(book.rules))):
        mine = segment == r.segment
        holds = mine & met(r.trigger, moments)
        status[mine & (rule < 0)] = "not triggered"
        rule[holds] = i
    code = moments.user_code.to_numpy().astype(np.uint64)
    out = np.zeros(len(moments), dtype=bool)
    for i, r in enumerate(book.rules):
        out |= (rule == i) & (uniform(seed, 0, code, f"holdout {r.name}") < r.holdout)
    at = moments.timestamp.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    asking = np.flatnonzero(rule >= 0)
    caps = np.array([r.cap_days * _US_A_DAY for r in book.rules])[rule[asking]]
    free = _free(code[asking].tolist(), at[asking].tolist(), caps.tolist())
    status[asking] = np.where(free, np.where(out[asking], "held out", "offered"), "capped")
    names = np.array([*(r.name for r in book.rules), ""], dtype=object)
    return moments.assign(segment=segment, rule=names[rule], status=status)


def _free(users: list[int], at: list[int], caps: list[float]) -> list[bool]:
    """Whether each asking moment, in time order, comes after the user's last offer's cap."""
    last: dict[int, float] = {}
    free = []
    for user, now, cap in zip(users, at, caps, strict=True):
        good = now - last.get(user, -np.inf) >= cap
        if good:
            last[user] = now
        free.append(good)
    return free


def reach(played: pd.DataFrame, book: Rulebook, *, margin: float = MARGIN) -> pd.DataFrame:
    """Whom each rule speaks to, and the effect at which it pays for itself.

    Parameters
    ----------
    played : pandas.DataFrame
        From :func:`play`.
    book : Rulebook
    margin : float
        Profit on an order's value before the offer, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        A row a rule: ``rule``, ``segment``, ``moments`` (of the segment), ``triggered``,
        ``capped``, ``held_out``, ``offers``, ``users`` (with an offer), ``base`` (share of the
        held-out and offered that buys without an offer, 0 to 1), ``break_even`` (rise of that
        share, in points of probability, at which the profit is 0 where every buyer uses the offer:
        base worth / (margin - worth), infinite where the worth eats the margin).
    """
    rows = []
    for r in book.rules:
        mine = played[played.rule == r.name]
        asked = mine[mine.status.isin(["offered", "held out"])]
        base = asked.bought.mean() if len(asked) else np.nan
        count = mine.status.value_counts()
        rows.append(
            {
                "rule": r.name, "segment": r.segment,
                "moments": int((played.segment == r.segment).sum()), "triggered": len(mine),
                "capped": int(count.get("capped", 0)), "held_out": int(count.get("held out", 0)),
                "offers": int(count.get("offered", 0)),
                "users": mine.user_code[mine.status == "offered"].nunique(), "base": base,
                "break_even": base * r.worth / (margin - r.worth) if margin > r.worth else np.inf,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
