"""The programs that the Android build starts, how to install them, and how their failures are told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from builder import process
from builder.errors import ConversionError, MissingToolError
from builder.targets.base import Need

# What the Android Gradle plug-in 8 and the tools of Android's SDK ask for.
JAVA_MAJOR = 17
PACKAGES = {
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "aapt2": "aapt",
    "apksigner": "apksigner",
}  # Debian's names
OPTIONAL = ("apksigner",)  # only a second opinion on signatures


def install_command(*programs: str) -> str:
    return "apt-get install --no-install-recommends " + " ".join(dict.fromkeys(PACKAGES[name] for name in programs))


def require(*programs: str) -> None:
    """Raises MissingToolError naming all missing programs and the one command that installs them."""
    missing = [name for name in programs if process.find(name) is None]
    if missing:
        raise MissingToolError(
            f"the Android package needs {', '.join(missing)}, not found on PATH; install with '{install_command(*missing)}'."
        )
    if "java" in programs and (major := read_java_major()) < JAVA_MAJOR:
        raise MissingToolError(
            f"the Android package needs Java {JAVA_MAJOR} or newer, but java is {major}; install with '{install_command('java')}'."
        )


def run_tool(argv: Sequence[str | Path], *, what: str, timeout_s: float, cwd: Path | None = None) -> process.Completed:
    """Run one step of the build. `what` completes 'could not ...' in the error message. Raises MissingToolError, ConversionError."""
    try:
        return process.run(argv, timeout_s=timeout_s, cwd=cwd)
    except process.ToolMissing as error:
        raise MissingToolError(f"could not {what}: {error}; install with '{install_command(str(argv[0]))}'.") from error
    except process.ToolError as error:
        raise ConversionError(f"could not {what}: {error}") from error


def read_java_major() -> int:
    """Major version of the java on PATH. Raises MissingToolError when it does not start."""
    text = run_tool(["java", "-version"], what="ask Java for its version", timeout_s=60).stderr
    match = re.search(r'version "(\d+)', text)
    return int(match[1]) if match else 0


def find_java_home() -> Path:
    """The JDK that the java on PATH belongs to."""
    require("java")
    return Path(process.find("java") or "java").resolve().parents[1]


def needs() -> list[Need]:
    """What `builder doctor` says of this target."""
    return [
        Need(
            name=name,
            found=process.find(name) is not None,
            version=_version(name),
            install=install_command(name),
            required=name not in OPTIONAL,
        )
        for name in PACKAGES
    ]


def _version(name: str) -> str | None:
    if process.find(name) is None:
        return None
    argv = {
        "java": ["java", "-version"],
        "javac": ["javac", "-version"],
        "mvn": ["mvn", "-B", "--version"],
        "aapt2": ["aapt2", "version"],
        "apksigner": ["apksigner", "--version"],
    }
    try:
        done = process.run(argv[name], timeout_s=60, check=False)
    except process.ToolError as error:
        return str(error)
    match = re.search(r"\d+(\.\d+)+\S*", done.stdout + done.stderr)
    return match[0].strip('"') if match else None
