"""The app on Robolectric: Android's own framework classes on a desktop JVM, with the linked resources and real TensorFlow Lite."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from builder import process
from builder.bundle import Bundle, hash_file, list_tree
from builder.storage import cache
from builder.targets.android import apkzip
from builder.targets.android.apk import list_bundle_entries
from builder.targets.android.apkzip import Entry
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import TOOL_PATHS, aapt2, compiler, framework, maven
from builder.targets.android.host.maven import Wanted
from builder.targets.mobile import find_mobile_root
from tests.android.jvm import TEST_PATHS, compile_tests

PROJECT = find_mobile_root() / "android"
ROBOLECTRIC_PATHS = {
    "robolectric": (Wanted(alias="robolectric"), Wanted(alias="junit")),
    "instrumented": (Wanted(alias="android-instrumented", alone=True),),
}
NAMESPACE = "org.edgebundle.app"
STEP = "android-robolectric-tests"
LIMIT_S = 400.0


@dataclass(frozen=True, kw_only=True)
class CompiledApp:
    """The app and its tests as class files, with manifest and resources as aapt2 links them."""

    folder: Path
    found: dict[str, tuple[Path, ...]]

    def run(self, bundle: Bundle, data: Path) -> process.Completed:
        """Run the app's tests with this bundle in its assets; `data/out` takes what they hand back."""
        sdk = compile_tests().native.parent / "sdk"
        classes = [self.folder / "tests", self.folder / "app", sdk]
        return run_robolectric(self.folder, NAMESPACE, classes, self.robolectric, [*list_bundle_entries(bundle)], data)

    @property
    def robolectric(self) -> list[Path]:
        """Robolectric and JUnit as jars; what comes as AAR was unpacked when the tests were compiled."""
        return [p for p in self.found["robolectric"] if p.suffix == ".jar"] + sorted(
            (self.folder / "jars").glob("*.jar")
        )


def run_robolectric(
    linked: Path, package: str, classes: list[Path], robolectric: list[Path], assets: list[Entry], data: Path
) -> process.Completed:
    """Run the tests among the classes, the first of which they are, on Android's framework.

    `linked` holds the manifest and what aapt2 linked of an app that is called `package`.
    """
    found = maven.resolve(Catalogue.read(PROJECT), {**TOOL_PATHS, **TEST_PATHS, **ROBOLECTRIC_PATHS})
    resources = data / "resources.apk"
    with zipfile.ZipFile(linked / "linked.apk") as archive:
        names = [Entry(name=name, source=archive.read(name), alignment=4) for name in archive.namelist()]
    apkzip.write(resources, [*names, *assets])
    config = data / "config" / "com" / "android" / "tools" / "test_config.properties"
    config.parent.mkdir(parents=True)
    values = {
        "android_merged_manifest": linked / "AndroidManifest.xml",
        "android_resource_apk": resources,
        "android_custom_package": package,
    }
    config.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    sdk = compile_tests()
    instrumented = found["instrumented"][0]
    argv: list[str | Path] = ["java", *compiler.JVM, f"-Djava.library.path={sdk.native}", "-Djava.awt.headless=true"]
    argv += [f"-Dedgebundle.testdata={data}", "-Drobolectric.offline=true"]
    argv += [f"-Drobolectric.dependency.dir={instrumented.parent}", f"-Djava.io.tmpdir={data}"]
    argv += ["--add-opens=java.base/java.io=ALL-UNNAMED"]  # Robolectric closes file descriptors by reflection
    runtime = [path for path in sdk.libraries if path.parent == sdk.native.parent]
    # The framework stands last: Robolectric loads its own copy, the outer class path only needs the names.
    everything = [data / "config", *classes, *runtime, *robolectric, *found["stdlib"], instrumented]
    paths = sorted(classes[0].rglob("*Test.class"))
    tests = [p.relative_to(classes[0]).with_suffix("").as_posix().replace("/", ".") for p in paths]
    argv += ["-cp", compiler.join_class_path(everything), "org.junit.runner.JUnitCore", *tests]
    return process.run(argv, timeout_s=LIMIT_S, check=False)


def compile_app() -> CompiledApp:
    """Compiled once per change of the sources, kept in the cache."""
    catalogue = Catalogue.read(PROJECT)
    found = maven.resolve(catalogue, {**TOOL_PATHS, **TEST_PATHS, **ROBOLECTRIC_PATHS})
    sdk = compile_tests()
    sources = [p for part in ("main", "hostTest") for p in list_tree(PROJECT / "app" / "src" / part)]
    lines = [f"{p.relative_to(PROJECT)} {hash_file(p)}" for p in sources]
    key = cache.make_content_key([lines, catalogue.versions, sdk.native.parent.name, hash_file(Path(__file__))])
    with cache.hold_lock(f"{STEP}-{key}"):
        if not cache.locate(STEP, key).is_dir():
            with cache.publishing(STEP, key) as work:
                _compile(catalogue, found, sdk.native.parent / "sdk", sdk.libraries, work)
    return CompiledApp(folder=cache.locate(STEP, key), found=found)


def _compile(
    catalogue: Catalogue, found: dict[str, tuple[Path, ...]], sdk: Path, libraries: tuple[Path, ...], work: Path
) -> None:
    main = PROJECT / "app/src/main"
    framework.write_framework_apk(found["framework"][0], work / "framework.apk")
    aapt2.write_manifest(
        main / "AndroidManifest.xml",
        NAMESPACE,
        work / "template.xml",
        library=PROJECT / "sdk/src/main/AndroidManifest.xml",
    )
    aapt2.write_named_manifest(work / "template.xml", NAMESPACE, "Small", work / "AndroidManifest.xml")
    aapt2.compile_resources(main / "res", work / "resources.zip")
    aapt2.link(
        resources=work / "resources.zip",
        manifest=work / "AndroidManifest.xml",
        framework=work / "framework.apk",
        out=work / "linked.apk",
        versions=catalogue.versions,
        more=["--java", work / "gen"],
    )
    (work / "jars").mkdir()
    robolectric = [maven.unpack_jar(archive, work / "jars") for archive in found["robolectric"]]
    outer = [*found["framework"], *found["stdlib"], *libraries]
    compiler.kotlinc(
        compiler=found["kotlinc"],
        sources=[main / "kotlin", work / "gen"],
        libraries=[sdk, *outer],
        module="app",
        out=work / "app",
    )
    compiler.javac(sorted((work / "gen").rglob("*.java")), work / "app")
    compiler.kotlinc(
        compiler=found["kotlinc"],
        sources=[PROJECT / "app/src/hostTest/kotlin"],
        libraries=[work / "app", sdk, *robolectric, *outer],
        module="app",
        out=work / "tests",
        friends=[work / "app", sdk],
    )
