"""C-ATT-LSTM: two convolutions, each with attention to channels and steps, then an LSTM."""

from __future__ import annotations

from torch import Tensor, nn

from precmark.networks.layers import (
    ConvolutionalAttention,
    Recurrence,
    StepConvolution,
    at_last,
    keep_of,
    time_first,
)


class CAttLstm(nn.Module):
    """One logit a row: convolution, attention, convolution, attention, LSTM, last state.

    Q_1 = ReLU(W_1 * X), X_1'' = attention(Q_1), Q_2 = ReLU(W_2 * X_1''), X_2'' = attention(Q_2),
    h_1..h_T = LSTM(X_2''), logit = W_fc h_T + b_fc.

    The paper writes equation 10 with seven outputs, the torques of seven joints, a leftover of
    work on a robot arm; here it maps to the one logit of y = 1. Equations 1, 2, 5 and 6 have no
    bias, and neither have these layers. The paper gives no sizes; these are chosen.

    Parameters
    ----------
    channels : int
        F, features a step, >= 1.
    steps : int
        T, the longest history, >= 1. No weight depends on it.
    filters : int
        Channels of both convolutions.
    kernel_size : int
        Steps that a convolution sees.
    ratio : int
        Reduction of the channel attention's hidden layer; its units are max(1, filters // ratio).
    spatial_kernel_size : int
        Steps that the spatial attention's convolution sees.
    hidden : int
        Size of the LSTM's state.
    channel_attention, spatial_attention : bool
        False leaves that half of both attention modules out.
    lstm : bool
        False sends the features of the last real step to the logit without an LSTM.

    References
    ----------
    Gu, doi 10.65102/is20261254, section 4.2, Figure 2, equations 1 to 10.
    """

    def __init__(
        self,
        channels: int,
        steps: int,
        *,
        filters: int = 32,
        kernel_size: int = 3,
        ratio: int = 8,
        spatial_kernel_size: int = 7,
        hidden: int = 32,
        channel_attention: bool = True,
        spatial_attention: bool = True,
        lstm: bool = True,
    ):
        super().__init__()
        self.channels, self.steps = channels, steps
        options = {"channel": channel_attention, "spatial": spatial_attention}
        options |= {"ratio": ratio, "kernel_size": spatial_kernel_size}
        self.conv1 = StepConvolution(channels, filters, kernel_size)
        self.attention1 = ConvolutionalAttention(filters, steps, **options)
        self.conv2 = StepConvolution(filters, filters, kernel_size)
        self.attention2 = ConvolutionalAttention(filters, steps, **options)
        self.lstm = Recurrence(filters, hidden) if lstm else None
        self.out = nn.Linear(hidden if lstm else filters, 1)

    def features(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """X_2'' (T, n, filters) of `x` (T, n, F) (equations 1 to 6)."""
        x = self.attention1(self.conv1(x, keep), keep)
        return self.attention2(self.conv2(x, keep), keep)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (n,) of `x` (n, F, T), zero at padded steps; `mask` (n, T), True at real ones."""
        keep = keep_of(x, mask)
        h = self.features(time_first(x), keep)
        if self.lstm is not None:
            h = self.lstm(h)
        return self.out(at_last(h, keep)).squeeze(1)
