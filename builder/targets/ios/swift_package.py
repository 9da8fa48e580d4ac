"""The Swift packages that an app developer adds: the SDK, once for all bundles of an app, and each bundle as a package of its own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path, PurePosixPath

from builder.bundle import BUNDLE_FOLDER, Bundle, list_tree, name_bundle_folder
from builder.errors import ConfigError

TARGETS = ("EdgebundleCore", "Edgebundle")
SDK = "edgebundle"  # the folder of the SDK's package; a folder's name is what Swift knows a local package by
OPT_IN = "executorch"  # the folder of the package that an app adds for the other runtime

SDK_MANIFEST = """// swift-tools-version: 6.0
// Made by edgebundle: the SDK. An app adds the directory of a bundle beside this one, which brings it.
import PackageDescription

let package = Package(
    name: "edgebundle",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "Edgebundle", targets: ["Edgebundle"]),
        .library(name: "EdgebundleCore", targets: ["EdgebundleCore"]),
    ],
    targets: [
        .target(name: "EdgebundleCore"),
        .target(name: "Edgebundle", dependencies: ["EdgebundleCore"], resources: [.process("PrivacyInfo.xcprivacy")]),
    ],
    swiftLanguageModes: [.v6]
)
"""
# `.copy` keeps the folder as it is: models are neither compiled nor renamed.
BUNDLE_MANIFEST = """// swift-tools-version: 6.0
// Made by edgebundle. Add this directory to an app (File > Add Package Dependencies > Add Local), then:
//     import {module}
//     let model = try await ImageModel.open(bundle: "{name}")
//     let image = try await model.process(cgImage)
// It finds the SDK in the directory `edgebundle` beside itself. Several bundles of an app lie side by side.
import PackageDescription

let package = Package(
    name: "{name}",
    platforms: [.iOS("{deployment_target}"), .macOS(.v13)],
    products: [.library(name: "{module}", targets: ["{module}"])],
    dependencies: [.package(path: "../edgebundle")],
    targets: [
        .target(
            name: "{module}", dependencies: [.product(name: "Edgebundle", package: "edgebundle")],
            resources: [.copy("{folder}")])
    ],
    swiftLanguageModes: [.v6]
)
"""
ACCESSOR = """@_exported import Edgebundle
import Foundation

/// The bundle of the model {model}.
public enum {type} {{
    /// Its name, for `ImageModel.open(bundle:)`.
    public static let name = "{name}"
    /// Where it lies, for `ImageModel.open(file:)`: previews and tests find it too, whose main bundle is not the app.
    public static let folder = (Bundle.module.resourceURL ?? Bundle.module.bundleURL)
        .appendingPathComponent("{folder}/{name}")
}}
"""


def write_packages(bundle: Bundle, sources: Path, out: Path, deployment_target: str) -> None:
    """The SDK, the bundle beside it, and the opt-in package for ExecuTorch. Only the bundle's differs from bundle to bundle."""
    copy_sdk(sources / SDK, out / SDK)
    shutil.copyfile(sources / SDK / "LICENSE", out / SDK / "LICENSE")
    copy_second_runtime(sources / OPT_IN, out / OPT_IN)
    write_bundle_package(bundle, out, deployment_target)


def write_bundle_package(bundle: Bundle, out: Path, deployment_target: str) -> None:
    """A package whose resources are the bundle, in a folder of its name. Raises ConfigError for a name that the SDK has."""
    model = bundle.manifest.model
    name, word = PurePosixPath(name_bundle_folder(model.name)).name, name_type(bundle)
    if name in (SDK, OPT_IN):
        raise ConfigError(
            f"the model's name '{name}' is that of a package of the SDK; choose another 'name' in [model]."
        )
    package, module = out / name, f"{word}Bundle"
    texts = {
        "Package.swift": BUNDLE_MANIFEST.format(
            module=module, name=name, folder=BUNDLE_FOLDER, deployment_target=deployment_target
        ),
        f"Sources/{module}/{word}.swift": ACCESSOR.format(
            model=json.dumps(model.name, ensure_ascii=False), type=word, name=name, folder=BUNDLE_FOLDER
        ),
        "NOTICES.txt": "\n".join(["Parts of this package and their licences", "", *_list_licences(bundle), ""]),
    }
    for path, text in texts.items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text(text, encoding="utf-8")
    copy_bundle(bundle, package / "Sources" / module / name_bundle_folder(model.name))


def name_type(bundle: Bundle) -> str:
    """The model's name as Swift names a type: `tiny-style` is `TinyStyle`."""
    words = re.findall(r"[A-Za-z0-9]+", PurePosixPath(name_bundle_folder(bundle.manifest.model.name)).name)
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"Model{joined}"


def copy_sdk(sources: Path, out: Path) -> None:
    """The SDK's sources without its tests: the same bytes for every bundle."""
    for name in TARGETS:
        shutil.copytree(sources / "Sources" / name, out / "Sources" / name)
    (out / "Package.swift").write_text(SDK_MANIFEST, encoding="utf-8")


def write_notices(bundle: Bundle, licence: Path, out: Path) -> None:
    """The licences of what is inside an app's project: the SDK's own with its text, and those of the model."""
    lines = ["Parts of this package and their licences", "", "edgebundle SDK: Apache-2.0 (see LICENSE)"]
    (out / "NOTICES.txt").write_text("\n".join([*lines, *_list_licences(bundle)]) + "\n", encoding="utf-8")
    shutil.copyfile(licence, out / "LICENSE")


def _list_licences(bundle: Bundle) -> list[str]:
    model = bundle.manifest.model
    return [f"model {model.name}: {name}" for name in dict.fromkeys((model.licence, *bundle.manifest.licences))]


def copy_second_runtime(sources: Path, out: Path) -> None:
    """The package with ExecuTorch's engines; it finds the SDK beside itself, in a directory named `edgebundle`."""
    shutil.copytree(sources, out, ignore=shutil.ignore_patterns(".build"))


def copy_bundle(bundle: Bundle, out: Path) -> None:
    """The bundle's files with plain modes: what coremltools writes is readable by its writer only."""
    for path in list_tree(bundle.root):
        target = out / path.relative_to(bundle.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
