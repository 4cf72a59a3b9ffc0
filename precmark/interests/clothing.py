"""What the network makes of real photos of clothes; run as a module, stores its aggregates.

``PRECMARK_DATA=folder python -m precmark.interests.clothing`` reads the photos in that folder
(``clothing_small_128px.parquet``, a row a photo: ``split``, ``label``, ``file``, ``jpeg``), trains
the network with three seeds and writes ``data/reference/clothing.json``, which the chapter shows
where no photos are at hand.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from precmark.errors import InputError, Problem
from precmark.tables import read_table, whole_file

FILE = "clothing_small_128px.parquet"
REFERENCE = Path("data/reference/clothing.json")
COLUMNS = ("split", "label", "file", "jpeg")
NEIGHBOURS = 10
EPOCHS, SEEDS = 30, 3
NETWORK = "AlexNet-style network"
HAND = ("colours", "edges", "colours and edges")
"""The rivals: a logistic regression on each kind of feature made by hand."""


@dataclass(frozen=True)
class ClothingResults:
    """What the photos said.

    Attributes
    ----------
    card : dict
        ``fingerprint`` (SHA-256 of the file), ``commit``, ``epochs``, ``seeds``, ``photos``,
        ``unreadable`` (photos that could not be read).
    photos : pandas.DataFrame
        ``kind``, ``train``, ``validation``, ``test``: photos.
    accuracy : pandas.DataFrame
        ``model``, ``seed`` (-1: none is drawn), ``value``, ``low``, ``high``: share of the test
        photos named rightly, 95 % over photos.
    differences : pandas.DataFrame
        ``model`` (the rival), ``seed``, ``difference``, ``low``, ``high``: the network less it.
    neighbours : pandas.DataFrame
        ``features``, ``value``, ``low``, ``high``: share of the same kind among the ten nearest
        other test photos; the network is that of the first seed.
    confusion : pandas.DataFrame
        ``kind``, ``named``, ``photos``: test photos, network of the first seed.
    history : pandas.DataFrame
        ``seed`` and the columns of :class:`~precmark.interests.images.PictureModel`'s history.
    """

    card: dict[str, object]
    photos: pd.DataFrame
    accuracy: pd.DataFrame
    differences: pd.DataFrame
    neighbours: pd.DataFrame
    confusion: pd.DataFrame
    history: pd.DataFrame


TABLES = ("photos", "accuracy", "differences", "neighbours", "confusion", "history")


def photos_at_hand() -> Path | None:
    """The file of photos in the folder that ``PRECMARK_DATA`` names; None where there is none."""
    folder = os.environ.get("PRECMARK_DATA")
    path = Path(folder).expanduser() / FILE if folder else None
    return path if path and path.exists() else None


def stored_results(path: Path = REFERENCE) -> ClothingResults:
    """What was stored when the photos were last at hand.

    Raises
    ------
    InputError
        Where the file is missing or no such results.
    """
    try:
        raw = json.loads(Path(path).read_text())
        return ClothingResults(raw["card"], **{t: pd.DataFrame(raw[t]) for t in TABLES})
    except (OSError, ValueError, KeyError) as error:
        fix = "Run python -m precmark.interests.clothing where PRECMARK_DATA holds the photos."
        raise InputError(Problem(f"{path}: no results of photos ({error})", fix)) from error


def store_results(results: ClothingResults, path: Path = REFERENCE) -> Path:
    """Write `results` as JSON, whole or not at all."""
    content = {"card": results.card}
    content |= {name: getattr(results, name).to_dict("list") for name in TABLES}
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return Path(path)


def study_photos(
    file: Path, *, epochs: int = EPOCHS, seeds: Sequence[int] = range(SEEDS), draws: int = 1000
) -> ClothingResults:
    """Train on the photos in `file` and judge on its test part.

    Parameters
    ----------
    file : path
        Parquet with :data:`COLUMNS`; ``split`` is train, validation or test.
    epochs, seeds
        Of the network.
    draws : int
        Bootstrap draws of the test photos.

    Raises
    ------
    InputError
        Listing columns that lack and parts without photos; and as
        :func:`~precmark.interests.images.train_pictures`.
    """
    from precmark.interests.hand_features import colour_histogram, edge_histogram
    from precmark.interests.images import read_pictures, train_pictures

    table = _table(file)
    read = read_pictures(zip(table.file, table.jpeg, strict=True))
    table = table.set_index("file").loc[list(read.names)]
    colours, edges = colour_histogram(read.pixels), edge_histogram(read.pixels)
    hand = dict(zip(HAND, (colours, edges, np.hstack([colours, edges])), strict=True))
    part = {s: np.flatnonzero(table.split == s) for s in ("train", "validation", "test")}
    kinds = table.label.to_numpy(object)
    right = {name: _logistic(x, kinds, part) for name, x in hand.items()}
    models = [
        train_pictures(
            read.pixels[part["train"]], list(kinds[part["train"]]),
            (read.pixels[part["validation"]], list(kinds[part["validation"]])),
            epochs=epochs, seed=seed,
        )
        for seed in seeds
    ]  # fmt: skip
    shown, truth = read.pixels[part["test"]], kinds[part["test"]]
    named = [np.array(m.kinds, object)[m.probabilities(shown).argmax(1)] for m in models]
    accuracy, differences = _accuracy(right, [n == truth for n in named], seeds, draws)
    vectors = {NETWORK: models[0].features(shown)}
    vectors |= {name: x[part["test"]] for name, x in hand.items()}
    card = _card(file, epochs, seeds, table, read)
    return ClothingResults(
        card, _counts(table), accuracy, differences, same_kind(vectors, truth, draws=draws),
        _confusion(truth, named[0]),
        pd.concat([m.history.assign(seed=s) for m, s in zip(models, seeds, strict=True)]),
    )  # fmt: skip


def _table(file: Path) -> pd.DataFrame:
    table = read_table(file)
    problems = [
        Problem(f"{file}: no column {column}", f"A photo's row has {', '.join(COLUMNS)}.")
        for column in COLUMNS
        if column not in table
    ]
    for part in ("train", "validation", "test") if "split" in table else ():
        if not (table.split == part).any():
            problems.append(
                Problem(f"{file}: no photos in the {part} part", "Name parts in split.")
            )
    if problems:
        raise InputError(problems)
    return table.astype({"split": str, "label": str})


def _logistic(x: np.ndarray, kinds: np.ndarray, part: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whether each test photo is named rightly; the penalty is chosen on validation."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, valid, test = (part[p] for p in ("train", "validation", "test"))
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        for c in (0.003, 0.01, 0.1, 1.0)
    ]
    models = [m.fit(x[train], kinds[train]) for m in models]
    best = max(models, key=lambda m: m.score(x[valid], kinds[valid]))
    return best.predict(x[test]) == kinds[test]


def _accuracy(right, network, seeds, draws) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracies and the network's lead, both with intervals over photos."""
    from precmark.recommend.measures import resampled

    series = dict(right) | dict(zip(seeds, network, strict=True))
    drawn = resampled(series, np.arange(len(network[0])), draws=draws)
    table = drawn.table()
    table["seed"] = [name if name not in right else -1 for name in table.name]
    table["model"] = [name if name in right else NETWORK for name in table.name]
    rows = [(name, seed, *drawn.difference(seed, name)) for name in right for seed in seeds]
    columns = ["model", "seed", "difference", "low", "high"]
    return table[["model", "seed", "value", "low", "high"]], pd.DataFrame(rows, columns=columns)


