"""BANKING77 and CLINC150, whose sentences are not shipped: aggregates in ``data/reference/``.

``python -m precmark.dialogue.reference`` writes them anew where ``PRECMARK_DATA`` names a folder
with ``banking77_train.csv``, ``banking77_test.csv`` and ``clinc150.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from precmark.dialogue import quality, study
from precmark.errors import InputError
from precmark.tables import whole_file

FOLDER = Path(__file__).resolve().parents[2] / "data" / "reference"

SETS = {"banking77": study.banking77, "clinc150": study.clinc150}
"""The public sets by name: each takes the folder of the publisher's files."""

COMPARED = (("cnn", "logistic"), ("gru", "logistic"), ("attention", "logistic"),
            ("together", "cnn"), ("together", "gru"), ("together", "attention"))  # fmt: skip
"""First and second of the differences that the chapter quotes."""


def measured(
    found: study.Utterances,
    models: Sequence[str] = tuple(study.MODELS),
    *,
    seed: int = 0,
    draws: int = 1000,
    cores: int = 2,
) -> dict[str, pd.DataFrame]:
    """All tables of the chapter on one set.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``shares``, ``differences`` (of :data:`COMPARED`, as far as fitted), ``scope`` and
        ``calibration``, see :mod:`precmark.dialogue.quality`; ``costs``: ``model``,
        ``parameters``, ``fit_seconds``.
    """
    fits = study.fit_all(found, models, seed=seed, cores=cores)
    return tables_of(fits, found, draws=draws, seed=seed)


def tables_of(
    fits: Sequence[study.Fitted], found: study.Utterances, *, draws: int = 1000, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """As :func:`measured`, of models that are fitted already."""
    models = {f.model for f in fits}
    pairs = [p for p in COMPARED if models.issuperset(p)]
    costs = [(f.model, f.parameters, f.fit_seconds) for f in quality.first_seeds(fits).values()]
    return {
        "shares": quality.shares(fits, found, draws=draws, seed=seed),
        "differences": quality.differences(fits, found, pairs, draws=draws, seed=seed),
        "scope": quality.scope_table(fits, found, draws=draws, seed=seed),
        "calibration": quality.calibration(fits, found),
        "costs": pd.DataFrame(costs, columns=["model", "parameters", "fit_seconds"]),
    }


def sizes(found: study.Utterances) -> dict[str, int]:
    """Sentences of each part, and intents."""
    return {
        "intents": int(found.train.intent.nunique()), "train": len(found.train),
        "validation": len(found.validation), "test": len(found.test),
        "outside_validation": len(found.outside_validation),
        "outside_test": len(found.outside_test),
    }  # fmt: skip


def fingerprint(found: study.Utterances) -> str:
    """Sixteen digits that change with any sentence or intent of `found`."""
    digest = hashlib.sha256()
    for frame in (found.train, found.validation, found.test):
        digest.update(frame[["intent", "text"]].to_csv(index=False).encode())
    digest.update("\n".join((*found.outside_validation, "", *found.outside_test)).encode())
    return digest.hexdigest()[:16]


def store(found: study.Utterances, tables: dict[str, pd.DataFrame], *, seed: int) -> Path:
    """Write the aggregates of `found`; no sentence is among them."""
    from precmark.stamp import commit

    record = {
        "title": found.title, "fingerprint": fingerprint(found), "commit": commit(), "seed": seed,
        "sizes": sizes(found),
        "tables": {k: json.loads(t.to_json(orient="records")) for k, t in tables.items()},
    }  # fmt: skip
    path = FOLDER / f"{found.name}.json"
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return path


def stored(name: str) -> dict[str, Any]:
    """The aggregates of the set `name`: ``title``, ``sizes``, ``tables`` as frames and the rest.

    Raises
    ------
    InputError
        Where they have not been written.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise InputError(
            f"{path} is missing. Write it with `python -m precmark.dialogue.reference {name}` "
            "where PRECMARK_DATA holds the publisher's files."
        )
    record = json.loads(path.read_text("utf-8"))
    return {**record, "tables": {k: pd.DataFrame(t) for k, t in record["tables"].items()}}


def records(recompute: bool = False, *, seed: int = 0, cores: int = 2) -> dict[str, dict[str, Any]]:
    """The stored aggregates of each public set; measured anew where `recompute` asks for it.

    Parameters
    ----------
    recompute : bool
        Needs ``PRECMARK_DATA``, and some minutes.
    """
    folder = os.environ.get("PRECMARK_DATA")
    if not recompute or not folder:
        return {name: stored(name) for name in SETS if (FOLDER / f"{name}.json").is_file()}
    made = {}
    for name, read in SETS.items():
        found = read(folder)
        tables = measured(found, seed=seed, cores=cores)
        made[name] = {"title": found.title, "sizes": sizes(found), "tables": tables}
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and store the sets named on the command line, or both."""
    parser = argparse.ArgumentParser(
        prog="python -m precmark.dialogue.reference",
        description="Measure BANKING77 and CLINC150 and store their aggregates.",
        epilog="Example: PRECMARK_DATA=~/data python -m precmark.dialogue.reference banking77",
    )
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}")
    parser.add_argument("--models", default=",".join(study.MODELS), help="names with commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args(arguments)
    unknown = set(given.sets) - set(SETS)
    if unknown:
        parser.error(f"no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    wrong = set(given.models.split(",")) - set(study.MODELS)
    if wrong:
        parser.error(f"no model {', '.join(sorted(wrong))}; there are {', '.join(study.MODELS)}")
    folder = os.environ.get("PRECMARK_DATA")
    if not folder:
        parser.error("PRECMARK_DATA is not set; name the folder with the publishers' files in it")
    for name in given.sets or SETS:
        found = SETS[name](folder)
        tables = measured(found, given.models.split(","), seed=given.seed, cores=given.cores)
        print(store(found, tables, seed=given.seed))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"precmark: {error}")
