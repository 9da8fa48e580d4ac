"""How the page is made and audited."""

from __future__ import annotations

import tempfile
from pathlib import Path

from builder.bundle import hash_file, list_tree
from builder.errors import ConfigError
from builder.storage import cache
from builder.suggest import did_you_mean
from builder.targets.base import Finding, PackageRequest, PackageResult, judge
from builder.targets.mobile import find_mobile_root
from builder.targets.subset import write_subset
from builder.targets.web import ARTIFACT, FORMATS
from builder.targets.web.audit import audit_site
from builder.targets.web.module import pack_module
from builder.targets.web.scripts import SOURCES, build_scripts
from builder.targets.web.site import write_site


def hash_sources() -> str:
    """Hash of all that decides a page: its sources with the pinned packages, and this code."""
    root = find_mobile_root() / "web"
    files = [path for name in SOURCES for path in (list_tree(root / name) if (root / name).is_dir() else [root / name])]
    lines = [f"{hash_file(path)} {path.relative_to(root).as_posix()}" for path in files]
    return cache.make_content_key([lines, cache.hash_code(Path(__file__).parents[1])])


def package(request: PackageRequest) -> PackageResult:
    """Make the page in `request.out` and audit it; with the format `npm` the package for other people's pages, which carries no bundle.

    Raises ConfigError for a bundle without a TFLite variant, MissingToolError, ConversionError when npm or esbuild fails, and
    VerificationError when the audit finds an error.
    """
    for name in request.formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown web format {name!r}{did_you_mean(name, FORMATS)}")
    sources = find_mobile_root() / "web"
    built, made, findings = build_scripts(sources), list[Path](), list[Finding]()
    with tempfile.TemporaryDirectory(prefix="edgebundle-bundle-") as folder:
        bundle = write_subset(request.bundle, (ARTIFACT,), Path(folder) / "bundle")
        if "site" in request.formats:
            out = request.out / f"{request.bundle.manifest.model.name}-web"
            write_site(bundle, built / "files", sources / "static", out, remote=request.remote)
            findings += audit_site(out, bundle, request.remote)
            made.append(out)
        if "npm" in request.formats:
            made.append(pack_module(built, sources / "npm", request.out))
    left = sorted({v.id for v in request.bundle.manifest.variants} - {v.id for v in bundle.manifest.variants})
    if left:
        message = f"leaves out {', '.join(left)}: a browser runs TFLite files only."
        findings.append(Finding(level="info", code="left-out", file=made[0].name, message=message))
    return PackageResult(files=tuple(made), findings=judge(findings, request.options.allow))
