"""The networks by name, and how one is built."""

from __future__ import annotations

import inspect
import numbers

from torch import nn

from precmark.errors import InputError, Problem
from precmark.networks.c_att_lstm import CAttLstm
from precmark.networks.liu import Cnn, CnnLstmAttention, Lstm, LstmAttention
from precmark.networks.transformer import TransformerEncoder

NETWORKS: dict[str, type[nn.Module]] = {
    "c-att-lstm": CAttLstm,
    "cnn": Cnn,
    "lstm": Lstm,
    "lstm-attention": LstmAttention,
    "cnn-lstm-attention": CnnLstmAttention,
    "transformer": TransformerEncoder,
}


def parameters_of(name: str) -> dict[str, object]:
    """Parameters of the network `name` beside channels and steps, with their defaults."""
    signature = inspect.signature(NETWORKS[name]).parameters
    return {key: p.default for key, p in signature.items() if p.kind is p.KEYWORD_ONLY}


def build(name: str, *, channels: int, steps: int, **parameters: object) -> nn.Module:
    """The network `name` with fresh weights from PyTorch's current seed.

    Parameters
    ----------
    name : str
        A key of ``NETWORKS``.
    channels, steps : int
        F and T, >= 1.
    **parameters
        As the network's class documents them; numbers are whole and >= 1.

    Raises
    ------
    InputError
        With every problem: an unknown network or parameter, a number below 1, a wrong type.
    """
    if name not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise InputError(Problem(f"network: there is no {name!r}", f"Choose one of {known}."))
    defaults = parameters_of(name)
    given = {"channels": channels, "steps": steps, **parameters}
    wrong = [problem for key, value in given.items() if (problem := _wrong(key, value, defaults))]
    if wrong:
        raise InputError(wrong)
    return NETWORKS[name](channels, steps, **parameters)


def _wrong(key: str, value: object, defaults: dict[str, object]) -> Problem | None:
    if key not in defaults and key not in ("channels", "steps"):
        known = ", ".join(defaults)
        return Problem(f"{key}: not a parameter of this network", f"It has {known}.")
    if isinstance(defaults.get(key), bool):
        if isinstance(value, bool):
            return None
        return Problem(f"{key} is {value!r}", "Give True or False.")
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if whole and value >= 1:
        return None
    return Problem(f"{key} is {value!r}", "Give a whole number of at least 1.")
