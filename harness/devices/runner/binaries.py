"""The programs that a device shell runs: one aarch64 benchmark runner per runtime, with all libraries it needs.

A runner bundle is a directory with the runner, the official runtime libraries (from the runtime's aarch64 wheel) and the
C and C++ libraries of the cross compiler with their loader, so that it runs on any arm64 Linux kernel, Android's included:
`./ld-linux-aarch64.so.1 --library-path . ./RUNNER --model M`. Bundles are built on first use and cached by content.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from builder import process
from harness.cache import copy_file, make_entry
from harness.devices.engines import find_program
from harness.errors import DeviceError, HarnessError, MissingToolError

if TYPE_CHECKING:
    from builder.backends.spec import Engine, Program

LOADER = "ld-linux-aarch64.so.1"
COMPILER = "aarch64-linux-gnu-g++"
# Some C++ files on a slow machine, and a runtime of tens of megabytes over a slow line: what takes longer hangs.
COMPILE_S, DOWNLOAD_S = 180.0, 600.0
FLAGS = (
    *("-std=c++17", "-O2", "-s", "-fPIE", "-pie"),
    # old-style run path, because only that one is used for the libraries of libraries too
    *("-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"),
    "-Wl,-z,max-page-size=65536",  # loads on 4, 16 and 64 KB pages
)
SHARED_SOURCES = ("benchmark.cpp", "json.cpp", "options.cpp", "system.cpp")
RUNNER = "runner"  # the program's file name in a bundle


@dataclass(frozen=True, kw_only=True)
class RunnerBundle:
    """A built bundle: `key` is the hash of all that decides its content."""

    engine: Engine
    program: Program
    folder: Path
    key: str

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())


def find_runner_sources() -> Path:
    """`mobile/runner`: inside the installed package, or in the repository that this file belongs to."""
    installed = Path(str(resources.files("builder"))) / "_mobile" / "runner"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[3] / "mobile" / "runner"


def build_runner_bundle(backend: str) -> RunnerBundle:
    """The bundle that executes artifacts of this backend, built when it is not cached.

    Raises DeviceError for a backend whose artifacts no runner executes, and MissingToolError with the command that installs what is missing.
    """
    known = find_program(backend)
    if isinstance(known, str):
        raise DeviceError(f"artifacts for {backend} have no runner for a shell: {known}.")
    engine, program = known
    sources = [path for path in find_runner_sources().iterdir() if path.suffix in (".cpp", ".h")]
    key = make_sources_key(repr((engine.package, program, FLAGS)), sources)
    folder = make_entry(
        f"runner/{engine.package}-{program.version}-{key}", lambda made: build(engine.package, program, made)
    )
    return RunnerBundle(engine=engine, program=program, folder=folder, key=key)


def make_sources_key(options: str, sources: Iterable[Path]) -> str:
    """Hash of build options and source files, in whatever order they come."""
    digest = hashlib.sha256(options.encode())
    for path in sorted(sources):
        digest.update(path.relative_to(find_runner_sources()).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def build(package: str, program: Program, made: Path) -> None:
    """Fill `made` with a runner bundle, whose libraries are those of the wheel of `package`."""
    if process.find(COMPILER) is None:
        raise MissingToolError(
            f"{COMPILER} is not installed, so the arm64 runner cannot be built; run 'apt-get install g++-aarch64-linux-gnu'."
        )
    unpacked = made.parent / "wheel"
    unpack_wheel(f"{package}=={program.version}", unpacked)
    sources, libraries = find_runner_sources(), unpacked / program.library_folder
    includes = [word for folder in program.include_folders for word in ("-isystem", unpacked / folder)]
    argv: list[str | Path] = [COMPILER, *FLAGS, *program.compile_flags, *includes, "-o", made / RUNNER]
    argv += [sources / name for name in (*SHARED_SOURCES, program.source)]
    # kernels register themselves in constructors, so their libraries are needed although no symbol of theirs is used
    argv += [f"-L{libraries}", "-Wl,--no-as-needed", *(f"-l:{name}" for name in program.libraries)]
    compile_with(argv, "the arm64 runner")
    for name in program.libraries:
        compile_with(
            ["aarch64-linux-gnu-strip", "--strip-unneeded", "-o", made / name, libraries / name], "the arm64 runner"
        )
    for name in (LOADER, *program.system_libraries):
        path = Path(compile_with([COMPILER, f"-print-file-name={name}"], "the arm64 runner").strip())
        copy_file(path.resolve(), made / name)
    for name in (RUNNER, LOADER):
        (made / name).chmod(0o755)


def compile_with(argv: list[str | Path], what: str) -> str:
    try:
        return process.run(argv, timeout_s=COMPILE_S).stdout
    except process.ToolError as error:
        raise HarnessError(
            f"{what} could not be built: {error}; check the compiler with '{argv[0]} --version'."
        ) from error


def unpack_wheel(wanted: str, target: Path) -> None:
    """Fetch the aarch64 wheel of `NAME==VERSION` with pip and unpack it (for its libraries and headers; its Python code never runs)."""
    wheels = target.parent / "wheels"
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ]
    argv += ["--implementation", "cp", "--python-version", "3.11"]
    argv += [
        "--platform",
        "manylinux_2_28_aarch64",
        "--platform",
        "manylinux_2_27_aarch64",
        "--dest",
        str(wheels),
        wanted,
    ]
    try:
        process.run(argv, timeout_s=DOWNLOAD_S)
    except process.ToolError as error:
        raise MissingToolError(
            f"the aarch64 wheel {wanted} could not be fetched for the arm64 runner ({error}); try '{' '.join(argv[1:])}'."
        ) from error
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
