"""The judge job: an artifact against a network that it was not converted from."""

from __future__ import annotations

from pathlib import Path

from builder.backends import BACKENDS
from builder.backends.borders import make_logical
from builder.graph.samples import read_sample
from builder.quality.metrics import QualityMeter
from builder.workers.jobs.folder import read_reference, read_source, stage
from builder.workers.jobs.shown import Shown
from builder.workers.messages import JudgeJob, JudgeResult


def run_judge(job: JudgeJob, folder: Path) -> JudgeResult:
    teacher = read_source(job.teacher)
    execution = BACKENDS[job.backend].execution(job.delegate)
    runner = execution.open(job.artifact, job.inputs, job.outputs)
    runner = make_logical(runner, job.inputs, job.outputs, (*teacher.inputs, *teacher.outputs))
    meter = QualityMeter(outputs=teacher.outputs)
    shown = Shown(folder / "pictures")
    for number, path in enumerate(job.evaluation):
        stage(folder, f"judge {number + 1}/{len(job.evaluation)}")
        outputs = runner(read_sample(path, teacher.inputs))
        meter.add(outputs, read_reference(job.teacher, number))
        shown.add(number, outputs, meter.psnrs[-1])
    return JudgeResult(quality=meter.result(execution.runtime), shown=shown.keep())
