"""The library, the app bundle and the flavours beside the APK: what is in them, and that equal requests give equal bytes."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

from builder import process
from builder.bundle import MANIFEST, Bundle, FileHash, hash_file, list_tree, open_bundle
from builder.errors import ConfigError, ConversionError
from builder.targets import TARGETS
from builder.targets.android import aab, apk
from builder.targets.android.audit import audit
from builder.targets.android.host import aapt2, provide_prebuilt
from builder.targets.base import PackageOptions, PackageResult, Runtime
from builder.targets.mobile import find_mobile_root
from builder.targets.subset import write_subset
from tests.android.executorch_aar import make_executorch_aar
from tests.builder.targets.conftest import make_request

ANDROID = TARGETS["android"]
POM = "{http://maven.apache.org/POM/4.0.0}"


def test_defaults_are_library_app_and_project() -> None:
    """Without --format an app team gets what it adds, what it tries, and what it opens."""
    assert ANDROID.DEFAULT_FORMATS == ("aar", "apk", "project")


def test_the_sdk_is_complete(sdk_aar: Path) -> None:
    """Its AAR has classes, shrinker rules, the OpenCL entries, the minimum SDK, its licence, and no bundle."""
    with zipfile.ZipFile(sdk_aar) as archive:
        names = set(archive.namelist())
        manifest = archive.read("AndroidManifest.xml").decode()
        rules = archive.read("proguard.txt").decode()
    assert {"classes.jar", "R.txt", "META-INF/com/android/build/gradle/aar-metadata.properties"} <= names
    assert [name for name in names if name.startswith("assets/")] == ["assets/edgebundle-notices/sdk/edgebundle.txt"]
    assert 'android:minSdkVersion="26"' in manifest
    assert 'package="org.edgebundle.sdk"' in manifest
    assert "libOpenCL.so" in manifest
    assert "-keep class org.tensorflow.lite" in rules
    assert {f.level for f in audit(sdk_aar)} == {"info"}


def test_a_library_is_a_bundle_without_code(aar: Path) -> None:
    """Its AAR has the bundle under its own name with its models stored, its licences, a namespace of its own, and no class."""
    with zipfile.ZipFile(aar) as archive:
        names = set(archive.namelist())
        manifest = archive.read("AndroidManifest.xml").decode()
        model = archive.getinfo("assets/edgebundle/small/variants/first.tflite")
        with zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as classes:
            assert classes.namelist() == []
    assert {"R.txt", "META-INF/com/android/build/gradle/aar-metadata.properties"} <= names
    assert "assets/edgebundle-notices/small.txt" in names
    assert 'android:minSdkVersion="26"' in manifest
    assert 'package="org.edgebundle.bundle.small"' in manifest
    assert model.compress_type == zipfile.ZIP_STORED
    with open_bundle(aar) as inside:
        assert [v.id for v in inside.manifest.variants] == ["tflite-first", "tflite-second"]


def test_pom_names_what_an_app_needs(aar: Path, sdk_aar: Path) -> None:
    """The pom lies where Maven looks, with checksums, and names the SDK, whose own pom names the runtimes of today."""
    assert aar.parent.as_posix().endswith("small-maven/org/example/small/small/1.2")
    pom = aar.with_suffix(".pom")
    root = ElementTree.fromstring(pom.read_text(encoding="utf-8"))
    assert [root.findtext(POM + field) for field in ("groupId", "artifactId", "version", "packaging")] == [
        "org.example.small",
        "small",
        "1.2",
        "aar",
    ]
    assert read_artifacts(pom) == {"edgebundle-sdk-tflite"}
    assert f"<version>{sdk_aar.parent.name}</version>" in pom.read_text(encoding="utf-8")
    described = sdk_aar.with_name(f"{sdk_aar.stem}.pom")
    assert read_artifacts(described) == {"litert", "kotlin-stdlib", "kotlinx-coroutines-core-jvm"}
    for file in (aar, pom, sdk_aar, described):
        assert file.with_name(file.name + ".sha1").read_text() == hashlib.sha1(file.read_bytes()).hexdigest()


def test_the_sdk_brings_its_sources_and_every_library_its_list_of_versions(aar: Path, sdk_aar: Path) -> None:
    """Android Studio shows the comments of what an app calls, and Maven finds the versions without being told."""
    sources = sdk_aar.with_name(f"{sdk_aar.stem}-sources.jar")
    with zipfile.ZipFile(sources) as archive:
        text = archive.read("org/edgebundle/sdk/ImageModel.kt").decode()
        assert "org/edgebundle/sdk/TfliteGpuEngine.kt" in archive.namelist()
    assert "An image network of a bundle" in text
    assert sources.with_name(sources.name + ".sha256").is_file()
    for library in (aar, sdk_aar):
        listing = library.parent.parent / "maven-metadata.xml"
        told = ElementTree.parse(listing).getroot().findtext("versioning/versions/version")
        assert told == library.parent.name
    assert re.fullmatch(r"0\.1\.0-[0-9a-f]{8}", sdk_aar.parent.name)


def test_the_sdk_is_the_same_for_every_bundle(bundle: Bundle, sdk_aar: Path, tmp_path: Path) -> None:
    """Another bundle, with a GPU variant and of another app, brings the same bytes under the same version: an app takes the SDK once."""
    model = bundle.manifest.model.model_copy(update={"name": "other"})
    variants = (bundle.manifest.variants[0].model_copy(update={"delegate": "gpu"}), *bundle.manifest.variants[1:])
    other = Bundle(bundle.root, bundle.manifest.model_copy(update={"model": model, "variants": variants}))
    request = make_request(
        other,
        tmp_path / "out",
        formats=("aar",),
        application_id="com.example.two",
        options=PackageOptions(allow=("op-version",)),
    )
    (repository,) = ANDROID.package(request).files
    ours = sdk_aar.parents[4]  # repository/org/edgebundle/ARTIFACT/VERSION/FILE
    own, others = (
        {p.relative_to(root): p.read_bytes() for p in list_tree(root / "org/edgebundle")} for root in (ours, repository)
    )
    assert own == others
    assert len(own) > 10


def test_a_library_whose_sdk_is_gone_is_an_error(aar: Path, tmp_path: Path) -> None:
    """A repository that lost the SDK is told: no app could resolve it."""
    repository = aar.parents[5]  # repository/org/example/small/small/1.2/FILE
    shutil.copytree(repository, tmp_path / "maven")
    shutil.rmtree(tmp_path / "maven/org/edgebundle")
    (lost,) = (f for f in audit(tmp_path / "maven" / aar.relative_to(repository)) if f.level == "error")
    assert lost.code == "sdk"
    assert "takes edgebundle-sdk-tflite-0.1.0-" in lost.message


def read_artifacts(pom: Path) -> set[str | None]:
    root = ElementTree.fromstring(pom.read_text(encoding="utf-8"))
    return {d.findtext(POM + "artifactId") for d in root.iter(POM + "dependency")}


def test_a_library_brings_the_gpu_delegate_where_a_variant_asks_for_it(bundle: Bundle, tmp_path: Path) -> None:
    """The pom names litert-gpu for a bundle with a GPU variant alone: an app without one carries no library that nothing uses."""
    first, *others = bundle.manifest.variants
    gpu = first.model_copy(update={"delegate": "gpu"})
    with_gpu = Bundle(bundle.root, bundle.manifest.model_copy(update={"variants": (gpu, *others)}))
    options = PackageOptions(allow=("op-version",))
    made = ANDROID.package(make_request(with_gpu, tmp_path / "out", formats=("aar", "project"), options=options))
    (pom,) = made.files[0].glob("org/example/**/*.pom")
    assert read_artifacts(pom) == {"edgebundle-sdk-tflite", "litert-gpu", "litert-gpu-api"}
    assert "edgebundle.gpu=true\n" in (made.files[1] / "gradle.properties").read_text(encoding="utf-8")


def test_the_licences_in_the_libraries_are_told(aar: Path, sdk_aar: Path) -> None:
    """The model's with the bundle; the SDK's with its text, and those of what its pom brings, with the SDK."""
    with zipfile.ZipFile(aar) as archive:
        assert "model small: Apache-2.0" in archive.read("assets/edgebundle-notices/small.txt").decode().splitlines()
    with zipfile.ZipFile(sdk_aar) as archive:
        notices = archive.read("assets/edgebundle-notices/sdk/edgebundle.txt").decode()
    for line in ("edgebundle SDK: Apache-2.0", "litert (comes by the pom): Apache-2.0"):
        assert line in notices.splitlines()
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in notices
    assert "unknown" not in notices.split("\n\n\n")[0]


def test_the_project_carries_our_licence() -> None:
    """The text in the project is the one of the distribution."""
    ours = find_mobile_root().parent / "LICENSE"
    assert (find_mobile_root() / "android/LICENSE").read_bytes() == ours.read_bytes()


def test_a_package_holds_no_golden_that_a_phone_does_not_read(bundle: Bundle, tmp_path: Path) -> None:
    """Every golden file in a package is an input or what one of its variants must give; of two goldens the smaller one stays."""
    root = tmp_path / "two"
    shutil.copytree(bundle.root, root)
    (golden,) = bundle.manifest.goldens
    large = root / "golden" / "1-image.png"
    shutil.copy(root / golden.inputs[0].file, large)
    with large.open("ab") as stream:
        stream.write(bytes(1000))
    shutil.copy(root / "golden/0-stylized.png", root / "golden" / "0-reference.png")
    reference = golden.expected[0].tensors[0].model_copy(update={"file": "golden/0-reference.png"})
    other = golden.inputs[0].model_copy(update={"file": "golden/1-image.png"})
    goldens = (
        golden.model_copy(update={"id": "1", "inputs": (other,)}),
        golden.model_copy(update={"reference": (reference,)}),
    )
    hashes = tuple(FileHash(file=p.relative_to(root).as_posix(), sha256=hash_file(p)) for p in list_tree(root))
    manifest = bundle.manifest.model_copy(
        update={"goldens": goldens, "files": tuple(h for h in hashes if h.file != MANIFEST)}
    )
    (root / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    small = write_subset(Bundle.open(root), ("tflite",), tmp_path / "small")
    assert [g.id for g in small.manifest.goldens] == ["0"]
    assert sorted(p.name for p in (small.root / "golden").iterdir()) == ["0-image.png", "0-stylized.sparse.png"]


def test_a_model_name_that_no_repository_takes(bundle: Bundle, tmp_path: Path) -> None:
    """A model whose name cannot be an artifact's is told so."""
    model = bundle.manifest.model.model_copy(update={"name": "klein & fein"})
    other = Bundle(bundle.root, bundle.manifest.model_copy(update={"model": model}))
    with pytest.raises(ConfigError, match="cannot name a Maven artifact"):
        ANDROID.package(make_request(other, tmp_path / "out", formats=("aar",)))


