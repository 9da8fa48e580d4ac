"""Results of steps, kept by content: an entry is a directory that appears complete under its key or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from builder.errors import ConversionError

LOCK_WAIT_S = 3600.0  # another build may be making the very entry; it has its own limits


def cache_root() -> Path:
    """Where results are kept: $EDGEBUNDLE_CACHE, else $XDG_CACHE_HOME/edgebundle, else ~/.cache/edgebundle."""
    if chosen := os.environ.get("EDGEBUNDLE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebundle"


def content_key(parts: object) -> str:
    """Key of a step: hash over JSON of all that decides its result (inputs' hashes, plan, versions)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of distributions, `missing` where one is not there."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def code_sha256(folder: Path) -> str:
    """Hash of all Python sources below a folder, so that a changed builder never returns an old result."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@contextmanager
def locked(name: str, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the lock of this name; locks of killed processes free themselves. Raises filelock.Timeout."""
    folder = cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock", timeout=wait_s)
    with lock:
        yield


def entry(step: str, key: str) -> Path:
    """Where the entry of a step lies; it exists only when it is complete."""
    return cache_root() / step / key


@contextmanager
def publishing(step: str, key: str) -> Iterator[Path]:
    """A fresh directory to fill; it becomes the entry when the block ends well, and vanishes when it does not."""
    final = entry(step, key)
    final.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=final.parent))
    try:
        yield work
        if final.exists():  # made by another build in the meantime, from the same content
            return
        work.rename(final)
    except OSError as error:
        raise ConversionError(
            f"a result could not be kept in {final.parent} ({error.strerror}); free space or set EDGEBUNDLE_CACHE."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
