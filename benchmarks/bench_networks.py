"""Speed of C-ATT-LSTM against the straightforward version: a training step, an epoch, scoring."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks import figure
from benchmarks.reference_networks import ReferenceCAttLstm, copy_weights, reference_epoch
from precmark.networks import CAttLstm, score
from precmark.training.devices import torch_threads

BATCH, CHANNELS, STEPS, CORES = 32, 16, 20, 2
SIZES = {"full": (6_000, 100_000, 9), "small": (320, 3_000, 1)}


def pair() -> tuple[ReferenceCAttLstm, CAttLstm]:
    """The reference and ours with the same weights; refuses to time what is not the same."""
    torch.manual_seed(0)
    reference, ours = ReferenceCAttLstm(CHANNELS), CAttLstm(CHANNELS, STEPS)
    copy_weights(reference, ours)
    x = torch.randn(512, CHANNELS, STEPS)
    with torch.inference_mode():
        difference = float((reference(x) - ours(x)).abs().max())
    if difference > 1e-5:
        raise AssertionError(f"outputs differ by {difference:.1e}: the comparison means nothing")
    return reference, ours


def our_epoch(net, optimizer, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor | None) -> float:
    """Mean loss of one epoch of slices of rows put in order once, with fused Adam."""
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    mask = None if mask is None else mask[order]
    total = torch.zeros(())
    for start in range(0, len(x), BATCH):
        rows = slice(start, start + BATCH)
        optimizer.zero_grad()
        logits = net(x[rows], None if mask is None else mask[rows])
        loss = F.binary_cross_entropy_with_logits(logits, y[rows])
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return float(total) / -(-len(x) // BATCH)


def step_of(net, optimizer, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """Forward, loss, backward and update on a batch that is at hand."""

    def step() -> None:
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(net(x), y).backward()
        optimizer.step()

    return step


def medians(works: list[Callable[[], object]], repeats: int, each: int = 1) -> list[float]:
    """Median seconds of each work, run in turns so that what slows the machine slows all."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats + 1):
        for work, kept in zip(works, times, strict=True):
            start = time.perf_counter()
            for _ in range(each):
                work()
            kept.append((time.perf_counter() - start) / each)
    # the first round pays for first allocations
    return [statistics.median(kept[1:]) for kept in times]


def training(rows: int, repeats: int) -> list[dict]:
    reference, ours = pair()
    plain = torch.optim.Adam(reference.parameters(), lr=1e-3)
    fused = torch.optim.Adam(ours.parameters(), lr=1e-3, fused=True)
    x, y = torch.randn(rows, CHANNELS, STEPS), (torch.rand(rows) < 0.1).float()
    mask = torch.ones(rows, STEPS, dtype=torch.bool)
    with torch_threads(1):
        steps = [step_of(reference, plain, x[:BATCH], y[:BATCH])]
        steps.append(step_of(ours, fused, x[:BATCH], y[:BATCH]))
        step = medians(steps, 10 * repeats, each=10)
        epoch = medians(
            [
                lambda: reference_epoch(reference, plain, x, y),
                lambda: our_epoch(ours, fused, x, y, None),
                lambda: our_epoch(ours, fused, x, y, mask),
            ],
            repeats,
        )
    what = f"batch {BATCH}, {CHANNELS} features, {STEPS} steps, one thread"
    return [
        figure(f"training epoch: reference / ours, {what}", epoch[0] / epoch[1], target=1.5),
        figure("the same with a mask", epoch[0] / epoch[2]),
        figure("training step on a batch at hand: reference / ours", step[0] / step[1]),
        figure("our training step on a batch at hand", step[1] * 1e3, unit="ms", better="lower"),
    ]