def test_unsigned_packages_are_byte_identical(bundle: Bundle, tmp_path: Path) -> None:
    """Two builds of the library and of the app are equal before signing."""
    project = find_mobile_root() / "android"
    host, request = provide_prebuilt(project), make_request(bundle, tmp_path / "out")
    small = write_subset(bundle, ("tflite",), tmp_path / "bundle")
    for name in "ab":
        apk.write_unsigned(request, small, host, tmp_path / f"{name}.apk")
    assert (tmp_path / "a.apk").read_bytes() == (tmp_path / "b.apk").read_bytes()
    first, second = (ANDROID.package(make_request(bundle, tmp_path / n, formats=("aar",))).files[0] for n in "ab")
    contents = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (first, second)]
    assert contents[0] == contents[1]


def test_compiled_resources_are_the_same_in_any_checkout(tmp_path: Path) -> None:
    """Compiled from two places, the resources are equal bytes and name neither place: an app bundle carries their paths on."""
    made = []
    for name in "ab":
        shutil.copytree(find_mobile_root() / "android/app/src/main/res", tmp_path / name / "res")
        aapt2.compile_resources(tmp_path / name / "res", tmp_path / f"{name}.zip")
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            made.append({entry: archive.read(entry) for entry in archive.namelist()})
    assert made[0] == made[1]
    assert not [entry for entry, content in made[0].items() if bytes(tmp_path) in content]


