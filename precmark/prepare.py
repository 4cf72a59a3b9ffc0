"""The data step before all chapters: from files, a public data set or the simulator into a run.

Everything is built in a folder beside the run's results and moved into place when it is complete,
so that refused or interrupted data leaves a run as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from precmark.contract import Options
from precmark.errors import InputError, rows_text
from precmark.runs import Run, write_card
from precmark.source import Dataset
from precmark.tables import whole_file

PARTS = ("results", "truth", "private")
"""The folders of a run that the data step makes anew."""


@dataclass(frozen=True)
class Wanted:
    """What the command line asked for.

    Attributes
    ----------
    files : dict
        Contract table to the user's own paths.
    data : str or None
        A public data set; `file` is the publisher's file where given.
    simulate : str or None
        A scale of the simulated store, with `world` and `seed`.
    options : Options
        How to read the user's files.
    as_of : str or None
        Day before which profiles look, ``YYYY-MM-DD``; None for the end of the log.
    engine : str or None
        ``duckdb`` or ``spark``; None for what the run has, or DuckDB.
    gap_minutes, max_views
        The rules of :func:`precmark.sessions.find_sessions`.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    data: str | None = None
    file: Path | None = None
    simulate: str | None = None
    world: str = "persuadable_risk"
    seed: int = 1
    options: Options = field(default_factory=Options)
    as_of: str | None = None
    engine: str | None = None
    gap_minutes: float = 30.0
    max_views: int = 100


@dataclass(frozen=True)
class Request:
    """A checked wish: where the data comes from and when it counts as changed.

    Attributes
    ----------
    label : str
        Short words for the stamp, e.g. ``"online-retail"``.
    signature : str
        Changes when the input or the way of reading it does: then the data step runs again.
    load : callable
        Returns a :class:`Dataset`, or a mapping of table name to the user's own paths.
    wanted : Wanted
    """

    label: str
    signature: str
    load: Callable[[], Dataset | Mapping[str, list[str]]]
    wanted: Wanted


def request_for(folder: Path, wanted: Wanted) -> Request | None:
    """Check `wanted` before anything is touched; None means the data that `folder` has already.

    Raises
    ------
    InputError
        More than one source, an unknown scale, world, data set, engine or date, or a run that has
        no data yet: all of them at once.
    """
    problems: list[str] = []
    sources = {
        "--events/--visits": wanted.files,
        "--data": wanted.data,
        "--simulate": wanted.simulate,
    }
    given = [flag for flag, value in sources.items() if value]
    if len(given) > 1:
        problems.append(f"{' and '.join(given)}: give one source of data, not {len(given)}.")
    if not given and not (folder / "run.json").exists():
        problems.append(
            f"run {folder.name!r} has no data yet. Give --events FILES, --data NAME "
            "(precmark data list) or --simulate sample."
        )
    if wanted.files and not {"events", "visits"} & set(wanted.files):
        problems.append("--users, --items and --assignments go with --events or --visits.")
    if wanted.engine not in (None, "duckdb", "spark"):
        problems.append(f"--engine {wanted.engine!r}: use duckdb or spark.")
    if wanted.as_of is not None:
        try:
            datetime.strptime(wanted.as_of, "%Y-%m-%d")
        except ValueError:
            problems.append(f"--as-of {wanted.as_of!r} is not a date. Write it as 2025-06-30.")
    for check in (_simulation_problems, _data_problems):
        problems += check(wanted)
    if problems:
        raise InputError(problems)
    if not given:
        return None
    if wanted.simulate:
        request = _simulation_request(wanted)
    else:
        request = _data_request(wanted) if wanted.data else _files_request(wanted)
    rules = (request.signature, wanted.gap_minutes, wanted.max_views)
    return replace(request, signature=_digest(*rules))


def _simulation_problems(wanted: Wanted) -> list[str]:
    if not wanted.simulate:
        return []
    from precmark.simulate import SCALES, WORLDS

    problems = []
    if wanted.simulate not in SCALES:
        problems.append(f"--simulate {wanted.simulate!r}: use one of {', '.join(SCALES)}.")
    if wanted.world not in WORLDS:
        problems.append(f"--world {wanted.world!r}: use one of {', '.join(WORLDS)}.")
    return problems


def _data_problems(wanted: Wanted) -> list[str]:
    from precmark import adapters

    if wanted.data and wanted.data not in adapters.names():
        return [f"--data {wanted.data!r}: use one of {', '.join(adapters.names())}."]
    return ["--file goes with --data."] if wanted.file and not wanted.data else []


def _simulation_request(wanted: Wanted) -> Request:
    from precmark.simulate import simulate

    label = f"simulated store, {wanted.simulate} scale, world {wanted.world}, seed {wanted.seed}"
    code = _file_signature([Path(__file__).parent / "simulate"])
    return Request(
        label,
        _digest(label, code),
        lambda: simulate(wanted.simulate, world=wanted.world, seed=wanted.seed),
        wanted,
    )


def _data_request(wanted: Wanted) -> Request:
    from precmark import adapters

    path = wanted.file or adapters.find(wanted.data) or adapters.get(wanted.data)
    return Request(
        wanted.data,
        _digest(wanted.data, _file_signature([path])),
        lambda: adapters.load(wanted.data, path),
        wanted,
    )


def _files_request(wanted: Wanted) -> Request:
    from precmark.contract.files import find

    paths = [path for given in wanted.files.values() for path in find(given)]
    names = ", ".join(Path(p).name for given in wanted.files.values() for p in given)
    return Request(
        names,
        _digest(_file_signature(paths), _options_text(wanted.options)),
        lambda: wanted.files,
        wanted,
    )


