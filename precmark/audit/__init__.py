"""The claims of papers as data, checked against one another: a verdict and a reason for each."""

from precmark.audit.checks import CHECKS, arguments_of, run_check
from precmark.audit.examples import EXAMPLES, worked_examples
from precmark.audit.files import AuditClaim, claims_files, load
from precmark.audit.finding import Finding
from precmark.audit.quantities import Interval, Quantity
from precmark.audit.table import (
    audit,
    checks_used,
    differences,
    scorecard,
    scored,
    shares_and_counts,
)

__all__ = [
    "CHECKS",
    "EXAMPLES",
    "AuditClaim",
    "Finding",
    "Interval",
    "Quantity",
    "arguments_of",
    "audit",
    "checks_used",
    "claims_files",
    "differences",
    "load",
    "run_check",
    "scorecard",
    "scored",
    "shares_and_counts",
    "worked_examples",
]
