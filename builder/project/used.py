"""What a network's factory really used: files by content and variables of the environment, beside what builder.toml names.

The worker that loads the network records it (`sources/recorder.py`). It is known only afterwards; so a small file for every
combination that was seen leads from what is known before, the base key, to the key of the result.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from builder.bundle import hash_file
from builder.storage.cache import find_cache_root, make_content_key, replace_text

SEEN = "source-used"
# Combinations that are remembered of one base key.
MOST = 16


class Used(BaseModel):
    """`files` are relative to builder.toml where they lie below it; their sha256, or None for one that was looked for and is not there.

    `environment` has the sha256 of a variable's value, which may be a secret, None for one that is not set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, str | None] = {}
    environment: dict[str, str | None] = {}

    def still(self, folder: Path) -> bool:
        """Whether all of it is as it was."""
        return all(hash_value(name) == known for name, known in self.environment.items()) and all(
            hash_content(folder / name) == known for name, known in self.files.items()
        )


def hash_content(path: Path) -> str | None:
    """None for what is not there or cannot be read."""
    try:
        return hash_file(path)
    except OSError:
        return None


def hash_value(name: str) -> str | None:
    """Of a variable of this process's environment."""
    value = os.environ.get(name)
    return None if value is None else hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()


class Remembered(BaseModel):
    """The key of the result that a base key and all of `used` lead to."""

    key: str
    used: Used


def recall(base: str, folder: Path) -> str | None:
    """The key of the result that was made when all was as it is now; None where there is none."""
    for path in _newest(base):
        try:
            known = Remembered.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if known.used.still(folder):
            return known.key
    return None


def remember(base: str, used: Used, key: str) -> None:
    """Keep what leads to this key; the oldest combinations go."""
    name = make_content_key(used.model_dump(mode="json"))
    replace_text(_home(base) / f"{name}.json", Remembered(key=key, used=used).model_dump_json(indent=1))
    for path in list(_newest(base))[MOST:]:
        path.unlink(missing_ok=True)


def _home(base: str) -> Path:
    return find_cache_root() / SEEN / base


def _newest(base: str) -> Iterator[Path]:
    files = list(_home(base).glob("*.json")) if _home(base).is_dir() else []
    yield from sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)
