"""Android packages: how long they take, how large the app's code is, what the library costs around an inference, sameness."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from bench.table import BIN, ROOT, Row, run
from builder.storage.cache import find_cache_root

sys.path.insert(0, str(ROOT))

EXAMPLE = ROOT / "examples" / "tiny_style"


def package_rows(work: Path) -> list[Row]:
    """Packaging with the host app prebuilt and nothing of this bundle in the cache; Java is not on the path."""
    bundle = work / "bundle"
    run("builder", "convert", EXAMPLE, "--backend", "tflite", "-o", bundle)
    run("builder", "package", bundle, "--target", "android", "--format", "apk", "--format", "aar", "-o", work / "first")
    tools = work / "bin"  # all that packaging may start
    tools.mkdir()
    (tools / "aapt2").symlink_to(shutil.which("aapt2") or "/nowhere")
    cache = work / "cache"
    cache.mkdir()
    for name in ("android-host", "keys"):
        (cache / name).symlink_to(find_cache_root() / name)
    best = {name: min(time_package(bundle, name, work, tools, cache) for _ in range(3)) for name in ("apk", "aar")}
    return [
        Row(
            what=f"builder package --format {name}, tiny_style, host app prebuilt, no Java on the path",
            figure="<= 5 s",
            measured=f"{seconds:.2f} s",
            reached=seconds <= 5,
        )
        for name, seconds in best.items()
    ]


def time_package(bundle: Path, name: str, work: Path, tools: Path, cache: Path) -> float:
    shutil.rmtree(cache / "package", ignore_errors=True)
    argv = [
        str(BIN / "builder"),
        "package",
        str(bundle),
        "--target",
        "android",
        "--format",
        name,
        "-o",
        str(work / name),
    ]
    start = time.perf_counter()
    environment = {**os.environ, "PATH": str(tools), "EDGEBUNDLE_CACHE": str(cache)}
    subprocess.run(argv, env=environment, check=True, capture_output=True, timeout=300)
    return time.perf_counter() - start


def measure_code(work: Path) -> Row:
    """The app's dex less what R8 makes of the runtime's own classes under the same rules."""
    from builder.targets.android import tools
    from builder.targets.android.catalogue import Catalogue
    from builder.targets.android.host import (
        TOOL_PATHS,
        compiler,
        find_consumer_rules,
        list_runtime_paths,
        maven,
        provide_prebuilt,
    )
    from builder.targets.mobile import find_mobile_root

    project = find_mobile_root() / "android"
    host = provide_prebuilt(project)
    found = maven.resolve(Catalogue.read(project), {**TOOL_PATHS, **list_runtime_paths(host.flavour, None)})
    (work / "runtime").mkdir()
    compiler.r8(
        tool=found["r8"][0],
        inputs=[maven.unpack_jar(archive, work) for archive in found["runtime-tflite"]],
        libraries=[*found["framework"], tools.find_java_home()],
        rules=find_consumer_rules(project, host.flavour),
        min_api=host.versions["minSdk"],
        out=work / "runtime",
    )
    runtime = sum(p.stat().st_size for p in (work / "runtime").glob("*.dex"))
    ours = sum(p.stat().st_size for p in host.dex) - runtime
    return Row(
        what="the app's code in the dex, with the library and what it uses of Kotlin, without runtimes",
        figure="<= 150 KB",
        measured=f"{ours / 1000:.0f} KB (and {runtime / 1000:.0f} KB of TensorFlow Lite's Java)",
        reached=ours <= 150_000,
    )


def measure_overhead(work: Path) -> list[Row]:
    """The library's own work for a frame of 512x512, pixels to tensor and back: its time by JMH on the JVM's default compilers, what it
    allocates by the JVM's own count of the thread's bytes (JMH's profiler counts JMH too)."""
    from tests.android.jvm import compile_tests

    (work / "jmh").mkdir()
    tests = compile_tests()
    nothing = "OK (3 tests)" in tests.run(work, only=".OverheadTest").stdout
    rows = []
    for record in tests.run_jmh(work / "jmh"):
        time = record["primaryMetric"]["scorePercentiles"]
        if record["benchmark"].endswith("CarryBenchmark.carry"):
            rows.append(
                Row(
                    what="SDK between key frames, 256x256: optical flow and two styled pictures carried along it (JMH, median)",
                    figure="<= 6 ms, 0 bytes allocated",
                    measured=f"{time['50.0']:.2f} ms (best {time['0.0']:.2f}), {'0' if nothing else 'some'} bytes",
                    reached=time["50.0"] <= 6 and nothing,
                )
            )
            continue
        rows.append(
            Row(
                what=f"SDK around an inference, 512x512, {record['params']['layout']}: pre- and post-processing of a frame (JMH, median)",
                figure="<= 3 ms, 0 bytes allocated",
                measured=f"{time['50.0']:.2f} ms (90 % within {time['90.0']:.2f}), {'0' if nothing else 'some'} bytes",
                reached=time["50.0"] <= 3 and nothing,
            )
        )
    return rows


def compare_builds(work: Path) -> Row:
    """Two builds, from two processes, compared before their signatures."""
    entries = []
    for name in ("first", "second"):
        if name == "second":
            arguments = ("--target", "android", "--format", "apk", "--format", "aar", "-o", work / name)
            run("builder", "package", work / "bundle", *arguments, cache=work / "cache")
        apk = next((work / name).glob("*.apk"))
        libraries = [path.read_bytes() for path in sorted((work / name).rglob("*.aar"))]  # the bundle's and the SDK's
        with zipfile.ZipFile(apk) as archive:
            listed = [(info.filename, info.header_offset, archive.read(info)) for info in archive.infolist()]
        entries.append((listed, libraries))
    same = entries[0] == entries[1]
    return Row(
        what="two builds of the APK (before its signature) and of the AARs",
        figure="byte-identical",
        measured="identical" if same else "different",
        reached=same,
    )


def measure_size(work: Path) -> Row:
    """The bundle as a library of its own, with its goldens; the SDK comes once for all bundles of an app."""
    bundle = next((work / "first").rglob("tiny-style-*.aar")).stat().st_size
    sdk = next((work / "first").rglob("edgebundle-sdk-*.aar")).stat().st_size
    return Row(
        what="AAR of tiny_style with its goldens, without runtimes",
        figure="<= 150 KB",
        measured=f"{bundle / 1000:.0f} KB (and {sdk / 1000:.0f} KB of the SDK, once an app)",
        reached=bundle <= 150_000,
    )


def measure() -> list[Row]:
    """The figures of the Android target; about two minutes with a warm cache."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        work = Path(folder)
        return [
            *package_rows(work),
            measure_code(work),
            measure_size(work),
            *measure_overhead(work),
            compare_builds(work),
        ]
