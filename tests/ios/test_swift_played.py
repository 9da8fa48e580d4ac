"""The SDK itself, executed by Swift on Linux over stand-ins that play Core ML, Core Graphics, Core Video and UIKit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from filelock import FileLock

from tests.ios.swift import ROOT, Swift, build_folder, ios_sources

TESTS = ROOT / "tests" / "ios"
# without Darwin, which the test runner of Swift itself looks for
STAND_INS = ("CoreGraphics", "ImageIO", "CoreVideo", "CoreML", "os", "UIKit", "AVFoundation", "Compression")


def put_together(out: Path) -> None:
    """The SDK's sources, the stand-ins as modules of their own, and the tests, as one Swift package."""
    for name in ("EdgebundleCore", "Edgebundle"):
        shutil.copytree(ios_sources() / "edgebundle" / "Sources" / name, out / "Sources" / name)
    for name in STAND_INS:
        (out / "Sources" / name).mkdir(parents=True)
        shutil.copy2(TESTS / "stubs" / f"{name}.swift", out / "Sources" / name)
    shutil.copytree(TESTS / "played" / "PlayedTests", out / "Tests" / "PlayedTests")
    shutil.copy2(TESTS / "played" / "Package.swift", out)


def test_the_sdk_behaves() -> None:
    """Opening, pictures, labels, video and cancelling of the shipped classes, at once and at odd moments."""
    work = build_folder("played")
    with FileLock(work / "lock", timeout=900):
        package = work / "package"
        shutil.rmtree(package, ignore_errors=True)
        put_together(package)
        swift = Swift(package, work)
        command = f"swift test --package-path {swift.source_path} --scratch-path {swift.work_path}/build 2>&1"
        done = swift.run("sh", "-c", command, check=False)
    counts = [int(count) for count in re.findall(r"Executed (\d+) tests, with 0 failures", done.stdout)]
    assert max(counts, default=0) >= 30, done.stdout[-6000:]
    assert not re.search(r"\.swift:\d+:\d+: warning", done.stdout), done.stdout
