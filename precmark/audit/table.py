"""The audit as tables: every claim with its verdict, alone and with the chapters' verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from precmark.audit.checks import CHECKS, arguments_of, printed_text, run_check
from precmark.audit.counts import ONE_ITEM
from precmark.audit.files import AuditClaim
from precmark.audit.finding import CONTRADICTED, OPEN
from precmark.chapters import VERDICTS, verdicts_of

if TYPE_CHECKING:
    from precmark.runs import Run

COLUMNS = (
    "id", "paper", "place", "claim", "check", "printed", "computed", "verdict", "why", "chapter",
)  # fmt: skip
SCORED = ("id", "paper", "place", "claim", "printed", "ours", "verdict", "why", "chapter")
TRIED = "tried in a chapter"
HERE = "09_claims_audit"
"""The chapter whose page shows the checks of figures."""


def audit(claims: Iterable[AuditClaim]) -> pd.DataFrame:
    """Every claim with what its check finds.

    Parameters
    ----------
    claims : iterable of AuditClaim
        See :func:`precmark.audit.load`.

    Returns
    -------
    pandas.DataFrame
        One row a claim, all text: ``id``, ``paper``, ``place``, ``claim``, ``check``, ``printed``
        (the figure that is checked), ``computed``, ``verdict`` (one of
        :data:`precmark.chapters.VERDICTS`, "" where a chapter has to try it), ``why`` (one
        sentence), ``chapter`` (the one that tries it; "" where the figures alone decide).
    """
    rows = []
    for claim in claims:
        finding = run_check(claim.check, claim.arguments)
        rows.append(
            (claim.id, claim.paper, claim.place, claim.claim, claim.check,
             printed_text(claim.arguments), finding.computed, finding.verdict, finding.why,
             str(claim.arguments.get("chapter", "")))
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype("str")


def scored(run: Run) -> pd.DataFrame:
    """Every claim of the run's audit, with the verdicts of the chapters that tried some of them.

    A claim that its figures decide keeps that verdict, also where a chapter speaks of it under the
    same id. A claim that a chapter has to try gets the chapter's verdict, or none where that
    chapter is not in the run. A chapter's verdict on anything else is added as it is.

    Returns
    -------
    pandas.DataFrame
        One row a claim, all text: ``id``, ``paper``, ``place``, ``claim``, ``printed``, ``ours``,
        ``verdict`` ("" for none), ``why``, ``chapter`` (the page that shows it).
    """
    tried = verdicts_of(run)
    empty = pd.DataFrame(columns=list(COLUMNS), dtype="str")
    audited = run.table("audit/claims") if run.has("audit/claims") else empty
    by_id = {row.id: row for row in tried.itertuples() if row.id}
    rows = []
    for claim in audited.itertuples():
        theirs = by_id.get(claim.id)
        if claim.check == "chapter" and theirs is not None:
            said = (theirs.paper, theirs.ours, theirs.verdict, theirs.why, theirs.chapter)
        else:
            page = theirs.chapter if theirs is not None else claim.chapter or HERE
            said = (claim.printed, claim.computed, claim.verdict, claim.why, page)
        rows.append((claim.id, claim.paper, claim.place, claim.claim, *said))
    known = set(audited["id"])
    for row in tried.itertuples():
        if not row.id or row.id not in known:
            paper, _, place = row.place.partition(", ")
            rows.append((row.id, paper, place or row.place, row.claim, row.paper, row.ours,
                         row.verdict, row.why, row.chapter))  # fmt: skip
    return pd.DataFrame(rows, columns=list(SCORED)).astype("str")


def differences(claims: Iterable[AuditClaim]) -> pd.DataFrame:
    """Every difference between two shares that the claims test, with its 95% interval.

    Returns
    -------
    pandas.DataFrame
        One row a claim whose check is ``two_proportions``: ``id``, ``paper``, ``place``,
        ``compared`` (the two figures in words), ``difference``, ``low``, ``high`` (first less
        second, as shares), ``verdict``.
    """
    rows = []
    for claim in claims:
        if claim.check != "two_proportions":
            continue
        one, other = (claim.arguments[f"share{i}"] for i in (1, 2))
        finding = run_check(claim.check, claim.arguments)
        compared = f"{one.what or one.text} less {other.what or other.text}"
        rows.append(
            (claim.id, claim.paper, claim.place, compared, float(one.value - other.value),
             *finding.interval, finding.verdict)
        )  # fmt: skip
    columns = ["id", "paper", "place", "compared", "difference", "low", "high", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def shares_and_counts(claims: Iterable[AuditClaim]) -> pd.DataFrame:
    """Every share that GRIM can refute, with the two shares next to it that a count can give.

    Returns
    -------
    pandas.DataFrame
        One row a claim whose check is ``grim`` and could fail: ``id``, ``paper``, ``place``,
        ``share`` (in words), ``cases``, ``printed``, ``half_width`` (of its rounding), ``below``
        and ``above`` (the nearest shares of a whole number of cases), ``verdict``.
    """
    rows = []
    for claim in claims:
        if claim.check != "grim":
            continue
        finding = run_check(claim.check, claim.arguments)
        if finding.verdict == OPEN:
            continue
        share, total = claim.arguments["share"], claim.arguments["total"]
        items = claim.arguments.get("items", ONE_ITEM)
        cases = int(total.value * items.value)
        below = int(share.value * cases)
        rows.append(
            (claim.id, claim.paper, claim.place, share.what, cases, float(share.value),
             float(share.half_width), below / cases, (below + 1) / cases, finding.verdict)
        )  # fmt: skip
    columns = ["id", "paper", "place", "share", "cases", "printed", "half_width", "below", "above",
               "verdict"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def checks_used(audited: pd.DataFrame) -> pd.DataFrame:
    """The checks as a table: what each asks, how many claims use it, how many it contradicts.

    Parameters
    ----------
    audited : pandas.DataFrame
        See :func:`audit`.

    Returns
    -------
    pandas.DataFrame
        ``check``, ``asks``, ``takes`` (its arguments; those in brackets may be left out),
        ``claims``, ``contradicted``; in the order of :data:`precmark.audit.CHECKS`, those that no
        claim uses too.
    """
    rows = []
    for name, check in CHECKS.items():
        used = audited[audited["check"] == name]
        first = (check.__doc__ or "").strip().splitlines()[0].rstrip(".")
        bad = int((used["verdict"] == CONTRADICTED).sum())
        rows.append((name, first.replace("`", ""), _takes(name), len(used), bad))
    return pd.DataFrame(rows, columns=["check", "asks", "takes", "claims", "contradicted"])


def _takes(check: str) -> str:
    """The names of what `check` takes, those that may be left out in brackets."""
    taken, more = arguments_of(check)
    names = [a.name if a.needed else f"[{a.name}]" for a in taken.values()]
    return ", ".join(names) + (" and a figure for each name" if more else "")


def scorecard(claims: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each paper got which verdict.

    Parameters
    ----------
    claims : pandas.DataFrame
        ``paper`` and ``verdict`` (see :func:`audit` and :func:`scored`).

    Returns
    -------
    pandas.DataFrame
        Index ``paper``, in the order of `claims`; one column a verdict of the study, then ``tried
        in a chapter`` for those without one; ``all``.
    """
    found = pd.crosstab(claims["paper"], claims["verdict"].replace("", TRIED))
    found = found.reindex(
        index=list(dict.fromkeys(claims["paper"])),
        columns=[*VERDICTS, TRIED], fill_value=0,
    )  # fmt: skip
    found.index.name, found.columns.name = "paper", None
    return found.assign(all=found.sum(axis=1))
