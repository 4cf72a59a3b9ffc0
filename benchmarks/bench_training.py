"""Speed of training: against skorch as it comes, and the paper's 30 epochs on the sample."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks import figure
from precmark.errors import InputError
from precmark.training import SequenceClassifier
from precmark.training.devices import torch_threads

SAMPLE_DECISIONS = 6_000


def made_up(n: int, channels: int = 16, steps: int = 20, *, full: bool, seed: int = 0):
    """Random sequences and labels that depend on them; not `full`: of 3 to `steps` steps."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, channels, steps)).astype(np.float32)
    y = (X[:, 0].mean(axis=1) + rng.normal(0, 0.2, n) > 0.25).astype(np.int8)
    if not full:
        ended = np.arange(steps) >= rng.integers(3, steps + 1, n)[:, None]
        X[ended[:, None, :].repeat(channels, 1)] = np.nan
    return X, y


def skorch_as_it_comes(X: np.ndarray, y: np.ndarray, epochs: int) -> Callable[[], object]:
    """A fit of the reference network by skorch with its own loader, callbacks and plain Adam."""
    import torch
    from skorch import NeuralNetBinaryClassifier

    from benchmarks.reference_networks import ReferenceCAttLstm

    net = NeuralNetBinaryClassifier(
        ReferenceCAttLstm,
        module__channels=X.shape[1],
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=32,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    label = y.astype(np.float32)

    def fit():
        with torch_threads(1):
            net.fit(X, label)

    return fit


def alternating(first: Callable, second: Callable, repeats: int) -> tuple[float, float]:
    """Median seconds of both, run in turns so that the machine's moods hit both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats + 1):
        for work, kept in zip((first, second), times, strict=True):
            start = time.perf_counter()
            work()
            kept.append(time.perf_counter() - start)
    # the first round pays for imports and first allocations
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def sample_sequences():
    """The sample's training and validation part and their name; made-up ones without a run."""
    try:
        from precmark.runs import Run
        from precmark.sequences import read_sequences

        sequences = read_sequences(Run.open("runs/sample"))
        train, valid = sequences.part("train"), sequences.part("validation")
        return (train.X, train.y), (valid.X, valid.y), "the sample"
    except (ImportError, InputError):
        n = SAMPLE_DECISIONS
        X, y = made_up(n + n // 3, full=False)
        return (X[:n], y[:n]), (X[n:], y[n:]), "made-up sequences"


def run(scale: str = "full") -> list[dict]:
    full = scale == "full"
    n, epochs, repeats = (SAMPLE_DECISIONS, 2, 5) if full else (320, 1, 1)
    X, y = made_up(n, full=True)
    ours = SequenceClassifier(epochs=epochs, device="cpu")
    theirs_s, ours_s = alternating(
        skorch_as_it_comes(X, y, epochs), lambda: ours.fit(X, y), repeats
    )
    (X, y), held_out, name = sample_sequences()
    if not full:
        X, y = X[:320], y[:320]
    start = time.perf_counter()
    model = SequenceClassifier(epochs=30 if full else 1, device="cpu")
    model.fit(X, y, validation=held_out)
    fit_s = time.perf_counter() - start
    what = f"batch 32, one thread, {n:,} sequences of 16 channels and 20 steps"
    return [
        figure(
            f"training: skorch as it comes with the reference network / ours, {what}",
            theirs_s / ours_s,
            "x",
            "higher",
            target=1.5,
        ),
        figure(f"training: our epoch, {what}", ours_s / epochs, "s", "lower"),
        figure(
            f"30 epochs of C-ATT-LSTM with validation, pooled, {len(X):,} decisions of {name}",
            fit_s,
            "s",
            "lower",
            target=60,
        ),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
