"""Android: a signed APK with the sample and benchmark app, and the Gradle project, both from one source tree."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from builder import cache
from builder.bundle import file_sha256, tree_files
from builder.errors import ConfigError, VerificationError
from builder.suggest import did_you_mean
from builder.targets.android import tools
from builder.targets.android.apk import build_apk
from builder.targets.android.audit import audit_apk
from builder.targets.android.host import prebuilt
from builder.targets.android.project import BUILT, write_project
from builder.targets.base import Finding, Need, PackageRequest, PackageResult
from builder.targets.mobile import mobile_root
from builder.targets.subset import subset

FORMATS: tuple[str, ...] = ("apk", "project")
DEFAULT_FORMATS: tuple[str, ...] = ("apk", "project")
BACKENDS: tuple[str, ...] = (
    "tflite",
)  # the runtimes that the host app carries; a flavour for another runtime adds its backend here

# Java package names: https://developer.android.com/build/configure-app-module, "Set the application ID"
APPLICATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

__all__ = ["BACKENDS", "DEFAULT_FORMATS", "FORMATS", "doctor", "package", "sources_sha256"]


def doctor() -> list[Need]:
    """What packaging for Android needs on this machine, and what is there."""
    return tools.needs()


def sources_sha256() -> str:
    """Hash of all sources that decide a package: the Gradle project and this package's code."""
    project = mobile_root() / "android"
    files = [path for path in tree_files(project) if not BUILT.intersection(path.relative_to(project).parts)]
    lines = [f"{file_sha256(path)} {path.relative_to(project).as_posix()}" for path in files]
    return cache.content_key([lines, cache.code_sha256(Path(__file__).parents[1])])


def package(request: PackageRequest) -> PackageResult:
    """Make the requested formats in `request.out` and audit them.

    Raises ConfigError for a bad application id, format or keystore, MissingToolError, ConversionError, and VerificationError when
    the audit finds an error: such a package is not handed over.
    """
    _check(request)
    project = mobile_root() / "android"
    name = request.bundle.manifest.model.name
    files: list[Path] = []
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="edgebundle-bundle-") as folder:
        bundle = subset(request.bundle, BACKENDS, Path(folder))
        if "apk" in request.formats:
            tools.require("aapt2")
            apk = request.out / f"{name}.apk"
            build_apk(request, bundle, prebuilt(project), apk)
            files.append(apk)
            findings += audit_apk(apk, application_id=request.application_id)
        if "project" in request.formats:
            files.append(request.out / f"{name}-android")
            write_project(request, bundle, project, files[-1])
        left_out = sorted({v.id for v in request.bundle.manifest.variants} - {v.id for v in bundle.manifest.variants})
    if left_out:
        message = (
            f"leaves out {', '.join(left_out)}: the Android app carries the runtime of {', '.join(BACKENDS)} only."
        )
        findings.append(Finding(level="info", code="left-out", file=name, message=message))
    for finding in findings:
        if finding.level == "error":
            raise VerificationError(f"{finding.file} {finding.message}")
    return PackageResult(files=tuple(files), findings=tuple(findings))


def _check(request: PackageRequest) -> None:
    if not APPLICATION_ID.fullmatch(request.application_id):
        raise ConfigError(
            f"'{request.application_id}' is not an Android application id; 'application_id' in [package.android] needs two or more words "
            "of letters, digits and '_' joined by dots, each starting with a letter, as in org.example.app."
        )
    if not VERSION_NAME.fullmatch(request.version_name):
        raise ConfigError(
            f"'{request.version_name}' cannot be a version name; 'version_name' in [package.android] takes letters, digits and . _ + -, as in 1.0."
        )
    for name in request.formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown Android format {name!r}{did_you_mean(name, FORMATS)}")
