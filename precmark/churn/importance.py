"""Which channels and which steps a model leans on: permutation, and gradients of the networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from precmark.sequences import step_mask


def places(X: np.ndarray) -> np.ndarray:
    """Position of each lag in `X`: row i, lag l (0 = the decision's own step); -1 where none is.

    Parameters
    ----------
    X : array of float32, shape (n, F, T)

    Returns
    -------
    numpy.ndarray of int64, shape (n, T)
    """
    last = step_mask(X).sum(axis=1, keepdims=True) - 1
    return np.maximum(last - np.arange(X.shape[2]), -1)


def shuffled(X: np.ndarray, channel: int | None, lag: int | None, rng) -> np.ndarray:
    """`X` with `channel` (None: all) at `lag` (None: each) dealt out among the rows that have it.

    A value stays at its lag, so that padding remains padding and a gap remains a gap.
    """
    out = X.copy()
    where = places(X)
    which = slice(None) if channel is None else channel
    for at in range(X.shape[2]) if lag is None else (lag,):
        rows = np.flatnonzero(where[:, at] >= 0)
        dealt = rng.permutation(rows)
        out[rows, which, where[rows, at]] = X[dealt, which, where[dealt, at]]
    return out


def permutation_importance(
    predict: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    channels: Sequence[str],
    *,
    repeats: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """How much average precision falls when one channel, or one step, is shuffled.

    Parameters
    ----------
    predict : callable
        (m, F, T) to P(y = 1), shape (m,).
    X, y : arrays, shapes (n, F, T) and (n,)
        Of the test part.
    channels : sequence of str
        The F names.
    repeats : int
        Shuffles each.

    Returns
    -------
    pandas.DataFrame
        ``kind`` ("channel" or "step"), ``name`` (steps: "0" is the decision's own, "1" the one
        before), ``drop`` (mean fall of average precision), ``low`` and ``high`` (the middle 95 %
        of the shuffles: they say how much luck the shuffling has, not the data).

    References
    ----------
    Breiman, Random Forests, 2001, doi:10.1023/A:1010933404324, section 10.
    """
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(seed)
    base = average_precision_score(y, predict(X))
    asked = [("channel", name, number, None) for number, name in enumerate(channels)]
    asked += [("step", str(lag), None, lag) for lag in range(X.shape[2])]
    rows = []
    for kind, name, channel, lag in asked:
        drops = [
            base - average_precision_score(y, predict(shuffled(X, channel, lag, rng)))
            for _ in range(repeats)
        ]
        low, high = np.quantile(drops, [0.025, 0.975])
        rows.append((kind, name, float(np.mean(drops)), float(low), float(high)))
    return pd.DataFrame(rows, columns=["kind", "name", "drop", "low", "high"])


def gradient_importance(network, x, mask: np.ndarray, channels: Sequence[str]) -> pd.DataFrame:
    """Mean size of the logit's gradient at each channel and lag, over the rows that have the lag.

    Parameters
    ----------
    network : torch module
        ``network(x, mask)`` gives logits.
    x : torch tensor, float32, shape (n, F, T)
        As the network sees it: standardised, zero where nothing is. Gradients are then per
        standard deviation of the channel.
    mask : array of bool, shape (n, T)

    Returns
    -------
    pandas.DataFrame
        ``channel``, ``lag``, ``gradient`` (mean absolute, logits per standard deviation),
        ``rows`` (decisions that have the lag).
    """
    import torch

    x = x.detach().clone().requires_grad_(True)
    network.eval()
    network(x, torch.from_numpy(mask).to(x.device)).sum().backward()
    size = x.grad.abs().cpu().numpy()
    where = np.maximum(mask.sum(axis=1, keepdims=True) - 1 - np.arange(x.shape[2]), -1)
    rows = []
    for lag in range(x.shape[2]):
        have = np.flatnonzero(where[:, lag] >= 0)
        mean = (
            size[have, :, where[have, lag]].mean(axis=0) if len(have) else np.zeros(len(channels))
        )
        rows += [(name, lag, float(v), len(have)) for name, v in zip(channels, mean, strict=True)]
    return pd.DataFrame(rows, columns=["channel", "lag", "gradient", "rows"])
