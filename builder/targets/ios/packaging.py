"""How the formats of iOS are made and audited."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from builder.backends import list_backends
from builder.bundle import Bundle, hash_file, list_tree
from builder.errors import ConfigError
from builder.storage import cache
from builder.suggest import did_you_mean
from builder.targets.base import Finding, PackageRequest, PackageResult, judge
from builder.targets.ios import ARTIFACT, FORMATS, OPTIONAL, xcode
from builder.targets.ios.app import make_app, write_ipa
from builder.targets.ios.audit import audit_app, audit_ipa
from builder.targets.ios.models import check_models
from builder.targets.ios.project import BUILT, write_project
from builder.targets.ios.settings import check_settings
from builder.targets.ios.swift_package import write_packages
from builder.targets.mobile import find_mobile_root
from builder.targets.subset import write_subset


def hash_sources() -> str:
    """Hash of all that decides a package: the Swift sources, this code, and the Xcode that would build an app."""
    sources = find_mobile_root() / "ios"
    files = [path for path in list_tree(sources) if not BUILT.intersection(path.relative_to(sources).parts)]
    lines = [f"{hash_file(path)} {path.relative_to(sources).as_posix()}" for path in files]
    return cache.make_content_key([lines, cache.hash_code(Path(__file__).parents[1]), xcode.read_version()])


def package(request: PackageRequest) -> PackageResult:
    """Make the requested formats in `request.out` and audit them.

    Raises ConfigError for settings that Xcode would refuse and for a bundle without a Core ML variant, MissingToolError,
    ConversionError when xcodebuild fails, and VerificationError when the audit finds an error.
    """
    for name in request.formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown iOS format {name!r}{did_you_mean(name, FORMATS)}")
    files: list[Path] = []
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="edgebundle-bundle-") as folder:
        artifacts = (ARTIFACT, OPTIONAL) if request.second_runtime else (ARTIFACT,)
        bundle = write_subset(request.bundle, artifacts, Path(folder))
        check_settings(request, bundle)
        check_models(bundle)
        for name in request.formats:
            made, audited = _make(name, request, bundle)
            files.append(made)
            findings += audited
        left_out = sorted({v.id for v in request.bundle.manifest.variants} - {v.id for v in bundle.manifest.variants})
    if left_out:
        message = f"leaves out {', '.join(left_out)}: the iOS app carries the runtime of {', '.join(list_backends(artifacts))} only."
        findings.append(
            Finding(level="info", code="left-out", file=request.bundle.manifest.model.name, message=message)
        )
    return PackageResult(files=tuple(files), findings=judge(findings, request.options.allow))


def _make(name: str, request: PackageRequest, bundle: Bundle) -> tuple[Path, list[Finding]]:
    model = bundle.manifest.model.name
    if name == "package":
        out = request.out / f"{model}-swift-package"
        write_packages(bundle, find_mobile_root() / "ios", out, request.deployment_target)
        return out, []
    if name == "project":
        out = request.out / f"{model}-ios"
        write_project(request, bundle, find_mobile_root() / "ios", out)
        return out, []
    with tempfile.TemporaryDirectory(prefix="edgebundle-app-") as folder:
        app = make_app(request, bundle, Path(folder))
        if name == "app":
            out = request.out / f"{model}.app"
            shutil.copytree(app, out, symlinks=True)
            return out, audit_app(out, identifier=request.application_id)
        out = request.out / f"{model}.ipa"
        write_ipa(app, out)
        return out, audit_ipa(out, identifier=request.application_id)
