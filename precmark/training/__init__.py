"""Training: one estimator for all networks, and one model a segment beside the pooled one."""

from precmark.training.batches import SlicedBatches, TensorRows, batch_order
from precmark.training.checkpoints import Checkpoint, read_checkpoint
from precmark.training.classifier import SequenceClassifier
from precmark.training.devices import choose_device, devices
from precmark.training.loop import Diverged
from precmark.training.scaling import ChannelScaler
from precmark.training.segmented import SegmentedClassifier

__all__ = [
    "ChannelScaler",
    "Checkpoint",
    "Diverged",
    "SegmentedClassifier",
    "SequenceClassifier",
    "SlicedBatches",
    "TensorRows",
    "batch_order",
    "choose_device",
    "devices",
    "read_checkpoint",
]
