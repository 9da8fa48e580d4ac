"""The SDK's Kotlin on a desktop JVM: compiled with its tests by the product's own Kotlin compiler step, run by JUnit."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder import cache, process
from builder.bundle import file_sha256, tree_files
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import TOOL_PATHS, compiler, maven
from builder.targets.android.host.maven import Wanted
from builder.targets.mobile import mobile_root

SDK = mobile_root() / "android" / "sdk" / "src"
TEST_PATHS = {
    "junit": (Wanted(alias="junit"), Wanted(alias="json", alone=True)),
    # The GPU delegate's classes are those of phones: its native library is missing here, as on a phone without one.
    "host-runtime": (
        Wanted(alias="tflite-host", packaging="aar", alone=True),
        Wanted(alias="tflite-gpu", packaging="aar", alone=True),
        Wanted(alias="tflite-gpu-api", packaging="aar", alone=True),
    ),
    "host-native": (Wanted(alias="tflite-host-native", classifier="linux-x86_64", alone=True),),
}
LIMIT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class CompiledTests:
    """Class files of the SDK and its tests, and what they need to run."""

    classes: tuple[Path, ...]
    names: tuple[str, ...]
    libraries: tuple[Path, ...]
    native: Path

    def run(self, data: Path) -> process.Completed:
        """Run all tests with real TensorFlow Lite; the Android framework is not on the class path."""
        return self._java(data, compiler.JVM, self.names, check=False)

    def run_overhead(self, data: Path) -> process.Completed:
        """Run the measurement of the library's own cost alone, on the JVM's default compilers."""
        names = [name for name in self.names if name.endswith(".OverheadTest")]
        return self._java(data, (), names, check=True)

    def _java(self, data: Path, options: Sequence[str], names: Sequence[str], *, check: bool) -> process.Completed:
        argv: list[str | Path] = ["java", *options, f"-Djava.library.path={self.native}"]
        argv += [f"-Dedgebundle.testdata={data}", "-Djava.awt.headless=true"]
        argv += ["-cp", compiler.class_path([*self.classes, *self.libraries]), "org.junit.runner.JUnitCore"]
        return process.run([*argv, *names], timeout_s=LIMIT_S, check=check)


def compiled_tests() -> CompiledTests:
    """Compiled once per change of the sources, kept in the cache."""
    catalogue = Catalogue.read(mobile_root() / "android")
    found = maven.resolve(catalogue, {**TOOL_PATHS, **TEST_PATHS})
    parts = [folder / "kotlin" for folder in (SDK / "main", SDK / "tflite")]
    tests = [folder / "kotlin" for folder in (SDK / "test", SDK / "hostTest")]
    sources = [f"{p.relative_to(SDK)} {file_sha256(p)}" for root in (*parts, *tests) for p in tree_files(root)]
    key = cache.content_key([sources, catalogue.versions, file_sha256(Path(__file__))])
    with cache.locked(f"android-jvm-tests-{key}"):
        if not cache.entry("android-jvm-tests", key).is_dir():
            with cache.publishing("android-jvm-tests", key) as work:
                runtime = [maven.jar_of(archive, work) for archive in found["host-runtime"]]
                with zipfile.ZipFile(found["host-native"][0]) as jar:
                    name = "native/lib/libtensorflowlite_jni.so"
                    (work / "native").mkdir()
                    (work / "native" / Path(name).name).write_bytes(jar.read(name))
                libraries = [*runtime, *found["stdlib"]]
                compiler.kotlinc(
                    compiler=found["kotlinc"],
                    sources=parts,
                    libraries=[*found["framework"], *libraries],
                    module="sdk",
                    out=work / "sdk",
                )
                compiler.kotlinc(
                    compiler=found["kotlinc"],
                    sources=tests,
                    libraries=[work / "sdk", *libraries, *found["junit"]],
                    module="sdk",
                    out=work / "tests",
                    friends=[work / "sdk"],
                )
    work = cache.entry("android-jvm-tests", key)
    names = [p.relative_to(work / "tests").with_suffix("").as_posix() for p in (work / "tests").rglob("*Test.class")]
    return CompiledTests(
        classes=(work / "tests", work / "sdk"),
        names=tuple(sorted(name.replace("/", ".") for name in names)),
        libraries=(*sorted(work.glob("*.jar")), *found["stdlib"], *found["junit"]),
        native=work / "native",
    )
