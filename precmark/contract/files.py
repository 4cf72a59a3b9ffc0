"""Files as they come: found, recognised by content, unpacked, and known to be whole and UTF-8."""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from precmark.errors import InputError, Problem

_CHUNK = 1 << 22
_MAGIC = (
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-zip"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"ARROW1", "Arrow/Feather"),
    (b"ORC", "ORC"),
    (b"\xd0\xcf\x11\xe0", "old Excel"),
    (b"%PDF", "PDF"),
)
_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet", ".parq": "parquet",
    ".csv": "csv", ".tsv": "csv", ".tab": "csv",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".gz": "gzip", ".zip": "zip", ".xlsx": "Excel", ".xls": "old Excel",
}  # fmt: skip
NAMES = {"parquet": "Parquet", "csv": "CSV", "json": "JSON lines", "gzip": "gzip", "zip": "zip"}
"""What the kinds of file that are read are called in messages."""


@dataclass(frozen=True)
class Input:
    """One plain file, unpacked where it was packed.

    Attributes
    ----------
    name : str
        As the user knows it; a member of a zip as ``archive.zip:member.csv``.
    path : Path
        Where its plain content lies.
    kind : str
        ``parquet``, ``csv`` or ``json``.
    """

    name: str
    path: Path
    kind: str


def find(paths: Path | str | list[Path | str] | tuple[Path | str, ...]) -> list[Path]:
    """The files that `paths` (files, folders, globs) stand for, in the order of their names.

    A folder stands for all files below it that are not hidden and not marked by a leading
    underscore (``_SUCCESS``).

    Raises
    ------
    InputError
        For each path that stands for no file.
    """
    found: list[Path] = []
    problems = []
    for path in paths if isinstance(paths, (list, tuple)) else [paths]:
        path = Path(path).expanduser()
        if path.is_dir():
            here = [f for f in sorted(path.rglob("*")) if f.is_file() and not _hidden(f, path)]
            if not here:
                problems.append(Problem(f"{path}: an empty folder", "Put the files there."))
        elif path.exists():
            here = [path]
        else:
            here = [Path(f) for f in sorted(glob.glob(str(path), recursive=True))]
            here = [f for f in here if f.is_file()]
            if not here:
                problems.append(
                    Problem(f"{path}: no such file", "Check the path; globs need quotes.")
                )
        found += here
    if problems:
        raise InputError(problems)
    return found


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def open_all(paths: list[Path], work: Path) -> list[Input]:
    """Recognise and unpack each of `paths`; unpacked files lie in `work`.

    Raises
    ------
    InputError
        Lists every file that is empty, cut short, packed or named as something else, not UTF-8,
        or of a kind that is not read.
    """
    inputs: list[Input] = []
    problems: list[Problem | str] = []
    for path in paths:
        try:
            inputs += _open(path, path.name, work)
        except InputError as error:
            problems += error.problems
        except OSError as error:
            reason = error.strerror or str(error)
            problems.append(Problem(f"{path}: cannot be read ({reason})", "Check the file."))
    if problems:
        raise InputError(problems)
    return inputs


def _refuse(name: str, what: str, fix: str) -> InputError:
    return InputError(Problem(f"{name}: {what}", fix))


def _open(path: Path, name: str, work: Path) -> list[Input]:
    if path.stat().st_size == 0:
        raise _refuse(name, "the file is empty", "Export it again; 0 bytes hold no events.")
    kind = _kind(path)
    declared = _SUFFIXES.get(Path(name).suffix.lower())
    if declared and declared != kind and {declared, kind} != {"Excel", "zip"}:
        called = NAMES.get(kind, kind)
        raise _refuse(
            name,
            f"named as {NAMES.get(declared, declared)}, but its content is {called}",
            "Give it its true ending (.csv, .jsonl, .parquet, .gz or .zip), or export it again.",
        )
    if kind == "gzip":
        plain = name[:-3] if name.lower().endswith(".gz") else name
        return _open(_gunzip(path, name, work), plain, work)
    if kind == "zip":
        return _unzip(path, name, work)
    if kind == "text":
        kind = "csv"
    if kind not in ("parquet", "csv", "json"):
        raise _refuse(
            name,
            f"{kind} files are not read",
            "Save it as CSV (UTF-8), JSON lines or Parquet, plain or in a .gz or .zip.",
        )
    if kind == "parquet" and not _whole_parquet(path):
        raise _refuse(name, "the Parquet file is cut short", "Copy or export it again.")
    return [Input(name, path, kind)]


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(512)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16 text"
    if b"\x00" in head:
        return "binary"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start[:1] == b"{" or (start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"]")):
        return "json"
    if start[:1] == b"<":
        return "HTML or XML"
    return "csv" if path.suffix.lower() in (".csv", ".tsv", ".tab") else "text"


