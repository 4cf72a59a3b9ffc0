"""Training on a CUDA device against the reference there: ``python -m benchmarks.cuda_training``.

Stored apart from the other figures, in ``benchmarks/results/training-cuda.json``, because most
machines have no such device; the figures carry its name.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import figure
from benchmarks.__main__ import store
from benchmarks.bench_training import SAMPLE_DECISIONS, alternating, made_up
from benchmarks.reference_networks import ReferenceCAttLstm
from precmark.training import SequenceClassifier


def reference_fit(X: np.ndarray, y: np.ndarray, epochs: int):
    """A plain loop on the device: a DataLoader, a copy a batch, Adam as it comes."""
    rows = TensorDataset(torch.from_numpy(X), torch.from_numpy(y.astype(np.float32)))

    def fit():
        net = ReferenceCAttLstm(X.shape[1]).cuda()
        adam = torch.optim.Adam(net.parameters(), lr=1e-3)
        loss_of = torch.nn.BCEWithLogitsLoss()
        for _ in range(epochs):
            for x, label in DataLoader(rows, batch_size=32, shuffle=True):
                loss = loss_of(net(x.cuda()), label.cuda())
                adam.zero_grad()
                loss.backward()
                adam.step()
        torch.cuda.synchronize()

    return fit


def run() -> list[dict]:
    X, y = made_up(SAMPLE_DECISIONS, full=True)
    epochs = 5
    ours = SequenceClassifier(epochs=epochs, device="cuda")
    theirs_s, ours_s = alternating(reference_fit(X, y, epochs), lambda: ours.fit(X, y), 5)
    what = f"batch 32, {len(X):,} sequences of 16 channels and 20 steps"
    name = torch.cuda.get_device_name(0)
    return [
        figure(
            f"training on {name}: the reference / ours, {what}",
            theirs_s / ours_s,
            "x",
            "higher",
            target=5,
        ),
        figure(f"training on {name}: our epoch, {what}", ours_s / epochs, "s", "lower"),
    ]


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("No CUDA device is here. Run this where torch.cuda.is_available() is True.")
    figures = run()
    for row in figures:
        print(row)
    store("training-cuda", figures)
