"""Who is predicted, and what it is worth to write to them: Tables 4 and 5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark import metrics
from precmark.claims import paper
from precmark.grid.fits import Answer
from precmark.grid.monthly_tables import paper_month
from precmark.grid.months import Monthly
from precmark.metrics.resampling import percentiles, user_weights

if TYPE_CHECKING:
    from precmark.runs import Run

AGES = ((0, 24), (25, 30), (31, 35), (36, 40), (41, 50), (51, 200))
"""Bands of Table 4 in whole years, both ends with."""

PAPER_AGES = ("0_24", "25_30", "31_35", "36_40", "41_50", "over_50", "other")
GENDERS = {"male": "man", "female": "woman", "others": "gender_other"}
"""Genders of the contract as ``data/claims/liu.toml`` names them."""

CONTACTED = 0.2
"""Share of the candidates that a campaign writes to in Table 5."""


def age_band(age: pd.Series) -> pd.Series:
    """The paper's band of each age in years; "others" where none is believed."""
    words = [f"{low}-{high}" if high < 200 else f">{low - 1}" for low, high in AGES]
    ends = [low for low, _ in AGES] + [201]
    bands = pd.cut(age, ends, right=False, labels=words)
    return bands.astype(object).where(bands.notna(), "others")


def anybody_known(known: pd.DataFrame) -> bool:
    """Whether the gender or age of any user is known; `known` as :func:`traits` gives it."""
    return bool((known != "others").any(axis=None))


def traits(run: Run) -> pd.DataFrame:
    """Gender and age band of every user, indexed by ``user_code``; "others" where unknown.

    Ages that no rule believes (a heap at one year, outside 8 to 60) count as unknown.
    """
    from precmark.profiles.basic import clean_age

    users = run.table("contract/users", ["user_code", "gender", "age"]).set_index("user_code")
    gender = users["gender"].where(users["gender"].isin(GENDERS), "others")
    return pd.DataFrame({"gender": gender, "age": age_band(clean_age(users["age"])[0])})


