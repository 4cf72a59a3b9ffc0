"""A convolutional network on feature pictures, and maps of what its score is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from precmark.errors import InputError, Problem
from precmark.training import SequenceClassifier

if TYPE_CHECKING:
    from precmark.training.batches import TensorRows

PENALTY = 1e-4
"""Weight of the L2 penalty (equation 13 prints a lambda without a value)."""


class GridCnn(nn.Module):
    """One logit a picture: convolution, pooling, convolution, mean over the pixels.

    Both convolutions are 3 by 3 with a bias and ReLU and keep the size (equations 7, 9, 16).
    Pooling takes the largest of a pixel and its neighbours to the right, below and between
    (equation 15) at every pixel, so that each pixel of the last maps still stands for a feature.
    The mean of each map over the N pixels (equation 10) is weighted to one score (equation 11);
    softmax over two classes (equations 8, 12) is the sigmoid of one logit.

    Parameters
    ----------
    rows, columns : int
        Of the picture, >= 1. No weight depends on them.
    filters : tuple of int
        Maps of the first and of the second convolution.

    References
    ----------
    Liu 2022, section 3.1 and equations 7 to 16; Zhou et al. 2016, Learning deep features for
    discriminative localization, doi 10.1109/CVPR.2016.319.
    """

    def __init__(self, rows: int, columns: int, *, filters: tuple[int, int] = (8, 16)):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.conv1 = nn.Conv2d(1, filters[0], 3, padding=1)
        self.conv2 = nn.Conv2d(filters[0], filters[1], 3, padding=1)
        self.out = nn.Linear(filters[1], 1)

    def maps(self, x: Tensor) -> Tensor:
        """The last maps f_i, >= 0, shape (n, filters, rows, columns), of pictures `x`."""
        h = torch.relu(self.conv1(x.unsqueeze(1)))
        # the border repeats itself: nothing beyond it can be the largest
        h = nn.functional.pad(h, (0, 1, 0, 1), mode="replicate")
        h = nn.functional.max_pool2d(h, 2, stride=1)
        return torch.relu(self.conv2(h))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (n,) of pictures `x` (n, rows, columns); `mask` is not used."""
        return self.out(self.maps(x).mean(dim=(2, 3))).squeeze(1)

    def activation(self, x: Tensor) -> Tensor:
        """Class activation maps M(x) = sum over i of w_i f_i(x), (n, rows, columns); equation 14.

        The mean of a map over its pixels plus the bias is the logit.
        """
        return torch.einsum("nfrc,f->nrc", self.maps(x), self.out.weight[0])


def grid_classifier(
    *, epochs: int = 12, seed: int = 0, filters: tuple[int, int] = (8, 16), **settings: Any
) -> SequenceClassifier:
    """The project's estimator with :class:`GridCnn`: ``fit(pictures, y, validation=...)``.

    Adam's weight decay is twice the lambda of equation 13; it holds the biases down too.

    Parameters
    ----------
    epochs, seed
        See :class:`~precmark.training.SequenceClassifier`.
    filters : tuple of int
    **settings
        Further parameters of the estimator.
    """
    given = {"batch_size": 64, "weight_decay": 2 * PENALTY, "progress": False} | settings
    return SequenceClassifier(
        GridCnn, network_parameters={"filters": filters}, epochs=epochs, seed=seed, **given
    )


def activation_maps(classifier: SequenceClassifier, pictures: np.ndarray) -> np.ndarray:
    """Class activation maps of `pictures` by a fitted :func:`grid_classifier`.

    Parameters
    ----------
    classifier : SequenceClassifier
        Fitted on pictures.
    pictures : array of float, shape (n, rows, columns)

    Returns
    -------
    array of float64, shape (n, rows, columns)
        In log odds: what each pixel adds to the score, times the number of pixels.

    Raises
    ------
    InputError
        When the classifier's network has no maps.
    """
    module = classifier.module()
    if not isinstance(module, GridCnn):
        raise InputError(
            Problem(
                f"{type(module).__name__} has no class activation maps",
                "Give a classifier of grid_classifier().",
            )
        )
    rows: TensorRows = classifier.tensors(pictures)
    with torch.inference_mode():
        parts = [module.activation(rows.x[i : i + 1024]) for i in range(0, len(pictures), 1024)]
    empty = np.empty((0, module.rows, module.columns))
    return np.concatenate([empty, *(part.cpu().numpy().astype(np.float64) for part in parts)])


def bias_of(classifier: SequenceClassifier) -> float:
    """What the logit is without any map, in log odds."""
    return float(classifier.module().out.bias.detach()[0])
