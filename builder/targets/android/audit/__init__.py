"""What a package must have to work on a phone, read from the produced file: nothing is assumed of how it was made."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from builder.bundle import Manifest
from builder.targets.android.audit.application import audit_application
from builder.targets.android.audit.entries import audit_entries, find_bomb
from builder.targets.android.audit.layout import KINDS, Package
from builder.targets.android.audit.libraries import audit_libraries
from builder.targets.android.audit.models import audit_models, read_manifest
from builder.targets.android.audit.signing import audit_signatures
from builder.targets.android.licences import NOTICES_FOLDER, UNKNOWN, parse_list
from builder.targets.base import Finding

__all__ = ["audit"]


def audit(path: Path, *, application_id: str | None = None, second_opinion: bool = True) -> tuple[Finding, ...]:
    """All findings of an `.apk`, `.aar` or `.aab`, in a fixed order; its application id is checked where one is given.

    `second_opinion` asks Android's own verifier too where it is installed; it starts Java.
    """
    kind = KINDS[path.suffix]
    try:
        with zipfile.ZipFile(path) as archive:
            package = Package(path=path, kind=kind, archive=archive)
            if (problem := find_bomb(package)) is not None:
                return (problem,)
            return tuple(_all(package, application_id, second_opinion))
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        return (
            Finding(
                level="error",
                code="zip",
                file=path.name,
                message=f"is not a readable archive ({error}); package again.",
            ),
        )


def _all(package: Package, application_id: str | None, second_opinion: bool) -> Iterator[Finding]:
    yield from audit_entries(package)
    manifest = read_manifest(package)
    if isinstance(manifest, Finding):
        yield manifest
    yield from audit_libraries(package, manifest if isinstance(manifest, Manifest) else None)
    if isinstance(manifest, Manifest):
        yield from audit_models(package, manifest)
        yield from _licences(package, manifest)
    yield from _sizes(package)
    yield from audit_application(package, application_id)
    yield from audit_signatures(package, second_opinion)


def _licences(package: Package, manifest: Manifest) -> Iterator[Finding]:
    """The model's licence, and those of the libraries inside."""
    licences = dict.fromkeys((manifest.model.licence, *manifest.licences))
    own = {f"model {manifest.model.name}": " and ".join(licences)}
    notices = package.notices()
    if notices is None:
        yield package.finding(
            "warning",
            "licences",
            f"carries no assets/{NOTICES_FOLDER}, so the licences of its libraries are not told; package again.",
        )
        return
    libraries = {**own, **parse_list(notices), **own}
    for name, licence in libraries.items():
        if licence == UNKNOWN:
            yield package.finding(
                "warning",
                "licence-unknown",
                f"carries {name}, whose licence is not told by its archive; ask who made it.",
            )
    yield package.finding(
        "info", "licences", f"holds {'; '.join(f'{name}: {licence}' for name, licence in libraries.items())}."
    )


def _sizes(package: Package) -> Iterator[Finding]:
    """Bytes in the archive by part: code, libraries, models and the rest of the bundle, resources."""
    parts: dict[str, int] = defaultdict(int)
    for info in package.archive.infolist():
        parts[_part(info.filename)] += info.compress_size
    listing = ", ".join(f"{name} {size:,}" for name, size in sorted(parts.items(), key=lambda item: -item[1]))
    yield package.finding("info", "size", f"has {package.path.stat().st_size:,} bytes: {listing}.")


def _part(name: str) -> str:
    if name.endswith(".so"):
        return "libraries"
    if name.endswith((".dex", "classes.jar")):
        return "code"
    if "assets/edgebundle/variants/" in name:
        return "models"
    if "assets/" in name:
        return "other assets"
    return "resources and the rest"