def same_kind(
    vectors: Mapping[str, np.ndarray], kinds: np.ndarray, *, k: int = NEIGHBOURS, draws: int = 1000
) -> pd.DataFrame:
    """How often a picture's nearest others show the same kind of thing.

    Parameters
    ----------
    vectors : mapping of name to array (n, width)
        Features of the same n pictures; nearness is the cosine.
    kinds : array (n,)
    k : int
        Neighbours, at most n - 1.

    Returns
    -------
    pandas.DataFrame
        ``features``, ``value``, ``low``, ``high`` (95 % over pictures); last ``"chance"``, what
        neighbours drawn at random would give.
    """
    from precmark.recommend.measures import resampled

    same = kinds[:, None] == kinds[None, :]
    np.fill_diagonal(same, False)
    n = len(kinds)
    series = {}
    for name, x in vectors.items():
        length = np.linalg.norm(x, axis=1, keepdims=True)
        unit = np.divide(x, length, out=np.zeros(x.shape), where=length > 0)
        near = unit @ unit.T
        np.fill_diagonal(near, -np.inf)
        first = np.argsort(-near, axis=1, kind="stable")[:, : min(k, n - 1)]
        series[name] = np.take_along_axis(same, first, axis=1).mean(axis=1)
    series["chance"] = same.sum(axis=1) / (n - 1)
    return resampled(series, np.arange(n), draws=draws).table().rename(columns={"name": "features"})


def _confusion(truth: np.ndarray, named: np.ndarray) -> pd.DataFrame:
    pairs = pd.DataFrame({"kind": truth, "named": named})
    return pairs.groupby(["kind", "named"]).size().rename("photos").reset_index()


def _counts(table: pd.DataFrame) -> pd.DataFrame:
    counts = pd.crosstab(table.label, table.split)[["train", "validation", "test"]]
    counts.columns.name = None
    return counts.rename_axis("kind").reset_index()


def _card(file, epochs, seeds, table, read) -> dict[str, object]:
    from precmark.stamp import commit

    return {
        "fingerprint": hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16],
        "commit": commit(),
        "epochs": int(epochs),
        "seeds": [int(s) for s in seeds],
        "photos": len(table),
        "unreadable": len(read.unreadable),
    }


def main() -> None:
    """Study the photos in ``PRECMARK_DATA`` and store the aggregates."""
    path = photos_at_hand()
    if path is None:
        raise InputError(
            Problem(f"{FILE}: not at hand", "Name its folder in PRECMARK_DATA and run again.")
        )
    print(f"written: {store_results(study_photos(path))}")


if __name__ == "__main__":
    main()
