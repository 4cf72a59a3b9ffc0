"""A transformer encoder of C-ATT-LSTM's size: what one would try first today."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from precmark.errors import InputError


class TransformerEncoder(nn.Module):
    """One logit a row: projection plus positions, self-attention blocks, mean over real steps.

    Positions are sines and cosines, so no weight depends on T. Each block normalises first
    (pre-norm): h + attention(norm(h)), then h + MLP(norm(h)) with GELU.

    Parameters
    ----------
    channels, steps : int
        F and T, >= 1.
    width : int
        Size of a step's vector, a multiple of `heads`.
    heads, blocks : int
        Attention heads in a block, and blocks, >= 1.
    inner : int
        Hidden units of a block's MLP, >= 1.

    Raises
    ------
    InputError
        When `width` is no multiple of `heads`.

    References
    ----------
    Vaswani et al., Attention is all you need, 2017, arXiv 1706.03762; Xiong et al., On layer
    normalization in the transformer architecture, 2020, arXiv 2002.04745.
    """

    def __init__(
        self,
        channels: int,
        steps: int,
        *,
        width: int = 24,
        heads: int = 4,
        blocks: int = 2,
        inner: int = 72,
    ):
        super().__init__()
        if width % heads:
            raise InputError(f"width {width} is no multiple of heads {heads}; change one of them.")
        self.channels, self.steps = channels, steps
        self.project = nn.Linear(channels, width)
        self.register_buffer("positions", sinusoids(steps, width), persistent=False)
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (n,) of `x` (n, F, T), zero at padded steps; `mask` (n, T), True at real ones."""
        h = self.project(x.transpose(1, 2)) + self.positions[: x.shape[2]]
        bias = None
        if mask is not None:
            # the lowest number, not -inf: an empty row must not turn into NaN
            bias = h.new_zeros(mask.shape).masked_fill(~mask, torch.finfo(h.dtype).min)
            bias = bias[:, None, None, :]
        for block in self.blocks:
            h = block(h, bias)
        h = self.norm(h)
        if mask is None:
            return self.out(h.mean(1)).squeeze(1)
        keep = mask.unsqueeze(2).to(h.dtype)
        return self.out((h * keep).sum(1) / keep.sum(1).clamp_min(1)).squeeze(1)


class Block(nn.Module):
    """One pre-norm block on (n, T, width): self-attention over the steps, then an MLP."""

    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, h: Tensor, bias: Tensor | None = None) -> Tensor:
        """(n, T, width) -> the same; `bias` (n, 1, 1, T) is added to the attention scores."""
        qkv = self.qkv(self.norm1(h)).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        h = h + self.mix(mixed.transpose(1, 2).flatten(2))
        return h + self.narrow(F.gelu(self.widen(self.norm2(h))))


def sinusoids(steps: int, width: int) -> Tensor:
    """Positions (T, width): sines in even columns, cosines in odd ones, wavelengths to 10,000.

    References
    ----------
    Vaswani et al. 2017, arXiv 1706.03762, section 3.5.
    """
    column = torch.arange(width)
    rate = torch.exp(-math.log(10_000) * (column - column % 2) / width)
    angle = torch.arange(steps).unsqueeze(1) * rate
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
