"""What the paper prints about its profile, and whether its own figures fit together (Table 1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from precmark.claims import claim, paper
from precmark.profiles import AgeRule
from precmark.profiles.basic import age_rule

_ROWS = Path(__file__).resolve().parents[2] / "data" / "claims" / "gu_profile_rows.csv"


@lru_cache(maxsize=1)
def paper_rows() -> pd.DataFrame:
    """The rows of the paper's Tables 1 to 3, in our words.

    Returns
    -------
    pandas.DataFrame
        ``table`` and ``row`` (from the top, from 1), ``number`` (as printed), ``asks`` (what the
        row asks for) and ``source`` (where the paper says that it comes from).
    """
    return pd.read_csv(_ROWS)


@dataclass(frozen=True)
class Share:
    """A share that Table 1 prints, and the counts that it should follow from.

    Attributes
    ----------
    id : str
        Of the claim in ``data/claims/gu.toml``.
    key : str
        Of the share among the kept figures, without ``table1.``.
    plus, minus : tuple of str
        Keys of counts that are added and taken off before dividing by all users.
    """

    id: str
    key: str
    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()


SHARES = (
    Share("gu-table1-gender-share", "gender_coverage", ("female", "male")),
    Share("gu-table1-age-share", "age_coverage", ("age_given",)),
    Share("gu-table1-valid-age-share", "age_valid_coverage", ("age_valid",)),
    Share("gu-table1-clean-age-share", "age_clean_coverage", ("age_valid",), ("age_51", "age_52")),
)
"""The shares of Table 1, rows 1 and 2."""


def printed_shares() -> pd.DataFrame:
    """Whether the shares of Table 1 follow from its counts.

    The counts carry a plus sign. At face value they are exact; read as lower bounds, each lies
    below the next number of as few digits (165,000 below 166,000), and the share lies between
    `lowest` and `highest`.

    Returns
    -------
    pandas.DataFrame
        One row a share: ``id`` (of the claim), ``share`` (in words), ``printed`` (0-1),
        ``from_counts`` (at face value),
        ``lowest``, ``highest``, ``verdict`` and ``why``.
    """
    return pd.DataFrame([_check(share) for share in SHARES])


def _check(share: Share) -> dict[str, object]:
    printed = claim("gu", f"table1.{share.key}")
    users = paper("gu", "table1.users")
    plus = [paper("gu", f"table1.{key}") for key in share.plus]
    minus = [paper("gu", f"table1.{key}") for key in share.minus]
    exact = (sum(plus) - sum(minus)) / users
    lowest = (sum(plus) - sum(v + _step(v) for v in minus)) / (users + _step(users))
    highest = (sum(v + _step(v) for v in plus) - sum(minus)) / users
    half = 0.005
    if abs(exact - printed.value) <= half:
        verdict, why = "reproduced", f"The printed counts give {exact:.4f}."
    elif lowest < printed.value + half and highest >= printed.value - half:
        verdict = "holds if assumed"
        why = (
            f"The printed counts give {exact:.4f}, which rounds to {exact:.2f}; the share holds if "
            f"they are lower bounds (then it lies from {lowest:.4f} to {highest:.4f})."
        )
    else:
        verdict = "internally inconsistent"
        why = f"The printed counts give {exact:.4f}, at most {highest:.4f} as lower bounds."
    return {
        "id": share.id, "share": printed.what, "printed": printed.value, "from_counts": exact,
        "lowest": lowest, "highest": highest, "verdict": verdict, "why": why,
    }  # fmt: skip


def _step(count: float) -> float:
    """The value of the last digit that a count shows: 1,000 for 165,000."""
    digits = str(int(count))
    return 10.0 ** (len(digits) - len(digits.rstrip("0")))


def numbering(table: int = 1) -> str:
    """How the paper numbers the rows of `table`, e.g. ``"1, 2, 3"``."""
    rows = paper_rows()
    return ", ".join(str(n) for n in rows.loc[rows.table == table, "number"])


@dataclass(frozen=True)
class PrintedAges:
    """The ages that Table 1 describes, rebuilt from what it prints.

    Attributes
    ----------
    rule : AgeRule
        What the rule of :func:`precmark.profiles.clean_age` makes of them.
    sd_years : float
        Standard deviation of the normal curve, from its height at the peak and its area.
    peak_age : int
        Years.
    """

    rule: AgeRule
    sd_years: float
    peak_age: int = 21


def printed_ages() -> PrintedAges:
    """The population of Table 1, row 2: a normal curve with the printed area and height.

    The area is the users from 8 to 60 without those aged 51 and 52; the height is the count at 21.
    For a normal curve height = area / (sd sqrt(2 pi)), which gives the standard deviation. The
    counts printed for 51 and 52 are put on top.
    """
    figure = {
        key: paper("gu", f"table1.{key}")
        for key in ("age_valid", "age_21", "age_51", "age_52", "age_given", "users")
    }
    area = figure["age_valid"] - figure["age_51"] - figure["age_52"]
    sd = area / (figure["age_21"] * np.sqrt(2 * np.pi))
    low, high = (int(paper("gu", f"table1.age_{end}")) for end in ("low", "high"))
    age = np.arange(low, high + 1)
    users = area / (sd * np.sqrt(2 * np.pi)) * np.exp(-((age - 21) ** 2) / (2 * sd**2))
    users[age == 51] += figure["age_51"]
    users[age == 52] += figure["age_52"]
    stated = pd.DataFrame({"age": age, "users": np.rint(users)})
    rule = age_rule(stated, int(figure["users"]), low=low, high=high)
    return PrintedAges(rule=rule, sd_years=float(sd))
