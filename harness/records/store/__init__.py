"""Where records are kept: an SQLite file, a database by URL, or a JSON Lines file, the exchange format."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.errors import StoreError
from harness.records.run import Run

if TYPE_CHECKING:
    from builder.bundle import Manifest
    from harness.records.pictures import Picture

DEFAULT_STORE = "runs.sqlite"


class Store(Protocol):
    """Records in the order in which they were appended, with their pictures and the manifests of what was measured.

    Each append is complete and safe on disk when it returns. Everything raises StoreError. `name` is the same for everybody on this
    computer who opens the store.
    """

    @property
    def name(self) -> str: ...

    def append(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None: ...

    def put_manifest(self, bundle_sha256: str, manifest: Manifest) -> None: ...

    def runs(self) -> Generator[Run]: ...

    def has(self, run_ids: Sequence[str]) -> set[str]:
        """Those of the runs that can be read back."""
        ...

    def manifest(self, bundle_sha256: str) -> Manifest | None: ...

    def pictures(self, run_id: str) -> tuple[Picture, ...]: ...

    def close(self) -> None: ...


def open_store(where: str, *, create: bool = False) -> Store:
    """`x.jsonl`: JSON Lines, records only; something with `://`: a database URL; any other path: an SQLite file.

    A store that does not exist is an error unless `create` is set.
    """
    if "://" not in where:
        _check(Path(where))
    if where.endswith(".jsonl"):
        from harness.records.store.jsonl import JsonLinesStore

        return JsonLinesStore(Path(where), create=create)
    from harness.records.store.sql import SqlStore, make_sqlite_url

    if "://" in where:
        return SqlStore(where, create=create)
    path = Path(where)
    if not create and not path.is_file():
        raise StoreError(f"{path} does not exist; measure first with 'harness run BUNDLE -d host -o {path}'.")
    if create and not path.parent.is_dir():
        raise StoreError(f"{path} cannot be made: the folder {path.parent} does not exist; make it or change -o.")
    return SqlStore(make_sqlite_url(path), create=create)


def _check(path: Path) -> None:
    """Raises StoreError for what is no file, which opening would wait for, and for one that may not be read."""
    if path.is_dir():
        raise StoreError(f"{path} is a directory; name a file, e.g. {path / DEFAULT_STORE}.")
    if not path.exists():
        return
    if not path.is_file():
        raise StoreError(f"{path} is a pipe or a device and no file; write its records to a file and name that.")
    if not os.access(path, os.R_OK):
        raise StoreError(f"{path} cannot be read (permission denied); change its permissions with 'chmod u+r {path}'.")


@contextmanager
def fill_store(where: str, *, create: bool = True) -> Iterator[Store]:
    """A store for a session or an import. A file that this made and that got no record is taken away again: it would be found and read."""
    path = None if "://" in where or Path(where).exists() else Path(where)
    store = open_store(where, create=create)
    try:
        yield store
    finally:
        empty = False
        if path is not None:
            with suppress(StoreError), closing(store.runs()) as runs:
                empty = next(runs, None) is None
        store.close()
        if path is not None and empty:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)


def read_runs(where: str) -> list[Run]:
    """All runs of a store, in order. Raises StoreError."""
    store = open_store(where)
    try:
        return list(store.runs())
    finally:
        store.close()
