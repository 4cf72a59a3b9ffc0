"""Sequences: what was known at each decision, nothing later, and what came (paper, section 4.2)."""

from precmark.sequences.arrays import Sequences, step_mask
from precmark.sequences.files import read_sequences, write_sequences
from precmark.sequences.session_unit import session_sequences
from precmark.sequences.splits import origin_split, random_split, time_split
from precmark.sequences.task import Task, task_for

__all__ = [
    "Sequences",
    "Task",
    "origin_split",
    "random_split",
    "read_sequences",
    "session_sequences",
    "step_mask",
    "task_for",
    "time_split",
    "write_sequences",
]
