"""An app of somebody else's: its libraries as Maven finds them, put together as the Android Gradle plug-in does it."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder import process
from builder.targets.android.apkzip import MODEL_ALIGNMENT, Entry
from builder.targets.android.host import maven

GROUP = "org.edgebundle.consumertest"
LIMIT_S = 600.0


@contextmanager
def resolving(repositories: dict[str, Path], version: str, work: Path) -> Iterator[dict[str, Path]]:
    """The archives by artifact that a bundle of each repository brings, whose names are the keys; Maven forgets them at the end.

    The runtime is taken from Maven Central instead of Google's repository, so it is left out here.
    """
    work.mkdir()
    places = "".join(
        f"<repository><id>{name}</id><url>{path.as_uri()}</url></repository>" for name, path in repositories.items()
    )
    wanted = "".join(
        f"<dependency><groupId>{GROUP}</groupId><artifactId>{name}</artifactId><version>{version}</version><type>aar</type>"
        "<exclusions><exclusion><groupId>com.google.ai.edge.litert</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"
        for name in repositories
    )
    (work / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{GROUP}.app</groupId><artifactId>consumer</artifactId><version>1</version>"
        f"<repositories>{places}</repositories><dependencies>{wanted}</dependencies></project>",
        encoding="utf-8",
    )
    argv: list[str | Path] = ["mvn", "-B", "-q", "-f", work / "pom.xml", f"{':'.join(maven.PLUGIN)}:build-classpath"]
    process.run([*argv, "-Dmdep.outputFile=classpath.txt"], timeout_s=LIMIT_S)
    paths = [Path(p) for p in (work / "classpath.txt").read_text(encoding="utf-8").strip().split(os.pathsep)]
    names = {path.name.rpartition("-")[0] for path in paths}
    assert {"kotlin-stdlib", "kotlinx-coroutines-core-jvm"} <= names  # the pom of the SDK brings them
    archives = [path for path in paths if path.suffix == ".aar"]
    libraries = {path.parent.parent.name: path for path in archives}
    assert len(libraries) == len(archives)  # each once
    try:
        yield libraries
    finally:
        for name in repositories:
            shutil.rmtree(libraries[name].parent.parent, ignore_errors=True)


def merge_assets(libraries: dict[str, Path]) -> list[Entry]:
    """The assets of all libraries; two with one name are an error, as for the Android Gradle plug-in."""
    merged: dict[str, Entry] = {}
    for library in libraries.values():
        with zipfile.ZipFile(library) as aar:
            for name in aar.namelist():
                if name.startswith("assets/"):
                    assert name not in merged, f"{name} is in two libraries"
                    stored = MODEL_ALIGNMENT if name.endswith(".tflite") else None
                    merged[name] = Entry(name=name, source=aar.read(name), alignment=stored)
    return list(merged.values())
