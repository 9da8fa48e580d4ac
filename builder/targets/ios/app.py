"""The app with a bundle inside: built by Xcode, or an app that was built before with its bundle replaced, on any machine."""

from __future__ import annotations

import os
import plistlib
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from xml.parsers.expat import ExpatError

from builder.bundle import BUNDLE_FOLDER, Bundle, name_bundle_folder
from builder.errors import ConfigError
from builder.targets.base import PackageRequest
from builder.targets.ios import xcode
from builder.targets.ios.objects import NAME
from builder.targets.ios.project import COMPILED_FOLDER, write_project
from builder.targets.ios.swift_package import copy_bundle
from builder.targets.mobile import find_mobile_root

# One time for all entries, so that equal inputs give equal bytes; zip knows none before 1980.
FIXED_TIME = (1981, 1, 1, 1, 1, 2)
SEALS = ("_CodeSignature", "embedded.mobileprovision", "SC_Info")  # of the app as it was: none of them is true any more
# An app that unpacks to more is refused (zip bomb).
MAX_BYTES = 4 << 30


def make_app(request: PackageRequest, bundle: Bundle, work: Path) -> Path:
    """The .app in the fresh directory `work`. Raises ConfigError, MissingToolError, ConversionError."""
    if request.app is None:
        write_project(request, bundle, find_mobile_root() / "ios", work / "project")
        return xcode.build(work / "project" / f"{NAME}.xcodeproj", NAME, request.team, work)
    app = open_app(request.app, work / "app")
    inject(app, request, bundle)
    return app


def open_app(source: Path, work: Path) -> Path:
    """A copy of an .app, or the one inside an .ipa. Raises ConfigError for what is neither."""
    if source.is_dir():
        app = work / source.name
        shutil.copytree(source, app, symlinks=True)
    elif source.is_file():
        unpack(source, work)
        apps = sorted((work / "Payload").glob("*.app"))
        if len(apps) != 1:
            raise ConfigError(
                f"{source} holds {len(apps)} apps in Payload/, not one; give an .ipa that Xcode exported."
            )
        app = apps[0]
    else:
        raise ConfigError(f"the app {source} does not exist; correct 'app' in [package.ios] of builder.toml.")
    info = read_info(app)
    if info.get("CFBundlePackageType") != "APPL" or not (app / str(info.get("CFBundleExecutable"))).is_file():
        raise ConfigError(
            f"{source} is no iOS app (its Info.plist names no executable); give one that Xcode built for a device."
        )
    return app


def unpack(archive: Path, work: Path) -> None:
    """Unpack an .ipa. Raises ConfigError for entries that leave it, for links that do, and for what is no archive."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            if sum(info.file_size for info in zipped.infolist()) > MAX_BYTES:
                raise ConfigError(f"{archive} unpacks to more than {MAX_BYTES >> 30} GB and is refused.")
            for info in zipped.infolist():
                target = work / _inside(archive, info.filename)
                if info.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise ConfigError(
                        f"{archive} is refused: entry {info.filename!r} is a symbolic link, which an iOS app has not."
                    )
                target.write_bytes(zipped.read(info))
                target.chmod(0o755 if (info.external_attr >> 16) & 0o111 else 0o644)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ConfigError(f"{archive} is not a readable .ipa ({error}); export it again.") from error


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise ConfigError(f"{archive} is refused: entry {name!r} leaves the app; export it again with Xcode.")
    return path


def read_info(app: Path) -> dict[str, object]:
    """Info.plist of an app, binary or XML. Raises ConfigError."""
    try:
        info: dict[str, object] = plistlib.loads((app / "Info.plist").read_bytes())
    except (OSError, plistlib.InvalidFileException, ExpatError, ValueError) as error:
        raise ConfigError(f"{app.name} has no readable Info.plist ({error}); give an app that Xcode built.") from error
    return info


def inject(app: Path, request: PackageRequest, bundle: Bundle) -> None:
    """Put the bundle, the name and the numbers of the request into an app, and take its broken seals away."""
    for name in (BUNDLE_FOLDER, COMPILED_FOLDER, *SEALS):
        path = app / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    copy_bundle(bundle, app / name_bundle_folder(bundle.manifest.model.name))
    info = read_info(app)
    info["CFBundleIdentifier"] = request.application_id
    info["CFBundleDisplayName"] = bundle.manifest.model.name
    info["CFBundleShortVersionString"] = request.version_name
    info["CFBundleVersion"] = str(request.version_code)
    (app / "Info.plist").write_bytes(plistlib.dumps(info, fmt=plistlib.FMT_BINARY))


def write_ipa(app: Path, out: Path) -> None:
    """The archive of an app: names in order, a fixed time, executables executable; equal apps give equal bytes."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(p for p in app.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(f"Payload/{app.name}/{path.relative_to(app).as_posix()}", FIXED_TIME)
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | (0o755 if os.access(path, os.X_OK) else 0o644)) << 16
            archive.writestr(info, path.read_bytes())
