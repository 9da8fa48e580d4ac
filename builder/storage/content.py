"""What the cache holds, and removing it: all, or what was not used for longest.

Do not remove anything while a build runs that needs it: the build would end with an error and have to be started again.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import count_tree_bytes
from builder.storage.cache import drop, find_cache_root

OTHERS = ("environments", "source-used")  # kept otherwise than as results with a listing


@dataclass(frozen=True, kw_only=True)
class StepContent:
    """The results of one kind of step."""

    name: str
    results: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class CacheContent:
    root: Path
    bytes: int
    steps: tuple[StepContent, ...]


def look() -> CacheContent:
    """Count and measure what is there."""
    steps = []
    for home in _homes():
        entries = [path for path in home.iterdir() if path.is_dir()]
        steps.append(StepContent(name=home.name, results=len(entries), bytes=count_tree_bytes(home)))
    return CacheContent(root=find_cache_root(), bytes=sum(step.bytes for step in steps), steps=tuple(steps))


def clear() -> int:
    """Remove everything that can be made again; the bytes that were freed."""
    before = look().bytes
    for home in _homes():
        shutil.rmtree(home, ignore_errors=True)
    return before - look().bytes


def trim(limit: int) -> int:
    """Remove results, the one first that was not used for longest, until at most `limit` bytes are left; the bytes freed."""
    freed = 0
    left = look().bytes
    used = sorted(
        (listing.stat().st_mtime_ns, home.name, listing.name.removesuffix(".contents.json"))
        for home in _homes()
        for listing in home.glob("*.contents.json")
    )
    for _, step, key in used:
        if left - freed <= limit:
            break
        freed += count_tree_bytes(find_cache_root() / step / key)
        drop(step, key)
    return freed


def _homes() -> list[Path]:
    """One directory a step. Where the cache is a directory that holds something else too, that is not looked at."""
    root = find_cache_root()
    if not root.is_dir():
        return []
    inside = (path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink())
    return [path for path in inside if path.name in OTHERS or any(path.glob("*.contents.json"))]
