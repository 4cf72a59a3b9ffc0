"""What chapter 09 says, computed from the audit."""

from __future__ import annotations

import pandas as pd

from precmark.audit.finding import ASSUMED, CONSISTENT, CONTRADICTED, OPEN
from precmark.audit.table import TRIED


def _claims(count: int) -> str:
    return f"{count:,} claim" + ("" if count == 1 else "s")


def answer(audited: pd.DataFrame) -> str:
    """The chapter's answer: how many claims, how many the figures contradict, in which papers."""
    if audited.empty:
        return "The files hold no claim."
    verdicts = audited["verdict"]
    decided = audited[verdicts.isin([CONSISTENT, CONTRADICTED, OPEN, ASSUMED])]
    bad = decided[decided["verdict"] == CONTRADICTED]
    text = f"Of {_claims(len(audited))}, {len(decided):,} can be checked by arithmetic on the "
    text += f"printed figures alone. {len(bad):,} of them "
    text += "is contradicted" if len(bad) == 1 else "are contradicted"
    if len(bad):
        each = bad["paper"].value_counts(sort=False)
        text += ": " + ", ".join(f"{count} of {paper}" for paper, count in each.items())
    untested = int((verdicts == "not testable with public data").sum())
    tried = int((verdicts == "").sum())
    return (
        f"{text}. {untested:,} cannot be tested by anyone outside, and {tried:,} "
        f"{'is' if tried == 1 else 'are'} tried on data in other chapters."
    )


def contradictions(audited: pd.DataFrame) -> str:
    """Every contradicted claim with its arithmetic, as Markdown, a heading a paper."""
    bad = audited[audited["verdict"] == CONTRADICTED]
    if bad.empty:
        return "No claim is contradicted by the printed figures."
    blocks = []
    for paper in dict.fromkeys(bad["paper"]):
        rows = bad[bad["paper"] == paper]
        lines = [f"- {r.claim} ({r.place}) **But:** {_plain(r.why)}" for r in rows.itertuples()]
        blocks.append(f"**{paper}** ({_claims(len(rows))})\n\n" + "\n".join(lines))
    return "\n\n".join(blocks)


def _plain(text: str) -> str:
    """`text` with what Markdown would take for marks written out."""
    for mark in ("\\", "*", "_", "$", "<", "|"):
        text = text.replace(mark, "\\" + mark)
    return text


def on_grim(shares: pd.DataFrame) -> str:
    """How many shares no count can give, and how far the nearest possible one is."""
    if shares.empty:
        return "No claim compares a share with a count small enough to refute it."
    bad = shares[shares["verdict"] != CONSISTENT]
    text = f"{len(bad):,} of {len(shares):,} shares cannot be a whole number of cases divided by "
    text += "the printed number of cases and rounded. "
    if bad.empty:
        return text
    if cut := int((bad["verdict"] == ASSUMED).sum()):
        text += f"{cut:,} of them can where digits were cut off instead. "
    gap = bad[["below", "above"]].sub(bad["printed"], axis=0).abs().min(axis=1)
    return text + (
        f"The nearest possible share is off by {100 * gap.min():.3f} to {100 * gap.max():.3f} "
        f"points, where rounding explains {100 * bad['half_width'].max():.3f} at most. So the "
        "shares are of another number of cases than the one beside them, or one of the two is "
        "mistyped; which, the page cannot tell."
    )


def on_differences(found: pd.DataFrame) -> str:
    """Which of the reported differences are more than chance."""
    if found.empty:
        return "No claim compares two shares."
    beyond = found[(found["low"] > 0) | (found["high"] < 0)]
    text = f"{len(beyond):,} of {len(found):,} differences are beyond chance"
    rest = found.drop(beyond.index)
    if len(rest):
        text += "; not so " + "; ".join(
            f"{r.compared} ({100 * r.difference:+.2f} points, {100 * r.low:+.2f} to "
            f"{100 * r.high:+.2f})"
            for r in rest.itertuples()
        )
    return (
        f"{text}. What is beyond chance is a difference between groups that were chosen "
        "differently, not yet what a coupon did."
    )


def checks_table(used: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """`used` beside `examples` as the page prints them, headed in words.

    Parameters
    ----------
    used, examples : pandas.DataFrame
        :func:`precmark.audit.checks_used` and :func:`precmark.audit.worked_examples`, indexed by
        check.
    """
    headings = {"check": "Check", "asks": "Asks", "finds": "On a made-up example",
                "verdict": "Verdict there", "takes": "Takes", "claims": "Claims here",
                "contradicted": "Contradicted"}  # fmt: skip
    table = used.join(examples).reset_index()
    table["verdict"] = table["verdict"].replace("", TRIED)
    return table[list(headings)].rename(columns=headings)


def all_claims(audited: pd.DataFrame) -> pd.DataFrame:
    """`audited` as the page prints it: contradictions first, headed in words."""
    order = [CONTRADICTED, ASSUMED, OPEN, CONSISTENT]
    rank = audited["verdict"].map(lambda v: order.index(v) if v in order else len(order))
    table = audited.assign(rank=rank).sort_values("rank", kind="stable")
    table = table.assign(
        place=table["paper"] + ", " + table["place"], verdict=table["verdict"].replace("", TRIED)
    )
    headings = {"claim": "Claim", "place": "Place", "printed": "Printed", "computed": "Computed",
                "verdict": "Verdict", "why": "Why", "id": "Id"}  # fmt: skip
    return table[list(headings)].rename(columns=headings)
