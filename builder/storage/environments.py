"""Python environments of their own for tools that cannot live beside ours: made on first use, pinned, kept in the cache.

An environment is complete or absent: it is filled aside under a lock, marked, and renamed. A Python environment holds its
own path, so it is made at the place where it stays; the mark is what makes it complete.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builder.errors import MissingToolError, find_reason
from builder.process import ToolError, run
from builder.storage.cache import find_cache_root, hold_lock, make_content_key

# Gigabytes over a slow line: what takes longer hangs.
INSTALL_LIMIT_S = 1800.0
COMPLETE = "complete"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """`packages` are exact versions; `bytes` is about what they take, announced before anything is fetched."""

    name: str
    packages: tuple[str, ...]
    bytes: int

    @property
    def key(self) -> str:
        return make_content_key({"packages": self.packages, "python": list(sys.version_info[:3]), "at": sys.prefix})


# Sets that were tried together on Python 3.11; all other versions they take are pinned too where newer ones break them.
TENSORFLOW = Environment(
    name="tensorflow",
    packages=(
        "tensorflow-cpu==2.19.1", "keras==3.15.1", "tf2onnx==1.17.0", "numpy==2.1.3", "protobuf==5.29.6", "onnx==1.22.0",
        "h5py==3.16.0", "ml_dtypes==0.6.0", "flatbuffers==25.12.19",
    ),
    bytes=1_530_000_000,
)  # fmt: skip
# tf-keras takes the whole of tensorflow, so that tensorflow-cpu beside it would only be a second copy.
TENSORFLOW_KERAS2 = Environment(
    name="tensorflow-keras2",
    packages=(
        "tensorflow==2.19.1", "tf-keras==2.19.0", "keras==3.15.1", "tf2onnx==1.17.0", "numpy==2.1.3", "protobuf==5.29.6",
        "onnx==1.22.0", "h5py==3.16.0", "ml_dtypes==0.6.0", "flatbuffers==25.12.19",
    ),
    bytes=2_340_000_000,
)  # fmt: skip
# onnx2tf itself pins TensorFlow, NumPy, ONNX and the rest exactly; 1.29.24 is the newest for Python 3.11.
ONNX2TF = Environment(
    name="onnx2tf",
    packages=("onnx2tf==1.29.24", "keras==3.15.1", "ml_dtypes==0.5.1", "h5py==3.11.0", "flatbuffers==25.12.19"),
    bytes=2_600_000_000,
)  # fmt: skip


def make_python(environment: Environment, announce: Callable[[str], None]) -> Path:
    """The environment's Python, made if it is not there; `announce` hears what will be fetched and how large it is.

    Raises MissingToolError with the last lines of the installer.
    """
    folder = find_cache_root() / "environments" / f"{environment.name}-{environment.key}"
    python = folder / "bin" / "python"
    if (folder / COMPLETE).is_file():
        return python
    with hold_lock(f"environment {folder.name}"):
        if (folder / COMPLETE).is_file():  # made while we waited
            return python
        announce(
            f"{environment.name} is not here yet: installing {', '.join(environment.packages[:3])} and what they need, "
            f"about {environment.bytes / 1e9:.1f} GB, into {folder} (once)"
        )
        shutil.rmtree(folder, ignore_errors=True)  # what a killed installation left
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            run([sys.executable, "-m", "venv", folder], timeout_s=INSTALL_LIMIT_S)
            words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            run([python, *words, *environment.packages], timeout_s=INSTALL_LIMIT_S)
            run([python, "-m", "pip", "check", "--disable-pip-version-check"], timeout_s=INSTALL_LIMIT_S)
            (folder / COMPLETE).write_text("\n".join(environment.packages) + "\n", encoding="utf-8")
        except (ToolError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise MissingToolError(
                f"the environment {environment.name} could not be installed: {find_reason(str(error))}; "
                f"check the network and free {environment.bytes / 1e9:.1f} GB below {folder.parent} (or set EDGEBUNDLE_CACHE), then run again."
            ) from error
    return python
