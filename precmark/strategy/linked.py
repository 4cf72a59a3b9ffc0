"""How right a matching is, and the one row a customer that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.recommend.measures import resampled
from precmark.strategy import matching
from precmark.strategy.people import FIELDS
from precmark.strategy.sources import SOURCES, TITLES

if TYPE_CHECKING:
    from precmark.strategy.sources import Sheets

WAYS = {
    "email": "same e-mail",
    "phone": "same phone",
    "name": "same name",
    "any key": "same e-mail or phone",
    "weights": "weights of all fields",
}
"""Ways to match, in words."""

TRUST = ("orders", "calls", "web")
"""Sheets in the order in which their values are believed."""

RULES = {
    "trusted": "the most trusted sheet",
    "latest": "the latest row",
    "common": "the commonest value",
}
"""Which of several values is kept, in words."""


@dataclass(frozen=True)
class Matching:
    """One matching of stacked records.

    Attributes
    ----------
    records : pandas.DataFrame
        Normalised.
    pairs : numpy.ndarray
        (pairs, 2) candidates.
    posterior : numpy.ndarray
        (pairs,) chance that a pair is one person.
    weights : Weights
    blocks : pandas.DataFrame
        See :func:`~precmark.strategy.matching.candidate_pairs`.
    group : numpy.ndarray
        (n,) the customer of each record, from 0.
    """

    records: pd.DataFrame
    pairs: np.ndarray
    posterior: np.ndarray
    weights: matching.Weights
    blocks: pd.DataFrame
    group: np.ndarray


def match(records: pd.DataFrame, *, link: float = matching.LINK, seed: int = 0) -> Matching:
    """Match stacked `records` by the weights of all their fields.

    Parameters
    ----------
    records : pandas.DataFrame
        See :class:`~precmark.strategy.sources.Sheets`; any number of sheets.
    link : float
        Posterior from which two records are one customer, in (0, 1].
    seed : int
        Of the random pairs.

    Raises
    ------
    InputError
        Missing columns, sheets without a key in common, or a link out of range.
    """
    if not 0 < link <= 1:
        raise InputError(f"link: {link}. Give a probability above 0 and up to 1, e.g. 0.5.")
    clean = matching.normalised(records)
    pairs, blocks = matching.candidate_pairs(clean)
    agreed = matching.levels(clean, pairs)
    weights = matching.fit_weights(clean, pairs, agreed, seed=seed)
    posterior = weights.posterior(agreed, matching.rarity(clean, pairs, agreed))
    group = matching.groups_of(pairs[posterior >= link], len(clean))
    return Matching(clean, pairs, posterior, weights, blocks, group)


def groups_by(records: pd.DataFrame, fields: tuple[str, ...]) -> np.ndarray:
    """Groups of normalised `records` that share the value of one of `fields`, or are joined so."""
    chains = []
    for field in fields:
        for at in records.groupby(records[field].to_numpy()).indices.values():
            at = np.sort(at)
            chains.append(np.column_stack([at[:-1], at[1:]]))
    pairs = np.concatenate(chains) if chains else np.empty((0, 2), np.int64)
    return matching.groups_of(pairs, len(records))


def rightness(group: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """B-cubed precision and recall of each record.

    Parameters
    ----------
    group, truth : arrays of int, (n,)
        The customer that each record was given, and whose it is.

    Returns
    -------
    pandas.DataFrame
        (n,) ``precision``: share of the records of its group that are of its person; ``recall``:
        share of its person's records that are in its group. Both count the record itself.

    References
    ----------
    Amigo et al. 2009, A comparison of extrinsic clustering evaluation metrics,
    doi 10.1007/s10791-008-9066-8.
    """
    frame = pd.DataFrame({"group": group, "truth": truth})
    both = frame.groupby(["group", "truth"]).group.transform("size")
    return pd.DataFrame(
        {
            "precision": both / frame.groupby("group").group.transform("size"),
            "recall": both / frame.groupby("truth").truth.transform("size"),
        }
    )


def pair_counts(group: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """Pairs of records that are rightly joined, joined at all, and of one person."""

    def pairs(*keys: np.ndarray) -> int:
        sizes = pd.DataFrame(dict(enumerate(keys))).value_counts().to_numpy()
        return int((sizes * (sizes - 1) // 2).sum())

    return pairs(group, truth), pairs(group), pairs(truth)


def compare_ways(
    found: Matching, truth: np.ndarray, *, draws: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Each way of :data:`WAYS` against whose the records are.

    Parameters
    ----------
    found : Matching
    truth : array of int, (n,)
        The person behind each record.
    draws, seed : int
        Bootstrap over persons.

    Returns
    -------
    pandas.DataFrame
        ``way``, ``title``, ``customers`` (groups), ``metric`` (``precision``, ``recall``: B-cubed),
        ``value``, ``low``, ``high`` (95 % over persons), ``right pairs`` and ``wrong pairs``
        joined, ``pairs`` of one person in all.
    """
    groups = {
        "email": groups_by(found.records, ("email",)),
        "phone": groups_by(found.records, ("phone",)),
        "name": groups_by(found.records, ("name",)),
        "any key": groups_by(found.records, ("email", "phone")),
        "weights": found.group,
    }
    tables = []
    for way, group in groups.items():
        each = rightness(group, truth)
        right, joined, every = pair_counts(group, truth)
        table = resampled(dict(each), truth, draws=draws, seed=seed).table()
        tables.append(
            table.rename(columns={"name": "metric"}).assign(
                **{"way": way, "title": WAYS[way], "customers": int(group.max()) + 1,
                   "right pairs": right, "wrong pairs": joined - right, "pairs": every}
            )
        )  # fmt: skip
    first = ["way", "title", "customers", "metric", "value", "low", "high"]
    made = pd.concat(tables, ignore_index=True)
    return made[first + [c for c in made if c not in first]]


