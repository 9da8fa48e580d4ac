"""Results of steps, kept by content: an entry is a directory that appears complete under its key or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from builder.bundle import hash_file, list_tree
from builder.errors import ConversionError, OutputError

# Another build may be making the very entry; it has its own limits.
LOCK_WAIT_S = 3600.0


def find_cache_root() -> Path:
    """Where results are kept: $EDGEBUNDLE_CACHE, else $XDG_CACHE_HOME/edgebundle, else ~/.cache/edgebundle."""
    if chosen := os.environ.get("EDGEBUNDLE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebundle"


def make_content_key(parts: object) -> str:
    """Key of a step: hash over JSON of all that decides its result (inputs' hashes, plan, versions)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of distributions, `missing` where one is not there."""
    version_of = {}
    for name in packages:
        try:
            version_of[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            version_of[name] = "missing"
    return version_of


def hash_code(folder: Path) -> str:
    """Hash of all Python sources below a folder, so that a changed builder never returns an old result."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@contextmanager
def hold_lock(name: str, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the lock of this name; locks of killed processes free themselves. Raises filelock.Timeout."""
    folder = find_cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock", timeout=wait_s)
    with lock:
        yield


def locate(step: str, key: str) -> Path:
    """Where the entry of a step lies; it exists only when it is complete."""
    return find_cache_root() / step / key


def find_whole(step: str, key: str) -> Path | None:
    """The entry as it was published, None where there is none; a damaged one is removed, so that it is made again."""
    folder = locate(step, key)
    if not folder.is_dir():
        return None
    listing = _listing(folder)
    if folder not in _WHOLE and not _is_whole(folder, listing):
        shutil.rmtree(folder, ignore_errors=True)
        listing.unlink(missing_ok=True)
        return None
    _WHOLE.add(folder)
    with contextlib.suppress(OSError):  # somebody else's cache: only the order of `trim` loses by it
        os.utime(listing)
    return folder


def drop(step: str, key: str) -> None:
    """Forget an entry: the next who wants it makes it."""
    _WHOLE.discard(locate(step, key))
    shutil.rmtree(locate(step, key), ignore_errors=True)
    _listing(locate(step, key)).unlink(missing_ok=True)


def keep_entry(step: str, key: str, make: Callable[[Path], object], *, forget: bool = False) -> tuple[Path, bool]:
    """The entry of this key and whether it was there; if not, `make` fills its directory. Two builds never make the same entry twice.

    `forget`: one that is there is made again.
    """
    with hold_lock(f"{step} {key}"):
        if forget:
            drop(step, key)
        there = find_whole(step, key) is not None
        if not there:
            for left in locate(step, key).parent.glob(f".{key}-*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            with publishing(step, key) as work:
                make(work)
    return locate(step, key), there


@contextmanager
def making(step: str, key: str = "new") -> Iterator[Path]:
    """A fresh directory to fill, which vanishes unless `publish` makes an entry of it. `key`: of the entry, where it is known."""
    home = find_cache_root() / step
    home.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=home))
    try:
        yield work
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutputError(f"no space is left on {home}; free some or set EDGEBUNDLE_CACHE.") from error
        raise ConversionError(
            f"a result could not be kept in {home} ({error.strerror}); free space or set EDGEBUNDLE_CACHE."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def publish(work: Path, step: str, key: str) -> Path:
    """Make a filled directory of `making` the entry of this key; one that was made in the meantime, of the same content, stays."""
    final = locate(step, key)
    if not final.exists():
        hashes = {path.relative_to(work).as_posix(): hash_file(path) for path in list_tree(work)}
        replace_text(_listing(final), json.dumps(hashes))
        work.rename(final)
    return final


@contextmanager
def publishing(step: str, key: str) -> Iterator[Path]:
    """A fresh directory to fill; it becomes the entry when the block ends well, and vanishes when it does not."""
    with making(step, key) as work:
        yield work
        publish(work, step, key)


def replace_text(path: Path, text: str) -> None:
    """Write a file that is at all times the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(name).replace(path)


_WHOLE: set[Path] = set()  # entries whose content this process has compared with their listing


def _listing(folder: Path) -> Path:
    """Beside an entry: the sha256 of each of its files, written before the entry appears. Its time is that of the last use."""
    return folder.with_name(f"{folder.name}.contents.json")


def _is_whole(folder: Path, listing: Path) -> bool:
    try:
        hashes: object = json.loads(listing.read_text(encoding="utf-8"))
        return hashes == {path.relative_to(folder).as_posix(): hash_file(path) for path in list_tree(folder)}
    except (OSError, ValueError):
        return False
