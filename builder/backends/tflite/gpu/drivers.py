"""Software Vulkan drivers that LiteRT's GPU accelerator can be executed over on this machine.

Mesa's lavapipe computes in 16-bit floats, as phones' GPUs do; SwiftShader, which Debian's Chromium carries, in 32-bit floats alone.
Debian 12's own Mesa (22.3) is refused by the accelerator ("Vulkan shaderUniform*ArrayDynamicIndexing required").
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from builder.storage.cache import find_cache_root

SETUP = Path(__file__).with_name("mesa.sh")
SETUP_COMMAND = f"bash {SETUP} prepare"
CHROMIUM = Path("/usr/lib/chromium")
CHROMIUM_COMMAND = "apt-get install --no-install-recommends chromium"
_MESA = "mesa/trixie-1"  # where `mesa.sh` puts it below the cache
_HOST_LIBRARIES = "/usr/lib/x86_64-linux-gnu"
_LICENCES = {"Mesa": "MIT; its LLVM Apache-2.0 with exception, its C library LGPL-2.1", "SwiftShader": "Apache-2.0"}


@dataclass(frozen=True, kw_only=True)
class Driver:
    """`half` is whether it computes in 16-bit floats. `root` is the folder of Debian packages that it runs in, with its own loader."""

    name: str
    version: str
    half: bool
    library: Path
    root: Path | None = None

    @property
    def licence(self) -> str:
        return _LICENCES[self.name]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def interpreter(self) -> tuple[str, ...]:
        """The words that start this Python over the driver: its C library is newer than ours, so its loader starts it."""
        if self.root is None:
            return (sys.executable,)
        libraries = f"{self.root / 'usr/lib/x86_64-linux-gnu'}:{_HOST_LIBRARIES}"
        loader = self.root / "usr/lib64/ld-linux-x86-64.so.2"
        return (str(loader), "--library-path", libraries, os.path.realpath(sys.executable))

    def environment(self, folder: Path) -> dict[str, str]:
        """What the process needs besides; writes into `folder` the file by which Vulkan's loader finds the driver."""
        description = {
            "file_format_version": "1.0.0",
            "ICD": {"library_path": str(self.library), "api_version": "1.3.0"},
        }
        file = folder / "driver.json"
        file.write_text(json.dumps(description), encoding="utf-8")
        shaders = find_cache_root() / "mesa" / "shaders"
        needed = {
            "VK_DRIVER_FILES": str(file),
            "VK_ICD_FILENAMES": str(file),
            "MESA_SHADER_CACHE_DIR": str(shaders),
            # Half the time for compiling shaders, the same pictures.
            "GALLIVM_PERF": "nopt",
        }
        if self.root is None:
            return needed | {"LD_LIBRARY_PATH": str(self.library.parent)}
        # Started by another loader, Python does not find its own place.
        return needed | {"PYTHONHOME": sys.base_prefix, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def find_drivers() -> tuple[Driver, ...]:
    """Those that are there, the one that computes as phones do first."""
    return tuple(driver for driver in (_mesa(), _swiftshader()) if driver is not None)


def _mesa() -> Driver | None:
    root = find_cache_root() / _MESA
    version = root / "version"
    if not version.is_file():
        return None
    return Driver(
        name="Mesa",
        version=version.read_text(encoding="utf-8").strip(),
        half=True,
        library=root / "usr/lib/x86_64-linux-gnu/libvulkan_lvp.so",
        root=root,
    )


def _swiftshader() -> Driver | None:
    library = CHROMIUM / "libvk_swiftshader.so"
    if not library.is_file():
        return None
    return Driver(name="SwiftShader", version=_read_chromium_version(), half=False, library=library)


def _read_chromium_version() -> str:
    """Of the package that brought it, from dpkg's own list; SwiftShader has no version of its own."""
    try:
        status = Path("/var/lib/dpkg/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "of an unknown Chromium"
    for entry in status.split("\n\n"):
        lines = entry.splitlines()
        if "Package: chromium" in lines[:1]:
            return "of Chromium " + next(
                (line.removeprefix("Version: ") for line in lines if line.startswith("Version: ")), "unknown"
            )
    return "of an unknown Chromium"
