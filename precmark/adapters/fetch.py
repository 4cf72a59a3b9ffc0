"""Where the data sets lie: a given file, ``$PRECMARK_DATA``, the cache, or a download into it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pandas as pd

from precmark.adapters.base import Card
from precmark.errors import InputError
from precmark.tables import write_table


def cache_folder() -> Path:
    """Where downloads are kept: ``$PRECMARK_CACHE``, or the user's cache folder."""
    given = os.environ.get("PRECMARK_CACHE")
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("precmark"))


def locate(card: Card, file: Path | str | None = None) -> Path | None:
    """The file (or folder) of `card` on this machine, or None where there is none.

    Looked for in this order: `file`, the folder that ``PRECMARK_DATA`` names, the cache.
    """
    if file is not None:
        path = Path(file).expanduser()
        if not path.exists():
            raise InputError(f"{path} does not exist. Check the path of {card.source.name}.")
        return path
    folders = [cache_folder() / card.source.name]
    given = os.environ.get("PRECMARK_DATA")
    if given:
        folders.insert(0, Path(given).expanduser())
        if not folders[0].is_dir():
            raise InputError(
                f"PRECMARK_DATA names {folders[0]}, which is not a folder. "
                "Set it to the folder that holds the data sets, or unset it."
            )
    for folder in folders:
        for name in card.files:
            if (folder / name).exists() and not _half_downloaded(card, folder, name):
                return folder / name
    return None


def _half_downloaded(card: Card, folder: Path, name: str) -> bool:
    """Whether `name` is a folder in the cache that a stopped download left incomplete."""
    parts = [part for part in card.downloads if part.file.startswith(f"{name}/")]
    in_cache = folder == cache_folder() / card.source.name
    return in_cache and any(not (folder / part.file).exists() for part in parts)


def download(card: Card) -> Path:
    """Download `card`'s files into the cache and return the path to read.

    Raises
    ------
    InputError
        Where there is no network (or the publisher has moved the file): says exactly which file
        to put where.
    """
    import pooch

    folder = cache_folder() / card.source.name
    logger = pooch.get_logger()
    level = logger.level
    # pooch prints each new file's hash as advice; here the content fingerprint decides.
    logger.setLevel("WARNING")
    try:
        for part in card.downloads:
            target = folder / part.file
            pooch.retrieve(part.url, None, fname=target.name, path=target.parent)
    except (OSError, ValueError) as error:
        raise InputError(_by_hand(card, error)) from error
    finally:
        logger.setLevel(level)
    return folder / card.downloads[0].file.split("/")[0]


def forget(card: Card) -> None:
    """Remove `card`'s downloads from the cache."""
    for part in card.downloads:
        (cache_folder() / card.source.name / part.file).unlink(missing_ok=True)


def _by_hand(card: Card, error: Exception) -> str:
    wanted = ", ".join(part.url for part in card.downloads)
    places = [str(cache_folder() / card.source.name)]
    given = os.environ.get("PRECMARK_DATA")
    if given:
        places.insert(0, given)
    else:
        places.append("a folder of your own, with PRECMARK_DATA set to it")
    names = ", ".join(dict.fromkeys(part.file for part in card.downloads))
    return (
        f"{card.source.name} is not on this machine and could not be downloaded "
        f"({type(error).__name__}). In a browser, download {wanted} and put it under its own name "
        f"({names}) into {' or '.join(places)}; then run the same command again. "
        f"Also accepted there: {', '.join(card.files)}. A file that lies elsewhere: `precmark run "
        f"--data {card.source.name} --file PATH`."
    )


def open_member(path: Path, ending: str) -> IO[bytes]:
    """The one file whose name ends with `ending` in zip archive `path`, opened for reading."""
    try:
        archive = zipfile.ZipFile(path)
        names = [
            n for n in archive.namelist() if n.lower().endswith(ending) and "__MACOSX" not in n
        ]
        if len(names) == 1:
            return archive.open(names[0])
        found = f"{len(names)} files" if names else "no file"
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{path} is not a readable zip archive ({error}). Fetch it again."
        ) from None
    raise InputError(f"{path} holds {found} whose name ends with {ending!r}; one is expected.")


def parsed_once(path: Path, parse: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """``parse(path)``, kept as Parquet in the cache under the file's SHA-256 for the next time."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    copy = cache_folder() / "parsed" / f"{digest[:32]}.parquet"
    if copy.exists():
        return pd.read_parquet(copy)
    print(f"Reading {path.name} (a minute or two, once) ...", file=sys.stderr, flush=True)
    frame = parse(path)
    # A cache that cannot be written costs time, not results.
    with contextlib.suppress(InputError, OSError):
        write_table(frame, copy)
    return frame