@pytest.fixture(scope="module")
def app_bundle(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> PackageResult:
    """An app bundle whose models are large enough for a pack of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aab, "LARGE", 1)
        return ANDROID.package(make_request(bundle, tmp_path_factory.mktemp("aab") / "out", formats=("aab",)))


def test_large_models_travel_in_an_install_time_pack(app_bundle: PackageResult) -> None:
    """bundletool accepts the app bundle; models are in the asset pack, the rest of the bundle in the base module."""
    with zipfile.ZipFile(app_bundle.files[0]) as archive:
        names = archive.namelist()
    assert "models/assets/edgebundle/small/variants/first.tflite" in names
    assert "models/manifest/AndroidManifest.xml" in names
    assert "base/assets/edgebundle/small/manifest.json" in names
    assert not [name for name in names if name.startswith("base/assets/edgebundle/small/variants/")]
    assert {f.code for f in app_bundle.findings} >= {"op-versions", "application", "signed", "debug-key"}
    assert not [f for f in app_bundle.findings if f.level == "error"]


def test_jarsigner_verifies_the_app_bundle(app_bundle: PackageResult, tmp_path: Path) -> None:
    """The JDK's own verifier accepts our JAR signature, and refuses a changed entry as our second check does."""
    from builder.targets.android.signing.jarsign_check import check_jar

    signed = app_bundle.files[0]
    text = process.run(["jarsigner", "-verify", signed], timeout_s=60).stdout
    assert "jar verified" in text
    assert check_jar(signed).problem is None
    changed = tmp_path / "changed.aab"
    with zipfile.ZipFile(signed) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            extra = b"x" if name == "base/dex/classes.dex" else b""
            target.writestr(name, source.read(name) + extra)
    assert process.run(["jarsigner", "-verify", changed], timeout_s=60, check=False).returncode != 0
    assert check_jar(changed).problem == "base/dex/classes.dex was changed after it was signed"


def test_bundletools_refusal_is_one_sentence(tmp_path: Path) -> None:
    """bundletool's refusal of what is no app bundle is one sentence."""
    broken = tmp_path / "broken.aab"
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("base/nothing", "")
    with pytest.raises(ConversionError, match="bundletool validate refuses the app bundle"):
        aab.bundletool(find_mobile_root() / "android", "validate", f"--bundle={broken}")


def test_executorch_flavour(bundle: Bundle, tmp_path: Path) -> None:
    """With a local archive of ExecuTorch the app carries its runtime, its variant and nothing of TensorFlow Lite; the library brings
    that very archive along, so that one line is all that an app needs."""
    options = PackageOptions(runtime=Runtime(name="executorch", file=make_executorch_aar()))
    result = ANDROID.package(make_request(bundle, tmp_path / "out", formats=("apk", "aar"), options=options))
    repository, app = sorted(result.files, key=lambda path: path.suffix)
    (place,) = repository.glob("org/edgebundle/edgebundle-runtime-executorch/*/*.aar")
    assert place.read_bytes() == make_executorch_aar().read_bytes()
    (pom,) = repository.glob("org/edgebundle/edgebundle-sdk-executorch/*/*.pom")
    needed = re.findall("<artifactId>([^<*]+)</artifactId>", pom.read_text())
    assert needed == [
        "edgebundle-sdk-executorch",
        *("edgebundle-runtime-executorch", "fbjni", "nativeloader", "kotlin-stdlib", "kotlinx-coroutines-core-jvm"),
    ]
    with zipfile.ZipFile(app) as archive:
        names = set(archive.namelist())
    assert "assets/edgebundle/small/variants/small.pte" in names
    said = {f.file: f.message for f in result.findings if f.code == "op-versions"}
    assert said.keys() == {"small.apk", "small-1.2.aar"}  # the library's runtime lies beside it
    assert set(said.values()) == {"has every operator and delegate of executorch-fp32 in its ExecuTorch."}
    for abi in ("arm64-v8a", "x86_64"):
        libraries = {Path(n).name for n in names if n.startswith(f"lib/{abi}/")}
        assert libraries == {"libexecutorch.so", "libfbjni.so", "libc++_shared.so"}
    assert not [f for f in result.findings if f.level == "error" or f.code == "elf-alignment"]
    assert provide_prebuilt(find_mobile_root() / "android", options.runtime).messages == ""


def test_a_variant_that_the_runtime_does_not_have(bundle: Bundle, tmp_path: Path) -> None:
    """A delegate that the flavour lacks is refused before anything is built, with what it has."""
    first = bundle.manifest.variants[0].model_copy(update={"delegate": "vulkan"})
    variants = (first, *bundle.manifest.variants[1:])
    other = Bundle(bundle.root, bundle.manifest.model_copy(update={"variants": variants}))
    with pytest.raises(ConfigError, match=r"for vulkan, which tflite on Android does not have \(it has xnnpack, gpu"):
        ANDROID.package(make_request(other, tmp_path / "out", formats=("apk",)))


def test_vulkan_is_a_runtime_of_its_own(bundle: Bundle, tmp_path: Path) -> None:
    """ExecuTorch's plain library has no Vulkan: its variants name the runtime that has it, which the project is set to."""
    variant = bundle.manifest.variants[2].model_copy(update={"delegate": "vulkan"})
    other = Bundle(
        bundle.root, bundle.manifest.model_copy(update={"variants": (*bundle.manifest.variants[:2], variant)})
    )
    wanted = {name: PackageOptions(runtime=Runtime(name=name)) for name in ("executorch", "executorch-vulkan")}
    with pytest.raises(ConfigError, match="executorch-vulkan has it"):
        ANDROID.package(make_request(other, tmp_path / "a", formats=("project",), options=wanted["executorch"]))
    options = wanted["executorch-vulkan"]
    project = ANDROID.package(make_request(other, tmp_path / "b", formats=("project",), options=options)).files[0]
    properties = (project / "gradle.properties").read_text(encoding="utf-8")
    assert "edgebundle.runtime=executorch\nedgebundle.vulkan=true\n" in properties


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        (Runtime(name="tflight"), "did you mean 'tflite'"),
        (Runtime(name="executorch-vulcan"), "did you mean 'executorch-vulkan'"),
        (Runtime(name="executorch", file=Path(__file__)), "is not an Android library archive"),
        (Runtime(name="executorch", file=Path("absent.aar")), "is not an Android library archive"),
    ],
)
def test_bad_runtime(bundle: Bundle, tmp_path: Path, runtime: Runtime, said: str) -> None:
    """An unknown runtime names the near one; a file that is none is refused."""
    with pytest.raises(ConfigError, match=said):
        ANDROID.package(make_request(bundle, tmp_path / "out", options=PackageOptions(runtime=runtime)))
