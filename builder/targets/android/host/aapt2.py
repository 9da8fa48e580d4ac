"""Resources and manifest by Debian's aapt2: compile once for the host app, link again for every package."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from builder.targets.android import tools

LIMIT_S = 120.0
ANDROID_XML = "http://schemas.android.com/apk/res/android"


def compile_resources(folder: Path, out: Path) -> None:
    """Compile a `res/` folder into a zip of flat files."""
    tools.run_tool(
        ["aapt2", "compile", "--dir", folder, "-o", out], what="compile the app's resources", timeout_s=LIMIT_S
    )


def write_manifest(source: Path, namespace: str, out: Path) -> None:
    """The app's manifest with the `package` that the Android Gradle plug-in would take from its build file."""
    ElementTree.register_namespace("android", ANDROID_XML)
    tree = ElementTree.parse(source)
    tree.getroot().set("package", namespace)
    tree.write(out, encoding="utf-8", xml_declaration=True)


def link(
    *,
    resources: Path,
    manifest: Path,
    framework: Path,
    out: Path,
    versions: dict[str, str],
    more: Sequence[str | Path] = (),
) -> None:
    """Link resources and manifest into `out`, an APK without code. `versions` is the catalogue's."""
    argv: list[str | Path] = ["aapt2", "link", "-o", out, "-I", framework, "--manifest", manifest]
    argv += ["--min-sdk-version", versions["minSdk"], "--target-sdk-version", versions["targetSdk"], *more, resources]
    tools.run_tool(argv, what="link the app's resources", timeout_s=LIMIT_S)
