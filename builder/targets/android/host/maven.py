"""Libraries and tools from Maven repositories, resolved by the ordinary `mvn` client from a pom made of the catalogue.

Maven resolves one class path for each list of libraries, in a single run; the files stay in the local repository, and only
their paths are remembered.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from builder.errors import ConversionError, MissingToolError
from builder.storage import cache
from builder.targets.android import tools
from builder.targets.android.catalogue import Catalogue, Library

# A first run downloads about 350 MB.
RESOLVE_LIMIT_S = 1200.0
PLUGIN = ("org.apache.maven.plugins", "maven-dependency-plugin", "3.6.1")
LISTING = "classpath.txt"
EXCLUDE_ALL = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A library of the catalogue as one class path takes it: packaging, classifier, and whether what it depends on comes along."""

    alias: str
    packaging: str = "jar"
    classifier: str = ""
    alone: bool = False


def resolve(catalogue: Catalogue, class_paths: dict[str, tuple[Wanted, ...]]) -> dict[str, tuple[Path, ...]]:
    """Files of each class path, in order. Raises MissingToolError, ConversionError with Maven's last lines."""
    poms = {
        name: _pom(name, [(catalogue.libraries[w.alias], w) for w in wanted]) for name, wanted in class_paths.items()
    }
    parent = _parent(poms)
    key = cache.make_content_key([parent, poms])
    listings = cache.locate("android-maven", key)
    with cache.hold_lock(f"android-maven-{key}"):
        if (files := _read(listings, poms)) is not None:
            return files
        tools.require("java", "mvn")
        if listings.exists():  # the local repository was emptied since
            for name in poms:
                (listings / name / LISTING).unlink(missing_ok=True)
            _run(listings)
        else:
            with cache.publishing("android-maven", key) as work:
                (work / "pom.xml").write_text(parent, encoding="utf-8")
                for name, text in poms.items():
                    (work / name).mkdir()
                    (work / name / "pom.xml").write_text(text, encoding="utf-8")
                _run(work)
        files = _read(listings, poms)
    if files is None:
        raise ConversionError(
            "could not resolve the Android libraries: Maven ended well but its files are not there; run 'mvn dependency:purge-local-repository' and try again."
        )
    return files


def unpack_jar(archive: Path, work: Path) -> Path:
    """A library's classes as a jar: itself, or the `classes.jar` of an AAR, unpacked into `work`."""
    if archive.suffix != ".aar":
        return archive
    target = work / f"{archive.stem}.jar"
    with zipfile.ZipFile(archive) as aar:
        target.write_bytes(aar.read("classes.jar"))
    return target


def read_native_libraries(archives: Iterable[Path], abis: tuple[str, ...]) -> dict[str, bytes]:
    """Native libraries inside AARs as `lib/ABI/name.so` -> content."""
    libraries = {}
    for archive in archives:
        if archive.suffix == ".aar":
            with zipfile.ZipFile(archive) as aar:
                for name in aar.namelist():
                    parts = name.split("/")
                    if len(parts) == 3 and parts[0] == "jni" and parts[1] in abis and parts[2].endswith(".so"):
                        libraries[f"lib/{parts[1]}/{parts[2]}"] = aar.read(name)
    return libraries


# as Maven's resolver says it, of an artifact `group:name:type:version`
_MISSING = re.compile(r"Could not (?:find|transfer) artifact ([\w.:-]+)")


def _run(project: Path) -> None:
    argv: list[str | Path] = [
        "mvn",
        "-B",
        "-q",
        "-f",
        project / "pom.xml",
        ":".join(PLUGIN) + ":build-classpath",
        f"-Dmdep.outputFile={LISTING}",
    ]
    try:
        tools.run_tool(argv, what="resolve the Android libraries", timeout_s=RESOLVE_LIMIT_S)
    except ConversionError as error:
        if missing := _MISSING.search(str(error)):
            raise MissingToolError(
                f"could not resolve the Android libraries: Maven cannot get {missing[1]}; check the network, the repositories in Maven's "
                "settings.xml, and that this version is there."
            ) from error
        raise


def _read(listings: Path, names: Iterable[str]) -> dict[str, tuple[Path, ...]] | None:
    """The remembered paths, or None when a listing or one of its files is gone."""
    files = {}
    for name in names:
        listing = listings / name / LISTING
        if not listing.is_file():
            return None
        files[name] = tuple(Path(p) for p in listing.read_text(encoding="utf-8").strip().split(os.pathsep))
        if not all(path.is_file() for path in files[name]):
            return None
    return files


def _parent(modules: Iterable[str]) -> str:
    listed = "".join(f"<module>{escape(name)}</module>" for name in modules)
    return _project("parent", f"<packaging>pom</packaging><modules>{listed}</modules>")


def _pom(name: str, libraries: list[tuple[Library, Wanted]]) -> str:
    return _project(name, f"<dependencies>{''.join(_dependency(*entry) for entry in libraries)}</dependencies>")


def _project(artifact: str, body: str) -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>org.edgebundle.build</groupId><artifactId>{escape(artifact)}</artifactId><version>0</version>{body}</project>\n"
    )


def _dependency(library: Library, wanted: Wanted) -> str:
    classifier = f"<classifier>{wanted.classifier}</classifier>" if wanted.classifier else ""
    excluded = EXCLUDE_ALL if wanted.alone else ""
    return (
        f"<dependency><groupId>{escape(library.group)}</groupId><artifactId>{escape(library.artifact)}</artifactId><version>{escape(library.version)}</version>"
        f"<type>{wanted.packaging}</type>{classifier}{excluded}</dependency>"
    )
