"""The SDK's Kotlin on a desktop JVM: compiled with its tests by the product's own Kotlin compiler step, run by JUnit."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import process
from builder.bundle import hash_file, list_tree
from builder.storage import cache
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import TOOL_PATHS, compiler, maven
from builder.targets.android.host.maven import Wanted
from builder.targets.mobile import find_mobile_root

SDK = find_mobile_root() / "android" / "sdk" / "src"
TEST_PATHS = {
    "junit": (Wanted(alias="junit"), Wanted(alias="json", alone=True), Wanted(alias="jmh")),
    "jmh-generator": (Wanted(alias="jmh-generator"),),
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
    generator: tuple[Path, ...]

    def run(self, data: Path, only: str = "") -> process.Completed:
        """Run all tests (or those of one class) with real TensorFlow Lite; the Android framework is not on the class path."""
        argv: list[str | Path] = ["java", *compiler.JVM, f"-Djava.library.path={self.native}"]
        argv += [f"-Dedgebundle.testdata={data}", "-Djava.awt.headless=true"]
        argv += ["-cp", compiler.join_class_path([*self.classes, *self.libraries]), "org.junit.runner.JUnitCore"]
        names = [name for name in self.names if name.endswith(only)]
        return process.run([*argv, *names], timeout_s=LIMIT_S, check=False)

    def run_limited(self, main: str, argument: Path, blocks: int) -> process.Completed:
        """Run one program of the tests where no file may have more than `blocks` kilobytes, as on a disk that is full."""
        argv: list[str | Path] = ["bash", "-c", f'ulimit -f {blocks} && exec "$@"', "limited", "java", *compiler.JVM]
        argv += ["-XX:-UsePerfData", "-cp", compiler.join_class_path([*self.classes, *self.libraries]), main, argument]
        return process.run(argv, timeout_s=LIMIT_S, check=False)

    def run_jmh(self, work: Path) -> list[dict[str, Any]]:
        """JMH's records of the library's own cost a frame, in milliseconds."""
        tests = self.classes[0]
        sources, resources, made = work / "sources", work / "resources", work / "made"
        everything = [*self.classes, *self.libraries]
        argv: list[str | Path] = ["java", "-cp", compiler.join_class_path([*self.generator, *everything])]
        argv += ["org.openjdk.jmh.generators.bytecode.JmhBytecodeGenerator", tests, sources, resources]
        process.run(argv, timeout_s=LIMIT_S)
        argv = ["javac", "-nowarn", "-proc:none", "-cp", compiler.join_class_path(everything), "-d", made]
        process.run([*argv, *sorted(sources.rglob("*.java"))], timeout_s=LIMIT_S)
        argv = ["java", "-cp", compiler.join_class_path([made, resources, *everything]), "org.openjdk.jmh.Main"]
        argv += ["-bm", "sample", "-tu", "ms", "-f", "1", "-w", "1", "-wi", "5", "-r", "1", "-i", "10"]
        argv += ["-foe", "true", "-rf", "json", "-rff", work / "jmh.json"]
        process.run(argv, timeout_s=LIMIT_S)
        records: list[dict[str, Any]] = json.loads((work / "jmh.json").read_text(encoding="utf-8"))
        return records


def compile_tests() -> CompiledTests:
    """Compiled once per change of the sources, kept in the cache."""
    catalogue = Catalogue.read(find_mobile_root() / "android")
    found = maven.resolve(catalogue, {**TOOL_PATHS, **TEST_PATHS})
    parts = [folder / "kotlin" for folder in (SDK / "main", SDK / "tflite")]
    tests = [folder / "kotlin" for folder in (SDK / "test", SDK / "hostTest")]
    sources = [f"{p.relative_to(SDK)} {hash_file(p)}" for root in (*parts, *tests) for p in list_tree(root)]
    key = cache.make_content_key([sources, catalogue.versions, hash_file(Path(__file__))])
    with cache.hold_lock(f"android-jvm-tests-{key}"):
        if not cache.locate("android-jvm-tests", key).is_dir():
            with cache.publishing("android-jvm-tests", key) as work:
                runtime = [maven.unpack_jar(archive, work) for archive in found["host-runtime"]]
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
    work = cache.locate("android-jvm-tests", key)
    names = [p.relative_to(work / "tests").with_suffix("").as_posix() for p in (work / "tests").rglob("*Test.class")]
    return CompiledTests(
        classes=(work / "tests", work / "sdk"),
        names=tuple(sorted(name.replace("/", ".") for name in names)),
        libraries=(*sorted(work.glob("*.jar")), *found["stdlib"], *found["junit"]),
        native=work / "native",
        generator=found["jmh-generator"],
    )
