"""What the models see and are made of: parts of the data, channels, one decision, layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from precmark.churn.fits import Model
from precmark.sequences import Sequences, describe_channels

if TYPE_CHECKING:
    from precmark.networks import LayerCost

SPLITS = ("train", "validation", "test", "purged")
"""Parts of the split by time, and what was taken out between them."""


def parts_table(sequences: Sequences) -> pd.DataFrame:
    """Decisions of each part of the split: how many, when, and how many with y = 1.

    Returns
    -------
    pandas.DataFrame
        ``part``, ``decisions`` (without coupons), ``with a coupon``, ``good outcomes``, ``share``,
        ``from``, ``to`` (days, UTC).
    """
    frame = sequences.decisions.assign(y=sequences.y)
    rows = []
    for part in SPLITS:
        mine = frame[frame.split == part]
        free = mine[~mine.coupon.astype(bool)]
        if not len(mine):
            continue
        rows.append(
            (part, len(free), len(mine) - len(free), int(free.y.sum()), float(free.y.mean()),
             f"{mine.timestamp.min():%Y-%m-%d}", f"{mine.timestamp.max():%Y-%m-%d}")
        )  # fmt: skip
    names = ["part", "decisions", "with a coupon", "good outcomes", "share", "from", "to"]
    return pd.DataFrame(rows, columns=names)


def channels_table(sequences: Sequences) -> pd.DataFrame:
    """The channels: what each means, its mean and spread over the real steps of training.

    Returns
    -------
    pandas.DataFrame
        ``channel``, ``meaning``, ``mean``, ``sd``, ``missing`` (share of real steps).
    """
    train = sequences.part("train")
    meanings = describe_channels(sequences.channels).set_index("channel").what
    real = train.mask
    rows = []
    for number, name in enumerate(sequences.channels):
        values = train.X[:, number][real]
        known = values[np.isfinite(values)]
        rows.append(
            (name, meanings[name], known.mean() if len(known) else np.nan,
             known.std() if len(known) else np.nan, 1 - len(known) / max(1, len(values)))
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["channel", "meaning", "mean", "sd", "missing"])


def one_decision(sequences: Sequences, *, last: int = 6, seed: int = 0) -> pd.DataFrame:
    """The last steps of one test decision, a row a channel and a column a step.

    The decision is drawn among those with at least `last` real steps, or with the most there are.
    """
    test = sequences.part("test")
    steps = test.mask.sum(axis=1)
    shown = int(min(last, steps.max()))
    row = int(np.random.default_rng(seed).choice(np.flatnonzero(steps >= shown)))
    values = test.X[row, :, steps[row] - shown : steps[row]]
    names = [f"{back} before" for back in range(shown - 1, 0, -1)] + ["the decision"]
    return pd.DataFrame(values, index=pd.Index(sequences.channels, name="channel"), columns=names)


def layers_table(layers: Sequence[LayerCost]) -> pd.DataFrame:
    """The layers of a network: equation, shape for one decision, parameters, multiply-adds."""
    return pd.DataFrame(
        [
            (c.layer, c.equation, " x ".join(map(str, c.output_shape)), c.parameters,
             c.multiply_adds)
            for c in layers
        ],
        columns=["layer", "equation", "shape", "parameters", "multiply-adds"],
    )  # fmt: skip


def models_table(models: Mapping[str, Model]) -> pd.DataFrame:
    """The models of the comparison: what each is, where it comes from, what validation chooses."""
    from precmark.baselines import BASELINES

    rows = []
    for name, model in models.items():
        if model.family == "network":
            source, knob = NETWORK_SOURCES[name], f"epoch, 1 to {model.settings}"
        else:
            found = BASELINES[name]
            source, knob = found.source, f"{found.knob}, {found.candidates}" if found.knob else "-"
        rows.append((model.title, model.family, source, knob))
    return pd.DataFrame(rows, columns=["model", "family", "source", "chosen on validation"])


NETWORK_SOURCES = {
    "c-att-lstm": "Gu, section 4.2",
    "cnn": "Liu, section 3.1",
    "lstm": "Liu, section 3.2",
    "lstm-attention": "Liu, section 3.3",
    "cnn-lstm-attention": "Liu, section 3.4",
    "transformer": "today's reference",
}
"""Where each network comes from."""


def segment_table(sequences: Sequences, segments: np.ndarray) -> pd.DataFrame:
    """Decisions and good outcomes of each segment in each part of the split.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (0 = no profile yet), for each part its ``decisions`` and ``share`` of good
        outcomes.
    """
    frame = sequences.decisions.assign(y=sequences.y, segment=segments)
    frame = frame[~frame.coupon.astype(bool) & (frame.split != "purged")]
    out = pd.DataFrame({"segment": sorted(frame.segment.unique())})
    for part in SPLITS[:3]:
        mine = frame[frame.split == part].groupby("segment").y
        out[f"{part}: decisions"] = out.segment.map(mine.size()).fillna(0).astype("int64")
        out[f"{part}: share"] = out.segment.map(mine.mean())
    return out


def titles(fits: pd.DataFrame) -> dict[str, str]:
    """Name to title of the models in a table of fits."""
    return fits.drop_duplicates("model").set_index("model").title.to_dict()


def best_epochs(histories: pd.DataFrame) -> dict[str, int]:
    """Model to the epoch with the lowest validation loss, of its first seed."""
    first = histories[histories.seed == histories.seed.iloc[0]]
    return {
        name: int(same.loc[same.valid_loss.idxmin(), "epoch"])
        for name, same in first.groupby("model", sort=False)
    }
