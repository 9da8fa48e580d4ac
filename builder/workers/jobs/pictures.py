"""The pictures job: one variant of a bundle, or the source model, on samples of the user's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from builder.backends import BACKENDS
from builder.backends.borders import make_logical
from builder.graph.samples import read_sample
from builder.workers.jobs.folder import load_source, stage
from builder.workers.messages import PicturesJob, PicturesResult

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors


def run_pictures(job: PicturesJob, folder: Path) -> PicturesResult:
    import numpy as np

    stage(folder, "load")
    runner, runtime = _runner(job)
    for number, path in enumerate(job.samples):
        stage(folder, f"picture {number + 1}/{len(job.samples)}")
        outputs = runner(read_sample(path, job.inputs))
        np.savez(folder / f"{number:04d}.npz", **outputs)  # type: ignore[arg-type]
    return PicturesResult(runtime=runtime)


def _runner(job: PicturesJob) -> tuple[Callable[[Tensors], Tensors], str]:
    """What gives logical outputs for logical inputs, and the name of what executes it."""
    if job.variant is None:
        import torch

        from builder.quality.parity import make_torch_run

        model, _ = load_source(job.root)
        return make_torch_run(model.program.module(), model.inputs, model.outputs), f"torch {torch.__version__}"
    backend, variant = BACKENDS[job.variant.backend], job.variant
    runner = backend.runner(job.root / variant.file, variant.inputs, variant.outputs, os.cpu_count() or 1)
    return make_logical(
        runner, variant.inputs, variant.outputs, (*job.inputs, *job.outputs)
    ), backend.describe_runtime()