def table4(
    data: Monthly, answer: Answer, known: pd.DataFrame, *, draws: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Table 4: predicted users by gender and age beside all candidates and those who came.

    Parameters
    ----------
    data : Monthly
    answer : Answer
        Its test month is looked at; the threshold is the best F1 on its held-out users.
    known : pandas.DataFrame
        See :func:`traits`.
    draws, seed : int
        Of the bootstrap over users.

    Returns
    -------
    pandas.DataFrame
        ``trait`` (gender, age), ``value``, ``candidates`` and ``predicted`` (users),
        ``share_predicted`` with ``low`` and ``high``, ``share_candidates``, ``share_came`` (of
        those with the outcome), ``paper_predicted`` and ``paper_original`` (shares as printed).
    """
    limit = metrics.choose_threshold(
        data.y[answer.rows["validation"]], answer.p["validation"], "f1"
    ).value
    test = answer.rows["test"]
    chosen = answer.p["test"] >= limit
    mine = known.reindex(data.decisions["user_code"].to_numpy()[test]).fillna("others")
    weights = np.concatenate(list(user_weights(len(test), draws, seed)), axis=1)
    values = {
        "gender": dict(zip(GENDERS, GENDERS.values(), strict=True)),
        "age": dict(
            zip(
                [*age_band(pd.Series([low for low, _ in AGES], dtype=float)), "others"],
                (f"age_{band}" for band in PAPER_AGES),
                strict=True,
            )
        ),
    }
    rows = []
    for trait, named in values.items():
        here = mine[trait].to_numpy()
        for value, key in named.items():
            is_it = here == value
            drawn = ((is_it & chosen) @ weights) / np.maximum(chosen @ weights, 1)
            low, high = percentiles(drawn)
            rows.append(
                {"trait": trait, "value": value, "candidates": int(is_it.sum()),
                 "predicted": int((is_it & chosen).sum()),
                 "share_predicted": _share(is_it, chosen), "low": float(low), "high": float(high),
                 "share_candidates": float(is_it.mean()),
                 "share_came": _share(is_it, data.y[test] == 1),
                 "paper_predicted": paper("liu", f"table4.{key}_generated"),
                 "paper_original": paper("liu", f"table4.{key}_original")}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _share(what: np.ndarray, among: np.ndarray) -> float:
    return float(what[among].mean()) if among.any() else float("nan")


def distance_of_shares(table: pd.DataFrame, trait: str) -> tuple[float, float]:
    """Half the sum of the differences of both shares by `trait`, in the paper and here.

    0 where the predicted are a picture of all candidates, 1 where they have nothing in common.
    """
    rows = table[table["trait"] == trait]
    printed = (rows["paper_predicted"] - rows["paper_original"]).abs().sum() / 2
    ours = (rows["share_predicted"] - rows["share_candidates"]).abs().sum() / 2
    return float(printed), float(ours)


def table5(
    data: Monthly,
    answers: Sequence[Answer],
    model: str,
    *,
    share: float = CONTACTED,
    draws: int = 300,
    seed: int = 0,
) -> pd.DataFrame:
    """Table 5: writing to the candidates with the highest score, against as many at random.

    Nobody was sent anything: what is compared is who would have been written to. It says nothing of
    what a message does.

    Parameters
    ----------
    data, draws, seed
        See :func:`~precmark.grid.monthly_tables.table1`.
    answers : sequence of Answer
        To :func:`~precmark.grid.fits.growing_asks`.
    model : str
    share : float
        Of the candidates of a month who are written to, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        One row a predicted month: ``month``, ``paper_month`` (1 to 12 in the calendar),
        ``contacted``, ``precision`` with ``low`` and ``high`` and ``general`` (share of the
        written-to with the outcome; at random it is the rate of all), ``lift``,
        ``precision_money`` and ``general_money`` (spent in the month, a contact), and
        ``paper_precision``, ``paper_general`` (an income without a unit).
    """
    rows = []
    for a in (a for a in answers if a.ask.model == model):
        test = a.rows["test"]
        y, spent = data.y[test].astype(float), data.spent[test]
        order = np.argsort(-a.p["test"], kind="stable")
        top = np.zeros(len(test), bool)
        top[order[: max(1, round(share * len(test)))]] = True
        weights = np.concatenate(list(user_weights(len(test), draws, seed)), axis=1)
        low, high = percentiles(((y * top) @ weights) / np.maximum(top @ weights, 1))
        calendar = int(data.months[a.ask.test][-2:])
        rows.append(
            {"month": data.months[a.ask.test], "paper_month": calendar,
             "number": paper_month(data, a.ask.test), "contacted": int(top.sum()),
             "precision": float(y[top].mean()), "low": float(low), "high": float(high),
             "general": float(y.mean()), "lift": float(y[top].mean() / y.mean()),
             "precision_money": float(spent[top].mean()), "general_money": float(spent.mean()),
             "paper_precision": paper("liu", f"table5.precision_{calendar}"),
             "paper_general": paper("liu", f"table5.general_{calendar}")}
        )  # fmt: skip
    return pd.DataFrame(rows)


def table5_text(table: pd.DataFrame) -> pd.DataFrame:
    """Table 5 for readers: all twelve months of the paper, ours beside those that the log has."""
    ours = {r.paper_month: r for r in table.itertuples()}
    rows = []
    for month in range(1, 13):
        printed = [paper("liu", f"table5.{kind}_{month}") for kind in ("precision", "general")]
        line = {
            "paper's month": month, "precision, paper": f"{printed[0]:.2f}",
            "general, paper": f"{printed[1]:.2f}",
            "ratio, paper": f"{printed[0] / printed[1]:.2f}",
        }  # fmt: skip
        r = ours.get(month)
        if r is None:
            line |= {"our month": "not predicted: no month before it trains, or not in the log"}
        else:
            line |= {
                "our month": r.month, "precision, ours": f"{r.precision:.3f} "
                f"[{r.low:.3f}, {r.high:.3f}]", "general, ours": f"{r.general:.3f}",
                "ratio, ours": f"{r.lift:.2f}",
            }  # fmt: skip
        rows.append(line)
    return pd.DataFrame(rows).fillna("")