def by_threshold(
    found: Matching,
    truth: np.ndarray,
    *,
    steps: tuple[float, ...] = (
        0.01,
        0.05,
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        0.95,
        0.99,
        0.999,
    ),
) -> pd.DataFrame:
    """Precision and recall of joined pairs by the posterior from which they are joined.

    Returns
    -------
    pandas.DataFrame
        ``threshold``, ``precision``, ``recall`` (of all pairs of one person, also those that no
        block held), ``ceiling`` (recall if every candidate pair were judged rightly).
    """
    same = truth[found.pairs[:, 0]] == truth[found.pairs[:, 1]]
    every = max(pair_counts(truth, truth)[2], 1)
    rows = []
    for step in steps:
        kept = found.posterior >= step
        rows.append(
            (step, same[kept].mean() if kept.any() else np.nan, same[kept].sum() / every,
             same.sum() / every)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["threshold", "precision", "recall", "ceiling"])


@dataclass(frozen=True)
class Merged:
    """One row a customer.

    Attributes
    ----------
    customers : pandas.DataFrame
        ``customer``, ``records``, ``sheets`` (how many hold the customer), one column a field,
        ``visits``, ``orders``, ``spend``, ``calls`` (the largest of a sheet's rows, since a row
        that stands twice says the same twice).
    conflicts : pandas.DataFrame
        A row a field: ``field``, ``known`` (customers with a value), ``several`` (with two rows or
        more that fill it in), ``conflicts`` (of those, with values that differ), ``share``.
    """

    customers: pd.DataFrame
    conflicts: pd.DataFrame


def merge(
    records: pd.DataFrame, group: np.ndarray, *, rule: str = "common", spend: str = "spend"
) -> Merged:
    """One row for each of `group`, each field by `rule`, and what the sheets disagree about.

    Parameters
    ----------
    records : pandas.DataFrame
        Normalised, n rows, with ``source``, ``day``, ``visits``, ``orders``, ``calls``.
    group : array of int, (n,)
    rule : str
        Of :data:`RULES`; ties of ``common`` go to the most trusted sheet.
    spend : str
        The column of money.

    Raises
    ------
    InputError
        Listing missing columns, an unknown rule, unknown sheets, and groups that are not one a row.
    """
    _check_merge(records, group, rule, spend)
    long = records.assign(
        customer=group, trust=records.source.map({s: i for i, s in enumerate(TRUST)})
    )
    made = pd.DataFrame({"records": long.groupby("customer").size()})
    made["sheets"] = long.groupby("customer").source.nunique()
    rows = []
    for field in FIELDS:
        known = long.loc[long[field].notna(), ["customer", field, "trust", "day"]]
        made[field] = survivors(known, field, rule).reindex(made.index)
        by = known.groupby("customer")[field]
        several, distinct = by.size() > 1, by.nunique() > 1
        rows.append((field, len(several), int(several.sum()), int(distinct.sum())))
    for column in ("visits", "orders", "calls", spend):
        made[column] = long.groupby("customer")[column].max()
    conflicts = pd.DataFrame(rows, columns=["field", "known", "several", "conflicts"])
    conflicts["share"] = conflicts.conflicts / conflicts.several.clip(lower=1)
    return Merged(made.rename(columns={spend: "spend"}).reset_index(), conflicts)


