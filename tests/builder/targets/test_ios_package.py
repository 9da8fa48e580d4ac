"""`builder package --target ios`: what comes out, the same bytes twice, and every refusal in one sentence."""

from __future__ import annotations

import json
import plistlib
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import openstep_plist
import pytest
from pbxproj import XcodeProject
from PIL import Image

from builder.bundle import Bundle, tree_files
from builder.errors import ConfigError, ConversionError, MissingToolError
from builder.inspection import inspect_path
from builder.steps import Silent
from builder.targets import ios
from builder.targets.base import PackageRequest
from builder.targets.ios.audit import audit_app, audit_ipa, machine_code
from builder.targets.ios.pbxproj import Objects, project_text, quoted
from tests.bundles import make_bundle
from tests.ios.bundles import coreml_bundle

ODD = "a b'c\"d 模型 $(x)"  # spaces, quotes and Chinese: in a model's name, and in every directory


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return coreml_bundle()


@pytest.fixture(scope="module")
def odd_bundle(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same bundle, of a model with an odd name."""
    root = tmp_path_factory.mktemp(ODD.replace('"', "")) / "bundle"
    shutil.copytree(bundle.root, root)
    raw = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    raw["model"]["name"] = ODD
    (root / "manifest.json").write_text(json.dumps(raw), encoding="utf-8")
    return Bundle.open(root)


def request(bundle: Bundle, out: Path, *formats: str, **changes: object) -> PackageRequest:
    out.mkdir(parents=True, exist_ok=True)
    fields: dict[str, object] = {
        "application_id": "org.example.small",
        "version_name": "1.2",
        "version_code": 3,
        "formats": formats,
        **changes,
    }
    return PackageRequest(bundle=bundle, out=out, **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def project(odd_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Xcode project of the oddly named model."""
    out = tmp_path_factory.mktemp("project") / ODD
    result = ios.package(request(odd_bundle, out, "project"))
    return result.files[0]


def built_app(folder: Path, *, platform: int = 2, processor: int = 0x0100000C, minimum: str = "16.0") -> Path:
    """An app as Xcode leaves it, as far as packing looks: Info.plist, a Mach-O head, seals, the bundle of another model."""
    app = folder / "Edgebundle.app"
    (app / "_CodeSignature").mkdir(parents=True)
    (app / "_CodeSignature" / "CodeResources").write_text("old")
    (app / "embedded.mobileprovision").write_text("old")
    (app / "edgebundle").mkdir()
    (app / "edgebundle" / "manifest.json").write_text("old")
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, processor, 0, 2, 1, 24, 0, 0)
    (app / "Edgebundle").write_bytes(head + struct.pack("<IIIIII", 0x32, 24, platform, 0, 0, 0))
    (app / "Edgebundle").chmod(0o755)
    info = {
        "CFBundlePackageType": "APPL",
        "CFBundleExecutable": "Edgebundle",
        "CFBundleIdentifier": "org.example.old",
        "MinimumOSVersion": minimum,
    }
    (app / "Info.plist").write_bytes(plistlib.dumps(info, fmt=plistlib.FMT_BINARY))
    return app


