"""A Maven repository in a folder: archives where Maven and Gradle look for them, with poms, checksums and lists of versions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from builder.targets.android.catalogue import Library
from builder.targets.android.host.maven import EXCLUDE_ALL

CHECKSUMS = ("md5", "sha1", "sha256", "sha512")  # what Maven and Gradle look for beside a file


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """A library that another one needs, as its pom names it; `alone` without what it depends on itself."""

    library: Library
    packaging: str
    alone: bool = False

    def text(self) -> str:
        """Its element in a pom."""
        library = self.library
        return (
            f"<dependency><groupId>{escape(library.group)}</groupId><artifactId>{escape(library.artifact)}</artifactId>"
            f"<version>{escape(library.version)}</version><type>{self.packaging}</type><scope>compile</scope>"
            f"{EXCLUDE_ALL if self.alone else ''}</dependency>"
        )


def place(repository: Path, library: Library) -> Path:
    """Where a library's archive lies; its folder is made."""
    folder = repository.joinpath(*library.group.split("."), library.artifact, library.version)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{library.artifact}-{library.version}.aar"


def publish(aar: Path, library: Library, licences: Sequence[str], needed: Sequence[Dependency]) -> None:
    """What belongs to an archive that lies at its place: the pom, the list of versions, and the checksums of all."""
    described = aar.with_name(f"{aar.stem}.pom")  # a version has dots of its own
    described.write_text(_pom(library, licences, needed), encoding="utf-8")
    for file in sorted(aar.parent.iterdir()):
        _sum(file)
    _list_version(aar.parent.parent, library)


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


def _pom(own: Library, licences: Sequence[str], needed: Sequence[Dependency]) -> str:
    told = "".join(f"<license><name>{escape(name)}</name></license>" for name in dict.fromkeys(licences))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<project xmlns="http://maven.apache.org/POM/4.0.0">\n  <modelVersion>4.0.0</modelVersion>\n'
        f"  <groupId>{escape(own.group)}</groupId>\n  <artifactId>{escape(own.artifact)}</artifactId>\n  <version>{escape(own.version)}</version>\n"
        f"  <packaging>aar</packaging>\n  <licenses>{told}</licenses>\n"
        f"  <dependencies>{''.join(dependency.text() for dependency in needed)}</dependencies>\n</project>\n"
    )
