"""Files on an Android device, never trusted by name or size: what is there is what its sha256 says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.bundle import hash_file
from harness.devices.android.adb import Adb, quote_words
from harness.errors import DeviceLost

HASH_LINE = re.compile(r"^([0-9a-f]{64})  (\S+)$", re.MULTILINE)
# Hundreds of megabytes on a slow phone.
HASH_S = 60.0


def hash_remote_files(adb: Adb, folder: str, names: Sequence[str]) -> dict[str, str]:
    """sha256 of those of the files that exist in a directory of the device."""
    line = f'cd {quote_words(folder)} && for f in {quote_words(*names)}; do [ ! -f "$f" ] || sha256sum "$f"; done'
    printed = adb.require_shell(line, doing="hash its files", timeout_s=HASH_S)
    return {name: sha for sha, name in HASH_LINE.findall(printed)}


def push_verified(adb: Adb, files: Mapping[str, Path], folder: str) -> int:
    """Bring files under new names into a directory of the device; the number of files that had to be pushed.

    One that is there with the same hash stays. A pushed file is read back and compared. Names are ours: letters, digits,
    dots and dashes, so that no name of a user reaches the device.
    """
    adb.require_shell(f"mkdir -p {quote_words(folder)}", doing="make a directory")
    wanted = {name: hash_file(path) for name, path in files.items()}
    before = hash_remote_files(adb, folder, list(files))
    missing = [name for name in files if before.get(name) != wanted[name]]
    for name in missing:
        adb.push([files[name]], f"{folder}/{name}")
    after = hash_remote_files(adb, folder, missing) if missing else {}
    for name in missing:
        if after.get(name) != wanted[name]:
            raise DeviceLost(
                f"{adb.serial} holds {name} with other content than was sent; check its cable and storage, and run again."
            )
    return len(missing)


def pull_verified(adb: Adb, folder: str, files: Mapping[str, int], target: Path) -> None:
    """Fetch files (name -> bytes) from a directory of the device and compare their hashes with the device's."""
    there = hash_remote_files(adb, folder, list(files))
    for name, size in files.items():
        if name not in there:
            raise DeviceLost(f"{adb.serial} has no {name} after the run; run again.")
        adb.pull(f"{folder}/{name}", target / name, size=size)
        if hash_file(target / name) != there[name]:
            raise DeviceLost(
                f"{name} came from {adb.serial} with other content than it has there; check its cable, and run again."
            )


def remove(adb: Adb, paths: Sequence[str]) -> None:
    adb.require_shell(f"rm -rf {quote_words(*paths)}", doing="remove its files")
