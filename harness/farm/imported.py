"""Records out of what a farm gave back: JSON Lines files, loose or in archives, anywhere in a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.verdict import judged
from harness.errors import UsageError
from harness.records.run import Run, parse_run, torn
from harness.records.store import Store

MOST_BYTES = 1 << 30  # of an archive's member; a record has some ten kilobytes


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What was appended, and how many records the store had already (by their id)."""

    runs: tuple[Run, ...]
    known: int


def import_results(folder: Path, store: Store) -> Imported:
    """Append every record below `folder`, each judged as one of our own sessions would. Raises UsageError and StoreError."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give the one into which the farm's results were fetched.")
    known = {run.id for run in store.runs()}
    before, runs = 0, []
    for where, text in _texts(folder):
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or torn(line):
                continue
            run = parse_run(line, where=f"{where} line {number}")
            if run.id in known:
                before += 1
                continue
            known.add(run.id)
            # what the app saw against its run stays; what only the harness looks for (drift, clocks) is added
            runs.append(judged(run) if run.verdict.grade == "ok" else run)
    if not runs and not before:
        raise UsageError(
            f"{folder} holds no run records (*.jsonl, loose or in a .zip); look at the farm's log of the run."
        )
    for run in runs:
        store.append(run)
    return Imported(runs=tuple(runs), known=before)


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.suffix == ".jsonl" and path.is_file():
                yield name, path.read_text(encoding="utf-8", errors="surrogateescape")
            elif path.suffix == ".zip" and path.is_file():
                yield from _members(name, path.read_bytes())
        except (OSError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path} cannot be read ({error}); fetch it again.") from error


def _members(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".jsonl") and info.file_size <= MOST_BYTES:
                yield f"{name}:{info.filename}", archive.read(info).decode(errors="surrogateescape")
