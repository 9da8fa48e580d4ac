"""Kotlin and Java sources to a dex file: the Kotlin compiler, javac for R.java, and R8."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from builder.targets.android import tools

# Kotlin's compiler on a slow machine takes minutes: what takes longer hangs.
LIMIT_S = 600.0
# One time for all entries, so that equal inputs give equal bytes; zip knows none before 1980.
FIXED_TIME = (1981, 1, 1, 1, 1, 2)
# One short-lived process each on a small machine: the serial collector and the first compiler tier start fastest.
JVM = ("-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def kotlinc(
    *,
    compiler: Sequence[Path],
    sources: Sequence[Path],
    libraries: Sequence[Path],
    module: str,
    out: Path,
    friends: Sequence[Path] = (),
) -> None:
    """Compile folders of Kotlin (and Java, for reference) to class files; warnings are errors. `friends` may be seen inside."""
    argv: list[str | Path] = [
        "java",
        *JVM,
        "-cp",
        join_class_path(compiler),
        "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
    ]
    argv += [
        "-no-stdlib",
        "-no-reflect",
        "-jvm-target",
        "17",
        "-Werror",
        "-module-name",
        module,
        "-cp",
        join_class_path(libraries),
        "-d",
        out,
    ]
    argv += [f"-Xfriend-paths={','.join(map(str, friends))}"] if friends else []
    tools.run_tool([*argv, *sources], what=f"compile the Kotlin module {module}", timeout_s=LIMIT_S)


def javac(sources: Sequence[Path], out: Path) -> None:
    tools.run_tool(
        ["javac", "-nowarn", "--release", "17", "-d", out, *sources], what="compile R.java", timeout_s=LIMIT_S
    )


def jar(folders: Sequence[Path], out: Path) -> None:
    """Class files of these folders, and what Kotlin says of their top-level functions, as a jar with sorted names and fixed times."""
    classes = sorted(
        (path.relative_to(folder).as_posix(), path)
        for folder in folders
        for pattern in ("*.class", "*.kotlin_module")
        for path in folder.rglob(pattern)
    )
    with zipfile.ZipFile(out, "w") as archive:
        for name, path in classes:
            archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), path.read_bytes())


def r8(
    *, tool: Path, inputs: Sequence[Path], libraries: Sequence[Path], rules: Sequence[Path], min_api: str, out: Path
) -> str:
    """Shrink and dex into the folder `out`. Returns what R8 had to say: warnings are shown, never switched off."""
    argv: list[str | Path] = [
        "java",
        "-Xmx2g",
        "-cp",
        tool,
        "com.android.tools.r8.R8",
        "--release",
        "--no-data-resources",
        "--min-api",
        min_api,
    ]
    for library in libraries:
        argv += ["--lib", library]
    for rule in rules:
        argv += ["--pg-conf", rule]
    done = tools.run_tool([*argv, "--output", out, *inputs], what="shrink the app with R8", timeout_s=LIMIT_S)
    return (done.stdout + done.stderr).strip()


def join_class_path(items: Sequence[Path]) -> str:
    return os.pathsep.join(map(str, items))
