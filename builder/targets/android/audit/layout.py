"""Where an APK, an AAR and an app bundle keep the things that the audit looks at."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import BUNDLE_FOLDER, MANIFEST
from builder.targets.android.licences import NOTICES_FOLDER
from builder.targets.base import Finding

LIBRARY = re.compile(r"(?:[^/]+/)?(?:lib|jni)/([^/]+)/([^/]+\.so)")
KINDS = {".apk": "apk", ".aar": "aar", ".aab": "aab"}
# What an archive may unpack to; more is a zip bomb.
MOST_BYTES = 8 << 30
# And how much smaller than itself an entry may be packed, from 100 MB on.
MOST_RATIO = 200
BOMB_FROM = 100 << 20
CHUNK = 1 << 20


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

    def bundle_prefix(self) -> str | None:
        """The folder of the bundle with its slash; `base/assets/edgebundle/` in an app bundle."""
        ending = f"assets/{BUNDLE_FOLDER}/{MANIFEST}"
        name = next((n for n in self.archive.namelist() if n == ending or n.endswith(f"/{ending}")), None)
        return None if name is None else name[: -len(MANIFEST)]

    def model_entry(self, file: str) -> zipfile.ZipInfo | None:
        """The entry of a bundle's artifact, in whichever module it is."""
        ending = f"assets/{BUNDLE_FOLDER}/{file}"
        return next(
            (i for i in self.archive.infolist() if i.filename == ending or i.filename.endswith(f"/{ending}")), None
        )

    def notices(self) -> str | None:
        """The licences of what is inside, as the package tells them."""
        folder = f"assets/{NOTICES_FOLDER}/"
        names = (n for n in self.archive.namelist() if n.startswith(folder) or f"/{folder}" in n)
        name = next(names, None)
        return None if name is None else self.archive.read(name).decode(errors="replace")
