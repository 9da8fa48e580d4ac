"""The compress job: the stages of a compression, in a process of their own."""

from __future__ import annotations

from pathlib import Path

from builder.compression.project import WEIGHTS
from builder.workers.jobs.folder import load_source, read_reference, stage
from builder.workers.messages import CompressJob, CompressResult


def run_compress(job: CompressJob, folder: Path) -> CompressResult:
    import torch
    from safetensors.torch import save_file

    from builder.compression.learned_plan import PLAN, to_plan
    from builder.compression.run import Task, run
    from builder.training.run import count_threads

    stage(folder, "load")
    model, _ = load_source(job.source)
    task = Task(
        model=model,
        section=job.section,
        folder=job.folder,
        files=job.files,
        evaluation=job.evaluation,
        references=[read_reference(job.source, number) for number in range(len(job.evaluation))],
        state=job.state,
        tell=lambda text: stage(folder, text),
    )
    stages = run(task)
    for number, (program, report) in enumerate(stages):
        torch.export.save(program, folder / f"{number}-{report.stage}.pt2")
    # For whoever trains on with a network of these widths.
    state = stages[-1][0].state_dict
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, folder / WEIGHTS)
    if (plan := to_plan(stages[-1][0])) is not None:
        (folder / PLAN).write_text(plan, encoding="utf-8")
    return CompressResult(threads=count_threads(), stages=tuple(report for _, report in stages))
