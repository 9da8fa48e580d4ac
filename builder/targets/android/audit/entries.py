"""The archive itself: names, sizes, alignment, and paths of the machine that made it."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator

from builder.bundle.variant import inside_path
from builder.targets.android.apkzip import LIBRARY_ALIGNMENT, OTHER_ALIGNMENT, find_data_offset
from builder.targets.android.audit.layout import BOMB_FROM, MOST_BYTES, MOST_RATIO, Package
from builder.targets.base import Finding

# Home directories and temporary folders: what a build machine's paths start with. A short path may stand in compressed data by chance.
MACHINE_PATH = re.compile(rb"(?:/home/|/root/|/Users/|/tmp/|[A-Z]:\\Users\\)[A-Za-z0-9._/\\-]{6,}")
TEXTS = (".json", ".txt", ".xml", ".dex", ".properties", ".pro", ".toml", ".pb")


def audit_entries(package: Package) -> Iterator[Finding]:
    """All findings of the archive; reads only small parts of it. A bomb ends it: nothing more may be read from such a file."""
    yield from _names(package)
    if package.kind == "apk":
        yield from _alignment(package)
    yield from _paths(package)


def find_bomb(package: Package) -> Finding | None:
    """What speaks against unpacking the archive at all."""
    infos = package.archive.infolist()
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        return package.finding(
            "error",
            "zip-bomb",
            f"unpacks to {total >> 30} GB, more than {MOST_BYTES >> 30} GB; it is not read any further.",
        )
    for info in infos:
        if info.file_size > BOMB_FROM and info.file_size > MOST_RATIO * max(1, info.compress_size):
            return package.finding(
                "error",
                "zip-bomb",
                f"packs {info.filename} {info.file_size // max(1, info.compress_size)} times smaller than its {info.file_size >> 20} MB; it is not read any further.",
            )
    return None


def _names(package: Package) -> Iterator[Finding]:
    for name, count in sorted(Counter(package.archive.namelist()).items()):
        try:
            inside_path(name)
        except ValueError:
            yield package.finding(
                "error", "entry-name", f"has the entry {name!r}, which leaves the archive; package again."
            )
        if count > 1:
            yield package.finding("error", "entry-twice", f"has the entry {name} twice; package again.")


def _alignment(package: Package) -> Iterator[Finding]:
    """Stored entries are mapped: libraries from 16 KB pages, all others from 4 bytes. Libraries and the table must be stored."""
    for info in package.archive.infolist():
        library = info.filename.endswith(".so")
        if info.compress_type != zipfile.ZIP_STORED:
            if library or info.filename == "resources.arsc":
                yield package.finding(
                    "error", "compressed", f"holds {info.filename} compressed, so it cannot be mapped; package again."
                )
            continue
        wanted = LIBRARY_ALIGNMENT if library else OTHER_ALIGNMENT
        if at := find_data_offset(package.path, info) % wanted:
            yield package.finding(
                "error", "zip-alignment", f"holds {info.filename} {at} bytes off a multiple of {wanted}; package again."
            )


def _paths(package: Package) -> Iterator[Finding]:
    """Paths of the machine that built it, in texts and code: they tell of it and make builds differ."""
    for info in package.archive.infolist():
        if info.filename.endswith(TEXTS) and (match := MACHINE_PATH.search(package.archive.read(info))):
            path = match[0].decode(errors="replace")
            yield package.finding(
                "error",
                "machine-path",
                f"holds the path {path} of the machine that made it in {info.filename}; package again.",
            )
