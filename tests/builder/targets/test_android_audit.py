"""The audit, on packages that were made wrong on purpose: each fault is found, named, and by default not handed over."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.bundle import Bundle, open_bundle
from builder.errors import BundleError, VerificationError
from builder.pipeline.inspect import inspect_path
from builder.steps.listener import Silent
from builder.targets import TARGETS
from builder.targets.android.audit import audit, executorch_ops, flatbuffer, op_versions
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import provide_prebuilt
from builder.targets.base import PackageOptions
from builder.targets.mobile import find_mobile_root
from tests.builder.targets.conftest import make_request

Edit = Callable[[str, bytes], bytes | None]


def rewritten(apk: Path, out: Path, edit: Edit, extra: dict[str, bytes] | None = None) -> Path:
    """The archive again, with entries changed or left out (None) and others added."""
    with zipfile.ZipFile(apk) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            if (content := edit(info.filename, source.read(info))) is not None:
                target.writestr(zipfile.ZipInfo(info.filename), content, info.compress_type)
        for name, content in (extra or {}).items():
            target.writestr(name, content)
    return out


def errors(path: Path) -> dict[str, str]:
    return {f.code: f.message for f in audit(path, second_opinion=False) if f.level == "error"}


def keep(name: str, content: bytes) -> bytes:
    return content


def test_an_abi_that_android_does_not_know(apk: Path, tmp_path: Path) -> None:
    """A library for an ABI that no phone has is an error that names it."""
    changed = rewritten(apk, tmp_path / "x.apk", keep, {"lib/arm64-v9/libx.so": b"\x7fELF"})
    assert "'arm64-v9'" in errors(changed)["unknown-abi"]


def test_a_missing_delegate_library(apk: Path, tmp_path: Path) -> None:
    """A variant for the GPU without the GPU's library is told with both ABIs."""

    def for_gpu(name: str, content: bytes) -> bytes:
        return (
            content.replace(b'"xnnpack"', b'"gpu"', 1) if name.endswith("edgebundle/small/manifest.json") else content
        )

    found = errors(rewritten(apk, tmp_path / "x.apk", for_gpu))
    assert "lacks libtensorflowlite_gpu_jni.so for arm64-v8a, x86_64" in found["delegate-library"]


def test_a_library_for_one_abi_only(apk: Path, tmp_path: Path) -> None:
    """A package without x86_64 says so, for the ABI and for each variant."""
    changed = rewritten(apk, tmp_path / "x.apk", lambda name, content: None if "x86_64" in name else content)
    assert {"abi", "delegate-library"} <= errors(changed).keys()


def test_a_truncated_or_changed_model(apk: Path, tmp_path: Path) -> None:
    """A model of another size, and one of the right size with another byte, are both found."""
    model = "assets/edgebundle/small/variants/first.tflite"
    cut = rewritten(apk, tmp_path / "cut.apk", lambda n, c: c[:-100] if n == model else c)
    assert "instead of" in errors(cut)["model-size"]
    turned = rewritten(apk, tmp_path / "turned.apk", lambda n, c: c[:-1] + bytes([c[-1] ^ 1]) if n == model else c)
    assert "another hash" in errors(turned)["model-hash"]
    assert "model-missing" in errors(rewritten(apk, tmp_path / "gone.apk", lambda n, c: None if n == model else c))


def test_paths_of_the_machine_are_found(apk: Path, tmp_path: Path) -> None:
    """A path of a home directory in a text inside is an error."""
    changed = rewritten(apk, tmp_path / "x.apk", keep, {"assets/notes.txt": b"made in /home/somebody/projects/app"})
    assert "/home/somebody/projects/app" in errors(changed)["machine-path"]


