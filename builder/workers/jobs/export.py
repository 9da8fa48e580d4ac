"""The export job: the source model for another runtime, checked against the model."""

from __future__ import annotations

from pathlib import Path

from builder.bundle import FileHash, hash_file, list_tree
from builder.workers.jobs.folder import load_source, refuse_paths_of_this_machine, stage
from builder.workers.messages import ExportJob, ExportResult


def run_export(job: ExportJob, folder: Path) -> ExportResult:
    from builder.exports import FORMATS, ExportRequest

    stage(folder, f"export {job.format}")
    model, _ = load_source(job.source)
    request = ExportRequest(
        name=job.config.model.name,
        model=model,
        config=job.config,
        folder=job.folder,
        evaluation=job.evaluation,
        dynamic=job.dynamic,
    )
    files = folder / "files"
    files.mkdir()
    agreement = FORMATS[job.format](request, files)
    for path in list_tree(files):
        refuse_paths_of_this_machine(path)
    return ExportResult(
        format=job.format,
        dynamic=job.dynamic,
        files=tuple(FileHash(file=p.relative_to(files).as_posix(), sha256=hash_file(p)) for p in list_tree(files)),
        agreement=agreement,
    )
