"""The Gradle project with a bundle inside, for developers who have the Android SDK."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.bundle import Bundle, list_tree, name_bundle_folder
from builder.targets.android.host.aapt2 import make_app_label
from builder.targets.android.host.flavours import find_flavour
from builder.targets.base import PackageRequest

BUILT = frozenset(
    {"build", ".gradle", ".kotlin", ".idea", "local.properties"}
)  # what Gradle and Android Studio leave in a project


def write_project(request: PackageRequest, bundle: Bundle, sources: Path, out: Path) -> None:
    """Copy the Gradle project in `sources` to `out`, with the bundle in the app's assets and the request's application id."""
    shutil.copytree(sources, out, ignore=shutil.ignore_patterns(*BUILT))
    assets = out / "app" / "src" / "main" / "assets" / name_bundle_folder(bundle.manifest.model.name)
    for path in list_tree(bundle.root):
        target = assets / path.relative_to(bundle.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (out / "gradlew").chmod(0o755)  # an installation may have lost it
    properties = out / "gradle.properties"
    text = properties.read_text(encoding="utf-8")
    values = {
        "applicationId": request.application_id,
        "appLabel": make_app_label(request.bundle.manifest.model.name),
        "versionName": request.version_name,
        "versionCode": str(request.version_code),
        "runtime": find_flavour(request.options.runtime).sources,
        "gpu": str(any(v.delegate == "gpu" for v in bundle.manifest.variants)).lower(),
        "vulkan": str(any(v.delegate == "vulkan" for v in bundle.manifest.variants)).lower(),
    }
    lines = [_with_value(line, values) for line in text.splitlines()]
    properties.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _with_value(line: str, values: dict[str, str]) -> str:
    name = line.partition("=")[0].removeprefix("edgebundle.")
    return f"edgebundle.{name}={values[name]}" if line.startswith("edgebundle.") and name in values else line
