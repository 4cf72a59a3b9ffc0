"""Checkpoints in the safetensors format: weights, optimiser and settings, whole and checked.

A checkpoint holds tensors (``last.*``, ``best.*``, ``adam.<parameter>.*``, ``scaler.*``) and, in
the file's metadata under one key, a card and a SHA-256 over card and tensors, in JSON. Reading one
runs no code that the file brings along. No generator's state is stored: each epoch draws from seeds
of its own (see :func:`precmark.training.batches.batch_order`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from precmark.errors import InputError
from precmark.tables import whole_file
from precmark.training.checks import network_problems
from precmark.training.loop import Trained
from precmark.training.scaling import ChannelScaler

FORMAT = "precmark sequence classifier 1"
_KEY = "precmark"

# a resumed fit may run longer, elsewhere, or report otherwise; all else must be as it was
MAY_DIFFER = frozenset(
    {"epochs", "keep", "device", "threads", "progress", "checkpoint", "channels"}
)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says.

    Attributes
    ----------
    params : dict
        The classifier's parameters.
    shape : tuple of int
        Channels and steps, (F, T).
    fingerprint : str
        SHA-256 of the sequences and labels it was fitted to, the validation part included.
    trained : Trained
        Weights, optimiser and history at the end of the last epoch.
    scaler : ChannelScaler
    """

    params: dict[str, Any]
    shape: tuple[int, int]
    fingerprint: str
    trained: Trained
    scaler: ChannelScaler


def write_checkpoint(checkpoint: Checkpoint, path: Path | str) -> Path:
    """Write `checkpoint` to `path`, whole or not at all.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    from safetensors.torch import save

    trained = checkpoint.trained
    card = json.dumps(
        {
            "params": checkpoint.params,
            "shape": list(checkpoint.shape),
            "fingerprint": checkpoint.fingerprint,
            "history": trained.history,
            "best_epoch": trained.best_epoch,
            "constant": list(checkpoint.scaler.constant),
        }
    )
    tensors = _tensors(checkpoint)
    # one key only: the format keeps several in any order, and the same fit gives the same bytes
    head = {"format": FORMAT, "sha256": _digest(card, tensors), "card": card}
    raw = save(tensors, metadata={_KEY: json.dumps(head)})
    with whole_file(path) as temporary:
        temporary.write_bytes(raw)
    return Path(path)


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Read back what :func:`write_checkpoint` wrote.

    Raises
    ------
    InputError
        When there is no such file, when it is cut off, was changed since, or is something else.
    """
    head, tensors = _read_safely(Path(path))
    if head.get("format") != FORMAT:
        raise InputError(
            f"{path} is no checkpoint of this version ({head.get('format', 'no format')!r}, "
            f"not {FORMAT!r}). Give a file that SequenceClassifier.save or a checkpoint wrote."
        )
    if _digest(str(head.get("card")), tensors) != head.get("sha256"):
        raise InputError(
            f"{path} was changed after it was written: its checksum does not fit its content. "
            "Take a sound copy, or fit again."
        )
    card = json.loads(head["card"])
    trained = Trained(
        history=card["history"],
        last=_under(tensors, "last"),
        best=_under(tensors, "best"),
        best_epoch=card["best_epoch"],
        adam=_adam(tensors),
    )
    scaler = ChannelScaler(
        tensors["scaler.mean"].numpy(), tensors["scaler.scale"].numpy(), tuple(card["constant"])
    )
    shape = (int(card["shape"][0]), int(card["shape"][1]))
    return Checkpoint(card["params"], shape, card["fingerprint"], trained, scaler)


def refuse_other(found: Checkpoint, wanted: dict, shape: tuple[int, int], data: str, path) -> None:
    """Raise where a fit with the parameters `wanted` cannot go on from the checkpoint `found`.

    Parameters
    ----------
    found : Checkpoint
    wanted : dict
        The classifier's parameters, as JSON can hold them.
    shape : tuple of int
        Channels and steps of the sequences at hand.
    data : str
        Their fingerprint.
    path : path
        Named in the message.

    Raises
    ------
    InputError
        Lists every parameter that differs; says where the data are others.
    """
    problems = [
        f"{path}: {name} was {found.params.get(name)!r} and is now {value!r}. Set it back, or "
        "start anew with resume=False."
        for name, value in wanted.items()
        if name not in MAY_DIFFER and found.params.get(name) != value
    ]
    if found.shape != shape:
        problems.append(
            f"{path}: it was fitted to {found.shape[0]} channels and {found.shape[1]} steps, the "
            f"sequences have {shape[0]} and {shape[1]}. Start anew with resume=False."
        )
    elif found.fingerprint != data:
        problems.append(
            f"{path}: it was fitted to other sequences, labels or validation data. Give the same "
            "ones, or start anew with resume=False."
        )
    done = len(found.trained.history)
    if done > wanted["epochs"]:
        problems.append(
            f"{path}: it holds {done} epochs, more than epochs={wanted['epochs']}. Ask for at "
            f"least {done}, or start anew with resume=False."
        )
    if problems:
        raise InputError(problems)


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """`params` as JSON holds them: paths and classes as text, NumPy's numbers as Python's."""
    return json.loads(json.dumps(params, default=_text))


def _text(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)


def _tensors(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    trained, scaler = checkpoint.trained, checkpoint.scaler
    tensors = {
        "scaler.mean": torch.from_numpy(scaler.mean),
        "scaler.scale": torch.from_numpy(scaler.scale),
    }
    for part, weights in (("last", trained.last), ("best", trained.best)):
        # a copy each: the format refuses tensors that share memory
        tensors |= {f"{part}.{name}": w.clone() for name, w in weights.items()}
    for i, state in trained.adam.items():
        tensors |= {f"adam.{i}.{name}": t for name, t in state.items()}
    return {name: t.contiguous() for name, t in tensors.items()}


def _under(tensors: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    start = part + "."
    return {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}


def _adam(tensors: dict[str, torch.Tensor]) -> dict[int, dict[str, torch.Tensor]]:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _under(tensors, "adam").items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = tensor
    return state


def _digest(card: str, tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(f"\0{name}\0{array.dtype.str}{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read_safely(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Format, checksum and card, and the tensors, of the safetensors file at `path`."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise InputError(
            f"there is no checkpoint at {path}. Check the path; a fit writes one at the end of "
            "its first epoch when it is given checkpoint=PATH."
        )
    try:
        raw = path.read_bytes()
        tensors = load(raw)
        length = int.from_bytes(raw[:8], "little")
        metadata = json.loads(raw[8 : 8 + length]).get("__metadata__", {})
        head = dict(json.loads(metadata.get(_KEY, "{}")))
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise InputError(
            f"{path} is cut off or is no checkpoint ({error}). Take a sound copy, or fit again."
        ) from error
    return head, tensors


def refuse_network(found: Checkpoint, network: type | None, path: Path | str) -> None:
    """Raise where the checkpoint's network has no name here, or is not the class `network`."""
    name = found.params["network"]
    if network is not None:
        given = plain({"network": network})["network"]
        if given != name:
            raise InputError(f"{path} holds a network {name}, not {given}. Give its own class.")
    elif network_problems(name):
        raise InputError(
            f"{path} holds a network {name!r} that precmark does not have. Give its class as "
            "network=."
        )
