"""The runtime that will execute a package's models: the libraries inside, or what a library's pom brings."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.targets.android.audit import op_versions
from builder.targets.android.audit.layout import LIBRARY, Package
from builder.targets.base import Finding

TFLITE, EXECUTORCH = "libtensorflowlite_jni.so", "libexecutorch.so"
ABI = "x86_64"  # the one that tables were read from; all are built from one source
POM_OWN = re.compile(r"<groupId>([\w.-]+)</groupId>")
POM_OURS = re.compile(
    r"<dependency><groupId>(org\.edgebundle)</groupId><artifactId>(edgebundle-(?:sdk|runtime)-[\w.-]+)</artifactId><version>([\w.+-]+)<"
)
POM_LITERT = re.compile(
    r"<groupId>com\.google\.ai\.edge\.litert</groupId><artifactId>litert</artifactId><version>((\d+\.\d+)[^<]*)<"
)


@dataclass(frozen=True, kw_only=True)
class Runtimes:
    """What is known of them: the name of a TensorFlow Lite that has a table, the library of an ExecuTorch; how they come, in words."""

    tflite: str | None
    executorch: bytes | None
    findings: tuple[Finding, ...]


def find_runtimes(package: Package) -> Runtimes:
    """The runtimes of a package, with what there is to say of them."""
    if package.kind != "aar":
        return _inside(package, package.archive)
    archives, poms, missing = _bring(package.path)
    findings = tuple(
        package.finding("error", "sdk", f"takes {name} by its pom, which is not in its repository; package again.")
        for name in missing
    )
    runtime = next((archive for archive in archives if archive.name.startswith("edgebundle-runtime-")), None)
    if runtime is not None:
        with zipfile.ZipFile(runtime) as archive:
            runtimes = _inside(package, archive)
    else:
        runtimes = _name_runtimes(package, poms)
    return replace(runtimes, findings=findings + runtimes.findings)


def _inside(package: Package, archive: zipfile.ZipFile) -> Runtimes:
    tflite, executorch = _library(archive, TFLITE), _library(archive, EXECUTORCH)
    name = None if tflite is None else op_versions.find_runtime(tflite)
    findings: list[Finding] = []
    if name is not None:
        findings.append(package.finding("info", "runtime", f"carries {name}."))
    elif tflite is not None:
        findings.append(_unknown(package, "carries a TensorFlow Lite"))
    return Runtimes(tflite=name, executorch=executorch, findings=tuple(findings))


def _bring(aar: Path) -> tuple[list[Path], list[Path], list[str]]:
    """What a library in a Maven repository brings of ours (the SDK, a runtime that was given as a file), from pom to pom.

    The archives, all poms with its own, and the names of those that are not there. One that stands alone brings nothing.
    """
    pom = aar.with_name(f"{aar.stem}.pom")
    if not pom.is_file():
        return [], [], []
    own = POM_OWN.search(pom.read_text(encoding="utf-8"))
    depth = 2 + (own[1].count(".") + 1 if own else 0)
    repository = aar.parents[depth] if depth < len(aar.parents) else aar.parent
    archives, poms, missing = [], [pom], []
    for each in poms:  # grows while it is walked
        for group, artifact, version in POM_OURS.findall(each.read_text(encoding="utf-8")):
            place = repository.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.aar")
            brought = place.with_name(f"{place.stem}.pom")
            if not (place.is_file() and brought.is_file()):
                missing.append(place.stem)
            elif brought not in poms:
                archives.append(place)
                poms.append(brought)
    return archives, poms, missing


def _name_runtimes(package: Package, poms: Sequence[Path]) -> Runtimes:
    """By the poms; a library that stands alone gets its runtime from whoever uses it."""
    matches = (POM_LITERT.search(pom.read_text(encoding="utf-8")) for pom in poms)
    match = next((match for match in matches if match), None)
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


def _library(archive: zipfile.ZipFile, wanted: str) -> bytes | None:
    return next((archive.read(name) for name in _libraries(archive, wanted)), None)


def _libraries(archive: zipfile.ZipFile, wanted: str) -> Iterator[str]:
    for name in archive.namelist():
        if (match := LIBRARY.fullmatch(name)) and match[1] == ABI and match[2] == wanted:
            yield name
