"""TorchScript of the exported program, for PyTorch's C++ API and older mobile runtimes; compared with the source model."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from builder.errors import ConversionError, find_reason
from builder.exports.request import ExportRequest

if TYPE_CHECKING:
    from builder.bundle import SourceAgreement


def write(request: ExportRequest, out: Path) -> SourceAgreement:
    """`NAME.ts` in `out`. Raises ConversionError."""
    import torch

    from builder.quality.parity import Original, draw_sample, gate, gate_samples, make_torch_run

    model, path = request.model, out / f"{request.name}.ts"
    sample = draw_sample(model.inputs, 0)
    module, jit = request.program.module(), cast(Any, torch.jit)
    try:
        traced = jit.trace(module, tuple(torch.from_numpy(sample[s.name]) for s in model.inputs), check_trace=False)
        jit.save(traced, path)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ConversionError(f"torch.jit cannot trace the model: {find_reason(error)}; export it as onnx.") from error
    strip_debug(path)
    script = jit.load(path, map_location="cpu")
    original = Original(
        run=make_torch_run(module, model.inputs, model.outputs), runtime=f"TorchScript {torch.__version__}"
    )
    traced_run = make_torch_run(script, model.inputs, model.outputs)
    return gate(original, traced_run, gate_samples(request.evaluation, model.inputs), model.outputs, where=path.name)


def strip_debug(path: Path) -> None:
    """Without the records of source lines, which name this machine's files. Tensors keep torch's alignment of 64 bytes."""
    stripped = path.with_suffix(".stripped")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(stripped, "w", zipfile.ZIP_STORED) as target:
        for info in source.infolist():
            if info.filename.endswith(".debug_pkl") or "/.data/serialization_id" in info.filename:
                continue
            entry = zipfile.ZipInfo(info.filename)  # the earliest date that a zip has: equal models give equal files
            if target.fp is not None:
                start = target.fp.tell() + 30 + len(info.filename.encode())
                entry.extra = b"FB" + (padding := -(start + 4) % 64).to_bytes(2, "little") + b"Z" * padding
            target.writestr(entry, source.read(info))
    stripped.replace(path)
