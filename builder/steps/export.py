"""The step of one export: files of the source model for another runtime."""

from __future__ import annotations

from pathlib import Path

from builder.errors import MissingToolError
from builder.exports import PACKAGES
from builder.project.project import Project
from builder.steps.cached import cached_step
from builder.steps.listener import Listener
from builder.steps.source import SourceStep
from builder.storage.cache import content_key, versions
from builder.workers.messages import (
    RESULT,
    ExportJob,
    ExportResult,
)


def export_file(
    project: Project, source: SourceStep, format_name: str, dynamic: bool, listener: Listener
) -> tuple[Path, ExportResult]:
    """One export of the source model: the directory of its files, and what it is. Raises ConversionError, ConfigError, MissingToolError."""
    missing = [name for name, version in versions(PACKAGES[format_name]).items() if version == "missing"]
    if missing:
        raise MissingToolError(f"the export {format_name!r} needs {missing[0]}: pip install 'edgebundle[onnx]'.")
    job = ExportJob(
        format=format_name,
        dynamic=dynamic,
        source=source.folder,
        config=project.config,
        folder=project.folder,
        evaluation=tuple(file.path for file in project.data.evaluation),
    )
    name = project.config.model.name
    key = content_key(
        {
            "source": source.key,
            "format": format_name,
            "dynamic": dynamic,
            "name": name,
            "versions": versions(PACKAGES[format_name]),
        }
    )
    folder = cached_step(project, "export", key, job, f"export {format_name!r}", listener)
    return folder / "files", ExportResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))
