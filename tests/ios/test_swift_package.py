"""The Swift packages that `builder package` writes: Swift reads their manifests, and builds them as far as there is no Apple framework.

An app with two bundles is built and run: the SDK once, each bundle found by its name.
"""

from __future__ import annotations

import json
import plistlib
import re
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from builder.bundle import Bundle
from builder.targets import ios
from tests.builder.targets.ios.making import request
from tests.ios.bundles import make_coreml_bundle
from tests.ios.swift import Swift, build_folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with all packages of two bundles: the second was made elsewhere, and its own folder put beside the first."""
    out = tmp_path_factory.mktemp("package")
    model = make_coreml_bundle().manifest.model
    made = []
    for name in ("first-style", "2nd style"):
        manifest = make_coreml_bundle().manifest.model_copy(update={"model": model.model_copy(update={"name": name})})
        named = Bundle(make_coreml_bundle().root, manifest)
        made.append(ios.package(request(named, out / name, "package", deployment_target="17.0")).files[0])
    (second,) = (path for path in made[1].iterdir() if path.name not in ("edgebundle", "executorch"))
    shutil.copytree(second, made[0] / second.name)
    module = next((second / "Sources").iterdir()).name
    for name, text in (("Package.swift", APP_PACKAGE), ("Sources/TwoBundles/main.swift", APP)):
        (made[0] / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (made[0] / "app" / name).write_text(text.format(second=second.name, module=module), encoding="utf-8")
    return made[0]


APP_PACKAGE = """// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "app",
    platforms: [.iOS(.v17), .macOS(.v13)],
    dependencies: [.package(path: "../first-style"), .package(path: "../{second}")],
    targets: [
        .executableTarget(
            name: "TwoBundles",
            dependencies: [
                .product(name: "FirstStyleBundle", package: "first-style"),
                .product(name: "{module}", package: "{second}"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
"""
APP = """import FirstStyleBundle
import {module}

print(BundleLocation.names())
for name in BundleLocation.names() {{
    let reader: PictureReader = {{ _ in throw BundleError("not read here") }}
    let loader = try ModelLoader(root: try BundleLocation.find(name), reader: reader, engines: [:])
    let variant = loader.manifest.variants[0]
    print(loader.manifest.model.name, try treeSha256(loader.files.url(variant.file)) == variant.sha256)
}}
print(try BundleLocation.find(FirstStyle.name).lastPathComponent == FirstStyle.folder.lastPathComponent)
do {{
    _ = try BundleLocation.find()
}} catch {{
    print(error)
}}
"""


def test_an_app_with_two_bundles_is_built_and_finds_both(package: Path) -> None:
    """The SDK is compiled once, without a warning; each bundle is found by its name with its models whole; without a name it asks."""
    work = build_folder("package")
    with FileLock(work / "lock", timeout=900):
        swift = Swift(package, work)
        place = ["--package-path", f"{swift.source_path}/app", "--scratch-path", f"{swift.work_path}/build"]
        done = swift.run("sh", "-c", f"swift run -q {' '.join(place)} TwoBundles 2>&1", check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "warning:" not in done.stdout, done.stdout
    names, first, second, same, asked = done.stdout.strip().splitlines()[-5:]  # after what the build says
    assert re.fullmatch(r'\["2nd_style-[0-9a-f]{8}", "first-style"\]', names)
    assert {first, second} == {"2nd style true", "first-style true"}
    assert same == "true"
    assert "several bundles (2nd_style-" in asked


def test_the_manifests_are_those_that_were_meant(package: Path) -> None:
    """The SDK runs from iOS 16 on and depends on nothing; a bundle's package has its own oldest system, one resource, and the SDK."""
    work = build_folder("package")
    manifests = {}
    with FileLock(work / "lock", timeout=900):
        swift = Swift(package, work)
        for name in ("edgebundle", "first-style"):
            place = ["--package-path", f"{swift.source_path}/{name}", "--scratch-path", f"{swift.work_path}/told"]
            told = swift.run("swift", "package", "dump-package", *place, check=False)
            assert told.returncode == 0, told.stderr
            manifests[name] = json.loads(told.stdout)
    sdk, bundle = manifests["edgebundle"], manifests["first-style"]
    assert {product["name"] for product in sdk["products"]} == {"Edgebundle", "EdgebundleCore"}
    assert {"platformName": "ios", "version": "16.0", "options": []} in sdk["platforms"]
    assert sdk["dependencies"] == []
    assert {"platformName": "ios", "version": "17.0", "options": []} in bundle["platforms"]
    assert [product["name"] for product in bundle["products"]] == ["FirstStyleBundle"]
    (target,) = bundle["targets"]
    assert [entry["path"] for entry in target["resources"]] == ["edgebundle"]
    (needed,) = bundle["dependencies"]
    assert needed["fileSystem"][0]["path"].endswith("/edgebundle")


def test_the_executorch_package_is_read(package: Path) -> None:
    """Its manifest is Swift that is understood; it depends on the SDK beside it and on ExecuTorch's own package."""
    work = build_folder("package")
    with FileLock(work / "lock", timeout=900):
        swift = Swift(package, work)
        place = ["--package-path", f"{swift.source_path}/executorch", "--scratch-path", f"{swift.work_path}/executorch"]
        told = swift.run("swift", "package", "dump-package", *place, check=False)
    assert told.returncode == 0, told.stderr
    kinds = sorted(next(iter(entry)) for entry in json.loads(told.stdout)["dependencies"])
    assert kinds == ["fileSystem", "sourceControl"]


def test_the_sdk_has_a_privacy_manifest(package: Path) -> None:
    """It says that the SDK tracks nobody, collects nothing and uses none of the APIs that Apple asks a reason for."""
    content = plistlib.loads((package / "edgebundle/Sources/Edgebundle/PrivacyInfo.xcprivacy").read_bytes())
    assert content["NSPrivacyTracking"] is False
    assert content["NSPrivacyCollectedDataTypes"] == content["NSPrivacyAccessedAPITypes"] == []
    asked = r"\b(UserDefaults|AppStorage|systemUptime|mach_absolute_time|creationDate|modificationDate|volumeAvailableCapacity\w*|statfs|activeInputModes)\b"
    for source in (package / "edgebundle" / "Sources").rglob("*.swift"):
        assert not re.search(asked, source.read_text(encoding="utf-8")), source.name