def _check_merge(records: pd.DataFrame, group: np.ndarray, rule: str, spend: str) -> None:
    needed = (*FIELDS, "source", "day", "visits", "orders", "calls", spend)
    problems = [
        Problem(f"records.{c}: the column is missing", "Give what split_sources gives.")
        for c in needed
        if c not in records
    ]
    if rule not in RULES:
        problems.append(Problem(f"rule: {rule!r}", f"One of {', '.join(RULES)}."))
    if len(group) != len(records):
        fix = "Give each row its customer."
        problems.append(Problem(f"{len(group)} groups for {len(records)} rows", fix))
    for source in sorted(set(records.get("source", pd.Series(dtype=str))) - set(TRUST)):
        problems.append(Problem(f"source: {source!r} is unknown", f"One of {', '.join(TRUST)}."))
    if problems:
        raise InputError(problems)


def survivors(known: pd.DataFrame, field: str, rule: str) -> pd.Series:
    """The value of `field` that each customer keeps, by ``customer``.

    `known` holds ``customer``, `field`, ``trust`` (0 is trusted most) and ``day``, no missing.
    """
    count = known.groupby(["customer", field])[field].transform("size")
    order = {
        "trusted": known.assign(a=known.trust, b=-count),
        "latest": known.assign(a=-pd.DatetimeIndex(known.day).as_unit("s").asi8, b=known.trust),
        "common": known.assign(a=-count, b=known.trust),
    }[rule]
    order = order.sort_values(["customer", "a", "b", field], kind="stable")
    return order.drop_duplicates("customer").set_index("customer")[field]


def rules_table(found: Matching, sheets: Sheets, *, draws: int = 500, seed: int = 0):
    """Which rule keeps the right value where rows of one customer disagree.

    Judged where a group holds one person's records only, so that the matching's own mistakes do
    not count here.

    Returns
    -------
    pandas.DataFrame
        ``rule``, ``title``, ``field`` ("all fields" too), ``conflicts``, ``value`` (share right),
        ``low``, ``high`` (95 % over customers).
    """
    person = sheets.truth.user_code.to_numpy()
    pure = (rightness(found.group, person).precision == 1).to_numpy()
    right = matching.normalised(sheets.people).set_index("user_code")
    long = found.records.assign(
        customer=found.group, person=person,
        trust=found.records.source.map({s: i for i, s in enumerate(TRUST)}),
    )[pure]  # fmt: skip
    whose = long.drop_duplicates("customer").set_index("customer").person
    said = []
    for field in FIELDS:
        known = long.loc[long[field].notna(), ["customer", field, "trust", "day"]]
        at = known.groupby("customer")[field].nunique()
        at = at.index[at > 1]
        known = known[known.customer.isin(at)]
        for rule in RULES:
            kept = survivors(known, field, rule)
            hit = kept.to_numpy() == right[field].reindex(whose.reindex(kept.index)).to_numpy()
            said.append(pd.DataFrame({"rule": rule, "field": field, "customer": kept.index,
                                      "right": hit.astype(float)}))  # fmt: skip
    every = pd.concat(said, ignore_index=True)
    every = pd.concat([every, every.assign(field="all fields")], ignore_index=True)
    rows = []
    for (rule, field), part in every.groupby(["rule", "field"], sort=False):
        drawn = resampled({"right": part.right.to_numpy()}, part.customer.to_numpy(),
                          draws=draws, seed=seed).table()  # fmt: skip
        value, low, high = drawn.loc[0, ["value", "low", "high"]]
        rows.append((rule, RULES[rule], field, len(part), value, low, high))
    columns = ["rule", "title", "field", "conflicts", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def coverage(records: pd.DataFrame, merged: Merged) -> pd.DataFrame:
    """How many customers have each field: in each sheet alone, and after the merge.

    Returns
    -------
    pandas.DataFrame
        ``field``, one column a sheet (share of the sheet's rows that fill it in) and ``merged``
        (share of the customers).
    """
    rows = []
    for field in FIELDS:
        row = {"field": field.replace("_", " ")}
        for source in (s for s in SOURCES if (records.source == s).any()):
            row[TITLES[source]] = records.loc[records.source == source, field].notna().mean()
        rows.append(row | {"merged": merged.customers[field].notna().mean()})
    return pd.DataFrame(rows)