def test_a_name_that_leaves_the_archive(apk: Path, tmp_path: Path) -> None:
    """A `../` name is an error of the audit, and no bundle is opened from such a package."""
    changed = rewritten(apk, tmp_path / "x.apk", keep, {"assets/edgebundle/small/../../evil": b"x"})
    assert "leaves the archive" in errors(changed)["entry-name"]
    with pytest.raises(BundleError, match="leaves the bundle"):
        inspect_path(changed, Silent())


@pytest.mark.parametrize("claimed", [10 << 30, 200 << 20])
def test_a_bomb_of_zeros_is_not_unpacked(apk: Path, tmp_path: Path, claimed: int) -> None:
    """An entry that claims 10 GB, and one packed a thousand times smaller than itself, end the audit before they are read."""
    bomb = rewritten(apk, tmp_path / "bomb.apk", keep, {"assets/zeros": bytes(1000)})
    data = bytearray(bomb.read_bytes())
    at = data.rfind(b"assets/zeros") - 46  # its entry of the central directory: the sizes it claims
    struct.pack_into("<I", data, at + 24, min(claimed, 0xFFFFFFFE))
    if claimed > 0xFFFFFFFE:  # a second such entry makes the sum
        data = bytearray(data)
        other = data.find(b"PK\x01\x02")
        struct.pack_into("<I", data, other + 24, 0xFFFFFFFE)
        third = data.find(b"PK\x01\x02", other + 4)
        struct.pack_into("<I", data, third + 24, 0xFFFFFFFE)
    bomb.write_bytes(data)
    assert errors(bomb).keys() == {"zip-bomb"}


def test_a_newer_schema_inside_is_told(apk: Path, tmp_path: Path) -> None:
    """A bundle of a newer schema in a package is an error that says to upgrade."""

    def newer(name: str, content: bytes) -> bytes:
        return content.replace(b'"schema": 1', b'"schema": 2', 1) if name.endswith("manifest.json") else content

    assert "reads up to 1; upgrade" in errors(rewritten(apk, tmp_path / "x.apk", newer))["bundle"]


def test_what_is_no_archive(tmp_path: Path) -> None:
    """A file that is no zip, an empty one and a cut one are one sentence each."""
    for name, content in {"text": b"hello", "empty": b"", "cut": b"PK\x03\x04" + bytes(40)}.items():
        path = tmp_path / f"{name}.apk"
        path.write_bytes(content)
        assert errors(path).keys() == {"zip"}


def test_an_operator_that_the_runtime_does_not_execute(apk: Path, tmp_path: Path) -> None:
    """A model that asks for a newer version of an operator than the packaged library registers is refused by name."""
    model = "assets/edgebundle/small/variants/first.tflite"
    with zipfile.ZipFile(apk) as archive:
        content = bytearray(archive.read(model))
    codes = sorted(op_versions.read_operator_codes(bytes(content)))
    assert op_versions.find_refused(bytes(content), "TensorFlow Lite 2.16.1") == []
    at, version = find_version_field(bytes(content))
    struct.pack_into("<i", content, at, version + 50)
    assert len(sorted(op_versions.read_operator_codes(bytes(content)))) == len(codes)
    changed = rewritten(apk, tmp_path / "x.apk", lambda n, c: bytes(content) if n == model else c)
    assert f"version {version + 50}, of which it knows" in errors(changed)["op-version"]


def find_version_field(model: bytes) -> tuple[int, int]:
    """Where an operator code states its version, and that version, for one that states any."""
    for table in flatbuffer.read_tables(model, flatbuffer.read_offset(model, 0), op_versions.MODEL_CODES):
        if (at := flatbuffer.find_field(model, table, op_versions.CODE_VERSION)) is not None:
            return at, struct.unpack_from("<i", model, at)[0]
    raise AssertionError("no operator code states a version")


