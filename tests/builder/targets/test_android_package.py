"""The Android package as Android's own tools and our audit see it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder import process
from builder.bundle import Bundle, open_bundle
from builder.errors import ConfigError, MissingToolError, VerificationError
from builder.targets import TARGETS
from builder.targets.android import doctor
from builder.targets.android.apkzip import find_data_offset
from builder.targets.android.audit import audit
from builder.targets.android.host import provide_prebuilt
from builder.targets.android.signing.signature_check import check_signatures
from builder.targets.base import PackageResult
from builder.targets.mobile import find_mobile_root
from tests.builder.targets.conftest import make_request

ANDROID = TARGETS["android"]


def tool(*argv: str | Path, check: bool = True) -> process.Completed:
    return process.run(argv, timeout_s=60, check=check)


def read_tree(apk: Path) -> str:
    return tool("aapt2", "dump", "xmltree", "--file", "AndroidManifest.xml", apk).stdout


def test_apksigner_verifies_v2_and_v3(apk: Path) -> None:
    """Android's own verifier accepts both signatures that we made."""
    text = tool("apksigner", "verify", "--verbose", apk).stdout
    assert "(APK Signature Scheme v2): true" in text
    assert "(APK Signature Scheme v3): true" in text
    assert [r.problem for r in check_signatures(apk)] == [None, None]


def test_packages_are_byte_identical(bundle: Bundle, apk: Path, tmp_path: Path) -> None:
    """Two builds from one bundle with one key give the same bytes."""
    again = ANDROID.package(make_request(bundle, tmp_path / "again", formats=("apk",)))
    assert again.files[0].read_bytes() == apk.read_bytes()


def test_manifest_and_resources_are_readable(apk: Path) -> None:
    """aapt2 reads the id, the versions, both languages and a profileable, not debuggable application."""
    badging = tool("aapt2", "dump", "badging", apk).stdout
    assert "package: name='org.example.small' versionCode='7' versionName='1.2'" in badging
    assert "launchable-activity: name='org.edgebundle.app.MainActivity'" in badging
    assert "uses-native-library-not-required:'libOpenCL.so'" in badging or "libOpenCL.so" in read_tree(apk)
    assert "application-debuggable" not in badging
    assert "uses-permission" not in badging
    tree = read_tree(apk)
    assert "E: profileable" in tree
    assert '"org.example.small.camera"' in tree
    strings = tool("aapt2", "dump", "strings", apk).stdout
    assert "Benchmark" in strings
    assert "性能测试" in strings


def test_models_and_libraries_can_be_mapped(apk: Path) -> None:
    """Models and libraries are stored, aligned, there for both ABIs and none too many; names are sorted; the dex is small."""
    with zipfile.ZipFile(apk) as archive:
        names = archive.namelist()
        by_name = {info.filename: info for info in archive.infolist()}
    assert names == sorted(names)
    for name in ("assets/edgebundle/small/variants/first.tflite", "assets/edgebundle/small/variants/second.tflite"):
        assert by_name[name].compress_type == zipfile.ZIP_STORED
        assert find_data_offset(apk, by_name[name]) % 64 == 0
    for abi in ("arm64-v8a", "x86_64"):
        info = by_name[f"lib/{abi}/libtensorflowlite_jni.so"]
        assert info.compress_type == zipfile.ZIP_STORED
        assert find_data_offset(apk, info) % 16384 == 0
    assert by_name["classes.dex"].file_size <= 220_000  # 48,000 of it are the runtime's own classes
    assert "lib/arm64-v8a/libtensorflowlite_gpu_jni.so" not in by_name  # no variant asks for the GPU
    assert "assets/edgebundle/small/variants/small.pte" not in names


def test_dex_is_well_formed(apk: Path, tmp_path: Path) -> None:
    """Debian's dexdump accepts checksum and structure of the dex."""
    with zipfile.ZipFile(apk) as archive:
        archive.extract("classes.dex", tmp_path)
    assert (
        "Lorg/edgebundle/app/MainActivity;"
        in tool("dexdump", "-c", "-f", tmp_path / "classes.dex").stdout
        + tool("dexdump", "-l", "plain", tmp_path / "classes.dex").stdout
    )


def test_host_app_was_built_without_warnings() -> None:
    """R8 runs with its warnings on and has none: no class that the app needs is missing."""
    assert provide_prebuilt(find_mobile_root() / "android").messages == ""


def test_bundle_inside_is_consistent(apk: Path) -> None:
    """The bundle inside the package opens by itself: only variants that the app can run, hashes right."""
    with open_bundle(apk) as inside:
        assert [v.id for v in inside.manifest.variants] == ["tflite-first", "tflite-second"]
        assert {e.variant for e in inside.manifest.goldens[0].expected} == {"tflite-first", "tflite-second"}
        assert "variants/small.pte" not in {f.file for f in inside.manifest.files}


def test_findings_say_what_to_know(packaged: PackageResult) -> None:
    """The report names the 4 KB pages of the runtime with their cure, the debug key, and the variant left out."""
    by_code = {f.code: f for f in reversed(packaged.findings)}
    assert "com.google.ai.edge.litert:litert 1.4.0" in by_code["elf-alignment"].message
    assert by_code["elf-alignment"].level == "warning"
    assert by_code["debug-key"].level == "warning"
    assert "executorch-fp32" in by_code["left-out"].message
    assert not [f for f in packaged.findings if f.level == "error"]


