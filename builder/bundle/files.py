"""Hashes of artifacts: a file, or a directory such as an .mlpackage."""

from __future__ import annotations

import hashlib
from pathlib import Path


def hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def list_tree(path: Path) -> list[Path]:
    """The file itself, or all regular files below a directory, in a stable order."""
    if path.is_dir():
        return sorted((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.relative_to(path).as_posix())
    return [path]


def count_tree_bytes(path: Path) -> int:
    return sum(p.stat().st_size for p in list_tree(path))


def hash_tree(path: Path) -> str:
    """sha256 of a file; of a directory, the sha256 over lines `sha256  relative/path` in sorted order."""
    if not path.is_dir():
        return hash_file(path)
    lines = "".join(f"{hash_file(p)}  {p.relative_to(path).as_posix()}\n" for p in list_tree(path))
    return hashlib.sha256(lines.encode()).hexdigest()
