"""Channels standardised on the real steps of the training part, ready for a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from precmark.errors import InputError
from precmark.training.batches import TensorRows

# rows held in float64 at a time
_CHUNK = 16_384


@dataclass(frozen=True)
class ChannelScaler:
    """Mean and standard deviation of each channel over the real steps it was fitted on.

    A step is real where any channel is finite. A value that is missing on a real step becomes the
    channel's mean, 0 after scaling; so does everything at a step that did not happen, which the
    mask tells apart.

    Attributes
    ----------
    mean, scale : numpy.ndarray
        float64, (F,), in the channel's unit; `scale` is the standard deviation, 1 where the
        channel is constant.
    constant : tuple of int
        Channels that hold one value only; they carry nothing and come out as 0.
    """

    mean: np.ndarray
    scale: np.ndarray
    constant: tuple[int, ...] = ()

    @classmethod
    def fit(cls, X: np.ndarray, channels: Sequence[str] | None = None) -> ChannelScaler:
        """Fit to `X`, (n, F, T) with NaN for what is missing.

        Raises
        ------
        InputError
            When a channel has no value at all; `channels` names it, else its number.
        """
        count, total = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
        for chunk in _chunks(X):
            seen = ~np.isnan(chunk)
            count += seen.sum(axis=(0, 2))
            total += chunk.sum(axis=(0, 2), dtype=np.float64, where=seen)
            low = np.minimum(low, chunk.min(axis=(0, 2), where=seen, initial=np.inf))
            high = np.maximum(high, chunk.max(axis=(0, 2), where=seen, initial=-np.inf))
        empty = np.flatnonzero(count == 0)
        if len(empty):
            raise InputError(
                f"{channel_text(j, channels)} has no value in the training sequences. "
                "Leave it out, or fill it where the source can say it."
                for j in empty
            )
        mean = total / count
        squares = np.zeros_like(mean)
        for chunk in _chunks(X):
            away = chunk - mean[:, None]
            squares += np.square(away).sum(axis=(0, 2), where=~np.isnan(chunk))
        constant = low == high
        scale = np.where(constant, 1.0, np.sqrt(squares / count))
        return cls(np.where(constant, low, mean), scale, tuple(np.flatnonzero(constant).tolist()))

    def transform(self, X: np.ndarray, y: np.ndarray | None = None) -> TensorRows:
        """`X` scaled, zero-filled and masked, with the labels `y`; one float32 copy of `X`."""
        x = torch.from_numpy(np.array(X, dtype=np.float32, order="C"))
        mask = ~torch.isnan(x).all(dim=1)
        x -= torch.from_numpy(self.mean.astype(np.float32))[:, None]
        x /= torch.from_numpy(self.scale.astype(np.float32))[:, None]
        if self.constant:
            x[:, list(self.constant)] = 0.0
        x = torch.nan_to_num_(x, nan=0.0)
        label = None if y is None else torch.from_numpy(np.asarray(y).astype(np.float32))
        return TensorRows(x, None if bool(mask.all()) else mask, label)


def channel_text(channel: int, channels: Sequence[str] | None) -> str:
    """A channel in words: its name where `channels` has one, and its number from 0."""
    return f"channel {channel}" + (f" ({channels[channel]})" if channels is not None else "")


def _chunks(X: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(X), _CHUNK):
        yield X[start : start + _CHUNK]
