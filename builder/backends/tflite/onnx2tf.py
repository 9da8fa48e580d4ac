"""A second way to an fp32 TFLite file: onnx2tf, in an environment of its own, from the network as an ONNX file.

It is not trusted: it ends with status 0 on wrong results too. Shapes are compared here, outputs by the gates of every variant.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from pathlib import Path
from typing import Any

from builder.errors import ConversionError
from builder.graph.model import Model
from builder.process import ToolError, run_limited
from builder.storage.environments import ONNX2TF, make_python

messages = logging.getLogger(__name__)
SCRIPT = Path(__file__).parent / "onnx2tf_inside.py"
# Of a large network on a slow machine: what takes longer hangs.
LIMIT_S = 1800.0
# A converter that runs away must not take the whole machine.
MEMORY_BYTES = 8_000_000_000
# What torch writes without converting, and onnx2tf knows.
OPSET = 18


def convert(model: Model) -> bytes:
    """The file's bytes with pictures in NHWC; it has no signature. Raises ConversionError, and MissingToolError without its environment."""
    python = make_python(ONNX2TF, messages.warning)  # in the worker's log
    with tempfile.TemporaryDirectory(prefix="edgebundle-onnx2tf-") as name:
        folder = Path(name)
        _export(model, folder / "model.onnx")
        kept = [spec.name for spec in model.inputs if spec.kind != "image"]
        log = folder / "log.txt"
        words: list[str | Path] = [python, "-I", SCRIPT, folder, *kept]
        try:
            status = run_limited(words, log=log, timeout_s=LIMIT_S, memory_bytes=MEMORY_BYTES, poll=lambda: None)
        except ToolError as error:
            raise ConversionError(f"onnx2tf {error}; remove 'route' from the variant to use litert-torch.") from error
        made = folder / "out" / "model_float32.tflite"
        if status or not made.is_file():
            raise ConversionError(
                f"onnx2tf cannot convert the model ({_reason(log)}); remove 'route' from the variant to use litert-torch."
            )
        return made.read_bytes()


def _export(model: Model, path: Path) -> None:
    import torch

    samples = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in model.inputs)
    names: dict[str, Any] = {
        "input_names": [spec.name for spec in model.inputs],
        "output_names": [spec.name for spec in model.outputs],
    }
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the exporter tells its steps
            torch.onnx.export(
                model.program.module(),
                samples,
                str(path),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                verbose=False,
                **names,
            )
    except Exception as error:  # the exporter raises what its many parts raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(
            f"torch.onnx cannot export the model for onnx2tf: {lines[0][:300]}; remove 'route' from the variant."
        ) from error


def _reason(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower()]
    return (told or lines or ["no output"])[-1][:300]