def test_project_carries_bundle_and_id(packaged: PackageResult, bundle: Bundle) -> None:
    """The Gradle project has the bundle in the app's assets, the application id, and all its build files."""
    project = next(path for path in packaged.files if path.name.endswith("-android"))
    assets = project / "app/src/main/assets/edgebundle/small"
    assert Bundle.open(assets).manifest.variants[0] == bundle.manifest.variants[0]
    properties = (project / "gradle.properties").read_text(encoding="utf-8")
    assert "edgebundle.applicationId=org.example.small\n" in properties
    assert "edgebundle.versionCode=7\n" in properties
    for name in ("settings.gradle.kts", "gradle/libs.versions.toml", "sdk/build.gradle.kts", "app/build.gradle.kts"):
        assert (project / name).is_file()


@pytest.mark.parametrize("where", ["entries", "directory"])
def test_flipped_byte_is_found(apk: Path, tmp_path: Path, where: str) -> None:
    """One changed bit makes Android's verifier and ours refuse the file."""
    data = bytearray(apk.read_bytes())
    at = len(data) // 2 if where == "entries" else len(data) - 200
    data[at] ^= 1
    changed = tmp_path / "changed.apk"
    changed.write_bytes(data)
    assert tool("apksigner", "verify", changed, check=False).returncode != 0
    assert all(r.problem for r in check_signatures(changed))


def test_audit_refuses_a_repacked_apk(apk: Path, tmp_path: Path) -> None:
    """An archive packed again by an ordinary zip tool has compressed models, unaligned libraries and no signature."""
    repacked = tmp_path / "repacked.apk"
    with zipfile.ZipFile(apk) as source, zipfile.ZipFile(repacked, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            if "x86_64" not in name:
                target.writestr(name, source.read(name))
    codes = {f.code for f in audit(repacked, application_id="org.example.other") if f.level == "error"}
    assert codes >= {"compressed", "model-compressed", "abi", "signature", "application-id"}


@pytest.mark.parametrize(
    "name", ["", "example", "org.1example", "org..x", "org.example.", "org.exa-mple", "org.exämple", "a.b\n"]
)
def test_bad_application_id(bundle: Bundle, tmp_path: Path, name: str) -> None:
    """An application id that Android would refuse is refused first, with nothing written."""
    with pytest.raises(ConfigError, match="not an Android application id"):
        ANDROID.package(make_request(bundle, tmp_path / "out", application_id=name))
    assert not any((tmp_path / "out").iterdir())


def test_unknown_format_is_suggested(bundle: Bundle, tmp_path: Path) -> None:
    """A misspelt format names the near one."""
    with pytest.raises(ConfigError, match="did you mean 'project'"):
        ANDROID.package(make_request(bundle, tmp_path / "out", formats=("projekt",)))


def test_missing_tools_name_the_command(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tools on PATH the error names them and the one command that installs them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingToolError, match="apt-get install --no-install-recommends aapt'"):
        ANDROID.package(make_request(bundle, tmp_path / "out", formats=("apk",)))
    assert not any(need.found for need in ANDROID.doctor())


def test_doctor_finds_the_tools() -> None:
    """All tools are here, with their versions and the command that would add them."""
    needs = {need.name: need for need in doctor()}
    programs = {"java", "javac", "mvn", "aapt2", "apksigner"}
    assert set(needs) > programs
    assert all(needs[name].found and needs[name].version for name in programs)
    assert not any(need.required for name, need in needs.items() if name not in programs)  # the Gradle route
    assert needs["aapt2"].install == "apt-get install --no-install-recommends aapt"


@contextmanager
def copy_cached_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache that holds a copy of the prebuilt host app."""
    host = provide_prebuilt(find_mobile_root() / "android").root
    copy = tmp_path / "cache" / "android-host" / host.name
    shutil.copytree(host, copy)
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    yield copy


def test_damaged_host_app_is_refused(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prebuilt host app whose dex was changed in the cache is named and not packaged."""
    with copy_cached_host(tmp_path, monkeypatch) as host:
        dex = bytearray((host / "classes.dex").read_bytes())
        dex[1000] ^= 1
        (host / "classes.dex").write_bytes(dex)
        with pytest.raises(VerificationError, match=r"damaged \(classes\.dex\)"):
            ANDROID.package(make_request(bundle, tmp_path / "out", formats=("apk",)))
    assert json.loads((host / "host.json").read_text(encoding="utf-8"))["classes.dex"]


def test_packaging_starts_no_java(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the host app prebuilt, an APK needs aapt2 and nothing else."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "aapt2").symlink_to(shutil.which("aapt2") or "")
    with copy_cached_host(tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tools))
        result = ANDROID.package(make_request(bundle, tmp_path / "out", formats=("apk",)))
    assert result.files[0].stat().st_size > 1_000_000


def test_sources_hash_covers_the_project() -> None:
    """The key of a package's sources is stable within a checkout."""
    assert ANDROID.hash_sources() == ANDROID.hash_sources() != ""
