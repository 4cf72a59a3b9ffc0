"""Sequences: what was known at each decision, nothing later, and what came (paper, section 4.2)."""

from precmark.sequences.arrays import Sequences, step_mask
from precmark.sequences.channels import SESSION_CHANNELS, Channel
from precmark.sequences.customer_log import customer_summary, rolling_origins
from precmark.sequences.customer_unit import CUSTOMER_CHANNELS, customer_sequences
from precmark.sequences.describe import describe_channels
from precmark.sequences.files import make_sequences, read_sequences, write_sequences
from precmark.sequences.session_unit import session_sequences
from precmark.sequences.splits import origin_split, random_split, time_split
from precmark.sequences.task import Task, task_for

__all__ = [
    "CUSTOMER_CHANNELS",
    "SESSION_CHANNELS",
    "Channel",
    "Sequences",
    "Task",
    "customer_sequences",
    "customer_summary",
    "describe_channels",
    "make_sequences",
    "origin_split",
    "random_split",
    "read_sequences",
    "rolling_origins",
    "session_sequences",
    "step_mask",
    "task_for",
    "time_split",
    "write_sequences",
]
