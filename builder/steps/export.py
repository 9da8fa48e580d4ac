"""The step of one export: files of the source model for another runtime."""

from __future__ import annotations

from pathlib import Path

from builder.errors import MissingToolError
from builder.exports import PACKAGES
from builder.project.project import Project
from builder.steps.listener import Listener
from builder.steps.source import SourceStep
from builder.steps.step import Step, Working, run_step
from builder.storage.cache import read_versions
from builder.workers.messages import ExportJob, ExportResult


def export_file(
    project: Project, source: SourceStep, format_name: str, dynamic: bool, listener: Listener
) -> tuple[Path, ExportResult]:
    """One export of the source model: the directory of its files, and what it is. Raises ConversionError, ConfigError, MissingToolError."""
    missing = [name for name, version in read_versions(PACKAGES[format_name]).items() if version == "missing"]
    if missing:
        raise MissingToolError(f"the export {format_name!r} needs {missing[0]}: pip install 'edgebundle[onnx]'.")
    step = Step(
        kind="export",
        what=f"export {format_name!r}",
        content={
            "source": source.key,
            "format": format_name,
            "dynamic": dynamic,
            "name": project.config.model.name,
            "versions": read_versions(PACKAGES[format_name]),
        },
        job=ExportJob(
            format=format_name,
            dynamic=dynamic,
            source=source.folder,
            config=project.config,
            folder=project.folder,
            evaluation=tuple(file.path for file in project.data.evaluation),
        ),
        result=ExportResult,
    )
    result = run_step(step, project, Working(listener=listener))
    return step.folder / "files", result
