"""The sensitivity job: how much noise each scheme puts on each layer, from the source model alone."""

from __future__ import annotations

from pathlib import Path

from builder.graph.samples import read_sample
from builder.precision.scheme import parse_scheme
from builder.precision.sensitivity import estimate_sensitivities
from builder.workers.jobs.folder import load_source, stage
from builder.workers.messages import SensitivityJob, SensitivityResult


def run_sensitivity(job: SensitivityJob, folder: Path) -> SensitivityResult:
    stage(folder, "load")
    model, _ = load_source(job.source)
    noise = estimate_sensitivities(
        model.program,
        model.layers,
        [spec.name for spec in model.inputs],
        read_sample(job.sample, model.inputs),
        [parse_scheme(name, where="search") for name in job.schemes],
        lambda text: stage(folder, text),
    )
    return SensitivityResult(noise=noise)
