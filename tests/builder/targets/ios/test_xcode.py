"""With Xcode, played by scripts that do what its programs do with files, and without it."""

from __future__ import annotations

import sys
from pathlib import Path

import openstep_plist
import pytest

from builder.bundle import Bundle
from builder.errors import ConversionError, MissingToolError
from builder.targets import ios
from tests.builder.targets.ios.making import request

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
