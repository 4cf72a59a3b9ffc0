"""The intent set of the book's dialogue: utterances of shoppers, read whole and checked.

A set is two files beside each other: ``NAME.csv`` with the columns ``intent,part,text`` and
``NAME.toml`` with one table ``[intents.NAME]`` an intent (``meaning``, ``leads_to``) and a
``[card]`` that says where the utterances come from.
"""

from __future__ import annotations

import csv
import difflib
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from precmark.errors import InputError

DEFAULT = Path(__file__).resolve().parents[2] / "data" / "intents" / "shopping.csv"
"""The set that was written for this book."""

OUT_OF_SCOPE = "out_of_scope"
"""Intent, and part, of the utterances that no intent of the set covers."""

PARTS = ("train", "paraphrase", OUT_OF_SCOPE)
"""The parts of a set: to learn from, to test on, and to be refused."""

OUTCOMES = ("recommend", "order", "answer", "refuse")
"""Where an intent may lead: to products, to the shopper's own order or account, to a piece of
information, or to a person because the system does not handle it."""

COLUMNS = ("intent", "part", "text")
LONGEST = 300
"""Characters that an utterance of a set may have."""

_FAULTS_SHOWN = 100


@dataclass(frozen=True)
class Intents:
    """A set of utterances with what each intent means.

    Attributes
    ----------
    train, paraphrase : pandas.DataFrame
        Columns ``intent`` and ``text``, in file order. The paraphrases are held out: written
        apart from the training utterances.
    out_of_scope : pandas.DataFrame
        The same columns; ``intent`` is ``out_of_scope`` in every row.
    meanings : dict of str to str
        Intent to its meaning in one sentence, in the order of the file.
    leads_to : dict of str to str
        Intent to one of :data:`OUTCOMES`.
    card : dict
        What the file says of its origin: ``title``, ``licence``, ``notes`` and the like.
    """

    train: pd.DataFrame
    paraphrase: pd.DataFrame
    out_of_scope: pd.DataFrame
    meanings: dict[str, str]
    leads_to: dict[str, str]
    card: dict[str, Any]


def normalised(text: str) -> str:
    """`text` in lower case with its letters and digits only, words apart by one space.

    Two utterances that agree in this form count as the same.

    >>> normalised("Where's  my ORDER?!")
    'where s my order'
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in plain).split())


def load(path: Path | str = DEFAULT) -> Intents:
    """The intent set at `path`, checked as a whole.

    Parameters
    ----------
    path : path
        The CSV file; the TOML file of the same name must lie beside it.

    Raises
    ------
    InputError
        With every fault of both files, each with its line: a missing file or column, an empty,
        overlong or doubled utterance, one with control characters, an unknown intent or part, an
        intent without a meaning, training utterances or paraphrases.
    """
    path = Path(path)
    faults: list[str] = []
    described = _described(path.with_suffix(".toml"), faults)
    rows = _rows(path, faults)
    intents = described.get("intents", {})
    known = {**intents, OUT_OF_SCOPE: None}
    first: dict[str, int] = {}
    for line, row in rows:
        faults += [f"{path.name} line {line}: {fault}" for fault in _row_faults(row, known)]
        key = normalised(row["text"])
        if key and key in first:
            faults.append(
                f"{path.name} line {line}: {row['text'][:60]!r} stands already in line "
                f"{first[key]}. Keep one of the two."
            )
        first.setdefault(key, line)
    if rows:
        faults += _missing_parts(path, [row for _, row in rows], intents)
    if faults:
        more = len(faults) - _FAULTS_SHOWN
        shown = faults[:_FAULTS_SHOWN] + ([f"And {more} more of the kind."] if more > 0 else [])
        raise InputError(shown)
    table = pd.DataFrame([row for _, row in rows], columns=list(COLUMNS), dtype=str)
    parts = {
        part: table.loc[table.part == part, ["intent", "text"]].reset_index(drop=True)
        for part in PARTS
    }
    return Intents(
        train=parts["train"],
        paraphrase=parts["paraphrase"],
        out_of_scope=parts[OUT_OF_SCOPE],
        meanings={name: entry["meaning"] for name, entry in intents.items()},
        leads_to={name: entry["leads_to"] for name, entry in intents.items()},
        card=described.get("card", {}),
    )


def variety(intents: Intents) -> pd.DataFrame:
    """How many and how varied the utterances of each intent are.

    Returns
    -------
    pandas.DataFrame
        One row an intent, ``out_of_scope`` last: ``intent``; ``train`` and ``paraphrases``, the
        numbers of utterances; ``openings``, the distinct first two words among all of them;
        ``shortest``, ``median`` and ``longest``, in words. The out-of-scope utterances, which
        nothing is learnt from, count under ``paraphrases``.
    """
    held_out = pd.concat([intents.paraphrase, intents.out_of_scope])
    rows = []
    for name in [*intents.meanings, OUT_OF_SCOPE]:
        train = intents.train.text[intents.train.intent == name]
        apart = held_out.text[held_out.intent == name]
        words = [normalised(text).split() for text in [*train, *apart]]
        length = pd.Series([len(w) for w in words], dtype=float)
        rows.append(
            {
                "intent": name,
                "train": len(train),
                "paraphrases": len(apart),
                "openings": len({tuple(w[:2]) for w in words}),
                "shortest": length.min(),
                "median": length.median(),
                "longest": length.max(),
            }
        )
    return pd.DataFrame(rows)


def _described(path: Path, faults: list[str]) -> dict[str, Any]:
    """The TOML file's content; what is wrong with it goes to `faults`."""
    if not path.is_file():
        faults.append(f"{path} is missing. Write one table [intents.NAME] for each intent.")
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{path.name} cannot be read: {error}. Mend it there.")
        return {}
    intents = content.get("intents")
    if not isinstance(intents, dict) or not intents:
        faults.append(f"{path.name} names no intent. Write a table [intents.NAME] for each.")
        return {**content, "intents": {}}
    for name, entry in intents.items():
        place = f"{path.name}, intents.{name}"
        if name == OUT_OF_SCOPE:
            faults.append(f"{place}: the name is kept for what lies outside. Choose another.")
        if not isinstance(entry, dict) or not str(entry.get("meaning", "")).strip():
            faults.append(f"{place}: no meaning. Say in one sentence what the shopper wants.")
        if not isinstance(entry, dict) or entry.get("leads_to") not in OUTCOMES:
            faults.append(f"{place}: leads_to must be one of {', '.join(OUTCOMES)}.")
    return content