def zipped(app: Path, out: Path, extra: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in tree_files(app):
            archive.write(path, f"Payload/{app.name}/{path.relative_to(app)}")
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return out


# --- the project


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
    assert {"App", "edgebundle", "sdk", "Info.plist", "Edgebundle.entitlements"} == set(named)
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


def test_models_are_a_folder_reference(project: Path) -> None:
    """The bundle is copied as a folder, outside of what Xcode compiles, and opens with all its hashes."""
    parsed = openstep_plist.loads((project / "Edgebundle.xcodeproj" / "project.pbxproj").read_text(), use_numbers=False)
    folder = next(f for f in parsed["objects"].values() if f.get("path") == "edgebundle")
    assert folder["lastKnownFileType"] == "folder"
    assert [f["path"] for f in parsed["objects"].values() if "Synchronized" in f["isa"]] == ["App"]
    assert Bundle.open(project / "edgebundle").manifest.model.name == ODD


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
    parsed = openstep_plist.loads(project_text(objects, root), use_numbers=False)
    assert [str(text) for text in parsed["objects"][root]["names"]] == odd
    assert quoted("plain.path/x_1") == "plain.path/x_1"
    with pytest.raises(ValueError, match="two objects"):
        objects.add("PBXProject", "p")


def test_two_runs_give_equal_bytes(bundle: Bundle, tmp_path: Path) -> None:
    """Package, project and an injected ipa are the same bytes twice."""
    app = built_app(tmp_path)
    contents = []
    for name in ("one", "two"):
        out = tmp_path / name
        ios.package(request(bundle, out, "package", "project", "ipa", app=app))
        contents.append({p.relative_to(out).as_posix(): p.read_bytes() for p in tree_files(out)})
    assert contents[0] == contents[1]
    assert len(contents[0]) > 40


# --- the Swift package


def test_package_carries_the_bundle(odd_bundle: Bundle, tmp_path: Path) -> None:
    """The package has the SDK's sources, the bundle as a resource that is copied as it is, and no tests."""
    result = ios.package(request(odd_bundle, tmp_path / ODD, "package", deployment_target="17.0"))
    package = result.files[0] / "edgebundle"
    text = (package / "Package.swift").read_text(encoding="utf-8")
    assert '.iOS("17.0")' in text
    assert '.copy("Resources/edgebundle")' in text
    assert "EDGEBUNDLE_RESOURCES" in text
    assert Bundle.open(package / "Sources" / "Edgebundle" / "Resources" / "edgebundle").manifest.model.name == ODD
    assert not (package / "Tests").exists()
    for path in tree_files(package):
        assert path.stat().st_mode & 0o777 == 0o644, path
    assert (result.files[0] / "executorch" / "Package.swift").is_file()


# --- app and ipa


def test_injects_a_bundle_into_an_app(odd_bundle: Bundle, tmp_path: Path) -> None:
    """From an .app and from an .ipa: bundle, identifier and version are the request's, the old seals are gone, and it says so."""
    app = built_app(tmp_path / ODD)
    sources = [app, zipped(app, tmp_path / "built before.ipa")]
    for number, source in enumerate(sources):
        result = ios.package(request(odd_bundle, tmp_path / f"out {number}", "app", "ipa", app=source))
        made, archive = result.files
        info = plistlib.loads((made / "Info.plist").read_bytes())
        assert (info["CFBundleIdentifier"], info["CFBundleVersion"]) == ("org.example.small", "3")
        assert info["CFBundleDisplayName"] == ODD
        assert Bundle.open(made / "edgebundle").manifest.model.name == ODD
        assert not (made / "_CodeSignature").exists()
        assert not (made / "embedded.mobileprovision").exists()
        assert made.joinpath("Edgebundle").stat().st_mode & 0o111
        assert [f.code for f in result.findings].count("unsigned") == 2
        assert "codesign" in next(f.message for f in result.findings if f.code == "unsigned")
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
            assert names == sorted(names)
            assert all(name.startswith("Payload/Edgebundle.app/") for name in names)
            mode = opened.getinfo("Payload/Edgebundle.app/Edgebundle").external_attr >> 16
            assert mode & 0o777 == 0o755
        inspected = inspect_path(archive, Silent())
        assert inspected.manifest is not None
        assert inspected.manifest.model.name == ODD
        assert "unsigned" in {f.code for f in inspected.findings}
    assert (app / "_CodeSignature").is_dir()  # the given app itself is not touched


@pytest.mark.parametrize("name", ["../evil", "Payload/../../evil", "/evil", "Payload\\..\\evil"])
def test_refuses_entries_that_leave_an_ipa(bundle: Bundle, tmp_path: Path, name: str) -> None:
    """An .ipa with an entry outside of itself is refused, and nothing is written there."""
    ipa = zipped(built_app(tmp_path / "in"), tmp_path / "evil.ipa", {name: b"x"})
    with pytest.raises(ConfigError, match="leaves the app"):
        ios.package(request(bundle, tmp_path / "out", "ipa", app=ipa))
    assert not list(tmp_path.rglob("evil"))


def test_refuses_links_in_an_ipa(bundle: Bundle, tmp_path: Path) -> None:
    """A symbolic link in an .ipa is refused: it could lead anywhere."""
    ipa = zipped(built_app(tmp_path / "in"), tmp_path / "link.ipa")
    with zipfile.ZipFile(ipa, "a") as archive:
        info = zipfile.ZipInfo("Payload/Edgebundle.app/link")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc")
    with pytest.raises(ConfigError, match="symbolic link"):
        ios.package(request(bundle, tmp_path / "out", "ipa", app=ipa))


def test_refuses_what_is_no_app(bundle: Bundle, tmp_path: Path) -> None:
    """A missing app, a text file, an empty archive and a damaged Info.plist are each one sentence."""
    (tmp_path / "text.ipa").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.ipa", "w"):
        pass
    broken = built_app(tmp_path / "broken")
    (broken / "Info.plist").write_text("no plist")
    nameless = built_app(tmp_path / "nameless")
    (nameless / "Edgebundle").unlink()
    for app, said in (
        (tmp_path / "absent.app", "does not exist"),
        (tmp_path / "text.ipa", "not a readable .ipa"),
        (tmp_path / "empty.ipa", "holds 0 apps"),
        (broken, "no readable Info.plist"),
        (nameless, "is no iOS app"),
    ):
        with pytest.raises(ConfigError, match=said):
            ios.package(request(bundle, tmp_path / "out", "ipa", app=app))


def test_audit_finds_what_is_wrong(bundle: Bundle, tmp_path: Path) -> None:
    """Another identifier, an app for a simulator, another processor, a damaged bundle and an old system are found."""
    app = ios.package(request(bundle, tmp_path / "good", "app", app=built_app(tmp_path / "in", minimum="15.0"))).files[
        0
    ]
    assert "deployment-target" in {f.code for f in audit_app(app)}
    assert ("error", "identifier") in {(f.level, f.code) for f in audit_app(app, identifier="org.other")}
    next((app / "edgebundle" / "golden").iterdir()).write_text("damaged")
    assert ("error", "bundle") in {(f.level, f.code) for f in audit_app(app)}
    simulator = built_app(tmp_path / "simulator", platform=7).joinpath("Edgebundle").read_bytes()
    intel = built_app(tmp_path / "intel", processor=0x01000007).joinpath("Edgebundle").read_bytes()
    assert "the iOS simulator" in machine_code(simulator)[0][1]
    assert "built for a simulator" in machine_code(intel)[0][1]
    assert machine_code(b"")[0][0] == machine_code(b"\x7fELF" * 20)[0][0] == "error"
    assert audit_ipa(zipped(app, tmp_path / "x.ipa", {"../x": b""}))[0].level == "error"


# --- with Xcode, played by scripts that do what its programs do with files

XCODEBUILD = """#!{python}
import pathlib, plistlib, sys
if sys.argv[1:] == ["-version"]:
    print("Xcode 16.4\\nBuild version 16F6"); sys.exit()
words = sys.argv[1:]
assert words[-1] == "build" and "-scheme" in words, words
project = pathlib.Path(words[words.index("-project") + 1])
assert (project / "project.pbxproj").is_file() and ("CODE_SIGNING_ALLOWED=NO" in words)
if (project.parents[3] / "fail").exists(): sys.exit("error: no signing certificate")
app = pathlib.Path(words[words.index("-derivedDataPath") + 1]) / "Build/Products/Release-iphoneos/Edgebundle.app"
app.mkdir(parents=True)
import shutil
shutil.copytree(project.parent / "edgebundle", app / "edgebundle")
import struct
(app / "Edgebundle").write_bytes(struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, 2, 0, 0, 0, 0))
(app / "Info.plist").write_bytes(plistlib.dumps({{"CFBundlePackageType": "APPL", "CFBundleExecutable": "Edgebundle", "CFBundleIdentifier": "org.example.small"}}))
"""

XCRUN = """#!{python}
import pathlib, sys
if sys.argv[1:] == ["--find", "coremlcompiler"]: sys.exit()
assert sys.argv[1:3] == ["coremlcompiler", "compile"], sys.argv
source, out = map(pathlib.Path, sys.argv[3:])
assert (source / "Manifest.json").is_file()
made = out / (source.stem + ".mlmodelc"); made.mkdir(); (made / "model.mil").write_text(source.name)
"""


@pytest.fixture
def xcode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "xcode"
    folder.mkdir()
    for name, text in (("xcodebuild", XCODEBUILD), ("xcrun", XCRUN)):
        (folder / name).write_text(text.format(python=sys.executable), encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_builds_with_xcode(bundle: Bundle, tmp_path: Path, xcode: Path) -> None:
    """Where Xcode is, the app is built from the project, with models compiled beforehand."""
    result = ios.package(request(bundle, tmp_path / "out", "project", "ipa"))
    compiled = result.files[0] / "edgebundle-compiled"
    assert {p.name for p in compiled.iterdir()} == {f"{v.sha256}.mlmodelc" for v in bundle.manifest.variants}
    parsed = openstep_plist.loads(
        (result.files[0] / "Edgebundle.xcodeproj" / "project.pbxproj").read_text(), use_numbers=False
    )
    assert "edgebundle-compiled" in {str(f.get("path")) for f in parsed["objects"].values()}
    assert result.files[1].suffix == ".ipa"
    need = ios.doctor()[0]
    assert (need.found, need.version) == (True, "Xcode 16.4 Build version 16F6")


def test_says_why_xcode_failed(bundle: Bundle, tmp_path: Path, xcode: Path) -> None:
    """What xcodebuild printed at the end is in the error."""
    (xcode / "xcodebuild").write_text(
        XCODEBUILD.format(python=sys.executable).replace("if (project", "if True or (project")
    )
    with pytest.raises(ConversionError, match="no signing certificate"):
        ios.package(request(bundle, tmp_path / "out", "ipa"))


def test_without_xcode_says_what_to_do(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Xcode and without an app that was built before, the error names both ways."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(MissingToolError, match=r"App Store.*'app' in \[package.ios\]"):
        ios.package(request(bundle, tmp_path / "out", "ipa"))
    assert not ios.doctor()[0].found


# --- bad input


@pytest.mark.parametrize(
    "identifier",
    [
        "small",
        "org.example.模型",
        "org.example.a b",
        "org..x",
        ".org.x",
        "org.x_y",
        "org.-x",
        "org.example.'x'",
        "a." + "b" * 200,
    ],
)
def test_refuses_identifiers(bundle: Bundle, tmp_path: Path, identifier: str) -> None:
    """An identifier that Xcode would refuse is refused, with the line to change."""
    with pytest.raises(ConfigError, match=r"'bundle_identifier' in \[package.ios\]"):
        ios.package(request(bundle, tmp_path, "project", application_id=identifier))


@pytest.mark.parametrize("target", ["15.0", "16", "17.0.1", "iOS17", ""])
def test_refuses_deployment_targets(bundle: Bundle, tmp_path: Path, target: str) -> None:
    """A deployment target that is none, or older than the SDK, is refused."""
    with pytest.raises(ConfigError, match="deployment_target"):
        ios.package(request(bundle, tmp_path, "project", deployment_target=target))


def test_a_newer_file_needs_a_newer_target(bundle: Bundle, tmp_path: Path) -> None:
    """A variant whose ops need a newer iOS than the app's is refused with both ways out."""
    root = tmp_path / "bundle"
    shutil.copytree(bundle.root, root)
    raw = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    raw["variants"][0]["minimum_runtime"] = "iOS 18"
    (root / "manifest.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ConfigError, match=r'set deployment_target = "18.0"'):
        ios.package(request(Bundle.open(root), tmp_path / "out", "project"))
    ios.package(request(Bundle.open(root), tmp_path / "out", "project", deployment_target="18.0"))


def test_refuses_other_bad_settings(bundle: Bundle, tmp_path: Path) -> None:
    """A version with letters and an unknown format are refused."""
    with pytest.raises(ConfigError, match="up to three numbers"):
        ios.package(request(bundle, tmp_path, "project", version_name="1.0-beta"))
    with pytest.raises(ConfigError, match="unknown iOS format 'ipaa'"):
        ios.package(request(bundle, tmp_path, "ipaa"))


def test_a_bundle_without_core_ml_is_refused(tmp_path: Path) -> None:
    """A bundle with other backends only names what to add to builder.toml."""
    other = make_bundle(tmp_path / "bundle")
    with pytest.raises(ConfigError, match=r'no variant for coreml.*backend = "coreml"'):
        ios.package(request(other, tmp_path / "out", "project"))


def test_the_command_packages_a_bundle(odd_bundle: Bundle, tmp_path: Path) -> None:
    """`builder package BUNDLE --target ios` from the command line, in directories with odd names."""
    out = tmp_path / ODD
    done = subprocess.run(
        [sys.executable, "-m", "builder", "package", str(odd_bundle.root), "--target", "ios", "-o", str(out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir() if not p.name.startswith(".")} == {f"{ODD}-ios", f"{ODD}-swift-package"}
