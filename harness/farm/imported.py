"""Records out of what a farm gave back: JSON Lines files, loose or in archives, anywhere in a folder."""

from __future__ import annotations

import io
import logging
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.verdict import judge
from harness.errors import StoreError, UsageError
from harness.records.run import Run, is_torn, parse_run, refuse_utf_16
from harness.records.store import Store

log = logging.getLogger(__name__)

# what a damaged, encrypted or strangely packed archive raises
UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)
# Of an archive's member; a record has some ten kilobytes.
MOST_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What was appended, how many records the store had already (by their id), and what could not be read, each with its reason."""

    runs: tuple[Run, ...]
    known: int
    damaged: tuple[str, ...]


def import_results(folder: Path, store: Store) -> Imported:
    """Append every record below `folder`, each judged as one of our own sessions would; a damaged file costs only what it holds itself.

    Raises UsageError and StoreError.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give the one into which the farm's results were fetched.")
    known = {run.id for run in store.runs()}
    before, runs, damaged = 0, list[Run](), list[str]()
    for where, text in _texts(folder, damaged):
        for run in _records(where, text, damaged):
            if run.id in known:
                before += 1
                continue
            known.add(run.id)
            # what the app saw against its run stays; what only the harness looks for (drift, clocks) is added
            runs.append(judge(run) if run.verdict.grade == "ok" else run)
    if not runs and not before:
        why = f"; {damaged[0]}" if damaged else " (*.jsonl, loose or in a .zip)"
        raise UsageError(f"{folder} holds no run records{why}; look at the farm's log of the run.")
    for run in runs:
        store.append(run)
    return Imported(runs=tuple(runs), known=before, damaged=tuple(damaged))


def _records(where: str, text: str, damaged: list[str]) -> Iterator[Run]:
    """The records of a text; a line that cannot be read is appended to `damaged`, but for the last one, which an app's end cut off."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if is_torn(line):
            cut = f"{where} line {number} ends in the middle of a record"
            if number == len(text.rstrip().split("\n")):
                log.warning("%s, which is left out: the app was ended while it wrote", cut)
            else:
                damaged.append(f"{cut}; fetch it again")
            continue
        try:
            yield parse_run(line, where=f"{where} line {number}")
        except StoreError as error:
            damaged.append(str(error).rstrip("."))


def _texts(folder: Path, damaged: list[str]) -> Iterator[tuple[str, str]]:
    """Every text that may hold records, with where it is; what cannot be read is appended to `damaged`."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.suffix == ".jsonl" and path.is_file():
                refuse_utf_16(path)
                yield name, path.read_text(encoding="utf-8", errors="surrogateescape")
            elif path.suffix == ".zip" and path.is_file():
                yield from _members(name, path.read_bytes(), damaged)
        except StoreError as error:
            damaged.append(str(error).rstrip("."))
        except (OSError, *UNREADABLE) as error:
            damaged.append(f"{name} cannot be read ({error}); fetch it again")


def _members(name: str, data: bytes, damaged: list[str]) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".jsonl") and info.file_size <= MOST_BYTES:
                try:
                    text = archive.read(info).decode(errors="surrogateescape")
                except UNREADABLE as error:
                    damaged.append(f"{name}:{info.filename} cannot be read ({error}); fetch it again")
                else:
                    yield f"{name}:{info.filename}", text
