"""Rules of customer relationship as data: segments, triggers, offers, caps, holdouts (chapter 14).

A rules file is TOML (``data/crm/rules.toml`` explains it); it names fields and bounds and holds no
code. Everything wrong with a file is told at once.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem

RULES = Path(__file__).resolve().parents[2] / "data" / "crm" / "rules.toml"

FIELDS = (
    "visits_before", "purchases_before", "baskets_before", "days_since_visit",
    "days_since_purchase", "hour",
)  # fmt: skip
"""What a condition may ask of a moment."""

KINDS = ("coupon", "points")
"""A coupon takes its worth off the lines of one category, points off the whole order."""

_BOUNDS = ("at_least", "below")


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    name, segment : str
    trigger : mapping of field to {"at_least": number, "below": number}
        All must hold; an empty one always does.
    kind : str
        One of :data:`KINDS`.
    worth : float
        Share of the price, in (0, 1).
    cap_days : float
        Days from any offer to a user until this rule may make the next; 0 or more.
    holdout : float
        Share of the users to whom the rule never speaks, in [0, 1).
    """

    name: str
    segment: str
    trigger: Mapping[str, Mapping[str, float]]
    kind: str
    worth: float
    cap_days: float
    holdout: float


@dataclass(frozen=True)
class Rulebook:
    """Segments, the first that holds counts, and rules, the first that acts counts.

    Attributes
    ----------
    segments : tuple of (name, conditions)
    rules : tuple of Rule
    """

    segments: tuple[tuple[str, Mapping[str, Mapping[str, float]]], ...]
    rules: tuple[Rule, ...]

    def segment(self, moments: pd.DataFrame) -> np.ndarray:
        """The segment of every moment (text); "none" where no segment's conditions hold."""
        holds = [met(where, moments) for _, where in self.segments]
        return np.select(holds, [name for name, _ in self.segments], default="none").astype(str)

    def table(self) -> pd.DataFrame:
        """The rules in words, a row a rule.

        Columns: ``rule``, ``segment``, ``who``, ``trigger``, ``offer``, ``cap``, ``holdout``.
        """
        who = {name: in_words(where) for name, where in self.segments}
        rows = [
            {
                "rule": r.name, "segment": r.segment, "who": who[r.segment],
                "trigger": in_words(r.trigger), "offer": f"{r.kind}, {r.worth:.0%}",
                "cap": f"one in {r.cap_days:g} days", "holdout": f"{r.holdout:.0%}",
            }
            for r in self.rules
        ]  # fmt: skip
        return pd.DataFrame(rows)


def met(where: Mapping[str, Mapping[str, float]], moments: pd.DataFrame) -> np.ndarray:
    """Whether all conditions hold, shape (moments,); none holds for a missing number."""
    good = np.ones(len(moments), dtype=bool)
    for name, bounds in where.items():
        value = moments[name].to_numpy(dtype=float)
        good &= (value >= bounds.get("at_least", -np.inf)) & (value < bounds.get("below", np.inf))
    return good


def in_words(where: Mapping[str, Mapping[str, float]]) -> str:
    """Conditions as a reader says them; "always" where there is none."""
    said = {"at_least": "at least", "below": "below"}
    parts = [
        f"{name.replace('_', ' ')} {said[bound]} {value:g}"
        for name, bounds in where.items()
        for bound, value in bounds.items()
    ]
    return ", ".join(parts) or "always"


def load_rules(path: Path | str = RULES) -> Rulebook:
    """The rules of the file at `path`.

    Raises
    ------
    InputError
        A file that cannot be read or is no TOML; unknown keys, fields, bounds, segments and kinds;
        numbers outside their range; a name twice. All listed at once.
    """
    try:
        kept = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        text = f"{path}: cannot be read as rules ({error}). Write it as data/crm/rules.toml."
        raise InputError(text) from error
    return rulebook(kept)


