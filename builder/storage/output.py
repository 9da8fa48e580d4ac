"""Output directories: written aside and renamed when complete, and never over somebody else's files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import Timeout

from builder.bundle import OWNER_FILE, hash_file, list_tree
from builder.errors import OutputError
from builder.storage.cache import hold_lock

Kind = Literal["a bundle", "packages", "exports", "pictures", "a project"]
KIND = ""  # its key in OWNER_FILE, which no file has for a name


@contextmanager
def replacing(out: Path, kind: Kind) -> Iterator[Path]:
    """A fresh directory that becomes `out` as a whole when the block ends well; an earlier output of ours and of this kind goes away.

    Packages of other formats and targets stay beside the new ones: each is a file or a folder of its own.
    Raises OutputError when `out` holds files that are not ours, cannot be written, or is being written by another build.
    """
    out = out.absolute()
    refuse_foreign(out, kind)
    try:
        with hold_lock(f"output {out}", wait_s=0):
            out.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(out)
            work = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
            try:
                yield work
                if kind == "packages":
                    _keep_others(out, work)
                _mark(work, kind)
                work.chmod(0o755)
                _swap(work, out)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except Timeout as error:
        raise OutputError(f"another build is writing {out}; wait for it or choose another -o.") from error
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({error.strerror or error}); choose another -o or free space."
        ) from error


def check_output(out: Path, kind: Kind) -> None:
    """Before any work is done for it: raise OutputError when `out` holds somebody else's files or could not be written."""
    refuse_foreign(out, kind)
    whole = next((parent for parent in out.absolute().parents if (parent / OWNER_FILE).exists()), None)
    if whole is not None:
        raise OutputError(f"{out} lies inside {whole}, which this tool wrote as a whole; choose another -o.")
    place = next(parent for parent in out.absolute().parents if parent.exists())
    try:
        Path(tempfile.mkdtemp(prefix=f".{out.name}.try-", dir=place)).rmdir()
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({place}: {error.strerror or error}); choose another -o."
            if place.is_dir()
            else f"{out} cannot be written: {place} is a file; choose another -o."
        ) from error


def refuse_foreign(out: Path, kind: Kind) -> None:
    """Raise OutputError when `out` exists and holds anything that we did not write there, or that was changed since, or another kind."""
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out} exists and is not a directory; choose another -o.")
    try:
        ours: dict[str, str] = json.loads((out / OWNER_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        ours = {}
    except (OSError, ValueError) as error:
        raise OutputError(f"{out / OWNER_FILE} is damaged ({error}); move {out} away or choose another -o.") from error
    was = ours.pop(KIND, kind)
    if was != kind:
        raise OutputError(f"{out} holds {was} of this tool, and {kind} would take its place; choose another -o.")
    for path in list_tree(out):
        name = path.relative_to(out).as_posix()
        if name == OWNER_FILE:
            continue
        if name not in ours:
            raise OutputError(f"{out} holds {name}, which this tool did not write; choose another -o or move it away.")
        if hash_file(path) != ours[name]:
            raise OutputError(
                f"{out} holds {name}, which was changed since this tool wrote it; choose another -o or move it away."
            )


def remove_leftovers(out: Path) -> None:
    """Directories that a killed build left beside `out`; safe under the lock of `out`."""
    for kind in ("new", "old"):
        for path in out.parent.glob(f".{_escape(out.name)}.{kind}-*"):
            shutil.rmtree(path, ignore_errors=True)


def copy_into(source: Path, target: Path) -> None:
    """Copy the files of a directory (or one file) with plain modes; what is executable stays so."""
    for path in list_tree(source):
        to = target / path.relative_to(source) if source.is_dir() else target
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
        if os.access(path, os.X_OK):
            to.chmod(0o755)


def _escape(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _keep_others(out: Path, work: Path) -> None:
    """Take over the files and folders of an earlier output that were not made anew."""
    if out.exists():
        for path in out.iterdir():
            if path.name != OWNER_FILE and not (work / path.name).exists():
                copy_into(path, work / path.name)


def _mark(work: Path, kind: Kind) -> None:
    hashes = {KIND: kind} | {p.relative_to(work).as_posix(): hash_file(p) for p in list_tree(work)}
    (work / OWNER_FILE).write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _swap(work: Path, out: Path) -> None:
    if not out.exists():
        work.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old-", dir=out.parent)) / "was"
    out.rename(old)
    work.rename(out)
    shutil.rmtree(old.parent, ignore_errors=True)
