"""Networks that read sequences: C-ATT-LSTM, Liu's four, and a transformer encoder."""

from precmark.networks.c_att_lstm import CAttLstm
from precmark.networks.costs import (
    AttentionMaps,
    LayerCost,
    Reach,
    attention_maps,
    layer_costs,
    parameter_count,
    receptive_field,
)
from precmark.networks.liu import Cnn, CnnLstmAttention, Lstm, LstmAttention
from precmark.networks.registry import NETWORKS, build, parameters_of
from precmark.networks.scoring import logits, score
from precmark.networks.transformer import TransformerEncoder

__all__ = [
    "NETWORKS",
    "AttentionMaps",
    "CAttLstm",
    "Cnn",
    "CnnLstmAttention",
    "LayerCost",
    "Lstm",
    "LstmAttention",
    "Reach",
    "TransformerEncoder",
    "attention_maps",
    "build",
    "layer_costs",
    "logits",
    "parameter_count",
    "parameters_of",
    "receptive_field",
    "score",
]
