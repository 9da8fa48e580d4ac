"""Resources and manifest by Debian's aapt2: compile once for the host app, link again for every package."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from builder.targets.android import tools

# aapt2 takes seconds: what takes minutes hangs.
LIMIT_S = 120.0
ANDROID_XML = "http://schemas.android.com/apk/res/android"


def compile_resources(folder: Path, out: Path) -> None:
    """Compile a `res/` folder into a zip of flat files.

    The folder goes to aapt2 by its bare name: each flat file keeps the path it was read from, and an app bundle carries it on.
    """
    argv: list[str | Path] = ["aapt2", "compile", "--dir", folder.name, "-o", out.resolve()]
    tools.run_tool(argv, what="compile the app's resources", timeout_s=LIMIT_S, cwd=folder.parent)


def write_manifest(source: Path, namespace: str, out: Path, *, library: Path | None = None) -> None:
    """The app's manifest with the `package` that the Android Gradle plug-in would take from its build file, and with what the
    library's manifest adds to its application."""
    ElementTree.register_namespace("android", ANDROID_XML)
    tree = ElementTree.parse(source)
    root = tree.getroot()
    root.set("package", namespace)
    if library is not None:
        application = root.find("application")
        added = ElementTree.parse(library).getroot().find("application")
        if application is not None and added is not None:
            application.extend(added)
    tree.write(out, encoding="utf-8", xml_declaration=True)


def write_named_manifest(source: Path, application_id: str, label: str, out: Path) -> None:
    """The manifest with the application id and the app's name in the places that ask for them."""
    text = source.read_text(encoding="utf-8").replace("${applicationId}", application_id)
    out.write_text(text.replace("${appLabel}", label), encoding="utf-8")


def make_app_label(model: str) -> str:
    """What a phone's launcher calls the app of this model: its name in words; without the signs that XML and aapt2 read as more."""
    words = " ".join(re.sub(r"[-_.@?<>&\"'\\$%{}\s]+", " ", model).split())
    return words[:1].upper() + words[1:] or "App"


def link(
    *,
    resources: Path | None,
    manifest: Path,
    framework: Path,
    out: Path,
    versions: dict[str, str] | None,
    more: Sequence[str | Path] = (),
) -> None:
    """Link resources and manifest into `out`, an APK without code. `versions` is the catalogue's; None names no SDK levels."""
    argv: list[str | Path] = ["aapt2", "link", "-o", out, "-I", framework, "--manifest", manifest]
    argv += ["--warn-manifest-validation"]  # this aapt2 does not know uses-native-library yet
    if versions is not None:
        argv += ["--min-sdk-version", versions["minSdk"], "--target-sdk-version", versions["targetSdk"]]
    argv += more
    argv += [resources] if resources is not None else []
    tools.run_tool(argv, what="link the app's resources", timeout_s=LIMIT_S)
