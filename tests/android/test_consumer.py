"""An app of somebody else's: it takes the library from a local Maven repository by one line, compiles, and links through R8."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder import process
from builder.targets import TARGETS
from builder.targets.android import tools
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import TOOL_PATHS, compiler, maven, provide_prebuilt
from builder.targets.android.host.maven import Wanted
from builder.targets.mobile import mobile_root
from tests.android.references import missing_references
from tests.builder.targets.conftest import request_for
from tests.bundles import make_bundle

PROJECT = mobile_root() / "android"
SOURCES = Path(__file__).parent / "consumer"
GROUP = "org.edgebundle.consumertest"
LIMIT_S = 600.0
# What the library asks the system for only after asking for its version (Build.VERSION.SDK_INT).
GUARDED = {
    "field java.lang.String android.os.Build.SOC_MANUFACTURER",
    "field java.lang.String android.os.Build.SOC_MODEL",
    "method int android.os.PowerManager.getCurrentThermalStatus()",
    "method float android.os.PowerManager.getThermalHeadroom(int)",
}
# What a library without a GPU variant does not bring; the engine answers its absence by the next variant.
WITHOUT_GPU = {
    "class org.tensorflow.lite.gpu.GpuDelegate",
    "method void org.tensorflow.lite.gpu.GpuDelegate.<init>()",
    "method void org.tensorflow.lite.gpu.GpuDelegate.close()",
}


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What the consumer's build made: the resolved library, its dex, and what R8 had to say."""

    library: Path
    dex: tuple[Path, ...]
    messages: str
    found: dict[str, tuple[Path, ...]]


def resolve(repository: Path, version: str, work: Path) -> Path:
    """The library as Maven finds it in the repository by its coordinates; its runtime is taken from Maven Central instead of Google's."""
    work.mkdir()
    (work / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{GROUP}.app</groupId><artifactId>consumer</artifactId><version>1</version>"
        f"<repositories><repository><id>local</id><url>{repository.as_uri()}</url></repository></repositories>"
        f"<dependencies><dependency><groupId>{GROUP}</groupId><artifactId>small</artifactId><version>{version}</version><type>aar</type>"
        "<exclusions><exclusion><groupId>com.google.ai.edge.litert</groupId><artifactId>*</artifactId></exclusion></exclusions>"
        "</dependency></dependencies></project>",
        encoding="utf-8",
    )
    plugin = ":".join(maven.PLUGIN)
    argv: list[str | Path] = [
        "mvn",
        "-B",
        "-q",
        "-f",
        work / "pom.xml",
        f"{plugin}:build-classpath",
        "-Dmdep.outputFile=classpath.txt",
    ]
    process.run(argv, timeout_s=LIMIT_S)
    paths = [Path(p) for p in (work / "classpath.txt").read_text(encoding="utf-8").strip().split(os.pathsep)]
    names = {path.name.rpartition("-")[0] for path in paths}
    assert {"kotlin-stdlib", "kotlinx-coroutines-core-jvm"} <= names  # the pom brings them
    return next(path for path in paths if path.suffix == ".aar")


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Linked:
    work = tmp_path_factory.mktemp("consumer")
    version = f"1.0.{os.getpid()}"  # Maven keeps what it once resolved
    request = request_for(
        make_bundle(work / "bundle"), work / "out", formats=("aar",), application_id=GROUP, version_name=version
    )
    repository = TARGETS["android"].package(request).files[0]
    library = resolve(repository, version, work / "app")
    try:
        found = maven.resolve(
            Catalogue.read(PROJECT),
            {**TOOL_PATHS, **prebuilt_runtime(), "framework-min": (Wanted(alias="android-min", alone=True),)},
        )
        # The bundle has no GPU variant, so the library's pom brings no GPU delegate.
        runtime = [maven.jar_of(archive, work) for archive in found["runtime-tflite"] if "gpu" not in archive.name]
        classes = maven.jar_of(library, work)
        compiler.kotlinc(
            compiler=found["kotlinc"],
            sources=[SOURCES],
            libraries=[*found["framework"], classes, *found["stdlib"]],
            module="consumer",
            out=work / "classes",
        )
        argv: list[str | Path] = [
            "javac",
            "-Xlint:all",
            "-Werror",
            "-proc:none",
            "--release",
            "17",
            "-d",
            work / "classes",
        ]
        # The newest framework's classes are of a newer Java than ours.
        argv += ["-cp", compiler.class_path([*found["framework-min"], classes, *found["stdlib"]])]
        process.run([*argv, *sorted(SOURCES.glob("*.java"))], timeout_s=LIMIT_S)
        compiler.jar([work / "classes"], work / "consumer.jar")
        with zipfile.ZipFile(library) as aar:
            (work / "proguard.txt").write_bytes(aar.read("proguard.txt"))
        (work / "dex").mkdir()
        messages = compiler.r8(
            tool=found["r8"][0],
            inputs=[work / "consumer.jar", classes, *runtime, *found["stdlib"]],
            libraries=[*found["framework"], tools.java_home()],
            rules=[work / "proguard.txt", SOURCES / "rules.pro"],
            min_api=Catalogue.read(PROJECT).versions["minSdk"],
            out=work / "dex",
        )
    finally:
        shutil.rmtree(library.parent.parent, ignore_errors=True)
    return Linked(library=library, dex=tuple(sorted((work / "dex").glob("*.dex"))), messages=messages, found=found)


def prebuilt_runtime() -> dict[str, tuple[Wanted, ...]]:
    from builder.targets.android.host import runtime_paths
    from builder.targets.android.host.flavours import FLAVOURS

    return runtime_paths(FLAVOURS["tflite"], None)


def test_consumer_links_through_r8_full_mode(linked: Linked) -> None:
    """The app compiles against the library alone and R8, with its warnings on, misses no class; what it uses is in the dex."""
    assert linked.messages == ""
    dex = b"".join(path.read_bytes() for path in linked.dex)
    for name in (
        b"Lorg/example/consumer/Consumer;",
        b"Lorg/example/consumer/JavaConsumer;",
        b"Lorg/tensorflow/lite/Interpreter;",
    ):
        assert name in dex
    assert len(dex) < 250_000  # kotlinx-coroutines included


def test_everything_the_consumer_refers_to_exists_on_the_oldest_android(linked: Linked, tmp_path: Path) -> None:
    """Every class, method and field of the consumer's dex is in the framework of the minimum SDK, in the dex, or guarded."""
    missing = missing_references(
        linked.dex, r8=linked.found["r8"][0], framework=linked.found["framework-min"][0], work=tmp_path
    )
    assert missing <= GUARDED | WITHOUT_GPU


def test_everything_the_app_refers_to_exists_on_the_oldest_android(linked: Linked, tmp_path: Path) -> None:
    """The same for the sample app; the guarded calls are exactly these, so the check is known to look."""
    missing = missing_references(
        provide_prebuilt(PROJECT).dex,
        r8=linked.found["r8"][0],
        framework=linked.found["framework-min"][0],
        work=tmp_path,
    )
    assert missing == GUARDED
