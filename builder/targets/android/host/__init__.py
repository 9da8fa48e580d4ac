"""The host app and the SDK library without a bundle, built once from the Gradle project's sources with no Gradle and no Android SDK.

Their content (dex, classes, native libraries, compiled resources) depends on sources, versions and the runtime alone, so it is kept
in the cache; packages are made from it by adding a bundle, without Java.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from builder.bundle import hash_file, list_tree
from builder.errors import VerificationError
from builder.storage import cache
from builder.targets.android import tools
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import aapt2, compiler, framework, maven
from builder.targets.android.host.flavours import Flavour, find_flavour
from builder.targets.android.host.maven import Wanted
from builder.targets.android.licences import write_runtime_licences
from builder.targets.base import Runtime

ABIS = ("arm64-v8a", "x86_64")
NAMESPACE = "org.edgebundle.app"
STEP = "android-host"
LISTING = "host.json"
NOTICES = "notices.txt"

TOOL_PATHS: dict[str, tuple[Wanted, ...]] = {
    "kotlinc": (Wanted(alias="kotlin-compiler"),),
    "stdlib": (Wanted(alias="kotlin-stdlib"), Wanted(alias="coroutines")),
    "framework": (Wanted(alias="android-all", alone=True),),
    "r8": (Wanted(alias="r8", alone=True),),
}


@dataclass(frozen=True, kw_only=True)
class HostApp:
    """A complete, checked host app in the cache. `messages` is what R8 said when it was built.

    `resources` is the app's compiled resources, `sdk_classes` the library's own classes as a jar, `libraries` native libraries by
    their name in an APK, `notices` the licences of everything that was not written here.
    """

    root: Path
    flavour: Flavour
    dex: tuple[Path, ...]
    libraries: dict[str, Path]
    resources: Path
    manifest: Path
    ids: Path
    framework: Path
    sdk_classes: Path
    notices: Path
    versions: dict[str, str]
    messages: str


def provide_prebuilt(project: Path, runtime: Runtime | None = None) -> HostApp:
    """The host app of the Gradle project with a runtime, from the cache or built now.

    Raises ConfigError for an unknown runtime, MissingToolError, ConversionError with the compiler's last lines, VerificationError when
    the cached one is damaged.
    """
    flavour = find_flavour(runtime)
    local = runtime.file if runtime is not None else None
    catalogue = Catalogue.read(project)
    key = cache.make_content_key(
        [
            _hash_sources(project, flavour),
            cache.hash_code(Path(__file__).parent),
            flavour.main.alias,
            hash_file(local) if local else None,
        ]
    )
    root = cache.locate(STEP, key)
    with cache.hold_lock(f"{STEP}-{key}"):
        if not root.exists():
            tools.require("java", "javac", "mvn", "aapt2")
            with cache.publishing(STEP, key) as work:
                _build(project, catalogue, flavour, local, work)
                files = {p.relative_to(work).as_posix(): hash_file(p) for p in list_tree(work)}
                (work / LISTING).write_text(json.dumps(files, indent=1, sort_keys=True), encoding="utf-8")
    _verify(root)
    return HostApp(
        root=root,
        flavour=flavour,
        dex=tuple(sorted(root.glob("classes*.dex"))),
        libraries={p.relative_to(root).as_posix(): p for p in list_tree(root / "lib")},
        resources=root / "resources.zip",
        manifest=root / "AndroidManifest.xml",
        ids=root / "ids.txt",
        framework=root / "framework.apk",
        sdk_classes=root / "sdk.jar",
        notices=root / NOTICES,
        versions=catalogue.versions,
        messages=(root / "r8.txt").read_text(encoding="utf-8"),
    )


def list_runtime_paths(flavour: Flavour, local: Path | None) -> dict[str, tuple[Wanted, ...]]:
    """What Maven resolves for a flavour; with a local archive the main library stays out."""
    main = () if local is not None else (flavour.main,)
    return {f"runtime-{flavour.main.alias}{'-local' if local else ''}": (*main, *flavour.wanted)}


def _hash_sources(project: Path, flavour: Flavour) -> str:
    """Hash of every file that decides the host app: the sources of both modules, their shrinker rules, and the versions."""
    roots = [project / module / "src" / part for module in ("sdk", "app") for part in ("main", flavour.sources)]
    rules = [p for module in ("sdk", "app") for p in (project / module).glob("*.pro")]
    files = (
        [p for root in roots if root.exists() for p in list_tree(root)]
        + rules
        + [project / "gradle" / "libs.versions.toml"]
    )
    lines = sorted(f"{p.relative_to(project).as_posix()} {hash_file(p)}" for p in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _build(project: Path, catalogue: Catalogue, flavour: Flavour, local: Path | None, out: Path) -> None:
    paths = list_runtime_paths(flavour, local)
    files = maven.resolve(catalogue, {**TOOL_PATHS, **paths})
    archives = [*([local] if local else []), *files[next(iter(paths))]]
    with tempfile.TemporaryDirectory(prefix="edgebundle-host-") as folder:
        work = Path(folder)
        runtime = [maven.unpack_jar(archive, work) for archive in archives]
        android = list(files["framework"])
        generated = _resources(project, catalogue, android[0], out, work)
        libraries = [*android, *runtime, *files["stdlib"]]
        compiler.kotlinc(
            compiler=files["kotlinc"],
            sources=find_kotlin_sources(project / "sdk", flavour),
            libraries=libraries,
            module="sdk",
            out=work / "sdk",
        )
        compiler.kotlinc(
            compiler=files["kotlinc"],
            sources=[*find_kotlin_sources(project / "app", flavour), generated],
            libraries=[work / "sdk", *libraries],
            module="app",
            out=work / "app",
        )
        compiler.javac(sorted(generated.rglob("*.java")), work / "app")
        compiler.jar([work / "sdk"], out / "sdk.jar")
        compiler.jar([work / "app"], work / "app.jar")
        (work / "dex").mkdir()
        messages = compiler.r8(
            tool=files["r8"][0],
            inputs=[work / "app.jar", out / "sdk.jar", *runtime, *files["stdlib"]],
            libraries=[*android, tools.find_java_home()],  # android-all has no java.*
            rules=[
                *find_consumer_rules(project, flavour),
                *sorted((project / "app").glob("*.pro")),
                work / "aapt2.pro",
            ],
            min_api=catalogue.versions["minSdk"],
            out=work / "dex",
        )
        for dex in sorted((work / "dex").glob("*.dex")):
            shutil.copyfile(dex, out / dex.name)
        (out / "r8.txt").write_text(messages, encoding="utf-8")
    (out / NOTICES).write_text(write_runtime_licences([*archives, *files["stdlib"]]), encoding="utf-8")
    for name, content in maven.read_native_libraries(archives, ABIS).items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def find_consumer_rules(project: Path, flavour: Flavour) -> list[Path]:
    """What R8 must keep in an app that uses the library with this runtime."""
    return [project / "sdk" / "consumer-rules.pro", project / "sdk" / f"consumer-rules-{flavour.sources}.pro"]


def find_kotlin_sources(module: Path, flavour: Flavour) -> list[Path]:
    return [folder for part in ("main", flavour.sources) if (folder := module / "src" / part / "kotlin").exists()]


def _resources(project: Path, catalogue: Catalogue, android_all: Path, out: Path, work: Path) -> Path:
    """Compiled resources, manifest and resource ids into `out`; returns the folder of R.java."""
    framework.write_framework_apk(android_all, out / "framework.apk")
    aapt2.write_manifest(
        project / "app/src/main/AndroidManifest.xml",
        NAMESPACE,
        out / "AndroidManifest.xml",
        library=project / "sdk/src/main/AndroidManifest.xml",
    )
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
        if not path.is_file() or hash_file(path) != digest:
            raise VerificationError(
                f"the prebuilt host app in {root} is damaged ({name}); remove that directory and package again."
            )
