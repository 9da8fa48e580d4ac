"""The Swift package that `builder package` writes: Swift reads its manifest, and builds it as far as there is no Apple framework in it."""

from __future__ import annotations

import json
import plistlib
import re
from pathlib import Path

import pytest
from filelock import FileLock

from builder.targets import ios
from tests.builder.targets.ios.making import request
from tests.ios.bundles import coreml_bundle
from tests.ios.swift import Swift, build_folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with both packages."""
    out = tmp_path_factory.mktemp("package")
    return ios.package(request(coreml_bundle(), out, "package", deployment_target="17.0")).files[0]


def test_the_written_package_builds(package: Path) -> None:
    """Products, systems and resources are those that were meant, and the SDK with the bundle inside compiles without a warning."""
    work = build_folder("package")
    with FileLock(work / "lock", timeout=900):
        swift = Swift(package, work)
        place = ["--package-path", f"{swift.source_path}/edgebundle", "--scratch-path", f"{swift.work_path}/build"]
        told = swift.run("swift", "package", "dump-package", *place, check=False)
        assert told.returncode == 0, told.stderr
        manifest = json.loads(told.stdout)
        built = swift.run("sh", "-c", f"swift build --target Edgebundle {' '.join(place)} 2>&1", check=False)
    assert {product["name"] for product in manifest["products"]} == {"Edgebundle", "EdgebundleCore"}
    assert {"platformName": "ios", "version": "17.0", "options": []} in manifest["platforms"]
    assert manifest["dependencies"] == []
    target = next(target for target in manifest["targets"] if target["name"] == "Edgebundle")
    assert {entry["path"] for entry in target["resources"]} == {"Resources/edgebundle", "PrivacyInfo.xcprivacy"}
    assert built.returncode == 0, built.stdout[-3000:]
    assert "warning:" not in built.stdout, built.stdout


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
