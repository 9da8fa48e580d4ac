"""An app of somebody else's: it takes two bundles from local Maven repositories by a line each, compiles, and links through R8."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder import process
from builder.bundle import Bundle
from builder.targets import TARGETS
from builder.targets.android import tools
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import TOOL_PATHS, compiler, maven, provide_prebuilt
from builder.targets.android.host.maven import Wanted
from builder.targets.mobile import find_mobile_root
from tests.android.consumer_app import GROUP, resolving
from tests.android.references import find_missing_references
from tests.builder.targets.conftest import make_request
from tests.bundles import make_bundle

PROJECT = find_mobile_root() / "android"
SOURCES = Path(__file__).parent / "consumer"
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
    """What the consumer's build made: its dex, and what R8 had to say."""

    dex: tuple[Path, ...]
    messages: str
    found: dict[str, tuple[Path, ...]]


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Linked:
    work = tmp_path_factory.mktemp("consumer")
    version = f"1.0.{os.getpid()}"  # Maven keeps what it once resolved
    bundle = make_bundle(work / "bundle")
    other = Bundle(
        bundle.root,
        bundle.manifest.model_copy(update={"model": bundle.manifest.model.model_copy(update={"name": "other"})}),
    )
    repositories = {
        name: TARGETS["android"]
        .package(make_request(one, work / name, formats=("aar",), application_id=GROUP, version_name=version))
        .files[0]
        for name, one in (("small", bundle), ("other", other))
    }
    with resolving(repositories, version, work / "app") as libraries:
        sdk = libraries["edgebundle-sdk-tflite"]
        found = maven.resolve(
            Catalogue.read(PROJECT),
            {**TOOL_PATHS, **list_prebuilt_runtime(), "framework-min": (Wanted(alias="android-min", alone=True),)},
        )
        # The bundle has no GPU variant, so the library's pom brings no GPU delegate.
        runtime = [maven.unpack_jar(archive, work) for archive in found["runtime-tflite"] if "gpu" not in archive.name]
        classes = maven.unpack_jar(sdk, work)
        jars = [maven.unpack_jar(library, work) for library in libraries.values()]  # those of bundles have no class
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
        argv += ["-cp", compiler.join_class_path([*found["framework-min"], classes, *found["stdlib"]])]
        process.run([*argv, *sorted(SOURCES.glob("*.java"))], timeout_s=LIMIT_S)
        compiler.jar([work / "classes"], work / "consumer.jar")
        with zipfile.ZipFile(sdk) as aar:
            (work / "proguard.txt").write_bytes(aar.read("proguard.txt"))
        (work / "dex").mkdir()
        messages = compiler.r8(
            tool=found["r8"][0],
            inputs=[work / "consumer.jar", *jars, *runtime, *found["stdlib"]],
            libraries=[*found["framework"], tools.find_java_home()],
            rules=[work / "proguard.txt", SOURCES / "rules.pro"],
            min_api=Catalogue.read(PROJECT).versions["minSdk"],
            out=work / "dex",
        )
    return Linked(dex=tuple(sorted((work / "dex").glob("*.dex"))), messages=messages, found=found)


def list_prebuilt_runtime() -> dict[str, tuple[Wanted, ...]]:
    from builder.targets.android.host import list_runtime_paths
    from builder.targets.android.host.flavours import FLAVOURS

    return list_runtime_paths(FLAVOURS["tflite"], None)


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
    assert len(dex) < 300_000  # kotlinx-coroutines and video files included


def test_everything_the_consumer_refers_to_exists_on_the_oldest_android(linked: Linked, tmp_path: Path) -> None:
    """Every class, method and field of the consumer's dex is in the framework of the minimum SDK, in the dex, or guarded."""
    missing = find_missing_references(
        linked.dex, r8=linked.found["r8"][0], framework=linked.found["framework-min"][0], work=tmp_path
    )
    assert missing <= GUARDED | WITHOUT_GPU


def test_everything_the_app_refers_to_exists_on_the_oldest_android(linked: Linked, tmp_path: Path) -> None:
    """The same for the sample app; the guarded calls are exactly these, so the check is known to look."""
    missing = find_missing_references(
        provide_prebuilt(PROJECT).dex,
        r8=linked.found["r8"][0],
        framework=linked.found["framework-min"][0],
        work=tmp_path,
    )
    assert missing == GUARDED
