"""The SDK itself, executed by Swift on Linux over stand-ins that play Core ML, Core Graphics, Core Video and UIKit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
from filelock import FileLock

import builder
from builder.bundle.tensors import make_pixels, make_tensor
from tests.bundles import IMAGE, STYLIZED, run_tflite
from tests.harness.small_bundle import converted, make_small_bundle
from tests.ios.swift import ROOT, Swift, build_folder, find_ios_sources
from tests.server.test_server import running

TESTS = ROOT / "tests" / "ios"
# without Darwin, which the test runner of Swift itself looks for
STAND_INS = ("CoreGraphics", "ImageIO", "CoreVideo", "CoreML", "os", "UIKit", "AVFoundation", "Compression")


def put_together(out: Path) -> None:
    """The SDK's sources, the stand-ins as modules of their own, and the tests, as one Swift package."""
    for name in ("EdgebundleCore", "Edgebundle"):
        shutil.copytree(find_ios_sources() / "edgebundle" / "Sources" / name, out / "Sources" / name)
    for name in STAND_INS:
        (out / "Sources" / name).mkdir(parents=True)
        shutil.copy2(TESTS / "stubs" / f"{name}.swift", out / "Sources" / name)
    shutil.copytree(TESTS / "played" / "PlayedTests", out / "Tests" / "PlayedTests")
    shutil.copy2(TESTS / "played" / "Package.swift", out)


def write_expected(path: Path) -> None:
    """What the small network makes of the tests' `numbered` picture, as PPM."""
    words = (np.arange(64 * 64, dtype=np.int64) * 2_654_435).reshape(64, 64)
    pixels = np.stack([words >> shift & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)
    made = make_pixels(run_tflite(converted().tflite, make_tensor(pixels, IMAGE)), STYLIZED)
    path.write_bytes(b"P6\n64 64\n255\n" + made.tobytes())


def test_the_sdk_behaves(tmp_path: Path) -> None:
    """Opening, pictures, labels, video and cancelling of the shipped classes, at once and at odd moments, and the real server target."""
    work = build_folder("played")
    with FileLock(work / "lock", timeout=900):
        package, bundle = work / "package", work / "bundle"
        for folder in (package, bundle):
            shutil.rmtree(folder, ignore_errors=True)
        put_together(package)
        swift = Swift(package, work)
        served = builder.package(make_small_bundle(bundle), target="server", out=tmp_path / "dist").files[0]
        write_expected(work / "expected.ppm")
        command = f"swift test --package-path {swift.source_path} --scratch-path {swift.work_path}/build 2>&1"
        with running(served, tmp_path / "log") as server:
            names = {
                "SERVER": f"http://127.0.0.1:{server.port}",
                "BUNDLE": f"{swift.work_path}/bundle",
                "EXPECTED": f"{swift.work_path}/expected.ppm",
            }
            words = " ".join(f"EDGEBUNDLE_{name}={value}" for name, value in names.items())
            done = swift.run("sh", "-c", f"{words} {command}", check=False)
    counts = [int(count) for count in re.findall(r"Executed (\d+) tests, with 0 failures", done.stdout)]
    assert max(counts, default=0) >= 30, done.stdout[-6000:]
    assert not re.search(r"\.swift:\d+:\d+: warning", done.stdout), done.stdout
