"""The Xcode project: every id and file that it names is there, and what Apple asks of an app is in it."""

from __future__ import annotations

import json
import plistlib
import xml.etree.ElementTree as ET
from pathlib import Path

import openstep_plist
import pytest
from pbxproj import XcodeProject
from PIL import Image

from builder.bundle import Bundle, name_bundle_folder
from builder.errors import ConfigError
from builder.targets import ios
from builder.targets.ios.pbxproj import Objects, quote, write_project
from tests.builder.targets.ios.making import ODD, request
from tests.bundles import make_unopened_bundle


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, entry in value.items() for text in (str(key), *strings(entry))]
    if isinstance(value, list):
        return [text for entry in value for text in strings(entry)]
    return [str(value)]


def test_two_parsers_read_the_project(project: Path) -> None:
    """pbxproj and openstep-plist read the same objects, no id dangles, and every object is used."""
    path = project / "Edgebundle.xcodeproj" / "project.pbxproj"
    parsed = openstep_plist.loads(path.read_text(encoding="utf-8"), use_numbers=False)
    other = XcodeProject.load(str(path))
    assert str(parsed["objectVersion"]) == "77"
    ids = set(parsed["objects"])
    assert {entry.get_id() for entry in other.objects.get_objects_in_section(*other.objects.get_sections())} == ids
    used = {
        text
        for fields in parsed["objects"].values()
        for text in strings(fields)
        if len(text) == 24 and text.isalnum() and text.isupper()
    } | {str(parsed["rootObject"])}
    assert used == ids


def test_every_file_of_the_project_exists(project: Path) -> None:
    """Paths of file references, folders, the local package, plists and entitlements are there; the scheme names the target."""
    path = project / "Edgebundle.xcodeproj" / "project.pbxproj"
    parsed = openstep_plist.loads(path.read_text(encoding="utf-8"), use_numbers=False)
    named = [
        str(fields.get("path") or fields.get("relativePath"))
        for fields in parsed["objects"].values()
        if (fields.get("sourceTree") == "<group>" and "path" in fields) or "relativePath" in fields
    ]
    assert {"App", "edgebundle", "packages/edgebundle", "Info.plist", "Edgebundle.entitlements"} == set(named)
    for name in named:
        assert (project / name).exists(), name
    settings = [
        fields["buildSettings"] for fields in parsed["objects"].values() if fields["isa"] == "XCBuildConfiguration"
    ]
    assert [s["INFOPLIST_FILE"] for s in settings if "INFOPLIST_FILE" in s] == ["Info.plist"] * 2
    assert {s["PRODUCT_BUNDLE_IDENTIFIER"] for s in settings if "PRODUCT_BUNDLE_IDENTIFIER" in s} == {
        "org.example.small"
    }
    scheme = ET.parse(project / "Edgebundle.xcodeproj" / "xcshareddata" / "xcschemes" / "Edgebundle.xcscheme")
    references = list(scheme.iter("BuildableReference"))
    assert len(references) == 3
    assert {r.get("BlueprintIdentifier") for r in references} <= set(parsed["objects"])
    ET.parse(project / "Edgebundle.xcodeproj" / "project.xcworkspace" / "contents.xcworkspacedata")


def test_executorch_is_added_where_it_is_asked_for(tmp_path: Path) -> None:
    """With `executorch` the bundle's variants for it, its package beside the SDK, and its linker flags are in the project."""
    other = make_unopened_bundle(tmp_path / "bundle")
    result = ios.package(request(other, tmp_path / "out", "project", second_runtime=True, deployment_target="17.0"))
    folder = result.files[0]
    parsed = openstep_plist.loads((folder / "Edgebundle.xcodeproj" / "project.pbxproj").read_text(), use_numbers=False)
    objects = parsed["objects"].values()
    packages = [fields["relativePath"] for fields in objects if fields["isa"] == "XCLocalSwiftPackageReference"]
    assert sorted(packages) == ["packages/edgebundle", "packages/executorch"]
    for package in packages:
        assert (folder / package / "Package.swift").is_file()
    assert '.package(path: "../edgebundle")' in (folder / "packages" / "executorch" / "Package.swift").read_text()
    linked = {str(fields["productName"]) for fields in objects if fields["isa"] == "XCSwiftPackageProductDependency"}
    assert linked == {"Edgebundle", "EdgebundleExecuTorch"}
    settings = next(f["buildSettings"] for f in objects if "PRODUCT_NAME" in f.get("buildSettings", {}))
    assert (settings["OTHER_LDFLAGS"], settings["EXCLUDED_ARCHS[sdk=iphonesimulator*]"]) == ("-all_load", "x86_64")
    assert [
        variant.backend
        for variant in Bundle.open(folder / name_bundle_folder(other.manifest.model.name)).manifest.variants
    ] == ["executorch"]
    with pytest.raises(ConfigError, match=r'ExecuTorch needs iOS 17 .* set deployment_target = "17.0"'):
        ios.package(request(other, tmp_path / "old", "project", second_runtime=True))