def onnx_session(net: torch.nn.Module, folder: str):
    """`net` in ONNX Runtime on CORES threads; None where its packages are not installed."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  the exporter needs it
    except ImportError:
        return None
    path = f"{folder}/{type(net).__name__}.onnx"
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            (torch.randn(64, CHANNELS, STEPS),),
            path,
            dynamo=True,
            dynamic_shapes=({0: rows},),
            verbose=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = CORES
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def by_torch(net: torch.nn.Module, x: np.ndarray, chunk: int) -> np.ndarray:
    """Probabilities chunk by chunk, each operation on all threads."""
    rows = torch.from_numpy(x)
    with torch.inference_mode():
        logits = [net(rows[i : i + chunk]) for i in range(0, len(x), chunk)]
        return torch.sigmoid(torch.cat(logits)).numpy()


def by_onnx(session, x: np.ndarray, chunk: int) -> np.ndarray:
    """The same by ONNX Runtime."""
    name = session.get_inputs()[0].name
    logits = [session.run(None, {name: x[i : i + chunk]})[0] for i in range(0, len(x), chunk)]
    return 1 / (1 + np.exp(-np.concatenate(logits)))


def scoring(rows: int, repeats: int) -> list[dict]:
    """Every way at its best chunk, found on a part of the rows; then all in turns."""
    import tempfile

    reference, ours = pair()
    x = np.random.default_rng(0).normal(size=(rows, CHANNELS, STEPS)).astype(np.float32)
    ways = {
        "reference, PyTorch": lambda v, c: by_torch(reference.eval(), v, c),
        "ours, PyTorch": lambda v, c: score(ours, v, chunk=c),
    }
    with torch_threads(CORES), tempfile.TemporaryDirectory() as folder:
        for name, net in (("reference", reference), ("ours", ours)):
            if session := onnx_session(net, folder):
                ways[f"{name}, ONNX Runtime"] = lambda v, c, s=session: by_onnx(s, v, c)
        want = ways["reference, PyTorch"](x[:2_000], 1_000)
        for way in ways.values():
            np.testing.assert_allclose(way(x[:2_000], 300), want, atol=1e-5)
        chunks = {name: best_chunk(way, x) for name, way in ways.items()}
        works = [lambda n=n, w=w: w(x, chunks[n]) for n, w in ways.items()]
        seconds = dict(zip(ways, medians(works, max(1, repeats // 3)), strict=True))
    return scoring_figures(rows, seconds) + short_histories(ours, x, repeats)


def best_chunk(way: Callable, x: np.ndarray) -> int:
    part, sizes = x[:8_192], (256, 512, 1_024, 4_096, 8_192)
    times = medians([lambda c=c: way(part, c) for c in sizes], 3)
    return sizes[int(np.argmin(times))]


def scoring_figures(rows: int, seconds: dict[str, float]) -> list[dict]:
    fastest = {
        side: min(s for name, s in seconds.items() if name.startswith(side))
        for side in ("reference", "ours")
    }
    what = f"{rows:,} rows, {CORES} threads"
    figures = [
        figure(
            f"scoring {what}: reference / ours, each at its best",
            fastest["reference"] / fastest["ours"],
            target=1.2,
        )
    ]
    for name, s in seconds.items():
        figures.append(figure(f"scoring {what}: {name}", rows / s, unit="rows/s"))
    return figures


def short_histories(ours: CAttLstm, x: np.ndarray, repeats: int) -> list[dict]:
    """What is saved where histories have 3 to 20 steps, all lengths alike."""
    steps = np.random.default_rng(1).integers(3, STEPS + 1, len(x))
    mask = np.arange(STEPS) < steps[:, None]
    x = np.where(mask[:, None], x, 0).astype(np.float32)
    with torch_threads(CORES):
        (s,) = medians([lambda: score(ours, x, mask)], max(1, repeats // 3))
    name = f"scoring {len(x):,} rows of 3 to {STEPS} steps, {CORES} threads: ours, PyTorch"
    return [figure(name, len(x) / s, unit="rows/s")]


def run(scale: str = "full") -> list[dict]:
    training_rows, scoring_rows, repeats = SIZES[scale]
    return training(training_rows, repeats) + scoring(scoring_rows, repeats)


if __name__ == "__main__":
    for row in run():
        print(row)
