"""What a fit refuses, and in which words; every problem of a call at once."""

from __future__ import annotations

import difflib
import hashlib
import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from precmark.errors import InputError, Problem, rows_text

Arrays = tuple[np.ndarray, np.ndarray]


def checked_arrays(
    X: np.ndarray, y: np.ndarray, validation: Arrays | None, params: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, Arrays | None]:
    """The arrays of a fit as NumPy's, with the classifier's parameters `params` looked at too.

    Raises
    ------
    InputError
        Lists every problem of the parameters, the training part and the validation part.
    """
    X, y = np.asarray(X), np.asarray(y)
    problems: list[Problem | str] = list(parameter_problems(params, validation is not None))
    wrong = input_problems(X) + label_problems(y, len(X) if X.ndim else 0)
    problems += wrong or training_problems(X, y, params["batch_size"])
    names = params["channels"]
    if names is not None and X.ndim == 3 and len(names) != X.shape[1]:
        problems.append(f"channels names {len(names)} channels, X has {X.shape[1]}. Name each one.")
    if validation is not None:
        validation = np.asarray(validation[0]), np.asarray(validation[1])
        shape = X.shape[1:] if X.ndim == 3 else None
        problems += input_problems(validation[0], "validation X", shape)
        problems += label_problems(validation[1], len(validation[0]), "validation y")
        if not len(validation[0]):
            problems.append("validation has no sequences. Give some, or validation=None.")
    if problems:
        raise InputError(problems)
    return X, y, validation


def parameter_problems(params: dict[str, Any], has_validation: bool) -> list[str]:
    """What is wrong with the parameters of a :class:`SequenceClassifier`, in words."""
    problems = []
    for name, low in (("epochs", 1), ("batch_size", 1), ("threads", 1), ("seed", 0)):
        value = params[name]
        if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
            problems.append(f"{name} is {value!r}. Give a whole number of {low} or more.")
    rate, decay = params["learning_rate"], params["weight_decay"]
    if not isinstance(rate, Real) or not 0 < rate < 1:
        problems.append(f"learning_rate is {rate!r}. Give a number above 0 and below 1, as 0.001.")
    if not isinstance(decay, Real) or not (decay >= 0 and math.isfinite(decay)):
        problems.append(f"weight_decay is {decay!r}. Give 0 or a small positive number.")
    patience = params["early_stopping"]
    if patience is not None and (not isinstance(patience, Integral) or patience < 1):
        problems.append(f"early_stopping is {patience!r}. Give a number of epochs, or None.")
    elif patience is not None and not has_validation:
        problems.append(
            "early_stopping needs sequences to judge by. Give validation=(X, y), or "
            "early_stopping=None."
        )
    choices = {
        "class_weight": (None, "balanced"),
        "keep": ("best", "last"),
        "progress": ("auto", True, False),
    }
    for name, allowed in choices.items():
        if params[name] not in allowed:
            listed = ", ".join(repr(v) for v in allowed)
            problems.append(f"{name} is {params[name]!r}. Give one of {listed}.")
    problems += network_problems(params["network"])
    return problems


def network_problems(network: str | type) -> list[str]:
    """One problem where `network` names none; the nearest name is suggested."""
    if not isinstance(network, str):
        return [] if callable(network) else [f"network is {network!r}. Give a name or a class."]
    from precmark.networks import NETWORKS

    if network in NETWORKS:
        return []
    near = difflib.get_close_matches(network.lower(), NETWORKS, n=1, cutoff=0.4)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return [f"there is no network {network!r}.{meant} There are {', '.join(sorted(NETWORKS))}."]


def input_problems(
    X: np.ndarray, what: str = "X", shape: tuple[int, int] | None = None
) -> list[Problem | str]:
    """What is wrong with the sequences `X` (called `what`), in words.

    `shape` is the (F, T) that a fitted network expects.
    """
    if X.ndim != 3 or X.dtype.kind not in "fiub" or not all(X.shape[1:]):
        kind = f"shape {X.shape} of {X.dtype}"
        return [
            f"{what} has {kind}. Give sequences as numbers of shape (n, F, T): "
            "decisions, channels, steps, at least one channel and one step."
        ]
    if shape is not None and X.shape[1:] != shape:
        return [
            f"{what} has {X.shape[1]} channels and {X.shape[2]} steps, but the network was fitted "
            f"to {shape[0]} and {shape[1]}. Build the sequences with the same task, or fit again."
        ]
    problems: list[Problem | str] = []
    if X.dtype.kind == "f" and np.isinf(X).any():
        rows = np.flatnonzero(np.isinf(X).any(axis=(1, 2)))
        problems.append(
            _at(rows, f"{what} holds infinite values", "Replace them, or set them to NaN (missing)")
        )
    real = ~np.isnan(X).all(axis=1) if X.dtype.kind == "f" else np.ones((len(X), X.shape[2]), bool)
    empty = np.flatnonzero(~real.any(axis=1))
    if len(empty):
        problems.append(
            _at(empty, f"{what} has sequences without a single step", "Leave these rows out")
        )
    holes = np.flatnonzero((real[:, 1:] & ~real[:, :-1]).any(axis=1))
    if len(holes):
        problems.append(
            _at(
                holes,
                f"{what} has sequences whose steps do not begin at the left",
                "Put the real steps first and NaN in all channels after them",
            )
        )
    return problems


def label_problems(y: np.ndarray, n: int, what: str = "y") -> list[Problem | str]:
    """What is wrong with the labels `y` (called `what`) of `n` sequences, in words."""
    if y.ndim != 1 or len(y) != n:
        return [f"{what} has shape {y.shape} for {n:,} sequences. Give one label a sequence."]
    if y.dtype.kind not in "biuf":
        return [f"{what} is of {y.dtype}. Give 0 and 1; 1 means that the good outcome came."]
    wrong = np.flatnonzero(~np.isin(y, (0, 1)))
    if len(wrong):
        return [_at(wrong, f"{what} holds other labels than 0 and 1", "Give 0 and 1")]
    return []


def training_problems(X: np.ndarray, y: np.ndarray, batch_size: int) -> list[str]:
    """What else a fit needs of valid sequences `X` and labels `y`: a batch, and both classes."""
    problems = []
    if not len(X) or (isinstance(batch_size, Integral) and len(X) < batch_size):
        problems.append(
            f"there are {len(X):,} sequences, fewer than one batch of {batch_size}. Give more "
            "sequences or a smaller batch_size."
        )
    if len(X) and (y == y[0]).all():
        problems.append(
            f"all {len(y):,} labels are {int(y[0])}: with one class there is nothing to learn. "
            "Take a longer period, another outcome window, or pool the segments."
        )
    return problems


def fingerprint(*arrays: np.ndarray | None) -> str:
    """SHA-256 over dtype, shape and bytes of `arrays`: the same data, the same text."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _at(rows: np.ndarray, what: str, fix: str) -> Problem:
    listed = ", ".join(map(str, rows[:5].tolist()))
    more = ", ..." if len(rows) > 5 else ""
    text = f"{what}: {rows_text(len(rows))} (index {listed}{more})"
    return Problem(text, f"{fix}.")
