"""The backends: one module each, none imports another. A new backend is one file and one line here."""

from __future__ import annotations

from builder.backends import coreml, executorch, tflite
from builder.backends.base import Backend

BACKENDS: dict[str, Backend] = {
    "tflite": tflite,
    "coreml": coreml,
    "executorch": executorch,
}
