"""What assignments at random show by themselves, and what is wrong with a table that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.store import coupon_contrast

CONTROL = "none"
"""The arm that gets nothing."""

_NEEDED = ("arm", "propensity", "outcome")
_USERS = ("user_code", "user_id")


def check_assignments(frame: pd.DataFrame | None, *, discount: float | None = None) -> pd.DataFrame:
    """`frame` where effects can be estimated from it; everything that is wrong with it otherwise.

    Parameters
    ----------
    frame : pandas.DataFrame or None
        The contract's assignments, n rows: ``arm`` (:data:`CONTROL` or another), ``propensity``
        (chance of the arm, and category, that was given; above 0, at most 1), ``outcome`` (0 or 1),
        ``user_code`` or ``user_id``; ``discount`` (share, in [0, 1)) and ``category`` where there.
    discount : float, optional
        The coupon's discount where the table has no such column, in [0, 1).

    Returns
    -------
    pandas.DataFrame
        `frame` itself.

    Raises
    ------
    InputError
        No table or no rows; missing columns; one arm only; a propensity that is missing, 0, below
        it or above 1; an outcome other than 0 and 1; a discount outside [0, 1): all of them.
    """
    if frame is None:
        raise InputError(
            "there is no assignments table. Give --assignments FILES with the coupons that were "
            "given at random: who, when, which arm, with which propensity, and the outcome."
        )
    problems = [
        Problem(f"assignments.{name}: missing", "Add the column.")
        for name in _NEEDED
        if name not in frame
    ]
    if not any(name in frame for name in _USERS):
        problems.append(Problem("assignments.user_id: missing", "Add the column."))
    if not len(frame):
        problems.append(Problem("assignments: no rows", "Give the decisions with their arms."))
    elif "arm" in frame:
        problems += _arm_problems(frame["arm"])
    problems += _value_problems(frame, discount)
    if problems:
        raise InputError(problems)
    return frame


def _arm_problems(arm: pd.Series) -> list[Problem]:
    problems = _bad_rows(arm.isna(), "assignments.arm: missing", "Name the arm of each row.", arm)
    arms = sorted(arm.dropna().astype(str).unique())
    if len(arms) == 1:
        what = f"assignments: one arm only, {arms[0]!r}"
        problems.append(Problem(what, "An effect needs rows of two arms or more."))
    elif CONTROL not in arms:
        what = f"assignments: no arm {CONTROL!r} among {', '.join(arms[:5])}"
        problems.append(Problem(what, f"Call the arm that got nothing {CONTROL!r}."))
    return problems


def _value_problems(frame: pd.DataFrame, discount: float | None) -> list[Problem]:
    problems: list[Problem] = []
    if "propensity" in frame:
        p = pd.to_numeric(frame["propensity"], errors="coerce")
        fix = "Give the chance with which each row's arm was drawn, above 0 and at most 1."
        for wrong, said in (
            (p.isna(), "missing or not a number"),
            (p <= 0, "0 or less, so that the row could not have been drawn"),
            (p > 1, "above 1"),
        ):
            problems += _bad_rows(wrong, f"assignments.propensity: {said}", fix, frame.propensity)
    if "outcome" in frame:
        y = pd.to_numeric(frame["outcome"], errors="coerce")
        fix = "Write 1 where the good outcome came, else 0."
        problems += _bad_rows(
            ~y.isin([0, 1]), "assignments.outcome: not 0 or 1", fix, frame.outcome
        )
    fix = "Write 15 % as 0.15."
    if "discount" in frame:
        d = pd.to_numeric(frame["discount"], errors="coerce")
        wrong = frame["discount"].notna() & ~((d >= 0) & (d < 1))
        said = "assignments.discount: outside [0, 1)"
        problems += _bad_rows(wrong, said, fix, frame.discount)
    if discount is not None and not 0 <= discount < 1:
        problems.append(Problem(f"discount: {discount} is outside [0, 1)", fix))
    return problems


def _bad_rows(wrong: pd.Series, what: str, fix: str, values: pd.Series) -> list[Problem]:
    at = np.flatnonzero(wrong.to_numpy(dtype=bool))
    if not len(at):
        return []
    first: Sequence[int] = tuple(int(row) + 1 for row in at[:5])
    sample = values.iloc[at[0]]
    return [Problem(what, fix, len(at), first, None if pd.isna(sample) else str(sample))]


@dataclass(frozen=True)
class Randomised:
    """What an arm at random shows against nothing.

    Attributes
    ----------
    table : pandas.DataFrame
        Two rows an arm, ``estimator`` "difference in means" and "inverse propensity" (weights of
        one over the propensity, normalised within the arm): ``arm``, ``treated`` and ``control``
        (rates of the outcome), ``effect`` (difference), ``low``, ``high`` (95 %, clustered by
        user), ``n_treated``, ``n_control``, ``users``, ``needed`` (treated rows, at the same
        share, with which an effect of `aim` would be told from 0 four times in five).
    aim : float
    """

    table: pd.DataFrame
    aim: float


def randomised_effect(assignments: pd.DataFrame | None, *, aim: float = 0.01) -> Randomised:
    """The average effect of each arm of an experiment against its arm ``none``.

    The difference in means answers for the mixture that was drawn; weights of one over the
    propensity answer for everybody alike where some were drawn with another chance. Both agree
    where every row had the same chance.

    Parameters
    ----------
    assignments : pandas.DataFrame
        See :func:`check_assignments`.
    aim : float
        Size of an effect that one would want to find, above 0.

    Raises
    ------
    InputError
        See :func:`check_assignments`.

    References
    ----------
    Hajek's ratio estimator: Imbens and Rubin, Causal Inference for Statistics, Social, and
    Biomedical Sciences, 2015, doi 10.1017/CBO9781139025751, sections 6 and 12.
    """
    frame = check_assignments(assignments)
    who = next(name for name in _USERS if name in frame)
    arm = frame["arm"].astype(str)
    rows = []
    for name in sorted(set(arm) - {CONTROL}):
        both = frame[arm.isin([name, CONTROL])]
        shown = (both["arm"] != CONTROL).to_numpy()
        for estimator in ("difference in means", "inverse propensity"):
            even = estimator == "difference in means"
            weighted = both.assign(propensity=1.0) if even else both
            c = coupon_contrast(weighted, aim)
            rows.append(
                {
                    "arm": name, "estimator": estimator, "treated": c.with_coupon,
                    "control": c.without, "effect": c.difference, "low": c.low, "high": c.high,
                    "n_treated": int(shown.sum()), "n_control": int((~shown).sum()),
                    "users": int(both[who].nunique()), "needed": c.needed,
                }
            )  # fmt: skip
    return Randomised(pd.DataFrame(rows), aim)


def treated_share(assignments: pd.DataFrame) -> np.ndarray:
    """Chance of each row to be treated at all, whatever the category; float64 (n,), in (0, 1).

    Of a row without treatment it is one minus the row's propensity. A treated row's propensity is
    that of its category too, so its chance of any treatment is taken from the rows without: their
    chances have to agree.

    Parameters
    ----------
    assignments : pandas.DataFrame
        See :func:`check_assignments`; with both kinds of rows.

    Raises
    ------
    InputError
        When the chances of the rows without treatment differ, or are 0 or 1.
    """
    arm = assignments["arm"].astype(str).to_numpy()
    chances = 1.0 - np.unique(np.round(assignments["propensity"].to_numpy()[arm == CONTROL], 9))
    if len(chances) != 1 or not 0 < chances[0] < 1:
        raise InputError(
            Problem(
                f"assignments.propensity: {len(chances)} different chances of arm {CONTROL!r} "
                f"(from {chances.min():.3g} to {chances.max():.3g} of any coupon)",
                "The uplift learners need one chance of a coupon, above 0 and below 1.",
            )
        )
    return np.full(len(arm), chances[0])