def rulebook(kept: Mapping[str, Any]) -> Rulebook:
    """The rules of a parsed file; see :func:`load_rules` for the errors."""
    problems: list[Problem] = []
    segments = _entries(kept, "segments", {"name", "where"}, problems)
    names = [str(s["name"]) for s in segments]
    for s in segments:
        problems += _condition_problems(f"segment {s['name']!r}", s["where"])
    rules = _entries(
        kept, "rules", {"name", "segment", "trigger", "offer", "cap_days", "holdout"}, problems
    )
    for r in rules:
        problems += _rule_problems(r, names)
    if problems:
        raise InputError(problems)
    return Rulebook(
        tuple((s["name"], s["where"]) for s in segments),
        tuple(
            Rule(r["name"], r["segment"], r["trigger"], r["offer"]["kind"],
                 float(r["offer"]["worth"]), float(r["cap_days"]), float(r["holdout"]))
            for r in rules
        ),
    )  # fmt: skip


def _entries(
    kept: Mapping[str, Any], part: str, keys: set[str], problems: list[Problem]
) -> list[Mapping[str, Any]]:
    """The complete entries of `part`; what is wrong with the others goes to `problems`."""
    entries = kept.get(part)
    if not isinstance(entries, list) or not entries:
        problems.append(Problem(f"no [[{part}]]", f"Write one or more, each with {sorted(keys)}."))
        return []
    good, seen = [], set()
    for i, entry in enumerate(entries, 1):
        given = set(entry) if isinstance(entry, dict) else set()
        name = entry.get("name", i) if given else i
        for key in sorted(keys - given):
            problems.append(Problem(f"{part} {name!r}: no {key}", "Add it."))
        for key in sorted(given - keys):
            fix = f"Use {', '.join(sorted(keys))}."
            problems.append(Problem(f"{part} {name!r}: {key!r} is not known", fix))
        if name in seen:
            problems.append(Problem(f"{part}: {name!r} stands twice", "Give each its own name."))
        seen.add(name)
        if keys <= given:
            good.append(entry)
    return good


def _rule_problems(rule: Mapping[str, Any], segments: Sequence[str]) -> list[Problem]:
    what = f"rule {rule['name']!r}"
    problems = _condition_problems(what, rule["trigger"])
    if rule["segment"] not in segments:
        near = difflib.get_close_matches(str(rule["segment"]), segments, 1, 0.0)
        fix = (f"Did you mean {near[0]!r}? " if near else "") + f"There are: {', '.join(segments)}."
        problems.append(Problem(f"{what}: there is no segment {rule['segment']!r}", fix))
    offer = rule["offer"] if isinstance(rule["offer"], dict) else {}
    if offer.get("kind") not in KINDS:
        problems.append(
            Problem(f"{what}: offer of kind {offer.get('kind')!r}", f"Use {' or '.join(KINDS)}.")
        )
    for name, value, low, high in (
        ("worth", offer.get("worth"), 0, 1), ("holdout", rule["holdout"], -1e-12, 1),
        ("cap_days", rule["cap_days"], -1e-12, np.inf),
    ):  # fmt: skip
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not low < value < high:
            fix = "Give a share of the price between 0 and 1." if name == "worth" else (
                "Give a share from 0 to below 1." if name == "holdout" else "Give 0 days or more."
            )  # fmt: skip
            problems.append(Problem(f"{what}: {name} {value!r}", fix))
    return problems


def _condition_problems(what: str, where: Any) -> list[Problem]:
    if not isinstance(where, dict):
        return [Problem(f"{what}: conditions {where!r}", "Write {} or { field = { below = 3 } }.")]
    problems = []
    for name, bounds in where.items():
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, 1, 0.0)[0]
            problems.append(
                Problem(f"{what}: no field {name!r}",
                        f"Did you mean {near!r}? Use {', '.join(FIELDS)}.")
            )  # fmt: skip
        wrong = not isinstance(bounds, dict) or not bounds or set(bounds) - set(_BOUNDS)
        if wrong or any(isinstance(v, bool) or not isinstance(v, (int, float))
                        for v in bounds.values()):  # fmt: skip
            fix = "Use at_least and below with numbers."
            problems.append(Problem(f"{what}: {name} {bounds!r}", fix))
    return problems
