"""Small programs that stand in for an adb of which no real one is at hand: an old one, one that pairs, one that hangs."""

from __future__ import annotations

from pathlib import Path

NOW = "Android Debug Bridge version 1.0.41\nVersion 36.0.0-13206524\nInstalled as /opt/adb\n"


def make_adb_double(folder: Path, version: str = NOW, *, otherwise: str = "exit 1") -> Path:
    """An `adb` in `folder` that prints `version`, notes each call and what it read in `calls`, and does `otherwise` (sh) for the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "version.txt").write_text(version, encoding="utf-8")
    program = folder / "adb"
    program.write_text(
        "#!/bin/sh\n"
        'here=$(dirname "$0")\n'
        'echo "$*" >> "$here/calls"\n'
        'if [ "$1" = version ]; then cat "$here/version.txt"; exit 0; fi\n'
        f"{otherwise}\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def calls(program: Path) -> list[str]:
    """What the double was called with, in order."""
    return (program.parent / "calls").read_text(encoding="utf-8").splitlines()
