"""Mini-batches as slices of a tensor that was permuted once, and the seeds that order them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import Dataset

# batches that are gathered at once: bounds the memory of the permuted copy, costs nothing
_BLOCK = 256


def derived_seed(*parts: int) -> int:
    """One seed in [0, 2^63) from several non-negative integers, by NumPy's SeedSequence."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def batch_order(n: int, seed: int, epoch: int) -> torch.Tensor:
    """The order of `n` rows in `epoch` (from 1), int64: it depends on nothing but `seed`.

    So that a fit which was interrupted goes on in the same order, without a generator's state.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, epoch))
    return torch.randperm(n, generator=generator)


@dataclass(frozen=True)
class TensorRows(Dataset):
    """Sequences as a network takes them; a data set to skorch.

    Attributes
    ----------
    x : torch.Tensor
        float32, (n, F, T), scaled, zero where a step did not happen or a value is missing.
    mask : torch.Tensor or None
        bool, (n, T), True at real steps; None where every step of every row is real.
    y : torch.Tensor or None
        float32, (n,), 0 or 1.
    """

    x: torch.Tensor
    mask: torch.Tensor | None
    y: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: int | slice | torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """``(x, mask, y)`` of `rows`."""
        return tuple(None if t is None else t[rows] for t in (self.x, self.mask, self.y))

    def to(self, device: torch.device) -> TensorRows:
        """The same rows on `device`."""
        moved = {
            name: None if t is None else t.to(device, non_blocking=True)
            for name, t in (("x", self.x), ("mask", self.mask), ("y", self.y))
        }
        return replace(self, **moved)


class SlicedBatches:
    """Batches ``(x, mask, y)`` of a :class:`TensorRows`: slices, where a DataLoader would collate.

    Parameters
    ----------
    dataset : TensorRows
    batch_size : int
        The last batch is shorter where the rows do not divide.
    seed : int or None
        Rows are shuffled by :func:`batch_order`, anew each epoch; None leaves them in order.

    Attributes
    ----------
    epoch : int
        The epoch whose order the next iteration takes, from 1.
    """

    def __init__(self, dataset: TensorRows, batch_size: int, seed: int | None = None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 1

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def rows(self, batch: int) -> torch.Tensor:
        """Row numbers in `batch` (from 1) of the current epoch."""
        order = torch.arange(len(self.dataset))
        if self.seed is not None:
            order = batch_order(len(self.dataset), self.seed, self.epoch)
        return order[(batch - 1) * self.batch_size : batch * self.batch_size]

    def __iter__(self) -> Iterator[tuple[torch.Tensor | None, ...]]:
        order = None
        if self.seed is not None:
            order = batch_order(len(self.dataset), self.seed, self.epoch)
            order = order.to(self.dataset.x.device)
        step = self.batch_size * _BLOCK
        for start in range(0, len(self.dataset), step):
            block = slice(start, start + step)
            x, mask, y = self.dataset[block if order is None else order[block]]
            xs = x.split(self.batch_size)
            masks = [None] * len(xs) if mask is None else mask.split(self.batch_size)
            ys = [None] * len(xs) if y is None else y.split(self.batch_size)
            yield from zip(xs, masks, ys, strict=True)
