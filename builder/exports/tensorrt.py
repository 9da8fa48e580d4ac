"""TensorRT builds its plan on the GPU that runs it, so it is left to its own tool: the ONNX file and the exact command."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from builder.exports import onnx
from builder.exports.request import ExportRequest

if TYPE_CHECKING:
    from builder.bundle import SourceAgreement


def write(request: ExportRequest, out: Path) -> SourceAgreement:
    """`NAME.onnx` and `NAME.trtexec.sh` in `out`. Raises ConversionError, ConfigError."""
    agreement = onnx.write(request, out)
    text = f"#!/bin/sh\n# Run beside the ONNX file on the machine that will use the plan, with its TensorRT.\n{shlex.join(make_command(request))}\n"
    (out / f"{request.name}.trtexec.sh").write_text(text, encoding="utf-8")
    return agreement


def make_command(request: ExportRequest) -> list[str]:
    """trtexec's words. Open sizes need a range: from half of builder.toml's size to twice of it."""
    words = ["trtexec", f"--onnx={request.name}.onnx", f"--saveEngine={request.name}.plan", "--fp16"]
    if request.dynamic:
        for word, factor in (("min", 0.5), ("opt", 1.0), ("max", 2.0)):
            shapes = []
            for spec in request.model.inputs:
                size = [int(n * factor) for n in spec.shape[2:]] if spec in request.pictures else list(spec.shape[2:])
                shapes.append(f"{spec.name}:" + "x".join(map(str, (*spec.shape[:2], *size))))
            words.append(f"--{word}Shapes={','.join(shapes)}")
    return words
