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

from builder import process
from harness.cache import copy_file, entry
from harness.errors import HarnessError, MissingToolError

LOADER = "ld-linux-aarch64.so.1"
COMPILER = "aarch64-linux-gnu-g++"
COMPILE_S, DOWNLOAD_S = 180.0, 600.0
FLAGS = (
    *("-std=c++17", "-O2", "-s", "-fPIE", "-pie"),
    # old-style run path, because only that one is used for the libraries of libraries too
    *("-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"),
    "-Wl,-z,max-page-size=65536",  # loads on 4, 16 and 64 KB pages
)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """How a runtime's runner is built. `package` and `version` name the wheel; a test keeps them equal to the host's."""

    name: str
    package: str
    version: str
    engine: str
    library_folder: str
    libraries: tuple[str, ...]
    compile_flags: tuple[str, ...] = ()
    include_folders: tuple[str, ...] = ()
    system_libraries: tuple[str, ...] = ("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")


RUNTIMES: dict[str, Runtime] = {
    "tflite": Runtime(
        name="LiteRT",
        package="ai-edge-litert",
        version="2.3.0",
        engine="litert_engine.cpp",
        library_folder="ai_edge_litert",
        libraries=("libLiteRt.so",),
    ),
    "executorch": Runtime(
        name="ExecuTorch",
        package="executorch",
        version="1.5.1",
        engine="executorch_engine.cpp",
        library_folder="executorch/lib",
        libraries=(
            *("libexecutorch.so", "libexecutorch_threadpool.so", "libexecutorch_backend_xnnpack.so"),
            *("libexecutorch_kernels_optimized.so", "libexecutorch_kernels_quantized.so"),
        ),
        compile_flags=("-DC10_USING_CUSTOM_GENERATED_MACROS",),
        include_folders=("executorch/include", "executorch/include/executorch/runtime/core/portable_type/c10"),
        system_libraries=("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libdl.so.2", "libpthread.so.0"),
    ),
}
SHARED_SOURCES = ("benchmark.cpp", "json.cpp", "options.cpp", "system.cpp")
RUNNER = "runner"  # the program's file name in a bundle


@dataclass(frozen=True, kw_only=True)
class RunnerBundle:
    """A built bundle: `key` is the hash of all that decides its content."""

    runtime: Runtime
    folder: Path
    key: str

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())


def runner_sources() -> Path:
    """`mobile/runner`: inside the installed package, or in the repository that this file belongs to."""
    installed = Path(str(resources.files("builder"))) / "_mobile" / "runner"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[3] / "mobile" / "runner"


def runner_bundle(backend: str) -> RunnerBundle:
    """The bundle that executes artifacts of this backend (a key of RUNTIMES), built when it is not cached.

    Raises MissingToolError with the command that installs what is missing.
    """
    runtime = RUNTIMES[backend]
    sources = [path for path in runner_sources().iterdir() if path.suffix in (".cpp", ".h")]
    key = sources_key(repr((runtime, FLAGS)), sources)
    folder = entry(f"runner/{runtime.package}-{runtime.version}-{key}", lambda made: build(runtime, made))
    return RunnerBundle(runtime=runtime, folder=folder, key=key)


def sources_key(options: str, sources: Iterable[Path]) -> str:
    """Hash of build options and source files, in whatever order they come."""
    digest = hashlib.sha256(options.encode())
    for path in sorted(sources):
        digest.update(path.relative_to(runner_sources()).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def build(runtime: Runtime, made: Path) -> None:
    """Fill `made` with a runner bundle."""
    if process.find(COMPILER) is None:
        raise MissingToolError(
            f"{COMPILER} is not installed, so the arm64 runner cannot be built; run 'apt-get install g++-aarch64-linux-gnu'."
        )
    unpacked = made.parent / "wheel"
    unpack_wheel(runtime, unpacked)
    sources, libraries = runner_sources(), unpacked / runtime.library_folder
    includes = [word for folder in runtime.include_folders for word in ("-isystem", unpacked / folder)]
    argv: list[str | Path] = [COMPILER, *FLAGS, *runtime.compile_flags, *includes, "-o", made / RUNNER]
    argv += [sources / name for name in (*SHARED_SOURCES, runtime.engine)]
    # kernels register themselves in constructors, so their libraries are needed although no symbol of theirs is used
    argv += [f"-L{libraries}", "-Wl,--no-as-needed", *(f"-l:{name}" for name in runtime.libraries)]
    compile_with(argv, "the arm64 runner")
    for name in runtime.libraries:
        compile_with(
            ["aarch64-linux-gnu-strip", "--strip-unneeded", "-o", made / name, libraries / name], "the arm64 runner"
        )
    for name in (LOADER, *runtime.system_libraries):
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


def unpack_wheel(runtime: Runtime, target: Path) -> None:
    """Fetch the runtime's aarch64 wheel with pip and unpack it (for its libraries and headers; its Python code never runs)."""
    wanted = f"{runtime.package}=={runtime.version}"
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
