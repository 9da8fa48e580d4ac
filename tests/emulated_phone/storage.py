"""The phone's file system: a directory of this computer, and the fault switches that concern files."""

from __future__ import annotations

import os
from pathlib import Path

from tests.emulated_phone.faults import Faults


class Storage:
    """Paths of the phone are mapped below `root`."""

    def __init__(self, root: Path, faults: Faults) -> None:
        self.root, self._faults = root, faults

    def find_host_path(self, path: str) -> Path:
        return self.root / os.path.normpath("/" + path).lstrip("/")

    def write(self, path: str, data: bytes, mode: int) -> None:
        """Raises OSError as a full or read-only storage does."""
        if self._faults.read_only:
            raise OSError(30, "Read-only file system")
        limit = self._faults.storage_bytes
        if limit is not None and self.used() + len(data) > limit:
            raise OSError(28, "No space left on device")
        if self._faults.corrupt_pushes and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        if self._faults.cut_pushes:
            data = data[: len(data) // 2]
        target = self.find_host_path(path)
        target.write_bytes(data)
        target.chmod(mode & 0o777)

    def read(self, path: str) -> bytes:
        """Raises OSError."""
        data = self.find_host_path(path).read_bytes()
        if self._faults.corrupt_pulls and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        return data[: len(data) // 2] if self._faults.cut_pulls else data

    def used(self) -> int:
        return sum(path.stat().st_size for path in (self.root / "data").rglob("*") if path.is_file())
