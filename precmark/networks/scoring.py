"""Logits of many rows: chunks that stay in the cache, one thread a chunk, no empty steps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from precmark.errors import InputError, Problem

CHUNK = {"cpu": 512, "cuda": 16_384}


def score(
    net: nn.Module,
    x: np.ndarray | Tensor,
    mask: np.ndarray | Tensor | None = None,
    *,
    chunk: int | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """P(y = 1) of every row, (n,), float32: the sigmoid of :func:`logits`, which see."""
    return torch.sigmoid(_logits(net, x, mask, chunk, threads)).numpy()


def logits(
    net: nn.Module,
    x: np.ndarray | Tensor,
    mask: np.ndarray | Tensor | None = None,
    *,
    chunk: int | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Log odds of y = 1 of every row.

    Rows are taken in the order of their last real step, so that a chunk of short histories is
    computed on as many steps as its longest has. On a processor each chunk runs on one thread
    and chunks run side by side, which wastes less than splitting each small operation. The
    network's mode (training or not) and PyTorch's number of threads are as before afterwards.

    Parameters
    ----------
    net : torch.nn.Module
        One of ``NETWORKS``; scored on the device that it is on.
    x : numpy.ndarray or torch.Tensor
        (n, F, T), float32, zero at padded steps.
    mask : numpy.ndarray or torch.Tensor or None
        (n, T), True at real steps; None where all are real.
    chunk : int or None
        Rows at a time, >= 1; None takes 512 on a processor and 16,384 on CUDA.
    threads : int or None
        Chunks at a time, >= 1; None takes PyTorch's number of threads. One on CUDA.

    Returns
    -------
    numpy.ndarray
        (n,), float32, in the order of `x`.

    Raises
    ------
    InputError
        When `chunk` or `threads` is below 1, or `x` and `mask` do not fit each other.
    """
    return _logits(net, x, mask, chunk, threads).numpy()


def _logits(net: nn.Module, x, mask, chunk: int | None, threads: int | None) -> Tensor:
    x = torch.as_tensor(x)
    mask = None if mask is None else torch.as_tensor(mask)
    _check(x, mask, chunk, threads)
    device = next(net.parameters()).device
    size = chunk or CHUNK.get(device.type, CHUNK["cpu"])
    threads = 1 if device.type != "cpu" else threads or torch.get_num_threads()
    found = torch.empty(len(x))
    known = None if mask is None else mask.cpu()
    pieces = list(_pieces(known, len(x), x.shape[2], size))

    def run(piece: tuple[slice | Tensor, int]) -> None:
        rows, steps = piece
        part = x[rows, :, :steps].to(device)
        keep = None if mask is None else mask[rows, :steps].to(device)
        if keep is not None and device.type == "cpu" and bool(keep.all()):
            keep = None
        with torch.inference_mode():
            found[rows] = net(part, keep).cpu()

    with _scoring(net), _threads(threads) as pool:
        for _ in map(run, pieces) if pool is None else pool.map(run, pieces):
            pass
    return found


def _check(x: Tensor, mask: Tensor | None, chunk: int | None, threads: int | None) -> None:
    problems = [
        Problem(f"{name} is {value}", "Give at least 1, or None.")
        for name, value in (("chunk", chunk), ("threads", threads))
        if value is not None and value < 1
    ]
    if x.dim() != 3:
        problems.append(Problem(f"x has {x.dim()} dimensions", "Give rows, channels and steps."))
    elif mask is not None and tuple(mask.shape) != (len(x), x.shape[2]):
        wanted = f"({len(x)}, {x.shape[2]})"
        problems.append(Problem(f"mask is {tuple(mask.shape)}", f"Give {wanted} to fit x."))
    if problems:
        raise InputError(problems)


def _pieces(
    mask: Tensor | None, rows: int, steps: int, size: int
) -> Iterator[tuple[slice | Tensor, int]]:
    """(rows, steps to compute) of each chunk; the longest chunks first, so none is left alone."""
    if mask is None:
        for start in range(0, rows, size):
            yield slice(start, start + size), steps
        return
    last = (mask * torch.arange(1, steps + 1, dtype=torch.int32)).amax(1)
    order = last.argsort(descending=True, stable=True)
    for start in range(0, rows, size):
        piece = order[start : start + size]
        yield piece, max(1, int(last[piece[0]]))


@contextmanager
def _scoring(net: nn.Module) -> Iterator[None]:
    training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(training)


@contextmanager
def _threads(threads: int) -> Iterator[ThreadPoolExecutor | None]:
    """A pool whose threads each compute alone; None for one thread, which needs no pool."""
    if threads == 1:
        yield None
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # the number of threads is a setting of the thread that asks
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)
