"""The manifest as Android's own reader sees it: id, versions, SDK levels, permissions, debuggable."""

from __future__ import annotations

import re
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path

from builder.targets.android import tools
from builder.targets.android.audit.layout import Package
from builder.targets.base import Finding

# aapt2 and bundletool read a manifest within seconds: what takes longer hangs.
LIMIT_S = 60.0
ANDROID = "{http://schemas.android.com/apk/res/android}"
# What the Play Store takes of new apps and updates since August 2025.
OLDEST_TARGET = 35


def audit_application(package: Package, application_id: str | None) -> Iterator[Finding]:
    """All findings of the manifest."""
    if package.kind == "aar":
        yield from _library(package)
        return
    text = _badging(package)
    match = re.search(r"^package: name='([^']*)' versionCode='([^']*)' versionName='([^']*)'", text, re.MULTILINE)
    if match is None or application_id not in (None, match[1]):
        yield package.finding(
            "error",
            "application-id",
            f"has the application id {match[1] if match else 'nothing'} instead of {application_id}; package again.",
        )
        return
    sdks = {
        name: int(number)
        for name, number in re.findall(r"^(sdkVersion|targetSdkVersion|minSdkVersion):'(\d+)'", text, re.MULTILINE)
    }
    least, target = sdks.get("sdkVersion", sdks.get("minSdkVersion", 1)), sdks.get("targetSdkVersion", 0)
    yield package.finding("info", "application", f"is {match[1]} {match[3]} ({match[2]}) for API {least} to {target}.")
    if target < OLDEST_TARGET:
        yield package.finding(
            "warning",
            "target-sdk",
            f"targets API {target}; the Play Store takes API {OLDEST_TARGET} or newer: raise targetSdk in gradle/libs.versions.toml.",
        )
    if "application-debuggable" in text:
        yield package.finding(
            "error", "debuggable", "is debuggable, which slows it down and opens its data; package again."
        )
    for permission in re.findall(r"^uses-permission: name='([^']*)'", text, re.MULTILINE):
        yield _permission(package, permission)


def _library(package: Package) -> Iterator[Finding]:
    """An AAR's manifest is text."""
    try:
        root = ElementTree.fromstring(package.archive.read("AndroidManifest.xml"))
    except (KeyError, ElementTree.ParseError) as error:
        yield package.finding("error", "manifest", f"has no readable AndroidManifest.xml ({error}); package again.")
        return
    sdk = root.find("uses-sdk")
    least = sdk.get(f"{ANDROID}minSdkVersion") if sdk is not None else None
    yield package.finding(
        "info", "application", f"is the library {root.get('package')} for API {least or 'any'} and newer."
    )
    for element in root.iter("uses-permission"):
        yield _permission(package, element.get(f"{ANDROID}name", ""))


def _permission(package: Package, name: str) -> Finding:
    return package.finding(
        "warning", "permission", f"asks for {name}; remove it from the manifest if the app does not use it."
    )


def _badging(package: Package) -> str:
    """What aapt2 makes of manifest and resources; those of an app bundle are converted from their protocol buffers first."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-badging-") as folder:
        apk = package.path
        if package.kind == "aab":
            proto, apk = Path(folder) / "proto.apk", Path(folder) / "binary.apk"
            with zipfile.ZipFile(proto, "w") as archive:
                for name in package.archive.namelist():
                    if name == "base/resources.pb" or name.startswith(("base/res/", "base/manifest/")):
                        place = name.removeprefix("base/").replace(
                            "manifest/AndroidManifest.xml", "AndroidManifest.xml"
                        )
                        archive.writestr(place, package.archive.read(name))
            argv: list[str | Path] = ["aapt2", "convert", "--output-format", "binary", "-o", apk, proto]
            tools.run_tool(argv, what=f"read the manifest of {package.path.name}", timeout_s=LIMIT_S)
        what = f"read the manifest of {package.path.name}"
        return tools.run_tool(["aapt2", "dump", "badging", apk], what=what, timeout_s=LIMIT_S).stdout
