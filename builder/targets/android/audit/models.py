"""The bundles inside: every artifact there, stored and mappable, of the right bytes, and executable by the runtime beside it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence

from builder.bundle import BUNDLE_FOLDER, MANIFEST, Variant, parse_manifest
from builder.errors import BundleError
from builder.targets.android.apkzip import find_data_offset
from builder.targets.android.audit import executorch_ops, op_versions
from builder.targets.android.audit.layout import CHUNK, Carried, Package
from builder.targets.android.audit.runtimes import Runtimes, find_runtimes
from builder.targets.android.runtimes import EXECUTORCH, EXECUTORCH_FILE, TFLITE_FILE
from builder.targets.base import Finding


def read_bundles(package: Package) -> Iterator[Carried | Finding]:
    """The bundles inside, or what is wrong with one; the SDK as a library has none, and anything else has one at least."""
    manifests = package.manifests()
    if not manifests and not package.is_sdk():
        yield package.finding(
            "error", "bundle", f"carries no bundle (assets/{BUNDLE_FOLDER}/NAME/{MANIFEST}); package again."
        )
    for name, entry in sorted(manifests.items()):
        try:
            text = package.archive.read(entry).decode()
            yield Carried(name=name, manifest=parse_manifest(text, where=f"{package.path.name}: {entry}"))
        except (BundleError, UnicodeDecodeError) as error:
            yield package.finding("error", "bundle", f"carries a bundle that cannot be read: {error}")


def audit_models(package: Package, bundles: Sequence[Carried]) -> Iterator[Finding]:
    """All findings of the artifacts."""
    runtimes = find_runtimes(package)
    yield from runtimes.findings
    for bundle in bundles:
        yield from _audit_bundle(package, bundle, runtimes)


def _audit_bundle(package: Package, bundle: Carried, runtimes: Runtimes) -> Iterator[Finding]:
    for variant in bundle.manifest.variants:
        info = package.find_model_entry(bundle.name, variant.file)
        if info is None:
            yield package.finding(
                "error", "model-missing", f"lacks {variant.file} of variant {variant.id}; package again."
            )
            continue
        yield from _check_stored(package, variant, info)
        if variant.file.endswith(TFLITE_FILE) and runtimes.tflite is not None:
            yield from _check_tflite_ops(package, variant, info, runtimes.tflite)
        if variant.file.endswith(EXECUTORCH_FILE) and runtimes.executorch is not None:
            yield from _check_executorch_ops(package, variant, info, runtimes.executorch)


def _check_stored(package: Package, variant: Variant, info: zipfile.ZipInfo) -> Iterator[Finding]:
    if (
        info.compress_type != zipfile.ZIP_STORED and package.kind != "aab"
    ):  # bundletool's configuration stores them in the APKs
        yield package.finding(
            "error", "model-compressed", f"holds {variant.file} compressed, so it cannot be mapped; package again."
        )
    elif info.file_size != variant.bytes:
        yield package.finding(
            "error",
            "model-size",
            f"holds {variant.file} with {info.file_size} bytes instead of {variant.bytes}; package again.",
        )
    elif _sha256(package, info) != variant.sha256:
        yield package.finding(
            "error", "model-hash", f"holds {variant.file} with another hash than its manifest says; package again."
        )
    elif package.kind == "apk":
        at = find_data_offset(package.path, info)
        yield package.finding(
            "info", "model-stored", f"holds {variant.file} stored at offset {at}, {info.file_size} bytes, mappable."
        )


def _sha256(package: Package, info: zipfile.ZipInfo) -> str:
    digest = hashlib.sha256()
    with package.archive.open(info) as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _check_executorch_ops(
    package: Package, variant: Variant, info: zipfile.ZipInfo, library: bytes
) -> Iterator[Finding]:
    try:
        problems = executorch_ops.find_refused(package.archive.read(info), library)
    except ValueError as error:
        yield package.finding(
            "error", "model", f"holds {variant.file}, which is no ExecuTorch program ({error}); package again."
        )
        return
    if problems:
        yield package.finding(
            "error",
            "op-version",
            f"has an ExecuTorch that cannot execute variant {variant.id}: it uses {'; '.join(problems)}. "
            f"Take a newer or fuller runtime by --runtime {EXECUTORCH}=FILE.aar, or another delegate.",
        )
    else:
        yield package.finding(
            "info", "op-versions", f"has every operator and delegate of {variant.id} in its ExecuTorch."
        )


def _check_tflite_ops(package: Package, variant: Variant, info: zipfile.ZipInfo, runtime: str) -> Iterator[Finding]:
    try:
        problems = op_versions.find_refused(package.archive.read(info), runtime)
    except ValueError as error:
        yield package.finding(
            "error", "model", f"holds {variant.file}, which is no TFLite model ({error}); package again."
        )
        return
    if problems:
        yield package.finding(
            "error",
            "op-version",
            f"has {runtime}, which cannot execute variant {variant.id}: it uses {'; '.join(problems)}. "
            "Choose another scheme for those layers, or take a newer runtime by --with-gradle.",
        )
    else:
        yield package.finding("info", "op-versions", f"executes every operator of {variant.id} by {runtime}.")
