"""The verify job: a bundle's variant run again on a golden picture, and by tiles where they are allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends import BACKENDS
from builder.backends.borders import logical
from builder.bundle.tensors import as_golden, golden_tensor, peak_of, psnr_db
from builder.graph.tiling import enlarged, run_tiled
from builder.workers.jobs.folder import stage
from builder.workers.messages import VerifyJob, VerifyResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from builder.backends.base import Runner
    from builder.graph.tensors import Tensors


def run_verify(job: VerifyJob, folder: Path) -> VerifyResult:
    stage(folder, "run")
    backend = BACKENDS[job.variant.backend]
    inputs: Tensors = {
        tensor.name: golden_tensor(job.root, tensor, spec).astype(spec.dtype)
        for tensor, spec in zip(job.golden.inputs, job.inputs, strict=True)
    }
    variant = job.variant
    runner = backend.runner(job.root / variant.file, variant.inputs, variant.outputs, os.cpu_count() or 1)
    runner = logical(runner, variant.inputs, variant.outputs, (*job.inputs, *job.outputs))
    outputs = runner(inputs)
    expected = next(e.tensors for e in job.golden.expected if e.variant == job.variant.id)
    worst = {}
    for what, tensors in (("golden", expected), ("source", job.golden.reference)):
        psnrs = []
        for tensor, spec in zip(tensors, job.outputs, strict=True):
            want = golden_tensor(job.root, tensor, spec)
            psnrs.append(psnr_db(as_golden(outputs[spec.name], spec, tensor.encoding), want, peak_of(spec, want)))
        worst[what] = round(min(psnrs), 2)
    return VerifyResult(
        runtime=backend.runtime_name(),
        psnr_db=worst["golden"],
        source_psnr_db=worst["source"],
        seam_error=seam_error(job, runner, inputs),
    )


def seam_error(job: VerifyJob, runner: Runner, inputs: Tensors) -> float | None:
    """How much two grids of tiles over a larger picture differ, relative to the output's range; None where tiles are not allowed."""
    import numpy as np

    tiling = job.variant.tiling
    if tiling is None or not tiling.allowed:
        return None
    source, result = job.inputs[0], job.outputs[0]
    picture = np.asarray(inputs[source.name], np.float32)
    large, tile = enlarged(picture, tiling.multiple or 1), (picture.shape[2], picture.shape[3])

    def run(part: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(runner({source.name: part})[result.name], np.float32)

    multiple = tiling.multiple or 1
    shift = max(min(tile) // 4 // multiple, 1) * multiple
    first, second = (run_tiled(run, large, tile, tiling, shift=offset) for offset in (0, shift))
    span = result.range[1] - result.range[0] if result.range else float(first.max() - first.min()) or 1.0
    return float(f"{np.abs(first - second).max() / span:.2g}")
