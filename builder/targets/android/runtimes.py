"""The names of the runtimes that an Android package can carry, as `--runtime` takes them; the first one is the usual one."""

from __future__ import annotations

TFLITE, LITERT, EXECUTORCH, EXECUTORCH_VULKAN = "tflite", "litert", "executorch", "executorch-vulkan"
RUNTIMES: tuple[str, ...] = (TFLITE, LITERT, EXECUTORCH, EXECUTORCH_VULKAN)
# The files that they execute.
TFLITE_FILE, EXECUTORCH_FILE = ".tflite", ".pte"
