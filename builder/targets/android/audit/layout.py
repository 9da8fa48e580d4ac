"""Where an APK, an AAR and an app bundle keep the things that the audit looks at."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import BUNDLE_FOLDER, MANIFEST, Manifest
from builder.targets.android.licences import NOTICES_FOLDER
from builder.targets.base import Finding

LIBRARY = re.compile(r"(?:[^/]+/)?(?:lib|jni)/([^/]+)/([^/]+\.so)")
KINDS = {".apk": "apk", ".aar": "aar", ".aab": "aab"}
# What an archive may unpack to; more is a zip bomb.
MOST_BYTES = 8 << 30
# And how much smaller than itself an entry may be packed, from 100 MB on.
MOST_RATIO = 200
# Bytes: below this an entry that unpacks to very much harms nobody.
BOMB_FROM = 100 << 20
# Bytes that are read at a time: a large file is never in memory as a whole.
CHUNK = 1 << 20
SDK = re.compile(r'\bpackage="org\.edgebundle\.sdk"')
BUNDLE = re.compile(rf"(?:.*/)?assets/{BUNDLE_FOLDER}/([^/]+)/{re.escape(MANIFEST)}")


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A bundle inside a package: the name of its folder, and its manifest."""

    name: str
    manifest: Manifest


@dataclass(frozen=True, kw_only=True)
class Package:
    """An opened package and its kind."""

    path: Path
    kind: str
    archive: zipfile.ZipFile

    def finding(self, level: str, code: str, message: str) -> Finding:
        return Finding(level=level, code=code, file=self.path.name, message=message)  # type: ignore[arg-type]

    def libraries(self) -> Iterator[tuple[zipfile.ZipInfo, str, str]]:
        """Entry, ABI and name of every native library."""
        for info in self.archive.infolist():
            if match := LIBRARY.fullmatch(info.filename):
                yield info, match[1], match[2]

    def is_sdk(self) -> bool:
        """Whether this is the SDK as a library, which carries no bundle."""
        if self.kind != "aar" or "AndroidManifest.xml" not in self.archive.namelist():
            return False
        return SDK.search(self.archive.read("AndroidManifest.xml").decode(errors="replace")) is not None

    def manifests(self) -> dict[str, str]:
        """The entry of each bundle's manifest, by the name of the bundle's folder."""
        return {match[1]: match[0] for name in self.archive.namelist() if (match := BUNDLE.fullmatch(name))}

    def find_model_entry(self, bundle: str, file: str) -> zipfile.ZipInfo | None:
        """The entry of a bundle's artifact, in whichever module it is."""
        ending = f"assets/{BUNDLE_FOLDER}/{bundle}/{file}"
        return next(
            (i for i in self.archive.infolist() if i.filename == ending or i.filename.endswith(f"/{ending}")), None
        )

    def notices(self) -> list[str]:
        """The licences of what is inside, as the package tells them: a text for each bundle, and one for the SDK as a library."""
        folder = f"assets/{NOTICES_FOLDER}/"
        names = [n for n in self.archive.namelist() if n.startswith(folder) or f"/{folder}" in n]
        return [self.archive.read(name).decode(errors="replace") for name in names]
