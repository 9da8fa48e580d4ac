"""The bundle inside: every artifact there, stored and mappable, of the right bytes, and executable by the runtime beside it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator

from builder.bundle import MANIFEST, Manifest, Variant, parse_manifest
from builder.errors import BundleError
from builder.targets.android.apkzip import data_offset
from builder.targets.android.audit import op_versions
from builder.targets.android.audit.layout import CHUNK, Package
from builder.targets.base import Finding

RUNTIME = "libtensorflowlite_jni.so"


def read_manifest(package: Package) -> Manifest | Finding:
    """The manifest of the bundle inside, or what is wrong with it."""
    prefix = package.bundle_prefix()
    if prefix is None:
        return package.finding("error", "bundle", f"carries no bundle (assets/edgebundle/{MANIFEST}); package again.")
    try:
        text = package.archive.read(prefix + MANIFEST).decode()
        return parse_manifest(text, where=f"{package.path.name}: {prefix}{MANIFEST}")
    except (BundleError, UnicodeDecodeError) as error:
        return package.finding("error", "bundle", f"carries a bundle that cannot be read: {error}")


def audit_models(package: Package, manifest: Manifest) -> Iterator[Finding]:
    """All findings of the artifacts."""
    version = _runtime(package)
    if version is not None:
        yield package.finding("info", "runtime", f"carries TensorFlow Lite {version}.")
    for variant in manifest.variants:
        info = package.model_entry(variant.file)
        if info is None:
            yield package.finding(
                "error", "model-missing", f"lacks {variant.file} of variant {variant.id}; package again."
            )
            continue
        yield from _stored(package, variant, info)
        if variant.backend == "tflite" and version is not None:
            yield from _ops(package, variant, info, version)


def _stored(package: Package, variant: Variant, info: zipfile.ZipInfo) -> Iterator[Finding]:
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
        at = data_offset(package.path, info)
        yield package.finding(
            "info", "model-stored", f"holds {variant.file} stored at offset {at}, {info.file_size} bytes, mappable."
        )


def _sha256(package: Package, info: zipfile.ZipInfo) -> str:
    digest = hashlib.sha256()
    with package.archive.open(info) as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _runtime(package: Package) -> str | None:
    """The version of the TensorFlow Lite inside, from the library; None where there is none, or none with a table."""
    entry = next((info for info, abi, name in package.libraries() if name == RUNTIME and abi == "x86_64"), None)
    return None if entry is None else op_versions.runtime_version(package.archive.read(entry))


def _ops(package: Package, variant: Variant, info: zipfile.ZipInfo, version: str) -> Iterator[Finding]:
    try:
        problems = op_versions.refused(package.archive.read(info), version)
    except ValueError as error:
        yield package.finding(
            "error", "model", f"holds {variant.file}, which is no TFLite model ({error}); package again."
        )
        return
    if problems:
        yield package.finding(
            "error",
            "op-version",
            f"carries TensorFlow Lite {version}, which cannot execute variant {variant.id}: it uses {'; '.join(problems)}. "
            "Choose another scheme for those layers, or take a newer runtime by --with-gradle.",
        )
    else:
        yield package.finding(
            "info", "op-versions", f"executes every operator of {variant.id} by TensorFlow Lite {version}."
        )
