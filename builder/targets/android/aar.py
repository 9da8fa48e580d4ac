"""The SDK library with a bundle in its assets, as an AAR in a local Maven repository: what an app team adds by one line."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from builder.bundle import Bundle, tree_files
from builder.errors import ConfigError
from builder.targets.android import apkzip
from builder.targets.android.apk import bundle_entries
from builder.targets.android.apkzip import Entry
from builder.targets.android.catalogue import Catalogue, Library
from builder.targets.android.host import HostApp, consumer_rules, kotlin_sources
from builder.targets.android.host.maven import EXCLUDE_ALL
from builder.targets.android.licences import library_licences, notices_name
from builder.targets.base import PackageRequest

NAMESPACE = "org.edgebundle.sdk"
ARTIFACT = re.compile(r"[A-Za-z0-9_.-]+")
CHECKSUMS = ("md5", "sha1", "sha256", "sha512")  # what Maven and Gradle look for beside a file


def build_aar(request: PackageRequest, bundle: Bundle, host: HostApp, project: Path, out: Path) -> Path:
    """Write the repository to the folder `out`; returns the `.aar` in it. Equal requests give equal bytes. Needs no Java."""
    group, artifact, version = make_coordinates(request)
    own = Library(group=group, artifact=artifact, version=version)
    aar = _place(out, own)
    apkzip.write(aar, _entries(request, bundle, host, project))
    runtime = request.options.runtime
    given = runtime.file if runtime is not None else None
    catalogue = Catalogue.read(project)
    if given is None:
        needed = [_dependency(catalogue.libraries[alias], "aar") for alias in host.flavour.list_published(bundle)]
    else:  # the archive that the library was compiled against travels beside it
        beside = Library(group=group, artifact=f"{artifact}-runtime", version=version)
        shutil.copyfile(given, _place(out, beside))
        _finish(_place(out, beside), _pom(beside, request, []))
        needed = [_dependency(beside, "aar")]
        needed += [_dependency(catalogue.libraries[w.alias], w.packaging, alone=w.alone) for w in host.flavour.wanted]
    needed += [_dependency(catalogue.libraries[alias], "jar") for alias in ("kotlin-stdlib", "coroutines")]
    apkzip.write(aar.with_name(f"{artifact}-{version}-sources.jar"), _sources(host, project))
    _finish(aar, _pom(own, request, needed))
    _list_version(aar.parent.parent, own)
    return aar


def _place(out: Path, library: Library) -> Path:
    """Where a library's archive lies in a Maven repository; its folder is made."""
    folder = out.joinpath(*library.group.split("."), library.artifact, library.version)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{library.artifact}-{library.version}.aar"


def _finish(aar: Path, pom: str) -> None:
    """The pom beside an archive, and the checksums of all that lies there."""
    described = aar.with_name(f"{aar.stem}.pom")  # a version has dots of its own
    described.write_text(pom, encoding="utf-8")
    for file in sorted(aar.parent.iterdir()):
        _sum(file)


def _sum(file: Path) -> None:
    for name in CHECKSUMS:
        digest = hashlib.new(name, file.read_bytes()).hexdigest()
        file.with_name(f"{file.name}.{name}").write_text(digest, encoding="ascii")


def _list_version(folder: Path, library: Library) -> None:
    """What Maven and Gradle read to find the versions of a library. It names no time, so that equal requests give equal bytes."""
    listing = folder / "maven-metadata.xml"
    version = escape(library.version)
    listing.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<metadata>\n  <groupId>{escape(library.group)}</groupId>\n'
        f"  <artifactId>{escape(library.artifact)}</artifactId>\n  <versioning><latest>{version}</latest><release>{version}</release>"
        f"<versions><version>{version}</version></versions></versioning>\n</metadata>\n",
        encoding="utf-8",
    )
    _sum(listing)


def _sources(host: HostApp, project: Path) -> Iterator[Entry]:
    """The library's Kotlin, which Android Studio shows with its comments."""
    for folder in kotlin_sources(project / "sdk", host.flavour):
        for path in tree_files(folder):
            yield Entry(name=path.relative_to(folder).as_posix(), source=path)


def make_coordinates(request: PackageRequest) -> tuple[str, str, str]:
    """Group, name and version of the library: the application id, the model's name, the version name."""
    name = request.bundle.manifest.model.name
    if not ARTIFACT.fullmatch(name):
        raise ConfigError(
            f"the model name '{name}' cannot name a Maven artifact; use letters, digits and . _ - for 'name' in [model], or leave out --format aar."
        )
    return request.application_id, name, request.version_name


def _entries(request: PackageRequest, bundle: Bundle, host: HostApp, project: Path) -> Iterator[Entry]:
    yield Entry(name="AndroidManifest.xml", source=_manifest(host, project).encode())
    yield Entry(name="classes.jar", source=_classes(host))
    yield Entry(name="R.txt", source=b"")
    rules = "\n".join(path.read_text(encoding="utf-8") for path in consumer_rules(project, host.flavour))
    yield Entry(name="proguard.txt", source=rules.encode())
    metadata = f"aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk={host.versions['minSdk']}\n"
    yield Entry(name="META-INF/com/android/build/gradle/aar-metadata.properties", source=metadata.encode())
    model = bundle.manifest.model.name
    needed = [*host.flavour.list_published(bundle), "kotlin-stdlib", "kotlinx-coroutines"]
    notices = library_licences(project, model, (bundle.manifest.model.licence, *bundle.manifest.licences), needed)
    yield Entry(name=notices_name(model), source=notices.encode())
    yield from bundle_entries(bundle)


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


def _pom(own: Library, request: PackageRequest, dependencies: list[str]) -> str:
    licences = "".join(
        f"<license><name>{escape(name)}</name></license>"
        for name in dict.fromkeys((*request.bundle.manifest.licences, "Apache-2.0"))
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<project xmlns="http://maven.apache.org/POM/4.0.0">\n  <modelVersion>4.0.0</modelVersion>\n'
        f"  <groupId>{escape(own.group)}</groupId>\n  <artifactId>{escape(own.artifact)}</artifactId>\n  <version>{escape(own.version)}</version>\n"
        f"  <packaging>aar</packaging>\n  <licenses>{licences}</licenses>\n"
        f"  <dependencies>{''.join(dependencies)}</dependencies>\n</project>\n"
    )


def _dependency(library: Library, packaging: str, *, alone: bool = False) -> str:
    return (
        f"<dependency><groupId>{escape(library.group)}</groupId><artifactId>{escape(library.artifact)}</artifactId>"
        f"<version>{escape(library.version)}</version><type>{packaging}</type><scope>compile</scope>"
        f"{EXCLUDE_ALL if alone else ''}</dependency>"
    )