def _whole_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-4, 2)
        return file.read(4) == b"PAR1"


def _gunzip(path: Path, name: str, work: Path) -> Path:
    target = _place(work, name)
    try:
        with gzip.open(path) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, _CHUNK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refuse(
            name, "the gzip file is cut short or damaged", "Copy or export it again."
        ) from error
    return target


def _unzip(path: Path, name: str, work: Path) -> list[Input]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                raise _refuse(name, "an Excel workbook", "Save its sheet as CSV (UTF-8).")
            inside = [
                n for n in sorted(names)
                if not n.endswith("/") and not n.startswith("__MACOSX/")
                and not Path(n).name.startswith(".")
            ]  # fmt: skip
            if not inside:
                raise _refuse(name, "the zip file holds no files", "Export it again.")
            plain = []
            for member in inside:
                target = _place(work, Path(member).name)
                with archive.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
                plain += _open(target, f"{name}:{member}", work)
            return plain
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise _refuse(
            name,
            f"the zip file is cut short, damaged or encrypted ({error})",
            "Copy or export it again, without a password.",
        ) from error


def _place(work: Path, name: str) -> Path:
    """A new path in `work` that keeps the ending of `name`."""
    number = sum(1 for _ in work.iterdir())
    return work / f"{number}-{Path(name).name.removesuffix('.gz')}"


def check_utf8(item: Input) -> bool:
    """Refuse text that is not UTF-8 or holds zero bytes, with the line of the first bad byte.

    Returns
    -------
    bool
        Whether some lines end as on Windows and others as on Unix.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = windows = 0
    last = b""
    with item.path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            try:
                if b"\x00" in chunk:
                    bad = chunk.index(b"\x00")
                    raise UnicodeDecodeError("utf-8", chunk, bad, bad + 1, "zero byte")
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n") + 1
                byte = f"0x{error.object[error.start]:02x}"
                raise _not_utf8(item, line, byte) from None
            lines += chunk.count(b"\n")
            windows += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            last = chunk[-1:]
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_utf8(item, lines + 1, f"0x{error.object[error.start]:02x}") from None
    return 0 < windows < lines


def _not_utf8(item: Input, line: int, byte: str) -> InputError:
    return _refuse(
        item.name,
        f"not UTF-8 text (line {line}, byte {byte})",
        "Save it as UTF-8; in Excel: Save as, CSV UTF-8.",
    )


def unix_lines(item: Input, target: Path) -> Path:
    """`target`, with the text of `item` where every line ends as on Unix."""
    with item.path.open("rb") as source, target.open("wb") as copy:
        held = b""
        while chunk := source.read(_CHUNK):
            chunk = held + chunk
            held = b"\r" if chunk.endswith(b"\r") else b""
            copy.write(chunk[: len(chunk) - len(held)].replace(b"\r\n", b"\n"))
        copy.write(held)
    return target


def csv_header(item: Input) -> tuple[list[str], str]:
    """The column names and the separator (comma, semicolon, tab or bar) of a CSV file."""
    with item.path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    outside = "".join(first.split('"')[::2])
    separator = max(",;\t|", key=outside.count)
    names = next(csv.reader([first.rstrip("\r\n")], delimiter=separator), [])
    # pandas writes its index without a name; such a column is read and then ignored.
    names = [n or f"unnamed_{i}" for i, n in enumerate(names, 1)]
    lower = [n.lower() for n in names]
    repeated = sorted({n for n in names if lower.count(n.lower()) > 1})
    if not names or repeated:
        what = f"names column {repeated[-1]!r} twice (in any case)" if repeated else "is empty"
        raise _refuse(
            item.name, f"its first line {what}", "The first line must name each column, once."
        )
    return names, separator
