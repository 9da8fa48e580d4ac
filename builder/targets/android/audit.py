"""What an APK must have to work on a phone, read from the produced file: nothing is assumed of how it was made."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from builder.bundle import BUNDLE_FOLDER, MANIFEST, Manifest, parse_manifest
from builder.bundle.manifest import inside_path
from builder.errors import BundleError
from builder.targets.android import tools
from builder.targets.android.apkzip import LIBRARY_ALIGNMENT, OTHER_ALIGNMENT, data_offset
from builder.targets.android.elf import read_elf
from builder.targets.android.keys import is_debug
from builder.targets.android.signature_check import check_signatures
from builder.targets.base import Finding

ASSETS = f"assets/{BUNDLE_FOLDER}/"
ABIS = ("arm64-v8a", "x86_64")
LIMIT_S = 60.0
CURES = {  # library -> what to do about 4 KB pages
    "libtensorflowlite_jni.so": "take com.google.ai.edge.litert:litert 1.4.0 or newer in gradle/libs.versions.toml and build with Gradle, it has 16 KB pages",
}


def audit_apk(apk: Path, *, application_id: str | None = None) -> tuple[Finding, ...]:
    """All findings of one APK, in a fixed order; its application id is checked where one is given."""
    try:
        with zipfile.ZipFile(apk) as archive:
            found = [
                *_names(apk, archive),
                *_alignment(apk, archive),
                *_libraries(apk, archive),
                *_models(apk, archive),
            ]
    except zipfile.BadZipFile as error:
        return (_finding("error", "zip", apk, f"is not a readable archive ({error}); package again."),)
    return (*found, *_badging(apk, application_id), *_signatures(apk))


def _names(apk: Path, archive: zipfile.ZipFile) -> Iterator[Finding]:
    names = archive.namelist()
    for name in sorted(set(names)):
        try:
            inside_path(name)
        except ValueError:
            yield _finding(
                "error", "entry-name", apk, f"has the entry {name!r}, which leaves the archive; package again."
            )
        if names.count(name) > 1:
            yield _finding("error", "entry-twice", apk, f"has the entry {name} twice; package again.")


def _alignment(apk: Path, archive: zipfile.ZipFile) -> Iterator[Finding]:
    """Stored entries are mapped: libraries from 16 KB pages, all others from 4 bytes. Libraries and the table must be stored."""
    for info in archive.infolist():
        library = info.filename.endswith(".so")
        if info.compress_type != zipfile.ZIP_STORED:
            if library or info.filename == "resources.arsc":
                yield _finding(
                    "error",
                    "compressed",
                    apk,
                    f"holds {info.filename} compressed, so it cannot be mapped; package again.",
                )
            continue
        wanted = LIBRARY_ALIGNMENT if library else OTHER_ALIGNMENT
        if at := data_offset(apk, info) % wanted:
            yield _finding(
                "error",
                "zip-alignment",
                apk,
                f"holds {info.filename} {at} bytes off a multiple of {wanted}; package again.",
            )


def _libraries(apk: Path, archive: zipfile.ZipFile) -> Iterator[Finding]:
    by_abi: dict[str, set[str]] = defaultdict(set)
    for name in archive.namelist():
        if (found := re.fullmatch(r"lib/([^/]+)/([^/]+\.so)", name)) is None:
            continue
        by_abi[found[1]].add(found[2])
        try:
            elf = read_elf(archive.read(name))
        except ValueError as error:
            yield _finding("error", "elf", apk, f"holds {name}, which is no library ({error}); package again.")
            continue
        if elf.bits == 64 and min(elf.alignments, default=0) < LIBRARY_ALIGNMENT:
            smallest = min(elf.alignments, default=0)
            cure = CURES.get(found[2], "take a build of that library with 16 KB pages")
            yield _finding(
                "warning",
                "elf-alignment",
                apk,
                f"holds {name} with segments aligned to {smallest} bytes; phones with 16 KB pages refuse to load it: {cure}.",
            )
    every = set().union(*by_abi.values())
    for abi in ABIS:
        for library in sorted(every - by_abi[abi]):
            yield _finding(
                "error", "abi", apk, f"has {library} for {', '.join(sorted(by_abi))} but not for {abi}; package again."
            )
    if not every:
        yield _finding("error", "abi", apk, "holds no native library, so no runtime; package again.")
    else:
        yield _finding("info", "abis", apk, f"runs on {', '.join(sorted(abi for abi in by_abi if by_abi[abi]))}.")


def _models(apk: Path, archive: zipfile.ZipFile) -> Iterator[Finding]:
    """Every artifact of the bundle inside is there, stored, and of the size in the manifest."""
    try:
        manifest: Manifest = parse_manifest(
            archive.read(ASSETS + MANIFEST).decode(), where=f"{apk.name}: {ASSETS}{MANIFEST}"
        )
    except KeyError:
        yield _finding("error", "bundle", apk, f"carries no bundle ({ASSETS}{MANIFEST}); package again.")
        return
    except BundleError as error:
        yield _finding("error", "bundle", apk, f"carries a bundle that cannot be read: {error}")
        return
    present = {info.filename: info for info in archive.infolist()}
    for variant in manifest.variants:
        info = present.get(ASSETS + variant.file)
        if info is None:
            yield _finding(
                "error", "model-missing", apk, f"lacks {variant.file} of variant {variant.id}; package again."
            )
        elif info.compress_type != zipfile.ZIP_STORED:
            yield _finding(
                "error",
                "model-compressed",
                apk,
                f"holds {variant.file} compressed, so it cannot be mapped; package again.",
            )
        elif info.file_size != variant.bytes:
            yield _finding(
                "error",
                "model-size",
                apk,
                f"holds {variant.file} with {info.file_size} bytes instead of {variant.bytes}; package again.",
            )
        else:
            yield _finding(
                "info",
                "model-stored",
                apk,
                f"holds {variant.file} stored at offset {data_offset(apk, info)}, {info.file_size} bytes, mappable.",
            )


def _badging(apk: Path, application_id: str | None) -> Iterator[Finding]:
    """What Android's own reader makes of manifest and resources."""
    text = tools.run_tool(
        ["aapt2", "dump", "badging", apk], what=f"read the manifest of {apk.name}", timeout_s=LIMIT_S
    ).stdout
    package = re.search(r"^package: name='([^']*)' versionCode='([^']*)' versionName='([^']*)'", text, re.MULTILINE)
    if package is None or application_id not in (None, package[1]):
        yield _finding(
            "error",
            "application-id",
            apk,
            f"has the application id {package[1] if package else 'nothing'} instead of {application_id}; package again.",
        )
    else:
        sdks = re.findall(r"^(?:sdkVersion|targetSdkVersion|minSdkVersion):'(\d+)'", text, re.MULTILINE)
        yield _finding(
            "info", "application", apk, f"is {package[1]} {package[3]} ({package[2]}) for API {' to '.join(sdks)}."
        )
    if "application-debuggable" in text:
        yield _finding(
            "error", "debuggable", apk, "is debuggable, which slows it down and opens its data; package again."
        )
    for permission in re.findall(r"^uses-permission: name='([^']*)'", text, re.MULTILINE):
        yield _finding(
            "warning",
            "permission",
            apk,
            f"asks for {permission}; remove it from the manifest if the app does not use it.",
        )


def _signatures(apk: Path) -> Iterator[Finding]:
    results = check_signatures(apk)
    for result in results:
        if result.problem is not None:
            yield _finding(
                "error",
                "signature",
                apk,
                f"has no valid signature of scheme {result.scheme}: {result.problem}; package again.",
            )
    signers = {
        r.certificate.subject.rfc4514_string(): r.certificate
        for r in results
        if r.certificate is not None and r.problem is None
    }
    for name, certificate in signers.items():
        yield _finding(
            "info", "signed", apk, f"is signed ({', '.join(r.scheme for r in results if r.problem is None)}) by {name}."
        )
        if is_debug(certificate):
            yield _finding(
                "warning",
                "debug-key",
                apk,
                "is signed with a debug key: fine for tests, no store takes it; set 'keystore' in [package.android].",
            )


def _finding(level: str, code: str, apk: Path, message: str) -> Finding:
    return Finding(level=level, code=code, file=apk.name, message=message)  # type: ignore[arg-type]