def test_operator_codes_are_those_of_the_schema(apk: Path) -> None:
    """Our reader of operator codes agrees with the schema's own Python code."""
    from ai_edge_litert import schema_py_generated as schema

    with zipfile.ZipFile(apk) as archive:
        content = archive.read("assets/edgebundle/small/variants/first.tflite")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    wanted = sorted((max(c.builtinCode, c.deprecatedBuiltinCode), c.version) for c in model.operatorCodes)
    assert sorted((code, version) for code, _, version in op_versions.read_operator_codes(content)) == wanted


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_damaged_models_never_crash_the_reader(content: bytes) -> None:
    """Any bytes after the identifier are read or refused by ValueError, nothing else, of both kinds of model."""
    with contextlib.suppress(ValueError):
        list(op_versions.read_operator_codes(content[:4] + op_versions.IDENTIFIER + content[4:]))
    with contextlib.suppress(ValueError):
        executorch_ops.read_program(content[:4] + b"ET12" + content[4:])


def test_a_program_that_the_packaged_executorch_does_not_execute(bundle: Bundle) -> None:
    """Each kernel, delegate and the file format are looked up in the library's own registry."""
    model = bundle.path("variants/small.pte").read_bytes()
    program = executorch_ops.read_program(model)
    assert program.identifier == b"ET12"
    assert program.delegates == ("XnnpackBackend",)
    names = (*program.operators, *program.delegates)
    registry = b"\0ET12\0" + b"".join(name.encode() + b"\0" for name in names)
    assert executorch_ops.find_refused(model, registry) == []
    for name in names:
        (problem,) = executorch_ops.find_refused(model, registry.replace(name.encode() + b"\0", b"other\0"))
        assert f" {name}, which it does not have" in problem
    assert "the file format ET12" in executorch_ops.find_refused(model, registry.replace(b"ET12", b"ET11"))[0]
    with pytest.raises(ValueError, match="identifier"):
        executorch_ops.read_program(b"no program at all")


def test_a_runtime_whose_operators_are_not_known_is_said(apk: Path, tmp_path: Path) -> None:
    """A TensorFlow Lite without a table is a warning, so that nobody takes silence for a check."""

    def other(name: str, content: bytes) -> bytes:
        return content.replace(b"\0002.16.1\000", b"\0002.99.9\000") if name.endswith("lite_jni.so") else content

    changed = rewritten(apk, tmp_path / "x.apk", other)
    assert {f.code: f.level for f in audit(changed, second_opinion=False)}["runtime-unknown"] == "warning"


def test_the_table_belongs_to_the_packaged_library() -> None:
    """The library that we package is the very file whose op resolver the table was read from."""
    library = (
        provide_prebuilt(find_mobile_root() / "android").libraries["lib/x86_64/libtensorflowlite_jni.so"].read_bytes()
    )
    version = op_versions.find_runtime(library)
    assert version is not None
    assert hashlib.sha256(library).hexdigest() == op_versions.READ_FROM[version]
    table = {name: (first, last) for name, first, last in op_versions.TABLES[version].values()}
    # As builder/backends/tflite/versions.py has them: version 12 and 6 came with runtimes after this one.
    assert table["FULLY_CONNECTED"] == (1, 11)
    assert table["DEQUANTIZE"] == (1, 5)


def test_a_library_is_checked_against_the_runtime_of_its_pom(aar: Path, sdk_aar: Path, tmp_path: Path) -> None:
    """The library carries no runtime: the one that the SDK's pom brings decides; an unknown one is said, and none is asked without a pom."""
    by_code = {f.code: f.message for f in audit(aar)}
    assert by_code["runtime"].startswith("takes LiteRT 1.4")
    assert "by LiteRT 1.4" in by_code["op-versions"]
    place = tmp_path / "alone.aar"
    shutil.copy(aar, place)
    assert not {"runtime", "runtime-unknown", "op-versions"} & {f.code for f in audit(place)}
    pom = sdk_aar.with_name(f"{sdk_aar.stem}.pom").read_text(encoding="utf-8")
    version = Catalogue.read(find_mobile_root() / "android").versions["litert"]
    place.with_name("alone.pom").write_text(pom.replace(f"<version>{version}<", "<version>9.9.9<"), encoding="utf-8")
    (unknown,) = (f for f in audit(place) if f.code == "runtime-unknown")
    assert "takes LiteRT 9.9.9 by its pom" in unknown.message


