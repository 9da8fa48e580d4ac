"""The version catalogue of the Gradle project, `gradle/libs.versions.toml`: the one place that states versions."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Library:
    """Coordinates of a library in a Maven repository."""

    group: str
    artifact: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Versions by name, and libraries by alias."""

    versions: dict[str, str]
    libraries: dict[str, Library]

    @classmethod
    def read(cls, project: Path) -> Catalogue:
        """Read the catalogue of the Gradle project in this directory."""
        raw = tomllib.loads((project / "gradle" / "libs.versions.toml").read_text(encoding="utf-8"))
        versions: dict[str, str] = raw["versions"]
        libraries = {}
        for alias, entry in raw["libraries"].items():
            group, artifact = entry["module"].split(":")
            libraries[alias] = Library(group=group, artifact=artifact, version=versions[entry["version"]["ref"]])
        return cls(versions=versions, libraries=libraries)
