"""Networks that read sequences: C-ATT-LSTM, Liu's four, and a transformer encoder."""

from precmark.networks.c_att_lstm import CAttLstm
from precmark.networks.liu import Cnn, CnnLstmAttention, Lstm, LstmAttention
from precmark.networks.registry import NETWORKS, build, parameters_of
from precmark.networks.transformer import TransformerEncoder

__all__ = [
    "NETWORKS",
    "CAttLstm",
    "Cnn",
    "CnnLstmAttention",
    "Lstm",
    "LstmAttention",
    "TransformerEncoder",
    "build",
    "parameters_of",
]
