"""Features of pictures: an AlexNet-style network trained here, and the hand-made ones it rivals."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from precmark.errors import InputError, Problem
from precmark.training.devices import seed_generators, torch_threads

SIDE = 64
"""Pixels of a side: pictures are fitted into this square."""

LEAST_PICTURES = 2
"""Of each kind that is to be learnt."""


@dataclass(frozen=True)
class Pictures:
    """Pictures that could be read, and those that could not.

    Attributes
    ----------
    names : tuple of str
        Of the n pictures read.
    pixels : numpy.ndarray
        (n, side, side, 3) uint8, red, green, blue.
    unreadable : pandas.DataFrame
        ``name``, ``why``; a row a picture that could not be read.
    """

    names: tuple[str, ...]
    pixels: np.ndarray
    unreadable: pd.DataFrame


def read_pictures(named: Iterable[tuple[str, bytes | Path]], *, side: int = SIDE) -> Pictures:
    """Pictures fitted into squares of `side` pixels, on white where they are not square.

    Parameters
    ----------
    named : iterable of (name, content or path)
        Any format that Pillow reads; transparency becomes white.
    side : int
        8 or more.

    Returns
    -------
    Pictures
        In the order given; what cannot be read is listed with the reason and left out.

    Raises
    ------
    InputError
        Where `side` is too small, no picture is given, or none can be read: all are named.
    """
    if side < 8:
        raise InputError(Problem(f"side: {side}", "Use 8 pixels or more."))
    names, pixels, bad = [], [], []
    for name, source in named:
        try:
            pixels.append(_square(source, side))
            names.append(str(name))
        except Exception as error:  # Pillow's decoders raise many kinds; each file is named
            bad.append((str(name), _why(error)))
    if not names:
        fix = "Give pictures as JPEG, PNG or another format that Pillow reads."
        found = [Problem(f"picture {name!r}: {why}", fix) for name, why in bad]
        raise InputError(found or Problem("pictures: none given", fix))
    return Pictures(tuple(names), np.stack(pixels), pd.DataFrame(bad, columns=["name", "why"]))


def _why(error: Exception) -> str:
    text = str(error)
    if "cannot identify" in text:
        return "not a picture"
    return text.splitlines()[0] if text else type(error).__name__


def _square(source: bytes | Path, side: int) -> np.ndarray:
    """One picture as (side, side, 3) uint8."""
    from PIL import Image

    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
        shown = opened.convert("RGBA")
    # an alpha channel over white: a cut-out product stands on white in a shop
    white = Image.new("RGBA", shown.size, "white")
    shown = Image.alpha_composite(white, shown).convert("RGB")
    shown.thumbnail((side, side), Image.Resampling.BILINEAR)
    square = Image.new("RGB", (side, side), "white")
    square.paste(shown, ((side - shown.width) // 2, (side - shown.height) // 2))
    return np.asarray(square)


class AlexStyle(nn.Module):
    """Five convolutions with three poolings and three full layers, as AlexNet, in small.

    Pictures of 64 pixels instead of 224, a twentieth of the channels, and batch normalisation
    instead of the local response normalisation. While training, pictures are mirrored and moved by
    up to an eighth at random. Input (n, side, side, 3) uint8; output (n, kinds) logits.

    Parameters
    ----------
    kinds : int
    side : int
        A multiple of 16.
    width : int
        Channels of the first convolution.

    References
    ----------
    Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural
    networks, doi 10.1145/3065386.
    """

    def __init__(self, kinds: int, *, side: int = SIDE, width: int = 24, features: int = 128):
        super().__init__()
        widths = (3, width, 2 * width, 3 * width, 3 * width, 2 * width)
        kernels = ((5, 2), (3, 1), (3, 1), (3, 1), (3, 1))
        layers = []
        for i, (kernel, stride) in enumerate(kernels):
            layers += [
                nn.Conv2d(widths[i], widths[i + 1], kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(widths[i + 1]),
                nn.ReLU(),
            ]
            if i in (0, 1, 4):
                layers.append(nn.MaxPool2d(2))
        self.convolutions = nn.Sequential(*layers)
        flat = 2 * width * (side // 16) ** 2
        self.middle = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(flat, 2 * features), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(2 * features, features), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(features, kinds)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the last full layer but one makes of the pictures, (n, features)."""
        shown = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        if self.training:
            shown = _disturbed(shown)
        return self.middle(self.convolutions(shown))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits (n, kinds) of the pictures."""
        return self.head(self.features(pixels))


def _disturbed(shown: torch.Tensor) -> torch.Tensor:
    """The batch with half of it mirrored, and all of it moved by the same few pixels."""
    mirrored = torch.rand(len(shown)) < 0.5
    shown = torch.where(mirrored[:, None, None, None], shown.flip(3), shown)
    reach = shown.shape[2] // 8
    down, right = torch.randint(-reach, reach + 1, (2,)).tolist()
    return torch.roll(shown, (down, right), (2, 3))


@dataclass(frozen=True)
class PictureModel:
    """A trained network.

    Attributes
    ----------
    network : AlexStyle
        As after the epoch with the lowest validation loss.
    kinds : tuple of str
        In the order of the outputs.
    history : pandas.DataFrame
        ``epoch`` from 1, ``train_loss``, ``valid_loss``, ``valid_accuracy`` (0 to 1).
    """

    network: AlexStyle
    kinds: tuple[str, ...]
    history: pd.DataFrame

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """(n, kinds) for pictures (n, side, side, 3) uint8."""
        return torch.softmax(self._outputs(self.network, pixels), dim=1).numpy()

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """(n, features) float32: content vectors of pictures."""
        return self._outputs(self.network.features, pixels).numpy()

    def _outputs(self, layer, pixels: np.ndarray) -> torch.Tensor:
        self.network.eval()
        with torch.no_grad():
            parts = [layer(torch.tensor(pixels[i : i + 256])) for i in range(0, len(pixels), 256)]
        return torch.cat(parts)


def train_pictures(
    pixels: np.ndarray,
    kinds: Sequence[str],
    validation: tuple[np.ndarray, Sequence[str]],
    *,
    epochs: int = 20,
    batch: int = 64,
    rate: float = 2e-3,
    width: int = 24,
    seed: int = 0,
    threads: int = 2,
) -> PictureModel:
    """An :class:`AlexStyle` network that tells `kinds` of pictures apart.

    Parameters
    ----------
    pixels : array (n, side, side, 3) of uint8
    kinds : sequence of str, n
        What each picture shows.
    validation : (pixels, kinds)
        Decides which epoch is kept.
    epochs, batch, rate, width, seed
        AdamW with a rate that falls to 0 along a cosine; the same seed gives the same network on
        one machine with the same `threads`.

    Raises
    ------
    InputError
        Listing pictures and kinds that do not match in number, fewer than two kinds, a kind with
        fewer than two pictures, kinds that only validation has, a side that is no multiple of 16.
    """
    names = tuple(sorted(set(kinds)))
    _check(pixels, kinds, validation, names)
    device = torch.device("cpu")
    seed_generators(seed, device)
    x, y = torch.tensor(pixels), _codes(kinds, names)
    xv, yv = torch.tensor(validation[0]), _codes(validation[1], names)
    network = AlexStyle(len(names), side=pixels.shape[1], width=width)
    steps = epochs * -(-len(x) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rows, best, kept = [], np.inf, None
    with torch_threads(threads):
        for epoch in range(1, epochs + 1):
            loss = _epoch(network, optimiser, schedule, x, y, batch)
            valid, accuracy = _judged(network, xv, yv)
            rows.append((epoch, loss, valid, accuracy))
            if valid < best:
                best = valid
                kept = {key: value.clone() for key, value in network.state_dict().items()}
    network.load_state_dict(kept)
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy"]
    return PictureModel(network.eval(), names, pd.DataFrame(rows, columns=columns))


def _codes(kinds: Sequence[str], names: Sequence[str]) -> torch.Tensor:
    return torch.tensor(pd.Index(names).get_indexer(list(kinds)))


def _epoch(network, optimiser, schedule, x, y, batch: int) -> float:
    """One pass over the training pictures in a new order; the mean loss."""
    network.train()
    order, total = torch.randperm(len(x)), 0.0
    for start in range(0, len(x), batch):
        rows = order[start : start + batch]
        if len(rows) < 2:  # a batch of one has no variance to normalise by
            continue
        loss = nn.functional.cross_entropy(network(x[rows]), y[rows], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item() * len(rows)
    return total / len(x)


def _judged(network, x, y) -> tuple[float, float]:
    """Loss and accuracy on the validation pictures."""
    network.eval()
    with torch.no_grad():
        out = torch.cat([network(x[i : i + 256]) for i in range(0, len(x), 256)])
    loss = nn.functional.cross_entropy(out, y).item()
    return loss, (out.argmax(1) == y).float().mean().item()


def _check(pixels, kinds, validation, names) -> None:
    problems = []
    for part, (x, y) in {"training": (pixels, kinds), "validation": validation}.items():
        if len(x) != len(y) or not len(x):
            fix = "Give one kind a picture."
            problems.append(Problem(f"{part}: {len(x)} pictures and {len(y)} kinds", fix))
        elif x.ndim != 4 or x.shape[1] != x.shape[2] or x.shape[1] % 16 or x.shape[3] != 3:
            fix = "Use read_pictures with a side that is a multiple of 16."
            problems.append(Problem(f"{part}: pictures of shape {x.shape[1:]}", fix))
    if len(names) < 2:
        problems.append(Problem(f"kinds: {len(names)}", "Give pictures of two kinds or more."))
    counts = pd.Series(list(kinds), dtype=object).value_counts()
    for name in counts[counts < LEAST_PICTURES].index:
        problems.append(
            Problem(f"kind {name!r}: one picture", "Give two or more, or leave it out.")
        )
    for name in sorted(set(validation[1]) - set(names)):
        fix = "Give training pictures of it, or leave it out."
        problems.append(Problem(f"kind {name!r}: in the validation pictures only", fix))
    if problems:
        raise InputError(problems)