def test_a_fault_is_not_handed_over_unless_it_is_allowed(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate refuses a package with an error; --allow records it as an exception instead."""
    monkeypatch.setitem(op_versions.TABLES, "TensorFlow Lite 2.16.1", {})  # type: ignore[index]  # a runtime that knows nothing
    with pytest.raises(VerificationError, match="cannot execute variant tflite-first"):
        TARGETS["android"].package(make_request(bundle, tmp_path / "a", formats=("apk",)))
    options = PackageOptions(allow=("op-version", "elf-alignment"))
    result = TARGETS["android"].package(make_request(bundle, tmp_path / "b", formats=("apk",), options=options))
    allowed = [f for f in result.findings if f.code in ("op-version", "elf-alignment")]
    assert allowed
    assert all(f.level == "info" and f.message.startswith("(allowed by --allow ") for f in allowed)


def test_two_bundles_in_one_app_are_both_audited(apk: Path, tmp_path: Path) -> None:
    """Somebody's app with two bundles: each one's models are checked, and inspect shows what was found without choosing one."""
    with zipfile.ZipFile(apk) as archive:
        first = {n: archive.read(n) for n in archive.namelist() if n.startswith("assets/edgebundle/small/")}
    second = {n.replace("edgebundle/small/", "edgebundle/second/"): content for n, content in first.items()}
    both = rewritten(apk, tmp_path / "both.apk", keep, second)
    assert "bundle" not in errors(both)
    told = [f.message for f in inspect_path(both, Silent()).findings if f.code == "op-versions"]
    assert len(told) == 4
    assert inspect_path(both, Silent()).manifest is None
    second["assets/edgebundle/second/variants/first.tflite"] = b"cut"
    assert "instead of" in errors(rewritten(apk, tmp_path / "cut.apk", keep, second))["model-size"]
    with pytest.raises(BundleError, match=r"several bundles \(second, small\)"), open_bundle(both):
        pass


def test_inspect_reads_all_four(apk: Path, aar: Path, sdk_aar: Path) -> None:
    """builder inspect audits an APK with Android's verifier too, a bundle's library, and the SDK's."""
    shown = inspect_path(sdk_aar, Silent())
    assert shown.manifest is None
    assert {f.code for f in shown.findings} == {"runtime", "licences", "size", "application"}
    codes = {f.code for f in inspect_path(apk, Silent()).findings}
    assert codes >= {"apksigner", "licences", "size", "size-abi", "op-versions", "application", "signed", "runtime"}
    codes = {f.code for f in inspect_path(aar, Silent()).findings}
    assert codes >= {"licences", "size", "application"}
    assert "signature" not in codes


def test_licences_of_everything_inside(apk: Path, aar: Path, sdk_aar: Path) -> None:
    """The report names the licence of the model and of every library in the package; the SDK names those that its pom brings."""
    (licences,) = (f.message for f in audit(aar) if f.code == "licences")
    assert licences == "holds model small: Apache-2.0."
    (licences,) = (f.message for f in audit(sdk_aar) if f.code == "licences")
    assert licences == (
        "holds edgebundle SDK: Apache-2.0; litert (comes by the pom): Apache-2.0; "
        "kotlin-stdlib (comes by the pom): Apache-2.0; kotlinx-coroutines (comes by the pom): Apache-2.0."
    )
    (licences,) = (f.message for f in audit(apk, second_opinion=False) if f.code == "licences")
    for name in (
        "model small: Apache-2.0",
        "edgebundle SDK: Apache-2.0",
        "tensorflow-lite-2.16.1.aar: Apache-2.0",
        "kotlin-stdlib",
    ):
        assert name in licences
