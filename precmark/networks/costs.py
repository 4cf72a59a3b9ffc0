"""What a network is made of, layer by layer: shapes, parameters, multiply-adds, reach, maps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from precmark.errors import InputError
from precmark.networks.c_att_lstm import CAttLstm
from precmark.networks.layers import (
    ConvolutionalAttention,
    Recurrence,
    StepAttention,
    StepConvolution,
    keep_of,
    time_first,
)
from precmark.networks.liu import Cnn
from precmark.networks.transformer import Block, TransformerEncoder


class LayerCost(NamedTuple):
    """One layer of a network.

    Attributes
    ----------
    layer : str
        Name in words.
    equation : str
        Number of the paper's equation, "" where there is none.
    output_shape : tuple of int
        Of one row: (channels, steps), or (channels,).
    parameters : int
        Weights that are learnt.
    multiply_adds : int
        Multiplications of one row's forward pass as the equations write them: products with
        weights and of arrays. Sums, pooling and activations are not counted.
    """

    layer: str
    equation: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


class Reach(NamedTuple):
    """How many steps of X one step of a layer's output sees.

    Attributes
    ----------
    layer : str
        Name in words, as in :class:`LayerCost`.
    features : int
        Steps whose features are combined into it, 1 to T.
    weights : int
        Steps that can change it at all, attention included, 1 to T.
    """

    layer: str
    features: int
    weights: int


class AttentionMaps(NamedTuple):
    """What both attention modules of C-ATT-LSTM multiply by, each in (0, 1).

    Attributes
    ----------
    channel : list of numpy.ndarray
        M_c after the first and the second convolution, (n, filters); ones where left out.
    spatial : list of numpy.ndarray
        M_s after the first and the second convolution, (n, T), NaN at steps that are not real;
        ones where left out.
    """

    channel: list[np.ndarray]
    spatial: list[np.ndarray]


def parameter_count(net: nn.Module) -> int:
    """Number of weights that `net` learns."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def layer_costs(net: nn.Module) -> list[LayerCost]:
    """The layers of `net`, one of ``NETWORKS``, from input to logit; parameters add up to its own.

    Equation numbers are those of the network's paper, see its class.
    """
    steps = net.steps
    if isinstance(net, TransformerEncoder):
        return _transformer(net)
    ordinal = {"1": "first ", "2": "second "}
    rows: list[LayerCost] = []
    for name, module in net.named_children():
        which = ordinal[name[-1]] if hasattr(net, "conv2") and name[-1] in ordinal else ""
        if isinstance(module, StepConvolution):
            rows.append(_convolution(module, which, steps, _equation(net, name)))
            if isinstance(net, Cnn) and name == "conv1":
                steps = -(-steps // 2)
                shape = (module.weight.shape[2], steps)
                rows.append(LayerCost("maximum of two steps", "15", shape, 0, 0))
        elif isinstance(module, ConvolutionalAttention):
            rows += _attention(module, which, steps)
        elif isinstance(module, Recurrence):
            rows.append(_recurrence(module, steps, _equation(net, name)))
        elif isinstance(module, StepAttention):
            rows.append(_step_attention(module, steps))
        elif isinstance(module, nn.Linear):
            rows.append(_linear(module, "logit", _equation(net, name)))
    return rows


def _equation(net: nn.Module, name: str) -> str:
    known = {
        CAttLstm: {"conv1": "1", "conv2": "2", "lstm": "7-9", "out": "10"},
        Cnn: {"conv1": "7, 9, 16", "conv2": "7, 9, 16", "out": "10-12"},
    }
    return known.get(type(net), {}).get(name, "")


def _convolution(layer: StepConvolution, which: str, steps: int, equation: str) -> LayerCost:
    products = layer.weight.numel() * steps
    shape = (layer.weight.shape[2], steps)
    return LayerCost(f"{which}convolution", equation, shape, parameter_count(layer), products)


def _attention(layer: ConvolutionalAttention, which: str, steps: int) -> list[LayerCost]:
    rows, channels = [], len(layer.share)
    if layer.squeeze is not None:
        weights = layer.squeeze.numel() + layer.excite.numel()
        products = 2 * weights + channels * steps
        name = f"{which}channel attention"
        rows.append(LayerCost(name, "3, 5", (channels, steps), weights, products))
    if layer.spatial is not None:
        weights = layer.spatial.numel()
        products = weights * steps + channels * steps
        name = f"{which}spatial attention"
        rows.append(LayerCost(name, "4, 6", (channels, steps), weights, products))
    return rows


def _recurrence(layer: Recurrence, steps: int, equation: str) -> LayerCost:
    size = layer.weight_hh.shape[1]
    products = (layer.weight_ih.numel() + layer.weight_hh.numel() + 3 * size) * steps
    return LayerCost("LSTM", equation, (size, steps), parameter_count(layer), products)


def _step_attention(layer: StepAttention, steps: int) -> LayerCost:
    size = layer.score.in_features
    products = (layer.score.weight.numel() + 2 * size) * steps
    return LayerCost("attention over steps", "", (size,), parameter_count(layer), products)


def _linear(layer: nn.Linear, name: str, equation: str = "", steps: int = 0) -> LayerCost:
    shape = (layer.out_features, steps) if steps else (layer.out_features,)
    products = layer.weight.numel() * max(steps, 1)
    return LayerCost(name, equation, shape, parameter_count(layer), products)


def _transformer(net: TransformerEncoder) -> list[LayerCost]:
    steps, width = net.steps, net.norm.normalized_shape[0]
    rows = [_linear(net.project, "projection", steps=steps)]
    for number, block in enumerate(net.blocks, 1):
        rows += _block(block, f"block {number}: ", steps, width)
    rows.append(LayerCost("normalisation", "", (width, steps), 2 * width, width * steps))
    return [*rows, _linear(net.out, "logit")]


def _block(block: Block, prefix: str, steps: int, width: int) -> list[LayerCost]:
    shape, norm = (width, steps), width * steps
    mixing = 2 * steps * steps * width
    attention, mlp = (block.norm1, block.qkv, block.mix), (block.norm2, block.widen, block.narrow)
    rows = []
    for name, layers, more in (("self-attention", attention, mixing), ("MLP", mlp, 0)):
        products = sum(m.weight.numel() * steps for m in layers[1:]) + norm + more
        weights = sum(parameter_count(m) for m in layers)
        rows.append(LayerCost(prefix + name, "", shape, weights, products))
    return rows


def receptive_field(net: nn.Module) -> list[Reach]:
    """How far each layer of `net`, one of ``NETWORKS``, sees along the steps, from input to logit.

    Layers are those of :func:`layer_costs`.
    """
    steps, features, weights, stride = net.steps, 1, 1, 1
    rows = []
    for cost in layer_costs(net):
        name = cost.layer
        if name.endswith("convolution"):
            more = (_taps(net, name) - 1) * stride
            features, weights = features + more, weights + more
        elif name == "maximum of two steps":
            features, weights, stride = features + 1, weights + 1, 2
        elif name.endswith("spatial attention"):
            weights += net.attention1.spatial.shape[1] - 1
        elif name.endswith("channel attention"):
            weights = steps
        elif name.endswith(("LSTM", "attention", "over steps")) or _pools(net, name):
            features = weights = steps
        features, weights = min(features, steps), min(weights, steps)
        rows.append(Reach(name, features, weights))
    return rows


def _taps(net: nn.Module, name: str) -> int:
    return len((net.conv2 if name.startswith("second") else net.conv1).weight)


def _pools(net: nn.Module, name: str) -> bool:
    """Whether `name` reads a mean over all steps."""
    return name == "logit" and isinstance(net, Cnn)


def attention_maps(
    net: CAttLstm, x: np.ndarray | Tensor, mask: np.ndarray | Tensor | None = None
) -> AttentionMaps:
    """M_c and M_s of both attention modules for every row (equations 5 and 6).

    Parameters
    ----------
    net : CAttLstm
    x : numpy.ndarray or torch.Tensor
        (n, F, T), float32, zero at padded steps.
    mask : numpy.ndarray or torch.Tensor or None
        (n, T), True at real steps; None where all are real.

    Raises
    ------
    InputError
        When the network is another one, which has no such maps.
    """
    if not isinstance(net, CAttLstm):
        raise InputError(f"{type(net).__name__} has no attention maps; give a CAttLstm.")
    device = next(net.parameters()).device
    x = torch.as_tensor(x).to(device)
    mask = None if mask is None else torch.as_tensor(mask).to(device)
    with torch.inference_mode():
        keep, h = keep_of(x, mask), time_first(x)
        channel, spatial = [], []
        for convolution, attention in ((net.conv1, net.attention1), (net.conv2, net.attention2)):
            q = convolution(h, keep)
            channel_map, spatial_map = attention.maps(q, keep)
            channel.append(channel_map.cpu().numpy())
            seen = spatial_map.t().contiguous().cpu().numpy()
            if mask is not None:
                seen[~mask.cpu().numpy()] = np.nan
            spatial.append(seen)
            h = attention(q, keep)
    return AttentionMaps(channel, spatial)
