"""Building blocks of the networks, time first and channels last: arrays are (T, n, C).

In this layout windows of a convolution are put together from whole slices, pooling over steps
and the recurrence read whole rows, and nothing is transposed on the way. `keep` is the mask in the
same layout, float (T, n, 1) with 1 at real steps; None means that every step is real.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def only_scoring() -> bool:
    """Whether nothing is recorded: neither gradients nor a graph to compile or export."""
    return not torch.compiler.is_compiling() and torch.is_inference_mode_enabled()


def time_first(x: Tensor) -> Tensor:
    """A contiguous (T, n, F) from the (n, F, T) that the networks are given."""
    return x.permute(2, 0, 1).contiguous()


def keep_of(x: Tensor, mask: Tensor | None) -> Tensor | None:
    """The mask (n, T) as the float factor (T, n, 1) in the type of `x`; None stays None."""
    return None if mask is None else mask.t().unsqueeze(2).to(x.dtype)


def real_steps(keep: Tensor) -> Tensor:
    """Number of real steps of each row, (n, 1), at least 1 so that an empty row divides by 1."""
    return keep.sum(0).clamp_min(1)


def at_last(h: Tensor, keep: Tensor | None) -> Tensor:
    """The rows (n, C) of `h` (T, n, C) at the last real step of each; step 0 of an empty row."""
    if keep is None:
        return h[-1]
    order = torch.arange(1, len(h) + 1, device=h.device, dtype=keep.dtype).view(-1, 1)
    last = (keep[..., 0] * order).amax(0).clamp_min(1).long() - 1
    return h.gather(0, last.view(1, -1, 1).expand(1, -1, h.shape[2]))[0]


def mean_over_steps(h: Tensor, keep: Tensor | None) -> Tensor:
    """Mean over the real steps, (n, C), of `h` (T, n, C) that is zero at the others."""
    return h.mean(0) if keep is None else h.sum(0) / real_steps(keep)


def fresh(*shape: int, fan_in: int) -> nn.Parameter:
    """Weights drawn uniformly within 1 / sqrt(fan_in), as PyTorch starts its own layers."""
    return nn.Parameter(torch.empty(*shape).uniform_(-1, 1) / fan_in**0.5)


class StepConvolution(nn.Module):
    """Convolution over steps with zeros beyond both ends, then ReLU: ReLU(W * X).

    The equations have no bias, so `bias` is False unless asked for. An even kernel reaches one
    step further into the future than into the past, as PyTorch's padding "same" does.

    Parameters
    ----------
    channels, filters : int
        Channels in and out, >= 1.
    kernel_size : int
        Steps that one output sees, >= 1.
    bias : bool

    Attributes
    ----------
    weight : torch.nn.Parameter
        (kernel_size, channels, filters): tap by tap the matrix that a step is multiplied by.

    References
    ----------
    Gu, doi 10.65102/is20261254, equations 1 and 2.
    """

    def __init__(self, channels: int, filters: int, kernel_size: int, *, bias: bool = False):
        super().__init__()
        fan_in = channels * kernel_size
        self.weight = fresh(kernel_size, channels, filters, fan_in=fan_in)
        self.bias = fresh(filters, fan_in=fan_in) if bias else None

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """(T, n, channels) -> (T, n, filters), zero at steps that are not real."""
        if only_scoring():
            return self.tap_by_tap(x, keep)
        taps = len(self.weight)
        windows = torch.cat([shifted(x, j - (taps - 1) // 2) for j in range(taps)], 2)
        q = torch.relu(F.linear(windows, self.weight.flatten(0, 1).t(), self.bias))
        return q if keep is None else q * keep

    def tap_by_tap(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """What :meth:`forward` gives, for scoring: nothing is copied where nothing is learnt."""
        steps, rows, _ = x.shape
        flat, middle = x.flatten(0, 1), (len(self.weight) - 1) // 2
        q = flat @ self.weight[middle]
        if self.bias is not None:
            q += self.bias
        for j, tap in enumerate(self.weight):
            ahead = (j - middle) * rows
            if ahead > 0:
                q[:-ahead].addmm_(flat[ahead:], tap)
            elif ahead < 0:
                q[-ahead:].addmm_(flat[:ahead], tap)
        q = q.relu_().view(steps, rows, -1)
        return q if keep is None else q.mul_(keep)


def shifted(x: Tensor, ahead: int) -> Tensor:
    """At each step of `x` (T, n, C) the step `ahead` of it (behind it if < 0), zeros beyond."""
    if ahead == 0:
        return x
    steps = len(x)
    if abs(ahead) >= steps:
        return torch.zeros_like(x)
    beyond = x.new_zeros(abs(ahead), *x.shape[1:])
    return torch.cat([x[ahead:], beyond] if ahead > 0 else [beyond, x[:ahead]])


class ConvolutionalAttention(nn.Module):
    """Channel attention, then spatial attention, each multiplied onto its input.

    M_c(X) = sigmoid(MLP(mean over steps) + MLP(max over steps)), X' = M_c(Q) Q;
    M_s(X) = sigmoid(W_s0 * [mean over channels; max over channels]), X'' = M_s(X') X'.
    MLP(v) = W_c1 ReLU(W_c0 v) is shared; its hidden units are max(1, C // ratio).

    Parameters
    ----------
    channels : int
        C >= 1.
    steps : int
        T >= 1, the length that the spatial attention is prepared for; others work, slower.
    ratio : int
        Reduction of the hidden layer, >= 1.
    kernel_size : int
        Steps that the spatial attention's convolution sees, >= 1.
    channel, spatial : bool
        False leaves that half out; its map is then 1.

    Attributes
    ----------
    squeeze, excite : torch.nn.Parameter
        W_c0 (C, hidden) and W_c1 (hidden, C).
    spatial : torch.nn.Parameter
        W_s0 (2, kernel_size), the mean's taps first.

    References
    ----------
    Gu, doi 10.65102/is20261254, equations 3 to 6; Woo et al., CBAM: Convolutional block attention
    module, 2018, doi 10.1007/978-3-030-01234-2_1.
    """

    def __init__(
        self,
        channels: int,
        steps: int,
        *,
        ratio: int,
        kernel_size: int,
        channel: bool = True,
        spatial: bool = True,
    ):
        super().__init__()
        hidden = max(1, channels // ratio)
        self.squeeze = fresh(channels, hidden, fan_in=channels) if channel else None
        self.excite = fresh(hidden, channels, fan_in=hidden) if channel else None
        self.spatial = fresh(2, kernel_size, fan_in=2 * kernel_size) if spatial else None
        selector = band_selector(kernel_size, steps) if spatial else None
        self.register_buffer("selector", selector, persistent=False)
        # the mean over channels as a product, which is several times faster than its sum
        self.register_buffer("share", torch.full((channels,), 1 / channels), persistent=False)

    def channel_map(self, q: Tensor, keep: Tensor | None = None) -> Tensor:
        """M_c (n, C) of `q` (T, n, C) >= 0 that is zero at steps that are not real."""
        pooled = torch.stack([mean_over_steps(q, keep), q.amax(0)])
        hidden = torch.relu(pooled @ self.squeeze)
        # the second layer is linear, so that it can follow the sum
        return torch.sigmoid(hidden.sum(0) @ self.excite)

    def spatial_map(self, x: Tensor) -> Tensor:
        """M_s (T, n) of `x` (T, n, C) that is zero at steps that are not real."""
        pooled = torch.cat([x @ self.share, x.amax(2)])
        return torch.sigmoid(self.band(len(x)) @ pooled)

    def band(self, steps: int) -> Tensor:
        """The matrix (T, 2T) that convolves two stacked series of T steps with `spatial`."""
        selector = self.selector
        if selector.shape[2] != steps:
            selector = band_selector(self.spatial.shape[1], steps).to(selector)
        return (self.spatial.flatten() @ selector.flatten(1)).view(steps, 2 * steps)

    def maps(self, q: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """M_c (n, C) and M_s (T, n) of `q` as in :meth:`forward`; ones where left out."""
        channel, spatial = q.new_ones(q.shape[1:]), q.new_ones(q.shape[:2])
        if self.squeeze is not None:
            channel = self.channel_map(q, keep)
        if self.spatial is not None:
            spatial = self.spatial_map(q * channel)
        return channel, spatial

    def forward(self, q: Tensor, keep: Tensor | None = None) -> Tensor:
        """X'' (T, n, C) of `q` (T, n, C) >= 0 that is zero at steps that are not real."""
        if self.squeeze is not None:
            q = q * self.channel_map(q, keep)
        if self.spatial is not None:
            q = q * self.spatial_map(q).unsqueeze(2)
        return q


def band_selector(taps: int, steps: int) -> Tensor:
    """Zeros and ones (2 taps, T, 2T) that spread two kernels over the matrix of their convolution.

    Entry (i taps + j, t, i T + s) is 1 where tap j of the output at step t reads step s.
    """
    step = torch.arange(steps)
    tap = step - step.unsqueeze(1) + (taps - 1) // 2
    one = (torch.arange(taps).view(-1, 1, 1) == tap).to(torch.get_default_dtype())
    none = torch.zeros_like(one)
    return torch.cat([torch.cat([one, none], 2), torch.cat([none, one], 2)])


class Recurrence(nn.Module):
    """Long short-term memory over the steps, one layer, one bias a gate.

    i, f, o = sigmoid(W x_t + U h_{t-1} + b), c_t = f c_{t-1} + i tanh(W_c x_t + U_c h_{t-1} + b_c),
    h_t = o tanh(c_t), from h_0 = c_0 = 0.

    Parameters
    ----------
    channels, hidden : int
        Size of x_t and of h_t, >= 1.

    Attributes
    ----------
    weight_ih, weight_hh, bias : torch.nn.Parameter
        W (4 hidden, channels), U (4 hidden, hidden), b (4 hidden,), the gates in PyTorch's order
        input, forget, cell, output.

    References
    ----------
    Gu, doi 10.65102/is20261254, equations 7 to 9; Hochreiter & Schmidhuber 1997,
    doi 10.1162/neco.1997.9.8.1735.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.weight_ih = fresh(4 * hidden, channels, fan_in=hidden)
        self.weight_hh = fresh(4 * hidden, hidden, fan_in=hidden)
        self.bias = fresh(4 * hidden, fan_in=hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(T, n, channels) -> every h_t, (T, n, hidden)."""
        if only_scoring() and x.device.type == "cpu":
            return self.states(x)
        # the library's recurrence wants a second bias, which the equations do not have
        start = x.new_zeros(1, x.shape[1], self.weight_hh.shape[1])
        weights = (self.weight_ih, self.weight_hh, self.bias, torch.zeros_like(self.bias))
        return torch.lstm(x, (start, start), weights, True, 1, 0.0, self.training, False, False)[0]

    def states(self, x: Tensor) -> Tensor:
        """What :meth:`forward` gives, for scoring on a processor, where it is faster.

        States stand with features first, so that every gate is one contiguous block, and all
        arrays of a step are used again for the next. tanh(v) = 2 sigmoid(2 v) - 1 turns the four
        gates into one call; h / 2 and 2 c are kept, with the factors in the weights.
        """
        steps, rows, _ = x.shape
        size = self.weight_hh.shape[1]
        double = torch.ones_like(self.bias)
        double[2 * size : 3 * size] = 2
        outer = self.weight_ih * double.unsqueeze(1)
        # the bias is the weight of a row of ones below the state
        inner = torch.cat([2 * self.weight_hh, self.bias.unsqueeze(1)], 1) * double.unsqueeze(1)
        h = x.new_empty(steps + 1, size + 1, rows)
        h[0, :size], h[:, size] = 0, 1
        c, c_tanh = x.new_zeros(size, rows), x.new_empty(size, rows)
        gates = x.new_empty(4 * size, rows)
        i, f, g, o = gates.split(size)
        for x_t, before, after in zip(x.mT.unbind(0), h[:-1], h[1:, :size], strict=True):
            torch.mm(outer, x_t, out=gates).addmm_(inner, before).sigmoid_()
            c.mul_(f).addcmul_(i, g.sub_(0.5), value=4)
            torch.mul(torch.sigmoid(c, out=c_tanh).sub_(0.5), o, out=after)
        return h[1:, :size].mT * 2


class StepAttention(nn.Module):
    """One vector from all steps: weights softmax(v' tanh(W h_t + b)), then the weighted sum.

    Parameters
    ----------
    channels : int
        Size of h_t and of the hidden layer that scores it, >= 1.

    References
    ----------
    Liu does not define the attention; this is the usual additive form: Bahdanau, Cho & Bengio,
    2015, arXiv 1409.0473.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.score = nn.Linear(channels, channels)
        self.direction = nn.Linear(channels, 1, bias=False)

    def weights(self, h: Tensor, keep: Tensor | None = None) -> Tensor:
        """Weight of each step, (T, n, 1): real ones add up to 1, the others are 0."""
        scores = self.direction(torch.tanh(self.score(h)))
        if keep is not None:
            # the lowest number, not -inf: an empty row must not turn into NaN
            scores = scores.masked_fill(keep == 0, torch.finfo(scores.dtype).min)
            return scores.softmax(0) * keep
        return scores.softmax(0)

    def forward(self, h: Tensor, keep: Tensor | None = None) -> Tensor:
        """(T, n, C) -> (n, C)."""
        return (self.weights(h, keep) * h).sum(0)
