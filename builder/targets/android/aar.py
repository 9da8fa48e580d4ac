"""A bundle as a library of its own: what an app team adds by one line. The SDK comes by its pom, once for all bundles of an app."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets.android import apkzip
from builder.targets.android.apk import list_bundle_entries
from builder.targets.android.apkzip import Entry
from builder.targets.android.catalogue import Catalogue, Library
from builder.targets.android.host import HostApp
from builder.targets.android.licences import name_notices, write_bundle_licences
from builder.targets.android.repository import Dependency, place, publish
from builder.targets.android.sdk_aar import make_metadata_entry, publish_sdk
from builder.targets.base import PackageRequest

ARTIFACT = re.compile(r"[A-Za-z0-9_.-]+")


def build_aar(request: PackageRequest, bundle: Bundle, host: HostApp, project: Path, out: Path) -> list[Path]:
    """Write the repository to the folder `out`; returns the archives in it, the bundle's first. Equal requests give equal bytes.

    Needs no Java.
    """
    library = make_coordinates(request)
    sdk = publish_sdk(out, host, project, request.options.runtime)
    aar = place(out, library)
    apkzip.write(aar, _entries(request, bundle, host))
    licences = (request.bundle.manifest.model.licence, *request.bundle.manifest.licences)
    publish(
        aar,
        library,
        licences,
        [Dependency(library=sdk, packaging="aar"), *_by_delegate(request, bundle, host, project)],
    )
    return [aar, place(out, sdk)]


def make_coordinates(request: PackageRequest) -> Library:
    """Group, name and version of the library: the application id, the model's name, the version name."""
    name = request.bundle.manifest.model.name
    if not ARTIFACT.fullmatch(name):
        raise ConfigError(
            f"the model name '{name}' cannot name a Maven artifact; use letters, digits and . _ - for 'name' in [model], or leave out --format aar."
        )
    return Library(group=request.application_id, artifact=name, version=request.version_name)


def _by_delegate(request: PackageRequest, bundle: Bundle, host: HostApp, project: Path) -> list[Dependency]:
    """What the bundle's own delegates need beside the runtime; a runtime that is given as a file is complete."""
    if request.options.runtime is not None and request.options.runtime.file is not None:
        return []
    libraries = Catalogue.read(project).libraries
    needed = [alias for alias in host.flavour.list_published(bundle) if alias in host.flavour.optional]
    return [Dependency(library=libraries[alias], packaging="aar") for alias in needed]


def _entries(request: PackageRequest, bundle: Bundle, host: HostApp) -> Iterator[Entry]:
    manifest = bundle.manifest
    yield Entry(name="AndroidManifest.xml", source=_manifest(manifest.model.name, host.versions["minSdk"]).encode())
    yield Entry(name="classes.jar", source=_make_no_classes())
    yield Entry(name="R.txt", source=b"")
    yield make_metadata_entry(host)
    notices = write_bundle_licences(manifest.model.name, (manifest.model.licence, *manifest.licences))
    yield Entry(name=name_notices(manifest.model.name), source=notices.encode())
    yield from list_bundle_entries(bundle)


def _manifest(model: str, least: str) -> str:
    """A manifest with a namespace of the bundle's own: the Android Gradle plug-in takes no two libraries with one."""
    word = re.sub(r"[^a-z0-9]+", "_", model.lower()).strip("_")
    namespace = quoteattr(f"org.edgebundle.bundle.{word if word[:1].isalpha() else f'm{word}'}")
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<manifest xmlns:android="http://schemas.android.com/apk/res/android"\n'
        f'    package={namespace}>\n    <uses-sdk android:minSdkVersion="{least}" />\n</manifest>\n'
    )


def _make_no_classes() -> bytes:
    """The empty archive that every library must have."""
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    return content.getvalue()
