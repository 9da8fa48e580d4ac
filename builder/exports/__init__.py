"""Files for runtimes beside the three backends: ONNX, TorchScript, and ONNX with the command that makes a TensorRT plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from builder.exports import onnx, tensorrt, torchscript
from builder.exports.request import ExportRequest

if TYPE_CHECKING:
    from builder.bundle import SourceAgreement

FORMATS: dict[str, Callable[[ExportRequest, Path], SourceAgreement]] = {
    "onnx": onnx.write,
    "tensorrt": tensorrt.write,
    "torchscript": torchscript.write,
}
"""Each writes its files into a directory and returns their agreement with the source model. Raises ConversionError, ConfigError."""

DYNAMIC = ("onnx", "tensorrt")
PACKAGES: dict[str, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "tensorrt": ("onnx", "onnxscript", "onnxruntime"),
    "torchscript": (),
}

__all__ = ["DYNAMIC", "FORMATS", "PACKAGES", "ExportRequest"]
