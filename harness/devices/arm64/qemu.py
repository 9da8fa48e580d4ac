"""QEMU user mode as an arm64 processor: runs a runner bundle and counts executed instructions between the runner's marks."""

from __future__ import annotations

import itertools
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from builder import process
from harness.cache import make_entry
from harness.devices.runner.binaries import compile_with, find_runner_sources, make_sources_key
from harness.errors import MissingToolError

CPU = "cortex-a76"
PROGRAM = "qemu-aarch64"
INSTALL = "apt-get install qemu-user"
# A program that prints its version: what takes longer hangs.
VERSION_S = 20.0
PLUGIN_FLAGS = ("-shared", "-fPIC", "-O2", "-s")
COUNT_LINE = re.compile(r"^edgebundle-count (\d+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Qemu:
    """A QEMU that counts. `root` holds the /proc and /sys files of the emulated processor, which must agree with CPU:
    the runtimes choose their kernels by /proc/cpuinfo, and the host's own would mislead them."""

    program: str
    plugin: Path
    root: Path

    def words(self, *, count: bool) -> list[str | Path]:
        """What to write before the words that start an arm64 program."""
        words: list[str | Path] = [self.program, "-cpu", CPU, "-L", self.root]
        return [*words, "-plugin", self.plugin] if count else words

    def version(self) -> str:
        """`7.2.15`: the version that QEMU tells of itself."""
        try:
            told = process.run([self.program, "--version"], timeout_s=VERSION_S).stdout
        except process.ToolError as error:
            raise MissingToolError(f"QEMU does not start ({error}); run '{INSTALL}'.") from error
        match = re.search(r"version (\S+)", told)
        return match.group(1) if match else told.strip()


def find_missing() -> str | None:
    """What is not installed and the command that adds it, or None."""
    if process.find(PROGRAM) is None:
        return f"{PROGRAM} is not installed; run '{INSTALL}'"
    return None


def counting_qemu() -> Qemu:
    """QEMU with the plug-in of mobile/runner/qemu, compiled on first use. Raises MissingToolError."""
    program = process.find(PROGRAM)
    if program is None:
        raise MissingToolError(f"{find_missing()}.")
    sources = [path for path in (find_runner_sources() / "qemu").rglob("*") if path.is_file()]
    folder = make_entry(f"runner/qemu-{make_sources_key(repr(PLUGIN_FLAGS), sources)}", build_plugin)
    return Qemu(program=program, plugin=folder / "libcount.so", root=folder / CPU)


def build_plugin(made: Path) -> None:
    if process.find("gcc") is None:
        raise MissingToolError(
            "gcc is not installed, so QEMU's counting plug-in cannot be built; run 'apt-get install gcc libc6-dev'."
        )
    sources = find_runner_sources() / "qemu"
    compile_with(["gcc", *PLUGIN_FLAGS, "-o", made / "libcount.so", sources / "count.c"], "QEMU's counting plug-in")
    shutil.copytree(sources / CPU, made / CPU)


def read_counts(stderr: str) -> list[int]:
    """Instructions executed between each two marks, in order, from what the plug-in printed."""
    totals = [int(text) for text in COUNT_LINE.findall(stderr)]
    return [later - earlier for earlier, later in itertools.pairwise(totals)]
