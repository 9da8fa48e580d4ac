"""iOS: time and sameness of the package, and the Swift core's pre- and post-processing in a release build."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from bench.table import ROOT, Row, run, time_best_of

EXAMPLE = ROOT / "examples" / "tiny_style"

# A package that uses the core as an app would, built with optimisation: 512 x 512 pixels in and out, best of 50.
PACKAGE = """// swift-tools-version: 6.0
import PackageDescription
let package = Package(name: "bench", dependencies: [.package(path: "/src/edgebundle")], targets: [
    .executableTarget(name: "bench", dependencies: [.product(name: "EdgebundleCore", package: "edgebundle")])])
"""
MAIN = r"""
import EdgebundleCore
import Foundation
let spec = #"{"name": "x", "kind": "image", "shape": [1, 3, 512, 512], "color_order": "RGB", "range": [-1, 1]}"#
let tensor = try JSONDecoder().decode(TensorSpec.self, from: Data(spec.utf8))
let binding = Binding(name: "x", index: 0, layout: .nchw, shape: [1, 3, 512, 512], dtype: "float32")
let (codec, buffer) = (try PictureCodec(tensor, binding), try TensorBuffer(binding))
let pixels = (0..<512 * 512).map { UInt32(truncatingIfNeeded: $0 &* 2654435761) | 0xff00_0000 }
var back = [UInt32](repeating: 0, count: pixels.count)
var best = UInt64.max
for _ in 0..<50 {
    let start = monotonicNs()
    pixels.withUnsafeBufferPointer { codec.encode($0, into: buffer) }
    back.withUnsafeMutableBufferPointer { codec.decode(buffer, into: $0) }
    best = min(best, monotonicNs() - start)
}
precondition(back == pixels)
print("best \(Double(best) / 1e6) ms")
"""


def measure_swift_milliseconds(work: Path) -> float:
    """Best time of pre- plus post-processing of one picture."""
    package = work / "package"
    (package / "Sources" / "bench").mkdir(parents=True)
    (package / "Package.swift").write_text(PACKAGE)
    (package / "Sources" / "bench" / "main.swift").write_text(MAIN)
    script = [str(ROOT / "scripts" / "swift.sh"), "run", str(ROOT / "mobile" / "ios"), str(work), "--"]
    words = [
        "swift",
        "run",
        "-c",
        "release",
        "--package-path",
        "/work/package",
        "--scratch-path",
        "/work/build",
        "bench",
    ]
    done = subprocess.run([*script, *words], capture_output=True, text=True, timeout=900, check=True)
    found = re.search(r"best ([\d.]+) ms", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def play_faults(work: Path) -> tuple[int, int, float]:
    """Faults that are played, how many of them end well, and the seconds of the longest."""
    report = work / "faults.xml"
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/harness/devices/test_ios_faults.py",
        "-k",
        "every_fault",
        f"--junit-xml={report}",
    ]
    subprocess.run(words, cwd=ROOT, capture_output=True, timeout=1200, check=False)
    cases = list(ET.parse(report).iter("testcase"))
    well = [case for case in cases if not len(case)]
    return len(cases), len(well), max(float(case.get("time", 0)) for case in cases)


def read_contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def measure() -> list[Row]:
    """The figures of iOS; about seven minutes with an empty cache."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        work = Path(folder)
        command = ("builder", "package", EXAMPLE, "--target", "ios", "-o")
        run(*command, work / "one")
        seconds = time_best_of(3, *command, work / "one")
        run(*command, work / "two", cache=work / "cache")
        same = read_contents(work / "one") == read_contents(work / "two")
        (work / "swift").mkdir()
        milliseconds = measure_swift_milliseconds(work / "swift")
        played, well, longest = play_faults(work)
    return [
        Row(
            what="builder package --target ios, warm",
            figure="<= 3 s",
            measured=f"{seconds:.2f} s",
            reached=seconds <= 3,
        ),
        Row(
            what="two clean builds of the iOS package and project",
            figure="byte-identical",
            measured="identical" if same else "different",
            reached=same,
        ),
        Row(
            what="Swift pre- and post-processing of 512 x 512, release build on Linux",
            figure="<= 3 ms",
            measured=f"{milliseconds:.2f} ms",
            reached=milliseconds <= 3,
        ),
        Row(
            what="faults of Apple's tools, of devices and of the app, played",
            figure=">= 30, each ends in a record or exit 6",
            measured=f"{well} of {played} end well, the longest after {longest:.1f} s",
            reached=well == played >= 30,
        ),
    ]
