"""The verify job: a bundle's variant run again on a golden picture, and by tiles where they are allowed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends import BACKENDS
from builder.backends.borders import make_logical
from builder.bundle.tensors import measure_worst_psnr_db, read_golden
from builder.errors import BundleError, InputError, NotExecutedError
from builder.graph.tiling import Tiler, enlarge
from builder.workers.jobs.folder import stage
from builder.workers.messages import VerifyJob, VerifyResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from builder.backends.base import Runner
    from builder.graph.tensors import Tensors


def run_verify(job: VerifyJob, folder: Path) -> VerifyResult:
    stage(folder, "run")
    inputs: Tensors = {
        tensor.name: read_golden(job.root, tensor, spec).astype(spec.dtype)
        for tensor, spec in zip(job.golden.inputs, job.inputs, strict=True)
    }
    variant = job.variant
    execution = BACKENDS[variant.backend].execution(variant.delegate)
    try:
        runner = execution.open(job.root / variant.file, variant.inputs, variant.outputs)
        runner = make_logical(runner, variant.inputs, variant.outputs, (*job.inputs, *job.outputs))
        outputs = runner(inputs)
    except NotExecutedError as error:
        return VerifyResult(runtime=execution.runtime, psnr_db=None, source_psnr_db=None, unproven=str(error))
    expected = next(e.tensors for e in job.golden.expected if e.variant == job.variant.id)
    own = measure_worst_psnr_db(job.root, expected, job.outputs, outputs)
    if own is None:
        raise BundleError(f"golden {job.golden.id} expects nothing of variant {variant.id}; convert the bundle again.")
    return VerifyResult(
        runtime=execution.runtime,
        psnr_db=own,
        source_psnr_db=measure_worst_psnr_db(job.root, job.golden.reference, job.outputs, outputs),
        seam_error=measure_seam(job, runner, inputs),
    )


def measure_seam(job: VerifyJob, runner: Runner, inputs: Tensors) -> float | None:
    """How much neighbouring tiles of a larger picture differ where apps mix them, relative to the output's range.

    The picture is made as phones make it: 8 bits in, tiles by the same algorithm, 8 bits out. None where tiles are not allowed.
    """
    import numpy as np

    from builder.bundle.tensors import make_pixels, make_tensor

    tiling = job.variant.tiling
    if tiling is None or not tiling.allowed:
        return None
    source, result = job.inputs[0], job.outputs[0]
    pixels = make_pixels(np.asarray(inputs[source.name], np.float32), source)

    def render(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return make_pixels(runner({source.name: make_tensor(part, source)})[result.name], result)

    try:
        tiler = Tiler.of(pixels.shape[0], pixels.shape[1], int(tiling.scale or 1), tiling)
    except InputError:  # of a bundle from before the limit: no phone makes such tiles
        return None
    _, seam = tiler.run(enlarge(pixels, tiler.multiple), render)
    return float(f"{seam / 255:.2g}")
