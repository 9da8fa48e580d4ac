"""Running Swift: the system's own on a Mac, the cached chroot of scripts/swift.sh elsewhere. A missing Swift fails, never skips."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from builder import process
from builder.storage.cache import find_cache_root
from builder.targets.mobile import find_mobile_root

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "swift.sh"
PREPARE_S = 900.0
LIMIT_S = 600.0


class Swift:
    """Commands over the sources of a directory, with a working directory of their own that stays between runs."""

    def __init__(self, sources: Path, work: Path) -> None:
        self.sources = sources
        self.work = work
        if sys.platform != "darwin":
            process.run([SCRIPT, "prepare"], timeout_s=PREPARE_S)

    @property
    def source_path(self) -> str:
        """Where a command sees the sources."""
        return str(self.sources) if sys.platform == "darwin" else "/src"

    @property
    def work_path(self) -> str:
        """Where a command sees its working directory."""
        return str(self.work) if sys.platform == "darwin" else "/work"

    def run(self, *words: str, check: bool = True) -> process.Completed:
        """Run a command; its words name paths by `source_path` and `work_path`."""
        if sys.platform == "darwin":
            return process.run(words, timeout_s=LIMIT_S, cwd=self.sources, check=check)
        argv = [SCRIPT, "run", self.sources, self.work, "--", *words]
        return process.run(argv, timeout_s=LIMIT_S, check=check)


def build_folder(name: str) -> Path:
    """A folder of the cache where a build keeps what it made, so that a second run compiles only what changed.

    Swift keeps the module of a source that is gone, and `canImport` finds it: each set of files has a folder of its own.
    """
    folder = find_cache_root() / "swift" / "build" / f"{name}-{_shape()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _shape() -> str:
    """Names of all Swift files, and what the packages are made of."""
    files = sorted(path for root in (find_ios_sources(), ROOT / "tests" / "ios") for path in root.rglob("*.swift"))
    told = hashlib.sha256()
    for path in files:
        told.update(path.name.encode() + b"\n")
        if path.name == "Package.swift":
            told.update(path.read_bytes())
    return told.hexdigest()[:12]


def find_ios_sources() -> Path:
    return find_mobile_root() / "ios"
