"""The four networks of Liu: CNN, LSTM, LSTM with attention, CNN + LSTM with attention.

The paper names the layers and gives no sizes, and its equations define neither the LSTM nor the
attention. Sizes are chosen so that each has about as many parameters as C-ATT-LSTM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from precmark.networks.layers import (
    Recurrence,
    StepAttention,
    StepConvolution,
    at_last,
    keep_of,
    mean_over_steps,
    time_first,
)


class Cnn(nn.Module):
    """One logit a row: convolution, max pooling over two steps, convolution, mean over steps.

    Both convolutions have a bias and ReLU (equations 7, 9 and 16); pooling takes the larger of two
    neighbouring steps (equation 15); the mean over steps is weighted to one score (equations 10
    and 11). Softmax over two classes (equation 12) is the sigmoid of one logit.

    Parameters
    ----------
    channels, steps : int
        F and T, >= 1. No weight depends on T.
    filters : int
        Channels of both convolutions.
    kernel_size : int
        Steps that a convolution sees; 3 in the paper's Figure 3.

    References
    ----------
    Liu, E-commerce precision marketing model based on convolutional neural network, 2022,
    section 3.1, Figures 1 and 3.
    """

    def __init__(self, channels: int, steps: int, *, filters: int = 60, kernel_size: int = 3):
        super().__init__()
        self.channels, self.steps = channels, steps
        self.conv1 = StepConvolution(channels, filters, kernel_size, bias=True)
        self.conv2 = StepConvolution(filters, filters, kernel_size, bias=True)
        self.out = nn.Linear(filters, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (n,) of `x` (n, F, T), zero at padded steps; `mask` (n, T), True at real ones."""
        keep = keep_of(x, mask)
        h = larger_of_two(self.conv1(time_first(x), keep))
        keep = None if keep is None else larger_of_two(keep)
        return self.out(mean_over_steps(self.conv2(h, keep), keep)).squeeze(1)


def larger_of_two(h: Tensor) -> Tensor:
    """The larger of steps 0 and 1, 2 and 3, ... of `h` (T, n, C) >= 0; an odd last one alone."""
    if len(h) % 2:
        h = torch.cat([h, torch.zeros_like(h[:1])])
    return h.unflatten(0, (-1, 2)).amax(1)


class Lstm(nn.Module):
    """One logit a row: LSTM, last state.

    Parameters
    ----------
    channels, steps : int
        F and T, >= 1. No weight depends on T.
    hidden : int
        Size of the state.

    References
    ----------
    Liu, section 3.2; the recurrence as in Gu, doi 10.65102/is20261254, equations 7 to 9.
    """

    def __init__(self, channels: int, steps: int, *, hidden: int = 48):
        super().__init__()
        self.channels, self.steps = channels, steps
        self.lstm = Recurrence(channels, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (n,) of `x` (n, F, T), zero at padded steps; `mask` (n, T), True at real ones."""
        return self.out(at_last(self.lstm(time_first(x)), keep_of(x, mask))).squeeze(1)


class LstmAttention(nn.Module):
    """One logit a row: LSTM, attention over all its states, their weighted sum.

    Parameters
    ----------
    channels, steps : int
        F and T, >= 1. No weight depends on T.
    hidden : int
        Size of the state.

    References
    ----------
    Liu, section 3.3.
    """

    def __init__(self, channels: int, steps: int, *, hidden: int = 44):
        super().__init__()
        self.channels, self.steps = channels, steps
        self.lstm = Recurrence(channels, hidden)
        self.attention = StepAttention(hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (n,) of `x` (n, F, T), zero at padded steps; `mask` (n, T), True at real ones."""
        h = self.lstm(time_first(x))
        return self.out(self.attention(h, keep_of(x, mask))).squeeze(1)


class CnnLstmAttention(nn.Module):
    """One logit a row: convolution with ReLU, LSTM, attention over its states, weighted sum.

    Parameters
    ----------
    channels, steps : int
        F and T, >= 1. No weight depends on T.
    filters : int
        Channels of the convolution.
    kernel_size : int
        Steps that the convolution sees.
    hidden : int
        Size of the LSTM's state.

    References
    ----------
    Liu, section 3.4.
    """

    def __init__(
        self,
        channels: int,
        steps: int,
        *,
        filters: int = 32,
        kernel_size: int = 3,
        hidden: int = 36,
    ):
        super().__init__()
        self.channels, self.steps = channels, steps
        self.conv1 = StepConvolution(channels, filters, kernel_size, bias=True)
        self.lstm = Recurrence(filters, hidden)
        self.attention = StepAttention(hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (n,) of `x` (n, F, T), zero at padded steps; `mask` (n, T), True at real ones."""
        keep = keep_of(x, mask)
        h = self.lstm(self.conv1(time_first(x), keep))
        return self.out(self.attention(h, keep)).squeeze(1)
