"""Whether a run can show what coupons do; asked before the ablation's chapter is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from precmark.errors import InputError
from precmark.uplift.randomised import check_assignments

if TYPE_CHECKING:
    from precmark.runs import Run


def too_little(run: Run) -> str:
    """Why nothing can be learnt from the coupons of `run`; empty where something can.

    Policies in worlds need a simulated store's truth as well; the chapter says so itself and
    shows what the assignments alone can tell.
    """
    if not run.has("contract/assignments"):
        return f"{run.source.title} has no assignments of coupons at random"
    try:
        check_assignments(run.table("contract/assignments"))
    except InputError as error:
        return f"the assignments of {run.source.title} cannot show an effect: {error}"
    return ""
