"""The host app without a bundle, built once from the Gradle project's sources with no Gradle and no Android SDK.

Its content (dex, native libraries, compiled resources) depends on sources and versions alone, so it is kept in the cache; a
package is made from it by adding a bundle, without Java.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from builder import cache
from builder.bundle import file_sha256, tree_files
from builder.errors import VerificationError
from builder.targets.android import tools
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import aapt2, compiler, framework, maven
from builder.targets.android.host.maven import Wanted

ABIS = ("arm64-v8a", "x86_64")
FLAVOUR = "tflite"
NAMESPACE = "org.edgebundle.app"
STEP = "android-host"
LISTING = "host.json"

CLASS_PATHS: dict[str, tuple[Wanted, ...]] = {
    "kotlinc": (Wanted(alias="kotlin-compiler"),),
    "stdlib": (Wanted(alias="kotlin-stdlib"),),
    "framework": (Wanted(alias="android-all", alone=True),),
    "r8": (Wanted(alias="r8", alone=True),),
    # The pom of tensorflow-lite asks for its API as a jar, which does not exist: both are named as the AARs they are.
    "runtime": (
        Wanted(alias="tflite", packaging="aar", alone=True),
        Wanted(alias="tflite-api", packaging="aar", alone=True),
    ),
}


@dataclass(frozen=True, kw_only=True)
class HostApp:
    """A complete, checked host app in the cache. `messages` is what R8 said when it was built."""

    root: Path
    dex: tuple[Path, ...]
    libraries: dict[str, Path]
    resources: Path
    manifest: Path
    ids: Path
    framework: Path
    versions: dict[str, str]
    messages: str


def prebuilt(project: Path) -> HostApp:
    """The host app of the Gradle project, from the cache or built now.

    Raises MissingToolError, ConversionError with the compiler's last lines, VerificationError when the cached one is damaged.
    """
    catalogue = Catalogue.read(project)
    key = cache.content_key([_sources_sha256(project), cache.code_sha256(Path(__file__).parent)])
    root = cache.entry(STEP, key)
    with cache.locked(f"{STEP}-{key}"):
        if not root.exists():
            tools.require("java", "javac", "mvn", "aapt2")
            with cache.publishing(STEP, key) as work:
                _build(project, catalogue, work)
                files = {p.relative_to(work).as_posix(): file_sha256(p) for p in tree_files(work)}
                (work / LISTING).write_text(json.dumps(files, indent=1, sort_keys=True), encoding="utf-8")
    _verify(root)
    return HostApp(
        root=root,
        dex=tuple(sorted(root.glob("classes*.dex"))),
        libraries={p.relative_to(root).as_posix(): p for p in tree_files(root / "lib")},
        resources=root / "resources.zip",
        manifest=root / "AndroidManifest.xml",
        ids=root / "ids.txt",
        framework=root / "framework.apk",
        versions=catalogue.versions,
        messages=(root / "r8.txt").read_text(encoding="utf-8"),
    )


def _sources_sha256(project: Path) -> str:
    """Hash of every file that decides the host app: the sources of both modules, their shrinker rules, and the versions."""
    roots = [project / module / "src" / part for module in ("sdk", "app") for part in ("main", FLAVOUR)]
    rules = [p for module in ("sdk", "app") for p in (project / module).glob("*.pro")]
    files = (
        [p for root in roots if root.exists() for p in tree_files(root)]
        + rules
        + [project / "gradle" / "libs.versions.toml"]
    )
    lines = sorted(f"{p.relative_to(project).as_posix()} {file_sha256(p)}" for p in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _build(project: Path, catalogue: Catalogue, out: Path) -> None:
    found = maven.resolve(catalogue, CLASS_PATHS)
    with tempfile.TemporaryDirectory(prefix="edgebundle-host-") as folder:
        work = Path(folder)
        runtime = [maven.jar_of(archive, work) for archive in found["runtime"]]
        android = list(found["framework"])
        resources = _resources(project, catalogue, android[0], out, work)
        classes = [work / "sdk", work / "app"]
        libraries = [*android, *runtime, *found["stdlib"]]
        compiler.kotlinc(
            compiler=found["kotlinc"],
            sources=_kotlin(project / "sdk"),
            libraries=libraries,
            module="sdk",
            out=classes[0],
        )
        compiler.kotlinc(
            compiler=found["kotlinc"],
            sources=[*_kotlin(project / "app"), resources],
            libraries=[classes[0], *libraries],
            module="app",
            out=classes[1],
        )
        compiler.javac(sorted(resources.rglob("*.java")), classes[1])
        compiler.jar(classes, work / "app.jar")
        (work / "dex").mkdir()
        messages = compiler.r8(
            tool=found["r8"][0],
            inputs=[work / "app.jar", *runtime, *found["stdlib"]],
            libraries=[*android, tools.java_home()],  # android-all has no java.*
            rules=[
                *sorted((project / "sdk").glob("*.pro")),
                *sorted((project / "app").glob("*.pro")),
                work / "aapt2.pro",
            ],
            min_api=catalogue.versions["minSdk"],
            out=work / "dex",
        )
        for dex in sorted((work / "dex").glob("*.dex")):
            shutil.copyfile(dex, out / dex.name)
        (out / "r8.txt").write_text(messages, encoding="utf-8")
    for name, content in maven.native_libraries(found["runtime"], ABIS).items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _kotlin(module: Path) -> list[Path]:
    return [folder for part in ("main", FLAVOUR) if (folder := module / "src" / part / "kotlin").exists()]


def _resources(project: Path, catalogue: Catalogue, android_all: Path, out: Path, work: Path) -> Path:
    """Compiled resources, manifest and resource ids into `out`; returns the folder of R.java."""
    framework.write_framework_apk(android_all, out / "framework.apk")
    aapt2.write_manifest(project / "app/src/main/AndroidManifest.xml", NAMESPACE, out / "AndroidManifest.xml")
    aapt2.compile_resources(project / "app/src/main/res", out / "resources.zip")
    aapt2.link(
        resources=out / "resources.zip",
        manifest=out / "AndroidManifest.xml",
        framework=out / "framework.apk",
        out=work / "linked.apk",
        versions=catalogue.versions,
        more=["--java", work / "gen", "--proguard", work / "aapt2.pro", "--emit-ids", out / "ids.txt"],
    )
    return work / "gen"


def _verify(root: Path) -> None:
    """Every file of the cached host app against the hashes written when it was built."""
    try:
        listed: dict[str, str] = json.loads((root / LISTING).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise VerificationError(
            f"the prebuilt host app in {root} is damaged ({LISTING}: {error}); remove that directory and package again."
        ) from error
    for name, digest in listed.items():
        path = root / name
        if not path.is_file() or file_sha256(path) != digest:
            raise VerificationError(
                f"the prebuilt host app in {root} is damaged ({name}); remove that directory and package again."
            )
