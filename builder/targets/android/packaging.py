"""How the formats of Android are made and audited."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from builder.bundle import Bundle, hash_file, list_tree
from builder.errors import ConfigError
from builder.storage import cache
from builder.suggest import did_you_mean
from builder.targets.android import FORMATS, gradle, tools
from builder.targets.android.aab import build_aab
from builder.targets.android.aar import build_aar
from builder.targets.android.apk import build_apk
from builder.targets.android.audit import audit
from builder.targets.android.execute.findings import execute_and_judge
from builder.targets.android.host import HostApp, provide_prebuilt
from builder.targets.android.host.flavours import FLAVOURS, Flavour, find_flavour
from builder.targets.android.project import BUILT, write_project
from builder.targets.android.settings import check_names
from builder.targets.base import Finding, PackageRequest, PackageResult, judge
from builder.targets.mobile import find_mobile_root
from builder.targets.subset import write_subset


def hash_sources() -> str:
    """Hash of all sources that decide a package: the Gradle project and this package's code."""
    project = find_mobile_root() / "android"
    files = [path for path in list_tree(project) if not BUILT.intersection(path.relative_to(project).parts)]
    lines = [f"{hash_file(path)} {path.relative_to(project).as_posix()}" for path in files]
    return cache.make_content_key([lines, cache.hash_code(Path(__file__).parents[1])])


def package(request: PackageRequest) -> PackageResult:
    """Make the requested formats in `request.out` and audit them.

    Raises ConfigError for a bad application id, format, runtime or keystore, MissingToolError, ConversionError, and VerificationError
    when the audit finds an error that was not allowed: such a package is not handed over.
    """
    _check(request)
    project = find_mobile_root() / "android"
    flavour = find_flavour(request.options.runtime)
    with tempfile.TemporaryDirectory(prefix="edgebundle-bundle-") as folder:
        bundle = write_subset(request.bundle, (flavour.artifact,), Path(folder))
        _check_delegates(bundle, flavour)
        build = _by_gradle if request.options.with_gradle else _build_in_process
        files, audited = build(request, bundle, flavour, project)
        ran = execute_and_judge(audited, bundle) if request.options.execute else ()
        left_out = sorted({v.id for v in request.bundle.manifest.variants} - {v.id for v in bundle.manifest.variants})
    findings = [finding for path in audited for finding in _audit_made(path, request)]
    findings += ran
    if left_out:
        message = f"leaves out {', '.join(left_out)}: it carries the runtime of {flavour.sources} only; --runtime takes another."
        findings.append(
            Finding(level="info", code="left-out", file=request.bundle.manifest.model.name, message=message)
        )
    return PackageResult(files=tuple(files), findings=judge(findings, request.options.allow))


def _audit_made(path: Path, request: PackageRequest) -> tuple[Finding, ...]:
    """The gate: our own checks, which start no Java; `builder inspect` asks Android's verifier too."""
    application_id = None if path.suffix == ".aar" else request.application_id
    return audit(path, application_id=application_id, second_opinion=False)


def _build_in_process(
    request: PackageRequest, bundle: Bundle, flavour: Flavour, project: Path
) -> tuple[list[Path], list[Path]]:
    """Made with no Android SDK: the files to hand over, and those to audit."""
    name = request.bundle.manifest.model.name
    files: list[Path] = []
    audited: list[Path] = []
    host: HostApp | None = None
    if set(request.formats) - {"project"}:
        tools.require("aapt2")
        host = provide_prebuilt(project, request.options.runtime)
    if host is not None and "aar" in request.formats:
        files.append(request.out / f"{name}-maven")
        audited += build_aar(request, bundle, host, project, files[-1])
    if host is not None and "apk" in request.formats:
        files.append(request.out / f"{name}.apk")
        build_apk(request, bundle, host, files[-1])
        audited.append(files[-1])
    if host is not None and "aab" in request.formats:
        files.append(request.out / f"{name}.aab")
        build_aab(request, bundle, host, project, files[-1])
        audited.append(files[-1])
    if "project" in request.formats:
        files.append(request.out / f"{name}-android")
        write_project(request, bundle, project, files[-1])
    return files, audited


def _by_gradle(
    request: PackageRequest, bundle: Bundle, flavour: Flavour, project: Path
) -> tuple[list[Path], list[Path]]:
    """App and app bundle made by Gradle and the Android SDK, from the very project that is handed over; library and project as ever."""
    name = request.bundle.manifest.model.name
    with tempfile.TemporaryDirectory(prefix="edgebundle-gradle-") as folder:
        sources = Path(folder) / "project"
        write_project(request, bundle, project, sources)
        made = gradle.build(request, flavour, sources, request.out, name)
    others = dataclasses.replace(request, formats=tuple(f for f in request.formats if f not in gradle.TASKS))
    files, audited = _build_in_process(others, bundle, flavour, project)
    return [*made, *files], [*made, *audited]


def _check(request: PackageRequest) -> None:
    check_names(request.application_id, request.version_name)
    for name in request.formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown Android format {name!r}{did_you_mean(name, FORMATS)}")


def _check_delegates(bundle: Bundle, flavour: Flavour) -> None:
    """Every variant can be executed by the flavour's runtime."""
    for variant in bundle.manifest.variants:
        if variant.delegate not in flavour.delegates:
            others = ", ".join(name for name, other in FLAVOURS.items() if variant.delegate in other.delegates)
            raise ConfigError(
                f"variant {variant.id} is for {variant.delegate}, which {flavour.sources} on Android does not have (it has "
                f"{', '.join(flavour.delegates)}{f'; {others} has it' if others else ''}); change its delegate or leave it out."
            )
