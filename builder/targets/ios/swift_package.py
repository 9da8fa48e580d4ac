"""The Swift package that an app developer adds: the SDK, and with `resources` a bundle inside of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.bundle import BUNDLE_FOLDER, Bundle, tree_files

TARGETS = ("EdgebundleCore", "Edgebundle")
OPT_IN = "executorch"  # the folder of the package that an app adds for the other runtime

MANIFEST = """// swift-tools-version: 6.0
// Made by edgebundle. Add this directory to an app (File > Add Package Dependencies > Add Local), then:
//     import Edgebundle
//     let model = try await ImageModel.open()
//     let image = try await model.process(cgImage)
import PackageDescription

let package = Package(
    name: "edgebundle",
    platforms: [.iOS("{deployment_target}"), .macOS(.v13)],
    products: [
        .library(name: "Edgebundle", targets: ["Edgebundle"]),
        .library(name: "EdgebundleCore", targets: ["EdgebundleCore"]),
    ],
    targets: [
        .target(name: "EdgebundleCore"),
        .target(
            name: "Edgebundle", dependencies: ["EdgebundleCore"], resources: [.process("PrivacyInfo.xcprivacy"){resources}]{settings}
        ),
    ],
    swiftLanguageModes: [.v6]
)
"""
# `.copy` keeps the folder as it is: models are neither compiled nor renamed.
RESOURCES = f', .copy("Resources/{BUNDLE_FOLDER}")'
SETTINGS = ', swiftSettings: [.define("EDGEBUNDLE_RESOURCES")]'


def write_package(bundle: Bundle, sources: Path, out: Path, deployment_target: str) -> None:
    """The SDK with the bundle as resources, and beside it the opt-in package for ExecuTorch."""
    copy_sdk(sources / "edgebundle", out / "edgebundle", deployment_target, resources=True)
    copy_bundle(bundle, out / "edgebundle" / "Sources" / "Edgebundle" / "Resources" / BUNDLE_FOLDER)
    write_notices(bundle, sources / "edgebundle" / "LICENSE", out / "edgebundle")
    copy_second_runtime(sources / OPT_IN, out / OPT_IN)


def copy_sdk(sources: Path, out: Path, deployment_target: str, *, resources: bool) -> None:
    """The SDK's sources without its tests, under a manifest of this deployment target."""
    for name in TARGETS:
        shutil.copytree(sources / "Sources" / name, out / "Sources" / name)
    text = MANIFEST.format(
        deployment_target=deployment_target,
        resources=RESOURCES if resources else "",
        settings=SETTINGS if resources else "",
    )
    (out / "Package.swift").write_text(text, encoding="utf-8")


def write_notices(bundle: Bundle, licence: Path, out: Path) -> None:
    """The licences of what is inside: the SDK's own with its text, and those of the model."""
    model = bundle.manifest.model
    lines = ["Parts of this package and their licences", "", "edgebundle SDK: Apache-2.0 (see LICENSE)"]
    lines += [f"model {model.name}: {name}" for name in dict.fromkeys((model.licence, *bundle.manifest.licences))]
    (out / "NOTICES.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copyfile(licence, out / "LICENSE")


def copy_second_runtime(sources: Path, out: Path) -> None:
    """The package with ExecuTorch's engines; it finds the SDK beside itself, in a directory named `edgebundle`."""
    shutil.copytree(sources, out, ignore=shutil.ignore_patterns(".build"))


def copy_bundle(bundle: Bundle, out: Path) -> None:
    """The bundle's files with plain modes: what coremltools writes is readable by its writer only."""
    for path in tree_files(bundle.root):
        target = out / path.relative_to(bundle.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
