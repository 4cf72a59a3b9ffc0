"""What a fitted segmentation remembers: frozen values, written as JSON and read back exactly."""

from __future__ import annotations

import dataclasses
import inspect
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from precmark.errors import InputError
from precmark.tables import whole_file

_STATES: dict[str, type] = {}


def remembered(cls: type) -> type:
    """Class decorator: `cls`, a frozen dataclass, may be written by :meth:`Segmenter.save`."""
    _STATES[cls.__name__] = cls
    return cls


def encode(value: Any) -> Any:
    """`value` (a remembered dataclass, array, tuple or scalar) as what JSON can hold."""
    if dataclasses.is_dataclass(value):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"state": type(value).__name__, "fields": fields}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, (tuple, list)):
        return [encode(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def decode(value: Any) -> Any:
    """The value that :func:`encode` wrote; lists come back as tuples."""
    if isinstance(value, dict) and "array" in value:
        return np.array(value["array"], dtype=value["dtype"]).reshape(value["shape"])
    if isinstance(value, dict) and "state" in value:
        fields = {name: decode(v) for name, v in value["fields"].items()}
        return _STATES[value["state"]](**fields)
    return tuple(decode(v) for v in value) if isinstance(value, list) else value


class Segmenter(ABC):
    """What the segmentations share: scikit-learn's verbs, and a memory in JSON (never a pickle).

    A subclass sets its parameters in ``__init__`` under their own names and, in :meth:`fit`,
    ``state_``: a frozen dataclass that holds all that :meth:`predict` needs.
    """

    FORMAT: ClassVar[int] = 1

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters given to the constructor, by name."""
        parameters = inspect.signature(type(self)).parameters.values()
        named = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        return {name: getattr(self, name) for name in named}

    def set_params(self, **params: Any) -> Segmenter:
        """Set parameters by name; an unknown name is a ValueError."""
        unknown = sorted(set(params) - set(self.get_params()))
        if unknown:
            raise ValueError(f"{type(self).__name__} has no parameters {unknown}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        params = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({params})"

    @abstractmethod
    def fit(self, profile: pd.DataFrame) -> Segmenter:
        """Learn the segments of `profile`; subclasses say how."""

    @abstractmethod
    def predict(self, profile: pd.DataFrame) -> np.ndarray:
        """The segment of each row of `profile`; subclasses say which labels there are."""

    def fit_predict(self, profile: pd.DataFrame) -> np.ndarray:
        """Fit to `profile` and return the segment of each of its rows."""
        return self.fit(profile).predict(profile)

    def _fitted(self) -> Any:
        if not hasattr(self, "state_"):
            raise InputError(f"{type(self).__name__} is not fitted. Call fit(profile) first.")
        return self.state_

    def save(self, path: Path | str) -> Path:
        """Write parameters and fitted state to `path` as JSON, whole or not at all."""
        card = {
            "kind": type(self).__name__,
            "format": self.FORMAT,
            "params": encode(dict(self.get_params())),
            "state": encode(self._fitted()),
        }
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(card) + "\n")
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Segmenter:
        """Read back what :meth:`save` wrote; InputError where the file holds something else."""
        try:
            card = json.loads(Path(path).read_text())
            kind, version = card["kind"], card["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} does not hold a saved segmentation ({error}). "
                "Give the file that save() wrote, or fit again."
            ) from error
        if (kind, version) != (cls.__name__, cls.FORMAT):
            raise InputError(
                f"{path} holds {kind} in format {version}, not {cls.__name__} in format "
                f"{cls.FORMAT}. Load it with the class that saved it, or fit again."
            )
        segmenter = cls(**{name: decode(v) for name, v in card["params"].items()})
        segmenter.state_ = decode(card["state"])
        return segmenter


def rows_of(profile: pd.DataFrame, what: str) -> pd.DataFrame:
    """`profile` where it has rows; an InputError naming `what` where it is empty."""
    if not isinstance(profile, pd.DataFrame):
        raise TypeError(f"{what} wants a profile frame, got {type(profile).__name__}")
    if profile.empty:
        raise InputError(
            f"{what}: the profile has no users. Check the as-of date and the log that made it."
        )
    return profile
