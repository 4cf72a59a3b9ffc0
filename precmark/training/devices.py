"""Where a network trains: the processor, or an accelerator that is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from precmark.errors import InputError


def devices() -> dict[str, str]:
    """The devices that PyTorch can use here, by name, with what they are in words."""
    found = {"cpu": "the processor"}
    for i in range(torch.cuda.device_count()):
        found[f"cuda:{i}"] = torch.cuda.get_device_name(i)
    if torch.backends.mps.is_available():
        found["mps"] = "Apple's GPU"
    return found


def choose_device(name: str) -> torch.device:
    """The device called `name`; ``"auto"`` is CUDA where present, else the processor.

    Raises
    ------
    InputError
        When there is no such device; the message lists those that are there.
    """
    there = devices()
    if name == "auto":
        return torch.device("cuda:0" if "cuda:0" in there else "cpu")
    if f"{name}:0" in there:
        name = f"{name}:0"
    if name not in there:
        listed = ", ".join(f"{key} ({what})" for key, what in there.items())
        raise InputError(
            f'device {name!r} is not here. Use "auto", or one of: {listed}. '
            "CUDA needs an NVIDIA driver and a build of PyTorch for it."
        )
    return torch.device(name)


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Run the block with `threads` PyTorch threads, and put the number back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed PyTorch's generators of the processor and of `device`, and no others.

    ``torch.manual_seed`` would also queue a call, with its stack, for each kind of device that is
    not there.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Run the block from `seed`; whoever drew random numbers outside goes on undisturbed."""
    cuda = range(torch.cuda.device_count()) if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        seed_generators(seed, device)
        yield
