"""The SDK as a library without a bundle: one artifact for all bundles of an app. Equal sources and runtimes give equal bytes."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from builder.bundle import hash_file, list_tree
from builder.storage import cache
from builder.targets.android import apkzip, runtimes
from builder.targets.android.apkzip import Entry
from builder.targets.android.catalogue import Catalogue, Library
from builder.targets.android.host import HostApp, find_consumer_rules, find_kotlin_sources
from builder.targets.android.licences import OWN, name_sdk_notices, write_sdk_licences
from builder.targets.android.repository import Dependency, place, publish
from builder.targets.base import Runtime

GROUP = "org.edgebundle"
NAMESPACE = "org.edgebundle.sdk"
ARTIFACT = "edgebundle-sdk"
RUNTIME_ARTIFACT = "edgebundle-runtime"
# Digits of a hash in a version.
TOLD = 8


def publish_sdk(repository: Path, host: HostApp, project: Path, runtime: Runtime | None) -> Library:
    """Put the SDK with its sources into the repository, and the runtime beside it where that was given as a file.

    Its version ends with a hash of all that is in it: one version is one content, whoever packaged it.
    """
    name = runtime.name if runtime is not None else runtimes.RUNTIMES[0]
    file = runtime.file if runtime is not None else None
    needed = _list_needed(host, project, name, file)
    repository.mkdir(parents=True, exist_ok=True)
    made = repository / "made.aar"
    apkzip.write(made, _entries(host, project))
    told = hashlib.sha256(made.read_bytes() + repr(needed).encode()).hexdigest()[:TOLD]
    library = Library(group=GROUP, artifact=f"{ARTIFACT}-{name}", version=f"{_read_own_version()}-{told}")
    aar = place(repository, library)
    made.rename(aar)
    apkzip.write(aar.with_name(f"{aar.stem}-sources.jar"), _sources(host, project))
    publish(aar, library, (OWN,), needed)
    if file is not None:
        beside = place(repository, needed[0].library)
        shutil.copyfile(file, beside)
        publish(beside, needed[0].library, (), ())
    return library


def _read_own_version() -> str:
    """That of the installed distribution; 0 in a source tree that was not installed."""
    return cache.read_versions(("edgebundle",))["edgebundle"].replace("missing", "0")


def _list_needed(host: HostApp, project: Path, name: str, file: Path | None) -> list[Dependency]:
    """What every app with this SDK needs. What one delegate alone needs comes by the bundles that ask for it."""
    libraries = Catalogue.read(project).libraries
    if file is None:
        always = [alias for alias in host.flavour.published if alias not in host.flavour.optional]
        needed = [Dependency(library=libraries[alias], packaging="aar") for alias in always]
    else:  # the archive that the library was compiled against travels beside it
        version = f"{_read_own_version()}-{hash_file(file)[:TOLD]}"
        own = Library(group=GROUP, artifact=f"{RUNTIME_ARTIFACT}-{name}", version=version)
        needed = [Dependency(library=own, packaging="aar")]
        needed += [
            Dependency(library=libraries[w.alias], packaging=w.packaging, alone=w.alone) for w in host.flavour.wanted
        ]
    return needed + [Dependency(library=libraries[alias], packaging="jar") for alias in ("kotlin-stdlib", "coroutines")]


def _entries(host: HostApp, project: Path) -> Iterator[Entry]:
    yield Entry(name="AndroidManifest.xml", source=_manifest(host, project).encode())
    yield Entry(name="classes.jar", source=_classes(host))
    yield Entry(name="R.txt", source=b"")
    rules = "\n".join(path.read_text(encoding="utf-8") for path in find_consumer_rules(project, host.flavour))
    yield Entry(name="proguard.txt", source=rules.encode())
    yield make_metadata_entry(host)
    needed = [alias for alias in host.flavour.published if alias not in host.flavour.optional]
    notices = write_sdk_licences(project, [*needed, "kotlin-stdlib", "kotlinx-coroutines"])
    yield Entry(name=name_sdk_notices(), source=notices.encode())


def make_metadata_entry(host: HostApp) -> Entry:
    """What the Android Gradle plug-in asks of a library that it takes."""
    text = f"aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk={host.versions['minSdk']}\n"
    return Entry(name="META-INF/com/android/build/gradle/aar-metadata.properties", source=text.encode())


def _classes(host: HostApp) -> bytes:
    """The library's classes; the archive is written anew so that equal classes are equal bytes whatever made the jar.

    They are stored in it, for the library compresses it as a whole: class files share most of their names.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(host.sdk_classes) as source, zipfile.ZipFile(content, "w") as target:
        for name in sorted(source.namelist()):
            target.writestr(zipfile.ZipInfo(name, apkzip.FIXED_TIME), source.read(name), zipfile.ZIP_STORED)
    return content.getvalue()


def _manifest(host: HostApp, project: Path) -> str:
    """The library's manifest with the namespace and the oldest Android that it runs on."""
    text = (project / "sdk/src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    return text.replace(
        'xmlns:android="http://schemas.android.com/apk/res/android">',
        f'xmlns:android="http://schemas.android.com/apk/res/android"\n    package="{NAMESPACE}">\n'
        f'    <uses-sdk android:minSdkVersion="{host.versions["minSdk"]}" />',
        1,
    )


def _sources(host: HostApp, project: Path) -> Iterator[Entry]:
    """The library's Kotlin, which Android Studio shows with its comments."""
    for folder in find_kotlin_sources(project / "sdk", host.flavour):
        for path in list_tree(folder):
            yield Entry(name=path.relative_to(folder).as_posix(), source=path)