def _rows(path: Path, faults: list[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of the CSV file with their lines; what is wrong with the file goes to `faults`."""
    if not path.is_file():
        faults.append(f"{path} is missing. Write a CSV file with the columns {','.join(COLUMNS)}.")
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_parsed(path, csv.reader(file, strict=True), faults))
    except UnicodeDecodeError as error:
        faults.append(f"{path.name} is not UTF-8 at byte {error.start + 1}. Save it as UTF-8.")
    except csv.Error as error:
        faults.append(f"{path.name} is not a CSV file: {error}. Check the quotes.")
    return []


def _parsed(path: Path, reader: Any, faults: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        faults.append(
            f"{path.name} line 1: no column {', '.join(missing)}. The first line must read "
            f"{','.join(COLUMNS)}."
        )
        return
    count = 0
    start = reader.line_num + 1
    for values in reader:
        line, start = start, reader.line_num + 1
        if len(values) != len(header):
            if values:
                faults.append(
                    f"{path.name} line {line}: {len(values)} values for {len(header)} columns. "
                    "Put a text with commas in double quotes."
                )
            continue
        count += 1
        row = dict(zip(header, values, strict=True))
        yield line, {name: row[name].strip() for name in COLUMNS}
    if not count:
        faults.append(f"{path.name} holds no utterance. Write one row for each.")


def _row_faults(row: dict[str, str], known: dict[str, Any]) -> Iterator[str]:
    intent, part, text = row["intent"], row["part"], row["text"]
    if not normalised(text):
        yield "the text holds no word. Write the utterance or remove the row."
    if len(text) > LONGEST:
        yield f"the text has {len(text):,} characters. Shorten it to {LONGEST}."
    if any(unicodedata.category(c) == "Cc" for c in text):
        yield f"{text[:60]!r} holds control characters. Remove them."
    if len(known) > 1 and intent not in known:
        near = difflib.get_close_matches(intent, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Describe it in the TOML file."
        yield f"no intent {intent!r}. {hint}"
    if part not in PARTS:
        yield f"no part {part!r}. Choose one of {', '.join(PARTS)}."
    elif (intent == OUT_OF_SCOPE) != (part == OUT_OF_SCOPE):
        yield f"intent {intent!r} in part {part!r}. {OUT_OF_SCOPE} goes with itself only."


def _missing_parts(
    path: Path, rows: list[dict[str, str]], intents: dict[str, Any]
) -> Iterator[str]:
    there = {(row["intent"], row["part"]) for row in rows}
    for name in intents:
        for part in ("train", "paraphrase"):
            if name != OUT_OF_SCOPE and (name, part) not in there:
                yield f"{path.name}: no row of intent {name!r} in part {part!r}. Write some."
    if not any(part == OUT_OF_SCOPE for _, part in there):
        yield f"{path.name}: no row of part {OUT_OF_SCOPE!r}. Write what is to be refused."
