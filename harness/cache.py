"""Things the harness makes once and keeps: an entry is a directory that appears complete under its name or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import HarnessError

# Another process may be making the very entry: two downloads and two compilations with limits of their own.
LOCK_WAIT_S = 900.0


def find_cache_root() -> Path:
    """$EDGEBUNDLE_CACHE, else $XDG_CACHE_HOME/edgebundle, else ~/.cache/edgebundle: the same place as the builder's."""
    if chosen := os.environ.get("EDGEBUNDLE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebundle"


def find_state_root() -> Path:
    """What must outlive a cleared cache: records on their way to a store, and what is to be taken back on phones.

    Beside the cache where $EDGEBUNDLE_CACHE names it, else $XDG_STATE_HOME/edgebundle, else ~/.local/state/edgebundle.
    """
    if chosen := os.environ.get("EDGEBUNDLE_CACHE"):
        return Path(chosen) / "state"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "edgebundle"


def write_durably(path: Path, content: bytes) -> None:
    """Whole or not at all, and on the disk when it returns: written beside, synced, renamed, and the folder synced. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def make_entry(name: str, make: Callable[[Path], None]) -> Path:
    """Directory `name` of the cache; `make` fills an empty directory when it is not there yet.

    A process that is killed while making leaves nothing that a later one would take for complete, and its lock frees itself.
    """
    folder = find_cache_root() / name
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{folder.name}.lock", timeout=LOCK_WAIT_S):
            if not folder.is_dir():
                for left in folder.parent.glob(f".making-{folder.name}-*"):  # by a process that was killed
                    shutil.rmtree(left)
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".making-{folder.name}-") as temporary:
                    made = Path(temporary) / "made"
                    made.mkdir()
                    make(made)
                    os.replace(made, folder)
    except Timeout as error:
        raise HarnessError(
            f"another process has been making {folder} for {LOCK_WAIT_S:g} s; end it and try again."
        ) from error
    except OSError as error:
        raise HarnessError(
            f"{folder} cannot be written ({error.strerror}); set EDGEBUNDLE_CACHE to a directory that can."
        ) from error
    return folder


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of a file, links followed, readable by all."""
    shutil.copyfile(source, target)
    target.chmod(0o644)
