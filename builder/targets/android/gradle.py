"""Building by Gradle and the Android SDK, where a machine has them: the ordinary route of Android developers."""

from __future__ import annotations

import os
from pathlib import Path

from builder.errors import ConversionError, MissingToolError
from builder.targets.android import tools
from builder.targets.android.host.flavours import Flavour
from builder.targets.android.signing import jarsign, keys, signature
from builder.targets.base import Need, PackageRequest

# A first run downloads Gradle and its plug-ins.
LIMIT_S = 3600.0
VARIABLE = "ANDROID_HOME"
TASKS = {"apk": ":app:assemble{0}Release", "aab": ":app:bundle{0}Release"}
MADE = {
    "apk": "app/build/outputs/apk/*/release/*.apk",
    "aab": "app/build/outputs/bundle/*/*.aab",
}


def find_sdk() -> Path | None:
    """The Android SDK that `ANDROID_HOME` names, when it is there."""
    root = os.environ.get(VARIABLE)
    return Path(root) if root and (Path(root) / "platforms").is_dir() else None


def needs() -> list[Need]:
    """The optional route and why it would not be taken: the built-in one needs neither."""
    home = find_sdk()
    return [
        Need(
            name="Android SDK (for --with-gradle; without it the built-in path is used)",
            found=home is not None,
            version=home.name if home else None,
            install=f"install Android Studio and set {VARIABLE}",
            required=False,
        )
    ]


def build(request: PackageRequest, flavour: Flavour, project: Path, out: Path, name: str) -> list[Path]:
    """Run the project's own `gradlew` and sign the app and the app bundle that it made with the request's key.

    Raises MissingToolError without SDK or Java, ConversionError, ConfigError for a keystore that cannot be used.
    """
    key = keys.signing_key(request.keystore)
    if find_sdk() is None:
        raise MissingToolError(
            f"--with-gradle needs the Android SDK, but {VARIABLE} names none; set it, or leave out --with-gradle: the built-in path needs no SDK."
        )
    tools.require("java")
    wanted = [kind for kind in request.formats if kind in TASKS]
    argv: list[str | Path] = [project / "gradlew", "--console=plain", "-p", project]
    argv += [TASKS[kind].format(flavour.sources.capitalize()) for kind in wanted]
    if wanted:
        tools.run_tool(argv, what="build the Android project by Gradle", timeout_s=LIMIT_S)
    files = [out / f"{name}.{kind}" for kind in wanted]
    for kind, file in zip(wanted, files, strict=True):
        sign = signature.sign if kind == "apk" else jarsign.sign
        sign(_find_made(project, MADE[kind]), file, key)
    return files


def _find_made(project: Path, pattern: str) -> Path:
    made = sorted(project.glob(pattern))
    if len(made) != 1:
        raise ConversionError(
            f"Gradle made {len(made)} files like {pattern} instead of one; build the project by hand to see why."
        )
    return made[0]
