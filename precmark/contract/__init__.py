"""The contract: one format for event logs; read, check, normalise, refuse.

``check`` lists everything that is wrong with a log at once; ``ingest`` writes the normalised
tables of a run. The columns are in :mod:`precmark.contract.schema`.
"""

from precmark.contract.checks import check
from precmark.contract.normalise import Ingested, ingest, read_dataset
from precmark.contract.options import Options, parse_pairs
from precmark.contract.report import Checked, TableCheck, infer_source

__all__ = [
    "Checked",
    "Ingested",
    "Options",
    "TableCheck",
    "check",
    "infer_source",
    "ingest",
    "parse_pairs",
    "read_dataset",
]
