"""What a finished app holds, read from the app itself: identity, machine code, system, signature, bundle."""

from __future__ import annotations

import re
import struct
import tempfile
from pathlib import Path
from typing import Literal

from builder.bundle import BUNDLE_FOLDER, MANIFEST, Bundle, BundleError
from builder.errors import ConfigError
from builder.targets.base import Finding
from builder.targets.ios.app import open_app, read_info

Level = Literal["error", "warning", "info"]
# MH_MAGIC_64 of mach-o/loader.h.
MACH_O_64 = 0xFEEDFACF
# FAT_MAGIC of mach-o/fat.h: a file for several processors, in the other order of bytes.
FAT = 0xCAFEBABE
# CPU_TYPE_ARM64 of mach/machine.h.
ARM64 = 0x0100000C
# The load command that names the platform (mach-o/loader.h).
LC_BUILD_VERSION = 0x32
PLATFORMS = {1: "macOS", 2: "iOS", 6: "Mac Catalyst", 7: "the iOS simulator"}
SIGN = "codesign --force --sign 'Apple Development' --entitlements FILE APP, with a provisioning profile in APP/embedded.mobileprovision"


def audit_ipa(path: Path, *, identifier: str | None = None) -> list[Finding]:
    """Findings of an .ipa; one that cannot be opened is an error among them."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-audit-") as folder:
        try:
            app = open_app(path, Path(folder))
        except ConfigError as error:
            return [Finding(level="error", code="app", file=path.name, message=str(error))]
        return [_name_file(finding, path.name) for finding in audit_app(app, identifier=identifier)]


def audit_app(app: Path, *, identifier: str | None = None) -> list[Finding]:
    """Findings of an .app directory; `identifier` is the bundle identifier that it should have."""
    findings: list[Finding] = []

    def add(level: Level, code: str, message: str) -> None:
        findings.append(Finding(level=level, code=code, file=app.name, message=message))

    info = read_info(app)
    own_identifier = str(info.get("CFBundleIdentifier"))
    if identifier is not None and own_identifier != identifier:
        add("error", "identifier", f"has the bundle identifier {own_identifier}, not {identifier}.")
    add("info", "app", f"is {own_identifier} {info.get('CFBundleShortVersionString')} ({info.get('CFBundleVersion')}).")
    executable = app / str(info.get("CFBundleExecutable"))
    for level, message in check_machine_code(executable.read_bytes()[:65536]):
        add(level, "machine-code", message)
    if not (app / "_CodeSignature").is_dir():
        add("warning", "unsigned", f"is not signed, and no device installs it as it is; sign it on a Mac: {SIGN}.")
    for level, code, message in _audit_bundles(app, str(info.get("MinimumOSVersion", ""))):
        add(level, code, message)
    return findings


def check_machine_code(head: bytes) -> list[tuple[Level, str]]:
    """What the start of an executable says: level and message."""
    if len(head) < 32:
        return [("error", "has an executable that is empty.")]
    if struct.unpack(">I", head[:4])[0] == FAT:
        return [("info", "has machine code for several processors.")]
    magic, processor = struct.unpack("<II", head[:8])
    if magic != MACH_O_64:
        return [("error", "has an executable that is no machine code of Apple's (Mach-O).")]
    if processor != ARM64:
        return [
            ("error", f"has machine code for processor {processor:#x}, not for arm64: it was built for a simulator.")
        ]
    platform = _platform(head)
    if platform is not None and platform != 2:
        return [("error", f"was built for {PLATFORMS.get(platform, f'platform {platform}')}, not for iOS devices.")]
    return [("info", "has machine code for arm64.")]


def _platform(head: bytes) -> int | None:
    """Platform of the load command LC_BUILD_VERSION (mach-o/loader.h), None where there is none."""
    count, at = struct.unpack("<I", head[16:20])[0], 32
    for _ in range(count):
        if at + 12 > len(head):
            return None
        command, size, platform = struct.unpack("<III", head[at : at + 12])
        if command == LC_BUILD_VERSION:
            return int(platform)
        at += max(size, 8)
    return None


def _audit_bundles(app: Path, minimum: str) -> list[tuple[Level, str, str]]:
    """Of each bundle among the app's own resources and those of its Swift packages."""
    folders = sorted(path.parent for path in app.rglob(f"{BUNDLE_FOLDER}/*/{MANIFEST}"))
    if not folders:
        return [("error", "bundle", f"carries no bundle ({BUNDLE_FOLDER}/NAME/{MANIFEST}).")]
    return [entry for folder in folders for entry in _audit_bundle(folder, minimum)]


def _audit_bundle(folder: Path, minimum: str) -> list[tuple[Level, str, str]]:
    try:
        manifest = Bundle.open(folder).manifest
    except BundleError as error:
        return [("error", "bundle", f"carries no good bundle: {error}")]
    entries: list[tuple[Level, str, str]] = [
        ("info", "bundle", f"carries {manifest.model.name} with {', '.join(v.id for v in manifest.variants)}.")
    ]
    for variant in manifest.variants:
        needed = re.fullmatch(r"iOS (\d+)", variant.minimum_runtime)
        if needed is not None and minimum and int(needed[1]) > int(minimum.partition(".")[0]):
            message = f"is installed from iOS {minimum} on, but its variant {variant.id} needs {variant.minimum_runtime}: older phones take another variant."
            entries.append(("warning", "deployment-target", message))
    return entries


def _name_file(finding: Finding, name: str) -> Finding:
    return Finding(level=finding.level, code=finding.code, file=name, message=finding.message)
