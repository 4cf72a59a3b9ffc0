"""Finished fits on disk, so that a killed chapter goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from precmark.tables import read_table, write_table

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Predictions, cost and history of a fit."""

_PARTS = ("predictions", "fits", "histories")


@dataclass(frozen=True)
class Shelf:
    """Tables and networks of finished fits, found again by what was asked and by the code.

    Attributes
    ----------
    folder : path or None
        Where they lie; None keeps nothing and finds nothing.
    """

    folder: Path | None

    def get(self, asked: Sequence[Any]) -> Tables | None:
        """The tables of the fit `asked`, or None where one of them is not there."""
        paths = self._paths(asked)
        if not paths or not all(path.exists() for path in paths):
            return None
        return tuple(read_table(path) for path in paths)

    def put(self, asked: Sequence[Any], tables: Tables, network: Any = None) -> None:
        """Keep `tables`, and `network` where there is one; each whole or not at all."""
        if self.folder is None:
            return
        if network is not None:
            network.save(self._network_path(asked))
        for path, table in zip(self._paths(asked), tables, strict=True):
            write_table(table, path)

    def network(self, asked: Sequence[Any]) -> Any:
        """The trained network of the fit `asked`, or None where it is not there."""
        from precmark.training import SequenceClassifier

        if self.folder is None or not self._network_path(asked).exists():
            return None
        return SequenceClassifier.load(self._network_path(asked))

    def _key(self, asked: Sequence[Any]) -> str:
        text = json.dumps([*map(str, asked), code()])
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def _paths(self, asked: Sequence[Any]) -> list[Path]:
        if self.folder is None:
            return []
        return [self.folder / f"{self._key(asked)}-{part}.parquet" for part in _PARTS]

    def _network_path(self, asked: Sequence[Any]) -> Path:
        return self.folder / f"{self._key(asked)}.safetensors"


def code() -> str:
    """A digest of the code that makes a fit what it is."""
    package = Path(__file__).resolve().parents[1]
    names = ("networks", "training", "baselines")
    modules = [path for name in names for path in sorted((package / name).glob("*.py"))]
    digest = hashlib.sha256()
    for path in (*modules, package / "churn" / "fits.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()
