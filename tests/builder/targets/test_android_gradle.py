"""The route by Gradle: what it asks for, what it takes from Gradle, how failures are told; and the project's own build files.

Gradle and the Android Gradle plug-in are in none of the package registries, so a double stands where the project's `gradlew` keeps
Gradle: it notes how it was started and puts down an APK that our own builder made, without a signature, where the plug-in would.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

import pytest

from builder.bundle import Bundle
from builder.errors import ConversionError, MissingToolError
from builder.targets import TARGETS
from builder.targets.android import apk
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import provide_prebuilt
from builder.targets.android.signing.signature_check import check_signatures
from builder.targets.base import PackageOptions
from builder.targets.mobile import find_mobile_root
from builder.targets.subset import write_subset
from tests.builder.targets.conftest import make_request

ANDROID = TARGETS["android"]
PROJECT = find_mobile_root() / "android"
GRADLE = PackageOptions(with_gradle=True)
GRADLE_NAME = "gradle-9.1.0"
DOUBLE = """#!{python}
import json, pathlib, shutil, sys
project = pathlib.Path(sys.argv[sys.argv.index("-p") + 1])
bundle = project / "app/src/main/assets/edgebundle/small/manifest.json"
note = {{"argv": sys.argv[1:], "bundle": bundle.is_file(), "properties": (project / "gradle.properties").read_text()}}
pathlib.Path("{folder}/note.json").write_text(json.dumps(note))
for name in {made!r}:
    place = project / "app/build/outputs/apk/tflite/release" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy("{folder}/unsigned.apk", place)
if {fails!r}:
    sys.exit("FAILURE: Build failed with an exception.\\nSDK location not found.")
"""


def install_double(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, made: tuple[str, ...] = (), fails: bool = False
) -> None:
    """The double as the Gradle that was downloaded before, and an Android SDK that has platforms."""
    python = Path("/usr/bin/env").as_posix() + " python3"
    text = DOUBLE.format(python=python, folder=folder, made=made, fails=fails)
    home = folder / "home"
    put_gradle(home / "wrapper" / "dists" / f"{GRADLE_NAME}-bin" / pinned("distributionSha256Sum") / GRADLE_NAME, text)
    monkeypatch.setenv("GRADLE_USER_HOME", str(home))
    (folder / "sdk" / "platforms").mkdir(parents=True)
    monkeypatch.setenv("ANDROID_HOME", str(folder / "sdk"))


def put_gradle(folder: Path, text: str) -> None:
    """A program as `bin/gradle` in a folder."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "gradle").write_text(text)
    (folder / "bin" / "gradle").chmod(0o755)


def pinned(key: str) -> str:
    """A value of the project's gradle-wrapper.properties."""
    lines = (PROJECT / "gradle/wrapper/gradle-wrapper.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)[key].replace("\\:", ":")


def test_what_gradle_makes_is_signed_and_audited(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradle builds the very project that is handed over; its app is signed with the request's key and goes through the same audit."""
    install_double(tmp_path, monkeypatch, made=("app-tflite-release.apk",))
    request = make_request(bundle, tmp_path / "out", formats=("apk", "project"), options=GRADLE)
    apk.write_unsigned(
        request,
        write_subset(bundle, ("tflite",), tmp_path / "small"),
        provide_prebuilt(PROJECT),
        tmp_path / "unsigned.apk",
    )
    result = ANDROID.package(request)
    note = json.loads((tmp_path / "note.json").read_text())
    assert note["argv"][0] == "--console=plain"
    assert note["argv"][3:] == [":app:assembleTfliteRelease"]
    assert note["bundle"]
    assert "edgebundle.applicationId=org.example.small\n" in note["properties"]
    assert sorted(path.name for path in result.files) == ["small-android", "small.apk"]
    assert [r.problem for r in check_signatures(tmp_path / "out" / "small.apk")] == [None, None]
    assert {"op-versions", "debug-key", "application"} <= {f.code for f in result.findings}


@pytest.mark.parametrize(
    ("made", "fails", "said"),
    [
        ((), True, "could not build the Android project by Gradle: .*SDK location not found"),
        ((), False, "Gradle made 0 files like app/build/outputs/apk"),
        (("a.apk", "b.apk"), False, "Gradle made 2 files like app/build/outputs/apk"),
    ],
)
def test_what_gradle_may_do_wrong(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: tuple[str, ...], fails: bool, said: str
) -> None:
    """A failed build, none and too many files are one sentence each."""
    install_double(tmp_path, monkeypatch, made=made, fails=fails)
    (tmp_path / "unsigned.apk").write_bytes(b"")
    with pytest.raises(ConversionError, match=f"(?s){said}"):
        ANDROID.package(make_request(bundle, tmp_path / "out", formats=("apk",), options=GRADLE))


def test_gradle_route_says_what_is_missing(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--with-gradle without the Android SDK, and with it but without Java, names the thing and the other way."""
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    with pytest.raises(MissingToolError, match="the built-in path needs no SDK"):
        ANDROID.package(make_request(bundle, tmp_path / "a", formats=("apk",), options=GRADLE))
    (tmp_path / "sdk" / "platforms").mkdir(parents=True)
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="java"):
        ANDROID.package(make_request(bundle, tmp_path / "b", formats=("apk",), options=GRADLE))


def test_gradle_catalogue_names_the_runtimes_of_today() -> None:
    """The Gradle project takes LiteRT from Google and ExecuTorch from PyTorch, pinned in the one catalogue."""
    libraries = Catalogue.read(PROJECT).libraries
    assert libraries["litert"].group == "com.google.ai.edge.litert"
    assert libraries["litert"].version == libraries["litert-gpu"].version  # one line: litert 2 has no delegates
    assert libraries["executorch-android"].version == importlib.metadata.version("executorch")
    build = (PROJECT / "sdk/build.gradle.kts").read_text(encoding="utf-8")
    assert '"tfliteApi"(libs.litert)' in build
    assert "libs.executorch.vulkan else libs.executorch.android" in " ".join(build.split())


def test_every_name_in_the_build_files_is_in_the_catalogue() -> None:
    """A build file may only name libraries, plug-ins, versions and properties that exist: Gradle would stop at any other."""
    raw = tomllib.loads((PROJECT / "gradle/libs.versions.toml").read_text(encoding="utf-8"))
    known = {f"libs.{alias.replace('-', '.')}" for alias in raw["libraries"]}
    known |= {f"libs.plugins.{alias.replace('-', '.')}" for alias in raw["plugins"]}
    known |= {f"libs.versions.{name}" for name in raw["versions"]}
    properties = (PROJECT / "gradle.properties").read_text(encoding="utf-8")
    for file in PROJECT.rglob("*.gradle.kts"):
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r"\blibs(?:\.\w+)+", text):
            assert name.partition(".get")[0] in known, f"{file.name}: {name}"
        for name in re.findall(r'gradleProperty\("([^"]+)"\)', text):
            assert f"{name}=" in properties, f"{file.name}: {name}"
        for name in re.findall(r'(?:proguardFile|consumerProguardFiles?)\("([^"]+)"\)', text):
            assert (file.parent / name).is_file(), f"{file.name}: {name}"
        assert text.count("{") == text.count("}"), file.name
    settings = (PROJECT / "settings.gradle.kts").read_text(encoding="utf-8")
    for module in re.findall(r'":(\w+)"', settings):
        assert (PROJECT / module / "build.gradle.kts").is_file()
        assert (PROJECT / module / "src/main/AndroidManifest.xml").is_file()
