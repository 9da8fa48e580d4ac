"""The Xcode project with a bundle inside, for developers who have a Mac."""

from __future__ import annotations

import plistlib
import shutil
from pathlib import Path

from builder.bundle import BUNDLE_FOLDER, Bundle, name_bundle_folder
from builder.targets.base import PackageRequest
from builder.targets.ios import xcode
from builder.targets.ios.objects import NAME, SDK, SECOND_RUNTIME, SOURCES, write_project_objects
from builder.targets.ios.scheme import WORKSPACE, write_scheme
from builder.targets.ios.swift_package import OPT_IN, copy_bundle, copy_sdk, copy_second_runtime, write_notices

BUILT = frozenset({".build", "build", "DerivedData", "xcuserdata", ".swiftpm"})  # what Swift and Xcode leave behind
COMPILED_FOLDER = f"{BUNDLE_FOLDER}-compiled"  # as BundleLocation.swift names it

README = """# {name} for iOS

The sample and benchmark app of edgebundle with the bundle of `{name}`. Open `Edgebundle.xcodeproj` in Xcode 16 or newer, or in a
terminal, in this directory:

| for | command |
|---|---|
| simulator | `xcodebuild -project Edgebundle.xcodeproj -scheme Edgebundle -destination 'generic/platform=iOS Simulator' -derivedDataPath build build` |
| device | `xcodebuild -project Edgebundle.xcodeproj -scheme Edgebundle -destination 'generic/platform=iOS' -derivedDataPath build -allowProvisioningUpdates {team}build` |
| archive | `xcodebuild -project Edgebundle.xcodeproj -scheme Edgebundle -destination 'generic/platform=iOS' -archivePath build/Edgebundle.xcarchive -allowProvisioningUpdates {team}archive` |

The app is then in `build/Build/Products/Debug-iphonesimulator` or `Debug-iphoneos`; with `-configuration Release` in `Release-...`. Models lie in `edgebundle/` and are compiled on the device when they are used first{compiled}.
"""


def write_project(request: PackageRequest, bundle: Bundle, sources: Path, out: Path) -> None:
    """Write the project to the new directory `out`. Equal requests and bundles give equal bytes, where no model is compiled."""
    shutil.copytree(sources / "app" / "App", out / SOURCES, ignore=shutil.ignore_patterns(*BUILT))
    copy_sdk(sources / "edgebundle", out / SDK)
    if request.second_runtime:
        copy_second_runtime(sources / OPT_IN, out / SECOND_RUNTIME)
    copy_bundle(bundle, out / name_bundle_folder(bundle.manifest.model.name))
    write_notices(bundle, sources / "edgebundle" / "LICENSE", out)
    folders: tuple[str, ...] = (BUNDLE_FOLDER,)
    if xcode.compiles():
        compile_models(bundle, out / COMPILED_FOLDER)
        folders += (COMPILED_FOLDER,)
    write_info(sources / "app" / "Info.plist", bundle.manifest.model.name, out / "Info.plist")
    shutil.copyfile(sources / "app" / f"{NAME}.entitlements", out / f"{NAME}.entitlements")
    project = out / f"{NAME}.xcodeproj"
    texts = {
        project / "project.pbxproj": write_project_objects(request, folders),
        project / "project.xcworkspace" / "contents.xcworkspacedata": WORKSPACE,
        project / "xcshareddata" / "xcschemes" / f"{NAME}.xcscheme": write_scheme(),
        out / "README.md": README.format(
            name=bundle.manifest.model.name,
            team="" if request.team else "DEVELOPMENT_TEAM=YOURTEAMID ",
            compiled="; those in `edgebundle-compiled/` are compiled already" if len(folders) > 1 else "",
        ),
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_info(template: Path, name: str, out: Path) -> None:
    """Info.plist with the model's name under the app's icon; the build settings fill in the rest."""
    info = plistlib.loads(template.read_bytes())
    info["CFBundleDisplayName"] = name
    out.write_bytes(plistlib.dumps(info))


def compile_models(bundle: Bundle, out: Path) -> None:
    """Every variant compiled under its hash, as the SDK looks for it."""
    for variant in bundle.manifest.variants:
        xcode.compile_model(bundle.path(variant.file), out / f"{variant.sha256}.mlmodelc")
