"""The software GPU drivers for tests: Mesa is unpacked once by the product's own script, SwiftShader comes with Chromium."""

from __future__ import annotations

import subprocess
from pathlib import Path

from builder.backends.tflite.gpu.drivers import SETUP, Driver, find_drivers

LIMIT_S = 1200.0


def mesa() -> Driver:
    return _driver("Mesa")


def swiftshader() -> Driver:
    return _driver("SwiftShader")


def give_mesa(cache: Path) -> None:
    """Another cache gets the folder of this machine's own."""
    folder = mesa().root
    assert folder is not None
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "mesa").symlink_to(folder.parent)


def _driver(name: str) -> Driver:
    subprocess.run(["bash", SETUP, "prepare"], check=True, capture_output=True, timeout=LIMIT_S)
    return next(driver for driver in find_drivers() if driver.name == name)
