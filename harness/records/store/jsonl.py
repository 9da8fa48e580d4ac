"""A JSON Lines file as a store: records only, one a line, appended under a lock and synced."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.records.run import Run, is_torn, parse_run, read_jsonl

if TYPE_CHECKING:
    from builder.bundle import Manifest
    from harness.records.pictures import Picture


class JsonLinesStore:
    """The exchange format. It holds no pictures and no manifests: a report made from it shows numbers only."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        if not create and not path.is_file():
            raise StoreError(f"{path} does not exist; measure first with 'harness run BUNDLE -d host -o {path}'.")

    @property
    def name(self) -> str:
        return str(self.path.absolute())

    def has(self, run_ids: Sequence[str]) -> set[str]:
        wanted, there = set(run_ids), set[str]()
        if not self.path.exists():
            return there
        try:
            with self.path.open(encoding="utf-8", errors="surrogateescape") as stream:
                for number, line in enumerate(stream, 1):
                    if any(run_id in line for run_id in wanted) and not is_torn(
                        line
                    ):  # a store of years is not parsed for one
                        there.add(parse_run(line, where=f"{self.path} line {number}").id)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read ({error.strerror}); check its permissions.") from error
        return there & wanted

    def append(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None:
        try:
            with self.path.open("ab+") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                line = run.to_json().encode() + b"\n"
                torn = stream.seek(0, os.SEEK_END) and not self._ends_line(stream.fileno())
                # a writer was killed in the middle of its line: ours must not become part of it
                stream.write(b"\n" + line if torn else line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror}); free the place or change -o."
            ) from error

    @staticmethod
    def _ends_line(descriptor: int) -> bool:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, 1, size - 1) == b"\n"

    def put_manifest(self, bundle_sha256: str, manifest: Manifest) -> None:
        return None  # not part of the exchange format

    def runs(self) -> Generator[Run]:
        if not self.path.exists():  # nothing was appended yet
            return
        told = set[str]()
        for run in read_jsonl(self.path):
            if run.id not in told:  # files that were put together hold some runs twice
                told.add(run.id)
                yield run

    def manifest(self, bundle_sha256: str) -> Manifest | None:
        return None

    def pictures(self, run_id: str) -> tuple[Picture, ...]:
        return ()

    def close(self) -> None:
        return None
