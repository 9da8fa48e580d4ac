"""The runtime that will execute a package's models: the libraries inside, or what a library's pom brings."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.targets.android.audit import op_versions
from builder.targets.android.audit.layout import LIBRARY, Package
from builder.targets.base import Finding

TFLITE, EXECUTORCH = "libtensorflowlite_jni.so", "libexecutorch.so"
ABI = "x86_64"  # the one that tables were read from; all are built from one source
POM_LITERT = re.compile(
    r"<groupId>com\.google\.ai\.edge\.litert</groupId><artifactId>litert</artifactId><version>((\d+\.\d+)[^<]*)<"
)


@dataclass(frozen=True, kw_only=True)
class Runtimes:
    """What is known of them: the name of a TensorFlow Lite that has a table, the library of an ExecuTorch; how they come, in words."""

    tflite: str | None
    executorch: bytes | None
    findings: tuple[Finding, ...]


def runtimes_of(package: Package) -> Runtimes:
    """The runtimes of a package, with what there is to say of them."""
    if package.kind != "aar":
        return _inside(package, package.archive)
    beside = _beside(package.path)
    if beside is not None:
        with zipfile.ZipFile(beside) as archive:
            return _inside(package, archive)
    return _name_runtimes(package)


def _inside(package: Package, archive: zipfile.ZipFile) -> Runtimes:
    tflite, executorch = _library(archive, TFLITE), _library(archive, EXECUTORCH)
    name = None if tflite is None else op_versions.runtime_of(tflite)
    findings: list[Finding] = []
    if name is not None:
        findings.append(package.finding("info", "runtime", f"carries {name}."))
    elif tflite is not None:
        findings.append(_unknown(package, "carries a TensorFlow Lite"))
    return Runtimes(tflite=name, executorch=executorch, findings=tuple(findings))


def _name_runtimes(package: Package) -> Runtimes:
    """By the pom beside a library; one that stands alone gets its runtime from whoever uses it."""
    pom = package.path.with_name(f"{package.path.stem}.pom")
    match = POM_LITERT.search(pom.read_text(encoding="utf-8")) if pom.is_file() else None
    if match is None:
        return Runtimes(tflite=None, executorch=None, findings=())
    name = f"LiteRT {match[2]}"
    if name not in op_versions.TABLES:
        return Runtimes(
            tflite=None, executorch=None, findings=(_unknown(package, f"takes LiteRT {match[1]} by its pom"),)
        )
    said = package.finding("info", "runtime", f"takes LiteRT {match[1]} by its pom.")
    return Runtimes(tflite=name, executorch=None, findings=(said,))


def _unknown(package: Package, what: str) -> Finding:
    return package.finding(
        "warning",
        "runtime-unknown",
        f"{what} whose operators are not known here (known: {', '.join(op_versions.TABLES)}), so its models are not checked against it; "
        "the check of goldens on the phone remains.",
    )


def _beside(aar: Path) -> Path | None:
    """The runtime that `builder package --runtime NAME=FILE` put beside a library in its repository."""
    version, name = aar.parent.name, aar.parent.parent.name
    path = aar.parents[1].with_name(f"{name}-runtime") / version / f"{name}-runtime-{version}.aar"
    return path if path.is_file() else None


def _library(archive: zipfile.ZipFile, wanted: str) -> bytes | None:
    return next((archive.read(name) for name in _libraries(archive, wanted)), None)


def _libraries(archive: zipfile.ZipFile, wanted: str) -> Iterator[str]:
    for name in archive.namelist():
        if (match := LIBRARY.fullmatch(name)) and match[1] == ABI and match[2] == wanted:
            yield name
