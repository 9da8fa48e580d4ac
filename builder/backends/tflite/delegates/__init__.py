"""What runs TFLite files on phones, one file each. A new delegate is a file here and a line below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.backends.tflite.delegates import gpu, xnnpack

if TYPE_CHECKING:
    from builder.backends.tflite.delegates.base import FileDelegate

DELEGATES: dict[str, FileDelegate] = {
    "xnnpack": xnnpack,
    "gpu": gpu,
}
