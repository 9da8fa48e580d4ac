"""The backends: one folder each, none imports another.

A new backend is a folder here and a line below. Its name is also listed in the manifest (`Variant.backend`), in builder.toml's model
(`builder/project/config.py`) and in the command (`BACKEND_NAMES` of `builder/cli.py`).
"""

from __future__ import annotations

from builder.backends import coreml, executorch, tflite
from builder.backends.base import Backend

BACKENDS: dict[str, Backend] = {
    "tflite": tflite,
    "coreml": coreml,
    "executorch": executorch,
}