def test_models_are_a_folder_reference(project: Path) -> None:
    """The bundle is copied as a folder, outside of what Xcode compiles, and opens with all its hashes."""
    parsed = openstep_plist.loads((project / "Edgebundle.xcodeproj" / "project.pbxproj").read_text(), use_numbers=False)
    folder = next(f for f in parsed["objects"].values() if f.get("path") == "edgebundle")
    assert folder["lastKnownFileType"] == "folder"
    assert [f["path"] for f in parsed["objects"].values() if "Synchronized" in f["isa"]] == ["App"]
    assert Bundle.open(project / name_bundle_folder(ODD)).manifest.model.name == ODD


def test_plists_are_good(project: Path) -> None:
    """Info.plist, entitlements and privacy manifest are property lists with what Apple asks of them."""
    info = plistlib.loads((project / "Info.plist").read_bytes())
    assert info["CFBundleDisplayName"] == ODD
    assert info["CFBundleIdentifier"] == "$(PRODUCT_BUNDLE_IDENTIFIER)"
    assert info["CFBundlePackageType"] == "APPL"
    assert info["UIFileSharingEnabled"] is True
    assert {"UILaunchScreen", "CFBundleShortVersionString", "CFBundleVersion", "UIRequiredDeviceCapabilities"} <= set(
        info
    )
    assert plistlib.loads((project / "Edgebundle.entitlements").read_bytes()) == {}
    privacy = plistlib.loads((project / "App" / "PrivacyInfo.xcprivacy").read_bytes())
    assert privacy["NSPrivacyTracking"] is False
    assert privacy["NSPrivacyCollectedDataTypes"] == []
    for entry in privacy["NSPrivacyAccessedAPITypes"]:
        assert entry["NSPrivacyAccessedAPIType"].startswith("NSPrivacyAccessedAPICategory")
        assert entry["NSPrivacyAccessedAPITypeReasons"]


def test_asset_catalogue_is_well_formed(project: Path) -> None:
    """Every folder of the catalogue has its Contents.json, every file that one names exists, and the icon is 1024 pixels wide."""
    catalogue = project / "App" / "Assets.xcassets"
    folders = [catalogue, *(path for path in catalogue.rglob("*") if path.is_dir())]
    assert len(folders) >= 3
    for folder in folders:
        contents = json.loads((folder / "Contents.json").read_text(encoding="utf-8"))
        assert contents["info"]["version"] == 1
        for image in contents.get("images", []):
            assert (folder / image["filename"]).is_file()
    with Image.open(catalogue / "AppIcon.appiconset" / "icon.png") as icon:
        assert (icon.size, icon.mode) == ((1024, 1024), "RGB")


def test_both_languages_say_the_same_keys(project: Path) -> None:
    """English and Chinese have the same keys, each with a text, and the views use no other."""
    import re

    def keys(language: str) -> dict[str, str]:
        text = (project / "App" / f"{language}.lproj" / "Localizable.strings").read_text(encoding="utf-8")
        return dict(re.findall(r'^"((?:[^"\\]|\\.)*)" = "((?:[^"\\]|\\.)*)";$', text, re.MULTILINE))

    english, chinese = keys("en"), keys("zh-Hans")
    assert set(english) == set(chinese)
    assert all(english.values())
    assert all(chinese.values())
    views = "".join(path.read_text(encoding="utf-8") for path in (project / "App").glob("*.swift"))
    shown = set(
        re.findall(
            r'(?:Text|Label|NavigationLink|Picker|Toggle|Button|ProgressView|navigationTitle)\("([a-z_]+)"', views
        )
    )
    shown |= set(re.findall(r'return "(heat_[a-z]+)"', views))
    assert shown == {key for key in english if "%@" not in key}
    for key in english:
        assert english[key].count("%") == chinese[key].count("%")


def test_commands_are_documented(project: Path) -> None:
    """The README beside the project has one command each for simulator, device and archive."""
    text = (project / "README.md").read_text(encoding="utf-8")
    assert text.count("`xcodebuild ") == 3
    for word in ("iOS Simulator", "generic/platform=iOS'", "archive`", "DEVELOPMENT_TEAM"):
        assert word in text


def test_writer_quotes_what_is_odd() -> None:
    """Strings with spaces, quotes, Chinese and comment signs come back from both parsers as they were."""
    odd = [ODD, "//", "a___b", "", "a\\b", "tab\there", "line\nbreak", "a-b", "$(inherited)"]
    objects = Objects()
    root = objects.add("PBXProject", "p", names=[*odd], table={text or "empty": text for text in odd})
    parsed = openstep_plist.loads(write_project(objects, root), use_numbers=False)
    assert [str(text) for text in parsed["objects"][root]["names"]] == odd
    assert quote("plain.path/x_1") == "plain.path/x_1"
    with pytest.raises(ValueError, match="two objects"):
        objects.add("PBXProject", "p")
