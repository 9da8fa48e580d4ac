"""Records on the disk of the machine that measured them, from the moment they are made until the store gives them back.

A folder for each session: `NNNNNN-ID.jsonl` with one record in the exchange format, `NNNNNN-ID.pictures` beside it where there are any,
and `BUNDLE.manifest`. It can be read without the store: `harness farm --import FOLDER -o RUNS` takes the records.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness.cache import find_state_root, write_durably
from harness.errors import StoreError
from harness.records.pictures import Picture
from harness.records.run import Run, parse_run

if TYPE_CHECKING:
    from builder.bundle import Manifest

RECORD, PICTURES, MANIFEST = ".jsonl", ".pictures", ".manifest"


class Outbox:
    """The folder of one session; appended to by one process at a time (`held`). Raises StoreError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_manifest(self, bundle_sha256: str, manifest: Manifest) -> None:
        self._write(f"{bundle_sha256}{MANIFEST}", manifest.to_json().encode())

    def put(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None:
        """On the disk when it returns; a record is there with its pictures, or not at all."""
        name = f"{len(list(self.folder.glob(f'*{RECORD}'))):06d}-{hashlib.sha256(run.id.encode()).hexdigest()[:20]}"
        if pictures:
            kept = [[picture.role, picture.name, base64.b64encode(picture.png).decode()] for picture in pictures]
            self._write(f"{name}{PICTURES}", json.dumps(kept).encode())
        self._write(f"{name}{RECORD}", run.to_json().encode() + b"\n")

    def runs(self) -> list[Run]:
        return [run for run, _ in self.entries()]

    def entries(self) -> Iterator[tuple[Run, tuple[Picture, ...]]]:
        """In the order in which they were put."""
        for path in sorted(self.folder.glob(f"*{RECORD}")):
            run = parse_run(path.read_text(encoding="utf-8", errors="surrogateescape"), where=str(path))
            yield run, self._pictures(path.with_suffix(PICTURES))

    def manifests(self) -> Iterator[tuple[str, Manifest]]:
        from builder.bundle import parse_manifest

        for path in sorted(self.folder.glob(f"*{MANIFEST}")):
            yield path.stem, parse_manifest(path.read_text(encoding="utf-8"), where=str(path))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pictures(self, path: Path) -> tuple[Picture, ...]:
        if not path.exists():
            return ()
        kept = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Picture(role=role, name=name, png=base64.b64decode(png)) for role, name, png in kept)

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_durably(self.folder / name, content)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written ({error.strerror}), where records are kept until the store has them; free the place, "
                "or set EDGEBUNDLE_CACHE to a directory that can."
            ) from error

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Whether nobody else uses it; the lock frees itself with its process."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.parent / f"{self.folder.name}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            if not self.folder.exists():
                Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()
            with suppress(OSError):  # another session of the store is on its way
                self.folder.parent.rmdir()


def open_outbox(store: str, session: str) -> Outbox:
    """Of a session on its way into the store of this name."""
    return Outbox(_find_folder(store) / session)


def list_outboxes(store: str) -> list[Outbox]:
    """All that is on its way into a store from this computer, the oldest first."""
    folder = _find_folder(store)
    folders = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return [Outbox(path) for path in sorted(folders, key=_read_begin)]


def _read_begin(folder: Path) -> float:
    """Another harness may have sent and removed it meanwhile."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _find_folder(store: str) -> Path:
    return find_state_root() / "outbox" / hashlib.sha256(store.encode()).hexdigest()[:20]