def _options_text(options: Options) -> str:
    plain = {k: dict(v) if isinstance(v, Mapping) else v for k, v in vars(options).items()}
    return json.dumps(plain, sort_keys=True)


def _file_signature(paths: list[Path]) -> str:
    """A digest of the names, sizes and times of `paths` (folders: of the files in them)."""
    lines = []
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix != ".pyc":
                stat = file.stat()
                lines.append(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}")
    return _digest(*lines)


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def prepare(
    folder: Path,
    request: Request | None,
    wanted: Wanted,
    chapter_parameters: Mapping[str, Mapping[str, Any]],
    say: Callable[[str], None] = print,
) -> Run:
    """Make the data of run `folder` as `request` says, or keep what it has; return the opened run.

    Parameters
    ----------
    folder : Path
        ``runs/NAME``; made where missing, removed again when the data is refused.
    request : Request or None
        From :func:`request_for`; None keeps the data.
    wanted : Wanted
        Gives the as-of day and the engine.
    chapter_parameters : mapping
        Chapter to parameter to value; replaces what the run had where not empty.
    say : callable
        Takes one line of progress.

    Raises
    ------
    InputError
        Everything that the contract and the sessions refuse; an as-of date outside the log.
    """
    card = json.loads((folder / "run.json").read_text()) if (folder / "run.json").exists() else {}
    parameters = card.get("parameters", {})
    if request and card.get("signature") != request.signature:
        say(f"{folder.name}: reading and checking the data ({request.label}) ...")
        card = {**_ingest(folder, request, say), "chapter_parameters": {}}
        parameters = {"engine": parameters.get("engine")}
    card["parameters"] = {
        "data": request.label if request else parameters["data"],
        "as_of": _as_of(card, wanted.as_of or (None if request else parameters["as_of"])),
        "engine": wanted.engine or parameters.get("engine") or "duckdb",
    }
    if chapter_parameters:
        card["chapter_parameters"] = {k: dict(v) for k, v in chapter_parameters.items()}
    write_card(folder, card)
    return Run(folder)


def _ingest(folder: Path, request: Request, say: Callable[[str], None]) -> dict[str, Any]:
    """Build the data of `request` beside the run's own, move it into place, return its card."""
    fresh = not (folder / "run.json").exists()
    incoming = folder / ".incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    try:
        card = _build(incoming, folder, request, say)
        for part in PARTS:
            shutil.rmtree(folder / part, ignore_errors=True)
            if (incoming / part).exists():
                os.replace(incoming / part, folder / part)
    except OSError as error:
        raise InputError(
            f"{folder} could not be written ({error.strerror or error}); the run is as it was. "
            "Free some space or choose another folder, then run the same command again."
        ) from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
        if fresh and not (folder / "results").exists():
            shutil.rmtree(folder, ignore_errors=True)
    return card


def _build(
    incoming: Path, folder: Path, request: Request, say: Callable[[str], None]
) -> dict[str, Any]:
    """Make the tables of `request` in `incoming`; return the run's card, parameters still open."""
    from precmark.contract import ingest
    from precmark.sessions import write_sessions

    data = request.load()
    with whole_file(incoming / "private" / "key") as temporary:
        temporary.touch(mode=0o600)
        temporary.write_text(_key_for(folder, data))
    ingested = ingest(incoming, data, request.wanted.options, name=folder.name)
    for reason, rows in ingested.checked.set_aside.items():
        say(f"  set aside: {rows_text(rows)}, {reason}")
    events = ingested.checked.tables.get("events")
    card = {
        "source": ingested.source,
        "fingerprint": ingested.checked.fingerprint,
        "signature": request.signature,
        "span": events and [int(t.timestamp() * 1e6) for t in (events.start, events.end)],
    }
    write_card(incoming, card)
    if events:
        say("  finding sessions ...")
        write_sessions(
            Run(incoming),
            engine=request.wanted.engine or "duckdb",
            gap_minutes=request.wanted.gap_minutes,
            max_views=request.wanted.max_views,
        )
    card = json.loads((incoming / "run.json").read_text())
    _as_of(card, request.wanted.as_of)  # Refuse a day outside the log before anything moves.
    return card


def _key_for(folder: Path, data: Dataset | Mapping[str, list[str]]) -> str:
    """The key of the user ids, as hex: the run's own, a fixed one where nobody is real, or new."""
    old = folder / "private" / "key"
    if isinstance(data, Dataset) and data.source.simulated:
        return hashlib.sha256(b"precmark: a simulated store has no privacy to keep").hexdigest()
    return old.read_text() if old.exists() else secrets.token_hex(32)


def _as_of(card: Mapping[str, Any], given: str | None) -> str | None:
    """The as-of day: `given` where the log covers it, else the day after the log's last event."""
    if not card["span"]:
        return None
    zone = ZoneInfo(card["source"]["timezone"])
    first, last = (
        datetime.fromtimestamp(us / 1e6, UTC).astimezone(zone).date() for us in card["span"]
    )
    end = last + pd.Timedelta(days=1)
    if given is None:
        return end.isoformat()
    day = datetime.strptime(given, "%Y-%m-%d").date()
    if not first < day <= end:
        raise InputError(
            f"--as-of {given} is outside the log, which runs from {first} to {last}. "
            f"Give a day after {first} and not after {end}."
        )
    return given
