"""Which files a model consists of, without reading it with anything heavy: what its hash is made of."""

from __future__ import annotations

import re
from pathlib import Path

from builder.bundle import hash_file
from builder.storage.cache import make_content_key

# `external_data` entries of an ONNX tensor: key "location" (field 1), then the value (field 2) with its length.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])")


def list_model_files(source: Path) -> tuple[Path, ...]:
    """The file itself; all files of a directory; an ONNX file and the external data beside it that exist."""
    if source.is_dir():
        return tuple(sorted(path for path in source.rglob("*") if path.is_file()))
    if source.suffix != ".onnx":
        return (source,)
    content = source.read_bytes()
    files = {source}
    for match in _LOCATION.finditer(content):
        size = match[1][0] if len(match[1]) == 1 else (match[1][0] & 0x7F) | match[1][1] << 7
        name = content[match.end() : match.end() + size].decode(errors="replace")
        if "\0" in name or ".." in name or name.startswith("/"):
            continue  # refused when the model is read
        path = source.parent / name
        if path.is_file():
            files.add(path)
    return tuple(sorted(files))


def hash_model(source: Path) -> str:
    """Hash of one file, or of all that belongs to the model with their names."""
    files = list_model_files(source)
    if files == (source,):
        return hash_file(source)
    folder = source if source.is_dir() else source.parent
    return make_content_key({path.relative_to(folder).as_posix(): hash_file(path) for path in files})
