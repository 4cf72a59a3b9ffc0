"""The audit as tables: every claim with its verdict, alone and with the chapters' verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from precmark.audit.checks import printed_text, run_check
from precmark.audit.files import AuditClaim
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
