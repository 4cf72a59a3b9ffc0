"""Training steps on CUDA as one recorded graph: at batch 32 launching costs more than work."""

from __future__ import annotations

import torch

from precmark.training.batches import TensorRows
from precmark.training.loop import EpochNet, Step

_WARM_UP = 3


def captured_step(net: EpochNet, rows: TensorRows) -> Step:
    """A training step for full batches of `rows` that replays one recorded CUDA graph.

    Forward pass, loss, backward pass and Adam are recorded once and replayed on copies of each
    batch in fixed places of the device's memory. A shorter last batch runs step by step.
    The weights and the optimiser's state are as before when this returns.

    Parameters
    ----------
    net : EpochNet
        Initialised, on a CUDA device, its optimiser capturable.
    rows : TensorRows
        The training part, on the same device.

    References
    ----------
    PyTorch, CUDA graphs: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
    """
    size = net.batch_size
    batch = [None if t is None else t.clone() for t in rows[slice(0, size)]]
    before = _tensors(net)
    net.module_.train()
    _run_aside(net, batch)
    _put_back(net, before)
    net.optimizer_.zero_grad()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        recorded_loss = net.eager_step(*batch)

    def step(x, mask, y):
        if len(x) != size:
            return net.eager_step(x, mask, y)
        for place, value in zip(batch, (x, mask, y), strict=True):
            if place is not None:
                place.copy_(value)
        graph.replay()
        return recorded_loss.clone()

    return step


def _run_aside(net: EpochNet, batch: list[torch.Tensor | None]) -> None:
    """A few steps on a stream of their own, so that nothing is set up while recording."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            net.eager_step(*batch)
    torch.cuda.current_stream().wait_stream(stream)


def _tensors(net: EpochNet) -> tuple[dict, dict]:
    """Copies of the weights and of the optimiser's tensors, on the device."""
    weights = {k: w.detach().clone() for k, w in net.module_.state_dict().items()}
    state = {
        p: {k: t.clone() for k, t in entries.items()} for p, entries in net.optimizer_.state.items()
    }
    return weights, state


def _put_back(net: EpochNet, before: tuple[dict, dict]) -> None:
    """Write the copies into the same places; a fresh optimiser's tensors become zero again."""
    weights, state = before
    net.module_.load_state_dict(weights)
    for p, entries in net.optimizer_.state.items():
        for name, tensor in entries.items():
            tensor.copy_(state[p][name]) if p in state else tensor.zero_()
